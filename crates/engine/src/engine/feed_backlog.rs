//! What relations call for, carried out: feeds weeded and merged between batches, in steps, one account after the other.
//!
//! A relation is in force from the moment it is read; what it does to the feeds it concerns is gathered here, and done
//! once for all the relations of an account that have come by then. So five thousand mutes are one weeding, and neither
//! they nor a rebuild of an account that follows twenty thousand keeps other feeds waiting. Until it is done the account
//! is unsettled ([`PendingRelations`]): its readers are told nothing, and their cursors have none of it.
//!
//! In which steps it is done does not matter: each leaves in the feed what belongs there by the rules of that moment, and
//! what comes between two steps is fanned out by the same rules.
//!
//! Nothing of this is stored. While it waits, a checkpoint reflects the log only up to the first relation whose work is
//! not done ([`FeedBacklog::reflected`]), so that after a crash the relation is read again and its work owed again. A list of
//! what is owed, stored beside, would be one more thing to keep true, for work that is seldom there.

use crate::feed::merge::{Feed, MergeCause, Merging, Progress};
use crate::feed::ordered_feed::{OrderedFeed, RelationChange};
use crate::feed::prune::Pruning;
use crate::feed::store::disk::DiskError;
use crate::feed::store::{CheckpointState, Store};
use crate::graph::AccountIx;
use crate::graph::Graph;
use crate::graph::apply::{Effect, Merge};
use crate::record::offsets::{LogPos, Offsets};
use crate::view::pending_relations::PendingRelations;
use hashbrown::HashMap;
use slackwater_order::place::PostId;
use std::collections::VecDeque;
use std::sync::Arc;

/// Authors and hashtags merged one by one. With more, the whole feed is merged anew, which does the same and more.
const MERGES_MAX: usize = 64;

/// Up to which place an account's feeds are shown.
pub(super) type VisibleUpTo<'a> = dyn Fn(&Graph, AccountIx) -> PostId + 'a;

/// What is owed to feeds.
#[derive(Debug)]
pub(super) struct FeedBacklog {
    unsettled: Arc<PendingRelations>,
    owed: HashMap<AccountIx, Owed>,
    /// Who is next, each once; those that are not owed anything any more are passed over.
    queue: VecDeque<AccountIx>,
    at_hand: Option<CurrentJob>,
    /// Settled, and readers do not know yet.
    settled: Vec<AccountIx>,
}

/// What is owed to one account.
#[derive(Clone, Debug, Default)]
struct Owed {
    weed_out: bool,
    merges: Vec<Merge>,
    /// The relations that call for it: of each partition the first and the newest, and what they may do.
    because: Vec<Called>,
}

/// What called for work, of one partition.
#[derive(Clone, Debug)]
struct Called {
    first: LogPos,
    newest: LogPos,
    takes_out: bool,
    regroups: bool,
    /// Whether feeds remember it: at the latest when the relation is stored.
    is_noted: bool,
}

/// The account that is being settled.
#[derive(Debug)]
struct CurrentJob {
    account: AccountIx,
    owed: Owed,
    /// What had been seen before the first of its relations that are not carried out.
    seen: Arc<Offsets>,
    /// Its feeds that are still to be begun, the next one last: its home, or a list by its id.
    rest: Vec<Option<String>>,
    /// The feed that is being settled.
    list: Option<String>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The next of its feeds is to be begun.
    Between,
    Pruning(Pruning),
    Merging(Merging),
}

impl FeedBacklog {
    /// Nothing is owed yet. `unsettled` is what readers see of it.
    pub(super) fn new(unsettled: Arc<PendingRelations>) -> FeedBacklog {
        FeedBacklog {
            unsettled,
            owed: HashMap::new(),
            queue: VecDeque::new(),
            at_hand: None,
            settled: Vec::new(),
        }
    }

    /// Whether nothing is to be done.
    pub(super) fn is_idle(&self) -> bool {
        self.at_hand.is_none() && self.owed.is_empty()
    }

    /// Whether something is to be done for an account.
    pub(super) fn owes(&self, account: AccountIx) -> bool {
        self.owed.contains_key(&account)
            || self
                .at_hand
                .as_ref()
                .is_some_and(|at_hand| at_hand.account == account)
    }

    /// The relation at `log_pos` calls for this. `seen` is what readers had been told was seen before.
    pub(super) fn owe(
        &mut self,
        account: AccountIx,
        log_pos: LogPos,
        effect: &Effect,
        seen: &Arc<Offsets>,
    ) {
        self.unsettled.hold(account, seen, Some(log_pos));
        let owed = self.enqueue(account);
        owed.weed_out |= effect.weed_out;
        owed.merge(effect.merge_in.clone());
        match owed
            .because
            .iter_mut()
            .find(|there| there.newest.is_beside(log_pos))
        {
            Some(there) => {
                there.first = there.first.min(log_pos);
                there.newest = there.newest.max(log_pos);
                there.takes_out |= effect.weed_out;
                there.regroups |= effect.regroups;
                there.is_noted = false;
            }
            None => owed.because.push(Called {
                first: log_pos,
                newest: log_pos,
                takes_out: effect.weed_out,
                regroups: effect.regroups,
                is_noted: false,
            }),
        }
    }

