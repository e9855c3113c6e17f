//! What a reader's return costs: how far its feed is shown, and what changed in it since a cursor.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use slackwater_engine::feed::feed_op::FeedOp;
use slackwater_engine::feed::ordered_feed::OrderedFeed;
use slackwater_engine::graph::Graph;
use slackwater_engine::record::offsets::{LogPos, Offsets};
use slackwater_engine::record::{Position, Topic};
use slackwater_engine::relationship::{Patience, decode};
use slackwater_engine::view::changes::changes;
use slackwater_engine::view::cursor::ReadPoint;
use slackwater_engine::view::horizons::Horizons;
use slackwater_engine::view::visible::visible;
use slackwater_order::hold::OriginHold;
use slackwater_order::origin_stats::OriginStats;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use slackwater_order::verdict::Verdict;
use slackwater_order::window::{ReorderWindow, Windows};
use std::hint::black_box;
use std::time::Duration;
use support::{NOON, processor_seconds, sized};

const PARTITIONS: u64 = 16;

fn position(topic: Topic, n: u64) -> Position {
    Position {
        topic,
        partition: (n % PARTITIONS) as i32,
        offset: (n / PARTITIONS) as i64,
    }
}

/// A full feed: one entry in four rests on a second record too, as a boost does.
fn feed(length: u64) -> OrderedFeed {
    let mut feed = OrderedFeed::default();
    for n in 0..length {
        let id = PostId::new(
            Time::from_millis(NOON + n as i64 * 60_000),
            n as u32 % 1024,
            0,
        );
        let log_pos = |n| LogPos::new(position(Topic::Activities, n));
        feed.take_in(&[FeedOp::insert(id, log_pos(n))]);
        if n % 4 == 0 {
            feed.take_in(&[FeedOp::depends_on(id, log_pos(n / 2))]);
        }
    }
    feed
}

/// A reader who has seen the first `records`.
fn moment(feed: &OrderedFeed, records: u64) -> ReadPoint {
    let mut seen = Offsets::default();
    for n in 0..records {
        for topic in Topic::ALL {
            let mut next = position(topic, n);
            next.offset += 1;
            seen.raise(next);
        }
    }
    ReadPoint {
        seen,
        ahead: Offsets::default(),
        horizon: Time::LATEST,
        top: *feed.ids.last().unwrap(),
        floor: PostId::MIN,
    }
}

/// How long feeds wait for an origin that is learned: nine tenths of its posts come within half a minute, the others within
/// the hour.
fn wait(host: &str) -> OriginHold {
    let mut windows = Windows::default();
    windows.default.reorder_window = ReorderWindow::Auto;
    let mut random = fastrand::Rng::with_seed(host.len() as u64);
    let mut delays = OriginStats::default();
    for n in 0..300 {
        let within_ms = if n % 10 == 0 { 3_600_000 } else { 30_000 };
        let delay_ms = random.i64(0..within_ms);
        let arrived = Time::from_millis(NOON);
        delays.count(Verdict::Late, Some(delay_ms), arrived, &windows.auto);
    }
    OriginHold::of(host, Some(&delays), &windows)
}

fn bench(c: &mut Criterion) {
    let (follows, origins) = (sized(5_000, 100), sized(500, 10));
    let mut graph = Graph::default();
    for n in 0..follows {
        // As follows come: origins in no order.
        let origin = n.wrapping_mul(2_654_435_761) % origins;
        let document = format!(
            r#"{{"type":"follow","account":"7","target":"https://host{origin}.example/users/{n}"}}"#
        );
        graph.apply(&decode(None, Some(document.as_bytes())).unwrap());
    }
    graph.set_waits(wait);
    let account = graph.account("7").unwrap();
    let horizons = Horizons::default();
    horizons.set_built(Time::from_millis(NOON));
    let mut group = c.benchmark_group("hold and horizon: 5,000 follows on 500 learned origins");
    for (name, patience) in [
        ("every window fits", Patience::Complete),
        ("none fits", Patience::For(Duration::from_secs(60))),
    ] {
        graph.set_default_patience(patience);
        let hold_ms = graph.hold_ms(account);
        assert_eq!(60_000 < hold_ms, patience == Patience::Complete);
        assert!(0 < hold_ms);
        let snapshot = || horizons.of(&graph, black_box(account), Time::from_millis(NOON));
        group.bench_function(name, |b| b.iter(snapshot));
        // And by the processor's time alone, for a machine that others use too.
        let (before, looks) = (processor_seconds(), sized(100_000, 10));
        for _ in 0..looks {
            black_box(snapshot());
        }
        let us = (processor_seconds() - before) * 1e6 / looks as f64;
        println!("{name}: {us:.1} us of processor time");
    }
    group.finish();

    let length = sized(800, 40) as u64;
    let feed = feed(length);
    let part = visible(&feed, length as usize, None, None);
    let mut group = c.benchmark_group("changes since a cursor, of 800 entries");
    for lacks in [0, 20, length] {
        let from = moment(&feed, length - lacks);
        let found = changes(&feed, &part, &[], &from).unwrap();
        assert_eq!(found.len() as u64, lacks);
        group.bench_function(format!("{lacks} of them"), |b| {
            b.iter(|| changes(&feed, black_box(&part), &[], &from));
        });
    }
    let packed = feed.pack();
    let from = moment(&feed, length - length.min(20));
    group.bench_function("20 of them, the feed unpacked", |b| {
        b.iter(|| {
            let feed = OrderedFeed::read(black_box(&packed)).unwrap();
            let part = visible(&feed, length as usize, Some(Time::LATEST), None);
            changes(&feed, &part, &[], &from)
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
