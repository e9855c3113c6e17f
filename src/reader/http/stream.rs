//! The native stream: a feed's changes over a websocket as they happen, each with the cursor to come back with.

use super::App;
use super::asking::{Admitted, Asking};
use super::feeds::{PageQuery, accounts_own, public, tag};
use crate::reader::asked::Asked;
use crate::reader::auth::token;
use crate::reader::change_json;
use crate::reader::cursor::Cursor;
use crate::reader::live::{Live, Looked, apart};
use crate::reader::message::Message;
use crate::reader::problem::Problem;
use crate::reader::upgrade::{NoUpgrade, Upgrade};
use crate::reader::websocket::{Heard, Options, Socket, Unsent, code, opened};
use axum::Extension;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// What a stream is asked with.
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

/// How streams are kept.
#[derive(Clone, Copy, Debug)]
pub struct Keeping {
    /// How often a reader is told how far its feed is complete.
    pub horizon_every: Duration,
    /// The socket.
    pub socket: Options,
}

type Upgraded = Result<Upgrade, NoUpgrade>;
type Queried = Result<Query<StreamQuery>, QueryRejection>;

pub(super) async fn account(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Queried,
    Extension(asking): Extension<Asking>,
    headers: HeaderMap,
    upgrade: Upgraded,
) -> Result<Response, Problem> {
    let (query, cursor) = asked_with(query)?;
    let asked = accounts_own(path, &query)?;
    app.stream(asked, cursor, &asking, &headers, upgrade)
}

pub(super) async fn public_feed(
    State(app): State<App>,
    query: Queried,
    Extension(asking): Extension<Asking>,
    headers: HeaderMap,
    upgrade: Upgraded,
) -> Result<Response, Problem> {
    let (query, cursor) = asked_with(query)?;
    let asked = public(&query)?;
    app.stream(asked, cursor, &asking, &headers, upgrade)
}

pub(super) async fn hashtag(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    query: Queried,
    Extension(asking): Extension<Asking>,
    headers: HeaderMap,
    upgrade: Upgraded,
) -> Result<Response, Problem> {
    let (query, cursor) = asked_with(query)?;
    let asked = tag(path, &query)?;
    app.stream(asked, cursor, &asking, &headers, upgrade)
}

fn asked_with(query: Queried) -> Result<(PageQuery, Option<String>), Problem> {
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
    /// Opens a stream. What is wrong is said before the connection becomes a websocket; only a cursor that cannot be served
    /// is told of on it, where clients in browsers can see it.
    fn stream(
        &self,
        asked: Asked,
        cursor: Option<String>,
        asking: &Asking,
        headers: &HeaderMap,
        upgrade: Upgraded,
    ) -> Result<Response, Problem> {
        self.auth.may_read(&asking.caller, &asked)?;
        let cursor = cursor
            .map(|text| self.state.cursor(&asked, &text))
            .transpose();
        let cursor = match cursor {
            Err(problem) if problem.status != StatusCode::GONE.as_u16() => return Err(problem),
            cursor => cursor,
        };
        self.state.is_open()?;
        self.state.is_there(&asked)?;
        let upgrade = upgrade.map_err(|NoUpgrade(why)| {
            Problem::bad_request(format!("{why}: this is a websocket; or ask for changes"))
        })?;
        let admitted = self.admit(asking, asked.account())?;
        let response = upgrade.response(token::protocol(headers));
        let (app, tracked) = (self.clone(), self.streams.clone());
        tokio::spawn(async move {
            let outbound = Arc::clone(&app.state.encoded.outbound);
            if let Some(socket) = apart(opened(upgrade, app.keeping.socket, outbound)).await {
                let followed = app.follow(socket, asked, cursor, admitted);
                tracked.track_future(followed).await;
            }
        });
        Ok(response)
    }

    /// Tells a reader of everything, until one of the two has enough.
    async fn follow(
        self,
        mut socket: Socket,
        asked: Asked,
        cursor: Result<Option<Cursor>, Problem>,
        admitted: Admitted,
    ) {
        let stopping = self.stopping.clone();
        let end = tokio::select! {
            end = self.tell_all(&mut socket, asked, cursor) => end,
            () = admitted.ended() => End::of(code::UNAUTHORIZED, "the token holds no longer"),
            () = stopping.cancelled() => End::of(code::RESTART, "the service is stopping"),
        };
        self.state.metrics.stream_ended(end.reason);
        if let Some(code) = end.code {
            socket.close(code, end.reason, end.last).await;
        }
    }

    async fn tell_all(
        &self,
        socket: &mut Socket,
        asked: Asked,
        cursor: Result<Option<Cursor>, Problem>,
    ) -> End {
        let begun = match cursor {
            Ok(Some(cursor)) => Live::since(self.state.clone(), asked, cursor).await,
            Ok(None) => Live::now(self.state.clone(), asked).await,
            Err(problem) => Err(problem),
        };
        let (mut live, horizon) = match begun {
            Ok(begun) => begun,
            Err(problem) => return End::from(problem),
        };
        let hello = Message::Hello {
            cursor: live.cursor().to_text(),
            horizon,
            floor: live.cursor().floor().map(|floor| floor.to_string()),
        };
        if let Err(unsent) = tell_one(socket, hello.to_text()).await {
            return End::unsent(unsent, live.cursor());
        }
        let mut marks = interval(self.keeping.horizon_every);
        marks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        marks.reset();
        let mut turn = Turn::Look;
        loop {
            if turn != Turn::Wait {
                let reached = live.cursor().clone();
                let looked = match live.look().await {
                    Ok(looked) => looked,
                    Err(problem) => return End::from(problem),
                };
                if let Err((unsent, told)) = tell(socket, &looked, turn, reached).await {
                    return End::unsent(unsent, &told);
                }
                turn = match looked.told.batch.more {
                    true => turn,
                    false => Turn::Wait,
                };
            }
            let has_more = turn != Turn::Wait;
            tokio::select! {
                biased;
                heard = socket.hear() => match heard {
                    Heard::Left => return End::without_word("left"),
                    Heard::Silent => return End::without_word("silent"),
                    Heard::Text(_) | Heard::Binary => {
                        return End::of(code::POLICY, "nothing is to be sent here");
                    }
                },
                () = ready(()), if has_more => {}
                _ = marks.tick() => turn = Turn::Mark,
                () = live.stirred(), if !has_more => turn = Turn::Look,
            }
        }
    }
}

