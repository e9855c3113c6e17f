//! Posts, through memory and disk.

use super::Store;
use super::disk::{DiskError, Tree};
use super::keys::{Index, ListKey, indexed, list_key};
use super::memtable::Memtable;
use super::posting_list::PostingOp;
use crate::feed::post::{Post, State};
use slackwater_order::place::PostId;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xxhash_rust::xxh3::xxh3_128;

impl Store {
    /// The post at a place.
    pub fn post(&self, id: PostId) -> Result<Option<Arc<Post>>, DiskError> {
        let begun = self.checkpoints.load(Ordering::Acquire);
        if let Some(found) = self.in_memory(|memtable| {
            if memtable.removed_posts.contains(&id) {
                Some(None)
            } else {
                memtable.posts.get(&id).cloned().map(Some)
            }
        }) {
            return Ok(found);
        }
        if let Some(post) = self.cache.get(&id) {
            return Ok(Some(post));
        }
        if !self.stored.may_have_post(id) {
            return Ok(None);
        }
        let Some(post) = self.disk.post(id)?.map(Arc::new) else {
            return Ok(None);
        };
        // With the lock, so that no checkpoint fills the cache in between: what was read may be older than what it has.
        let flushing = self.flushing.read();
        if begun == self.checkpoints.load(Ordering::Acquire) {
            self.cache.insert(id, Arc::clone(&post));
        }
        drop(flushing);
        Ok(Some(post))
    }

    /// The post of this URI; of several, of which the backend forgot all but the last, the last. Indexes are hints: what they point at is
    /// looked at.
    pub fn post_by_uri(&self, uri: &str) -> Result<Option<Arc<Post>>, DiskError> {
        let Some(id) = self.id_by_uri(xxh3_128(uri.as_bytes()))? else {
            return Ok(None);
        };
        Ok(self.post(id)?.filter(|post| post.body.uri == uri))
    }

    /// Whether a post is that of its URI, or none is: not so if the backend forgot it and the URI came again.
    pub fn holds_uri(&self, post: &Post) -> Result<bool, DiskError> {
        if post.state != State::Forgotten {
            return Ok(true);
        }
        let holder = self.id_by_uri(xxh3_128(post.body.uri.as_bytes()))?;
        Ok(holder.is_none_or(|id| id == post.id))
    }

    fn id_by_uri(&self, hash: u128) -> Result<Option<PostId>, DiskError> {
        if let Some(id) = self.in_memory(|memtable| memtable.uris.get(&hash).copied()) {
            return Ok(id);
        }
        if !self.stored.may_have_uri(hash) {
            return Ok(None);
        }
        match self.disk.get(Tree::Uris, &hash.to_be_bytes())? {
            Some(bytes) => match read_id(&bytes) {
                Some(id) => Ok(Some(id)),
                None => Err(DiskError::Damaged { tree: "uris" }),
            },
            None => Ok(None),
        }
    }

    /// Lists a post that the backend forgot by its URI again, if no other post has it: a checkpoint that was cut off stores a post
    /// before its URI.
    pub fn relist_uri(&self, post: &Post) -> Result<(), DiskError> {
        if self.holds_uri(post)? {
            let hash = xxh3_128(post.body.uri.as_bytes());
            self.memtable.write().uris.insert(hash, Some(post.id));
        }
        Ok(())
    }

    /// Keeps a post: new, or changed. One that the backend forgot keeps its URI if it has it, and takes it from no other.
    pub fn put_post(&self, post: Post) -> Arc<Post> {
        let post = Arc::new(post);
        let hash = xxh3_128(post.body.uri.as_bytes());
        let indexed: Vec<ListKey> = indexed(&post).collect();
        self.unwritten_bytes
            .fetch_add(post.weight(), Ordering::Relaxed);
        self.stored.note_post(post.id, hash, &indexed);
        let mut memtable = self.memtable.write();
        if post.state != State::Forgotten {
            memtable.uris.insert(hash, Some(post.id));
        }
        for key in indexed {
            memtable
                .lists
                .entry(key)
                .or_default()
                .push(PostingOp::insert(post.id));
            self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
        }
        memtable.removed_posts.remove(&post.id);
        memtable.posts.insert(post.id, Arc::clone(&post));
        post
    }

    /// Forgets a post altogether, its rows in the indexes too.
    pub fn forget_post(&self, post: &Post) -> Result<(), DiskError> {
        let holds_uri = self.holds_uri(post)?;
        let mut memtable = self.memtable.write();
        for key in indexed(post) {
            memtable
                .lists
                .entry(key)
                .or_default()
                .push(PostingOp::remove(post.id));
        }
        memtable.posts.remove(&post.id);
        memtable.removed_posts.insert(post.id);
        if holds_uri {
            let hash = xxh3_128(post.body.uri.as_bytes());
            memtable.uris.insert(hash, None);
        }
        self.unwritten_indexed
            .fetch_add(1 + indexed(post).count(), Ordering::Relaxed);
        Ok(())
    }

    /// The post of which the backend gave this as its own id; of several the newest.
    pub fn post_by_ref(&self, reference: &str) -> Result<Option<Arc<Post>>, DiskError> {
        let newest = self.newest(Index::Ref, reference, PostId::MIN..PostId::MAX, 1)?;
        let Some(id) = newest.first() else {
            return Ok(None);
        };
        let post = self.post(*id)?;
        Ok(post.filter(|post| post.post_ref.as_deref() == Some(reference)))
    }

    /// Lists a post by its ref again if it is not listed so: a checkpoint that was cut off stores a post before the lists that it is in.
    pub fn relist_ref(&self, post: &Post) -> Result<(), DiskError> {
        let Some(reference) = post.post_ref.as_deref() else {
            return Ok(());
        };
        if self.list(Index::Ref, reference)?.contains(&post.id) {
            return Ok(());
        }
        self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
        let mut memtable = self.memtable.write();
        let ops = memtable.lists.entry(list_key(Index::Ref, reference));
        ops.or_default().push(PostingOp::insert(post.id));
        Ok(())
    }

    /// Whether the post is among what memory holds, so that a sweep over the disk leaves it alone.
    pub fn is_in_memory(&self, id: PostId) -> bool {
        self.in_memory(|memtable| memtable.posts.contains_key(&id).then_some(()))
            .is_some()
    }

    /// The posts in memory that are not stored yet, as far as they are meant.
    pub fn ids_in_memory(&self, is_meant: impl Fn(&Post) -> bool) -> Vec<PostId> {
        let mut ids = Vec::new();
        let mut look = |memtable: &Memtable| {
            let meant = memtable.posts.values().filter(|post| is_meant(post));
            ids.extend(meant.map(|post| post.id));
        };
        look(&self.memtable.read());
        if let Some(flushing) = self.flushing.read().as_ref() {
            look(flushing);
        }
        ids
    }
}

fn read_id(bytes: &[u8]) -> Option<PostId> {
    PostId::from_number(u64::from_be_bytes(bytes.try_into().ok()?))
}
