//! A histogram that is counted on without a lock: the one thread that applies records counts on several for each of them.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of buckets, in seconds, for what a computer takes: half a millisecond to an hour.
pub(super) const WORK: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0, 300.0, 900.0, 3600.0,
];
/// The same for requests, which are given up after a time: to a minute.
pub(super) const REQUESTS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// The same for delays of posts, and for feeds that are held back by them: ten milliseconds to a day. Windows are found among them.
pub(super) const DELAYS: &[f64] = &[
    0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1200.0, 1800.0,
    3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0,
];

/// A histogram of times. Clones are the same one.
#[derive(Clone, Debug)]
pub struct AtomicHistogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    /// Ascending upper bounds, in seconds.
    bounds: &'static [f64],
    /// One for each bound, and one for what is above the last.
    counts: Vec<AtomicU64>,
    /// In microseconds: a sum of days in nanoseconds would run over.
    sum_us: AtomicU64,
}

impl AtomicHistogram {
    pub(super) fn new(bounds: &'static [f64]) -> AtomicHistogram {
        AtomicHistogram(Arc::new(Buckets {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum_us: AtomicU64::new(0),
        }))
    }

    /// Counts one.
    pub fn observe(&self, time: Duration) {
        self.observe_many(time, 1);
    }

    /// Counts so many that took as long.
    pub fn observe_many(&self, time: Duration, many: u64) {
        let Buckets {
            bounds,
            counts,
            sum_us,
        } = &*self.0;
        let seconds = time.as_secs_f64();
        let bucket = bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = counts.get(bucket) {
            count.fetch_add(many, Ordering::Relaxed);
        }
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        sum_us.fetch_add(us.saturating_mul(many), Ordering::Relaxed);
    }
}

impl TypedMetric for AtomicHistogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for AtomicHistogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Buckets {
            bounds,
            counts,
            sum_us,
        } = &*self.0;
        let bounds = bounds.iter().copied().chain([f64::INFINITY]);
        let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        // The count is that of the buckets as they were read, so that the two agree.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    #[test]
    fn a_time_is_counted_in_the_first_bucket_that_holds_it() {
        let histogram = AtomicHistogram::new(&[0.01, 1.0]);
        for ms in [0, 10, 11, 1_000, 1_001] {
            histogram.observe(Duration::from_millis(ms));
        }
        histogram.observe_many(Duration::from_secs(100_000), 3);
        let mut registry = Registry::default();
        registry.register("took_seconds", "How long it took", histogram);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "# TYPE took_seconds histogram",
            "took_seconds_sum 300002.022",
            "took_seconds_count 8",
            "took_seconds_bucket{le=\"0.01\"} 2",
            "took_seconds_bucket{le=\"1.0\"} 4",
            "took_seconds_bucket{le=\"+Inf\"} 8",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in {text}");
        }
    }

    #[test]
    fn bounds_ascend() {
        for bounds in [WORK, REQUESTS, DELAYS] {
            assert!(bounds.is_sorted_by(|a, b| a < b), "{bounds:?}");
        }
    }
}
