//! What the service says of itself on standard error: at the start, of what it refuses, of readers it sends away, of settings that wait for
//! a restart, and of files that it cannot use.

use crate::support::instance::{self, Instance, binary};
use crate::support::wait_for;
use crate::support::watcher::{Came, Stream};
use serde_json::{Value, json};
use slackwater_engine::view::cursor::Cursor;
use slackwater_engine::view::seal::{Key, SealedLog};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const SECRETS: [&str; 3] = [
    "a-service-token-of-ours",
    "a-shared-secret-of-32-bytes-or-more",
    "a-client-secret",
];

/// A failure means that whoever is sent a log cannot say what ran there, or that a secret is in it.
#[test]
fn the_first_lines_say_what_it_is_and_nothing_secret() {
    let dir = TempDir::new().unwrap();
    let [token, key, client] = SECRETS;
    let auth = format!(
        "[auth]\nservice_tokens = [\"{token}\", \"{token}-2\"]\npublic_feeds_open = true\n\
         [auth.jwt]\nalgorithm = \"HS256\"\nkey = \"{key}\"\n\
         [auth.introspection]\nurl = \"http://me:{client}@127.0.0.1:9/introspect\"\nclient_id = \"me\"\n\
         client_secret = \"{client}\"\n[mastodon]\nids = \"ref\"\n"
    );
    let instance = Instance::start(dir.path(), &instance::built_in(&auth));
    let [version, logs, callers] = first(&instance);
    let path = |name: &str| dir.path().join(name).display().to_string();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["file"], path("slackwater.toml"));
    assert_eq!(logs["log"], "built-in");
    assert_eq!(
        (&logs["folder"], &logs["feeds"]),
        (&json!(path("log")), &json!(path("feeds")))
    );
    assert_eq!(
        callers["callers"],
        "the backend, by 2 service tokens; accounts, by tokens that are signed (HS256); accounts, by tokens that \
         http://127.0.0.1:9/introspect introspects; anybody, for public and hashtag feeds"
    );
    assert!(
        callers["mastodon_ids"].as_str().unwrap().contains("ref"),
        "{callers}"
    );
    for line in [&version, &logs, &callers] {
        assert_eq!(line["level"], "INFO");
    }
    let said = instance.said();
    assert!(
        SECRETS.iter().all(|secret| !said.contains(secret)),
        "{said}"
    );
}

/// The first lines of what is run in a folder, which is ended then.
fn first_of(dir: &Path, command: &[&str]) -> [Value; 3] {
    let mut started = Command::new(binary());
    started.args(command).current_dir(dir);
    let mut process = started.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut next = || serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let first = [next(), next(), next()];
    process.kill().unwrap();
    process.wait().unwrap();
    first
}

#[test]
fn without_tokens_or_a_file_and_with_kafka_it_says_so_before_anything_is_open() {
    let dir = TempDir::new().unwrap();
    // The usual port may be taken: what is looked at comes before.
    let [version, logs, callers] = first_of(dir.path(), &["serve"]);
    assert!(
        version["message"]
            .as_str()
            .unwrap()
            .contains("without a configuration file"),
        "{version}"
    );
    let log = dir.path().join("data/log").display().to_string();
    assert_eq!(logs["folder"], log);
    assert_eq!(
        callers["callers"],
        "anybody on this machine, as the backend"
    );
    assert!(
        callers["mastodon_ids"].as_str().unwrap().contains("place"),
        "{callers}"
    );

    let dir = TempDir::new().unwrap();
    let file = dir.path().join("slackwater.toml");
    std::fs::write(&file, instance::on_kafka("127.0.0.1:1", "")).unwrap();
    let [_, logs, _] = first_of(dir.path(), &["serve", "--config", "slackwater.toml"]);
    assert_eq!(logs["log"], "kafka");
    assert_eq!(logs["brokers"], "127.0.0.1:1");
    let topics =
        ["activities", "relationships", "dead_letters"].map(|name| logs[name].as_str().unwrap());
    assert_eq!(
        topics,
        [
            "slackwater.activities",
            "slackwater.relationships",
            "slackwater.dead-letters"
        ]
    );
}

