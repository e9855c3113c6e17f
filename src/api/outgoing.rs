//! Requests to other servers: each is bounded in its time and in the bytes of its answer.

use axum::body::Bytes;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::upgrade::Upgraded;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;
use tokio::time::timeout;

/// How long a connection rests before it is not used again: less than servers keep one (Puma, 20 seconds), so that none is closed in
/// the face of a request.
const IDLE_WAIT: Duration = Duration::from_secs(15);
/// The most connections to one server that rest.
const IDLE_MAX: usize = 32;

/// There was no whole answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer in time")]
pub(crate) struct NoAnswerInTime;

/// The cause of a failure.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A client of HTTP/1.1, with or without TLS. Connections are used again.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing(Http<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// The answer of another server, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Outgoing {
    /// An error if this machine has no certificates to trust a server by.
    pub(crate) fn new() -> std::io::Result<Outgoing> {
        Outgoing::resting(IDLE_WAIT)
    }

    /// As [`Outgoing::new`], with connections that rest no longer than `idle_wait` before they are not used again.
    pub(crate) fn resting(idle_wait: Duration) -> std::io::Result<Outgoing> {
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .build();
        let http = Http::builder(TokioExecutor::new())
            .pool_idle_timeout(idle_wait)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(connector);
        Ok(Outgoing(http))
    }

    /// Sends a request. An error if the whole answer is not there within `wait`, or is longer than `bytes_max`.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        wait: Duration,
        bytes_max: usize,
    ) -> Result<Answer, Cause> {
        let answering = async {
            let (head, body) = self.0.request(request).await?.into_parts();
            let body = Limited::new(body, bytes_max).collect().await?.to_bytes();
            Ok(Answer {
                status: head.status,
                headers: head.headers,
                body,
            })
        };
        let answered = timeout(wait, answering).await;
        answered.unwrap_or_else(|_| Err(NoAnswerInTime.into()))
    }

    /// Sends a request that asks for another protocol on its connection. The connection, or the status of a server that does not
    /// change to it; an error if there is neither within `wait`.
    pub(crate) async fn upgraded(
        &self,
        request: Request<Full<Bytes>>,
        wait: Duration,
    ) -> Result<Result<(HeaderMap, Upgraded), StatusCode>, Cause> {
        let upgrading = async {
            let answer = self.0.request(request).await?;
            if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Err(answer.status()));
            }
            let headers = answer.headers().clone();
            Ok(Ok((headers, hyper::upgrade::on(answer).await?)))
        };
        let upgraded = timeout(wait, upgrading).await;
        upgraded.unwrap_or_else(|_| Err(NoAnswerInTime.into()))
    }
}
