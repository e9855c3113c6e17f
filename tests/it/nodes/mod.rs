//! Several nodes of one cluster as processes, on a real broker: killed, stopped, cut off, restarted, joined and left.
//!
//! They run a few times each, or as often as a variable of the environment says: `SLACKWATER_KILLS`, `SLACKWATER_STOPS`,
//! `SLACKWATER_RELATIONS`.

mod cost;
mod crowd;
mod cut_off;
mod group;
mod hiders;
mod in_force;
mod kills;
mod letters;
mod load;
mod mastodon;
mod names;
mod restarts;
mod standbys;
mod stops;

use crate::support::instance::Door;
use crate::support::wait_for;
use serde_json::{Value, json};
use slackwater::clock;
use std::collections::BTreeSet;
use std::time::Duration;

const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";
const ANA: &str = "https://a.example/users/ana";
const BOB: &str = "https://b.example/users/bob";

/// The home feed of an account.
fn home_of(account: &str) -> String {
    format!("/v1/accounts/{account}/feeds/home")
}

/// A post of an author; the number is part of its URI.
fn uri(author: &str, n: usize) -> String {
    format!("{author}/posts/{n}")
}

/// The activity that brings it.
fn post(author: &str, n: usize) -> Value {
    let uri = uri(author, n);
    let note = json!({"type": "Note", "id": uri, "attributedTo": author, "content": "<p>low tide</p>",
        "published": clock::now().rfc3339(), "to": [PUBLIC]});
    json!({"type": "Create", "id": format!("{uri}#create"), "actor": author, "object": note})
}

/// Sends documents, a line each, all of which are accepted.
fn send(door: &Door, path: &str, documents: &[Value]) {
    let lines: Vec<String> = documents.iter().map(Value::to_string).collect();
    door.post_lines(path, &lines);
}

fn relate(door: &Door, documents: &[Value]) {
    send(door, "/v1/relationships", documents);
}

/// Sends posts, and waits until each of these nodes has them.
fn tell(doors: &[Door], posts: &[Value]) {
    send(&doors[0], "/v1/activities", posts);
    for door in doors {
        for post in posts {
            let uri = post["object"]["id"].as_str().unwrap();
            wait_for("the post", || knows(door, uri).then_some(()));
        }
    }
}

/// Whether a node has a post.
fn knows(door: &Door, uri: &str) -> bool {
    let path = format!("/v1/posts?uri={uri}");
    let answer = door.try_get(&path, Duration::from_secs(5));
    answer.is_ok_and(|answer| answer.status == 200)
}

/// The authors of the entries of a page.
fn authors(page: &Value) -> BTreeSet<String> {
    let entries = page["entries"].as_array().expect("entries").iter();
    entries
        .map(|entry| entry["author"].as_str().expect("an author").to_owned())
        .collect()
}
