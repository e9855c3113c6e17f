//! What is known of an origin's delays: a histogram with logarithmic buckets, counts by verdict, last heard. Pure.

use super::verdict::Verdict;
use crate::time::Time;
use serde::{Deserialize, Serialize};

/// Origins remembered one by one; the delays of further ones are kept together under [`OTHERS`].
pub const ORIGINS_MAX: usize = 100_000;
/// The name under which origins past [`ORIGINS_MAX`] are kept together. Not a host.
pub const OTHERS: &str = "(others)";

const BUCKETS: usize = 64;
/// The longest delay with a bucket of its own, 7 days in milliseconds; longer ones count in the last.
const LONGEST_MS: f64 = 7.0 * 24.0 * 3600.0 * 1000.0;

/// One origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delays {
    /// Posts by verdict, in the order of [`Verdict::ALL`].
    counts: [u64; Verdict::ALL.len()],
    buckets: Vec<u64>,
    delay_ms_max: i64,
    last_heard: Time,
    /// Of each partition it was heard on: the offset up to which its posts are counted.
    counted: Vec<(i32, i64)>,
}

impl Default for Delays {
    fn default() -> Delays {
        Delays {
            counts: [0; Verdict::ALL.len()],
            buckets: vec![0; BUCKETS],
            delay_ms_max: 0,
            last_heard: Time::default(),
            counted: Vec::new(),
        }
    }
}

impl Delays {
    /// Counts one post, unless the record at this offset was counted before: a log that is read again counts once.
    /// `delay_ms` goes into the histogram for in time, late and too late; a negative delay counts as none.
    pub fn count(
        &mut self,
        verdict: Verdict,
        delay_ms: Option<i64>,
        arrived: Time,
        partition: i32,
        offset: i64,
    ) {
        match self
            .counted
            .iter_mut()
            .find(|(known, _)| *known == partition)
        {
            Some((_, next)) if offset < *next => return,
            Some((_, next)) => *next = offset.saturating_add(1),
            None => self.counted.push((partition, offset.saturating_add(1))),
        }
        if let Some(count) = self.counts.get_mut(verdict as usize) {
            *count += 1;
        }
        self.last_heard = self.last_heard.max(arrived);
        if let (Verdict::InTime | Verdict::Late | Verdict::TooLate, Some(delay_ms)) =
            (verdict, delay_ms)
        {
            self.delay_ms_max = self.delay_ms_max.max(delay_ms);
            if let Some(bucket) = self.buckets.get_mut(bucket_of(delay_ms)) {
                *bucket += 1;
            }
        }
    }

    /// Posts with this verdict.
    pub fn with(&self, verdict: Verdict) -> u64 {
        self.counts.get(verdict as usize).copied().unwrap_or(0)
    }

    /// When a post of it last arrived.
    pub fn last_heard(&self) -> Time {
        self.last_heard
    }

    /// The delay, in milliseconds, that a share `q` (0 to 1) of its posts does not exceed: the upper bound of the
    /// bucket it falls in (at most 39 % too high; past five days the largest seen), never above the largest seen. None
    /// before the first.
    pub fn quantile_ms(&self, q: f64) -> Option<i64> {
        let total: u64 = self.buckets.iter().sum();
        if total == 0 {
            return None;
        }
        let rank = ((q.clamp(0.0, 1.0) * total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if rank <= seen {
                return Some(upper_bound_ms(bucket).min(self.delay_ms_max));
            }
        }
        Some(self.delay_ms_max)
    }

    /// The largest delay seen, in milliseconds. None before the first.
    pub fn max_ms(&self) -> Option<i64> {
        self.buckets
            .iter()
            .any(|count| *count != 0)
            .then_some(self.delay_ms_max)
    }
}

/// Bucket 0 holds delays up to 1 ms; bucket n up to the n-th of 63 equal steps, on a logarithmic scale, to 7 days.
fn bucket_of(delay_ms: i64) -> usize {
    if delay_ms <= 1 {
        return 0;
    }
    let step = (delay_ms as f64).ln() / LONGEST_MS.ln() * (BUCKETS - 1) as f64;
    // A bound itself lies a rounding error to either side of its step.
    ((step - 1e-9).ceil() as usize).min(BUCKETS - 1)
}

fn upper_bound_ms(bucket: usize) -> i64 {
    if bucket == BUCKETS - 1 {
        return i64::MAX;
    }
    (LONGEST_MS.ln() * bucket as f64 / (BUCKETS - 1) as f64)
        .exp()
        .ceil() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_read_again_counts_once() {
        let mut delays = Delays::default();
        for (partition, offset) in [(0, 5), (0, 5), (0, 4), (1, 5), (0, 6)] {
            delays.count(
                Verdict::InTime,
                Some(10),
                Time::from_millis(1),
                partition,
                offset,
            );
        }
        assert_eq!(delays.with(Verdict::InTime), 3);
    }

    #[test]
    fn fetched_undated_and_future_posts_say_nothing_about_delay() {
        let mut delays = Delays::default();
        for (n, verdict) in [Verdict::Fetched, Verdict::Undated, Verdict::FromTheFuture]
            .into_iter()
            .enumerate()
        {
            delays.count(verdict, Some(1_000_000), Time::from_millis(1), 0, n as i64);
        }
        assert_eq!((delays.quantile_ms(0.5), delays.max_ms()), (None, None));
    }

    proptest! {
        /// Were this to fail, an operator would be shown a window shorter than the delays it must cover.
        #[test]
        fn a_quantile_is_at_most_one_bucket_too_high(mut seen in prop::collection::vec(-5i64..1_000_000_000, 1..300), q in 0.0f64..=1.0) {
            let mut delays = Delays::default();
            for (n, ms) in seen.iter().enumerate() {
                delays.count(Verdict::Late, Some(*ms), Time::from_millis(1), 0, n as i64);
            }
            seen.sort_unstable();
            let rank = ((q * seen.len() as f64).ceil() as usize).max(1);
            let exact = seen[rank - 1].max(0);
            let found = delays.quantile_ms(q).unwrap();
            prop_assert!(exact <= found, "{exact} <= {found}");
            if exact < 438_000_000 {
                prop_assert!(found as f64 <= (exact.max(1) as f64 * 1.39).ceil() + 1.0, "{found} for {exact}");
            }
        }
    }
}
