//! Pages of a home feed: hot (the same feed again), and cold (another feed each time, its caches too small to hold it)
//! while checkpoints run beside.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing
)]

mod support;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use parking_lot::RwLock;
use slackwater::api::page_body::{Fields, PageBody};
use slackwater_engine::feed::fan_out::{PostChange, fan_out};
use slackwater_engine::feed::post::Post;
use slackwater_engine::feed::store::CheckpointState;
use slackwater_engine::view::page::Span;
use slackwater_engine::view::{BuildProgress, View};
use slackwater_order::time::Time;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use support::{Dice, NOON, graph, post, sized, store};

fn page(view: &View, account: usize, limit: usize) -> usize {
    let snapshot = view
        .home_snapshot(&account.to_string(), None, Time::from_millis(NOON))
        .unwrap()
        .unwrap();
    let admits =
        |post: &Post, original: Option<&Post>| snapshot.resolved.admits(view, post, original);
    let span = Span {
        before: None,
        after: None,
        limit,
    };
    PageBody::fill(&view.store, span, Fields::All, snapshot.ids(), &admits)
        .unwrap()
        .finish(snapshot.visible.horizon, "cursor")
        .json
        .len()
}

fn bench(c: &mut Criterion) {
    let (feeds, authors, posts) = (sized(20_000, 100), sized(2_000, 20), sized(40_000, 200));
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(store(folder.path(), 4_000_000, 32 << 20));
    let graph = graph(&store, feeds, authors, sized(500, 50));
    for n in 0..posts {
        let kept = store.put_post(post(n % authors, n));
        fan_out(&store, &graph, &kept, None, PostChange::New, kept.newest).unwrap();
        if store.is_full() {
            store.checkpoint(&CheckpointState::default()).unwrap();
        }
    }
    store.checkpoint(&CheckpointState::default()).unwrap();
    let (_built, watching) = slackwater_engine::watch::channel(Arc::new(BuildProgress::default()));
    let view = View {
        graph: Arc::new(RwLock::new(graph)),
        ..View::of(Arc::clone(&store), watching)
    };

    let mut group = c.benchmark_group("page");
    for limit in [20, 80] {
        group.bench_function(BenchmarkId::new("hot", limit), |b| {
            b.iter(|| page(&view, 7, limit));
        });
    }
    group.finish();

    // Cold: latencies one by one, because their tail is what matters; fan-out and checkpoints run all the while.
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = posts;
            while !stop.load(Ordering::Relaxed) {
                for _ in 0..sized(400, 10) {
                    n += 1;
                    let kept = store.put_post(post(n % authors, n));
                    fan_out(
                        &store,
                        &view.graph.read(),
                        &kept,
                        None,
                        PostChange::New,
                        kept.newest,
                    )
                    .unwrap();
                }
                store.checkpoint(&CheckpointState::default()).unwrap();
            }
        });
        let mut dice = Dice(7);
        for limit in [20, 80] {
            let mut took: Vec<u128> = (0..sized(20_000, 20))
                .map(|_| {
                    let begun = Instant::now();
                    page(&view, dice.roll(feeds), limit);
                    begun.elapsed().as_nanos()
                })
                .collect();
            took.sort_unstable();
            let at = |q: f64| took[((took.len() - 1) as f64 * q) as usize] as f64 / 1e3;
            println!(
                "page/cold/{limit} beside checkpoints: p50 {:.0} us, p99 {:.0} us, max {:.0} us",
                at(0.5),
                at(0.99),
                at(1.0)
            );
        }
        stop.store(true, Ordering::Relaxed);
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
