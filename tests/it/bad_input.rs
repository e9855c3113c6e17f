//! A bad record never stops the service and is never silently lost: set aside or refused, with a reason.

use crate::support::broker::Broker;
use crate::support::instance::{self, Answer, Instance};
use crate::support::wait_for;
use fastrand::Rng;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use reqwest::Method;
use serde_json::{Value, json};
use slackwater::clock;
use slackwater::log::kafka::{Options, Producer};
use slackwater_engine::record::{NewRecord, Position, Topic};
use std::collections::BTreeMap;
use tempfile::TempDir;

const NDJSON: &str = "application/x-ndjson";
const ACTIVITY: &str = "application/activity+json";
const ANA: &str = "https://a.example/users/ana";

/// A failure means that somebody's broken server can stop an instance, or that a post vanished without a trace.
#[test]
fn whatever_cannot_be_used_is_set_aside_as_it_was_with_a_reason_and_the_next_is_served() {
    let dir = TempDir::new().unwrap();
    let broker = Broker::start(dir.path());
    broker.create_topic("slackwater.activities", 2, &[]);
    broker.create_topic("slackwater.relationships", 2, &[]);
    broker.create_topic("slackwater.dead-letters", 1, &[]);
    let instance = Instance::start(dir.path(), &instance::on_kafka(&broker.address(), ""));
    let options = Options {
        brokers: vec![broker.address()],
        ..Options::default()
    };
    let producer = Producer::start(&options).unwrap();
    let append = |records: Vec<NewRecord>| broker.wait(producer.append(records)).unwrap();
    append(follow_of_ana());

    // Each bad one is followed by a good one in the same partition.
    let mut sent = Vec::new();
    let mut wanted: Vec<String> = Vec::new();
    for (n, (_, bad)) in bad_values().into_iter().enumerate() {
        sent.push(record(Topic::Activities, ANA, ANA, bad));
        sent.push(record(
            Topic::Activities,
            ANA,
            ANA,
            Some(note(n).to_string().into()),
        ));
        wanted.push(uri(n));
    }
    let twisted_header = |name: &str, value: &[u8]| NewRecord {
        headers: vec![(name.to_owned(), value.to_vec())],
        ..record(
            Topic::Activities,
            ANA,
            ANA,
            Some(note(9_999).to_string().into()),
        )
    };
    sent.push(twisted_header("arrived-at", b"yesterday"));
    sent.push(twisted_header("arrived-at", b"-99999999999999"));
    sent.push(twisted_header("ref", &[b'x'; 256]));
    sent.push(twisted_header("author-ref", &[0xff, 0xfe]));
    sent.push(twisted_header("fetched", b"perhaps"));
    sent.push(twisted_header("Arrived-At", b"2026-11-22T10:00:00Z"));
    sent.push(twisted_header("author_ref", b"7"));
    for (key, value) in [
        ("7/follow", None),
        ("7/follow/not an actor", None),
        ("7/befriend/https://a.example/users/ana", None),
        (
            "7/follow/https://a.example/users/ana",
            Some("{\"type\":\"follow\""),
        ),
        (
            "7/follow/https://a.example/users/bob",
            Some(r#"{"type":"follow","account":"7","target":"https://a.example/users/ana"}"#),
        ),
        (
            "7/mute/https://a.example/users/ana",
            Some(
                r#"{"type":"mute","account":"7","target":"https://a.example/users/ana","until":"soon"}"#,
            ),
        ),
        (
            "7/follow/https://a.example/users/ana",
            Some(
                r#"{"type":"follow","account":"7","target":"https://a.example/users/ana","bosts":false}"#,
            ),
        ),
        (
            "7/domain_block/*.x",
            Some(r#"{"type":"domain_block","account":"7","target":"*.x"}"#),
        ),
        (
            "_instance/follow/https://a.example/users/ana",
            Some(
                r#"{"type":"follow","account":"_instance","target":"https://a.example/users/ana"}"#,
            ),
        ),
        (
            "7/account/",
            Some(r#"{"type":"account","account":"7","actor":7}"#),
        ),
    ] {
        sent.push(record(
            Topic::Relationships,
            "7",
            key,
            value.map(|value| value.as_bytes().to_vec()),
        ));
    }
    let positions = append(sent.clone());
    let bad: BTreeMap<Position, &NewRecord> = positions
        .into_iter()
        .zip(&sent)
        .filter(|(_, sent)| !is_good(sent))
        .collect();

    wanted.sort();
    wait_for("the good posts", || {
        instance.wait_until_ready();
        let mut uris = instance.door.uris("7");
        uris.sort();
        (uris == wanted).then_some(())
    });
    let dead = dead_letters(&broker, bad.len());
    let known: Vec<&Position> = dead.keys().collect();
    assert_eq!(known, bad.keys().collect::<Vec<_>>());
    for (position, sent) in bad {
        let (reason, key, value) = &dead[&position];
        assert_eq!(key.as_ref(), Some(&sent.key), "{reason}");
        assert_eq!(value, &sent.value, "{reason}");
        for (name, value) in &sent.headers {
            let kept = dead_headers(&broker, &position);
            assert!(
                kept.contains(&(name.clone(), value.clone())),
                "{reason}: {kept:?}"
            );
        }
        check_reason(reason);
    }
    let counted = instance.door.metric("slackwater_dead_letters_total");
    assert_eq!(counted, dead.len() as f64);
    assert!(!instance.said().contains("panicked"));
}

#[test]
fn what_is_not_quite_right_is_served_or_set_aside_whatever_field_it_is_in() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let door = &instance.door;
    let wrong = [
        json!(null),
        json!(7),
        json!(true),
        json!([]),
        json!({}),
        json!([[[]]]),
        json!("x"),
        json!(-1e300),
    ];
    let activity = full_note();
    let mut lines = Vec::new();
    for (place, fields) in [("", &activity), ("/object", &activity["object"])] {
        for field in fields.as_object().unwrap().keys() {
            for wrong in &wrong {
                let mut twisted = activity.clone();
                twisted.pointer_mut(place).unwrap()[field] = wrong.clone();
                lines.push((format!("{place}/{field}"), twisted.to_string()));
            }
            let mut lacking = activity.clone();
            lacking
                .pointer_mut(place)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(field);
            lines.push((format!("{place}/{field}"), lacking.to_string()));
        }
    }
    let body: Vec<String> = lines.iter().map(|(_, line)| line.clone()).collect();
    let answer = door.post("/v1/activities", NDJSON, body.join("\n"));
    assert_eq!(answer.status, 202, "{}", answer.text);
    let answer = answer.json();
    let rejected = answer["rejected"].as_array().unwrap();
    assert_eq!(
        answer["accepted"].as_u64().unwrap() as usize + rejected.len(),
        lines.len()
    );
    let mut fields: Vec<&str> = Vec::new();
    for rejected in rejected {
        check_reason(rejected["reason"].as_str().unwrap());
        fields.push(&lines[rejected["line"].as_u64().unwrap() as usize - 1].0);
    }
    // Nothing can be made of a post without these; everything else may be as it likes.
    for needed in [
        "/type",
        "/actor",
        "/object",
        "/object/id",
        "/object/type",
        "/object/attributedTo",
    ] {
        assert!(
            fields.contains(&needed),
            "{needed} may be anything: {fields:?}"
        );
    }
    for free in [
        "/object/content",
        "/object/published",
        "/object/summary",
        "/object/attachment",
    ] {
        assert!(!fields.contains(&free), "{free}: {rejected:?}");
    }
    // Accepted means that the pipeline takes it too.
    instance.wait_until_read("activities", lines.len() - rejected.len());
    still_serves(&instance);
}

#[test]
fn a_single_bad_activity_is_refused_with_a_reason_and_leaves_nothing_behind() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let door = &instance.door;
    for (what, bad) in bad_values() {
        let Some(bad) = bad else { continue };
        let answer = door.post("/v1/activities", ACTIVITY, bad);
        check_problem(&answer, 422, what);
    }
    for (header, value, status) in [
        ("arrived-at", &b"yesterday"[..], 422),
        ("arrived-at", b"-99999999999999", 422),
        ("ref", &[b'x'; 256], 422),
        ("fetched", b"perhaps", 422),
        ("ref", b"\xff\xfe", 400),
        ("arrived_at", b"2026-11-22T10:00:00Z", 422),
        ("fetchd", b"true", 422),
    ] {
        let request = door
            .request(Method::POST, "/v1/activities")
            .header("content-type", ACTIVITY);
        let value = reqwest::header::HeaderValue::from_bytes(value).unwrap();
        let answer = request
            .header(header, value)
            .body(note(1).to_string())
            .send()
            .unwrap();
        assert_eq!(answer.status(), status, "{header}");
        check_reason(answer.json::<Value>().unwrap()["detail"].as_str().unwrap());
    }
    for bad in [
        "",
        "7",
        "{}",
        "{\"type\":\"follow\"}",
        r#"{"type":"befriend","account":"7","target":"https://a.example/u"}"#,
        r#"{"type":"follow","account":"7/8","target":"https://a.example/u"}"#,
        r#"{"type":"follow","account":"7","target":"ana"}"#,
        r#"{"type":"mute","account":"7","target":"https://a.example/u","until":"soon"}"#,
        r#"{"type":"account","account":"7","actor":"https://a.example/u","patience":"a while"}"#,
        r#"{"type":"follow","account":"7","target":"https://a.example/u","bosts":false}"#,
        r#"{"type":"domain_block","account":"7","target":"*.x"}"#,
    ] {
        check_problem(
            &door.post("/v1/relationships", "application/json", bad),
            422,
            bad,
        );
    }
    assert_eq!(
        door.metric("slackwater_records_read_total{topic=\"activities\"}"),
        0.0
    );
    still_serves(&instance);
}

#[test]
fn of_many_lines_only_the_bad_are_rejected_and_by_their_number() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let door = &instance.door;
    let largest = padded(&note(2), 1_000_000);
    let lines: [Vec<u8>; 7] = [
        note(1).to_string().into(),
        b"garbage".to_vec(),
        Vec::new(),
        padded(&note(3), 1_000_001),
        largest,
        b"{\"activity\":{},\"arrived_at\":7}".to_vec(),
        b"\xff\xfe\xfd".to_vec(),
    ];
    let answer = door.post("/v1/activities", NDJSON, lines.join(&b'\n'));
    assert_eq!(answer.status, 202);
    let answer = answer.json();
    let rejected = answer["rejected"].as_array().unwrap();
    let numbers: Vec<u64> = rejected
        .iter()
        .map(|one| one["line"].as_u64().unwrap())
        .collect();
    assert_eq!(
        (&answer["accepted"], numbers),
        (&json!(2), vec![2, 4, 6, 7])
    );
    for one in rejected {
        check_reason(one["reason"].as_str().unwrap());
    }
    // All of them bad is 202 as well.
    let answer = door.post("/v1/activities", NDJSON, "x\ny\n");
    assert_eq!(
        (
            answer.status,
            answer.json()["rejected"].as_array().unwrap().len()
        ),
        (202, 2)
    );
    still_serves(&instance);
}

