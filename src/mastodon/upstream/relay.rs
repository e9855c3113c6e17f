//! The connection to the backend's streaming server that a client of ours has, under the client's own token. What comes from it is
//! passed on, but for new statuses of home and lists, which are kept until this service's feed shows them. When it ends it is opened
//! again, after pauses that grow, and nothing else ends with it.

use super::client::{Reader, Upstream};
use super::kept_updates::{AllBytes, KeptUpdates};
use super::streamed::{MessageUse, StreamedMessage};
use crate::clock;
use crate::mastodon::channel::Channel;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use url::Url;

/// The path of the streaming server.
const PATH: &str = "/api/v1/streaming";
/// The longest time that a connection may take to begin.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// The most connections that begin at a time: after a restart all clients come at once.
const CONNECTING_MAX: usize = 32;
/// After this long without a word the server is taken for gone: Mastodon's sends a ping every 30 seconds.
const SILENCE_MAX: Duration = Duration::from_secs(90);
/// The first pause before a connection is tried again. Each is twice as long as the one before.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// A connection that lived so long was a good one: the next pause is the first again.
const GOOD_AFTER: Duration = Duration::from_secs(30);
/// The longest message, in bytes; a longer one ends the connection.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// The size of a read, in bytes: each client's connection has such a buffer.
const READ_BYTES: usize = 4 << 10;

/// The bounds that all relays share.
#[derive(Debug)]
pub(crate) struct RelayBounds {
    connecting: Semaphore,
    kept: AllBytes,
}

impl Default for RelayBounds {
    fn default() -> RelayBounds {
        RelayBounds {
            connecting: Semaphore::new(CONNECTING_MAX),
            kept: AllBytes::default(),
        }
    }
}

/// A client's connection to the streaming server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) reader: Reader,
    wanted: watch::Sender<Wanted>,
    state: Arc<RelayState>,
    task: AbortHandle,
}

/// The streams that a client has, by their keys, and how each is asked for.
type Wanted = BTreeMap<Vec<String>, String>;

type UpstreamSocket = WebSocketStream<TokioIo<Upgraded>>;

#[derive(Debug)]
struct RelayState {
    kept: Mutex<KeptUpdates>,
    /// Changes whenever something was kept or passed on, or the connection began or ended.
    progress: watch::Sender<Progress>,
}

/// How far the connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    is_connected: bool,
    messages: u64,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    /// Begins for a client that has no streams yet. Messages to be passed on come out of the receiver. None if there is no streaming
    /// server to connect to.
    pub(crate) fn begin(
        upstream: &Arc<Upstream>,
        reader: Reader,
    ) -> Option<(Arc<Relay>, mpsc::Receiver<Utf8Bytes>)> {
        let address = upstream.streaming.clone()?;
        let (wanted, wants) = watch::channel(Wanted::new());
        let (progress, _) = watch::channel(Progress::default());
        let state = Arc::new(RelayState {
            kept: Mutex::new(KeptUpdates::new(Arc::clone(&upstream.relay_bounds.kept))),
            progress,
        });
        let (out, passed) = mpsc::channel(1);
        let connection = Connection {
            upstream: Arc::clone(upstream),
            reader: reader.clone(),
            address,
            state: Arc::clone(&state),
            wants,
            out,
        };
        let task = tokio::spawn(connection.run()).abort_handle();
        let relay = Relay {
            reader,
            wanted,
            state,
            task,
        };
        Some((Arc::new(relay), passed))
    }

    /// Begins a stream of the client's.
    pub(crate) fn subscribe(&self, channel: &Channel) {
        if let Some(command) = command(channel) {
            self.wanted.send_modify(|wanted| {
                wanted.insert(channel.key(), command);
            });
        }
    }

    /// Ends a stream of the client's.
    pub(crate) fn unsubscribe(&self, channel: &Channel) {
        self.wanted.send_modify(|wanted| {
            wanted.remove(&channel.key());
        });
    }

    /// A new status that is kept, as a text of JSON in a text of JSON.
    pub(crate) fn kept(&self, id: &str) -> Option<String> {
        self.state.kept.lock().get(id).map(str::to_owned)
    }

    /// Whether a new status is kept.
    pub(crate) fn keeps(&self, id: &str) -> bool {
        self.state.kept.lock().get(id).is_some()
    }

    /// Whether an edit of a status was passed on.
    pub(crate) fn was_edited(&self, id: &str) -> bool {
        self.state.kept.lock().was_edited(id)
    }

    /// Whether the delete of a status was passed on.
    pub(crate) fn was_deleted(&self, id: &str) -> bool {
        self.state.kept.lock().was_deleted(id)
    }

    /// Waits until `has_come`, the connection ends, or `wait` is over.
    pub(crate) async fn wait_until(&self, wait: Duration, has_come: impl Fn() -> bool) {
        let mut progress = self.state.progress.subscribe();
        let waiting = progress.wait_for(|progress| !progress.is_connected || has_come());
        // The sender lives as long as this does.
        let _ = timeout(wait, waiting).await;
    }
}

