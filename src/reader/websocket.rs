//! A websocket with bounds: what it may send and be sent, how long it may take, and whether anybody is still there.

use super::live::apart;
use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use futures_util::SinkExt;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

/// The longest message a client may send, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// What is read at a time, in bytes: each connection has such a buffer, and clients say little.
const READ_BYTES: usize = 512;
/// What is gathered before it is written, in bytes: nothing. Each connection keeps a buffer as large as it once needed, which
/// is so the largest message, and not what was gathered with it.
const WRITE_BYTES: usize = 0;
/// The most that is unsent before the client is waited for, in bytes; one message more may be.
const UNSENT_BYTES_MAX: usize = 8 << 10;
/// What no message is longer than, in bytes: a post and what it boosts, both as long as they may be, escaped.
const SENT_BYTES_MAX: usize = 16 << 20;
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
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often the client is asked whether it is there.
    pub ping_every: Duration,
    /// How long it may take to accept what it is sent.
    pub send_timeout: Duration,
}

/// A websocket.
#[derive(Debug)]
pub struct Socket {
    inner: WebSocket,
    options: Options,
    pings: Interval,
    /// Whether the client said anything, a pong at least, since it was last asked.
    was_heard: bool,
    /// Bytes given to be sent since the last time all was.
    unsent: usize,
}

/// What a client did.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// It sent text.
    Text(Utf8Bytes),
    /// It sent bytes.
    Binary,
    /// It left, or broke the protocol.
    Left,
    /// It has not answered.
    Silent,
}

/// Why something was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// The client does not take it.
    TooSlow,
    /// The client has left.
    Left,
}

/// Sets the bounds of a socket before it is one.
pub fn bounded(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_write_buffer_size(SENT_BYTES_MAX)
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
}

impl Socket {
    /// Keeps a socket.
    pub fn new(inner: WebSocket, options: Options) -> Socket {
        let mut pings = interval(options.ping_every);
        pings.reset();
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Socket {
            inner,
            options,
            pings,
            was_heard: true,
            unsent: 0,
        }
    }

    /// Waits for the client to say something, and asks it whether it is there from time to time. May be given up and begun
    /// again.
    pub async fn hear(&mut self) -> Heard {
        loop {
            let message = tokio::select! {
                message = self.inner.recv() => message,
                _ = self.pings.tick() => {
                    if !self.was_heard {
                        return Heard::Silent;
                    }
                    match self.ping().await {
                        Ok(()) => continue,
                        Err(Unsent::Left) => return Heard::Left,
                        Err(Unsent::TooSlow) => return Heard::Silent,
                    }
                }
            };
            self.was_heard = true;
            match message {
                Some(Ok(Message::Text(text))) => return Heard::Text(text),
                Some(Ok(Message::Binary(_))) => return Heard::Binary,
                // Pings are answered below.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Heard::Left,
            }
        }
    }

    /// Gives a message to be sent, with others that follow: it goes with [`Self::flush`]. An error says that it does not.
    pub async fn feed(&mut self, text: String) -> Result<(), Unsent> {
        if UNSENT_BYTES_MAX <= self.unsent {
            self.flush().await?;
        }
        let bytes = text.len();
        sent(&timeout(self.options.send_timeout, self.inner.feed(text.into())).await)?;
        self.unsent += bytes;
        Ok(())
    }

    /// Sends what was fed; returns when the client's machine, or what lies between, has room for it.
    pub async fn flush(&mut self) -> Result<(), Unsent> {
        let flushed = timeout(self.options.send_timeout, self.inner.flush()).await;
        sent(&flushed)?;
        self.unsent = 0;
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), Unsent> {
        let ping = self.inner.feed(Message::Ping(Bytes::new()));
        sent(&timeout(self.options.send_timeout, ping).await)?;
        // Only now is there something to answer: this may be given up before.
        self.was_heard = false;
        self.flush().await
    }

    /// Ends it, with a last message if there is one; the client has a moment to take them.
    pub async fn close(mut self, code: u16, reason: &'static str, last: Option<String>) {
        let end = apart(async {
            if let Some(last) = last {
                self.inner.feed(last.into()).await?;
            }
            let reason = Utf8Bytes::from_static(reason);
            let close = Message::Close(Some(CloseFrame { code, reason }));
            self.inner.send(close).await?;
            // What the client sent meanwhile is taken, or the end would be lost with it.
            while let Some(Ok(_)) = self.inner.recv().await {}
            Ok::<(), axum::Error>(())
        });
        // One that is gone, or takes nothing, learns of it when it asks.
        let _ = timeout(CLOSE_WAIT, end).await;
    }
}

fn sent(done: &Result<Result<(), axum::Error>, tokio::time::error::Elapsed>) -> Result<(), Unsent> {
    match done {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Unsent::Left),
        Err(_) => Err(Unsent::TooSlow),
    }
}
