//! What drives the engine here: a list for a log, an integer for a clock, and one thread.

use super::log::{ACCOUNTS, Log, MuteEnd, PARTITIONS, REPEAT_AFTER, partition};
use crate::decode::decode_record;
use crate::engine::flush::Flush;
use crate::engine::log_status::LogStatus;
use crate::engine::publish::ServiceStatus;
use crate::engine::{Applied, Engine, Options, inactivity};
use crate::feed::expiry::Keep;
use crate::feed::merge::Progress;
use crate::feed::post::State;
use crate::feed::store::{self, Store};
use crate::kept::Kept;
use crate::record::offsets::Offsets;
use crate::record::{PartitionEnd, Position};
use crate::relationship::{Patience, Relation, decode};
use crate::view::View;
use slackwater_order::origin_stats::{OBSERVATIONS_MIN, OriginStats};
use slackwater_order::place::PostId;
use slackwater_order::ref_place::PlaceSource;
use slackwater_order::time::Time;
use slackwater_order::verdict::Verdict;
use slackwater_order::window::{Auto, ReorderWindow, Windows};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Boosts of one post that are decided at once, and in a slice: so few that many wait.
const BOOSTS_AT_ONCE: usize = 1;
/// The hash of every log here.
const LOG: u64 = 7;
/// What no feed needs is left as a stub when it arrived so long ago.
const KEEP_POSTS: Duration = Duration::from_secs(300);
/// Longer than any history: stubs and removals stay.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);
/// An origin whose window is known from the beginning, so that it is learned on, not for the first time.
const LEARNED: &str = "bursty.example";

/// A node without its edges.
pub(in crate::engine) struct Node {
    folder: TempDir,
    engine: Engine,
    pub(in crate::engine) view: View,
    /// A checkpoint that was taken out and is not written.
    flush: Option<Flush>,
    patience: Patience,
    place_source: PlaceSource,
    /// Up to where the process before this had read, if what it stored may reflect that.
    stored: [usize; PARTITIONS],
    length: usize,
    /// Whose feeds it keeps when it starts.
    kept: Kept,
}

impl Node {
    /// A node with an empty data folder.
    pub(in crate::engine) fn new(
        length: usize,
        windows: Windows,
        ends: [usize; PARTITIONS],
    ) -> Node {
        Node::placing(PlaceSource::Published, length, windows, ends)
    }

    /// A node with an empty data folder, where posts get their places from this.
    pub(in crate::engine) fn placing(
        place_source: PlaceSource,
        length: usize,
        windows: Windows,
        ends: [usize; PARTITIONS],
    ) -> Node {
        let folder = tempfile::tempdir().unwrap();
        let patience = Patience::For(Duration::ZERO);
        Node::open(
            folder,
            place_source,
            length,
            windows,
            patience,
            ends,
            Kept::All,
        )
    }

    /// A node of a cluster with an empty data folder. It keeps nobody's feeds until it is told whose.
    pub(in crate::engine) fn in_cluster(
        length: usize,
        windows: Windows,
        patience: Patience,
        ends: [usize; PARTITIONS],
    ) -> Node {
        let folder = tempfile::tempdir().unwrap();
        let place_source = PlaceSource::Published;
        let kept = Kept::nobody();
        Node::open(folder, place_source, length, windows, patience, ends, kept)
    }

    fn open(
        folder: TempDir,
        place_source: PlaceSource,
        length: usize,
        windows: Windows,
        patience: Patience,
        ends: [usize; PARTITIONS],
        kept: Kept,
    ) -> Node {
        let store = Store::open_patiently(&store::Options {
            path: folder.path().to_owned(),
            length,
            boost_repeat_after: Duration::from_millis(REPEAT_AFTER),
            unflushed_entries_max: usize::MAX,
            unflushed_bytes_max: usize::MAX,
            cache_bytes: 1 << 20,
        });
        let options = Options {
            windows,
            place_source,
            patience,
            kept: kept.clone(),
            log: LOG,
            boosts_at_once: BOOSTS_AT_ONCE,
            keep: Keep {
                posts: KEEP_POSTS,
                stubs: FOR_EVER,
                removals: FOR_EVER,
            },
            ..Options::default()
        };
        let next = store.reflects().unwrap().next;
        let status = status(&read_of(&next), &ends);
        let engine = Engine::open(Arc::new(store), &status, options).unwrap();
        learn_before(&engine);
        let mut node = Node {
            folder,
            view: engine.view().clone(),
            engine,
            flush: None,
            patience,
            place_source,
            stored: [0; PARTITIONS],
            length,
            kept,
        };
        node.announce(&ends, Time::default());
        node
    }

