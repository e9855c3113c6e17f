//! Checkpoints, and more often the rows that the log does not have. Each is taken out of the engine between two records and
//! written on a thread of its own, while the loop goes on.
//!
//! One is written at a time. If memory is full again before that is done, the loop waits, so that memory never holds more than
//! twice what the configuration allows.

use super::due::{DueWrite, PendingWrites};
use super::{Pipeline, PipelineError};
use crate::clock;
use crate::operator::traces;
use slackwater_engine::feed::store::Written;
use slackwater_engine::feed::store::disk::DiskError;
use slackwater_order::time::Time;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A checkpoint, or rows alone, on its way to the disk.
#[derive(Debug)]
pub(super) struct WriteInProgress {
    /// Ends with the counts of a checkpoint, and with none for rows alone.
    thread: JoinHandle<Result<Option<Written>, DiskError>>,
    begun: Instant,
    /// The time from which the log's retention is measured once this is written.
    log_time: Time,
}

/// Whether the loop waits for a checkpoint that is not written yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Yes,
    No,
}

impl Pipeline {
    /// Begins to write what is due, unless something is being written already.
    pub(super) fn begin_due_write(&mut self) -> Result<(), PipelineError> {
        if self.write_in_progress.is_some() {
            return Ok(());
        }
        let pending = PendingWrites {
            is_dirty: self.engine.is_dirty(),
            replay: self.replay,
            since_checkpoint: self.last_checkpoint.elapsed(),
            since_rows: self.last_rows.elapsed(),
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
        self.last_rows = clock::stopwatch();
        self.log_reader
            .commit(&self.dead_letters.resume_from(self.engine.next()));
        if let Some(rows) = self.engine.begin_rows() {
            self.write_in_progress = Some(WriteInProgress {
                thread: std::thread::spawn(move || rows.write().map(|()| None)),
                begun: self.last_rows,
                log_time: Time::default(),
            });
        }
    }

    /// Begins to write a checkpoint. It waits for the last one first, if that is not written yet.
    pub(super) fn begin_checkpoint(&mut self) -> Result<(), PipelineError> {
        self.end_checkpoint(Wait::Yes)?;
        // The sweep stands still while a checkpoint is written. Were one always being written, it would never get on.
        self.expire()?;
        let begun = clock::stopwatch();
        let (dead_letters, now) = (&self.dead_letters, clock::now());
        let flush = self
            .engine
            .begin_flush(now, |next| dead_letters.resume_from(next));
        self.report_time_in_doubt();
        (self.replay, self.last_rows) = (Duration::ZERO, begun);
        let span = tracing::info_span!(
            target: traces::TARGET,
            parent: None,
            "checkpoint",
            posts = tracing::field::Empty,
            entries = tracing::field::Empty,
        );
        let write = move || {
            let written = span.in_scope(|| flush.write())?;
            span.record("posts", written.posts);
            span.record("entries", written.entries);
            Ok(Some(written))
        };
        self.write_in_progress = Some(WriteInProgress {
            thread: std::thread::spawn(write),
            begun,
            // The log's bound on size needs no time.
            log_time: self.engine.log_time(now),
        });
        Ok(())
    }

    /// Ends the checkpoint that is being written, if there is one and it is written or `wait` says so.
    pub(super) fn end_checkpoint(&mut self, wait: Wait) -> Result<(), PipelineError> {
        let Some(ended) = self
            .write_in_progress
            .take_if(|write| wait == Wait::Yes || write.thread.is_finished())
        else {
            return Ok(());
        };
        let written = match ended.thread.join() {
            Ok(written) => written?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        self.engine.end_flush();
        if let Some(written) = written {
            self.log_reader.tidy_if_due(ended.log_time);
            self.log_reader
                .commit(&self.dead_letters.resume_from(self.engine.next()));
            self.last_checkpoint = clock::stopwatch();
            self.count_checkpoint(&written, ended.begun.elapsed().as_secs_f64());
        }
        Ok(())
    }

    fn count_checkpoint(&self, written: &Written, seconds: f64) {
        let metrics = &self.metrics.feeds;
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
