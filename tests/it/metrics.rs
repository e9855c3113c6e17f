//! What Prometheus is shown: every number that is listed, in the format that is asked for, right from the start.

use crate::support::document::root;
use crate::support::instance::{self, Door, Instance};
use crate::support::wait_for;
use reqwest::Method;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_order::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tempfile::TempDir;

/// Posts with this author come late: see [`late`].
pub(crate) const LATE: &str = "https://held.example/users/june";
const ANA: &str = "https://tide.example/users/ana";
const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";

/// The name of every metric in docs/metrics.md, with its type and its labels.
pub(crate) fn listed() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let text = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, kind, labels, _, _] = cells[..] else {
            return None;
        };
        let name = name.strip_prefix('`')?.strip_suffix('`')?;
        let labels = labels.split(", ").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_matches('`').to_owned());
        Some((name.to_owned(), (kind.to_owned(), labels.collect())))
    };
    text.lines().filter_map(row).collect()
}

/// The name of every metric in Prometheus' text format, with its type and its labels.
fn shown(text: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut shown = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("# TYPE ") {
            let (name, kind) = about.split_once(' ').unwrap();
            current = name.to_owned();
            let before = shown.insert(current.clone(), (kind.to_owned(), BTreeSet::new()));
            assert_eq!(before, None, "{name} twice");
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&current), "{line} below {current}");
            let (name, _) = line.rsplit_once(' ').unwrap();
            let labels = name.split_once('{').map_or("", |(_, labels)| labels);
            let labels = labels.split("\",").filter_map(|it| it.split_once("=\""));
            let labels = labels.map(|(label, _)| label.to_owned());
            let all = &mut shown.get_mut(&current).unwrap().1;
            all.extend(labels.filter(|label| label != "le"));
        }
    }
    shown
}

/// A post written so long before it arrives.
pub(crate) fn note(author: &str, n: u64, before: Duration) -> String {
    let uri = format!("{author}/{n}");
    let published = Time::from_millis(clock::now().millis()).minus(before);
    json!({"type": "Create", "id": format!("{uri}#create"), "actor": author, "object": {
        "type": "Note", "id": uri, "attributedTo": author, "content": format!("post {n}"),
        "published": published.rfc3339(), "to": [PUBLIC]
    }})
    .to_string()
}

/// Two accounts that follow the same two authors: account 7 without patience, account 8 with.
pub(crate) fn two_readers(door: &Door) {
    let mut lines = Vec::new();
    for account in ["7", "8"] {
        let actor = format!("https://home.example/users/{account}");
        lines.push(json!({"type": "account", "account": account, "actor": actor}));
        for target in [ANA, LATE] {
            lines.push(json!({"type": "follow", "account": account, "target": target}));
        }
    }
    lines.push(json!({"type": "ordering", "account": "8", "patience": "1h"}));
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    door.post_lines("/v1/relationships", &lines);
}

fn read(door: &Door, account: &str) -> Value {
    door.get(&format!("/v1/accounts/{account}/feeds/home"))
        .json()
}

/// A service with two readers, and one post that both have been asked for.
fn service(dir: &TempDir) -> Instance {
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let door = &instance.door;
    instance.wait_until_ready();
    two_readers(door);
    let post = note(ANA, 1, Duration::from_secs(1));
    door.post_lines("/v1/activities", &[post]);
    wait_for("the post in home", || {
        (read(door, "7")["entries"].as_array()?.len() == 1).then_some(())
    });
    read(door, "8");
    instance
}

fn as_text(door: &Door, accept: &str) -> (String, String) {
    let request = door.request(Method::GET, "/metrics");
    let answer = request.header("accept", accept).send().unwrap();
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    (kind, answer.text().unwrap())
}

/// A failure means that somebody who looks for a number does not find it, or finds one that is not there.
#[test]
fn every_metric_is_listed_with_its_type_and_its_labels() {
    let dir = TempDir::new().unwrap();
    let instance = service(&dir);
    let (_, text) = as_text(&instance.door, "text/plain");
    let (shown, listed) = (shown(&text), listed());
    assert!(60 < listed.len(), "{} listed", listed.len());
    assert_eq!(shown, listed);
}

#[test]
fn the_format_is_the_one_that_is_asked_for() {
    let dir = TempDir::new().unwrap();
    let instance = service(&dir);
    let (kind, text) = as_text(&instance.door, "*/*");
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.contains("\n# TYPE slackwater_dead_letters_total counter\n"));
    assert!(text.contains("\n# TYPE slackwater_build_info gauge\n"));
    assert!(!text.contains("# EOF"));
    let prometheus =
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    let (kind, text) = as_text(&instance.door, prometheus);
    assert_eq!(
        kind,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(text.contains("\n# TYPE slackwater_dead_letters counter\n"));
    assert!(text.ends_with("\n# EOF\n"));
}

