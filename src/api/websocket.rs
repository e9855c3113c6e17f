//! A websocket with bounds on message size and on sending time, which also notices when its client is gone.

use super::boxed::boxed;
use super::send_budget::{FRAME_BYTES_MAX, SendBudget};
use super::spliced_message::SplicedMessage;
use super::websocket_upgrade::Upgrade;
use crate::clock;
use futures_util::{FutureExt, SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

/// The longest message a client may send, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// The size of a read, in bytes: each connection has such a buffer, and clients send little.
const READ_BYTES: usize = 512;
/// The bytes that are gathered before a write: none. Each connection keeps a buffer as large as it once needed, so that it is as
/// large as the largest message, without others gathered with it.
const WRITE_BYTES: usize = 0;
/// The most bytes that are unsent before the service waits for the client; one message more may be.
const UNSENT_BYTES_MAX: usize = 8 << 10;
/// More bytes than a connection ever has to write at once: a frame, and the control frames between.
const WRITING_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;
/// After this many bytes of one message other readers have their turn.
const TURN_BYTES: usize = 64 << 10;
/// How long a closing handshake may take.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Close codes: RFC 6455, section 7.4.1, and the registry; those from 4000 are ours.
pub mod code {
    /// The client broke the rules.
    pub const POLICY: u16 = 1008;
    /// The service failed.
    pub const INTERNAL: u16 = 1011;
    /// The service restarts: come back.
    pub const RESTART: u16 = 1012;
    /// Come back later.
    pub const TRY_AGAIN: u16 = 1013;
    /// The token holds no longer.
    pub const UNAUTHORIZED: u16 = 4401;
    /// The cursor cannot be served.
    pub const RESET: u16 = 4410;
}

/// How a socket is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How often the client is sent a ping.
    pub ping_every: Duration,
    /// The longest time that the client may take to accept a message.
    pub send_timeout: Duration,
}

/// A websocket.
#[derive(Debug)]
pub struct Socket {
    inner: WebSocketStream<TokioIo<Upgraded>>,
    options: Options,
    send_budget: Arc<SendBudget>,
    pings: Interval,
    /// Whether the client sent anything, a pong at least, since the last ping.
    was_heard: bool,
    /// The event that arrived while a long message was being sent.
    early_event: Option<Box<ClientEvent>>,
    /// Bytes fed since the last time that none were unsent.
    unsent: usize,
    /// A long message that is partly sent: only the rest of it may come next.
    begun: Option<Box<PartialMessage>>,
}

/// A message in several frames.
#[derive(Debug)]
struct PartialMessage {
    /// The payloads of the frames to come.
    rest: VecDeque<Bytes>,
    /// Whether a frame was sent.
    is_amid: bool,
}

/// An event on the client's side.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The client sent text.
    Text(Utf8Bytes),
    /// The client sent bytes.
    Binary,
    /// The client left, or broke the protocol.
    Left,
    /// The client has not answered a ping.
    Silent,
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The client does not accept it.
    TooSlow,
    /// The client accepted a part of it at most: it gets the rest before a last message, or no last message.
    Amid,
    /// The client has left.
    Left,
}

