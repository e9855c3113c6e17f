//! Waiting, as readers see it: who is patient sees order, who is not sees each late post once and marked, and nobody waits
//! for an origin they do not follow. Windows in seconds stand for windows in minutes.

use crate::support::instance::{self, Door, Instance, uri_of};
use crate::support::replica::{Replica, id_of};
use crate::support::wait_for;
use reqwest::Method;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater_order::time::Time;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";
const QUICK: &str = "https://quick.example/users/ana";
const HELD: &str = "https://www.threads.example/ap/users/1";
/// What the Threads-like origin holds each post back, in milliseconds.
const HELD_MS: i64 = 4_000;

const WINDOWS: &str = r#"
[ordering]
reorder_window = "2s"
[ordering.origin."threads.example"]
reorder_window = "6s"
"#;

fn post(author: &str, n: i64, published: i64) -> String {
    let host = author.split('/').nth(2).unwrap();
    let uri = format!("https://{host}/posts/{n}");
    json!({"type": "Create", "id": format!("{uri}#create"), "actor": author, "object": {
        "type": "Note", "id": uri, "attributedTo": author, "content": format!("post {n}"),
        "published": Time::from_millis(published).rfc3339(), "to": [PUBLIC]
    }})
    .to_string()
}

fn follows(door: &Door, account: &str, targets: &[&str]) {
    let lines: Vec<String> = targets
        .iter()
        .map(|target| json!({"type": "follow", "account": account, "target": target}).to_string())
        .collect();
    door.post_lines("/v1/relationships", &lines);
}

fn choose(door: &Door, account: &str, patience: &str) -> Value {
    let path = format!("/v1/accounts/{account}/ordering");
    let body = json!({"patience": patience}).to_string();
    let request = door
        .request(Method::PUT, &path)
        .header("content-type", "application/json");
    let answer = request.body(body).send().unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().unwrap()
}

fn ordering(door: &Door, account: &str) -> Value {
    door.get(&format!("/v1/accounts/{account}/ordering")).json()
}

fn millis(rfc3339: &Value) -> i64 {
    serde_json::from_value::<Time>(rfc3339.clone())
        .unwrap()
        .millis()
}

/// A failure means that waiting does not buy order, or that who does not wait loses posts.
#[test]
fn the_patient_see_order_and_the_impatient_each_late_post_once_and_marked() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(WINDOWS));
    let door = &instance.door;
    for (account, targets, patience) in [
        ("patient", &[QUICK, HELD][..], "20s"),
        ("impatient", &[QUICK, HELD], "3s"),
        ("neighbour", &[QUICK], "20s"),
        ("live", &[QUICK, HELD], "0s"),
    ] {
        follows(door, account, targets);
        choose(door, account, patience);
    }
    for (account, hold, by) in [
        (
            "patient",
            "6s",
            json!([{"origin": "threads.example", "wait": "6s"}]),
        ),
        (
            "impatient",
            "2s",
            json!([{"origin": "quick.example", "wait": "2s"}]),
        ),
        (
            "neighbour",
            "2s",
            json!([{"origin": "quick.example", "wait": "2s"}]),
        ),
        ("live", "0s", json!([])),
    ] {
        let found = ordering(door, account);
        assert_eq!(
            (&found["hold"], &found["held_by"]),
            (&json!(hold), &by),
            "{account}"
        );
        assert_eq!(found["horizon"].is_null(), account == "live");
    }
    let mut readers: Vec<Replica> = ["patient", "impatient", "neighbour", "live"]
        .map(|account| Replica::read(door, account))
        .into();

    // Ten posts of each, half a second apart; those held back come four seconds late.
    let begun = clock::now().millis();
    let mut due: Vec<(i64, &str, i64)> = (0..10)
        .flat_map(|n| {
            [
                (begun + 500 * n, QUICK, n),
                (begun + 500 * n + 250 + HELD_MS, HELD, n),
            ]
        })
        .collect();
    due.sort_unstable();
    let mut sent = Vec::new();
    for (at, author, n) in due {
        wait_for("the time to send it", || {
            for reader in &mut readers {
                assert_eq!(reader.catch_up(door), 200);
            }
            (at <= clock::now().millis()).then_some(())
        });
        let published = if author == HELD {
            at - HELD_MS
        } else {
            clock::now().millis()
        };
        let answer = door.post(
            "/v1/activities",
            "application/activity+json",
            post(author, n, published),
        );
        assert_eq!(answer.status, 202, "{}", answer.text);
        sent.push(author);
    }
    assert_eq!(sent.len(), 20);
    for (reader, expected) in readers.iter_mut().zip([20, 20, 10, 20]) {
        wait_for("everything to ripen", || {
            assert_eq!(reader.catch_up(door), 200);
            (reader.told.len() == expected).then_some(())
        });
    }

    for (reader, name) in readers
        .iter()
        .zip(["patient", "impatient", "neighbour", "live"])
    {
        let told = &reader.told;
        let mut ids: Vec<u64> = told.iter().map(id_of).collect();
        let in_order = ids.is_sorted();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), told.len(), "{name}: each once");
        assert!(told.iter().all(|change| change["kind"] == "post"));
        for change in told {
            let is_held = change["entry"]["origin"] == "threads.example";
            let is_behind = change["behind"] == true;
            match name {
                "patient" | "neighbour" => assert!(!is_behind, "{name}: {change}"),
                // The first may come before anything younger is shown.
                _ => assert!(is_held || !is_behind, "{name}: {change}"),
            }
            assert_eq!(
                change["entry"]["verdict"], "in_time",
                "within its own window"
            );
        }
        let behind = told
            .iter()
            .filter(|change| change["behind"] == true)
            .count();
        match name {
            "patient" | "neighbour" => assert!(in_order, "{name}"),
            _ => assert!(8 <= behind, "{name}: {behind} of 10 marked"),
        }
    }
    let all: Vec<String> = door.uris("patient");
    assert_eq!(
        all,
        door.uris("live"),
        "when all has ripened, all see the same"
    );
}

