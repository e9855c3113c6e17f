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

/// Why another node did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeQueryError {
    /// It does not believe that the question comes from a node.
    #[error("node {0} does not believe this node: compare cluster.secret and the clocks")]
    Refused(Arc<str>),
    /// It could not be reached, or not in time.
    #[error("node {0} gives no answer")]
    Away(Arc<str>, #[source] Option<Cause>),
    /// It answers something else.
    #[error("node {0} answers {1}")]
    Status(Arc<str>, StatusCode),
    /// What is asked cannot be sent.
    #[error("asking node {0}")]
    Unsendable(Arc<str>, #[source] Cause),
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
    pub(crate) async fn get(&self, server: &Server, target: &str) -> Result<Bytes, NodeQueryError> {
        let node = || Arc::clone(&server.node);
        let request = self.signed(target);
        let request = request.map_err(|cause| NodeQueryError::Unsendable(node(), cause))?;
        let answering = async {
            let answer = match self.client.send(server, request).await {
                Sent::Answer(answer) => answer,
                Sent::Refused => return Err(NodeQueryError::Refused(node())),
                Sent::Elsewhere | Sent::Away | Sent::Lost => {
                    return Err(NodeQueryError::Away(node(), None));
                }
            };
            if answer.status() != StatusCode::OK {
                return Err(NodeQueryError::Status(node(), answer.status()));
            }
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
            let body = body.collect().await;
            let body = body.map_err(|cause| NodeQueryError::Away(node(), Some(cause)))?;
            Ok(body.to_bytes())
        };
        let answered = tokio::time::timeout(ANSWER_WAIT, answering).await;
        let too_late = |_| NodeQueryError::Away(node(), Some(NoAnswerInTime.into()));
        answered.map_err(too_late)?
    }

    fn signed(&self, target: &str) -> Result<Request<ResendBody>, Cause> {
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
        Ok(request)
    }
}
