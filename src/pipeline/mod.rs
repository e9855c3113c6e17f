//! The loop that drives the engine. It takes records that have arrived, applies them, works on the backlog of feed changes,
//! publishes, and writes what is due.
//!
//! | file | what it is |
//! |---|---|
//! | this one | the loop |
//! | [`among_nodes`] | what it takes from the cluster that its node is part of |
//! | `checkpoint` | checkpoints and rows, written on a thread of their own |
//! | `misplaced` | whether a record is in the partition of its key
//! | `latency` | how long activities take on their way to readers |
//! | [`due`] | when they are written |
//! | `dead_letters` | records that cannot be used, kept as dead letters |
//! | [`letter_ownership`] | which of them are this node's to write, where there are several |
//! | `progress` | how far catching up has come, in the service's log and for readers |
//! | [`settings_mailbox`] | new ordering settings, put in while the loop runs |

pub mod among_nodes;
mod checkpoint;
mod dead_letters;
pub mod due;
mod latency;
pub mod letter_ownership;
mod misplaced;
mod progress;
pub mod settings_mailbox;

use crate::api::log_end::LogEnd;
use crate::api::state::AppState;
use crate::clock;
use crate::log::decode_batch::decode_in_order;
use crate::log::in_flight::InFlight;
use crate::log::kafka::{Commits, PartitionCheck};
use crate::log::recent_letters::RecentLetters;
use crate::log::{LogError, LogReader, LogWriter};
use crate::operator::metrics::Metrics;
use crate::operator::metrics::pipeline::Step;
use crate::operator::traces;
use among_nodes::AmongNodes;
use checkpoint::{Wait, WriteInProgress};
use dead_letters::DeadLetters;
use due::Due;
use latency::Latency;
use letter_ownership::LetterOwnership;
use misplaced::is_misplaced;
use progress::CatchUpProgress;
use settings_mailbox::SettingsMailbox;
use slackwater_engine::decode::Decoded;
use slackwater_engine::engine::ingest::outcome::Outcome;
use slackwater_engine::engine::log_status::LogStatus;
use slackwater_engine::engine::publish::ServiceStatus;
use slackwater_engine::engine::{self, Applied, Engine};
use slackwater_engine::feed::merge::Progress;
use slackwater_engine::feed::store::Store;
use slackwater_engine::feed::store::disk::DiskError;
use slackwater_engine::kept::Kept;
use slackwater_engine::record::{Record, Topic};
use slackwater_order::time::Time;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The most records that are taken at once.
const BATCH_RECORDS: usize = 2_000;
/// How long the loop waits for a first record; also how long a stop may go unnoticed.
const BATCH_WAIT: Duration = Duration::from_millis(100);
/// How long the backlog is worked on in one turn. A post that has arrived may wait this long for it.
const STEPS_AT_ONCE: Duration = Duration::from_millis(50);
/// How long records of one batch are applied before the first of them are published.
const PUBLISH_AFTER: Duration = Duration::from_millis(50);
/// How long a stop waits for dead letters to be written.
const LETTERS_WAIT: Duration = Duration::from_secs(2);

/// What the pipeline is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// How the engine works.
    pub engine: engine::Options,
    /// How long state may wait to be written.
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
    Log(#[from] LogError),
    /// No record could ever be understood. The service stops rather than fill the dead letters with somebody else's topics.
    #[error(
        "{records} records were read, and none could be understood, the last because: {reason}. Are these the right \
         topics? All are kept as dead letters; starting again goes on behind them"
    )]
    Unusable {
        /// How many records could not be understood.
        records: u64,
        /// The reason of the last of them.
        reason: String,
    },
}

/// The loop, the engine and the log.
pub struct Pipeline {
    engine: Engine,
    log_reader: LogReader,
    log_writer: LogWriter,
    runtime: tokio::runtime::Handle,
    in_flight: InFlight,
    recent_letters: RecentLetters,
    metrics: Arc<Metrics>,
    due: Due,
    settings_mailbox: SettingsMailbox,
    /// The cluster, if this node is part of one.
    among_nodes: Option<AmongNodes>,
    stop: Arc<AtomicBool>,
    threads: usize,
    /// How many partitions each topic has, in the order of [`Topic::ALL`].
    partitions: [i32; 2],
    dead_letters: DeadLetters,
    letter_ownership: LetterOwnership,
    /// Why dead letters wait to be written, if they do. Readiness says so.
    letters_failing: Option<String>,
    progress: CatchUpProgress,
    latency: Latency,
    /// When the loop began: a leap of the clock is noticed against this stopwatch.
    begun: Instant,
    last_checkpoint: Instant,
    /// When the rows that the log does not have were last written.
    last_rows: Instant,
    /// How long it took to apply the records since the last checkpoint: about the time that a crash costs.
    replay: Duration,
    /// The checkpoint or the rows that are being written.
    write_in_progress: Option<WriteInProgress>,
}