#[test]
fn requests_that_ask_too_much_or_nonsense_are_told_what_to_send() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let door = &instance.door;
    door.post_lines(
        "/v1/relationships",
        &[r#"{"type":"account","account":"7","actor":"https://me.example/users/me"}"#.to_owned()],
    );
    let large = vec![b' '; (16 << 20) + 1];
    for path in ["/v1/activities", "/v1/relationships"] {
        // The answer comes before all has been sent: to who still writes, the connection may break instead.
        if let Ok(answer) = door.try_post(path, NDJSON, large.clone()) {
            check_problem(&answer, 413, path);
        }
        for kind in [
            "text/plain",
            "",
            "application/x-www-form-urlencoded",
            "application/jsonx",
        ] {
            check_problem(&door.post(path, kind, "{}"), 415, kind);
        }
    }
    let home = "/v1/accounts/7/feeds/home";
    for query in [
        "limit=0",
        "limit=81",
        "limit=-1",
        "limit=x",
        "limit=99999999999999999999",
        "before=x",
        "before=-1",
        "before=9223372036854775808",
        "after=",
        "after=1.5",
        "before=%00",
        "before=%F0%9F%92%A9",
        "limit=1&limit=2",
        "befor=1",
    ] {
        check_problem(&door.get(&format!("{home}?{query}")), 400, query);
    }
    for (path, status) in [
        ("/v1/accounts/8/feeds/home", 404),
        ("/v1/accounts/7/feeds/away", 404),
        ("/v1/accounts/7/feeds/list:1", 404),
        ("/v1/accounts/%2e%2e/feeds/home", 404),
        ("/v1/accounts/%ff/feeds/home", 400),
        ("/v1/accounts/%00/feeds/home", 404),
        ("/v1/posts/x", 400),
        ("/v1/posts/-1", 400),
        ("/v1/posts/0", 404),
        ("/v1/posts/9223372036854775807", 404),
        ("/v1/posts/9223372036854775808", 400),
        ("/v1/posts/99999999999999999999999999999", 400),
        ("/v1/posts/%F0%9F%92%A9", 400),
        ("/v1/posts", 400),
        ("/v1/posts?uri=", 404),
        ("/v1/posts?uri=%00", 404),
        ("/v1/origins/nowhere.example", 404),
        ("/v1/origins/%ff", 400),
        ("/nothing", 404),
    ] {
        check_problem(&door.get(path), status, path);
    }
    let absurd = "9".repeat(5_000);
    check_problem(
        &door.get(&format!("/v1/posts/{absurd}")),
        400,
        "5,000 nines",
    );
    for (method, path) in [
        (Method::GET, "/v1/activities"),
        (Method::DELETE, home),
        (Method::PUT, "/v1/posts/1"),
    ] {
        let answer = door.request(method, path).send().unwrap();
        assert_eq!(answer.status(), 405, "{path}");
    }
    // The edges that are allowed.
    for query in [
        "limit=1",
        "limit=80",
        "before=0",
        "after=0",
        "before=9223372036854775807&after=0",
        "before=0&after=9223372036854775807",
    ] {
        assert_eq!(door.get(&format!("{home}?{query}")).status, 200, "{query}");
    }
    assert!(!instance.said().contains("panicked"), "{}", instance.said());
    still_serves(&instance);
}

