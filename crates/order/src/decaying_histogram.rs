//! A histogram of delays whose buckets are equally wide on a logarithmic scale, and in which old delays fade.

use crate::time::{Time, millis_of};
use std::sync::LazyLock;
use std::time::Duration;

/// Buckets: from 1 ms to 7 days each is 38 % above the one before. Twice as many would make windows a sixth tighter, and
/// every origin twice as large.
pub const BUCKETS: usize = 64;
/// After this much log time a delay counts half. A day forgets an outage within the week, and holds enough posts of most
/// origins to tell one in a hundred.
pub const HALF_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest delay with a bucket of its own, 7 days in milliseconds; longer ones count in the last.
const LONGEST_MS: f64 = 7.0 * 24.0 * 3600.0 * 1000.0;
/// Weights are relative to a landmark; one so many half-lives from it would leave the range of an `f32`.
const HALF_LIVES_MAX: f64 = 64.0;
/// What a sum of `f32` may be off by and still have reached a rank.
const ROUNDING: f64 = 1e-6;

/// Weights by bucket. A delay's weight is 2 to the number of half-lives from the landmark to its arrival: relative to
/// each other, weights fade without ever being touched, and whatever the order in which delays are counted.
#[derive(Clone, Debug, PartialEq)]
pub struct DecayingHistogram {
    weights: [f32; BUCKETS],
    landmark: Time,
}

impl Default for DecayingHistogram {
    fn default() -> DecayingHistogram {
        DecayingHistogram {
            weights: [0.0; BUCKETS],
            landmark: Time::default(),
        }
    }
}

impl DecayingHistogram {
    /// From its buckets that are not empty, and the moment whose delays weigh 1. Others are passed over: of stored ones
    /// it is not known who wrote them.
    pub fn new(landmark: Time, weights: &[(u8, f32)]) -> DecayingHistogram {
        let mut histogram = DecayingHistogram {
            landmark,
            ..DecayingHistogram::default()
        };
        for (bucket, weight) in weights {
            if let Some(at) = histogram.weights.get_mut(usize::from(*bucket))
                && weight.is_finite()
            {
                *at = weight.max(0.0);
            }
        }
        histogram
    }

    /// The moment whose delays weigh 1.
    pub fn landmark(&self) -> Time {
        self.landmark
    }

    /// Its buckets that are not empty.
    pub fn weights(&self) -> impl Iterator<Item = (u8, f32)> + '_ {
        let weights = self.weights.iter().enumerate();
        weights
            .filter(|(_, weight)| 0.0 < **weight)
            .filter_map(|(bucket, weight)| Some((u8::try_from(bucket).ok()?, *weight)))
    }

    /// Counts a delay; a negative one counts as none.
    pub fn add(&mut self, delay_ms: i64, arrived: Time) {
        let mut age = self.half_lives_to(arrived);
        if age < -HALF_LIVES_MAX {
            // Nothing this old is in any log beside what is here: the landmark was a clock's slip. Begin again.
            *self = DecayingHistogram {
                landmark: arrived,
                ..DecayingHistogram::default()
            };
            age = 0.0;
        } else if HALF_LIVES_MAX < age {
            self.move_landmark(arrived, age);
            age = 0.0;
        }
        if let Some(weight) = self.weights.get_mut(bucket_of(delay_ms)) {
            *weight += (age as f32).exp2();
        }
    }

    /// How many delays that came at `now` would weigh as much as all that are counted.
    pub fn weight(&self, now: Time) -> f64 {
        self.total() / self.half_lives_to(now).exp2()
    }

    /// The bucket below or in which a share `q` (0 to 1) of the delays lies. None before the first.
    pub fn quantile(&self, q: f64) -> Option<usize> {
        let total = self.total();
        let may_be_above = (1.0 - q.clamp(0.0, 1.0) + ROUNDING) * total;
        // From the top: quantiles that are asked for are high.
        let mut above = 0.0;
        let mut lowest = None;
        for (bucket, weight) in self.weights.iter().enumerate().rev() {
            if *weight <= 0.0 {
                continue;
            }
            if may_be_above < above {
                break;
            }
            lowest = Some(bucket);
            above += f64::from(*weight);
        }
        lowest
    }

    /// The upper bound of each bucket in milliseconds, and the share (0 to 1) of the delays below or in it, from the first that
    /// is not empty to the last.
    pub fn shares(&self) -> impl Iterator<Item = (i64, f64)> {
        let last = self.quantile(1.0).map_or(0, |last| last + 1);
        let within = self.within().into_iter().enumerate().take(last);
        within
            .filter(|(_, share)| 0.0 < *share)
            .map(|(bucket, share)| (upper_bound_ms(bucket), share))
    }

    /// The share (0 to 1) of the delays below or in each bucket; 0 before the first delay.
    pub fn within(&self) -> [f64; BUCKETS] {
        let total = self.total();
        let mut seen = 0.0;
        self.weights.map(|weight| {
            seen += f64::from(weight);
            if 0.0 < seen {
                (seen / total).min(1.0)
            } else {
                0.0
            }
        })
    }

    /// In four sums side by side, which the processor can add at once.
    fn total(&self) -> f64 {
        let mut sums = [0.0; 4];
        for weights in self.weights.as_chunks::<4>().0 {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += f64::from(*weight);
            }
        }
        sums.iter().sum()
    }

    fn half_lives_to(&self, moment: Time) -> f64 {
        moment.since(self.landmark) as f64 / millis_of(HALF_LIFE) as f64
    }

    fn move_landmark(&mut self, to: Time, half_lives: f64) {
        let fade = (-half_lives).exp2() as f32;
        for weight in &mut self.weights {
            *weight *= fade;
        }
        self.landmark = to;
    }
}

