//! What there was to read when the pipeline started, and how much of it is read.

use crate::clock;
use crate::operator::progress::Progress;
use crate::post::record::Topic;
use crate::post::source::End;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often it is told in the log.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// The log as it stood at the start.
pub(super) struct Start {
    at: Instant,
    /// The end of each partition then; emptied as they are reached.
    ends: BTreeMap<(Topic, i32), i64>,
    read: u64,
    told: Instant,
    is_done: bool,
    /// Whether nothing had been read before: the data folder is new.
    is_of_nothing: bool,
}

impl Start {
    pub(super) fn new(ends: &[End], now: Instant, is_of_nothing: bool) -> Start {
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
            is_of_nothing,
        }
    }

    /// Whether everything that was there has been read.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Whether the feeds are being made from nothing: all that there was is read, and none of it was read before.
    pub(super) fn makes_anew(&self) -> bool {
        self.is_of_nothing && !self.is_done
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
        let mut start = Start::new(&[end(r, 0, 2), end(a, 0, 3)], now, true);
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
}
