//! The part of a feed that is shown: what its horizon has passed, as many entries as a feed is long. Pure.

use crate::feed::ledger::Ledger;
use crate::feed::store::HELD_FACTOR;
use crate::order::horizon::last_shown;
use crate::order::place::PostId;
use crate::time::Time;
use std::ops::Range;

/// What a reader sees of a feed at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Which of the feed's entries, as indices.
    pub entries: Range<usize>,
    /// Up to when; none if everything is.
    pub horizon: Option<Time>,
    /// The highest place below which nothing is shown for length, whether it is still kept or not.
    pub floor: u64,
}

/// What is shown of `feed`, at most `length` entries. With more than [`HELD_FACTOR`] times that many waiting, the hold
/// gives way: the horizon is then later than asked for.
pub fn shown(feed: &Ledger, length: usize, horizon: Option<Time>) -> Shown {
    let held_max = (HELD_FACTOR - 1) * length;
    let first_held = feed.ids.len().saturating_sub(held_max);
    let gives_way = first_held
        .checked_sub(1)
        .and_then(|last| PostId::from_number(*feed.ids.get(last)?));
    let horizon = horizon.map(|horizon| gives_way.map_or(horizon, |id| horizon.max(id.time())));
    let last = last_shown(horizon).number();
    let end = feed.ids.partition_point(|id| *id <= last);
    let begin = end.saturating_sub(length);
    let dropped = begin.checked_sub(1).and_then(|at| feed.ids.get(at));
    Shown {
        entries: begin..end,
        horizon,
        floor: dropped.copied().unwrap_or(0).max(feed.floor),
    }
}

impl Shown {
    /// The places shown, ascending.
    pub fn ids<'a>(&self, feed: &'a Ledger) -> &'a [u64] {
        feed.ids.get(self.entries.clone()).unwrap_or_default()
    }

    /// The highest place shown; 0 if none is.
    pub fn top(&self, feed: &Ledger) -> u64 {
        self.ids(feed).last().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::ledger::Op;
    use crate::post::mark::Mark;

    fn at(ms: i64) -> PostId {
        PostId::new(Time::from_millis(ms), 5, 0)
    }

    fn feed(entries: i64) -> Ledger {
        let mut feed = Ledger::default();
        let mark = Mark::from_number(1).unwrap();
        for n in 1..=entries {
            feed.take_in(&[Op::insert(at(n), mark)]);
        }
        feed
    }

    #[test]
    fn a_feed_is_shown_up_to_its_horizon_and_no_longer_than_its_length() {
        let feed = feed(10);
        let check = |length, horizon: Option<i64>, shows: Range<i64>, floor: i64| {
            let shown = shown(&feed, length, horizon.map(Time::from_millis));
            let ids: Vec<u64> = shows.clone().map(|n| at(n).number()).collect();
            assert_eq!(shown.ids(&feed), ids, "{length} {horizon:?}");
            assert_eq!(shown.floor, if floor == 0 { 0 } else { at(floor).number() });
            assert_eq!(shown.horizon.map(Time::millis), horizon);
        };
        check(20, None, 1..11, 0);
        check(4, None, 7..11, 6);
        check(20, Some(10), 1..11, 0);
        check(20, Some(9), 1..10, 0);
        check(4, Some(9), 6..10, 5);
        check(4, Some(0), 1..1, 0);
    }

    /// Were this to fail, posts would be dropped for length before they were shown.
    #[test]
    fn the_hold_gives_way_when_too_many_wait() {
        let feed = feed(10);
        let shown = shown(&feed, 2, Some(Time::from_millis(1)));
        assert_eq!(
            shown.horizon,
            Some(Time::from_millis(4)),
            "six of ten may wait"
        );
        assert_eq!(shown.ids(&feed), [at(3).number(), at(4).number()]);
    }
}
