//! The HTTP API: its router, and the limits every request is under.
//!
//! | module | what it is |
//! |---|---|
//! | `app`, `options` | what all routes share, and the bounds as configured |
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
//! | `health` | health, readiness and metrics |
//! | [`openapi`] | the list of routes, and their description made from the types |

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
mod health;
pub(crate) mod large_response;
mod late;
pub mod limits;
pub mod log_end;
pub mod openapi;
mod options;
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

pub use options::{Options, Shutdown, StreamOptions};

use crate::log::LogWriter;
use crate::mastodon;
use app::App;
use append_body::BODY_BYTES_MAX;
use auth::Auth;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use caller::CallerContext;
use openapi::{Description, Group, ROUTES};
use problem::Problem;
use request_headers::is_host;
use state::AppState;
use tower_http::catch_panic::CatchPanicLayer;

/// All routes.
pub fn router(
    state: AppState,
    log_writer: LogWriter,
    auth: Auth,
    options: Options,
    shutdown: Shutdown,
) -> Router {
    let app = App::new(state, log_writer, auth, options, shutdown);
    let of = |group: Group| {
        let routes = ROUTES.iter().filter(|route| route.group == group);
        routes.fold(Router::new(), |router, route| {
            router.route(route.path, route.handler())
        })
    };
    let backend =
        of(Group::Backend).route_layer(middleware::from_fn_with_state(app.clone(), only_backend));
    let by_header = backend
        .merge(of(Group::Reader))
        .route_layer(middleware::from_fn_with_state(
            app.clone(),
            caller::by_header,
        ));
    let streams = of(Group::Stream).route_layer(middleware::from_fn_with_state(
        app.clone(),
        caller::by_stream,
    ));
    let bounded = by_header
        .merge(streams)
        .merge(mastodon::routes::routes(&app))
        .merge(of(Group::Open).layer(Extension(Description(openapi::document))))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(app.clone(), bounded));
    // A busy node is alive: these are answered however many requests there are.
    bounded
        .merge(of(Group::Health))
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
    let render = mastodon::error::renderer_of(request.uri().path());
    if !names_its_host(request.headers()) {
        app.state.metrics.request(&route, 400);
        return render(Problem::bad_request(
            "send one Host: a name or an address, and maybe a port",
        ));
    }
    let mut turn = app.requests.try_acquire();
    if turn.is_err() && append::PATHS.contains(&route.as_str()) {
        turn = app.requests_of_backend.try_acquire();
    }
    let response = match turn {
        Err(_) => render(Problem::unavailable(
            "too many requests at once: come back in a moment",
            1,
        )),
        Ok(_one) => match tokio::time::timeout(app.timeout, next.run(request)).await {
            Ok(response) => response,
            Err(_) => render(Problem::unavailable(
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

/// In debug builds; a release build aborts, restarts and replays.
fn panicked() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the service failed here; its log says why",
    )
}
