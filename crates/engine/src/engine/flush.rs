//! Checkpoints: new state is taken out between two records, and written wherever the driver likes while more records are applied. Rows
//! that the log does not have are written more often.

use super::catch_up::KNOWN;
use super::retention_clock::RetentionClock;
use super::{Engine, inactivity};
use crate::feed::store::disk::DiskError;
use crate::feed::store::{CheckpointState, FlushBatch, LastSeen, Store, Written};
use crate::graph::Graph;
use crate::record::Position;
use crate::view::horizons::Horizons;
use parking_lot::RwLock;
use slackwater_order::horizon::highest_visible;
use slackwater_order::time::Time;
use std::sync::Arc;

/// A checkpoint that was taken out and is to be written.
#[derive(Debug)]
pub struct Flush {
    store: Arc<Store>,
    graph: Arc<RwLock<Graph>>,
    horizons: Arc<Horizons>,
    retention: RetentionClock,
    reflects: CheckpointState,
    taken: FlushBatch,
    now: Time,
}

/// Rows that the log does not have: the horizons reached, and the last accesses.
#[derive(Debug)]
pub struct RowFlush {
    store: Arc<Store>,
    known: Option<Vec<Position>>,
    reached: Vec<(Box<str>, Option<Time>)>,
    last_seen: Vec<(Box<str>, Option<LastSeen>)>,
}

impl Engine {
    /// Takes out all new state since the last checkpoint. `hold_back` is given the positions from which the engine needs to read on after
    /// a crash, and returns those that are stored: they are lower where a dead letter is not kept yet, so that its record is read
    /// again.
    ///
    /// The driver writes it ([`Flush::write`]), on another thread if need be, and calls [`Engine::end_flush`] before it begins another.
    pub fn begin_flush(
        &mut self,
        now: Time,
        hold_back: impl FnOnce(&[Position]) -> Vec<Position>,
    ) -> Flush {
        self.ingest.put_origins();
        self.reflects.again = self.ingest.again.left();
        let mut reflects = self.backlog.reflected(&self.reflects);
        reflects.next = hold_back(&reflects.next);
        reflects.taken = self.taken.store_up_to(&reflects.next);
        {
            let graph = self.graph.read();
            self.backlog.note(&self.store, &graph);
            self.store.put_reached(self.view.horizons.unstored());
            inactivity::put_last_access(&self.store, &graph, &self.view.last_access);
        }
        let taken = self.store.take_out();
        let is_in_doubt = self.retention.are_in_doubt(now);
        if self.catch_up.is_done() && !is_in_doubt {
            self.expiry
                .begin_if_due(&self.store, self.reflects.log_time);
        }
        self.is_dirty = !self.backlog.is_idle();
        self.is_flushing = true;
        Flush {
            store: Arc::clone(&self.store),
            graph: Arc::clone(&self.graph),
            horizons: Arc::clone(&self.view.horizons),
            retention: self.retention,
            reflects,
            taken,
            now,
        }
    }

    /// Takes out the rows that the log does not have; none if none are new. They are written and ended like a checkpoint.
    pub fn begin_rows(&mut self) -> Option<RowFlush> {
        let reached = self.view.horizons.unstored();
        let last_seen = inactivity::unstored_access(&self.graph.read(), &self.view.last_access);
        let known = self.catch_up.raise_known(&self.reflects.next);
        if reached.is_empty() && last_seen.is_empty() && known.is_none() {
            return None;
        }
        self.is_flushing = true;
        Some(RowFlush {
            store: Arc::clone(&self.store),
            known,
            reached,
            last_seen,
        })
    }

    /// The checkpoint or the rows that were begun are written, or failed to be.
    pub fn end_flush(&mut self) {
        self.is_flushing = false;
    }

    /// The log time by which old records may be dropped from the log; the beginning of time while time is in doubt.
    pub fn log_time(&mut self, now: Time) -> Time {
        match self.retention.are_in_doubt(now) {
            true => Time::default(),
            false => self.reflects.log_time,
        }
    }

    /// Reads some more stored keys into the existence filter, so that look-ups of others need not go to the disk.
    pub fn remember_stored(&self) -> Result<(), DiskError> {
        self.store.remember_stored()
    }
}

impl Flush {
    /// Writes it, in an order that is safe to interrupt anywhere: offsets last.
    pub fn write(self) -> Result<Written, DiskError> {
        self.retention.store(&self.store)?;
        let (graph, horizons, now) = (self.graph, self.horizons, self.now);
        let shown = |account| highest_visible(horizons.of(&graph.read(), account, now));
        self.store.write_out(self.taken, &self.reflects, &shown)
    }
}

impl RowFlush {
    /// Writes them.
    pub fn write(self) -> Result<(), DiskError> {
        if let Some(known) = self.known {
            self.store.put_meta(KNOWN, &known)?;
        }
        self.store.write_rows(&self.reached, &self.last_seen)
    }
}