/// Bucket 0 holds delays up to 1 ms; bucket n up to the n-th of 63 equal steps, on a logarithmic scale, to 7 days.
pub fn bucket_of(delay_ms: i64) -> usize {
    BOUNDS_MS
        .partition_point(|bound| *bound < delay_ms)
        .min(BUCKETS - 1)
}

/// How many buckets end at or before so many milliseconds: those of which every delay is within them. All of them from 7
/// days on.
pub fn whole_buckets(ms: i64) -> usize {
    BOUNDS_MS.partition_point(|bound| *bound <= ms)
}

/// The longest delay in a bucket, in whole milliseconds; of the last, 7 days, though longer ones are in it too.
pub fn upper_bound_ms(bucket: usize) -> i64 {
    BOUNDS_MS
        .get(bucket)
        .or(BOUNDS_MS.last())
        .copied()
        .unwrap_or(0)
}

static BOUNDS_MS: LazyLock<[i64; BUCKETS]> = LazyLock::new(|| {
    std::array::from_fn(|bucket| {
        let bound = (LONGEST_MS.ln() * bucket as f64 / (BUCKETS - 1) as f64).exp();
        // 7 days themselves come out a rounding error below.
        (bound * (1.0 + 1e-12)) as i64
    })
});

#[cfg(test)]
mod tests {
    use super::*;

    fn at(half_lives: f64) -> Time {
        Time::from_millis(1_763_805_600_000 + (half_lives * millis_of(HALF_LIFE) as f64) as i64)
    }

    #[test]
    fn every_delay_is_within_the_bounds_of_its_bucket() {
        for bucket in 1..BUCKETS {
            let (below, bound) = (upper_bound_ms(bucket - 1), upper_bound_ms(bucket));
            assert!(bound as f64 <= (below + 1) as f64 * 1.3786, "{bucket}");
            for ms in [below, below + 1, bound - 1, bound, bound + 1] {
                let found = bucket_of(ms);
                assert!(
                    ms <= upper_bound_ms(found) || found == BUCKETS - 1,
                    "{ms} in {found}"
                );
                assert!(
                    found == 0 || upper_bound_ms(found - 1) < ms,
                    "{ms} in {found}"
                );
            }
        }
        assert_eq!(upper_bound_ms(BUCKETS - 1), 7 * 86_400_000);
        for ms in [0, 1, 2, 5, 1_000, 60_000, i64::MAX] {
            let whole = whole_buckets(ms);
            assert!(
                (0..whole).all(|bucket| upper_bound_ms(bucket) <= ms),
                "{ms}"
            );
            assert!(whole == BUCKETS || ms < upper_bound_ms(whole), "{ms}");
        }
        assert_eq!(bucket_of(i64::MAX), BUCKETS - 1);
        assert_eq!((bucket_of(1), bucket_of(0), bucket_of(i64::MIN)), (0, 0, 0));
    }

