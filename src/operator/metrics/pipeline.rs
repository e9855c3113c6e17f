//! Numbers of the way from the log into feeds: records, verdicts, lag, and what could not be used.

use super::labelled::{LabelledCounter, Labels};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Records, and what they came to.
#[derive(Debug)]
pub struct PipelineMetrics {
    records: LabelledCounter,
    outcomes: LabelledCounter,
    verdicts: LabelledCounter,
    lag: Family<Labels, Gauge>,
    /// Records set aside because they could not be used.
    pub dead_letters: Counter,
    /// Records the log no longer had when they were to be read.
    pub lost_records: Gauge,
    /// Records of the built-in log that could not be read any more and are kept aside.
    pub damaged_records: Gauge,
    /// 1 while nothing is deleted for its age, or no mute ends, since time may have leapt or the clock went back.
    pub log_time_in_doubt: Gauge,
    /// Activities in another partition than their author's id asks for: ties may be decided differently elsewhere.
    pub misplaced_records: Counter,
    /// 1 while requests are answered from a log read to its end.
    pub ready: Gauge,
}

impl Default for PipelineMetrics {
    fn default() -> PipelineMetrics {
        PipelineMetrics {
            records: LabelledCounter::new("topic"),
            outcomes: LabelledCounter::new("outcome"),
            verdicts: LabelledCounter::new("verdict"),
            lag: Family::default(),
            dead_letters: Counter::default(),
            lost_records: Gauge::default(),
            damaged_records: Gauge::default(),
            log_time_in_doubt: Gauge::default(),
            misplaced_records: Counter::default(),
            ready: Gauge::default(),
        }
    }
}

impl PipelineMetrics {
    /// Records of `topic` were read.
    pub fn read(&self, topic: &'static str, records: u64) {
        self.records.count(topic, records);
    }

    /// An activity came to this (a bounded set of words).
    pub fn outcome(&self, outcome: &'static str) {
        self.outcomes.count(outcome, 1);
    }

    /// A post was placed with this verdict.
    pub fn verdict(&self, verdict: &'static str) {
        self.verdicts.count(verdict, 1);
    }

    /// Records of a partition still to be read.
    pub fn lag(&self, topic: &'static str, partition: i32, records: i64) {
        let labels = vec![
            ("topic", topic.to_owned()),
            ("partition", partition.to_string()),
        ];
        self.lag.get_or_create(&labels).set(records);
    }

    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "records_read",
            "Records read from the log",
            self.records.family.clone(),
        );
        r.register(
            "activities",
            "Activities by what they came to",
            self.outcomes.family.clone(),
        );
        r.register(
            "posts_placed",
            "Posts placed, by verdict",
            self.verdicts.family.clone(),
        );
        r.register(
            "lag_records",
            "Records of a partition still to be read",
            self.lag.clone(),
        );
        r.register(
            "dead_letters",
            "Records set aside because they could not be used",
            self.dead_letters.clone(),
        );
        r.register(
            "lost_records",
            "Records gone from the log before they were read",
            self.lost_records.clone(),
        );
        r.register(
            "log_damaged_records",
            "Records of the built-in log that could not be read any more and are kept aside",
            self.damaged_records.clone(),
        );
        r.register(
            "log_time_in_doubt",
            "1 while nothing is deleted for its age, or no mute ends, since time may have leapt or the clock went back",
            self.log_time_in_doubt.clone(),
        );
        r.register(
            "misplaced_records",
            "Activities not keyed by their author",
            self.misplaced_records.clone(),
        );
        r.register(
            "ready",
            "1 while the log is read to its end",
            self.ready.clone(),
        );
    }
}