/// A failure means that an operator does not see who is kept out, or that anybody can fill the disk with lines.
#[test]
fn what_is_refused_has_a_line_with_its_reason_and_a_caller_who_asks_on_gets_no_more_of_them() {
    let dir = TempDir::new().unwrap();
    let config = instance::built_in(&format!(
        "[auth]\nservice_tokens = [\"{}\"]\n[stream]\nconnections_per_account_max = 1\n",
        SECRETS[0]
    ))
    .replace("[http]\n", "[http]\nrequests_per_minute = 100\n");
    let instance = Instance::start(dir.path(), &config);
    let ask = |path: &str, token: &str| {
        let request = instance.door.request(reqwest::Method::GET, path);
        request.bearer_auth(token).send().unwrap().status().as_u16()
    };
    for n in 0..40 {
        let path = "/v1/accounts/7/feeds/home?access_token=stolen";
        assert_eq!(ask(path, &format!("guess-{n}-that-is-no-token")), 401);
    }
    let refused = lines_with(&instance, "status", 401);
    let [line] = &refused[..] else {
        panic!("{refused:#?}")
    };
    assert_eq!(line["route"], "/v1/accounts/{account}/feeds/{feed}");
    assert_eq!(
        (&line["method"], &line["caller"]),
        (&json!("GET"), &json!("127.0.0.1"))
    );
    assert!(line["reason"].as_str().unwrap().contains("token"), "{line}");
    // What is not there is an answer, and what is refused otherwise has a line of its own.
    wait_for("relations to be read", || {
        (ask("/v1/accounts/8/feeds/home", SECRETS[0]) == 404).then_some(())
    });
    assert_eq!(
        ask("/v1/accounts/7/feeds/home?limit=many%0Aforged", SECRETS[0]),
        400
    );
    let [line] = &lines_with(&instance, "status", 400)[..] else {
        panic!("no line")
    };
    assert_eq!(line["caller"], "the backend");
    assert!(lines_with(&instance, "status", 404).is_empty());
    let said = instance.said();
    assert!(
        !said.contains("stolen") && !said.contains("guess-"),
        "{said}"
    );
    assert!(said.lines().all(|line| line.starts_with('{')), "{said}");
}

#[test]
fn a_reader_who_is_sent_away_or_not_let_in_has_a_line_with_the_account() {
    let dir = TempDir::new().unwrap();
    let config = instance::built_in("[stream]\nconnections_per_account_max = 1\n");
    let instance = Instance::start(dir.path(), &config);
    let door = &instance.door;
    let account =
        json!({"type": "account", "account": "7", "actor": "https://me.example/users/me"});
    door.post_lines("/v1/relationships", &[account.to_string()]);
    let home = "/v1/accounts/7/feeds/home";
    // A cursor of another log.
    let page = door.get(home).json();
    let secret = std::fs::read(dir.path().join("log/cursor.key")).unwrap();
    let sealed = |log: u64| SealedLog::new(log).sealed_with(Some(Key::of(&secret)));
    let mut cursor = Cursor::parse(page["cursor"].as_str().unwrap(), &sealed(0)).unwrap();
    cursor.log = sealed(cursor.log.hash() ^ 1);
    let path = format!("{home}/stream?cursor={}", cursor.to_text());
    let mut stream = Stream::open(door, &path, &[]).unwrap();
    assert_eq!(stream.text()["kind"], "reset");
    assert!(matches!(stream.next(), Came::Closed(4410)));
    let sent_away = wait_for("the line", || dismissals(&instance).pop());
    assert_eq!(sent_away["account"], "7");
    assert_eq!(sent_away["reason"], "read the feed anew");
    // One that says something, over and over, has some lines and no more.
    for n in 0..30 {
        let mut stream = wait_for("the one before to be gone", || {
            Stream::open(door, &format!("{home}/stream"), &[]).ok()
        });
        assert_eq!(stream.text()["kind"], "hello");
        if n == 0 {
            assert_eq!(
                Stream::open(door, &format!("{home}/stream"), &[]).err(),
                Some(429)
            );
        }
        stream
            .socket
            .send(tungstenite::Message::text("hello"))
            .unwrap();
        assert!(matches!(stream.next(), Came::Closed(1008)));
    }
    let said = |reason: &str| {
        let lines = dismissals(&instance);
        lines.iter().filter(|line| line["reason"] == reason).count()
    };
    assert_eq!(said("nothing is to be sent here"), 20);
    let [refused] = &lines_with(&instance, "status", 429)[..] else {
        panic!("no line")
    };
    assert_eq!(refused["caller"], "the backend");
    assert!(
        refused["reason"].as_str().unwrap().contains("account"),
        "{refused}"
    );
    // Who leaves by itself is not sent away.
    let before = dismissals(&instance).len();
    drop(wait_for("a stream", || {
        Stream::open(door, &format!("{home}/stream"), &[]).ok()
    }));
    wait_for("its end", || {
        (door.metric("slackwater_streams") == 0.0).then_some(())
    });
    assert_eq!(dismissals(&instance).len(), before);
}

