//! Log positions as feeds and cursors use them: one in eight bytes, and the next offset of each partition. Pure.

use crate::record::{Position, Topic};
use serde::{Deserialize, Serialize};

const OFFSET_BITS: u32 = 48;
const PARTITION_BITS: u32 = 14;
/// The highest partition of a [`LogPos`]: Slackwater's topics have 1024 at most.
pub const PARTITION_MAX: i32 = (1 << PARTITION_BITS) - 1;
/// The highest offset of a [`LogPos`].
pub const OFFSET_MAX: i64 = (1 << OFFSET_BITS) - 1;

/// A position in eight bytes: topic (1 bit), partition (14 bits), offset (48 bits). What lies beyond is clamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogPos(u64);

impl LogPos {
    /// The first record of the first partition of activities.
    pub const FIRST: LogPos = LogPos(0);

    /// The packed form of a position.
    pub fn new(position: Position) -> LogPos {
        let topic = match position.topic {
            Topic::Activities => 0,
            Topic::Relationships => 1,
        };
        let partition = u64::try_from(position.partition.clamp(0, PARTITION_MAX)).unwrap_or(0);
        let offset = u64::try_from(position.offset.clamp(0, OFFSET_MAX)).unwrap_or(0);
        LogPos((topic << (OFFSET_BITS + PARTITION_BITS)) | (partition << OFFSET_BITS) | offset)
    }

    /// The position of a record of the activities topic.
    pub fn of_activity(partition: i32, offset: i64) -> LogPos {
        LogPos::new(Position {
            topic: Topic::Activities,
            partition,
            offset,
        })
    }

    /// From its number; none if the number is too large.
    pub const fn from_number(number: u64) -> Option<LogPos> {
        if number >> (OFFSET_BITS + PARTITION_BITS + 1) == 0 {
            Some(LogPos(number))
        } else {
            None
        }
    }

    /// The number it is: below 2^63.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// A number for its partition of its topic, below 2^15, and its offset, below 2^48.
    pub const fn parts(self) -> (u64, u64) {
        (self.0 >> OFFSET_BITS, self.0 & OFFSET_MAX as u64)
    }

    /// From its [`parts`](Self::parts); none if one of them is too large.
    pub const fn from_parts(partition: u64, offset: u64) -> Option<LogPos> {
        if partition >> (PARTITION_BITS + 1) == 0 && offset >> OFFSET_BITS == 0 {
            Some(LogPos((partition << OFFSET_BITS) | offset))
        } else {
            None
        }
    }

    /// The position it stands for.
    pub fn position(self) -> Position {
        Position {
            topic: self.topic(),
            partition: i32::try_from(self.partition()).unwrap_or(PARTITION_MAX),
            offset: self.offset(),
        }
    }

    /// The position after it.
    pub fn next(self) -> Position {
        let position = self.position();
        Position {
            offset: position.offset + 1,
            ..position
        }
    }

    /// Its topic.
    pub const fn topic(self) -> Topic {
        if self.0 >> (OFFSET_BITS + PARTITION_BITS) == 0 {
            Topic::Activities
        } else {
            Topic::Relationships
        }
    }

    /// Whether both stand in one partition of one topic: then the higher is the later.
    pub const fn is_beside(self, other: LogPos) -> bool {
        self.0 >> OFFSET_BITS == other.0 >> OFFSET_BITS
    }

    const fn partition(self) -> usize {
        ((self.0 >> OFFSET_BITS) & PARTITION_MAX as u64) as usize
    }

    const fn offset(self) -> i64 {
        (self.0 & OFFSET_MAX as u64) as i64
    }
}

/// The next offset of each partition of both topics: records below it have been read, and none at or above it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// By topic, in the order of [`Topic::ALL`], then by partition: the next offset.
    next: [Vec<i64>; 2],
}

impl Offsets {
    /// From the next position of each partition; the others have not begun.
    pub fn new(next: &[Position]) -> Offsets {
        let mut seen = Offsets::default();
        for position in next {
            seen.raise(*position);
        }
        seen
    }

    /// Whether the record at this position is below its partition's next offset.
    #[inline]
    pub fn has(&self, log_pos: LogPos) -> bool {
        self.next_of(log_pos.topic(), log_pos.partition())
            .is_some_and(|next| log_pos.offset() < next)
    }

