//! A node without its edges: the log is a list and the time an argument, all else is what the service runs, in the
//! order in which the loop of [`crate::pipeline`] runs it.

use super::log::{ACCOUNTS, Log, PARTITIONS, REPEAT_AFTER, partition};
use super::model::is_of_relations;
use crate::feed::again::{self, Again};
use crate::feed::kept::At;
use crate::feed::merge::Progress;
use crate::feed::store::{Options, Reflects, Store};
use crate::graph::{AccountIx, Graph};
use crate::pipeline::admit::{Admission, AdmitError};
use crate::pipeline::settle::Settling;
use crate::pipeline::{relate, sleep};
use crate::post::mark::{Mark, Seen};
use crate::post::record::{Position, Topic};
use crate::post::relationship::{Change, Patience};
use crate::post::said::{Said, said};
use crate::reader::attendance::Attendance;
use crate::reader::horizons::Horizons;
use crate::reader::view::{Built, View};
use crate::watch;
use parking_lot::RwLock;
use slackwater_order::horizon::highest_visible;
use slackwater_order::origin_stats::{OBSERVATIONS_MIN, OriginStats};
use slackwater_order::time::Time;
use slackwater_order::verdict::Verdict;
use slackwater_order::window::{Auto, ReorderWindow, Windows};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Boosts of one post that are decided at once, and in a slice: so few that many wait.
const BOOSTS_AT_ONCE: usize = 1;
/// Of every log here.
const LOG: u64 = 7;
/// An origin whose window is known from the beginning, so that it is learned on, not for the first time.
const LEARNED: &str = "bursty.example";

pub(in crate::pipeline) struct Node {
    folder: TempDir,
    store: Arc<Store>,
    graph: Arc<RwLock<Graph>>,
    admission: Admission,
    settling: Settling,
    pub(in crate::pipeline) view: View,
    built: watch::Sender<Arc<Built>>,
    windows: Arc<Windows>,
    patience: Patience,
    seen: Arc<Seen>,
    arrived: BTreeMap<i32, Time>,
    reflects: Reflects,
    /// Of each partition, its end when this process began.
    start: [usize; PARTITIONS],
    /// Up to where the process before this had read, if what it stored may reflect that.
    stored: [usize; PARTITIONS],
    length: usize,
}

impl Node {
    /// A node with an empty data folder.
    pub(in crate::pipeline) fn new(
        length: usize,
        windows: Windows,
        ends: [usize; PARTITIONS],
    ) -> Node {
        let folder = tempfile::tempdir().unwrap();
        Node::open(folder, length, windows, Patience::For(Duration::ZERO), ends)
    }

    fn open(
        folder: TempDir,
        length: usize,
        windows: Windows,
        patience: Patience,
        start: [usize; PARTITIONS],
    ) -> Node {
        let options = Options {
            path: folder.path().to_owned(),
            length,
            boost_repeat_after: Duration::from_millis(REPEAT_AFTER),
            unflushed_entries_max: usize::MAX,
            unflushed_bytes_max: usize::MAX,
            cache_bytes: 1 << 20,
        };
        let store = Arc::new(crate::pipeline::tests::open_patiently(&options));
        let mut graph = Graph::default();
        relate::load(&store, &mut graph).unwrap();
        let attendance = Arc::new(Attendance::default());
        sleep::load(&store, &mut graph, &attendance).unwrap();
        let mut admission = Admission::new(Arc::clone(&store)).unwrap();
        learn_before(&admission);
        graph.set_default_patience(patience);
        let windows = Arc::new(windows);
        admission.take_changed_holds(&windows);
        graph.set_waits(|host| admission.origins().read().hold(host, &windows));
        let (built, watching) = watch::channel(Arc::default());
        let graph = Arc::new(RwLock::new(graph));
        let reflects = store.reflects().unwrap();
        admission.again = Again::new(reflects.again.clone(), BOOSTS_AT_ONCE);
        let view = View {
            store: Arc::clone(&store),
            graph: Arc::clone(&graph),
            origins: Arc::clone(admission.origins()),
            windows: Arc::new(RwLock::new(Arc::clone(&windows))),
            horizons: Arc::new(Horizons::new(store.reached().unwrap().into_iter())),
            attendance,
            unsettled: Arc::default(),
            edited: admission.again.boosts.waiting(),
            log: LOG.into(),
            built: watching,
        };
        let mut node = Node {
            folder,
            store,
            graph,
            admission,
            settling: Settling::new(Arc::clone(&view.unsettled)),
            view,
            built,
            windows,
            patience,
            seen: Arc::new(Seen::new(&reflects.next)),
            arrived: BTreeMap::new(),
            reflects,
            start,
            stored: [0; PARTITIONS],
            length,
        };
        node.announce(&start, Time::default());
        node
    }

