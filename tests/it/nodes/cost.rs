//! What several nodes cost, measured on real processes: printed, and with `SLACKWATER_MEASURE` set over enough to mean something. Time is
//! asserted nowhere; that work is shared out is.
//!
//! ```text
//! SLACKWATER_MEASURE=1 SLACKWATER_BINARY=target/release/slackwater \
//!     cargo test --test it -- --nocapture --test-threads 1 nodes::cost
//! ```

use super::crowd::percentiles;
use super::load::Log;
use super::{home_of, uri};
use crate::support::broker::Broker;
use crate::support::cluster::{Nodes, Options, QUICK};
use crate::support::instance::{self, Door, Instance};
use crate::support::measures;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_engine::record::{NewRecord, Topic};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Followers of each author.
const FOLLOWERS: usize = 100;

/// How long a relation takes to be in force, and a page to be answered: on one node without a cluster, and on three. A failure means that a
/// relation or a page is refused by a node that is well.
#[test]
fn what_a_relation_and_a_page_cost_across_nodes() {
    let times = if measures() { 1_000 } else { 20 };
    let alone = Alone::start();
    let door = &alone.instance.door;
    prepare(door);
    println!(
        "alone: relations {}",
        relations(std::slice::from_ref(door), times)
    );
    println!("alone: pages {}", pages(door, times));
    drop(alone);
    for standbys in [0, 1] {
        let nodes = Nodes::start_with(
            3,
            Options {
                standbys: Some(standbys),
                lease: Some(Duration::from_secs(4)),
                ..Options::default()
            },
        );
        let doors = nodes.doors();
        prepare(&doors[0]);
        let spread = relations(&doors, times);
        println!("3 nodes, {standbys} standbys: relations {spread}");
        let server = nodes.server_of("acct-0");
        for (at, door) in doors.iter().enumerate() {
            let how = if at == server { "here" } else { "passed on" };
            println!("3 nodes: pages {how} {}", pages(door, times));
        }
    }
}

/// Processor time, entries and bytes of each node for posts with a hundred followers each. A failure means that a node works for accounts
/// that others have, or that a standby keeps nothing.
#[test]
fn nodes_share_out_the_work_for_posts_and_standbys_repeat_it() {
    let alone = posts_cost(1, 0);
    let all = alone.iter().sum::<f64>();
    let share = |count: usize, standbys: usize| {
        let entries = posts_cost(count, standbys);
        // Shared feeds are kept by all, and accounts are not spread evenly when they are few.
        let most = 1.3 * all * (1 + standbys) as f64 / count as f64;
        let sum: f64 = entries.iter().sum();
        assert!(entries.iter().all(|of| *of <= most), "{entries:?} of {all}");
        let expected = all * (1 + standbys.min(count - 1)) as f64;
        assert!(expected * 0.95 <= sum, "{entries:?} of {all}");
    };
    share(2, 0);
    if measures() {
        share(4, 0);
        share(2, 1);
    }
    share(4, 1);
}

