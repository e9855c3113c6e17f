//! The work that relations cause in feeds: entries are pruned and merged between batches, in steps, one account after the other.
//!
//! A relation is in force from the moment it is read. Its work in feeds is gathered here, and done once for all the relations of an
//! account that have come by then. So five thousand mutes are pruned in one go, and neither they nor the rebuild of an account that
//! follows twenty thousand keeps other feeds waiting. Until the work is done, the account has pending relations
//! ([`PendingRelations`]): its readers are sent nothing, and their cursors count on none of it.
//!
//! The cut into steps does not matter: each step leaves in the feed what belongs there by the rules of that moment, and posts that
//! come between two steps are fanned out by the same rules.
//!
//! Pending work is not stored. While there is some, a checkpoint reflects the log only up to the first relation whose work is not done
//! ([`FeedBacklog::reflected`]); after a crash that relation is read again, and its work is pending again. A stored list of the work
//! would be one more thing to keep true, for work that is seldom there.

use crate::feed::feed_id::FeedId;
use crate::feed::merge::{MergeCause, Merging, Progress};
use crate::feed::ordered_feed::{OrderedFeed, RelationChange};
use crate::feed::prune::Pruning;
use crate::feed::store::disk::DiskError;
use crate::feed::store::{CheckpointState, Store};
use crate::graph::AccountIx;
use crate::graph::Graph;
use crate::graph::apply::{Effect, Merge};
use crate::record::offsets::{LogPos, Offsets};
use crate::view::pending_relations::{PendingRelation, PendingRelations};
use hashbrown::HashMap;
use slackwater_order::place::PostId;
use std::collections::VecDeque;
use std::sync::Arc;

/// Authors and hashtags merged one by one. With more, the whole feed is merged anew, which does the same and more.
const MERGES_MAX: usize = 64;

/// The highest place that an account's readers may have seen.
pub(super) type VisibleUpTo<'a> = dyn Fn(&Graph, AccountIx) -> PostId + 'a;

/// The pending work of all accounts.
#[derive(Debug)]
pub(super) struct FeedBacklog {
    pending_relations: Arc<PendingRelations>,
    pending: HashMap<AccountIx, PendingWork>,
    /// The accounts in the order of their turns, each once. An account without pending work is passed over.
    queue: VecDeque<AccountIx>,
    current: Option<CurrentJob>,
    /// Accounts whose work is done, which readers do not know yet.
    settled: Vec<AccountIx>,
}

/// The pending work of one account.
#[derive(Clone, Debug, Default)]
struct PendingWork {
    prunes: bool,
    merges: Vec<Merge>,
    /// Whether the feeds begin anew.
    begins: bool,
    /// The relations that cause it: of each partition the first and the newest, and their effect.
    because: Vec<FeedRelation>,
}

/// The relations of one partition that cause work.
#[derive(Clone, Debug)]
struct FeedRelation {
    first: LogPos,
    newest: LogPos,
    takes_out: bool,
    regroups: bool,
    /// Whether feeds remember them; they do at the latest when the relation is stored.
    is_noted: bool,
}

/// The account whose work is being done.
#[derive(Debug)]
struct CurrentJob {
    account: AccountIx,
    pending: PendingWork,
    /// The offsets before the first of its pending relations.
    seen: Arc<Offsets>,
    /// Its feeds that are still to be begun, the next one last.
    rest: Vec<FeedId>,
    /// The list whose work is being done; none for the home.
    feed: FeedId,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Its next feed is to be begun.
    Between,
    Pruning(Pruning),
    Merging(Merging),
}

impl FeedBacklog {
    /// Begins without pending work. Readers see the accounts that have some in `pending_relations`.
    pub(super) fn new(pending_relations: Arc<PendingRelations>) -> FeedBacklog {
        FeedBacklog {
            pending_relations,
            pending: HashMap::new(),
            queue: VecDeque::new(),
            current: None,
            settled: Vec::new(),
        }
    }

    /// Whether there is no pending work.
    pub(super) fn is_idle(&self) -> bool {
        self.current.is_none() && self.pending.is_empty()
    }

