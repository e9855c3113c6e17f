//! Dead letters of a cluster: one node writes each, and none is lost with it.

use crate::support::cluster::Nodes;
use crate::support::wait_for;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use std::collections::BTreeMap;
use std::time::Duration;

const PARTITIONS: i32 = 8;

/// Appends a record that nobody understands to each partition of both topics.
fn append_bad(nodes: &Nodes) {
    let producer: BaseProducer = nodes.broker.client().create().unwrap();
    for topic in ["slackwater.activities", "slackwater.relationships"] {
        for partition in 0..PARTITIONS {
            let record: BaseRecord<'_, str, str> = BaseRecord::to(topic)
                .partition(partition)
                .key("nobody")
                .payload("nonsense");
            producer.send(record).unwrap();
        }
    }
    producer.flush(Duration::from_secs(60)).unwrap();
}

/// How many letters there are of each record, by topic, partition and offset.
fn letters(nodes: &Nodes) -> BTreeMap<String, usize> {
    let consumer: BaseConsumer = nodes
        .broker
        .client()
        .set("group.id", "letters")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset("slackwater.dead-letters", 0, rdkafka::Offset::Beginning)
        .unwrap();
    consumer.assign(&from).unwrap();
    let mut letters = BTreeMap::new();
    loop {
        match consumer.poll(Duration::from_secs(60)).expect("an answer") {
            Ok(letter) => {
                let headers = letter.headers().unwrap();
                let value = |name| {
                    let header = headers.iter().find(|header| header.key == name).unwrap();
                    String::from_utf8_lossy(header.value.unwrap()).into_owned()
                };
                let of = ["topic", "partition", "offset"].map(value).join("/");
                *letters.entry(of).or_default() += 1;
            }
            Err(KafkaError::PartitionEOF(_)) => return letters,
            Err(error) => panic!("{error}"),
        }
    }
}

fn wait_for_letters(nodes: &Nodes, count: usize) -> BTreeMap<String, usize> {
    wait_for("a letter of every bad record", || {
        let letters = letters(nodes);
        (letters.len() == count).then_some(letters)
    })
}

/// Were this to fail, there would be as many letters of a record as nodes, or none after its node was killed.
#[test]
fn each_bad_record_has_a_letter_and_mostly_one_also_when_its_node_is_killed() {
    let mut nodes = Nodes::start(3, "");
    append_bad(&nodes);
    let letters = wait_for_letters(&nodes, 16);
    assert!(letters.values().all(|count| *count == 1), "{letters:?}");
    let metric = |at: usize| nodes.door(at).metric("slackwater_dead_letters_total");
    let counted = [metric(0), metric(1), metric(2)];
    let (all, most): (f64, f64) = (counted.iter().sum(), 16.0);
    assert_eq!(all, most, "{counted:?}");
    assert!(counted.iter().all(|count| *count < most), "{counted:?}");

    // It may have read them, and may have written some.
    append_bad(&nodes);
    nodes.nodes[0].kill9();
    let letters = wait_for_letters(&nodes, 32);
    let doubled = letters.values().filter(|count| 1 < **count).count();
    println!("{doubled} of 32 letters are there twice");
}
