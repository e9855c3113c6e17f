//! Nodes that are stopped and started as an operator does it.

use super::crowd::{Crowd, Gone, Report};
use super::load::Load;
use crate::support::cluster::{Nodes, Options};
use crate::support::instance::Door;

const READERS: usize = 30;
const HIDERS: usize = 4;

/// Were this to fail, an upgrade would cost readers errors, or posts.
#[test]
fn all_nodes_are_restarted_one_after_the_other_and_no_request_fails() {
    let report = watched(3, 61, |nodes, gone, load| {
        for at in 0..3 {
            load.let_go(at + 1, 3);
            restart(nodes, gone, at);
        }
    });
    no_request_failed(&report);
    assert!(0 < report.watching.moved, "{report}");
    println!("a rolling restart: {report}");
}

/// Were this to fail, a node more or less would cost readers errors, or posts.
#[test]
fn a_node_joins_empty_and_another_leaves_for_good_and_no_request_fails() {
    let report = watched(2, 71, |nodes, gone, load| {
        load.let_go(1, 2);
        nodes.add();
        nodes.wait_settled();
        gone.reach(nodes.doors());
        load.let_go(2, 2);
        gone.reach(doors_but(nodes, 0));
        assert!(nodes.nodes[0].terminate().0.success());
        nodes.wait_settled();
    });
    no_request_failed(&report);
    println!("one joins, one leaves: {report}");
}

/// Every connection was answered, and none with a word to come again.
fn no_request_failed(report: &Report) {
    for tally in [report.asking, report.watching] {
        assert_eq!((tally.gone, tally.later), (0, 0), "{report}");
    }
}

/// Some nodes under load, whose readers read while something is done with them.
fn watched(count: usize, seed: u64, then: impl FnOnce(&mut Nodes, &Gone<'_>, &Load)) -> Report {
    let load = Load::made_up(seed, 2_000, 300);
    // Nobody has to wait for a lease to be over: nodes say that they leave.
    let options = Options {
        standbys: Some(1),
        ..Options::default()
    };
    let mut nodes = load.nodes(count, options);
    let crowd = Crowd::of(&load.fediverse.accounts[..READERS], &nodes);
    let mut crowd = crowd.with_hiders(HIDERS, &nodes, &load);
    crowd.read_under(&load, &mut nodes, |nodes, gone| then(nodes, gone, &load))
}

/// As a load balancer and an operator do it: nothing new is sent there, then it is told to end.
fn restart(nodes: &mut Nodes, gone: &Gone<'_>, at: usize) {
    gone.reach(doors_but(nodes, at));
    assert!(nodes.nodes[at].terminate().0.success());
    nodes.nodes[at].restart();
    nodes.wait_settled();
    gone.reach(nodes.doors());
}

fn doors_but(nodes: &Nodes, but: usize) -> Vec<Door> {
    let others = (0..nodes.nodes.len()).filter(|at| *at != but);
    let running = others.filter(|at| nodes.nodes[*at].is_running());
    running.map(|at| nodes.door(at).clone()).collect()
}
