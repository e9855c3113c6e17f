//! What a node says of itself, and when.

use super::{BEAT_EVERY, BEATS_APART, Node, PROOFS_APART};
use crate::beat::{Beat, VERSION};
use crate::moment::Moment;
use crate::serving::Role;
use std::collections::BTreeMap;
use std::time::Duration;

impl Node {
    pub(super) fn beat_every(&self) -> Duration {
        BEAT_EVERY.min(self.settings.lease / 4)
    }

    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.next_beat(now) <= now
    }

    /// When the next record is to be sent, as far as is known now.
    pub(super) fn next_beat(&self, now: Moment) -> Moment {
        let Some(last) = self.last_sent else {
            return now;
        };
        let mut next = last.plus(self.beat_every());
        // Records that cannot be followed prove nothing: sending them as fast as requests come would be a flood.
        if let Some((from, _)) = self.proof_wanted.filter(|_| self.has_room()) {
            next = next.min(from.max(last.plus(PROOFS_APART)));
        }
        // Who waits for a node that says nothing any more waits no longer than it takes until that is gone.
        let gone = self.standing.next_gone(self.proved.unwrap_or_default());
        if let Some(gone) = gone.filter(|gone| last < *gone && self.has_room()) {
            next = next.min(gone.max(last.plus(BEATS_APART)));
        }
        let after_news = last.plus(BEATS_APART);
        if after_news < next && self.has_news() {
            next = after_news;
        }
        next
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
            && said.shows == says.shows
            && said.caught_up == says.caught_up
            && said.decides == says.decides
            && said.in_force == says.in_force
            && said.cannot_reach == says.cannot_reach;
        !is_same
    }

    pub(super) fn describe(&self) -> Beat {
        let settings = &self.settings;
        let known = self.standing.node(&settings.node);
        let known = known.filter(|seen| {
            let said = seen.beat.as_ref();
            said.is_some_and(|said| said.run == settings.run)
        });
        let would = |work: &String| {
            let since = known.and_then(|seen| seen.candidate_since(work));
            (work.clone(), since)
        };
        let mut beat = Beat {
            v: VERSION,
            node: settings.node.clone(),
            run: settings.run.clone(),
            address: settings.address.clone(),
            n: self.n,
            began: known.map(|seen| seen.since),
            lease_ms: u64::try_from(settings.lease.as_millis()).unwrap_or(u64::MAX),
            shards: self.holdings.shards(),
            serves: self.holdings.ready(Role::Serves),
            standby: self.holdings.ready(Role::StandsBy),
            claims: self.holdings.claims(),
            owns: self.owns.clone(),
            shows: self.shows,
            caught_up: self.progress.is_caught_up,
            in_force: self.progress.in_force.clone(),
            settled: self.progress.settled,
            letters: self.progress.letters.clone(),
            candidate_for: match self.leaving.is_some() || self.stands_back {
                false => settings.candidate_for.iter().map(would).collect(),
                true => BTreeMap::new(),
            },
            cannot_reach: self.away.keys().cloned().collect(),
            decides: settings.decides.clone(),
            speaks: settings.speaks,
            leaving: self.leaving.is_some(),
            program: settings.program.clone(),
        };
        beat.shows &= !beat.has_left();
        beat
    }
}