/// Makes a socket of an upgrade once it is one.
pub async fn opened(
    upgrade: Upgrade,
    options: Options,
    send_budget: Arc<SendBudget>,
) -> Option<Socket> {
    let upgraded = upgrade.on_upgrade.await.ok()?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_write_buffer_size(WRITING_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let io = TokioIo::new(upgraded);
    let inner = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    Some(Socket::new(inner, options, send_budget))
}

impl Socket {
    fn new(
        inner: WebSocketStream<TokioIo<Upgraded>>,
        options: Options,
        send_budget: Arc<SendBudget>,
    ) -> Socket {
        let mut pings = interval(options.ping_every);
        pings.reset();
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Socket {
            inner,
            options,
            send_budget,
            pings,
            was_heard: true,
            early_event: None,
            unsent: 0,
            begun: None,
        }
    }

    /// Waits for an event on the client's side, and sends pings meanwhile. May be cancelled and called
    /// again.
    pub async fn next_event(&mut self) -> ClientEvent {
        if let Some(event) = self.early_event.take() {
            return *event;
        }
        loop {
            let message = tokio::select! {
                // A message may have waited in the socket for as long as the time between two pings.
                biased;
                message = self.inner.next() => message,
                _ = self.pings.tick() => {
                    if !self.was_heard {
                        return ClientEvent::Silent;
                    }
                    match self.ping().await {
                        Ok(()) => continue,
                        Err(SendError::Left) => return ClientEvent::Left,
                        Err(SendError::TooSlow | SendError::Amid) => return ClientEvent::Silent,
                    }
                }
            };
            if let Some(event) = self.event_of(message) {
                return event;
            }
        }
    }

    /// The event that a message means; none if it only shows that the client is there.
    fn event_of(&mut self, message: Option<Result<Message, Error>>) -> Option<ClientEvent> {
        self.was_heard = true;
        match message {
            Some(Ok(Message::Text(text))) => Some(ClientEvent::Text(text)),
            Some(Ok(Message::Binary(_))) => Some(ClientEvent::Binary),
            // Pings are answered below.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => None,
            Some(Ok(Message::Close(_)) | Err(_)) | None => Some(ClientEvent::Left),
        }
    }

    /// Queues a message, which is sent with [`Self::flush`]. An error if it cannot be.
    pub async fn feed(&mut self, message: impl Into<SplicedMessage>) -> Result<(), SendError> {
        let message = message.into();
        if UNSENT_BYTES_MAX <= self.unsent {
            self.flush().await?;
        }
        let bytes = message.bytes();
        if bytes <= FRAME_BYTES_MAX {
            let text = Message::Text(message.text().into());
            sent(&timeout(self.options.send_timeout, self.inner.feed(text)).await)?;
            self.unsent += bytes;
            return Ok(());
        }
        let delivery = self.send_budget.begin(message.shared.as_ref());
        self.begun = Some(Box::new(PartialMessage {
            rest: message.parts().into_iter().flat_map(frames_of).collect(),
            is_amid: false,
        }));
        tokio::select! {
            biased;
            sent = boxed(self.send_rest()) => sent?,
            () = delivery.given_up().cancelled() => return Err(SendError::Amid),
        }
        // Its last frame may be unsent.
        self.unsent = UNSENT_BYTES_MAX;
        Ok(())
    }

    /// Sends the rest of a long message, and reads from the client meanwhile: it may send a ping, or leave. Only the time of
    /// waiting for the client counts, and not that of waiting for a turn. May be cancelled and called
    /// again.
    async fn send_rest(&mut self) -> Result<(), SendError> {
        let mut left = self.options.send_timeout;
        let send_budget = Arc::clone(&self.send_budget);
        while self.begun.is_some() {
            // Each frame waits for the one before it.
            let begun = clock::stopwatch();
            let ready = poll_fn(|cx| self.inner.poll_ready_unpin(cx));
            let ready = timeout(left, ready).await.map_err(|_| SendError::Amid)?;
            ready.map_err(|_| SendError::Left)?;
            left = left.saturating_sub(begun.elapsed());
            let turn = send_budget.turn().await;
            self.send_some()?;
            drop(turn);
        }
        Ok(())
    }

    /// Sends as much of a long message as the client accepts without waiting, and as one turn allows. The socket is ready for a
    /// frame.
    fn send_some(&mut self) -> Result<(), SendError> {
        let mut bytes = 0;
        while let Some((part, frame)) = self.begun.as_mut().and_then(|begun| begun.next_frame()) {
            bytes += part;
            if frame.header().is_final {
                self.begun = None;
            }
            let given = self.inner.start_send_unpin(Message::Frame(frame));
            given.map_err(|_| SendError::Left)?;
            if self.early_event.is_none()
                && let Some(message) = self.inner.next().now_or_never()
            {
                match self.event_of(message) {
                    Some(ClientEvent::Left) => return Err(SendError::Left),
                    event => self.early_event = event.map(Box::new),
                }
            }
            if TURN_BYTES <= bytes {
                break;
            }
            match poll_fn(|cx| self.inner.poll_ready_unpin(cx)).now_or_never() {
                Some(ready) => ready.map_err(|_| SendError::Left)?,
                None => break,
            }
        }
        Ok(())
    }

    /// Sends all queued messages; returns when the network has room for them.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        sent(&timeout(self.options.send_timeout, self.inner.flush()).await)?;
        self.unsent = 0;
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), SendError> {
        let ping = self.inner.feed(Message::Ping(Bytes::new()));
        sent(&timeout(self.options.send_timeout, ping).await)?;
        // There is a message to answer only from here on: the call may be cancelled before.
        self.was_heard = false;
        self.flush().await
    }

    /// Ends it, with a last message if there is one; the client has a moment to take them.
    pub async fn close(mut self, code: u16, reason: &'static str, last: Option<String>) {
        let end = boxed(async {
            if let Some(last) = last {
                // No other message may come amid one.
                self.send_rest().await?;
                self.inner
                    .feed(Message::Text(last.into()))
                    .await
                    .map_err(|_| SendError::Left)?;
            }
            let reason = Utf8Bytes::from_static(reason);
            let code = code.into();
            let close = Message::Close(Some(CloseFrame { code, reason }));
            self.inner.send(close).await.map_err(|_| SendError::Left)?;
            // The messages of the client are read, or the end would be lost with them.
            while let Some(Ok(_)) = self.inner.next().await {}
            Ok::<(), SendError>(())
        });
        // A client that is gone, or accepts nothing, learns of it when it connects again.
        let _ = timeout(CLOSE_WAIT, end).await;
    }
}