/// A failure means that an operator does not see that readers wait, or blames the service for what was imported.
#[test]
fn what_an_activity_takes_to_its_readers_is_counted_and_what_an_import_takes_is_not() {
    let dir = TempDir::new().unwrap();
    let mut instance = service(&dir);
    let door = instance.door.clone();
    let total = |name: &str| door.metric(&format!("slackwater_{name}"));
    assert_eq!(total("arrival_to_readable_seconds_count"), 1.0);
    for step in ["append", "read", "decode", "queue", "apply", "publish"] {
        let count = total(&format!("pipeline_step_seconds_count{{step=\"{step}\"}}"));
        // Relations are appended too.
        let least = if step == "append" { 2.0 } else { 1.0 };
        assert_eq!(count, least, "{step}");
    }
    let sum = total("arrival_to_readable_seconds_sum");
    assert!(sum < 30.0, "{sum}");
    // What was shown before the patience was chosen stays, so that the hold grows from nothing.
    wait_for("a feed that is held back", || {
        read(&door, "8");
        let held = total("hold_seconds_count") - total("hold_seconds_bucket{le=\"0.01\"}");
        (0.0 < held).then_some(())
    });
    let line = |n: u64, arrived: Duration| {
        let activity: Value = serde_json::from_str(&note(LATE, n, arrived)).unwrap();
        let at = clock::now().minus(arrived).rfc3339();
        json!({"activity": activity, "arrived_at": at}).to_string()
    };
    let hour = Duration::from_secs(3600);
    door.post_lines(
        "/v1/activities",
        &[line(1, 25 * hour), line(2, Duration::from_secs(2))],
    );
    instance.wait_until_read("activities", 3);
    wait_for("both to be placed", || {
        let placed = "slackwater_activities_total{outcome=\"placed\"}";
        (door.metric(placed) == 3.0).then_some(())
    });
    assert_eq!(total("arrival_to_readable_seconds_count"), 2.0);
    assert!(2.0 <= total("arrival_to_readable_seconds_sum"));
    // Both were written when they arrived, so both are in time, at once.
    assert_eq!(
        total("delay_seconds_bucket{le=\"2.0\",verdict=\"in_time\"}"),
        3.0
    );
    assert_eq!(total("delay_seconds_count{verdict=\"late\"}"), 0.0);
    // What is read again after a crash is caught up with.
    instance.kill9();
    instance.restart();
    instance.wait_until_ready();
    let counted = instance
        .door
        .metric("slackwater_arrival_to_readable_seconds_count");
    assert_eq!(counted, 0.0);
    assert_eq!(
        instance
            .door
            .metric("slackwater_records_read_total{topic=\"activities\"}"),
        3.0
    );
}

/// Gauges of the moment: they are as they are then, before and after.
const OF_THE_MOMENT: [&str; 7] = [
    "process_",
    "slackwater_disk_",
    "slackwater_log_bytes",
    "slackwater_unwritten_",
    "slackwater_streams",
    "slackwater_ready",
    "slackwater_usable_memory_bytes",
];

fn lasting_gauges(text: &str) -> BTreeMap<String, f64> {
    let listed = listed();
    let of_line = |line: &str| {
        let (name, number) = line.rsplit_once(' ')?;
        let (kind, _) = listed.get(name.split('{').next()?)?;
        let lasts = kind == "gauge" && !OF_THE_MOMENT.iter().any(|it| name.starts_with(it));
        lasts.then(|| (name.to_owned(), number.parse().unwrap()))
    };
    text.lines().filter_map(of_line).collect()
}

/// A failure means that an alert fires, or is silent, after every restart until somebody posts.
#[test]
fn every_gauge_is_right_as_soon_as_a_service_listens_again() {
    let dir = TempDir::new().unwrap();
    let mut instance = service(&dir);
    for n in 2..5 {
        let post = note(ANA, n, Duration::from_secs(n));
        instance.door.post_lines("/v1/activities", &[post]);
    }
    instance.settle_all();
    let before = lasting_gauges(&instance.door.get("/metrics").text);
    for (name, number) in [
        ("slackwater_accounts", 3.0),
        ("slackwater_follows", 4.0),
        ("slackwater_origins", 1.0),
        (
            "slackwater_lag_records{topic=\"activities\",partition=\"0\"}",
            0.0,
        ),
    ] {
        assert_eq!(before.get(name), Some(&number), "{name} in {before:#?}");
    }
    assert!(20 < before.len(), "{before:#?}");
    instance.terminate();
    instance.restart();
    // Nothing has come since.
    let text = instance.door.get("/metrics").text;
    assert_eq!(lasting_gauges(&text), before);
    for (name, least) in [
        ("slackwater_disk_bytes", 1.0),
        ("slackwater_disk_free_bytes{folder=\"log\"}", 1.0),
        ("slackwater_disk_size_bytes{folder=\"feeds\"}", 1.0),
        ("slackwater_usable_memory_bytes", 64e6),
        ("process_resident_memory_bytes", 1e6),
    ] {
        assert!(least <= instance.door.metric(name), "{name} in {text}");
    }
}
