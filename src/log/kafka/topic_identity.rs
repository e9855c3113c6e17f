//! Whether partitions are still the ones that were read: the last record that was taken still stands at its offset.
//!
//! A topic that was deleted and created again has the old one's name and counts from 0 again. Once it is longer than the old
//! one was, no offset tells them apart. A topic's id (KIP-516) would, but rdkafka does not give access to it.

use super::consumer_client::{
    PartitionOffsets, TopicPartition, after_gap, partition_list, record, replace_reason, settings,
};
use super::{KafkaError, Listener, Options};
use crate::clock;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::Message as _;
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::Offset;
use slackwater_engine::record::fingerprint::Fingerprint;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long all compared records may take to come. They are read from brokers that have just answered.
const RECORDS_WAIT: Duration = Duration::from_secs(20);
/// How long a poll waits, and how soon a stop is noticed.
const POLL_WAIT: Duration = Duration::from_millis(100);

/// The fingerprint of the last record taken of each partition, or of one before it.
pub(super) type Fingerprints = BTreeMap<TopicPartition, Fingerprint>;

/// Reads the records that were taken last, and compares them. It has a consumer of its own: one that has begun to read at one
/// offset cannot be trusted to begin again at another (records between the two were seen to be left out). `low` and `high` are
/// where each partition begins and ends.
///
/// A record that is gone (retention, compaction) or does not come in time cannot be compared. That is no error: the check is for
/// a rare mistake, and otherwise a damaged record would keep the service from starting for good.
/// Errors: [`KafkaError::OtherRecord`].
pub(super) fn check(
    options: &Options,
    taken: &Fingerprints,
    (low, high): (&PartitionOffsets, &PartitionOffsets),
    stopped: impl Fn() -> bool,
) -> Result<(), KafkaError> {
    let mut to_compare = taken.clone();
    to_compare.retain(|topic_partition, taken| {
        let offset = taken.position.offset;
        let begins = low.get(topic_partition).is_some_and(|low| *low <= offset);
        let is_there = begins && high.get(topic_partition).is_some_and(|high| offset < *high);
        if !is_there {
            log_missing(options, taken);
        }
        is_there
    });
    if to_compare.is_empty() {
        return Ok(());
    }
    let consumer = BaseConsumer::from_config_and_context(&settings(options)?, Listener::default())
        .map_err(|source| KafkaError::Settings(Box::new(source)))?;
    let places = to_compare
        .iter()
        .map(|(topic_partition, taken)| (*topic_partition, Offset::Offset(taken.position.offset)));
    partition_list(options, places)
        .and_then(|places| consumer.assign(&places))
        .map_err(assign_error)?;
    let begun = clock::stopwatch();
    while !to_compare.is_empty() && !stopped() {
        if RECORDS_WAIT <= begun.elapsed() {
            warn_unchecked(options, &to_compare, "they did not come");
            break;
        }
        match consumer.poll(POLL_WAIT) {
            None => {}
            Some(Ok(message)) => {
                let Some(topic) = options.topic_named(message.topic()) else {
                    continue;
                };
                let topic_partition = (topic, message.partition());
                let Some(taken) = to_compare.remove(&topic_partition) else {
                    continue;
                };
                match compare(&Fingerprint::of(&record(topic, &message)), &taken) {
                    RecordMatch::Same => {}
                    RecordMatch::Missing => log_missing(options, &taken),
                    RecordMatch::Other => {
                        return Err(KafkaError::OtherRecord {
                            topic: options.topic_name(topic).to_owned(),
                            partition: topic_partition.1,
                            offset: taken.position.offset,
                        });
                    }
                }
                // More records of this partition would delay the others.
                partition_list(options, [(topic_partition, Offset::Invalid)].into_iter())
                    .and_then(|done| consumer.incremental_unassign(&done))
                    .map_err(assign_error)?;
            }
            Some(Err(error)) => {
                if let Some(reason) = replace_reason(&error) {
                    warn_unchecked(options, &to_compare, &reason);
                    break;
                }
                tracing::debug!(%error, "reading from Kafka");
            }
        }
        let statistics = consumer.context().statistics.lock().take();
        if let Some(statistics) = statistics {
            forget_gaps(options, &statistics, &mut to_compare);
        }
    }
    Ok(())
}

