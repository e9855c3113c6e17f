//! Numbers of Mastodon's API: what it leaves out, and calls of the backend for it.

use super::labelled::LabelledCounter;
use prometheus_client::registry::Registry;

/// How a call of the backend ends.
const CALLS: [&str; 7] = [
    "answered", "refused", "limited", "failed", "wrong", "slow", "busy",
];

/// Statuses left out, and calls of the backend.
#[derive(Debug)]
pub struct MastodonMetrics {
    left_out: LabelledCounter,
    upstream_calls: LabelledCounter,
}

impl Default for MastodonMetrics {
    fn default() -> MastodonMetrics {
        MastodonMetrics {
            left_out: LabelledCounter::new("lacks", ["ref", "author_ref", "object"]),
            upstream_calls: LabelledCounter::new("outcome", CALLS),
        }
    }
}

impl MastodonMetrics {
    /// A call of the backend ended: `answered`, `refused` (the reader may not), `limited` (429), `failed`, `wrong` (no answer to what
    /// was asked), `slow`, or `busy` (not made, for the bound on calls).
    pub fn upstream_call(&self, outcome: &'static str) {
        self.upstream_calls.count(outcome, 1);
    }

    /// A status was left out of Mastodon's API, since the backend gave no `ref` or no `author_ref` for it, or its `object` is not kept.
    pub fn left_out(&self, lacks: &'static str) {
        self.left_out.count(lacks, 1);
    }

    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "mastodon_left_out",
            "Times a status was left out of Mastodon's API, by what is missing of it",
            self.left_out.family.clone(),
        );
        r.register(
            "upstream_calls",
            "Calls of the backend for statuses as it shows them, by outcome",
            self.upstream_calls.family.clone(),
        );
    }
}