    /// Whether an account has pending work.
    pub(super) fn has_work_for(&self, account: AccountIx) -> bool {
        self.pending.contains_key(&account)
            || self
                .current
                .as_ref()
                .is_some_and(|current| current.account == account)
    }

    /// Adds the work that a relation causes. `seen` are the offsets that were published before it.
    pub(super) fn add(
        &mut self,
        account: AccountIx,
        relation: PendingRelation,
        effect: &Effect,
        seen: &Arc<Offsets>,
    ) {
        let log_pos = relation.log_pos;
        self.pending_relations.hold(account, seen, Some(relation));
        let pending = self.enqueue(account);
        pending.prunes |= effect.prunes;
        pending.merge(effect.merge_in.clone());
        match pending
            .because
            .iter_mut()
            .find(|there| there.newest.is_beside(log_pos))
        {
            Some(there) => {
                there.first = there.first.min(log_pos);
                there.newest = there.newest.max(log_pos);
                there.takes_out |= effect.prunes;
                there.regroups |= effect.regroups;
                there.is_noted = false;
            }
            None => pending.because.push(FeedRelation {
                first: log_pos,
                newest: log_pos,
                takes_out: effect.prunes,
                regroups: effect.regroups,
                is_noted: false,
            }),
        }
    }

    /// Adds the rebuild of the feeds of an account that had none. It comes before all other work: a reader waits.
    pub(super) fn add_all(&mut self, account: AccountIx, seen: &Arc<Offsets>) {
        self.pending_relations.hold(account, seen, None);
        let pending = self.enqueue(account);
        pending.merge(Merge::Everyone);
        pending.begins = true;
        self.queue.retain(|there| *there != account);
        self.queue.push_front(account);
    }

    /// Drops the pending work of an account whose feeds were dropped.
    pub(super) fn forget(&mut self, account: AccountIx) {
        if self.has_work_for(account) {
            self.pending.remove(&account);
            self.current.take_if(|current| current.account == account);
            self.settled.push(account);
        }
    }

    /// Has feeds remember the relations that cause pending work. To be called before a checkpoint: a stored relation is in force after a
    /// crash, so feeds must know the offsets at which it came.
    pub(super) fn note(&mut self, store: &Store, graph: &Graph) {
        let current = self.current.iter_mut();
        let current = current.map(|current| (current.account, &mut current.pending));
        let pending = self
            .pending
            .iter_mut()
            .map(|(account, pending)| (*account, pending));
        for (account, pending) in current.chain(pending) {
            if let Some(seen) = self.pending_relations.held(account) {
                pending.note(store, graph, account, &seen);
            }
        }
    }

    /// The offsets that a checkpoint may reflect: fewer records than were read, while some of them have pending work.
    pub(super) fn reflected(&self, read: &CheckpointState) -> CheckpointState {
        let mut reflects = read.clone();
        let current = self.current.iter().map(|current| &current.pending);
        for because in current
            .chain(self.pending.values())
            .flat_map(|o| &o.because)
        {
            let first = because.first.position();
            for next in &mut reflects.next {
                if (next.topic, next.partition) == (first.topic, first.partition) {
                    next.offset = next.offset.min(first.offset);
                }
            }
        }
        reflects
    }

    /// Takes one step, of some milliseconds at most.
    pub(super) fn step(
        &mut self,
        store: &Store,
        graph: &Graph,
        shown: &VisibleUpTo<'_>,
    ) -> Result<Progress, DiskError> {
        if self.current.is_none() && !self.begin(store, graph) {
            return Ok(Progress::Done);
        }
        if let Some(current) = &mut self.current
            && current.step(store, graph, shown)? == Progress::Done
        {
            let account = current.account;
            self.current = None;
            if !self.pending.contains_key(&account) {
                self.settled.push(account);
            }
        }
        Ok(if self.is_idle() {
            Progress::Done
        } else {
            Progress::Going
        })
    }

    /// Releases the accounts whose work is done, at one moment with what `announce` publishes. Returns them.
    pub(super) fn announce(&mut self, announce: impl FnOnce()) -> Vec<AccountIx> {
        let mut settled = std::mem::take(&mut self.settled);
        settled.retain(|account| !self.has_work_for(*account));
        self.pending_relations.release(&settled, announce);
        settled
    }

