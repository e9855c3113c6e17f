//! Writes what is new to the data folder, in an order that is safe to be cut off at any write.

use super::checkpoint_state::CheckpointState;
use super::feeds::other_key;
use super::flush_batch::{FlushBatch, VisibleUpTo, Written};
use super::indexes::posting_list;
use super::last_seen::Rows;
use super::memtable::Memtable;
use super::{INDEX_LENGTH_MAX, OFFSETS, Store, TAKEN};
use crate::feed::store::disk::{DiskError, PostWrite, Tree};
use crate::feed::store::home_memtable::FlushingHome;
use crate::feed::store::other_memtable::Feeds;
use crate::feed::store::post_block;
use crate::feed::store::posting_list::merge;
use hashbrown::HashMap;
use slackwater_order::place::PostId;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Threads that write homes: beyond a few they only wait for each other.
const THREADS_MAX: usize = 4;
/// Their priority, as nice(1) counts: half-way down to the lowest.
#[cfg(target_os = "linux")]
const WRITERS_NICE: i32 = 10;
/// Below this many homes it is not worth a second thread.
const SHARE_MIN: usize = 1_000;

/// Posts packed at once: all of a checkpoint's would take the memory of its posts once more.
const POSTS_PACKED_MAX: usize = 4_096;

impl Store {
    /// Writes everything new, then, once that is durable, the offsets it all reflects.
    ///
    /// Blocks of posts first, then what points at them, then feeds, then relations, the offsets last: cut off
    /// anywhere, the log read again from the old offsets gives the same.
    pub fn checkpoint(&self, reflects: &CheckpointState) -> Result<Written, DiskError> {
        self.checkpoint_showing(reflects, &|_| PostId::MAX)
    }

    /// As [`Store::checkpoint`], where of each feed only the entries up to the place that `shown` gives count as its
    /// length: those above are not shown yet.
    pub fn checkpoint_showing(
        &self,
        reflects: &CheckpointState,
        shown: &VisibleUpTo<'_>,
    ) -> Result<Written, DiskError> {
        let taken = self.take_out();
        self.write_out(taken, reflects, shown)
    }

    /// Begins a checkpoint: all that is new now is flushed, and what comes from now on is left to the next. Not before what
    /// was taken out last has been written.
    pub fn take_out(&self) -> FlushBatch {
        let memtable = {
            // Both locks at once: a reader who finds nothing in `memtable` waits here until it can look in `flushing`.
            let mut flushing = self.flushing.write();
            let memtable = Arc::new(std::mem::take(&mut *self.memtable.write()));
            *flushing = Some(Arc::clone(&memtable));
            memtable
        };
        self.unwritten_bytes.store(0, Ordering::Relaxed);
        self.unwritten_indexed.store(0, Ordering::Relaxed);
        FlushBatch {
            memtable,
            homes: self.homes.begin_flush(),
            others: self.others.begin_flush(),
        }
    }

    /// Writes what was taken out, while more comes in and feeds are read. `reflects` is how far the log had been read when
    /// it was.
    pub fn write_out(
        &self,
        taken: FlushBatch,
        reflects: &CheckpointState,
        shown: &VisibleUpTo<'_>,
    ) -> Result<Written, DiskError> {
        let FlushBatch {
            memtable,
            mut homes,
            others,
        } = taken;
        homes.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        self.write_posts(&memtable)?;
        self.write_indexes(&memtable)?;
        self.write_early_removals(&memtable)?;
        let last_seen = sorted(&memtable.last_seen);
        let last_seen = || last_seen.iter().map(|(id, seen)| (&***id, **seen));
        self.write_last_seen(last_seen(), Rows::OfAsleep)?;
        let mut written = Written {
            posts: memtable.posts.len(),
            ..Written::default()
        };
        written += self.write_homes(&homes, shown)?;
        written += self.write_others(&others, shown)?;
        // Before relations: one that is read again and was stored says nothing new, also not how far feeds had been shown before it.
        let reached = sorted(&memtable.reached);
        self.write_reached(reached.iter().map(|(id, at)| (&***id, **at)))?;
        self.write_relations(&memtable)?;
        self.write_origins(&memtable)?;
        self.write_actors(&memtable)?;
        self.write_followers(&memtable)?;
        self.write_last_seen(last_seen(), Rows::OfAwake)?;
        self.write_offsets(reflects)?;
        self.move_to_cache(&memtable);
        Ok(written)
    }

