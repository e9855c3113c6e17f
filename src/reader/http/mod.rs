//! The routes. What is asked for is checked here; what is shown is decided in the pure files beside.

mod answering;
mod append;
mod asking;
mod body;
mod feeds;
mod late;
mod mastodon;
mod ordering;
mod origins;
mod posts;
mod stream;
mod streaming;

pub use stream::Keeping;

use super::answer::Readiness;
use super::auth::Auth;
use super::connections::{Connections, Limits, Rates};
use super::door::BODY_BYTES_MAX;
use super::hop::is_host;
use super::mastodon::shelf::Shelf;
use super::problem::Problem;
use super::refused::Told;
use super::state::AppState;
use super::unread::{self, Unread};
use super::view::Built;
use crate::config::Ids;
use crate::operator::by_origin;
use crate::post::source::Appender;
use asking::Asking;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Extension, Json, Router};
use ipnet::IpNet;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;

/// Request bodies held in memory at once, in KiB. A request waits for its share before its body is read.
const BODIES_KIB_MAX: usize = 128 << 10;

/// What the routes are told.
#[derive(Debug)]
pub struct Options {
    /// Who may ask.
    pub auth: Auth,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// Requests answered at once; more are told to come back.
    pub requests_max: usize,
    /// Requests of each caller in a minute, the backend's aside.
    pub requests_per_minute: u32,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How many readers may be connected.
    pub connections: Limits,
    /// How streams are kept.
    pub keeping: Keeping,
    /// Whose ids clients of Mastodon's API see.
    pub mastodon_ids: Ids,
    /// Whether they find a list of late arrivals.
    pub late_list: bool,
    /// How long after its place a post may come that is pushed to them as new though others stand above it.
    pub live_max_age: Duration,
    /// Ends all streams.
    pub stopping: CancellationToken,
    /// Counts the streams that have not ended.
    pub streams: TaskTracker,
}

/// What every route works with. One for all: it is cloned several times for each request.
#[derive(Clone)]
struct App(Arc<Works>);

struct Works {
    state: AppState,
    appender: Appender,
    auth: Auth,
    requests: Semaphore,
    /// Besides, for what the backend sends: readers are never in its way.
    requests_of_backend: Semaphore,
    bodies: Semaphore,
    timeout: Duration,
    rates: Rates,
    trusted_proxies: Vec<IpNet>,
    connections: Arc<Connections>,
    unread: Arc<Unread>,
    keeping: Keeping,
    shelf: Arc<Shelf>,
    refused: Arc<Told>,
    live_max_age: Duration,
    late_list: bool,
    stopping: CancellationToken,
    streams: TaskTracker,
}

impl Deref for App {
    type Target = Works;

    fn deref(&self) -> &Works {
        &self.0
    }
}

/// All routes.
pub fn router(state: AppState, appender: Appender, options: Options) -> Router {
    let app = App(Arc::new(Works {
        state,
        appender,
        auth: options.auth,
        requests: Semaphore::new(options.requests_max),
        requests_of_backend: Semaphore::new(options.requests_max.div_ceil(8)),
        bodies: Semaphore::new(BODIES_KIB_MAX),
        timeout: options.request_timeout,
        rates: Rates::new(options.requests_per_minute),
        trusted_proxies: options.trusted_proxies,
        connections: Connections::new(options.connections),
        unread: Unread::new(unread::Limits::default()),
        keeping: options.keeping,
        shelf: Arc::new(Shelf::new(options.mastodon_ids)),
        late_list: options.late_list,
        refused: Arc::default(),
        live_max_age: options.live_max_age,
        stopping: options.stopping,
        streams: options.streams,
    }));
    let backend = Router::new()
        .route("/v1/activities", post(append::post_activities))
        .route("/v1/relationships", post(append::post_relationships))
        .route("/v1/posts", get(posts::by_uri))
        .route("/v1/posts/{id}", get(posts::by_id))
        .route("/v1/origins", get(origins::origins))
        .route("/v1/origins/{host}", get(origins::origin))
        .route("/metrics", get(metrics))
        .route_layer(middleware::from_fn_with_state(app.clone(), only_backend));
    let readers = Router::new()
        .route("/v1/accounts/{account}/feeds/{feed}", get(feeds::page))
        .route(
            "/v1/accounts/{account}/feeds/{feed}/changes",
            get(feeds::changes),
        )
        .route("/v1/accounts/{account}/ordering", get(ordering::get))
        .route("/v1/accounts/{account}/ordering", put(ordering::put))
        .route("/v1/accounts/{account}/ordering", delete(ordering::delete))
        .route("/v1/feeds/public", get(feeds::public_page))
        .route("/v1/feeds/public/changes", get(feeds::public_changes))
        .route("/v1/feeds/tag/{tag}", get(feeds::tag_page))
        .route("/v1/feeds/tag/{tag}/changes", get(feeds::tag_changes));
    let by_header = backend
        .merge(readers)
        .route_layer(middleware::from_fn_with_state(
            app.clone(),
            asking::by_header,
        ));
    let streams = Router::new()
        .route(
            "/v1/accounts/{account}/feeds/{feed}/stream",
            get(stream::account),
        )
        .route("/v1/feeds/public/stream", get(stream::public_feed))
        .route("/v1/feeds/tag/{tag}/stream", get(stream::hashtag))
        .route_layer(middleware::from_fn_with_state(
            app.clone(),
            asking::by_stream,
        ));
    let open = Router::new().route("/openapi.json", get(openapi));
    let bounded = by_header
        .merge(streams)
        .merge(mastodon::routes(&app))
        .merge(open)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(app.clone(), bounded));
    // A busy node is alive: these two are answered however many requests there are.
    bounded
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(|| async {
            Problem::not_found("there is nothing here: /openapi.json lists what is")
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path takes another method: /openapi.json says which",
            )
        })
        .layer(CatchPanicLayer::custom(|_| panicked().into_response()))
        .with_state(app)
}

