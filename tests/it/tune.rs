//! `slackwater trace` and `slackwater tune`, the real binary.

use crate::support::broker::Broker;
use crate::support::service::Service;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater::http::openapi;
use slackwater::log::kafka::{Options, Producer};
use slackwater_engine::record::{NewRecord, Topic};
use slackwater_order::time::Time;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const NOON: i64 = 1_763_805_600_000;

fn slackwater(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slackwater"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .expect("running slackwater")
}

#[track_caller]
fn good(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn fits(value: &Value, schema: &str) {
    let files = openapi::files();
    let (_, schema) = files.iter().find(|(name, _)| *name == schema).unwrap();
    let validator = jsonschema::validator_for(schema).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(value)
        .map(|e| e.to_string())
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}: {value}");
}

fn create(host: &str, n: i64, published: i64) -> Value {
    json!({
        "type": "Create", "id": format!("https://{host}/posts/{n}/activity"), "actor": format!("https://{host}/users/a"),
        "object": {
            "type": "Note", "id": format!("https://{host}/posts/{n}"), "attributedTo": format!("https://{host}/users/a"),
            "published": Time::from_millis(published).rfc3339(), "content": "x",
            "to": "https://www.w3.org/ns/activitystreams#Public"
        }
    })
}

/// A failure means that operators choose windows by delays there never were.
#[test]
fn a_trace_has_each_post_once_with_its_two_times_beside_a_running_service() {
    let mut service = Service::start("");
    let host = "www.A.example";
    let mut lines = String::new();
    let mut put = |activity: Value, arrived: i64, fetched: bool| {
        let line = json!({
            "activity": activity, "arrived_at": Time::from_millis(arrived).rfc3339(), "fetched": fetched
        });
        writeln!(lines, "{line}").unwrap();
    };
    for n in 0..3 {
        put(create(host, n, NOON + n), NOON + n + 1_500, false);
    }
    put(create(host, 1, NOON + 1), NOON + 90_000, false);
    put(create("b.example", 7, NOON), NOON + 60_000, false);
    put(
        create("b.example", 8, NOON)["object"].clone(),
        NOON + 60_000,
        true,
    );
    let mut undated = create("b.example", 9, NOON);
    undated["object"]
        .as_object_mut()
        .unwrap()
        .remove("published");
    put(undated, NOON + 60_000, false);
    let mut edited = create("b.example", 10, NOON);
    edited["type"] = "Update".into();
    put(edited, NOON + 60_000, false);
    put(
        json!({"type": "Like", "id": "https://b.example/l", "actor": "https://b.example/users/a", "object": "https://a.example/posts/1"}),
        NOON,
        false,
    );
    let answer: Value = service
        .post("/v1/activities", "application/x-ndjson", lines)
        .json()
        .unwrap();
    assert_eq!(answer["accepted"], 9, "{answer}");

    let expected = |published: i64, arrived: i64, origin: &str| {
        json!({
            "origin": origin,
            "published": Time::from_millis(published).rfc3339(),
            "arrived": Time::from_millis(arrived).rfc3339(),
        })
    };
    let mut all: Vec<Value> = (0..3)
        .map(|n| expected(NOON + n, NOON + n + 1_500, "a.example"))
        .collect();
    all.push(expected(NOON, NOON + 60_000, "b.example"));
    let config = service.dir().join("slackwater.toml").display().to_string();
    let traced = |dir: &Path| -> (Vec<Value>, String) {
        let output = slackwater(dir, &["trace", "--config", &config]);
        let lines = good(&output)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (lines, String::from_utf8(output.stderr).unwrap())
    };
    let (lines, told) = traced(service.dir());
    assert_eq!(lines, all, "while it runs");
    assert_eq!(told, "4 posts in 9 records, 0 of which could not be used\n");
    for line in &lines {
        fits(line, "trace-line.schema.json");
    }
    service.stop();
    assert_eq!(traced(service.dir()).0, all, "when it has stopped");
    // And the service was none the worse for it.
    service.restart();
    service.wait_ready();
}

/// A failure means that an operator on Kafka gets another trace than there are delays, or none.
#[test]
fn a_trace_is_read_from_every_partition_of_kafka_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    broker.create_topics(4, 2);
    let options = Options {
        brokers: vec![broker.address()],
        ..Options::default()
    };
    let producer = Producer::start(&options).unwrap();
    let record = |n: i64| {
        let author = format!("https://h{}.example/users/a", n % 7);
        let published = NOON + n * 1_000;
        NewRecord {
            topic: Topic::Activities,
            partition_by: author.clone().into_bytes(),
            key: author.into_bytes(),
            value: Some(
                create(&format!("h{}.example", n % 7), n, published)
                    .to_string()
                    .into_bytes(),
            ),
            headers: vec![(
                "arrived-at".to_owned(),
                (published + 5_000).to_string().into_bytes(),
            )],
            timestamp: Time::from_millis(published + 5_000),
        }
    };
    broker
        .wait(producer.append((0..1_000).map(record).collect()))
        .unwrap();
    let config = format!(
        "[log]\nkind = \"kafka\"\n[kafka]\nbrokers = [{:?}]",
        broker.address()
    );
    std::fs::write(dir.path().join("kafka.toml"), config).unwrap();
    let output = slackwater(dir.path(), &["trace", "--config", "kafka.toml"]);
    let text = good(&output);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 1_000);
    let first: Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(
        first,
        json!({"origin": "h0.example", "published": "2025-11-22T10:00:00Z", "arrived": "2025-11-22T10:00:05Z"})
    );
}