    fn write_posts(&self, memtable: &Memtable) -> Result<(), DiskError> {
        let ids = memtable
            .posts
            .keys()
            .chain(&memtable.removed_posts)
            .copied();
        let mut ids: Vec<PostId> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        for ids in ids.chunks(POSTS_PACKED_MAX) {
            self.disk.put_posts(&packed_posts(memtable, ids)?)?;
        }
        Ok(())
    }

    fn write_indexes(&self, memtable: &Memtable) -> Result<(), DiskError> {
        for (hash, id) in sorted(&memtable.uris) {
            let bytes = id.map(|id| id.number().to_be_bytes().to_vec());
            self.write_row(Tree::Uris, &hash.to_be_bytes(), bytes)?;
        }
        for (key, ops) in sorted(&memtable.lists) {
            let stored = self.disk.get(Tree::Lists, key)?;
            let merged = merge(posting_list(stored.as_deref())?, ops, INDEX_LENGTH_MAX);
            let is_empty = merged.ids.is_empty() && merged.floor == PostId::MIN;
            self.write_row(Tree::Lists, key, (!is_empty).then(|| merged.pack()))?;
        }
        Ok(())
    }

    fn write_early_removals(&self, memtable: &Memtable) -> Result<(), DiskError> {
        for (hash, removal) in sorted(&memtable.pending) {
            let bytes = packed(removal.as_ref(), postcard::to_stdvec)?;
            self.write_row(Tree::EarlyRemovals, &hash.to_be_bytes(), bytes)?;
        }
        Ok(())
    }

    fn write_relations(&self, memtable: &Memtable) -> Result<(), DiskError> {
        for (key, document) in sorted(&memtable.relations) {
            self.write_row(Tree::Relations, key, document.clone())?;
        }
        Ok(())
    }

    fn write_origins(&self, memtable: &Memtable) -> Result<(), DiskError> {
        for (host, bytes) in sorted(&memtable.origins) {
            self.write_row(Tree::Origins, host.as_bytes(), bytes.clone())?;
        }
        Ok(())
    }

    fn write_actors(&self, memtable: &Memtable) -> Result<(), DiskError> {
        for (hash, actor) in sorted(&memtable.actors) {
            let bytes = packed(actor.as_ref(), |actor| actor.pack())?;
            self.write_row(Tree::Actors, &hash.to_be_bytes(), bytes)?;
        }
        Ok(())
    }

    fn write_followers(&self, memtable: &Memtable) -> Result<(), DiskError> {
        for (hash, followers) in sorted(&memtable.followers) {
            let bytes = packed(followers.as_ref(), |followers| followers.pack())?;
            self.write_row(Tree::Followers, &hash.to_be_bytes(), bytes)?;
        }
        Ok(())
    }

    /// Makes all that was written durable, and only then writes the offsets that it reflects.
    fn write_offsets(&self, reflects: &CheckpointState) -> Result<(), DiskError> {
        self.disk.sync()?;
        // Not synced itself: should a power loss take it, the log is read again from the offsets before.
        self.put_meta(TAKEN, &reflects.taken)?;
        let reflects = reflects
            .pack()
            .map_err(|source| DiskError::Pack { source })?;
        self.disk.put(Tree::Meta, OFFSETS.as_bytes(), reflects)?;
        self.disk.flush()
    }

    /// Ends the checkpoint for look-ups: its posts are cached from now on, and nothing is being written any more.
    fn move_to_cache(&self, memtable: &Memtable) {
        // Before the cache is filled: a look-up that began earlier does not cache what it read.
        {
            let _nobody_inserts = self.flushing.write();
            self.checkpoints.fetch_add(1, Ordering::Release);
        }
        for (id, post) in &memtable.posts {
            self.cache.insert(*id, Arc::clone(post));
        }
        for id in &memtable.removed_posts {
            self.cache.remove(id);
        }
        *self.flushing.write() = None;
    }

    /// Sets the value of a key, or with `None` removes it.
    fn write_row(&self, tree: Tree, key: &[u8], value: Option<Vec<u8>>) -> Result<(), DiskError> {
        match value {
            Some(value) => self.disk.put(tree, key, value),
            None => self.disk.remove(tree, key),
        }
    }

