//! `slackwater doctor`: each thing wrong once, and all well.

use crate::support::broker::Broker;
use crate::support::cluster::Nodes;
use crate::support::instance::{self, Instance};
use crate::support::mock_kafka;
use crate::support::nginx::free_port;
use crate::support::postgres::{Database, Version};
use crate::support::wait_for;
use serde_json::Value;
use slackwater::clock;
use slackwater::log::{self, LogWriter, built_in, kafka};
use slackwater_engine::record::{NewRecord, Topic};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// The longest that all checks may take beside each other, with one that gets no answer.
const WAIT: Duration = Duration::from_secs(40);

/// What it finds with this configuration, and its status.
fn look(dir: &Path, config: &str) -> (Vec<Value>, i32) {
    let file = dir.join("doctor.toml");
    std::fs::write(&file, config).unwrap();
    let begun = clock::stopwatch();
    let done = Command::new(instance::binary())
        .args(["doctor", "--json", "--config", "doctor.toml"])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(begun.elapsed() < WAIT, "{:?}", begun.elapsed());
    let text = String::from_utf8(done.stdout).unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    let found: Vec<Value> =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{error}"));
    (found, done.status.code().unwrap())
}

/// The finding about this with these words in it.
fn found<'a>(findings: &'a [Value], about: &str, words: &str) -> &'a Value {
    let is_meant = |finding: &&Value| {
        finding["about"] == about && finding["found"].as_str().unwrap().contains(words)
    };
    let found = findings.iter().find(is_meant);
    found.unwrap_or_else(|| panic!("{about} {words} in {findings:#?}"))
}

/// Checks that this is wrong, with something to do, and that the status says so.
fn wrong(looked: &(Vec<Value>, i32), about: &str, words: &str, to_do: &str) {
    let finding = found(&looked.0, about, words);
    assert_eq!(finding["state"], "wrong", "{finding}");
    assert!(
        finding["to_do"].as_str().unwrap().contains(to_do),
        "{finding}"
    );
    assert_eq!(looked.1, 1);
}

fn states(findings: &[Value], about: &str) -> Vec<String> {
    let of = findings.iter().filter(|finding| finding["about"] == about);
    of.map(|finding| finding["state"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn all_is_well_beside_a_running_service_and_nothing_is_changed() {
    let dir = TempDir::new().unwrap();
    let config =
        instance::built_in("").replace("127.0.0.1:0", &format!("127.0.0.1:{}", free_port()));
    let instance = Instance::start(dir.path(), &config);
    instance.wait_until_ready();
    let config = config.replace("path = \"log\"", "path = \"log\"\nsize_max = \"1GB\"");
    let before = files(&dir.path().join("log"));
    let (findings, status) = look(dir.path(), &config);
    for finding in &findings {
        // A machine of tests may have little room or few files.
        let of_machine =
            ["disk", "open files", "memory"].contains(&finding["about"].as_str().unwrap());
        assert!(finding["state"] == "ok" || of_machine, "{finding}");
    }
    assert!([0, 3].contains(&status), "{status}: {findings:?}");
    found(&findings, "service", "ready at");
    found(&findings, "log", "no activities yet");
    found(&findings, "disk", "log.path: log can be written");
    assert_eq!(files(&dir.path().join("log")), before);
}

fn files(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_port_of_another_program_is_told_and_no_token_is_sent_there() {
    let dir = TempDir::new().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let asked: Arc<Mutex<String>> = Arc::default();
    let heard = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in other.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 1000];
            let bytes = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..bytes]).to_lowercase();
            heard.lock().unwrap().push_str(&request);
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi");
        }
    });
    let token = "[auth]\nservice_tokens = [\"0123456789abcdef\"]\n";
    let config = instance::built_in(token).replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    wrong(
        &look(dir.path(), &config),
        "service",
        "does not answer as Slackwater",
        "another port",
    );
    let asked = asked.lock().unwrap();
    assert!(
        asked.contains("get /readyz") && !asked.contains("authorization"),
        "{asked}"
    );
    let config =
        instance::built_in("").replace("127.0.0.1:0", &format!("127.0.0.1:{}", free_port()));
    let (findings, _) = look(dir.path(), &config);
    assert_eq!(found(&findings, "service", "none runs")["state"], "ok");
}

