//! Promises of order and of loss, held against a plain model: activities and relations go through the real decoding,
//! placing, fan-out and sled; only the log is a list here.

mod actors;
mod any_order;
mod boosts;
mod followers;
mod forgotten;
mod inactivity;
mod kept;
mod merges;
mod ordering;
mod partitions;
mod random;
mod ref_places;
mod reference_model;
mod refs;
mod relation_changes;
mod roaming;
mod scenario;
mod verbs;

use super::log_status::LogStatus;
use super::{Applied, Engine, Options, relations};
use crate::decode::{Decoded, decode_record};
use crate::feed::boosts::SLICE;
use crate::feed::expiry::Expiry;
use crate::feed::feed_id::FeedId;
use crate::feed::merge::Progress;
use crate::feed::ordered_feed::OrderedFeed;
use crate::feed::post::State;
use crate::feed::reevaluate::Reevaluation;
use crate::feed::store::{self, Index, Store};
use crate::feed::unfinished::AuthorChange;
use crate::graph::Graph;
use crate::record::offsets::{LogPos, Offsets};
use crate::record::{PartitionEnd, Position, Record, Topic};
use crate::view::visible::visible;
use proptest::prelude::*;
use slackwater_order::place::PostId;
use slackwater_order::ref_place::PlaceSource;
use slackwater_order::time::Time;
use slackwater_order::verdict::{Disposition, Verdict};
use slackwater_order::window::{LatePolicy, ReorderWindow, TooLatePolicy, Windows};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const NOON: i64 = 1_763_805_600_000;
const LENGTH: usize = 12;

/// One thing the log holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Activity {
        json: String,
        arrived: i64,
        /// What the backend says of it.
        beside: Beside,
    },
    Relation(String),
}

/// What a backend says of an activity beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Beside {
    fetched: bool,
    inner_verified: bool,
    /// Its own id of the post.
    post_ref: Option<String>,
    /// A removal is its own forgetting.
    forgotten: bool,
}

impl Beside {
    fn headers(&self) -> Vec<(String, Vec<u8>)> {
        let yes = |is_so: bool| is_so.then(|| "true".to_owned());
        let headers = [
            ("fetched", yes(self.fetched)),
            ("inner-verified", yes(self.inner_verified)),
            ("ref", self.post_ref.clone()),
            ("forgotten", yes(self.forgotten)),
        ];
        let headers = headers.into_iter();
        let headers = headers.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        headers
            .map(|(name, value)| (name, value.into_bytes()))
            .collect()
    }
}

/// The same, with this as the backend's own id of the post.
fn with_ref(line: Line, post_ref: &str) -> Line {
    match line {
        Line::Activity {
            json,
            arrived,
            beside,
        } => Line::Activity {
            json,
            arrived,
            beside: Beside {
                post_ref: Some(post_ref.to_owned()),
                ..beside
            },
        },
        line @ Line::Relation(_) => line,
    }
}

/// A post is forgotten by the backend, which has this id of it.
fn forget(author: usize, n: usize, post_ref: &str, arrived: i64) -> Line {
    let Line::Activity { json, .. } = delete(author, n, arrived) else {
        unreachable!()
    };
    let beside = Beside {
        post_ref: Some(post_ref.to_owned()),
        forgotten: true,
        ..Beside::default()
    };
    Line::Activity {
        json,
        arrived,
        beside,
    }
}

/// An engine driven by one list of records.
struct World {
    folder: TempDir,
    engine: Engine,
    refused: Vec<String>,
    /// When the last activity arrived.
    arrived_last: Time,
    /// What stands before this was read before the last crash, some of it perhaps in vain.
    read_before: usize,
    boosts_at_once: usize,
    place_source: PlaceSource,
}

impl Deref for World {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }
}

impl World {
    fn new() -> World {
        World::with(Windows::default())
    }

    fn with(windows: Windows) -> World {
        World::placing(PlaceSource::Published, windows)
    }

    /// Where posts get their places from this.
    fn placing(place_source: PlaceSource, windows: Windows) -> World {
        let folder = tempfile::tempdir().unwrap();
        World::open(folder, 0, windows, SLICE, place_source)
    }

    /// Where no boost is decided as its original is read, and one in a slice.
    fn in_slices() -> World {
        World::new().with_boosts_at_once(0)
    }

    fn with_boosts_at_once(self, boosts_at_once: usize) -> World {
        let mut world = self;
        let left = world.ingest.again.left();
        world.ingest.again = Reevaluation::new(left, boosts_at_once);
        world.boosts_at_once = boosts_at_once;
        world
    }

    fn open(
        folder: TempDir,
        read_before: usize,
        windows: Windows,
        boosts_at_once: usize,
        place_source: PlaceSource,
    ) -> World {
        let options = Options {
            windows,
            boosts_at_once,
            place_source,
            ..Options::default()
        };
        World::open_with(folder, read_before, options)
    }

