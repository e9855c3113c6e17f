//! Up to when a feed is shown.
//!
//! Waiting is what order costs, and each account says how much of it it wants: its patience. Its hold is the longest
//! [`wait`](super::hold) among the origins it follows. Its horizon is then the moment up to which as good as everything
//! from those origins has come.

use super::place::{PostId, SEQUENCES, SLOTS};
use crate::time::Time;

/// The patience of those who wait for everybody, in milliseconds.
pub const COMPLETE_MS: i64 = i64::MAX;

/// Up to when a feed is shown; none if it is not held back at all.
///
/// `built` is the moment up to which everything that arrived has been taken in. Whatever it is, nothing is held back
/// longer than `patience_ms`.
pub fn horizon(patience_ms: i64, hold_ms: i64, built: Time, now: Time) -> Option<Time> {
    if patience_ms <= 0 {
        return None;
    }
    let patient = now.millis().saturating_sub(patience_ms);
    let complete = built.min(now).millis().saturating_sub(hold_ms);
    Some(Time::from_millis(patient.max(complete)))
}

/// The last place that a feed with this horizon shows.
pub fn highest_visible(horizon: Option<Time>) -> PostId {
    horizon.map_or(PostId::MAX, |horizon| {
        PostId::new(horizon, SLOTS - 1, SEQUENCES - 1)
    })
}

/// When a feed held back by `hold_ms` shows an entry placed at `at`, if all partitions are read to their ends.
pub fn due_at(at: Time, hold_ms: i64) -> Time {
    Time::from_millis(at.millis().saturating_add(hold_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hold::{OriginHold, hold_ms};
    use proptest::prelude::*;
    use std::time::Duration;

    fn time(ms: i64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn a_horizon_is_held_by_windows_and_by_lag_and_by_neither_beyond_patience() {
        let check = |patience, hold, built, now, expected: Option<i64>| {
            let found = horizon(patience, hold, time(built), time(now));
            assert_eq!(
                found.map(Time::millis),
                expected,
                "{patience} {hold} {built} {now}"
            );
        };
        check(0, 0, 90, 100, None);
        check(30, 10, 100, 100, Some(90));
        check(30, 10, 85, 100, Some(75));
        check(30, 10, 80, 100, Some(70));
        check(30, 10, 79, 100, Some(70));
        check(30, 10, 0, 100, Some(70));
        check(30, 30, 100, 100, Some(70));
        check(30, 0, 120, 100, Some(100));
        check(COMPLETE_MS, 10, 85, 100, Some(75));
    }

    #[test]
    fn an_entry_at_the_horizon_is_shown_and_one_a_millisecond_later_is_not() {
        let last = highest_visible(Some(time(7)));
        assert!(PostId::new(time(7), SLOTS - 1, SEQUENCES - 1) <= last);
        assert!(last < PostId::new(time(8), 0, 0));
        assert_eq!(highest_visible(None), PostId::MAX);
    }

    proptest! {
        /// Were this to fail, a feed would be held back longer than its account said.
        #[test]
        fn nothing_is_held_back_beyond_patience(
            patience in 1i64..2_000, windows in prop::collection::vec(0u64..3_000, 0..10),
            built in 0i64..20_000, now in 0i64..20_000, at in 0i64..20_000,
        ) {
            let waits: Vec<OriginHold> = windows.into_iter().map(|ms| Duration::from_millis(ms).into()).collect();
            let hold = hold_ms(waits.iter(), patience);
            let horizon = horizon(patience, hold, time(built), time(now)).unwrap();
            prop_assert!(now - patience <= horizon.millis());
            prop_assert!(horizon.millis() <= now);
            // Once it has ripened it is shown, if everything is read.
            let ripe = due_at(time(at), hold);
            prop_assert!(time(at) <= super::horizon(patience, hold, ripe, ripe).unwrap());
        }
    }
}