#[test]
fn with_tokens_in_the_configuration_nobody_gets_in_without_one() {
    let dir = TempDir::new().unwrap();
    let config = instance::built_in(
        "[auth]\nservice_tokens = [\"0123456789abcdef\", \"fedcba9876543210\"]\n",
    );
    let instance = Instance::start(dir.path(), &config);
    let door = &instance.door;
    let ask = |method: Method, path: &str, token: Option<&str>| {
        let request = door.request(method, path).header("content-type", NDJSON);
        let request = match token {
            Some(token) => request.header("authorization", token),
            None => request,
        };
        let answer = request.body("").send().unwrap();
        let challenged = answer.headers().contains_key("www-authenticate");
        assert_eq!(answer.status() == 401, challenged);
        answer.status().as_u16()
    };
    for (method, path) in [
        (Method::POST, "/v1/activities"),
        (Method::POST, "/v1/relationships"),
        (Method::GET, "/v1/accounts/7/feeds/home"),
        (Method::GET, "/v1/posts/1"),
        (Method::GET, "/v1/posts?uri=x"),
        (Method::GET, "/v1/origins"),
        (Method::GET, "/v1/origins/a.example"),
        (Method::GET, "/v1/dead-letters"),
        (Method::GET, "/v1/dead-letters/0-0"),
        (Method::POST, "/v1/dead-letters/0-0/replay"),
        (Method::GET, "/metrics"),
    ] {
        for token in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer "),
            Some("Bearer 0123456789abcde"),
            Some("Bearer 0123456789abcdef0"),
            Some("Basic 0123456789abcdef"),
            Some("0123456789abcdef"),
            Some("Bearer 0123456789ABCDEF"),
        ] {
            assert_eq!(
                ask(method.clone(), path, token),
                401,
                "{path} with {token:?}"
            );
        }
        for token in ["Bearer 0123456789abcdef", "bearer fedcba9876543210"] {
            assert_ne!(
                ask(method.clone(), path, Some(token)),
                401,
                "{path} with {token:?}"
            );
        }
    }
    assert_eq!(ask(Method::GET, "/healthz", None), 200);
    assert!(
        !instance.said().contains("0123456789abcdef"),
        "a token is in the log"
    );
}

