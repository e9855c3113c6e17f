//! Beats: what a node says of itself, once a second and whenever that changes, in the topic `slackwater.nodes`.

use crate::shard::{AccountHash, SHARDS_MAX};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The version of the records that this program writes. Later ones only add fields.
pub const VERSION: u32 = 1;

/// The longest record that is read, in bytes.
pub const BYTES_MAX: usize = 128 << 10;

/// The longest name of a node, in bytes.
pub const NAME_BYTES_MAX: usize = 32;

/// The longest other text in a record, in bytes.
const TEXT_BYTES_MAX: usize = 512;

/// The longest lease that a node may have: a relation waits so long for one that is gone, and a tenth longer, and no request waits for longer
/// than 25 seconds.
pub const LEASE_MAX: Duration = Duration::from_secs(20);

/// What a node says of itself. The key of the record is its name, so that the topic keeps the newest of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Beat {
    /// The version of the record. Fields are only added, so an older program reads a newer record.
    pub v: u32,
    /// The node's name: 1 to 32 of a-z, 0-9 and -.
    pub node: String,
    /// The process, by a name of its own. A second process of the same name takes its place.
    pub run: String,
    /// Where other nodes and backends reach it: an http URL without a path.
    pub address: String,
    /// The number of the record within its run, counted from 1.
    pub n: u64,
    /// The offset of the first record of its run, once it has read that back: nodes that come later do not find that record.
    #[serde(default)]
    pub began: Option<i64>,
    /// How long the node serves on after the sending of a record that it has read back, in milliseconds.
    pub lease_ms: u64,
    /// How many shards there are, as far as the node knows: the partitions of the relationships topic.
    pub shards: u32,
    /// The shards whose accounts it answers for.
    #[serde(default)]
    pub serves: BTreeSet<u32>,
    /// The shards whose feeds it keeps beside another node, and answers for if that does not.
    #[serde(default)]
    pub standby: BTreeSet<u32>,
    /// The shards that it is about to serve or to stand by for: it reads relations up to their end first.
    #[serde(default)]
    pub claims: BTreeSet<u32>,
    /// The shards that it should serve: those that the consumer group or rendezvous hashing gives it.
    #[serde(default)]
    pub owns: BTreeSet<u32>,
    /// Whether it shows feeds that are nobody's, or is about to: what the instance limits and suspends must be in force there.
    #[serde(default)]
    pub shows: bool,
    /// Whether it has read the log up to where it ended at its start. Before, others are given shards, if there are others.
    #[serde(default)]
    pub caught_up: bool,
    /// By partition of the relationships topic: the next record that is not in force and carried out on this node.
    #[serde(default)]
    pub in_force: BTreeMap<u32, i64>,
    /// All that arrived at this node before this moment is in the log, in milliseconds since 1970 by its clock; null until it knows.
    #[serde(default)]
    pub settled: Option<i64>,
    /// By partition, as `activities/0`: dead letters of it are written up to this offset.
    #[serde(default)]
    pub letters: BTreeMap<String, i64>,
    /// Work that one node at a time does and that this node would do, such as `comparison`: since the record at which offset, once it has
    /// read that back. The lowest does it.
    #[serde(default)]
    pub candidate_for: BTreeMap<String, Option<i64>>,
    /// Nodes that this one cannot reach.
    #[serde(default)]
    pub cannot_reach: BTreeSet<String>,
    /// The hash of all that decides feeds and ids. Nodes that differ from the oldest serve nothing.
    pub decides: String,
    /// What the node reads and writes.
    #[serde(default)]
    pub speaks: Speaks,
    /// It is about to stop: others take its shards.
    #[serde(default)]
    pub leaving: bool,
    /// The version of its program.
    #[serde(default)]
    pub program: String,
}

/// The versions that a node reads: the lowest and the highest of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Speaks {
    /// Of cursors.
    pub cursor: (u32, u32),
    /// Of requests that are passed on.
    pub hop: (u32, u32),
}

impl Speaks {
    /// Whether a request can be passed on to who speaks so by a node that writes this version.
    pub fn reads_hop(self, version: u32) -> bool {
        let (lowest, highest) = self.hop;
        (lowest..=highest).contains(&version)
    }
}

impl Default for Speaks {
    fn default() -> Speaks {
        Speaks {
            cursor: (1, 1),
            hop: (1, 1),
        }
    }
}

/// Why a record is no beat.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeatError {
    /// It is too long.
    #[error("{0} bytes are more than {BYTES_MAX}")]
    TooLong(usize),
    /// It is no JSON of the right shape.
    #[error("{0}")]
    Malformed(String),
    /// A field is out of its bounds.
    #[error("{0} is out of bounds")]
    OutOfBounds(&'static str),
    /// It is under the key of another node.
    #[error("it says {said:?} and is keyed {key:?}")]
    OtherKey {
        /// The name in it.
        said: String,
        /// The key.
        key: String,
    },
    /// So many others may be live that it is not followed.
    #[error("more nodes are live than are followed")]
    TooManyNodes,
}

