//! The thread that reads from Kafka.
//!
//! It polls one `BaseConsumer` and hands batches over a bounded channel: while the channel is full it polls nothing, and
//! librdkafka fetches less. Whatever goes wrong while it reads has one cure: a new consumer, at our positions, after the
//! same checks as at the start.

use super::assignment::{self, ReadPhase};
use super::consumer_client::{
    PartitionOffsets, ReplaceReason, TopicPartition, advance, after_gap, partition_list, record,
    replace_reason, watermarks,
};
use super::status::Status;
use super::topic_identity::Fingerprints;
use super::topics::{self, Partitions};
use super::{
    KafkaError, Listener, Options, PARTITIONS_ASKED_EVERY, PARTITIONS_EVERY, QUESTION_WAIT,
    START_WAIT, note_commit,
};
use crate::clock;
use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::Message;
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::Offset;
use slackwater_engine::record::fingerprint::Fingerprint;
use slackwater_engine::record::{Record, Topic};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

/// A batch is handed over at this many records, or when nothing more has arrived.
pub(super) const BATCH_RECORDS_MAX: usize = 1000;
/// A batch is handed over at this many bytes.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Batches that may wait to be taken. Beyond that nothing is polled.
pub(super) const BATCHES_MAX: usize = 4;
/// How long a poll waits for a first record.
pub(super) const POLL_WAIT: Duration = Duration::from_millis(100);
/// If there is more to read and the broker is up, but nothing comes for this long, the consumer is replaced.
const STUCK_AFTER: Duration = Duration::from_secs(30);
/// The longest wait before the consumer is replaced, where replacing it did not help.
const STUCK_AFTER_MAX: Duration = Duration::from_secs(600);
/// How often the ends are requested while nothing comes. Statistics have them too, but not from a stuck fetcher.
const ENDS_EVERY: Duration = Duration::from_secs(10);
/// The pause before a missing topic is looked up again.
const MISSING_WAIT: Duration = Duration::from_secs(5);

/// Records on their way to the handle.
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    /// Offsets that partitions have reached without a record, valid after the records of the batch.
    pub(super) skipped_to: PartitionOffsets,
}

/// The state of the thread.
pub(super) struct PollThread {
    pub(super) options: Options,
    status: Arc<Mutex<Status>>,
    pub(super) to_handle: SyncSender<Result<Batch, KafkaError>>,
    consumer: BaseConsumer<Listener>,
    partitions: Partitions,
    /// While this is not empty, only relationships are read, up to these offsets.
    relations_until: PartitionOffsets,
    /// The next offset to be polled from each partition.
    pub(super) next: PartitionOffsets,
    /// The last record polled from each partition.
    taken: Fingerprints,
    /// Offsets that partitions have reached without a record, and that the handle does not know of yet.
    skipped_to: PartitionOffsets,
    /// When a record last came, or all records had been read.
    progressed_at: Instant,
    ends_checked_at: Instant,
    partitions_checked_at: Instant,
    stuck_after: Duration,
    /// Whether a topic was missing at a check. The next one of its name may be another.
    topic_was_missing: bool,
}

impl PollThread {
    /// Opens a consumer that reads on from `next`, in the log from which `taken` were taken last.
    pub(super) fn open(
        options: Options,
        mut next: PartitionOffsets,
        taken: Fingerprints,
        status: Arc<Mutex<Status>>,
        to_handle: SyncSender<Result<Batch, KafkaError>>,
    ) -> Result<PollThread, KafkaError> {
        let phase = ReadPhase::RelationsFirst;
        let assigned = assignment::open(&options, &mut next, &taken, &status, START_WAIT, phase)?;
        let now = clock::stopwatch();
        Ok(PollThread {
            options,
            status,
            to_handle,
            consumer: assigned.consumer,
            partitions: assigned.partitions,
            relations_until: assigned.relations_until,
            next,
            taken,
            skipped_to: PartitionOffsets::new(),
            progressed_at: now,
            ends_checked_at: now,
            partitions_checked_at: now,
            stuck_after: STUCK_AFTER,
            topic_was_missing: false,
        })
    }

    /// Reads until a stop is set, or the log turns out not to be the one that was read.
    pub(super) fn run(&mut self) -> Result<(), KafkaError> {
        while !self.status.lock().stop {
            let (records, trouble) = self.poll_batch();
            let has_records = !records.is_empty();
            self.remember_last(&records);
            if !self.hand_over(records) {
                return Ok(());
            }
            if has_records {
                self.progressed_at = clock::stopwatch();
                self.stuck_after = STUCK_AFTER;
            }
            self.apply_statistics();
            self.commit();
            if let Some(reason) = trouble.or_else(|| self.check_progress(has_records)) {
                tracing::warn!("the Kafka consumer is replaced: {reason}");
                let phase = match self.relations_until.is_empty() {
                    true => ReadPhase::Everything,
                    false => ReadPhase::RelationsFirst,
                };
                self.replace(phase)?;
            } else if self.relations_are_read() {
                tracing::info!("relationships are read; activities follow");
                self.replace(ReadPhase::Everything)?;
            }
        }
        Ok(())
    }

