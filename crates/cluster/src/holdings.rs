//! The shards that a node has: those it serves, those it stands by for, those it is about to have, and those it gives away.

use crate::catch_up::{CatchUp, Ends};
use crate::moment::Moment;
use crate::serving::Role;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a shard that is to go elsewhere is served on while no other node serves it.
pub const GIVE_AWAY_WAIT: Duration = Duration::from_secs(30);

/// The shards that a node has, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    shards: u32,
    held: BTreeMap<u32, Held>,
}

/// A shard that a node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// In which way.
    pub role: Role,
    /// What is still to be done before the node answers for it.
    pub catch_up: CatchUp,
    /// Since when it should be elsewhere.
    unwanted: Option<Moment>,
}

/// What a node should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The shards that it should serve.
    pub serves: BTreeSet<u32>,
    /// The shards that it should stand by for.
    pub standby: BTreeSet<u32>,
}

/// What other nodes have, as far as they can be reached and count shards alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// The shards that one of them serves; while this node leaves, also those that one of them stands by for.
    pub serve: BTreeSet<u32>,
    /// The shards that one of them should serve.
    pub own: BTreeSet<u32>,
}

impl Holdings {
    /// No shards of so many.
    pub fn new(shards: u32) -> Holdings {
        Holdings {
            shards,
            held: BTreeMap::new(),
        }
    }

    /// How many shards there are.
    pub fn shards(&self) -> u32 {
        self.shards
    }

