//! How long feeds wait for an origin, and for all that an account follows: as long as waiting buys something.
//!
//! An origin's wait is its reorder window where that fits within the patience. Where it does not and the window is learned,
//! it is the shortest wait that finds as good as all in time that the whole patience would, if that is at least half of
//! the origin's posts; else none. It grows with the patience and never passes it.

use super::decaying_histogram::{BUCKETS, upper_bound_ms, whole_buckets};
use super::delay_curve::DelayCurve;
use super::origin_stats::OTHERS;
use super::origin_stats::OriginStats;
use super::window::{ReorderWindow, Windows};
use crate::time::millis_of;
use std::sync::Arc;
use std::time::Duration;

/// How long feeds wait for one origin, by patience. Nobody waits for the default one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginHold {
    window_ms: i64,
    /// For patience that the window does not fit in; none if the window is not learned.
    steps: Option<Arc<Steps>>,
}

/// By the last whole bucket within the patience: the bucket at whose end the wait ends, counted from 1; 0 for none.
type Steps = [u8; BUCKETS];

impl From<Duration> for OriginHold {
    /// For an origin whose window the operator fixed.
    fn from(window: Duration) -> OriginHold {
        OriginHold {
            window_ms: millis_of(window),
            steps: None,
        }
    }
}

impl OriginHold {
    /// For an origin whose window was learned, to find a share `quantile` (0 to 1) of its posts in time.
    pub fn learned(window: Duration, curve: &DelayCurve, quantile: f64) -> OriginHold {
        let steps = curve.shortest(quantile);
        let steps = steps.map(|bucket| bucket.map_or(0, |bucket| bucket + 1));
        OriginHold {
            steps: Some(Arc::new(steps)),
            ..OriginHold::from(window)
        }
    }

    /// For `origin`, of which this much is known.
    pub fn of(origin: &str, delays: Option<&OriginStats>, windows: &Windows) -> OriginHold {
        // Origins counted together say nothing of each other.
        let delays = delays.filter(|_| origin != OTHERS);
        let window = windows.holding(origin, delays.and_then(OriginStats::learned));
        let is_learned = windows.of(origin).reorder_window == ReorderWindow::Auto;
        match delays.and_then(OriginStats::curve).filter(|_| is_learned) {
            Some(curve) => OriginHold::learned(window, curve, windows.auto.quantile),
            None => OriginHold::from(window),
        }
    }

    /// The reorder window, in milliseconds: what the most patient wait.
    pub fn window_ms(&self) -> i64 {
        self.window_ms
    }

    /// How long, in milliseconds, who has so many milliseconds of patience waits: at most that.
    pub fn ms(&self, patience_ms: i64) -> i64 {
        hold_ms(std::iter::once(self), patience_ms)
    }
}

