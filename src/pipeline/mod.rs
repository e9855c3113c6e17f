//! The loop that joins it all: take, decode, place and fan out, announce, checkpoint.
//!
//! One thread writes; readers look on through [`View`]. State in memory is a function of the log, so it is announced
//! before it is checkpointed, and a crash costs no more than reading again from the last checkpoint.

pub mod admit;
pub mod decode;
mod relate;
#[cfg(test)]
mod tests;

use crate::clock;
use crate::feed::disk::DiskError;
use crate::feed::expiry;
use crate::feed::kept::At;
use crate::feed::store::{Reflects, Store};
use crate::graph::Graph;
use crate::operator::metrics::Metrics;
use crate::operator::progress::Progress;
use crate::order::window::Windows;
use crate::post::activity::author_key;
use crate::post::record::{Position, Record, Topic, partition_of};
use crate::post::said::Said;
use crate::post::source::{Appender, Source, SourceError};
use crate::reader::answer::CatchingUp;
use crate::reader::view::{Built, View};
use crate::time::Time;
use admit::{Admission, AdmitError, Outcome};
use decode::decode;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Records taken at once.
const BATCH_RECORDS: usize = 2_000;
/// How long to wait for the first; also how long a stop may go unnoticed.
const BATCH_WAIT: Duration = Duration::from_millis(100);
/// How often catching up is told in the log.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// How long a removal that was asked for (a mute's end) may stay unread before it is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// The time in which bad records are counted against good ones.
const BAD_PERIOD: Duration = Duration::from_secs(60);
/// How long to wait before a dead letter is written again that could not be.
const SET_ASIDE_AGAIN: Duration = Duration::from_secs(1);
/// With this many bad records in that time, and most of them bad, the service stops.
const BAD_MIN: u64 = 10_000;

/// What the pipeline is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Reorder windows.
    pub windows: Windows,
    /// The longest time something waits for a checkpoint.
    pub checkpoint_every: Duration,
    /// How long posts, stubs and removals are kept.
    pub keep: expiry::Keep,
}

/// Why the pipeline ended.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The data folder failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The log failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Most records cannot be used: better to stop than to fill the dead letters.
    #[error(
        "{unusable} of the last {records} records could not be used, the last because: {reason}. Are these the right \
         topics? Those set aside are kept as dead letters; starting again goes on behind them"
    )]
    MostlyUnusable {
        /// How many.
        unusable: u64,
        /// Of how many.
        records: u64,
        /// The last one's reason.
        reason: String,
    },
}

/// The one writer.
pub struct Pipeline {
    source: Source,
    appender: Appender,
    runtime: tokio::runtime::Handle,
    store: Arc<Store>,
    graph: Arc<RwLock<Graph>>,
    admission: Admission,
    expiry: expiry::Expiry,
    view: View,
    built: watch::Sender<Arc<Built>>,
    metrics: Arc<Metrics>,
    options: Options,
    stop: Arc<AtomicBool>,
    threads: usize,
    /// Of the activities topic.
    partitions: i32,
    bad: Bad,
    reflects: Reflects,
    start: Start,
    checkpointed: Instant,
    is_dirty: bool,
    asked_to_end: BTreeMap<Vec<u8>, Instant>,
}

/// How many of the last records could not be used.
struct Bad {
    since: Instant,
    records: u64,
    unusable: u64,
}

/// What there was to read when the pipeline started.
struct Start {
    at: Instant,
    /// The end of each partition then; emptied as they are reached.
    ends: BTreeMap<(Topic, i32), i64>,
    read: u64,
    told: Instant,
    is_done: bool,
}

