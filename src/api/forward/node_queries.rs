//! What one node asks another in its own name.

use super::hop::HopKey;
use super::node_client::{NodeClient, Sent};
use super::resend::ResendBody;
use crate::api::auth::Caller;
use crate::api::auth::secret::Secret;
use crate::api::caller::CallerContext;
use crate::api::outgoing::{Cause, NoAnswerInTime};
use crate::api::placement::Server;
use crate::clock;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use std::sync::Arc;
use std::time::Duration;

/// The longest time that an answer may take.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// The longest answer, in bytes: a page of the ids of accounts.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Asks other nodes, signed as the backend.
#[derive(Debug)]
pub(crate) struct NodeQueries {
    key: HopKey,
    client: NodeClient,
}

impl NodeQueries {
    /// The way to the nodes that have this secret.
    pub(crate) fn new(secret: &Secret) -> NodeQueries {
        NodeQueries {
            key: HopKey::new(secret),
            client: NodeClient::new(),
        }
    }

    /// The body of a node's answer to a GET. Errors: it does not answer with 200 in time.
    pub(crate) async fn get(&self, server: &Server, target: &str) -> Result<Bytes, Cause> {
        let uri: Uri = target.parse()?;
        let context = CallerContext {
            caller: Caller::Backend,
            token: None,
            address: None,
            peer: None,
            base_url: Arc::default(),
            is_hop: false,
        };
        let mut headers = HeaderMap::new();
        let line = (&Method::GET, &uri);
        self.key.sign(line, &mut headers, &context, clock::now())?;
        let mut request = Request::new(ResendBody::Whole(None));
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let answering = async {
            let answer = match self.client.send(server, request).await {
                Sent::Answer(answer) => answer,
                Sent::Refused => {
                    let why = "does not believe this node: compare cluster.secret and the clocks";
                    return Err(format!("node {} {why}", server.node).into());
                }
                Sent::Elsewhere | Sent::Away | Sent::Lost => {
                    return Err(format!("node {} does not answer", server.node).into());
                }
            };
            if answer.status() != StatusCode::OK {
                return Err(format!("node {} answers {}", server.node, answer.status()).into());
            }
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
            Ok(body.collect().await?.to_bytes())
        };
        let answered = tokio::time::timeout(ANSWER_WAIT, answering).await;
        answered.unwrap_or_else(|_| Err(NoAnswerInTime.into()))
    }
}
