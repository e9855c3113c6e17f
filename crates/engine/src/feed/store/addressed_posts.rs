//! Which posts are addressed to a collection.

use super::Store;
use super::keys::{Index, ListKey, addressed, both};
use crate::feed::post::Post;
use crate::feed::store::disk::DiskError;
use crate::feed::store::posting_list::PostingOp;
use slackwater_order::place::PostId;
use std::sync::atomic::Ordering;

impl Store {
    /// The posts by an actor that are addressed to one of these collections, ascending.
    pub fn addressed_to(
        &self,
        author: &str,
        collections: &[String],
    ) -> Result<Vec<PostId>, DiskError> {
        let mut ids = Vec::new();
        for collection in collections {
            ids.extend(self.list(Index::Addressed, &both(author, collection))?);
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Takes a post out of the lists of what is addressed to a collection. To be called before it is put without these.
    pub fn unlist_addressed(&self, post: &Post) {
        let keys: Vec<ListKey> = addressed(post).collect();
        if keys.is_empty() {
            return;
        }
        self.unwritten_indexed
            .fetch_add(keys.len(), Ordering::Relaxed);
        let mut memtable = self.memtable.write();
        for key in keys {
            memtable
                .lists
                .entry(key)
                .or_default()
                .push(PostingOp::remove(post.id));
        }
    }
}