    /// An account whose feeds were empty is to have them again, before all others: somebody waits.
    pub(super) fn owe_everything(&mut self, account: AccountIx, seen: &Arc<Offsets>) {
        self.unsettled.hold(account, seen, None);
        self.enqueue(account).merge(Merge::Everyone);
        self.queue.retain(|there| *there != account);
        self.queue.push_front(account);
    }

    /// Nothing is owed to an account any more: its feeds were taken away.
    pub(super) fn forget(&mut self, account: AccountIx) {
        if self.owes(account) {
            self.owed.remove(&account);
            self.at_hand.take_if(|at_hand| at_hand.account == account);
            self.settled.push(account);
        }
    }

    /// Has feeds remember the relations that call for what is owed to them. To be called before a checkpoint: a relation
    /// that is stored is in force after a crash, so it must be known then what had been seen when it came.
    pub(super) fn note(&mut self, store: &Store, graph: &Graph) {
        let at_hand = self.at_hand.iter_mut();
        let at_hand = at_hand.map(|at_hand| (at_hand.account, &mut at_hand.owed));
        let owed = self.owed.iter_mut().map(|(account, owed)| (*account, owed));
        for (account, owed) in at_hand.chain(owed) {
            if let Some(seen) = self.unsettled.held(account) {
                owed.note(store, graph, account, &seen);
            }
        }
    }

    /// What of the log a checkpoint may say it reflects: less than was read, while something is owed for it.
    pub(super) fn reflected(&self, read: &CheckpointState) -> CheckpointState {
        let mut reflects = read.clone();
        let at_hand = self.at_hand.iter().map(|at_hand| &at_hand.owed);
        for because in at_hand.chain(self.owed.values()).flat_map(|o| &o.because) {
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
        if self.at_hand.is_none() && !self.begin(store, graph) {
            return Ok(Progress::Done);
        }
        if let Some(at_hand) = &mut self.at_hand
            && at_hand.step(store, graph, shown)? == Progress::Done
        {
            let account = at_hand.account;
            self.at_hand = None;
            if !self.owed.contains_key(&account) {
                self.settled.push(account);
            }
        }
        Ok(if self.is_idle() {
            Progress::Done
        } else {
            Progress::Going
        })
    }

    /// Tells readers of the accounts that are settled, at one moment with what `announce` tells them. Returns which.
    pub(super) fn announce(&mut self, announce: impl FnOnce()) -> Vec<AccountIx> {
        let mut settled = std::mem::take(&mut self.settled);
        settled.retain(|account| !self.owes(*account));
        self.unsettled.release(&settled, announce);
        settled
    }

    fn enqueue(&mut self, account: AccountIx) -> &mut Owed {
        self.owed.entry(account).or_insert_with(|| {
            self.queue.push_back(account);
            Owed::default()
        })
    }

    /// Takes the next account at hand, if there is one.
    fn begin(&mut self, store: &Store, graph: &Graph) -> bool {
        while let Some(account) = self.queue.pop_front() {
            let (Some(mut owed), Some(of)) = (self.owed.remove(&account), graph.get(account))
            else {
                continue;
            };
            let seen = self.unsettled.held(account).unwrap_or_default();
            owed.note(store, graph, account, &seen);
            let feeds = Feed::all(account, of).map(|feed| feed.list.map(str::to_owned));
            // Home comes first.
            let mut rest: Vec<_> = feeds.collect();
            rest.reverse();
            self.at_hand = Some(CurrentJob {
                account,
                owed,
                seen,
                rest,
                list: None,
                stage: Stage::Between,
            });
            return true;
        }
        false
    }
}

impl Owed {
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
        }
    }

    fn note(&mut self, store: &Store, graph: &Graph, account: AccountIx, seen: &Arc<Offsets>) {
        let Some(of) = graph.get(account) else { return };
        for because in self.because.iter_mut().filter(|because| !because.is_noted) {
            because.is_noted = true;
            for feed in Feed::all(account, of) {
                let turn = RelationChange {
                    log_pos: because.newest,
                    takes_out: because.takes_out,
                    regroups: because.regroups,
                    seen: Arc::clone(seen),
                };
                feed.turn(store, of, turn);
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
            let Some(list) = self.rest.pop() else {
                return Ok(Progress::Done);
            };
            self.list = list;
            self.stage = if self.owed.weed_out {
                Stage::Pruning(Pruning::new())
            } else {
                self.merging(graph)
            };
        }
        // A list may go while its turn is awaited, and its feed with it.
        if self
            .list
            .as_ref()
            .is_some_and(|list| of.list(list).is_none())
        {
            self.stage = Stage::Between;
            return Ok(Progress::Going);
        }
        let feed = Feed {
            account: self.account,
            list: self.list.as_deref(),
        };
        let because = self.owed.because(&self.seen);
        match &mut self.stage {
            Stage::Between => {}
            Stage::Pruning(weeding) => {
                if weeding.step(store, graph, feed, &because)? == Progress::Done {
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
        if self.owed.merges.is_empty() {
            return Stage::Between;
        }
        let feed = Feed {
            account: self.account,
            list: self.list.as_deref(),
        };
        Stage::Merging(Merging::new(graph, feed, &self.owed.merges))
    }
}

/// The feed of an account that begins again: a cursor that lacks any of what was seen so far is refused.
pub(super) fn blank(seen: &Offsets) -> OrderedFeed {
    OrderedFeed {
        forgotten: seen.clone(),
        ..OrderedFeed::default()
    }
}