    /// The records that have arrived, up to a batch, and why the consumer must be replaced, if it must.
    fn poll_batch(&mut self) -> (Vec<Record>, Option<ReplaceReason>) {
        let mut records = Vec::new();
        let mut bytes = 0;
        let mut wait = POLL_WAIT;
        while records.len() < BATCH_RECORDS_MAX && bytes < BATCH_BYTES_MAX {
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    wait = Duration::ZERO;
                    bytes += message.payload_len() + message.key_len();
                    let Some(topic) = self.options.topic_named(message.topic()) else {
                        continue;
                    };
                    let topic_partition = (topic, message.partition());
                    advance(&mut self.next, topic_partition, message.offset() + 1);
                    records.push(record(topic, &message));
                }
                Some(Err(error)) => {
                    if let Some(reason) = replace_reason(&error) {
                        return (records, Some(reason));
                    }
                    // After other errors librdkafka tries again by itself: a lost connection, a new leader, an absent group.
                    tracing::debug!(%error, "reading from Kafka");
                    *self.consumer.context().last_error.lock() = Some(error.to_string());
                }
            }
        }
        (records, None)
    }

    /// Remembers the last record of each partition, by which the next consumer can tell whether it is the same log.
    fn remember_last(&mut self, records: &[Record]) {
        let mut last = BTreeMap::new();
        for record in records {
            last.insert((record.position.topic, record.position.partition), record);
        }
        let fingerprints = last
            .into_iter()
            .map(|(topic_partition, record)| (topic_partition, Fingerprint::of(record)));
        self.taken.extend(fingerprints);
    }

    /// Hands a batch over. It waits until there is room, which is the back-pressure. False if the handle is dropped.
    fn hand_over(&mut self, records: Vec<Record>) -> bool {
        if records.is_empty() && self.skipped_to.is_empty() {
            return true;
        }
        let has_records = !records.is_empty();
        let skipped_to = std::mem::take(&mut self.skipped_to);
        let batch = Ok(Batch {
            records,
            skipped_to,
        });
        if has_records {
            return self.to_handle.send(batch).is_ok();
        }
        match self.to_handle.try_send(batch) {
            Ok(()) => true,
            Err(TrySendError::Full(Ok(batch))) => {
                self.skipped_to = batch.skipped_to;
                true
            }
            Err(_) => false,
        }
    }

    /// Takes ends, gaps and connections from librdkafka's statistics, which come once a second.
    fn apply_statistics(&mut self) {
        let heard = self.consumer.context().statistics.lock().take();
        let Some(statistics) = heard else { return };
        for topic in Topic::ALL {
            let Some(of_topic) = statistics.topics.get(self.options.topic_name(topic)) else {
                continue;
            };
            for (number, partition) in &of_topic.partitions {
                let topic_partition = (topic, *number);
                let Some(next) = self.next.get(&topic_partition).copied() else {
                    continue;
                };
                if let Some(after) = after_gap(partition, next) {
                    advance(&mut self.next, topic_partition, after);
                    advance(&mut self.skipped_to, topic_partition, after);
                }
                if 0 <= partition.ls_offset {
                    self.ends_at(topic_partition, partition.ls_offset);
                }
            }
        }
        let is_healthy = self.leaders_are_up(&statistics);
        let before = std::mem::replace(&mut self.status.lock().is_healthy, is_healthy);
        let brokers = self.options.address();
        if before && !is_healthy {
            let error = self.consumer.context().last_error.lock().take();
            let error = error.unwrap_or_else(|| "not connected".to_owned());
            tracing::warn!(%brokers, %error,
                "Kafka at {brokers} is away ({error}); reading goes on when it is back");
        } else if !before && is_healthy {
            tracing::info!(%brokers, "Kafka at {brokers} is back");
        }
    }

    fn leaders_are_up(&self, statistics: &Statistics) -> bool {
        let up = |leader: i32| {
            let mut brokers = statistics.brokers.values();
            brokers
                .any(|broker| broker.nodeid == leader && matches!(&*broker.state, "UP" | "UPDATE"))
        };
        Topic::ALL.into_iter().all(|topic| {
            if topic == Topic::Activities && !self.relations_until.is_empty() {
                return true;
            }
            let of_topic = statistics.topics.get(self.options.topic_name(topic));
            of_topic.is_some_and(|of_topic| {
                let ours = |number: &i32| self.next.contains_key(&(topic, *number));
                let mut partitions = of_topic.partitions.iter();
                partitions.all(|(number, partition)| !ours(number) || up(partition.leader))
            })
        })
    }

    fn relations_are_read(&self) -> bool {
        let mut until = self.relations_until.iter();
        let is_read = |(topic_partition, end): (&TopicPartition, &i64)| {
            self.next
                .get(topic_partition)
                .is_none_or(|next| end <= next)
        };
        !self.relations_until.is_empty() && until.all(is_read)
    }

    fn ends_at(&self, topic_partition: TopicPartition, end: i64) {
        advance(&mut self.status.lock().ends, topic_partition, end);
    }

    fn commit(&self) {
        let Some(next) = self.status.lock().to_commit.take() else {
            return;
        };
        let offsets = next.iter().map(|position| {
            let topic_partition = (position.topic, position.partition);
            (topic_partition, Offset::Offset(position.offset))
        });
        let done = partition_list(&self.options, offsets)
            .and_then(|offsets| self.consumer.commit(&offsets, CommitMode::Async));
        note_commit(done);
    }

    /// Why the consumer must be replaced, if it must: a topic has more partitions, or there is more to read and nothing comes.
    fn check_progress(&mut self, has_records: bool) -> Option<ReplaceReason> {
        if !self.status.lock().is_healthy {
            self.progressed_at = clock::stopwatch();
            return None;
        }
        if !has_records && ENDS_EVERY <= self.ends_checked_at.elapsed() {
            self.ends_checked_at = clock::stopwatch();
            match watermarks(&self.options, &self.consumer, &self.partitions, Offset::End) {
                Ok(ends) => {
                    for (topic_partition, end) in ends {
                        self.ends_at(topic_partition, end);
                    }
                }
                Err(error) => tracing::debug!(%error, "asking Kafka where its partitions end"),
            }
        }
        let every = match self.status.lock().partitions_asked {
            true => PARTITIONS_ASKED_EVERY,
            false => PARTITIONS_EVERY,
        };
        if every <= self.partitions_checked_at.elapsed() {
            self.partitions_checked_at = clock::stopwatch();
            self.status.lock().partitions_asked = false;
            match topics::read_partitions(self.consumer.client(), &self.options, QUESTION_WAIT) {
                Ok(partitions) if partitions != self.partitions => {
                    return Some("a topic has got more partitions".to_owned());
                }
                Ok(_) if self.topic_was_missing => return Some("a topic had gone".to_owned()),
                Ok(_) | Err(KafkaError::Unreachable { .. }) => {}
                Err(error) => {
                    self.topic_was_missing |= matches!(error, KafkaError::TopicMissing { .. });
                    tracing::error!("reading goes on as before, but {error}");
                }
            }
        }
        let lag: i64 = {
            let status = self.status.lock();
            let next = |topic_partition| self.next.get(topic_partition).copied().unwrap_or(0);
            let behind = status
                .ends
                .iter()
                .map(|(topic_partition, end)| (end - next(topic_partition)).max(0));
            behind.sum()
        };
        if lag == 0 {
            self.progressed_at = clock::stopwatch();
        }
        if self.progressed_at.elapsed() < self.stuck_after {
            return None;
        }
        let waited = self.stuck_after;
        self.stuck_after = (waited * 2).min(STUCK_AFTER_MAX);
        Some(format!(
            "{lag} records were left to read and none came for {waited:?}"
        ))
    }

    /// Replaces the consumer by one that reads on at the same offsets. It keeps trying while no broker answers or a topic is
    /// missing.
    fn replace(&mut self, phase: ReadPhase) -> Result<(), KafkaError> {
        let before = self.next.clone();
        let mut pause = Duration::ZERO;
        loop {
            if self.status.lock().stop {
                return Ok(());
            }
            let assigned = assignment::open(
                &self.options,
                &mut self.next,
                &self.taken,
                &self.status,
                pause,
                phase,
            );
            match assigned {
                Ok(assigned) => {
                    self.consumer = assigned.consumer;
                    self.partitions = assigned.partitions;
                    self.relations_until = assigned.relations_until;
                    break;
                }
                Err(error @ (KafkaError::Unreachable { .. } | KafkaError::TopicMissing { .. })) => {
                    tracing::warn!("the Kafka consumer is not replaced yet: {error}");
                    self.status.lock().is_healthy = false;
                    pause = START_WAIT;
                    // A broker answers at once that a topic is missing, so the next try needs a pause.
                    if matches!(error, KafkaError::TopicMissing { .. }) {
                        self.wait_for_topic();
                    }
                }
                Err(error) => return Err(error),
            }
        }
        for (topic_partition, next) in &self.next {
            if before.get(topic_partition) != Some(next) {
                advance(&mut self.skipped_to, *topic_partition, *next);
            }
        }
        let now = clock::stopwatch();
        (
            self.progressed_at,
            self.ends_checked_at,
            self.partitions_checked_at,
        ) = (now, now, now);
        self.topic_was_missing = false;
        // Without a pause, a consumer that fails at once would be replaced at full speed.
        thread::sleep(POLL_WAIT);
        Ok(())
    }

    /// Waits before a missing topic is looked up again, or until a stop.
    fn wait_for_topic(&self) {
        let begun = clock::stopwatch();
        while begun.elapsed() < MISSING_WAIT && !self.status.lock().stop {
            thread::sleep(POLL_WAIT);
        }
    }
}

#[cfg(test)]
mod tests;