/// How many entries each node has written.
fn posts_cost(count: usize, standbys: usize) -> Vec<f64> {
    let (accounts, authors, posts) = if measures() {
        (20_000, 1_000, 60_000)
    } else {
        (200, 10, 200)
    };
    let nodes = Nodes::none(Options {
        standbys: Some(standbys),
        lease: Some(Duration::from_secs(10)),
        more: match measures() {
            // A checkpoint for every half second of work, as under load, and not for every two seconds of time: those would be more
            // for the same posts where more nodes share a machine.
            true => "replay_max = \"500ms\"\n".to_owned(),
            false => "checkpoint_every = \"2s\"\nreplay_max = \"1ms\"\n".to_owned(),
        },
        ..Options::default()
    });
    let log = Log::at(&nodes.broker.address());
    let relations: Vec<NewRecord> = (0..authors)
        .flat_map(|author| {
            (0..FOLLOWERS).map(move |n| follow((author * FOLLOWERS + n) % accounts, author))
        })
        .collect();
    for some in relations.chunks(5_000) {
        log.append(some);
    }
    let mut nodes = nodes;
    for _ in 0..count {
        nodes.add();
    }
    nodes.wait_settled();
    nodes.settle_all();
    // Every account is read once: what nobody reads is not fanned out to.
    let door = nodes.door(0).clone();
    std::thread::scope(|scope| {
        for part in 0..4 {
            let door = &door;
            scope.spawn(move || {
                for account in (part..accounts).step_by(4) {
                    let feed = home_of(&format!("acct-{account}"));
                    let page = door.get(&format!("{feed}?limit=1"));
                    assert_eq!(page.status, 200, "{}", page.text);
                }
            });
        }
    });
    // The standbys wake what is awake at the nodes; and what a node kept before it knew its shards, or was asked for, falls asleep.
    let wanted = (accounts * (1 + standbys.min(count - 1))) as f64;
    crate::support::wait_for("each account to be awake where it is to be", || {
        let doors = nodes.doors();
        let awake = doors
            .iter()
            .map(|door| door.metric("slackwater_awake_accounts"));
        let awake: f64 = awake.sum();
        ((awake - wanted).abs() <= wanted * 0.01).then_some(())
    });
    nodes.settle_all();
    all_is_written(&nodes);
    let begun = clock::stopwatch();
    let before: Vec<Used> = nodes.nodes.iter().map(Used::by).collect();
    for some in 0..posts / 100 {
        let records = (some * 100..(some + 1) * 100).map(|n| post(n % authors, n));
        log.append(&records.collect::<Vec<_>>());
    }
    for door in nodes.doors() {
        for n in posts - 100.min(posts)..posts {
            let uri = uri(&author(n % authors), n);
            crate::support::wait_for("a post", || super::knows(&door, &uri).then_some(()));
        }
    }
    nodes.settle_all();
    all_is_written(&nodes);
    let busy = begun.elapsed();
    let after: Vec<Used> = nodes.nodes.iter().map(Used::by).collect();
    let idle_begun = clock::stopwatch();
    pass(if measures() {
        Duration::from_secs(10)
    } else {
        Duration::from_millis(100)
    });
    let idle_after: Vec<Used> = nodes.nodes.iter().map(Used::by).collect();
    let idle_for = idle_begun.elapsed().as_secs_f64();
    println!(
        "{count} nodes, {standbys} standbys, {accounts} accounts, {posts} posts of {FOLLOWERS} followers in {busy:?}:"
    );
    for at in 0..count {
        let idle = (idle_after[at].cpu_ms - after[at].cpu_ms) / idle_for;
        let cpu = after[at].cpu_ms - before[at].cpu_ms - idle * busy.as_secs_f64();
        let thousand = posts as f64 / 1_000.0;
        println!(
            "  node {at}: {:.0} ms of CPU per 1,000 posts (idle: {idle:.1} ms/s, taken off), {:.0} entries and {:.2} MB \
             written per 1,000 posts, {:.0} MB resident",
            cpu / thousand,
            (after[at].entries - before[at].entries) / thousand,
            (after[at].bytes - before[at].bytes) / thousand / 1e6,
            after[at].resident / 1e6
        );
    }
    let entries = |at: usize| after[at].entries - before[at].entries;
    (0..count).map(entries).collect()
}

/// Waits until checkpoints have written all entries: amid one they are counted neither here nor there. Where they come by the work that there
/// is, some are left.
fn all_is_written(nodes: &Nodes) {
    let entries = |door: &Door| {
        let names = [
            "slackwater_entries_written_total",
            "slackwater_unwritten_entries",
        ];
        names.map(|name| door.metric(name))
    };
    for door in nodes.doors() {
        crate::support::wait_for("a checkpoint", || {
            let before = entries(&door);
            // Longer than a checkpoint takes, if nothing is to be left.
            pass(Duration::from_millis(if measures() { 3_000 } else { 100 }));
            let is_over = measures() || before[1] == 0.0;
            (is_over && before == entries(&door)).then_some(())
        });
    }
}

