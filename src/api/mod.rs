//! The HTTP API: its router, and the limits every request is under.
//!
//! | module | what it is |
//! |---|---|
//! | `app` | what all routes share |
//! | [`state`] | the state requests are answered from |
//! | [`auth`], `caller` | tokens, and the caller of a request |
//! | `feeds`, `page_query`, `late` | pages and changes of feeds |
//! | `stream` | the native stream over a websocket |
//! | `append`, [`append_body`], `request_body` | what the backend appends |
//! | `posts`, `ordering`, `origins`, [`origin`] | posts, orderings and origins |
//! | [`feed_lookup`] | the feed or cursor a request names, or a problem |
//! | [`log_end`] | the end of the log, asked anew for a cursor ahead of it |
//! | [`entry`], `entry_json`, [`entry_cache`] | a post as the API shows it, as JSON text, and cached |
//! | [`page_body`], [`change_json`] | a page and changes as JSON text |
//! | [`stream_message`], [`spliced_message`] | what a stream sends |
//! | [`responses`], [`problem`] | every other body; errors as RFC 9457 problem documents |
//! | [`rejections`], [`warnings`] | what appending rejects, and what it warns of |
//! | [`subscription`], [`feed_watch`] | a reader's place in a feed, and the wait for something new |
//! | [`websocket`], [`websocket_upgrade`] | a websocket with bounds |
//! | [`limits`], [`response_memory`], `large_response`, [`send_budget`] | bounds on connections, requests and memory |
//! | [`disk_reads`], [`single_flight`], `boxed` | reads off the disk, values made once, futures on the heap |
//! | [`request_headers`] | the hosts and addresses in headers |
//! | [`openapi`] | the description of all this, made from the types |

pub(crate) mod app;
mod append;
pub mod append_body;
pub mod auth;
pub(crate) mod boxed;
pub(crate) mod caller;
pub mod change_json;
pub mod disk_reads;
pub mod entry;
pub mod entry_cache;
mod entry_json;
pub mod feed_lookup;
pub mod feed_watch;
mod feeds;
pub(crate) mod large_response;
mod late;
pub mod limits;
pub mod log_end;
pub mod openapi;
mod ordering;
pub mod origin;
mod origins;
pub mod page_body;
mod page_query;
mod posts;
pub mod problem;
pub mod rejections;
mod request_body;
pub mod request_headers;
pub mod response_memory;
pub mod responses;
pub mod send_budget;
pub mod single_flight;
pub mod spliced_message;
pub mod state;
mod stream;
pub mod stream_message;
pub mod subscription;
pub mod warnings;
pub mod websocket;
pub mod websocket_upgrade;

pub use app::{Options, StreamOptions};

use crate::mastodon;
use crate::operator::by_origin;
use crate::post::source::Appender;
use crate::reader::view::Built;
use app::App;
use append_body::BODY_BYTES_MAX;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Extension, Json, Router};
use caller::CallerContext;
use problem::Problem;
use request_headers::is_host;
use responses::Readiness;
use state::AppState;
use tower_http::catch_panic::CatchPanicLayer;

/// All routes.
pub fn router(state: AppState, appender: Appender, options: Options) -> Router {
    let app = App::new(state, appender, options);
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
            caller::by_header,
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
            caller::by_stream,
        ));
    let open = Router::new().route("/openapi.json", get(description));
    let bounded = by_header
        .merge(streams)
        .merge(mastodon::routes::routes(&app))
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
    Extension(context): Extension<CallerContext>,
    request: Request,
    next: Next,
) -> Response {
    match app.auth.is_backend(&context.caller) {
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
    let refused = mastodon::error::renderer_of(request.uri().path());
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

async fn description() -> Response {
    Json(openapi::document()).into_response()
}

/// In debug builds; a release build aborts, restarts and replays.
fn panicked() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the service failed here; its log says why",
    )
}
