//! What the append routes reject, for the operator: each rejection is counted, and logged at a bounded rate.

use super::responses::Rejected;
use crate::operator::metrics::Metrics;
use parking_lot::Mutex;
use serde::de::IgnoredAny;
use std::time::{Duration, Instant};

/// How long nothing more is said in the log after something was.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// Why something was not accepted, as metrics have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionKind {
    /// It is longer than a record may be.
    TooLarge,
    /// It is no JSON, or none that can be read.
    NotJson,
    /// What comes beside an activity, in headers or in its line, is not what may come there.
    Envelope,
    /// The activity cannot be used.
    Activity,
    /// The document is no relation.
    Relation,
}

/// What was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Of which kind that is.
    pub why: RejectionKind,
    /// What is wrong, and what to send instead.
    pub reason: String,
}

/// What was said in the log of what was refused.
#[derive(Debug, Default)]
pub struct RejectionLog {
    said: Mutex<LastLine>,
}

#[derive(Debug, Default)]
struct LastLine {
    last: Option<Instant>,
    /// How much was refused since.
    unsaid: usize,
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
    /// Counts what was rejected of a request to `path`, and says it in the log, unless that was said a moment ago: whoever
    /// sends nonsense must not fill the disk with it.
    pub fn record(
        &self,
        metrics: &Metrics,
        path: &'static str,
        rejected: &[Rejected],
        why: &[RejectionKind],
        now: Instant,
    ) {
        for why in why {
            metrics.rejected_line(why.name());
        }
        let Some(Rejected { line, reason }) = rejected.first() else {
            return;
        };
        let lines = rejected.len();
        let Some(unsaid) = self.may_say(lines, now) else {
            return;
        };
        let before = match unsaid {
            0 => String::new(),
            unsaid => format!("; {unsaid} more before, since this was last said"),
        };
        tracing::warn!(
            path,
            lines,
            line,
            reason,
            unsaid,
            "POST {path}: {lines} lines rejected, the first, line {line}: {reason}{before}"
        );
    }

    /// Whether it is time to say something again, and how many lines were rejected before this without a word.
    fn may_say(&self, lines: usize, now: Instant) -> Option<usize> {
        let mut said = self.said.lock();
        let is_too_early = |last: Instant| now.saturating_duration_since(last) < SAID_EVERY;
        if said.last.is_some_and(is_too_early) {
            said.unsaid = said.unsaid.saturating_add(lines);
            return None;
        }
        said.last = Some(now);
        Some(std::mem::take(&mut said.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// Were this to fail, whoever can send could fill the disk with log lines, or nobody would hear of it at all.
    #[test]
    fn it_is_said_at_once_then_not_for_a_while_and_then_with_how_much_was_not_said() {
        let (log, start) = (RejectionLog::default(), clock::stopwatch());
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(log.may_say(3, start), Some(0));
        assert_eq!(log.may_say(5, after(1)), None);
        assert_eq!(log.may_say(7, after(9)), None);
        assert_eq!(log.may_say(1, after(10)), Some(12));
        assert_eq!(log.may_say(1, after(11)), None);
        assert_eq!(log.may_say(1, after(100)), Some(1));
    }
}
