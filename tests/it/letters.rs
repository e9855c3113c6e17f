//! Records that cannot be used, many of them, and a log that takes no dead letters: nobody else waits for them, and none is lost.

use crate::support::instance::{self, Instance};
use crate::support::wait_for;
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use std::time::Duration;
use tempfile::TempDir;

type Cluster = MockCluster<'static, DefaultProducerContext>;

const LETTERS: &str = "slackwater.dead-letters";
const OTHER: i32 = 1;
const OF_LETTERS: i32 = 2;

const READER: [&str; 2] = [
    r#"{"type":"account","account":"7","actor":"https://me.example/users/me"}"#,
    r#"{"type":"follow","account":"7","target":"https://a.example/users/ana"}"#,
];

fn note(author: &str, n: usize) -> String {
    let uri = format!("https://a.example/{n}");
    let author = format!("https://a.example/users/{author}");
    format!(
        r#"{{"id":"{uri}#c","type":"Create","actor":"{author}","object":{{"id":"{uri}","type":"Note","attributedTo":"{author}","content":"x","published":"2026-11-20T10:00:00Z","to":["as:Public"]}}}}"#
    )
}

/// Of two brokers, one of which has nothing but the dead letters.
fn cluster() -> Cluster {
    let cluster = MockCluster::new(2).unwrap();
    for (topic, partitions, broker) in [
        ("slackwater.activities", 2, OTHER),
        ("slackwater.relationships", 1, OTHER),
        (LETTERS, 1, OF_LETTERS),
    ] {
        cluster.create_topic(topic, partitions, 1).unwrap();
        for partition in 0..partitions {
            cluster
                .partition_leader(topic, partition, Some(broker))
                .unwrap();
        }
    }
    cluster
}

/// A record that nobody understands, into the partition that `author`'s go to.
fn produce(cluster: &Cluster, author: &str, nonsense: &str) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("message.max.bytes", "1500000")
        .create()
        .unwrap();
    let author = format!("https://a.example/users/{author}");
    let partition = slackwater_order::key_hash::partition_of(author.as_bytes(), 2);
    let record: BaseRecord<'_, str, str> = BaseRecord::to("slackwater.activities")
        .partition(partition)
        .payload(nonsense);
    producer.send(record).unwrap();
    producer.flush(Duration::from_secs(60)).unwrap();
}

