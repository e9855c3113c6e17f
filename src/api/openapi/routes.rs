//! The routes of the API: the router and the document are both made of this one list.

use super::operation::{Audience, Operation, Schemas};
use super::{backend, feeds as operations};
use crate::api::app::App;
use crate::api::{append, feeds, health, ordering, origins, posts, stream};
use axum::Json;
use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use serde_json::Value;

/// A route, and the operation that describes it.
pub(in crate::api) struct Route {
    pub(super) method: Method,
    pub(in crate::api) path: &'static str,
    pub(in crate::api) group: Group,
    handler: fn(MethodFilter) -> MethodRouter<App>,
    pub(super) describe: fn(&mut Schemas) -> Operation,
}

/// A method that routes take.
#[derive(Clone, Copy)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Delete,
}

/// Routes with the same check of their callers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Group {
    /// For the backend alone.
    Backend,
    /// For the backend and the account whose feed it is.
    Reader,
    /// As for readers; the token may stand where browsers can put it.
    Stream,
    /// For anybody.
    Open,
    /// For anybody, however busy the service is.
    Health,
}

/// Every route of the API but those of Mastodon's.
pub(in crate::api) const ROUTES: [Route; 22] = [
    route(
        Group::Backend,
        Method::Post,
        "/v1/activities",
        |on_method| on(on_method, append::post_activities),
        backend::post_activities,
    ),
    route(
        Group::Backend,
        Method::Post,
        "/v1/relationships",
        |on_method| on(on_method, append::post_relationships),
        backend::post_relationships,
    ),
    route(
        Group::Reader,
        Method::Get,
        "/v1/accounts/{account}/feeds/{feed}",
        |on_method| on(on_method, feeds::page),
        operations::page,
    ),
    route(
        Group::Reader,
        Method::Get,
        "/v1/accounts/{account}/feeds/{feed}/changes",
        |on_method| on(on_method, feeds::changes),
        operations::changes,
    ),
    route(
        Group::Stream,
        Method::Get,
        "/v1/accounts/{account}/feeds/{feed}/stream",
        |on_method| on(on_method, stream::account),
        operations::stream,
    ),
    route(
        Group::Reader,
        Method::Get,
        "/v1/accounts/{account}/ordering",
        |on_method| on(on_method, ordering::get),
        operations::ordering,
    ),
    route(
        Group::Reader,
        Method::Put,
        "/v1/accounts/{account}/ordering",
        |on_method| on(on_method, ordering::put),
        operations::put_ordering,
    ),
    route(
        Group::Reader,
        Method::Delete,
        "/v1/accounts/{account}/ordering",
        |on_method| on(on_method, ordering::delete),
        operations::delete_ordering,
    ),
    route(
        Group::Reader,
        Method::Get,
        "/v1/feeds/public",
        |on_method| on(on_method, feeds::public_page),
        operations::public,
    ),
    route(
        Group::Reader,
        Method::Get,
        "/v1/feeds/public/changes",
        |on_method| on(on_method, feeds::public_changes),
        operations::public_changes,
    ),
    route(
        Group::Stream,
        Method::Get,
        "/v1/feeds/public/stream",
        |on_method| on(on_method, stream::public_feed),
        operations::public_stream,
    ),
    route(
        Group::Reader,
        Method::Get,
        "/v1/feeds/tag/{tag}",
        |on_method| on(on_method, feeds::tag_page),
        operations::tag,
    ),
    route(
        Group::Reader,
        Method::Get,
        "/v1/feeds/tag/{tag}/changes",
        |on_method| on(on_method, feeds::tag_changes),
        operations::tag_changes,
    ),
    route(
        Group::Stream,
        Method::Get,
        "/v1/feeds/tag/{tag}/stream",
        |on_method| on(on_method, stream::hashtag),
        operations::tag_stream,
    ),
    route(
        Group::Backend,
        Method::Get,
        "/v1/posts",
        |on_method| on(on_method, posts::by_uri),
        backend::post_by_uri,
    ),
    route(
        Group::Backend,
        Method::Get,
        "/v1/posts/{id}",
        |on_method| on(on_method, posts::by_id),
        backend::post_by_id,
    ),
    route(
        Group::Backend,
        Method::Get,
        "/v1/origins",
        |on_method| on(on_method, origins::origins),
        backend::origins,
    ),
    route(
        Group::Backend,
        Method::Get,
        "/v1/origins/{host}",
        |on_method| on(on_method, origins::origin),
        backend::origin,
    ),
    route(
        Group::Backend,
        Method::Get,
        "/metrics",
        |on_method| on(on_method, health::metrics),
        backend::metrics,
    ),
    route(
        Group::Health,
        Method::Get,
        "/healthz",
        |on_method| on(on_method, health::healthz),
        backend::healthz,
    ),
    route(
        Group::Health,
        Method::Get,
        "/readyz",
        |on_method| on(on_method, health::readyz),
        backend::readyz,
    ),
    route(
        Group::Open,
        Method::Get,
        "/openapi.json",
        |on_method| on(on_method, description),
        backend::openapi,
    ),
];

const fn route(
    group: Group,
    method: Method,
    path: &'static str,
    handler: fn(MethodFilter) -> MethodRouter<App>,
    describe: fn(&mut Schemas) -> Operation,
) -> Route {
    Route {
        method,
        path,
        group,
        handler,
        describe,
    }
}

impl Route {
    /// What answers its method on its path.
    pub(in crate::api) fn handler(&self) -> MethodRouter<App> {
        (self.handler)(self.method.filter())
    }
}

impl Method {
    /// As the document has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Method::Get => "get",
            Method::Post => "post",
            Method::Put => "put",
            Method::Delete => "delete",
        }
    }

    fn filter(self) -> MethodFilter {
        match self {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
            Method::Put => MethodFilter::PUT,
            Method::Delete => MethodFilter::DELETE,
        }
    }
}

impl Group {
    /// Who may ask.
    pub(super) fn audience(self) -> Audience {
        match self {
            Group::Backend => Audience::Backend,
            Group::Reader | Group::Stream => Audience::Reader,
            Group::Open | Group::Health => Audience::Anyone,
        }
    }
}

/// Makes the document. The router hands it to the route that answers with it: the document is made of the list that this route is
/// in.
#[derive(Clone, Copy)]
pub(in crate::api) struct Description(pub(in crate::api) fn() -> Value);

async fn description(Extension(Description(document)): Extension<Description>) -> Response {
    Json(document()).into_response()
}