    /// What a `kill -9` leaves, begun again: the data folder as the last checkpoint left it.
    pub(in crate::engine) fn crash(self, ends: [usize; PARTITIONS]) -> Node {
        let stored = self.reflected();
        let Node {
            folder,
            engine,
            view,
            flush,
            patience,
            place_source,
            length,
            kept,
            ..
        } = self;
        let windows = Windows::clone(&engine.windows);
        drop((flush, engine, view));
        Node {
            stored,
            ..Node::open(folder, place_source, length, windows, patience, ends, kept)
        }
    }

    /// Up to where its feeds may reflect each partition of the log: after a checkpoint was cut off that is further than
    /// it says, until it has read so far again.
    pub(in crate::engine) fn reflected(&self) -> [usize; PARTITIONS] {
        let read = self.read();
        std::array::from_fn(|n| read[n].max(self.stored[n]))
    }

    /// How many records of each partition were read.
    pub(in crate::engine) fn read(&self) -> [usize; PARTITIONS] {
        read_of(self.engine.next())
    }

    /// Takes the next record of a partition in.
    pub(in crate::engine) fn take(&mut self, log: &Log, number: usize, now: Time) {
        let offset = self.read()[number];
        let record = log.partitions[number][offset].record(partition(number), offset);
        match self
            .engine
            .apply(&record, decode_record(record.view()), now)
            .unwrap()
        {
            Applied::Relation(_) | Applied::Activity(_) => self.engine.pass(&record),
            Applied::Refused(reason) => panic!("refused: {reason}"),
            Applied::Unusable(reason) => panic!("unusable: {reason}"),
        }
    }

    /// Feeds are kept of these accounts alone.
    pub(in crate::engine) fn keep_only(&mut self, kept: Kept) {
        self.engine.keep_only(kept);
    }

    /// Takes so many steps at what is owed.
    pub(in crate::engine) fn step(&mut self, steps: usize, now: Time) {
        for _ in 0..steps {
            if self.engine.step(now).unwrap() == Progress::Done {
                break;
            }
        }
    }

    /// Does a slice of the sweep over old posts; how many became stubs.
    pub(in crate::engine) fn expire(&mut self) -> usize {
        self.engine.expire().unwrap()
    }

    /// Whether only a stub is left of a post.
    pub(in crate::engine) fn is_stub(&self, uri: &str) -> bool {
        let post = self.engine.store.post_by_uri(uri).unwrap();
        post.is_some_and(|post| post.state == State::Stub)
    }

    /// Whether the entry at a place is one of these posts, shows one, or shows what one of them boosts: then that may hide it.
    pub(in crate::engine) fn concerns_one_of(&self, id: u64, uris: &BTreeSet<String>) -> bool {
        let store = &self.engine.store;
        let Some(post) = store.post(PostId::from_number(id).unwrap()).unwrap() else {
            return false;
        };
        let visible = post.body.boost_of.as_ref().unwrap_or(&post.body.uri);
        let boosts = |uri: &String| {
            let post = store.post_by_uri(uri).unwrap();
            post.is_some_and(|post| post.body.boost_of.as_ref() == Some(visible))
        };
        uris.contains(&post.body.uri) || uris.contains(visible) || uris.iter().any(boosts)
    }

    /// Whether what is left of a post arrived so long ago that it may be a stub.
    pub(in crate::engine) fn may_be_stub(&self, uri: &str, now: Time) -> bool {
        let post = self.engine.store.post_by_uri(uri).unwrap();
        post.is_some_and(|post| post.arrived < now.minus(KEEP_POSTS))
    }

