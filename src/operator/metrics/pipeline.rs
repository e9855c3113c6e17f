//! Numbers of the way from the log into feeds: records, verdicts, lag, how long each step took, and what could not be used.

use super::histogram::{AtomicHistogram, DELAYS, WORK};
use super::labelled::{LabelledCounter, Labels};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use slackwater_engine::record::Topic;
use slackwater_order::verdict::Verdict;
use std::time::Duration;

/// What an activity comes to.
const OUTCOMES: [&str; 9] = [
    "placed",
    "known",
    "edited",
    "refreshed",
    "outdated",
    "removed",
    "actor",
    "ignored",
    "set_aside",
];

/// Verdicts on posts that say something of their origin's delay.
const DELAYED: [Verdict; 3] = [Verdict::InTime, Verdict::Late, Verdict::TooLate];

/// A step of an activity on its way to readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// From the hands of a producer in this process until the log has it durably: one for each append.
    Append,
    /// From durable until the loop has taken it. With Kafka: from the record's timestamp.
    Read,
    /// Decoding the share of a batch that it is in.
    Decode,
    /// What else passed between being taken and being applied: what stood before it in the batch.
    Queue,
    /// Applying it: verdict, place, fan-out.
    Apply,
    /// From applied until readers can read it.
    Publish,
}

impl Step {
    const ALL: [Step; 6] = [
        Step::Append,
        Step::Read,
        Step::Decode,
        Step::Queue,
        Step::Apply,
        Step::Publish,
    ];

    const fn name(self) -> &'static str {
        match self {
            Step::Append => "append",
            Step::Read => "read",
            Step::Decode => "decode",
            Step::Queue => "queue",
            Step::Apply => "apply",
            Step::Publish => "publish",
        }
    }
}

type Histograms = Family<Labels, AtomicHistogram, fn() -> AtomicHistogram>;

/// Records, and what they came to.
#[derive(Debug)]
pub struct PipelineMetrics {
    records: LabelledCounter,
    outcomes: LabelledCounter,
    verdicts: LabelledCounter,
    lag: Family<Labels, Gauge>,
    delays: Histograms,
    /// Those of [`DELAYED`], in its order.
    delays_by_verdict: [AtomicHistogram; DELAYED.len()],
    steps: Histograms,
    /// Those of [`Step::ALL`], in its order.
    steps_in_order: [AtomicHistogram; Step::ALL.len()],
    /// From the arrival of an activity until readers can read what it came to: of those that came while the service was there, and
    /// were handed over within [`READ_LATE_AFTER`](slackwater_engine::record::READ_LATE_AFTER) of their arrival.
    pub arrival_to_readable: AtomicHistogram,
    /// Records set aside because they could not be used.
    pub dead_letters: Counter,
    /// Records the log no longer had when they were to be read.
    pub lost_records: Gauge,
    /// Records of the built-in log that could not be read any more and are kept aside.
    pub damaged_records: Gauge,
    /// 1 while nothing is deleted for its age, or no mute ends, since time may have leapt or the clock went back.
    pub log_time_in_doubt: Gauge,
    /// Records in another partition than their author's or account's id asks for: ties may be decided differently elsewhere.
    pub misplaced_records: Counter,
    /// 1 while requests are answered from a log read to its end.
    pub ready: Gauge,
}

impl Default for PipelineMetrics {
    fn default() -> PipelineMetrics {
        let delays = Histograms::new_with_constructor(|| AtomicHistogram::new(DELAYS));
        let steps = Histograms::new_with_constructor(|| AtomicHistogram::new(WORK));
        let of = |family: &Histograms, label: &'static str, word: &str| {
            family.get_or_create_owned(&vec![(label, word.to_owned())])
        };
        PipelineMetrics {
            records: LabelledCounter::new("topic", Topic::ALL.map(Topic::name)),
            outcomes: LabelledCounter::new("outcome", OUTCOMES),
            verdicts: LabelledCounter::new("verdict", Verdict::ALL.map(Verdict::name)),
            lag: Family::default(),
            delays_by_verdict: DELAYED.map(|verdict| of(&delays, "verdict", verdict.name())),
            delays,
            steps_in_order: Step::ALL.map(|step| of(&steps, "step", step.name())),
            steps,
            arrival_to_readable: AtomicHistogram::new(WORK),
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

    /// A post was placed with this verdict, so long after it was written, if that is known.
    pub fn placed(&self, verdict: Verdict, delay: Option<Duration>) {
        self.verdicts.count(verdict.name(), 1);
        let mut delayed = DELAYED.iter().zip(&self.delays_by_verdict);
        if let (Some((_, delays)), Some(delay)) = (delayed.find(|(it, _)| **it == verdict), delay) {
            delays.observe(delay);
        }
    }

    /// A step took so long, for so many activities.
    pub fn step(&self, step: Step, took: Duration, many: u64) {
        if let Some(steps) = self.steps_in_order.get(step as usize) {
            steps.observe_many(took, many);
        }
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
        r.register_with_unit(
            "delay",
            "How long after they were written posts arrived, by verdict",
            Unit::Seconds,
            self.delays.clone(),
        );
        r.register_with_unit(
            "arrival_to_readable",
            "From the arrival of an activity until readers can read it; not while catching up, and not of imports",
            Unit::Seconds,
            self.arrival_to_readable.clone(),
        );
        r.register_with_unit(
            "pipeline_step",
            "How long each step of an activity took on its way to readers; not while catching up, and not of imports",
            Unit::Seconds,
            self.steps.clone(),
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
            "Records not keyed by their author or account",
            self.misplaced_records.clone(),
        );
        r.register(
            "ready",
            "1 while the log is read to its end",
            self.ready.clone(),
        );
    }
}
