//! Which collections are actors' followers, through memory and disk; and which posts are addressed to one.

use super::Store;
use super::keys::{Index, ListKey, addressed, both};
use crate::feed::followers::Followers;
use crate::feed::post::Post;
use crate::feed::store::disk::{DiskError, Tree};
use crate::feed::store::posting_list::PostingOp;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xxhash_rust::xxh3::xxh3_128;

impl Store {
    /// The collections that the documents of the actor with this id have named; none if none has.
    pub fn followers(&self, id: &str) -> Result<Option<Arc<Followers>>, DiskError> {
        let hash = xxh3_128(id.as_bytes());
        let found = match self.in_memory(|memtable| memtable.followers.get(&hash).cloned()) {
            Some(found) => found,
            None => self
                .disk
                .get(Tree::Followers, &hash.to_be_bytes())?
                .map(|bytes| read(&bytes).map(Arc::new))
                .transpose()?,
        };
        Ok(found.filter(|followers| followers.actor == id))
    }

    /// Keeps what an actor's documents have named, whatever was known before.
    pub fn put_followers(&self, followers: Followers) {
        let hash = xxh3_128(followers.actor.as_bytes());
        self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
        self.memtable
            .write()
            .followers
            .insert(hash, Some(Arc::new(followers)));
    }

    /// Forgets what an actor's documents have named, if that is known.
    pub fn forget_followers(&self, id: &str) -> Result<(), DiskError> {
        if self.followers(id)?.is_some() {
            let hash = xxh3_128(id.as_bytes());
            self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
            self.memtable.write().followers.insert(hash, None);
        }
        Ok(())
    }

    /// Forgets what stored actors named before `cutoff` of whose posts nothing is left and whom nobody follows, of at most
    /// `rows_max` after the key `after`. The last key looked at, or none at the end.
    pub fn forget_followers_before(
        &self,
        cutoff: Time,
        is_followed: &dyn Fn(&str) -> bool,
        after: &[u8],
        rows_max: usize,
    ) -> Result<Option<Vec<u8>>, DiskError> {
        let mut last = None;
        let from = match after {
            [] => Vec::new(),
            after => [after, &[0]].concat(),
        };
        for row in self.disk.scan(Tree::Followers, &from).take(rows_max) {
            let (key, bytes) = row?;
            let of = read(&bytes)?;
            if of.arrived < cutoff
                && !is_followed(&of.actor)
                && let Ok(hash) = <[u8; 16]>::try_from(&*key)
                && self.list(Index::Author, &of.actor)?.is_empty()
            {
                self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
                // What came since the last checkpoint is not old, whatever the disk still says.
                self.memtable
                    .write()
                    .followers
                    .entry(u128::from_be_bytes(hash))
                    .or_insert(None);
            }
            last = Some(key.to_vec());
        }
        Ok(last)
    }

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

fn read(bytes: &[u8]) -> Result<Followers, DiskError> {
    Followers::read(bytes).ok_or(DiskError::Damaged { tree: "followers" })
}
