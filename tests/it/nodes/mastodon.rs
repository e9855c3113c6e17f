//! Clients of Mastodon's API through a node that serves none of their accounts.

use super::{ANA, post, relate, tell};
use crate::clients::Client;
use crate::support::cluster::{Nodes, Options};
use crate::support::surface::{KIM, SECRET, SERVICE, token_of};
use crate::support::wait_for;
use serde_json::{Value, json};
use std::time::Duration;

/// Kim's account.
const ACCOUNT: &str = "7";

/// Were this to fail, a client would have to know which node has its account.
#[test]
fn a_client_of_mastodon_reads_and_watches_home_through_a_node_that_does_not_serve_it() {
    let more = format!(
        "[auth]\nservice_tokens = [\"{SERVICE}\"]\n[auth.jwt]\nalgorithm = \"HS256\"\nkey = \"{SECRET}\"\n"
    );
    let options = Options {
        more,
        token: Some(SERVICE.to_owned()),
        ..Options::quick(0)
    };
    let nodes = Nodes::start_with(3, options);
    relate(
        nodes.door(0),
        &[
            json!({"type": "account", "account": ACCOUNT, "actor": KIM}),
            json!({"type": "follow", "account": ACCOUNT, "target": ANA}),
        ],
    );
    tell(&nodes.doors(), &[post(ANA, 0)]);
    let server = nodes.server_of(ACCOUNT);
    let edge = nodes.door((server + 1) % 3);
    let token = token_of(ACCOUNT, "read", Duration::from_secs(3600));
    let own: Value = nodes.door(server).get(&super::home_of(ACCOUNT)).json();
    let entries = own["entries"].as_array().unwrap();
    let ids: Vec<&Value> = entries.iter().map(|entry| &entry["id"]).collect();
    assert_eq!(ids.len(), 1);
    for script in ["mastodon_py.py", "masto.mjs"] {
        let reads = Client::start_at(edge.base(), &token, script, "home", &[]);
        assert_eq!(reads.said("home"), json!(ids), "{script}");
    }
    let mut n = 0;
    for (script, how) in [
        ("mastodon_py.py", "sse"),
        ("mastodon_py.py", "websocket"),
        ("masto.mjs", "websocket"),
    ] {
        let watches = Client::start_at(edge.base(), &token, script, how, &[]);
        watches.said("ready");
        // The client may be connected before its stream is.
        wait_for("an update", || {
            n += 1;
            tell(&nodes.doors(), &[post(ANA, n)]);
            watches.event(Duration::from_millis(300))
        });
    }
}