#[test]
fn a_service_that_is_not_ready_is_told_with_its_reason() {
    let cluster = mock_kafka::cluster();
    let dir = TempDir::new().unwrap();
    let config = instance::on_kafka(&cluster.bootstrap_servers(), "");
    let config = config.replace("127.0.0.1:0", &format!("127.0.0.1:{}", free_port()));
    let instance = Instance::start(dir.path(), &config);
    instance.wait_until_ready();
    drop(cluster);
    wait_for("a service that knows that Kafka is away", || {
        (instance.door.get("/readyz").status == 503).then_some(())
    });
    wrong(
        &look(dir.path(), &config),
        "service",
        "not ready at",
        "the service's log",
    );
}

#[test]
fn a_folder_that_cannot_be_used_and_a_clock_that_was_set_back_are_told() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let config = instance::built_in("").replace("path = \"feeds\"", "path = \"file/feeds\"");
    wrong(
        &look(dir.path(), &config),
        "disk",
        "is no folder",
        "feed.path",
    );

    let options = log::Options::BuiltIn(built_in::Options::at(dir.path().join("log")));
    let writer = log::open_writer(&options).unwrap();
    append_ahead(&writer);
    // Also while it is in use.
    wrong(
        &look(dir.path(), &instance::built_in("")),
        "log",
        "the clock was set back",
        "NTP",
    );
    writer.close();
}

