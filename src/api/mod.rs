//! Our own HTTP API: its routes, the checks of their callers, and what they answer.
//!
//! | module | what it is |
//! |---|---|
//! | `app`, `options` | what all routes share, and the bounds as configured |
//! | [`state`] | the state requests are answered from |
//! | [`auth`], `caller` | tokens, and the caller of a request |
//! | [`backend`], `outgoing` | the backend as it is asked under a reader's token; requests to other servers |
//! | [`placement`], [`lease`] | the node of a cluster that answers for an account, and for how long this one may |
//! | `forward` | requests passed on to that node, signed |
//! | `feeds`, `page_query`, `late`, `preview` | pages and changes of feeds, and feeds at another patience |
//! | `stream` | the native stream over a websocket |
//! | `append`, [`append_body`], `request_body` | what the backend appends |
//! | `relation_sets`, [`relation_diff`], `account_locks` | all relations of an account: read, and replaced as a whole |
//! | `posts`, `actors`, [`actor`], `accounts` | posts, actors and local accounts |
//! | `ordering`, `origins`, [`origin`] | orderings and origins |
//! | `dead_letters`, [`dead_letter`] | records that could not be used |
//! | [`feed_lookup`] | the feed or cursor a request names, or a problem |
//! | [`awake`] | which accounts are awake here, for a standby |
//! | `nodes`, [`node_status`] | which nodes there are, and what each serves |
//! | [`log_end`] | the end of the log, queried for a cursor that is ahead of this node |
//! | [`entry`], `entry_json`, [`entry_cache`] | a post as the API shows it, as JSON text, and cached |
//! | [`ref_entry`] | a post by its ids and times alone |
//! | [`page_body`], [`change_json`] | a page and changes as JSON text |
//! | [`stream_message`], [`spliced_message`] | what a stream sends |
//! | [`responses`], [`problem`] | every other body; errors as RFC 9457 problem documents |
//! | [`rejections`], [`warnings`] | what appending rejects, and what it warns of |
//! | `refusals`, `dismissals` | requests that were refused and readers that were sent away, in the log |
//! | [`subscription`], [`feed_watch`] | a reader's place in a feed, and the wait for something new |
//! | [`websocket`], [`websocket_upgrade`] | a websocket with bounds |
//! | [`limits`], [`response_memory`], `large_response`, [`send_budget`] | bounds on connections, requests and memory |
//! | [`disk_reads`], [`single_flight`], `boxed` | reads off the disk, values made once, futures on the heap |
//! | [`request_headers`], `end_to_end` | the hosts and addresses in headers; headers of what is passed on |
//! | `health` | health, readiness and metrics |
//! | [`openapi`] | the list of routes, and their descriptions made from the types |

mod account_locks;
mod accounts;
pub mod actor;
mod actors;
pub(crate) mod app;
pub(crate) mod append;
pub mod append_body;
pub mod auth;
pub mod awake;
pub mod backend;
pub(crate) mod boxed;
pub(crate) mod caller;
pub mod change_json;
pub mod dead_letter;
mod dead_letters;
pub mod disk_reads;
pub(crate) mod dismissals;
pub(crate) mod end_to_end;
pub mod entry;
pub mod entry_cache;
mod entry_json;
pub mod feed_lookup;
pub mod feed_watch;
mod feeds;
pub(crate) mod forward;
mod health;
pub(crate) mod large_response;
mod late;
pub mod lease;
pub mod limits;
pub mod log_end;
pub mod node_status;
mod nodes;
pub mod openapi;
mod options;
mod ordering;
pub mod origin;
mod origins;
pub(crate) mod outgoing;
pub mod page_body;
mod page_query;
pub mod placement;
mod posts;
mod preview;
pub mod problem;
pub mod ref_entry;
pub(crate) mod refusals;
pub mod rejections;
pub mod relation_diff;
mod relation_sets;
pub(crate) mod request_body;
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

use app::App;
use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use caller::CallerContext;
use openapi::route::Route;
use openapi::{Description, Group, ROUTES};

/// The routes of our own API but those of [`health_routes`], each with the check of its callers. `description` makes the document
/// that one of them answers with.
pub(crate) fn routes(app: &App, description: Description) -> Router<App> {
    let of = |group: Group| Route::router(&ROUTES, |other| other == group);
    let only_backend = middleware::from_fn_with_state(app.clone(), only_backend);
    let by_header = middleware::from_fn_with_state(app.clone(), caller::by_header);
    let by_stream = middleware::from_fn_with_state(app.clone(), caller::by_stream);
    let backend = of(Group::Backend).route_layer(only_backend);
    let with_header = backend.merge(of(Group::Reader)).route_layer(by_header);
    let streams = of(Group::Stream).route_layer(by_stream);
    let open = of(Group::Open).layer(Extension(description));
    with_header.merge(streams).merge(open)
}

/// The routes of health, which are answered however busy the service is.
pub(crate) fn health_routes() -> Router<App> {
    Route::router(&ROUTES, |group| group == Group::Health)
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
