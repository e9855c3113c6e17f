//! The list that Mastodon's routes and their description are made of.

mod operations;

use super::account::{NO_AVATAR, NO_HEADER};
use super::app::MastodonApp;
use super::{instance_routes, lists, own_account, statuses, streaming, timelines};
use crate::api::openapi::operation::{Audience, Schemas};
use crate::api::openapi::route::{Method, Route};
use axum::routing::on;
use serde_json::{Value, json};

/// Every route of Mastodon's API that is served.
pub(crate) const ROUTES: [Route<MastodonApp, Access>; 24] = [
    Route::new(
        Access::User("read:statuses"),
        Method::Get,
        "/api/v1/timelines/home",
        |on_method| on(on_method, timelines::home),
        operations::home,
    ),
    Route::new(
        Access::Shared,
        Method::Get,
        "/api/v1/timelines/public",
        |on_method| on(on_method, timelines::public),
        operations::public,
    ),
    Route::new(
        Access::Shared,
        Method::Get,
        "/api/v1/timelines/tag/{tag}",
        |on_method| on(on_method, timelines::hashtag),
        operations::hashtag,
    ),
    Route::new(
        Access::User("read:lists"),
        Method::Get,
        "/api/v1/timelines/list/{list}",
        |on_method| on(on_method, timelines::list),
        operations::list_timeline,
    ),
    Route::new(
        Access::Optional,
        Method::Get,
        "/api/v1/statuses/{id}",
        |on_method| on(on_method, statuses::status),
        operations::status,
    ),
    Route::new(
        Access::User("read:lists"),
        Method::Get,
        "/api/v1/lists",
        |on_method| on(on_method, lists::lists),
        operations::lists,
    ),
    Route::new(
        Access::User("read:lists"),
        Method::Get,
        "/api/v1/lists/{list}",
        |on_method| on(on_method, lists::one_list),
        operations::one_list,
    ),
    Route::new(
        Access::User("read:lists"),
        Method::Get,
        "/api/v1/lists/{list}/accounts",
        |on_method| on(on_method, lists::list_accounts),
        operations::list_accounts,
    ),
    Route::new(
        Access::User("read:accounts"),
        Method::Get,
        "/api/v1/accounts/verify_credentials",
        |on_method| on(on_method, own_account::credentials),
        operations::credentials,
    ),
    Route::new(
        Access::User("read:accounts"),
        Method::Get,
        "/api/v1/preferences",
        |on_method| on(on_method, own_account::preferences),
        operations::preferences,
    ),
    Route::new(
        Access::Optional,
        Method::Get,
        "/api/v1/instance",
        |on_method| on(on_method, instance_routes::instance_v1),
        operations::instance_v1,
    ),
    Route::new(
        Access::Optional,
        Method::Get,
        "/api/v2/instance",
        |on_method| on(on_method, instance_routes::instance_v2),
        operations::instance_v2,
    ),
    Route::new(
        Access::Optional,
        Method::Get,
        "/.well-known/nodeinfo",
        |on_method| on(on_method, instance_routes::nodeinfo_links),
        operations::nodeinfo_links,
    ),
    Route::new(
        Access::Optional,
        Method::Get,
        "/nodeinfo/2.0",
        |on_method| on(on_method, instance_routes::nodeinfo),
        operations::nodeinfo,
    ),
    Route::new(
        Access::Optional,
        Method::Get,
        "/api/v1/filters",
        |on_method| on(on_method, instance_routes::empty),
        operations::filters_v1,
    ),
    Route::new(
        Access::Optional,
        Method::Get,
        "/api/v2/filters",
        |on_method| on(on_method, instance_routes::empty),
        operations::filters_v2,
    ),
    Route::new(
        Access::Optional,
        Method::Get,
        "/api/v1/custom_emojis",
        |on_method| on(on_method, instance_routes::empty),
        operations::custom_emojis,
    ),
    Route::new(
        Access::Optional,
        Method::Get,
        "/api/v1/notifications",
        |on_method| on(on_method, instance_routes::empty),
        operations::notifications,
    ),
    Route::new(
        Access::Stream,
        Method::Get,
        "/api/v1/streaming",
        |on_method| on(on_method, streaming::any),
        operations::streaming,
    ),
    Route::new(
        Access::Stream,
        Method::Get,
        "/api/v1/streaming/",
        |on_method| on(on_method, streaming::any),
        operations::streaming_with_slash,
    ),
    Route::new(
        Access::Stream,
        Method::Get,
        "/api/v1/streaming/{*stream}",
        |on_method| on(on_method, streaming::named),
        operations::named_stream,
    ),
    Route::new(
        Access::Open,
        Method::Get,
        "/api/v1/streaming/health",
        |on_method| on(on_method, streaming::health),
        operations::streaming_health,
    ),
    Route::new(
        Access::Open,
        Method::Get,
        NO_AVATAR,
        |on_method| on(on_method, instance_routes::no_avatar),
        operations::no_avatar,
    ),
    Route::new(
        Access::Open,
        Method::Get,
        NO_HEADER,
        |on_method| on(on_method, instance_routes::no_header),
        operations::no_header,
    ),
];

/// The callers that a route lets in, and the places that their token is read from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// An account, with a user token that has this scope.
    User(&'static str),
    /// A shared feed: the backend, an account with a token for `read:statuses`, and with
    /// `auth.public_feeds_open` any caller.
    Shared,
    /// Any caller; a token, if there is one, must be valid.
    Optional,
    /// As the feed of the stream. The token may also be sent in the ways that browsers have for streams.
    Stream,
    /// Any caller; no token is read.
    Open,
}

impl Access {
    /// Whether the token is read from `Authorization` alone.
    pub(super) fn is_by_header(self) -> bool {
        matches!(self, Access::User(_) | Access::Shared | Access::Optional)
    }

    /// Whether the token is read from all the places that streams have for it.
    pub(super) fn is_by_stream(self) -> bool {
        self == Access::Stream
    }

    /// Whether no token is read.
    pub(super) fn is_open(self) -> bool {
        self == Access::Open
    }

    fn audience(self) -> Audience {
        match self {
            Access::User(scope) => Audience::User(scope),
            Access::Shared | Access::Stream => Audience::Reader,
            Access::Optional => Audience::AnyoneOrToken,
            Access::Open => Audience::Anyone,
        }
    }
}

/// The operation of a route, with the errors that all routes for its callers have.
pub(crate) fn described(route: &Route<MastodonApp, Access>, schemas: &mut Schemas) -> Value {
    let access = route.group();
    let mut operation = route.operation(schemas);
    if access != Access::Open {
        operation = operations::error(
            operation,
            "401",
            "No token where one is needed, or none of this instance.",
        );
        operation = operations::too_many(operation);
    }
    if matches!(access, Access::User(_) | Access::Shared | Access::Stream) {
        operation = operations::error(operation, "403", "The token has not the scope for this.");
    }
    if matches!(access, Access::User(_)) {
        operation = operations::error(operation, "422", "A service token: this is for an account.");
    }
    operations::unavailable(operation, schemas, route.path).into_json(access.audience())
}

/// The tag of all these operations.
pub(crate) fn tag() -> Value {
    json!({
        "name": operations::TAG,
        "description": "The part of Mastodon's API that reads feeds. Bodies are entities of Mastodon's, by the names that its \
            documentation has for them, and errors under /api are its entity Error, also for paths that are not listed here (404) \
            and other methods (405).",
        "externalDocs": {"url": operations::DOCS}
    })
}
