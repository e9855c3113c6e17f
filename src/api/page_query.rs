//! The query of a page, and the body that answers it.

use super::page_body::Fields;
use super::problem::Problem;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use slackwater_engine::record::REF_BYTES_MAX;
use slackwater_engine::view::page::{LIMIT_DEFAULT, LIMIT_MAX, Span};
use slackwater_order::place::PostId;

/// The query of every feed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    pub(super) limit: Option<usize>,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    pub(super) before_ref: Option<String>,
    pub(super) after_ref: Option<String>,
    pub(super) fields: Option<String>,
    pub(super) cursor: Option<String>,
    /// The cursor of a page before: this one is of no earlier moment.
    pub(super) seen: Option<String>,
    /// For shared feeds: for which account.
    pub(super) account: Option<String>,
    /// For the public feed: which part.
    pub(super) origin: Option<String>,
}

/// One end of the part of a feed that a query names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// An id, which need not exist.
    Id(PostId),
    /// The backend's own id of a post.
    Ref(String),
}

/// The part of a feed that a query names, as it names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    before: Option<Bound>,
    after: Option<Bound>,
    /// At most this many entries.
    pub(super) limit: usize,
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

    /// Whether it has a parameter that only pages take.
    pub(super) fn is_of_a_page(&self) -> bool {
        let texts = [
            &self.before,
            &self.after,
            &self.before_ref,
            &self.after_ref,
            &self.fields,
            &self.seen,
        ];
        texts.into_iter().any(Option::is_some)
    }

    /// The fields that it wants of entries.
    pub(super) fn fields(&self) -> Result<Fields, Problem> {
        match self.fields.as_deref() {
            None => Ok(Fields::All),
            Some("refs") => Ok(Fields::Refs),
            Some(other) => Err(Problem::bad_request(format!(
                "fields is {other:?}: send refs, or leave it out for all fields"
            ))),
        }
    }

    /// The part of the feed that it names.
    pub(super) fn bounds(&self) -> Result<Bounds, Problem> {
        Ok(Bounds {
            before: bound("before", &self.before, &self.before_ref)?,
            after: bound("after", &self.after, &self.after_ref)?,
            limit: limit(self.limit)?,
        })
    }
}

impl Bounds {
    /// That part by ids; `id_of` gives the id of the post that has a ref.
    pub(super) fn span(
        &self,
        id_of: impl Fn(&str) -> Result<PostId, Problem>,
    ) -> Result<Span, Problem> {
        let place = |bound: &Option<Bound>| match bound {
            None => Ok(None),
            Some(Bound::Id(id)) => Ok(Some(*id)),
            Some(Bound::Ref(reference)) => id_of(reference).map(Some),
        };
        Ok(Span {
            before: place(&self.before)?,
            after: place(&self.after)?,
            limit: self.limit,
        })
    }
}

fn bound(
    name: &str,
    id: &Option<String>,
    reference: &Option<String>,
) -> Result<Option<Bound>, Problem> {
    match (id, reference) {
        (None, None) => Ok(None),
        (Some(id), None) => match id.parse() {
            Ok(id) => Ok(Some(Bound::Id(id))),
            Err(e) => Err(Problem::bad_request(format!("{name}: {e}"))),
        },
        (None, Some(reference)) => {
            check_ref(&format!("{name}_ref"), reference)?;
            Ok(Some(Bound::Ref(reference.clone())))
        }
        (Some(_), Some(_)) => Err(Problem::bad_request(format!(
            "{name} and {name}_ref name two ends of one page: send one of them"
        ))),
    }
}

/// Checks that a parameter may be a ref: no post has a longer one.
pub(super) fn check_ref(name: &str, reference: &str) -> Result<(), Problem> {
    match reference.len() {
        0 => Err(Problem::bad_request(format!(
            "{name} is empty: send your own id of a post"
        ))),
        1..=REF_BYTES_MAX => Ok(()),
        bytes => Err(Problem::bad_request(format!(
            "{name} has {bytes} bytes: at most {REF_BYTES_MAX}"
        ))),
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