impl PartialMessage {
    /// The next frame, and how many bytes of the message it has.
    fn next_frame(&mut self) -> Option<(usize, Frame)> {
        let payload = self.rest.pop_front()?;
        let kind = match self.is_amid {
            true => Data::Continue,
            false => Data::Text,
        };
        self.is_amid = true;
        let (bytes, is_last) = (payload.len(), self.rest.is_empty());
        Some((bytes, Frame::message(payload, OpCode::Data(kind), is_last)))
    }
}

/// The payloads of the frames that a part of a message goes in.
fn frames_of(mut part: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let frame = part.split_to(part.len().min(FRAME_BYTES_MAX));
        (!frame.is_empty()).then_some(frame)
    })
}

fn sent(done: &Result<Result<(), Error>, tokio::time::error::Elapsed>) -> Result<(), SendError> {
    match done {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(SendError::Left),
        Err(_) => Err(SendError::TooSlow),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::extract::FromRequestParts;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use tokio::io::{DuplexStream, duplex};
    use tokio::sync::mpsc;
    use tokio_tungstenite::client_async;

    type Client = WebSocketStream<DuplexStream>;

    /// Both ends of a connection that takes no more than a little at a time.
    async fn connected(send_timeout: Duration) -> (Client, Socket) {
        let (near, far) = duplex(1_000);
        let (give, mut sockets) = mpsc::channel(1);
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let give = give.clone();
            async move {
                let (mut parts, _) = request.into_parts();
                let upgrade = Upgrade::from_request_parts(&mut parts, &()).await.unwrap();
                let response = upgrade.response(None);
                let options = Options {
                    ping_every: Duration::from_secs(60),
                    send_timeout,
                };
                tokio::spawn(async move {
                    let socket = opened(upgrade, options, Arc::default()).await.unwrap();
                    give.send(socket).await.unwrap();
                });
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(far), service);
        tokio::spawn(connection.with_upgrades());
        let (client, _) = client_async("ws://localhost/", near).await.unwrap();
        (client, sockets.recv().await.unwrap())
    }

    fn long() -> SplicedMessage {
        SplicedMessage {
            before: "<".to_owned(),
            shared: "é".repeat(5 * FRAME_BYTES_MAX).into(),
            after: ">".to_owned(),
        }
    }

    /// The next message, frames put together.
    async fn next(client: &mut Client) -> Message {
        client.next().await.unwrap().unwrap()
    }

    /// A failure means that a client that sends pings takes a long post for silence.
    #[tokio::test]
    async fn a_long_message_is_one_and_a_ping_is_answered_amid_it() {
        let (mut client, mut socket) = connected(Duration::from_secs(60)).await;
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let sending = tokio::spawn(async move {
            socket.feed(long()).await.unwrap();
            socket.feed("short".to_owned()).await.unwrap();
            socket.flush().await.unwrap();
            let event = socket.next_event().await;
            let _ = ended.await;
            event
        });
        client.send(Message::Ping("there?".into())).await.unwrap();
        client
            .send(Message::Text("said amid it".into()))
            .await
            .unwrap();
        assert_eq!(next(&mut client).await, Message::Pong("there?".into()));
        assert_eq!(next(&mut client).await, Message::Text(long().text().into()));
        assert_eq!(next(&mut client).await, Message::Text("short".into()));
        drop(end);
        let event = sending.await.unwrap();
        assert_eq!(
            event,
            ClientEvent::Text("said amid it".into()),
            "and nothing is lost"
        );
    }

    /// A failure means that a disconnected reader does not know which messages it got whole.
    #[tokio::test]
    async fn who_is_too_slow_for_a_long_message_has_it_whole_before_the_last() {
        let (mut client, mut socket) = connected(Duration::from_millis(50)).await;
        assert_eq!(socket.feed(long()).await, Err(SendError::Amid));
        let closing = socket.close(code::TRY_AGAIN, "too slow", Some("last".to_owned()));
        let closing = tokio::spawn(closing);
        assert_eq!(next(&mut client).await, Message::Text(long().text().into()));
        assert_eq!(next(&mut client).await, Message::Text("last".into()));
        assert!(matches!(next(&mut client).await, Message::Close(Some(_))));
        drop(client);
        closing.await.unwrap();
    }

    #[tokio::test]
    async fn a_stop_amid_a_long_message_is_told() {
        let (mut client, mut socket) = connected(Duration::from_millis(50)).await;
        assert_eq!(socket.feed(long()).await, Err(SendError::Amid));
        let closing = tokio::spawn(socket.close(code::RESTART, "stopping", None));
        assert!(matches!(next(&mut client).await, Message::Close(Some(_))));
        drop(client);
        closing.await.unwrap();
    }
}
