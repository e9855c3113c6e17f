//! Mastodon's streaming API, over websockets and server-sent events.

use super::app::App;
use super::auth::{Caller, token};
use super::boxed::boxed;
use super::caller::{CallerContext, StreamPermit};
use super::disk_reads;
use super::mastodon::{Here, Refusal};
use super::problem::Problem;
use super::send_budget::FRAME_BYTES_MAX;
use super::send_budget::TextInFlight;
use super::spliced_message::SplicedMessage;
use super::subscription::Subscription;
use super::websocket::{ClientEvent, SendError, Socket, code, opened};
use super::websocket_upgrade::{Upgrade, UpgradeError};
use crate::clock;
use crate::reader::cursor::Cursor;
use crate::reader::mastodon::channel::{Channel, NoChannel, Wish};
use crate::reader::mastodon::event::{Event, Teller};
use crate::reader::mastodon::late::LATE_LIST;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use hashbrown::HashMap;
use serde::Deserialize;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often a reader of events hears that the connection is alive.
const THUMP_EVERY: Duration = Duration::from_secs(15);
/// How long until what could not be done now is tried again.
const TRIED_AGAIN: Duration = Duration::from_secs(1);
/// How long a stream may take to begin before its client is heard again.
const BEGIN_WAIT: Duration = Duration::from_secs(6);
/// Streams on one socket.
const SUBSCRIPTIONS_MAX: usize = 32;
/// Messages that a client may send between two pings.
const MESSAGES_MAX: u32 = 200;

type Upgraded = Result<Upgrade, UpgradeError>;

/// What a stream is asked with.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asks {
    stream: Option<String>,
    tag: Option<String>,
    list: Option<String>,
}

pub(super) async fn health() -> &'static str {
    "OK"
}

/// A websocket, or the events of the stream that is named.
pub(super) async fn any(
    State(app): State<App>,
    Query(asks): Query<Asks>,
    Extension(mut context): Extension<CallerContext>,
    headers: HeaderMap,
    upgrade: Upgraded,
) -> Result<Response, Refusal> {
    context.here = Here::of(&app, &context, &headers).root.into();
    match upgrade {
        Ok(upgrade) => app.socket(upgrade, asks, &context, &headers),
        Err(_) => {
            let name = asks.stream.clone().unwrap_or_default();
            app.events(&name, &asks, &context, &headers).await
        }
    }
}

