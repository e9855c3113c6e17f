//! The routes of the part of Mastodon's API that reads feeds.

use super::account::{NO_AVATAR, NO_HEADER};
use super::base_url::BaseUrl;
use super::caller::{self, user};
use super::error::MastodonError;
use super::{instance, lists, streaming, timelines};
use crate::api::app::App;
use crate::api::auth::Caller;
use crate::api::caller::CallerContext;
use crate::api::disk_reads;
use crate::api::problem::Problem;
use crate::clock;
use crate::mastodon::ids::Ids;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Json, Router, middleware};
use serde_json::json;
use slackwater_engine::activity::id::post_id;
use slackwater_engine::feed::post::State as Left;
use slackwater_engine::feed::rules::{Subject, may_be_seen};
use slackwater_engine::view::with_original::post_with_original;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

/// The routes. What Mastodon's documentation says of them is not said again here.
pub(crate) fn routes(app: &App) -> Router<App> {
    let feed_ref = Router::new()
        .route("/api/v1/timelines/home", get(timelines::home))
        .route("/api/v1/timelines/public", get(timelines::public))
        .route("/api/v1/timelines/tag/{tag}", get(timelines::hashtag))
        .route("/api/v1/timelines/list/{list}", get(timelines::list))
        .route("/api/v1/statuses/{id}", get(status))
        .route("/api/v1/lists", get(lists::lists))
        .route("/api/v1/lists/{list}", get(lists::one_list))
        .route("/api/v1/lists/{list}/accounts", get(lists::list_accounts))
        .route("/api/v1/accounts/verify_credentials", get(credentials))
        .route("/api/v1/preferences", get(preferences))
        .route("/api/v1/instance", get(instance_v1))
        .route("/api/v2/instance", get(instance_v2))
        .route("/.well-known/nodeinfo", get(nodeinfo_links))
        .route("/nodeinfo/2.0", get(nodeinfo))
        .route("/api/v1/filters", get(nothing))
        .route("/api/v2/filters", get(nothing))
        .route("/api/v1/custom_emojis", get(nothing))
        .route("/api/v1/notifications", get(nothing))
        .route_layer(middleware::from_fn_with_state(
            app.clone(),
            caller::by_header,
        ));
    let streams = Router::new()
        .route("/api/v1/streaming", get(streaming::any))
        .route("/api/v1/streaming/", get(streaming::any))
        .route("/api/v1/streaming/{*path}", get(streaming::named))
        .route_layer(middleware::from_fn_with_state(
            app.clone(),
            caller::by_stream,
        ))
        .route("/api/v1/streaming/health", get(streaming::health));
    // These need no token.
    let beside = Router::new()
        .route(NO_AVATAR, get(no_avatar))
        .route(NO_HEADER, get(no_header))
        .route("/api/{*path}", any(nowhere));
    // Clients in browsers come from elsewhere; what they may read, their token says.
    let from_elsewhere = CorsLayer::new()
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
    let all = feed_ref
        .merge(streams)
        .merge(beside)
        .method_not_allowed_fallback(other_method);
    all.layer(from_elsewhere)
}

