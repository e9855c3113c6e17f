//! Dead letters as the API has them, from both logs.

use crate::support::broker::Broker;
use crate::support::instance::{self, Answer, Instance};
use crate::support::nginx::free_port;
use crate::support::wait_for;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use reqwest::Method;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater::log::{self, LogWriter, built_in, kafka};
use slackwater_engine::record::{NewRecord, Topic};
use slackwater_order::time::Time;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const ANA: &str = "https://a.example/users/ana";
const LARGE: usize = 900_000;

/// Records that nobody understands.
fn nonsense() -> Vec<NewRecord> {
    let record = |topic, key: &[u8], value: &[u8]| NewRecord {
        topic,
        partition_by: key.to_vec(),
        key: key.to_vec(),
        value: Some(value.to_vec()),
        headers: Vec::new(),
        timestamp: clock::now(),
    };
    let mut with_headers = record(Topic::Activities, ANA.as_bytes(), "Ünsinn".as_bytes());
    with_headers.headers = vec![
        ("ref".to_owned(), b"4711".to_vec()),
        ("arrived-at".to_owned(), b"2026-11-22T10:15:02Z".to_vec()),
        ("x".to_owned(), b"\xff".to_vec()),
    ];
    vec![
        with_headers,
        record(Topic::Activities, b"\xfe\x00", b"\x00\xff\x01"),
        record(Topic::Activities, ANA.as_bytes(), &vec![b'x'; LARGE]),
        record(Topic::Relationships, b"7/folow/x", b"{\"type\":\"folow\"}"),
    ]
}

/// The writing end of a log. That of the built-in log must be closed before the service starts.
pub(crate) fn writer(options: &log::Options) -> LogWriter {
    let (reader, writer) = log::open(options, &[], &[]).unwrap();
    reader.stop();
    writer
}

pub(crate) fn built_in(dir: &Path) -> log::Options {
    log::Options::BuiltIn(built_in::Options::at(dir.join("log")))
}

fn on(broker: &Broker) -> log::Options {
    log::Options::Kafka(kafka::Options {
        brokers: vec![broker.address()],
        ..kafka::Options::default()
    })
}

fn broker(dir: &Path) -> Broker {
    let broker = Broker::start(dir);
    let compacted = [("cleanup.policy", "compact")];
    broker.create_topic("slackwater.activities", 2, &[]);
    broker.create_topic("slackwater.relationships", 1, &compacted);
    broker.create_topic("slackwater.dead-letters", 4, &[]);
    broker
}

pub(crate) fn append(writer: &LogWriter, records: Vec<NewRecord>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(writer.append(records)).unwrap();
}

fn ask(instance: &Instance, query: &str) -> Answer {
    instance.door.get(&format!("/v1/dead-letters{query}"))
}

