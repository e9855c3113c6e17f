//! What a checkpoint writes, and what it has written.

use super::home_memtable::FlushingHome;
use super::memtable::Memtable;
use super::other_memtable::Feeds;
use crate::graph::AccountIx;
use slackwater_order::place::PostId;
use std::ops::AddAssign;
use std::sync::Arc;

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
    pub(super) memtable: Arc<Memtable>,
    pub(super) homes: Vec<FlushingHome>,
    pub(super) others: Arc<Feeds>,
}
