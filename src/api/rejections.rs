//! What the append routes reject, for the operator: each rejection is counted, and logged at a bounded rate.

use super::responses::Rejected;
use crate::operator::line_rate::{LineRate, left_out};
use crate::operator::metrics::Metrics;
use serde::de::IgnoredAny;
use std::time::{Duration, Instant};

/// The shortest time between two lines in the log.
const LOGGED_EVERY: Duration = Duration::from_secs(10);

/// Why something was not accepted, as metrics have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionKind {
    /// It is longer than a record may be.
    TooLarge,
    /// It is no JSON, or none that can be read.
    NotJson,
    /// The headers of an activity, or the fields beside it in its line, are not valid.
    Envelope,
    /// The activity cannot be used.
    Activity,
    /// The document is no relation.
    Relation,
}

/// A document that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The kind of mistake.
    pub why: RejectionKind,
    /// The mistake, and what to send instead.
    pub reason: String,
}

/// The rejections as they are logged.
#[derive(Debug)]
pub struct RejectionLog(LineRate);

impl Default for RejectionLog {
    fn default() -> RejectionLog {
        RejectionLog(LineRate::new(1, LOGGED_EVERY))
    }
}

impl RejectionKind {
    /// The label in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            RejectionKind::TooLarge => "too_large",
            RejectionKind::NotJson => "not_json",
            RejectionKind::Envelope => "envelope",
            RejectionKind::Activity => "activity",
            RejectionKind::Relation => "relation",
        }
    }

    /// For this reason.
    pub fn with(self, reason: String) -> Rejection {
        Rejection { why: self, reason }
    }

    /// This, or that it is no JSON.
    pub fn unless_not_json(self, value: &[u8]) -> RejectionKind {
        match serde_json::from_slice::<IgnoredAny>(value) {
            Ok(_) => self,
            Err(_) => RejectionKind::NotJson,
        }
    }
}

impl RejectionLog {
    /// Counts the rejected lines of a request to `path`, and logs them unless some were logged a moment ago: a client that sends
    /// nonsense must not fill the disk with log lines.
    pub fn record(
        &self,
        metrics: &Metrics,
        path: &'static str,
        rejected: &[Rejected],
        why: &[RejectionKind],
        now: Instant,
    ) {
        for why in why {
            metrics.http.rejected_line(why.name());
        }
        let Some(Rejected { line, reason }) = rejected.first() else {
            return;
        };
        let lines = rejected.len();
        let Some(unlogged) = self.0.due("rejected lines", lines as u64, now) else {
            return;
        };
        let before = left_out(unlogged);
        tracing::warn!(
            path,
            lines,
            line,
            reason,
            unsaid = unlogged,
            "POST {path}: {lines} lines rejected, the first, line {line}: {reason}{before}"
        );
    }
}