/// How a stream is asked for; none if the backend has no such stream.
fn command(channel: &Channel) -> Option<String> {
    let names = channel.names();
    let (name, of) = (names.first()?, names.get(1));
    let command = match (channel, of) {
        (Channel::List(list), _) => json!({"type": "subscribe", "stream": name, "list": list}),
        (Channel::Hashtag { .. }, Some(tag)) => {
            json!({"type": "subscribe", "stream": name, "tag": tag})
        }
        // The list of late arrivals is ours.
        (Channel::Quiet("list"), _) => return None,
        _ => json!({"type": "subscribe", "stream": name}),
    };
    Some(command.to_string())
}

/// The task of a relay.
struct Connection {
    upstream: Arc<Upstream>,
    reader: Reader,
    address: Url,
    state: Arc<RelayState>,
    wants: watch::Receiver<Wanted>,
    out: mpsc::Sender<Utf8Bytes>,
}

impl Connection {
    async fn run(mut self) {
        let mut pause = PAUSE_MIN;
        loop {
            // A client without streams needs no connection.
            if self
                .wants
                .wait_for(|wanted| !wanted.is_empty())
                .await
                .is_err()
            {
                return;
            }
            if let Some(socket) = self.connected().await {
                let begun = clock::stopwatch();
                self.pass_on(socket).await;
                self.state.kept.lock().disconnect();
                self.progressed(|progress| progress.is_connected = false);
                if GOOD_AFTER <= begun.elapsed() {
                    pause = PAUSE_MIN;
                }
            }
            // At random times, so that clients do not come back all at once.
            tokio::time::sleep(pause.mul_f64(0.5 + 0.5 * fastrand::f64())).await;
            pause = (2 * pause).min(PAUSE_MAX);
        }
    }

    fn progressed(&self, change: impl FnOnce(&mut Progress)) {
        self.state.progress.send_modify(change);
    }

