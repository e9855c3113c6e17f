//! The view of several nodes, before real nodes.

use super::Browser;
use crate::doctor::node_at;
use crate::support::cluster::Nodes;
use crate::support::instance::Instance;
use crate::support::nginx::free_port;
use crate::support::service::Service;
use serde_json::{Value, json};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tempfile::TempDir;

/// How long the one who asks for accounts pauses.
const PAUSE: Duration = Duration::from_millis(200);

/// A failure means that an operator does not see that a node is gone, or sees shards where they are not.
#[test]
fn nodes_are_shown_with_their_shards_and_one_that_dies_is_gone() {
    let mut nodes = Nodes::start(3, "");
    let client = Browser::start(nodes.door(0).base(), "", "nodes");
    assert_eq!(
        client.said("links"),
        json!(["Overview", "Feeds", "Nodes", "Dead letters"])
    );
    let sentence = "3 nodes live. Each of 8 shards is served.";
    assert_eq!(client.said("sentence"), sentence);
    let shown = client.said("shown");
    let row = |shown: &Value, at: usize| (shown[at][0].clone(), shown[at][1].clone());
    assert_eq!(row(&shown, 0), (json!("a"), json!(["this one", "lives"])));
    assert_eq!(row(&shown, 1), (json!("b"), json!(["lives"])));
    assert_eq!(row(&shown, 2), (json!("c"), json!(["lives"])));
    let said = nodes.door(0).get("/v1/nodes").json();
    let serves = said["nodes"][0]["serves"].as_array().unwrap();
    assert_eq!(client.said("bars"), serves.len());
    for (at, node) in said["nodes"].as_array().unwrap().iter().enumerate() {
        let label = shown[at][2].as_str().unwrap();
        let first = format!("serves {}", node["serves"][0]);
        assert!(label.starts_with(&first), "{label}: {node}");
        let stands_by = node["standby"][0].as_u64();
        let stands_by = stands_by.map(|first| format!("stands by for {first}"));
        assert_eq!(
            stands_by.is_some_and(|words| label.contains(&words)),
            node["standby"] != json!([]),
            "{label}: {node}"
        );
    }
    for scheme in ["light", "dark"] {
        assert_eq!(client.said(scheme), json!([[400, 400], []]), "{scheme}");
    }
    client.said("looked");
    nodes.nodes[2].kill9();
    assert_eq!(
        client.said("after"),
        "2 nodes live. Each of 8 shards is served."
    );
    let left = client.said("left");
    assert_eq!(row(&left, 2), (json!("c"), json!(["gone"])));
    assert_eq!(left[2][2], "", "it has nothing any more");
    assert_eq!(client.said("dead"), json!([]));
    client.ends_clean();
}

/// A failure means that an operator looks at nodes and does not see what is wrong with them.
#[test]
fn what_is_wrong_between_nodes_stands_beside_them() {
    let nodes = Nodes::start(1, "");
    let dir = TempDir::new().unwrap();
    let start = |name: &str, config: String| {
        let dir = dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        Instance::start(&dir, &config)
    };
    let differs = node_at(&nodes.broker, "b", "").replace("[feed]\n", "[feed]\nlength = 7\n");
    let nowhere = format!("advertise = \"http://127.0.0.1:{}\"", free_port());
    let _b = start("b", differs);
    let c = start("c", node_at(&nodes.broker, "c", &nowhere));
    c.wait_until_ready();
    let (end, is_over) = channel::<()>();
    std::thread::scope(|scope| {
        // Whoever asks for accounts of a node that is not reached has it noticed.
        let nodes = &nodes;
        scope.spawn(move || {
            while is_over.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                for account in 0..16 {
                    let home = format!("/v1/accounts/{account}/feeds/home");
                    nodes.door(0).get(&home);
                }
            }
        });
        let _end: Sender<()> = end;
        let client = Browser::start(nodes.door(0).base(), "", "unwell");
        let differs = json!([
            ["lives", "other settings"],
            [
                "Its settings decide feeds otherwise than those of the node that has run longest: it serves nothing."
            ]
        ]);
        assert_eq!(client.said("differs"), differs);
        let away = json!([
            ["lives", "cannot be reached"],
            ["The node that was asked could not connect to it lately."]
        ]);
        assert_eq!(client.said("away"), away);
        assert_eq!(client.said("well"), json!([]));
        for scheme in ["light", "dark"] {
            assert_eq!(client.said(scheme), json!([]), "{scheme}");
        }
        client.ends_clean();
    });
}

#[test]
fn where_there_is_one_node_there_is_no_view_of_several() {
    let mut service = Service::start("");
    service.wait_ready();
    let client = Browser::start(&format!("http://{}", service.address), "", "alone");
    assert_eq!(
        client.said("links"),
        json!(["Overview", "Feeds", "Dead letters"])
    );
    client.ends_clean();
    assert!(service.stop().success());
}
