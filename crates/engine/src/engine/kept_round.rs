//! Accounts whose feeds are kept elsewhere fall asleep, in slices between batches, and are not woken.

use super::Engine;
use super::inactivity::{drop_feeds, wake};
use crate::feed::store::Store;
use crate::graph::{AccountIx, Graph};
use crate::kept::Kept;
use crate::record::offsets::Offsets;
use crate::view::last_access::LastAccess;
use crate::view::pending_relations::PendingRelations;
use parking_lot::RwLock;
use std::collections::VecDeque;
use std::sync::Arc;

/// Accounts checked in one slice.
const ACCOUNTS_STEP: usize = 4_096;
/// Accounts with pending relations that are looked at again in one slice.
const PASSED_OVER_STEP: usize = 256;

/// The round through all accounts that follows when other accounts are kept. At rest until the first.
#[derive(Debug, Default)]
pub(super) struct KeptRound {
    /// The next account to check; none between rounds.
    next: Option<usize>,
    /// Accounts of this round that had pending relations: at most as many as have.
    passed_over: VecDeque<AccountIx>,
}

/// What the round needs of the engine.
struct Awake<'a> {
    store: &'a Store,
    graph: &'a RwLock<Graph>,
    last_access: &'a LastAccess,
    pending_relations: &'a PendingRelations,
}

impl Engine {
    /// From now on feeds are kept of these accounts alone. Others that have feeds lose them, slice by slice in [`Engine::step`], and those
    /// that are new get none; their relations are in force all the same. An account that is kept again gets its feeds back when somebody
    /// requests them.
    pub fn keep_only(&mut self, kept: Kept) {
        self.kept = kept;
        self.kept_round.begin();
        // Requests that were passed over may be granted now.
        self.view.last_access.request_again();
    }

    pub(super) fn drop_not_kept(&mut self) {
        let awake = Awake {
            store: &self.store,
            graph: &self.graph,
            last_access: &self.view.last_access,
            pending_relations: &self.view.pending_relations,
        };
        self.is_dirty |= 0 < self.kept_round.step(&awake, &self.kept);
    }

    /// Begins to wake the accounts whose feeds readers asked for, if they are kept.
    pub(super) fn rebuild_requested(&mut self) {
        let mut asked_for = self.view.last_access.take_requests();
        if self.kept != Kept::All {
            let graph = self.graph.read();
            asked_for.retain(|account| {
                let of = graph.get(*account);
                of.is_some_and(|of| self.kept.keeps(of.id()))
            });
        }
        if asked_for.is_empty() {
            return;
        }
        let read = Arc::new(Offsets::new(&self.reflects.next));
        for account in asked_for {
            wake(&self.store, &self.graph, &mut self.backlog, account, &read);
        }
    }
}

impl KeptRound {
    /// Begins a round: other accounts are kept.
    fn begin(&mut self) {
        self.next = Some(0);
        self.passed_over.clear();
    }

    /// Whether all accounts were checked. Some may be left that had pending relations.
    pub(super) fn has_checked_all(&self) -> bool {
        self.next.is_none()
    }

    /// Checks some more accounts, and drops the feeds of those that are not kept. One whose feeds are being changed is passed over until
    /// that is published: its readers wait for it. Returns how many fell asleep.
    fn step(&mut self, awake: &Awake<'_>, kept: &Kept) -> usize {
        let mut to_check: Vec<AccountIx> = Vec::new();
        let again = self.passed_over.len().min(PASSED_OVER_STEP);
        to_check.extend(self.passed_over.drain(..again));
        if let Some(from) = self.next {
            let accounts = awake.graph.read().accounts();
            let to = accounts.min(from + ACCOUNTS_STEP);
            to_check.extend((from..to).map(AccountIx::from_number));
            self.next = Some(to).filter(|to| *to < accounts);
        }
        {
            let graph = awake.graph.read();
            to_check.retain(|account| {
                let of = graph.get(*account);
                !graph.is_inactive(*account) && of.is_some_and(|of| !kept.keeps(of.id()))
            });
        }
        let mut asleep = 0;
        for account in to_check {
            if awake.pending_relations.held(account).is_some() {
                self.passed_over.push_back(account);
            } else {
                let dropped = drop_feeds(awake.store, awake.graph, awake.last_access, account);
                asleep += usize::from(dropped);
            }
        }
        asleep
    }
}
