//! Whose dead letters this node writes. In a cluster every node reads every record, and one of them writes the letter: the owner of
//! the record's partition.
//!
//! Each node says up to where it has written the letters of its partitions. A record that cannot be used is kept in memory by all others
//! until its owner has said so, and none of them stores an offset beyond it meanwhile. So whichever node owns the partition next has
//! what is missing, or reads it again. Where nobody says anything of it for long, every node writes it: letters may be doubled, and
//! their headers tell so, but none is lost.

use parking_lot::Mutex;
use slackwater_engine::record::{PartitionEnd, Position, Topic};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most partitions of one topic that a node is listened to about, as many as a topic may have.
const PARTITIONS_MAX: i32 = 1024;
/// The most names under which something is heard. Under more nothing is: then letters of their partitions are written here as well, a minute
/// later.
const NODES_MAX: usize = 256;

/// Whose letters are written here, and how far. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LetterOwnership(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What is this node's in a cluster; none without one.
    own: Option<Own>,
    /// Up to where other nodes have written letters, by the name of the node.
    heard: BTreeMap<String, BTreeMap<(Topic, i32), i64>>,
    /// Up to where letters of this node's partitions are written.
    written: Vec<Position>,
}

#[derive(Debug)]
struct Own {
    shards: BTreeSet<u32>,
    of: u32,
}

impl LetterOwnership {
    /// This node is one of several. Until it owns something, it writes no letters.
    pub fn share(&self) {
        self.0.lock().own.get_or_insert_with(|| Own {
            shards: BTreeSet::new(),
            of: 1,
        });
    }

    /// This node owns these shards of so many, and with them the partitions of either topic whose number is theirs by modulus.
    pub fn own(&self, shards: BTreeSet<u32>, of: u32) {
        let of = of.max(1);
        self.0.lock().own = Some(Own { shards, of });
    }

    /// Another node, or an earlier process of this one, says up to where it has written letters, as [`LetterOwnership::written`] does. It
    /// replaces what was said under this name before. What names no partition is passed over.
    pub fn hear(&self, node: &str, written: &BTreeMap<String, i64>) {
        let known = written
            .iter()
            .filter_map(|(name, offset)| Some((partition(name)?, *offset)))
            .collect();
        let mut state = self.0.lock();
        if state.heard.len() < NODES_MAX || state.heard.contains_key(node) {
            state.heard.insert(node.to_owned(), known);
        }
    }

    /// What was said under this name counts no longer.
    pub fn forget(&self, node: &str) {
        self.0.lock().heard.remove(node);
    }

    /// By partition of this node, as `activities/0`: every record before this offset that cannot be used has its letter in the log.
    pub fn written(&self) -> BTreeMap<String, i64> {
        let state = self.0.lock();
        let named = |position: &Position| {
            let name = format!("{}/{}", position.topic.name(), position.partition);
            (name, position.offset)
        };
        state.written.iter().map(named).collect()
    }

    /// Whether this node is one of several.
    pub(super) fn is_shared(&self) -> bool {
        self.0.lock().own.is_some()
    }

    /// Whether letters of this partition are written here.
    pub(super) fn owns(&self, partition: i32) -> bool {
        self.0.lock().own.as_ref().is_none_or(|own| {
            u32::try_from(partition)
                .is_ok_and(|partition| own.shards.contains(&(partition % own.of)))
        })
    }

    /// The greatest offset of each partition up to which another node has written letters. One beyond the end is of a topic that was
    /// there before, or made up, and does not count.
    pub(super) fn written_elsewhere(&self, ends: &[PartitionEnd]) -> BTreeMap<(Topic, i32), i64> {
        let state = self.0.lock();
        let greatest = |end: &PartitionEnd| {
            let partition = (end.topic, end.partition);
            let said = state.heard.values().filter_map(|node| node.get(&partition));
            let greatest = said.filter(|offset| **offset <= end.end).max();
            Some((partition, *greatest?))
        };
        ends.iter().filter_map(greatest).collect()
    }

    /// Letters of this node's partitions are written up to these.
    pub(super) fn set_written(&self, written: Vec<Position>) {
        self.0.lock().written = written;
    }
}

fn partition(name: &str) -> Option<(Topic, i32)> {
    let (topic, partition) = name.split_once('/')?;
    let topic = Topic::ALL.into_iter().find(|it| it.name() == topic)?;
    let partition = partition.parse().ok()?;
    (0..PARTITIONS_MAX)
        .contains(&partition)
        .then_some((topic, partition))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_cluster_everything_is_this_nodes_and_in_one_what_it_is_given() {
        let ownership = LetterOwnership::default();
        let owned = || {
            (0..6)
                .filter(|it| ownership.owns(*it))
                .collect::<Vec<i32>>()
        };
        assert_eq!(owned(), [0, 1, 2, 3, 4, 5]);
        ownership.share();
        assert_eq!(owned(), Vec::<i32>::new());
        ownership.own([1, 3].into(), 4);
        assert_eq!(owned(), [1, 3, 5]);
        ownership.share();
        assert_eq!(owned(), [1, 3, 5]);
    }

    /// Were this to fail, a letter could be believed to be written because of a topic that was deleted, or of anybody's bytes.
    #[test]
    fn the_greatest_offset_that_can_be_counts() {
        let ownership = LetterOwnership::default();
        let end = |topic, partition, end| PartitionEnd {
            topic,
            partition,
            next: 0,
            end,
        };
        let ends = [
            end(Topic::Activities, 0, 100),
            end(Topic::Activities, 1, 100),
            end(Topic::Relationships, 0, 10),
        ];
        let hear = |node: &str, said: &[(&str, i64)]| {
            let said = said.iter().map(|(name, at)| ((*name).to_owned(), *at));
            ownership.hear(node, &said.collect());
        };
        hear("a", &[("activities/0", 50), ("relationships/0", 11)]);
        hear("b", &[("activities/0", 70), ("activities/1", -1)]);
        hear(
            "c",
            &[
                ("activities/0", i64::MAX),
                ("activities/9999", 1),
                ("posts/0", 1),
                ("activities", 1),
            ],
        );
        let activities = |partition| (Topic::Activities, partition);
        let expected = [(activities(0), 70), (activities(1), -1)];
        assert_eq!(ownership.written_elsewhere(&ends), expected.into());
        hear("b", &[("activities/0", 60)]);
        ownership.forget("a");
        let expected = [(activities(0), 60)];
        assert_eq!(ownership.written_elsewhere(&ends), expected.into());
    }
}
