//! The engine: records in, feeds out. Synchronous and deterministic: there is no clock, no thread and no network here, `now` is an
//! argument, and the log is whatever hands in its records, each partition in order.
//!
//! Whoever drives it calls a handful of verbs: [`apply`](Engine::apply) and [`pass`](Engine::pass) for each record,
//! [`step`](Engine::step) for what records call for and is done in slices, [`publish`](Engine::publish) so that readers see it,
//! [`due_mute_ends`](Engine::due_mute_ends) for mutes that end, [`begin_flush`](Engine::begin_flush) and
//! [`end_flush`](Engine::end_flush) around a checkpoint, [`expire`](Engine::expire) and
//! [`drop_inactive`](Engine::drop_inactive) for what nobody needs. The service drives it with Kafka or the built-in log, a thousand
//! simulated fediverses with a list.
//!
//! One thread writes; readers look on through [`View`]. State in memory is a function of the log, so it is published before it is
//! stored, and a crash costs no more than reading again from the last checkpoint.

pub mod catch_up;
mod feed_backlog;
pub mod flush;
mod inactivity;
pub mod ingest;
mod kept_round;
mod last_taken;
pub mod log_status;
mod mutes;
mod options;
pub mod publish;
mod reach;
mod relations;
mod retention_clock;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use crate::activity::Activity;
use crate::decode::Decoded;
pub use options::Options;

use crate::feed::expiry::Expiry;
use crate::feed::merge::Progress;
use crate::feed::reevaluate::Reevaluation;
use crate::feed::store::disk::DiskError;
use crate::feed::store::{CheckpointState, Store};
use crate::feed::unfinished::AuthorChange;
use crate::graph::Graph;
use crate::graph::apply::Effect;
use crate::kept::Kept;
use crate::record::offsets::{LogPos, Offsets};
use crate::record::{Envelope, NewRecord, Position, READ_LATE_AFTER, Record, Topic};
use crate::relationship::{Change, Key, Patience};
use crate::view::horizons::Horizons;
use crate::view::last_access::LastAccess;
use crate::view::seal::SealedLog;
use crate::view::{BuildProgress, View};
use crate::watch;
use catch_up::CatchUp;
use feed_backlog::FeedBacklog;
use inactivity::InactivityRound;
use ingest::outcome::{IngestError, Outcome};
use ingest::{Ingest, RecordContext};
use kept_round::KeptRound;
use last_taken::LastTaken;
use log_status::LogStatus;
use parking_lot::RwLock;
use retention_clock::RetentionClock;
use slackwater_order::horizon::highest_visible;
use slackwater_order::ref_place::PlaceSource;
use slackwater_order::time::Time;
use slackwater_order::window::Windows;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The end of a mute that was requested and not read after so long is requested again.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// The result of applying a record.
#[derive(Debug)]
pub enum Applied {
    /// A relation is in force, and its work in feeds is pending.
    Relation(Effect),
    /// An activity was applied.
    Activity(Outcome),
    /// An activity was understood and cannot be accepted, for this reason.
    Refused(String),
    /// The record cannot be understood, for this reason.
    Unusable(String),
}

/// The one writer.
#[derive(Debug)]
pub struct Engine {
    store: Arc<Store>,
    graph: Arc<RwLock<Graph>>,
    ingest: Ingest,
    backlog: FeedBacklog,
    expiry: Expiry,
    inactivity: InactivityRound,
    /// Whose feeds are kept.
    kept: Kept,
    kept_round: KeptRound,
    view: View,
    built: watch::Sender<Arc<BuildProgress>>,
    windows: Arc<Windows>,
    /// The offsets that were published last.
    seen: Arc<Offsets>,
    /// The newest `arrived` taken of each partition of the activities topic, and the newest timestamp of each of the relationships topic.
    arrived: BTreeMap<(Topic, i32), Time>,
    reflects: CheckpointState,
    /// The index among the reflected partitions of the record that was passed last.
    passed: usize,
    taken: LastTaken,
    retention: RetentionClock,
    catch_up: CatchUp,
    /// Whether a checkpoint would write anything.
    is_dirty: bool,
    /// Whether a checkpoint or rows are being written: the sweep, which goes by stored state, waits.
    is_flushing: bool,
    /// The ends of mutes that were requested, and how long the process had run then.
    requested_ends: BTreeMap<(Key, Time), Duration>,
}

