//! An account that was not seen for long, on the real binary: its feeds are given up, and are as they should be when it is
//! read again.

use crate::support::instance::{self, Door, Instance, OFTEN};
use crate::support::wait_for;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_order::time::Time;
use tempfile::TempDir;

const ME: &str = "https://here.example/users/me";
const ANA: &str = "https://a.example/users/ana";
const HOME: &str = "/v1/accounts/7/feeds/home";
const HOUR: i64 = 3_600_000;

/// Sends a note of Ana's that came so long ago, and waits until it is taken in.
fn note(door: &Door, n: usize, hours_ago: i64) {
    let arrived = Time::from_millis(clock::now().millis() - hours_ago * HOUR);
    let published = Time::from_millis(arrived.millis() - 1_000);
    let uri = format!("{ANA}/notes/{n}");
    let line = json!({"arrived_at": arrived.millis(), "activity": {
        "id": format!("{uri}#create"), "type": "Create", "actor": ANA, "object": {
            "id": uri, "type": "Note", "attributedTo": ANA, "published": published.rfc3339(),
            "to": ["https://www.w3.org/ns/activitystreams#Public"]
        }
    }});
    let answer = door.post("/v1/activities", "application/x-ndjson", line.to_string());
    assert_eq!(answer.status, 202, "{}", answer.text);
    let path = format!("/v1/posts?uri={uri}");
    wait_for("the note", || (door.get(&path).status == 200).then_some(()));
}

fn get(door: &Door, path: &str) -> Value {
    let answer = door.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    serde_json::from_str(&answer.text).unwrap()
}

/// Which notes a page has, oldest first.
fn notes(page: &Value) -> Vec<String> {
    let entries = page["entries"].as_array().unwrap().iter().rev();
    let number = |entry: &Value| {
        entry["uri"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    };
    entries.map(number).collect()
}

#[test]
fn feeds_nobody_reads_are_given_up_and_rebuilt_for_the_next_who_does() {
    let dir = TempDir::new().unwrap();
    // A month is not long enough for a post to be dropped.
    let config = instance::built_in(&format!("{OFTEN}posts_keep = \"90d\"\n"));
    let mut instance = Instance::start(dir.path(), &config);
    note(&instance.door, 1, 40 * 24);
    for document in [
        json!({"type": "account", "account": "7", "actor": ME}),
        json!({"type": "follow", "account": "7", "target": ANA}),
    ] {
        let sent = document.to_string();
        let answer = instance
            .door
            .post("/v1/relationships", "application/json", sent);
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    let before = get(&instance.door, HOME);
    assert_eq!(notes(&before), ["1"]);
    // An hour later, and a month in which something comes now and then: time that leaps is in doubt.
    note(&instance.door, 2, 40 * 24 - 2);
    for (n, days) in (3..).zip([34, 28, 22, 16, 10, 4]) {
        note(&instance.door, n, days * 24);
    }
    wait_for("the account to fall asleep", || {
        instance.said().contains("fell asleep").then_some(())
    });
    // Restarted it sleeps on: nothing is there until somebody asks.
    assert!(instance.terminate().0.success());
    instance.restart();
    instance.wait_until_ready();
    note(&instance.door, 9, 0);

    let cursor = before["cursor"].as_str().unwrap();
    let changes = get(&instance.door, &format!("{HOME}/changes?cursor={cursor}"));
    let told = changes["changes"].as_array().unwrap().iter();
    let told: Vec<&str> = told.filter_map(|it| it["entry"]["uri"].as_str()).collect();
    let missed: Vec<String> = (2..=9).map(|n| format!("{ANA}/notes/{n}")).collect();
    assert_eq!(told, missed);
    let after = get(&instance.door, HOME);
    let all: Vec<String> = (1..=9).map(|n| n.to_string()).collect();
    assert_eq!(notes(&after), all);
    note(&instance.door, 10, 0);
    let cursor = after["cursor"].as_str().unwrap();
    let changes = get(&instance.door, &format!("{HOME}/changes?cursor={cursor}"));
    let told: Vec<_> = changes["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["entry"]["uri"].clone())
        .collect();
    assert_eq!(told, [json!(format!("{ANA}/notes/10"))]);
    assert!(instance.terminate().0.success());
}
