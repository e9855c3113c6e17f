//! The visible part of a feed: the entries that its horizon has passed, as many as a feed is long, without the hidden repeats among
//! them. A function of its arguments.

use crate::feed::ordered_feed::OrderedFeed;
use crate::feed::store::HELD_FACTOR;
use slackwater_order::horizon::highest_visible;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::ops::Range;
use std::time::Duration;

/// The visible part of a feed at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visible {
    /// The indices of its entries in the feed. Hidden repeats among them count towards the length.
    pub entries: Range<usize>,
    /// The visible places, ascending.
    ids: Vec<PostId>,
    /// The hidden repeats of the feed, ascending.
    hidden: Vec<PostId>,
    /// A boost is hidden if its post was shown less than this before; none if every boost is shown.
    pub repeat_after: Option<Duration>,
    /// Entries up to this time are visible; none if all are.
    pub horizon: Option<Time>,
    /// The feed ends here for its length: the entries at and below this place are not visible, stored or not.
    pub floor: PostId,
}

/// The visible part of `feed`: at most `length` entries up to `horizon`, without those that repeat a post within `repeat_after`. If more
/// than [`HELD_FACTOR`] times as many wait, the hold gives way and the horizon is later than the one given.
pub fn visible(
    feed: &OrderedFeed,
    length: usize,
    horizon: Option<Time>,
    repeat_after: Option<Duration>,
) -> Visible {
    let held_max = (HELD_FACTOR - 1) * length;
    let first_held = feed.ids.len().saturating_sub(held_max);
    let gives_way = first_held
        .checked_sub(1)
        .and_then(|last| feed.ids.get(last));
    let horizon = horizon.map(|horizon| gives_way.map_or(horizon, |id| horizon.max(id.time())));
    let last = highest_visible(horizon);
    let end = feed.ids.partition_point(|id| *id <= last);
    let begin = end.saturating_sub(length);
    let dropped = begin.checked_sub(1).and_then(|at| feed.ids.get(at));
    let hidden = repeat_after.map_or_else(Vec::new, |after| feed.hidden(after));
    let mut ids = feed.ids.get(begin..end).unwrap_or_default().to_vec();
    if !hidden.is_empty() {
        ids.retain(|id| hidden.binary_search(id).is_err());
    }
    Visible {
        entries: begin..end,
        ids,
        hidden,
        repeat_after,
        horizon,
        floor: dropped.copied().unwrap_or_default().max(feed.floor),
    }
}

impl Visible {
    /// The visible places, ascending.
    pub fn ids(&self) -> &[PostId] {
        &self.ids
    }

    /// Whether an entry is a hidden repeat.
    pub fn hides(&self, id: PostId) -> bool {
        self.hidden.binary_search(&id).is_ok()
    }

    /// The highest place seen; the lowest of all if none is.
    pub fn top(&self) -> PostId {
        self.ids.last().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::feed_op::FeedOp;
    use crate::record::offsets::LogPos;

    fn at(ms: i64) -> PostId {
        PostId::new(Time::from_millis(ms), 5, 0)
    }

    fn feed(entries: i64) -> OrderedFeed {
        let mut feed = OrderedFeed::default();
        let log_pos = LogPos::from_number(1).unwrap();
        for n in 1..=entries {
            feed.take_in(&[FeedOp::insert(at(n), log_pos)]);
        }
        feed
    }

    #[test]
    fn a_feed_is_shown_up_to_its_horizon_and_no_longer_than_its_length() {
        let feed = feed(10);
        let check = |length, horizon: Option<i64>, shows: Range<i64>, floor: i64| {
            let visible = visible(&feed, length, horizon.map(Time::from_millis), None);
            let ids: Vec<PostId> = shows.clone().map(at).collect();
            assert_eq!(visible.ids(), ids, "{length} {horizon:?}");
            assert_eq!(
                visible.floor,
                if floor == 0 { PostId::MIN } else { at(floor) }
            );
            assert_eq!(visible.horizon.map(Time::millis), horizon);
        };
        check(20, None, 1..11, 0);
        check(4, None, 7..11, 6);
        check(20, Some(10), 1..11, 0);
        check(20, Some(9), 1..10, 0);
        check(4, Some(9), 6..10, 5);
        check(4, Some(0), 1..1, 0);
    }

    #[test]
    fn a_repeat_is_not_seen_and_counts_towards_the_length() {
        let mut feed = feed(6);
        for n in [2, 4, 5] {
            feed.take_in(&[FeedOp::shows(at(n), at(2))]);
        }
        let check = |length, repeat_after: Option<u64>, seen: &[i64]| {
            let after = repeat_after.map(Duration::from_millis);
            let visible = visible(&feed, length, None, after);
            let ids: Vec<PostId> = seen.iter().copied().map(at).collect();
            assert_eq!(visible.ids(), ids, "{length} {repeat_after:?}");
            assert_eq!(visible.entries.len(), length);
        };
        check(6, None, &[1, 2, 3, 4, 5, 6]);
        check(6, Some(4), &[1, 2, 3, 6]);
        check(6, Some(3), &[1, 2, 3, 5, 6]);
        check(4, Some(4), &[3, 6]);
    }

    /// Were this to fail, posts would be dropped for length before they were shown.
    #[test]
    fn the_hold_gives_way_when_too_many_wait() {
        let feed = feed(10);
        let visible = visible(&feed, 2, Some(Time::from_millis(1)), None);
        assert_eq!(
            visible.horizon,
            Some(Time::from_millis(4)),
            "six of ten may wait"
        );
        assert_eq!(visible.ids(), [at(3), at(4)]);
    }
}