    /// What a `kill -9` leaves, begun again: the data folder as the last checkpoint left it.
    pub(in crate::pipeline) fn crash(self, ends: [usize; PARTITIONS]) -> Node {
        let stored = self.reflected();
        let Node {
            folder,
            store,
            graph,
            admission,
            view,
            windows,
            patience,
            length,
            ..
        } = self;
        drop((graph, admission, view, store));
        Node {
            stored,
            ..Node::open(folder, length, Windows::clone(&windows), patience, ends)
        }
    }

    /// Of each partition, up to where its feeds may reflect the log: after a checkpoint was cut off that is further than
    /// it says, until it has read so far again.
    pub(in crate::pipeline) fn reflected(&self) -> [usize; PARTITIONS] {
        let read = self.read();
        std::array::from_fn(|n| read[n].max(self.stored[n]))
    }

    /// Of each partition, how many records were read.
    pub(in crate::pipeline) fn read(&self) -> [usize; PARTITIONS] {
        std::array::from_fn(|number| {
            let here = partition(number);
            let next = self.reflects.next.iter();
            let mut next = next.filter(|next| (next.topic, next.partition) == here);
            next.next().map_or(0, |next| next.offset as usize)
        })
    }

    /// Takes the next record of a partition in.
    pub(in crate::pipeline) fn take(&mut self, log: &Log, number: usize, now: Time) {
        let offset = self.read()[number];
        let record = log.partitions[number][offset].record(partition(number), offset);
        match said(&record) {
            Said::Relation(change) => self.relate(&record.position, record.timestamp, &change, now),
            Said::Activity(envelope, activity) => {
                self.reflects.log_time = self.reflects.log_time.max(envelope.arrived);
                let arrived = self.arrived.entry(record.position.partition).or_default();
                *arrived = envelope.arrived.max(*arrived);
                let at = At {
                    partition: record.position.partition,
                    offset: record.position.offset,
                };
                let graph = self.graph.read();
                match self
                    .admission
                    .admit(&graph, &self.windows, at, &envelope, *activity)
                {
                    Ok(_) => {}
                    Err(AdmitError::Refused(reason)) => panic!("refused: {reason}"),
                    Err(AdmitError::Disk(error)) => panic!("{error}"),
                }
            }
            Said::Unusable(reason) => panic!("unusable: {reason}"),
        }
        let next = Position {
            offset: record.position.offset + 1,
            ..record.position
        };
        let is_here =
            |there: &&mut Position| (there.topic, there.partition) == (next.topic, next.partition);
        match self.reflects.next.iter_mut().find(is_here) {
            Some(there) => *there = next,
            None => self.reflects.next.push(next),
        }
    }

