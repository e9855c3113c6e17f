//! What is known of one node: its newest record, and what follows from that and those before it.

use crate::beat::{Beat, LEASE_MAX};
use crate::moment::Moment;
use crate::predecessors::{Predecessor, Predecessors};
use std::collections::BTreeMap;
use std::time::Duration;

/// A record that cannot be read is from a node of which nothing is known but that it lives: it is taken for one with the longest lease.
pub(crate) const UNREADABLE_LEASE: Duration = LEASE_MAX;

/// What is known of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its newest record; none if that cannot be read. Then it may serve anything, and nothing is known to be in force there.
    pub beat: Option<Beat>,
    /// When that was read here.
    pub read: Moment,
    /// Whether a record of it came as it was appended. What was there at the start may be older than what it said last: a record that
    /// its node gave up may be appended late, and compaction keeps the last.
    pub is_watched: bool,
    /// The offset of the first record of its run: the lowest is the oldest run.
    pub since: i64,
    /// The processes of this name before it: they may serve on until their leases end.
    pub before: Predecessors,
    /// By work that one node at a time does: since which record this run would do it.
    candidate_since: BTreeMap<String, i64>,
}

impl Seen {
    /// By this moment of the reader's clock the node has stopped serving, unless it was heard of since. Clocks of two machines may run
    /// apart by a tenth.
    pub fn gone_by(&self) -> Moment {
        let lease = self.beat.as_ref().map_or(UNREADABLE_LEASE, Beat::lease);
        gone_by(self.read, lease)
    }

    /// Since which record this run would do a kind of work, as every node counts it.
    pub fn candidate_since(&self, work: &str) -> Option<i64> {
        self.candidate_since.get(work).copied()
    }

    /// Whether the run of a record had said as much, or more, before.
    pub(crate) fn has_said(&self, beat: &Beat) -> bool {
        let last = self.beat.as_ref().filter(|last| last.run == beat.run);
        let last = last.or_else(|| self.before.of_run(&beat.run));
        last.is_some_and(|last| beat.n <= last.n)
    }

    /// What is known of what its process serves. What was in the topic at the start tells nothing.
    pub(crate) fn said(&self) -> Option<&Beat> {
        self.beat.as_ref().filter(|_| self.is_watched)
    }

    /// What is known of a node after a record that was read at `now`, none if it cannot be read; `before` is what was known before it.
    pub(crate) fn after(
        before: Option<Seen>,
        offset: i64,
        beat: Option<Beat>,
        now: Moment,
        is_watched: bool,
    ) -> Seen {
        let run = |beat: &Option<Beat>| beat.as_ref().map(|beat| beat.run.clone());
        let (since, earlier, before) = match before {
            Some(same) if run(&same.beat) == run(&beat) => {
                (Some(same.since), same.candidate_since, same.before)
            }
            Some(other) => {
                let mut before = other.before.clone();
                if let Some(run) = run(&beat) {
                    before.take(&run);
                }
                before.push(Predecessor {
                    gone_by: other.gone_by(),
                    beat: other.said().cloned().map(Box::new),
                });
                (None, BTreeMap::new(), before)
            }
            None => (None, BTreeMap::new(), Predecessors::default()),
        };
        let wants = beat.iter().flat_map(|beat| &beat.candidate_for);
        // What the node says of itself holds: who joined later has not read its first records.
        let candidate_since = wants.map(|(work, said)| {
            let known = said.or(earlier.get(work).copied());
            // In a topic that was made anew all begin anew.
            (work.clone(), known.unwrap_or(offset).min(offset))
        });
        let candidate_since = candidate_since.collect();
        let began = beat.as_ref().and_then(|beat| beat.began);
        Seen {
            beat,
            read: now,
            is_watched,
            since: began.or(since).unwrap_or(offset).min(offset),
            before,
            candidate_since,
        }
    }
}

/// By then a node is gone whose record was read at a moment, if nothing else was.
pub(crate) fn gone_by(read: Moment, lease: Duration) -> Moment {
    read.plus(lease + lease / 10)
}
