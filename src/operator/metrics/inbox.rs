//! Numbers of requests to inboxes that are passed on to the backend.

use super::labelled::LabelledCounter;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How a request that is passed on is answered.
const ANSWERS: [&str; 8] = ["2xx", "3xx", "4xx", "5xx", "slow", "away", "busy", "unread"];

/// Why a request is not recorded.
const NOT_RECORDED: [&str; 11] = [
    "refused",
    "no_feed",
    "unusable",
    "unsigned",
    "stale",
    "digest",
    "not_the_actor",
    "no_key",
    "wrong_signature",
    "busy",
    "lost",
];

/// What was passed on and what was recorded of it.
#[derive(Debug)]
pub struct InboxMetrics {
    passed_on: LabelledCounter,
    not_recorded: LabelledCounter,
    key_fetches: LabelledCounter,
    /// Requests to inboxes that are in the log.
    pub recorded: Counter,
    /// Requests to inboxes that the backend took, and that are being verified or appended.
    pub pending: Gauge,
}

impl Default for InboxMetrics {
    fn default() -> InboxMetrics {
        InboxMetrics {
            passed_on: LabelledCounter::new("answer", ANSWERS),
            not_recorded: LabelledCounter::new("reason", NOT_RECORDED),
            key_fetches: LabelledCounter::new("outcome", ["key", "no_key", "failed"]),
            recorded: Counter::default(),
            pending: Gauge::default(),
        }
    }
}

impl InboxMetrics {
    /// A request to an inbox was passed on, and answered so: the class of its status (`2xx`), `slow` or `away` (the backend did not
    /// answer), `busy` or `unread` (not passed on: too many at once, or its body did not come).
    pub fn passed_on(&self, answer: &'static str) {
        self.passed_on.count(answer, 1);
    }

    /// A request to an inbox is not recorded for this reason (a bounded set of words).
    pub fn not_recorded(&self, reason: &'static str) {
        self.not_recorded.count(reason, 1);
    }

    /// A document was fetched for an actor's key: it had the `key`, `no_key`, or the fetch `failed`.
    pub fn key_fetch(&self, outcome: &'static str) {
        self.key_fetches.count(outcome, 1);
    }

    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "inbox_passed_on",
            "Requests to inboxes, by the answer of the backend that they were passed on to",
            self.passed_on.family.clone(),
        );
        r.register(
            "inbox_recorded",
            "Requests to inboxes that are in the log",
            self.recorded.clone(),
        );
        r.register(
            "inbox_not_recorded",
            "Requests to inboxes that are not in the log, by reason",
            self.not_recorded.family.clone(),
        );
        r.register(
            "inbox_pending",
            "Requests to inboxes that are being verified or appended",
            self.pending.clone(),
        );
        r.register(
            "inbox_key_fetches",
            "Documents fetched for the keys of actors, by outcome",
            self.key_fetches.family.clone(),
        );
    }
}