impl Engine {
    /// Loads relations and origins from the store. The driver hands in records from [`Engine::next`] on, of a log that is as `log` says.
    /// Nothing is published yet.
    pub fn open(store: Arc<Store>, log: &LogStatus, options: Options) -> Result<Engine, DiskError> {
        let mut graph = Graph::default();
        relations::load(&store, &mut graph)?;
        let last_access = Arc::new(LastAccess::default());
        inactivity::load(&store, &mut graph, &last_access)?;
        let reflects = store.reflects()?;
        let mut ingest = Ingest::new(
            Arc::clone(&store),
            options.place_source,
            options.keep_objects,
        )?;
        ingest.again = Reevaluation::new(reflects.again.clone(), options.boosts_at_once);
        graph.set_default_patience(options.patience);
        let windows = Arc::new(options.windows);
        // From here on only holds that change are returned.
        ingest.take_changed_holds(&windows);
        graph.set_waits(|host| ingest.origins().read().hold(host, &windows));
        let (built, watching) = watch::channel(Arc::default());
        let graph = Arc::new(RwLock::new(graph));
        let view = View {
            store: Arc::clone(&store),
            graph: Arc::clone(&graph),
            origins: Arc::clone(ingest.origins()),
            windows: Arc::new(RwLock::new(Arc::clone(&windows))),
            horizons: Arc::new(Horizons::new(store.reached()?.into_iter())),
            last_access,
            awakened: Arc::default(),
            pending_relations: Arc::default(),
            edited: ingest.again.boosts.waiting(),
            log: SealedLog::new(log_of_cursors(options.log, options.place_source)),
            place_source: options.place_source,
            built: watching,
        };
        Ok(Engine {
            catch_up: CatchUp::begin(&store, &reflects.next, log)?,
            retention: RetentionClock::stored(&store, reflects.log_time)?,
            expiry: Expiry::new(options.keep),
            backlog: FeedBacklog::new(Arc::clone(&view.pending_relations)),
            inactivity: InactivityRound::new(options.inactive_after),
            kept: options.kept,
            kept_round: KeptRound::default(),
            seen: Arc::new(Offsets::new(&reflects.next)),
            taken: LastTaken::new(reflects.taken.clone()),
            store,
            graph,
            ingest,
            view,
            built,
            windows,
            arrived: BTreeMap::new(),
            reflects,
            passed: 0,
            is_dirty: false,
            is_flushing: false,
            requested_ends: BTreeMap::new(),
        })
    }

    /// The state that readers read.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The next record of each partition that was ever read.
    pub fn next(&self) -> &[Position] {
        &self.reflects.next
    }

    /// The state of the catch-up.
    pub fn catch_up(&self) -> &CatchUp {
        &self.catch_up
    }

    /// Whether any origin or account is known, so that records of this log were understood before.
    pub fn knows_anything(&self) -> bool {
        !self.ingest.origins().read().is_empty() || self.graph.read().accounts() != 0
    }

    /// Whether as much new state waits in memory as may: the driver begins a checkpoint before the next record.
    pub fn is_full(&self) -> bool {
        self.store.is_full()
    }

    /// Whether a checkpoint would write anything.
    pub fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// Whether a step would do nothing.
    pub fn is_idle(&self) -> bool {
        let again = &self.ingest.again;
        !self.can_reevaluate_authors()
            && again.boosts.is_done()
            && self.backlog.is_idle()
            && self.kept_round.has_checked_all()
            && !self.view.last_access.has_requests()
    }

    /// Applies one record. It counts as read when it is passed ([`Engine::pass`]): the driver keeps an unusable record as a dead letter
    /// before that, so that none is silently lost.
    pub fn apply(
        &mut self,
        record: &Record,
        decoded: Decoded,
        now: Time,
    ) -> Result<Applied, DiskError> {
        if let Some(timestamp) = record.timestamp {
            self.retention.written(timestamp, now);
        }
        match decoded {
            Decoded::Relation(change) => {
                self.arrived(record.position, record.timestamp.unwrap_or_default());
                let effect = self.relate(record, &change, now)?;
                Ok(Applied::Relation(effect))
            }
            Decoded::Activity(envelope, activity) => self.ingest(record, envelope, *activity, now),
            Decoded::Unusable(reason) => Ok(Applied::Unusable(reason)),
        }
    }

    /// The record is dealt with, and is not handed in again.
    pub fn pass(&mut self, record: &Record) {
        self.is_dirty = true;
        self.taken.take(record);
        let position = record.position;
        let next = Position {
            offset: position.offset + 1,
            ..position
        };
        let is_same =
            |there: &Position| (there.topic, there.partition) == (next.topic, next.partition);
        // Mostly it is the partition of the record before.
        let all = &mut self.reflects.next;
        if !all.get(self.passed).is_some_and(is_same) {
            self.passed = all.iter().position(is_same).unwrap_or(all.len());
        }
        match all.get_mut(self.passed) {
            Some(there) => *there = next,
            None => all.push(next),
        }
    }

