//! Fan-out as an instance has it: 200,000 accounts, followers by a power law, boosts, replies, hashtags, lists, mutes and
//! blocks; beside the same posts and follows without any of it. And what a follow and a feed take in memory.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing
)]

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use slackwater::config::memory::{self, UnflushedShare};
use slackwater_engine::feed::fan_out::{PostChange, fan_out};
use slackwater_engine::feed::post::Post;
use slackwater_engine::feed::reply_resolution::resolve;
use slackwater_engine::feed::store::{CheckpointState, Store, home_key};
use slackwater_engine::graph::Graph;
use slackwater_engine::relationship::decode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{Dice, author, post, sized, store};

const TAGS: usize = 200;

struct Shape {
    accounts: usize,
    authors: usize,
    follows: usize,
}

/// An author by a power law: the n-th has about 1/n of the followers of the first.
fn zipf(dice: &mut Dice, authors: usize) -> usize {
    let share = dice.roll(1 << 30) as f64 / f64::from(1 << 30);
    ((authors as f64).powf(share) as usize).min(authors) - 1
}

/// Follows alone; then, if asked for, what makes accounts particular.
fn graph(store: &Store, shape: &Shape, rules: bool) -> Graph {
    let mut graph = Graph::default();
    let before = resident_mb();
    for n in 0..shape.accounts {
        let id = n.to_string();
        let (account, _) = graph.account_or_new(&id);
        store.homes.add(account, home_key(&id));
    }
    let with_homes = resident_mb();
    let mut dice = Dice(42);
    let names: Vec<String> = (0..shape.authors).map(author).collect();
    let apply = |graph: &mut Graph, document: String| {
        graph.apply(&decode(None, Some(document.as_bytes())).unwrap());
    };
    for account in 0..shape.accounts {
        let number = slackwater_engine::graph::AccountIx::from_number(account);
        for _ in 0..shape.follows {
            let name = &names[zipf(&mut dice, shape.authors)];
            graph.set_follow(number, name, slackwater_engine::graph::PLAIN.clone());
        }
    }
    if !rules {
        let (with_follows, follows) = (resident_mb(), graph.follows());
        println!(
            "{} accounts: {:.0} bytes each; {follows} follows: {:.1} bytes each",
            shape.accounts,
            (with_homes - before) * 1e6 / shape.accounts as f64,
            (with_follows - with_homes) * 1e6 / follows as f64
        );
        return graph;
    }
    for account in 0..shape.accounts {
        let mut relate = |kind: &str, target: &str, more: &str| {
            apply(
                &mut graph,
                format!(r#"{{"type":"{kind}","account":"{account}","target":"{target}"{more}}}"#),
            );
        };
        let of = |dice: &mut Dice| names[dice.roll(shape.authors)].clone();
        // One in five mutes or blocks some, one in five follows hashtags, one in ten has a list.
        if account % 5 == 0 {
            for _ in 0..5 {
                relate("mute", &of(&mut dice), "");
                relate("block", &of(&mut dice), "");
            }
            relate(
                "domain_block",
                &format!("host{}.example", dice.roll(500)),
                "",
            );
        }
        if account % 5 == 1 {
            for _ in 0..3 {
                relate("tag", &format!("tag{}", dice.roll(TAGS)), "");
            }
        }
        if account % 10 == 2 {
            relate("list", "1", "");
            for _ in 0..10 {
                let member = &names[zipf(&mut dice, shape.authors)];
                relate("list_member", member, r#","list":"1""#);
            }
        }
    }
    graph
}

/// Posts by authors as popular as they are followed: one in ten boosts one before it, three in ten answer one, one in five
/// carries a hashtag. Without rules the same authors write plain posts.
fn posts(shape: &Shape, number: usize, from: usize, rules: bool) -> Vec<(Post, Option<Arc<Post>>)> {
    let mut dice = Dice(from as u64 + 7);
    let mut posts: Vec<(Post, Option<Arc<Post>>)> = Vec::with_capacity(number);
    for n in 0..number {
        let by = zipf(&mut dice, shape.authors);
        let mut post = post(by, from + n);
        let kind = dice.roll(10);
        let earlier = dice.roll(n.max(1));
        let mut original = None;
        if rules && 0 < n {
            let parent = &posts[earlier].0;
            match kind {
                0 if parent.body.boost_of.is_none() => {
                    post.body.boost_of = Some(parent.body.uri.clone());
                    original = Some(Arc::new(parent.clone()));
                }
                1..=3 => {
                    post.body.in_reply_to = Some(parent.body.uri.clone());
                    post.answers = resolve(&post.body, Some(parent));
                }
                4 | 5 => post.body.tags = vec![format!("tag{}", dice.roll(TAGS))],
                _ => {}
            }
        }
        posts.push((post, original));
    }
    posts
}

fn bench(c: &mut Criterion) {
    let shape = Shape {
        accounts: sized(200_000, 500),
        authors: sized(50_000, 50),
        follows: sized(50, 10),
    };
    let a_round = sized(2_000, 20);
    let mut group = c.benchmark_group("fan-out of a real shape");
    // What may wait as it ships, on this machine; and, beside it, on one of 10 GB.
    let here = UnflushedShare::of(memory::usable_bytes()).entries_max;
    let less = 10_000_000;
    for (name, rules, entries_max) in [
        ("plain", false, here),
        ("with rules", true, here),
        ("with rules, less memory", true, less),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), entries_max, 64 << 20);
        let graph = graph(&store, &shape, rules);
        let (mut round, mut entered, mut took) = (0, 0, Duration::ZERO);
        group.throughput(Throughput::Elements(a_round as u64));
        group.sample_size(10);
        group.bench_function(name, |b| {
            b.iter_custom(|rounds| {
                let mut sum = Duration::ZERO;
                for _ in 0..rounds {
                    let posts = posts(&shape, a_round, round * a_round, rules);
                    round += 1;
                    let begun = Instant::now();
                    for (post, original) in &posts {
                        let (fate, because) = (PostChange::New, post.newest);
                        entered +=
                            fan_out(&store, &graph, post, original.as_deref(), fate, because)
                                .unwrap();
                        if store.is_full() {
                            store.checkpoint(&CheckpointState::default()).unwrap();
                        }
                    }
                    sum += begun.elapsed();
                }
                took += sum;
                sum
            });
        });
        println!(
            "{name}, {:.0} million may wait: {:.2} million entries a second, {:.0} for a post",
            entries_max as f64 / 1e6,
            entered as f64 / took.as_secs_f64() / 1e6,
            entered as f64 / (round * a_round) as f64
        );
    }
    group.finish();
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