impl Beat {
    /// Reads a record of the topic.
    ///
    /// Errors: [`BeatError`], whatever the bytes are.
    pub fn decode(key: &str, value: &[u8]) -> Result<Beat, BeatError> {
        if BYTES_MAX < value.len() {
            return Err(BeatError::TooLong(value.len()));
        }
        let beat: Beat =
            serde_json::from_slice(value).map_err(|e| BeatError::Malformed(e.to_string()))?;
        beat.check()?;
        if beat.node != key {
            return Err(BeatError::OtherKey {
                said: beat.node,
                key: key.to_owned(),
            });
        }
        Ok(beat)
    }

    /// The value of the record.
    pub fn encode(&self) -> Vec<u8> {
        // Maps with text and numbers for keys cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// How long it serves on after sending this record.
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// Whether it answers, or may soon answer, for an account: a relation of the account must be in force there.
    pub fn concerns(&self, account: AccountHash) -> bool {
        let shard = self.shard_here(account);
        self.serves.contains(&shard)
            || self.standby.contains(&shard)
            || self.claims.contains(&shard)
    }

    /// Whether it answers for an account.
    pub fn serves(&self, account: AccountHash) -> bool {
        self.serves.contains(&self.shard_here(account))
    }

    /// Whether it keeps an account's feeds beside the node that serves them.
    pub fn stands_by(&self, account: AccountHash) -> bool {
        self.standby.contains(&self.shard_here(account))
    }

    /// Whether its process shows no feed any more.
    pub fn has_left(&self) -> bool {
        let sets = [&self.serves, &self.standby, &self.claims];
        self.leaving && sets.into_iter().all(BTreeSet::is_empty)
    }

    fn shard_here(&self, account: AccountHash) -> u32 {
        account.shard(self.shards)
    }

    fn check(&self) -> Result<(), BeatError> {
        let out = |name| Err(BeatError::OutOfBounds(name));
        if !is_name(&self.node) {
            return out("node");
        }
        if self.shards == 0 || SHARDS_MAX < self.shards {
            return out("shards");
        }
        let sets = [&self.serves, &self.standby, &self.claims, &self.owns];
        let is_within = |set: &BTreeSet<u32>| set.last().is_none_or(|last| *last < self.shards);
        if !sets.into_iter().all(is_within) {
            return out("a shard");
        }
        if LEASE_MAX < self.lease() || self.lease_ms == 0 {
            return out("lease_ms");
        }
        let texts = [&self.run, &self.address, &self.decides, &self.program];
        let lists = self.letters.keys().chain(self.candidate_for.keys());
        let mut texts = texts.into_iter().chain(lists).chain(&self.cannot_reach);
        if texts.any(|text| TEXT_BYTES_MAX < text.len()) {
            return out("a text");
        }
        Ok(())
    }
}

/// Whether this is a name for a node: 1 to 32 of a-z, 0-9 and -.
pub fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::beat;
    use proptest::prelude::*;

    #[test]
    fn a_beat_is_read_as_it_was_written() {
        let mut written = beat("a");
        written.serves = [0, 5].into();
        written.in_force = [(0, 991), (5, 77)].into();
        assert_eq!(Beat::decode("a", &written.encode()), Ok(written));
    }

    #[test]
    fn a_later_version_with_more_fields_is_read() {
        let mut value = serde_json::to_value(beat("a")).unwrap();
        value["v"] = 9.into();
        value["mood"] = "good".into();
        let read = Beat::decode("a", value.to_string().as_bytes()).unwrap();
        assert_eq!((read.v, read.node.as_str()), (9, "a"));
    }

    /// Were this to fail, one record of somebody else would stop every node, or make it wait for ever.
    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let check = |change: &dyn Fn(&mut Beat), expected: &str| {
            let mut wrong = beat("a");
            change(&mut wrong);
            let error = Beat::decode(&wrong.node, &wrong.encode()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(&|it| it.node = "A".to_owned(), "node");
        check(&|it| it.node = "a".repeat(33), "node");
        check(&|it| it.shards = 0, "shards");
        check(&|it| it.shards = 2_000, "shards");
        check(&|it| it.serves = [8].into(), "a shard");
        check(&|it| it.lease_ms = 0, "lease_ms");
        check(&|it| it.lease_ms = 3_600_000, "lease_ms");
        check(&|it| it.address = "x".repeat(600), "a text");
        let error = Beat::decode("b", &beat("a").encode()).unwrap_err();
        assert!(matches!(error, BeatError::OtherKey { .. }), "{error}");
        let error = Beat::decode("a", &vec![b' '; BYTES_MAX + 1]).unwrap_err();
        assert!(matches!(error, BeatError::TooLong(_)), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Beat::decode("a", &bytes);
        }
    }
}