    /// Does a slice of pending work: feeds that relations change, posts that are decided again for changes of their authors, boosts
    /// for changes of their originals, and feeds that are not kept any more. `Going` means that readers or cursors wait for more.
    pub fn step(&mut self, now: Time) -> Result<Progress, DiskError> {
        self.drop_not_kept();
        self.rebuild_requested();
        let graph = self.graph.read();
        let mut progress = Progress::Done;
        if !self.backlog.is_idle() {
            let shown = |graph: &Graph, account| {
                highest_visible(self.view.horizons.of(graph, account, now))
            };
            progress = self.backlog.step(&self.store, &graph, &shown)?;
            self.is_dirty = true;
        }
        if self.can_reevaluate_authors() {
            self.ingest.again.step(&self.store, &graph)?;
            self.is_dirty = true;
        }
        let boosts = &mut self.ingest.again.boosts;
        if !boosts.is_done() {
            boosts.step(&self.store, &graph)?;
            self.is_dirty = true;
            if boosts.is_changing() {
                progress = Progress::Going;
            }
        }
        Ok(progress)
    }

    /// Folds long deltas into their feeds: every snapshot of such a feed would have to apply the whole delta. They do not wait for a
    /// checkpoint.
    pub fn fold_long(&mut self, now: Time) -> Result<(), DiskError> {
        let graph = self.graph.read();
        let shown = |account| highest_visible(self.view.horizons.of(&graph, account, now));
        self.store.fold_long(&shown)
    }

    /// Takes over other windows and another default patience.
    pub fn set_ordering(&mut self, windows: Windows, patience: Patience, now: Time) {
        self.windows = Arc::new(windows);
        self.ingest.take_changed_holds(&self.windows);
        let mut graph = self.graph.write();
        let before = graph.default_patience_ms();
        graph.set_default_patience(patience);
        if before <= 0 && 0 < graph.default_patience_ms() {
            self.view.horizons.reach_all(now);
        }
        let (origins, windows) = (self.ingest.origins(), &self.windows);
        graph.set_waits(|host| origins.read().hold(host, windows));
        *self.view.windows.write() = Arc::clone(windows);
        self.store.homes.watchers.mark_all_changed();
    }

    /// The records that end the mutes whose time was over by `now`. The driver appends them to the log, and they are in force when they are
    /// read. `run` is how long this process has run: a clock that leaps is found out by it. None are due while the log is not read to its
    /// end, since it may have most of them, or renewals.
    pub fn due_mute_ends(&mut self, log: &LogStatus, now: Time, run: Duration) -> Vec<NewRecord> {
        if !self.catch_up.is_done() || !log.are_relations_read() {
            return Vec::new();
        }
        if self.retention.clock_is_in_doubt(now, run) {
            return Vec::new();
        }
        let ended = self.graph.read().ended_mutes(now);
        let is_wanted: BTreeSet<&(Key, Time)> = ended.iter().collect();
        self.requested_ends.retain(|end, _| is_wanted.contains(end));
        let mut due = Vec::new();
        for end in ended {
            let asked = self.requested_ends.get(&end);
            if asked.is_some_and(|asked| run < asked.saturating_add(ASK_AGAIN)) {
                continue;
            }
            due.extend(mutes::mute_end(&end, now));
            self.requested_ends.insert(end, run);
        }
        due
    }

    /// Whether nothing may be deleted for its age, or no mute ends, because the clock or the log's time leapt.
    pub fn is_time_in_doubt(&self) -> bool {
        self.retention.is_anything_in_doubt()
    }

    /// Does a slice of the sweep over old posts, but not while something is being written: it goes by stored state. Returns how many posts
    /// became stubs or were forgotten.
    pub fn expire(&mut self) -> Result<usize, DiskError> {
        if self.expiry.is_resting() || self.is_flushing {
            return Ok(0);
        }
        self.is_dirty = true;
        let graph = self.graph.read();
        self.expiry
            .step(&self.store, &|actor| graph.is_followed(actor))
    }

    /// Does a slice of the round over accounts whose feeds nobody has read for long: their feeds are dropped. Returns how many.
    pub fn drop_inactive(&mut self, now: Time) -> Result<usize, DiskError> {
        let log_time = self.reflects.log_time;
        if !self.catch_up.is_done()
            || self.inactivity.is_resting(log_time)
            || self.retention.are_in_doubt(now)
        {
            return Ok(0);
        }
        let asleep = self.inactivity.step(
            &self.store,
            &self.graph,
            &self.view.last_access,
            &self.backlog,
            log_time,
        )?;
        self.is_dirty |= 0 < asleep;
        Ok(asleep)
    }

