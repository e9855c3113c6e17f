//! The bytes of one connection, and how long it may keep us waiting for them. Time is measured here, below HTTP, where it can
//! be seen whether any come and go.

use super::waiting::{HEAD_BYTES_COMMON, Line, Phase};
use crate::clock;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

/// How long a connection may keep us waiting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    /// For the head of its first request, and for the rest of a later one that has begun.
    pub(super) head: Duration,
    /// For another request.
    pub(super) idle: Duration,
    /// Until it takes more of what it is sent. The system tells of that when a good part of its buffer is free again.
    pub(super) write: Duration,
}

/// A connection that is closed if it keeps us waiting for longer than it may.
pub(super) struct Socket {
    socket: TcpStream,
    line: Arc<Line>,
    waits: Waits,
    /// The head that is waited for.
    head: Head,
    read_by: Option<Pin<Box<Sleep>>>,
    write_by: Option<Pin<Box<Sleep>>>,
    /// When it came, or last took something.
    acted: Instant,
    _place: OwnedSemaphorePermit,
}

/// The head of a request, as far as it has come.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    /// After how many requests.
    requests: u64,
    bytes: usize,
    begun: Option<Instant>,
}

impl Socket {
    pub(super) fn new(
        socket: TcpStream,
        line: Arc<Line>,
        waits: Waits,
        place: OwnedSemaphorePermit,
    ) -> Socket {
        Socket {
            socket,
            line,
            waits,
            head: Head::default(),
            read_by: None,
            write_by: None,
            acted: clock::stopwatch(),
            _place: place,
        }
    }

    /// The head that is waited for, if one is.
    fn head(&mut self) -> Option<&mut Head> {
        let (phase, requests) = self.line.phase();
        if phase != Phase::Waiting {
            return None;
        }
        if self.head.requests != requests {
            self.head = Head {
                requests,
                ..Head::default()
            };
        }
        Some(&mut self.head)
    }

    /// Counts what came of a head. Errors: it is longer than there is room for now.
    fn count(&mut self, bytes: usize) -> io::Result<()> {
        let Some(head) = self.head() else {
            return Ok(());
        };
        head.bytes = head.bytes.saturating_add(bytes);
        if head.begun.is_none() {
            head.begun = Some(clock::stopwatch());
        }
        if HEAD_BYTES_COMMON < head.bytes && !self.line.has_room_for_long_head() {
            let why = "too many requests with long heads at once";
            return Err(io::Error::new(ErrorKind::OutOfMemory, why));
        }
        Ok(())
    }

    /// Whether a request was waited for too long; else this task is woken when it is.
    fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let (acted, waits) = (self.acted, self.waits);
        // Before it is looked at, so that a change in between is not missed.
        self.line.wakes(cx.waker());
        let Some(head) = self.head() else {
            return false;
        };
        let by = match head.begun {
            Some(begun) => begun + waits.head,
            None if head.requests == 0 => acted + waits.head,
            None => acted + waits.idle,
        };
        let by = by.into();
        let sleep = self
            .read_by
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(by)));
        if sleep.deadline() != by {
            sleep.as_mut().reset(by);
        }
        sleep.as_mut().poll(cx).is_ready()
    }

    /// What came of trying to send something.
    fn sent(
        &mut self,
        cx: &mut Context<'_>,
        sent: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(sent) = sent {
            if self.write_by.take().is_some() {
                self.line.is_unsent(false);
            }
            self.acted = clock::stopwatch();
            return Poll::Ready(sent);
        }
        // Streams have patience of their own.
        if self.line.phase().0 == Phase::Stream {
            return Poll::Pending;
        }
        self.line.is_unsent(true);
        let wait = self.waits.write;
        let sleep = self
            .write_by
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(wait)));
        ready!(sleep.as_mut().poll(cx));
        let why = "the other side takes nothing of what it is sent";
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, why)))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.line.end();
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.socket).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                let bytes = buf.filled().len().saturating_sub(before);
                Poll::Ready(if bytes == 0 {
                    Ok(())
                } else {
                    this.count(bytes)
                })
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending if this.is_overdue(cx) => {
                let why = "no request came, or not all of its head";
                Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, why)))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.socket).poll_write(cx, bytes);
        this.sent(cx, sent)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.socket).poll_write_vectored(cx, parts);
        this.sent(cx, sent)
    }

    // Without it answers would be copied before they are sent.
    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