/// The reasons of all letters, once there are any.
fn letters(cluster: &Cluster) -> Vec<String> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "letters")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(LETTERS, 0, rdkafka::Offset::Beginning)
        .unwrap();
    consumer.assign(&from).unwrap();
    let mut reasons = Vec::new();
    loop {
        match consumer.poll(Duration::from_secs(60)).expect("an answer") {
            Ok(letter) => {
                let headers = letter.headers().unwrap();
                let reason = headers
                    .iter()
                    .find(|header| header.key == "reason")
                    .unwrap();
                reasons.push(String::from_utf8(reason.value.unwrap().to_vec()).unwrap());
            }
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => return reasons,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A failure means that one bad record and a topic nobody answers for stop every feed, or that the record is lost.
#[test]
fn letters_that_nobody_takes_keep_nothing_else_waiting_and_are_written_after_a_crash() {
    let cluster = cluster();
    let dir = TempDir::new().unwrap();
    let config = instance::on_kafka(&cluster.bootstrap_servers(), instance::OFTEN);
    let mut instance = Instance::start(dir.path(), &config);
    instance
        .door
        .post_lines("/v1/relationships", &READER.map(str::to_owned));
    instance.wait_until_ready();
    cluster.broker_down(OF_LETTERS).unwrap();
    produce(&cluster, "ana", "nonsense");
    instance.wait_until_read("activities", 1);

    // Posts behind it, in its own partition and in the other, go on.
    for (n, author) in ["ana", "bob", "eve", "ana"].into_iter().enumerate() {
        instance
            .door
            .post_lines("/v1/activities", &[note(author, n)]);
    }
    instance.wait_until_read("activities", 5);
    instance.settle();
    let home = ["https://a.example/3", "https://a.example/0"];
    assert_eq!(instance.door.uris("7"), home);
    let detail = wait_for("readiness to say so", || {
        let answer = instance.door.get("/readyz");
        (answer.status == 503).then(|| answer.json()["detail"].as_str().unwrap().to_owned())
    });
    assert!(detail.contains("dead letters"), "{detail}");

    // Checkpoints are made, and do not pass it: after a crash it is read again, and a signal is heard as soon as ever.
    instance.kill9();
    instance.restart();
    wait_for("the posts again", || {
        (instance.door.get("/v1/accounts/7/feeds/home").status == 200).then_some(())
    });
    let (status, took) = instance.terminate();
    assert!(status.success(), "{status}");
    assert!(
        took < Duration::from_secs(25),
        "{took:?}: less than a letter may take to fail"
    );

    cluster.broker_up(OF_LETTERS).unwrap();
    instance.restart();
    instance.wait_until_ready();
    wait_for("the letter", || {
        let letters = letters(&cluster);
        letters
            .iter()
            .any(|reason| reason.contains("not JSON"))
            .then_some(())
    });
    assert_eq!(instance.door.uris("7"), home);
}

/// A failure means that a service stands still and says that it is ready, or that letters nobody takes fill its memory.
#[test]
fn when_too_many_letters_wait_it_says_so_and_goes_on_when_they_are_taken() {
    /// As many of 900 KB as may wait.
    const ROOM: usize = 71;
    const BAD: usize = ROOM + 3;
    let cluster = cluster();
    let dir = TempDir::new().unwrap();
    let config = instance::on_kafka(&cluster.bootstrap_servers(), "");
    let instance = Instance::start(dir.path(), &config);
    instance.wait_until_ready();
    cluster.broker_down(OF_LETTERS).unwrap();
    let large = "x".repeat(900_000);
    // One after the other: the mock broker keeps only some megabytes.
    for read in 1..=ROOM {
        produce(&cluster, "ana", &large);
        instance.wait_until_read("activities", read);
    }
    for _ in ROOM..BAD {
        produce(&cluster, "ana", &large);
    }
    let detail = wait_for("readiness to say so", || {
        let answer = instance.door.get("/readyz");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        (answer.status == 503 && detail.contains("nothing is read")).then_some(detail)
    });
    assert!(detail.contains("dead letters"), "{detail}");
    cluster.broker_up(OF_LETTERS).unwrap();
    instance.wait_until_ready();
    instance.wait_until_read("activities", BAD);
    wait_for("all letters", || {
        (BAD <= letters(&cluster).len()).then_some(())
    });
}

/// A failure means that a stranger can stop the service, again after each start, with what the door accepts.
#[test]
fn what_the_door_accepts_and_is_refused_behind_it_never_stops_the_service() {
    const REFUSED: usize = 10_500;
    let dir = TempDir::new().unwrap();
    let mut instance = Instance::start(dir.path(), &instance::built_in(""));
    instance
        .door
        .post_lines("/v1/relationships", &READER.map(str::to_owned));
    instance
        .door
        .post_lines("/v1/activities", &[note("ana", 0)]);
    // Somebody else of that host says that ana's post is theirs.
    let theirs = vec![note("mallory", 0); REFUSED];
    instance.door.post_lines("/v1/activities", &theirs);
    instance
        .door
        .post_lines("/v1/activities", &[note("ana", 1)]);
    let home = ["https://a.example/1", "https://a.example/0"];
    let check = |instance: &Instance| {
        instance.wait_until_ready();
        instance.wait_until_read("activities", 0);
        wait_for("the post behind them", || {
            (instance.door.uris("7") == home).then_some(())
        });
        let origin = instance.door.get("/v1/origins/a.example").json();
        assert_eq!(origin["refused"], REFUSED, "{origin}");
    };
    check(&instance);
    instance.kill9();
    instance.restart();
    check(&instance);
}
