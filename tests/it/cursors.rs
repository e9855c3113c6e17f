//! Cursors that outlive what they came from: after a stop, a kill, a rebuild, and on another node reading the same log, a
//! reader who catches up has what a fresh read gives, or is told to read anew.

use crate::support;
use crate::support::broker::Broker;
use crate::support::instance::{self, Door, Instance, OFTEN};
use crate::support::replica::Replica;
use crate::support::wait_for;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_order::time::Time;
use std::fs;
use std::time::Duration;
use tempfile::TempDir;

const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";
const NOON: i64 = 1_795_348_800_000;
const AUTHORS: [&str; 4] = [
    "https://a.example/users/ana",
    "https://b.example/users/bob",
    "https://c.example/users/cy",
    "https://d.example/users/di",
];

fn uri(author: usize, n: i64) -> String {
    let host = AUTHORS[author].split('/').nth(2).unwrap();
    format!("https://{host}/posts/{n}")
}

fn activity(kind: &str, author: usize, n: i64, text: &str) -> String {
    let (uri, actor) = (uri(author, n), AUTHORS[author]);
    let mut object = json!({"type": "Note", "id": uri, "attributedTo": actor, "content": text,
        "published": Time::from_millis(NOON + n * 1_000).rfc3339(), "to": [PUBLIC]});
    if kind == "Update" {
        object["updated"] = json!(Time::from_millis(NOON + n * 1_000 + 500).rfc3339());
    }
    if kind == "Delete" {
        object = json!({"type": "Tombstone", "id": uri});
    }
    json!({"type": kind, "id": format!("{uri}#{kind}"), "actor": actor, "object": object})
        .to_string()
}

fn boost(author: usize, n: i64, of: &str) -> String {
    json!({"type": "Announce", "id": uri(author, n), "actor": AUTHORS[author], "object": of,
        "published": Time::from_millis(NOON + n * 1_000).rfc3339(), "to": [PUBLIC]})
    .to_string()
}

fn relate(door: &Door, kind: &str, author: usize, removed: bool) {
    let line = json!({"type": kind, "account": "7", "target": AUTHORS[author], "removed": removed});
    door.post_lines("/v1/relationships", &[line.to_string()]);
}

/// Everything that can happen to a feed. `round` keeps the posts of several rounds apart.
fn happen(door: &Door, round: i64) {
    let n = |n: i64| round * 100 + n;
    let mut lines: Vec<String> = (0..12)
        .map(|at| activity("Create", at as usize % 4, n(at), "first"))
        .collect();
    // Late ones, an edit, a deletion, boosts of what is known and of what comes after.
    lines.extend([
        activity("Create", 0, n(-40), "late"),
        activity("Update", 1, n(1), "edited"),
        activity("Delete", 2, n(2), ""),
        boost(0, n(20), &uri(3, n(3))),
        boost(1, n(21), &uri(3, n(50))),
        activity("Create", 3, n(50), "after its boost"),
    ]);
    // Of the round before, which readers have read.
    lines.push(activity("Update", 2, n(6) - 100, "edited later"));
    lines.push(activity("Delete", 2, n(10) - 100, ""));
    door.post_lines("/v1/activities", &lines);
}

/// Waits until all that was appended has been taken in.
fn settle(instance: &Instance) {
    instance.settle();
    wait_for("no lag", || {
        let metrics = instance.door.get("/metrics").text;
        let lags = metrics
            .lines()
            .filter(|line| line.starts_with("slackwater_lag_records{"));
        lags.map(|line| line.rsplit(' ').next().unwrap())
            .all(|lag| lag == "0")
            .then_some(())
    });
    instance.settle();
}

fn check(reader: &mut Replica, door: &Door, what: &str) {
    assert_eq!(reader.catch_up(door), 200, "{what}");
    assert_eq!(reader.entries(), door.home("7"), "{what}");
}