    fn relate(&mut self, position: &Position, timestamp: Option<Time>, change: &Change, now: Time) {
        let account = &change.key.account;
        let before = {
            let graph = self.graph.read();
            let number = graph.account(account);
            number.and_then(|account| self.view.horizons.of(&graph, account, now))
        };
        let (origins, windows) = (self.admission.origins(), &self.windows);
        let mark = Mark::new(*position);
        let read = relate::Read {
            mark,
            timestamp,
            seen: &self.seen,
            again: !self.is_caught_up(|_| true),
            wait: &|host| origins.read().hold(host, windows),
        };
        let effect = relate::relate(&self.store, &self.graph, &mut self.settling, change, &read);
        let effect = effect.unwrap();
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
            if let Some(number) = effect.account {
                self.view.attendance.forget(number);
            }
        }
        if let (Some(number), Some(_)) = (effect.account, effect.patience_ms_before) {
            let reached = relate::shown_until(&self.store, number, before, timestamp, now);
            self.view.horizons.reach(account, reached.unwrap());
        }
    }

    /// Takes so many steps at what relations call for.
    pub(in crate::pipeline) fn settle(&mut self, steps: usize, now: Time) {
        let graph = self.graph.read();
        let shown =
            |graph: &Graph, account| highest_visible(self.view.horizons.of(graph, account, now));
        for _ in 0..steps {
            if self.settling.step(&self.store, &graph, &shown).unwrap() == Progress::Done {
                break;
            }
        }
        let boosts = &mut self.admission.again.boosts;
        for _ in 0..steps {
            if boosts.is_done() {
                break;
            }
            boosts.step(&self.store, &graph).unwrap();
        }
    }

    /// An account has not been seen for long; whether it has feeds to lose.
    pub(in crate::pipeline) fn put_to_sleep(&self, account: usize) -> bool {
        let number = self.graph.read().account(ACCOUNTS[account]);
        number.is_some_and(|number| {
            !self.view.graph.read().is_asleep(number)
                && self.view.unsettled.held(number).is_none()
                && sleep::put_to_sleep(&self.store, &self.graph, &self.view.attendance, number)
        })
    }

    /// Wakes an account; whether it slept. Readers are to be told then.
    pub(in crate::pipeline) fn rouse(&mut self, account: usize, now: Time) -> bool {
        let number = self.graph.read().account(ACCOUNTS[account]);
        let Some(number) = number.filter(|number| self.view.attendance.is_asleep(*number)) else {
            return false;
        };
        let read = Arc::new(Seen::new(&self.reflects.next));
        sleep::wake(&self.store, &self.graph, &mut self.settling, number, &read);
        self.settle(usize::MAX, now);
        true
    }

    /// Tells readers how far all is built. `ends` is where the log ends, `now` the moment it was looked at.
    pub(in crate::pipeline) fn announce(&mut self, ends: &[usize; PARTITIONS], now: Time) {
        for (host, wait) in self.admission.take_changed_holds(&self.windows) {
            self.graph.write().set_wait(&host, wait);
        }
        let graph = self.graph.read();
        self.admission.again.step(&self.store, &graph).unwrap();
        self.admission
            .again
            .boosts
            .step(&self.store, &graph)
            .unwrap();
        drop(graph);
        let taken = Arc::new(Seen::new(&self.reflects.next));
        self.seen = self.admission.again.told(&taken);
        let built = Built {
            taken,
            seen: Arc::clone(&self.seen),
            spoken: self.admission.again.spoken(),
            ends: Arc::new(seen(ends)),
            relations_in_force: self.is_caught_up(is_of_relations),
            log_reachable: true,
            letters_failing: None,
            ..Built::default()
        };
        let announce = || self.built.send_replace(Arc::new(built));
        let settled = self.settling.announce(announce);
        let slept = |account: &AccountIx| self.view.attendance.is_asleep(*account);
        let woke: Vec<_> = settled.into_iter().filter(slept).collect();
        self.view.attendance.woke(&woke);
        let read = self.read();
        let lagging = (0..PARTITIONS).filter(|n| !is_of_relations(*n) && read[*n] < ends[*n]);
        let taken = lagging.map(|n| {
            let partition = partition(n).1;
            self.arrived.get(&partition).copied().unwrap_or_default()
        });
        self.view.horizons.set_built(taken.fold(now, Time::min));
    }

    pub(in crate::pipeline) fn checkpoint(&mut self, now: Time) {
        assert!(self.try_checkpoint(now));
    }

    /// A checkpoint of which only the first `writes` reach the disk; whether that was all of it.
    pub(in crate::pipeline) fn checkpoint_cut_off(&mut self, writes: u64, now: Time) -> bool {
        self.store.cut_off_after(writes);
        let was_all = self.try_checkpoint(now);
        self.store.cut_off_after(u64::MAX);
        was_all
    }

    /// Writes the rows that the log does not have.
    pub(in crate::pipeline) fn write_rows(&mut self) {
        let reached = self.view.horizons.unstored();
        let last_seen = sleep::attendance_known(&self.graph.read(), &self.view.attendance);
        self.store.write_rows(&reached, &last_seen).unwrap();
    }

    fn try_checkpoint(&mut self, now: Time) -> bool {
        self.admission.put_origins();
        self.reflects.again = self.admission.again.left();
        self.store.put_reached(self.view.horizons.unstored());
        let reflected = self.settling.reflected(&self.reflects);
        let graph = self.graph.read();
        self.settling.note(&self.store, &graph);
        sleep::put_attendance(&self.store, &graph, &self.view.attendance);
        let shown = |account| highest_visible(self.view.horizons.of(&graph, account, now));
        self.store.checkpoint_showing(&reflected, &shown).is_ok()
    }

    /// Other windows and another default patience.
    pub(in crate::pipeline) fn reload(&mut self, windows: Windows, patience: Patience, now: Time) {
        self.windows = Arc::new(windows);
        self.patience = patience;
        self.admission.take_changed_holds(&self.windows);
        let mut graph = self.graph.write();
        let before = graph.default_patience_ms();
        graph.set_default_patience(patience);
        if before <= 0 && 0 < graph.default_patience_ms() {
            self.view.horizons.reach_all(now);
        }
        let (origins, windows) = (self.admission.origins(), &self.windows);
        graph.set_waits(|host| origins.read().hold(host, windows));
        *self.view.windows.write() = Arc::clone(windows);
    }

    /// How long who has so many milliseconds of patience waits for this origin, in milliseconds: by the rule as it is
    /// written, from the curve alone.
    pub(in crate::pipeline) fn wait_ms(&self, host: &str, patience: i64) -> i64 {
        let origins = self.admission.origins().read();
        let delays = origins.get(host);
        let learned = delays.and_then(OriginStats::learned);
        let window = slackwater_order::time::millis_of(self.windows.holding(host, learned));
        if window <= patience {
            return window;
        }
        let is_learned = self.windows.of(host).reorder_window == ReorderWindow::Auto;
        let Some(curve) = delays.and_then(OriginStats::curve).filter(|_| is_learned) else {
            return 0;
        };
        let within = curve.shares().take_while(|(end, _)| *end <= patience);
        let Some((end, most)) = within.last() else {
            return 0;
        };
        let pays = if curve.pays_from_ms() <= end {
            0.45
        } else {
            0.5
        };
        let enough = self.windows.auto.quantile * most;
        let first = curve.shares().find(|(_, share)| enough <= *share);
        first.filter(|_| pays <= most).map_or(0, |(end, _)| end)
    }

    /// How long accounts wait that say nothing, in milliseconds.
    pub(in crate::pipeline) fn patience_ms(&self) -> i64 {
        self.graph.read().default_patience_ms()
    }

    /// Whether feeds are shown: all relations there were at the start are in force.
    pub(in crate::pipeline) fn is_open(&self) -> bool {
        self.view.built.borrow().relations_in_force
    }

    /// Whether all was decided again that something was said of its author, or of what it boosts.
    pub(in crate::pipeline) fn is_decided(&self) -> bool {
        self.admission.again.is_all_told()
    }

    /// Whether all was decided again that something was said of its author.
    pub(in crate::pipeline) fn are_authors_decided(&self) -> bool {
        self.admission.again.are_authors_done()
    }

    /// Whether readers were last told of less than was read.
    pub(in crate::pipeline) fn is_held_back(&self) -> bool {
        let built = self.view.built.borrow();
        built.seen != built.taken
    }

    /// Whether readers were told of everything that was read.
    pub(in crate::pipeline) fn is_between_batches(&self) -> bool {
        *self.seen == Seen::new(&self.reflects.next)
    }

    fn is_caught_up(&self, of: impl Fn(usize) -> bool) -> bool {
        let read = self.read();
        (0..PARTITIONS).all(|n| !of(n) || self.start[n] <= read[n])
    }
}

/// How far so many records of each partition reach.
pub(in crate::pipeline) fn seen(read: &[usize; PARTITIONS]) -> Seen {
    let next = read.iter().enumerate().map(|(number, offset)| {
        let (topic, partition): (Topic, i32) = partition(number);
        Position {
            topic,
            partition,
            offset: *offset as i64,
        }
    });
    Seen::new(&next.collect::<Vec<_>>())
}

/// So many delays of one origin were seen long ago that its window is learned, and moves with what comes.
fn learn_before(admission: &Admission) {
    let mut origins = admission.origins().write();
    if origins.get(LEARNED).is_some() {
        return;
    }
    let mut delays = OriginStats::default();
    for n in 0..OBSERVATIONS_MIN as i64 {
        let arrived = Time::from_millis(super::log::BEGIN - 60_000);
        delays.count(Verdict::InTime, Some(n * 100), arrived, &Auto::default());
    }
    assert!(origins.restore(LEARNED, delays.to_row(&[]), &[]));
}
