//! The body of a page, built entry by entry as JSON text.

use super::entry::Entry;
use super::entry_json::render;
use crate::feed::disk::DiskError;
use crate::feed::store::Store;
use crate::reader::page::{Candidates, PAGE_BYTES_MAX, Span};
use crate::reader::whole::{LetsIn, whole};
use slackwater_order::place::PostId;
use slackwater_order::time::Time;

/// What a page begins with.
const OPENING: &str = "{\"entries\":[";

/// About how many bytes an entry has. A page of more is moved once or twice while it grows.
const ENTRY_BYTES: usize = 3 << 10;

/// A page being filled, entry by entry, as JSON text.
#[derive(Debug)]
pub struct PageBody {
    /// The page as far as it is written: what it begins with, then the entries as they were taken, with commas between.
    json: String,
    ids: Vec<PostId>,
    /// Where each entry ends.
    ends: Vec<usize>,
    is_upward: bool,
    /// Whether all were looked at that it could take.
    has_all: bool,
}

/// A filled page.
#[derive(Debug)]
pub struct FilledPage {
    /// The answer's body.
    pub json: Vec<u8>,
    /// Its entries, newest first.
    pub ids: Vec<PostId>,
    /// Nothing below it can be had: what stands there in the feed does not belong there any more.
    pub is_last: bool,
}

impl PageBody {
    /// Takes entries for `span` out of the ascending `ids`, as far as they still belong there, until the page is full.
    pub fn fill(
        store: &Store,
        span: Span,
        ids: &[u64],
        lets_in: &LetsIn<'_>,
    ) -> Result<PageBody, DiskError> {
        let candidates = span.of(ids);
        let (Candidates::Down(part) | Candidates::Up(part)) = candidates;
        let most = part.len().min(span.limit);
        let mut json = String::with_capacity(OPENING.len() + most * ENTRY_BYTES);
        json.push_str(OPENING);
        let mut page = PageBody {
            json,
            ids: Vec::with_capacity(most),
            ends: Vec::with_capacity(most),
            is_upward: matches!(candidates, Candidates::Up(_)),
            has_all: false,
        };
        match candidates {
            Candidates::Down(part) => page.take(store, part.iter().rev(), span.limit, lets_in)?,
            Candidates::Up(part) => page.take(store, part.iter(), span.limit, lets_in)?,
        }
        Ok(page)
    }

    fn take<'a>(
        &mut self,
        store: &Store,
        ids: impl Iterator<Item = &'a u64>,
        limit: usize,
        lets_in: &LetsIn<'_>,
    ) -> Result<(), DiskError> {
        for id in ids {
            if limit <= self.ids.len() {
                return Ok(());
            }
            let Some(id) = PostId::from_number(*id) else {
                continue;
            };
            // What went since the feed was read is passed over, so that a page is empty only at the end.
            let Some((post, original)) = whole(store, id)? else {
                continue;
            };
            if !lets_in(&post, original.as_deref()) {
                continue;
            }
            let before = self.json.len();
            if !self.ids.is_empty() {
                self.json.push(',');
            }
            render(&Entry::new(&post, original.as_deref()), &mut self.json);
            if !self.ids.is_empty() && OPENING.len() + PAGE_BYTES_MAX < self.json.len() {
                self.json.truncate(before);
                return Ok(());
            }
            self.ends.push(self.json.len());
            self.ids.push(id);
        }
        self.has_all = true;
        Ok(())
    }

    /// The whole answer.
    pub fn finish(mut self, horizon: Option<Time>, cursor: &str) -> FilledPage {
        if self.is_upward {
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
            ids: self.ids,
            is_last: self.has_all && !self.is_upward,
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
        self.ids.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::responses::Page;
    use crate::feed::kept::{Post, example};

    /// Were this to fail, clients made from the description would not read what is sent.
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
                ids: taken.iter().map(|post| post.id).collect(),
                ends,
                is_upward,
                has_all: true,
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