    fn open_with(folder: TempDir, read_before: usize, options: Options) -> World {
        let store = Store::open_patiently(&store::Options {
            length: LENGTH,
            ..store::Options::of_tests(folder.path())
        });
        let (boosts_at_once, place_source) = (options.boosts_at_once, options.place_source);
        let next = next_of(&store.reflects().unwrap().next);
        let log = status(next, read_before.max(next));
        World {
            engine: Engine::open(Arc::new(store), &log, options).unwrap(),
            folder,
            refused: Vec::new(),
            arrived_last: Time::default(),
            read_before,
            boosts_at_once,
            place_source,
        }
    }

    /// What a `kill -9` leaves: the data folder as the last checkpoint left it.
    fn crash(self) -> World {
        let World {
            folder,
            engine,
            read_before,
            boosts_at_once,
            place_source,
            ..
        } = self;
        let read_before = read_before.max(next_of(engine.next()));
        let windows = Windows::clone(&engine.windows);
        drop(engine);
        World::open(folder, read_before, windows, boosts_at_once, place_source)
    }

    /// Reads every line not yet reflected, with a checkpoint after those in `checkpoints`.
    fn read(&mut self, log: &[Line], checkpoints: &BTreeSet<usize>) {
        for (offset, line) in log.iter().enumerate().skip(next_of(self.next())) {
            self.take(offset, line);
            if checkpoints.contains(&offset) {
                self.checkpoint();
            }
        }
    }

    fn take(&mut self, offset: usize, line: &Line) {
        match self.apply_line(offset, line) {
            Applied::Relation(_) => self.settle(),
            Applied::Activity(_) => {}
            Applied::Refused(reason) => self.refused.push(reason),
            Applied::Unusable(reason) => panic!("{reason}"),
        }
    }

    /// Takes a line in; what it calls for in feeds is still to be done.
    fn apply_line(&mut self, offset: usize, line: &Line) -> Applied {
        let (topic, value, arrived, headers) = match line {
            Line::Activity {
                json,
                arrived,
                beside,
            } => (Topic::Activities, json, *arrived, beside.headers()),
            Line::Relation(json) => (Topic::Relationships, json, NOON, Vec::new()),
        };
        let record = Record {
            position: Position {
                topic,
                partition: 0,
                offset: i64::try_from(offset).unwrap(),
            },
            timestamp: Some(Time::from_millis(arrived)),
            key: None,
            value: Some(value.clone().into_bytes()),
            headers,
        };
        self.engine
            .follow(&status(offset, self.read_before.max(offset)));
        let now = Time::from_millis(arrived);
        self.arrived_last = self.arrived_last.max(now);
        let applied = self
            .engine
            .apply(&record, decode_record(record.view()), now)
            .unwrap();
        self.engine.pass(&record);
        if let Applied::Unusable(reason) = &applied {
            panic!("{reason}: {value}");
        }
        applied
    }

    /// Carries out what relations call for, and nothing else that is owed.
    fn settle(&mut self) {
        let engine = &mut self.engine;
        let graph = engine.graph.read();
        let visible = |_: &Graph, _| PostId::MAX;
        while engine
            .backlog
            .step(&engine.store, &graph, &visible)
            .unwrap()
            == Progress::Going
        {}
        drop(graph);
        engine.backlog.announce(|| {});
        while !self.ingest.again.are_authors_done() {
            self.reevaluate();
        }
    }

    /// A slice of the boosts that are to be decided.
    fn decide_boosts(&mut self) {
        let engine = &mut self.engine;
        let graph = engine.graph.read();
        let boosts = &mut engine.ingest.again.boosts;
        boosts.step(&engine.store, &graph).unwrap();
    }

    fn decide_all_boosts(&mut self) {
        while !self.ingest.again.boosts.is_done() {
            self.decide_boosts();
        }
    }

    /// A slice of the posts that are to be decided again for their authors; how many were.
    fn reevaluate(&mut self) -> usize {
        let engine = &mut self.engine;
        let graph = engine.graph.read();
        engine.ingest.again.step(&engine.store, &graph).unwrap()
    }

    /// A sweep begins, by this time of the log.
    fn begin_sweep(&mut self, log_time: Time) {
        let engine = &mut self.engine;
        engine.expiry.begin_if_due(&engine.store, log_time);
    }

    /// A slice of it, as if nobody followed anybody; how many posts went.
    fn sweep_slice(&mut self) -> usize {
        let engine = &mut self.engine;
        engine.expiry.step(&engine.store, &|_| false).unwrap()
    }

