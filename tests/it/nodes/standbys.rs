//! Nodes that keep the feeds of accounts that another serves.

use super::relate;
use crate::support::cluster::Nodes;
use crate::support::instance::Door;
use crate::support::wait_for;
use serde_json::json;

/// Were this to fail, readers of a node that is killed would wait until their feeds are built.
#[test]
fn a_standby_builds_the_feeds_of_accounts_that_are_awake_at_their_node() {
    let mut nodes = Nodes::start(2, "standbys = 1");
    for account in 0..40 {
        let actor = format!("https://home.example/users/{account}");
        let document = json!({"type": "account", "account": account.to_string(), "actor": actor});
        relate(nodes.door(0), &[document]);
    }
    let awake = |door: &Door| door.metric("slackwater_awake_accounts");
    assert_eq!(
        awake(nodes.door(0)),
        40.0,
        "of those that it serves and those that it stands by for"
    );
    // One that has lost its folder knows nobody who is awake.
    nodes.nodes[1].kill9();
    nodes.lose_folder(1);
    nodes.nodes[1].restart();
    nodes.wait_settled();
    wait_for("the standby to be warm", || {
        (awake(nodes.door(1)) == 40.0).then_some(())
    });
}