    /// An account has not been seen for long; whether it has feeds to lose.
    pub(in crate::engine) fn drop_feeds(&self, account: usize) -> bool {
        let engine = &self.engine;
        let number = engine.graph.read().account(ACCOUNTS[account]);
        number.is_some_and(|number| {
            !engine.graph.read().is_inactive(number)
                && engine.view.pending_relations.held(number).is_none()
                && inactivity::drop_feeds(
                    &engine.store,
                    &engine.graph,
                    &engine.view.last_access,
                    number,
                )
        })
    }

    /// Whether an account has no feeds, since nobody read them for long.
    pub(in crate::engine) fn sleeps(&self, account: usize) -> bool {
        let number = self.engine.graph.read().account(ACCOUNTS[account]);
        number.is_some_and(|number| self.view.last_access.is_inactive(number))
    }

    /// Wakes an account, as a reader does who looks at a feed of it; whether it slept. Readers are to be told then.
    pub(in crate::engine) fn rouse(&mut self, account: usize, now: Time) -> bool {
        let number = self.engine.graph.read().account(ACCOUNTS[account]);
        let last_access = &self.view.last_access;
        let Some(number) = number.filter(|number| last_access.is_inactive(*number)) else {
            return false;
        };
        last_access.request_feeds(number).unwrap();
        self.step(usize::MAX, now);
        true
    }

    /// Tells readers how far all is built. `ends` is where the log ends, `now` the moment it was looked at.
    pub(in crate::engine) fn announce(&mut self, ends: &[usize; PARTITIONS], now: Time) {
        let log = status(&self.read(), ends);
        self.engine.follow(&log);
        let beside = ServiceStatus {
            settled: Some(now),
            ..ServiceStatus::default()
        };
        self.engine.publish(&log, beside);
    }

    /// Tells readers how far all is built while the log does not answer, which was last seen to end at `ends`.
    pub(in crate::engine) fn announce_cut_off(&mut self, ends: &[usize; PARTITIONS]) {
        let log = LogStatus {
            is_reachable: false,
            ..status(&self.read(), ends)
        };
        self.engine.follow(&log);
        self.engine.publish(&log, ServiceStatus::default());
    }

    /// The mutes that have ended, of which a record is to say so: account, whom, and until when.
    pub(in crate::engine) fn due_mute_ends(
        &mut self,
        ends: &[usize; PARTITIONS],
        now: Time,
    ) -> Vec<MuteEnd> {
        let log = status(&self.read(), ends);
        let run = Duration::from_millis(now.millis().abs_diff(super::log::BEGIN));
        let due = self.engine.due_mute_ends(&log, now, run);
        let said = due.iter().map(|record| {
            let read = decode(Some(&record.key), record.value.as_deref());
            match read.unwrap().relation {
                Some(Relation::MuteEnd {
                    account,
                    target,
                    until,
                }) => (account, target, until),
                other => panic!("no mute ends by {other:?}"),
            }
        });
        said.collect()
    }

    pub(in crate::engine) fn checkpoint(&mut self, now: Time) {
        assert!(self.try_checkpoint(now));
    }

    /// Takes out all that is new, to be written later.
    pub(in crate::engine) fn begin_checkpoint(&mut self, now: Time) {
        if self.flush.is_none() {
            self.flush = Some(self.engine.begin_flush(now, <[Position]>::to_vec));
        }
    }

    /// Writes what was taken out, if anything was.
    pub(in crate::engine) fn end_checkpoint(&mut self) {
        assert!(self.write_flush());
    }

    /// A checkpoint of which only the first `writes` reach the disk; whether that was all of it.
    pub(in crate::engine) fn checkpoint_cut_off(&mut self, writes: u64, now: Time) -> bool {
        // One that was taken out before is what is cut off.
        let was_begun = self.flush.is_some();
        self.engine.store.cut_off_after(writes);
        let was_all = match was_begun {
            true => self.write_flush(),
            false => self.try_checkpoint(now),
        };
        self.engine.store.cut_off_after(u64::MAX);
        was_all
    }

