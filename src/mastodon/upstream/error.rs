//! Why the backend has no answer for a reader.

use crate::api::problem::Problem;
use crate::mastodon::error::MastodonError;
use axum::http::StatusCode;

/// After how many seconds a reader is to come back when the backend is away.
const AWAY_SECONDS: u32 = 5;

/// Why the backend has no answer for a reader.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// It does not answer in time, fails, answers something else than was asked for, or has more requests than are made at a time.
    #[error("the backend does not answer: come back in a moment")]
    Away,
    /// The token is none of its own, or has ended.
    #[error("the access token is invalid")]
    Invalid,
    /// The token is not for this.
    #[error("this action is outside the authorized scopes")]
    OutsideScope,
    /// There is no such thing, or this reader may not see it.
    #[error("record not found")]
    NotFound,
    /// This reader has made too many calls, and may make more in so many seconds.
    #[error("too many requests")]
    TooMany(u32),
}

impl From<UpstreamError> for MastodonError {
    fn from(error: UpstreamError) -> MastodonError {
        match error {
            UpstreamError::Away => Problem::unavailable(error.to_string(), AWAY_SECONDS).into(),
            UpstreamError::Invalid => MastodonError::invalid(),
            UpstreamError::OutsideScope => MastodonError::outside_scope(),
            UpstreamError::NotFound => MastodonError::not_found(),
            UpstreamError::TooMany(seconds) => Problem {
                retry_after: Some(seconds),
                ..Problem::new(StatusCode::TOO_MANY_REQUESTS, error.to_string())
            }
            .into(),
        }
    }
}
