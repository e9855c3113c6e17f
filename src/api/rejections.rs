//! What the append routes reject, for the operator: each rejection is counted, and logged at a bounded rate.

use super::responses::Rejected;
use crate::operator::metrics::Metrics;
use parking_lot::Mutex;
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
#[derive(Debug, Default)]
pub struct RejectionLog {
    last_line: Mutex<LastLine>,
}

#[derive(Debug, Default)]
struct LastLine {
    last: Option<Instant>,
    /// Lines rejected since, without a line in the log.
    unlogged: usize,
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
        let Some(unlogged) = self.unlogged_if_due(lines, now) else {
            return;
        };
        let before = match unlogged {
            0 => String::new(),
            unlogged => format!("; {unlogged} more before, since this was last said"),
        };
        tracing::warn!(
            path,
            lines,
            line,
            reason,
            unsaid = unlogged,
            "POST {path}: {lines} lines rejected, the first, line {line}: {reason}{before}"
        );
    }

    /// The number of lines rejected before this without being logged, if it is time to log again.
    fn unlogged_if_due(&self, lines: usize, now: Instant) -> Option<usize> {
        let mut last_line = self.last_line.lock();
        let is_too_early = |last: Instant| now.saturating_duration_since(last) < LOGGED_EVERY;
        if last_line.last.is_some_and(is_too_early) {
            last_line.unlogged = last_line.unlogged.saturating_add(lines);
            return None;
        }
        last_line.last = Some(now);
        Some(std::mem::take(&mut last_line.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// A failure means that a client can fill the disk with log lines, or that rejections are not logged at all.
    #[test]
    fn it_is_said_at_once_then_not_for_a_while_and_then_with_how_much_was_not_said() {
        let (log, start) = (RejectionLog::default(), clock::stopwatch());
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(log.unlogged_if_due(3, start), Some(0));
        assert_eq!(log.unlogged_if_due(5, after(1)), None);
        assert_eq!(log.unlogged_if_due(7, after(9)), None);
        assert_eq!(log.unlogged_if_due(1, after(10)), Some(12));
        assert_eq!(log.unlogged_if_due(1, after(11)), None);
        assert_eq!(log.unlogged_if_due(1, after(100)), Some(1));
    }
}
