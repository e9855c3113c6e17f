//! Connections are taken while there is room for them. When there is none, one that waits for a request gives way; where all
//! are in use, the new one is told to come back.

use super::connection;
use super::socket::{Socket, Waits};
use super::waiting::Waiting;
use crate::clock;
use axum::Router;
use hyper_util::service::TowerToHyperService;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections that the system keeps for us until they are taken.
const BACKLOG: u32 = 1_024;
/// What the system may hold of what a connection was sent, in bytes: it bounds memory that nobody else counts, and makes it
/// known soon whether the other side takes any of it.
const SEND_BUFFER_BYTES: u32 = 128 << 10;
/// How long one that gives way may take to be gone.
const GIVES_WAY_WAIT: Duration = Duration::from_millis(250);
/// How long nothing is taken after the system had none to give.
const TAKE_WAIT: Duration = Duration::from_millis(200);
/// The same if one has given way since.
const GIVEN_WAY_WAIT: Duration = Duration::from_millis(10);
/// Connections that are being told to come back at once; more are closed without a word.
const TURNED_AWAY_MAX: usize = 16;
/// How long one that is told to come back may take to hear it.
const TURNED_AWAY_WAIT: Duration = Duration::from_secs(1);
/// How long nothing more is said in the log of connections without room after something was.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// What one is told for whom there is no room.
const NO_ROOM: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\n\
    retry-after: 5\r\n\
    connection: close\r\n\
    content-length: 145\r\n\
    \r\n\
    {\"type\":\"about:blank\",\"status\":503,\"title\":\"Service Unavailable\",\
    \"detail\":\"there are as many connections as there may be: come back in a moment\"}";

/// Where connections come from, and how many there may be.
#[derive(Debug)]
pub(super) struct Listener {
    socket: TcpListener,
    room: Arc<Semaphore>,
    waiting: Arc<Waiting>,
    waits: Waits,
    turned_away: Arc<Semaphore>,
    said: Option<Instant>,
}

impl Listener {
    /// Listens at an address, for so many connections at once.
    pub(super) fn bind(
        address: SocketAddr,
        connections_max: usize,
        waits: Waits,
    ) -> io::Result<Listener> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        // Connections have it from the socket that they come to.
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.bind(address)?;
        let connections_max = connections_max.min(Semaphore::MAX_PERMITS);
        Ok(Listener {
            socket: socket.listen(BACKLOG)?,
            room: Arc::new(Semaphore::new(connections_max)),
            waiting: Waiting::none(),
            waits,
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
            said: None,
        })
    }

    /// Where it listens: the port is a real one, also if 0 was asked for.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers what comes until the service stops; returns when all that was asked before is answered. Websockets are
    /// counted as connections, and not waited for.
    pub(super) async fn serve(mut self, routes: Router, stopping: CancellationToken) {
        let (routes, connections) = (TowerToHyperService::new(routes), TaskTracker::new());
        loop {
            let taken = tokio::select! {
                () = stopping.cancelled() => break,
                taken = self.socket.accept() => taken,
            };
            let (socket, peer) = match taken {
                Ok(taken) => taken,
                Err(error) if is_of_the_connection(&error) => continue,
                Err(error) => {
                    let wait = self.cannot_take(&error);
                    tokio::select! {
                        () = stopping.cancelled() => break,
                        () = tokio::time::sleep(wait) => continue,
                    }
                }
            };
            let Some(place) = self.place().await else {
                self.turn_away(socket);
                continue;
            };
            // Messages are small, and each is one.
            if let Err(error) = socket.set_nodelay(true) {
                tracing::debug!(%error, "a connection keeps its delay: {error}");
            }
            let line = self.waiting.line();
            let socket = Socket::new(socket, Arc::clone(&line), self.waits, place);
            let (routes, stopping) = (routes.clone(), stopping.clone());
            connections.spawn(connection::answer(socket, peer, line, routes, stopping));
        }
        // Who comes now is refused, not kept waiting.
        drop(self.socket);
        connections.close();
        connections.wait().await;
    }

    /// Room for another, if need be that of one that waits for a request.
    async fn place(&mut self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.room).try_acquire_owned() {
            return Some(place);
        }
        self.say("as many connections as there may be: those that wait for a request give way");
        if !self.waiting.oldest_gives_way() {
            return None;
        }
        let room = Arc::clone(&self.room).acquire_owned();
        tokio::time::timeout(GIVES_WAY_WAIT, room).await.ok()?.ok()
    }

    /// Tells one to come back for whom there is no room.
    fn turn_away(&self, socket: TcpStream) {
        if let Ok(turn) = Arc::clone(&self.turned_away).try_acquire_owned() {
            tokio::spawn(async move {
                // It may have left.
                let _ = tokio::time::timeout(TURNED_AWAY_WAIT, tell_no_room(socket)).await;
                drop(turn);
            });
        }
    }

    /// The system has none to give: most likely this process, or the machine, has as many files open as it may. What is open
    /// goes on, and room comes back. How long to wait until another can be taken.
    fn cannot_take(&mut self, error: &io::Error) -> Duration {
        self.say(&format!("no connection can be taken: {error}"));
        match self.waiting.oldest_gives_way() {
            true => GIVEN_WAY_WAIT,
            false => TAKE_WAIT,
        }
    }

    fn say(&mut self, what: &str) {
        let now = clock::stopwatch();
        let is_too_early = |said: Instant| now.saturating_duration_since(said) < SAID_EVERY;
        if !self.said.is_some_and(is_too_early) {
            self.said = Some(now);
            tracing::warn!("{what}");
        }
    }
}

/// Whether only that connection is concerned: it ended before it was taken.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

async fn tell_no_room(mut socket: TcpStream) -> io::Result<()> {
    socket.write_all(NO_ROOM.as_bytes()).await?;
    socket.shutdown().await?;
    // Closed with a request unread, it would be taken back what it is told.
    let mut unread = [0; 1_024];
    while 0 < socket.read(&mut unread).await? {}
    Ok(())
}

#[cfg(test)]
mod tests;