fn page(instance: &Instance, query: &str) -> Value {
    let answer = ask(instance, query);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn letters(page: &Value) -> &Vec<Value> {
    page["dead_letters"].as_array().unwrap()
}

fn ids(page: &Value) -> Vec<String> {
    let id = |letter: &Value| letter["id"].as_str().unwrap().to_owned();
    letters(page).iter().map(id).collect()
}

fn wait_for_letters(instance: &Instance, count: usize) -> Value {
    wait_for("the letters", || {
        let page = page(instance, "");
        (letters(&page).len() == count).then_some(page)
    })
}

/// Checks that the letters of `nonsense` are shown as they are, that pages have each once, and what comes later is found.
fn check(instance: &Instance, topics: [&str; 2]) {
    let all = wait_for_letters(instance, 4);
    let of = |topic: &str, value: &str| {
        let is_meant = |letter: &&Value| {
            letter["topic"] == topic && letter["value"]["data"].as_str().unwrap().starts_with(value)
        };
        let found = letters(&all).iter().find(is_meant);
        found.unwrap_or_else(|| panic!("{value} in {all}"))
    };
    let [activities, relationships] = topics;
    let text = of(activities, "Ünsinn");
    assert!(text["reason"].as_str().unwrap().contains("JSON"), "{text}");
    let plain =
        |data: &str| json!({"encoding": "text", "data": data, "bytes": data.len(), "cut": false});
    assert_eq!(text["key"], plain(ANA));
    assert_eq!(text["value"], plain("Ünsinn"));
    let bytes = |data: &str, bytes: usize| json!({"encoding": "base64", "data": data, "bytes": bytes, "cut": false});
    let headers = json!([
        {"name": "ref", "value": plain("4711")},
        {"name": "arrived-at", "value": plain("2026-11-22T10:15:02Z")},
        {"name": "x", "value": bytes("/w==", 1)},
    ]);
    assert_eq!(text["headers"], headers);
    assert_eq!(text["headers_left_out"], 0);
    let received: Time = serde_json::from_value(text["received"].clone()).unwrap();
    assert!(received.since(clock::now()).abs() < 600_000, "{text}");

    let binary = of(activities, "AP8B");
    assert_eq!(
        (&binary["key"], &binary["value"]),
        (&bytes("/gA=", 2), &bytes("AP8B", 3))
    );
    let large = &of(activities, "xxx")["value"];
    assert_eq!(
        (&large["bytes"], &large["cut"]),
        (&json!(LARGE), &json!(true))
    );
    assert_eq!(large["data"].as_str().unwrap().len(), 16 << 10);
    assert_eq!(of(relationships, "{\"type\"")["key"], plain("7/folow/x"));
    let places: BTreeSet<String> = letters(&all)
        .iter()
        .map(|it| format!("{}/{}@{}", it["topic"], it["partition"], it["offset"]))
        .collect();
    assert_eq!(places.len(), 4, "{places:?}");

    let mut walked = Vec::new();
    let mut query = "?limit=1".to_owned();
    loop {
        let page = page(instance, &query);
        walked.extend(ids(&page));
        match page["before"].as_str() {
            Some(before) => query = format!("?limit=1&before={before}"),
            None => break,
        }
    }
    assert_eq!(walked, ids(&all));
    assert_eq!(all["before"], Value::Null);

    // What comes later, by the door: it is understood, and refused behind it.
    let after = all["after"].as_str().unwrap();
    let newer = format!("?after={after}");
    assert_eq!(letters(&page(instance, &newer)).len(), 0);
    let theirs = |author: &str| {
        let author = format!("https://a.example/users/{author}");
        format!(
            r#"{{"id":"https://a.example/1#c","type":"Create","actor":"{author}","object":{{"id":"https://a.example/1","type":"Note","attributedTo":"{author}","content":"x","to":"as:Public"}}}}"#
        )
    };
    instance.door.post_lines("/v1/activities", &[theirs("ana")]);
    instance.settle_all();
    instance
        .door
        .post_lines("/v1/activities", &[theirs("mallory")]);
    let found = wait_for("a newer letter", || {
        let page = page(instance, &newer);
        (!letters(&page).is_empty()).then_some(page)
    });
    let [letter] = letters(&found).as_slice() else {
        panic!("{found}");
    };
    assert!(!ids(&all).contains(&letter["id"].as_str().unwrap().to_owned()));
    assert_eq!(letter["key"], plain("https://a.example/users/mallory"));
}

/// Checks that a kill takes no letter. What was not checkpointed is read and set aside again, so there may be more.
fn check_after_a_kill(instance: &mut Instance) {
    let before = page(instance, "");
    instance.kill9();
    instance.restart();
    instance.wait_until_ready();
    let after = page(instance, "?limit=80");
    for letter in letters(&before) {
        assert!(letters(&after).contains(letter), "{letter} in {after}");
    }
}

#[test]
fn the_letters_of_the_built_in_log_are_shown_newest_first() {
    let dir = TempDir::new().unwrap();
    let writer = writer(&built_in(dir.path()));
    append(&writer, nonsense());
    writer.close();
    let mut instance = Instance::start(dir.path(), &instance::built_in(""));
    check(&instance, ["activities", "relationships"]);
    check_after_a_kill(&mut instance);
}

#[test]
fn the_letters_of_kafka_are_shown_newest_first_from_all_partitions_and_nothing_is_committed() {
    let dir = TempDir::new().unwrap();
    let broker = broker(dir.path());
    append(&writer(&on(&broker)), nonsense());
    let config = instance::on_kafka(&broker.address(), "");
    let mut instance = Instance::start(dir.path(), &config);
    check(
        &instance,
        ["slackwater.activities", "slackwater.relationships"],
    );
    let all = page(&instance, "");
    for letter in letters(&all) {
        assert!(letter["set_aside"].is_string(), "{letter}");
    }
    check_after_a_kill(&mut instance);

    let consumer: BaseConsumer = broker
        .client()
        .set("group.id", "slackwater")
        .create()
        .unwrap();
    let mut asked = TopicPartitionList::new();
    for partition in 0..4 {
        asked.add_partition("slackwater.dead-letters", partition);
    }
    let committed = consumer
        .committed_offsets(asked, Duration::from_secs(30))
        .unwrap();
    for element in committed.elements() {
        assert_eq!(element.offset(), rdkafka::Offset::Invalid, "{element:?}");
    }
}

#[test]
fn while_kafka_is_away_the_answer_says_so_and_feeds_are_read() {
    let dir = TempDir::new().unwrap();
    let mut broker = broker(dir.path());
    append(&writer(&on(&broker)), nonsense());
    let config = instance::on_kafka(&broker.address(), "");
    let instance = Instance::start(dir.path(), &config);
    wait_for_letters(&instance, 4);
    broker.kill9();
    let answer = ask(&instance, "");
    assert_eq!(answer.status, 503, "{answer:?}");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(&broker.address()), "{detail}");
    assert_eq!(instance.door.get("/v1/feeds/public").status, 200);
    broker.restart();
    wait_for("the letters again", || {
        (ask(&instance, "").status == 200).then_some(())
    });
}