/// A record from an hour ahead.
fn append_ahead(writer: &LogWriter) {
    let ahead = NewRecord {
        topic: Topic::Activities,
        partition_by: b"a".to_vec(),
        key: b"a".to_vec(),
        value: Some(b"{}".to_vec()),
        headers: Vec::new(),
        timestamp: clock::now().plus(Duration::from_secs(3600)),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(writer.append(vec![ahead])).unwrap();
}

#[test]
fn a_log_that_cannot_be_read_is_told() {
    let dir = TempDir::new().unwrap();
    std::fs::create_dir(dir.path().join("log")).unwrap();
    std::fs::write(dir.path().join("log/activities"), "").unwrap();
    wrong(
        &look(dir.path(), &instance::built_in("")),
        "log",
        "cannot be read",
        "disk",
    );
}

#[test]
fn a_broker_that_is_away_and_one_that_says_nothing_are_told_with_what_librdkafka_says() {
    let dir = TempDir::new().unwrap();
    let refused = format!("127.0.0.1:{}", free_port());
    let looked = look(dir.path(), &instance::on_kafka(&refused, ""));
    wrong(&looked, "broker", "no answer", "Connection refused");
    // It accepts and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let looked = look(dir.path(), &instance::on_kafka(&address, ""));
    wrong(&looked, "broker", "no answer", "");
}

#[test]
fn topics_that_are_missing_unfit_or_not_as_recommended_are_told_with_the_command() {
    let dir = TempDir::new().unwrap();
    let broker = Broker::start(dir.path());
    let config = instance::on_kafka(&broker.address(), "");
    wrong(
        &look(dir.path(), &config),
        "broker",
        "topic slackwater.activities does not exist",
        "",
    );
    broker.create_topic("slackwater.activities", 3, &[]);
    broker.create_topic(
        "slackwater.relationships",
        1,
        &[("cleanup.policy", "compact")],
    );
    broker.create_topic("slackwater.dead-letters", 1, &[]);
    wrong(&look(dir.path(), &config), "broker", "has 3 partitions", "");

    broker.create_topic("four", 4, &[]);
    let four = config.replace("[kafka]\n", "[kafka]\nactivities = \"four\"\n");
    let (findings, status) = look(dir.path(), &four);
    found(&findings, "broker", "four has 4");
    let states = states(&findings, "broker");
    assert!(states.contains(&"warning".to_owned()), "{findings:#?}");
    assert!(!states.contains(&"wrong".to_owned()), "{findings:#?}");
    assert_eq!(status, 3, "{findings:#?}");

    // A producer whose clock is ahead, or ours is behind.
    let options = log::Options::Kafka(kafka::Options {
        brokers: vec![broker.address()],
        activities: "four".to_owned(),
        ..kafka::Options::default()
    });
    append_ahead(&log::open_writer(&options).unwrap());
    wrong(
        &look(dir.path(), &four),
        "broker",
        "ahead of this machine's clock",
        "NTP",
    );
}

/// Without a cluster nobody looks at the topic of the nodes.
#[test]
fn the_topic_of_the_nodes_is_looked_at_in_a_cluster() {
    let dir = TempDir::new().unwrap();
    let broker = Broker::start(dir.path());
    broker.create_topics(1, 1);
    let alone = instance::on_kafka(&broker.address(), "");
    let (findings, _) = look(dir.path(), &alone);
    assert!(states(&findings, "nodes").is_empty(), "{findings:#?}");

    let cluster = "[cluster]\nnode = \"a\"\nsecret = \"a secret of these tests\"\n";
    let config = alone.replacen("[http]", &format!("{cluster}[http]"), 1);
    let looked = look(dir.path(), &config);
    wrong(&looked, "nodes", "slackwater.nodes does not exist", "");

    let named = |name: &str| config.replace("[kafka]\n", &format!("[kafka]\nnodes = \"{name}\"\n"));
    broker.create_topic("two", 2, &[]);
    wrong(
        &look(dir.path(), &named("two")),
        "nodes",
        "2 partitions",
        "",
    );
    broker.create_topic("deleted", 1, &[]);
    let (findings, status) = look(dir.path(), &named("deleted"));
    let forgotten = found(&findings, "nodes", "forgotten after retention.ms");
    assert_eq!(forgotten["state"], "warning");
    assert_eq!(status, 3, "{findings:#?}");
    let compacted = [("cleanup.policy", "compact"), ("segment.ms", "600000")];
    broker.create_topic("right", 1, &compacted);
    let (findings, _) = look(dir.path(), &named("right"));
    found(&findings, "nodes", "no node a lives at the moment");
    assert_eq!(states(&findings, "nodes"), ["ok"; 2], "{findings:#?}");
}

#[test]
fn a_database_is_looked_at_as_its_own_check_does() {
    let dir = TempDir::new().unwrap();
    let database = Database::mastodon(Version::V4_5);
    let config = |url: &str| {
        instance::built_in(&format!(
            "[mastodon]\nids = \"ref\"\ndatabase = \"{url}\"\nweb_domain = \"home.example\"\n"
        ))
    };
    let looked = look(dir.path(), &config(&database.url()));
    wrong(
        &looked,
        "database",
        "something is to be done",
        "slackwater mastodon install",
    );
    assert_eq!(found(&looked.0, "database", "clock agrees")["state"], "ok");
    let away = format!("postgres://me@127.0.0.1:{}/mastodon", free_port());
    wrong(
        &look(dir.path(), &config(&away)),
        "database",
        "",
        "pg_hba.conf",
    );
}

/// With a mistake in the configuration there is nothing else to look at.
#[test]
fn a_key_that_is_none_is_told_and_not_shown() {
    let dir = TempDir::new().unwrap();
    let auth = "[auth]\nservice_tokens = [\"0123456789abcdef\"]\n[auth.jwt]\nalgorithm = \"RS256\"\nkey = \"no key at all, whatever it is\"\n";
    std::fs::write(dir.path().join("doctor.toml"), instance::built_in(auth)).unwrap();
    let mut doctor = Command::new(instance::binary());
    doctor
        .args(["doctor", "--config", "doctor.toml"])
        .current_dir(dir.path());
    let looked = doctor.output().unwrap();
    let said = String::from_utf8(looked.stderr).unwrap();
    assert_eq!(looked.status.code(), Some(1), "{said}");
    assert!(
        said.contains("auth.jwt.key") && said.contains("an RSA public key"),
        "{said}"
    );
    assert!(!said.contains("no key at all"), "{said}");
}

#[test]
fn servers_behind_the_service_are_asked_whether_they_answer() {
    let dir = TempDir::new().unwrap();
    let away = format!("http://127.0.0.1:{}", free_port());
    let introspection = format!(
        "[auth]\nservice_tokens = [\"0123456789abcdef\"]\n[auth.introspection]\nurl = \"{away}/introspect\"\nclient_id = \"me\"\nclient_secret = \"hush\"\n[inbox]\nupstream = \"{away}\"\n"
    );
    let looked = look(dir.path(), &instance::built_in(&introspection));
    wrong(
        &looked,
        "introspection",
        "does not say whether a token is good",
        "client_secret",
    );
    wrong(&looked, "inbox", "does not answer", "inbox.upstream");
    let mastodon = format!(
        "[mastodon]\nids = \"ref\"\nupstream = \"{away}\"\nstreaming = \"{away}\"\nweb_domain = \"social.example\"\n"
    );
    let behind = look(dir.path(), &instance::built_in(&mastodon));
    for (about, key) in [
        ("upstream", "mastodon.upstream"),
        ("streaming", "mastodon.streaming"),
    ] {
        wrong(&behind, about, "does not answer", key);
    }
    let shown = format!("{looked:?}");
    assert!(
        !shown.contains("hush") && !shown.contains("0123456789abcdef"),
        "{shown}"
    );
}

/// What a node of this name is configured with, beside a broker; `more` belongs to `[cluster]`.
pub(crate) fn node_at(broker: &Broker, name: &str, more: &str) -> String {
    let secret = "secret = \"a secret of these tests\"";
    let cluster = format!(
        "[cluster]\nnode = \"{name}\"\n{secret}\nassignment = \"rendezvous\"\n{more}\n[http]"
    );
    let config = instance::on_kafka(&broker.address(), "");
    let config = config.replacen("[http]", &cluster, 1);
    config.replace("127.0.0.1:0", &format!("127.0.0.1:{}", free_port()))
}

/// A failure means that somebody starts a node that ends another, or that nobody can reach, and learns it from readers.
#[test]
fn the_other_nodes_and_what_is_wrong_between_them_are_told() {
    let nodes = Nodes::start(2, "");
    let dir = TempDir::new().unwrap();
    let (findings, _) = look(dir.path(), &node_at(&nodes.broker, "c", ""));
    for words in [
        "has one partition, and compaction as recommended",
        "no node c lives at the moment; 2 others do",
        "a, b decide feeds as this configuration does",
    ] {
        assert_eq!(found(&findings, "nodes", words)["state"], "ok", "{words}");
    }
    for at in [0, 1] {
        let address = nodes.door(at).base();
        let words = format!("answers at {address}, and its clock agrees");
        assert_eq!(found(&findings, "nodes", &words)["state"], "ok");
    }
    assert_eq!(states(&findings, "nodes"), ["ok"; 5], "{findings:#?}");

    let looked = look(dir.path(), &node_at(&nodes.broker, "a", ""));
    wrong(
        &looked,
        "nodes",
        "another process has the name",
        "cluster.node",
    );
    let other = node_at(&nodes.broker, "c", "").replace("[feed]\n", "[feed]\nlength = 7\n");
    let looked = look(dir.path(), &other);
    wrong(
        &looked,
        "nodes",
        "a, b decide feeds and ids otherwise",
        "feed.length",
    );

    let secret = "a secret of other nodes, by mistake";
    let other = node_at(&nodes.broker, "c", "").replace("a secret of these tests", secret);
    let looked = look(dir.path(), &other);
    for name in ["a", "b"] {
        let words = format!("{name} does not believe a request that is signed");
        wrong(&looked, "nodes", &words, "cluster.secret");
    }

    // A node that runs here, and says that it is reached where nobody listens.
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let advertise = format!("advertise = \"{nowhere}\"");
    let config = node_at(&nodes.broker, "c", &advertise);
    let instance = Instance::start(dir.path(), &config);
    instance.wait_until_ready();
    let looked = look(dir.path(), &config);
    let found = found(&looked.0, "nodes", "node c lives, serves");
    assert_eq!(found["state"], "ok", "{found}");
    let words = format!("c says that it is reached at {nowhere}, and does not answer");
    wrong(&looked, "nodes", &words, "cluster.advertise");
}
