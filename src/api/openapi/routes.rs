//! The routes of our own API: the router and the document are both made of this one list.

use super::operation::Audience;
use super::route::{Method, Route};
use super::{backend, feeds as operations};
use crate::api::app::App;
use crate::api::{
    accounts, actors, append, awake, dead_letters, feeds, health, nodes, ordering, origins, posts,
    preview, relation_sets, stream,
};
use axum::Json;
use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use axum::routing::on;
use serde_json::Value;

/// Routes with the same check of their callers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// Routes for the backend alone.
    Backend,
    /// Routes for the backend and the account that the feed belongs to.
    Reader,
    /// As `Reader`; the token may also be sent in the ways that browsers have for streams.
    Stream,
    /// Routes without a token.
    Open,
    /// Routes without a token that are answered however busy the service is.
    Health,
}

/// Every route of our own API.
pub(crate) const ROUTES: [Route<App, Group>; 32] = [
    Route::new(
        Group::Backend,
        Method::Post,
        "/v1/activities",
        |on_method| on(on_method, append::post_activities),
        backend::post_activities,
    ),
    Route::new(
        Group::Backend,
        Method::Post,
        "/v1/relationships",
        |on_method| on(on_method, append::post_relationships),
        backend::post_relationships,
    ),
    Route::new(
        Group::Backend,
        Method::Get,
        append::RELATION_SETS,
        |on_method| on(on_method, relation_sets::get),
        backend::relation_set,
    ),
    Route::new(
        Group::Backend,
        Method::Put,
        append::RELATION_SETS,
        |on_method| on(on_method, relation_sets::put),
        backend::put_relation_set,
    ),
    Route::new(
        Group::Backend,
        Method::Get,
        "/v1/accounts",
        |on_method| on(on_method, accounts::accounts),
        backend::accounts,
    ),
    Route::new(
        Group::Reader,
        Method::Get,
        "/v1/accounts/{account}/feeds/{feed}",
        |on_method| on(on_method, feeds::page),
        operations::page,
    ),
    Route::new(
        Group::Reader,
        Method::Get,
        "/v1/accounts/{account}/feeds/{feed}/changes",
        |on_method| on(on_method, feeds::changes),
        operations::changes,
    ),
    Route::new(
        Group::Backend,
        Method::Get,
        "/v1/accounts/{account}/feeds/{feed}/preview",
        |on_method| on(on_method, preview::get),
        operations::preview,
    ),
    Route::new(
        Group::Stream,
        Method::Get,
        "/v1/accounts/{account}/feeds/{feed}/stream",
        |on_method| on(on_method, stream::account),
        operations::stream,
    ),
    Route::new(
        Group::Reader,
        Method::Get,
        "/v1/accounts/{account}/ordering",
        |on_method| on(on_method, ordering::get),
        operations::ordering,
    ),
    Route::new(
        Group::Reader,
        Method::Put,
        "/v1/accounts/{account}/ordering",
        |on_method| on(on_method, ordering::put),
        operations::put_ordering,
    ),
    Route::new(
        Group::Reader,
        Method::Delete,
        "/v1/accounts/{account}/ordering",
        |on_method| on(on_method, ordering::delete),
        operations::delete_ordering,
    ),
    Route::new(
        Group::Reader,
        Method::Get,
        "/v1/feeds/public",
        |on_method| on(on_method, feeds::public_page),
        operations::public,
    ),
    Route::new(
        Group::Reader,
        Method::Get,
        "/v1/feeds/public/changes",
        |on_method| on(on_method, feeds::public_changes),
        operations::public_changes,
    ),
    Route::new(
        Group::Stream,
        Method::Get,
        "/v1/feeds/public/stream",
        |on_method| on(on_method, stream::public_feed),
        operations::public_stream,
    ),
    Route::new(
        Group::Reader,
        Method::Get,
        "/v1/feeds/tag/{tag}",
        |on_method| on(on_method, feeds::tag_page),
        operations::tag,
    ),
    Route::new(
        Group::Reader,
        Method::Get,
        "/v1/feeds/tag/{tag}/changes",
        |on_method| on(on_method, feeds::tag_changes),
        operations::tag_changes,
    ),
    Route::new(
        Group::Stream,
        Method::Get,
        "/v1/feeds/tag/{tag}/stream",
        |on_method| on(on_method, stream::hashtag),
        operations::tag_stream,
    ),
    Route::new(
        Group::Backend,
        Method::Get,
        "/v1/posts",
        |on_method| on(on_method, posts::by_name),
        backend::post_by_name,
    ),
    Route::new(
        Group::Backend,
        Method::Get,
        "/v1/posts/{id}",
        |on_method| on(on_method, posts::by_id),
        backend::post_by_id,
    ),
    Route::new(
        Group::Backend,
        Method::Get,
        "/v1/actors",
        |on_method| on(on_method, actors::by_uri),
        backend::actor_by_uri,
    ),
    Route::new(
        Group::Backend,
        Method::Get,
        "/v1/origins",
        |on_method| on(on_method, origins::origins),
        backend::origins,
    ),
    Route::new(
        Group::Backend,
        Method::Get,
        "/v1/origins/{host}",
        |on_method| on(on_method, origins::origin),
        backend::origin,
    ),
    Route::new(
        Group::Backend,
        Method::Get,
        "/v1/dead-letters",
        |on_method| on(on_method, dead_letters::dead_letters),
        backend::dead_letters,
    ),
    Route::new(
        Group::Backend,
        Method::Get,
        "/v1/dead-letters/{id}",
        |on_method| on(on_method, dead_letters::dead_letter),
        backend::dead_letter,
    ),
    Route::new(
        Group::Backend,
        Method::Post,
        "/v1/dead-letters/{id}/replay",
        |on_method| on(on_method, dead_letters::replay),
        backend::replay,
    ),
    Route::new(
        Group::Backend,
        Method::Get,
        "/v1/nodes",
        |on_method| on(on_method, nodes::nodes),
        backend::nodes,
    ),
    Route::new(
        Group::Backend,
        Method::Get,
        awake::PATH,
        |on_method| on(on_method, awake::awake),
        backend::awake,
    ),
    Route::new(
        Group::Backend,
        Method::Get,
        "/metrics",
        |on_method| on(on_method, health::metrics),
        backend::metrics,
    ),
    Route::new(
        Group::Health,
        Method::Get,
        "/healthz",
        |on_method| on(on_method, health::healthz),
        backend::healthz,
    ),
    Route::new(
        Group::Health,
        Method::Get,
        "/readyz",
        |on_method| on(on_method, health::readyz),
        backend::readyz,
    ),
    Route::new(
        Group::Open,
        Method::Get,
        "/openapi.json",
        |on_method| on(on_method, description),
        backend::openapi,
    ),
];

impl Group {
    /// The callers that are let in.
    pub(super) fn audience(self) -> Audience {
        match self {
            Group::Backend => Audience::Backend,
            Group::Reader | Group::Stream => Audience::Reader,
            Group::Open | Group::Health => Audience::Anyone,
        }
    }
}

/// Makes the document. The router hands it to the route that answers with it, because the document is made of every list of
/// routes, and this list is one of them.
#[derive(Clone, Copy)]
pub(crate) struct Description(pub(crate) fn() -> Value);

async fn description(Extension(Description(document)): Extension<Description>) -> Response {
    Json(document()).into_response()
}
