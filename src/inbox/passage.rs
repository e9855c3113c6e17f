//! A request to an inbox passed on to the backend as it came, and its answer passed back as it came.
//!
//! A request that the backend took is recorded before it is answered, if that takes no longer than [`RECORD_WAIT`]: whoever then hears
//! 2xx has it in the log. Recording goes on after the answer otherwise.

use super::inbox_request::InboxRequest;
use super::not_recorded::NotRecorded;
use super::recorder::Recorder;
use crate::api::end_to_end::end_to_end;
use crate::api::outgoing::{Answer, Cause, NoAnswerInTime, Outgoing};
use crate::api::problem::Problem;
use crate::api::request_body;
use crate::clock;
use crate::operator::metrics::Metrics;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::Full;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use url::Url;

/// The longest time for which an answer is kept back until its request is recorded. Other servers wait ten seconds and more.
const RECORD_WAIT: Duration = Duration::from_secs(2);
/// The most requests passed on at once; more are told to come back (503). Where few files may be open there are fewer.
const REQUESTS_MAX: usize = 1_000;
/// Bodies of them in memory at once, in KiB. A request waits for its share before its body is read.
const BODIES_KIB_MAX: usize = 64 << 10;
/// The longest answer, in bytes: servers answer with a line or nothing.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// How long a connection to the backend rests before it is not used again: less than any server keeps one (Node.js, 5 seconds), so
/// that none is closed in the face of a request, which cannot be sent twice.
const IDLE_WAIT: Duration = Duration::from_secs(2);

/// The way to the backend's inboxes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Passage(Arc<Inner>);

struct Inner {
    upstream: Url,
    http: Outgoing,
    /// The longest time that the backend may take.
    wait: Duration,
    requests: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    recorder: Arc<Recorder>,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
}

/// How many requests are passed on at once, each by a connection of its own, of so many connections that there may be: a quarter of
/// them at most.
pub(crate) fn requests_max(connections: usize) -> usize {
    REQUESTS_MAX.min(connections.div_ceil(4))
}

impl Passage {
    /// A way to the backend at `upstream`, for so many requests at once, which may take so long to answer. `tasks` counts what is
    /// under way. An error if no client can be made on this machine.
    pub(crate) fn new(
        upstream: Url,
        requests_max: usize,
        wait: Duration,
        recorder: Recorder,
        metrics: Arc<Metrics>,
        tasks: TaskTracker,
    ) -> std::io::Result<Passage> {
        Ok(Passage(Arc::new(Inner {
            upstream,
            http: Outgoing::resting(IDLE_WAIT)?,
            wait,
            requests: Arc::new(Semaphore::new(requests_max)),
            bodies: Arc::new(Semaphore::new(BODIES_KIB_MAX)),
            recorder: Arc::new(recorder),
            metrics,
            tasks,
        })))
    }

    /// Passes a request on, and the answer back.
    pub(crate) async fn pass_on(&self, request: Request) -> Response {
        let arrived = clock::now();
        let Ok(permit) = Arc::clone(&self.0.requests).try_acquire_owned() else {
            self.0.metrics.inbox.passed_on("busy");
            return Problem::unavailable("too many requests at once: come back in a moment", 1)
                .into_response();
        };
        let method = request.method().clone();
        let target = request.uri().path_and_query().cloned();
        let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let headers = request.headers().clone();
        let bodies = Arc::clone(&self.0.bodies);
        let reading = request_body::with_room(request, bodies);
        let read = match tokio::time::timeout(self.0.wait, reading).await {
            Ok(read) => read,
            Err(_) => Err(Problem::unavailable(
                "there is no room for it: come back in a moment",
                5,
            )),
        };
        let (body, share) = match read {
            Ok(read) => read,
            Err(problem) => {
                self.0.metrics.inbox.passed_on("unread");
                return problem.into_response();
            }
        };
        let request = InboxRequest {
            method,
            target: target.as_str().to_owned(),
            headers,
            body,
            arrived,
        };
        let passage = self.clone();
        // On a task of its own: a caller that hangs up takes nothing back from the backend, so it takes nothing from the log.
        let passing = self.0.tasks.spawn(async move {
            let response = passage.pass(request, target).await;
            drop((permit, share));
            response
        });
        match passing.await {
            Ok(response) => response,
            Err(error) => Problem::internal(&error).into_response(),
        }
    }

    async fn pass(self, request: InboxRequest, target: PathAndQuery) -> Response {
        let Inner { metrics, wait, .. } = &*self.0;
        let sent = match self.outgoing(&request, target) {
            Ok(outgoing) => self.0.http.send(outgoing, *wait, ANSWER_BYTES_MAX).await,
            Err(error) => Err(error),
        };
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => return self.away(&request, &error),
        };
        metrics.inbox.passed_on(class_of(answer.status));
        match answer.status.is_success() {
            true => self.record(request).await,
            false => self.refused(&request),
        }
        response_of(answer)
    }

    /// Records a request that the backend took, or leaves that to go on.
    async fn record(&self, request: InboxRequest) {
        // Others read an inbox.
        if request.method == Method::POST {
            let recorder = Arc::clone(&self.0.recorder);
            let recording = self
                .0
                .tasks
                .spawn(async move { recorder.record(request).await });
            // What ends late, or not at all, is counted there.
            let _ = tokio::time::timeout(RECORD_WAIT, recording).await;
        }
    }

    /// The request as the backend gets it.
    fn outgoing(
        &self,
        request: &InboxRequest,
        target: PathAndQuery,
    ) -> Result<axum::http::Request<Full<Bytes>>, Cause> {
        let upstream: Uri = self.0.upstream.as_str().parse()?;
        let mut parts = upstream.into_parts();
        parts.path_and_query = Some(target);
        let mut outgoing = axum::http::Request::new(Full::new(request.body.clone()));
        *outgoing.method_mut() = request.method.clone();
        *outgoing.uri_mut() = Uri::from_parts(parts)?;
        *outgoing.headers_mut() = end_to_end(&request.headers);
        if request.headers.contains_key(header::CONTENT_LENGTH) || !request.body.is_empty() {
            set_length(outgoing.headers_mut(), &request.body);
        }
        Ok(outgoing)
    }

    /// The answer when the backend gives none: 502 and 504, at which a proxy may go to it directly.
    fn away(&self, request: &InboxRequest, error: &Cause) -> Response {
        self.refused(request);
        let (word, status, what) = match error.is::<NoAnswerInTime>() {
            true => (
                "slow",
                StatusCode::GATEWAY_TIMEOUT,
                "did not answer in time",
            ),
            false => ("away", StatusCode::BAD_GATEWAY, "does not answer"),
        };
        self.0.metrics.inbox.passed_on(word);
        tracing::debug!(%error, "the backend {what}: {error}");
        Problem::new(status, format!("the backend {what}: send it again later")).into_response()
    }

    fn refused(&self, request: &InboxRequest) {
        if request.method == Method::POST {
            let why = NotRecorded::Refused.name();
            self.0.metrics.inbox.not_recorded(why);
        }
    }
}

fn response_of(answer: Answer) -> Response {
    let mut headers = end_to_end(&answer.headers);
    // Without a body it is that of the body there would be (HEAD, 304).
    if !answer.body.is_empty() {
        set_length(&mut headers, &answer.body);
    }
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = headers;
    response
}

/// Says how long a body is. What came may have had no length, or beside chunks one that does not count (RFC 9112, section 6.3): passed
/// on it would begin another request.
fn set_length(headers: &mut HeaderMap, body: &Bytes) {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
}

/// The kind of answer, as metrics have it.
fn class_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}
