//! Which log it is, and how it grows. Two Kafka clusters with topics of the same names are two logs: a data folder is
//! built from one, and so is a cursor. A topic that is given more partitions is still the same.

use crate::support::broker::Broker;
use crate::support::instance::{self, Instance};
use crate::support::mock_kafka::{Cluster, cluster};
use crate::support::wait_for;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

fn config(cluster: &Cluster) -> String {
    instance::on_kafka(&cluster.bootstrap_servers(), "")
}

const ANA: &str = r#"{"type":"account","account":"7","actor":"https://me.example/users/me"}"#;
const FOLLOW: &str = r#"{"type":"follow","account":"7","target":"https://a.example/users/ana"}"#;

fn cursor(instance: &Instance) -> String {
    let page = instance.door.get("/v1/accounts/7/feeds/home");
    assert_eq!(page.status, 200, "{}", page.text);
    page.json()["cursor"].as_str().unwrap().to_owned()
}

fn changes(instance: &Instance, cursor: &str) -> u16 {
    let path = format!("/v1/accounts/7/feeds/home/changes?cursor={cursor}");
    instance.door.get(&path).status
}

/// A failure means that offsets of one log are taken for those of the other: feeds with gaps, and cursors that skip.
#[test]
fn a_data_folder_and_a_cursor_of_one_cluster_are_refused_at_the_other() {
    let (one, other) = (cluster(), cluster());
    let dir = TempDir::new().unwrap();
    let mut instance = Instance::start(dir.path(), &config(&one));
    instance
        .door
        .post_lines("/v1/relationships", &[ANA.to_owned(), FOLLOW.to_owned()]);
    instance.wait_until_ready();
    let of_one = cursor(&instance);
    assert_eq!(changes(&instance, &of_one), 200);
    instance.terminate();

    // The same names elsewhere: what to do is said, and nothing is touched.
    std::fs::write(dir.path().join("slackwater.toml"), config(&other)).unwrap();
    let (code, said) = serve(dir.path());
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("was built from") && said.contains("of cluster "),
        "{said}"
    );

    // Back at its own, all is as it was.
    std::fs::write(dir.path().join("slackwater.toml"), config(&one)).unwrap();
    instance.restart();
    instance.wait_until_ready();
    assert_eq!(changes(&instance, &of_one), 200);
    instance.terminate();

    // A node of the other cluster that has read just as far.
    let elsewhere = TempDir::new().unwrap();
    let instance = Instance::start(elsewhere.path(), &config(&other));
    instance
        .door
        .post_lines("/v1/relationships", &[ANA.to_owned(), FOLLOW.to_owned()]);
    instance.wait_until_ready();
    assert_eq!(changes(&instance, &cursor(&instance)), 200);
    assert_eq!(changes(&instance, &of_one), 410);
}

/// What the relations topic holds of one account: its old partition and its new one.
const OLD: [&str; 4] = [
    r#"{"type":"account","account":"7","actor":"https://me.example/users/me"}"#,
    r#"{"type":"follow","account":"7","target":"https://a.example/users/ana"}"#,
    r#"{"type":"follow","account":"7","target":"https://a.example/users/bob"}"#,
    r#"{"type":"follow","account":"7","target":"https://a.example/users/eve"}"#,
];
const NEW: [&str; 2] = [
    r#"{"type":"follow","account":"7","target":"https://a.example/users/ana","removed":true}"#,
    r#"{"type":"mute","account":"7","target":"https://a.example/users/eve"}"#,
];

/// A failure means that a rebuild after the topic has grown brings back who was unfollowed.
#[test]
fn relations_in_an_old_and_a_new_partition_are_as_they_were_said_last_whichever_is_read_first() {
    for (old, new) in [(0, 1), (1, 0)] {
        let cluster = cluster();
        let relations = |partition| ("slackwater.relationships", partition);
        let brokers = cluster.bootstrap_servers();
        produce(&brokers, relations(old), 1_000, &OLD);
        produce(&brokers, relations(new), 2_000, &NEW);
        let dir = TempDir::new().unwrap();
        let mut instance = Instance::start(dir.path(), &config(&cluster));
        for name in ["ana", "bob", "eve"] {
            instance.door.post_lines("/v1/activities", &[note(name)]);
        }
        instance.wait_until_ready();
        instance.wait_until_read("activities", 3);
        instance.settle();
        assert_eq!(
            instance.door.uris("7"),
            ["https://a.example/bob"],
            "{old} {new}"
        );
        instance.kill9();
        std::fs::remove_dir_all(dir.path().join("feeds")).unwrap();
        instance.restart();
        instance.wait_until_ready();
        assert_eq!(
            instance.door.uris("7"),
            ["https://a.example/bob"],
            "{old} {new}, again"
        );
    }
}

fn note(name: &str) -> String {
    note_by(name, name)
}

fn note_by(author: &str, name: &str) -> String {
    let uri = format!("https://a.example/{name}");
    let author = format!("https://a.example/users/{author}");
    format!(
        r#"{{"id":"{uri}#c","type":"Create","actor":"{author}","object":{{"id":"{uri}","type":"Note","attributedTo":"{author}","content":"x","published":"2026-11-20T10:00:00Z","to":["as:Public"]}}}}"#
    )
}