async fn status(
    State(app): State<App>,
    Path(id): Path<String>,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Result<Response, MastodonError> {
    let reader = match &context.caller {
        Caller::User(user) if user.scopes.has("read:statuses") => Some(user.account.as_str()),
        Caller::User(_) => return Err(MastodonError::outside_scope()),
        Caller::Backend | Caller::Anyone => None,
    };
    app.state.is_open()?;
    let base_url = BaseUrl::of(&app, &context, &headers);
    app.answered(&context, || {
        app.seen(&id, reader, &base_url).map(timelines::json_text)
    })
    .await
}

async fn credentials(
    State(app): State<App>,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Result<Response, MastodonError> {
    let user = user(&context, "read:accounts")?;
    let actor = {
        let graph = app.state.view.graph.read();
        let account = graph
            .account(&user.account)
            .and_then(|account| graph.get(account));
        let actor = account.and_then(|account| account.actor());
        actor.map(|actor| graph.name(actor).to_owned())
    };
    let Some(actor) = actor else {
        return Err(MastodonError::not_found());
    };
    let given = (app.status_cache.ids == Ids::Ref).then_some(user.account.as_str());
    let status_cache = app
        .status_cache
        .at(&BaseUrl::of(&app, &context, &headers).root);
    let account = disk_reads::read(|| status_cache.account(&app.state, &actor, given)).await;
    let account = account.map_err(|e| Problem::internal(&e))?;
    let account = account.ok_or_else(MastodonError::not_found)?;
    Ok(Json(instance::credentials(&account)).into_response())
}

async fn instance_v1(
    State(app): State<App>,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Response {
    let base_url = BaseUrl::of(&app, &context, &headers);
    Json(instance::instance_v1(&base_url.host, &base_url.root)).into_response()
}

async fn instance_v2(
    State(app): State<App>,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Response {
    let base_url = BaseUrl::of(&app, &context, &headers);
    Json(instance::instance_v2(&base_url.host, &base_url.root)).into_response()
}

async fn nodeinfo_links(
    State(app): State<App>,
    Extension(context): Extension<CallerContext>,
    headers: HeaderMap,
) -> Response {
    let base_url = BaseUrl::of(&app, &context, &headers);
    Json(instance::nodeinfo_links(&base_url.root)).into_response()
}

async fn nodeinfo(State(app): State<App>) -> Response {
    let users = app.state.view.graph.read().accounts();
    Json(instance::nodeinfo(users)).into_response()
}

async fn preferences(
    Extension(context): Extension<CallerContext>,
) -> Result<Response, MastodonError> {
    user(&context, "read:accounts")?;
    Ok(Json(instance::preferences()).into_response())
}

/// Of what stays with the backend, as if there were none.
async fn nothing() -> Response {
    Json(json!([])).into_response()
}

async fn no_avatar() -> Response {
    image(include_bytes!("missing_avatar.png"))
}

async fn no_header() -> Response {
    image(include_bytes!("missing_header.png"))
}

/// An image that stays as it is.
fn image(png: &'static [u8]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/png"),
        (header::CACHE_CONTROL, "public, max-age=604800"),
    ];
    (headers, png).into_response()
}

/// Of what Mastodon's API has and this service has not.
async fn nowhere() -> MastodonError {
    MastodonError::new(StatusCode::NOT_FOUND, "Not Found")
}

impl App {
    /// A status by its id, if this reader may see it.
    fn seen(
        &self,
        id: &str,
        reader: Option<&str>,
        base_url: &BaseUrl,
    ) -> Result<String, MastodonError> {
        let found = match self.status_cache.ids {
            Ids::Ref => self.state.view.store.post_by_ref(id),
            Ids::Place => match post_id(id) {
                Ok(id) => self.state.view.store.post(id),
                Err(_) => Ok(None),
            },
        };
        let failed = |e| MastodonError::from(Problem::internal(&e));
        let found = found
            .map_err(failed)?
            .filter(|post| post.state == Left::Whole);
        let found = found.ok_or_else(MastodonError::not_found)?;
        let found = post_with_original(&self.state.view.store, found.id).map_err(failed)?;
        let (post, original) = found.ok_or_else(MastodonError::not_found)?;
        let may = {
            let graph = self.state.view.graph.read();
            let subject = Subject::new(&post, original.as_deref(), &graph);
            let reader = reader.and_then(|reader| graph.get(graph.account(reader)?));
            may_be_seen(&subject, reader)
        };
        if !may {
            return Err(MastodonError::not_found());
        }
        let status_cache = self.status_cache.at(&base_url.root);
        let status = status_cache.status(&self.state, post, original, clock::now());
        let status = status
            .map_err(failed)?
            .ok_or_else(MastodonError::not_found)?;
        Ok(status.json.as_str().to_owned())
    }
}