    /// Whether no partition is further here than there.
    pub fn is_within(&self, there: &Offsets) -> bool {
        Topic::ALL.into_iter().all(|topic| {
            let here = self.of(topic).iter().enumerate();
            here.into_iter()
                .all(|(partition, next)| *next <= there.next_of(topic, partition).unwrap_or(0))
        })
    }

    /// The next position of each partition that has begun, in order.
    pub fn positions(&self) -> Vec<Position> {
        let of_topic = |topic| {
            let rows = self.of(topic).iter().enumerate();
            rows.filter(|(_, next)| **next != 0)
                .map(move |(partition, next)| Position {
                    topic,
                    partition: i32::try_from(partition).unwrap_or(PARTITION_MAX),
                    offset: *next,
                })
        };
        Topic::ALL.into_iter().flat_map(of_topic).collect()
    }

    /// Moves a partition on to `next`, if that is further. Partitions past [`PARTITION_MAX`] are left out.
    pub fn raise(&mut self, next: Position) {
        let Some(partition) = usize::try_from(next.partition)
            .ok()
            .filter(|_| next.partition <= PARTITION_MAX)
        else {
            return;
        };
        let offsets = match next.topic {
            Topic::Activities => &mut self.next[0],
            Topic::Relationships => &mut self.next[1],
        };
        if offsets.len() <= partition {
            offsets.resize(partition + 1, 0);
        }
        if let Some(there) = offsets.get_mut(partition) {
            *there = (*there).max(next.offset);
        }
    }

    /// Moves a partition back to `next`, if it is further.
    pub fn lower(&mut self, next: Position) {
        let offsets = match next.topic {
            Topic::Activities => &mut self.next[0],
            Topic::Relationships => &mut self.next[1],
        };
        let partition = usize::try_from(next.partition).ok();
        if let Some(there) = partition.and_then(|partition| offsets.get_mut(partition)) {
            *there = (*there).min(next.offset);
        }
    }

    fn of(&self, topic: Topic) -> &[i64] {
        match topic {
            Topic::Activities => &self.next[0],
            Topic::Relationships => &self.next[1],
        }
    }

    fn next_of(&self, topic: Topic, partition: usize) -> Option<i64> {
        self.of(topic).get(partition).copied()
    }
}

/// As the positions it is made of.
impl Serialize for Offsets {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.positions().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Offsets {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Offsets, D::Error> {
        Vec::<Position>::deserialize(deserializer).map(|next| Offsets::new(&next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(topic: Topic, partition: i32, offset: i64) -> Position {
        Position {
            topic,
            partition,
            offset,
        }
    }

    #[test]
    fn a_mark_is_the_position_it_was_made_of() {
        for position in [
            at(Topic::Activities, 0, 0),
            at(Topic::Relationships, 1023, 77),
            at(Topic::Activities, PARTITION_MAX, OFFSET_MAX),
        ] {
            let log_pos = LogPos::new(position);
            assert_eq!(log_pos.position(), position);
            assert_eq!(LogPos::from_number(log_pos.number()), Some(log_pos));
        }
        assert_eq!(LogPos::from_number(1 << 63), None);
    }

    #[test]
    fn what_is_below_the_next_offset_has_been_seen() {
        let seen = Offsets::new(&[at(Topic::Activities, 2, 5), at(Topic::Relationships, 0, 1)]);
        let has = |topic, partition, offset| seen.has(LogPos::new(at(topic, partition, offset)));
        assert!(has(Topic::Activities, 2, 4));
        assert!(!has(Topic::Activities, 2, 5));
        assert!(!has(Topic::Activities, 1, 0));
        assert!(!has(Topic::Activities, 3, 0));
        assert!(has(Topic::Relationships, 0, 0));
        assert!(!has(Topic::Relationships, 2, 0));
    }

    #[test]
    fn one_is_within_another_only_if_it_is_in_every_partition() {
        let seen =
            |a, b| Offsets::new(&[at(Topic::Activities, 0, a), at(Topic::Relationships, 1, b)]);
        assert!(seen(1, 1).is_within(&seen(1, 1)));
        assert!(seen(0, 1).is_within(&seen(5, 1)));
        assert!(!seen(1, 2).is_within(&seen(5, 1)));
        assert!(!seen(1, 1).is_within(&Offsets::default()));
        assert!(Offsets::default().is_within(&seen(0, 0)));
    }
}
