//! A websocket between a client and another node: the bytes of each are copied to the other as they come, so that messages, pings and the
//! end of the stream are the other node's own. Only the frames that go to the client are followed, so that it is told if that node is
//! suddenly gone.

use super::frames::{Frames, close_frame};
use crate::api::websocket::code;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf, split};
use tokio::time::timeout;

/// What is copied at once, in bytes. It is on the stack: a stream that rests holds none.
const COPIED_BYTES: usize = 8 << 10;
/// How long the end of a frame is waited for, and then for the client to take a close frame.
const END_WAIT: Duration = Duration::from_secs(2);

/// The reason in the close frame of a stream whose node is gone.
pub(super) const GONE: &str = "the node of this stream is gone";

type Io = TokioIo<Upgraded>;

/// Why a relayed websocket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client has left.
    Left,
    /// The other node closed it.
    Closed,
    /// The other node is gone.
    Gone,
    /// It was ended here.
    Ended,
}

/// Relays until one of both sides has enough, or until `ended`: then the client is sent a close frame with that code and reason.
pub(super) async fn relayed(
    client: Upgraded,
    server: Upgraded,
    ended: impl Future<Output = (u16, &'static str)>,
) -> End {
    let (from_client, to_client) = split(TokioIo::new(client));
    let (from_server, to_server) = split(TokioIo::new(server));
    let mut down = Copy::new(from_server, to_client);
    let mut up = Copy::new(from_client, to_server);
    let (mut ended, mut up_is_done) = (std::pin::pin!(ended), false);
    let ((code, reason), end) = loop {
        tokio::select! {
            biased;
            copied = poll_fn(|cx| down.poll(cx)) => match copied {
                Ok(()) if down.frames.has_closed() => {
                    let _ = timeout(END_WAIT, down.to.shutdown()).await;
                    return End::Closed;
                }
                Err(Side::To) => return End::Left,
                Ok(()) | Err(Side::From) => break ((code::RESTART, GONE), End::Gone),
            },
            copied = poll_fn(|cx| up.poll(cx)), if !up_is_done => match copied {
                // The server has the last word: it may be about to close.
                Ok(()) => {
                    up_is_done = true;
                    let _ = timeout(END_WAIT, up.to.shutdown()).await;
                }
                Err(Side::From) => return End::Left,
                Err(Side::To) => up_is_done = true,
            },
            why = &mut ended => break (why, End::Ended),
        }
    };
    // A frame that was begun ends first. Where that cannot be, the client sees the connection break, and comes back all the same.
    if end == End::Ended && !down.is_between() {
        let _ = timeout(END_WAIT, poll_fn(|cx| down.poll_to_end_of_frame(cx))).await;
    }
    if down.is_between() && !down.frames.has_closed() {
        let closing = async {
            down.to.write_all(&close_frame(code, reason)).await?;
            down.to.shutdown().await
        };
        let _ = timeout(END_WAIT, closing).await;
    }
    end
}

/// The side on which copying failed.
enum Side {
    From,
    To,
}

/// Bytes copied in one direction.
struct Copy {
    from: ReadHalf<Io>,
    to: WriteHalf<Io>,
    /// What was read and not taken yet.
    unsent: Vec<u8>,
    sent: usize,
    /// What was read, as frames.
    frames: Frames,
    /// What was written is to be flushed.
    is_unflushed: bool,
}

impl Copy {
    fn new(from: ReadHalf<Io>, to: WriteHalf<Io>) -> Copy {
        Copy {
            from,
            to,
            unsent: Vec::new(),
            sent: 0,
            frames: Frames::default(),
            is_unflushed: false,
        }
    }

    /// Whether all that was read was sent, up to the end of a frame.
    fn is_between(&self) -> bool {
        self.unsent.is_empty() && self.frames.is_between()
    }

    /// Copies until the source ends or one of both sides fails.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Side>> {
        loop {
            ready!(self.poll_send(cx)).map_err(|_| Side::To)?;
            if !ready!(self.poll_read(cx)).map_err(|_| Side::From)? {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Copies until a frame has ended. More may have been read by then, and is sent too.
    fn poll_to_end_of_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Side>> {
        loop {
            ready!(self.poll_send(cx)).map_err(|_| Side::To)?;
            if self.frames.is_between() || !ready!(self.poll_read(cx)).map_err(|_| Side::From)? {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Sends what was read.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.unsent.len() {
            let rest = self.unsent.get(self.sent..).unwrap_or_default();
            let sent = ready!(Pin::new(&mut self.to).poll_write(cx, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
            self.is_unflushed = true;
        }
        // A stream that rests keeps no memory.
        self.unsent = Vec::new();
        self.sent = 0;
        if self.is_unflushed {
            ready!(Pin::new(&mut self.to).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads some bytes, and hands on what is taken at once. False if the source has ended.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut bytes = [0; COPIED_BYTES];
        let mut bytes = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.from).poll_read(cx, &mut bytes))?;
        let read = bytes.filled();
        self.frames.pass(read);
        self.unsent = read.to_vec();
        Poll::Ready(Ok(!read.is_empty()))
    }
}
