//! The native stream: a feed's changes over a websocket as they happen, each with the cursor to come back with.

use super::app::App;
use super::auth::token;
use super::boxed::boxed;
use super::caller::{CallerContext, StreamPermit};
use super::change_json;
use super::dismissals::{MOVED, STOPPING};
use super::feeds::{accounts_own, public, tag};
use super::page_query::PageQuery;
use super::problem::Problem;
use super::stream_message::Message;
use super::subscription::{FeedUpdate, Lapsed, Subscription};
use super::websocket::{ClientEvent, SendError, Socket, code, opened};
use super::websocket_upgrade::{Upgrade, UpgradeError};
use crate::clock;
use axum::Extension;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use slackwater_engine::view::cursor::Cursor;
use slackwater_engine::view::feed_ref::FeedRef;
use std::future::ready;
use std::sync::Arc;
use tokio::time::{MissedTickBehavior, interval};

/// The query of a stream.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamQuery {
    cursor: Option<String>,
    account: Option<String>,
    origin: Option<String>,
    /// Read before.
    #[serde(rename = "access_token")]
    _access_token: Option<String>,
}

type UpgradeResult = Result<Upgrade, UpgradeError>;
type QueryResult = Result<Query<StreamQuery>, QueryRejection>;

pub(super) async fn account(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: QueryResult,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
    upgrade: UpgradeResult,
) -> Result<Response, Problem> {
    let (query, cursor) = stream_query(query)?;
    let feed_ref = accounts_own(path, &query)?;
    app.stream(feed_ref, cursor, &context, &headers, upgrade)
}

pub(super) async fn public_feed(
    State(app): State<App>,
    query: QueryResult,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
    upgrade: UpgradeResult,
) -> Result<Response, Problem> {
    let (query, cursor) = stream_query(query)?;
    let feed_ref = public(&query)?;
    app.stream(feed_ref, cursor, &context, &headers, upgrade)
}

pub(super) async fn hashtag(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    query: QueryResult,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
    upgrade: UpgradeResult,
) -> Result<Response, Problem> {
    let (query, cursor) = stream_query(query)?;
    let feed_ref = tag(path, &query)?;
    app.stream(feed_ref, cursor, &context, &headers, upgrade)
}

fn stream_query(query: QueryResult) -> Result<(PageQuery, Option<String>), Problem> {
    let Query(query) = query
        .map_err(|e| Problem::bad_request(format!("{}: send cursor, or nothing", e.body_text())))?;
    let page = PageQuery {
        account: query.account,
        origin: query.origin,
        ..PageQuery::default()
    };
    Ok((page, query.cursor))
}

impl App {
    /// Opens a stream. A problem is the response to the request, before the connection becomes a websocket; only a cursor that
    /// cannot be served is reported on the websocket, where clients in browsers can see it.
    fn stream(
        &self,
        feed_ref: FeedRef,
        cursor: Option<String>,
        context: &CallerContext,
        headers: &HeaderMap,
        upgrade: UpgradeResult,
    ) -> Result<Response, Problem> {
        self.auth.may_read(&context.caller, &feed_ref)?;
        let cursor = cursor
            .map(|text| self.state.cursor(&feed_ref, &text))
            .transpose();
        let cursor = match cursor {
            Err(problem) if problem.status != StatusCode::GONE.as_u16() => return Err(problem),
            cursor => cursor,
        };
        self.state.is_open()?;
        self.state.is_there(&feed_ref)?;
        let upgrade = upgrade.map_err(|UpgradeError(why)| {
            Problem::bad_request(format!("{why}: this is a websocket; or ask for changes"))
        })?;
        let permit = self.admit(context, feed_ref.account())?;
        let response = upgrade.response(token::protocol(headers));
        let (app, tracked) = (self.clone(), self.streams.clone());
        tokio::spawn(async move {
            let send_budget = Arc::clone(&app.state.entry_cache.send_budget);
            if let Some(socket) =
                boxed(opened(upgrade, app.stream_options.socket, send_budget)).await
            {
                let followed = app.follow(socket, feed_ref, cursor, permit);
                tracked.track_future(followed).await;
            }
        });
        Ok(response)
    }

    /// Tells a reader of everything, until one of the two has enough.
    async fn follow(
        self,
        mut socket: Socket,
        feed_ref: FeedRef,
        cursor: Result<Option<Cursor>, Problem>,
        permit: StreamPermit,
    ) {
        let stopping = self.stopping.clone();
        let account = feed_ref.account().map(str::to_owned);
        let end = tokio::select! {
            end = self.send_all(&mut socket, feed_ref, cursor) => end,
            (code, reason) = permit.ended() => StreamEnd::of(code, reason),
            () = stopping.cancelled() => StreamEnd::of(code::RESTART, STOPPING),
        };
        self.state.metrics.http.stream_ended(end.reason);
        let now = clock::stopwatch();
        self.dismissal_log
            .record("websocket", account.as_deref(), end.reason, now);
        if let Some(code) = end.code {
            if end.last.is_some() {
                let kind = if code == code::RESET {
                    "reset"
                } else {
                    "too_slow"
                };
                self.state.metrics.http.stream_messages(kind, 1);
            }
            socket.close(code, end.reason, end.last).await;
        }
    }