    fn ingest(
        &mut self,
        record: &Record,
        mut envelope: Envelope,
        activity: Activity,
        now: Time,
    ) -> Result<Applied, DiskError> {
        let position = record.position;
        envelope.read_late = self.is_read_late(record, envelope.arrived, now);
        self.reflects.log_time = self.retention.arrived(envelope.arrived, now);
        self.arrived(position, envelope.arrived);
        let at = LogPos::new(position);
        let graph = self.graph.read();
        let context = RecordContext {
            graph: &graph,
            windows: &self.windows,
            at,
            envelope: &envelope,
        };
        match self.ingest.ingest(context, activity) {
            Ok(outcome) => Ok(Applied::Activity(outcome)),
            Err(IngestError::Refused(reason)) => Ok(Applied::Refused(reason)),
            Err(IngestError::Disk(error)) => Err(error),
        }
    }

    /// Whether a record is read so long after it arrived that it is no news. A record that readers may have been shown before is read
    /// again after a crash and by a rebuild: of such records only the log's own time can tell.
    fn is_read_late(&self, record: &Record, arrived: Time, now: Time) -> bool {
        let read = match self.catch_up.was_known(record.position) {
            true => record.timestamp.unwrap_or(arrived),
            false => now,
        };
        arrived.plus(READ_LATE_AFTER) < read
    }

    fn relate(&mut self, record: &Record, change: &Change, now: Time) -> Result<Effect, DiskError> {
        let account = &change.key.account;
        // Before feeds are shown, what counts is what others may have shown by the time of the record.
        let now = match self.catch_up.relations_are_read() {
            true => now,
            false => record.timestamp.map_or(now, |said| said.min(now)),
        };
        let before = {
            let graph = self.graph.read();
            let number = graph.account(account);
            number.and_then(|account| self.view.horizons.of(&graph, account, now))
        };
        let hold_before = reach::hold_before(&self.graph.read(), change, &self.kept);
        let (origins, windows) = (self.ingest.origins(), &self.windows);
        let log_pos = LogPos::new(record.position);
        let read = relations::Read {
            log_pos,
            record: log_pos,
            timestamp: record.timestamp,
            seen: &self.seen,
            again: !self.catch_up.is_done(),
            wait: &|host| origins.read().hold(host, windows),
            kept: &self.kept,
            last_access: &self.view.last_access,
            awakened: &self.view.awakened,
        };
        let effect = relations::relate(&self.store, &self.graph, &mut self.backlog, change, &read)?;
        let seen = Offsets::new(&self.reflects.next);
        let again = &mut self.ingest.again;
        if let Some(target) = &effect.moderated {
            again.add(AuthorChange::Moderation, target, log_pos, &seen);
        }
        for actor in &effect.moved {
            again.add(AuthorChange::Locality, actor, log_pos, &seen);
        }
        if effect.purge {
            self.view.horizons.forget(account);
        }
        if let Some(number) = effect.account {
            // What is left of it may have put it to sleep at once, if it is not kept.
            let sleeps = self.graph.read().is_inactive(number);
            if effect.purge && !sleeps {
                self.view.last_access.forget(number);
            } else if self.catch_up.is_done() {
                self.view.last_access.note(number);
            }
        }
        let said = record.timestamp.map(|said| said.min(now));
        if let (Some(number), Some(_)) = (effect.account, effect.patience_ms_before) {
            // What was shown stays so.
            let reached = relations::shown_until(&self.store, number, before, said, now)?;
            self.view.horizons.reach(account, reached);
        }
        reach::reach_before_longer_hold(&self.view, change, hold_before, said);
        // Whatever was said of it may have changed its hold.
        self.store
            .homes
            .watchers
            .mark_changed(effect.account.as_slice());
        Ok(effect)
    }

    /// A record of this partition that arrived at this time is taken.
    fn arrived(&mut self, position: Position, arrived: Time) {
        let partition = (position.topic, position.partition);
        let newest = self.arrived.entry(partition).or_default();
        *newest = arrived.max(*newest);
    }

    fn can_reevaluate_authors(&self) -> bool {
        let again = &self.ingest.again;
        let waits = again.scans() && self.is_flushing;
        !waits && !again.are_authors_done()
    }
}

/// The log as cursors name it: one cursor is never good for feeds of both kinds of places, which are other feeds.
fn log_of_cursors(log: u64, place_source: PlaceSource) -> u64 {
    match place_source {
        PlaceSource::Published => log,
        PlaceSource::Ref => xxh3_64_with_seed(place_source.name().as_bytes(), log),
    }
}
