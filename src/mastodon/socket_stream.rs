//! Events to a client with a websocket, which subscribes to several streams on it.

use super::app::{MastodonApp, next_passed};
use super::channel::{ChannelError, ChannelQuery, ClientCommand};
use super::error::MastodonError;
use super::feed_follower::{FollowedEvents, Gone, Outlet, Subscriber};
use super::upstream::Relay;
use crate::api::auth::{Caller, token};
use crate::api::boxed::boxed;
use crate::api::caller::{CallerContext, StreamPermit};
use crate::api::dismissals::{MOVED, STOPPING};
use crate::api::spliced_message::SplicedMessage;
use crate::api::subscription::Lapsed;
use crate::api::websocket::{ClientEvent, SendError, Socket, code, opened};
use crate::api::websocket_upgrade::Upgrade;
use crate::clock;
use axum::http::HeaderMap;
use axum::response::Response;
use hashbrown::HashMap;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::interval;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// The longest time that a stream may take to begin before the next message of the client is read.
const BEGIN_WAIT: Duration = Duration::from_secs(6);
/// The most streams on one socket.
const SUBSCRIPTIONS_MAX: usize = 32;
/// The most messages that a client may send between two pings.
const MESSAGES_MAX: u32 = 200;

impl MastodonApp {
    pub(super) fn socket(
        &self,
        upgrade: Upgrade,
        query: ChannelQuery,
        context: &CallerContext,
        headers: &HeaderMap,
    ) -> Result<Response, MastodonError> {
        let account = self.subscriber(context)?;
        self.state.is_open()?;
        let permit = self.admit(context, account.as_deref())?;
        let response = upgrade.response(token::protocol(headers));
        let (app, tracked, context) = (self.clone(), self.streams.clone(), context.clone());
        tokio::spawn(async move {
            let send_budget = Arc::clone(&app.state.entry_cache.send_budget);
            if let Some(socket) =
                boxed(opened(upgrade, app.stream_options.socket, send_budget)).await
            {
                let listening = app.listen(socket, query, context, permit);
                tracked.track_future(listening).await;
            }
        });
        Ok(response)
    }

    async fn listen(
        self,
        mut socket: Socket,
        query: ChannelQuery,
        context: CallerContext,
        permit: StreamPermit,
    ) {
        let stopping = self.stopping.clone();
        let (code, reason) = tokio::select! {
            end = self.run_commands(&mut socket, query, &context) => end,
            (code, reason) = permit.ended() => (Some(code), reason),
            () = stopping.cancelled() => (Some(code::RESTART), STOPPING),
        };
        self.state.metrics.http.stream_ended(reason);
        let account = match &context.caller {
            Caller::User(user) => Some(user.account.as_str()),
            Caller::Backend | Caller::Anyone => None,
        };
        self.dismissal_log.record(
            "websocket of Mastodon's API",
            account,
            reason,
            clock::stopwatch(),
        );
        if let Some(code) = code {
            socket.close(code, reason, None).await;
        }
    }

    /// Carries out the client's commands, and sends it the events of its streams.
    async fn run_commands(
        &self,
        socket: &mut Socket,
        query: ChannelQuery,
        context: &CallerContext,
    ) -> (Option<u16>, &'static str) {
        let (relay, mut passed) = self.relay_for(context);
        let mut subscriptions = Subscriptions {
            tasks: HashMap::new(),
            relay,
        };
        let (sender, mut events) = mpsc::channel::<Batch>(1);
        let mut first = query.stream.map(|stream| ClientCommand {
            kind: "subscribe".to_owned(),
            stream,
            tag: query.tag,
            list: query.list,
        });
        let mut ping_interval = interval(self.stream_options.socket.ping_every);
        let mut messages = 0;
        loop {
            if let Some(command) = first.take()
                && let Err(error) =
                    boxed(self.execute(&command, context, &mut subscriptions, &sender)).await
            {
                let text = json!({"error": error.error, "status": error.status}).to_string();
                if let Err(error) = send_one(socket, text).await {
                    return end_after(error);
                }
            }
            tokio::select! {
                _ = ping_interval.tick() => messages = 0,
                message = socket.next_event() => {
                    messages += 1;
                    match message {
                        ClientEvent::Left => return (None, "left"),
                        ClientEvent::Silent => return (None, "silent"),
                        _ if MESSAGES_MAX < messages => return (Some(code::POLICY), "too many messages"),
                        ClientEvent::Binary => return (Some(code::POLICY), "messages are text"),
                        // A message that is not JSON is ignored, as Mastodon ignores it.
                        ClientEvent::Text(text) => first = serde_json::from_str(&text).ok(),
                    }
                }
                text = next_passed(&mut passed) => {
                    if let Err(error) = boxed(send_passed(socket, text)).await {
                        return end_after(error);
                    }
                    self.state.metrics.http.stream_messages("passed_on", 1);
                }
                Some((names, batch)) = events.recv() => {
                    if let Err(end) = boxed(send_batch(socket, &names, &batch)).await {
                        return end;
                    }
                    self.count_events(&batch.events);
                }
            }
        }
    }