async fn only_backend(
    State(app): State<App>,
    Extension(asking): Extension<Asking>,
    request: Request,
    next: Next,
) -> Response {
    match app.auth.is_backend(&asking.caller) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Counts requests, and bounds how many there are at once and how long each takes.
async fn bounded(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", |path| path.as_str())
        .to_owned();
    let refused = mastodon::words_of(request.uri().path());
    if !names_its_host(request.headers()) {
        app.state.metrics.request(&route, 400);
        return refused(Problem::bad_request(
            "send one Host: a name or an address, and maybe a port",
        ));
    }
    let mut turn = app.requests.try_acquire();
    if turn.is_err() && append::PATHS.contains(&route.as_str()) {
        turn = app.requests_of_backend.try_acquire();
    }
    let response = match turn {
        Err(_) => refused(Problem::unavailable(
            "too many requests at once: come back in a moment",
            1,
        )),
        Ok(_one) => match tokio::time::timeout(app.timeout, next.run(request)).await {
            Ok(response) => response,
            Err(_) => refused(Problem::unavailable(
                "this took too long and was given up",
                5,
            )),
        },
    };
    app.state
        .metrics
        .request(&route, response.status().as_u16());
    response
}

/// Whether a request says once which host it was sent to (RFC 9112, 3.2), in a form that links can be made of. One of HTTP/1.0
/// need not.
fn names_its_host(headers: &HeaderMap) -> bool {
    let mut said = headers.get_all(header::HOST).iter();
    let first = said.next().map(|host| host.to_str().is_ok_and(is_host));
    first.unwrap_or(true) && said.next().is_none()
}

async fn metrics(State(app): State<App>) -> Response {
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let by_origin = by_origin::Shown::of(&app.state.view.origins.read());
    tokio::task::block_in_place(|| app.gauge());
    let text = app
        .state
        .metrics
        .text(&by_origin.registry(&app.state.view.windows()));
    ([(header::CONTENT_TYPE, form)], text).into_response()
}

impl App {
    /// What is counted when it is asked for: so it is right from the start, and while nothing comes.
    fn gauge(&self) {
        let (metrics, store) = (&self.state.metrics, &self.state.view.store);
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        metrics.streams.set(gauge(self.connections.count()));
        let (accounts, follows) = {
            let graph = self.state.view.graph.read();
            (graph.accounts(), graph.follows())
        };
        metrics.accounts.set(gauge(accounts));
        metrics.follows.set(gauge(follows));
        let bytes = i64::try_from(store.bytes_on_disk()).unwrap_or(i64::MAX);
        metrics.disk_bytes.set(bytes);
        let is_ready = self.is_ready(&self.state.view.built.borrow());
        metrics.ready.set(is_ready.into());
    }

    /// What `/readyz`, `/healthz` and the number in `/metrics` say alike.
    fn is_ready(&self, built: &Built) -> bool {
        built.is_ready() && self.state.log_end.trouble().is_none()
    }
}

async fn healthz(State(app): State<App>) -> Response {
    let built = app.state.view.built.borrow().clone();
    let (status, detail) = match &built.failed {
        None => (StatusCode::OK, "alive".to_owned()),
        Some(failed) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("stopping: {failed}"),
        ),
    };
    (
        status,
        Json(Readiness {
            ready: app.is_ready(&built),
            detail,
            catching_up: built.catching_up,
        }),
    )
        .into_response()
}

async fn readyz(State(app): State<App>) -> Response {
    let built = app.state.view.built.borrow().clone();
    let is_ready = app.is_ready(&built);
    let detail = match (app.state.log_end.trouble(), &built.failed) {
        (Some(trouble), None) => {
            format!("the log cannot be written to, and is tried again every second: {trouble}")
        }
        _ => detail_of(&app, &built),
    };
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(Readiness {
            ready: is_ready,
            detail,
            catching_up: built.catching_up,
        }),
    )
        .into_response()
}

/// How far it has come, for a person.
fn detail_of(app: &App, built: &Built) -> String {
    match (&built.failed, built.log_reachable, &built.catching_up) {
        (Some(failed), _, _) => format!("stopping: {failed}"),
        (None, false, _) => "the log cannot be reached".to_owned(),
        (None, true, _) if let Some(failing) = &built.letters_failing => {
            format!("records that cannot be used wait to be kept as dead letters: {failing}")
        }
        (None, true, Some(progress)) => match progress.seconds_left {
            Some(seconds) => format!(
                "catching up: {} read, {} to go, about {seconds} s",
                progress.read, progress.left
            ),
            None => format!(
                "catching up: {} read, {} to go",
                progress.read, progress.left
            ),
        },
        (None, true, None) => match app.state.refused_settings.read().as_deref() {
            None => "ready".to_owned(),
            Some(mistakes) => format!(
                "ready, with the settings before: the configuration as it is now was refused: {mistakes}"
            ),
        },
    }
}

async fn openapi() -> Response {
    Json(super::openapi::document()).into_response()
}

/// In debug builds; a release build aborts, restarts and replays.
fn panicked() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the service failed here; its log says why",
    )
}