impl Pipeline {
    /// Loads relations and origins from the data folder; reading goes on where its last checkpoint ended.
    pub fn new(
        source: Source,
        appender: Appender,
        runtime: tokio::runtime::Handle,
        store: Arc<Store>,
        options: Options,
    ) -> Result<Pipeline, PipelineError> {
        let now = clock::stopwatch();
        let mut graph = Graph::default();
        relate::load(&store, &mut graph)?;
        let admission = Admission::new(Arc::clone(&store))?;
        let delays = admission
            .delays()
            .iter()
            .map(|(host, delays)| (host.clone(), delays.clone()))
            .collect();
        let metrics = Arc::new(Metrics::default());
        let (built, watching) = watch::channel(Arc::default());
        let graph = Arc::new(RwLock::new(graph));
        let view = View {
            store: Arc::clone(&store),
            graph: Arc::clone(&graph),
            delays: Arc::new(RwLock::new(delays)),
            windows: Arc::new(options.windows.clone()),
            built: watching,
            metrics: Arc::clone(&metrics),
        };
        let reflects = store.reflects()?;
        let ends = source
            .ends()
            .into_iter()
            .map(|end| ((end.topic, end.partition), end.end))
            .collect();
        let partitions = source.partitions();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut pipeline = Pipeline {
            source,
            appender,
            runtime,
            store,
            graph,
            admission,
            expiry: expiry::Expiry::new(options.keep),
            view,
            built,
            metrics,
            options,
            stop: Arc::default(),
            threads,
            partitions,
            bad: Bad {
                since: now,
                records: 0,
                unusable: 0,
            },
            reflects,
            start: Start {
                at: now,
                ends,
                read: 0,
                told: now,
                is_done: false,
            },
            checkpointed: now,
            is_dirty: false,
            asked_to_end: BTreeMap::new(),
        };
        pipeline.announce();
        Ok(pipeline)
    }

    /// What readers look at.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Runs until `stop` is set, then writes a last checkpoint; or until the data folder or the log fails.
    pub fn run(mut self, stop: Arc<AtomicBool>) -> Result<(), PipelineError> {
        self.stop = stop;
        let ended = self.turn_until_stopped();
        if let Err(error) = &ended {
            let failed = Some(error.to_string());
            self.built
                .send_modify(|built| Arc::make_mut(built).failed = failed);
        }
        self.source.stop();
        ended
    }

    fn turn_until_stopped(&mut self) -> Result<(), PipelineError> {
        let turned = self.turn();
        // What was taken in before the log failed need not be read again.
        if !matches!(turned, Err(PipelineError::Disk(_))) {
            self.checkpoint()?;
        }
        turned
    }

    fn turn(&mut self) -> Result<(), PipelineError> {
        while !self.stop.load(Ordering::Relaxed) {
            // 1. Take what has arrived.
            let records = self.source.take(BATCH_RECORDS, BATCH_WAIT)?;
            // 2. Understand it.
            let said = decode(&records, self.threads);
            // 3. Place it and fan it out, record by record; what cannot be used is set aside before we pass it.
            for (record, said) in records.iter().zip(said) {
                self.take_in(record, said)?;
                // 4. What must be durable, when memory says so.
                if self.store.is_full() {
                    self.checkpoint()?;
                }
            }
            // 5. Tell readers.
            self.follow_ends(&records);
            self.announce();
            self.end_mutes();
            // 6. What waits too long becomes durable; what nobody needs goes.
            if self.is_dirty && self.options.checkpoint_every <= self.checkpointed.elapsed() {
                self.checkpoint()?;
            }
            self.expire()?;
        }
        Ok(())
    }

    fn take_in(&mut self, record: &Record, said: Said) -> Result<(), PipelineError> {
        let position = record.position;
        self.bad.records += 1;
        match said {
            Said::Relation(change) => {
                let effect =
                    relate::relate(&self.store, &self.graph, &change, !self.start.is_done)?;
                self.asked_to_end.remove(&change.key.to_bytes());
                tracing::trace!(?effect, "a relation is in force");
            }
            Said::Activity(envelope, activity) => {
                self.reflects.log_time = self.reflects.log_time.max(envelope.arrived);
                self.note_misplaced(position, author_key(&activity));
                let at = At {
                    partition: position.partition,
                    offset: position.offset,
                };
                let admitted = {
                    let graph = self.graph.read();
                    self.admission
                        .admit(&graph, &self.options.windows, at, &envelope, *activity)
                };
                match admitted {
                    Ok(outcome) => self.count(outcome),
                    Err(AdmitError::Refused(reason)) => self.set_aside(record, &reason)?,
                    Err(AdmitError::Disk(error)) => return Err(error.into()),
                }
            }
            Said::Unusable(reason) => self.set_aside(record, &reason)?,
        }
        self.pass(position);
        Ok(())
    }

