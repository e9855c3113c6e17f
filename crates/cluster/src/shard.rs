//! Shards: the accounts of one partition of the relationships topic.

use slackwater_order::key_hash::key_hash;
use std::collections::BTreeSet;

/// The most partitions that a topic of ours may have, and so the most shards.
pub const SHARDS_MAX: u32 = 1_024;

/// The name under which relations of the instance itself are keyed: whom it limits and suspends. They concern every node.
pub const INSTANCE: &str = "_instance";

/// An account's place among shards, whatever their number: Kafka's hash of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountHash(u32);

impl AccountHash {
    /// The hash of an account's id.
    pub fn of(account: &str) -> AccountHash {
        AccountHash(key_hash(account.as_bytes()))
    }

    /// Its shard among so many (at least 1).
    pub fn shard(self, shards: u32) -> u32 {
        self.0 % shards.max(1)
    }
}

/// Some shards out of a number of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardSet {
    /// How many shards there are. Nodes may disagree on it for a moment, while partitions are added.
    pub shards: u32,
    /// Those of the set, each below [`Self::shards`].
    pub of: BTreeSet<u32>,
}

impl ShardSet {
    /// Whether an account is in one of these shards.
    pub fn has(&self, account: AccountHash) -> bool {
        self.shards != 0 && self.of.contains(&account.shard(self.shards))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slackwater_order::key_hash::partition_of;

    /// Were this to fail, the relations of an account would be in another partition than the shard that its node serves.
    #[test]
    fn the_shard_of_an_account_is_the_partition_of_its_relations() {
        for account in ["1", "7", "109372843", "ana", INSTANCE] {
            for shards in [1, 8, 64, 1_024] {
                let partition = partition_of(account.as_bytes(), shards as i32);
                assert_eq!(AccountHash::of(account).shard(shards) as i32, partition);
            }
        }
    }

    #[test]
    fn nothing_is_in_a_set_of_no_shards() {
        assert!(!ShardSet::default().has(AccountHash::of("7")));
    }

    #[test]
    fn twice_as_many_shards_hold_the_same_accounts() {
        let before = ShardSet {
            shards: 4,
            of: [1].into(),
        };
        let after = ShardSet {
            shards: 8,
            of: [1, 5].into(),
        };
        for account in 0..1_000 {
            let account = AccountHash::of(&account.to_string());
            assert_eq!(before.has(account), after.has(account));
        }
    }
}
