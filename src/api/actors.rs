//! The route of actors.

use super::actor::Actor;
use super::app::App;
use super::caller::CallerContext;
use super::problem::Problem;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActorQuery {
    uri: String,
}

pub(super) async fn by_uri(
    State(app): State<App>,
    query: Result<Query<ActorQuery>, QueryRejection>,
    Extension(context): Extension<CallerContext>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|e| {
        let instead = "send the actor's id: /v1/actors?uri=https://…";
        Problem::bad_request(format!("{}: {instead}", e.body_text()))
    })?;
    app.answered(&context, || {
        let known = app.state.view.store.actor(&query.uri);
        let known = known.map_err(|e| Problem::internal(&e))?.ok_or_else(|| {
            Problem::not_found("no document of this actor is kept: send it as an activity, fetched")
        })?;
        Ok(Json(Actor::new(&known)).into_response())
    })
    .await
}