    fn pass(&mut self, position: Position) {
        self.is_dirty = true;
        let next = Position {
            offset: position.offset + 1,
            ..position
        };
        let same =
            |there: &&mut Position| (there.topic, there.partition) == (next.topic, next.partition);
        match self.reflects.next.iter_mut().find(same) {
            Some(there) => *there = next,
            None => self.reflects.next.push(next),
        }
    }

    /// Keeps a record that cannot be used. The offset passes it only afterwards, so it is never silently lost.
    fn set_aside(&mut self, record: &Record, reason: &str) -> Result<(), PipelineError> {
        let Position {
            topic,
            partition,
            offset,
        } = record.position;
        tracing::warn!(
            topic = topic.name(),
            partition,
            offset,
            reason,
            "set aside {}/{partition}@{offset}: {reason}",
            topic.name()
        );
        self.write_dead_letter(record, reason)?;
        self.pass(record.position);
        self.metrics.dead_letters.inc();
        self.metrics.outcome("set_aside");
        self.bad.unusable += 1;
        if BAD_PERIOD < self.bad.since.elapsed() {
            self.bad = Bad {
                since: clock::stopwatch(),
                records: 0,
                unusable: 0,
            };
        }
        let Bad {
            records, unusable, ..
        } = self.bad;
        if BAD_MIN <= unusable && records < 2 * unusable {
            return Err(PipelineError::MostlyUnusable {
                unusable,
                records,
                reason: reason.to_owned(),
            });
        }
        Ok(())
    }

    /// The log being away is no reason to lose the record, nor to stop: waits here until it is back.
    fn write_dead_letter(&self, record: &Record, reason: &str) -> Result<(), PipelineError> {
        let write = |record: &Record, reason: &str| {
            self.runtime
                .block_on(self.appender.dead_letter(record, reason))
        };
        loop {
            let error = match write(record, reason) {
                Err(error) if error.is_too_large() => {
                    let bytes = record.value.as_ref().map_or(0, Vec::len);
                    let reason = format!(
                        "{reason} (its {bytes} bytes are too many for a dead letter: read it where it is)"
                    );
                    match write(
                        &Record {
                            value: None,
                            ..record.clone()
                        },
                        &reason,
                    ) {
                        Ok(()) => return Ok(()),
                        Err(error) => error,
                    }
                }
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if !error.is_passing() || self.stop.load(Ordering::Relaxed) {
                return Err(error.into());
            }
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "setting it aside failed, trying again: {error}"
            );
            std::thread::sleep(SET_ASIDE_AGAIN);
        }
    }

    fn note_misplaced(&self, position: Position, author: Option<&str>) {
        let Some(author) = author else { return };
        if partition_of(author.as_bytes(), self.partitions) != position.partition {
            self.metrics.misplaced_records.inc();
        }
    }

    fn count(&self, outcome: Outcome) {
        self.metrics.outcome(match outcome {
            Outcome::Placed(verdict) => {
                self.metrics.verdict(verdict.name());
                "placed"
            }
            Outcome::Known => "known",
            Outcome::Edited => "edited",
            Outcome::Refreshed => "refreshed",
            Outcome::Outdated => "outdated",
            Outcome::Removed(_) => "removed",
            Outcome::Ignored(_) => "ignored",
        });
    }

    fn follow_ends(&mut self, records: &[Record]) {
        self.start.read += records.len() as u64;
        for topic in Topic::ALL {
            let read = records
                .iter()
                .filter(|record| record.position.topic == topic)
                .count();
            self.metrics.read(topic.name(), read as u64);
        }
        self.partitions = self.source.partitions();
        let ends = self.source.ends();
        for end in &ends {
            self.metrics.lag(
                end.topic.name(),
                end.partition,
                end.end.saturating_sub(end.next),
            );
        }
        if self.start.is_done {
            return;
        }
        let start_ends = &mut self.start.ends;
        for end in &ends {
            if start_ends
                .get(&(end.topic, end.partition))
                .is_some_and(|then| *then <= end.next)
            {
                start_ends.remove(&(end.topic, end.partition));
            }
        }
        self.start.is_done = start_ends.is_empty() && self.source.is_healthy();
        if self.start.is_done {
            let (read, seconds) = (self.start.read, self.start.at.elapsed().as_secs_f64());
            tracing::info!(read, seconds, "caught up: {read} records in {seconds:.1} s");
        } else if PROGRESS_EVERY <= self.start.told.elapsed() {
            self.start.told = clock::stopwatch();
            let progress = self.progress();
            let percent = 100.0 * progress.share();
            let left = progress.time_left().map(|left| left.as_secs());
            tracing::info!(
                read = progress.read,
                left = progress.left,
                seconds_left = left,
                "catching up: {} records read, {} to go ({percent:.0} %)",
                progress.read,
                progress.left
            );
        }
    }

