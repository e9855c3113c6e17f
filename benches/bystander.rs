//! What one feed waits for another's work: an author whom everybody follows, an account that follows 20,000, a storm of
//! boosts, thousands of mutes at once. While each is worked on, a bystander's followee writes now and then; printed is how
//! long it takes from handing the post in until the bystander can read it, in the middle and at worst.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use slackwater::api::append_body::{self, ActivityHeaders, PlaceRule};
use slackwater::log::built_in;
use slackwater::log::{self, LogWriter};
use slackwater::pipeline::due::Due;
use slackwater::pipeline::{Options, Pipeline};
use slackwater_engine::engine;
use slackwater_engine::feed::store::home_key;
use slackwater_engine::graph::FollowOptions;
use slackwater_engine::graph::Graph;
use slackwater_engine::record::{NewRecord, Position};
use slackwater_engine::view::View;
use slackwater_order::time::Time;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::{author, create_json, post, sized, store};
use tempfile::TempDir;

/// Whom the bystander follows, and nobody else.
const QUIET: usize = 1_000_000;
/// Records appended at once.
const APPENDED: usize = 1_000;

/// The service without its edges.
struct Running {
    view: View,
    log_writer: LogWriter,
    runtime: tokio::runtime::Runtime,
    stop: Arc<AtomicBool>,
    pipeline: Option<std::thread::JoinHandle<()>>,
    written: usize,
    _folder: TempDir,
}

