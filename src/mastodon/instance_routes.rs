//! The routes of the instance, and of collections that stay with the backend.

use super::app::MastodonApp;
use super::base_url::BaseUrl;
use super::error::MastodonError;
use super::instance;
use crate::api::caller::CallerContext;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json;

pub(super) async fn instance_v1(
    State(app): State<MastodonApp>,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Response {
    let base_url = BaseUrl::of(&app, &context, &headers);
    Json(instance::instance_v1(&base_url.host, &base_url.root)).into_response()
}

pub(super) async fn instance_v2(
    State(app): State<MastodonApp>,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Response {
    let base_url = BaseUrl::of(&app, &context, &headers);
    Json(instance::instance_v2(&base_url.host, &base_url.root)).into_response()
}

pub(super) async fn nodeinfo_links(
    State(app): State<MastodonApp>,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Response {
    let base_url = BaseUrl::of(&app, &context, &headers);
    Json(instance::nodeinfo_links(&base_url.root)).into_response()
}

pub(super) async fn nodeinfo(State(app): State<MastodonApp>) -> Response {
    let users = app.state.view.graph.read().accounts();
    Json(instance::nodeinfo(users)).into_response()
}

/// An empty collection, for one that stays with the backend.
pub(super) async fn empty() -> Response {
    Json(json!([])).into_response()
}

pub(super) async fn no_avatar() -> Response {
    image(include_bytes!("missing_avatar.png"))
}

pub(super) async fn no_header() -> Response {
    image(include_bytes!("missing_header.png"))
}

/// An image that never changes.
fn image(png: &'static [u8]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/png"),
        (header::CACHE_CONTROL, "public, max-age=604800"),
    ];
    (headers, png).into_response()
}

/// The response of every path of Mastodon's API that is not served here.
pub(super) async fn not_served() -> MastodonError {
    MastodonError::new(StatusCode::NOT_FOUND, "Not Found")
}
