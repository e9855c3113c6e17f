//! Removes from a feed what the rules no longer let in. In steps, as a merge goes.

use crate::feed::fan_out::original_of;
use crate::feed::feed_id::FeedId;
use crate::feed::feed_op::FeedOp;
use crate::feed::merge::{MergeCause, POSTS_STEP, Progress, has_left};
use crate::feed::rules::{Subject, is_in_feed};
use crate::feed::store::Store;
use crate::feed::store::disk::DiskError;
use crate::graph::Graph;
use slackwater_order::place::PostId;

/// A pruning under way.
#[derive(Debug)]
pub struct Pruning {
    /// Entries at or above this place are decided; none is yet where there is no place. What entered above it since was
    /// decided about as it entered.
    below: Option<PostId>,
}

impl Pruning {
    /// Begins to take out of a feed what does not belong there.
    pub fn new() -> Pruning {
        Pruning { below: None }
    }

    /// Goes on with it.
    pub fn step(
        &mut self,
        store: &Store,
        graph: &Graph,
        feed: &FeedId,
        cause: &MergeCause,
    ) -> Result<Progress, DiskError> {
        let Some(of) = feed.account().and_then(|account| graph.get(account)) else {
            return Ok(Progress::Done);
        };
        let there = store.feed(feed)?;
        let below = self.below;
        // A trimmed entry hides repeats, and must not once it does not belong in the feed.
        let fallen = there.fallen().into_iter().rev();
        let all = there.newest_first().chain(fallen);
        let left = all.filter(|id| below.is_none_or(|below| *id < below));
        let (mut leaving, mut looked_at) = (Vec::new(), 0);
        for id in left.take(POSTS_STEP) {
            looked_at += 1;
            self.below = Some(id);
            let leaves = cause
                .marks
                .iter()
                .map(|log_pos| FeedOp::remove(id, *log_pos));
            let Some(post) = store.post(id)? else {
                leaving.extend(leaves);
                continue;
            };
            let original = original_of(store, &post)?;
            let subject = Subject::new(&post, original.as_deref(), graph);
            if !is_in_feed(&subject, feed, Some(of)) {
                leaving.extend(leaves);
                // An edit may have a part in it that another node read after the relation.
                leaving.extend(has_left(&post, original.as_deref()));
            }
        }
        store.apply(feed.clone(), &leaving)?;
        Ok(if looked_at < POSTS_STEP {
            Progress::Done
        } else {
            Progress::Going
        })
    }
}

impl Default for Pruning {
    fn default() -> Pruning {
        Pruning::new()
    }
}
