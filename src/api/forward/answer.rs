//! The answer of another node, passed back: a page as it is, a stream for as long as both sides, its token and this node last.

use super::relay::{GONE, relayed};
use crate::api::app::App;
use crate::api::boxed::boxed;
use crate::api::caller::{CallerContext, StreamPermit};
use crate::api::dismissals::STOPPING;
use crate::api::end_to_end::end_to_end;
use crate::api::placement::{Placement, Server};
use crate::api::problem::Problem;
use crate::api::websocket::code;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use std::sync::Arc;

/// The answer of a node, and who is to get it.
pub(super) struct Answered {
    pub(super) answer: Response<Incoming>,
    pub(super) server: Server,
    /// The request as it came.
    pub(super) head: Parts,
}

impl Answered {
    /// The response to the client. 429 or 503 if there are too many streams.
    pub(super) fn passed_back(
        mut self,
        app: &App,
        placement: &Arc<dyn Placement>,
        context: &CallerContext,
    ) -> Result<Response, Problem> {
        let is_upgraded = self.answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        if !is_upgraded && !is_event_stream(self.answer.headers()) {
            return Ok(whole(self.answer));
        }
        // The account is counted where it is answered.
        let end = StreamEnd {
            permit: app.admit_relayed(context)?,
            placement: Arc::clone(placement),
            server: self.server,
        };
        let app = app.clone();
        match self.head.extensions.remove::<OnUpgrade>() {
            Some(client) if is_upgraded => Ok(upgraded(self.answer, client, app, end)),
            _ => Ok(event_stream(self.answer, app, end)),
        }
    }
}

/// What ends a stream here.
struct StreamEnd {
    permit: StreamPermit,
    placement: Arc<dyn Placement>,
    server: Server,
}

impl StreamEnd {
    /// Waits until the stream is to end, with the close code and the reason for the client.
    async fn reached(&self, app: &App) -> (u16, &'static str) {
        tokio::select! {
            end = self.permit.ended() => end,
            () = app.stopping.cancelled() => (code::RESTART, STOPPING),
            () = self.placement.gone(&self.server.node) => (code::RESTART, GONE),
        }
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// An answer as the client gets it.
fn whole(answer: Response<Incoming>) -> Response {
    let (mut head, body) = answer.into_parts();
    head.headers = end_to_end(&head.headers);
    Response::from_parts(head, Body::new(body))
}

/// The response that makes the client's connection a websocket, whose bytes are relayed.
fn upgraded(answer: Response<Incoming>, client: OnUpgrade, app: App, end: StreamEnd) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = end_to_end(answer.headers());
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let tracked = app.streams.clone();
    tokio::spawn(tracked.track_future(async move {
        let both = boxed(async { tokio::try_join!(client, hyper::upgrade::on(answer)) });
        let Ok((client, server)) = both.await else {
            return;
        };
        let ended = relayed(client, server, end.reached(&app)).await;
        tracing::debug!(node = &*end.server.node, ?ended, "a relayed stream ended");
    }));
    response
}

/// Server-sent events, which end with what ends a stream.
fn event_stream(answer: Response<Incoming>, app: App, end: StreamEnd) -> Response {
    let (head, body) = whole(answer).into_parts();
    let ended = boxed(async move { end.reached(&app).await });
    let body = Body::from_stream(body.into_data_stream().take_until(ended));
    Response::from_parts(head, body)
}