/// Appends records to one partition of a topic, a millisecond apart.
fn produce(brokers: &str, (topic, partition): (&str, i32), at: i64, documents: &[impl AsRef<str>]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .unwrap();
    for (document, at) in documents.iter().zip(at..) {
        let record: BaseRecord<'_, str, str> = BaseRecord::to(topic)
            .partition(partition)
            .payload(document.as_ref())
            .timestamp(at);
        producer.send(record).unwrap();
    }
    producer.flush(Duration::from_secs(60)).unwrap();
}

const ACTIVITIES: &str = "slackwater.activities";

/// A failure means that the first posts of a topic that was created anew are skipped without a word, or that a service which
/// was merely away does not start.
#[test]
fn a_topic_that_has_grown_is_read_on_and_one_created_anew_is_refused_also_if_it_is_longer() {
    let place = TempDir::new().unwrap();
    let broker = Broker::start(place.path());
    let in_feed = |instance: &Instance, posts: usize| {
        instance.wait_until_ready();
        wait_for("posts in the feed", || {
            (instance.door.uris("7").len() == posts).then_some(())
        });
    };
    create(&broker);
    let dir = TempDir::new().unwrap();
    let mut instance = Instance::start(dir.path(), &instance::on_kafka(&broker.address(), ""));
    post(&broker, 1, 1_000, "old", 40);
    in_feed(&instance, 40);
    instance.terminate();

    // The same topic, longer.
    post(&broker, 1, 2_000, "more", 20);
    instance.restart();
    in_feed(&instance, 60);
    let read = "slackwater_records_read_total{topic=\"activities\"}";
    assert_eq!(
        instance.door.metric(read),
        20.0,
        "what is compared is passed over"
    );
    instance.terminate();

    // Another by its name, and longer than what was read; the relations, copied to it as they were, are the same.
    broker.delete_topic(ACTIVITIES);
    create(&broker);
    post(&broker, 0, 3_000, "beside", 5);
    post(&broker, 1, 3_000, "new", 80);
    let (code, said) = serve(dir.path());
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("slackwater.activities/1") && said.contains("serve --rebuild"),
        "{said}"
    );

    instance.more = vec!["--rebuild".to_owned()];
    instance.restart();
    in_feed(&instance, 85);
}

/// librdkafka dies when this broker answers a fetch from a topic that is gone (with an empty topic id): whether it does or not,
/// a failure means that a supervisor's restart does not tell what is wrong, or reads on in what took the topic's place.
#[test]
fn a_service_whose_topics_are_deleted_while_it_reads_them_says_so_at_the_next_start() {
    let place = TempDir::new().unwrap();
    let broker = Broker::start(place.path());
    create(&broker);
    let dir = TempDir::new().unwrap();
    let often = instance::on_kafka(&broker.address(), instance::OFTEN);
    let mut instance = Instance::start(dir.path(), &often);
    post(&broker, 1, 1_000, "old", 40);
    instance.wait_until_read("activities", 40);
    let checkpoints = || instance.door.metric("slackwater_checkpoint_seconds_count");
    let before = checkpoints();
    wait_for("a checkpoint of all", || {
        post(&broker, 0, 2_000, "beside", 1);
        (before + 2.0 <= checkpoints()).then_some(())
    });
    broker.delete_topic(ACTIVITIES);
    instance.kill9();
    let (code, said) = serve(dir.path());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("does not exist"), "{said}");

    create(&broker);
    post(&broker, 0, 3_000, "new", 80);
    post(&broker, 1, 3_000, "new", 80);
    let (code, said) = serve(dir.path());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("serve --rebuild"), "{said}");
}

/// Starts the service in a folder, where it is refused; its exit status and what it says.
fn serve(dir: &Path) -> (Option<i32>, String) {
    // One that is not refused would serve for ever: `timeout` ends it, with 124.
    let serve = Command::new("timeout")
        .arg("60")
        .arg(instance::binary())
        .args(["serve", "--config", "slackwater.toml"])
        .current_dir(dir)
        .output()
        .unwrap();
    (
        serve.status.code(),
        String::from_utf8(serve.stderr).unwrap(),
    )
}

/// The topics, with the same relations at the same offsets each time.
fn create(broker: &Broker) {
    for topic in ["activities", "relationships", "dead-letters"] {
        broker.create_topic(&format!("slackwater.{topic}"), 2, &[]);
    }
    let relations = ("slackwater.relationships", 0);
    produce(&broker.address(), relations, 1_000, &[ANA, FOLLOW]);
}

/// Appends notes of ana's to a partition of the activities topic.
fn post(broker: &Broker, partition: i32, at: i64, name: &str, count: i64) {
    let note = |n| note_by("ana", &format!("{name}{n}"));
    let notes: Vec<String> = (0..count).map(note).collect();
    produce(&broker.address(), (ACTIVITIES, partition), at, &notes);
}
