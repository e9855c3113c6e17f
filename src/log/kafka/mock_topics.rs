//! A broker in this process with our topics, one partition each, for tests.

use super::consumer_client::partition_list;
use super::{Consumer, Options, Producer};
use crate::clock;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::Offset;
use slackwater_engine::record::fingerprint::Fingerprint;
use slackwater_engine::record::{NewRecord, Position, Record, Topic};
use slackwater_order::time::Time;
use std::time::Duration;

pub(super) fn mock() -> (MockCluster<'static, DefaultProducerContext>, Options) {
    let cluster = MockCluster::new(1).unwrap();
    let options = Options {
        brokers: vec![cluster.bootstrap_servers()],
        client: [("compression.type".to_owned(), "none".to_owned())].into(),
        ..Options::default()
    };
    for topic in [
        &options.activities,
        &options.relationships,
        &options.dead_letters,
        &options.nodes,
    ] {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    (cluster, options)
}

pub(super) fn append(options: &Options, count: usize, value: &str) {
    let record = NewRecord {
        topic: Topic::Activities,
        partition_by: b"a".to_vec(),
        key: b"a".to_vec(),
        value: Some(value.as_bytes().to_vec()),
        headers: Vec::new(),
        timestamp: Time::from_millis(1),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let producer = Producer::start(options).unwrap();
    runtime
        .block_on(producer.append(vec![record; count]))
        .unwrap();
}

pub(super) fn take(consumer: &mut Consumer, count: usize) -> Vec<Record> {
    let begun = clock::stopwatch();
    let mut taken = Vec::new();
    while taken.len() < count {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", taken.len());
        let more = consumer.take(count - taken.len(), Duration::from_millis(200));
        taken.extend(more.unwrap());
    }
    taken
}

pub(super) fn fingerprint(taken: &[Record]) -> Fingerprint {
    Fingerprint::of(taken.last().unwrap())
}

pub(super) fn offsets(taken: &[Record]) -> Vec<i64> {
    taken.iter().map(|record| record.position.offset).collect()
}

/// The offsets that the group has of these partitions; below zero where it has none.
pub(super) fn committed(options: &Options, of: &[Position]) -> Vec<i64> {
    let mut settings = options.settings(&[], &[]).unwrap();
    settings.set("group.id", &options.group);
    let consumer: BaseConsumer = settings.create().unwrap();
    let places = of
        .iter()
        .map(|it| ((it.topic, it.partition), Offset::Invalid));
    let list = partition_list(options, places).unwrap();
    let found = consumer
        .committed_offsets(list, Duration::from_secs(10))
        .unwrap();
    let offset = |it: &Position| {
        let found = found.find_partition(options.topic_name(it.topic), it.partition);
        found.unwrap().offset().to_raw().unwrap_or(-1)
    };
    of.iter().map(offset).collect()
}
