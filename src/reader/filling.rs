//! A page being filled, entry by entry, as JSON text.

use super::entry::Entry;
use super::page::{Candidates, PAGE_BYTES_MAX, Span};
use crate::feed::disk::DiskError;
use crate::feed::fan_out::original_of;
use crate::feed::kept::{Post, State};
use crate::feed::store::Store;
use crate::order::place::PostId;
use crate::time::Time;
use std::sync::Arc;

/// A page being filled, entry by entry, as JSON text.
#[derive(Debug, Default)]
pub struct Filling {
    entries: Vec<Vec<u8>>,
    ids: Vec<PostId>,
    bytes: usize,
    is_upward: bool,
}

/// About how many bytes an entry has beside its object.
const ENTRY_BYTES: usize = 1024;

/// A filled page.
#[derive(Debug)]
pub struct FilledPage {
    /// The answer's body.
    pub json: Vec<u8>,
    /// Its entries, newest first.
    pub ids: Vec<PostId>,
}

impl Filling {
    /// Takes entries for `span` out of the ascending `ids` until the page is full.
    pub fn fill(store: &Store, span: Span, ids: &[u64]) -> Result<Filling, DiskError> {
        let mut page = Filling::default();
        match span.of(ids) {
            Candidates::Down(part) => page.take(store, part.iter().rev(), span.limit)?,
            Candidates::Up(part) => {
                page.is_upward = true;
                page.take(store, part.iter(), span.limit)?;
            }
        }
        Ok(page)
    }

    fn take<'a>(
        &mut self,
        store: &Store,
        ids: impl Iterator<Item = &'a u64>,
        limit: usize,
    ) -> Result<(), DiskError> {
        for id in ids {
            if limit <= self.ids.len() {
                break;
            }
            let Some(id) = PostId::from_number(*id) else {
                continue;
            };
            // What went since the feed was read is passed over, so that a page is empty only at the end.
            let Some((post, original)) = whole(store, id)? else {
                continue;
            };
            let object_bytes = |post: &Post| post.body.object.get().len() + ENTRY_BYTES;
            let bytes = object_bytes(&post) + original.as_deref().map_or(0, object_bytes);
            let mut json = Vec::with_capacity(bytes);
            if serde_json::to_writer(&mut json, &Entry::new(&post, original.as_deref())).is_err() {
                continue;
            }
            if !self.ids.is_empty() && PAGE_BYTES_MAX < self.bytes + json.len() {
                break;
            }
            self.bytes += json.len() + 1;
            self.entries.push(json);
            self.ids.push(id);
        }
        Ok(())
    }

    /// The whole answer.
    pub fn finish(mut self, horizon: Option<Time>, cursor: &str) -> FilledPage {
        if self.is_upward {
            self.entries.reverse();
            self.ids.reverse();
        }
        let mut json = Vec::with_capacity(self.bytes + cursor.len() + 64);
        json.extend_from_slice(b"{\"entries\":[");
        for (n, entry) in self.entries.iter().enumerate() {
            if n != 0 {
                json.push(b',');
            }
            json.extend_from_slice(entry);
        }
        json.extend_from_slice(b"],\"horizon\":");
        match horizon {
            Some(horizon) => {
                json.extend_from_slice(format!("\"{}\"", horizon.rfc3339()).as_bytes());
            }
            None => json.extend_from_slice(b"null"),
        }
        json.extend_from_slice(b",\"cursor\":\"");
        json.extend_from_slice(cursor.as_bytes());
        json.extend_from_slice(b"\"}");
        FilledPage {
            json,
            ids: self.ids,
        }
    }
}

/// A post, and what it boosts; none if there is nothing to show of them.
pub fn whole(store: &Store, id: PostId) -> Result<Option<WithOriginal>, DiskError> {
    let Some(post) = store.post(id)?.filter(|post| post.state == State::Whole) else {
        return Ok(None);
    };
    let original = original_of(store, &post)?;
    let is_shown = |original: &Arc<Post>| original.state == State::Whole;
    if post.body.boost_of.is_some() && !original.as_ref().is_some_and(is_shown) {
        return Ok(None);
    }
    Ok(Some((post, original)))
}

/// A post with what it boosts.
pub type WithOriginal = (Arc<Post>, Option<Arc<Post>>);
