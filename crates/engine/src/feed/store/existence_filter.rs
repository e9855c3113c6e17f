//! Skips look-ups on disk that would find nothing.
//!
//! What is put is remembered when it is put. What was stored before is read from the indexes in slices, between
//! batches: until that is done, everything may be stored. Posts are not read, which would be most of the folder: a
//! place up to the highest one stored at the start may be taken.

use super::keys::{Index, ListKey};
use crate::feed::store::bloom::ScalableBloom;
use crate::feed::store::disk::{Disk, DiskError, Tree};
use parking_lot::{Mutex, RwLock};
use slackwater_order::place::PostId;
use std::sync::atomic::{AtomicBool, Ordering};
use xxhash_rust::xxh3::xxh3_64;

/// Rows read in one slice: some milliseconds.
const ROWS_STEP: usize = 8_192;

/// The indexes that are looked into for every post: a tree, and with which byte its keys begin if not all are meant.
const REMEMBERED: [(Tree, Option<u8>); 4] = [
    (Tree::Uris, None),
    (Tree::EarlyRemovals, None),
    (Tree::Lists, Some(Index::Parent as u8)),
    (Tree::Lists, Some(Index::Original as u8)),
];

/// What may be stored.
#[derive(Debug)]
pub(super) struct ExistenceFilter {
    known: RwLock<ScalableBloom>,
    /// The highest place stored at the start.
    highest: PostId,
    /// Whether `known` has all that was stored at the start.
    is_complete: AtomicBool,
    /// Which of [`REMEMBERED`] is being read, and after which key to go on.
    reading: Mutex<(usize, Vec<u8>)>,
}

impl ExistenceFilter {
    pub(super) fn new(disk: &Disk) -> Result<ExistenceFilter, DiskError> {
        Ok(ExistenceFilter {
            known: RwLock::default(),
            highest: disk.highest_place()?,
            is_complete: AtomicBool::new(false),
            reading: Mutex::default(),
        })
    }

    /// A post is put: its place, the hash of its URI, its rows in the indexes.
    pub(super) fn note_post(&self, id: PostId, uri: u128, lists: &[ListKey]) {
        let mut known = self.known.write();
        known.insert(place_key(id));
        known.insert(hash_key(Tree::Uris, uri));
        for key in lists.iter().filter(|key| is_remembered(key)) {
            known.insert(list_key(key));
        }
    }

    /// A removal is put that waits for what has this hash.
    pub(super) fn note_pending(&self, hash: u128) {
        self.known
            .write()
            .insert(hash_key(Tree::EarlyRemovals, hash));
    }

    pub(super) fn may_have_post(&self, id: PostId) -> bool {
        id <= self.highest || self.known.read().may_have(place_key(id))
    }

    pub(super) fn may_have_uri(&self, hash: u128) -> bool {
        self.may_have(hash_key(Tree::Uris, hash))
    }

    pub(super) fn may_have_pending(&self, hash: u128) -> bool {
        self.may_have(hash_key(Tree::EarlyRemovals, hash))
    }

    pub(super) fn may_have_list(&self, key: &ListKey) -> bool {
        !is_remembered(key) || self.may_have(list_key(key))
    }

    fn may_have(&self, key: u64) -> bool {
        !self.is_complete.load(Ordering::Acquire) || self.known.read().may_have(key)
    }

    /// Reads a slice of what was stored at the start; nothing once all is read.
    pub(super) fn read_slice(&self, disk: &Disk) -> Result<(), DiskError> {
        if self.is_complete.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut reading = self.reading.lock();
        let (at, after) = &mut *reading;
        let Some((tree, kind)) = REMEMBERED.get(*at) else {
            self.is_complete.store(true, Ordering::Release);
            return Ok(());
        };
        let from = match (after.is_empty(), kind) {
            (true, kind) => kind.iter().copied().collect(),
            (false, _) => [after.as_slice(), &[0]].concat(),
        };
        let mut keys = Vec::with_capacity(ROWS_STEP);
        let mut last = None;
        for row in disk.scan(*tree, &from).take(ROWS_STEP) {
            let (key, _) = row?;
            if kind.is_some_and(|kind| key.first() != Some(&kind)) {
                last = None;
                break;
            }
            keys.extend(stored_key(*tree, &key));
            last = Some(key.to_vec());
        }
        let mut known = self.known.write();
        for key in keys {
            known.insert(key);
        }
        *reading = match last {
            Some(after) => (*at, after),
            None => (*at + 1, Vec::new()),
        };
        Ok(())
    }
}

/// What a row of an index is remembered as; none for a key that no look-up asks for.
fn stored_key(tree: Tree, key: &[u8]) -> Option<u64> {
    match tree {
        Tree::Lists => Some(list_key(key.try_into().ok()?)),
        _ => Some(hash_key(tree, u128::from_be_bytes(key.try_into().ok()?))),
    }
}

/// The hash is good already: what tells the trees apart is a number of each.
fn hash_key(tree: Tree, hash: u128) -> u64 {
    (hash as u64) ^ (tree as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn list_key(key: &ListKey) -> u64 {
    xxh3_64(key)
}

fn place_key(id: PostId) -> u64 {
    xxh3_64(&id.number().to_le_bytes())
}

/// Only these two indexes are looked up for every post. Keys of other indexes would fill the filter for nothing.
fn is_remembered(key: &ListKey) -> bool {
    let asked = [Index::Original as u8, Index::Parent as u8];
    key.first().is_some_and(|index| asked.contains(index))
}

#[cfg(test)]
mod tests;
