//! The streams of one client that are passed on from the backend's streaming server, under the client's own token: which these are,
//! and the new statuses that came and are not shown yet.

use super::client::{Reader, Upstream};
use super::relay_connection::Connection;
use super::relay_state::{RelayState, Wanted};
use crate::mastodon::channel::Channel;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// A client's connection to the streaming server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) reader: Reader,
    wanted: watch::Sender<Wanted>,
    state: Arc<RelayState>,
    task: AbortHandle,
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
        let state = Arc::new(RelayState::new(Arc::clone(&upstream.kept_bytes)));
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
}