/// How the record at an offset compares to the one that was taken there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecordMatch {
    Same,
    Other,
    /// There is no record any more, as it happens in a compacted topic.
    Missing,
}

/// Compares the first record that comes, when reading begins at the offset of the taken one.
fn compare(first: &Fingerprint, taken: &Fingerprint) -> RecordMatch {
    match first {
        first if first.position != taken.position => RecordMatch::Missing,
        first if first == taken => RecordMatch::Same,
        _ => RecordMatch::Other,
    }
}

/// Drops records that were compacted away at the very end of a partition: no record comes after them that could be compared.
fn forget_gaps(options: &Options, statistics: &Statistics, to_compare: &mut Fingerprints) {
    to_compare.retain(|(topic, number), taken| {
        let topic = statistics.topics.get(options.topic_name(*topic));
        let partition = topic.and_then(|topic| topic.partitions.get(number));
        let is_passed = partition
            .is_some_and(|partition| after_gap(partition, taken.position.offset).is_some());
        if is_passed {
            log_missing(options, taken);
        }
        !is_passed
    });
}

fn log_missing(options: &Options, taken: &Fingerprint) {
    let (topic, partition) = taken.partition();
    let (topic, offset) = (options.topic_name(topic), taken.position.offset);
    tracing::debug!(
        topic,
        partition,
        offset,
        "{topic}/{partition}: the record at offset {offset} that was read last is gone: whether it is the same topic cannot be \
         checked"
    );
}

fn warn_unchecked(options: &Options, to_compare: &Fingerprints, reason: &str) {
    let names: Vec<_> = to_compare
        .values()
        .map(|taken| {
            let (topic, partition) = taken.partition();
            format!("{}/{partition}", options.topic_name(topic))
        })
        .collect();
    let partitions = names.join(", ");
    tracing::warn!(
        partitions,
        reason,
        "whether {partitions} are the ones that were read before could not be checked ({reason}): reading goes on"
    );
}

fn assign_error(source: ClientError) -> KafkaError {
    KafkaError::Client {
        what: "assigning the partitions",
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::statistics::Partition;
    use slackwater_engine::record::{Position, Record, Topic};

    fn record(offset: i64, value: &str) -> Fingerprint {
        Fingerprint::of(&Record {
            position: Position {
                topic: Topic::Relationships,
                partition: 1,
                offset,
            },
            timestamp: None,
            key: Some(b"key".to_vec()),
            value: Some(value.into()),
            headers: Vec::new(),
        })
    }

    /// Were this to fail, a service whose relations were compacted would not start, or would read on in any topic.
    #[test]
    fn a_record_further_on_says_nothing_of_the_one_that_was_there() {
        let taken = record(7, "a");
        assert_eq!(compare(&record(7, "a"), &taken), RecordMatch::Same);
        assert_eq!(compare(&record(7, "b"), &taken), RecordMatch::Other);
        assert_eq!(compare(&record(8, "a"), &taken), RecordMatch::Missing);
        assert_eq!(compare(&record(8, "b"), &taken), RecordMatch::Missing);
    }

    /// Were this to fail, a start would wait in vain where the last record was a removal that has been compacted away.
    #[test]
    fn a_record_that_is_gone_from_the_end_is_not_waited_for() {
        let options = Options::default();
        let check = |next_offset: i64, fetchq_cnt: i64, left: usize| {
            let partition = Partition {
                next_offset,
                fetchq_cnt,
                ..Partition::default()
            };
            let topic = rdkafka::statistics::Topic {
                partitions: [(1, partition)].into(),
                ..Default::default()
            };
            let statistics = Statistics {
                topics: [(options.relationships.clone(), topic)].into(),
                ..Statistics::default()
            };
            let mut to_compare = [((Topic::Relationships, 1), record(7, "a"))].into();
            forget_gaps(&options, &statistics, &mut to_compare);
            assert_eq!(to_compare.len(), left, "{next_offset} {fetchq_cnt}");
        };
        check(9, 0, 0);
        check(9, 1, 1); // it may be what waits
        check(7, 0, 1);
        check(-1001, 0, 1); // not known yet
    }
}
