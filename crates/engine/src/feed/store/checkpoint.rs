//! What is new into the data folder, in the order that lets a crash cut it off anywhere.

use super::feeds::other_key;
use super::last_seen::Rows;
use super::{INDEX_LENGTH_MAX, Memtable, OFFSETS, Store, TAKEN, segment};
use crate::feed::reevaluate::Unfinished;
use crate::feed::store::disk::{DiskError, PostWrite, Tree};
use crate::feed::store::home_memtable::FlushingHome;
use crate::feed::store::other_memtable::Feeds;
use crate::feed::store::post_block;
use crate::feed::store::posting_list::merge;
use crate::graph::AccountIx;
use crate::record::Position;
use crate::record::fingerprint::Fingerprint;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::ops::AddAssign;
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

/// What of the log a checkpoint reflects.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CheckpointState {
    /// Of each partition that was read, the next record to read.
    pub next: Vec<Position>,
    /// The newest `arrived` read: ages are measured against it.
    pub log_time: Time,
    /// What records that were read call for and is not done yet.
    pub again: Unfinished,
    /// Records that were taken, to tell by whether it still is the same log: of each partition the last before `next` that is
    /// known. In a row of its own, so that folders that were written without them are read as ever. To be written with those
    /// of the checkpoint before, which are the ones that count if a crash comes between the two rows.
    #[serde(skip)]
    pub taken: Vec<Fingerprint>,
}

impl CheckpointState {
    /// As it is stored: in one row, so that a crash leaves all of it or nothing.
    fn pack(&self) -> Result<Vec<u8>, postcard::Error> {
        let bytes = postcard::to_stdvec(self)?;
        match self.again.changed.is_empty() {
            true => Ok(bytes),
            false => postcard::to_extend(&self.again.changed, bytes),
        }
    }

    /// Reads what was stored. None if the bytes are not that.
    pub(super) fn read(bytes: &[u8]) -> Option<CheckpointState> {
        let (mut reflects, rest): (CheckpointState, _) = postcard::take_from_bytes(bytes).ok()?;
        if !rest.is_empty() {
            reflects.again.changed = postcard::from_bytes(rest).ok()?;
        }
        Some(reflects)
    }
}

/// Up to which place an account's feed is shown.
pub type VisibleUpTo<'a> = dyn Fn(AccountIx) -> PostId + Sync + 'a;

/// What one checkpoint wrote.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    /// Posts.
    pub posts: usize,
    /// Feeds.
    pub homes: usize,
    /// Entries brought into them.
    pub entries: usize,
    /// Entries that stood at or below a full feed's floor and did not enter.
    pub below_floor: u64,
}

impl AddAssign for Written {
    fn add_assign(&mut self, more: Written) {
        self.posts += more.posts;
        self.homes += more.homes;
        self.entries += more.entries;
        self.below_floor += more.below_floor;
    }
}

