//! What a node says of itself, and when.

use super::{BEAT_EVERY, BEATS_APART, Node, PROOFS_APART};
use crate::beat::{Beat, VERSION};
use crate::moment::Moment;
use crate::serving::Role;
use std::collections::BTreeSet;
use std::time::Duration;

impl Node {
    pub(super) fn beat_every(&self) -> Duration {
        BEAT_EVERY.min(self.settings.lease / 4)
    }

    pub(super) fn is_due(&self, now: Moment) -> bool {
        let Some(last) = self.last_sent else {
            return true;
        };
        let waits = self.proof_wanted.is_some() && last.plus(PROOFS_APART) <= now;
        let news = || last.plus(BEATS_APART) <= now && self.has_news();
        last.plus(self.beat_every()) <= now || waits || news()
    }

    /// Whether there is something to say that others act on.
    pub(super) fn has_news(&self) -> bool {
        let Some(said) = &self.last_said else {
            return true;
        };
        let says = self.describe();
        let is_same = said.serves == says.serves
            && said.standby == says.standby
            && said.claims == says.claims
            && said.owns == says.owns
            && said.shards == says.shards
            && said.leaving == says.leaving
            && said.caught_up == says.caught_up
            && said.in_force == says.in_force
            && said.cannot_reach == says.cannot_reach;
        !is_same
    }

    pub(super) fn describe(&self) -> Beat {
        let settings = &self.settings;
        Beat {
            v: VERSION,
            node: settings.node.clone(),
            run: settings.run.clone(),
            address: settings.address.clone(),
            n: self.n,
            lease_ms: u64::try_from(settings.lease.as_millis()).unwrap_or(u64::MAX),
            shards: self.holdings.shards(),
            serves: self.holdings.ready(Role::Serves),
            standby: self.holdings.ready(Role::StandsBy),
            claims: self.holdings.claims(),
            owns: self.owns(),
            caught_up: self.progress.is_caught_up,
            in_force: self.progress.in_force.clone(),
            settled: self.progress.settled,
            letters: self.progress.letters.clone(),
            candidate_for: match self.leaving.is_some() || self.stands_back {
                false => settings.candidate_for.clone(),
                true => BTreeSet::new(),
            },
            cannot_reach: self.away.keys().cloned().collect(),
            decides: settings.decides.clone(),
            speaks: settings.speaks,
            leaving: self.leaving.is_some(),
            program: settings.program.clone(),
        }
    }
}
