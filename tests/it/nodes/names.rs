//! Nodes that cannot be of one cluster: two of one name, and one with other settings.

use super::{ANA, home_of, post, relate, tell};
use crate::support::cluster::{Nodes, Options, Unlike, said_by};
use crate::support::wait_for;
use serde_json::json;

/// Were this to fail, two processes would serve the same accounts under one name, and nobody would wait for both.
#[test]
fn of_two_nodes_of_one_name_the_older_ends_with_an_error() {
    let mut nodes = Nodes::start_with(2, Options::quick(0));
    follow(&nodes);
    nodes.add_named("a", "another-a", &Unlike::default());
    assert!(!nodes.nodes[0].ended().success());
    let said = nodes.nodes[0].said();
    let why = "another process runs as the node of this name";
    assert!(said.contains(why), "{said}");
    nodes.wait_settled();
    for door in nodes.doors() {
        let page = door.get(&home_of("7"));
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains(ANA), "{}", page.text);
    }
}

/// Were this to fail, an account would have one feed or another, depending on the node that it is at.
#[test]
fn a_node_whose_feeds_would_be_others_says_so_and_serves_nothing() {
    let mut nodes = Nodes::start_with(2, Options::quick(0));
    follow(&nodes);
    nodes.add_unlike(&Unlike {
        more: "length = 100\n",
        ..Unlike::default()
    });
    let other = nodes.door(2);
    let why = wait_for("it to say why it is not ready", || {
        let answer = other.get("/readyz");
        (answer.status == 503 && answer.text.contains("feed.length")).then_some(answer.text)
    });
    println!("{why}");
    // As the others know it too.
    wait_for("the others to know", || {
        let said = said_by(nodes.door(0))?;
        let nodes = said["nodes"].as_array()?.clone();
        let other = nodes.into_iter().find(|node| node["node"] == "c")?;
        assert_eq!(other["serves"], json!([]), "{other}");
        assert_eq!(other["standby"], json!([]), "{other}");
        (other["live"] == true && other["agrees"] == false).then_some(())
    });
    assert_eq!(nodes.door(0).get("/readyz").status, 200);
    // Whoever reaches it is answered by those that agree.
    let page = other.get(&home_of("7"));
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains(ANA), "{}", page.text);
}

fn follow(nodes: &Nodes) {
    let follow = json!({"type": "follow", "account": "7", "target": ANA});
    relate(nodes.door(0), &[follow]);
    tell(&nodes.doors(), &[post(ANA, 0)]);
}