/// The longest of `waits` for who has so many milliseconds of patience; 0 if there is none.
pub fn hold_ms<'a>(waits: impl Iterator<Item = &'a OriginHold>, patience_ms: i64) -> i64 {
    let whole = whole_buckets(patience_ms).checked_sub(1);
    let (mut window_ms, mut step) = (0, 0);
    for wait in waits {
        if wait.window_ms <= patience_ms {
            window_ms = window_ms.max(wait.window_ms);
        } else if let (Some(steps), Some(whole)) = (wait.steps.as_deref(), whole) {
            step = step.max(steps.get(whole).copied().unwrap_or(0));
        }
    }
    // Longer steps are longer waits: one look at the bounds does for all.
    let end_ms = step
        .checked_sub(1)
        .map(|bucket| upper_bound_ms(bucket.into()));
    window_ms.max(end_ms.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decaying_histogram::bucket_of;
    use crate::horizon::COMPLETE_MS;
    use crate::origin_stats::OBSERVATIONS_MIN;
    use crate::time::Time;
    use crate::verdict::Verdict;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000;
    const MINUTE: i64 = 60 * SECOND;

    fn fixed(window_ms: i64) -> OriginHold {
        OriginHold::from(Duration::from_millis(window_ms.unsigned_abs()))
    }

    fn auto() -> Windows {
        let mut windows = Windows::default();
        windows.default.reorder_window = ReorderWindow::Auto;
        windows
    }

    fn known(delays_ms: impl Iterator<Item = i64>) -> OriginStats {
        let mut delays = OriginStats::default();
        for delay_ms in delays_ms {
            let auto = &auto().auto;
            delays.count(Verdict::Late, Some(delay_ms), Time::default(), auto);
        }
        delays
    }

    /// A thousand posts, of which so many come within 7,995 ms and the others after so many milliseconds.
    fn mostly_quick(quick: i64, slow_ms: i64) -> OriginStats {
        known((0..1_000).map(|n| {
            // Spread out evenly.
            if n * 389 % 1_000 < quick {
                3_000 + n * 5
            } else {
                slow_ms
            }
        }))
    }

    /// What the delay asks for: the end of its bucket.
    fn end_of(delay_ms: i64) -> i64 {
        upper_bound_ms(bucket_of(delay_ms))
    }

    #[test]
    fn a_fixed_window_is_waited_for_if_it_fits_within_patience_and_else_not_at_all() {
        let waits = [12_000, 960_000, 0, 30_000].map(fixed);
        let check = |patience, hold| {
            assert_eq!(hold_ms(waits.iter(), patience), hold, "{patience}");
        };
        check(-1, 0);
        check(0, 0);
        check(11_999, 0);
        check(12_000, 12_000);
        check(29_999, 12_000);
        check(30_000, 30_000);
        check(959_999, 30_000);
        check(960_000, 960_000);
        check(COMPLETE_MS, 960_000);
        assert_eq!(hold_ms(std::iter::empty(), COMPLETE_MS), 0);
    }

    /// Were this to fail, one post in a hundred that is ten minutes late would leave all with less patience than that as if
    /// they had none.
    #[test]
    fn a_few_that_are_very_late_do_not_make_patience_worthless() {
        let delays = mostly_quick(988, 10 * MINUTE);
        let wait = OriginHold::of("a.example", Some(&delays), &auto());
        assert_eq!(
            wait.window_ms(),
            end_of(10 * MINUTE),
            "12 in 1000 are too many"
        );
        let check = |patience, ms| assert_eq!(wait.ms(patience), ms, "{patience}");
        check(0, 0);
        check(2 * SECOND, 0);
        check(2 * MINUTE, end_of(7_995));
        check(30 * SECOND, end_of(7_995));
        check(end_of(7_995), end_of(7_995));
        check(wait.window_ms() - 1, end_of(7_995));
        check(wait.window_ms(), wait.window_ms());
        check(COMPLETE_MS, wait.window_ms());
        // Beside others, the longest wait counts.
        let waits = [fixed(SECOND), wait, fixed(MINUTE)];
        let hold = |patience| hold_ms(waits.iter(), patience);
        assert_eq!(hold(2 * SECOND), SECOND);
        assert_eq!(hold(30 * SECOND), end_of(7_995));
        assert_eq!(hold(2 * MINUTE), MINUTE);
    }

    #[test]
    fn an_origin_that_holds_everything_back_longer_than_patience_is_not_waited_for() {
        let scheduled = known((0..1_000).map(|n| 15 * MINUTE + n * 7));
        let wait = OriginHold::of("threads.example", Some(&scheduled), &auto());
        for patience in [30 * SECOND, 2 * MINUTE, 10 * MINUTE] {
            assert_eq!(wait.ms(patience), 0, "{patience}");
        }
        assert_eq!(wait.ms(20 * MINUTE), wait.window_ms());
        // Nor is one of which less than half comes in time.
        for (quick, waits) in [(450, false), (550, true)] {
            let wait = OriginHold::of(
                "a.example",
                Some(&mostly_quick(quick, 15 * MINUTE)),
                &auto(),
            );
            assert_eq!(wait.ms(30 * SECOND) != 0, waits, "{quick}");
        }
    }

    #[test]
    fn only_a_window_that_is_learned_is_waited_for_in_part() {
        let delays = mostly_quick(988, 10 * MINUTE);
        let mut windows = auto();
        windows.default.reorder_window = ReorderWindow::Fixed(Duration::from_secs(600));
        let few = known((1..OBSERVATIONS_MIN as i64).map(|_| 8 * SECOND));
        let check = |origin: &str, delays: Option<&OriginStats>, windows: &Windows, waits: bool| {
            let wait = OriginHold::of(origin, delays, windows);
            assert_eq!(wait.ms(2 * MINUTE) != 0, waits, "{origin}");
        };
        check("a.example", Some(&delays), &windows, false);
        check("a.example", Some(&delays), &auto(), true);
        check(OTHERS, Some(&delays), &auto(), false);
        check("a.example", None, &auto(), false);
        check("a.example", Some(&few), &auto(), false);
    }

    proptest! {
        /// Were this to fail, somebody would be held back longer than patience allows, or who is more patient less.
        #[test]
        fn a_wait_grows_with_patience_and_never_passes_it(
            delays in prop::collection::vec(prop_oneof![0i64..2_000, 0i64..60_000, 0i64..4_000_000], 250..600),
            patiences in prop::collection::vec(prop_oneof![0i64..2_000, 0i64..120_000, 0i64..4_000_000], 1..40),
            quantile in 0.5f64..=0.9999,
            min_ms in 0u64..60_000,
        ) {
            let mut windows = auto();
            windows.auto.quantile = quantile;
            windows.auto.min = Duration::from_millis(min_ms);
            let delays = known(delays.into_iter());
            let wait = OriginHold::of("a.example", Some(&delays), &windows);
            let mut patiences = patiences;
            patiences.sort_unstable();
            let waits: Vec<i64> = patiences.iter().map(|patience| wait.ms(*patience)).collect();
            prop_assert!(waits.is_sorted(), "{:?} {:?}", patiences, waits);
            for (patience, wait_ms) in patiences.iter().zip(waits) {
                prop_assert!(wait_ms <= *patience, "{} {}", wait_ms, patience);
                if wait.window_ms() <= *patience {
                    prop_assert_eq!(wait_ms, wait.window_ms());
                }
            }
        }
    }
}
