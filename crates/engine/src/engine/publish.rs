//! Publishes how far feeds are built.

use super::Engine;
use super::log_status::LogStatus;
use crate::graph::AccountIx;
use crate::kept::Kept;
use crate::record::offsets::Offsets;
use crate::record::{PartitionEnd, Topic};
use crate::view::{BuildProgress, CatchingUp};
use slackwater_order::time::Time;
use std::sync::Arc;

/// What the service publishes together with what the engine knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceStatus {
    /// All that arrived before this moment is in the log. None amid a batch: the whole batch counts as taken, so nothing is known of the
    /// arrival of what is still to be applied.
    pub settled: Option<Time>,
    /// The progress of the catch-up, until it is done.
    pub catching_up: Option<CatchingUp>,
    /// Why records that cannot be used wait to be kept, if they do.
    pub letters_failing: Option<String>,
}

impl Engine {
    /// Notes how far `log` says that records were handed in.
    pub fn follow(&mut self, log: &LogStatus) {
        self.catch_up.follow(log);
    }

    /// Publishes how far feeds are built, then moves the horizon, then wakes the readers of feeds that changed.
    pub fn publish(&mut self, log: &LogStatus, beside: ServiceStatus) -> Arc<BuildProgress> {
        self.take_over_changed_holds();
        let taken = Arc::new(Offsets::new(&self.reflects.next));
        self.seen = self.ingest.again.told(&taken);
        let built = Arc::new(BuildProgress {
            passed: self.passed(&taken, log, beside.settled.is_some()),
            taken,
            seen: Arc::clone(&self.seen),
            author_changes: self.ingest.again.author_changes(),
            ends: Arc::new(Offsets::new(&log.end_positions())),
            relations_in_force: self.catch_up.relations_are_read(),
            catching_up: beside.catching_up,
            log_reachable: log.is_reachable,
            letters_failing: beside.letters_failing,
            failed: None,
        });
        // No reader is woken for nothing.
        let announce = || {
            self.built.send_if_modified(|there| {
                let is_new = **there != *built;
                if is_new {
                    *there = Arc::clone(&built);
                }
                is_new
            });
        };
        let at_rest = self.backlog.announce(announce);
        // Readers of released accounts were sent nothing meanwhile, and read again.
        self.store.homes.watchers.mark_changed(&at_rest);
        self.mark_active(&at_rest);
        // The horizon moves only after that: a reader who has it can read everything up to it.
        if let Some(settled) = beside.settled {
            self.view.horizons.set_built(self.built_until(log, settled));
        }
        self.store.homes.watchers.wake();
        built
    }

    /// Publishes that the engine is not driven any longer, and why.
    pub fn fail(&self, reason: String) {
        self.built
            .send_modify(|built| Arc::make_mut(built).failed = Some(reason));
    }

    /// What was taken, past what no record is at. What the log says was handed in counts only between batches: then it is all taken.
    fn passed(&self, taken: &Arc<Offsets>, log: &LogStatus, is_whole: bool) -> Arc<Offsets> {
        let before = Arc::clone(&self.built.borrow().passed);
        let mut next = taken.positions();
        next.extend(before.positions());
        if is_whole {
            next.extend(log.ends.iter().map(PartitionEnd::next_position));
        }
        Arc::new(Offsets::new(&next))
    }

    /// Takes over the holds of origins whose learned windows moved.
    fn take_over_changed_holds(&mut self) {
        let moved = self.ingest.take_changed_holds(&self.windows);
        if moved.is_empty() {
            return;
        }
        let mut graph = self.graph.write();
        let mut is_other = false;
        for (host, hold) in moved {
            is_other |= graph.set_wait(&host, hold);
        }
        if is_other {
            self.store.homes.watchers.mark_all_changed();
        }
    }

    /// Marks inactive accounts that have their feeds again as active: readers who wait for them go on.
    fn mark_active(&self, at_rest: &[AccountIx]) {
        let slept = |account: &AccountIx| self.view.last_access.is_inactive(*account);
        let returned: Vec<_> = at_rest.iter().copied().filter(slept).collect();
        self.view.last_access.mark_active(&returned);
        self.view.awakened.push(&returned);
    }

    /// The moment up to which everything that arrived is applied: `settled`, if every partition is read to its end; otherwise the
    /// earliest of the newest `arrived` of partitions that are not.
    ///
    /// In a cluster relations count too: what another node has in force, such as the follow of an origin that is waited for, has it hold
    /// back from the time of that record on, and this node shows no more before it has read that.
    fn built_until(&self, log: &LogStatus, settled: Time) -> Time {
        if !log.is_reachable || log.ends.is_empty() {
            // The end of the log is not known: what was known before stays true, and no more than that.
            return self.view.horizons.built();
        }
        let counts = |topic| topic == Topic::Activities || self.kept != Kept::All;
        let is_lagging = |end: &&PartitionEnd| counts(end.topic) && end.next < end.end;
        let lagging = log.ends.iter().filter(is_lagging);
        let taken = lagging.map(|end| self.arrived.get(&(end.topic, end.partition)).copied());
        let here = settled.minus(log.transit);
        taken.map(Option::unwrap_or_default).fold(here, Time::min)
    }
}