#[test]
fn only_the_backend_reads_them_and_a_wrong_position_is_refused() {
    let dir = TempDir::new().unwrap();
    let token = "[auth]\nservice_tokens = [\"0123456789abcdef\"]\n";
    let instance = Instance::start(dir.path(), &instance::built_in(token));
    let status = |query: &str, token: &str| {
        let path = format!("/v1/dead-letters{query}");
        let request = instance.door.request(Method::GET, &path).bearer_auth(token);
        request.send().unwrap().status().as_u16()
    };
    assert_eq!(status("", "0123456789abcdeX"), 401);
    assert_eq!(status("", "0123456789abcdef"), 200);
    for query in [
        "?before=7",
        "?after=0-x",
        "?before=0-1&after=0-1",
        "?limit=0",
        "?limit=81",
        "?page=1",
    ] {
        assert_eq!(status(query, "0123456789abcdef"), 400, "{query}");
    }
}

const REF_TIME: &str = "2026-11-22T10:00:00Z";

/// A post whose ref stands half an hour after its arrival: the backend's clock is ahead.
fn ahead() -> NewRecord {
    let value = r#"{"id":"https://a.example/1#c","type":"Create","actor":"https://a.example/users/ana","object":{"id":"https://a.example/1","type":"Note","attributedTo":"https://a.example/users/ana","content":"x","published":"2026-11-22T10:00:00Z","to":"as:Public"}}"#;
    let arrived: Time = serde_json::from_value(json!(REF_TIME)).unwrap();
    let reference = (arrived.millis() + 1_800_000) << 16;
    NewRecord {
        topic: Topic::Activities,
        partition_by: ANA.into(),
        key: ANA.into(),
        value: Some(value.into()),
        headers: vec![
            ("ref".to_owned(), reference.to_string().into_bytes()),
            ("arrived-at".to_owned(), REF_TIME.into()),
            ("x".to_owned(), b"\xff".to_vec()),
        ],
        timestamp: clock::now(),
    }
}

/// What the command wrote to standard output and to standard error, and its status.
fn command(dir: &Path, arguments: &[&str]) -> (String, String, i32) {
    let done = Command::new(instance::binary())
        .args(["dead-letters"])
        .args(arguments)
        .args(["--config", "slackwater.toml"])
        .current_dir(dir)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        text(done.stdout),
        text(done.stderr),
        done.status.code().unwrap(),
    )
}

fn entries(instance: &Instance) -> Vec<Value> {
    let page = instance.door.get("/v1/feeds/public").json();
    page["entries"].as_array().unwrap().clone()
}