/// A failure means that a client that was away misses posts, or keeps what was deleted, for ever.
#[test]
fn a_cursor_is_good_after_a_stop_a_kill_and_a_rebuild() {
    let dir = TempDir::new().unwrap();
    let mut instance = Instance::start(dir.path(), &instance::built_in(OFTEN));
    for author in 0..3 {
        relate(&instance.door, "follow", author, false);
    }
    happen(&instance.door, 1);
    settle(&instance);
    let mut readers: Vec<Replica> = (0..4).map(|_| Replica::read(&instance.door, "7")).collect();
    happen(&instance.door, 2);
    relate(&instance.door, "follow", 3, false);
    relate(&instance.door, "follow", 0, true);
    relate(&instance.door, "mute", 1, false);
    settle(&instance);
    check(
        &mut readers[0],
        &instance.door,
        "nothing happened to the service",
    );
    let told = &readers[0].told;
    for kind in ["post", "edit", "remove"] {
        assert!(told.iter().any(|change| change["kind"] == kind), "{kind}");
    }

    assert_eq!(instance.terminate().0.code(), Some(0));
    instance.restart();
    instance.wait_until_ready();
    check(&mut readers[1], &instance.door, "stopped and started");

    happen(&instance.door, 3);
    instance.kill9();
    instance.restart();
    instance.wait_until_ready();
    settle(&instance);
    check(&mut readers[0], &instance.door, "killed, told before");
    check(&mut readers[1], &instance.door, "killed");
    // It lacks relations that took entries out, and what they took is listed or it is refused: never a gap.
    match readers[2].catch_up(&instance.door) {
        200 => assert_eq!(readers[2].entries(), instance.door.home("7")),
        status => assert_eq!(status, 410),
    }

    relate(&instance.door, "mute", 1, true);
    settle(&instance);
    check(&mut readers[0], &instance.door, "unmuted");
    let before = Replica::read(&instance.door, "7");
    assert_eq!(instance.terminate().0.code(), Some(0));
    fs::remove_dir_all(dir.path().join("feeds")).unwrap();
    instance.restart();
    instance.wait_until_ready();
    settle(&instance);
    let mut rebuilt = before;
    check(&mut rebuilt, &instance.door, "rebuilt");
    assert_eq!(rebuilt.told.len(), 0, "what it has needs not be told");
    check(
        &mut readers[0],
        &instance.door,
        "rebuilt, told a while before",
    );
    // This one lacks the unfollow and the mute, which the rebuild read before any post.
    assert_eq!(readers[3].catch_up(&instance.door), 410);
    let whys = ["forgotten", "not_listed"].map(|why| refused(&instance, why));
    assert_eq!(whys.iter().sum::<f64>(), 1.0, "{whys:?}");
    // And life goes on.
    happen(&instance.door, 4);
    settle(&instance);
    check(&mut rebuilt, &instance.door, "after the rebuild");
}

