//! How long activities take on their way to readers, step by step.
//!
//! What counts is an activity that came while the service was there: the catch-up at the start is over, and it was handed over soon
//! after it arrived. What waited for the service, or is imported, says nothing of how long readers wait.

use crate::clock;
use crate::operator::metrics::pipeline::{PipelineMetrics, Step};
use slackwater_engine::record::{READ_LATE_AFTER, Record};
use slackwater_order::time::Time;
use std::time::{Duration, Instant};

/// The activities of a batch, from when they are taken until they are published.
#[derive(Debug)]
pub(super) struct Latency {
    /// Whether activities count.
    is_live: bool,
    taken: Instant,
    /// When each applied activity had arrived, and when it was applied. At most as many as a batch has records.
    unpublished: Vec<(Time, Instant)>,
}

/// An activity that is being applied, and counts.
#[derive(Debug)]
pub(super) struct Applying {
    arrived: Time,
    begun: Instant,
}

impl Latency {
    pub(super) fn begin(now: Instant) -> Latency {
        Latency {
            is_live: false,
            taken: now,
            unpublished: Vec::new(),
        }
    }

    /// A batch was taken. `is_live`: it is not one of the catch-up at the start.
    pub(super) fn take(&mut self, is_live: bool, now: Instant) {
        (self.is_live, self.taken) = (is_live, now);
    }

    /// An activity that had `arrived` is about to be applied, whose share of the batch was decoded in `decoding`. None if it does not
    /// count.
    pub(super) fn apply(
        &self,
        record: &Record,
        arrived: Time,
        decoding: Duration,
        metrics: &PipelineMetrics,
    ) -> Option<Applying> {
        let handed_over = record.timestamp.unwrap_or(arrived);
        if !self.is_live || arrived.plus(READ_LATE_AFTER) < handed_over {
            return None;
        }
        let begun = clock::stopwatch();
        let waited = begun.saturating_duration_since(self.taken);
        metrics.step(Step::Decode, decoding, 1);
        metrics.step(Step::Queue, waited.saturating_sub(decoding), 1);
        Some(Applying { arrived, begun })
    }

    /// It is applied.
    pub(super) fn applied(&mut self, applying: &Applying, metrics: &PipelineMetrics) {
        let now = clock::stopwatch();
        let took = now.saturating_duration_since(applying.begun);
        metrics.step(Step::Apply, took, 1);
        self.unpublished.push((applying.arrived, now));
    }

    /// Readers can read what was applied.
    pub(super) fn published(&mut self, metrics: &PipelineMetrics) {
        if self.unpublished.is_empty() {
            return;
        }
        let (now, stopwatch) = (clock::now(), clock::stopwatch());
        for (arrived, applied) in self.unpublished.drain(..) {
            let waited = stopwatch.saturating_duration_since(applied);
            metrics.step(Step::Publish, waited, 1);
            let since = u64::try_from(now.since(arrived)).unwrap_or(0);
            metrics
                .arrival_to_readable
                .observe(Duration::from_millis(since));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::metrics::Metrics;
    use crate::operator::metrics::text_format::TextFormat;
    use slackwater_engine::record::{Position, Topic};

    /// A failure means that an operator takes a catch-up or an import for a slow service, or is not shown that it is slow.
    #[test]
    fn what_came_while_the_service_was_there_counts_and_imports_do_not() {
        let metrics = Metrics::default();
        let mut latency = Latency::begin(clock::stopwatch());
        let now = clock::now();
        let before = |ms| now.minus(Duration::from_millis(ms));
        let mut apply = |is_live, arrived, handed_over: Time| {
            latency.take(is_live, clock::stopwatch());
            let record = Record {
                position: Position {
                    topic: Topic::Activities,
                    partition: 0,
                    offset: 0,
                },
                timestamp: Some(handed_over),
                key: None,
                value: None,
                headers: Vec::new(),
            };
            let counts = latency.apply(&record, arrived, Duration::ZERO, &metrics.pipeline);
            if let Some(applying) = counts {
                latency.applied(&applying, &metrics.pipeline);
            }
            latency.published(&metrics.pipeline);
        };
        let day = 24 * 60 * 60 * 1000;
        // In the catch-up, and long after it arrived.
        apply(false, before(100), before(100));
        apply(true, before(day), before(100));
        // Two hours in the log are two hours of lag.
        apply(true, before(7_000_000), before(6_999_000));
        apply(true, before(20), before(10));
        let text = metrics.text(&[], TextFormat::Prometheus);
        for line in [
            "slackwater_arrival_to_readable_seconds_count 2",
            "slackwater_arrival_to_readable_seconds_bucket{le=\"0.01\"} 0",
            "slackwater_arrival_to_readable_seconds_bucket{le=\"5.0\"} 1",
            "slackwater_arrival_to_readable_seconds_bucket{le=\"3600.0\"} 1",
            "slackwater_pipeline_step_seconds_count{step=\"apply\"} 2",
            "slackwater_pipeline_step_seconds_count{step=\"publish\"} 2",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in {text}");
        }
    }
}