    async fn send_all(
        &self,
        socket: &mut Socket,
        feed_ref: FeedRef,
        cursor: Result<Option<Cursor>, Problem>,
    ) -> StreamEnd {
        let begun = match cursor {
            Ok(Some(cursor)) => Subscription::since(self.state.clone(), feed_ref, cursor).await,
            Ok(None) => Subscription::now(self.state.clone(), feed_ref).await,
            Err(problem) => Err(problem),
        };
        let (mut subscription, horizon) = match begun {
            Ok(begun) => begun,
            Err(problem) => return StreamEnd::from(problem),
        };
        let hello = Message::Hello {
            cursor: subscription.cursor().to_text(),
            horizon,
            floor: subscription.cursor().floor().map(|floor| floor.to_string()),
        };
        if let Err(error) = send_one(socket, hello.to_text()).await {
            return StreamEnd::after(error, subscription.cursor());
        }
        self.state.metrics.http.stream_messages("hello", 1);
        let mut marks = interval(self.stream_options.horizon_every);
        marks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        marks.reset();
        let mut turn = StreamStep::Changes;
        loop {
            if turn != StreamStep::Wait {
                let reached = subscription.cursor().clone();
                let update = match subscription.advance().await {
                    Ok(update) => update,
                    Err(problem) => return StreamEnd::from(problem),
                };
                if let Err(end) = self.send_update(socket, &update, turn, reached).await {
                    return end;
                }
                turn = match update.delivery.batch.more {
                    true => turn,
                    false => StreamStep::Wait,
                };
            }
            let has_more = turn != StreamStep::Wait;
            tokio::select! {
                biased;
                event = socket.next_event() => match event {
                    ClientEvent::Left => return StreamEnd::without_word("left"),
                    ClientEvent::Silent => return StreamEnd::without_word("silent"),
                    ClientEvent::Text(_) | ClientEvent::Binary => {
                        return StreamEnd::of(code::POLICY, "nothing is to be sent here");
                    }
                },
                () = ready(()), if has_more => {}
                _ = marks.tick() => turn = StreamStep::Mark,
                () = subscription.changed(), if !has_more => turn = StreamStep::Changes,
            }
        }
    }

    /// Sends a reader the changes that were found. An error is the end of its stream.
    async fn send_update(
        &self,
        socket: &mut Socket,
        update: &FeedUpdate,
        turn: StreamStep,
        mut reached: Cursor,
    ) -> Result<(), StreamEnd> {
        let (delivery, metrics) = (&update.delivery, &self.state.metrics.http);
        for (nth, item) in delivery.batch.items.iter().enumerate() {
            let after = delivery.cursor_after(nth);
            update.may_be_sent()?;
            match socket.feed(change_json::spliced(item, &after)).await {
                Ok(()) => reached = after,
                // It gets all of the message before the one that calls it too slow.
                Err(SendError::Amid) => return Err(StreamEnd::after(SendError::Amid, &after)),
                Err(error) => return Err(StreamEnd::after(error, &reached)),
            }
            metrics.stream_messages(change_json::word(item.kind), 1);
            metrics.posts_behind.inc_by(item.behind.into());
        }
        if (turn == StreamStep::Mark && !delivery.batch.more) || delivery.raises_floor_silently() {
            let mark = Message::Horizon {
                cursor: delivery.cursor.to_text(),
                horizon: update.horizon,
                floor: delivery.floor.to_string(),
            };
            update.may_be_sent()?;
            if let Err(error) = socket.feed(mark.to_text()).await {
                return Err(StreamEnd::after(error, &reached));
            }
            metrics.stream_messages("horizon", 1);
            reached = delivery.cursor.clone();
        }
        let sent = socket.flush().await;
        sent.map_err(|error| StreamEnd::after(error, &reached))
    }
}

/// The purpose of a stream's next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreamStep {
    /// To wait.
    Wait,
    /// To send what is new.
    Changes,
    /// To send what is new, and then how far the feed is complete.
    Mark,
}

/// How a stream ends.
struct StreamEnd {
    /// The close code; none if the client has left.
    code: Option<u16>,
    reason: &'static str,
    last: Option<String>,
}

impl StreamEnd {
    fn of(code: u16, reason: &'static str) -> StreamEnd {
        StreamEnd {
            code: Some(code),
            reason,
            last: None,
        }
    }

    fn without_word(reason: &'static str) -> StreamEnd {
        StreamEnd {
            code: None,
            reason,
            last: None,
        }
    }

    fn after(error: SendError, reached: &Cursor) -> StreamEnd {
        match error {
            SendError::Left => StreamEnd::without_word("left"),
            SendError::TooSlow | SendError::Amid => {
                let cursor = reached.to_text();
                let floor = reached.floor().map(|floor| floor.to_string());
                StreamEnd {
                    last: Some(Message::TooSlow { cursor, floor }.to_text()),
                    ..StreamEnd::of(code::TRY_AGAIN, "too slow")
                }
            }
        }
    }
}

impl From<Lapsed> for StreamEnd {
    fn from(Lapsed: Lapsed) -> StreamEnd {
        StreamEnd::of(code::RESTART, MOVED)
    }
}

impl From<Problem> for StreamEnd {
    fn from(problem: Problem) -> StreamEnd {
        const GONE: u16 = StatusCode::GONE.as_u16();
        const MISSING: u16 = StatusCode::NOT_FOUND.as_u16();
        const BUSY: u16 = StatusCode::SERVICE_UNAVAILABLE.as_u16();
        match problem.status {
            GONE | MISSING => {
                let detail = problem.detail;
                StreamEnd {
                    last: Some(Message::Reset { detail }.to_text()),
                    ..StreamEnd::of(code::RESET, "read the feed anew")
                }
            }
            BUSY => StreamEnd::of(code::TRY_AGAIN, "come back in a moment"),
            _ => StreamEnd::of(code::INTERNAL, "the service failed here"),
        }
    }
}

async fn send_one(socket: &mut Socket, text: String) -> Result<(), SendError> {
    socket.feed(text).await?;
    socket.flush().await
}