/// A failure means that one post in a hundred that is ten minutes late makes half a minute's patience as good as none, or
/// that a restart moves holds.
#[test]
fn a_few_that_are_very_late_are_not_waited_for_and_the_others_are() {
    let dir = TempDir::new().unwrap();
    let auto = "[ordering]\nreorder_window = \"auto\"\n";
    let mut instance = Instance::start(dir.path(), &instance::built_in(auto));
    let door = instance.door.clone();
    follows(&door, "7", &[QUICK]);
    let begin = clock::now().millis() - 3_600_000;
    let lines: Vec<String> = (0..1_000)
        .map(|n| {
            let delay = if n % 83 == 7 { 600_000 } else { n * 8 };
            let activity: Value = serde_json::from_str(&post(QUICK, n, begin + n)).unwrap();
            let arrived = Time::from_millis(begin + n + delay).rfc3339();
            json!({"activity": activity, "arrived_at": arrived}).to_string()
        })
        .collect();
    door.post_lines("/v1/activities", &lines);
    let known = wait_for("the origin to be learned", || {
        let known: Value = door.get("/v1/origins/quick.example").json();
        (known["posts"]["late"].as_i64()? + known["posts"]["in_time"].as_i64()? == 1_000)
            .then_some(known)
    });
    let window = known["reorder_window_ms"].as_i64().unwrap();
    assert!(600_000 < window, "{known}");
    let hold_of = |door: &Door, patience: &str| {
        let told = choose(door, "7", patience);
        let wait = humantime::parse_duration(told["hold"].as_str().unwrap()).unwrap();
        let by = match wait.is_zero() {
            true => json!([]),
            false => json!([{"origin": "quick.example", "wait": told["hold"]}]),
        };
        assert_eq!(told["held_by"], by);
        i64::try_from(wait.as_millis()).unwrap()
    };
    let patiences = ["1s", "30s", "2m", "20m"];
    let holds = patiences.map(|patience| hold_of(&door, patience));
    let [second, half_a_minute, two_minutes, twenty] = holds;
    assert_eq!((second, twenty), (0, window));
    assert_eq!(half_a_minute, two_minutes);
    assert!((6_000..12_000).contains(&two_minutes), "{two_minutes}");
    assert_eq!(instance.terminate().0.code(), Some(0));
    instance.restart();
    instance.wait_until_ready();
    let door = instance.door.clone();
    assert_eq!(patiences.map(|patience| hold_of(&door, patience)), holds);
}