    /// The shards that it has, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Held)> {
        self.held.iter().map(|(shard, held)| (*shard, held))
    }

    /// Partitions were added. Twice as many shards hold the same accounts; if the number is no multiple, nothing is held any more.
    pub fn grow(&mut self, shards: u32) {
        let before = std::mem::replace(&mut self.shards, shards);
        if before == shards || before == 0 {
            return;
        }
        let held = std::mem::take(&mut self.held);
        if !shards.is_multiple_of(before) {
            return;
        }
        for (shard, held) in held {
            for shard in (shard..shards).step_by(before as usize) {
                self.held.insert(shard, held.clone());
            }
        }
    }

    /// Takes what is wanted and not there, to be made known by the record `n`, and drops what is no longer wanted, once it is elsewhere or
    /// has waited for that. What is to be nobody else's is served on: who should have it may still read the log.
    pub fn want(&mut self, wanted: &Wanted, others: &Others, n: u64, now: Moment) {
        let elsewhere = |shard: &u32| others.serve.contains(shard);
        let serves = wanted.serves.iter().map(|shard| (*shard, Role::Serves));
        let standby = wanted.standby.iter().map(|shard| (*shard, Role::StandsBy));
        // Who should serve a shard should not stand by for it.
        let roles: BTreeMap<u32, Role> = standby.chain(serves).collect();
        for (shard, role) in roles.iter().filter(|(shard, _)| **shard < self.shards) {
            let held = self.held.entry(*shard).or_insert_with(|| Held {
                role: *role,
                catch_up: CatchUp::ReadBack { n },
                unwanted: None,
            });
            // Until another node serves it, this one does.
            if *role == Role::Serves || held.role == Role::StandsBy || elsewhere(shard) {
                held.role = *role;
                held.unwanted = None;
            }
        }
        self.held.retain(|shard, held| {
            if roles.contains_key(shard) {
                return true;
            }
            if held.role == Role::Serves && !others.own.contains(shard) {
                held.unwanted = None;
                return true;
            }
            let since = *held.unwanted.get_or_insert(now);
            held.role == Role::Serves && !elsewhere(shard) && now < since.plus(GIVE_AWAY_WAIT)
        });
    }

    /// Drops all shards.
    pub fn clear(&mut self) {
        self.held.clear();
    }

    /// The lease ended: what is held is caught up with again when the next record is read back, or that which claims it.
    pub fn lapse(&mut self) {
        for held in self.held.values_mut() {
            held.catch_up.begin_again();
        }
    }

    /// A record of our own was read back.
    pub fn read_back(&mut self, number: u64, now: Moment) {
        for held in self.held.values_mut() {
            held.catch_up.read_back(number, now);
        }
    }

    /// The log said where relations end.
    pub fn ends(&mut self, asked: Moment, ends: &Ends) {
        for held in self.held.values_mut() {
            held.catch_up.ends(asked, ends);
        }
    }

    /// Relations are in force up to here.
    pub fn reached(&mut self, taken: &Ends) {
        for held in self.held.values_mut() {
            held.catch_up.reached(taken);
        }
    }

    /// Whether the ends of relations are to be asked for.
    pub fn asks(&self) -> bool {
        self.held.values().any(|held| held.catch_up.asks())
    }

    /// The shards that are caught up with, in one way.
    pub fn ready(&self, role: Role) -> BTreeSet<u32> {
        let is_ready = |held: &Held| held.role == role && held.catch_up.is_done();
        self.pick(is_ready)
    }

    /// The shards that are not caught up with.
    pub fn claims(&self) -> BTreeSet<u32> {
        self.pick(|held| !held.catch_up.is_done())
    }

    /// All shards whose feeds are to be kept.
    pub fn kept(&self) -> BTreeSet<u32> {
        self.pick(|_| true)
    }

    fn pick(&self, picks: impl Fn(&Held) -> bool) -> BTreeSet<u32> {
        let held = self.held.iter().filter(|(_, held)| picks(held));
        held.map(|(shard, _)| *shard).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    fn serving(shards: u32, of: &[u32]) -> Holdings {
        let mut holdings = Holdings::new(shards);
        let wanted = wanted(of, &[]);
        holdings.want(&wanted, &others(&[]), 1, at(0));
        holdings.read_back(1, at(1));
        holdings.ends(at(2), &Ends::new());
        holdings.reached(&Ends::new());
        holdings
    }

    fn wanted(serves: &[u32], standby: &[u32]) -> Wanted {
        Wanted {
            serves: serves.iter().copied().collect(),
            standby: standby.iter().copied().collect(),
        }
    }

    /// Others should have all, and serve these.
    fn others(serve: &[u32]) -> Others {
        Others {
            serve: set(serve),
            own: (0..8).collect(),
        }
    }

    fn set(of: &[u32]) -> BTreeSet<u32> {
        of.iter().copied().collect()
    }

    /// Were this to fail, a shard would be nobody's while it moves.
    #[test]
    fn a_shard_that_is_to_go_is_served_until_it_is_elsewhere_or_has_waited() {
        let mut holdings = serving(8, &[1, 2]);
        assert_eq!(holdings.ready(Role::Serves), set(&[1, 2]));
        holdings.want(&wanted(&[1], &[]), &others(&[]), 2, at(10));
        assert_eq!(holdings.ready(Role::Serves), set(&[1, 2]));
        let mut waited = holdings.clone();
        waited.want(&wanted(&[1], &[]), &others(&[]), 2, at(30_010));
        assert_eq!(waited.ready(Role::Serves), set(&[1]));
        holdings.want(&wanted(&[1], &[]), &others(&[2]), 2, at(20));
        assert_eq!(holdings.ready(Role::Serves), set(&[1]));
    }

    /// Were this to fail, accounts would be nobody's while the node that the group gives them to reads the log, which takes minutes.
    #[test]
    fn a_shard_that_no_other_should_have_yet_is_served_on() {
        let mut holdings = serving(8, &[1, 2]);
        let nobody = Others::default();
        holdings.want(&wanted(&[1], &[]), &nobody, 2, at(10));
        holdings.want(&wanted(&[1], &[]), &nobody, 3, at(90_000));
        assert_eq!(holdings.ready(Role::Serves), set(&[1, 2]));
        holdings.want(&wanted(&[1], &[]), &others(&[]), 4, at(90_010));
        assert_eq!(holdings.ready(Role::Serves), set(&[1, 2]));
        holdings.want(&wanted(&[1], &[]), &others(&[2]), 5, at(90_020));
        assert_eq!(holdings.ready(Role::Serves), set(&[1]));
    }

    #[test]
    fn who_is_to_stand_by_serves_until_another_does_and_has_nothing_to_catch_up_with() {
        let mut holdings = serving(8, &[1]);
        holdings.want(&wanted(&[], &[1]), &others(&[]), 2, at(10));
        assert_eq!(holdings.ready(Role::Serves), set(&[1]));
        holdings.want(&wanted(&[], &[1]), &others(&[1]), 2, at(10));
        assert_eq!(holdings.ready(Role::StandsBy), set(&[1]));
        holdings.want(&wanted(&[1], &[]), &others(&[]), 3, at(20));
        assert_eq!(holdings.ready(Role::Serves), set(&[1]));
    }

    #[test]
    fn what_is_new_is_claimed_first() {
        let mut holdings = serving(8, &[1]);
        holdings.want(&wanted(&[1, 2], &[]), &others(&[]), 7, at(10));
        assert_eq!(holdings.claims(), set(&[2]));
        assert_eq!(holdings.kept(), set(&[1, 2]));
        holdings.read_back(6, at(11));
        assert!(!holdings.asks());
        holdings.read_back(7, at(12));
        assert!(holdings.asks());
    }

    #[test]
    fn after_a_lapse_all_is_caught_up_with_again() {
        let mut holdings = serving(8, &[1]);
        holdings.lapse();
        assert_eq!(holdings.ready(Role::Serves), set(&[]));
        assert_eq!(holdings.claims(), set(&[1]));
        holdings.read_back(1, at(10));
        assert!(holdings.asks());
    }

    /// Were this to fail, a shard would be shown by a node of which nobody knows that it claims it.
    #[test]
    fn what_is_not_claimed_yet_when_the_lease_ends_is_claimed_all_the_same() {
        let mut holdings = Holdings::new(8);
        holdings.want(&wanted(&[1], &[]), &others(&[]), 7, at(0));
        holdings.lapse();
        holdings.read_back(6, at(10));
        assert!(!holdings.asks());
        holdings.read_back(7, at(11));
        assert!(holdings.asks());
    }

    #[test]
    fn twice_as_many_shards_are_the_same_accounts() {
        let mut holdings = serving(4, &[1, 2]);
        holdings.grow(8);
        assert_eq!(holdings.ready(Role::Serves), set(&[1, 2, 5, 6]));
        holdings.grow(12);
        assert_eq!(holdings.kept(), set(&[]));
    }
}
