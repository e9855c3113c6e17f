//! Several nodes of one cluster, against a real broker.

use crate::support::cluster::Nodes;
use crate::support::instance::Door;
use crate::support::wait_for;
use serde_json::json;

/// Were this to fail, a mute that was answered on one node would not be in force on another.
#[test]
fn a_relation_that_one_node_answers_is_in_force_on_all() {
    let nodes = Nodes::start(3, "");
    let document =
        json!({"type": "account", "account": "7", "actor": "https://home.example/users/7"});
    let answer = nodes.door(0).post(
        "/v1/relationships",
        "application/json",
        document.to_string(),
    );
    assert_eq!(answer.status, 202, "{}", answer.text);
    for at in 0..3 {
        let page = nodes.door(at).get("/v1/accounts/7/feeds/home");
        assert_eq!(page.status, 200, "{}", page.text);
    }
}

/// Were this to fail, readers of a node that is killed would wait until their feeds are made anew.
#[test]
fn a_standby_makes_the_feeds_of_accounts_that_are_awake_at_their_node() {
    let mut nodes = Nodes::start(2, "standbys = 1");
    for account in 0..40 {
        let actor = format!("https://home.example/users/{account}");
        let document = json!({"type": "account", "account": account.to_string(), "actor": actor});
        let answer = nodes.door(0).post(
            "/v1/relationships",
            "application/json",
            document.to_string(),
        );
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    let awake = |door: &Door| {
        let woken = door.metric("slackwater_woken_accounts");
        let serves = door.metric("slackwater_shards{state=\"serves\"}");
        (serves, woken)
    };
    let all = awake(nodes.door(0)).1;
    assert_eq!(
        all, 40.0,
        "of those that it serves and those that it stands by for"
    );
    // One that has lost its folder knows nobody who is awake.
    nodes.nodes[1].kill9();
    nodes.lose_folder(1);
    nodes.nodes[1].restart();
    nodes.wait_settled();
    wait_for("the standby to be warm", || {
        (awake(nodes.door(1)).1 == 40.0).then_some(())
    });
}