fn write_trace(path: &Path, posts: i64) {
    let mut text = String::new();
    for n in 0..posts {
        let at = NOON + n * 200;
        let (origin, delay) = match n % 10 {
            0 => ("threads.net", 900_000 + n % 7_000),
            1 => ("slow.example", 20_000 + n * 31 % 100_000),
            _ => ("a.example", 500 + n * 17 % 3_000),
        };
        let published = Time::from_millis(at - delay).rfc3339();
        let arrived = Time::from_millis(at).rfc3339();
        writeln!(
            text,
            r#"{{"origin":"{origin}","published":"{published}","arrived":"{arrived}"}}"#
        )
        .unwrap();
    }
    std::fs::write(path, text).unwrap();
}

#[test]
fn tune_tells_what_each_configuration_would_have_done() {
    let dir = tempfile::tempdir().unwrap();
    write_trace(&dir.path().join("trace"), 20_000);
    let config = |name: &str, window: &str| {
        std::fs::write(
            dir.path().join(name),
            format!("[ordering]\nreorder_window = {window:?}"),
        )
        .unwrap();
    };
    config("short.toml", "5s");
    config("learned.toml", "auto");
    let args = [
        "tune",
        "trace",
        "--config",
        "short.toml",
        "--config",
        "learned.toml",
    ];

    let text = good(&slackwater(dir.path(), &args));
    for part in [
        "20000 posts of 3 origins, 2025-11-22T10:00:00Z to ",
        "short.toml: 80.00 % in time, 20.00 % late, 0.00 % too late",
        "learned.toml: ",
        "recommended for 99 %: ",
        "patience",
        "scheduled delay: a shorter window does nothing",
        "each doubling of the hold brings at least 1 % of the entries in order: patience ",
        "\n[ordering]\npatience = \"",
        "[ordering.origin.\"threads.net\"]\nreorder_window = \"15m ",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 120),
        "{text}"
    );
    let snippet = text.split_once("\n\n[ordering]").unwrap().1;
    let snippet = format!("[ordering]{}", snippet.split_once("\n\n").unwrap().0);
    assert!(
        snippet.contains("[ordering.origin.\"a.example\"]"),
        "{snippet}"
    );
    std::fs::write(dir.path().join("recommended.toml"), snippet).unwrap();
    good(&slackwater(dir.path(), &["check", "recommended.toml"]));

    let mut args = args.to_vec();
    args.extend(["--json", "--target", "0.95", "--plot", "plot.svg"]);
    let report: Value = serde_json::from_str(&good(&slackwater(dir.path(), &args))).unwrap();
    fits(&report, "tune.schema.json");
    assert_eq!(report["configurations"].as_array().unwrap().len(), 3);
    assert_eq!(
        report["configurations"][0]["origins"][0]["host"],
        "a.example"
    );
    assert_eq!(report["target"], 0.95);
    let svg = std::fs::read_to_string(dir.path().join("plot.svg")).unwrap();
    assert!(svg.contains("learned.toml"), "{svg}");
}

#[test]
fn without_a_configuration_the_defaults_are_tried_and_learned_windows() {
    let dir = tempfile::tempdir().unwrap();
    write_trace(&dir.path().join("trace"), 2_000);
    let report = good(&slackwater(dir.path(), &["tune", "trace", "--json"]));
    let report: Value = serde_json::from_str(&report).unwrap();
    let names: Vec<_> = report["configurations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "defaults",
            "defaults, reorder_window = \"auto\"",
            "recommended for 99 %"
        ]
    );
}

#[test]
fn what_is_wrong_is_told_in_a_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad"), "{}\n{}\n").unwrap();
    std::fs::write(dir.path().join("empty"), "").unwrap();
    std::fs::write(
        dir.path().join("wrong.toml"),
        "[ordering]\nreorder_window = \"soon\"",
    )
    .unwrap();
    let table: [(&[&str], &str); 5] = [
        (
            &["tune", "none"],
            "slackwater: opening none: No such file or directory",
        ),
        (
            &["tune", "bad"],
            "slackwater: none of the 2 lines can be read; the first: line 1: missing field `origin`",
        ),
        (&["tune", "empty"], "slackwater: the trace is empty"),
        (
            &["tune", "bad", "--config", "wrong.toml"],
            "slackwater: wrong.toml:2: ordering.reorder_window: found \"soon\"",
        ),
        (
            &["trace"],
            "slackwater: reading the built-in log\n  because: could not list data/log/activities",
        ),
    ];
    for (args, told) in table {
        let output = slackwater(dir.path(), args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?} {said}");
        assert!(said.starts_with(told), "{args:?}: {said}");
    }
    for target in ["0", "1", "99", "much"] {
        let output = slackwater(dir.path(), &["tune", "bad", "--target", target]);
        assert_eq!(output.status.code(), Some(2), "{target}");
    }
}

/// The promise is five seconds for a release build; a debug build is many times slower and given a tenth to do.
#[test]
fn a_trace_of_a_million_arrivals_takes_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let (posts, promised) = match cfg!(debug_assertions) {
        true => (100_000, Duration::from_secs(60)),
        false => (1_000_000, Duration::from_secs(5)),
    };
    write_trace(&dir.path().join("trace"), posts);
    let begun = clock::stopwatch();
    let text = good(&slackwater(dir.path(), &["tune", "trace"]));
    let taken = begun.elapsed();
    assert!(text.starts_with(&format!("{posts} posts")), "{text}");
    assert!(taken < promised, "{taken:?}");
}
