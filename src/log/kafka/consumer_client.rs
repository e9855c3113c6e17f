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
    // librdkafka fetches this much ahead, over all partitions.
    ("queued.max.messages.kbytes", "16384"),
    // With the default of a second, a queue this small would run empty.
    ("fetch.queue.backoff.ms", "50"),
    ("fetch.wait.max.ms", "500"),
];
/// What the rest of this folder relies on: `[kafka.client]` may not change it.
pub(super) const REQUIRED: [(&str, &str); 8] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // An offset that retention took, or a recreated topic, must be an error.
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

/// The settings of a consumer.
pub(super) fn settings(options: &Options) -> Result<ClientConfig, KafkaError> {
    let mut settings = options.settings(&DEFAULTS, &REQUIRED)?;
    settings.set("group.id", &options.group);
    Ok(settings)
}

/// The first (`Offset::Beginning`) or one past the last (`Offset::End`) offset of every partition, in one request to each
/// leader.
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
    // In a request of offsets for times, Kafka takes the "times" -2 and -1 for the beginning and the end.
    let requested = partition_list(
        options,
        topic_partitions.map(|topic_partition| (topic_partition, which)),
    )
    .map_err(unreachable)?;
    let answer = consumer
        .offsets_for_times(requested, QUESTION_WAIT)
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

/// Partitions with an offset each, as librdkafka takes them.
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

/// The offset that reading has reached beyond `next` without a record, if it has. Where the queue is empty, fetched offsets that
/// did not come out as records were compacted away, aborted, or markers of a transaction.
pub(super) fn after_gap(partition: &Partition, next: i64) -> Option<i64> {
    (partition.fetchq_cnt == 0 && next < partition.next_offset).then_some(partition.next_offset)
}

/// Why a consumer must be replaced after this error, if it must: it, or one of its partitions, would read nothing or something
/// wrong.
pub(super) fn replace_reason(error: &ClientError) -> Option<ReplaceReason> {
    let code = error.rdkafka_error_code();
    let must_replace = matches!(error, ClientError::MessageConsumptionFatal(_))
        || matches!(
            code,
            // Where an offset is not in the log, the next consumer finds out whether it is before or behind it. A damaged batch
            // would be skipped. A topic that was deleted may come back as another, in which librdkafka would read on from the
            // same offset.
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

/// A record as Slackwater has it.
pub(super) fn record(topic: Topic, message: &BorrowedMessage<'_>) -> Record {
    Record {
        position: Position {
            topic,
            partition: message.partition(),
            offset: message.offset(),
        },
        timestamp: message.timestamp().to_millis().map(Time::from_millis),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers(message),
    }
}

/// The headers of a record, in order.
pub(super) fn headers(message: &BorrowedMessage<'_>) -> Vec<(String, Vec<u8>)> {
    message.headers().map_or_else(Vec::new, |headers| {
        let owned = |header: rdkafka::message::Header<'_, &[u8]>| {
            let value = header.value.unwrap_or_default();
            (header.key.to_owned(), value.to_vec())
        };
        headers.iter().map(owned).collect()
    })
}

/// Moves a partition on to the offset `to`, unless it is past it already.
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
