//! Readers without a cursor who go from one node to another.

use super::*;
use crate::engine::simulation::driver::Node;
use crate::engine::simulation::log::{ACCOUNTS, BEGIN, HOSTS, Log, PARTITIONS, host_of};
use crate::kept::Kept;
use crate::relationship::Patience;
use slackwater_fediverse::event::{Event, RelationChoice};
use slackwater_order::window::{HostPattern, Window};

const SLOW: &str = "threads.example";
const QUICK_MS: i64 = 1_000;
const SLOW_MS: i64 = 960_000;
/// When the account follows somebody at the slow origin.
const FOLLOWS_AT: i64 = BEGIN + 100_000;

/// A node of a cluster that waits for one origin much longer than for the others.
fn node() -> Node {
    node_at([0; PARTITIONS])
}

/// The same, which begins when the log ends there.
fn node_at(ends: [usize; PARTITIONS]) -> Node {
    let window = |ms: i64| ReorderWindow::Fixed(Duration::from_millis(ms.unsigned_abs()));
    let mut windows = Windows::default();
    windows.default.reorder_window = window(QUICK_MS);
    let slow = Window {
        reorder_window: window(SLOW_MS),
        ..Window::default()
    };
    windows
        .set(HostPattern::Host(SLOW.to_owned()), slow)
        .unwrap();
    let patience = Patience::For(Duration::ZERO);
    let mut node = Node::in_cluster(LENGTH, windows, patience, ends);
    node.keep_only(Kept::shards(1, [0]));
    node
}

fn log() -> Log {
    let author_of = |host: &str| (0..HOSTS.len()).find(|author| host_of(*author) == host);
    let mut log = Log::default();
    let mut relate = |relation, at| {
        let event = Event::Relate {
            account: 0,
            relation,
            holds: true,
        };
        log.add(event, at);
    };
    let follow = |host| RelationChoice::Follow(author_of(host).unwrap(), true);
    relate(RelationChoice::Patience(None), BEGIN);
    relate(follow("punctual.example"), BEGIN);
    relate(follow(SLOW), FOLLOWS_AT);
    log
}

/// Reads all that is in the log by `until`, and publishes what it knows of it at `now`.
fn read(node: &mut Node, log: &Log, until: i64, now: i64) {
    for partition in 0..PARTITIONS {
        while node.read()[partition] < log.ends(until)[partition] {
            node.take(log, partition, Time::from_millis(now));
        }
    }
    node.step(usize::MAX, Time::from_millis(now));
    node.announce(&log.ends(now), Time::from_millis(now));
}

fn horizon(node: &Node, now: i64) -> i64 {
    let look = node
        .view
        .home_snapshot(ACCOUNTS[0], None, Time::from_millis(now));
    look.unwrap().unwrap().visible.horizon.unwrap().millis()
}

/// Promise 3. Were this to fail, whoever follows a slow origin would be shown less at another node than at the one before.
#[test]
fn a_follow_of_a_slow_origin_takes_back_nothing_on_a_node_that_had_shown_nothing() {
    let log = log();
    let (mut one, mut other) = (node(), node());
    read(&mut one, &log, FOLLOWS_AT - 1, FOLLOWS_AT - 1);
    let shown = horizon(&one, FOLLOWS_AT - 1);
    assert_eq!(shown, FOLLOWS_AT - 1 - QUICK_MS);
    for node in [&mut one, &mut other] {
        read(node, &log, FOLLOWS_AT, FOLLOWS_AT);
        assert_eq!(horizon(node, FOLLOWS_AT), FOLLOWS_AT - QUICK_MS);
        let later = FOLLOWS_AT + SLOW_MS + 5;
        read(node, &log, later, later);
        assert_eq!(horizon(node, later), later - SLOW_MS, "it goes on");
    }
}

/// Promise 3. Were this to fail, it would be so where the first node has read the follow later than the other.
#[test]
fn a_node_that_has_not_read_a_follow_shows_no_more_than_one_that_has() {
    let log = log();
    let (mut one, mut other) = (node(), node());
    let later = FOLLOWS_AT + 50_000;
    read(&mut other, &log, later, later);
    read(&mut one, &log, FOLLOWS_AT - 1, later);
    assert!(horizon(&one, later) <= horizon(&other, later));
    // Alone nobody is held back for that.
    one.keep_only(Kept::All);
    read(&mut one, &log, FOLLOWS_AT - 1, later);
    assert_eq!(horizon(&one, later), later - QUICK_MS);
}

/// Were this to fail, a node that begins anew would show what others hold back, to an account that was less patient long ago.
#[test]
fn a_patience_that_changed_before_a_node_began_counts_from_when_it_was_said() {
    let mut log = log();
    let mut relate = |relation, at| {
        let event = Event::Relate {
            account: 0,
            relation,
            holds: true,
        };
        log.append(event, at);
    };
    relate(RelationChoice::Patience(Some(5_000)), FOLLOWS_AT + 1);
    relate(RelationChoice::Patience(None), FOLLOWS_AT + 2);
    let later = FOLLOWS_AT + 2 * SLOW_MS;
    let mut late = node_at(log.ends(later));
    read(&mut late, &log, later, later);
    assert_eq!(horizon(&late, later), later - SLOW_MS);
}
