//! What an hour costs in which nothing much happens, in bytes written: 150 posts a second into 200,000 full feeds, with the
//! time as an argument. By the clock every feed that something happened to is rewritten every 30 s; by what waits when
//! memory is full or a crash would cost 10 s.
//!
//! All of it is divided by [`SCALE`]: accounts, posts, and what may wait. The bytes printed are of that; what they are of
//! each post is what the whole would write.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout
)]

mod support;

use slackwater::feed::fan_out::{Fate, fan_out};
use slackwater::feed::ledger::Op;
use slackwater::feed::store::{Options, Reflects, Store};
use slackwater::feed::thread::Answers;
use slackwater::graph::{AccountIx, Graph};
use slackwater::order::place::PostId;
use slackwater::pipeline::due::{Due, Waiting, What};
use slackwater::post::mark::Mark;
use slackwater::time::Time;
use std::time::{Duration, Instant};
use support::{Dice, NOON, graph, is_measuring, post, sized, store_with};

const SCALE: u32 = 40;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: u64 = 3_600;
/// Of the whole.
const ACCOUNTS: u32 = 200_000;
const POSTS_HOUR: u32 = 150 * 3_600;
/// Homes that a post enters: 1,400 entries a second.
const FOLLOWERS: usize = 9;
/// What a post takes to be taken in again: decoded, placed and kept (155,000 a second, says README) and put into nine homes
/// (a million entries a second), and some more to be careful. As the benchmark measures it, it would be another each time.
const REPLAY_OF_ONE: Duration = Duration::from_micros(20);

/// One way to decide when to write.
struct Way {
    name: &'static str,
    due: Due,
    entries_max: usize,
    bytes_max: usize,
}

fn main() {
    let scale = if is_measuring() { SCALE } else { 2_000 };
    let by_clock = Due {
        replay_max: Duration::MAX,
        rows_every: 30 * SECOND,
        all_every: 30 * SECOND,
    };
    let by_need = Due {
        replay_max: 10 * SECOND / scale,
        all_every: 3_600 * SECOND,
        ..by_clock
    };
    let way = |name, due, entries_max: usize, bytes_max: usize| Way {
        name,
        due,
        entries_max: entries_max / scale as usize,
        bytes_max: bytes_max / scale as usize,
    };
    let ways = [
        way("every 30 s", by_clock, 4_000_000, 256_000_000),
        way("by what waits, as shipped", by_need, 4_000_000, 256_000_000),
        way(
            "the same, 1 GB of posts",
            by_need,
            16_000_000,
            1_000_000_000,
        ),
        way(
            "the same, 2 GB of posts",
            by_need,
            16_000_000,
            2_000_000_000,
        ),
    ];
    let mut first = None;
    for way in ways {
        let begun = Instant::now();
        let hour = Hour::of(&way, scale);
        let of_clock = *first.get_or_insert(hour.bytes);
        println!(
            "{}: {} checkpoints, {:.1} MB written for {} posts, {:.1} KB each, {:.1} % ({:.0} s)",
            way.name,
            hour.checkpoints,
            hour.bytes as f64 / 1e6,
            hour.posts,
            hour.bytes as f64 / 1e3 / hour.posts as f64,
            100.0 * hour.bytes as f64 / of_clock as f64,
            begun.elapsed().as_secs_f64()
        );
    }
}

struct Hour {
    posts: usize,
    checkpoints: usize,
    bytes: u64,
}

impl Hour {
    fn of(way: &Way, scale: u32) -> Hour {
        let folder = tempfile::tempdir().unwrap();
        let store = store_with(|options| Options {
            path: folder.path().to_owned(),
            unflushed_entries_max: way.entries_max,
            unflushed_bytes_max: way.bytes_max,
            ..options
        });
        let accounts = (ACCOUNTS / scale) as usize;
        let authors = (accounts / 4).max(1);
        let graph = graph(&store, accounts, authors, FOLLOWERS);
        fill(&store, accounts, sized(800, 20));

        let mut dice = Dice(7);
        let posts = (POSTS_HOUR / scale) as usize;
        let before = written_bytes();
        let (mut made, mut checkpoints) = (0, 0);
        let (mut since_all, mut since_rows, mut waiting) = (0, 0, 0_u32);
        for second in 1..=HOUR {
            let until = posts * usize::try_from(second).unwrap() / HOUR as usize;
            while made < until {
                write(&store, &graph, &mut dice, authors, made);
                (made, waiting) = (made + 1, waiting + 1);
                if store.is_full() {
                    store.checkpoint(&Reflects::default()).unwrap();
                    (since_all, since_rows, waiting) = (second, second, 0);
                    checkpoints += 1;
                }
            }
            let due = way.due.of(&Waiting {
                is_anything: waiting != 0,
                replay: REPLAY_OF_ONE * waiting,
                since_all: Duration::from_secs(second - since_all),
                since_rows: Duration::from_secs(second - since_rows),
            });
            match due {
                What::Nothing => {}
                // No feed is held back and nobody reads: there are none.
                What::Rows => since_rows = second,
                What::All => {
                    store.checkpoint(&Reflects::default()).unwrap();
                    (since_all, since_rows, waiting) = (second, second, 0);
                    checkpoints += 1;
                }
            }
        }
        if waiting != 0 {
            // What waits at the end is of this hour too.
            store.checkpoint(&Reflects::default()).unwrap();
            checkpoints += 1;
        }
        Hour {
            posts,
            checkpoints,
            bytes: written_bytes() - before,
        }
    }
}

/// A post by anybody; three in ten answer one before.
fn write(store: &Store, graph: &Graph, dice: &mut Dice, authors: usize, n: usize) {
    let mut post = post(dice.roll(authors), n);
    if n != 0 && dice.roll(10) < 3 {
        let parent = self::post(dice.roll(authors), dice.roll(n));
        post.body.in_reply_to = Some(parent.body.uri.clone());
        post.answers = Answers::new(&post.body, Some(&parent));
    }
    let kept = store.put_post(post);
    fan_out(store, graph, &kept, None, Fate::New, kept.newest.mark()).unwrap();
}

/// Every feed as long as it gets, by what was written the day before.
fn fill(store: &Store, accounts: usize, length: usize) {
    let mark = Mark::from_number(1).unwrap();
    for account in 0..accounts {
        let place = |n: usize| {
            let before = (length - n) * 100_000 + account;
            PostId::new(
                Time::from_millis(NOON - i64::try_from(before).unwrap()),
                5,
                0,
            )
        };
        let ops: Vec<Op> = (0..length).map(|n| Op::insert(place(n), mark)).collect();
        store.homes.apply_all(AccountIx::from_number(account), &ops);
        if store.is_full() {
            store.checkpoint(&Reflects::default()).unwrap();
        }
    }
    store.checkpoint(&Reflects::default()).unwrap();
}

/// Bytes this process has handed to be written so far (proc(5), `wchar`): to a disk, whatever its cache makes of them.
fn written_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar:"));
    line.and_then(|line| line.trim().parse().ok()).unwrap_or(0)
}
