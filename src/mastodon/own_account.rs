//! The routes of the caller's own account.

use super::app::MastodonApp;
use super::base_url::BaseUrl;
use super::caller::user;
use super::error::MastodonError;
use super::ids::Ids;
use super::instance;
use crate::api::caller::CallerContext;
use crate::api::disk_reads;
use crate::api::problem::Problem;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

pub(super) async fn credentials(
    State(app): State<MastodonApp>,
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

pub(super) async fn preferences(
    Extension(context): Extension<CallerContext>,
) -> Result<Response, MastodonError> {
    user(&context, "read:accounts")?;
    Ok(Json(instance::preferences()).into_response())
}
