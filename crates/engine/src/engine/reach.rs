//! The horizon does not retreat when an account follows an origin that is waited for longer, whichever node showed what was shown before.
//!
//! Until the follow is in force its feeds are held back by the hold before it, and no node that has not read it shows what arrived after it
//! ([`Engine::publish`](super::Engine::publish)). So whatever was shown of them anywhere ends at the time of its record minus that hold.
//! Each node takes that for reached, whether it showed anything itself or not.
//!
//! It is so as long as nodes wait alike for the origins. Learned windows may differ between nodes, which read partitions in other
//! interleavings, look at a window after other posts, and let it shrink by other clocks; then so may what they show.

use crate::graph::Graph;
use crate::kept::Kept;
use crate::relationship::{Change, Kind};
use crate::view::View;
use slackwater_order::horizon::horizon;
use slackwater_order::time::Time;

/// The hold of the account that follows somebody by this change, in milliseconds; none if it does not, if its feeds are not held back
/// at all, or if this is the only node: that one knows what it showed.
pub(super) fn hold_before(graph: &Graph, change: &Change, kept: &Kept) -> Option<i64> {
    if *kept == Kept::All || change.key.kind != Kind::Follow || change.relation.is_none() {
        return None;
    }
    match graph.account(&change.key.account) {
        Some(account) => (0 < graph.patience_ms(account)).then(|| graph.hold_ms(account)),
        // It may have been known elsewhere, by a partition that is read later here.
        None => (0 < graph.default_patience_ms()).then_some(0),
    }
}

/// A follow is in force that was said at `said`, and before it the hold was `hold_before`: what may have been shown by then counts as reached.
pub(super) fn reach_before_longer_hold(
    view: &View,
    change: &Change,
    hold_before: Option<i64>,
    said: Option<Time>,
) {
    let (Some(hold_before), Some(said)) = (hold_before, said) else {
        return;
    };
    let graph = view.graph.read();
    let Some(account) = graph.account(&change.key.account) else {
        return;
    };
    let patience = graph.patience_ms(account);
    if hold_before < graph.wait_ms(&change.key.target, patience)
        && let Some(shown) = horizon(patience, hold_before, said, said)
    {
        view.horizons.reach(&change.key.account, shown);
    }
}