/// The events of the stream that the path names.
pub(super) async fn named(
    State(app): State<App>,
    Path(path): Path<String>,
    Query(asks): Query<Asks>,
    Extension(mut context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    context.here = Here::of(&app, &context, &headers).root.into();
    let name = path.trim_end_matches('/').replace('/', ":");
    app.events(&name, &asks, &context, &headers).await
}

impl From<NoChannel> for Refusal {
    fn from(wrong: NoChannel) -> Refusal {
        let status = StatusCode::from_u16(wrong.status).unwrap_or(StatusCode::BAD_REQUEST);
        Refusal::new(status, wrong.error)
    }
}

impl App {
    /// The account that listens, if it is one. Whoever may not listen at all is told so before anything else.
    fn listener(&self, context: &CallerContext) -> Result<Option<String>, Refusal> {
        match &context.caller {
            Caller::User(user) => Ok(Some(user.account.clone())),
            Caller::Anyone if !self.auth.public_feeds_open => Err(Refusal::invalid()),
            Caller::Backend | Caller::Anyone => Ok(None),
        }
    }

    /// The stream of this name. The list of late arrivals is quiet: what it holds is what is not pushed.
    fn channel_named(
        &self,
        name: &str,
        tag: Option<&str>,
        list: Option<&str>,
    ) -> Result<Channel, NoChannel> {
        match Channel::named(name, tag, list)? {
            Channel::List(list) if self.late_list && list == LATE_LIST => {
                Ok(Channel::Quiet("list"))
            }
            channel => Ok(channel),
        }
    }

    /// The stream that is meant, if it is there and this caller may listen to it.
    fn channel(
        &self,
        name: &str,
        tag: Option<&str>,
        list: Option<&str>,
        context: &CallerContext,
    ) -> Result<Channel, NoChannel> {
        let channel = self.channel_named(name, tag, list)?;
        let account = match &context.caller {
            Caller::User(user) => Some(user.account.as_str()),
            Caller::Backend | Caller::Anyone => None,
        };
        let refused = |error, status| Err(NoChannel { error, status });
        let Some(asked) = channel.asked(account) else {
            return match (&channel, account) {
                (Channel::Quiet(_), Some(_)) => Ok(channel),
                _ => refused("The access token is invalid", 401),
            };
        };
        match self
            .auth
            .may_read(&context.caller, &asked)
            .map_err(|problem| problem.status)
        {
            Ok(()) => {}
            Err(401) => return refused("The access token is invalid", 401),
            Err(_) => return refused("This action is outside the authorized scopes", 403),
        }
        match (&channel, self.state.is_there(&asked)) {
            (_, Ok(())) => Ok(channel),
            (Channel::List(_), Err(_)) => refused("Not authorized to stream this list", 404),
            (_, Err(_)) => refused("Record not found", 404),
        }
    }

    /// Follows a feed for as long as anybody takes what is told. What cannot be told any more is passed over: clients have no
    /// word for it, and read their timelines anew when they come back.
    async fn tell_events(
        self,
        channel: Channel,
        listener: Listener,
        mut since: Option<Cursor>,
        mut told: impl Outlet,
    ) {
        let Some(asked) = channel.asked(listener.account.as_deref()) else {
            // Whoever it was for may have left.
            let _ = told.begun().await;
            return told.closed().await;
        };
        let teller = Teller {
            state: self.state.clone(),
            shelf: Arc::new(self.shelf.at(&listener.here)),
            sieve: channel.sieve(),
            owner: asked.owner().map(str::to_owned),
            live_max_age: self.live_max_age,
        };
        loop {
            let begun = match since.clone() {
                Some(cursor) => {
                    boxed(Subscription::since(
                        self.state.clone(),
                        asked.clone(),
                        cursor,
                    ))
                    .await
                }
                None => boxed(Subscription::now(self.state.clone(), asked.clone())).await,
            };
            let mut subscription = match begun {
                Ok((subscription, _)) => subscription.without_floor(),
                Err(problem) => match Hindrance::of(&problem) {
                    Hindrance::Passing => {
                        tokio::time::sleep(TRIED_AGAIN).await;
                        continue;
                    }
                    Hindrance::Forgotten if since.is_some() => {
                        since = None;
                        continue;
                    }
                    Hindrance::Forgotten | Hindrance::Lasting => return,
                },
            };
            if told.begun().await.is_err() {
                return;
            }
            since = None;
            loop {
                let (events, more) = match boxed(self.next_events(&teller, &mut subscription)).await
                {
                    Ok(next) => next,
                    Err(Hindrance::Passing) => {
                        tokio::time::sleep(TRIED_AGAIN).await;
                        continue;
                    }
                    Err(Hindrance::Forgotten) => break,
                    Err(Hindrance::Lasting) => return,
                };
                if !events.is_empty() && told.events(events).await.is_err() {
                    return;
                }
                if !more {
                    subscription.changed().await;
                }
            }
        }
    }

    /// What happened since the last call, and whether that is not all yet.
    async fn next_events(
        &self,
        teller: &Teller,
        subscription: &mut Subscription,
    ) -> Result<(Vec<Event>, bool), Hindrance> {
        let update = subscription.advance().await;
        let update = update.map_err(|problem| Hindrance::of(&problem))?;
        match disk_reads::read(|| teller.events(&update.delivery, clock::now())).await {
            Ok(events) => Ok((events, update.delivery.batch.more)),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "telling a stream failed: {error}"
                );
                Err(Hindrance::Lasting)
            }
        }
    }

    /// Server-sent events, as HTML's living standard has them (section 9.2). Each has an `id`, and a client that comes back
    /// with `Last-Event-ID` has missed nothing.
    async fn events(
        &self,
        name: &str,
        asks: &Asks,
        context: &CallerContext,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let account = self.listener(context)?;
        let channel = self.channel(name, asks.tag.as_deref(), asks.list.as_deref(), context)?;
        self.state.is_open()?;
        let since = headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let asked = channel.asked(account.as_deref());
        let since = asked
            .zip(since)
            .and_then(|(asked, id)| self.state.cursor(&asked, id).ok());
        let admitted = self.admit(context, account.as_deref())?;
        let (send, receive) = mpsc::channel(1);
        let listener = Listener {
            account,
            here: Arc::clone(&context.here),
        };
        let pump = self.clone().pump(channel, listener, since, admitted, send);
        self.streams.spawn(pump);
        let body = stream::unfold(receive, |mut receive| async move {
            let next: Option<Bytes> = receive.recv().await;
            next.map(|chunk| (Ok::<_, Infallible>(chunk), receive))
        });
        let headers = [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "private, no-store"),
            (header::HeaderName::from_static("x-accel-buffering"), "no"),
        ];
        Ok((headers, Body::from_stream(body)).into_response())
    }

    async fn pump(
        self,
        channel: Channel,
        listener: Listener,
        since: Option<Cursor>,
        admitted: StreamPermit,
        out: mpsc::Sender<Bytes>,
    ) {
        let (told, mut events) = mpsc::channel(1);
        let telling = self
            .clone()
            .tell_events(channel, listener, since, ToReader(told));
        let mut thumps = interval(THUMP_EVERY);
        thumps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        thumps.reset();
        let (mut telling, stopping) = (std::pin::pin!(telling), self.stopping.clone());
        let mut ended = std::pin::pin!(admitted.ended());
        // Of what the connection may not have sent yet.
        let mut given_up = CancellationToken::new();
        let reason = loop {
            let messages: Vec<SplicedMessage> = tokio::select! {
                biased;
                () = &mut telling => break "left",
                () = &mut ended => break "the token holds no longer",
                () = stopping.cancelled() => break "the service is stopping",
                () = out.closed() => break "left",
                () = given_up.cancelled() => break "too slow",
                _ = thumps.tick() => vec![":thump\n\n".to_owned().into()],
                Some(item) = events.recv() => match item {
                    Item::Events(events) => events.iter().map(Event::sent).collect(),
                    // From here on nothing is missed. An `id` alone would say more, and Mastodon.py breaks on it.
                    Item::Begun => vec![":thump\n\n".to_owned().into()],
                },
            };
            match boxed(self.send_events(messages, &out)).await {
                Ok(None) => {}
                Ok(Some(last)) => given_up = last,
                Err(reason) => break reason,
            }
        };
        self.state.metrics.stream_ended(reason);
    }

    /// Gives messages to the connection, what all readers share not copied, and says when the last of those is given up. An error says why they
    /// are not sent.
    async fn send_events(
        &self,
        messages: Vec<SplicedMessage>,
        out: &mpsc::Sender<Bytes>,
    ) -> Result<Option<CancellationToken>, &'static str> {
        let mut last = None;
        let (wait, send_budget) = (
            self.stream_options.socket.send_timeout,
            &self.state.entry_cache.send_budget,
        );
        for message in messages {
            if message.bytes() <= FRAME_BYTES_MAX {
                sent_within(wait, out.send(message.text().into())).await?;
                continue;
            }
            let delivery = send_budget.begin(message.shared.as_ref());
            let given_up = delivery.given_up().clone();
            let [before, shared, after] = message.parts();
            let shared = Bytes::from_owner(Delivered {
                text: shared,
                _until: delivery,
            });
            for part in [before, shared, after] {
                tokio::select! {
                    biased;
                    sent = sent_within(wait, out.send(part)) => sent?,
                    () = given_up.cancelled() => return Err("too slow"),
                }
            }
            last = Some(given_up);
        }
        Ok(last)
    }

    fn socket(
        &self,
        upgrade: Upgrade,
        asks: Asks,
        context: &CallerContext,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let account = self.listener(context)?;
        self.state.is_open()?;
        let admitted = self.admit(context, account.as_deref())?;
        let response = upgrade.response(token::protocol(headers));
        let (app, tracked, context) = (self.clone(), self.streams.clone(), context.clone());
        tokio::spawn(async move {
            let send_budget = Arc::clone(&app.state.entry_cache.send_budget);
            if let Some(socket) =
                boxed(opened(upgrade, app.stream_options.socket, send_budget)).await
            {
                let listening = app.listen(socket, asks, context, admitted);
                tracked.track_future(listening).await;
            }
        });
        Ok(response)
    }

    async fn listen(
        self,
        mut socket: Socket,
        asks: Asks,
        context: CallerContext,
        admitted: StreamPermit,
    ) {
        let stopping = self.stopping.clone();
        let (code, reason) = tokio::select! {
            end = self.converse(&mut socket, asks, &context) => end,
            () = admitted.ended() => (Some(code::UNAUTHORIZED), "the token holds no longer"),
            () = stopping.cancelled() => (Some(code::RESTART), "the service is stopping"),
        };
        self.state.metrics.stream_ended(reason);
        if let Some(code) = code {
            socket.close(code, reason, None).await;
        }
    }

    /// Subscribes and unsubscribes as the client wishes, and tells it what comes of that.
    async fn converse(
        &self,
        socket: &mut Socket,
        asks: Asks,
        context: &CallerContext,
    ) -> (Option<u16>, &'static str) {
        let mut subscriptions = Subscriptions::default();
        let (told, mut events) = mpsc::channel::<Batch>(1);
        let mut first = asks.stream.map(|stream| Wish {
            kind: "subscribe".to_owned(),
            stream,
            tag: asks.tag,
            list: asks.list,
        });
        let mut calm = interval(self.stream_options.socket.ping_every);
        let mut heard = 0;
        loop {
            if let Some(wish) = first.take()
                && let Err(wrong) =
                    boxed(self.grant(&wish, context, &mut subscriptions, &told)).await
            {
                let text = json!({"error": wrong.error, "status": wrong.status}).to_string();
                if let Err(unsent) = tell_one(socket, text).await {
                    return unsent_end(unsent);
                }
            }
            tokio::select! {
                _ = calm.tick() => heard = 0,
                message = socket.hear() => {
                    heard += 1;
                    match message {
                        ClientEvent::Left => return (None, "left"),
                        ClientEvent::Silent => return (None, "silent"),
                        _ if MESSAGES_MAX < heard => return (Some(code::POLICY), "too many messages"),
                        ClientEvent::Binary => return (Some(code::POLICY), "messages are text"),
                        // What is no JSON is passed over, as Mastodon does.
                        ClientEvent::Text(text) => first = serde_json::from_str(&text).ok(),
                    }
                }
                Some((names, batch)) = events.recv() => {
                    if let Err(unsent) = boxed(tell_batch(socket, &names, &batch)).await {
                        return unsent_end(unsent);
                    }
                }
            }
        }
    }

    /// Does as the client wishes; a stream it wished for has begun when this returns.
    async fn grant(
        &self,
        wish: &Wish,
        context: &CallerContext,
        subscriptions: &mut Subscriptions,
        told: &mpsc::Sender<Batch>,
    ) -> Result<(), NoChannel> {
        let (tag, list) = (wish.tag.as_deref(), wish.list.as_deref());
        match wish.kind.as_str() {
            "subscribe" => {
                let channel = self.channel(&wish.stream, tag, list, context)?;
                let key = channel.key();
                // What ended by itself may be begun again.
                subscriptions.0.retain(|_, task| !task.is_finished());
                if subscriptions.0.contains_key(&key) {
                    return Ok(());
                }
                if SUBSCRIPTIONS_MAX <= subscriptions.0.len() {
                    return Err(NoChannel {
                        error: "Too many subscriptions",
                        status: 429,
                    });
                }
                let account = match &context.caller {
                    Caller::User(user) => Some(user.account.clone()),
                    Caller::Backend | Caller::Anyone => None,
                };
                let (begin, begun) = oneshot::channel::<()>();
                let here = Arc::clone(&context.here);
                let listener = Listener { account, here };
                let outlet = ToSocket {
                    names: channel.names().into(),
                    told: told.clone(),
                    begin: Some(begin),
                };
                let telling = self.clone().tell_events(channel, listener, None, outlet);
                let task = tokio::spawn(telling);
                subscriptions.0.insert(key, task.abort_handle());
                // Ends when that is dropped: it has begun, or never will.
                let begun = async { begun.await.unwrap_or(()) };
                let _ = tokio::time::timeout(BEGIN_WAIT, begun).await;
                Ok(())
            }
            "unsubscribe" => {
                let channel = self.channel_named(&wish.stream, tag, list)?;
                if let Some(task) = subscriptions.0.remove(&channel.key()) {
                    task.abort();
                }
                Ok(())
            }
            // Passed over, as Mastodon does.
            _ => Ok(()),
        }
    }
}