/// One node without a cluster.
struct Alone {
    instance: Instance,
    _broker: Broker,
    _dir: TempDir,
}

impl Alone {
    fn start() -> Alone {
        let dir = TempDir::new().unwrap();
        let broker = Broker::start(dir.path());
        broker.create_topics(8, 8);
        let config = instance::on_kafka(&broker.address(), "");
        let config = config.replacen("[http]", &format!("{QUICK}[http]"), 1);
        let instance = Instance::start(dir.path(), &config);
        instance.wait_until_ready();
        Alone {
            instance,
            _broker: broker,
            _dir: dir,
        }
    }
}

/// What a process has used so far.
struct Used {
    cpu_ms: f64,
    entries: f64,
    bytes: f64,
    resident: f64,
}

impl Used {
    fn by(node: &Instance) -> Used {
        let read = |file: &str| {
            let text = std::fs::read_to_string(format!("/proc/{}/{file}", node.pid()));
            text.unwrap()
        };
        let stat = read("stat");
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        // Of a hundredth of a second each.
        let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.unwrap().split_whitespace().next();
            number.unwrap().parse::<f64>().unwrap()
        };
        Used {
            cpu_ms: (ticks(11) + ticks(12)) * 10.0,
            entries: node.door.metric("slackwater_entries_written_total")
                + node.door.metric("slackwater_unwritten_entries"),
            bytes: field(&read("io"), "write_bytes: "),
            resident: field(&read("status"), "VmRSS:") * 1024.0,
        }
    }
}

fn author(n: usize) -> String {
    format!("https://h{}.example/users/{n}", n % 50)
}

fn follow(account: usize, of: usize) -> NewRecord {
    let (account, target) = (format!("acct-{account}"), author(of));
    let document = json!({"type": "follow", "account": account, "target": target});
    NewRecord {
        topic: Topic::Relationships,
        key: format!("{account}/follow/{target}").into_bytes(),
        partition_by: account.into_bytes(),
        value: Some(document.to_string().into_bytes()),
        headers: Vec::new(),
        timestamp: clock::now(),
    }
}

fn post(of: usize, n: usize) -> NewRecord {
    let author = author(of);
    NewRecord {
        topic: Topic::Activities,
        key: author.clone().into_bytes(),
        value: Some(super::post(&author, n).to_string().into_bytes()),
        partition_by: author.into_bytes(),
        headers: Vec::new(),
        timestamp: clock::now(),
    }
}

/// Twenty accounts that follow an author of twenty posts.
fn prepare(door: &Door) {
    let author = author(0);
    let follows: Vec<Value> = (0..20)
        .map(|n| json!({"type": "follow", "account": format!("acct-{n}"), "target": author}))
        .collect();
    super::relate(door, &follows);
    let posts: Vec<Value> = (0..20).map(|n| super::post(&author, n)).collect();
    super::tell(std::slice::from_ref(door), &posts);
    assert!(super::knows(door, &uri(&author, 19)));
}

/// How long mutes and their ends take, each through the next door.
fn relations(doors: &[Door], times: usize) -> String {
    let took = (0..times).map(|n| {
        let document = json!({"type": "mute", "account": format!("acct-{}", n / 2 % 20), "target": author(7),
            "removed": n % 2 == 1});
        timed(|| super::relate(&doors[n % doors.len()], std::slice::from_ref(&document)))
    });
    percentiles(&mut took.collect::<Vec<_>>())
}

/// How long a page takes.
fn pages(door: &Door, times: usize) -> String {
    let feed = home_of("acct-0");
    let took = (0..times).map(|_| timed(|| assert_eq!(door.get(&feed).status, 200)));
    percentiles(&mut took.collect::<Vec<_>>())
}

/// Lets time go by, in which what is measured does what it does by itself.
fn pass(time: Duration) {
    crate::support::wait_within(time, || None::<()>);
}

fn timed(then: impl FnOnce()) -> Duration {
    let begun: Instant = clock::stopwatch();
    then();
    begun.elapsed()
}
