//! The catch-up: the records that were in the log when the engine was opened, and how many of them are read.

use super::log_status::LogStatus;
use crate::feed::store::Store;
use crate::feed::store::disk::DiskError;
use crate::record::offsets::{LogPos, Offsets};
use crate::record::{Position, Topic};
use std::collections::BTreeMap;

/// The key in the data folder of the offsets up to which readers may have been shown the log.
pub(super) const KNOWN: &str = "known";

/// The offset of each partition up to which readers may have been shown it: where an earlier process had read, which is further than
/// its last checkpoint at `next`; or, if the data folder is new, the end of the log.
fn known(store: &Store, next: &[Position], log: &LogStatus) -> Result<Vec<Position>, DiskError> {
    if let Some(known) = store.meta::<Vec<Position>>(KNOWN)? {
        return Ok([&known, next].concat());
    }
    if !next.is_empty() {
        return Ok(next.to_vec());
    }
    let ends = log.end_positions();
    store.put_meta(KNOWN, &ends)?;
    Ok(ends)
}

/// The state of the catch-up.
#[derive(Debug)]
pub struct CatchUp {
    /// The end of each partition at the start; removed when it is reached.
    ends: BTreeMap<(Topic, i32), i64>,
    is_done: bool,
    /// Up to where an earlier process had read each partition, or where the log ended when the data folder was new.
    known: Offsets,
}

impl CatchUp {
    /// Begins at `next`, with a log that is as `log` says.
    pub(super) fn begin(
        store: &Store,
        next: &[Position],
        log: &LogStatus,
    ) -> Result<CatchUp, DiskError> {
        let ends = log.ends.iter();
        let ends = ends.map(|end| ((end.topic, end.partition), end.end));
        Ok(CatchUp {
            ends: ends.collect(),
            is_done: false,
            known: Offsets::new(&known(store, next, log)?),
        })
    }

    /// Whether all records of the start are read.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// How many records of the start are left to be read, by offsets; none once the catch-up is done.
    pub fn left(&self, log: &LogStatus) -> Option<u64> {
        if self.is_done {
            return None;
        }
        let left = log.ends.iter().filter_map(|end| {
            let then = self.ends.get(&(end.topic, end.partition))?;
            u64::try_from(then.saturating_sub(end.next)).ok()
        });
        Some(left.sum())
    }

    /// Readers may have been shown all below `next`. Returns the raised offsets, if they are higher than before.
    pub(super) fn raise_known(&mut self, next: &[Position]) -> Option<Vec<Position>> {
        let before = self.known.clone();
        for next in next {
            self.known.raise(*next);
        }
        (self.known != before).then(|| self.known.positions())
    }

    /// Whether readers may have been shown the record at `position` before this process began.
    pub(super) fn was_known(&self, position: Position) -> bool {
        self.known.has(LogPos::new(position))
    }

    /// Whether the relations of the start are read.
    pub(super) fn relations_are_read(&self) -> bool {
        self.ends
            .keys()
            .all(|(topic, _)| *topic != Topic::Relationships)
    }

    /// Notes how far `log` says that records were read.
    pub(super) fn follow(&mut self, log: &LogStatus) {
        if self.is_done {
            return;
        }
        for end in &log.ends {
            let key = (end.topic, end.partition);
            if self.ends.get(&key).is_some_and(|then| *then <= end.next) {
                self.ends.remove(&key);
            }
        }
        self.is_done = self.ends.is_empty() && log.is_reachable;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::PartitionEnd;
    use std::time::Duration;

    fn open(folder: &tempfile::TempDir) -> Store {
        Store::open_patiently(&crate::feed::store::Options::of_tests(folder.path()))
    }

    fn log(ends: &[(Topic, i64, i64)], is_reachable: bool) -> LogStatus {
        let end = |(topic, next, end): &(Topic, i64, i64)| PartitionEnd {
            topic: *topic,
            partition: 0,
            next: *next,
            end: *end,
        };
        LogStatus {
            ends: ends.iter().map(end).collect(),
            is_reachable,
            transit: Duration::ZERO,
        }
    }

    /// Were this to fail, a feed could be shown before a mute that was answered is in force again.
    #[test]
    fn what_was_there_at_the_start_must_be_read_and_what_comes_later_need_not() {
        let folder = tempfile::tempdir().unwrap();
        let (r, a) = (Topic::Relationships, Topic::Activities);
        let at_start = log(&[(r, 0, 2), (a, 0, 3)], true);
        let mut start = CatchUp::begin(&open(&folder), &[], &at_start).unwrap();
        start.follow(&log(&[(r, 1, 2), (a, 0, 3)], true));
        assert_eq!(
            (start.relations_are_read(), start.is_done()),
            (false, false)
        );
        start.follow(&log(&[(r, 2, 9), (a, 0, 3)], true));
        assert_eq!((start.relations_are_read(), start.is_done()), (true, false));
        assert_eq!(start.left(&log(&[(r, 2, 9), (a, 1, 3)], true)), Some(2));
        start.follow(&log(&[(r, 2, 9), (a, 3, 8)], false));
        assert!(
            !start.is_done(),
            "the log cannot be reached: its end may have moved"
        );
        let read = log(&[(r, 2, 9), (a, 3, 8)], true);
        start.follow(&read);
        assert!(start.is_done());
        assert_eq!(start.left(&read), None);
    }

    /// Were this to fail, a crash would make late arrivals of what readers had been shown in time.
    #[test]
    fn what_was_read_before_a_crash_or_before_the_folder_was_made_anew_was_known() {
        let folder = tempfile::tempdir().unwrap();
        let at = |offset| Position {
            topic: Topic::Activities,
            partition: 0,
            offset,
        };
        let log = log(&[(Topic::Activities, 0, 7)], true);
        let check = |start: &CatchUp, last: i64| {
            assert!(start.was_known(at(last)), "{last}");
            assert!(!start.was_known(at(last + 1)), "{last}");
        };
        let store = open(&folder);
        let begin = |store: &Store, next: &[Position]| CatchUp::begin(store, next, &log).unwrap();
        // A new folder: all that there was. It may be interrupted before it is done.
        let mut start = begin(&store, &[]);
        check(&start, 6);
        assert_eq!(start.raise_known(&[at(3)]), None);
        check(&begin(&store, &[at(3)]), 6);
        // Then what was read, checkpoint or no checkpoint.
        let known = start.raise_known(&[at(9)]).unwrap();
        store.put_meta(KNOWN, &known).unwrap();
        drop(store);
        check(&begin(&open(&folder), &[at(8)]), 8);
    }
}