    /// Writes the rows that the log does not have.
    pub(in crate::engine) fn write_rows(&mut self) {
        if self.flush.is_some() {
            return;
        }
        if let Some(rows) = self.engine.begin_rows() {
            rows.write().unwrap();
            self.engine.end_flush();
        }
    }

    fn try_checkpoint(&mut self, now: Time) -> bool {
        if !self.write_flush() {
            return false;
        }
        self.begin_checkpoint(now);
        self.write_flush()
    }

    fn write_flush(&mut self) -> bool {
        let Some(flush) = self.flush.take() else {
            return true;
        };
        let is_whole = flush.write().is_ok();
        self.engine.end_flush();
        is_whole
    }

    /// Other windows and another default patience.
    pub(in crate::engine) fn reload(&mut self, windows: Windows, patience: Patience, now: Time) {
        self.patience = patience;
        self.engine.set_ordering(windows, patience, now);
    }

    /// How long who has so many milliseconds of patience waits for this origin, in milliseconds: by the rule as it is
    /// written, from the curve alone.
    pub(in crate::engine) fn wait_ms(&self, host: &str, patience: i64) -> i64 {
        let origins = self.engine.view.origins.read();
        let delays = origins.get(host);
        let learned = delays.and_then(OriginStats::learned);
        let window = slackwater_order::time::millis_of(self.engine.windows.holding(host, learned));
        if window <= patience {
            return window;
        }
        let is_learned = self.engine.windows.of(host).reorder_window == ReorderWindow::Auto;
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
        let enough = self.engine.windows.auto.quantile * most;
        let first = curve.shares().find(|(_, share)| enough <= *share);
        first.filter(|_| pays <= most).map_or(0, |(end, _)| end)
    }

    /// How long accounts wait that say nothing, in milliseconds.
    pub(in crate::engine) fn patience_ms(&self) -> i64 {
        self.engine.graph.read().default_patience_ms()
    }

    /// Whether feeds are shown: all relations there were at the start are in force.
    pub(in crate::engine) fn is_open(&self) -> bool {
        self.view.built.borrow().relations_in_force
    }

    /// Whether all was decided again that something was said of its author, or of what it boosts.
    pub(in crate::engine) fn is_decided(&self) -> bool {
        self.engine.ingest.again.is_all_told()
    }

    /// Whether all was decided again that something was said of its author.
    pub(in crate::engine) fn are_authors_decided(&self) -> bool {
        self.engine.ingest.again.are_authors_done()
    }

    /// Whether readers were last told of less than was read.
    pub(in crate::engine) fn is_held_back(&self) -> bool {
        let built = self.view.built.borrow();
        built.seen != built.taken
    }

    /// Whether readers were told of everything that was read.
    pub(in crate::engine) fn is_between_batches(&self) -> bool {
        *self.engine.seen == Offsets::new(self.engine.next())
    }
}

/// The log, read so far and ending there.
fn status(read: &[usize; PARTITIONS], ends: &[usize; PARTITIONS]) -> LogStatus {
    let end = |number: usize| {
        let (topic, partition) = partition(number);
        PartitionEnd {
            topic,
            partition,
            next: read[number] as i64,
            end: ends[number] as i64,
        }
    };
    LogStatus {
        ends: (0..PARTITIONS).map(end).collect(),
        is_reachable: true,
        transit: Duration::ZERO,
    }
}

/// How many records of each partition were read.
fn read_of(next: &[Position]) -> [usize; PARTITIONS] {
    std::array::from_fn(|number| {
        let here = partition(number);
        let mut next = next
            .iter()
            .filter(|next| (next.topic, next.partition) == here);
        next.next().map_or(0, |next| next.offset as usize)
    })
}

/// So many delays of one origin were seen long ago that its window is learned, and moves with what comes.
fn learn_before(engine: &Engine) {
    let mut origins = engine.view.origins.write();
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
