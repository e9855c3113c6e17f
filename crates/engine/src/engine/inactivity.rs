//! Accounts whose feeds nobody has read for long become inactive, and active again when somebody reads.
//!
//! An inactive account has no feeds, and gets neither fan-out nor work for its relations. These are in force all the same: as a feed is
//! a function of posts and relations, its feeds come back by one merge of everyone it follows. What posts and their
//! authors did meanwhile the merge finds, so a cursor from before is good. It is refused if it lacks a relation of the account, or
//! whom the instance limits or suspends, since nobody knows what that took out, and if the feed reaches down to posts that were dropped for
//! their age while it needed none.

use super::feed_backlog::{FeedBacklog, blank};
use crate::feed::feed_id::FeedId;
use crate::feed::ordered_feed::{OrderedFeed, RelationChange};
use crate::feed::store::disk::DiskError;
use crate::feed::store::{LastSeen, Store};
use crate::graph::{Account, AccountIx, Graph};
use crate::record::offsets::Offsets;
use crate::view::last_access::LastAccess;
use parking_lot::RwLock;
use slackwater_order::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// Accounts checked in one step.
const ACCOUNTS_STEP: usize = 4_096;
/// Log time between the beginnings of two rounds: last accesses are known by the hour.
const ROUND_EVERY: Duration = Duration::from_secs(3_600);

/// The round through all accounts, in steps between batches.
#[derive(Debug)]
pub(super) struct InactivityRound {
    inactive_after: Duration,
    begun: Option<Time>,
    /// The next account to check; none between rounds.
    next: Option<usize>,
    /// Whether this is the first round: it drops the feeds of inactive accounts that a checkpoint which was cut off left behind.
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

    /// Whether a step would do nothing. Before the first arrival there is no log time.
    pub(super) fn is_resting(&self, log_time: Time) -> bool {
        if log_time < Time::EARLIEST {
            return true;
        }
        let is_due = |begun: Time| begun.plus(ROUND_EVERY) <= log_time;
        self.next.is_none() && !self.begun.is_none_or(is_due)
    }

    /// Checks some more accounts, and drops the feeds of those that are overdue. Not to be called during the catch-up: log time runs too
    /// fast then to measure ages by it.
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
            // A reader on a stream that is sent nothing does not read.
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

/// Drops an account's feeds, unless the account was removed.
pub(super) fn drop_feeds(
    store: &Store,
    graph: &RwLock<Graph>,
    last_access: &LastAccess,
    account: AccountIx,
) -> bool {
    if graph.read().get(account).is_none_or(|of| of.is_gone()) {
        return false;
    }
    // Readers first: whoever reads a feed that was dropped must know it.
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

/// Begins to rebuild an account's feeds: from now on posts are fanned out to it, and the merge of earlier ones is pending. `read` are the
/// offsets read so far.
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
        let begun = match graph.is_from_several(of.id()) {
            true => blank(read),
            false => first_state(store, &graph, of),
        };
        for feed in FeedId::all_of(account, of) {
            store.replace(feed, begun.clone());
        }
    }
    backlog.add_all(account, read);
}

/// The feed of an account that wakes, before posts are merged into it. What was let in and taken out while it slept by its relations, and by
/// what the instance limits and suspends, nobody knows; so a cursor that lacks the newest of these is refused. What posts and their authors
/// did, the merge finds in the posts.
fn first_state(store: &Store, graph: &Graph, of: &Account) -> OrderedFeed {
    let newest = of.newest_relation().map(|log_pos| RelationChange {
        log_pos,
        takes_out: true,
        regroups: false,
        seen: Arc::default(),
    });
    let mut forgotten = store.expired().removals;
    for next in graph.newest_moderation().positions() {
        forgotten.raise(next);
    }
    OrderedFeed {
        relation_changes: newest.into_iter().collect(),
        forgotten,
        ..OrderedFeed::default()
    }
}

/// Takes over the stored last accesses: an account that was inactive stays so.
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

/// Hands the last accesses that changed since the last checkpoint to the store, for the next one.
pub(super) fn put_last_access(store: &Store, graph: &Graph, last_access: &LastAccess) {
    store.put_last_seen(named(graph, last_access.unstored()));
}

/// The last accesses that changed since they were stored and that may be stored before feeds are.
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
