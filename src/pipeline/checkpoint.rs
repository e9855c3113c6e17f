//! Checkpoints: taken out between two records, and written beside the loop, which goes on meanwhile; and more often the rows
//! that the log does not have.
//!
//! One at a time. When memory is full again before the last is written, the loop waits: so no more waits in memory than
//! twice what the configuration allows.

use super::catching_up::KNOWN;
use super::due::{Waiting, What};
use super::{Pipeline, PipelineError, sleep};
use crate::clock;
use crate::feed::disk::DiskError;
use crate::feed::store::Written;
use slackwater_order::horizon::highest_visible;
use slackwater_order::time::Time;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A checkpoint, or rows alone, being written.
#[derive(Debug)]
pub(super) struct Writing {
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
    pub(super) fn write_what_is_due(&mut self) -> Result<(), PipelineError> {
        if self.writing.is_some() {
            return Ok(());
        }
        let waiting = Waiting {
            is_anything: self.is_dirty,
            replay: self.replay,
            since_all: self.checkpointed.elapsed(),
            since_rows: self.rows_written.elapsed(),
        };
        match self.options.due.of(&waiting) {
            What::Nothing => {}
            What::Rows => self.begin_rows(),
            What::All => self.begin_checkpoint()?,
        }
        Ok(())
    }

    /// Begins to write the rows that the log does not have.
    fn begin_rows(&mut self) {
        self.rows_written = clock::stopwatch();
        self.source
            .taken(&self.aside.reflected(&self.reflects.next));
        let reached = self.view.horizons.unstored();
        let last_seen = sleep::attendance_known(&self.graph.read(), &self.view.attendance);
        let known = self.start.raise_known(&self.reflects.next);
        if reached.is_empty() && last_seen.is_empty() && known.is_none() {
            return;
        }
        let store = Arc::clone(&self.store);
        let write = move || {
            if let Some(known) = known {
                store.put_meta(KNOWN, &known)?;
            }
            store.write_rows(&reached, &last_seen).map(|()| None)
        };
        self.writing = Some(Writing {
            thread: std::thread::spawn(write),
            begun: self.rows_written,
            log_time: Time::default(),
        });
    }

    /// Begins to write all that is new; waits for the last checkpoint first, if that is not written yet.
    pub(super) fn begin_checkpoint(&mut self) -> Result<(), PipelineError> {
        self.end_checkpoint(Wait::Yes)?;
        // Were one always being written, the sweep would never get on.
        self.expire()?;
        self.admission.put_origins();
        self.reflects.again = self.admission.again.left();
        let mut reflects = self.settling.reflected(&self.reflects);
        reflects.next = self.aside.reflected(&reflects.next);
        reflects.taken = self.taken.store_up_to(&reflects.next);
        {
            let graph = self.graph.read();
            self.settling.note(&self.store, &graph);
            self.store.put_reached(self.view.horizons.unstored());
            sleep::put_attendance(&self.store, &graph, &self.view.attendance);
        }
        let begun = clock::stopwatch();
        let taken = self.store.take_out();
        (self.replay, self.rows_written) = (Duration::ZERO, begun);
        let is_in_doubt = self.is_in_doubt();
        if self.start.is_done() && !is_in_doubt {
            self.expiry
                .begin_if_due(&self.store, self.reflects.log_time);
        }
        let (store, graph) = (Arc::clone(&self.store), Arc::clone(&self.graph));
        let (horizons, now) = (Arc::clone(&self.view.horizons), clock::now());
        let ages = self.ages;
        let thread = std::thread::spawn(move || {
            ages.store(&store)?;
            let shown = |account| highest_visible(horizons.of(&graph.read(), account, now));
            store.write_out(taken, &reflects, &shown).map(Some)
        });
        self.writing = Some(Writing {
            thread,
            begun,
            // By size it goes all the same.
            log_time: if is_in_doubt {
                Time::default()
            } else {
                self.reflects.log_time
            },
        });
        self.is_dirty = !self.settling.is_idle();
        Ok(())
    }

    /// Ends the checkpoint that is being written, if it is.
    pub(super) fn end_checkpoint(&mut self, wait: Wait) -> Result<(), PipelineError> {
        let is_ended = |writing: &Writing| wait == Wait::Yes || writing.thread.is_finished();
        let Some(writing) = self.writing.take_if(|writing| is_ended(writing)) else {
            return Ok(());
        };
        let written = match writing.thread.join() {
            Ok(written) => written?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        if let Some(written) = written {
            self.source.reflected(writing.log_time);
            self.source
                .taken(&self.aside.reflected(&self.reflects.next));
            self.checkpointed = clock::stopwatch();
            self.count_checkpoint(&written, writing.begun.elapsed().as_secs_f64());
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
