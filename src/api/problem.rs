//! Errors as RFC 9457 problem documents, with a `detail` that says what to send instead.

use super::refusals::{Reason, is_refusal};
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slackwater_engine::feed::store::disk::DiskError;
use std::borrow::Cow;

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// A URI for the kind of problem, or `about:blank` where the status says that (RFC 9457, 4.2.1).
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The HTTP status, once more.
    pub status: u16,
    /// The status in words.
    pub title: String,
    /// What is wrong here, and what to send instead.
    pub detail: String,
    /// Seconds to wait, sent as `Retry-After`.
    #[serde(skip)]
    pub retry_after: Option<u32>,
    /// A header for a program that the status alone does not tell enough.
    #[serde(skip)]
    pub header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Problem {
    /// A problem with this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        Problem {
            kind: "about:blank".into(),
            status: status.as_u16(),
            title,
            detail: detail.into(),
            retry_after: None,
            header: None,
        }
    }

    /// 400.
    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }

    /// 503, to be tried again after some seconds.
    pub fn unavailable(detail: impl Into<String>, retry_after: u32) -> Problem {
        Problem {
            retry_after: Some(retry_after),
            ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    /// 500; the cause is logged here, once, and not shown.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Problem {
        // A value that is only not at hand is read again, from the disk.
        if !matches!(error.downcast_ref(), Some(DiskError::WouldWait)) {
            tracing::error!(error, "answering a request failed: {error}");
        }
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the service failed here; its log says why",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (retry_after, header) = (self.retry_after, self.header.clone());
        let reason = is_refusal(status).then(|| Reason(self.detail.clone()));
        let mut response = (status, Json(self)).into_response();
        if let Some(reason) = reason {
            response.extensions_mut().insert(reason);
        }
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(header) = header {
            let (name, value) = *header;
            headers.insert(name, value);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
