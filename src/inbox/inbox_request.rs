//! A request to an inbox, whole.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use slackwater_order::time::Time;

/// A request to an inbox, as it came.
#[derive(Clone, Debug)]
pub(crate) struct InboxRequest {
    pub(super) method: Method,
    /// Its path and query, as they were written.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// When it came.
    pub(super) arrived: Time,
}

/// Whether a path is that of an inbox: `/inbox`, or one below an actor, as in `/users/ana/inbox`; or one above its name, as in
/// Friendica's `/inbox/ana`.
pub(crate) fn is_inbox(path: &str) -> bool {
    let mut segments = path.trim_end_matches('/').rsplit('/');
    segments.by_ref().take(2).any(|segment| segment == "inbox")
}

impl InboxRequest {
    /// All values of a header as one, without white space around each (RFC 9110, section 5.3); none if there is no such header.
    pub(super) fn header(&self, name: &str) -> Option<Vec<u8>> {
        let values = self.headers.get_all(name).iter();
        let values: Vec<&[u8]> = values.map(|value| value.as_bytes().trim_ascii()).collect();
        (!values.is_empty()).then(|| values.join(&b", "[..]))
    }

    /// All values of a header as one text.
    pub(super) fn header_text(&self, name: &str) -> Option<String> {
        String::from_utf8(self.header(name)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_servers_inbox_is_one() {
        for path in [
            "/inbox",
            "/inbox/",
            "/users/ana/inbox",
            "/@ana/inbox",
            "/wp-json/activitypub/1.0/actors/1/inbox",
            "/inbox/ana",
        ] {
            assert!(is_inbox(path), "{path}");
        }
        for path in [
            "/",
            "",
            "/inboxes",
            "/users/inbox/a/b",
            "/api/v1/timelines/home",
        ] {
            assert!(!is_inbox(path), "{path}");
        }
    }
}
