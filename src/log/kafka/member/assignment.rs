//! What the group gave a member.

use super::super::topics::Partitions;
use slackwater_engine::record::{Position, Topic};
use std::collections::BTreeSet;

/// What the group gave this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// Partitions of relationships: its shards.
    pub relationships: BTreeSet<i32>,
    /// Partitions of activities, of which it commits offsets.
    pub activities: BTreeSet<i32>,
    /// False before the group has given anything, and while it does not answer: then the partitions are those that it gave last, and
    /// others may have them.
    pub is_current: bool,
}

impl Assignment {
    /// What is given by partitions of relationships, where the topics have so many.
    pub(super) fn of(relationships: BTreeSet<i32>, partitions: &Partitions) -> Assignment {
        let count = |topic| partitions.get(&topic).copied().unwrap_or(0);
        let shards = count(Topic::Relationships).max(1);
        let activities = (0..count(Topic::Activities))
            .filter(|partition| relationships.contains(&(partition % shards)))
            .collect();
        Assignment {
            relationships,
            activities,
            is_current: true,
        }
    }

    /// The shards: the partitions of relationships, as numbers.
    pub fn shards(&self) -> BTreeSet<u32> {
        let numbers = self.relationships.iter();
        numbers
            .filter_map(|partition| u32::try_from(*partition).ok())
            .collect()
    }

    /// Whether the partition of a record or offset is among those given.
    pub fn has(&self, position: Position) -> bool {
        match position.topic {
            Topic::Relationships => self.relationships.contains(&position.partition),
            Topic::Activities => self.activities.contains(&position.partition),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, dead letters of a partition could be nobody's to write.
    #[test]
    fn every_partition_of_activities_is_of_one_who_has_a_shard() {
        let check = |activities: i32, relationships: i32, given: &[i32], expected: &[i32]| {
            let partitions = [
                (Topic::Activities, activities),
                (Topic::Relationships, relationships),
            ];
            let given = given.iter().copied().collect();
            let assignment = Assignment::of(given, &partitions.into());
            let expected = expected.iter().copied().collect();
            assert_eq!(assignment.activities, expected);
        };
        check(8, 8, &[1, 5], &[1, 5]);
        check(8, 4, &[1, 3], &[1, 3, 5, 7]);
        check(2, 8, &[0, 2, 5], &[0]);
        check(8, 1, &[0], &[0, 1, 2, 3, 4, 5, 6, 7]);
        check(8, 8, &[], &[]);
        check(0, 0, &[0], &[]);
    }
}