/// Values no post can be made of, with what is wrong; none is a record without a value.
fn bad_values() -> Vec<(&'static str, Option<Vec<u8>>)> {
    let mut rng = Rng::with_seed(7);
    let good = note(1).to_string();
    let mut bad: Vec<(&str, Option<Vec<u8>>)> = vec![
        ("no value", None),
        ("nothing", Some(Vec::new())),
        ("a number", Some(b"7".to_vec())),
        ("null", Some(b"null".to_vec())),
        ("a list", Some(b"[]".to_vec())),
        ("an empty object", Some(b"{}".to_vec())),
        ("a byte too many", Some(padded(&note(1), 1_000_001))),
        ("deep lists", Some([vec![b'['; 100_000], vec![b']'; 100_000]].concat())),
        ("deep lists without end", Some(vec![b'['; 300_000])),
        ("deep objects", Some(format!("{}7{}", "{\"object\":".repeat(50_000), "}".repeat(50_000)).into())),
        ("depth in a post", Some(good.replacen("\"content\":", &format!("\"x\":{}{},\"content\":", "[".repeat(5_000), "]".repeat(5_000)), 1).into())),
        ("half a surrogate", Some(good.replace("post 1", "\\ud800").into())),
        ("not UTF-8", Some([&good.as_bytes()[..good.len() - 2], b"\xff\"}"].concat())),
        ("two of them", Some(format!("{good}{good}").into())),
        ("another host's post", Some(good.replace("\"attributedTo\":\"https://a.example", "\"attributedTo\":\"https://b.example").into())),
        ("another host's id", Some(good.replace("\"id\":\"https://a.example/posts", "\"id\":\"https://b.example/posts").into())),
        ("an actor of another host", Some(good.replace("\"actor\":\"https://a.example", "\"actor\":\"https://b.example").into())),
        ("a deletion of another host's post", Some(json!({"type": "Delete", "actor": ANA, "object": "https://b.example/posts/1"}).to_string().into())),
        ("an undo for another", Some(json!({"type": "Undo", "actor": ANA, "object": {"type": "Announce", "id": "https://b.example/1", "actor": "https://b.example/u", "object": uri(1)}}).to_string().into())),
        ("an object that is only an id", Some(json!({"type": "Create", "actor": ANA, "object": uri(1)}).to_string().into())),
        ("a post by itself", Some(note(1)["object"].to_string().into())),
        ("a huge id", Some(good.replace("https://a.example/posts/1\"", &format!("https://a.example/posts/{}\"", "x".repeat(3_000))).into())),
    ];
    for _ in 0..60 {
        let length = rng.usize(1..=300);
        bad.push((
            "random bytes",
            Some((0..length).map(|_| rng.u8(..)).collect()),
        ));
    }
    for cut in (1..good.len()).step_by(good.len() / 40) {
        bad.push(("cut off", Some(good.as_bytes()[..cut].to_vec())));
    }
    bad
}

