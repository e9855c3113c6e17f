//! Connections to the other nodes of the cluster.

use super::hop::HOP;
use super::resend::ResendBody;
use crate::api::placement::Server;
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;

/// The longest time that connecting to a node may take: nodes are near each other, and a reader waits.
const CONNECT_WAIT: Duration = Duration::from_millis(300);
/// How long a connection to a node rests before it is closed: less than nodes keep one (75 seconds), so that none is closed in the face
/// of a request.
const IDLE_WAIT: Duration = Duration::from_secs(60);
/// The most connections to one node that rest.
const IDLE_MAX: usize = 256;

/// Sends requests to other nodes, over connections that are used again.
#[derive(Clone, Debug)]
pub(super) struct NodeClient(Client<HttpConnector, ResendBody>);

/// What came of sending a request to a node.
#[derive(Debug)]
pub(super) enum Sent {
    /// It answers.
    Answer(Response<Incoming>),
    /// It does not answer for the account.
    Elsewhere,
    /// It does not believe that the request comes from a node.
    Refused,
    /// No connection to it could be made: it has taken nothing.
    Away,
    /// The connection ended before there was an answer: how far the request came is not known.
    Lost,
}

impl NodeClient {
    pub(super) fn new() -> NodeClient {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_WAIT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_WAIT)
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE_MAX)
            .build(connector);
        NodeClient(client)
    }

    /// Sends a request to a node, and waits for the head of its answer.
    pub(super) async fn send(&self, server: &Server, mut request: Request<ResendBody>) -> Sent {
        let Some(uri) = at(server, request.uri()) else {
            tracing::warn!(
                node = &*server.node,
                address = &*server.address,
                "node {} advertises {}, which is no address to send requests to",
                server.node,
                server.address
            );
            return Sent::Away;
        };
        *request.uri_mut() = uri;
        match self.0.request(request).await {
            Ok(answer) if answer.status() == StatusCode::MISDIRECTED_REQUEST => Sent::Elsewhere,
            Ok(answer) if is_refusal(&answer) => Sent::Refused,
            Ok(answer) => Sent::Answer(answer),
            Err(error) => {
                let is_away = error.is_connect();
                tracing::debug!(
                    node = &*server.node,
                    error = &error as &dyn std::error::Error,
                    "node {} did not answer: {error}",
                    server.node
                );
                match is_away {
                    true => Sent::Away,
                    false => Sent::Lost,
                }
            }
        }
    }
}

/// Whether a node says that a request is from none: what it answers a client has no such header.
fn is_refusal(answer: &Response<Incoming>) -> bool {
    answer.status() == StatusCode::FORBIDDEN && answer.headers().contains_key(HOP)
}

/// The target of a request, at the address of a node.
fn at(server: &Server, target: &Uri) -> Option<Uri> {
    let mut parts = server.address.parse::<Uri>().ok()?.into_parts();
    let path = target.path_and_query().cloned();
    parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    Uri::from_parts(parts).ok()
}
