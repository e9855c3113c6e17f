//! Removals that came before what they remove, through memory and disk.

use super::Store;
use super::disk::{DiskError, Tree};
use super::memtable::PendingRemoval;
use std::sync::atomic::Ordering;
use xxhash_rust::xxh3::xxh3_128;

impl Store {
    /// The removal that waits for this URI (or actor, or boost key) to come.
    pub fn pending(&self, of: &str) -> Result<Option<PendingRemoval>, DiskError> {
        let hash = xxh3_128(of.as_bytes());
        if let Some(found) = self.in_memory(|memtable| memtable.pending.get(&hash).cloned()) {
            return Ok(found);
        }
        if !self.stored.may_have_pending(hash) {
            return Ok(None);
        }
        match self.disk.get(Tree::EarlyRemovals, &hash.to_be_bytes())? {
            Some(bytes) => postcard::from_bytes(&bytes)
                .map(Some)
                .map_err(|_| DiskError::Damaged { tree: "pending" }),
            None => Ok(None),
        }
    }

    /// Keeps a removal for what has not come yet.
    pub fn put_pending(&self, of: &str, removal: PendingRemoval) {
        let hash = xxh3_128(of.as_bytes());
        self.stored.note_pending(hash);
        self.memtable.write().pending.insert(hash, Some(removal));
        self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
    }
}
