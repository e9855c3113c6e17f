//! Feeds that are not homes, in memory: lists, hashtags, the public feeds. What is new in each since the last
//! checkpoint; what is stored is `disk`'s.
//!
//! There may be very many, most of them quiet, so only those with something new take memory. What is new, what is
//! leaving and what is stored merge as homes do.

use crate::feed::feed_delta::FeedDelta;
use crate::feed::ordered_feed::{FeedOp, OrderedFeed, RelationChange};
use crate::feed::store::home_memtable::LONG_AT;
use crate::graph::AccountIx;
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Which feed, of those that are not homes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// An account's list.
    List {
        /// Whose.
        account: AccountIx,
        /// The backend's id of the account.
        of: Box<str>,
        /// The backend's id of the list.
        list: Box<str>,
    },
    /// A hashtag's.
    Tag(Box<str>),
    /// Everybody's.
    Public(Part),
}

/// Which part of the public feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// All of it.
    All,
    /// Posts by local accounts.
    Local,
    /// Posts from elsewhere.
    Remote,
}

impl Name {
    /// The name of an account's list.
    pub fn list(account: AccountIx, of: &str, list: &str) -> Name {
        Name::List {
            account,
            of: of.into(),
            list: list.into(),
        }
    }

    /// Whose list it is, if it is one.
    pub fn account(&self) -> Option<AccountIx> {
        match self {
            Name::List { account, .. } => Some(*account),
            Name::Tag(_) | Name::Public(_) => None,
        }
    }
}

/// What is new in each feed.
pub(super) type Feeds = HashMap<Name, FeedDelta>;

/// What is new in feeds that are not homes.
#[derive(Debug, Default)]
pub struct Named {
    new: RwLock<Feeds>,
    leaving: RwLock<Option<Arc<Feeds>>>,
    unwritten: AtomicUsize,
    /// Those that are long, as they were noted since they were last asked for.
    long: Mutex<Vec<Name>>,
}

impl Named {
    /// Does `ops` to a feed. Its name, if it is long to look at from now on.
    pub(super) fn apply(&self, name: Name, ops: &[FeedOp]) -> Option<Name> {
        self.unwritten.fetch_add(ops.len(), Ordering::Relaxed);
        let mut new = self.new.write();
        match new.get_mut(&name) {
            Some(feed) => feed.push(ops, LONG_AT).then_some(name),
            None => {
                new.entry(name).or_default().push(ops, LONG_AT);
                None
            }
        }
    }

    /// It is long, and to be folded.
    pub(super) fn note_long(&self, name: Name) {
        self.long.lock().push(name);
    }

    /// Puts a feed as it is now in the place of what waits to be taken in.
    pub(super) fn fold(&self, name: Name, feed: OrderedFeed) {
        let weight = feed.ids.len() + 1;
        let mut before = 0;
        self.with(name, |there| before = there.fold(feed));
        self.unwritten.fetch_add(weight, Ordering::Relaxed);
        self.unwritten.fetch_sub(before, Ordering::Relaxed);
    }

    /// Those that were noted since the last call.
    pub(super) fn long(&self) -> Vec<Name> {
        std::mem::take(&mut *self.long.lock())
    }

    /// Remembers a change of relations in a feed.
    pub(super) fn turn(&self, name: Name, turn: RelationChange) {
        self.unwritten.fetch_add(1, Ordering::Relaxed);
        self.with(name, |feed| feed.turns.get_or_insert_default().push(turn));
    }

    /// Puts a whole feed in the place of what was there.
    pub(super) fn replace(&self, name: Name, feed: OrderedFeed) {
        self.unwritten
            .fetch_add(feed.ids.len() + 1, Ordering::Relaxed);
        let base = Some(Arc::new(feed));
        self.with(name, |there| {
            *there = FeedDelta {
                base,
                ..FeedDelta::default()
            };
        });
    }

    /// A feed as it is now; `stored` reads what is stored.
    pub(super) fn read<E>(
        &self,
        name: &Name,
        stored: impl FnOnce() -> Result<OrderedFeed, E>,
    ) -> Result<OrderedFeed, E> {
        // In the order in which things move, so that nothing falls between.
        let new = self.new.read().get(name).cloned();
        let leaving = self.leaving.read().clone();
        let mut feed = stored()?;
        if let Some(leaving) = leaving.as_ref().and_then(|feeds| feeds.get(name)) {
            feed = leaving.onto(feed);
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

    /// Begins a checkpoint: everything new is leaving now.
    pub(super) fn leave(&self) -> Arc<Feeds> {
        let mut new = self.new.write();
        self.unwritten.store(0, Ordering::Relaxed);
        let feeds = Arc::new(std::mem::take(&mut *new));
        *self.leaving.write() = Some(Arc::clone(&feeds));
        feeds
    }

    /// Ends it: what was leaving is stored.
    pub(super) fn left(&self) {
        *self.leaving.write() = None;
    }

    fn with(&self, name: Name, change: impl FnOnce(&mut FeedDelta)) {
        change(self.new.write().entry(name).or_default());
    }
}
