//! The loop that joins it all: take, decode, place and fan out, announce, checkpoint.
//!
//! One thread writes; readers look on through [`View`]. State in memory is a function of the log, so it is announced
//! before it is checkpointed, and a crash costs no more than reading again from the last checkpoint.

pub mod admit;
mod ages;
mod catching_up;
mod checkpoint;
pub mod due;
mod last_taken;
#[cfg(test)]
mod promises;
mod relate;
pub mod reload;
mod set_aside;
mod settle;
#[cfg(test)]
mod simulation;
mod sleep;
#[cfg(test)]
mod tests;
mod told;

use crate::api::log_end::LogEnd;
use crate::api::state::AppState;
use crate::clock;
use crate::feed::again;
use crate::feed::disk::DiskError;
use crate::feed::expiry;
use crate::feed::kept::At;
use crate::feed::merge::Progress;
use crate::feed::store::{Reflects, Store};
use crate::graph::apply::Effect;
use crate::graph::{AccountIx, Graph};
use crate::operator::metrics::Metrics;
use crate::post::activity::author_key;
use crate::post::decode::decode_each;
use crate::post::in_flight::InFlight;
use crate::post::mark::{Mark, Seen};
use crate::post::record::{Position, READ_LATE_AFTER, Record, Topic};
use crate::post::relationship::{Change, Patience};
use crate::post::said::Said;
use crate::post::source::{self, Appender, Source, SourceError};
use crate::reader::attendance::Attendance;
use crate::reader::horizons::Horizons;
use crate::reader::seal::SealedLog;
use crate::reader::view::{Built, CatchingUp, View};
use crate::watch;
use admit::{Admission, AdmitError, Outcome};
use ages::Ages;
use catching_up::Start;
use checkpoint::{Wait, Writing};
use due::Due;
use last_taken::LastTaken;
use parking_lot::RwLock;
use reload::Reload;
use set_aside::{Handed, SetAside};
use settle::Settling;
use slackwater_order::horizon::highest_visible;
use slackwater_order::key_hash::partition_of;
use slackwater_order::time::Time;
use slackwater_order::window::Windows;
use sleep::Rounds;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_64;

/// Records taken at once.
const BATCH_RECORDS: usize = 2_000;
/// How long to wait for the first; also how long a stop may go unnoticed.
const BATCH_WAIT: Duration = Duration::from_millis(100);
/// How long feeds are settled, and how long boosts are decided, before other records have their turn: so long a post that has come
/// may wait for it.
const SETTLE_AT_ONCE: Duration = Duration::from_millis(50);
/// How long records of one batch may be taken in before readers are told of the first of them.
const ANNOUNCE_AFTER: Duration = Duration::from_millis(50);
/// How long a removal that was asked for (a mute's end) may stay unread before it is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// How long a stop waits for dead letters to be written.
const LETTERS_WAIT: Duration = Duration::from_secs(2);

/// What the pipeline is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Reorder windows.
    pub windows: Windows,
    /// How long the feeds of accounts that say nothing may be held back.
    pub patience: Patience,
    /// Which log this is.
    pub log: String,
    /// How long what is new waits for a checkpoint.
    pub due: Due,
    /// How long posts, stubs and removals are kept.
    pub keep: expiry::Keep,
    /// Accounts not seen for so long have no feeds.
    pub inactive_after: Duration,
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

