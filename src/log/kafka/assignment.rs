//! A consumer assigned to the partitions it reads on from, after the checks that they are the ones that were read before.

use super::consumer_client::{
    PartitionOffsets, TopicPartition, partition_list, settings, watermarks,
};
use super::status::Status;
use super::topic_identity::{self, Fingerprints};
use super::topics::{self, Partitions};
use super::{KafkaError, Listener, Options, QUESTION_WAIT};
use parking_lot::Mutex;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::Offset;
use slackwater_engine::record::Topic;
use std::time::Duration;

/// What a new consumer reads first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadPhase {
    /// Relationships to their present end, then both topics. A follow that is known before the posts saves a merge after them,
    /// and a feed does not depend on the order.
    RelationsFirst,
    /// Both topics.
    Everything,
}

/// A consumer that reads, and the partitions it reads.
pub(super) struct AssignedConsumer {
    pub(super) consumer: BaseConsumer<Listener>,
    pub(super) partitions: Partitions,
    /// While this is not empty, only relationships are read, up to these offsets.
    pub(super) relations_until: PartitionOffsets,
}

/// Opens a consumer that reads on from `next`. Partitions that `next` lacks are added, and those whose next records were deleted
/// by retention are moved up.
///
/// Errors: no broker answers within `wait`; the log is not the one that was read ([`KafkaError::LogIsShorter`],
/// [`KafkaError::OtherRecord`], [`KafkaError::OtherCluster`]).
pub(super) fn open(
    options: &Options,
    next: &mut PartitionOffsets,
    taken: &Fingerprints,
    status: &Mutex<Status>,
    wait: Duration,
    phase: ReadPhase,
) -> Result<AssignedConsumer, KafkaError> {
    let settings = settings(options)?;
    let consumer = BaseConsumer::from_config_and_context(&settings, Listener::default())
        .map_err(|source| KafkaError::Settings(Box::new(source)))?;
    let stopped = || status.lock().stop;
    let partitions = topics::wait_for_partitions(consumer.client(), options, wait, stopped)?;
    check_cluster(
        options,
        consumer.client().fetch_cluster_id(QUESTION_WAIT),
        status,
    )?;
    let offsets = |which| {
        let ask = || watermarks(options, &consumer, &partitions, which);
        topics::retry(wait, stopped, ask)
    };
    let (low, high) = (offsets(Offset::Beginning)?, offsets(Offset::End)?);
    for ((topic, partition), offset) in next.iter() {
        let end = high.get(&(*topic, *partition)).copied().unwrap_or(0);
        if end < *offset {
            return Err(KafkaError::LogIsShorter {
                topic: options.topic_name(*topic).to_owned(),
                partition: *partition,
                next: *offset,
                end,
            });
        }
    }
    topic_identity::check(options, taken, (&low, &high), stopped)?;
    next.retain(|topic_partition, _| high.contains_key(topic_partition));
    for (topic_partition, first) in &low {
        let next = next.entry(*topic_partition).or_insert(*first);
        if *next < *first {
            let (topic, partition) = (options.topic_name(topic_partition.0), topic_partition.1);
            let lost = *first - *next;
            tracing::error!(
                topic,
                partition,
                lost,
                "{topic}/{partition}: offsets {next} to {} ({lost} of them) were deleted by retention before they were \
                 read; reading goes on at {first}",
                first - 1
            );
            status.lock().lost_records += lost.unsigned_abs();
            *next = *first;
        }
    }
    let is_relation = |topic_partition: &TopicPartition| topic_partition.0 == Topic::Relationships;
    let relations_until: PartitionOffsets = match phase {
        ReadPhase::Everything => PartitionOffsets::new(),
        ReadPhase::RelationsFirst => {
            let behind = |topic_partition: &TopicPartition, end: &i64| {
                next.get(topic_partition).is_some_and(|next| next < end)
            };
            let mut ends = high.clone();
            ends.retain(|topic_partition, end| {
                is_relation(topic_partition) && behind(topic_partition, end)
            });
            ends
        }
    };
    let places = next
        .iter()
        .filter(|(topic_partition, _)| relations_until.is_empty() || is_relation(topic_partition))
        .map(|(topic_partition, next)| (*topic_partition, Offset::Offset(*next)));
    partition_list(options, places)
        .and_then(|places| consumer.assign(&places))
        .map_err(|source| KafkaError::Client {
            what: "assigning the partitions",
            source: Box::new(source),
        })?;
    let mut status = status.lock();
    status.ends = high;
    status.is_healthy = true;
    Ok(AssignedConsumer {
        consumer,
        partitions,
        relations_until,
    })
}

/// Checks that the brokers still belong to the same cluster: an address may lead to another, whose offsets mean other records.
fn check_cluster(
    options: &Options,
    now: Option<String>,
    status: &Mutex<Status>,
) -> Result<(), KafkaError> {
    let Some(now) = now else { return Ok(()) };
    let mut status = status.lock();
    match status.cluster.get_or_insert_with(|| now.clone()) {
        before if *before == now => Ok(()),
        before => Err(KafkaError::OtherCluster {
            brokers: options.address(),
            before: before.clone(),
            now,
        }),
    }
}

#[cfg(test)]
mod tests;