/// A text until the connection has sent it.
struct Delivered {
    text: Bytes,
    _until: TextInFlight,
}

impl AsRef<[u8]> for Delivered {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

async fn sent_within(
    wait: Duration,
    sending: impl Future<Output = Result<(), mpsc::error::SendError<Bytes>>>,
) -> Result<(), &'static str> {
    match tokio::time::timeout(wait, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("left"),
        Err(_) => Err("too slow"),
    }
}

/// Who listens.
struct Listener {
    /// The account, if it is one.
    account: Option<String>,
    /// Where the client came to, with its scheme.
    here: Arc<str>,
}

/// Where what comes of a feed goes to.
trait Outlet {
    /// It is followed from here on.
    async fn begun(&mut self) -> Result<(), Gone>;

    /// This happened to it. Returns when there is room for more.
    async fn events(&mut self, events: Vec<Event>) -> Result<(), Gone>;

    /// Waits until nobody takes it any more.
    async fn closed(&mut self);
}

/// Nobody takes it any more.
struct Gone;

/// To one who reads server-sent events.
struct ToReader(mpsc::Sender<Item>);

/// What comes of a feed.
enum Item {
    /// It is followed from here on.
    Begun,
    /// This happened to it.
    Events(Vec<Event>),
}

impl Outlet for ToReader {
    async fn begun(&mut self) -> Result<(), Gone> {
        self.0.send(Item::Begun).await.map_err(|_| Gone)
    }