/// The one writer.
pub struct Pipeline {
    source: Source,
    appender: Appender,
    runtime: tokio::runtime::Handle,
    store: Arc<Store>,
    graph: Arc<RwLock<Graph>>,
    admission: Admission,
    expiry: expiry::Expiry,
    settling: Settling,
    rounds: Rounds,
    view: View,
    in_flight: InFlight,
    built: watch::Sender<Arc<Built>>,
    metrics: Arc<Metrics>,
    options: Options,
    windows: Arc<Windows>,
    reload: Reload,
    /// What readers were last told has been seen.
    seen: Arc<Seen>,
    /// Of each partition of the activities topic, the newest `arrived` taken.
    arrived: BTreeMap<i32, Time>,
    stop: Arc<AtomicBool>,
    threads: usize,
    /// Of the activities topic.
    partitions: i32,
    aside: SetAside,
    /// Why dead letters wait to be written, if they do.
    letters_failing: Option<String>,
    reflects: Reflects,
    taken: LastTaken,
    ages: Ages,
    /// Which of the partitions reflected the record passed last was of.
    passed: usize,
    start: Start,
    /// A stopwatch, by which a leap of the clock is seen.
    begun: Instant,
    checkpointed: Instant,
    /// When rows that the log does not have were last written.
    rows_written: Instant,
    /// How long it took to take in what no checkpoint has.
    replay: Duration,
    /// What is being written.
    writing: Option<Writing>,
    is_dirty: bool,
    asked_to_end: BTreeMap<Vec<u8>, Instant>,
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
        let attendance = Arc::new(Attendance::default());
        sleep::load(&store, &mut graph, &attendance)?;
        let mut admission = Admission::new(Arc::clone(&store))?;
        graph.set_default_patience(options.patience);
        let windows = Arc::new(options.windows.clone());
        // From here on only what moves is told.
        admission.take_changed_holds(&windows);
        graph.set_waits(|host| admission.origins().read().hold(host, &windows));
        let metrics = Arc::new(Metrics::default());
        let (built, watching) = watch::channel(Arc::default());
        let graph = Arc::new(RwLock::new(graph));
        let view = View {
            store: Arc::clone(&store),
            graph: Arc::clone(&graph),
            origins: Arc::clone(admission.origins()),
            windows: Arc::new(RwLock::new(Arc::clone(&windows))),
            horizons: Arc::new(Horizons::new(store.reached()?.into_iter())),
            attendance,
            unsettled: Arc::default(),
            edited: admission.again.boosts.waiting(),
            log: SealedLog::new(xxh3_64(options.log.as_bytes())),
            built: watching,
        };
        let reflects = store.reflects()?;
        let ages = Ages::stored(&store, reflects.log_time)?;
        let start = Start::new(
            &source.ends(),
            now,
            &catching_up::known(&store, &reflects.next, &source.ends())?,
        );
        let partitions = source.partitions();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let is_right_log = !admission.origins().read().is_empty() || graph.read().accounts() != 0;
        let aside = SetAside::new(appender.clone(), &runtime, is_right_log, now);
        let mut pipeline = Pipeline {
            source,
            appender,
            runtime,
            aside,
            letters_failing: None,
            store,
            graph,
            admission,
            expiry: expiry::Expiry::new(options.keep),
            settling: Settling::new(Arc::clone(&view.unsettled)),
            rounds: Rounds::new(options.inactive_after),
            view,
            in_flight: InFlight::default(),
            built,
            metrics,
            options,
            windows,
            reload: Reload::default(),
            seen: Arc::new(Seen::new(&reflects.next)),
            arrived: BTreeMap::new(),
            stop: Arc::default(),
            threads,
            partitions,
            ages,
            taken: LastTaken::new(reflects.taken.clone()),
            reflects,
            passed: 0,
            start,
            begun: now,
            checkpointed: now,
            rows_written: now,
            replay: Duration::ZERO,
            writing: None,
            is_dirty: false,
            asked_to_end: BTreeMap::new(),
        };
        pipeline.announce(Some(Time::default()));
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
            ..AppState::of(self.view.clone())
        }
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
        self.aside.finish(LETTERS_WAIT);
        // What was taken in before the log failed need not be read again.
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
            // Who asks for a sleeping account may wait so long for the loop to come round: it is as nothing beside what
            // a merge of thousands takes.
            let is_asked = self.view.attendance.is_asked();
            let is_idle = !self.can_decide() && self.settling.is_idle() && !is_asked;
            let wait = if is_idle { BATCH_WAIT } else { Duration::ZERO };
            let records = self.source.take(BATCH_RECORDS, wait)?;
            // 2. Understand it, on every core, and meanwhile:
            let mut announced = clock::stopwatch();
            let mut began = clock::stopwatch();
            decode_each(&records, self.threads, |record, said| {
                // 3. Place it and fan it out, record by record; what cannot be used is set aside before we pass it.
                self.take_in(record, said)?;
                // 4. What must be durable, when memory says so.
                if self.store.is_full() {
                    self.begin_checkpoint()?;
                    began = clock::stopwatch();
                }
                // What others wrote does not wait for all that came with it, if that goes to many.
                if ANNOUNCE_AFTER <= announced.elapsed() {
                    self.replay += began.elapsed();
                    self.announce(None);
                    announced = clock::stopwatch();
                    began = clock::stopwatch();
                }
                Ok::<_, PipelineError>(())
            })?;
            // 5. Carry out what relations call for, and what was said of authors, as far as one turn goes.
            self.wake();
            self.settle()?;
            self.decide_again()?;
            self.replay += began.elapsed();
            self.fold_long()?;
            // 6. Tell readers.
            self.follow_ends(&records);
            self.letters_failing = self.aside.failing()?;
            self.announce(Some(settled));
            self.end_mutes();
            // 7. What waits too long becomes durable; what nobody needs goes.
            self.end_checkpoint(Wait::No)?;
            self.write_what_is_due()?;
            self.expire()?;
            self.put_to_sleep()?;
            self.store.remember_stored()?;
        }
        Ok(())
    }

    fn take_in(&mut self, record: &Record, said: Said) -> Result<(), PipelineError> {
        let position = record.position;
        if let Some(timestamp) = record.timestamp {
            self.ages.written(timestamp, clock::now());
        }
        match said {
            Said::Relation(change) => {
                let effect = self.relate(record, &change)?;
                self.asked_to_end.remove(&change.key.to_bytes());
                tracing::trace!(?effect, "a relation is in force");
            }
            Said::Activity(mut envelope, activity) => {
                envelope.read_late = self.is_read_late(record, envelope.arrived);
                self.reflects.log_time = self.ages.arrived(envelope.arrived, clock::now());
                let arrived = self.arrived.entry(position.partition).or_default();
                *arrived = envelope.arrived.max(*arrived);
                self.note_misplaced(position, author_key(&activity));
                let at = At {
                    partition: position.partition,
                    offset: position.offset,
                };
                let admitted = {
                    let graph = self.graph.read();
                    let windows = &self.windows;
                    self.admission
                        .admit(&graph, windows, at, &envelope, *activity)
                };
                match admitted {
                    Ok(outcome) => self.count(outcome),
                    Err(AdmitError::Refused(reason)) => self.set_aside(record, &reason)?,
                    Err(AdmitError::Disk(error)) => return Err(error.into()),
                }
            }
            Said::Unusable(reason) => {
                self.set_aside(record, &reason)?;
                self.pass(record);
                return self.aside.note_unusable(&reason);
            }
        }
        self.aside.note_usable();
        self.pass(record);
        Ok(())
    }

    /// Whether a record is read so long after it arrived that it is no news. What readers may have been shown before is read
    /// again after a crash, and where a folder is made anew: of that only the log's own time can say.
    fn is_read_late(&self, record: &Record, arrived: Time) -> bool {
        let read = match self.start.was_known(record.position) {
            true => record.timestamp.unwrap_or(arrived),
            false => clock::now(),
        };
        arrived.plus(READ_LATE_AFTER) < read
    }

    fn relate(&mut self, record: &Record, change: &Change) -> Result<Effect, PipelineError> {
        let now = clock::now();
        let account = &change.key.account;
        let before = {
            let graph = self.graph.read();
            let number = graph.account(account);
            number.and_then(|account| self.view.horizons.of(&graph, account, now))
        };
        let (origins, windows) = (self.admission.origins(), &self.windows);
        let mark = Mark::new(record.position);
        let read = relate::Read {
            mark,
            timestamp: record.timestamp,
            seen: &self.seen,
            again: !self.start.is_done(),
            wait: &|host| origins.read().hold(host, windows),
        };
        let effect = relate::relate(&self.store, &self.graph, &mut self.settling, change, &read)?;
        let seen = Seen::new(&self.reflects.next);
        if let Some(target) = &effect.moderated {
            self.admission
                .again
                .add(again::Said::Standing, target, mark, &seen);
        }
        for actor in &effect.moved {
            self.admission
                .again
                .add(again::Said::Locality, actor, mark, &seen);
        }
        if effect.purge {
            self.view.horizons.forget(account);
        }
        if let Some(number) = effect.account {
            if effect.purge {
                self.view.attendance.forget(number);
            } else if self.start.is_done() {
                self.view.attendance.note(number);
            }
        }
        if let (Some(number), Some(_)) = (effect.account, effect.patience_ms_before) {
            // What was shown stays so.
            let said = record.timestamp;
            let reached = relate::shown_until(&self.store, number, before, said, now)?;
            self.view.horizons.reach(account, reached);
        }
        // Whatever was said of it may have changed its hold.
        self.store.homes.stirred.stir(effect.account.as_slice());
        Ok(effect)
    }

    /// Begins to wake those who are asked for.
    fn wake(&mut self) {
        let asked_for = self.view.attendance.asked_for();
        if asked_for.is_empty() {
            return;
        }
        let read = Arc::new(Seen::new(&self.reflects.next));
        for account in asked_for {
            sleep::wake(&self.store, &self.graph, &mut self.settling, account, &read);
        }
    }

    fn settle(&mut self) -> Result<(), PipelineError> {
        let begun = clock::stopwatch();
        while !self.settling.is_idle() && begun.elapsed() < SETTLE_AT_ONCE {
            let (graph, now) = (self.graph.read(), clock::now());
            let shown = |graph: &Graph, account| {
                highest_visible(self.view.horizons.of(graph, account, now))
            };
            self.is_dirty = true;
            if self.settling.step(&self.store, &graph, &shown)? == Progress::Done {
                break;
            }
        }
        Ok(())
    }

    /// Feeds to which much has come do not wait for a checkpoint to take it in: every look at one takes all in that waits.
    fn fold_long(&mut self) -> Result<(), PipelineError> {
        let (graph, now) = (self.graph.read(), clock::now());
        let shown = |account| highest_visible(self.view.horizons.of(&graph, account, now));
        self.store.fold_long(&shown)?;
        Ok(())
    }

    fn put_to_sleep(&mut self) -> Result<(), PipelineError> {
        let log_time = self.reflects.log_time;
        if !self.start.is_done() || self.rounds.is_resting(log_time) || self.is_in_doubt() {
            return Ok(());
        }
        let asleep = self.rounds.step(
            &self.store,
            &self.graph,
            &self.view.attendance,
            &self.settling,
            log_time,
        )?;
        if 0 < asleep {
            self.is_dirty = true;
            tracing::info!(
                asleep,
                "{asleep} accounts were not seen for long and fell asleep"
            );
        }
        Ok(())
    }

    fn pass(&mut self, record: &Record) {
        self.is_dirty = true;
        self.taken.take(record);
        let position = record.position;
        let next = Position {
            offset: position.offset + 1,
            ..position
        };
        let is_same =
            |there: &Position| (there.topic, there.partition) == (next.topic, next.partition);
        // Mostly the partition of the record before.
        let all = &mut self.reflects.next;
        if !all.get(self.passed).is_some_and(is_same) {
            self.passed = all.iter().position(is_same).unwrap_or(all.len());
        }
        match all.get_mut(self.passed) {
            Some(there) => *there = next,
            None => all.push(next),
        }
    }

    /// Keeps a record that cannot be used. Where reading goes on after a crash passes it only afterwards, so it is never
    /// silently lost.
    fn set_aside(&mut self, record: &Record, reason: &str) -> Result<(), PipelineError> {
        while self.aside.hand_over(record, reason, &self.stop)? == Handed::NoRoom {
            // Nothing else is read meanwhile, and that is told.
            let failing = self.aside.failing()?.unwrap_or_default();
            self.letters_failing = Some(format!("so many wait that nothing is read: {failing}"));
            self.announce(None);
        }
        self.metrics.dead_letters.inc();
        self.metrics.outcome("set_aside");
        Ok(())
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
            Outcome::Actor => "actor",
            Outcome::Ignored(_) => "ignored",
        });
    }

    fn follow_ends(&mut self, records: &[Record]) {
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
        self.start
            .follow(records.len(), &ends, self.source.is_healthy());
    }

    fn can_decide(&self) -> bool {
        self.can_decide_of_authors() || !self.admission.again.boosts.is_done()
    }

    fn can_decide_of_authors(&self) -> bool {
        let again = &self.admission.again;
        let waits = again.scans() && self.writing.is_some();
        !waits && !again.are_authors_done()
    }

    /// A slice of the posts that are to be decided again, and one of the boosts: neither waits for the other. More of those that may
    /// have to come or go: no cursor gets on until they have.
    fn decide_again(&mut self) -> Result<(), PipelineError> {
        let graph = self.graph.read();
        if self.can_decide_of_authors() {
            self.admission.again.step(&self.store, &graph)?;
            self.is_dirty = true;
        }
        let boosts = &mut self.admission.again.boosts;
        let begun = clock::stopwatch();
        while !boosts.is_done() {
            boosts.step(&self.store, &graph)?;
            self.is_dirty = true;
            if !boosts.is_changing() || SETTLE_AT_ONCE <= begun.elapsed() {
                break;
            }
        }
        Ok(())
    }

    /// Takes over other windows and another patience, if there are any.
    fn take_settings(&mut self) {
        let Some((windows, patience)) = self.reload.take() else {
            return;
        };
        self.windows = Arc::new(windows);
        self.admission.take_changed_holds(&self.windows);
        let mut graph = self.graph.write();
        let before = graph.default_patience_ms();
        graph.set_default_patience(patience);
        if before <= 0 && 0 < graph.default_patience_ms() {
            self.view.horizons.reach_all(clock::now());
        }
        let (origins, windows) = (self.admission.origins(), &self.windows);
        graph.set_waits(|host| origins.read().hold(host, windows));
        *self.view.windows.write() = Arc::clone(windows);
        self.store.homes.stirred.stir_all();
    }

    /// Tells readers how far all is built. What had arrived in this process before `settled` is in the log; none amid a batch:
    /// all of that counts as taken, so nothing can be said of when what is still to come arrived.
    fn announce(&mut self, settled: Option<Time>) {
        let moved = self.admission.take_changed_holds(&self.windows);
        if !moved.is_empty() {
            let mut graph = self.graph.write();
            let mut is_other = false;
            for (host, wait) in moved {
                is_other |= graph.set_wait(&host, wait);
            }
            if is_other {
                self.store.homes.stirred.stir_all();
            }
        }
        let ends = self.source.ends();
        let progress = self.start.progress(&ends);
        let taken = Arc::new(Seen::new(&self.reflects.next));
        self.seen = self.admission.again.told(&taken);
        let end = |end: &source::End| Position {
            topic: end.topic,
            partition: end.partition,
            offset: end.end,
        };
        let built = Built {
            taken,
            seen: Arc::clone(&self.seen),
            spoken: self.admission.again.spoken(),
            ends: Arc::new(Seen::new(&ends.iter().map(end).collect::<Vec<_>>())),
            relations_in_force: self.start.relations_are_read(),
            catching_up: progress.map(|progress| CatchingUp {
                read: progress.read,
                left: progress.left,
                seconds_left: progress.time_left().map(|left| left.as_secs()),
            }),
            log_reachable: self.source.is_healthy(),
            letters_failing: self.letters_failing.clone(),
            failed: None,
        };
        self.metrics.ready.set(built.is_ready().into());
        self.metrics
            .lost_records
            .set(i64::try_from(self.source.lost_records()).unwrap_or(i64::MAX));
        self.metrics
            .damaged_records
            .set(i64::try_from(self.source.damaged_records()).unwrap_or(i64::MAX));
        let (entries, bytes) = self.store.unwritten();
        self.metrics
            .unwritten_entries
            .set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.metrics
            .unwritten_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
        // Nobody is woken for nothing.
        let announce = || {
            self.built.send_if_modified(|there| {
                let is_new = **there != built;
                if is_new {
                    *there = Arc::new(built);
                }
                is_new
            });
        };
        let at_rest = self.settling.announce(announce);
        // Who was told nothing meanwhile asks again.
        self.store.homes.stirred.stir(&at_rest);
        self.woke(&at_rest);
        // Only now: who knows how far the horizon is has been told of everything up to it.
        if let Some(settled) = settled {
            self.view
                .horizons
                .set_built(self.built_until(&ends, settled));
        }
        self.store.homes.stirred.wake();
    }

    /// Lets those know who wait for sleeping accounts that have feeds again.
    fn woke(&self, at_rest: &[AccountIx]) {
        let slept = |account: &AccountIx| self.view.attendance.is_asleep(*account);
        let woke: Vec<_> = at_rest.iter().copied().filter(slept).collect();
        self.view.attendance.woke(&woke);
    }

    /// The moment up to which everything that arrived has been taken in: until now, if every partition is read to its
    /// end; else the earliest `arrived` last taken from one that is not.
    fn built_until(&self, ends: &[source::End], settled: Time) -> Time {
        let lagging = ends
            .iter()
            .filter(|end| end.topic == Topic::Activities && end.next < end.end);
        let taken = |end: &source::End| {
            self.arrived
                .get(&end.partition)
                .copied()
                .unwrap_or_default()
        };
        let here = settled.minus(self.source.transit());
        let known = self.source.is_healthy() && !ends.is_empty();
        if known {
            lagging.map(taken).fold(here, Time::min)
        } else {
            // Nobody knows where the log ends: what was known stays true, and no more than that.
            self.view.horizons.built()
        }
    }

    /// A mute that has ended becomes a record too: its removal is appended, and takes effect when it is read.
    fn end_mutes(&mut self) {
        // A renewal that is in the log but not read yet must not be taken back: only at the end is it known what is so.
        let is_read = |end: &source::End| end.topic != Topic::Relationships || end.end <= end.next;
        if !self.start.is_done() || !self.source.ends().iter().all(is_read) {
            return;
        }
        let now = clock::now();
        let is_in_doubt = self.ages.clock_is_in_doubt(now, self.begun.elapsed());
        self.show_doubt();
        if is_in_doubt {
            return;
        }
        let ended = self.graph.read().ended_mutes(now);
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

    /// Whether nothing may be deleted for its age now.
    fn is_in_doubt(&mut self) -> bool {
        let is_in_doubt = self.ages.are_in_doubt(clock::now());
        self.show_doubt();
        is_in_doubt
    }

    fn show_doubt(&self) {
        let is_in_doubt = self.ages.is_anything_in_doubt();
        self.metrics.log_time_in_doubt.set(is_in_doubt.into());
    }

    /// A slice of the sweep; not while a checkpoint is written, since it goes by what is stored.
    fn expire(&mut self) -> Result<(), PipelineError> {
        if self.expiry.is_resting() || self.writing.is_some() {
            return Ok(());
        }
        let expired = {
            let graph = self.graph.read();
            self.expiry
                .step(&self.store, &|actor| graph.is_followed(actor))?
        };
        self.metrics.expired_posts.inc_by(expired as u64);
        self.is_dirty = true;
        Ok(())
    }
}
