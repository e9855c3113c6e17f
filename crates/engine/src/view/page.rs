//! Which ids of a feed a page shows. Pure.

use slackwater_order::place::PostId;

/// Entries on a page if none are asked for.
pub const LIMIT_DEFAULT: usize = 20;
/// The most entries on a page.
pub const LIMIT_MAX: usize = 80;
/// A page stops short of this many bytes of entries, but never before its first.
pub const PAGE_BYTES_MAX: usize = 4 << 20;

/// What part of a feed is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Only entries placed below this one.
    pub before: Option<PostId>,
    /// Only entries placed above this one.
    pub after: Option<PostId>,
    /// At most this many.
    pub limit: usize,
}

/// A page's candidates, in the order in which to take them, and which way that is.
#[derive(Debug, PartialEq, Eq)]
pub enum Candidates<'a> {
    /// The newest come first: take down from the end of this ascending slice.
    Down(&'a [PostId]),
    /// `after` alone was given: the page just above it. Take up from the beginning, then turn round.
    Up(&'a [PostId]),
}

impl Span {
    /// The part of an ascending list of ids a page is taken from. With `before`, or neither, the newest of the part
    /// are wanted; with `after` alone those just above it.
    pub fn of<'a>(&self, ids: &'a [PostId]) -> Candidates<'a> {
        let from = self
            .after
            .map_or(0, |after| ids.partition_point(|id| *id <= after));
        let to = self
            .before
            .map_or(ids.len(), |before| ids.partition_point(|id| *id < before));
        let part = ids.get(from..to).unwrap_or(&[]);
        match (self.before, self.after) {
            (None, Some(_)) => Candidates::Up(part),
            _ => Candidates::Down(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(n: u64) -> PostId {
        PostId::from_number(n).unwrap()
    }

    fn take(ids: &[u64], before: Option<u64>, after: Option<u64>, limit: usize) -> Vec<u64> {
        let span = Span {
            before: before.map(id),
            after: after.map(id),
            limit,
        };
        let ids: Vec<PostId> = ids.iter().copied().map(id).collect();
        let number = |id: &PostId| id.number();
        match span.of(&ids) {
            Candidates::Down(part) => part.iter().rev().take(limit).map(number).collect(),
            Candidates::Up(part) => {
                let mut page: Vec<u64> = part.iter().take(limit).map(number).collect();
                page.reverse();
                page
            }
        }
    }

    #[test]
    fn before_and_after_are_exclusive_and_need_not_exist() {
        let ids = [10, 20, 30, 40, 50];
        let check = |before, after, page: &[u64]| {
            assert_eq!(take(&ids, before, after, 2), page, "{before:?} {after:?}");
        };
        check(None, None, &[50, 40]);
        check(Some(30), None, &[20, 10]);
        check(Some(31), None, &[30, 20]);
        check(None, Some(20), &[40, 30]);
        check(None, Some(19), &[30, 20]);
        check(Some(50), Some(10), &[40, 30]);
        check(Some(10), None, &[]);
        check(None, Some(50), &[]);
        check(Some(10), Some(50), &[]);
    }

    proptest! {
        /// Were this to fail, a reader who walks pages would miss entries or see them twice, though late posts land
        /// meanwhile.
        #[test]
        fn walking_pages_visits_every_entry_that_was_there_once(
            first in prop::collection::btree_set(1u64..500, 0..60),
            late in prop::collection::vec(prop::collection::btree_set(1u64..500, 0..5), 0..70),
            limit in 1usize..10,
        ) {
            let mut ids = first.clone();
            let mut late = late.into_iter();
            let (mut seen, mut before) = (Vec::new(), None);
            loop {
                let now: Vec<u64> = ids.iter().copied().collect();
                let page = take(&now, before, None, limit);
                let Some(last) = page.last() else { break };
                before = Some(*last);
                seen.extend(page);
                ids.extend(late.next().unwrap_or_default());
            }
            prop_assert!(seen.is_sorted_by(|a, b| a > b), "each once, newest first");
            prop_assert!(first.iter().all(|id| seen.contains(id)));
        }
    }
}
