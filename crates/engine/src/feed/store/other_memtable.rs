//! Feeds that are not homes, in memory: lists, hashtags, the public feeds. What is new in each since the last
//! checkpoint; what is stored is `disk`'s.
//!
//! There may be very many, most of them quiet, so only those with something new take memory. What is new, what is being
//! flushed and what is stored merge as in homes.

use crate::feed::feed_delta::FeedDelta;
use crate::feed::feed_id::FeedId;
use crate::feed::feed_op::FeedOp;
use crate::feed::ordered_feed::{OrderedFeed, RelationChange};
use crate::feed::store::home_memtable::LONG_AT;
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is new in each feed.
pub(super) type Feeds = HashMap<FeedId, FeedDelta>;

/// What is new in feeds that are not homes.
#[derive(Debug, Default)]
pub(super) struct OtherMemtable {
    new: RwLock<Feeds>,
    flushing: RwLock<Option<Arc<Feeds>>>,
    unwritten: AtomicUsize,
    /// Feeds that became long since the last fold.
    long: Mutex<Vec<FeedId>>,
}

impl OtherMemtable {
    /// Does `ops` to a feed. Returns its name if it has become long by them.
    pub(super) fn apply(&self, id: FeedId, ops: &[FeedOp]) -> Option<FeedId> {
        self.unwritten.fetch_add(ops.len(), Ordering::Relaxed);
        let mut new = self.new.write();
        match new.get_mut(&id) {
            Some(feed) => feed.push(ops, LONG_AT).then_some(id),
            None => {
                new.entry(id).or_default().push(ops, LONG_AT);
                None
            }
        }
    }

    /// Adds a feed that is long, and to be folded.
    pub(super) fn add_long(&self, id: FeedId) {
        self.long.lock().push(id);
    }

    /// Puts a feed as it is now in the place of what waits to be taken in.
    pub(super) fn fold(&self, id: FeedId, feed: OrderedFeed) {
        let weight = feed.ids.len() + 1;
        let mut before = 0;
        self.with(id, |there| before = there.fold(feed));
        self.unwritten.fetch_add(weight, Ordering::Relaxed);
        self.unwritten.fetch_sub(before, Ordering::Relaxed);
    }

    /// Feeds that became long since the last call.
    pub(super) fn long(&self) -> Vec<FeedId> {
        std::mem::take(&mut *self.long.lock())
    }

    /// Remembers a change of relations in a feed.
    pub(super) fn add_relation_change(&self, id: FeedId, change: RelationChange) {
        self.unwritten.fetch_add(1, Ordering::Relaxed);
        self.with(id, |delta| {
            delta.relation_changes.get_or_insert_default().push(change);
        });
    }

    /// Puts a whole feed in the place of what was there.
    pub(super) fn replace(&self, id: FeedId, feed: OrderedFeed) {
        self.unwritten
            .fetch_add(feed.ids.len() + 1, Ordering::Relaxed);
        let base = Some(Arc::new(feed));
        self.with(id, |there| {
            *there = FeedDelta {
                base,
                ..FeedDelta::default()
            };
        });
    }

    /// A feed as it is now; `stored` reads what is stored.
    pub(super) fn read<E>(
        &self,
        id: &FeedId,
        stored: impl FnOnce() -> Result<OrderedFeed, E>,
    ) -> Result<OrderedFeed, E> {
        // In the order in which things move, so that nothing falls between.
        let new = self.new.read().get(id).cloned();
        let flushing = self.flushing.read().clone();
        let mut feed = stored()?;
        if let Some(flushing) = flushing.as_ref().and_then(|feeds| feeds.get(id)) {
            feed = flushing.onto(feed);
        }
        Ok(match new {
            Some(new) => new.onto(feed),
            None => feed,
        })
    }

    /// How many entries wait for a checkpoint.
    pub(super) fn unwritten(&self) -> usize {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// Begins a checkpoint: everything new is being flushed now.
    pub(super) fn begin_flush(&self) -> Arc<Feeds> {
        let mut new = self.new.write();
        self.unwritten.store(0, Ordering::Relaxed);
        let feeds = Arc::new(std::mem::take(&mut *new));
        *self.flushing.write() = Some(Arc::clone(&feeds));
        feeds
    }

    /// Ends it: what was being flushed is stored.
    pub(super) fn flushed(&self) {
        *self.flushing.write() = None;
    }

    fn with(&self, id: FeedId, change: impl FnOnce(&mut FeedDelta)) {
        change(self.new.write().entry(id).or_default());
    }
}
