//! What is stored, slice by slice, for the sweep that drops what is no longer needed.

use super::Store;
use super::memtable::PendingRemoval;
use crate::feed::ordered_feed::packed::Packed;
use crate::feed::post::Post;
use crate::feed::store::disk::{DiskError, Tree};
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::sync::Arc;

/// Some stored homes, each as its ids, and the key of the last; none at the end.
pub(super) type HomesSlice = (Vec<Vec<PostId>>, Option<Vec<u8>>);

impl Store {
    /// Every post from `from` on as it is stored, at most `blocks_max` blocks, and where to go on.
    pub fn stored_posts(
        &self,
        from: PostId,
        blocks_max: usize,
    ) -> Result<(Vec<Post>, Option<PostId>), DiskError> {
        self.disk.posts_from(from, blocks_max)
    }

    /// The posts that wait for a checkpoint. Read before [`Store::stored_posts`], none falls between the two.
    pub fn unwritten_posts(&self) -> Vec<Arc<Post>> {
        let mut posts: Vec<Arc<Post>> = self.memtable.read().posts.values().cloned().collect();
        if let Some(flushing) = self.flushing.read().as_ref() {
            posts.extend(flushing.posts.values().cloned());
        }
        posts
    }

    /// The stored homes after the key `after`, at most `homes_max`, each as its ids; and the last key.
    pub fn stored_homes(&self, after: &[u8], homes_max: usize) -> Result<HomesSlice, DiskError> {
        let mut homes = Vec::new();
        let mut last = None;
        let from = [after, &[0]].concat();
        for row in self
            .disk
            .scan(
                Tree::Homes,
                if after.is_empty() {
                    &[]
                } else {
                    from.as_slice()
                },
            )
            .take(homes_max)
        {
            let (key, bytes) = row?;
            let ids = Packed::read(&bytes).and_then(|home| home.ids());
            homes.push(ids.ok_or(DiskError::Damaged { tree: "homes" })?);
            last = Some(key.to_vec());
        }
        Ok((homes, last))
    }

    /// Forgets the stored removals that arrived before `cutoff`, of at most `rows_max` after the key `after`. The last
    /// key looked at, or none at the end.
    pub fn forget_pending_before(
        &self,
        cutoff: Time,
        after: &[u8],
        rows_max: usize,
    ) -> Result<Option<Vec<u8>>, DiskError> {
        let mut last = None;
        let from = [after, &[0]].concat();
        let from = if after.is_empty() {
            &[]
        } else {
            from.as_slice()
        };
        for row in self.disk.scan(Tree::EarlyRemovals, from).take(rows_max) {
            let (key, bytes) = row?;
            let removal: PendingRemoval =
                postcard::from_bytes(&bytes).map_err(|_| DiskError::Damaged { tree: "pending" })?;
            if removal.arrived < cutoff
                && let Ok(hash) = <[u8; 16]>::try_from(&*key)
            {
                self.memtable
                    .write()
                    .pending
                    .entry(u128::from_be_bytes(hash))
                    .or_insert(None);
            }
            last = Some(key.to_vec());
        }
        Ok(last)
    }
}