/// A failure means that a reader sees entries vanish because somebody was followed.
#[test]
fn following_a_slow_origin_pauses_the_head_and_takes_nothing_back() {
    let dir = TempDir::new().unwrap();
    let config =
        format!("{WINDOWS}\n[ordering.origin.\"slow.example\"]\nreorder_window = \"1h\"\n");
    let mut instance = Instance::start(dir.path(), &instance::built_in(&config));
    let door = instance.door.clone();
    follows(&door, "7", &[QUICK]);
    choose(&door, "7", "complete");
    let now = clock::now().millis();
    door.post_lines("/v1/activities", &[post(QUICK, 1, now)]);
    let shown = wait_for("the post to ripen", || {
        let home = door.uris("7");
        (!home.is_empty()).then_some(home)
    });
    let before = ordering(&door, "7");
    follows(&door, "7", &["https://slow.example/users/s"]);
    let paused = ordering(&door, "7");
    assert_eq!(
        (&paused["hold"], &paused["held_by"]),
        (
            &json!("1h"),
            &json!([{"origin": "slow.example", "wait": "1h"}])
        )
    );
    assert!(millis(&before["horizon"]) <= millis(&paused["horizon"]));
    assert!(millis(&paused["horizon"]) <= clock::now().millis() - 2_000 + 1_000);
    assert_eq!(door.uris("7"), shown);
    // New ones wait, also over a restart.
    door.post_lines("/v1/activities", &[post(QUICK, 2, now + 1)]);
    instance.settle();
    assert_eq!(instance.terminate().0.code(), Some(0));
    instance.restart();
    instance.wait_until_ready();
    let door = instance.door.clone();
    let again = ordering(&door, "7");
    assert!(
        millis(&paused["horizon"]) <= millis(&again["horizon"]),
        "{paused} {again}"
    );
    let now_shown = door.uris("7");
    assert_eq!(now_shown.last(), shown.last());
    // Without patience for it, everything shows.
    let live = choose(&door, "7", "0s");
    assert!(live["horizon"].is_null());
    assert_eq!(door.uris("7").len(), 2);
}

/// A failure means that an operator must restart the service to change a window, or that a typing error changes what is in
/// force.
#[test]
fn a_saved_file_and_sighup_change_the_windows_while_it_runs_and_a_bad_file_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let with = |windows: &str| instance::built_in(windows);
    let slow = "[ordering]\npatience = \"complete\"\nreorder_window = \"1h\"\n";
    let instance = Instance::start(dir.path(), &with(slow));
    let door = &instance.door;
    follows(door, "7", &[QUICK]);
    assert_eq!(ordering(door, "7")["hold"], "1h");
    let now = clock::now().millis();
    door.post_lines(
        "/v1/activities",
        &[post(QUICK, 2, now - 500), post(QUICK, 1, now - 1_000)],
    );
    instance.settle();
    let mut reader = Replica::read(door, "7");
    assert_eq!(reader.entries().len(), 0, "an hour to wait");

    let save = |text: &str| save(dir.path(), text);
    let hold = |expected: &str| {
        wait_for(&format!("a hold of {expected}"), || {
            (ordering(door, "7")["hold"] == expected).then_some(())
        });
    };
    // Shrinking lets what is ripe go, in order.
    save(&with(
        "[ordering]\npatience = \"complete\"\nreorder_window = \"100ms\"\n",
    ));
    hold("100ms");
    wait_for("both to ripen", || {
        assert_eq!(reader.catch_up(door), 200);
        (reader.told.len() == 2).then_some(())
    });
    let told: Vec<String> = reader
        .told
        .iter()
        .map(|change| uri_of(&change["entry"]))
        .collect();
    assert_eq!(
        told,
        [
            "https://quick.example/posts/1",
            "https://quick.example/posts/2"
        ]
    );
    assert!(reader.told.iter().all(|change| change["behind"] == false));
    // Growing takes nothing back.
    save(&with(slow));
    hold("1h");
    assert_eq!(door.uris("7").len(), 2);
    assert_eq!(reader.catch_up(door), 200);
    assert_eq!((reader.told.len(), reader.entries().len()), (2, 2));

    save(&with(
        "[ordering]\nreorder_windw = \"1s\"\npatience = \"soon\"\n",
    ));
    let told = wait_for("the refusal", || {
        let detail = door.get("/readyz").json()["detail"].as_str()?.to_owned();
        detail.contains("refused").then_some(detail)
    });
    assert!(
        told.contains("reorder_windw") && told.contains("patience"),
        "{told}"
    );
    assert!(
        instance
            .said()
            .contains("the settings before stay in force")
    );
    assert_eq!(ordering(door, "7")["hold"], "1h");
    assert_eq!(
        door.metric("slackwater_config_reloads_total{outcome=\"refused\"}"),
        1.0
    );

    // A file that was saved where nobody watches is read on SIGHUP.
    let file = dir.path().join("slackwater.toml");
    save(&with(
        "[ordering]\npatience = \"0s\"\nreorder_window = \"3s\"\n",
    ));
    let pid = instance.pid().to_string();
    assert!(
        Command::new("kill")
            .args(["-HUP", &pid])
            .status()
            .unwrap()
            .success()
    );
    wait_for("the default patience", || {
        (ordering(door, "7")["patience"] == "0s").then_some(())
    });
    assert!(file.exists());
    wait_for("readiness without a complaint", || {
        (door.get("/readyz").json()["detail"] == "ready").then_some(())
    });
}

/// As most editors save: a new file in the place of the old.
fn save(dir: &Path, text: &str) {
    let (new, file) = (dir.join("slackwater.toml.new"), dir.join("slackwater.toml"));
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}
