//! The connection to the backend's streaming server that a client of ours has, under the client's own token. What comes from it is
//! passed on, but for new statuses of home and lists, which are kept until this service's feed shows them. When it ends it is opened
//! again, after pauses that grow, and nothing else ends with it.

use super::client::{Reader, Upstream};
use super::relay_state::{Progress, RelayState, Wanted};
use super::streamed::{MessageUse, StreamedMessage};
use crate::clock;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use url::Url;

/// The path of the streaming server.
const PATH: &str = "/api/v1/streaming";
/// The longest time that a connection may take to begin.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
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

type UpstreamSocket = WebSocketStream<TokioIo<Upgraded>>;

/// The task of a relay.
pub(super) struct Connection {
    pub(super) upstream: Arc<Upstream>,
    pub(super) reader: Reader,
    pub(super) address: Url,
    pub(super) state: Arc<RelayState>,
    pub(super) wants: watch::Receiver<Wanted>,
    pub(super) out: mpsc::Sender<Utf8Bytes>,
}

impl Connection {
    /// Connects, and connects again, for as long as the client is there.
    pub(super) async fn run(mut self) {
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
        let _connecting = upstream.connecting.acquire().await.ok()?;
        let Reader { token, address } = &self.reader;
        let backend = &upstream.backend;
        let opening = backend.socket(&self.address, PATH, token, *address, CONNECT_WAIT);
        let upgraded = match opening.await {
            Ok(Ok(upgraded)) => {
                upstream.streaming_outage.end();
                upgraded
            }
            // Whether the token has ended is found out elsewhere.
            Ok(Err(status)) => {
                upstream.streaming_outage.begin(&status);
                return None;
            }
            Err(error) => {
                upstream.streaming_outage.begin(&error);
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
    use serde_json::json;

    #[test]
    fn only_what_changed_is_said() {
        let wanted = |names: &[&str]| -> Wanted {
            let row = |name: &&str| {
                let command = json!({"type": "subscribe", "stream": name});
                (vec![(*name).to_owned()], command.to_string())
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