    /// Carries out a command. A stream that it asks for has begun when this returns.
    async fn execute(
        &self,
        command: &ClientCommand,
        context: &CallerContext,
        subscriptions: &mut Subscriptions,
        sender: &mpsc::Sender<Batch>,
    ) -> Result<(), ChannelError> {
        let (tag, list) = (command.tag.as_deref(), command.list.as_deref());
        match command.kind.as_str() {
            "subscribe" => {
                let channel = self.channel(&command.stream, tag, list, context)?;
                let key = channel.key();
                // A stream that ended by itself may be begun again.
                subscriptions.tasks.retain(|_, task| !task.is_finished());
                if subscriptions.tasks.contains_key(&key) {
                    return Ok(());
                }
                if SUBSCRIPTIONS_MAX <= subscriptions.tasks.len() {
                    return Err(ChannelError {
                        error: "Too many subscriptions",
                        status: 429,
                    });
                }
                let account = match &context.caller {
                    Caller::User(user) => Some(user.account.clone()),
                    Caller::Backend | Caller::Anyone => None,
                };
                let (begin, begun) = oneshot::channel::<()>();
                let base_url = Arc::clone(&context.base_url);
                let relay = subscriptions.relay.clone();
                if let Some(relay) = &relay {
                    relay.subscribe(&channel);
                }
                let subscriber = Subscriber {
                    account,
                    base_url,
                    relay,
                };
                let outlet = SocketOutlet {
                    names: channel.names().into(),
                    sender: sender.clone(),
                    begin: Some(begin),
                };
                let following = self.clone().follow_feed(channel, subscriber, None, outlet);
                let task = tokio::spawn(following);
                subscriptions.tasks.insert(key, task.abort_handle());
                // Ends when that is dropped: it has begun, or never will.
                let begun = async { begun.await.unwrap_or(()) };
                let _ = tokio::time::timeout(BEGIN_WAIT, begun).await;
                Ok(())
            }
            "unsubscribe" => {
                let channel = self.channel_named(&command.stream, tag, list)?;
                if let Some(relay) = &subscriptions.relay {
                    relay.unsubscribe(&channel);
                }
                if let Some(task) = subscriptions.tasks.remove(&channel.key()) {
                    task.abort();
                }
                Ok(())
            }
            // Ignored, as Mastodon ignores it.
            _ => Ok(()),
        }
    }
}

/// To a socket, which has other streams too.
struct SocketOutlet {
    /// The stream's.
    names: Arc<[String]>,
    sender: mpsc::Sender<Batch>,
    /// Dropped when it is followed.
    begin: Option<oneshot::Sender<()>>,
}

/// Events with the names of the stream that they are of.
type Batch = (Arc<[String]>, FollowedEvents);

impl Outlet for SocketOutlet {
    async fn begun(&mut self) -> Result<(), Gone> {
        self.begin = None;
        Ok(())
    }

    async fn events(&mut self, events: FollowedEvents) -> Result<(), Gone> {
        let batch = (Arc::clone(&self.names), events);
        self.sender.send(batch).await.map_err(|_| Gone)
    }

    async fn closed(&mut self) {
        self.sender.closed().await;
    }
}

/// The streams of one socket; they end with it.
struct Subscriptions {
    tasks: HashMap<Vec<String>, AbortHandle>,
    /// The connection to the backend's streaming server, if there is one.
    relay: Option<Arc<Relay>>,
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        for task in self.tasks.values() {
            task.abort();
        }
    }
}

fn end_after(error: SendError) -> (Option<u16>, &'static str) {
    match error {
        SendError::Left => (None, "left"),
        SendError::TooSlow | SendError::Amid => (Some(code::TRY_AGAIN), "too slow"),
    }
}

async fn send_one(socket: &mut Socket, text: String) -> Result<(), SendError> {
    socket.feed(text).await?;
    socket.flush().await
}

/// Sends a message of the backend's as it is.
async fn send_passed(socket: &mut Socket, text: Utf8Bytes) -> Result<(), SendError> {
    let shared = SplicedMessage {
        shared: text,
        ..SplicedMessage::default()
    };
    socket.feed(shared).await?;
    socket.flush().await
}

async fn send_batch(
    socket: &mut Socket,
    names: &[String],
    events: &FollowedEvents,
) -> Result<(), (Option<u16>, &'static str)> {
    for event in &events.events {
        let lapsed = |Lapsed| (Some(code::RESTART), MOVED);
        events.lease.may_be_sent().map_err(lapsed)?;
        let fed = socket.feed(event.message(names)).await;
        fed.map_err(end_after)?;
    }
    socket.flush().await.map_err(end_after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mastodon::channel::Channel;

    /// The size of a call's future, without the call.
    fn size<A, F: Future>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    /// A failure means that ten thousand waiting readers take that much more memory, ten thousand times.
    #[test]
    fn a_reader_who_waits_takes_little() {
        type Listened = (
            MastodonApp,
            Socket,
            ChannelQuery,
            CallerContext,
            StreamPermit,
        );
        let listens = size(|(app, socket, query, context, permit): Listened| {
            app.listen(socket, query, context, permit)
        });
        type Followed = (MastodonApp, Channel, Subscriber, SocketOutlet);
        let follows = size(|(app, channel, subscriber, sender): Followed| {
            app.follow_feed(channel, subscriber, None, sender)
        });
        assert!(listens <= 3 << 10, "{listens}");
        assert!(follows <= 7 << 9, "{follows}");
    }
}