impl Running {
    /// Accounts and what they follow are put into the graph by `prepare`: how they come is not what is measured.
    fn start(prepare: impl FnOnce(&View, &mut Graph)) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let store = Arc::new(store(&folder.path().join("feeds"), 4_000_000, 256 << 20));
        let log = log::Options::BuiltIn(built_in::Options::at(folder.path().join("log")));
        let (source, log_writer) = log::open(&log, &[], &[]).unwrap();
        let options = Options {
            engine: engine::Options::default(),
            due: Due {
                replay_max: Duration::from_secs(5),
                rows_every: Duration::from_secs(5),
                all_every: Duration::from_secs(5),
            },
        };
        let handle = runtime.handle().clone();
        let pipeline = Pipeline::new(source, log_writer.clone(), handle, store, options).unwrap();
        let view = pipeline.state().view;
        {
            let mut graph = view.graph.write();
            follow(&view, &mut graph, "bystander", QUIET);
            prepare(&view, &mut graph);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&stop);
        let pipeline = std::thread::spawn(move || pipeline.run(stops).unwrap());
        Running {
            view,
            log_writer,
            runtime,
            stop,
            pipeline: Some(pipeline),
            written: 0,
            _folder: folder,
        }
    }

    fn append(&self, records: Vec<NewRecord>) -> Option<Position> {
        let appended = self.runtime.block_on(self.log_writer.append(records));
        appended.unwrap().pop()
    }

    /// How long a post takes until the bystander can read it.
    #[allow(clippy::disallowed_methods)] // a benchmark measures time
    fn bystander(&mut self) -> Duration {
        let begun = Instant::now();
        self.append(vec![create(QUIET, QUIET + self.written)]);
        self.written += 1;
        loop {
            let snapshot = self
                .view
                .home_snapshot("bystander", None, now())
                .unwrap()
                .unwrap();
            if self.written <= snapshot.ids().len() {
                return begun.elapsed();
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Appends all of `records` and, while they are worked on, measures.
    fn measure(&mut self, what: &str, records: Vec<NewRecord>) {
        let calm: Vec<Duration> = (0..sized(20, 2)).map(|_| self.bystander()).collect();
        let mut waits = Vec::new();
        let mut records = records.into_iter().peekable();
        let mut last = None;
        while records.peek().is_some() {
            last = self.append(records.by_ref().take(APPENDED).collect());
            waits.push(self.bystander());
        }
        let is_done = |view: &View| {
            // One lock after the other: the pipeline holds the second while it takes the first.
            let is_taken = last.is_none_or(|last| view.built.borrow().has(last));
            is_taken && view.pending_relations.count() == 0
        };
        while !is_done(&self.view) {
            waits.push(self.bystander());
        }
        // What is left to be written counts too.
        for _ in 0..sized(20, 1) {
            waits.push(self.bystander());
            std::thread::sleep(Duration::from_millis(sized(500, 1) as u64));
        }
        let ms = |waits: &[Duration]| {
            let mut waits = waits.to_vec();
            waits.sort_unstable();
            let middle = waits.get(waits.len() / 2).copied().unwrap_or_default();
            let worst = waits.last().copied().unwrap_or_default();
            (middle.as_secs_f64() * 1e3, worst.as_secs_f64() * 1e3)
        };
        let ((calm, _), (middle, worst)) = (ms(&calm), ms(&waits));
        println!(
            "{what}: a bystander waits {middle:.1} ms, at worst {worst:.1} ms ({} posts; {calm:.1} ms when all is calm)",
            waits.len()
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(pipeline) = self.pipeline.take() {
            // What it had to say it has printed.
            let _ = pipeline.join();
        }
    }
}

fn now() -> Time {
    slackwater::clock::now()
}

fn follow(view: &View, graph: &mut Graph, account: &str, whom: usize) {
    let (number, is_new) = graph.account_or_new(account);
    if is_new {
        view.store.homes.add(number, home_key(account));
    }
    let how = FollowOptions {
        boosts: true,
        languages: Vec::new(),
    };
    graph.set_follow(number, &author(whom), how);
}

fn create(by: usize, n: usize) -> NewRecord {
    append_body::activity(
        create_json(by, n).as_bytes(),
        ActivityHeaders::default(),
        PlaceRule::default(),
        now(),
    )
    .unwrap()
}

fn boost(by: usize, of: &str) -> NewRecord {
    let by = author(by);
    let json = format!(
        r#"{{"id":"{by}/boost","type":"Announce","actor":"{by}","object":"{of}","published":"{}","to":"as:Public"}}"#,
        now().rfc3339()
    );
    append_body::activity(
        json.as_bytes(),
        ActivityHeaders::default(),
        PlaceRule::default(),
        now(),
    )
    .unwrap()
}

fn mute(account: &str, whom: usize, removed: bool) -> NewRecord {
    let json = format!(
        r#"{{"type":"mute","account":"{account}","target":"{}","removed":{removed}}}"#,
        author(whom)
    );
    append_body::relation(json.as_bytes(), now()).unwrap()
}

fn an_author_with_a_million_followers() {
    let followers = sized(1_000_000, 300);
    let mut running = Running::start(|view, graph| {
        for n in 0..followers {
            follow(view, graph, &n.to_string(), 0);
        }
    });
    let mut written = 0;
    for posts in [1, 1, 3, 20] {
        let what = format!("an author with a million local followers writes {posts} at once");
        let posts = (written..written + sized(posts, 1)).map(|n| create(0, n));
        written += 20;
        running.measure(&what, posts.collect());
    }
}

fn an_account_that_follows_20_000() {
    let authors = sized(20_000, 50);
    let mut running = Running::start(|view, graph| {
        for n in 0..authors {
            follow(view, graph, "7", n);
        }
        for n in 0..authors * sized(20, 2) {
            view.store.put_post(post(n % authors, n));
            if view.store.is_full() {
                view.store.checkpoint(&Default::default()).unwrap();
            }
        }
        view.store.checkpoint(&Default::default()).unwrap();
    });
    // Each end of a mute is a merge of everyone.
    for _ in 0..sized(5, 1) {
        let records = vec![mute("7", 1, false), mute("7", 1, true)];
        running.measure("an account that follows 20,000 ends a mute", records);
    }
}

fn a_boost_storm() {
    let boosts = sized(10_000, 50);
    let mut running = Running::start(|view, graph| {
        for n in 0..boosts {
            for follower in 0..10 {
                follow(view, graph, &(10 * (n % 1_000) + follower).to_string(), n);
            }
        }
    });
    let original = |n: usize| format!("{}/statuses/{n}", author(QUIET + 1));
    let storm = |of: &str| (1..boosts).map(|n| boost(n, of)).collect::<Vec<_>>();
    let mut known = vec![create(QUIET + 1, 1)];
    known.extend(storm(&original(1)));
    running.measure("10,000 boosts of one post", known);
    drop(running);
    let mut running = Running::start(|view, graph| {
        for n in 0..boosts {
            follow(view, graph, &(n % 1_000).to_string(), n);
        }
    });
    let mut unknown = storm(&original(2));
    unknown.push(create(QUIET + 1, 2));
    running.measure("10,000 boosts of a post that comes after them", unknown);
}

fn thousands_of_mutes() {
    let mutes = sized(5_000, 20);
    let mut running = Running::start(|view, graph| {
        for n in 0..mutes {
            follow(view, graph, "7", n);
            follow(view, graph, &n.to_string(), n);
        }
    });
    running.append((0..sized(2_000, 20)).map(|n| create(n, n)).collect());
    let of_one = (0..mutes).map(|n| mute("7", n, false)).collect();
    running.measure("5,000 mutes by one account at once", of_one);
    let ended = (0..mutes).map(|n| mute("7", n, true)).collect();
    running.measure("5,000 mutes by one account ended at once", ended);
    let of_each = |removed| (0..mutes).map(move |n| mute(&n.to_string(), n + 1, removed));
    running.measure(
        "a mute by each of 5,000 accounts at once",
        of_each(false).collect(),
    );
    running.measure("the same ended at once", of_each(true).collect());
}

fn main() {
    // Whoever names one wants that one.
    let feed_ref: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let cases: [(&str, fn()); 4] = [
        ("followers", an_author_with_a_million_followers),
        ("follows", an_account_that_follows_20_000),
        ("boosts", a_boost_storm),
        ("mutes", thousands_of_mutes),
    ];
    for (name, case) in cases {
        if feed_ref.is_empty() || feed_ref.iter().any(|feed_ref| feed_ref == name) {
            case();
        }
    }
}
