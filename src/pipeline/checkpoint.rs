//! Checkpoints: taken out between two records, and written beside the loop, which goes on meanwhile.
//!
//! One at a time. When memory is full again before the last is written, the loop waits: so no more waits in memory than
//! twice what the configuration allows.

use super::{Pipeline, PipelineError, sleep};
use crate::clock;
use crate::feed::disk::DiskError;
use crate::feed::store::{Reflects, Written};
use crate::order::horizon::last_shown;
use crate::time::Time;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

/// A checkpoint that is being written.
#[derive(Debug)]
pub(super) struct Writing {
    thread: JoinHandle<Result<Written, DiskError>>,
    begun: Instant,
    /// What of the log the data folder reflects when it is written.
    reflects: Reflects,
    /// What is older than by this time's retention may go from the log.
    log_time: Time,
}

/// Whether to wait for a checkpoint that is not written yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Yes,
    No,
}

impl Pipeline {
    /// Begins to write all that is new; waits for the last checkpoint first, if that is not written yet.
    pub(super) fn begin_checkpoint(&mut self) -> Result<(), PipelineError> {
        self.end_checkpoint(Wait::Yes)?;
        // Were one always being written, the sweep would never get on.
        self.expire()?;
        self.admission.put_origins();
        self.reflects.again = self.again.left();
        let reflects = self.settling.reflected(&self.reflects);
        {
            let graph = self.graph.read();
            self.settling.note(&self.store, &graph);
            self.store.put_reached(self.view.horizons.unstored());
            sleep::put_attendance(&self.store, &graph, &self.view.attendance);
        }
        let begun = clock::stopwatch();
        let taken = self.store.take_out();
        let is_absurd = self.log_time_is_absurd();
        if self.start.is_done() && !is_absurd {
            self.expiry
                .begin_if_due(&self.store, self.reflects.log_time);
        }
        let (store, graph) = (Arc::clone(&self.store), Arc::clone(&self.graph));
        let (horizons, now) = (Arc::clone(&self.view.horizons), clock::now());
        let reflected = reflects.clone();
        let thread = std::thread::spawn(move || {
            let shown = |account| last_shown(horizons.of(&graph.read(), account, now));
            store.write_out(taken, &reflected, &shown)
        });
        self.writing = Some(Writing {
            thread,
            begun,
            reflects,
            log_time: if is_absurd {
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
        let seconds = writing.begun.elapsed().as_secs_f64();
        self.source
            .reflected(&writing.reflects.next, writing.log_time);
        self.checkpointed = clock::stopwatch();
        self.count_checkpoint(&written, seconds);
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
