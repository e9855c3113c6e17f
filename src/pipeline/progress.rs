//! How far catching up at the start has come, written to the service's log now and then.

use crate::clock;
use crate::operator::progress::Progress;
use slackwater_engine::view::CatchingUp;
use std::time::{Duration, Instant};

/// How often the progress is logged.
const LOG_EVERY: Duration = Duration::from_secs(5);

/// Counts the records read since the start, until the log's end as it was then is reached.
#[derive(Debug)]
pub(super) struct CatchUpProgress {
    begun: Instant,
    read: u64,
    logged_at: Instant,
    is_done: bool,
}

impl CatchUpProgress {
    pub(super) fn begin(now: Instant) -> CatchUpProgress {
        CatchUpProgress {
            begun: now,
            read: 0,
            logged_at: now,
            is_done: false,
        }
    }

    /// Counts `records` more. `left` is how many are left to read; none once catching up is done.
    pub(super) fn follow(&mut self, records: usize, left: Option<u64>) {
        if self.is_done {
            return;
        }
        self.read += records as u64;
        let Some(left) = left else {
            self.is_done = true;
            let (read, seconds) = (self.read, self.begun.elapsed().as_secs_f64());
            tracing::info!(read, seconds, "caught up: {read} records in {seconds:.1} s");
            return;
        };
        if LOG_EVERY <= self.logged_at.elapsed() {
            self.logged_at = clock::stopwatch();
            let progress = self.progress(left);
            let Progress { read, left, .. } = progress;
            let percent = 100.0 * progress.share();
            let seconds_left = progress.time_left().map(|left| left.as_secs());
            tracing::info!(
                read,
                left,
                seconds_left,
                "catching up: {read} records read, {left} to go ({percent:.0} %), about {} s",
                seconds_left.map_or("?".to_owned(), |seconds| seconds.to_string())
            );
        }
    }

    /// The progress as readers are shown it.
    pub(super) fn catching_up(&self, left: u64) -> CatchingUp {
        let progress = self.progress(left);
        CatchingUp {
            read: progress.read,
            left,
            seconds_left: progress.time_left().map(|left| left.as_secs()),
        }
    }

    fn progress(&self, left: u64) -> Progress {
        Progress {
            read: self.read,
            left,
            taken: self.begun.elapsed(),
        }
    }
}
