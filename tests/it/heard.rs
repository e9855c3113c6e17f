//! What is refused, left out or cannot be done is heard of: in the answer, in the log, in metrics, with the path it is about.

use crate::support::instance::{self, Instance};
use crate::support::surface::{self, ANA, SERVICE, Surface, note, uri};
use reqwest::Method;
use serde_json::{Value, json};
use slackwater::clock;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const NDJSON: &str = "application/x-ndjson";
const ACTIVITY: &str = "application/activity+json";

/// A failure means that a backend loses what it sends, and nobody on either side can tell.
#[test]
fn what_is_rejected_is_counted_by_its_reason_and_said_in_the_log_but_not_without_end() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let door = &instance.door;
    let like = json!({"type": "Like"});
    let lines = [
        "nonsense".to_owned(),
        json!({"activity": like, "arived_at": "2026-11-22T10:00:00Z"}).to_string(),
        json!({"activity": like, "arrived_at": "yesterday"}).to_string(),
        json!({"type": "Create"}).to_string(),
        format!("{{\"type\":\"Like\",\"x\":\"{}\"}}", "x".repeat(1_000_000)),
        like.to_string(),
    ];
    let answer = door.post("/v1/activities", NDJSON, lines.join("\n"));
    assert_eq!(answer.json()["accepted"], 1, "{}", answer.text);
    let one = door.post("/v1/activities", ACTIVITY, "nonsense");
    assert_eq!(one.status, 422, "{}", one.text);
    assert!(one.text.contains("it is not JSON"), "{}", one.text);
    for _ in 0..30 {
        let follow = r#"{"type":"follow","account":"7","target":"https://a.example/u","bosts":1}"#;
        let answer = door.post("/v1/relationships", "application/json", follow);
        assert_eq!(answer.status, 422);
        assert!(
            answer.text.contains("did you mean boosts?"),
            "{}",
            answer.text
        );
    }
    for (reason, count) in [
        ("not_json", 2.0),
        ("envelope", 2.0),
        ("activity", 1.0),
        ("too_large", 1.0),
        ("relation", 30.0),
    ] {
        let name = format!("slackwater_rejected_lines_total{{reason=\"{reason}\"}}");
        assert_eq!(door.metric(&name), count, "{reason}");
    }
    let said = instance.said();
    let told: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("lines rejected"))
        .collect();
    assert!(
        told[0]
            .contains("POST /v1/activities: 5 lines rejected, the first, line 1: it is not JSON"),
        "{told:?}"
    );
    // One in ten seconds; a slow machine may take that long for all of it.
    assert!(told.len() < 5, "{told:?}");
}