    fn progress(&self) -> Progress {
        let ends = self.source.ends();
        let left = ends.iter().filter_map(|end| {
            let then = self.start.ends.get(&(end.topic, end.partition))?;
            u64::try_from(then.saturating_sub(end.next)).ok()
        });
        Progress {
            read: self.start.read,
            left: left.sum(),
            taken: self.start.at.elapsed(),
        }
    }

    fn announce(&mut self) {
        for (host, delays) in self.admission.put_origins() {
            self.view.delays.write().insert(host, delays);
        }
        let relations_in_force = self
            .start
            .ends
            .keys()
            .all(|(topic, _)| *topic != Topic::Relationships);
        let catching_up = (!self.start.is_done).then(|| {
            let progress = self.progress();
            CatchingUp {
                read: progress.read,
                left: progress.left,
                seconds_left: progress.time_left().map(|left| left.as_secs()),
            }
        });
        let built = Built {
            next: self.reflects.next.clone(),
            relations_in_force,
            catching_up,
            log_reachable: self.source.is_healthy(),
            failed: None,
        };
        self.metrics.ready.set(built.is_ready().into());
        self.metrics
            .lost_records
            .set(i64::try_from(self.source.lost_records()).unwrap_or(i64::MAX));
        let (entries, bytes) = self.store.unwritten();
        self.metrics
            .unwritten_entries
            .set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.metrics
            .unwritten_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.built.send_replace(Arc::new(built));
    }

    /// A mute that has ended becomes a record too: its removal is appended, and takes effect when it is read.
    fn end_mutes(&mut self) {
        if !self.start.is_done {
            return;
        }
        let ended = self.graph.read().ended_mutes(clock::now());
        for key in ended {
            let bytes = key.to_bytes();
            let asked = self.asked_to_end.get(&bytes);
            if asked.is_some_and(|asked| asked.elapsed() < ASK_AGAIN) {
                continue;
            }
            self.asked_to_end.insert(bytes, clock::stopwatch());
            let removal = relate::removal(&key, clock::now());
            let appender = self.appender.clone();
            self.runtime.spawn(async move {
                if let Err(error) = appender.append(vec![removal]).await {
                    tracing::warn!(%key, error = &error as &dyn std::error::Error, "ending {key} failed, to be tried again: {error}");
                }
            });
        }
    }

    fn checkpoint(&mut self) -> Result<(), PipelineError> {
        self.admission.put_origins();
        let begun = clock::stopwatch();
        let written = self.store.checkpoint(&self.reflects)?;
        let seconds = begun.elapsed().as_secs_f64();
        self.source
            .reflected(&self.reflects.next, self.reflects.log_time);
        if self.start.is_done {
            self.expiry
                .begin_if_due(&self.store, self.reflects.log_time);
        }
        self.is_dirty = false;
        self.checkpointed = clock::stopwatch();
        self.metrics.checkpoint_seconds.observe(seconds);
        self.metrics.entries_written.inc_by(written.entries as u64);
        self.metrics.below_floor.inc_by(written.below_floor);
        self.metrics
            .disk_bytes
            .set(i64::try_from(self.store.bytes_on_disk()).unwrap_or(i64::MAX));
        let (accounts, follows) = {
            let graph = self.graph.read();
            (graph.accounts(), graph.follows())
        };
        self.metrics
            .accounts
            .set(i64::try_from(accounts).unwrap_or(i64::MAX));
        self.metrics
            .follows
            .set(i64::try_from(follows).unwrap_or(i64::MAX));
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
        Ok(())
    }

    fn expire(&mut self) -> Result<(), PipelineError> {
        if self.expiry.is_resting() {
            return Ok(());
        }
        let expired = self.expiry.step(&self.store)?;
        self.metrics.expired_posts.inc_by(expired as u64);
        self.is_dirty = true;
        Ok(())
    }

    /// The newest `arrived` read.
    pub fn log_time(&self) -> Time {
        self.reflects.log_time
    }
}
