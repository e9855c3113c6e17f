//! Fingerprints of records: they differ where another topic of the same name has another record at an offset. Pure.

use crate::record::{Position, Record, Topic};
use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::Xxh3Default;

/// A record's position, its timestamp, and a checksum of its key, value and headers (XXH3, which is stable across machines and
/// releases).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Where it stands.
    pub position: Position,
    timestamp: Option<Time>,
    checksum: u64,
}

impl Fingerprint {
    /// A record's.
    pub fn of(record: &Record) -> Fingerprint {
        let mut checksum = Xxh3Default::new();
        // With the length before each part, so that what belongs to one is not taken for the next one's.
        let mut add = |part: Option<&[u8]>| {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            checksum.update(&length.to_le_bytes());
            checksum.update(part.unwrap_or_default());
        };
        add(record.key.as_deref());
        add(record.value.as_deref());
        for (name, value) in &record.headers {
            add(Some(name.as_bytes()));
            add(Some(value));
        }
        Fingerprint {
            position: record.position,
            timestamp: record.timestamp,
            checksum: checksum.digest(),
        }
    }

    /// Which partition its record is in.
    pub fn partition(&self) -> (Topic, i32) {
        (self.position.topic, self.position.partition)
    }
}

/// The last of these records of each partition that stands before `next`, its next record to read. None of a partition
/// that `next` does not name.
pub fn last_before(
    records: impl IntoIterator<Item = Fingerprint>,
    next: &[Position],
) -> Vec<Fingerprint> {
    let next: BTreeMap<_, _> = next
        .iter()
        .map(|next| ((next.topic, next.partition), next.offset))
        .collect();
    let mut last: BTreeMap<_, Fingerprint> = BTreeMap::new();
    for record in records {
        let partition = record.partition();
        let offset = record.position.offset;
        if next.get(&partition).is_some_and(|next| offset < *next) {
            let there = last.entry(partition).or_insert(record);
            if there.position.offset < offset {
                *there = record;
            }
        }
    }
    last.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32, offset: i64) -> Position {
        Position {
            topic: Topic::Activities,
            partition,
            offset,
        }
    }

    fn record(position: Position) -> Record {
        Record {
            position,
            timestamp: Some(Time::from_millis(7)),
            key: Some(b"ab".to_vec()),
            value: Some(b"c".to_vec()),
            headers: vec![("d".to_owned(), b"e".to_vec())],
        }
    }

    /// Were this to fail, another record would pass for the one that was read.
    #[test]
    fn records_that_differ_in_anything_have_different_fingerprints() {
        let first = record(at(0, 1));
        let others = [
            record(at(0, 2)),
            Record {
                timestamp: Some(Time::from_millis(8)),
                ..first.clone()
            },
            Record {
                timestamp: None,
                ..first.clone()
            },
            Record {
                key: None,
                ..first.clone()
            },
            Record {
                key: Some(b"a".to_vec()),
                value: Some(b"bc".to_vec()),
                ..first.clone()
            },
            Record {
                value: None,
                ..first.clone()
            },
            Record {
                value: Some(Vec::new()),
                ..first.clone()
            },
            Record {
                headers: Vec::new(),
                ..first.clone()
            },
            Record {
                headers: vec![("de".to_owned(), Vec::new())],
                ..first.clone()
            },
        ];
        assert_eq!(Fingerprint::of(&first), Fingerprint::of(&first.clone()));
        let mut all: Vec<_> = others.iter().map(Fingerprint::of).collect();
        all.push(Fingerprint::of(&first));
        for (n, one) in all.iter().enumerate() {
            assert!(all.iter().skip(n + 1).all(|other| other != one), "{n}");
        }
    }

    #[test]
    fn of_each_partition_the_last_record_before_the_next_is_found() {
        let check = |records: &[(i32, i64)], next: &[(i32, i64)], last: &[(i32, i64)]| {
            let of = |(partition, offset): &(i32, i64)| {
                Fingerprint::of(&record(at(*partition, *offset)))
            };
            let next: Vec<_> = next.iter().map(|(p, offset)| at(*p, *offset)).collect();
            let last: Vec<_> = last.iter().map(of).collect();
            assert_eq!(last_before(records.iter().map(of), &next), last);
        };
        check(&[(0, 3), (0, 9)], &[(0, 10)], &[(0, 9)]);
        check(&[(0, 9), (0, 3)], &[(0, 10)], &[(0, 9)]);
        check(&[(0, 3), (0, 9)], &[(0, 9)], &[(0, 3)]);
        check(&[(0, 3), (0, 9)], &[(0, 3)], &[]);
        check(&[(0, 3), (1, 9)], &[(1, 12), (2, 4)], &[(1, 9)]);
    }
}