#[test]
fn a_field_that_is_not_known_is_refused_with_a_guess() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let reason = |line: &str| {
        let answer = instance.door.post("/v1/activities", NDJSON, line);
        let answer = answer.json();
        let reason = answer["rejected"][0]["reason"].as_str();
        reason.map(str::to_owned)
    };
    let told = |line: &str, beginning: &str, end: &str| {
        let reason = reason(line).unwrap_or_default();
        assert!(
            reason.starts_with(beginning) && reason.ends_with(end),
            "{line}: {reason}"
        );
    };
    let like = r#"{"type":"Like"}"#;
    for (field, meant) in [
        ("arived_at", "arrived_at"),
        ("fetch", "fetched"),
        ("autor_ref", "author_ref"),
        ("Ref", "ref"),
    ] {
        told(
            &format!("{{\"activity\":{like},\"{field}\":null}}"),
            &format!("\"{field}\" is no field of a wrapped activity: send activity and"),
            &format!("; did you mean {meant}?"),
        );
    }
    told(
        &format!("{{\"activity\":{like},\"hat\":\"red\"}}"),
        "\"hat\" is no field of a wrapped activity",
        "forgotten",
    );
    told(
        &format!("{{\"activty\":{like}}}"),
        "\"activty\" is no field of a wrapped activity",
        "did you mean activity?",
    );
    told(
        r#"{"arrived_at":"2026-11-22T10:00:00Z"}"#,
        "the line is no wrapped activity",
        "",
    );
    assert_eq!(
        reason(&format!(
            "{{\"type\":null,\"activity\":{like},\"arrived_at\":1763805600000,\"ref\":\"1\",\"author_ref\":null,\"fetched\":false}}"
        )),
        None
    );
    // Whatever else stands in an activity is its server's business.
    assert_eq!(reason(r#"{"type":"Like","arived_at":1,"bosts":1}"#), None);

    // Headers, too: of others there may be any, but what is nearly ours was meant to be.
    let with = |kind: &str, header: &str| {
        let request = instance.door.request(Method::POST, "/v1/activities");
        let request = request.header("content-type", kind).header(header, "true");
        let answer = request.body(like).send().unwrap();
        (answer.status().as_u16(), answer.text().unwrap())
    };
    let (status, text) = with(ACTIVITY, "Fetchd");
    assert!(
        status == 422 && text.contains("did you mean fetched?"),
        "{text}"
    );
    let (status, text) = with(NDJSON, "Fetched");
    assert!(
        status == 422 && text.contains("of many lines send each"),
        "{text}"
    );
    assert_eq!(with(ACTIVITY, "Traceparent").0, 202);
    assert_eq!(with(NDJSON, "Traceparent").0, 202);
}

/// A failure means that an id with a slip in it is accepted, and a user misses somebody's posts for good.
#[test]
fn a_relation_that_rests_on_nothing_is_accepted_with_a_word_about_it() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let relate = |documents: &[Value]| {
        let lines: Vec<String> = documents.iter().map(ToString::to_string).collect();
        let answer = instance
            .door
            .post("/v1/relationships", NDJSON, lines.join("\n"));
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json()
    };
    let target = "https://a.example/users/ana";
    let follow = json!({"type": "follow", "account": "7", "target": target});
    let member = json!({"type": "list_member", "account": "7", "list": "42", "target": target});
    let account = json!({"type": "account", "account": "7", "actor": "https://me.example/me"});
    let list = json!({"type": "list", "account": "7", "target": "42"});
    let answer = relate(&[follow.clone(), member.clone()]);
    assert_eq!(answer["accepted"], 2);
    let warnings = answer["warnings"].as_array().unwrap();
    let lines: Vec<&Value> = warnings.iter().map(|it| &it["line"]).collect();
    assert_eq!(lines, [1, 2]);
    let text = |nth: usize| warnings[nth]["text"].as_str().unwrap();
    assert!(text(0).contains("account \"7\" has no account document"));
    assert!(text(1).contains("account \"7\" has no list \"42\""));
    // What they rest on may come with them, and after them.
    let answer = relate(&[follow.clone(), member.clone(), list, account]);
    assert_eq!(answer, json!({"accepted": 4, "rejected": []}));
    let answer = relate(&[json!({"type": "follow", "account": "17", "target": target})]);
    assert_eq!(answer["warnings"][0]["line"], 1, "{answer}");
    let mut unfollow = follow;
    unfollow["account"] = json!("27");
    unfollow["removed"] = json!(true);
    assert_eq!(relate(&[unfollow]), json!({"accepted": 1, "rejected": []}));
}

#[test]
fn an_origin_is_found_however_its_name_is_written() {
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    let ana = "https://müller.example/users/ana";
    let create = json!({"type": "Create", "id": format!("{ana}/1#create"), "actor": ana, "object": {
        "type": "Note", "id": format!("{ana}/1"), "attributedTo": ana, "content": "<p>1</p>",
        "published": clock::now().rfc3339()}});
    instance
        .door
        .post_lines("/v1/activities", &[create.to_string()]);
    instance.wait_until_read("activities", 1);
    instance.settle();
    for name in [
        "xn--mller-kva.example",
        "müller.example",
        "MÜLLER.example",
        "www.müller.example",
        "mu\u{308}ller.example.",
    ] {
        let answer = instance.door.get(&format!("/v1/origins/{name}"));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text);
        assert_eq!(answer.json()["host"], "xn--mller-kva.example", "{name}");
    }
    for name in ["muller.example", "m%FCller.example", "a b", "%2F"] {
        let status = instance.door.get(&format!("/v1/origins/{name}")).status;
        assert!(matches!(status, 400 | 404), "{name}: {status}");
    }
}