    /// Writes homes on as many threads as there are cores (at most [`THREADS_MAX`]), each a run of keys of its own.
    fn write_homes(
        &self,
        homes: &[FlushingHome],
        shown: &VisibleUpTo<'_>,
    ) -> Result<Written, DiskError> {
        let threads = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(THREADS_MAX);
        let share = homes.len().div_ceil(threads).max(SHARE_MIN);
        std::thread::scope(|scope| {
            let shares: Vec<_> = homes
                .chunks(share)
                .map(|share| scope.spawn(move || self.write_share(share, shown)))
                .collect();
            let mut written = Written::default();
            for share in shares {
                written += share
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            Ok(written)
        })
    }

    fn write_share(
        &self,
        homes: &[FlushingHome],
        shown: &VisibleUpTo<'_>,
    ) -> Result<Written, DiskError> {
        give_way();
        let mut written = Written::default();
        for home in homes {
            written += self.write_feed(&home.key, home.delta(), shown(home.account()))?;
            self.homes.flushed(home);
        }
        Ok(written)
    }

    /// Writes the feeds that are not homes.
    fn write_others(&self, feeds: &Feeds, shown: &VisibleUpTo<'_>) -> Result<Written, DiskError> {
        let keyed = feeds.iter().map(|(id, delta)| (other_key(id), id, delta));
        let mut keyed: Vec<_> = keyed.collect();
        keyed.sort_unstable_by(|(a, ..), (b, ..)| a.cmp(b));
        let mut written = Written::default();
        for (key, id, delta) in keyed {
            let shown = id.account().map_or(PostId::MAX, shown);
            written += self.write_feed(&key, delta, shown)?;
        }
        self.others.flushed();
        Ok(written)
    }
}

/// Lowers this thread's priority: readers, who are waited for, come before the writing, which nobody waits for. (On Linux
/// a priority is a thread's, whatever POSIX says: setpriority(2), "Bugs".)
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, WRITERS_NICE) {
        tracing::debug!(%error, "the writers of a checkpoint keep their priority");
    }
}

fn packed_posts(memtable: &Memtable, ids: &[PostId]) -> Result<Vec<PostWrite>, DiskError> {
    let pack = |id: &PostId| {
        let post = packed(memtable.posts.get(id), |post| post_block::encode(post))?;
        Ok((*id, post))
    };
    ids.iter().map(pack).collect()
}

/// A row's value in bytes; none for a row that is to be removed.
fn packed<T>(
    value: Option<&T>,
    pack: impl FnOnce(&T) -> Result<Vec<u8>, postcard::Error>,
) -> Result<Option<Vec<u8>>, DiskError> {
    let bytes = value.map(pack).transpose();
    bytes.map_err(|source| DiskError::Pack { source })
}

/// Rows in the order of their keys, in which sled writes them fastest.
fn sorted<K: Ord, V>(map: &HashMap<K, V>) -> Vec<(&K, &V)> {
    let mut rows: Vec<_> = map.iter().collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::post::example::post;
    use crate::feed::store::{Index, Options};
    use crate::graph::versions::{Stamp, Version, Versions};
    use slackwater_order::time::Time;

    /// Were this to fail, what comes while a checkpoint is written would be lost, or what is being written not be found.
    #[test]
    fn a_checkpoint_writes_what_was_there_when_it_began_and_leaves_the_rest_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Options::of_tests(folder.path())).unwrap();
        let place = |n: u64| PostId::from_number(n << 16).unwrap();
        let put = |n: u64| {
            let mut post = post("https://a.example/users/ana");
            post.id = place(n);
            post.body.uri = format!("https://a.example/{n}");
            let mut said = Versions::default();
            said.replace(Version {
                stamp: Stamp {
                    partition: 0,
                    offset: 0,
                    time: Time::default(),
                },
                document: Some(Vec::new()),
            });
            let key = format!("7/follow/{n}").into_bytes();
            store.put_relation(key, &said).unwrap();
            store.put_post(post);
        };
        let check = |of: &[u64]| {
            let listed = store.list(Index::Author, "https://a.example/users/ana");
            assert_eq!(
                listed.unwrap(),
                of.iter().copied().map(place).collect::<Vec<_>>()
            );
            let keys = of.iter().map(|n| format!("7/follow/{n}").into_bytes());
            assert_eq!(
                store.relation_keys(b"7/").unwrap(),
                keys.collect::<Vec<_>>()
            );
            for n in of {
                let found = store
                    .post_by_uri(&format!("https://a.example/{n}"))
                    .unwrap();
                assert_eq!(found.unwrap().id, place(*n));
            }
        };
        put(1);
        let taken = store.take_out();
        put(2);
        check(&[1, 2]);
        store
            .write_out(taken, &CheckpointState::default(), &|_| PostId::MAX)
            .unwrap();
        check(&[1, 2]);
        let (stored, _) = store.stored_posts(PostId::MIN, 10).unwrap();
        assert_eq!(stored.len(), 1, "the other came later");
    }
}
