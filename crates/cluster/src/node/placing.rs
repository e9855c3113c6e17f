//! Which shards a node should have, by the consumer group or by hashing, and for requests that nobody else answers.

use super::{CLAIMED_FOR, Given, LEAVE_WAIT, Node};
use crate::beat::Beat;
use crate::holdings::{Others, Wanted};
use crate::moment::Moment;
use crate::placement;
use std::collections::{BTreeMap, BTreeSet};

impl Node {
    /// The shards that it should serve, by group or hashing.
    pub(super) fn find_own(&self) -> BTreeSet<u32> {
        let Some(proved) = self.proved else {
            return BTreeSet::new();
        };
        if self.barred().is_some() || self.leaving.is_some() {
            return BTreeSet::new();
        }
        let takers = self.takers(proved);
        match &self.given {
            Given::ByHash => {}
            Given::Awaited => return BTreeSet::new(),
            Given::Shards(given) => {
                let shards = self.holdings.shards();
                let may_take = takers.contains(self.settings.node.as_str());
                let given = given.iter().filter(|it| may_take && **it < shards);
                return given.copied().collect();
            }
        }
        let mut placed = placement::places(&takers, self.holdings.shards());
        placed
            .remove(self.settings.node.as_str())
            .unwrap_or_default()
    }

    /// The nodes that may be given shards: those that have read the log up to where it ended at their start, if there are any.
    fn takers(&self, proved: Moment) -> BTreeSet<&str> {
        let takes = |beat: &&Beat| !beat.leaving && beat.decides == self.settings.decides;
        let takers = || self.standing.heard(proved).filter(takes);
        let is_any = takers().any(|beat| beat.caught_up);
        let is_taker = |beat: &&Beat| beat.caught_up || !is_any;
        let names = takers().filter(is_taker).map(|beat| beat.node.as_str());
        names.collect()
    }

    /// Chooses the shards to have. While there is no lease, nothing is known of the others.
    pub(super) fn choose(&mut self, now: Moment) {
        let Some(proved) = self.proved.filter(|_| self.lease_until.is_some()) else {
            return;
        };
        if self.has_dropped_all() || self.barred().is_some() {
            self.holdings.clear();
            return;
        }
        let others = self.have(proved);
        self.claimed
            .retain(|shard, last| !others.serve.contains(shard) || now < last.plus(CLAIMED_FOR));
        let mut wanted = Wanted {
            serves: self.owns.clone(),
            standby: BTreeSet::new(),
        };
        if self.leaving.is_none() {
            let is_claimed = |shard: &&u32| !self.is_served_by_its_owner(**shard, proved);
            let claimed: Vec<u32> = self.claimed.keys().filter(is_claimed).copied().collect();
            wanted.serves.extend(claimed);
            wanted.standby = self.standbys(proved);
        }
        self.holdings.want(&wanted, &others, self.n + 1, now);
        let is_over = |since: Moment| since.plus(LEAVE_WAIT) <= now;
        if self.leaving.is_some_and(is_over) {
            self.holdings.clear();
        }
    }

    /// The shards that this node should stand by for.
    fn standbys(&self, proved: Moment) -> BTreeSet<u32> {
        if self.settings.standbys == 0 || self.given == Given::Awaited {
            return BTreeSet::new();
        }
        let takers = self.takers(proved);
        // Where the group places shards, it alone knows to whom those of a node go that is gone: who stands by goes on with that.
        let by_hash = match self.given {
            Given::ByHash => placement::places(&takers, self.holdings.shards()),
            Given::Awaited | Given::Shards(_) => BTreeMap::new(),
        };
        let owner_of = |shard: u32| {
            let says =
                |beat: &&Beat| beat.shards == self.holdings.shards() && beat.owns.contains(&shard);
            let said = self.standing.heard(proved).find(says);
            let hashed = || by_hash.iter().find(|(_, of)| of.contains(&shard));
            said.map(|beat| beat.node.as_str())
                .or_else(|| hashed().map(|(node, _)| *node))
        };
        let (shards, wanted) = (self.holdings.shards(), self.settings.standbys);
        let mut placed = placement::standbys(&takers, shards, owner_of, wanted);
        placed
            .remove(self.settings.node.as_str())
            .unwrap_or_default()
    }

    /// What other nodes have.
    fn have(&self, proved: Moment) -> Others {
        let mut have = Others::default();
        for beat in self.others(proved) {
            have.serve.extend(&beat.serves);
            have.own.extend(&beat.owns);
            if self.leaving.is_some() {
                have.serve.extend(&beat.standby);
            }
        }
        have
    }

    fn is_served_by_its_owner(&self, shard: u32, proved: Moment) -> bool {
        self.others(proved)
            .any(|beat| beat.serves.contains(&shard) && beat.owns.contains(&shard))
    }

    /// The other nodes that can be reached and count shards as this one does.
    fn others(&self, proved: Moment) -> impl Iterator<Item = &Beat> {
        self.standing.heard(proved).filter(|beat| {
            self.passes_on_to(beat)
                && beat.shards == self.holdings.shards()
                && !self.away.contains_key(&beat.node)
        })
    }
}