/// A failure means that posts are missing in every client, and nobody can say why.
#[test]
fn what_mastodons_api_leaves_out_is_counted_and_explained() {
    let surface = Surface::start("[mastodon]\nids = \"ref\"\n");
    let with = |n: i64, beside: Value| {
        let mut line = beside;
        line["activity"] = json!({"type": "Create", "id": format!("{}#c", uri(n)), "actor": ANA,
            "object": note(n, "hello")});
        line
    };
    let boost = json!({"activity": {"type": "Announce", "id": format!("{ANA}/boost"), "actor": ANA, "object": uri(1),
        "published": clock::now().rfc3339(), "to": [surface::PUBLIC]}, "ref": "503", "author_ref": "900"});
    surface.tell(&[with(1, json!({"ref": "501"}))]);
    let explained = |uri: &str| {
        surface.backend(&format!("/v1/posts?uri={uri}&explain_for=7"))["explained"]["mastodon"]
            .clone()
    };
    let left_out = |what: &str| json!(format!("left out: mastodon.ids is \"ref\", and {what}"));
    assert_eq!(
        explained(&uri(1)),
        left_out("it was sent without Author-Ref")
    );
    surface.tell(&[with(2, json!({"author_ref": "900"}))]);
    surface.tell(&[boost]);
    assert_eq!(explained(&uri(1)), Value::Null);
    assert_eq!(explained(&uri(2)), left_out("it was sent without Ref"));
    assert_eq!(explained(&format!("{ANA}/boost")), Value::Null);
    let request = surface
        .door()
        .request(Method::GET, "/api/v1/timelines/home")
        .bearer_auth(surface.token("read"));
    let page: Value = request.send().unwrap().json().unwrap();
    assert!(
        page.as_array().is_some_and(|page| !page.is_empty()),
        "{page}"
    );
    let metrics = surface
        .door()
        .request(Method::GET, "/metrics")
        .bearer_auth(SERVICE);
    let metrics = metrics.send().unwrap().text().unwrap();
    let counted = metrics
        .lines()
        .find(|line| line.starts_with("slackwater_mastodon_left_out_total{lacks=\"ref\"} "));
    assert!(
        counted.is_some_and(|line| !line.ends_with(" 0")),
        "{counted:?}"
    );

    let surface = Surface::start("");
    surface.create(&note(1, "hello"));
    let post = surface.backend(&format!("/v1/posts?uri={}&explain_for=7", uri(1)));
    assert_eq!(post["explained"]["mastodon"], Value::Null, "{post}");
}

#[test]
fn what_there_is_is_measured_from_the_start() {
    let dir = TempDir::new().unwrap();
    let mut instance = Instance::start(dir.path(), &instance::built_in(""));
    let relate = |instance: &Instance| {
        let lines = [
            json!({"type": "account", "account": "7", "actor": "https://me.example/users/me"}),
            json!({"type": "follow", "account": "7", "target": "https://a.example/users/ana"}),
            json!({"type": "follow", "account": "7", "target": "https://b.example/users/bob"}),
        ];
        let lines = lines.map(|it| it.to_string());
        instance.door.post_lines("/v1/relationships", &lines);
    };
    let measured = |instance: &Instance| {
        ["accounts", "follows", "disk_bytes"]
            .map(|name| instance.door.metric(&format!("slackwater_{name}")))
    };
    relate(&instance);
    let [accounts, follows, _] = measured(&instance);
    assert_eq!((accounts, follows), (1.0, 2.0));
    instance.terminate();
    instance.restart();
    // Nothing has come since, and nothing does.
    let [accounts, follows, bytes] = measured(&instance);
    assert_eq!((accounts, follows), (1.0, 2.0));
    assert!(0.0 < bytes);
}

