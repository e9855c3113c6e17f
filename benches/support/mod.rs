//! What the benchmarks share: made-up accounts, authors and posts, and the sizes for a run and for a test.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing
)]

pub mod server;

use slackwater_engine::activity::PostContent;
use slackwater_engine::feed::post::Post;
use slackwater_engine::feed::store::{Options, Store, home_key};
use slackwater_engine::graph::FollowOptions;
use slackwater_engine::graph::Graph;
use slackwater_engine::record::offsets::LogPos;
use slackwater_order::place::{PostId, slot_of};
use slackwater_order::time::Time;
use std::path::Path;

/// As the service.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub const NOON: i64 = 1_763_805_600_000;

/// Whether this is `cargo bench`; otherwise (`cargo test`) everything runs once, small.
pub fn is_measuring() -> bool {
    std::env::args().any(|arg| arg == "--bench")
}

/// `size` when measuring, `small` when tested.
pub fn sized(size: usize, small: usize) -> usize {
    if is_measuring() { size } else { small }
}

/// The same numbers every time: xorshift64*.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    }
}

pub fn store(path: &Path, entries_max: usize, cache_bytes: u64) -> Store {
    store_with(|options| Options {
        path: path.to_owned(),
        unflushed_entries_max: entries_max,
        cache_bytes,
        ..options
    })
}

pub fn store_with(change: impl FnOnce(Options) -> Options) -> Store {
    let options = Options {
        path: std::path::PathBuf::new(),
        length: 800,
        boost_repeat_after: std::time::Duration::from_secs(86_400),
        unflushed_entries_max: 4_000_000,
        unflushed_bytes_max: 256 << 20,
        cache_bytes: 256 << 20,
    };
    Store::open(change(options)).unwrap()
}

pub fn author(n: usize) -> String {
    format!("https://host{}.example/users/author{n}", n % 500)
}

/// `accounts` local accounts, `authors` authors with `followers` random followers each.
pub fn graph(store: &Store, accounts: usize, authors: usize, followers: usize) -> Graph {
    let mut graph = Graph::default();
    for n in 0..accounts {
        let id = n.to_string();
        let (account, _) = graph.account_or_new(&id);
        store.homes.add(account, home_key(&id));
    }
    let mut dice = Dice(42);
    for n in 0..authors {
        let author = author(n);
        for _ in 0..followers {
            let account = slackwater_engine::graph::AccountIx::from_number(dice.roll(accounts));
            graph.set_follow(
                account,
                &author,
                FollowOptions {
                    boosts: true,
                    languages: Vec::new(),
                },
            );
        }
    }
    graph
}

/// A post of about 2 KB by author `by`, `n` milliseconds after noon.
pub fn post(by: usize, n: usize) -> Post {
    let author = author(by);
    let at = Time::from_millis(NOON + n as i64);
    let id = PostId::new(at, slot_of(&author), 0);
    let body = PostContent {
        published: Some(at),
        language: Some("en".to_owned()),
        object: serde_json::value::RawValue::from_string(note_json(by, n)).unwrap(),
        ..PostContent::new(format!("{author}/statuses/{n}"), author)
    };
    Post {
        origin: format!("host{}.example", by % 500),
        ..Post::new(id, body, at, made(by, n))
    }
}

/// Eight partitions, an author's posts in one of them.
fn made(by: usize, n: usize) -> LogPos {
    LogPos::of_activity((by % 8) as i32, n as i64 / 8)
}

/// A Note as Mastodon writes it, about 2 KB.
pub fn note_json(by: usize, n: usize) -> String {
    let author = author(by);
    let published = Time::from_millis(NOON + n as i64).rfc3339();
    let words =
        "The tide turned an hour ago and nobody on the quay noticed; the gulls did, as ever. "
            .repeat(4);
    format!(
        r##"{{"id":"{author}/statuses/{n}","type":"Note","summary":null,"inReplyTo":null,"published":"{published}","url":"{author}/{n}","attributedTo":"{author}","to":["https://www.w3.org/ns/activitystreams#Public"],"cc":["{author}/followers"],"sensitive":false,"atomUri":"{author}/statuses/{n}","inReplyToAtomUri":null,"conversation":"tag:host.example,2025-11-22:objectId={n}:objectType=Conversation","content":"<p>{words}</p>","contentMap":{{"en":"<p>{words}</p>"}},"attachment":[],"tag":[{{"type":"Hashtag","href":"https://host.example/tags/tide","name":"#tide"}}],"replies":{{"id":"{author}/statuses/{n}/replies","type":"Collection","first":{{"type":"CollectionPage","next":"{author}/statuses/{n}/replies?only_other_accounts=true&page=true","partOf":"{author}/statuses/{n}/replies","items":[]}}}},"likes":{{"id":"{author}/statuses/{n}/likes","type":"Collection","totalItems":0}},"shares":{{"id":"{author}/statuses/{n}/shares","type":"Collection","totalItems":0}}}}"##
    )
}

/// Its Create, as an instance receives it.
pub fn create_json(by: usize, n: usize) -> String {
    let author = author(by);
    let published = Time::from_millis(NOON + n as i64).rfc3339();
    let object = note_json(by, n);
    format!(
        r##"{{"@context":["https://www.w3.org/ns/activitystreams",{{"ostatus":"http://ostatus.org#","atomUri":"ostatus:atomUri","inReplyToAtomUri":"ostatus:inReplyToAtomUri","conversation":"ostatus:conversation","sensitive":"as:sensitive","toot":"http://joinmastodon.org/ns#","votersCount":"toot:votersCount","Hashtag":"as:Hashtag"}}],"id":"{author}/statuses/{n}/activity","type":"Create","actor":"{author}","published":"{published}","to":["https://www.w3.org/ns/activitystreams#Public"],"cc":["{author}/followers"],"object":{object}}}"##
    )
}

/// The most memory this process ever had, in MB.
pub fn peak_memory_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1e3
}

/// Bytes of the files below a folder.
pub fn folder_bytes(path: &Path) -> u64 {
    std::fs::read_dir(path)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                folder_bytes(&entry.path())
            } else {
                meta.len()
            }
        })
        .sum()
}

/// User and system time, in steps of a hundredth of a second.
pub fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit_once(") ")
        .map_or("", |(_, rest)| rest)
        .split(' ');
    fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}