fn uri(n: usize) -> String {
    format!("https://a.example/posts/{n}")
}

fn note(n: usize) -> Value {
    json!({"type": "Create", "id": format!("{}#create", uri(n)), "actor": ANA, "object": {
        "type": "Note", "id": uri(n), "attributedTo": ANA, "content": format!("post {n}"),
        "published": "2026-11-22T10:00:00Z", "to": "https://www.w3.org/ns/activitystreams#Public"}})
}

/// A post with every field that anybody looks at.
fn full_note() -> Value {
    let mut note = note(1);
    for (field, value) in [
        ("@context", json!("https://www.w3.org/ns/activitystreams")),
        ("published", json!("2026-11-22T10:00:00Z")),
        ("updated", json!("2026-11-22T10:00:00Z")),
        (
            "to",
            json!(["https://www.w3.org/ns/activitystreams#Public"]),
        ),
        ("cc", json!([format!("{ANA}/followers")])),
        ("audience", json!("https://a.example/c")),
        (
            "tag",
            json!([{"type": "Mention", "href": "https://b.example/u"}, {"type": "Hashtag", "name": "#x"}]),
        ),
        ("inReplyTo", json!("https://b.example/posts/1")),
        ("contentMap", json!({"en": "hello"})),
        ("summary", json!("cw")),
        ("attachment", json!([{"type": "Image"}])),
        ("name", json!("a name")),
    ] {
        note["object"][field] = value.clone();
        if field != "inReplyTo" && field != "tag" {
            note[field] = value;
        }
    }
    note
}

/// The same with white space up to so many bytes.
fn padded(value: &Value, bytes: usize) -> Vec<u8> {
    let mut text = value.to_string().into_bytes();
    let last = text.pop().unwrap();
    text.resize(bytes - 1, b' ');
    text.push(last);
    text
}

fn record(topic: Topic, partition_by: &str, key: &str, value: Option<Vec<u8>>) -> NewRecord {
    NewRecord {
        topic,
        partition_by: partition_by.into(),
        key: key.into(),
        value,
        headers: Vec::new(),
        timestamp: clock::now(),
    }
}

fn follow_of_ana() -> Vec<NewRecord> {
    let documents = [
        (
            "7/account/".to_owned(),
            json!({"type": "account", "account": "7", "actor": "https://me.example/users/me"}),
        ),
        (
            format!("7/follow/{ANA}"),
            json!({"type": "follow", "account": "7", "target": ANA}),
        ),
    ];
    let record = |(key, document): (String, Value)| {
        record(
            Topic::Relationships,
            "7",
            &key,
            Some(document.to_string().into()),
        )
    };
    documents.into_iter().map(record).collect()
}

