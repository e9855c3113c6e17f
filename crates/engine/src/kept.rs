//! Whose feeds are kept here: all accounts', or in a cluster those of some shards. Pure.
//!
//! A shard is a partition of accounts by Kafka's hash of their id: shard `n` of `modulus` has the accounts whose relations Kafka's default
//! partitioner puts into partition `n` of a topic of so many partitions.

use slackwater_order::key_hash::partition_of;
use std::collections::{BTreeMap, BTreeSet};

/// Whose feeds are kept here. All others have their relations in force, and no feeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// Those of all accounts: a single node.
    #[default]
    All,
    /// Those of the accounts of some shards, by modulus. While partitions are added there are shards of two moduli, and an account is
    /// kept if it is in any of them. No shard at all: nobody's.
    Shards(BTreeMap<u32, BTreeSet<u32>>),
}

impl Kept {
    /// Nobody's.
    pub fn nobody() -> Kept {
        Kept::Shards(BTreeMap::new())
    }

    /// Those of the accounts of these shards of so many. A modulus of 0 has no shards.
    pub fn shards(modulus: u32, shards: impl IntoIterator<Item = u32>) -> Kept {
        Kept::Shards(BTreeMap::from([(modulus, shards.into_iter().collect())]))
    }

    /// Those of all accounts, at one of several nodes: for as long as it does not know which it is to keep.
    pub fn all_shards() -> Kept {
        Kept::shards(1, [0])
    }

    /// Whether the feeds of the account with this id are kept.
    pub fn keeps(&self, account: &str) -> bool {
        match self {
            Kept::All => true,
            Kept::Shards(by_modulus) => by_modulus.iter().any(|(modulus, shards)| {
                shard_of(account, *modulus).is_some_and(|shard| shards.contains(&shard))
            }),
        }
    }
}

/// The shard of an account among so many; none if there are none, or more than Kafka has partitions.
fn shard_of(account: &str, modulus: u32) -> Option<u32> {
    let modulus = i32::try_from(modulus).ok().filter(|shards| 0 < *shards)?;
    u32::try_from(partition_of(account.as_bytes(), modulus)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_kept_if_it_is_in_a_shard_of_any_modulus() {
        let ids: Vec<String> = (0..200).map(|n| n.to_string()).collect();
        for id in &ids {
            let of = |modulus| shard_of(id, modulus).unwrap();
            let both = Kept::Shards(BTreeMap::from([
                (8, BTreeSet::from([3])),
                (16, BTreeSet::from([5])),
            ]));
            assert_eq!(both.keeps(id), of(8) == 3 || of(16) == 5, "{id}");
            // A shard of 8 is two of 16.
            assert_eq!(
                Kept::shards(8, [3]).keeps(id),
                Kept::shards(16, [3, 11]).keeps(id)
            );
            assert!(Kept::All.keeps(id) && Kept::all_shards().keeps(id));
            assert!(!Kept::nobody().keeps(id));
            assert!(!Kept::shards(0, [0]).keeps(id));
            assert!(!Kept::shards(u32::MAX, 0..9).keeps(id));
            assert_eq!(
                (0..8).filter(|n| Kept::shards(8, [*n]).keeps(id)).count(),
                1
            );
        }
    }
}
