//! When records became durable that are still to be taken: how long they wait for their reader is measured by it.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

/// The most groups of records that are told apart. When there are more, the two neighbours that span the shortest time are joined, and
/// count as durable as late as the last of them.
const GROUPS_MAX: usize = 1_024;

/// The groups of a topic that became durable since the log was opened, in the order of their offsets.
#[derive(Debug, Default)]
pub(super) struct DurableTimes {
    groups: VecDeque<Group>,
    /// The offset after the last that is durable; none before the first note.
    next: Option<i64>,
}

/// Records that count as durable at the same time.
#[derive(Debug)]
struct Group {
    offsets: Range<i64>,
    /// When the first and the last of them became durable.
    first: Instant,
    last: Instant,
}

impl DurableTimes {
    /// Every record below `next` is durable. Those of the first note were there before.
    pub(super) fn note(&mut self, next: i64, now: Instant) {
        let before = self.next.replace(next).unwrap_or(next);
        if next <= before {
            return;
        }
        if GROUPS_MAX <= self.groups.len() {
            self.join();
        }
        self.groups.push_back(Group {
            offsets: before..next,
            first: now,
            last: now,
        });
    }

    /// When the records at these offsets became durable, and how many did so together. Those and all below are forgotten.
    pub(super) fn take(&mut self, offsets: Range<i64>) -> Vec<(Instant, u64)> {
        let mut taken = Vec::new();
        while let Some(group) = self.groups.front_mut() {
            let there = &mut group.offsets;
            let end = there.end.min(offsets.end);
            let many = end.saturating_sub(there.start.max(offsets.start));
            if let Some(many) = u64::try_from(many).ok().filter(|many| *many != 0) {
                taken.push((group.last, many));
            }
            if offsets.end < there.end {
                there.start = there.start.max(offsets.end);
                break;
            }
            self.groups.pop_front();
        }
        taken
    }

    /// Joins the two neighbours that span the shortest time.
    fn join(&mut self) {
        let neighbours = self.groups.iter().zip(self.groups.iter().skip(1));
        let spans = neighbours.map(|(group, after)| after.last - group.first);
        let shortest = spans.enumerate().min_by_key(|(_, span)| *span);
        if let Some((nth, _)) = shortest
            && let Some(group) = self.groups.remove(nth)
            && let Some(after) = self.groups.get_mut(nth)
        {
            after.offsets.start = group.offsets.start;
            after.first = group.first;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use std::time::Duration;

    #[test]
    fn each_record_has_the_time_of_its_group() {
        let begun = clock::stopwatch();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut times = DurableTimes::default();
        times.note(10, at(0));
        times.note(12, at(1));
        times.note(12, at(2));
        times.note(20, at(3));
        // Those below 10 were there before.
        assert_eq!(times.take(5..11), [(at(1), 1)]);
        assert_eq!(times.take(11..14), [(at(1), 1), (at(3), 2)]);
        assert_eq!(times.take(14..20), [(at(3), 6)]);
        assert_eq!(times.take(20..30), []);
    }

    /// A failure means that memory grows while nobody reads, or that records that waited long are not counted.
    #[test]
    fn groups_are_joined_when_there_are_too_many() {
        let begun = clock::stopwatch();
        let mut times = DurableTimes::default();
        for n in 0..=10_000_u64 {
            times.note(n as i64, begun + Duration::from_secs(n));
            assert!(times.groups.len() <= GROUPS_MAX);
        }
        let taken = times.take(0..10_000);
        assert_eq!(taken.iter().map(|(_, many)| many).sum::<u64>(), 10_000);
        assert!(taken.is_sorted());
        assert!(taken[0].0 < begun + Duration::from_secs(100));
    }
}