    async fn connected(&self) -> Option<UpstreamSocket> {
        let upstream = &self.upstream;
        let _connecting = upstream.relay_bounds.connecting.acquire().await.ok()?;
        let Reader { token, address } = &self.reader;
        let backend = &upstream.backend;
        let opening = backend.socket(&self.address, PATH, token, *address, CONNECT_WAIT);
        let upgraded = match opening.await {
            Ok(Ok(upgraded)) => upgraded,
            // Whether the token has ended is found out elsewhere.
            Ok(Err(status)) => {
                tracing::info!("the backend's streaming server answered {status}");
                return None;
            }
            Err(error) => {
                tracing::info!(
                    error = &*error,
                    "connecting to the backend's streaming server failed: {error}"
                );
                return None;
            }
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let io = TokioIo::new(upgraded);
        Some(WebSocketStream::from_raw_socket(io, Role::Client, Some(config)).await)
    }

    /// Passes messages on until the connection, or the client, is gone.
    async fn pass_on(&mut self, mut socket: UpstreamSocket) {
        let mut subscribed = Wanted::new();
        self.wants.mark_changed();
        loop {
            tokio::select! {
                changed = self.wants.changed() => {
                    let wanted = self.wants.borrow_and_update().clone();
                    if changed.is_err() || wanted.is_empty() {
                        return;
                    }
                    for command in changes(&subscribed, &wanted) {
                        if socket.send(Message::Text(command.into())).await.is_err() {
                            return;
                        }
                    }
                    subscribed = wanted;
                    self.progressed(|progress| progress.is_connected = true);
                }
                message = timeout(SILENCE_MAX, socket.next()) => match message {
                    Ok(Some(Ok(Message::Text(text)))) => {
                        if self.take(text).await.is_err() {
                            return;
                        }
                    }
                    // Pings are answered below.
                    Ok(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_)))) => {}
                    Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => return,
                },
            }
        }
    }

    /// Takes a message. An error if the client has gone.
    async fn take(&self, text: Utf8Bytes) -> Result<(), mpsc::error::SendError<Utf8Bytes>> {
        let message = StreamedMessage::read(text.as_str());
        let used = message.map(|message| message.used(&mut self.state.kept.lock()));
        match used {
            Some(MessageUse::Passed) => self.out.send(text).await?,
            Some(MessageUse::Kept) => {}
            Some(MessageUse::None) | None => {
                tracing::debug!("the backend's streaming server sent what is no event");
            }
        }
        self.progressed(|progress| progress.messages += 1);
        Ok(())
    }
}

/// The commands that lead from the streams subscribed to to those wanted.
fn changes(subscribed: &Wanted, wanted: &Wanted) -> Vec<String> {
    let gone = subscribed
        .iter()
        .filter(|(key, _)| !wanted.contains_key(*key));
    let gone = gone.map(|(_, command)| {
        command.replacen("\"type\":\"subscribe\"", "\"type\":\"unsubscribe\"", 1)
    });
    let new = wanted
        .iter()
        .filter(|(key, _)| !subscribed.contains_key(*key));
    gone.chain(new.map(|(_, command)| command.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_asked_for_as_mastodon_names_them() {
        let of = |name, tag, list| Channel::named(name, tag, list).unwrap();
        let check = |channel: Channel, expected: serde_json::Value| {
            let command = command(&channel).unwrap();
            let command: serde_json::Value = serde_json::from_str(&command).unwrap();
            assert_eq!(command, expected);
        };
        check(
            of("user", None, None),
            json!({"type": "subscribe", "stream": "user"}),
        );
        check(
            of("list", None, Some("42")),
            json!({"type": "subscribe", "stream": "list", "list": "42"}),
        );
        check(
            of("hashtag:local", Some("Sea"), None),
            json!({"type": "subscribe", "stream": "hashtag:local", "tag": "Sea"}),
        );
        check(
            of("direct", None, None),
            json!({"type": "subscribe", "stream": "direct"}),
        );
        assert_eq!(command(&Channel::Quiet("list")), None);
    }

    #[test]
    fn only_what_changed_is_said() {
        let key = |name: &str| vec![name.to_owned()];
        let wanted = |names: &[&str]| -> Wanted {
            let row = |name: &&str| {
                let channel = Channel::named(name, None, None).unwrap();
                (key(name), command(&channel).unwrap())
            };
            names.iter().map(row).collect()
        };
        let said = changes(&wanted(&["user", "public"]), &wanted(&["user", "direct"]));
        let said: Vec<serde_json::Value> = said
            .iter()
            .map(|it| serde_json::from_str(it).unwrap())
            .collect();
        assert_eq!(
            said,
            [
                json!({"type": "unsubscribe", "stream": "public"}),
                json!({"type": "subscribe", "stream": "direct"})
            ]
        );
    }
}