/// What the next turn of a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// To wait.
    Wait,
    /// To tell what is new.
    Look,
    /// To tell what is new, and then how far the feed is complete.
    Mark,
}

/// How a stream ends.
struct End {
    /// With which code; none if there is nobody to hear it.
    code: Option<u16>,
    reason: &'static str,
    last: Option<String>,
}

impl End {
    fn of(code: u16, reason: &'static str) -> End {
        End {
            code: Some(code),
            reason,
            last: None,
        }
    }

    fn without_word(reason: &'static str) -> End {
        End {
            code: None,
            reason,
            last: None,
        }
    }

    fn unsent(unsent: Unsent, told: &Cursor) -> End {
        match unsent {
            Unsent::Left => End::without_word("left"),
            Unsent::TooSlow | Unsent::Amid => {
                let cursor = told.to_text();
                let floor = told.floor().map(|floor| floor.to_string());
                End {
                    last: Some(Message::TooSlow { cursor, floor }.to_text()),
                    ..End::of(code::TRY_AGAIN, "too slow")
                }
            }
        }
    }
}

impl From<Problem> for End {
    fn from(problem: Problem) -> End {
        const GONE: u16 = StatusCode::GONE.as_u16();
        const MISSING: u16 = StatusCode::NOT_FOUND.as_u16();
        const BUSY: u16 = StatusCode::SERVICE_UNAVAILABLE.as_u16();
        match problem.status {
            GONE | MISSING => {
                let detail = problem.detail;
                End {
                    last: Some(Message::Reset { detail }.to_text()),
                    ..End::of(code::RESET, "read the feed anew")
                }
            }
            BUSY => End::of(code::TRY_AGAIN, "come back in a moment"),
            _ => End::of(code::INTERNAL, "the service failed here"),
        }
    }
}

/// Tells a reader what a look found. An error says what it has been told before it took no more.
async fn tell(
    socket: &mut Socket,
    looked: &Looked,
    turn: Turn,
    mut reached: Cursor,
) -> Result<(), (Unsent, Cursor)> {
    let told = &looked.told;
    for (nth, line) in told.batch.items.iter().enumerate() {
        let after = told.cursor_after(nth);
        match socket.feed(change_json::spliced(line, &after)).await {
            Ok(()) => reached = after,
            // It has all of it before it is told that it is too slow.
            Err(Unsent::Amid) => return Err((Unsent::Amid, after)),
            Err(unsent) => return Err((unsent, reached)),
        }
    }
    if (turn == Turn::Mark && !told.batch.more) || told.raises_floor_unsaid() {
        let mark = Message::Horizon {
            cursor: told.cursor.to_text(),
            horizon: looked.horizon,
            floor: told.floor.to_string(),
        };
        if let Err(unsent) = socket.feed(mark.to_text()).await {
            return Err((unsent, reached));
        }
        reached = told.cursor.clone();
    }
    match socket.flush().await {
        Ok(()) => Ok(()),
        Err(unsent) => Err((unsent, reached)),
    }
}

async fn tell_one(socket: &mut Socket, text: String) -> Result<(), Unsent> {
    socket.feed(text).await?;
    socket.flush().await
}