    /// The rest of it; how many posts went.
    fn end_sweep(&mut self) -> usize {
        let mut expired = 0;
        while !self.expiry.is_resting() {
            expired += self.sweep_slice();
        }
        expired
    }

    fn checkpoint(&mut self) {
        assert!(self.try_checkpoint());
    }

    /// A checkpoint of which only the first `writes` reach the disk; whether that was all of it.
    fn checkpoint_cut_off(&mut self, writes: u64) -> bool {
        self.store.cut_off_after(writes);
        self.try_checkpoint()
    }

    fn try_checkpoint(&mut self) -> bool {
        let flush = self
            .engine
            .begin_flush(Time::from_millis(NOON), <[Position]>::to_vec);
        // Sweeps begin where a test says so.
        self.engine.expiry = Expiry::new(Options::default().keep);
        let is_whole = flush.write().is_ok();
        self.engine.end_flush();
        is_whole
    }

    /// The home of `account`: ids and URIs, lowest first, and the floor.
    fn home(&self, account: &str) -> Shows {
        let account = self.graph.read().account(account).unwrap();
        self.shows(&self.store.feed(&FeedId::Home(account)).unwrap())
    }

    fn shows(&self, home: &OrderedFeed) -> Shows {
        let part = visible(home, LENGTH, None, None);
        let uri = |id: &PostId| {
            let post = self.store.post(*id).unwrap().unwrap();
            (*id, post.body.uri.clone())
        };
        (part.ids().iter().map(uri).collect(), part.floor)
    }
}

/// Ids and URIs, lowest first, and the floor.
type Shows = (Vec<(PostId, String)>, PostId);

/// The first line not yet taken in.
fn next_of(next: &[Position]) -> usize {
    let next = next.iter().map(|next| next.offset).max();
    next.map_or(0, |next| usize::try_from(next).unwrap())
}

/// The list as two topics of one partition each, read so far and ending there.
fn status(next: usize, end: usize) -> LogStatus {
    let offset = |n: usize| i64::try_from(n).unwrap();
    LogStatus {
        ends: Topic::ALL
            .map(|topic| PartitionEnd {
                topic,
                partition: 0,
                next: offset(next),
                end: offset(end),
            })
            .to_vec(),
        is_reachable: true,
        transit: Duration::ZERO,
    }
}

fn actor(n: usize) -> String {
    format!("https://host{}.example/users/{n}", n % 3)
}

fn uri(author: usize, n: usize) -> String {
    format!("https://host{}.example/posts/{author}/{n}", author % 3)
}

fn create(author: usize, n: usize, published: i64, arrived: i64) -> Line {
    activity("Create", author, n, published, arrived, "")
}

fn activity(kind: &str, author: usize, n: usize, published: i64, arrived: i64, more: &str) -> Line {
    let (actor, uri) = (actor(author), uri(author, n));
    let published = Time::from_millis(published).rfc3339();
    let json = format!(
        r#"{{"id":"{uri}#{kind}","type":"{kind}","actor":"{actor}","object":{{"id":"{uri}","type":"Note","attributedTo":"{actor}","content":"{n}","published":"{published}","to":["https://www.w3.org/ns/activitystreams#Public"]{more}}}}}"#
    );
    Line::Activity {
        json,
        arrived,
        beside: Beside::default(),
    }
}

/// The same, in no public feed.
fn unlisted(line: Line) -> Line {
    match line {
        Line::Activity {
            json,
            arrived,
            beside,
        } => Line::Activity {
            json: json.replace("\"to\":", "\"cc\":"),
            arrived,
            beside,
        },
        line @ Line::Relation(_) => line,
    }
}