    fn enqueue(&mut self, account: AccountIx) -> &mut PendingWork {
        self.pending.entry(account).or_insert_with(|| {
            self.queue.push_back(account);
            PendingWork::default()
        })
    }

    /// Begins with the next account, if there is one.
    fn begin(&mut self, store: &Store, graph: &Graph) -> bool {
        while let Some(account) = self.queue.pop_front() {
            let (Some(mut pending), Some(of)) = (self.pending.remove(&account), graph.get(account))
            else {
                continue;
            };
            let seen = self.pending_relations.held(account).unwrap_or_default();
            pending.note(store, graph, account, &seen);
            // The home comes first.
            let mut rest: Vec<_> = FeedId::all_of(account, of).collect();
            rest.reverse();
            self.current = Some(CurrentJob {
                account,
                pending,
                seen,
                rest,
                feed: FeedId::Home(account),
                stage: Stage::Between,
            });
            return true;
        }
        false
    }
}

impl PendingWork {
    fn merge(&mut self, merge: Merge) {
        let is_known = self.merges.contains(&Merge::Everyone) || self.merges.contains(&merge);
        if merge == Merge::Nobody || is_known {
            return;
        }
        if merge == Merge::Everyone || MERGES_MAX <= self.merges.len() {
            self.merges = vec![Merge::Everyone];
        } else {
            self.merges.push(merge);
        }
    }

    fn because(&self, seen: &Arc<Offsets>) -> MergeCause {
        MergeCause {
            marks: self.because.iter().map(|called| called.newest).collect(),
            seen: Arc::clone(seen),
            begins: self.begins,
        }
    }

    fn note(&mut self, store: &Store, graph: &Graph, account: AccountIx, seen: &Arc<Offsets>) {
        let Some(of) = graph.get(account) else { return };
        for because in self.because.iter_mut().filter(|because| !because.is_noted) {
            because.is_noted = true;
            for feed in FeedId::all_of(account, of) {
                let change = RelationChange {
                    log_pos: because.newest,
                    takes_out: because.takes_out,
                    regroups: because.regroups,
                    seen: Arc::clone(seen),
                };
                store.add_relation_change(feed, change);
            }
        }
    }
}

impl CurrentJob {
    fn step(
        &mut self,
        store: &Store,
        graph: &Graph,
        shown: &VisibleUpTo<'_>,
    ) -> Result<Progress, DiskError> {
        let Some(of) = graph.get(self.account) else {
            return Ok(Progress::Done);
        };
        if let Stage::Between = self.stage {
            let Some(feed) = self.rest.pop() else {
                return Ok(Progress::Done);
            };
            self.feed = feed;
            self.stage = if self.pending.prunes {
                Stage::Pruning(Pruning::new())
            } else {
                self.merging(graph)
            };
        }
        // A list may be deleted before its turn comes.
        if let FeedId::List { list, .. } = &self.feed
            && of.list(list).is_none()
        {
            self.stage = Stage::Between;
            return Ok(Progress::Going);
        }
        let feed = &self.feed;
        let because = self.pending.because(&self.seen);
        match &mut self.stage {
            Stage::Between => {}
            Stage::Pruning(pruning) => {
                if pruning.step(store, graph, feed, &because)? == Progress::Done {
                    self.stage = self.merging(graph);
                }
            }
            Stage::Merging(merging) => {
                let shown = shown(graph, self.account);
                if merging.step(store, graph, feed, &because, shown)? == Progress::Done {
                    self.stage = Stage::Between;
                }
            }
        }
        Ok(Progress::Going)
    }

    fn merging(&self, graph: &Graph) -> Stage {
        if self.pending.merges.is_empty() {
            return Stage::Between;
        }
        Stage::Merging(Merging::new(graph, &self.feed, &self.pending.merges))
    }
}

/// The empty feed of an account that begins again. Cursors that lack any record read so far are refused.
pub(super) fn blank(seen: &Offsets) -> OrderedFeed {
    OrderedFeed {
        forgotten: seen.clone(),
        ..OrderedFeed::default()
    }
}