fn run(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(instance::binary());
    let command = command.args(args).current_dir(dir).stdin(Stdio::null());
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `slackwater tune trace | head` is no failure, and nothing panics where nobody listens.
#[test]
fn who_reads_no_further_ends_a_command_quietly() {
    let dir = TempDir::new().unwrap();
    let key = "0123456789abcdef0123456789abcdef";
    std::fs::write(
        dir.path().join("slackwater.toml"),
        format!("[log]\npath = \"log\"\n[auth]\nservice_tokens = [\"0123456789abcdef\"]\n[auth.jwt]\nalgorithm = \"HS256\"\nkey = \"{key}\"\n"),
    )
    .unwrap();
    let seen = r#"{"origin":"a.example","published":1763805600000,"arrived":1763805601000}"#;
    std::fs::write(dir.path().join("trace"), format!("{seen}\n").repeat(300)).unwrap();
    let ended = |args: &[&str], gone: &str| {
        let mut command = Command::new(instance::binary());
        let command = command.args(args).current_dir(dir.path());
        let command = command.stdin(Stdio::null());
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Long before it has anything to say.
        match gone {
            "stdout" => drop(process.stdout.take()),
            _ => drop(process.stderr.take()),
        }
        let output = process.wait_with_output().unwrap();
        (output.status.code(), said(&output))
    };
    for args in [
        &["tune", "trace"][..],
        &["tune", "trace", "--json"],
        &["check", "slackwater.toml"],
        &["token", "7"],
        &["--help"],
        &["--version"],
    ] {
        let (code, said) = ended(args, "stdout");
        assert_eq!(code, Some(0), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
    }
    assert_eq!(ended(&["check", "nowhere.toml"], "stderr").0, Some(1));
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_path() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("file"), "not a folder").unwrap();
    let serve = |log: &str, feeds: &str| {
        let config = format!(
            "[log]\npath = \"{log}\"\n[feed]\npath = \"{feeds}\"\n[http]\nlisten = \"127.0.0.1:0\"\n[logging]\nlevel = \"off\"\n"
        );
        std::fs::write(dir.path().join("s.toml"), config).unwrap();
        let served = run(dir.path(), &["serve", "--config", "s.toml"]);
        let said = said(&served);
        assert_eq!(served.status.code(), Some(1), "{said}");
        said
    };
    // A parent that is none, and one that nobody may write to.
    for (log, feeds, path) in [
        ("file/log", "feeds", "file/log"),
        ("/sys/slackwater-log", "feeds", "/sys/slackwater-log"),
        ("log", "file/feeds", "file/feeds"),
        ("log", "/sys/slackwater-feeds", "/sys/slackwater-feeds"),
        ("log", "file", "file"),
    ] {
        let said = serve(log, feeds);
        assert!(
            said.contains(path)
                && (said.contains("could not ") || said.contains("failed to "))
                && said.contains("(os error "),
            "{log} {feeds}: {said}"
        );
        assert!(!said.contains("another"), "{log} {feeds}: {said}");
    }
    // In use by another is said of what is in use by another, and of nothing else.
    let config = instance::built_in("");
    let first = Instance::start(dir.path(), &config);
    let said = serve("log2", "feeds");
    assert!(
        said.contains("the data folder feeds is open in another slackwater"),
        "{said}"
    );
    let said = serve("log", "feeds2");
    assert!(
        said.contains("the log log is in use by another process"),
        "{said}"
    );
    drop(first);
    let seen = r#"{"origin":"a.example","published":1763805600000,"arrived":1763805601000}"#;
    std::fs::write(dir.path().join("trace"), format!("{seen}\n").repeat(300)).unwrap();
    for (args, path) in [
        (&["check", "nowhere.toml"][..], "nowhere.toml"),
        (&["tune", "nowhere"], "nowhere"),
        (&["tune", "file"], "(in file)"),
        (&["tune", "."], "reading ."),
        (&["tune", "trace", "--plot", "no/x.svg"], "no/x.svg"),
        (&["trace", "--config", "nowhere.toml"], "nowhere.toml"),
    ] {
        let output = run(dir.path(), args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(
            self::said(&output).contains(path),
            "{args:?}: {}",
            self::said(&output)
        );
    }
}

/// What would go wrong at a start, or go on wrong without a word, is said before.
#[test]
fn check_says_what_kafka_would_not_take_all_of_it_at_once() {
    let dir = TempDir::new().unwrap();
    let config = "[log]\nkind = \"kafka\"\n[kafka]\nbrokers = [\"kafka1\", \"kafka2:9092\"]\n[kafka.client]\n\
        \"security.protocl\" = \"ssl\"\n\"linger.ms\" = \"soon\"\n";
    std::fs::write(dir.path().join("s.toml"), config).unwrap();
    let checked = run(dir.path(), &["check", "s.toml"]);
    assert_eq!(checked.status.code(), Some(1));
    for told in [
        "s.toml:4: kafka.brokers[0]: found \"kafka1\"",
        "did you mean \"kafka1:9092\"?",
        "s.toml:6: kafka.client.\"security.protocl\": found an unknown setting",
        "did you mean kafka.client.\"security.protocol\"?",
        "s.toml:7: kafka.client.\"linger.ms\": found a value that librdkafka does not take",
    ] {
        assert!(said(&checked).contains(told), "{told}: {}", said(&checked));
    }
    let served = run(dir.path(), &["serve", "--config", "s.toml"]);
    assert_eq!(
        (served.status.code(), said(&served)),
        (Some(1), said(&checked))
    );
    let config = "[log]\nkind = \"kafka\"\n[kafka]\nbrokers = [\"kafka1:9092\"]\n[kafka.client]\n\"linger.ms\" = 7\n";
    std::fs::write(dir.path().join("s.toml"), config).unwrap();
    let begun = clock::stopwatch();
    let checked = run(dir.path(), &["check", "s.toml"]);
    assert_eq!(checked.status.code(), Some(0), "{}", said(&checked));
    // Nobody was asked: there is no such host.
    assert!(begun.elapsed() < Duration::from_secs(20));
}
