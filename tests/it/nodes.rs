//! Several nodes of one cluster, against a real broker.

use crate::support::cluster::Nodes;
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
