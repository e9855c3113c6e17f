//! Verdict and learning, and what 100,000 origins take in memory: the longest names, delays in many buckets, and twelve
//! partitions.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use slackwater_engine::feed::store::origin_rows;
use slackwater_order::origins::{Observation, Origins, RecordAt};
use slackwater_order::time::Time;
use slackwater_order::verdict::judge;
use slackwater_order::window::HostPattern;
use slackwater_order::window::{ReorderWindow, Window, Windows};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use support::{processor_seconds, sized};

const NOON: i64 = 1_763_805_600_000;
/// Posts in one round: read one after the other from as many origins.
const ROUND: usize = 100_000;

fn windows() -> Windows {
    let mut windows = Windows::default();
    windows.default.reorder_window = ReorderWindow::Auto;
    for (pattern, minutes) in [
        (HostPattern::Host("threads.net".to_owned()), 16),
        (HostPattern::Below("bridged.example".to_owned()), 5),
    ] {
        let window = Window {
            reorder_window: ReorderWindow::Fixed(Duration::from_secs(60 * minutes)),
            ..Window::default()
        };
        windows.set(pattern, window).unwrap();
    }
    windows
}

/// One post: judged, then counted and learned from, as admission does it.
fn take(origins: &mut Origins, windows: &Windows, host: &str, delay_ms: i64, n: i64) {
    let arrived = Time::from_millis(NOON + n);
    let published = Time::from_millis(NOON + n - delay_ms);
    let effective = windows.effective(host, origins.learned(host));
    let judgement = judge(Some(published), arrived, false, &effective);
    let partition = i32::try_from(n % 12).unwrap();
    let seen = Observation {
        verdict: judgement.verdict,
        delay_ms: Some(delay_ms),
        arrived,
        at: RecordAt {
            partition,
            offset: n,
        },
    };
    origins.count(host, seen, windows);
    origins.passed(partition, n);
}

/// Delays spread over five powers of ten.
fn delay_ms(random: &mut fastrand::Rng) -> i64 {
    10_f64.powf(1.0 + 5.0 * random.f64()) as i64
}

fn bench(c: &mut Criterion) {
    let windows = windows();
    // First, and kept meanwhile: what a process was given and has freed is not given to it again.
    let few_posts = memory(&windows, sized(100_000, 1_000), 20);
    let learned = memory(&windows, sized(100_000, 100), 270);
    drop((few_posts, learned));
    println!("{}", processor_time(&windows));
    let mut random = fastrand::Rng::with_seed(1);
    let mut group = c.benchmark_group("verdict and learning");
    group.throughput(Throughput::Elements(sized(ROUND, 100) as u64));
    for number in [1_000, 100_000] {
        let hosts: Vec<String> = (0..sized(number, 10))
            .map(|n| format!("mastodon.social-{n}.example"))
            .collect();
        let posts: Vec<(&str, i64)> = (0..sized(ROUND, 100))
            .map(|_| {
                (
                    random.choice(&hosts).unwrap().as_str(),
                    delay_ms(&mut random),
                )
            })
            .collect();
        let mut origins = Origins::default();
        let mut n = 0;
        group.bench_function(BenchmarkId::from_parameter(number), |b| {
            b.iter(|| {
                for (host, delay_ms) in &posts {
                    n += 1;
                    take(&mut origins, &windows, black_box(host), *delay_ms, n);
                }
            });
        });
    }
    group.finish();
}

/// The same by the processor's time alone, for a machine that others use too.
fn processor_time(windows: &Windows) -> String {
    let mut random = fastrand::Rng::with_seed(1);
    let hosts: Vec<String> = (0..1_000)
        .map(|n| format!("mastodon.social-{n}.example"))
        .collect();
    let posts: Vec<(&str, i64)> = (0..sized(ROUND, 100))
        .map(|_| {
            (
                random.choice(&hosts).unwrap().as_str(),
                delay_ms(&mut random),
            )
        })
        .collect();
    let mut origins = Origins::default();
    let (before, rounds) = (processor_seconds(), sized(100, 1));
    let mut n = 0;
    for (host, delay_ms) in (0..rounds).flat_map(|_| &posts) {
        n += 1;
        take(&mut origins, windows, host, *delay_ms, n);
    }
    let seconds = (processor_seconds() - before).max(0.01);
    format!(
        "verdict and learning: {:.1} million posts in a second of processor time",
        n as f64 / seconds / 1e6
    )
}

/// As they are stored, by host.
type Rows = Vec<(Arc<str>, Vec<u8>)>;

/// What so many origins of so many posts each take, by the operating system's account. From 250 posts on they are learned.
fn memory(windows: &Windows, hosts: usize, posts: usize) -> (Origins, Rows) {
    let before = resident_mb();
    let mut random = fastrand::Rng::with_seed(1);
    let mut origins = Origins::default();
    let mut n = 0;
    for _ in 0..posts {
        for host in 0..hosts {
            n += 1;
            let host = format!("a-rather-long-name-of-an-origin-{host}.example");
            take(&mut origins, windows, &host, delay_ms(&mut random), n);
        }
    }
    let rows: Rows = origins
        .unstored()
        .into_iter()
        .filter_map(|(host, row)| Some((host, origin_rows::encode(&row?)?)))
        .collect();
    let stored: usize = rows.iter().map(|(_, row)| row.len()).sum();
    let after = resident_mb();
    println!(
        "{hosts} origins of {posts} posts: {:.1} MB in memory (with the rows of one checkpoint), {:.1} MB stored",
        after - before,
        stored as f64 / 1e6
    );
    (origins, rows)
}

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.trim().parse::<f64>().ok())
        .unwrap_or(0.0)
        * 1024.0
        / 1e6
}

criterion_group!(benches, bench);
criterion_main!(benches);
