//! The HTTP surface as a whole: one router and one description, both made of the lists of routes in [`api`],
//! [`mastodon`] and [`desk`], and the bounds that every request is under.

pub mod asyncapi;
pub mod openapi;

use crate::api::app::{App, Omission};
use crate::api::append::PATHS as APPEND_PATHS;
use crate::api::append_body::BODY_BYTES_MAX;
use crate::api::auth::Auth;
use crate::api::openapi::Description;
use crate::api::problem::Problem;
use crate::api::request_headers::is_host;
use crate::api::state::AppState;
use crate::api::{self, Shutdown};
use crate::clock;
use crate::desk;
use crate::inbox::is_inbox;
use crate::inbox::passage::Passage;
use crate::log::LogWriter;
use crate::mastodon;
use crate::mastodon::app::MastodonApp;
use crate::mastodon::status_cache::StatusCache;
use crate::operator::metrics::http::known_method;
use crate::operator::traces;
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

/// The options of both APIs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The options of our own API, and of what both share.
    pub api: api::Options,
    /// The options of Mastodon's API.
    pub mastodon: mastodon::Options,
}

/// All routes, and the way to the inboxes of the backend, if there is one.
pub(crate) fn router(
    state: AppState,
    log_writer: LogWriter,
    auth: Auth,
    options: Options,
    shutdown: Shutdown,
    inbox: Option<Passage>,
) -> Router {
    let status_cache = Arc::new(StatusCache::new(options.mastodon.ids));
    let cache = Arc::clone(&status_cache);
    let omission: Omission =
        Arc::new(move |state, post, original| cache.why_left_out(state, post, original));
    let app = App::new(state, log_writer, auth, options.api, shutdown, omission);
    let mastodon_app = MastodonApp::new(app.clone(), status_cache, &options.mastodon);
    let bounded = api::routes(&app, Description(openapi::document))
        .merge(mastodon::routes::routes(mastodon_app))
        .merge(desk::routes())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(app.clone(), bounded));
    // A busy node is alive: these are answered however many requests there are.
    bounded
        .merge(api::health_routes())
        .fallback(move |request: Request| elsewhere(inbox.clone(), request))
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path takes another method: /openapi.json says which",
            )
        })
        .layer(CatchPanicLayer::custom(|_| panicked().into_response()))
        .with_state(app)
}

/// A path that is none of ours: an inbox of the backend, or nothing.
async fn elsewhere(inbox: Option<Passage>, request: Request) -> Response {
    match inbox {
        Some(inbox) if is_inbox(request.uri().path()) => inbox.pass_on(request).await,
        _ => {
            Problem::not_found("there is nothing here: /openapi.json lists what is").into_response()
        }
    }
}

/// Counts requests, bounds how many there are at once and how long each takes, and logs what is refused.
async fn bounded(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", |path| path.as_str())
        .to_owned();
    let (method, address) = (request.method().clone(), app.address_of(&request));
    let begun = clock::stopwatch();
    let known = known_method(method.as_str());
    let span = tracing::info_span!(
        target: traces::TARGET,
        "request",
        otel.name = format!("{known} {route}"),
        otel.kind = "server",
        http.request.method = known,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    );
    let answering = answered(&app, &route, request, next);
    let response = answering.instrument(span.clone()).await;
    let (status, took) = (response.status(), begun.elapsed());
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    let metrics = &app.state.metrics.http;
    metrics.request(&route, method.as_str(), status.as_u16(), took);
    // Documents that cannot be used are logged where they are looked at.
    let is_logged =
        status == StatusCode::UNPROCESSABLE_ENTITY && APPEND_PATHS.contains(&route.as_str());
    if !is_logged {
        let (log, now) = (&app.refusal_log, clock::stopwatch());
        log.record(method.as_str(), &route, address, &response, now);
    }
    response
}

async fn answered(app: &App, route: &str, request: Request, next: Next) -> Response {
    let render = mastodon::renderer_of(request.uri().path());
    if !names_its_host(request.headers()) {
        return render(Problem::bad_request(
            "send one Host: a name or an address, and maybe a port",
        ));
    }
    let mut permit = app.requests.try_acquire();
    if permit.is_err() && APPEND_PATHS.contains(&route) {
        permit = app.requests_of_backend.try_acquire();
    }
    match permit {
        Err(_) => render(Problem::unavailable(
            "too many requests at once: come back in a moment",
            1,
        )),
        Ok(_permit) => match tokio::time::timeout(app.timeout, next.run(request)).await {
            Ok(response) => response,
            Err(_) => render(Problem::unavailable(
                "this took too long and was given up",
                5,
            )),
        },
    }
}

/// Whether a request names its host once (RFC 9112, 3.2), in a form that links can be made of. A request of HTTP/1.0 need not
/// name it.
fn names_its_host(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::HOST).iter();
    let first = values.next().map(|host| host.to_str().is_ok_and(is_host));
    first.unwrap_or(true) && values.next().is_none()
}

/// The response after a panic in a debug build. A release build aborts, restarts and replays.
fn panicked() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the service failed here; its log says why",
    )
}

#[cfg(test)]
mod tests;