    async fn events(&mut self, events: Vec<Event>) -> Result<(), Gone> {
        self.0.send(Item::Events(events)).await.map_err(|_| Gone)
    }

    async fn closed(&mut self) {
        self.0.closed().await;
    }
}

/// To a socket, which has other streams too.
struct ToSocket {
    /// The stream's.
    names: Arc<[String]>,
    told: mpsc::Sender<Batch>,
    /// Dropped when it is followed.
    begin: Option<oneshot::Sender<()>>,
}

/// What happened, by the names of the stream it happened to.
type Batch = (Arc<[String]>, Vec<Event>);

impl Outlet for ToSocket {
    async fn begun(&mut self) -> Result<(), Gone> {
        self.begin = None;
        Ok(())
    }

    async fn events(&mut self, events: Vec<Event>) -> Result<(), Gone> {
        let batch = (Arc::clone(&self.names), events);
        self.told.send(batch).await.map_err(|_| Gone)
    }

    async fn closed(&mut self) {
        self.told.closed().await;
    }
}

/// Why a feed cannot be told.
enum Hindrance {
    /// It can in a moment.
    Passing,
    /// What happened is not remembered any more.
    Forgotten,
    /// It is gone, or the service failed.
    Lasting,
}

impl Hindrance {
    fn of(problem: &Problem) -> Hindrance {
        match StatusCode::from_u16(problem.status) {
            Ok(StatusCode::SERVICE_UNAVAILABLE) => Hindrance::Passing,
            Ok(StatusCode::GONE) => Hindrance::Forgotten,
            _ => Hindrance::Lasting,
        }
    }
}

