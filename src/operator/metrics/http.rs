//! Numbers of what is asked over HTTP: requests, what is posted and rejected, streams.

use super::histogram::{AtomicHistogram, DELAYS, REQUESTS};
use super::labelled::{LabelledCounter, Labels};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// Why a stream ends. The first part is of both APIs.
const STREAM_ENDS: [&str; 12] = [
    "left",
    "silent",
    "too slow",
    "the token holds no longer",
    "the service is stopping",
    "this node answers for the account no more",
    // Our own stream.
    "nothing is to be sent here",
    "read the feed anew",
    "come back in a moment",
    "the service failed here",
    // Mastodon's.
    "messages are text",
    "too many messages",
];

/// Why a cursor is refused.
const CURSOR_REFUSALS: [&str; 6] = [
    "other_version",
    "other_key",
    "other_log",
    "beyond_end",
    "forgotten",
    "not_listed",
];

/// Why a line is rejected.
const REJECTIONS: [&str; 5] = ["too_large", "not_json", "envelope", "activity", "relation"];

/// Messages of streams: those of our own, then the events of Mastodon's, of which those of its own server are passed on.
const STREAM_MESSAGES: [&str; 11] = [
    "hello",
    "post",
    "edit",
    "remove",
    "horizon",
    "too_slow",
    "reset",
    "update",
    "status.update",
    "delete",
    "passed_on",
];

/// The methods that have a label of their own; a client may make up others.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Times taken, by labels.
type Durations = Family<Labels, AtomicHistogram, fn() -> AtomicHistogram>;

/// Requests, rejected lines and streams.
#[derive(Debug)]
pub struct HttpMetrics {
    requests: Family<Labels, Counter>,
    durations: Durations,
    rejected_lines: LabelledCounter,
    cursors_refused: LabelledCounter,
    streams_ended: LabelledCounter,
    stream_messages: LabelledCounter,
    /// Posts that streams sent behind what their readers had been sent before.
    pub posts_behind: Counter,
    /// How long feeds of accounts were held back when they were read.
    pub hold: AtomicHistogram,
    /// Readers connected to streams.
    pub streams: Gauge,
}

impl Default for HttpMetrics {
    fn default() -> HttpMetrics {
        HttpMetrics {
            requests: Family::default(),
            durations: Durations::new_with_constructor(|| AtomicHistogram::new(REQUESTS)),
            rejected_lines: LabelledCounter::new("reason", REJECTIONS),
            cursors_refused: LabelledCounter::new("why", CURSOR_REFUSALS),
            streams_ended: LabelledCounter::new("reason", STREAM_ENDS),
            stream_messages: LabelledCounter::new("kind", STREAM_MESSAGES),
            posts_behind: Counter::default(),
            hold: AtomicHistogram::new(DELAYS),
            streams: Gauge::default(),
        }
    }
}

/// The method of a request if it is one of those that there are routes for, else `other`: a client may send any text.
pub fn known_method(method: &str) -> &'static str {
    let known = METHODS.into_iter().find(|known| *known == method);
    known.unwrap_or("other")
}

impl HttpMetrics {
    /// A request with `method` to `route` (the pattern, not the path) was answered with `status`, of which the head was ready after
    /// `took`. What follows the head is not counted, so that a stream counts as the time until it begins.
    pub fn request(&self, route: &str, method: &str, status: u16, took: Duration) {
        self.requests
            .get_or_create(&vec![
                ("route", route.to_owned()),
                ("status", status.to_string()),
            ])
            .inc();
        self.durations
            .get_or_create(&vec![
                ("route", route.to_owned()),
                ("method", known_method(method).to_owned()),
                ("status", format!("{}xx", status / 100)),
            ])
            .observe(took);
    }

    /// A line that was posted was rejected for this reason (a bounded set of words).
    pub fn rejected_line(&self, reason: &'static str) {
        self.rejected_lines.count(reason, 1);
    }

    /// A cursor was refused for this reason (a bounded set of words).
    pub fn cursor_refused(&self, why: &'static str) {
        self.cursors_refused.count(why, 1);
    }

    /// A stream ended for this reason (a bounded set of words).
    pub fn stream_ended(&self, reason: &'static str) {
        self.streams_ended.count(reason, 1);
    }

    /// So many messages of this kind (a bounded set of words) were sent to a stream.
    pub fn stream_messages(&self, kind: &'static str, many: u64) {
        self.stream_messages.count(kind, many);
    }

    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "http_requests",
            "Requests by route and status",
            self.requests.clone(),
        );
        r.register_with_unit(
            "http_request_duration",
            "Time until the head of a response is ready, by route, method and class of status; streams count until they begin",
            Unit::Seconds,
            self.durations.clone(),
        );
        r.register(
            "rejected_lines",
            "Lines and single documents that were posted and rejected, by reason",
            self.rejected_lines.family.clone(),
        );
        r.register(
            "cursors_refused",
            "Cursors refused, by why; their readers read the feed anew",
            self.cursors_refused.family.clone(),
        );
        r.register(
            "streams_ended",
            "Streams ended, by reason",
            self.streams_ended.family.clone(),
        );
        r.register(
            "stream_messages",
            "Messages sent to streams, by kind",
            self.stream_messages.family.clone(),
        );
        r.register(
            "stream_posts_behind",
            "Posts that streams sent to a place behind what their readers had",
            self.posts_behind.clone(),
        );
        r.register_with_unit(
            "hold",
            "How long the feeds of accounts were held back when their pages and changes were read",
            Unit::Seconds,
            self.hold.clone(),
        );
        r.register(
            "streams",
            "Readers connected to streams",
            self.streams.clone(),
        );
    }
}
