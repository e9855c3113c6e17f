//! Errors in Mastodon's words.

use super::channel::ChannelError;
use crate::api::problem::Problem;
use crate::api::refusals::{Reason, is_refusal};
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error in Mastodon's words.
#[derive(Debug)]
pub(super) struct MastodonError {
    status: StatusCode,
    error: String,
    retry_after: Option<u32>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl MastodonError {
    pub(super) fn new(status: StatusCode, error: &str) -> MastodonError {
        MastodonError {
            status,
            error: error.to_owned(),
            retry_after: None,
            header: None,
        }
    }

    pub(super) fn invalid() -> MastodonError {
        MastodonError::new(StatusCode::UNAUTHORIZED, "The access token is invalid")
    }

    pub(super) fn needs_user() -> MastodonError {
        MastodonError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "This method requires an authenticated user",
        )
    }

    pub(super) fn outside_scope() -> MastodonError {
        MastodonError::new(
            StatusCode::FORBIDDEN,
            "This action is outside the authorized scopes",
        )
    }

    pub(super) fn not_found() -> MastodonError {
        MastodonError::new(StatusCode::NOT_FOUND, "Record not found")
    }
}

/// Whether errors of this path have Mastodon's form. All that is under `/api` is Mastodon's.
pub(super) fn is_in_mastodons_form(path: &str) -> bool {
    path.starts_with("/api/")
}

/// Renders a problem in the form that clients of this path understand.
pub(crate) fn renderer_of(path: &str) -> fn(Problem) -> Response {
    match is_in_mastodons_form(path) {
        true => |problem| MastodonError::from(problem).into_response(),
        false => |problem| problem.into_response(),
    }
}

impl From<Problem> for MastodonError {
    fn from(problem: Problem) -> MastodonError {
        let status = StatusCode::from_u16(problem.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = problem.retry_after;
        match status {
            StatusCode::UNAUTHORIZED => MastodonError::invalid(),
            StatusCode::NOT_FOUND => MastodonError::not_found(),
            StatusCode::TOO_MANY_REQUESTS => MastodonError {
                retry_after,
                ..MastodonError::new(status, "Too many requests")
            },
            _ => MastodonError {
                retry_after,
                header: problem.header,
                ..MastodonError::new(status, &problem.detail)
            },
        }
    }
}

impl IntoResponse for MastodonError {
    fn into_response(self) -> Response {
        let reason = is_refusal(self.status).then(|| Reason(self.error.clone()));
        let mut response = (self.status, Json(json!({"error": self.error}))).into_response();
        if let Some(reason) = reason {
            response.extensions_mut().insert(reason);
        }
        if let Some(header) = self.header {
            let (name, value) = *header;
            response.headers_mut().insert(name, value);
        }
        if let Some(seconds) = self.retry_after {
            let seconds = HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<ChannelError> for MastodonError {
    fn from(wrong: ChannelError) -> MastodonError {
        let status = StatusCode::from_u16(wrong.status).unwrap_or(StatusCode::BAD_REQUEST);
        MastodonError::new(status, wrong.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[tokio::test]
    async fn whoever_asks_for_mastodons_api_is_answered_in_its_words() {
        for (path, kind, field) in [
            ("/api/v1/timelines/home", "application/json", "error"),
            ("/v1/origins", "application/problem+json", "detail"),
        ] {
            let answer = renderer_of(path)(Problem::unavailable("busy", 5));
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.headers()[header::RETRY_AFTER], "5");
            assert_eq!(answer.headers()[header::CONTENT_TYPE], kind);
            let body = axum::body::to_bytes(answer.into_body(), 1 << 10).await;
            let body: Value = serde_json::from_slice(&body.unwrap()).unwrap();
            assert_eq!(body[field], "busy", "{path}");
        }
    }
}
