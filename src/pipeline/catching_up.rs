//! What there was to read when the pipeline started, and how much of it is read.

use crate::clock;
use crate::feed::disk::DiskError;
use crate::feed::store::Store;
use crate::operator::progress::Progress;
use crate::post::mark::{Mark, Seen};
use crate::post::record::{Position, Topic};
use crate::post::source::End;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often it is told in the log.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// The name under which the data folder keeps up to where readers may have been shown what the log says.
pub(super) const KNOWN: &str = "known";

/// Of each partition, up to where readers may have been shown what it says: where an earlier process had read, which is further than
/// its last checkpoint, at `next`; or, if the data folder is new, where the log ends.
pub(super) fn known(
    store: &Store,
    next: &[Position],
    ends: &[End],
) -> Result<Vec<Position>, DiskError> {
    if let Some(known) = store.meta::<Vec<Position>>(KNOWN)? {
        return Ok([&known, next].concat());
    }
    if !next.is_empty() {
        return Ok(next.to_vec());
    }
    let ends = ends.iter().map(|end| Position {
        topic: end.topic,
        partition: end.partition,
        offset: end.end,
    });
    let ends: Vec<Position> = ends.collect();
    store.put_meta(KNOWN, &ends)?;
    Ok(ends)
}

/// The log as it stood at the start.
pub(super) struct Start {
    at: Instant,
    /// The end of each partition then; emptied as they are reached.
    ends: BTreeMap<(Topic, i32), i64>,
    read: u64,
    told: Instant,
    is_done: bool,
    /// Of each partition, up to where an earlier process had read, or where the log ended when the data folder was new.
    known: Seen,
}

impl Start {
    pub(super) fn new(ends: &[End], now: Instant, known: &[Position]) -> Start {
        let ends = ends
            .iter()
            .map(|end| ((end.topic, end.partition), end.end))
            .collect();
        Start {
            at: now,
            ends,
            read: 0,
            told: now,
            is_done: false,
            known: Seen::new(known),
        }
    }

    /// Whether everything that was there has been read.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Readers may have been shown all below `next`: what is known now, if that is more than before.
    pub(super) fn raise_known(&mut self, next: &[Position]) -> Option<Vec<Position>> {
        let before = self.known.clone();
        for next in next {
            self.known.raise(*next);
        }
        (self.known != before).then(|| self.known.positions())
    }

    /// Whether readers may have been shown what the record at `position` says before this process began.
    pub(super) fn was_known(&self, position: Position) -> bool {
        self.known.has(Mark::new(position))
    }

    /// Whether the relationships that were there have been read.
    pub(super) fn relations_are_read(&self) -> bool {
        self.ends
            .keys()
            .all(|(topic, _)| *topic != Topic::Relationships)
    }

    /// Counts records that were read, up to where `ends` says; tells about it now and then.
    pub(super) fn follow(&mut self, records: usize, ends: &[End], is_reachable: bool) {
        if self.is_done {
            return;
        }
        self.read += records as u64;
        for end in ends {
            let key = (end.topic, end.partition);
            if self.ends.get(&key).is_some_and(|then| *then <= end.next) {
                self.ends.remove(&key);
            }
        }
        self.is_done = self.ends.is_empty() && is_reachable;
        if self.is_done {
            let (read, seconds) = (self.read, self.at.elapsed().as_secs_f64());
            tracing::info!(read, seconds, "caught up: {read} records in {seconds:.1} s");
        } else if TOLD_EVERY <= self.told.elapsed()
            && let Some(progress) = self.progress(ends)
        {
            self.told = clock::stopwatch();
            let Progress { read, left, .. } = progress;
            let percent = 100.0 * progress.share();
            let seconds_left = progress.time_left().map(|left| left.as_secs());
            tracing::info!(
                read,
                left,
                seconds_left,
                "catching up: {read} records read, {left} to go ({percent:.0} %), about {} s",
                seconds_left.map_or("?".to_owned(), |seconds| seconds.to_string())
            );
        }
    }

    /// How far it is; none once it is done.
    pub(super) fn progress(&self, ends: &[End]) -> Option<Progress> {
        if self.is_done {
            return None;
        }
        let left = ends.iter().filter_map(|end| {
            let then = self.ends.get(&(end.topic, end.partition))?;
            u64::try_from(then.saturating_sub(end.next)).ok()
        });
        Some(Progress {
            read: self.read,
            left: left.sum(),
            taken: self.at.elapsed(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(topic: Topic, next: i64, end: i64) -> End {
        End {
            topic,
            partition: 0,
            next,
            end,
        }
    }

    /// Were this to fail, a feed could be shown before a mute that was answered is in force again.
    #[test]
    fn what_was_there_at_the_start_must_be_read_and_what_comes_later_need_not() {
        let now = clock::stopwatch();
        let (r, a) = (Topic::Relationships, Topic::Activities);
        let mut start = Start::new(&[end(r, 0, 2), end(a, 0, 3)], now, &[]);
        start.follow(1, &[end(r, 1, 2), end(a, 0, 3)], true);
        assert_eq!(
            (start.relations_are_read(), start.is_done()),
            (false, false)
        );
        start.follow(1, &[end(r, 2, 9), end(a, 0, 3)], true);
        assert_eq!((start.relations_are_read(), start.is_done()), (true, false));
        assert_eq!(
            start
                .progress(&[end(r, 2, 9), end(a, 1, 3)])
                .map(|p| (p.read, p.left)),
            Some((2, 2))
        );
        start.follow(3, &[end(r, 2, 9), end(a, 3, 8)], false);
        assert!(
            !start.is_done(),
            "the log cannot be reached: its end may have moved"
        );
        start.follow(0, &[end(r, 2, 9), end(a, 3, 8)], true);
        assert!(start.is_done());
    }

    /// Were this to fail, a crash would make late arrivals of what readers had been shown in time.
    #[test]
    fn what_was_read_before_a_crash_or_before_the_folder_was_made_anew_was_known() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            Store::open(crate::feed::store::Options {
                path: folder.path().to_owned(),
                length: 10,
                boost_repeat_after: Duration::from_secs(86_400),
                unflushed_entries_max: 1_000,
                unflushed_bytes_max: 1 << 20,
                cache_bytes: 1 << 20,
            })
            .unwrap()
        };
        let at = |offset| Position {
            topic: Topic::Activities,
            partition: 0,
            offset,
        };
        let ends = [End {
            topic: Topic::Activities,
            partition: 0,
            next: 0,
            end: 7,
        }];
        let check = |start: &Start, last: i64| {
            assert!(start.was_known(at(last)), "{last}");
            assert!(!start.was_known(at(last + 1)), "{last}");
        };
        let store = open();
        let begin = |store: &Store, next: &[Position]| {
            let known = known(store, next, &ends).unwrap();
            Start::new(&ends, clock::stopwatch(), &known)
        };
        // A new folder: all that there was. It may be interrupted before it is done.
        let mut start = begin(&store, &[]);
        check(&start, 6);
        assert_eq!(start.raise_known(&[at(3)]), None);
        check(&begin(&store, &[at(3)]), 6);
        // Then what was read, checkpoint or no checkpoint.
        let known = start.raise_known(&[at(9)]).unwrap();
        store.put_meta(KNOWN, &known).unwrap();
        drop(store);
        check(&begin(&open(), &[at(8)]), 8);
    }
}
