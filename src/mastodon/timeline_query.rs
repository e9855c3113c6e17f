//! The query of a timeline, as clients write it.

use super::error::MastodonError;
use super::timeline::PageRequest;
use axum::http::StatusCode;
use slackwater_engine::activity::object::hashtag_of;
use slackwater_engine::view::page::Span;
use slackwater_order::place::PostId;
use url::form_urlencoded;

/// The length of a page without a `limit`, in statuses.
pub(super) const LIMIT_DEFAULT: usize = 20;
/// The most statuses on a page; a larger `limit` counts as this one, as with Mastodon.
pub(super) const LIMIT_MAX: usize = 40;
/// The most further hashtags of a hashtag's timeline.
pub(super) const TAGS_MAX: usize = 4;

/// A query as clients write it: names may be repeated, and end with `[]`; unknown names are ignored.
pub(super) struct TimelineQuery(Vec<(String, String)>);

impl TimelineQuery {
    pub(super) fn read(query: Option<&str>) -> TimelineQuery {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        TimelineQuery(pairs.into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let pair = self.0.iter().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn is(&self, name: &str) -> bool {
        let is_true = |value: &str| !matches!(value, "0" | "false" | "f" | "off");
        self.get(name).is_some_and(is_true)
    }

    pub(super) fn tags(&self, name: &str) -> Vec<String> {
        let pairs = self
            .0
            .iter()
            .filter(|(key, _)| key.trim_end_matches("[]") == name);
        pairs
            .filter_map(|(_, tag)| hashtag_of(tag))
            .take(TAGS_MAX)
            .collect()
    }

    /// All parameters but those of the page's bounds and the token.
    pub(super) fn kept(&self) -> String {
        let is_kept = |(name, _): &&(String, String)| {
            !matches!(
                name.as_str(),
                "max_id" | "since_id" | "min_id" | "access_token"
            )
        };
        let mut text = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.0.iter().filter(is_kept) {
            text.append_pair(name, value);
        }
        text.finish()
    }
}

/// The part of a feed that a query names: with `since_id` the newest above that id, with `min_id` those just above it. `place`
/// gives the place of an id.
pub(super) fn page_request(
    query: &TimelineQuery,
    place: impl Fn(&str, &str) -> Result<PostId, MastodonError>,
) -> Result<PageRequest, MastodonError> {
    let limit = query.get("limit").map(str::parse::<usize>).transpose();
    let limit =
        limit.map_err(|_| MastodonError::new(StatusCode::BAD_REQUEST, "limit is no number"))?;
    let place = |name: &str| query.get(name).map(|id| place(name, id)).transpose();
    let (max, since, min) = (place("max_id")?, place("since_id")?, place("min_id")?);
    let span = Span {
        before: max,
        after: min.or(since),
        limit: limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX),
    };
    let is_upward = min.is_some();
    Ok(PageRequest { span, is_upward })
}

/// An id that is a number.
pub(super) fn number(name: &str, id: &str) -> Result<PostId, MastodonError> {
    let is_number = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    if !is_number {
        let error = format!("{name} is no id");
        return Err(MastodonError::new(StatusCode::BAD_REQUEST, &error));
    }
    let number = id.parse::<u64>().unwrap_or(u64::MAX);
    Ok(PostId::from_number(number.min(PostId::MAX.number())).unwrap_or(PostId::MAX))
}
