//! Readers of streams that were sent away, for the operator: a line in the log with the account and the reason, at a bounded rate.

use super::refusals::on_one_line;
use crate::operator::line_rate::{LineRate, left_out};
use std::time::{Duration, Instant};

/// The lines that each reason has in [`LOGGED_EVERY`]: enough to see whether it is one account or all.
const LINES_MAX: u32 = 20;
/// See [`LINES_MAX`].
const LOGGED_EVERY: Duration = Duration::from_secs(60);

/// Ends of streams that are no dismissal: the reader went by itself, or everybody is sent away.
pub(crate) const STOPPING: &str = "the service is stopping";
/// See [`STOPPING`].
pub(crate) const MOVED: &str = "this node answers for the account no more";
const LEFT: [&str; 4] = ["left", "silent", STOPPING, MOVED];

/// The dismissals as they are logged.
#[derive(Debug)]
pub(crate) struct DismissalLog(LineRate);

impl Default for DismissalLog {
    fn default() -> DismissalLog {
        DismissalLog(LineRate::new(LINES_MAX, LOGGED_EVERY))
    }
}

impl DismissalLog {
    /// Logs that a stream of `kind` was ended for this reason (one of a bounded set). `account` is whose feed it was; none for a shared
    /// one. The end of a reader that left by itself is not logged.
    pub(crate) fn record(
        &self,
        kind: &'static str,
        account: Option<&str>,
        reason: &'static str,
        now: Instant,
    ) {
        if LEFT.contains(&reason) {
            return;
        }
        let Some(unsaid) = self.0.due(reason, 1, now) else {
            return;
        };
        let reader = account.map_or_else(
            || "a reader of a shared feed".to_owned(),
            |account| format!("a reader of account {}", on_one_line(account)),
        );
        let before = left_out(unsaid);
        tracing::info!(
            kind,
            account,
            reason,
            unsaid,
            "sent {reader} away from a stream ({kind}): {reason}{before}"
        );
    }
}
