//! Nodes that are killed under load.

use super::crowd::Crowd;
use super::load::Load;
use crate::support::cluster::{Nodes, Options};
use crate::support::instance::OFTEN;
use crate::support::times;

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

fn killed_in_turn(standbys: usize, seed: u64) {
    let kills = times("SLACKWATER_KILLS", KILLS);
    let load = Load::made_up(seed, 1_500 + 100 * kills, 300);
    let options = Options {
        more: OFTEN.to_owned(),
        ..Options::quick(standbys)
    };
    let mut nodes = Nodes::none(options);
    let broker = nodes.broker.address();
    load.begin(&broker);
    for _ in 0..3 {
        nodes.add();
    }
    nodes.wait_settled();
    nodes.settle_all();
    let accounts = &load.fediverse.accounts[..READERS];
    let crowd = Crowd::of(accounts, &nodes);
    let mut crowd = crowd.with_hiders(HIDERS, &nodes, &load);
    std::thread::scope(|scope| {
        scope.spawn(|| load.run(&broker));
        crowd.read_while(|gone| {
            for kill in 0..kills {
                load.let_go(kill + 1, kills);
                let at = kill % 3;
                gone.kill(&mut nodes, at);
                // Some come back before their lease is over, some when others have taken their accounts.
                if kill % 2 == 1 {
                    gone.reach(nodes.doors());
                    nodes.wait_settled();
                }
                nodes.nodes[at].restart();
                gone.reach(nodes.doors());
                nodes.wait_settled();
            }
            load.let_go(kills, kills);
            load.wait_read(&nodes);
        });
    });
    let report = crowd.check(&nodes, &load);
    println!("{kills} kills, {standbys} standbys: {report}");
    assert!(0 < report.hidden.looks, "{report}");
}
