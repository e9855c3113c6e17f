//! Home feeds in memory: what is new in each since the last checkpoint. What is stored is `disk`'s.
//!
//! A checkpoint moves what is new into `flushing`, writes it, and drops it; a reader merges stored, flushing and new, in that
//! order, and sees the same feed at any moment of it. Homes stand in chunks, each with a lock of its own,
//! so that neither a fan-out nor a reader holds up the rest.

use crate::feed::feed_delta::FeedDelta;
use crate::feed::feed_op::FeedOp;
use crate::feed::ordered_feed::{OrderedFeed, RelationChange};
use crate::feed::watchers::Watchers;
use crate::graph::AccountIx;
use parking_lot::{Mutex, RwLock, RwLockWriteGuard};
use slackwater_order::place::PostId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const CHUNK: usize = 1024;

/// With so many ops to take in, a feed takes long to read: it is folded.
pub(super) const LONG_AT: usize = 1_000;

#[derive(Debug)]
struct Home {
    /// The key it is stored under.
    key: Arc<[u8]>,
    new: FeedDelta,
    /// Whether it is among its chunk's touched.
    is_touched: bool,
    flushing: Option<Arc<FeedDelta>>,
}

#[derive(Debug, Default)]
struct Chunk {
    homes: Vec<Home>,
    /// Those with something new, by their number in the chunk, each once.
    touched: Vec<u32>,
}

/// All home feeds, by account.
#[derive(Debug, Default)]
pub struct HomeMemtable {
    chunks: RwLock<Vec<Arc<RwLock<Chunk>>>>,
    unwritten: AtomicUsize,
    /// Homes that became long since the last fold.
    long: Mutex<Vec<AccountIx>>,
    /// Those that are watched by readers.
    pub watchers: Watchers,
    /// Insertions below this place are written down in `watched`: a sweep is under way.
    watch_below: AtomicU64,
    watched: Mutex<Vec<PostId>>,
}

/// What a home's feed is made of at one moment, to be merged with what is stored under `key`.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The key it is stored under.
    pub key: Arc<[u8]>,
    flushing: Option<Arc<FeedDelta>>,
    new: FeedDelta,
}

/// A home that a checkpoint writes.
#[derive(Debug)]
pub struct FlushingHome {
    account: AccountIx,
    /// The key it is stored under.
    pub key: Arc<[u8]>,
    delta: Arc<FeedDelta>,
}

impl HomeMemtable {
    /// Makes room for the next account; they come in order. `key` is what its home is stored under.
    pub fn add(&self, account: AccountIx, key: Vec<u8>) {
        let mut chunks = self.chunks.write();
        if chunks.len() <= account.number() / CHUNK {
            chunks.push(Arc::default());
        }
        if let Some(chunk) = chunks.last() {
            chunk.write().homes.push(Home {
                key: key.into(),
                new: FeedDelta::default(),
                is_touched: false,
                flushing: None,
            });
        }
    }

    /// Does `ops` to each home of `accounts`, which are ascending.
    pub fn apply(&self, accounts: &[AccountIx], ops: &[FeedOp]) {
        let chunks = self.chunks.read();
        let mut rest = accounts;
        while let Some(first) = rest.first() {
            let number = first.number() / CHUNK;
            let here = rest.partition_point(|account| account.number() / CHUNK <= number);
            let (now, later) = rest.split_at(here.max(1));
            if let Some(chunk) = chunks.get(number) {
                let mut chunk = chunk.write();
                for account in now {
                    if let Some(home) = touch(&mut chunk, account.number() % CHUNK)
                        && home.push(ops, LONG_AT)
                    {
                        self.long.lock().push(*account);
                    }
                }
            }
            rest = later;
        }
        self.unwritten
            .fetch_add(accounts.len() * ops.len(), Ordering::Relaxed);
        self.watchers.mark_changed(accounts);
        self.record_watched_ops(ops);
    }

    /// From now on, writes down insertions below this place; at the lowest place, stops.
    pub fn watch_below(&self, place: PostId) {
        self.watch_below.store(place.number(), Ordering::Relaxed);
    }

    /// What was written down since the last call.
    pub fn watched(&self) -> Vec<PostId> {
        std::mem::take(&mut *self.watched.lock())
    }

