//! Checkpoints: taken out of the engine between two records, and written beside the loop, which goes on meanwhile; and more often
//! the rows that the log does not have.
//!
//! One at a time. When memory is full again before the last is written, the loop waits: so no more waits in memory than
//! twice what the configuration allows.

use super::due::{DueWrite, PendingWrites};
use super::{Pipeline, PipelineError};
use crate::clock;
use slackwater_engine::feed::store::Written;
use slackwater_engine::feed::store::disk::DiskError;
use slackwater_order::time::Time;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A checkpoint, or rows alone, being written.
#[derive(Debug)]
pub(super) struct WriteInProgress {
    /// What was written; none if it was rows alone.
    thread: JoinHandle<Result<Option<Written>, DiskError>>,
    begun: Instant,
    /// What is older than by this time's retention may go from the log when it is written.
    log_time: Time,
}

/// Whether to wait for a checkpoint that is not written yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Yes,
    No,
}

impl Pipeline {
    /// Begins to write what has waited as long as it may, if nothing is being written.
    pub(super) fn begin_due_write(&mut self) -> Result<(), PipelineError> {
        if self.write_in_progress.is_some() {
            return Ok(());
        }
        let pending = PendingWrites {
            is_dirty: self.engine.is_dirty(),
            replay: self.replay,
            since_checkpoint: self.checkpointed.elapsed(),
            since_rows: self.rows_written.elapsed(),
        };
        match self.due.of(&pending) {
            DueWrite::Nothing => {}
            DueWrite::Rows => self.begin_rows(),
            DueWrite::Checkpoint => self.begin_checkpoint()?,
        }
        Ok(())
    }

    /// Begins to write the rows that the log does not have.
    fn begin_rows(&mut self) {
        self.rows_written = clock::stopwatch();
        self.log_reader
            .taken(&self.dead_letters.reflected(self.engine.next()));
        if let Some(rows) = self.engine.begin_rows() {
            self.write_in_progress = Some(WriteInProgress {
                thread: std::thread::spawn(move || rows.write().map(|()| None)),
                begun: self.rows_written,
                log_time: Time::default(),
            });
        }
    }

    /// Begins to write all that is new; waits for the last checkpoint first, if that is not written yet.
    pub(super) fn begin_checkpoint(&mut self) -> Result<(), PipelineError> {
        self.end_checkpoint(Wait::Yes)?;
        // Were one always being written, the sweep would never get on.
        self.expire()?;
        let begun = clock::stopwatch();
        let (dead_letters, now) = (&self.dead_letters, clock::now());
        let flush = self
            .engine
            .begin_flush(now, |next| dead_letters.reflected(next));
        self.show_doubt();
        (self.replay, self.rows_written) = (Duration::ZERO, begun);
        self.write_in_progress = Some(WriteInProgress {
            thread: std::thread::spawn(move || flush.write().map(Some)),
            begun,
            // By size it goes all the same.
            log_time: self.engine.log_time(now),
        });
        Ok(())
    }

    /// Ends the checkpoint that is being written, if it is.
    pub(super) fn end_checkpoint(&mut self, wait: Wait) -> Result<(), PipelineError> {
        let is_ended = |write_in_progress: &WriteInProgress| {
            wait == Wait::Yes || write_in_progress.thread.is_finished()
        };
        let Some(write_in_progress) = self
            .write_in_progress
            .take_if(|write_in_progress| is_ended(write_in_progress))
        else {
            return Ok(());
        };
        let written = match write_in_progress.thread.join() {
            Ok(written) => written?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        self.engine.end_flush();
        if let Some(written) = written {
            self.log_reader.reflected(write_in_progress.log_time);
            self.log_reader
                .taken(&self.dead_letters.reflected(self.engine.next()));
            self.checkpointed = clock::stopwatch();
            self.count_checkpoint(&written, write_in_progress.begun.elapsed().as_secs_f64());
        }
        Ok(())
    }

    fn count_checkpoint(&self, written: &Written, seconds: f64) {
        let metrics = &self.metrics;
        metrics.checkpoint_seconds.observe(seconds);
        metrics.entries_written.inc_by(written.entries as u64);
        metrics.below_floor.inc_by(written.below_floor);
        tracing::debug!(
            posts = written.posts,
            homes = written.homes,
            entries = written.entries,
            seconds,
            "checkpoint: {} posts, {} entries in {} homes, {seconds:.3} s",
            written.posts,
            written.entries,
            written.homes
        );
    }
}
