//! HTTP on one connection, from its first request to its last.

use super::socket::Socket;
use super::waiting::{Busy, HEAD_BYTES_MAX, Line, Phase};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio_util::sync::CancellationToken;

/// What is read ahead of a connection, and what of an answer is on its way at once, in bytes.
const BUFFER_BYTES_MAX: usize = 128 << 10;

/// Answers what is asked on a connection until one of both sides has enough, it gives way, or the service stops: then when
/// the request in hand is answered.
pub(super) async fn answer(
    socket: Socket,
    peer: SocketAddr,
    line: Arc<Line>,
    routes: TowerToHyperService<Router>,
    stopping: CancellationToken,
) {
    let asked_on = Arc::clone(&line);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let busy = asked_on.begin();
        request.extensions_mut().insert(ConnectInfo(peer));
        let answering = routes.call(request.map(Body::new));
        async move {
            let response = answering.await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                busy.is_stream();
            }
            Ok::<_, std::convert::Infallible>(response.map(|body| Answer { body, _busy: busy }))
        }
    });
    // How long a head may take is seen to by the socket: here an answer that is still on its way would count as waiting.
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "a connection from {peer} ended: {error}");
                }
                return;
            }
            // Not if a request came at the same moment: it is answered, and another gives way.
            () = line.gives_way() => {
                if line.phase().0 == Phase::Waiting {
                    tracing::debug!(%peer, "a connection from {peer} gave way to another");
                    return;
                }
            }
            () = stopping.cancelled(), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The body of an answer: until it is dropped, its connection waits for no other request.
struct Answer {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
