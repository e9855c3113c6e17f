//! A built-in log copied into Kafka: what an instance keeps that has outgrown it.

use crate::support::broker::Broker;
use crate::support::instance::{self, Instance, binary};
use crate::support::wait_for;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";

/// A failure means that an instance that goes to Kafka loses posts, shows them twice, or gives them other ids.
#[test]
fn feeds_on_kafka_are_those_that_were_on_the_built_in_log_however_often_it_is_copied() {
    let before = TempDir::new().unwrap();
    let mut instance = Instance::start(before.path(), &instance::built_in(""));
    let relations: Vec<String> = ["7", "8"]
        .iter()
        .flat_map(|account| {
            let actor = format!("https://me.example/users/{account}");
            let follow =
                |name: &str| json!({"type": "follow", "account": account, "target": author(name)});
            [
                json!({"type": "account", "account": account, "actor": actor}),
                follow("ana"),
                follow("bob"),
                json!({"type": "mute", "account": "8", "target": author("bob")}),
            ]
        })
        .map(|it| it.to_string())
        .collect();
    instance.door.post_lines("/v1/relationships", &relations);
    // One that came a quarter of an hour late, one that was deleted, one that was edited.
    let lines = [
        post("ana", 1, "10:00:00", "10:15:00"),
        post("bob", 1, "10:05:00", "10:05:01"),
        post("ana", 2, "10:10:00", "10:10:01"),
        post("bob", 2, "10:11:00", "10:11:01"),
        json!({"activity": {"type": "Delete", "actor": author("bob"), "object": uri("bob", 2)}, "arrived_at": "2026-11-22T10:12:00Z"}),
    ];
    instance
        .door
        .post_lines("/v1/activities", &lines.map(|it| it.to_string()));
    instance.settle_all();
    let accounts = ["7", "8"].map(str::to_owned);
    let homes = instance.door.homes(&accounts);
    assert_eq!(["7", "8"].map(|account| homes[account].len()), [3, 2]);
    let cursor = instance.door.get("/v1/accounts/7/feeds/home").json()["cursor"].clone();
    assert!(instance.terminate().0.success());

    let dir = TempDir::new().unwrap();
    let of_broker = TempDir::new().unwrap();
    let broker = Broker::start(of_broker.path());
    broker.create_topics(4, 4);
    let config = dir.path().join("slackwater.toml");
    std::fs::write(&config, instance::on_kafka(&broker.address(), "")).unwrap();
    let log = before.path().join("log");
    for _ in 0..2 {
        let copied = copy(&log, &config);
        let said = String::from_utf8_lossy(&copied.stdout);
        assert!(copied.status.success(), "{copied:?}");
        assert!(
            said.starts_with("copied ") && said.ends_with(" and 5 records of activities\n"),
            "{said}"
        );
    }
    let after = Instance::start(dir.path(), &instance::on_kafka(&broker.address(), ""));
    after.wait_until_ready();
    wait_for("the same homes", || {
        (shown(&after.door.homes(&accounts)) == shown(&homes)).then_some(())
    });
    let changes = format!(
        "/v1/accounts/7/feeds/home/changes?cursor={}",
        cursor.as_str().unwrap()
    );
    assert_eq!(
        after.door.get(&changes).status,
        410,
        "a cursor belongs to a log"
    );

    // To a configuration without Kafka, or from a folder that is none, nothing is copied.
    let built_in = before.path().join("slackwater.toml");
    let refused = |output: &Output, told: &str| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(told), "{said}");
    };
    refused(&copy(&log, &built_in), "log.kind = \"built-in\"");
    let nowhere = dir.path().join("nowhere");
    refused(&copy(&nowhere, &config), &nowhere.display().to_string());
}

fn copy(log: &Path, config: &Path) -> Output {
    let mut copy = Command::new(binary());
    copy.arg("copy-log").arg(log).arg("--config").arg(config);
    copy.output().unwrap()
}

/// What readers see of entries; what they rest on in the log is no part of it.
fn shown(homes: &std::collections::BTreeMap<String, Vec<Value>>) -> Vec<Vec<Value>> {
    let keys = ["id", "uri", "arrived", "verdict", "published", "object"];
    let entry = |entry: &Value| keys.iter().map(|key| entry[*key].clone()).collect();
    homes
        .values()
        .map(|home| home.iter().map(entry).collect())
        .collect()
}

fn author(name: &str) -> String {
    format!("https://{name}.example/users/{name}")
}

fn uri(name: &str, n: u32) -> String {
    format!("{}/{n}", author(name))
}

/// A line of a post, written and arrived at these times.
fn post(name: &str, n: u32, published: &str, arrived: &str) -> Value {
    let (author, uri) = (author(name), uri(name, n));
    let object = json!({
        "type": "Note", "id": uri, "attributedTo": author, "to": PUBLIC, "content": "hello",
        "published": format!("2026-11-22T{published}Z")
    });
    json!({
        "activity": {"type": "Create", "id": format!("{uri}/activity"), "actor": author, "object": object},
        "arrived_at": format!("2026-11-22T{arrived}Z")
    })
}
