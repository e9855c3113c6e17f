//! Placing and keeping posts, and the whole way from bytes to feeds: decoded on two threads, placed, kept, fanned out to
//! 100 followers each, checkpointed when memory says so.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use slackwater::log::decode_batch::decode_in_order;
use slackwater_engine::decode::Decoded;
use slackwater_engine::engine::ingest::{Ingest, RecordContext};
use slackwater_engine::feed::store::CheckpointState;
use slackwater_engine::record::offsets::LogPos;
use slackwater_engine::record::{Position, Record, Topic};
use slackwater_order::ref_place::PlaceSource;
use slackwater_order::time::Time;
use slackwater_order::window::Windows;
use std::sync::Arc;
use support::{NOON, create_json, folder_bytes, graph, peak_memory_mb, sized, store};

fn records(from: usize, count: usize, authors: usize) -> Vec<Record> {
    (from..from + count)
        .map(|n| Record {
            position: Position {
                topic: Topic::Activities,
                partition: 0,
                offset: n as i64,
            },
            timestamp: Some(Time::from_millis(NOON + n as i64 + 2_000)),
            key: None,
            value: Some(create_json(n % authors, n).into_bytes()),
            headers: Vec::new(),
        })
        .collect()
}

/// How long a store that begins again needs until it knows what is not stored.
#[allow(clippy::disallowed_methods)] // a benchmark measures time
fn remember(path: &std::path::Path, posts: usize) {
    // sled lets go of its lock a moment after it was dropped.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let store = store(path, 10_000, 256 << 20);
    let begun = std::time::Instant::now();
    // A slice has some thousand rows.
    for _ in 0..posts / 1_000 + 8 {
        store.remember_stored().unwrap();
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("what is stored of {posts} posts remembered in {seconds:.2} s");
}

fn bench(c: &mut Criterion) {
    let batch = sized(2_000, 100);
    let batches = sized(10, 1);
    let authors = sized(2_000, 50);
    let mut group = c.benchmark_group("bytes to feed");
    group.sample_size(10);
    group.throughput(Throughput::Elements((batch * batches) as u64));
    for (name, followers, writes) in [
        ("decode alone, 2 threads", None, false),
        ("decode, place and keep in memory", Some(0), false),
        (
            "the whole way, 100 followers each, with checkpoints",
            Some(100),
            true,
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(store(folder.path(), sized(4_000_000, 10_000), 256 << 20));
        let graph = graph(&store, sized(20_000, 200), authors, followers.unwrap_or(0));
        let mut admission = Ingest::new(Arc::clone(&store), PlaceSource::Published, true).unwrap();
        // As the pipeline does between batches.
        for _ in 0..8 {
            store.remember_stored().unwrap();
        }
        let windows = Windows::default();
        let mut n = 0;
        group.bench_function(name, |b| {
            b.iter_batched(
                || {
                    if !writes {
                        // Out of the measurement: memory must not fill up.
                        store.checkpoint(&CheckpointState::default()).unwrap();
                    }
                    let records: Vec<_> = (0..batches)
                        .map(|k| records(n + k * batch, batch, authors))
                        .collect();
                    n += batch * batches;
                    records
                },
                |taken| {
                    for records in &taken {
                        decode_in_order(records, 2, |record, said, _| {
                            let Decoded::Activity(envelope, activity) = said else {
                                return Ok(());
                            };
                            if followers.is_none() {
                                return Ok(());
                            }
                            let at = LogPos::of_activity(0, record.position.offset);
                            admission
                                .ingest(
                                    RecordContext {
                                        graph: &graph,
                                        windows: &windows,
                                        at,
                                        envelope: &envelope,
                                    },
                                    *activity,
                                )
                                .unwrap();
                            if writes && store.is_full() {
                                store.checkpoint(&CheckpointState::default()).unwrap();
                            }
                            Ok::<_, ()>(())
                        })
                        .unwrap();
                    }
                },
                criterion::BatchSize::PerIteration,
            );
        });
        if writes {
            store.checkpoint(&CheckpointState::default()).unwrap();
            let live: usize = (0..n)
                .step_by((n / 100).max(1))
                .map(|k| create_json(k % authors, k).len())
                .sum::<usize>()
                * (n / 100).max(1);
            let disk = folder_bytes(folder.path());
            println!(
                "{name}: {n} posts, about {:.0} MB of activities, {:.0} MB on disk ({:.2}x), peak memory {:.0} MB",
                live as f64 / 1e6,
                disk as f64 / 1e6,
                disk as f64 / live as f64,
                peak_memory_mb()
            );
            drop((admission, store));
            remember(folder.path(), n);
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