/// A failure means that a replay loses a record, doubles it, or gives it another place than it would have had.
fn check_replay(log: &log::Options, dir: &Path, config: impl Fn(&str) -> String) {
    let writer = writer(log);
    append(&writer, vec![ahead(), nonsense().remove(0)]);
    writer.close();
    let port = free_port();
    let listening = |skew: &str| {
        let config = config(&format!(
            "[ordering]\nplace = \"ref\"\nclock_skew = \"{skew}\"\n"
        ));
        config.replace("127.0.0.1:0", &format!("127.0.0.1:{port}"))
    };
    let mut instance = Instance::start(dir, &listening("2m"));
    let all = wait_for_letters(&instance, 2);
    let id_of = |reason: &str| {
        let mut letters = letters(&all).iter();
        let found = letters.find(|it| it["reason"].as_str().unwrap().contains(reason));
        found.unwrap_or_else(|| panic!("{all}"))["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (good, bad) = (id_of("https://a.example/1"), id_of("JSON"));

    // The service is found where it listens, and asked.
    let (out, err, status) = command(dir, &["list", "--json", "--reason", "NOT json"]);
    assert_eq!(status, 0, "{err}");
    assert!(
        err.contains(&format!("asking the service at http://127.0.0.1:{port}")),
        "{err}"
    );
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(ids(&found), [bad.as_str()]);
    let (out, _, _) = command(dir, &["show", &bad]);
    assert!(out.contains("Ünsinn") && out.contains("ref: 4711"), "{out}");
    // Nothing was mended: one is set aside again, the other not even appended.
    let (out, err, status) = command(dir, &["replay", &good, &bad]);
    assert_eq!(status, 1, "{out}{err}");
    assert!(
        out.contains(&format!("{good}  set aside again, at ")),
        "{out}"
    );
    assert!(
        out.contains(&format!("{bad}  not appended: it can still not be used")),
        "{out}"
    );
    assert_eq!(entries(&instance), Vec::<Value>::new());
    wait_for_letters(&instance, 3);

    // A kill, and what made it unusable is mended.
    instance.kill9();
    std::fs::write(instance.config(), listening("1h")).unwrap();
    instance.restart();
    instance.wait_until_ready();
    for _ in 0..2 {
        let (out, err, status) = command(dir, &["replay", &good]);
        assert_eq!(status, 0, "{out}{err}");
        assert!(out.starts_with(&format!("{good}  good, at ")), "{out}");
    }
    let [entry] = entries(&instance).try_into().unwrap();
    assert_eq!(
        (&entry["arrived"], &entry["uri"]),
        (&json!(REF_TIME), &json!("https://a.example/1"))
    );
    let (out, _, status) = command(dir, &["replay", "--all", "--reason", "json"]);
    assert_eq!((out.lines().count(), status), (1, 1), "{out}");
    instance.kill9();

    // No service runs: the log itself is read, and appended to.
    let (out, err, status) = command(dir, &["list", "--json"]);
    assert_eq!(status, 0, "{err}");
    assert!(err.contains("no service answers at"), "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert!(ids(&found).contains(&good), "{out}");
    let (out, err, status) = command(dir, &["show", &good, "--json"]);
    assert_eq!(status, 0, "{err}");
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown["value"]["bytes"], ahead().value.unwrap().len());
    let (out, err, status) = command(dir, &["replay", &good]);
    assert_eq!(status, 0, "{out}{err}");
    assert!(out.starts_with(&format!("{good}  appended, at ")), "{out}");
    let (_, err, status) = command(dir, &["show", "0-99999"]);
    assert_eq!(status, 1);
    assert!(err.contains("no dead letter 0-99999"), "{err}");
    instance.restart();
    instance.wait_until_ready();
    instance.settle_all();
    assert_eq!(entries(&instance), [entry]);
}

#[test]
fn a_letter_of_the_built_in_log_is_replayed_once_it_can_be_used() {
    let dir = TempDir::new().unwrap();
    check_replay(&built_in(dir.path()), dir.path(), instance::built_in);
}

#[test]
fn a_letter_in_kafka_is_replayed_once_it_can_be_used() {
    let dir = TempDir::new().unwrap();
    let broker = broker(dir.path());
    let address = broker.address();
    check_replay(&on(&broker), dir.path(), |more| {
        instance::on_kafka(&address, more)
    });
}

#[test]
fn a_log_that_is_in_use_elsewhere_is_read_and_not_appended_to() {
    let dir = TempDir::new().unwrap();
    let mut all = nonsense();
    all.push(ahead());
    let writer = writer(&built_in(dir.path()));
    append(&writer, all);
    writer.close();
    let more = "[ordering]\nplace = \"ref\"\n";
    // Nothing in its configuration says where it listens.
    let instance = Instance::start(dir.path(), &instance::built_in(more));
    wait_for_letters(&instance, 5);
    let (out, err, status) = command(dir.path(), &["list", "--json"]);
    assert_eq!(status, 0, "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found["dead_letters"], page(&instance, "")["dead_letters"]);
    let (_, err, status) = command(dir.path(), &["replay", "0-0"]);
    assert_eq!(status, 1, "{err}");
    assert!(err.contains("in use") && err.contains("--at"), "{err}");
    let at = instance.door.base().to_owned();
    let (out, err, _) = command(dir.path(), &["replay", "--all", "--at", &at]);
    assert_eq!(out.lines().count(), 5, "{out}{err}");
    let relation = out.lines().find(|line| line.contains("it is a relation"));
    assert!(relation.is_some(), "{out}");
}