/// The streams of one socket; they end with it.
#[derive(Default)]
struct Subscriptions(HashMap<Vec<String>, AbortHandle>);

impl Drop for Subscriptions {
    fn drop(&mut self) {
        for task in self.0.values() {
            task.abort();
        }
    }
}

fn unsent_end(unsent: SendError) -> (Option<u16>, &'static str) {
    match unsent {
        SendError::Left => (None, "left"),
        SendError::TooSlow | SendError::Amid => (Some(code::TRY_AGAIN), "too slow"),
    }
}

async fn tell_one(socket: &mut Socket, text: String) -> Result<(), SendError> {
    socket.feed(text).await?;
    socket.flush().await
}

async fn tell_batch(
    socket: &mut Socket,
    names: &[String],
    events: &[Event],
) -> Result<(), SendError> {
    for event in events {
        socket.feed(event.message(names)).await?;
    }
    socket.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a call would be made of, without calling.
    fn size<A, F: Future>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    /// Were this to fail, ten thousand readers who wait would take that much more, ten thousand times.
    #[test]
    fn a_reader_who_waits_takes_little() {
        type Socketed = (App, Socket, Asks, CallerContext, StreamPermit);
        let listens = size(|(app, socket, asks, context, admitted): Socketed| {
            app.listen(socket, asks, context, admitted)
        });
        type Told = (App, Channel, Listener, ToSocket);
        let tells = size(|(app, channel, listener, told): Told| {
            app.tell_events(channel, listener, None, told)
        });
        assert!(listens <= 3 << 10, "{listens}");
        assert!(tells <= 7 << 9, "{tells}");
    }
}