    #[test]
    fn after_a_half_life_a_delay_counts_half() {
        let mut histogram = DecayingHistogram::default();
        for _ in 0..100 {
            histogram.add(1_000, at(0.0));
        }
        assert!((histogram.weight(at(0.0)) - 100.0).abs() < 1e-3);
        assert!((histogram.weight(at(1.0)) - 50.0).abs() < 1e-3);
        assert!((histogram.weight(at(3.0)) - 12.5).abs() < 1e-3);
        // 50 old ones at their half-life against 51 new.
        for _ in 0..51 {
            histogram.add(60_000, at(1.0));
        }
        assert_eq!(histogram.quantile(0.5), Some(bucket_of(60_000)));
        assert_eq!(histogram.quantile(0.49), Some(bucket_of(1_000)));
    }

    #[test]
    fn in_which_order_delays_are_counted_does_not_matter() {
        let delays = [(5, 0.0), (70, 2.5), (900, -3.0), (70, 1.0), (5, 40.0)];
        let (mut forwards, mut backwards) =
            (DecayingHistogram::default(), DecayingHistogram::default());
        for (ms, when) in delays {
            forwards.add(ms, at(when));
        }
        for (ms, when) in delays.into_iter().rev() {
            backwards.add(ms, at(when));
        }
        let one: Vec<_> = forwards.shares().collect();
        let other: Vec<_> = backwards.shares().collect();
        assert_eq!(one.len(), other.len());
        for ((bound, share), (other_bound, other_share)) in one.into_iter().zip(other) {
            assert_eq!(bound, other_bound);
            assert!((share - other_share).abs() < 1e-6);
        }
    }

    #[test]
    fn years_on_and_after_a_slip_of_the_clock_it_still_counts() {
        let mut histogram = DecayingHistogram::default();
        for year in 0..100 {
            histogram.add(1_000, at(f64::from(year) * 365.0));
        }
        assert!((histogram.weight(at(99.0 * 365.0)) - 1.0).abs() < 1e-3);
        histogram.add(60_000, Time::LATEST);
        histogram.add(10, at(0.0));
        assert_eq!(histogram.quantile(1.0), Some(bucket_of(10)), "begun again");
    }

    #[test]
    fn the_shares_rise_to_all_of_it() {
        let mut histogram = DecayingHistogram::default();
        assert_eq!(histogram.shares().count(), 0);
        for (ms, count) in [(10, 1), (1_000, 2), (60_000, 1)] {
            for _ in 0..count {
                histogram.add(ms, at(0.0));
            }
        }
        let shares: Vec<_> = histogram.shares().collect();
        assert_eq!(shares.first().map(|row| row.1), Some(0.25));
        assert_eq!(shares.last().map(|row| row.1), Some(1.0));
        let of = |ms: i64| shares.iter().find(|row| ms <= row.0).map(|row| row.1);
        assert_eq!(
            (of(1_000), of(5_000), of(60_000)),
            (Some(0.75), Some(0.75), Some(1.0))
        );
        assert!(shares.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1));
    }

    #[test]
    fn it_is_the_same_made_again_from_its_parts() {
        let mut histogram = DecayingHistogram::default();
        for ms in [0, 10, 900_000, i64::MAX] {
            histogram.add(ms, at(ms.min(90) as f64));
        }
        let weights: Vec<_> = histogram.weights().collect();
        assert_eq!(
            DecayingHistogram::new(histogram.landmark(), &weights),
            histogram
        );
        let odd = DecayingHistogram::new(at(0.0), &[(64, 1.0), (1, f32::NAN), (2, -1.0)]);
        assert_eq!(odd.quantile(1.0), None);
    }
}
