//! The fingerprints of the last records: at the next start they tell whether the log still is the one that was read.

use crate::record::fingerprint::{Fingerprint, last_before};
use crate::record::{Position, Record, Topic};
use std::collections::BTreeMap;

/// The last record taken of each partition, and the one that the last checkpoint stored. These are enough: a partition whose offset is
/// held back, because of pending work, has a stored one before that.
#[derive(Debug)]
pub(super) struct LastTaken {
    last: BTreeMap<(Topic, i32), Fingerprint>,
    stored: Vec<Fingerprint>,
}

impl LastTaken {
    /// Begins with the fingerprints that the last checkpoint stored.
    pub(super) fn new(stored: Vec<Fingerprint>) -> LastTaken {
        LastTaken {
            last: BTreeMap::new(),
            stored,
        }
    }

    /// Notes that a record is taken.
    pub(super) fn take(&mut self, record: &Record) {
        let taken = Fingerprint::of(record);
        self.last.insert(taken.partition(), taken);
    }

    /// The fingerprints that a checkpoint at `next` stores: that of the last known record before `next`, and that of the checkpoint
    /// before, whose offsets hold until its own are written.
    pub(super) fn store_up_to(&mut self, next: &[Position]) -> Vec<Fingerprint> {
        let known = self.stored.iter().chain(self.last.values()).copied();
        let mut to_store = last_before(known, next);
        let before = std::mem::replace(&mut self.stored, to_store.clone());
        to_store.extend(before);
        to_store.sort_unstable_by_key(|taken| taken.position);
        to_store.dedup();
        to_store
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slackwater_order::time::Time;

    fn at(offset: i64) -> Position {
        Position {
            topic: Topic::Activities,
            partition: 3,
            offset,
        }
    }

    fn record(offset: i64) -> Record {
        Record {
            position: at(offset),
            timestamp: Some(Time::from_millis(offset)),
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    /// Were this to fail, a record would be compared that is not known to be reflected, and whoever crashes between two rows
    /// would have none.
    #[test]
    fn what_is_stored_is_before_the_offsets_there_are_and_before_those_there_will_be() {
        let mut taken = LastTaken::new(vec![Fingerprint::of(&record(4))]);
        let mut check = |take: &[i64], next: i64, stored: &[i64]| {
            take.iter().for_each(|offset| taken.take(&record(*offset)));
            let stored: Vec<_> = stored
                .iter()
                .map(|n| Fingerprint::of(&record(*n)))
                .collect();
            assert_eq!(taken.store_up_to(&[at(next)]), stored, "{next}");
        };
        check(&[5, 6, 7], 8, &[4, 7]);
        check(&[], 8, &[7]);
        check(&[8, 11], 12, &[7, 11]);
        // Held back at 13.
        check(&[12, 13, 14], 13, &[11]);
        check(&[15], 13, &[11]);
        check(&[], 16, &[11, 15]);
        check(&[], 16, &[15]);
    }
}
