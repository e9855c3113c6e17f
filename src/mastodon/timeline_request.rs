//! A request for a page of a timeline, whichever timeline that is.

use super::app::MastodonApp;
use super::base_url::BaseUrl;
use super::error::MastodonError;
use super::timeline_query::TimelineQuery;
use crate::api::caller::CallerContext;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

/// A request for a page of a timeline.
pub(super) struct TimelineRequest {
    pub(super) context: CallerContext,
    pub(super) query: TimelineQuery,
    pub(super) base_url: BaseUrl,
    /// The address of the timeline, without a query.
    pub(super) url: String,
}

impl FromRequestParts<MastodonApp> for TimelineRequest {
    type Rejection = MastodonError;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &MastodonApp,
    ) -> Result<TimelineRequest, MastodonError> {
        // The layer that finds the caller is on all of these routes.
        let context = parts.extensions.get::<CallerContext>().cloned();
        let unknown = || MastodonError::new(StatusCode::INTERNAL_SERVER_ERROR, "no caller");
        let context = context.ok_or_else(unknown)?;
        let base_url = BaseUrl::of(app, &context, &parts.headers);
        Ok(TimelineRequest {
            query: TimelineQuery::read(parts.uri.query()),
            url: base_url.path(&parts.uri),
            base_url,
            context,
        })
    }
}
