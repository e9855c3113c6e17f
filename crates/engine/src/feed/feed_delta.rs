//! The changes of one feed since it was stored. Pure.

use crate::feed::feed_op::FeedOp;
use crate::feed::ordered_feed::{OrderedFeed, RelationChange};
use std::sync::Arc;

/// The changes of one feed since it was stored.
#[derive(Clone, Debug, Default)]
pub(super) struct FeedDelta {
    /// If set, this stands in the place of what is stored.
    pub(super) base: Option<Arc<OrderedFeed>>,
    /// Oldest first.
    pub(super) ops: Vec<FeedOp>,
    #[allow(clippy::box_collection)] // rare: a pointer is all it costs the feeds without
    /// Changes of relations, oldest first.
    pub(super) relation_changes: Option<Box<Vec<RelationChange>>>,
}

impl FeedDelta {
    /// Adds `ops`. Returns whether the delta has become `long` ops long by it.
    pub(super) fn push(&mut self, ops: &[FeedOp], long: usize) -> bool {
        let was_long = long <= self.ops.len();
        self.ops.extend_from_slice(ops);
        !was_long && long <= self.ops.len()
    }

    /// Puts the whole feed in the place of the delta. Returns what the delta counted for among the entries that wait.
    pub(super) fn fold(&mut self, feed: OrderedFeed) -> usize {
        let base = self.base.as_ref().map_or(0, |base| base.ids.len() + 1);
        let before = base
            + self.ops.len()
            + self
                .relation_changes
                .as_ref()
                .map_or(0, |changes| changes.len());
        *self = FeedDelta {
            base: Some(Arc::new(feed)),
            ..FeedDelta::default()
        };
        before
    }

    /// How many entries it changes.
    pub(super) fn weight(&self) -> usize {
        self.ops.len() + self.base.as_ref().map_or(0, |base| base.ids.len())
    }

    /// The feed: `stored` with the delta applied.
    pub(super) fn onto(&self, stored: OrderedFeed) -> OrderedFeed {
        let mut feed = match &self.base {
            Some(base) => (**base).clone(),
            None => stored,
        };
        feed.take_in(&self.ops);
        let changes = self.relation_changes.iter();
        for change in changes.flat_map(|changes| changes.iter()) {
            feed.add_relation_change(change.clone());
        }
        feed
    }
}