impl Pipeline {
    /// Opens the engine on a store and a log. `log_reader` stands where the last checkpoint of the store ended.
    ///
    /// Errors: the data folder cannot be read.
    pub fn new(
        log_reader: LogReader,
        log_writer: LogWriter,
        runtime: tokio::runtime::Handle,
        store: Arc<Store>,
        options: Options,
    ) -> Result<Pipeline, PipelineError> {
        let now = clock::stopwatch();
        let engine = Engine::open(store, &log_reader.status(), options.engine)?;
        let letter_ownership = LetterOwnership::default();
        let mut pipeline = Pipeline {
            partitions: log_reader.partitions(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            dead_letters: DeadLetters::new(
                log_writer.clone(),
                letter_ownership.clone(),
                &runtime,
                engine.knows_anything(),
                now,
            ),
            letter_ownership,
            letters_failing: None,
            engine,
            log_reader,
            log_writer,
            runtime,
            in_flight: InFlight::default(),
            recent_letters: RecentLetters::default(),
            metrics: Arc::default(),
            due: options.due,
            settings_mailbox: SettingsMailbox::default(),
            among_nodes: None,
            stop: Arc::default(),
            progress: CatchUpProgress::begin(now),
            latency: Latency::begin(now),
            begun: now,
            last_checkpoint: now,
            last_rows: now,
            replay: Duration::ZERO,
            write_in_progress: None,
        };
        pipeline.publish(Some(Time::default()));
        // Whoever looks before the first turn sees how things are.
        pipeline.count_lag(&pipeline.log_reader.status());
        pipeline.report_time_in_doubt();
        Ok(pipeline)
    }

    /// From now on feeds are kept, and count as complete, as the cluster says that this node is part of.
    pub fn join(&mut self, among_nodes: AmongNodes) {
        // Until the cluster says which.
        self.engine.keep_only(Kept::all_shards());
        self.among_nodes = Some(among_nodes);
    }

    /// Whose dead letters this node writes. Without a cluster that is every one.
    pub fn letter_ownership(&self) -> LetterOwnership {
        self.letter_ownership.clone()
    }

    /// Has a member of Kafka's group commit how far the log was read, as [`LogReader::commit_through`].
    pub fn commit_through(&mut self, commits: Commits) {
        self.log_reader.commit_through(commits);
    }

    /// Asks for a check whether topics have more partitions, as [`LogReader::partition_check`].
    pub fn partition_check(&self) -> Option<PartitionCheck> {
        self.log_reader.partition_check()
    }

    /// Where new ordering settings are put while the loop runs.
    pub fn settings_mailbox(&self) -> SettingsMailbox {
        self.settings_mailbox.clone()
    }

    /// The state that the HTTP API reads from.
    pub fn state(&self) -> AppState {
        AppState {
            in_flight: self.in_flight.clone(),
            recent_letters: self.recent_letters.clone(),
            log_end: LogEnd::of(self.log_writer.clone()),
            metrics: Arc::clone(&self.metrics),
            ..AppState::of(self.engine.view().clone())
        }
    }

    /// Runs until `stop` is set, or until the data folder or the log fails. Then it writes a last checkpoint, unless the folder
    /// has failed.
    pub fn run(mut self, stop: Arc<AtomicBool>) -> Result<(), PipelineError> {
        self.stop = stop;
        let ended = self.run_and_write_last_checkpoint();
        if let Err(error) = &ended {
            self.engine.fail(error.to_string());
        }
        self.log_reader.stop();
        ended
    }

    fn run_and_write_last_checkpoint(&mut self) -> Result<(), PipelineError> {
        let turned = self.run_loop();
        self.dead_letters.finish(LETTERS_WAIT);
        // If the log failed, a checkpoint still saves reading the applied records again.
        if !matches!(turned, Err(PipelineError::Disk(_))) {
            self.begin_checkpoint()?;
        }
        let ended = self.end_checkpoint(Wait::Yes);
        turned.and(ended)
    }

    fn run_loop(&mut self) -> Result<(), PipelineError> {
        while !self.stop.load(Ordering::Relaxed) {
            // 1. Take records that have arrived.
            self.take_settings();
            self.take_kept();
            let mut settled = self.in_flight.settled();
            if let Some(among_nodes) = &self.among_nodes {
                settled = among_nodes.settled(settled);
            }
            let is_idle = self.engine.is_idle();
            let wait = if is_idle { BATCH_WAIT } else { Duration::ZERO };
            let records = self.log_reader.take(BATCH_RECORDS, wait)?;
            self.begin_batch(&records);
            let span = (!records.is_empty()).then(|| {
                tracing::info_span!(target: traces::TARGET, "batch", records = records.len())
                    .entered()
            });
            // 2. Decode them on every core, and meanwhile:
            let mut last_published = clock::stopwatch();
            let mut applying_since = clock::stopwatch();
            decode_in_order(&records, self.threads, |record, decoded, decoding| {
                // 3. Apply them one by one. One that cannot be used becomes a dead letter before it is passed.
                self.apply(record, decoded, decoding)?;
                // 4. Begin a checkpoint when memory is full.
                if self.engine.is_full() {
                    self.begin_checkpoint()?;
                    applying_since = clock::stopwatch();
                }
                // A batch whose posts go to many feeds takes long. What is applied of it is published meanwhile.
                if PUBLISH_AFTER <= last_published.elapsed() {
                    self.replay += applying_since.elapsed();
                    self.publish(None);
                    last_published = clock::stopwatch();
                    applying_since = clock::stopwatch();
                }
                Ok::<_, PipelineError>(())
            })?;
            // 5. Work on the backlog of feed changes, for one slice of time.
            self.work_on_backlog()?;
            self.replay += applying_since.elapsed();
            self.engine.fold_long(clock::now())?;
            // 6. Publish progress and changes.
            self.count_progress(&records);
            self.share_letters();
            self.letters_failing = self.dead_letters.trouble()?;
            self.publish(Some(settled));
            drop(span);
            self.append_due_mute_ends();
            // 7. Write what has waited long enough, and drop what nobody needs.
            self.end_checkpoint(Wait::No)?;
            self.begin_due_write()?;
            self.expire()?;
            self.drop_inactive()?;
            self.engine.remember_stored()?;
        }
        Ok(())
    }

    /// Begins to count how long a batch takes.
    fn begin_batch(&mut self, records: &[Record]) {
        let (now, stopwatch) = (clock::now(), clock::stopwatch());
        let is_live = self.engine.catch_up().is_done();
        for (waited, many) in self.log_reader.waits_of_activities(records, now, stopwatch) {
            if is_live {
                self.metrics.pipeline.step(Step::Read, waited, many);
            }
        }
        self.latency.take(is_live, stopwatch);
    }

    fn apply(
        &mut self,
        record: &Record,
        decoded: Decoded,
        decoding: Duration,
    ) -> Result<(), PipelineError> {
        let mut applying = None;
        if is_misplaced(record.position, &decoded, self.partitions) {
            self.metrics.pipeline.misplaced_records.inc();
        }
        if let Decoded::Activity(envelope, _) = &decoded {
            let (arrived, metrics) = (envelope.arrived, &self.metrics.pipeline);
            applying = self.latency.apply(record, arrived, decoding, metrics);
        }
        let applied = self.engine.apply(record, decoded, clock::now())?;
        if let Some(applying) = &applying {
            self.latency.applied(applying, &self.metrics.pipeline);
        }
        match applied {
            Applied::Relation(effect) => tracing::trace!(?effect, "a relation is in force"),
            Applied::Activity(outcome) => self.count_outcome(outcome),
            Applied::Refused(reason) => self.keep_dead_letter(record, &reason)?,
            Applied::Unusable(reason) => {
                self.keep_dead_letter(record, &reason)?;
                self.engine.pass(record);
                return self.dead_letters.count_unusable(&reason);
            }
        }
        self.dead_letters.count_usable();
        self.engine.pass(record);
        Ok(())
    }

    fn work_on_backlog(&mut self) -> Result<(), PipelineError> {
        let begun = clock::stopwatch();
        while self.engine.step(clock::now())? == Progress::Going && begun.elapsed() < STEPS_AT_ONCE
        {
        }
        Ok(())
    }

    fn count_outcome(&self, outcome: Outcome) {
        self.metrics.pipeline.outcome(match outcome {
            Outcome::Placed { verdict, delay_ms } => {
                let delay =
                    delay_ms.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
                self.metrics.pipeline.placed(verdict, delay);
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

    fn count_progress(&mut self, records: &[Record]) {
        for topic in Topic::ALL {
            let read = records
                .iter()
                .filter(|record| record.position.topic == topic)
                .count();
            self.metrics.pipeline.read(topic.name(), read as u64);
        }
        self.partitions = self.log_reader.partitions();
        let log = self.log_reader.status();
        self.count_lag(&log);
        self.engine.follow(&log);
        self.progress
            .follow(records.len(), self.engine.catch_up().left(&log));
    }

    fn count_lag(&self, log: &LogStatus) {
        for end in &log.ends {
            let lag = end.end.saturating_sub(end.next);
            let metrics = &self.metrics.pipeline;
            metrics.lag(end.topic.name(), end.partition, lag);
        }
    }

    fn take_settings(&mut self) {
        if let Some((windows, patience)) = self.settings_mailbox.take() {
            self.engine.set_ordering(windows, patience, clock::now());
        }
    }

    fn take_kept(&mut self) {
        let kept = self
            .among_nodes
            .as_mut()
            .and_then(AmongNodes::kept_if_changed);
        if let Some(kept) = kept {
            self.engine.keep_only(kept);
        }
    }

    /// Publishes to readers how far the feeds are built. Every record that this process stamped before `settled` is in the log.
    /// In the middle of a batch `settled` is none, as that is not known.
    fn publish(&mut self, settled: Option<Time>) {
        let log = self.log_reader.status();
        let left = self.engine.catch_up().left(&log);
        let beside = ServiceStatus {
            settled,
            catching_up: left.map(|left| self.progress.catching_up(left)),
            letters_failing: self.letters_failing.clone(),
        };
        let built = self.engine.publish(&log, beside);
        self.latency.published(&self.metrics.pipeline);
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let metrics = &self.metrics;
        metrics.pipeline.ready.set(built.is_ready().into());
        metrics
            .pipeline
            .lost_records
            .set(gauge(self.log_reader.lost_records()));
        metrics
            .pipeline
            .damaged_records
            .set(gauge(self.log_reader.damaged_records()));
        let (entries, bytes) = self.engine.view().store.unwritten();
        metrics.feeds.unwritten_entries.set(gauge(entries as u64));
        metrics.feeds.unwritten_bytes.set(gauge(bytes as u64));
    }

    /// Appends a record for each mute that has ended, which says so. It takes effect when it is read, as any other relation does.
    fn append_due_mute_ends(&mut self) {
        let log: LogStatus = self.log_reader.status();
        let ends = self
            .engine
            .due_mute_ends(&log, clock::now(), self.begun.elapsed());
        self.report_time_in_doubt();
        for end in ends {
            let log_writer = self.log_writer.clone();
            self.runtime.spawn(async move {
                let key = String::from_utf8_lossy(&end.key).into_owned();
                if let Err(error) = log_writer.append(vec![end]).await {
                    tracing::warn!(%key, error = &error as &dyn std::error::Error, "appending {key} failed, to be tried again: {error}");
                }
            });
        }
    }

    fn expire(&mut self) -> Result<(), PipelineError> {
        let expired = self.engine.expire()?;
        self.metrics.feeds.expired_posts.inc_by(expired as u64);
        Ok(())
    }

    fn drop_inactive(&mut self) -> Result<(), PipelineError> {
        let inactive = self.engine.drop_inactive(clock::now())?;
        self.report_time_in_doubt();
        if 0 < inactive {
            tracing::info!(
                asleep = inactive,
                "{inactive} accounts were not seen for long and fell asleep"
            );
        }
        Ok(())
    }

    fn report_time_in_doubt(&self) {
        let is_in_doubt = self.engine.is_time_in_doubt();
        self.metrics
            .pipeline
            .log_time_in_doubt
            .set(is_in_doubt.into());
    }
}
