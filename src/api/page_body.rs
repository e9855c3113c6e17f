//! The body of a page, built entry by entry as JSON text.

use super::entry::Entry;
use super::entry_json::render;
use super::ref_entry::RefEntry;
use slackwater_engine::feed::store::Store;
use slackwater_engine::feed::store::disk::DiskError;
use slackwater_engine::view::page::{PAGE_BYTES_MAX, Span};
use slackwater_engine::view::page_walk::{Offer, PageWalk, walk_page};
use slackwater_engine::view::with_original::FeedFilter;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;

/// The text that a page begins with.
const OPENING: &str = "{\"entries\":[";

/// The usual bytes of an entry. A page of longer entries is moved once or twice while it grows.
const ENTRY_BYTES: usize = 3 << 10;
/// The usual bytes of an entry that has refs and times only.
const REF_ENTRY_BYTES: usize = 300;

/// Which fields the entries of a page have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fields {
    /// All of [`Entry`].
    All,
    /// Those of [`RefEntry`], for a backend that has the posts.
    Refs,
}

/// A page being filled, entry by entry, as JSON text.
#[derive(Debug)]
pub struct PageBody {
    /// The page as far as it is written: its beginning, then the entries as they were taken, with commas between.
    json: String,
    /// The end of each entry in the text.
    ends: Vec<usize>,
    walk: PageWalk,
}

/// A filled page.
#[derive(Debug)]
pub struct FilledPage {
    /// The answer's body.
    pub json: Vec<u8>,
    /// Its entries, newest first.
    pub ids: Vec<PostId>,
    /// There is no entry below the page: the ids there belong to the feed no longer.
    pub is_last: bool,
}

impl PageBody {
    /// Takes entries for `span` out of the ascending `ids`, as far as they still belong there, until the page is full.
    pub fn fill(
        store: &Store,
        span: Span,
        fields: Fields,
        ids: &[PostId],
        admits: &FeedFilter<'_>,
    ) -> Result<PageBody, DiskError> {
        let most = ids.len().min(span.limit);
        let each = match fields {
            Fields::All => ENTRY_BYTES,
            Fields::Refs => REF_ENTRY_BYTES,
        };
        let mut json = String::with_capacity(OPENING.len() + most * each);
        json.push_str(OPENING);
        let mut ends = Vec::with_capacity(most);
        let walk = walk_page(store, span, ids, admits, |post, original| {
            let before = json.len();
            if !ends.is_empty() {
                json.push(',');
            }
            match fields {
                Fields::All => render(&Entry::new(post, original), &mut json),
                // No object is copied, and serde is quick enough for what is left.
                Fields::Refs => match serde_json::to_string(&RefEntry::new(post, original)) {
                    Ok(entry) => json.push_str(&entry),
                    Err(_) => json.push_str("null"),
                },
            }
            if !ends.is_empty() && OPENING.len() + PAGE_BYTES_MAX < json.len() {
                json.truncate(before);
                return Offer::Full;
            }
            ends.push(json.len());
            Offer::Taken
        })?;
        Ok(PageBody { json, ends, walk })
    }

    /// The whole answer.
    pub fn finish(mut self, horizon: Option<Time>, cursor: &str) -> FilledPage {
        if self.walk.is_upward {
            self.turn_round();
        }
        self.json.push_str("],\"horizon\":");
        match horizon {
            Some(horizon) => {
                self.json.push('"');
                self.json.push_str(&horizon.rfc3339());
                self.json.push('"');
            }
            None => self.json.push_str("null"),
        }
        self.json.push_str(",\"cursor\":\"");
        self.json.push_str(cursor);
        self.json.push_str("\"}");
        FilledPage {
            json: self.json.into_bytes(),
            is_last: self.walk.has_all && !self.walk.is_upward,
            ids: self.walk.ids,
        }
    }

    /// An upward page was taken from its lowest entry; it is shown from its highest.
    fn turn_round(&mut self) {
        let mut json = String::with_capacity(self.json.capacity());
        json.push_str(OPENING);
        for n in (0..self.ends.len()).rev() {
            let comma = ','.len_utf8();
            let from = match n.checked_sub(1).and_then(|below| self.ends.get(below)) {
                Some(end) => end + comma,
                None => OPENING.len(),
            };
            let to = self.ends.get(n).copied().unwrap_or(from);
            if OPENING.len() < json.len() {
                json.push(',');
            }
            json.push_str(self.json.get(from..to).unwrap_or_default());
        }
        self.json = json;
        self.walk.ids.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::responses::Page;
    use crate::example;
    use slackwater_engine::feed::post::Post;

    /// A failure means that clients made from the description cannot read a page.
    #[test]
    fn a_page_is_written_as_its_type_says() {
        let posts = ["https://a.example/users/ana", "https://b.example/users/bob"];
        let posts = posts.map(example::post);
        for (count, horizon, is_upward) in [
            (0, None, false),
            (1, Some(Time::from_millis(1)), true),
            (2, Some(Time::from_millis(1_234)), false),
            (2, None, true),
        ] {
            let taken: Vec<&Post> = posts.iter().take(count).collect();
            let mut json = OPENING.to_owned();
            let mut ends = Vec::new();
            for post in &taken {
                if !ends.is_empty() {
                    json.push(',');
                }
                render(&Entry::new(post, None), &mut json);
                ends.push(json.len());
            }
            let page = PageBody {
                json,
                ends,
                walk: PageWalk {
                    ids: taken.iter().map(|post| post.id).collect(),
                    is_upward,
                    has_all: true,
                },
            };
            let mut shown = taken;
            if is_upward {
                shown.reverse();
            }
            let typed = Page {
                entries: shown.iter().map(|post| Entry::new(post, None)).collect(),
                horizon,
                cursor: Some("c".to_owned()),
            };
            let typed = serde_json::to_vec(&typed).unwrap();
            assert_eq!(page.finish(horizon, "c").json, typed);
        }
    }
}
