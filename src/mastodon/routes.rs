//! The routes of the part of Mastodon's API that reads feeds.

use super::app::MastodonApp;
use super::caller;
use super::error::MastodonError;
use super::instance_routes;
use super::openapi::{Access, ROUTES};
use crate::api::app::App;
use crate::api::openapi::route::Route;
use axum::http::{Method, StatusCode, header};
use axum::routing::any;
use axum::{Router, middleware};
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

/// The path of everything else in Mastodon's API: it is answered with Mastodon's error, and is no route of the list.
pub(crate) const NOT_SERVED: &str = "/api/{*path}";

/// The routes of [`ROUTES`], each with the check of its callers, and the response of every path that is not among them.
pub(crate) fn routes(app: MastodonApp) -> Router<App> {
    let by_header = middleware::from_fn_with_state(app.api().clone(), caller::by_header);
    let by_stream = middleware::from_fn_with_state(app.api().clone(), caller::by_stream);
    let with_header = Route::router(&ROUTES, Access::is_by_header).route_layer(by_header);
    let streams = Route::router(&ROUTES, Access::is_by_stream).route_layer(by_stream);
    let open = Route::router(&ROUTES, Access::is_open);
    // Clients in browsers come from other origins; what they may read is decided by their token.
    let cross_origin = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::LINK, header::RETRY_AFTER]);
    let other_method = || async {
        MastodonError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "This is for reading: send GET",
        )
    };
    with_header
        .merge(streams)
        .merge(open)
        .route(NOT_SERVED, any(instance_routes::not_served))
        .method_not_allowed_fallback(other_method)
        .layer(cross_origin)
        .with_state(app)
}
