//! The loop that drives the engine: take what arrived, apply it, do what is owed, publish, and write what waits.
//!
//! | file | what it is |
//! |---|---|
//! | this one | the loop |
//! | [`checkpoint`] | checkpoints, written on a thread of their own |
//! | [`due`] | when one is made |
//! | [`set_aside`] | records that cannot be used, kept as dead letters |
//! | [`progress`] | how far the start has come, told now and then |
//! | [`reload`] | new settings, handed in while it runs |

mod checkpoint;
pub mod due;
mod progress;
pub mod reload;
mod set_aside;

use crate::api::log_end::LogEnd;
use crate::api::state::AppState;
use crate::clock;
use crate::log::decode_batch::decode_each;
use crate::log::in_flight::InFlight;
use crate::log::{Appender, Source, SourceError};
use crate::operator::metrics::Metrics;
use checkpoint::{Wait, Writing};
use due::Due;
use progress::CatchUpProgress;
use reload::Reload;
use set_aside::{Handed, SetAside};
use slackwater_engine::activity::parse::author_key;
use slackwater_engine::decode::Decoded;
use slackwater_engine::engine::ingest::Outcome;
use slackwater_engine::engine::log_status::LogStatus;
use slackwater_engine::engine::publish::ServiceStatus;
use slackwater_engine::engine::{self, Applied, Engine};
use slackwater_engine::feed::merge::Progress;
use slackwater_engine::feed::store::Store;
use slackwater_engine::feed::store::disk::DiskError;
use slackwater_engine::record::{Position, Record, Topic};
use slackwater_order::key_hash::partition_of;
use slackwater_order::time::Time;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Records taken at once.
const BATCH_RECORDS: usize = 2_000;
/// How long to wait for the first; also how long a stop may go unnoticed.
const BATCH_WAIT: Duration = Duration::from_millis(100);
/// How long owed work goes on before other records have their turn: so long a post that has come may wait for it.
const STEPS_AT_ONCE: Duration = Duration::from_millis(50);
/// How long records of one batch may be applied before readers are told of the first of them.
const PUBLISH_AFTER: Duration = Duration::from_millis(50);
/// How long a stop waits for dead letters to be written.
const LETTERS_WAIT: Duration = Duration::from_secs(2);

/// What the pipeline is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// What the engine is told.
    pub engine: engine::Options,
    /// How long what is new waits for a checkpoint.
    pub due: Due,
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
    /// No record ever said anything that can be understood: better to stop than to fill the dead letters.
    #[error(
        "{records} records were read, and none could be understood, the last because: {reason}. Are these the right \
         topics? All are kept as dead letters; starting again goes on behind them"
    )]
    Unusable {
        /// How many.
        records: u64,
        /// The last one's reason.
        reason: String,
    },
}

/// The loop and what it works with.
pub struct Pipeline {
    engine: Engine,
    source: Source,
    appender: Appender,
    runtime: tokio::runtime::Handle,
    in_flight: InFlight,
    metrics: Arc<Metrics>,
    due: Due,
    reload: Reload,
    stop: Arc<AtomicBool>,
    threads: usize,
    /// Of the activities topic.
    partitions: i32,
    aside: SetAside,
    /// Why dead letters wait to be written, if they do.
    letters_failing: Option<String>,
    progress: CatchUpProgress,
    /// A stopwatch, by which a leap of the clock is seen.
    begun: Instant,
    checkpointed: Instant,
    /// When rows that the log does not have were last written.
    rows_written: Instant,
    /// How long it took to apply what no checkpoint has.
    replay: Duration,
    /// What is being written.
    writing: Option<Writing>,
}

