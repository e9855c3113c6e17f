//! Indexes: lists of posts, through memory and disk.

use super::disk::{DiskError, Tree};
use super::keys::{Index, list_key};
use super::posting_list::{PostingList, merge, newest};
use super::{INDEX_LENGTH_MAX, Store};
use slackwater_order::place::PostId;
use std::ops::Range;

impl Store {
    /// The ids an index lists, ascending.
    pub fn list(&self, index: Index, of: &str) -> Result<Vec<PostId>, DiskError> {
        let key = list_key(index, of);
        let memtable = self
            .memtable
            .read()
            .lists
            .get(&key)
            .cloned()
            .unwrap_or_default();
        let mut ops = self
            .flushing
            .read()
            .as_ref()
            .and_then(|flushing| flushing.lists.get(&key).cloned())
            .unwrap_or_default();
        ops.extend(memtable);
        if !self.stored.may_have_list(&key) {
            return Ok(Vec::new());
        }
        let stored = self.disk.get(Tree::Lists, &key)?;
        Ok(merge(posting_list(stored.as_deref())?, &ops, INDEX_LENGTH_MAX).ids)
    }

    /// The highest ids that an index lists between two places, both exclusive, at most `most`, in no order. Of what is
    /// stored no more is looked at than that.
    pub fn newest(
        &self,
        index: Index,
        of: &str,
        between: Range<PostId>,
        most: usize,
    ) -> Result<Vec<PostId>, DiskError> {
        let key = list_key(index, of);
        // In the order in which things move, so that nothing falls between.
        let new = self.memtable.read().lists.get(&key).cloned();
        let flushing = self.flushing.read();
        let flushing = flushing.as_ref();
        let mut ops = flushing
            .and_then(|flushing| flushing.lists.get(&key).cloned())
            .unwrap_or_default();
        ops.extend(new.into_iter().flatten());
        let stored = match self.stored.may_have_list(&key) {
            true => self.disk.get(Tree::Lists, &key)?,
            false => None,
        };
        let stored = posting_list(stored.as_deref())?;
        Ok(newest(stored, &ops, INDEX_LENGTH_MAX, between, most))
    }
}

/// A stored list; the empty one if nothing is stored.
pub(super) fn posting_list<'a>(bytes: Option<&'a [u8]>) -> Result<PostingList<'a>, DiskError> {
    match bytes {
        None => Ok(PostingList::EMPTY),
        Some(bytes) => PostingList::read(bytes).ok_or(DiskError::Damaged { tree: "lists" }),
    }
}