#[test]
fn at_debug_it_says_its_own_steps_and_a_librarys_only_if_that_is_named() {
    for (level, is_named) in [("debug", false), ("debug,sled=debug", true)] {
        let dir = TempDir::new().unwrap();
        let config = instance::built_in("replay_max = \"1ms\"\n")
            .replace("[logging]\n", &format!("[logging]\nlevel = \"{level}\"\n"));
        let mut instance = Instance::start(dir.path(), &config);
        let account =
            json!({"type": "account", "account": "7", "actor": "https://me.example/users/me"});
        instance
            .door
            .post_lines("/v1/relationships", &[account.to_string()]);
        instance.terminate();
        let said = instance.said();
        let mut own = 0;
        let mut others = 0;
        for line in said
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
        {
            if !["DEBUG", "TRACE"].contains(&line["level"].as_str().unwrap()) {
                continue;
            }
            match line["target"].as_str().unwrap().starts_with("slackwater") {
                true => own += 1,
                false => others += 1,
            }
        }
        assert!(0 < own, "{level}: {said}");
        assert_eq!(0 < others, is_named, "{level}: {others} lines\n{said}");
    }
}

/// A failure means that an operator takes a setting for in force that is not, or does not know which.
#[test]
fn settings_that_need_a_restart_are_named_in_the_log_in_readiness_and_counted_until_they_are_as_before()
 {
    let dir = TempDir::new().unwrap();
    let config = instance::built_in("");
    let instance = Instance::start(dir.path(), &config);
    instance.wait_until_ready();
    let waiting = |number: f64| {
        wait_for("the number of settings", || {
            let metric = instance.door.metric("slackwater_config_restart_needed");
            (metric == number).then_some(())
        });
    };
    let detail = || instance.door.get("/readyz").json()["detail"].clone();
    waiting(0.0);
    let changed = config.replace("[feed]\n", "[feed]\nlength = 900\n")
        + "[ordering]\npatience = \"1m\"\n[stream]\nconnections_max = 7\n";
    std::fs::write(instance.config(), &changed).unwrap();
    waiting(2.0);
    let names = "feed.length, stream.connections_max";
    assert_eq!(
        detail(),
        format!("ready; these settings wait for a restart: {names}")
    );
    wait_for("the line", || {
        lines_with(&instance, "settings", names)
            .pop()
            .filter(|line| line["level"] == "WARN")
    });
    std::fs::write(instance.config(), &config).unwrap();
    waiting(0.0);
    wait_for("readiness as before", || {
        (detail() == "ready").then_some(())
    });
}

/// A failure means that an operator reads "No such file or directory" and does not know which.
#[test]
fn whatever_file_it_cannot_use_is_named() {
    let check = |spoiled: &str, spoil: &dyn Fn(&Path)| {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join(spoiled);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        spoil(&path);
        std::fs::write(dir.path().join("slackwater.toml"), instance::built_in("")).unwrap();
        let mut serve = Command::new(binary());
        let serve = serve
            .args(["serve", "--config", "slackwater.toml"])
            .current_dir(dir.path());
        let ended = serve.output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{spoiled}: {said}");
        let error = said.lines().filter(|line| !line.starts_with('{'));
        let error: Vec<&str> = error.collect();
        assert!(
            error.iter().any(|line| line.contains(spoiled)),
            "{spoiled}: {error:#?}"
        );
    };
    let folder = |path: &Path| std::fs::create_dir(path).unwrap();
    let text = |path: &Path| std::fs::write(path, "spoiled").unwrap();
    check("log", &text);
    check("log/id", &folder);
    check("log/id.new", &folder);
    check("log/cursor.key", &folder);
    check("log/cursor.key", &text);
    check("log/cursor.key.new", &folder);
    check("log/activities", &text);
    check("log/relationships", &text);
    check("log/dead-letters", &text);
    check("feeds", &text);
}

/// The lines of the start.
fn first(instance: &Instance) -> [Value; 3] {
    let said = instance.said();
    let mut lines = said.lines().map(|line| serde_json::from_str(line).unwrap());
    [(); 3].map(|()| lines.next().unwrap())
}

/// The lines that have a field with this value.
fn lines_with(instance: &Instance, field: &str, value: impl Into<Value>) -> Vec<Value> {
    let value = value.into();
    let said = instance.said();
    let lines = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line[field] == value).collect()
}

/// The lines of readers that were sent away.
fn dismissals(instance: &Instance) -> Vec<Value> {
    lines_with(instance, "kind", "websocket")
}
