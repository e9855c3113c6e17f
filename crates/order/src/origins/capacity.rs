//! Who is remembered one by one when there are more origins than that: nobody's names, however many they make up, push out
//! those that are heard.

use crate::map::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Hosts below one registrable domain that are remembered one by one. Whoever owns a domain has as many names below it as they
/// like, for nothing.
pub const OF_DOMAIN_MAX: u32 = 1_000;

/// How many are looked at to find one to give way: looking at all would take longer than all else, and among so many there is
/// nearly always one that is hardly heard.
const LOOKED_AT: usize = 32;

/// How many of whose there are, and where it was looked last.
#[derive(Debug)]
pub(super) struct Capacity {
    /// The part of a host that somebody had to register.
    domain_of: fn(&str) -> &str,
    /// Keyed: nobody outside can make two domains one.
    hasher: RandomState,
    /// Hosts of each domain, by its hash.
    of_domain: HashMap<u64, u32>,
    hand: usize,
}

impl Capacity {
    pub(super) fn new(domain_of: fn(&str) -> &str) -> Capacity {
        Capacity {
            domain_of,
            hasher: RandomState::new(),
            of_domain: HashMap::default(),
            hand: 0,
        }
    }

    fn domain(&self, host: &str) -> u64 {
        self.hasher.hash_one((self.domain_of)(host))
    }

    /// Whether there is room for one more host of this one's domain.
    pub(super) fn has_some_for(&self, host: &str) -> bool {
        let there = self.of_domain.get(&self.domain(host));
        there.is_none_or(|there| *there < OF_DOMAIN_MAX)
    }

    /// A host is remembered from now on.
    pub(super) fn take(&mut self, host: &str) {
        let domain = self.domain(host);
        *self.of_domain.entry(domain).or_default() += 1;
    }

    /// A host is remembered no longer.
    pub(super) fn give(&mut self, host: &str) {
        let domain = self.domain(host);
        if let Some(there) = self.of_domain.get_mut(&domain) {
            *there -= 1;
            if *there == 0 {
                self.of_domain.remove(&domain);
            }
        }
    }

    /// Which of `count` gives way: the lowest by `key` of the next that are looked at, round and round.
    pub(super) fn least<K: Ord>(
        &mut self,
        count: usize,
        key: impl Fn(usize) -> Option<K>,
    ) -> Option<usize> {
        let from = self.hand;
        let numbers = (from..from + LOOKED_AT.min(count)).map(|number| number % count);
        self.hand = (from + LOOKED_AT).checked_rem(count).unwrap_or(0);
        let keys = numbers.filter_map(|number| Some((key(number)?, number)));
        keys.min().map(|(_, number)| number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origins::tests::domain_of;

    #[test]
    fn what_was_given_back_is_room_again() {
        let mut room = Capacity::new(domain_of);
        for n in 0..OF_DOMAIN_MAX {
            room.take(&format!("h{n}.evil.example"));
        }
        assert!(!room.has_some_for("x.evil.example"));
        assert!(room.has_some_for("good.example"));
        room.give("h7.evil.example");
        assert!(room.has_some_for("x.evil.example"));
    }

    #[test]
    fn the_least_of_those_next_gives_way_and_all_have_their_turn() {
        let mut room = Capacity::new(domain_of);
        let heard = |number: usize| Some((number * 7) % 100);
        let mut given = [room.least(100, heard), room.least(100, heard)];
        assert_eq!(given, [Some(0), Some(43)]);
        given = [room.least(100, heard), room.least(0, heard)];
        assert_eq!(given, [Some(86), None]);
    }
}