impl Pipeline {
    /// Opens the engine; reading goes on where its last checkpoint ended.
    pub fn new(
        source: Source,
        appender: Appender,
        runtime: tokio::runtime::Handle,
        store: Arc<Store>,
        options: Options,
    ) -> Result<Pipeline, PipelineError> {
        let now = clock::stopwatch();
        let engine = Engine::open(store, &source.status(), options.engine)?;
        let mut pipeline = Pipeline {
            partitions: source.partitions(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            aside: SetAside::new(appender.clone(), &runtime, engine.knows_anything(), now),
            letters_failing: None,
            engine,
            source,
            appender,
            runtime,
            in_flight: InFlight::default(),
            metrics: Arc::default(),
            due: options.due,
            reload: Reload::default(),
            stop: Arc::default(),
            progress: CatchUpProgress::begin(now),
            begun: now,
            checkpointed: now,
            rows_written: now,
            replay: Duration::ZERO,
            writing: None,
        };
        pipeline.publish(Some(Time::default()));
        Ok(pipeline)
    }

    /// Where new ordering settings are put while it runs.
    pub fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// What readers look at.
    pub fn state(&self) -> AppState {
        AppState {
            in_flight: self.in_flight.clone(),
            log_end: LogEnd::of(self.appender.clone()),
            metrics: Arc::clone(&self.metrics),
            ..AppState::of(self.engine.view().clone())
        }
    }

    /// Runs until `stop` is set, then writes a last checkpoint; or until the data folder or the log fails.
    pub fn run(mut self, stop: Arc<AtomicBool>) -> Result<(), PipelineError> {
        self.stop = stop;
        let ended = self.turn_until_stopped();
        if let Err(error) = &ended {
            self.engine.fail(error.to_string());
        }
        self.source.stop();
        ended
    }

    fn turn_until_stopped(&mut self) -> Result<(), PipelineError> {
        let turned = self.turn();
        self.aside.finish(LETTERS_WAIT);
        // What was applied before the log failed need not be read again.
        if !matches!(turned, Err(PipelineError::Disk(_))) {
            self.begin_checkpoint()?;
        }
        let ended = self.end_checkpoint(Wait::Yes);
        turned.and(ended)
    }

    fn turn(&mut self) -> Result<(), PipelineError> {
        while !self.stop.load(Ordering::Relaxed) {
            // 1. Take what has arrived.
            self.take_settings();
            let settled = self.in_flight.settled();
            let is_idle = self.engine.is_idle();
            let wait = if is_idle { BATCH_WAIT } else { Duration::ZERO };
            let records = self.source.take(BATCH_RECORDS, wait)?;
            // 2. Decode it, on every core, and meanwhile:
            let mut published = clock::stopwatch();
            let mut began = clock::stopwatch();
            decode_each(&records, self.threads, |record, decoded| {
                // 3. Apply it, record by record; what cannot be used is set aside before it is passed.
                self.apply(record, decoded)?;
                // 4. What must be durable, when memory says so.
                if self.engine.is_full() {
                    self.begin_checkpoint()?;
                    began = clock::stopwatch();
                }
                // What others wrote does not wait for all that came with it, if that goes to many.
                if PUBLISH_AFTER <= published.elapsed() {
                    self.replay += began.elapsed();
                    self.publish(None);
                    published = clock::stopwatch();
                    began = clock::stopwatch();
                }
                Ok::<_, PipelineError>(())
            })?;
            // 5. Do what is owed, as far as one turn goes.
            self.step()?;
            self.replay += began.elapsed();
            self.engine.fold_long(clock::now())?;
            // 6. Tell readers.
            self.follow(&records);
            self.letters_failing = self.aside.failing()?;
            self.publish(Some(settled));
            self.append_due_removals();
            // 7. What waits too long becomes durable; what nobody needs goes.
            self.end_checkpoint(Wait::No)?;
            self.write_what_is_due()?;
            self.expire()?;
            self.drop_inactive()?;
            self.engine.remember_stored()?;
        }
        Ok(())
    }

    fn apply(&mut self, record: &Record, decoded: Decoded) -> Result<(), PipelineError> {
        if let Decoded::Activity(_, activity) = &decoded {
            self.count_misplaced(record.position, author_key(activity));
        }
        let applied = self.engine.apply(record, decoded, clock::now())?;
        match applied {
            Applied::Relation(effect) => tracing::trace!(?effect, "a relation is in force"),
            Applied::Activity(outcome) => self.count(outcome),
            Applied::Refused(reason) => self.set_aside(record, &reason)?,
            Applied::Unusable(reason) => {
                self.set_aside(record, &reason)?;
                self.engine.pass(record);
                return self.aside.note_unusable(&reason);
            }
        }
        self.aside.note_usable();
        self.engine.pass(record);
        Ok(())
    }

    fn step(&mut self) -> Result<(), PipelineError> {
        let begun = clock::stopwatch();
        while self.engine.step(clock::now())? == Progress::Going && begun.elapsed() < STEPS_AT_ONCE
        {
        }
        Ok(())
    }

    /// Keeps a record that cannot be used. Where reading goes on after a crash passes it only afterwards, so it is never
    /// silently lost.
    fn set_aside(&mut self, record: &Record, reason: &str) -> Result<(), PipelineError> {
        while self.aside.hand_over(record, reason, &self.stop)? == Handed::NoRoom {
            // Nothing else is read meanwhile, and that is told.
            let failing = self.aside.failing()?.unwrap_or_default();
            self.letters_failing = Some(format!("so many wait that nothing is read: {failing}"));
            self.publish(None);
        }
        self.metrics.dead_letters.inc();
        self.metrics.outcome("set_aside");
        Ok(())
    }

    fn count_misplaced(&self, position: Position, author: Option<&str>) {
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
            Outcome::Actor => "actor",
            Outcome::Ignored(_) => "ignored",
        });
    }

    fn follow(&mut self, records: &[Record]) {
        for topic in Topic::ALL {
            let read = records
                .iter()
                .filter(|record| record.position.topic == topic)
                .count();
            self.metrics.read(topic.name(), read as u64);
        }
        self.partitions = self.source.partitions();
        let log = self.source.status();
        for end in &log.ends {
            let lag = end.end.saturating_sub(end.next);
            self.metrics.lag(end.topic.name(), end.partition, lag);
        }
        self.engine.follow(&log);
        self.progress
            .follow(records.len(), self.engine.catch_up().left(&log));
    }

    fn take_settings(&mut self) {
        if let Some((windows, patience)) = self.reload.take() {
            self.engine.set_ordering(windows, patience, clock::now());
        }
    }

    /// Tells readers how far all is built. What had arrived in this process before `settled` is in the log; none amid a batch.
    fn publish(&mut self, settled: Option<Time>) {
        let log = self.source.status();
        let left = self.engine.catch_up().left(&log);
        let beside = ServiceStatus {
            settled,
            catching_up: left.map(|left| self.progress.catching_up(left)),
            letters_failing: self.letters_failing.clone(),
        };
        let built = self.engine.publish(&log, beside);
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let metrics = &self.metrics;
        metrics.ready.set(built.is_ready().into());
        metrics.lost_records.set(gauge(self.source.lost_records()));
        metrics
            .damaged_records
            .set(gauge(self.source.damaged_records()));
        let (entries, bytes) = self.engine.view().store.unwritten();
        metrics.unwritten_entries.set(gauge(entries as u64));
        metrics.unwritten_bytes.set(gauge(bytes as u64));
    }

    /// A mute that has ended becomes a record too: its removal is appended, and takes effect when it is read.
    fn append_due_removals(&mut self) {
        let log: LogStatus = self.source.status();
        let removals = self
            .engine
            .due_removals(&log, clock::now(), self.begun.elapsed());
        self.show_doubt();
        for removal in removals {
            let appender = self.appender.clone();
            self.runtime.spawn(async move {
                let key = String::from_utf8_lossy(&removal.key).into_owned();
                if let Err(error) = appender.append(vec![removal]).await {
                    tracing::warn!(%key, error = &error as &dyn std::error::Error, "ending {key} failed, to be tried again: {error}");
                }
            });
        }
    }

    fn expire(&mut self) -> Result<(), PipelineError> {
        let expired = self.engine.expire()?;
        self.metrics.expired_posts.inc_by(expired as u64);
        Ok(())
    }

    fn drop_inactive(&mut self) -> Result<(), PipelineError> {
        let asleep = self.engine.drop_inactive(clock::now())?;
        self.show_doubt();
        if 0 < asleep {
            tracing::info!(
                asleep,
                "{asleep} accounts were not seen for long and fell asleep"
            );
        }
        Ok(())
    }

    fn show_doubt(&self) {
        let is_in_doubt = self.engine.is_time_in_doubt();
        self.metrics.log_time_in_doubt.set(is_in_doubt.into());
    }
}
