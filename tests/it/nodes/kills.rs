//! Nodes that are killed under load.

use super::crowd::Crowd;
use super::load::Load;
use crate::support::cluster::Options;
use crate::support::instance::OFTEN;
use crate::support::{measures, times};

/// How often a node is killed in each of the tests.
const KILLS: usize = 3;
const READERS: usize = 30;
const HIDERS: usize = 4;

/// Were this to fail, a killed node would cost its readers more than a moment: posts missed or doubled, a feed of which nobody knows; or
/// somebody would be shown whom they have muted.
#[test]
fn readers_of_a_node_that_is_killed_go_on_at_those_that_stand_by() {
    killed_in_turn(1, 41);
}

/// The same where nobody keeps the feeds of the killed node warm.
#[test]
fn readers_of_a_node_that_is_killed_go_on_where_its_accounts_are_claimed() {
    killed_in_turn(0, 51);
}

/// Were this to fail, streams would stay away from their node's end on, or be sent away over and over.
#[test]
fn all_streams_of_a_node_that_stops_or_is_killed_are_open_again_elsewhere() {
    for standbys in [1, 0] {
        let watchers = if measures() { 500 } else { 60 };
        let load = Load::made_up(91, 1_500, watchers);
        let mut nodes = load.nodes(3, Options::quick(standbys));
        let mut crowd = Crowd::of_watchers(&load.fediverse.accounts, &nodes);
        let report = crowd.read_under(&load, &mut nodes, |nodes, gone| {
            gone.wait_begun();
            load.let_go(1, 3);
            gone.reach(nodes.doors()[1..].to_vec());
            gone.stop(nodes, 0);
            let resumed = gone.resumed();
            println!("{standbys} standbys, one of three stops: {resumed}");
            load.let_go(2, 3);
            gone.reach(nodes.doors()[1..].to_vec());
            gone.kill(nodes, 1);
            println!("the next is killed: {}", gone.resumed());
        });
        println!("{watchers} streams: {report}");
        let ended = report.watching.moved + report.watching.gone;
        assert!(ended <= 3 * watchers, "{report}");
    }
}

fn killed_in_turn(standbys: usize, seed: u64) {
    let kills = times("SLACKWATER_KILLS", KILLS);
    let load = Load::made_up(seed, 1_500 + 100 * kills, 300);
    let options = Options {
        more: OFTEN.to_owned(),
        ..Options::quick(standbys)
    };
    let mut nodes = load.nodes(3, options);
    let accounts = &load.fediverse.accounts[..READERS];
    let crowd = Crowd::of(accounts, &nodes);
    let mut crowd = crowd.with_hiders(HIDERS, &nodes, &load);
    let report = crowd.read_under(&load, &mut nodes, |nodes, gone| {
        for kill in 0..kills {
            load.let_go(kill + 1, kills);
            let at = kill % 3;
            gone.kill(nodes, at);
            // Some come back before their lease is over, some when others have taken their accounts.
            if kill % 2 == 1 {
                gone.reach(nodes.doors());
                nodes.wait_settled();
            }
            nodes.nodes[at].restart();
            gone.reach(nodes.doors());
            nodes.wait_settled();
        }
    });
    println!("{kills} kills, {standbys} standbys: {report}");
}
