//! Accounts that nobody has seen for long fall asleep, and wake when they are read.
//!
//! One that sleeps has no feeds, gets no fan-out and no work for its relations, which are in force all the same: as a feed
//! is a function of posts and relations, waking is one merge of everyone it follows. What left its feeds while it slept
//! is not known to anybody, so a cursor from before is refused.

use super::feed_backlog::{FeedBacklog, blank};
use crate::feed::feed_id::FeedId;
use crate::feed::ordered_feed::OrderedFeed;
use crate::feed::store::disk::DiskError;
use crate::feed::store::{LastSeen, Store};
use crate::graph::AccountIx;
use crate::graph::Graph;
use crate::record::offsets::Offsets;
use crate::view::last_access::LastAccess;
use parking_lot::RwLock;
use slackwater_order::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// Accounts looked at in one step.
const ACCOUNTS_STEP: usize = 4_096;
/// Log time between the beginnings of two rounds: attendance knows no less.
const ROUND_EVERY: Duration = Duration::from_secs(3_600);

/// The round through all accounts, in steps between batches.
#[derive(Debug)]
pub(super) struct InactivityRound {
    inactive_after: Duration,
    begun: Option<Time>,
    /// The next account to be looked at; none between rounds.
    next: Option<usize>,
    /// In the first, what a checkpoint that was cut off left of the feeds of those that sleep goes.
    is_first: bool,
}

impl InactivityRound {
    /// No round has begun.
    pub(super) fn new(inactive_after: Duration) -> InactivityRound {
        InactivityRound {
            inactive_after,
            begun: None,
            next: None,
            is_first: true,
        }
    }

    /// Whether a step would do nothing. Before anything arrived there is no time.
    pub(super) fn is_resting(&self, log_time: Time) -> bool {
        if log_time < Time::EARLIEST {
            return true;
        }
        let is_due = |begun: Time| begun.plus(ROUND_EVERY) <= log_time;
        self.next.is_none() && !self.begun.is_none_or(is_due)
    }

    /// Puts those to sleep who are overdue, of some more accounts. Not to be called while the log is caught up with: ages
    /// would be measured by a clock that runs too fast.
    pub(super) fn step(
        &mut self,
        store: &Store,
        graph: &RwLock<Graph>,
        last_access: &LastAccess,
        backlog: &FeedBacklog,
        log_time: Time,
    ) -> Result<usize, DiskError> {
        if self.is_resting(log_time) {
            return Ok(0);
        }
        if self.next.is_none() {
            self.begun = Some(log_time);
            last_access.set_now(log_time);
        }
        let from = self.next.unwrap_or(0);
        let accounts = graph.read().accounts();
        let to = accounts.min(from + ACCOUNTS_STEP);
        let mut asleep = 0;
        for number in from..to {
            let account = AccountIx::from_number(number);
            if self.is_first {
                drop_leftovers(store, &graph.read(), account)?;
            }
            if !last_access.is_overdue(account, self.inactive_after)
                || backlog.has_work_for(account)
            {
                continue;
            }
            // Who watches and is told nothing does not look.
            if store.homes.watchers.is_watched(account) {
                last_access.note(account);
                continue;
            }
            asleep += usize::from(drop_feeds(store, graph, last_access, account));
        }
        self.next = Some(to).filter(|to| *to < accounts);
        self.is_first &= self.next.is_some();
        Ok(asleep)
    }
}

/// Takes an account's feeds away, unless it is gone altogether.
pub(super) fn drop_feeds(
    store: &Store,
    graph: &RwLock<Graph>,
    last_access: &LastAccess,
    account: AccountIx,
) -> bool {
    if graph.read().get(account).is_none_or(|of| of.is_gone()) {
        return false;
    }
    // Readers first: who looks at a feed that is gone must know that it is.
    last_access.mark_inactive(account);
    graph.write().drop_feeds(account);
    let graph = graph.read();
    if let Some(of) = graph.get(account) {
        for feed in FeedId::all_of(account, of) {
            store.replace(feed, OrderedFeed::default());
        }
    }
    true
}

fn drop_leftovers(store: &Store, graph: &Graph, account: AccountIx) -> Result<(), DiskError> {
    let Some(of) = graph.get(account).filter(|_| graph.is_inactive(account)) else {
        return Ok(());
    };
    for feed in FeedId::all_of(account, of) {
        if !store.feed(&feed)?.is_blank() {
            store.replace(feed, OrderedFeed::default());
        }
    }
    Ok(())
}

/// Begins to wake an account: from now on what concerns it is fanned out to it, and what came before is owed. `read` is
/// how far the log has been read.
pub(super) fn wake(
    store: &Store,
    graph: &RwLock<Graph>,
    backlog: &mut FeedBacklog,
    account: AccountIx,
    read: &Arc<Offsets>,
) {
    if !graph.read().is_inactive(account) {
        return;
    }
    graph.write().wake(account);
    let graph = graph.read();
    if let Some(of) = graph.get(account) {
        for feed in FeedId::all_of(account, of) {
            store.replace(feed, blank(read));
        }
    }
    backlog.add_all(account, read);
}

/// Who slept when this was stored sleeps on.
pub(super) fn load(
    store: &Store,
    graph: &mut Graph,
    last_access: &LastAccess,
) -> Result<(), DiskError> {
    for (id, last_seen) in store.last_seen()? {
        let Some(account) = graph.account(&id) else {
            continue;
        };
        last_access.restore(account, last_seen);
        if last_access.is_inactive(account) {
            graph.drop_feeds(account);
        }
    }
    Ok(())
}

/// Hands what changed since the last checkpoint to the store, for the next one.
pub(super) fn put_last_access(store: &Store, graph: &Graph, last_access: &LastAccess) {
    store.put_last_seen(named(graph, last_access.unstored()));
}

/// What changed since it was last stored, as far as it may be before what is new in feeds is.
pub(super) fn unstored_access(
    graph: &Graph,
    last_access: &LastAccess,
) -> Vec<(Box<str>, Option<LastSeen>)> {
    named(graph, last_access.unstored_alone())
}

fn named(
    graph: &Graph,
    rows: Vec<(AccountIx, Option<LastSeen>)>,
) -> Vec<(Box<str>, Option<LastSeen>)> {
    let row = |(account, last_seen)| Some((graph.get(account)?.id().into(), last_seen));
    rows.into_iter().filter_map(row).collect()
}