fn delete(author: usize, n: usize, arrived: i64) -> Line {
    let (actor, uri) = (actor(author), uri(author, n));
    let json =
        format!(r#"{{"id":"{uri}#delete","type":"Delete","actor":"{actor}","object":"{uri}"}}"#);
    Line::Activity {
        json,
        arrived,
        beside: Beside::default(),
    }
}

fn boost(by: usize, n: usize, of: (usize, usize), published: i64, arrived: i64) -> Line {
    let (actor, id, original) = (actor(by), uri(by, n), uri(of.0, of.1));
    let published = Time::from_millis(published).rfc3339();
    let json = format!(
        r#"{{"id":"{id}","type":"Announce","actor":"{actor}","object":"{original}","published":"{published}","to":"as:Public"}}"#
    );
    Line::Activity {
        json,
        arrived,
        beside: Beside::default(),
    }
}

fn relation(kind: &str, account: &str, target: usize, removed: bool) -> Line {
    let target = actor(target);
    Line::Relation(format!(
        r#"{{"type":"{kind}","account":"{account}","target":"{target}","removed":{removed}}}"#
    ))
}

fn follow(account: &str, target: usize) -> Line {
    relation("follow", account, target, false)
}

/// Every order of `n` things.
fn orders(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(n - 1);
    let insert = |order: &Vec<usize>, at: usize| {
        let mut longer = order.clone();
        longer.insert(at, n - 1);
        longer
    };
    shorter
        .iter()
        .flat_map(|order| (0..n).map(move |at| insert(order, at)))
        .collect()
}

/// Promise 2 at every moment of a checkpoint. Were this to fail, a crash would leave a post out of feeds or indexes
/// for good: the log is read again, and the post is found as it should be.
#[test]
fn a_checkpoint_may_be_cut_off_after_any_write() {
    let edit = r#","updated":"2025-11-22T10:02:00Z","tag":[{"type":"Mention","href":"https://host2.example/users/2"}]"#;
    let first = [
        follow("7", 0),
        follow("7", 1),
        relation("mute", "7", 2, false),
        create(0, 0, NOON, NOON + 1),
    ];
    let second = [
        create(0, 1, NOON + 1, NOON + 2),
        delete(0, 0, NOON + 3),
        create(1, 0, NOON + 4, NOON + 5),
        activity("Update", 1, 0, NOON + 4, NOON + 6, edit),
        boost(0, 2, (2, 0), NOON + 7, NOON + 8),
        create(2, 1, NOON + 8, NOON + 9),
        create(1, 1, NOON + 9, NOON + 10),
        relation("follow", "7", 3, false),
        create(3, 0, NOON + 10, NOON + 11),
        boost(1, 5, (3, 0), NOON + 11, NOON + 12),
    ];
    let log = [&first[..], &second].concat();
    let mut whole = World::new();
    whole.read(&log, &BTreeSet::new());
    let expected = whole.home("7");
    let lists =
        |world: &World| [0, 1, 2, 3].map(|n| world.store.list(Index::Author, &actor(n)).unwrap());
    let expected_lists = lists(&whole);
    for writes in 0.. {
        let mut world = World::new();
        world.read(&first, &BTreeSet::from([first.len() - 1]));
        world.read(&log, &BTreeSet::new());
        let was_all = world.checkpoint_cut_off(writes);
        let mut world = world.crash();
        world.read(&log, &BTreeSet::new());
        assert_eq!(world.home("7"), expected, "after {writes} writes");
        assert_eq!(lists(&world), expected_lists, "after {writes} writes");
        for uri in [uri(0, 1), uri(1, 0), uri(3, 0)] {
            assert!(
                world.store.post_by_uri(&uri).unwrap().is_some(),
                "{uri} after {writes} writes"
            );
        }
        if was_all {
            assert!(15 < writes, "{writes} writes were all");
            break;
        }
    }
}

/// Promise 1, all of it for five posts. Were this to fail, two readers of one fediverse would see two orders.
#[test]
fn five_posts_in_any_order_that_keeps_each_authors_own_give_one_feed() {
    // Two of author 0 at one moment, two authors at one moment, one far earlier.
    let posts: [(usize, usize, i64); 5] = [
        (0, 0, NOON),
        (0, 1, NOON),
        (1, 0, NOON),
        (2, 0, NOON - 900_000),
        (1, 1, NOON + 1),
    ];
    let mut expected = None;
    let mut tried = 0;
    for order in orders(posts.len()) {
        let before = |a: usize, b: usize| {
            order.iter().position(|n| *n == a) < order.iter().position(|n| *n == b)
        };
        if !before(0, 1) || !before(2, 4) {
            continue;
        }
        tried += 1;
        let mut log = vec![follow("7", 0), follow("7", 1), follow("7", 2)];
        log.extend(
            order
                .iter()
                .map(|n| create(posts[*n].0, posts[*n].1, posts[*n].2, NOON + 60_000)),
        );
        let mut world = World::new();
        world.read(&log, &BTreeSet::new());
        let (feed, _) = world.home("7");
        assert!(feed.is_sorted());
        assert_eq!(feed.len(), posts.len());
        assert_eq!(*expected.get_or_insert(feed.clone()), feed, "{order:?}");
    }
    assert_eq!(tried, 30);
}

#[test]
fn an_authors_posts_of_one_moment_keep_their_order() {
    let mut log = vec![follow("7", 0)];
    log.extend((0..10).map(|n| create(0, n, NOON, NOON + 5)));
    let mut world = World::new();
    world.read(&log, &BTreeSet::new());
    let uris: Vec<String> = world.home("7").0.into_iter().map(|(_, uri)| uri).collect();
    assert_eq!(uris, (0..10).map(|n| uri(0, n)).collect::<Vec<_>>());
}

/// More posts of one moment than a slot holds before their arrival: the rest is placed by arrival, none is lost.
#[test]
fn a_flood_of_one_moment_is_placed_to_the_last_post() {
    let mut log = vec![follow("7", 0)];
    log.extend((0..300).map(|n| create(0, n, NOON, NOON + 2)));
    let mut world = World::new();
    world.read(&log, &BTreeSet::new());
    let mut ids = BTreeSet::new();
    for n in 0..300 {
        ids.insert(world.store.post_by_uri(&uri(0, n)).unwrap().unwrap().id);
    }
    assert_eq!(ids.len(), 300);
    assert!(
        ids.iter()
            .all(|id| id.time().millis() <= NOON + 2 + 300 / 64)
    );
    assert_eq!(world.refused, Vec::<String>::new());
}

#[test]
fn what_is_deleted_before_it_comes_never_shows_and_keeps_its_place() {
    let check = |log: &[Line]| {
        let mut world = World::new();
        world.read(log, &BTreeSet::from([1]));
        world.home("7").0
    };
    let posts = [
        follow("7", 0),
        create(0, 0, NOON, NOON + 9),
        create(0, 1, NOON, NOON + 9),
        delete(0, 0, NOON + 20),
    ];
    let after = check(&posts);
    let first = check(&[
        posts[0].clone(),
        posts[3].clone(),
        posts[1].clone(),
        posts[2].clone(),
    ]);
    assert_eq!(after.len(), 1);
    assert_eq!(
        after, first,
        "the place of the deleted post stays taken either way"
    );
}

/// Were this to fail, a post would change its place, or come into feeds or leave them, because it came twice.
#[test]
fn what_surfaced_or_was_dropped_stays_so_however_often_it_comes() {
    let day = 86_400_000;
    let mut windows = Windows::default();
    windows.default.late = LatePolicy::Surface;
    windows.default.too_late = TooLatePolicy::Drop;
    let window = 30_000;
    let in_time = create(0, 0, NOON, NOON + window);
    let late = create(0, 1, NOON, NOON + window + 1);
    let late_still = create(0, 2, NOON, NOON + window + day);
    let too_late = create(0, 3, NOON, NOON + window + day + 1);
    let redelivered = [0, 1, 2, 3].map(|n| create(0, n, NOON, NOON + 2 * day));
    let at_once = create(0, 3, NOON, NOON + 1);
    let edited = activity(
        "Update",
        0,
        3,
        NOON,
        NOON + 2 * day,
        r#","updated":"2025-11-22T10:01:00Z""#,
    );
    let mut log = vec![follow("7", 0), in_time, late, late_still, too_late];
    log.extend(redelivered);
    log.extend([at_once, edited, follow("7", 1), follow("7", 0)]);

    let mut world = World::with(windows.clone());
    world.read(&log, &BTreeSet::new());
    let places = |world: &World| {
        [0, 1, 2, 3].map(|n| {
            let post = world.store.post_by_uri(&uri(0, n)).unwrap().unwrap();
            (
                post.id.time().millis() - NOON,
                post.verdict,
                post.disposition,
            )
        })
    };
    assert_eq!(
        places(&world),
        [
            (0, Verdict::InTime, Disposition::InFeeds),
            (window + 1, Verdict::Late, Disposition::InFeeds),
            (window + day, Verdict::Late, Disposition::InFeeds),
            (0, Verdict::TooLate, Disposition::Dropped),
        ]
    );
    let (home, _) = world.home("7");
    let uris: Vec<_> = home.iter().map(|(_, uri)| uri.clone()).collect();
    assert_eq!(
        uris,
        [uri(0, 0), uri(0, 1), uri(0, 2)],
        "merged by a follow too"
    );

    for checkpoint in 0..log.len() {
        let mut again = World::with(windows.clone());
        again.read(&log, &BTreeSet::from([checkpoint]));
        let mut again = again.crash();
        again.read(&log, &BTreeSet::new());
        assert_eq!(places(&again), places(&world));
        assert_eq!(again.home("7").0, home);
    }
}

/// Were this to fail, a rebuild would give other ids than there were.
#[test]
fn what_is_learned_moves_no_place() {
    let mut auto = Windows::default();
    auto.default.reorder_window = ReorderWindow::Auto;
    auto.auto.quantile = 0.5;
    let mut log = vec![follow("7", 0)];
    log.extend((0..400).map(|n| {
        let published = NOON + i64::try_from(n).unwrap() * 1_000;
        create(0, n, published, published + [2_000, 600_000, 5_000][n % 3])
    }));
    let homes = [Windows::default(), auto].map(|windows| {
        let mut world = World::with(windows);
        world.read(&log, &BTreeSet::new());
        world.home("7").0
    });
    assert_eq!(homes[0], homes[1]);
}

/// Were this to fail, a crash would count posts twice, and quantiles and windows would creep.
#[test]
fn a_post_counts_once_wherever_a_checkpoint_is_cut_off() {
    let log: Vec<Line> = (0..12).map(|n| create(n % 4, n, NOON, NOON + 9)).collect();
    for checkpoint in [4, 9] {
        for writes in 0..200 {
            let mut world = World::new();
            world.read(&log[..=checkpoint], &BTreeSet::from([2]));
            let whole = world.checkpoint_cut_off(writes);
            let mut world = world.crash();
            world.read(&log, &BTreeSet::from([6]));
            let counted: u64 = world
                .ingest
                .origins()
                .read()
                .iter()
                .map(|(_, of)| of.posts())
                .sum();
            assert_eq!(counted, 12, "{checkpoint} {writes}");
            if whole {
                break;
            }
        }
    }
}

#[test]
fn an_edit_keeps_the_place_and_an_older_one_never_undoes_a_newer() {
    let edit = |n: &str, updated: &str| {
        activity(
            "Update",
            0,
            0,
            NOON,
            NOON + 50,
            &format!(r#","summary":"{n}","updated":"{updated}""#),
        )
    };
    let (one, two) = (
        edit("one", "2025-11-22T10:01:00Z"),
        edit("two", "2025-11-22T10:02:00Z"),
    );
    let made = create(0, 0, NOON, NOON + 9);
    for log in [
        [&made, &one, &two],
        [&made, &two, &one],
        [&two, &made, &one],
        [&one, &two, &made],
    ] {
        let mut world = World::new();
        world.take(0, &follow("7", 0));
        for (n, line) in log.into_iter().enumerate() {
            world.take(n + 1, line);
        }
        let (feed, _) = world.home("7");
        let post = world.store.post(feed[0].0).unwrap().unwrap();
        assert_eq!((feed.len(), feed[0].0.time().millis()), (1, NOON));
        assert!(
            post.body.object.get().contains(r#""summary":"two""#),
            "{}",
            post.body.object
        );
        assert_eq!(post.edited.map(Time::millis), Some(NOON + 120_000));
    }
}

#[test]
fn a_boost_waits_for_its_original_and_leaves_with_it() {
    let lines = [
        create(1, 0, NOON, NOON + 1),
        boost(0, 5, (1, 0), NOON + 10, NOON + 11),
    ];
    for order in [[0, 1], [1, 0]] {
        let mut world = World::new();
        world.take(0, &follow("7", 0));
        world.take(1, &lines[order[0]]);
        if order[0] == 1 {
            assert_eq!(world.home("7").0, [], "a boost of an unknown post waits");
        }
        world.take(2, &lines[order[1]]);
        assert_eq!(world.home("7").0.len(), 1, "{order:?}");
        world.take(3, &delete(1, 0, NOON + 20));
        assert_eq!(world.home("7").0, []);
    }
}

#[test]
fn an_update_by_another_author_is_refused() {
    let mut world = World::new();
    world.take(0, &follow("7", 0));
    world.take(1, &create(0, 0, NOON, NOON + 1));
    let Line::Activity { json, arrived, .. } = activity("Update", 0, 0, NOON, NOON + 2, "") else {
        return;
    };
    // Author 3 lives on the same host as author 0.
    let forged = json.replace(&actor(0), &actor(3));
    world.take(
        2,
        &Line::Activity {
            json: forged,
            arrived,
            beside: Beside::default(),
        },
    );
    assert_eq!(world.refused.len(), 1, "{:?}", world.refused);
    assert!(world.refused[0].contains("may not change it"));
}

#[test]
fn an_author_who_is_deleted_takes_everything_along() {
    let gone = |by: usize| {
        let json = format!(
            r#"{{"id":"{0}#delete","type":"Delete","actor":"{0}","object":"{0}"}}"#,
            actor(by)
        );
        Line::Activity {
            json,
            arrived: NOON + 30,
            beside: Beside::default(),
        }
    };
    let mut world = World::new();
    for (n, line) in [
        follow("7", 0),
        create(0, 0, NOON, NOON + 1),
        gone(0),
        create(0, 1, NOON, NOON + 31),
    ]
    .iter()
    .enumerate()
    {
        world.take(n, line);
    }
    assert_eq!(world.home("7").0, []);
}

#[test]
fn a_post_no_feed_needs_becomes_a_stub_and_one_that_is_needed_stays() {
    let day = 86_400_000;
    let mut world = World::new();
    let mut log = vec![
        follow("7", 0),
        unlisted(create(0, 0, NOON, NOON + 1)),
        unlisted(create(1, 0, NOON, NOON + 1)),
        unlisted(create(2, 0, NOON, NOON + 1)),
    ];
    // Author 2 is nobody's, but a boost by author 0 shows one post of theirs.
    log.push(boost(0, 9, (2, 0), NOON + 31 * day, NOON + 31 * day));
    log.push(create(4, 0, NOON + 31 * day, NOON + 31 * day));
    world.read(&log, &BTreeSet::new());
    world.checkpoint();
    let log_time = world.arrived_last;
    world.begin_sweep(log_time);
    // Followed while the sweep is under way: what enters the feed now is needed too.
    world.sweep_slice();
    world.take(log.len(), &follow("7", 4));
    let expired = world.end_sweep();
    assert_eq!(expired, 1);
    let state = |author| {
        world
            .store
            .post_by_uri(&uri(author, 0))
            .unwrap()
            .unwrap()
            .state
    };
    assert_eq!(
        [state(0), state(1), state(2)],
        [State::Whole, State::Stub, State::Whole]
    );
    let stub = world.store.post_by_uri(&uri(1, 0)).unwrap().unwrap().id;
    assert_eq!(world.store.expired().highest_post, stub);
    // A year later what is left of them goes too, but for what a feed still holds.
    world.take(
        log.len() + 1,
        &create(4, 1, NOON + 400 * day, NOON + 400 * day),
    );
    world.checkpoint();
    let log_time = world.arrived_last;
    world.begin_sweep(log_time);
    world.end_sweep();
    world.checkpoint();
    assert!(world.store.post_by_uri(&uri(1, 0)).unwrap().is_none());
    assert!(world.store.post_by_uri(&uri(0, 0)).unwrap().is_some());
}

/// A failure means that a post that was made private by an edit is public again when an old copy of it comes by a month later.
#[test]
fn a_stub_is_not_made_whole_by_an_older_version_than_it_was() {
    let day = 86_400_000;
    let mut world = World::new();
    let mut log = vec![
        scenario::private(1, scenario::edits(1, 0, Some(9), "")),
        create(4, 0, NOON + 31 * day, NOON + 31 * day),
    ];
    world.read(&log, &BTreeSet::new());
    world.checkpoint();
    let log_time = world.arrived_last;
    world.begin_sweep(log_time);
    assert_eq!(world.end_sweep(), 1);
    for (minutes, state) in [
        (Some(5), State::Stub),
        (None, State::Stub),
        (Some(9), State::Whole),
    ] {
        let copy = match minutes {
            Some(_) => scenario::edits(1, 0, minutes, ""),
            None => scenario::post(1, 0),
        };
        log.push(scenario::fetched(copy));
        world.read(&log, &BTreeSet::new());
        let post = world.store.post_by_uri(&uri(1, 0)).unwrap().unwrap();
        assert_eq!(post.state, state, "edited after {minutes:?} minutes");
    }
}

/// More entries than a feed holds wait in memory: a mute reaches those below the feed's end too, or they would come
/// to light when something above them goes.
#[test]
fn a_mute_reaches_what_stands_below_a_feeds_end() {
    let mut log = vec![
        follow("7", 0),
        follow("7", 1),
        create(0, 0, NOON, NOON + 90_000),
    ];
    log.extend((0..LENGTH).map(|n| create(1, n, NOON + 1 + n as i64, NOON + 90_000)));
    log.push(relation("mute", "7", 0, false));
    log.push(delete(1, 0, NOON + 90_000));
    let mut world = World::new();
    world.read(&log, &BTreeSet::new());
    let (feed, _) = world.home("7");
    assert_eq!(feed.len(), LENGTH - 1);
    assert!(feed.iter().all(|(_, uri)| !uri.contains("/posts/0/")));
}

/// A made-up history: what authors do, in their order, and what accounts want.
#[derive(Clone, Debug)]
struct History {
    /// By author: their lines in order.
    authors: Vec<Vec<Line>>,
    /// By account: its lines in order.
    accounts: Vec<Vec<Line>>,
}

fn history() -> impl Strategy<Value = History> {
    let deed = (0usize..6, 0i64..40, 0usize..4, 0usize..4);
    let authors = prop::collection::vec(prop::collection::vec(deed, 0..14), 4);
    let wish = (0usize..5, 0usize..4, any::<bool>());
    let accounts = prop::collection::vec(prop::collection::vec(wish, 0..7), 2);
    (authors, accounts).prop_map(|(authors, accounts)| History {
        authors: authors
            .into_iter()
            .enumerate()
            .map(|(author, deeds)| deeds_of(author, &deeds))
            .collect(),
        accounts: accounts
            .into_iter()
            .enumerate()
            .map(|(n, wishes)| wishes_of(&n.to_string(), &wishes))
            .collect(),
    })
}

fn deeds_of(author: usize, deeds: &[(usize, i64, usize, usize)]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (n, (deed, seconds, other, which)) in deeds.iter().enumerate() {
        // Authors write at moments of their own, so that none shares slot and millisecond with another.
        let at = NOON + seconds * 1_000 + i64::try_from(author).unwrap();
        let arrived = NOON + 3_600_000;
        lines.push(match deed {
            0..=2 => create(author, n, at, arrived),
            3 => boost(author, n, (*other, *which), at, arrived),
            4 => delete(author, n.saturating_sub(1), arrived),
            _ => {
                let updated = Time::from_millis(at + 60_000 + i64::try_from(n).unwrap()).rfc3339();
                activity(
                    "Update",
                    author,
                    n.saturating_sub(1),
                    at,
                    arrived,
                    &format!(r#","updated":"{updated}""#),
                )
            }
        });
    }
    lines
}

fn wishes_of(account: &str, wishes: &[(usize, usize, bool)]) -> Vec<Line> {
    // Every account exists, and follows somebody, before its wishes change.
    let own = format!(
        r#"{{"type":"account","account":"{account}","actor":"https://here.example/users/{account}"}}"#
    );
    let mut lines = vec![Line::Relation(own), follow(account, 0), follow(account, 1)];
    lines.extend(wishes.iter().map(|(kind, target, removed)| match kind {
        0 | 1 => relation("follow", account, *target, *removed),
        2 => relation("mute", account, *target, *removed),
        3 => relation("block", account, *target, *removed),
        _ => {
            let host = format!("host{}.example", target % 3);
            Line::Relation(format!(
                r#"{{"type":"domain_block","account":"{account}","target":"{host}","removed":{removed}}}"#
            ))
        }
    }));
    lines
}

/// All lines in one order that keeps each author's and each account's own, chosen by `choices`.
fn interleave(history: &History, choices: &[usize]) -> Vec<Line> {
    let mut queues: Vec<std::collections::VecDeque<Line>> = history
        .authors
        .iter()
        .chain(&history.accounts)
        .map(|lines| lines.iter().cloned().collect())
        .collect();
    let mut log = Vec::new();
    let mut choices = choices.iter().cycle();
    while queues.iter().any(|queue| !queue.is_empty()) {
        let open: Vec<usize> = (0..queues.len())
            .filter(|n| !queues[*n].is_empty())
            .collect();
        let chosen = open[choices.next().unwrap() % open.len()];
        log.extend(queues[chosen].pop_front());
    }
    log
}

/// Whether two feeds agree on every entry above the higher of their floors.
fn agree(one: &(Vec<(PostId, String)>, PostId), other: &(Vec<(PostId, String)>, PostId)) -> bool {
    let floor = one.1.max(other.1);
    let above = |feed: &(Vec<(PostId, String)>, PostId)| {
        feed.0
            .iter()
            .filter(|(id, _)| floor < *id)
            .cloned()
            .collect::<Vec<_>>()
    };
    above(one) == above(other)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Promises 1, 2, 3 and 10. Were this to fail, a feed would depend on how the topics interleaved, on when its
    /// checkpoints were, or on where the service died.
    #[test]
    fn a_feed_is_a_function_of_what_is_so_not_of_how_it_came(
        history in history(),
        one in prop::collection::vec(0usize..64, 1..40),
        other in prop::collection::vec(0usize..64, 1..40),
        checkpoints in prop::collection::btree_set(0usize..80, 0..4),
        crashes in prop::collection::vec(0usize..80, 0..3),
    ) {
        // Reading in order, never interrupted; relations first, as a rebuild does.
        let mut plain = World::new();
        let relations: Vec<Line> = history.accounts.iter().flatten().cloned().collect();
        let posts = interleave(&History { accounts: Vec::new(), ..history.clone() }, &one);
        plain.read(&[relations, posts].concat(), &BTreeSet::new());

        // Another order, interrupted.
        let log = interleave(&history, &other);
        let mut world = World::new();
        for end in crashes {
            world.read(&log[..end.min(log.len())], &checkpoints);
            world = world.crash();
        }
        world.read(&log, &checkpoints);
        for account in ["0", "1"] {
            let (expected, found) = (plain.home(account), world.home(account));
            prop_assert!(found.0.is_sorted_by(|a, b| a.0 < b.0));
            prop_assert!(found.0.len() <= LENGTH);
            prop_assert!(agree(&expected, &found), "{account}: {expected:?}\n{found:?}\n{log:#?}");
        }
        // Every post has one place in both.
        let ids = |world: &World| {
            let mut ids = BTreeMap::new();
            for author in 0..4 {
                for n in 0..14 {
                    let post = world.store.post_by_uri(&uri(author, n)).unwrap();
                    ids.extend(post.map(|post| (post.body.uri.clone(), (post.id, post.state == crate::feed::post::State::Gone))));
                }
            }
            ids
        };
        prop_assert_eq!(ids(&plain), ids(&world));
    }
}

/// Each case opens sled several times; `PROPTEST_CASES` raises this for a long run.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(60)
}
