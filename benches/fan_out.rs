//! Fan-out with its checkpoints: posts to 500 followers each, into 20,000 feeds and into 500,000, feeds of at most 800.
//! One round is 4 million entries, the default bound on what waits in memory, and ends with its checkpoint.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use slackwater_engine::feed::fan_out::{PostChange, fan_out};
use slackwater_engine::feed::feed_id::FeedId;
use slackwater_engine::feed::store::CheckpointState;
use slackwater_engine::graph::AccountIx;
use std::time::Instant;
use support::{folder_bytes, graph, peak_memory_mb, post, sized, store};

const FOLLOWERS: usize = 500;

#[allow(clippy::disallowed_methods)] // a benchmark measures time
fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("fan-out with checkpoints");
    group.sample_size(10);
    for (feeds, authors) in [
        (sized(20_000, 200), sized(2_000, 20)),
        (sized(500_000, 500), sized(4_000, 20)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), sized(4_000_000, 20_000), 256 << 20);
        let graph = graph(&store, feeds, authors, FOLLOWERS);
        let posts_a_round = sized(8_000, 40);
        let mut n = 0;
        let mut entered = 0;
        let mut writing = std::time::Duration::ZERO;
        let mut rounds = 0;
        let mut round = || {
            for _ in 0..posts_a_round {
                n += 1;
                let post = post(n % authors, n);
                entered +=
                    fan_out(&store, &graph, &post, None, PostChange::New, post.newest).unwrap();
            }
            let begun = Instant::now();
            store.checkpoint(&CheckpointState::default()).unwrap();
            writing += begun.elapsed();
            rounds += 1;
        };
        group.throughput(Throughput::Elements((posts_a_round * FOLLOWERS) as u64));
        group.bench_function(BenchmarkId::from_parameter(feeds), |b| b.iter(&mut round));
        if rounds == 0 {
            continue; // not asked for
        }
        let live: usize = (0..feeds)
            .map(|account| {
                store
                    .feed(&FeedId::Home(AccountIx::from_number(account)))
                    .unwrap()
                    .pack()
                    .len()
            })
            .sum();
        let disk = folder_bytes(folder.path());
        println!(
            "{feeds} feeds: {entered} entries entered, checkpoint {:.2} s a round, {:.0} MB live, {:.0} MB on disk \
             ({:.2}x), peak memory {:.0} MB",
            writing.as_secs_f64() / f64::from(rounds),
            live as f64 / 1e6,
            disk as f64 / 1e6,
            disk as f64 / live.max(1) as f64,
            peak_memory_mb()
        );
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
