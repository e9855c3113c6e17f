//! Numbers for Prometheus. Every label has a bounded set of values.

use super::compare_metrics::CompareMetrics;
use parking_lot::RwLock;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

type Labels = Vec<(&'static str, String)>;

/// A counter for each word of a bounded set, under one label. The map of labels is asked once for each: most are counted on with
/// every record.
#[derive(Debug)]
struct LabelledCounter {
    label: &'static str,
    family: Family<Labels, Counter>,
    known: RwLock<Vec<(&'static str, Counter)>>,
}

impl LabelledCounter {
    fn new(label: &'static str) -> LabelledCounter {
        LabelledCounter {
            label,
            family: Family::default(),
            known: RwLock::default(),
        }
    }

    fn count(&self, word: &'static str, by: u64) {
        if let Some((_, counter)) = self.known.read().iter().find(|(there, _)| *there == word) {
            counter.inc_by(by);
            return;
        }
        let labels = vec![(self.label, word.to_owned())];
        let counter = self.family.get_or_create_owned(&labels);
        counter.inc_by(by);
        self.known.write().push((word, counter));
    }
}

/// All of them. Cheap to count on from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    records: LabelledCounter,
    outcomes: LabelledCounter,
    verdicts: LabelledCounter,
    requests: Family<Labels, Counter>,
    reloads: LabelledCounter,
    rejected_lines: Family<Labels, Counter>,
    mastodon_left_out: Family<Labels, Counter>,
    upstream_calls: LabelledCounter,
    streams_ended: LabelledCounter,
    inbox_passed_on: LabelledCounter,
    inbox_not_recorded: LabelledCounter,
    inbox_key_fetches: LabelledCounter,
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
    /// Entries that stood at or below a full feed's floor and did not enter.
    pub below_floor: Counter,
    /// Entries written by checkpoints.
    pub entries_written: Counter,
    /// Checkpoints, by how many seconds they took.
    pub checkpoint_seconds: Histogram,
    /// Entries that wait for a checkpoint.
    pub unwritten_entries: Gauge,
    /// Bytes of posts that wait for a checkpoint.
    pub unwritten_bytes: Gauge,
    /// Bytes of the data folder.
    pub disk_bytes: Gauge,
    /// Local accounts known.
    pub accounts: Gauge,
    /// Follows known.
    pub follows: Gauge,
    /// Posts dropped after their retention.
    pub expired_posts: Counter,
    /// Readers connected to streams.
    pub streams: Gauge,
    /// 1 while requests are answered from a log read to its end.
    pub ready: Gauge,
    /// Rows of Mastodon's outbox that are in the log and removed from it.
    pub connector_rows: Counter,
    /// Records that were made of Mastodon's database.
    pub connector_records: Counter,
    /// Those of them that the log does not take, and rows that named somebody of whom nothing is left.
    pub connector_unusable: Counter,
    /// Relations that a comparison with Mastodon's database put right.
    pub connector_healed: Counter,
    /// Rows in Mastodon's outbox when it was last counted, at most 100,001.
    pub connector_outbox_rows: Gauge,
    /// How long its oldest row had waited then, in milliseconds.
    pub connector_lag_ms: Gauge,
    /// 1 while Mastodon's outbox is followed.
    pub connector_following: Gauge,
    /// The last daily comparison with Mastodon's homes.
    pub compare: CompareMetrics,
    /// Requests to inboxes that are in the log.
    pub inbox_recorded: Counter,
    /// Requests to inboxes that the backend took, and that are being verified or appended.
    pub inbox_pending: Gauge,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let checkpoint_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 16));
        let mut metrics = Metrics {
            registry: Registry::with_prefix("slackwater"),
            records: LabelledCounter::new("topic"),
            outcomes: LabelledCounter::new("outcome"),
            verdicts: LabelledCounter::new("verdict"),
            requests: Family::default(),
            reloads: LabelledCounter::new("outcome"),
            rejected_lines: Family::default(),
            mastodon_left_out: Family::default(),
            upstream_calls: LabelledCounter::new("outcome"),
            streams_ended: LabelledCounter::new("reason"),
            inbox_passed_on: LabelledCounter::new("answer"),
            inbox_not_recorded: LabelledCounter::new("reason"),
            inbox_key_fetches: LabelledCounter::new("outcome"),
            lag: Family::default(),
            dead_letters: Counter::default(),
            lost_records: Gauge::default(),
            damaged_records: Gauge::default(),
            log_time_in_doubt: Gauge::default(),
            misplaced_records: Counter::default(),
            below_floor: Counter::default(),
            entries_written: Counter::default(),
            checkpoint_seconds,
            unwritten_entries: Gauge::default(),
            unwritten_bytes: Gauge::default(),
            disk_bytes: Gauge::default(),
            accounts: Gauge::default(),
            follows: Gauge::default(),
            expired_posts: Counter::default(),
            streams: Gauge::default(),
            ready: Gauge::default(),
            connector_rows: Counter::default(),
            connector_records: Counter::default(),
            connector_unusable: Counter::default(),
            connector_healed: Counter::default(),
            connector_outbox_rows: Gauge::default(),
            connector_lag_ms: Gauge::default(),
            connector_following: Gauge::default(),
            compare: CompareMetrics::default(),
            inbox_recorded: Counter::default(),
            inbox_pending: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// The configuration was read again: `taken_over`, `unchanged` or `refused`.
    pub fn reload(&self, outcome: &'static str) {
        self.reloads.count(outcome, 1);
    }

    /// A line that was posted was rejected for this reason (a bounded set of words).
    pub fn rejected_line(&self, reason: &'static str) {
        let labels = vec![("reason", reason.to_owned())];
        self.rejected_lines.get_or_create(&labels).inc();
    }

    /// A call of the backend ended: `answered`, `refused` (the reader may not), `limited` (429), `failed`, `wrong` (no answer to what
    /// was asked), `slow`, or `busy` (not made, for the bound on calls).
    pub fn upstream_call(&self, outcome: &'static str) {
        self.upstream_calls.count(outcome, 1);
    }

    /// A status was left out of Mastodon's API, since the backend gave no `ref` or no `author_ref` for it, or its `object` is not kept.
    pub fn left_out(&self, lacks: &'static str) {
        let labels = vec![("lacks", lacks.to_owned())];
        self.mastodon_left_out.get_or_create(&labels).inc();
    }

    /// A stream ended for this reason (a bounded set of words).
    pub fn stream_ended(&self, reason: &'static str) {
        self.streams_ended.count(reason, 1);
    }

    /// A request to an inbox was passed on, and answered so: the class of its status (`2xx`), `slow` or `away` (the backend did not
    /// answer), `busy` or `unread` (not passed on: too many at once, or its body did not come).
    pub fn inbox_passed_on(&self, answer: &'static str) {
        self.inbox_passed_on.count(answer, 1);
    }

    /// A request to an inbox is not recorded for this reason (a bounded set of words).
    pub fn inbox_not_recorded(&self, reason: &'static str) {
        self.inbox_not_recorded.count(reason, 1);
    }

    /// A document was fetched for an actor's key: it had the `key`, `no_key`, or the fetch `failed`.
    pub fn inbox_key_fetch(&self, outcome: &'static str) {
        self.inbox_key_fetches.count(outcome, 1);
    }

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

    /// A request to `route` (the pattern, not the path) was answered with `status`.
    pub fn request(&self, route: &str, status: u16) {
        self.requests
            .get_or_create(&vec![
                ("route", route.to_owned()),
                ("status", status.to_string()),
            ])
            .inc();
    }

    /// Records of a partition still to be read.
    pub fn lag(&self, topic: &'static str, partition: i32, records: i64) {
        let labels = vec![
            ("topic", topic.to_owned()),
            ("partition", partition.to_string()),
        ];
        self.lag.get_or_create(&labels).set(records);
    }

    /// In the OpenMetrics text format, with those of `more` behind them.
    pub fn text(&self, more: &Registry) -> String {
        let mut text = String::new();
        let encoded = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, more))
            .and_then(|()| encode_eof(&mut text));
        match encoded {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }

    fn register(&mut self) {
        let r = &mut self.registry;
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
            "http_requests",
            "Requests by route and status",
            self.requests.clone(),
        );
        r.register(
            "config_reloads",
            "Times the configuration was read again, by outcome",
            self.reloads.family.clone(),
        );
        r.register(
            "rejected_lines",
            "Lines and single documents that were posted and rejected, by reason",
            self.rejected_lines.clone(),
        );
        r.register(
            "mastodon_left_out",
            "Times a status was left out of Mastodon's API, by what is missing of it",
            self.mastodon_left_out.clone(),
        );
        r.register(
            "upstream_calls",
            "Calls of the backend for statuses as it shows them, by outcome",
            self.upstream_calls.family.clone(),
        );
        r.register(
            "streams_ended",
            "Streams ended, by reason",
            self.streams_ended.family.clone(),
        );
        r.register(
            "streams",
            "Readers connected to streams",
            self.streams.clone(),
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
            "below_floor",
            "Entries below a full feed's floor, not entered",
            self.below_floor.clone(),
        );
        r.register(
            "entries_written",
            "Feed entries written by checkpoints",
            self.entries_written.clone(),
        );
        r.register_with_unit(
            "checkpoint",
            "How long checkpoints took",
            Unit::Seconds,
            self.checkpoint_seconds.clone(),
        );
        r.register(
            "unwritten_entries",
            "Feed and index entries waiting for a checkpoint",
            self.unwritten_entries.clone(),
        );
        r.register_with_unit(
            "unwritten",
            "Posts waiting for a checkpoint",
            Unit::Bytes,
            self.unwritten_bytes.clone(),
        );
        r.register_with_unit(
            "disk",
            "The data folder",
            Unit::Bytes,
            self.disk_bytes.clone(),
        );
        r.register("accounts", "Local accounts known", self.accounts.clone());
        r.register("follows", "Follows known", self.follows.clone());
        r.register(
            "expired_posts",
            "Posts dropped after their retention",
            self.expired_posts.clone(),
        );
        r.register(
            "ready",
            "1 while the log is read to its end",
            self.ready.clone(),
        );
        self.register_connector();
        self.compare.register(&mut self.registry);
        self.register_inbox();
    }

    fn register_inbox(&mut self) {
        let r = &mut self.registry;
        r.register(
            "inbox_passed_on",
            "Requests to inboxes, by the answer of the backend that they were passed on to",
            self.inbox_passed_on.family.clone(),
        );
        r.register(
            "inbox_recorded",
            "Requests to inboxes that are in the log",
            self.inbox_recorded.clone(),
        );
        r.register(
            "inbox_not_recorded",
            "Requests to inboxes that are not in the log, by reason",
            self.inbox_not_recorded.family.clone(),
        );
        r.register(
            "inbox_pending",
            "Requests to inboxes that are being verified or appended",
            self.inbox_pending.clone(),
        );
        r.register(
            "inbox_key_fetches",
            "Documents fetched for the keys of actors, by outcome",
            self.inbox_key_fetches.family.clone(),
        );
    }

    fn register_connector(&mut self) {
        let r = &mut self.registry;
        r.register(
            "connector_rows",
            "Rows of Mastodon's outbox that are in the log",
            self.connector_rows.clone(),
        );
        r.register(
            "connector_records",
            "Records made of Mastodon's database",
            self.connector_records.clone(),
        );
        r.register(
            "connector_unusable",
            "What was found in Mastodon's database and cannot be used",
            self.connector_unusable.clone(),
        );
        r.register(
            "connector_healed",
            "Relations put right by comparing them with Mastodon's database",
            self.connector_healed.clone(),
        );
        r.register(
            "connector_outbox_rows",
            "Rows that wait in Mastodon's outbox, counted up to 100,001",
            self.connector_outbox_rows.clone(),
        );
        r.register(
            "connector_lag_milliseconds",
            "How long the oldest row of Mastodon's outbox has waited",
            self.connector_lag_ms.clone(),
        );
        r.register(
            "connector_following",
            "1 while Mastodon's outbox is followed",
            self.connector_following.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown() {
        let metrics = Metrics::default();
        metrics.read("activities", 3);
        metrics.verdict("late");
        metrics.dead_letters.inc();
        let text = metrics.text(&Registry::default());
        for line in [
            "slackwater_records_read_total{topic=\"activities\"} 3",
            "slackwater_posts_placed_total{verdict=\"late\"} 1",
            "slackwater_dead_letters_total 1",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
