//! librdkafka's consumer: how it is set up, what a broker answers it, and what its records and errors mean.

use super::topics::Partitions;
use super::{ClientError, KafkaError, Listener, Options, QUESTION_WAIT};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::statistics::Partition;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use slackwater_engine::record::{Position, Record, Topic};
use slackwater_order::time::Time;
use std::collections::BTreeMap;

/// Our defaults, which `[kafka.client]` may change.
const DEFAULTS: [(&str, &str); 3] = [
    // What librdkafka fetches ahead, all partitions together.
    ("queued.max.messages.kbytes", "16384"),
    // The default of a second would stall a queue this small.
    ("fetch.queue.backoff.ms", "50"),
    ("fetch.wait.max.ms", "500"),
];
/// What the rest of this folder relies on: `[kafka.client]` may not change it.
pub(super) const REQUIRED: [(&str, &str); 8] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // Lost retention and a recreated topic must be loud.
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "false"),
    ("allow.auto.create.topics", "false"),
    ("isolation.level", "read_committed"),
    ("check.crcs", "true"),
    ("statistics.interval.ms", "1000"),
];

/// A partition of one of our topics.
pub(super) type TopicPartition = (Topic, i32);
/// An offset of each partition.
pub(super) type PartitionOffsets = BTreeMap<TopicPartition, i64>;
/// Why a consumer must be replaced, for the log.
pub(super) type ReplaceReason = String;

/// How a consumer is set up.
pub(super) fn settings(options: &Options) -> Result<ClientConfig, KafkaError> {
    let mut settings = options.settings(&DEFAULTS, &REQUIRED)?;
    settings.set("group.id", &options.group);
    Ok(settings)
}

/// The first (`Offset::Beginning`) or one past the last (`Offset::End`) offset of every partition, in one question to
/// each leader.
pub(super) fn watermarks(
    options: &Options,
    consumer: &BaseConsumer<Listener>,
    partitions: &Partitions,
    which: Offset,
) -> Result<PartitionOffsets, KafkaError> {
    let unreachable = |source| KafkaError::Unreachable {
        brokers: options.address(),
        what: "where its partitions begin and end",
        source: Box::new(source),
    };
    let topic_partitions = partitions
        .iter()
        .flat_map(|(topic, count)| (0..*count).map(|partition| (*topic, partition)));
    // Offsets for times: the "times" -2 and -1 are Kafka's for the beginning and the end.
    let asked = partition_list(
        options,
        topic_partitions.map(|topic_partition| (topic_partition, which)),
    )
    .map_err(unreachable)?;
    let answer = consumer
        .offsets_for_times(asked, QUESTION_WAIT)
        .map_err(unreachable)?;
    let mut offsets = PartitionOffsets::new();
    for element in answer.elements() {
        element.error().map_err(unreachable)?;
        if let (Some(topic), Offset::Offset(offset)) =
            (options.topic_named(element.topic()), element.offset())
        {
            offsets.insert((topic, element.partition()), offset);
        }
    }
    if offsets.len() < answer.count() {
        let source = ClientError::OffsetFetch(RDKafkaErrorCode::LeaderNotAvailable);
        return Err(unreachable(source));
    }
    Ok(offsets)
}

pub(super) fn partition_list(
    options: &Options,
    offsets: impl Iterator<Item = (TopicPartition, Offset)>,
) -> Result<TopicPartitionList, ClientError> {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), offset) in offsets {
        list.add_partition_offset(options.topic_name(topic), partition, offset)?;
    }
    Ok(list)
}

/// Where reading stands beyond `next`: what was fetched and, the queue being empty, did not come out as a record was
/// never one, but compacted away, aborted, or a transaction's marker.
pub(super) fn after_gap(partition: &Partition, next: i64) -> Option<i64> {
    (partition.fetchq_cnt == 0 && next < partition.next_offset).then_some(partition.next_offset)
}

/// Errors after which this consumer, or this partition in it, would read nothing or something wrong.
pub(super) fn replace_reason(error: &ClientError) -> Option<ReplaceReason> {
    let code = error.rdkafka_error_code();
    let must_replace = matches!(error, ClientError::MessageConsumptionFatal(_))
        || matches!(
            code,
            // The offset is not in the log: which end it fell off is found out anew. A damaged batch would be skipped. A
            // topic that has gone may come back as another, in which librdkafka would read on from the same offset.
            Some(
                RDKafkaErrorCode::AutoOffsetReset
                    | RDKafkaErrorCode::OffsetOutOfRange
                    | RDKafkaErrorCode::BadMessage
                    | RDKafkaErrorCode::InvalidMessage
                    | RDKafkaErrorCode::BadCompression
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::UnknownPartition
                    | RDKafkaErrorCode::UnknownTopicOrPartition
            )
        );
    must_replace.then(|| error.to_string())
}

pub(super) fn record(topic: Topic, message: &BorrowedMessage<'_>) -> Record {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        let owned = |header: rdkafka::message::Header<'_, &[u8]>| {
            let value = header.value.unwrap_or_default();
            (header.key.to_owned(), value.to_vec())
        };
        headers.iter().map(owned).collect()
    });
    Record {
        position: Position {
            topic,
            partition: message.partition(),
            offset: message.offset(),
        },
        timestamp: message.timestamp().to_millis().map(Time::from_millis),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers,
    }
}

/// Offsets only grow.
pub(super) fn advance(offsets: &mut PartitionOffsets, topic_partition: TopicPartition, to: i64) {
    let offset = offsets.entry(topic_partition).or_insert(to);
    *offset = to.max(*offset);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetched_offsets_that_were_no_records_are_passed_once_the_queue_is_empty() {
        let check = |fetchq_cnt: i64, next_offset: i64, after: Option<i64>| {
            let partition = Partition {
                fetchq_cnt,
                next_offset,
                ..Partition::default()
            };
            assert_eq!(
                after_gap(&partition, 7),
                after,
                "{fetchq_cnt} {next_offset}"
            );
        };
        check(0, 9, Some(9));
        check(1, 9, None);
        check(0, 7, None);
        check(0, 5, None);
        check(0, -1001, None); // not known yet
    }
}