/// A failure means that readers must begin anew whenever they meet another node.
#[test]
fn a_cursor_is_good_on_another_node_that_reads_the_same_log() {
    let dir = TempDir::new().unwrap();
    let broker = Broker::start(dir.path());
    broker.create_topics(4, 2);
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let start = |n: usize| {
        let group = format!("node-{n}");
        let config = instance::on_kafka(&broker.address(), OFTEN);
        let config = config.replace("[kafka]\n", &format!("[kafka]\ngroup = \"{group}\"\n"));
        let instance = Instance::start(folders[n].path(), &config);
        instance.wait_until_ready();
        instance
    };
    let one = start(0);
    for author in 0..3 {
        relate(&one.door, "follow", author, false);
    }
    happen(&one.door, 1);
    settle(&one);
    let other = start(1);
    settle(&other);
    let mut reader = Replica::read(&one.door, "7");
    let mut early = Replica::read(&one.door, "7");
    assert_eq!(
        reader.entries(),
        other.door.home("7"),
        "two nodes, one feed"
    );
    check(&mut reader, &other.door, "nothing new on the other");
    assert_eq!(reader.told.len(), 0);

    happen(&one.door, 2);
    settle(&one);
    settle(&other);
    check(&mut reader, &one.door, "told by the one");
    check(&mut reader, &other.door, "and then by the other");
    relate(&other.door, "follow", 3, false);
    relate(&other.door, "follow", 1, true);
    happen(&other.door, 3);
    settle(&one);
    settle(&other);
    check(
        &mut reader,
        &one.door,
        "posted to the other, told by the one",
    );
    check(&mut reader, &other.door, "and by the other again");
    check(&mut early, &other.door, "much at once, on the other");

    // A third has all of it to read, relations first.
    let mut third = Replica::read(&one.door, "7");
    drop(one);
    fs::remove_dir_all(folders[0].path().join("feeds")).unwrap();
    let rebuilt = start(0);
    settle(&rebuilt);
    check(&mut third, &rebuilt.door, "rebuilt from the broker");
    check(&mut reader, &rebuilt.door, "rebuilt from the broker");
}

/// How many cursors a process has refused for this reason.
fn refused(instance: &Instance, why: &str) -> f64 {
    let name = format!("slackwater_cursors_refused_total{{why=\"{why}\"}}");
    instance.door.metric(&name)
}

/// A failure means that a cursor of a log that is gone is taken for one of this, and its reader misses posts.
#[test]
fn a_cursor_of_another_log_or_of_more_than_there_is_is_refused() {
    let dir = TempDir::new().unwrap();
    let mut instance = Instance::start(dir.path(), &instance::built_in(""));
    relate(&instance.door, "follow", 0, false);
    happen(&instance.door, 1);
    settle(&instance);
    let mut reader = Replica::read(&instance.door, "7");
    instance.kill9();
    for folder in ["feeds", "log"] {
        fs::remove_dir_all(dir.path().join(folder)).unwrap();
    }
    instance.restart();
    instance.wait_until_ready();
    relate(&instance.door, "follow", 0, false);
    assert_eq!(reader.catch_up(&instance.door), 410, "another log");
    assert_eq!(refused(&instance, "other_key"), 1.0);

    // The same log, its end lost.
    let log = dir.path().join("log");
    let copy = dir.path().join("copy");
    instance.kill9();
    copy_all(&log, &copy);
    instance.restart();
    instance.wait_until_ready();
    happen(&instance.door, 2);
    settle(&instance);
    let mut reader = Replica::read(&instance.door, "7");
    instance.kill9();
    for folder in ["feeds", "log"] {
        fs::remove_dir_all(dir.path().join(folder)).unwrap();
    }
    copy_all(&copy, &log);
    instance.restart();
    instance.wait_until_ready();
    let begun = clock::stopwatch();
    assert_eq!(
        reader.catch_up(&instance.door),
        410,
        "the log ends before it"
    );
    assert!(begun.elapsed() < support::DEADLINE);
    assert_eq!(refused(&instance, "beyond_end"), 1.0);
    // One that nobody gave is known at once: nothing is waited for.
    let page = instance.door.get("/v1/accounts/7/feeds/home").json();
    let mut forged = page["cursor"].as_str().unwrap().to_owned();
    let at = forged.len() / 2;
    let other = if forged.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    forged.replace_range(at..=at, other);
    let begun = clock::stopwatch();
    let forged = instance.door.get(&format!(
        "/v1/accounts/7/feeds/home/changes?cursor={forged}"
    ));
    assert_eq!(forged.status, 400, "{}", forged.text);
    assert!(begun.elapsed() < Duration::from_secs(1));
    let damaged: Value = instance
        .door
        .get("/v1/accounts/7/feeds/home/changes?cursor=AAAA")
        .json();
    assert_eq!(damaged["status"], 400);
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let there = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &there);
        } else {
            fs::copy(entry.path(), there).unwrap();
        }
    }
}
