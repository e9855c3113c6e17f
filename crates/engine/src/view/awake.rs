//! Which accounts are awake here, for a standby that keeps their feeds too.
//!
//! A standby walks once through all ([`View::awake_page`]), having asked first at which sequence it begins ([`View::awakened_next`]), and
//! from there on asks for those that were awakened since ([`View::awakened_since`]). It keeps them warm with [`View::keep_warm`], also
//! those that it named before: an account that is not named for as long as feeds are kept of accounts that nobody reads falls asleep there.
//! So a standby walks again from time to time; once an hour is often enough, as last accesses are known by the hour.
//!
//! Numbers and sequences are of one process: with another process of the same node the walk begins again.

use crate::graph::AccountIx;
use crate::kept::Kept;
use crate::view::View;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Accounts looked at for one answer.
const PAGE_MAX: usize = 4_096;
/// The last awakenings that are remembered: who asks for older ones walks again.
const AWAKENED_MAX: usize = 65_536;
/// So many accounts may have work ahead, readers' included, before a standby asks for the feeds of another: readers wait, a standby does
/// not.
const WARMING_MAX: usize = 256;

/// The accounts that were awakened last, in that order. The engine writes it.
#[derive(Debug, Default)]
pub struct Awakened {
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    /// The sequence of the first in `accounts`.
    first: u64,
    accounts: VecDeque<AccountIx>,
}

/// Accounts that are awake, as far as an answer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwakePage {
    /// Their ids.
    pub accounts: Vec<Box<str>>,
    /// Where the next page begins; none if this was the last.
    pub next: Option<usize>,
}

/// Which accounts were awakened since a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwakenedSince {
    /// These. Some may be asleep again.
    Accounts {
        /// Their ids. One may be named twice.
        accounts: Vec<Box<str>>,
        /// The sequence from which to go on.
        next: u64,
    },
    /// It is too long ago, or of another process: the standby walks again.
    WalkAgain,
}

/// What became of the accounts that a standby names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warmed {
    /// These have their feeds, or will.
    pub awake: usize,
    /// These are to be named again later: so much is to be done that it can wait.
    pub left: usize,
    /// These are not known here yet, or not any more.
    pub unknown: usize,
}

impl Awakened {
    /// These accounts have become awake.
    pub fn push(&self, accounts: &[AccountIx]) {
        let last = &mut *self.last.lock();
        last.accounts.extend(accounts);
        let too_many = last.accounts.len().saturating_sub(AWAKENED_MAX);
        last.accounts.drain(..too_many);
        last.first += too_many as u64;
    }

    fn next(&self) -> u64 {
        let last = self.last.lock();
        last.first + last.accounts.len() as u64
    }

    /// Those from a sequence on, and the sequence after them; none if these are not remembered.
    fn since(&self, since: u64) -> Option<(Vec<AccountIx>, u64)> {
        let last = self.last.lock();
        let from = usize::try_from(since.checked_sub(last.first)?).ok()?;
        if last.accounts.len() < from {
            return None;
        }
        let accounts: Vec<AccountIx> = last
            .accounts
            .range(from..)
            .take(PAGE_MAX)
            .copied()
            .collect();
        let next = since + accounts.len() as u64;
        Some((accounts, next))
    }
}

impl View {
    /// The sequence of the next account that is awakened.
    pub fn awakened_next(&self) -> u64 {
        self.awakened.next()
    }

    /// The accounts of `shards` that are awake, from a number on. An account that is awake all the while is in one of the pages from 0
    /// on, or was awakened since they began.
    pub fn awake_page(&self, shards: &Kept, from: usize) -> AwakePage {
        let graph = self.graph.read();
        let to = graph.accounts().min(from.saturating_add(PAGE_MAX));
        let numbers = (from..to).map(AccountIx::from_number);
        let awake = numbers.filter(|account| !self.last_access.is_inactive(*account));
        let ids = awake.filter_map(|account| graph.get(account));
        let ids = ids.filter(|of| !of.is_gone() && shards.keeps(of.id()));
        AwakePage {
            accounts: ids.map(|of| of.id().into()).collect(),
            next: Some(to).filter(|to| *to < graph.accounts()),
        }
    }

    /// The accounts of `shards` that were awakened since the sequence `since`, as many as fit into an answer.
    pub fn awakened_since(&self, shards: &Kept, since: u64) -> AwakenedSince {
        let Some((accounts, next)) = self.awakened.since(since) else {
            return AwakenedSince::WalkAgain;
        };
        let graph = self.graph.read();
        let ids = accounts
            .into_iter()
            .filter_map(|account| graph.get(account));
        let ids = ids.filter(|of| !of.is_gone() && shards.keeps(of.id()));
        AwakenedSince::Accounts {
            accounts: ids.map(|of| of.id().into()).collect(),
            next,
        }
    }

    /// How many accounts have feeds here.
    pub fn awake_count(&self) -> usize {
        let accounts = self.graph.read().accounts();
        accounts.saturating_sub(self.last_access.asleep())
    }

    /// These accounts are awake on the node that this one stands by for: those that sleep here are given feeds, as long as little else is
    /// to be done, and those that are awake stay so.
    pub fn keep_warm<'a>(&self, accounts: impl IntoIterator<Item = &'a str>) -> Warmed {
        let graph = self.graph.read();
        let mut ahead = self.pending_relations.count() + self.last_access.requests();
        let mut warmed = Warmed::default();
        for id in accounts {
            let Some(account) = graph.account(id) else {
                warmed.unknown += 1;
                continue;
            };
            if !graph.is_inactive(account) {
                self.last_access.note(account);
                warmed.awake += 1;
            } else if ahead < WARMING_MAX && self.last_access.request_feeds(account).is_ok() {
                ahead += 1;
                warmed.awake += 1;
            } else {
                warmed.left += 1;
            }
        }
        warmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(numbers: std::ops::Range<usize>) -> Vec<AccountIx> {
        numbers.map(AccountIx::from_number).collect()
    }

    /// Were this to fail, a standby would never hear of an account, and its readers wait after all.
    #[test]
    fn whoever_asks_from_a_sequence_on_gets_all_since_or_is_told_to_walk_again() {
        let awakened = Awakened::default();
        assert_eq!(awakened.since(0), Some((Vec::new(), 0)));
        assert_eq!(awakened.since(1), None, "of another process");
        awakened.push(&accounts(0..10));
        assert_eq!(awakened.since(7), Some((accounts(7..10), 10)));
        assert_eq!(awakened.since(11), None);
        awakened.push(&accounts(10..AWAKENED_MAX + 5));
        assert_eq!(awakened.since(4), None, "too long ago");
        let (first, next) = awakened.since(5).unwrap();
        assert_eq!(
            (first, next),
            (accounts(5..5 + PAGE_MAX), 5 + PAGE_MAX as u64)
        );
        assert_eq!(awakened.next(), AWAKENED_MAX as u64 + 5);
    }
}
