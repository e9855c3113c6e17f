//! The route of a single status.

use super::app::MastodonApp;
use super::base_url::BaseUrl;
use super::error::MastodonError;
use super::ids::Ids;
use super::status::Placement;
use super::timelines::json_text;
use super::upstream::UpstreamError;
use super::upstream::raw_object::with_field;
use crate::api::auth::Caller;
use crate::api::caller::CallerContext;
use crate::api::disk_reads;
use crate::api::problem::Problem;
use crate::clock;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use slackwater_engine::feed::post::State as Left;
use slackwater_engine::feed::rules::{Subject, may_be_seen};
use slackwater_engine::id::post_id;
use slackwater_engine::view::with_original::post_with_original;

pub(super) async fn status(
    State(app): State<MastodonApp>,
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
    if let Some((upstream, reader)) = app.upstream_for(&context) {
        match upstream.status(&reader, &id).await {
            Err(UpstreamError::Away) if upstream.plain_when_away => {}
            status => {
                let status = app.with_placement(&id, status?).await?;
                return Ok(json_text(status));
            }
        }
    }
    let base_url = BaseUrl::of(&app, &context, &headers);
    app.answered(&context, || {
        app.visible_status(&id, reader, &base_url).map(json_text)
    })
    .await
}

impl MastodonApp {
    /// A status of the backend with its place and arrival, if it has any here.
    async fn with_placement(&self, id: &str, status: String) -> Result<String, MastodonError> {
        let found = disk_reads::read(|| self.state.view.store.post_by_ref(id)).await;
        let found = found.map_err(|e| Problem::internal(&e))?;
        let placed = found.and_then(|post| {
            let placement = Placement::of(&post).json();
            with_field(&status, "slackwater", &placement)
        });
        Ok(placed.unwrap_or(status))
    }

    /// A status by its id, if this reader may see it.
    fn visible_status(
        &self,
        id: &str,
        reader: Option<&str>,
        base_url: &BaseUrl,
    ) -> Result<String, MastodonError> {
        self.state.permit(reader)?;
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