/// What a checkpoint writes.
#[derive(Debug)]
pub struct FlushBatch {
    fresh: Arc<Memtable>,
    homes: Vec<FlushingHome>,
    others: Arc<Feeds>,
}

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

    /// Begins a checkpoint: all that is new now is leaving, and what comes from now on is left to the next. Not before what
    /// was taken out last has been written.
    pub fn take_out(&self) -> FlushBatch {
        let fresh = {
            // Both locks at once: a reader who finds nothing in `fresh` waits here until it can look in `leaving`.
            let mut leaving = self.leaving.write();
            let fresh = Arc::new(std::mem::take(&mut *self.fresh.write()));
            *leaving = Some(Arc::clone(&fresh));
            fresh
        };
        self.unwritten_bytes.store(0, Ordering::Relaxed);
        self.unwritten_indexed.store(0, Ordering::Relaxed);
        FlushBatch {
            fresh,
            homes: self.homes.leave(),
            others: self.others.leave(),
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
            fresh,
            mut homes,
            others,
        } = taken;
        homes.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let mut written = Written {
            posts: fresh.posts.len(),
            ..Written::default()
        };

        let mut ids: Vec<PostId> = fresh
            .posts
            .keys()
            .chain(&fresh.removed_posts)
            .copied()
            .collect();
        ids.sort_unstable();
        ids.dedup();
        for ids in ids.chunks(POSTS_PACKED_MAX) {
            self.disk.put_posts(&packed_posts(&fresh, ids)?)?;
        }
        for (hash, id) in sorted(&fresh.uris) {
            let key = hash.to_be_bytes();
            match id {
                Some(id) => self
                    .disk
                    .put(Tree::Uris, &key, id.number().to_be_bytes().to_vec())?,
                None => self.disk.remove(Tree::Uris, &key)?,
            }
        }
        for (key, ops) in sorted(&fresh.lists) {
            let stored = self.disk.get(Tree::Lists, key)?;
            let merged = merge(segment(stored.as_deref(), "lists")?, ops, INDEX_LENGTH_MAX);
            if merged.ids.is_empty() && merged.floor == PostId::MIN {
                self.disk.remove(Tree::Lists, key)?;
            } else {
                self.disk.put(Tree::Lists, key, merged.pack())?;
            }
        }
        for (hash, removal) in sorted(&fresh.pending) {
            match removal {
                Some(removal) => {
                    let bytes = postcard::to_stdvec(removal)
                        .map_err(|source| DiskError::Pack { source })?;
                    self.disk
                        .put(Tree::EarlyRemovals, &hash.to_be_bytes(), bytes)?;
                }
                None => self.disk.remove(Tree::EarlyRemovals, &hash.to_be_bytes())?,
            }
        }
        let last_seen = sorted(&fresh.last_seen);
        let last_seen = || last_seen.iter().map(|(id, seen)| (&***id, **seen));
        self.write_last_seen(last_seen(), Rows::OfAsleep)?;
        written += self.write_homes(&homes, shown)?;
        written += self.write_others(&others, shown)?;
        for (key, document) in sorted(&fresh.relations) {
            match document {
                Some(document) => self.disk.put(Tree::Relations, key, document.clone())?,
                None => self.disk.remove(Tree::Relations, key)?,
            }
        }
        for (host, bytes) in sorted(&fresh.origins) {
            let key = host.as_bytes();
            match bytes {
                Some(bytes) => self.disk.put(Tree::Origins, key, bytes.clone())?,
                None => self.disk.remove(Tree::Origins, key)?,
            }
        }
        for (hash, actor) in sorted(&fresh.actors) {
            let key = hash.to_be_bytes();
            match actor {
                Some(actor) => {
                    let bytes = actor.pack().map_err(|source| DiskError::Pack { source })?;
                    self.disk.put(Tree::Actors, &key, bytes)?;
                }
                None => self.disk.remove(Tree::Actors, &key)?,
            }
        }
        for (hash, followers) in sorted(&fresh.followers) {
            let key = hash.to_be_bytes();
            match followers {
                Some(followers) => {
                    let bytes = followers
                        .pack()
                        .map_err(|source| DiskError::Pack { source })?;
                    self.disk.put(Tree::Followers, &key, bytes)?;
                }
                None => self.disk.remove(Tree::Followers, &key)?,
            }
        }
        let reached = sorted(&fresh.reached);
        self.write_reached(reached.iter().map(|(id, at)| (&***id, **at)))?;
        self.write_last_seen(last_seen(), Rows::OfAwake)?;
        self.disk.sync()?;
        // Not synced itself: should a power loss take it, the log is read again from the offsets before.
        self.put_meta(TAKEN, &reflects.taken)?;
        let reflects = reflects
            .pack()
            .map_err(|source| DiskError::Pack { source })?;
        self.disk.put(Tree::Meta, OFFSETS.as_bytes(), reflects)?;
        self.disk.flush()?;

        // Before the cache is filled: a look-up that began earlier takes its own, older find out again.
        {
            let _nobody_inserts = self.leaving.write();
            self.checkpoints.fetch_add(1, Ordering::Release);
        }
        for (id, post) in &fresh.posts {
            self.cache.insert(*id, Arc::clone(post));
        }
        for id in &fresh.removed_posts {
            self.cache.remove(id);
        }
        *self.leaving.write() = None;
        Ok(written)
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
            self.homes.left(home);
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
        self.others.left();
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

fn packed_posts(fresh: &Memtable, ids: &[PostId]) -> Result<Vec<PostWrite>, DiskError> {
    let pack = |id: &PostId| {
        let post = fresh
            .posts
            .get(id)
            .map(|post| post_block::encode(post))
            .transpose();
        Ok((*id, post.map_err(|source| DiskError::Pack { source })?))
    };
    ids.iter().map(pack).collect()
}

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

    /// Were this to fail, a folder of the version before could not be read, or a crash would leave boosts where they do not belong.
    #[test]
    fn posts_whose_boosts_wait_are_stored_behind_what_was_stored_before_there_were_any() {
        let mut reflects = CheckpointState {
            log_time: Time::from_millis(7),
            ..CheckpointState::default()
        };
        let before = postcard::to_stdvec(&reflects).unwrap();
        assert_eq!(reflects.pack().unwrap(), before);
        let changed = postcard::from_bytes(&[9, 0, 4, 0, 8, 0, 1]);
        reflects.again.changed = vec![changed.unwrap()];
        let stored = reflects.pack().unwrap();
        assert!(stored.starts_with(&before));
        let read = CheckpointState::read(&stored).unwrap();
        assert_eq!(
            (read.log_time, read.again),
            (reflects.log_time, reflects.again)
        );
        let read = CheckpointState::read(&before).unwrap();
        assert_eq!(
            (read.log_time, read.again.changed),
            (reflects.log_time, Vec::new())
        );
        for cut in [0, before.len() - 1, before.len() + 1, stored.len() - 1] {
            assert!(CheckpointState::read(&stored[..cut]).is_none(), "{cut}");
        }
    }

    /// Were this to fail, what comes while a checkpoint is written would be lost, or what is being written not be found.
    #[test]
    fn a_checkpoint_writes_what_was_there_when_it_began_and_leaves_the_rest_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Options {
            path: folder.path().to_owned(),
            length: 10,
            boost_repeat_after: std::time::Duration::from_secs(86_400),
            unflushed_entries_max: 1_000,
            unflushed_bytes_max: 1 << 20,
            cache_bytes: 1 << 20,
        })
        .unwrap();
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