fn is_good(sent: &NewRecord) -> bool {
    let create = |value: &Vec<u8>| {
        serde_json::from_slice::<Value>(value)
            .is_ok_and(|value| (0..1000).any(|n| value == note(n)) && sent.headers.is_empty())
    };
    sent.topic == Topic::Activities
        && sent
            .value
            .as_ref()
            .is_some_and(|value| value.len() <= 1_000_000 && create(value))
}

type Dead = (String, Option<Vec<u8>>, Option<Vec<u8>>);

/// So many dead letters, by where each came from.
fn dead_letters(broker: &Broker, count: usize) -> BTreeMap<Position, Dead> {
    let mut dead = BTreeMap::new();
    each_dead_letter(broker, count, |position, reason, headers, key, value| {
        drop(headers);
        let twice = dead.insert(position, (reason, key, value));
        assert!(twice.is_none(), "{position:?} was set aside twice");
    });
    dead
}

fn dead_headers(broker: &Broker, wanted: &Position) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    each_dead_letter(broker, 0, |position, _, headers, _, _| {
        if position == *wanted {
            found = headers;
        }
    });
    found
}

/// Reads the topic to its end, waiting for at least `count`.
fn each_dead_letter(
    broker: &Broker,
    count: usize,
    mut each: impl FnMut(Position, String, Vec<(String, Vec<u8>)>, Option<Vec<u8>>, Option<Vec<u8>>),
) {
    let consumer: BaseConsumer = broker.client().set("group.id", "test").create().unwrap();
    let ends = || {
        consumer
            .fetch_watermarks(
                "slackwater.dead-letters",
                0,
                std::time::Duration::from_secs(10),
            )
            .unwrap()
            .1
    };
    let end = wait_for("the dead letters", || {
        Some(ends()).filter(|end| count as i64 <= *end)
    });
    let mut from = rdkafka::TopicPartitionList::new();
    from.add_partition_offset("slackwater.dead-letters", 0, rdkafka::Offset::Beginning)
        .unwrap();
    consumer.assign(&from).unwrap();
    let mut read = 0;
    while read < end {
        let message = wait_for("a dead letter", || {
            consumer.poll(std::time::Duration::from_secs(1))
        });
        let message = message.unwrap();
        read = message.offset() + 1;
        let headers: Vec<(String, Vec<u8>)> = message
            .headers()
            .unwrap()
            .iter()
            .map(|header| {
                (
                    header.key.to_owned(),
                    header.value.unwrap_or_default().to_vec(),
                )
            })
            .collect();
        let header = |name: &str| {
            let (_, value) = headers.iter().rev().find(|(key, _)| key == name).unwrap();
            String::from_utf8(value.clone()).unwrap()
        };
        let topic = match header("topic").as_str() {
            "slackwater.activities" => Topic::Activities,
            "slackwater.relationships" => Topic::Relationships,
            other => panic!("{other}"),
        };
        let position = Position {
            topic,
            partition: header("partition").parse().unwrap(),
            offset: header("offset").parse().unwrap(),
        };
        let bytes = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
        let reason = header("reason");
        each(
            position,
            reason,
            headers,
            bytes(message.key()),
            bytes(message.payload()),
        );
    }
}

/// A reason a person understands: words about what is wrong, mostly with what to send instead; no names of ours.
fn check_reason(reason: &str) {
    let words = reason.split(' ').count();
    let is_plain =
        3 <= words && (10..1500).contains(&reason.len()) && !reason.contains(['\n', '\0']);
    let names = [
        "panicked", "unwrap", "::", "Error(", "Err(", "None", "Some(",
    ];
    assert!(
        is_plain && !names.iter().any(|name| reason.contains(name)),
        "{reason:?}"
    );
}

fn check_problem(answer: &Answer, status: u16, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text);
    assert_eq!(answer.kind, "application/problem+json", "{what}");
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{what}");
    check_reason(problem["detail"].as_str().unwrap());
}

fn still_serves(instance: &Instance) {
    let door = &instance.door;
    let documents = follow_of_ana()
        .into_iter()
        .map(|record| String::from_utf8(record.value.unwrap()).unwrap());
    door.post_lines("/v1/relationships", &documents.collect::<Vec<_>>());
    door.post_lines("/v1/activities", &[note(777).to_string()]);
    wait_for("the next good post", || {
        door.uris("7").contains(&uri(777)).then_some(())
    });
    assert!(!instance.said().contains("panicked"));
}
