//! An account that was not seen for long comes back: its home merged anew from 1,000 authors of 1,000 posts each. First
//! with nothing read before, as it will mostly be, then again and again. It is to take less than 300 ms.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use slackwater_engine::feed::feed_id::FeedId;
use slackwater_engine::feed::merge::{MergeCause, Merging, Progress};
use slackwater_engine::feed::ordered_feed::OrderedFeed;
use slackwater_engine::feed::store::{CheckpointState, Store, home_key};
use slackwater_engine::graph::AccountIx;
use slackwater_engine::graph::FollowOptions;
use slackwater_engine::graph::Graph;
use slackwater_engine::graph::apply::Merge;
use slackwater_order::place::PostId;
use std::time::Instant;
use support::{author, post, sized, store};

fn follows(store: &Store, authors: usize) -> (Graph, AccountIx) {
    let mut graph = Graph::default();
    let (account, _) = graph.account_or_new("7");
    store.homes.add(account, home_key("7"));
    for n in 0..authors {
        let how = FollowOptions {
            boosts: true,
            languages: Vec::new(),
        };
        graph.set_follow(account, &author(n), how);
    }
    (graph, account)
}

/// Merges the home anew; how many entries it has then.
fn wake(store: &Store, graph: &Graph, account: AccountIx) -> usize {
    let feed = &FeedId::Home(account);
    store.replace(feed.clone(), OrderedFeed::default());
    let mut merging = Merging::new(graph, feed, &[Merge::Everyone]);
    while merging
        .step(store, graph, feed, &MergeCause::default(), PostId::MAX)
        .unwrap()
        == Progress::Going
    {}
    store.feed(feed).unwrap().ids.len()
}

#[allow(clippy::disallowed_methods)] // a benchmark measures time
fn bench(c: &mut Criterion) {
    let (authors, posts) = (sized(1_000, 10), sized(1_000, 5));
    let folder = tempfile::tempdir().unwrap();
    {
        let store = store(folder.path(), 1_000_000, 64 << 20);
        for n in 0..authors * posts {
            let mut post = post(n % authors, n);
            // What is merged is not shown: a short post is read no faster than its block.
            post.body.object = slackwater_engine::feed::post::no_object();
            store.put_post(post);
            if store.is_full() {
                store.checkpoint(&CheckpointState::default()).unwrap();
            }
        }
        store.checkpoint(&CheckpointState::default()).unwrap();
    }
    // sled lets go of its lock a moment after it was dropped.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let store = store(folder.path(), 1_000_000, 64 << 20);
    let (graph, account) = follows(&store, authors);
    let begun = Instant::now();
    let entries = wake(&store, &graph, account);
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    assert_eq!(entries, (authors * posts).min(store.length()));
    println!("{authors} follows of {posts} posts each, nothing read before: {ms:.1} ms");
    c.bench_function("waking up: 1,000 follows of 1,000 posts each", |b| {
        b.iter(|| wake(&store, &graph, account));
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
