//! What an hour costs in which nothing much happens, in bytes written: 150 posts a second into 200,000 full feeds, with the
//! time as an argument. By the clock every feed that something happened to is rewritten every 30 s; by what waits when
//! memory is full or a crash would cost 10 s.
//!
//! All of it is divided by [`SCALE`]: accounts, posts, and what may wait. The bytes printed are of that; what they are of
//! each post is what the whole would write.
//!
//! What a checkpoint writes belongs to all that waited for it. So what is counted begins when nothing waits and ends with the
//! last checkpoint of four hours, and is said for an hour.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout
)]

mod support;

use slackwater::pipeline::due::{Due, DueWrite, PendingWrites};
use slackwater_engine::feed::fan_out::{PostChange, fan_out};
use slackwater_engine::feed::feed_op::FeedOp;
use slackwater_engine::feed::reply_resolution::resolve;
use slackwater_engine::feed::store::{CheckpointState, Options, Store};
use slackwater_engine::graph::AccountIx;
use slackwater_engine::graph::Graph;
use slackwater_engine::record::offsets::LogPos;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
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
/// What a post takes to be taken in again: decoded, placed and kept (155,000 a second, says docs/benchmarks.md) and put into nine homes
/// (a million entries a second), and some more to be careful. As the benchmark measures it, it would be another each time.
const REPLAY_OF_ONE: Duration = Duration::from_micros(20);

/// One way to decide when to write.
struct Way {
    name: &'static str,
    hours: u64,
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
    let way = |name, hours, due, bytes_max: usize| Way {
        name,
        hours,
        due,
        // As src/service/memory.rs shares memory out.
        entries_max: bytes_max / 64 / scale as usize,
        bytes_max: bytes_max / scale as usize,
    };
    let hours = if is_measuring() { 4 } else { 1 };
    let ways = [
        way("every 30 s", 1, by_clock, 256_000_000),
        way("by need, 4 GB of memory", hours, by_need, 250_000_000),
        way("by need, 16 GB", hours, by_need, 1_000_000_000),
        way("by need, 24 GB", hours, by_need, 1_500_000_000),
        way("by need, 64 GB", hours, by_need, 4_000_000_000),
    ];
    let mut first = None;
    for way in ways {
        let begun = Instant::now();
        let hour = Hour::of(&way, scale);
        let of_clock = *first.get_or_insert(hour.bytes);
        println!(
            "{}: {:.1} checkpoints, {:.1} MB written for {:.0} posts, {:.1} KB each, {:.1} % ({:.0} s)",
            way.name,
            hour.checkpoints,
            hour.bytes / 1e6,
            hour.posts,
            hour.bytes / 1e3 / hour.posts,
            100.0 * hour.bytes / of_clock,
            begun.elapsed().as_secs_f64()
        );
    }
}

/// An hour as it was on the average.
struct Hour {
    posts: f64,
    checkpoints: f64,
    bytes: f64,
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
        let (mut made, mut waiting, mut since_rows) = (0, 0_u32, 0);
        // Of the last checkpoint: when it was, how many there had been, and what had been made and written by then.
        let (mut last, mut checkpoints, mut written) = (0, 0, (0, before));
        for second in 1..=way.hours * HOUR {
            let until = posts * usize::try_from(second).unwrap() / HOUR as usize;
            let mut is_due = false;
            while made < until && !is_due {
                write(&store, &graph, &mut dice, authors, made);
                (made, waiting) = (made + 1, waiting + 1);
                is_due = store.is_full();
            }
            let due = way.due.of(&PendingWrites {
                is_dirty: waiting != 0,
                replay: REPLAY_OF_ONE * waiting,
                since_checkpoint: Duration::from_secs(second - last),
                since_rows: Duration::from_secs(second - since_rows),
            });
            if is_due || due == DueWrite::Checkpoint {
                store.checkpoint(&CheckpointState::default()).unwrap();
                (last, since_rows, waiting) = (second, second, 0);
                (checkpoints, written) = (checkpoints + 1, (made, written_bytes()));
            } else if due == DueWrite::Rows {
                // No feed is held back and nobody reads: there are none.
                since_rows = second;
            }
        }
        let hours = last as f64 / HOUR as f64;
        Hour {
            posts: written.0 as f64 / hours,
            checkpoints: f64::from(checkpoints) / hours,
            bytes: (written.1 - before) as f64 / hours,
        }
    }
}

/// A post by anybody; three in ten answer one before.
fn write(store: &Store, graph: &Graph, dice: &mut Dice, authors: usize, n: usize) {
    let mut post = post(dice.roll(authors), n);
    if n != 0 && dice.roll(10) < 3 {
        let parent = self::post(dice.roll(authors), dice.roll(n));
        post.body.in_reply_to = Some(parent.body.uri.clone());
        post.answers = resolve(&post.body, Some(&parent));
    }
    let kept = store.put_post(post);
    fan_out(store, graph, &kept, None, PostChange::New, kept.newest).unwrap();
}

/// Every feed as long as it gets, by what was written the day before.
fn fill(store: &Store, accounts: usize, length: usize) {
    let log_pos = LogPos::from_number(1).unwrap();
    for account in 0..accounts {
        let place = |n: usize| {
            let before = (length - n) * 100_000 + account;
            PostId::new(
                Time::from_millis(NOON - i64::try_from(before).unwrap()),
                5,
                0,
            )
        };
        let ops: Vec<FeedOp> = (0..length)
            .map(|n| FeedOp::insert(place(n), log_pos))
            .collect();
        store.homes.apply(&[AccountIx::from_number(account)], &ops);
        if store.is_full() {
            store.checkpoint(&CheckpointState::default()).unwrap();
        }
    }
    store.checkpoint(&CheckpointState::default()).unwrap();
}

/// Bytes this process has handed to be written so far (proc(5), `wchar`): to a disk, whatever its cache makes of them.
fn written_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar:"));
    line.and_then(|line| line.trim().parse().ok()).unwrap_or(0)
}