    /// Remembers a change of relations in one home.
    pub(super) fn add_relation_change(&self, account: AccountIx, change: RelationChange) {
        self.with(account, |home| {
            home.relation_changes.get_or_insert_default().push(change);
        });
        self.unwritten.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts a whole feed in the place of what was there.
    pub(super) fn replace(&self, account: AccountIx, feed: OrderedFeed) {
        self.record_watched(feed.ids.iter().copied());
        self.unwritten
            .fetch_add(feed.ids.len() + 1, Ordering::Relaxed);
        self.with(account, |home| {
            *home = FeedDelta {
                base: Some(Arc::new(feed)),
                ..FeedDelta::default()
            }
        });
    }

    /// Puts a home's feed as it is now in the place of what waits to be taken in.
    pub(super) fn fold(&self, account: AccountIx, feed: OrderedFeed) {
        let weight = feed.ids.len() + 1;
        let mut before = 0;
        self.with(account, |home| before = home.fold(feed));
        self.unwritten.fetch_add(weight, Ordering::Relaxed);
        self.unwritten.fetch_sub(before, Ordering::Relaxed);
    }

    /// How many things wait to be taken into a home.
    #[cfg(test)]
    pub(super) fn waiting(&self, account: AccountIx) -> usize {
        self.parts(account).map_or(0, |parts| parts.new.ops.len())
    }

    /// Those that have become long since the last call.
    pub(super) fn long(&self) -> Vec<AccountIx> {
        std::mem::take(&mut *self.long.lock())
    }

    /// What a home is made of now. None for an account that was never added.
    pub fn parts(&self, account: AccountIx) -> Option<Parts> {
        let chunk = Arc::clone(self.chunks.read().get(account.number() / CHUNK)?);
        let chunk = chunk.read();
        let home = chunk.homes.get(account.number() % CHUNK)?;
        Some(Parts {
            key: Arc::clone(&home.key),
            flushing: home.flushing.clone(),
            new: home.new.clone(),
        })
    }

    /// How many entries wait for a checkpoint.
    pub fn unwritten(&self) -> usize {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// Begins a checkpoint: everything new is being flushed now. Returns the homes to be written.
    pub fn begin_flush(&self) -> Vec<FlushingHome> {
        self.unwritten.store(0, Ordering::Relaxed);
        let mut all = Vec::new();
        let chunks = self.chunks.read().clone();
        for (number, chunk) in chunks.iter().enumerate() {
            let mut chunk = chunk.write();
            let touched = std::mem::take(&mut chunk.touched);
            for at in touched {
                let Some(home) = chunk.homes.get_mut(at as usize) else {
                    continue;
                };
                home.is_touched = false;
                let delta = Arc::new(std::mem::take(&mut home.new));
                home.flushing = Some(Arc::clone(&delta));
                let account = AccountIx::from_number(number * CHUNK + at as usize);
                all.push(FlushingHome {
                    account,
                    key: Arc::clone(&home.key),
                    delta,
                });
            }
        }
        all
    }

    /// Ends a home's part in the checkpoint: it is stored.
    pub fn flushed(&self, flushing: &FlushingHome) {
        let Some(chunk) = self
            .chunks
            .read()
            .get(flushing.account.number() / CHUNK)
            .cloned()
        else {
            return;
        };
        if let Some(home) = chunk
            .write()
            .homes
            .get_mut(flushing.account.number() % CHUNK)
        {
            home.flushing = None;
        }
    }

    /// Writes down what these insert, if it is to be: for feeds that are not homes too.
    pub(super) fn record_watched_ops(&self, ops: &[FeedOp]) {
        self.record_watched(ops.iter().filter_map(|op| op.inserts()));
    }

    /// As [`Self::record_watched_ops`], of places.
    pub(super) fn record_watched(&self, ids: impl Iterator<Item = PostId>) {
        let below = self.watch_below.load(Ordering::Relaxed);
        if below != 0 {
            self.watched
                .lock()
                .extend(ids.filter(|id| id.number() < below));
        }
    }

    fn with(&self, account: AccountIx, change: impl FnOnce(&mut FeedDelta)) {
        self.watchers.mark_changed(&[account]);
        let chunk = self.chunks.read().get(account.number() / CHUNK).cloned();
        if let Some(home) = chunk
            .as_ref()
            .map(|chunk| chunk.write())
            .as_mut()
            .and_then(|c| touch(c, account.number() % CHUNK))
        {
            change(home);
        }
    }
}

fn touch<'a>(chunk: &'a mut RwLockWriteGuard<'_, Chunk>, at: usize) -> Option<&'a mut FeedDelta> {
    let Chunk { homes, touched } = &mut **chunk;
    let home = homes.get_mut(at)?;
    if !home.is_touched {
        home.is_touched = true;
        touched.push(u32::try_from(at).unwrap_or(u32::MAX));
    }
    Some(&mut home.new)
}

impl Parts {
    /// The feed: `stored`, then what is being flushed, then what is new. Not trimmed.
    pub fn onto(&self, stored: OrderedFeed) -> OrderedFeed {
        let left = match &self.flushing {
            Some(flushing) if self.new.base.is_none() => flushing.onto(stored),
            _ => stored,
        };
        self.new.onto(left)
    }
}

impl FlushingHome {
    /// Its account.
    pub fn account(&self) -> AccountIx {
        self.account
    }

    /// What is new in it.
    pub(super) fn delta(&self) -> &FeedDelta {
        &self.delta
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::offsets::LogPos;
    use slackwater_order::place::PostId;

    fn ids(homes: &HomeMemtable, account: AccountIx) -> Vec<u64> {
        let feed = homes.parts(account).unwrap().onto(OrderedFeed::default());
        feed.ids.iter().map(|id| id.number()).collect()
    }

    /// Were this to fail, a reader would see a feed without its newest entries while a checkpoint writes them.
    #[test]
    fn what_is_leaving_is_seen_until_it_has_left() {
        let (homes, account) = (HomeMemtable::default(), AccountIx::from_number(0));
        homes.add(account, b"7".to_vec());
        let log_pos = LogPos::from_number(1).unwrap();
        let insert = |n| FeedOp::insert(PostId::from_number(n).unwrap(), log_pos);
        homes.apply(&[account], &[]);
        homes.apply(&[account], &[]);
        homes.apply(&[account], &[insert(5)]);
        let flushing = homes.begin_flush();
        assert_eq!(flushing.len(), 1);
        assert_eq!(ids(&homes, account), [5]);
        homes.apply(&[account], &[insert(4)]);
        assert_eq!(ids(&homes, account), [4, 5]);
        homes.flushed(&flushing[0]);
        assert_eq!(
            ids(&homes, account),
            [4],
            "what left is found where it is stored"
        );
        assert_eq!(homes.begin_flush().len(), 1);
    }
}
