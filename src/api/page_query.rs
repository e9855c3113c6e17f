//! The query of a page, and the body that answers it.

use super::problem::Problem;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use slackwater_engine::view::page::{LIMIT_DEFAULT, LIMIT_MAX, Span};
use slackwater_order::place::PostId;

/// The query of every feed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    pub(super) limit: Option<usize>,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    pub(super) cursor: Option<String>,
    /// For shared feeds: for which account.
    pub(super) account: Option<String>,
    /// For the public feed: which part.
    pub(super) origin: Option<String>,
}

impl PageQuery {
    /// Checks that it has no parameter of shared feeds alone.
    pub(super) fn is_of_an_account(&self) -> Result<(), Problem> {
        match (&self.account, &self.origin) {
            (None, None) => Ok(()),
            _ => Err(Problem::bad_request(
                "account and origin are for /v1/feeds: the path says whose feed this is",
            )),
        }
    }

    /// The part of the feed that it names.
    pub(super) fn span(&self) -> Result<Span, Problem> {
        let place = |name: &str, text: &Option<String>| -> Result<Option<PostId>, Problem> {
            let text = text.as_deref().map(str::parse).transpose();
            text.map_err(|e| Problem::bad_request(format!("{name}: {e}")))
        };
        Ok(Span {
            before: place("before", &self.before)?,
            after: place("after", &self.after)?,
            limit: limit(self.limit)?,
        })
    }
}

pub(super) fn limit(feed_ref: Option<usize>) -> Result<usize, Problem> {
    let limit = feed_ref.unwrap_or(LIMIT_DEFAULT);
    if (1..=LIMIT_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::bad_request(format!(
            "limit is {limit}: send 1 to {LIMIT_MAX}"
        )))
    }
}

pub(super) fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
