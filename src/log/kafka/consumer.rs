//! Reading from Kafka, from our own offsets, on a thread of its own.
//!
//! One thread polls one `BaseConsumer` and hands batches over a bounded channel: the channel full, it polls less,
//! and librdkafka fetches less. Whatever goes wrong while reading has one cure: a new consumer, at our positions,
//! after the same checks as at the start.

use super::topic_identity::{self, Fingerprints};
use super::topics::{self, Partitions};
use super::{
    ClientError, KafkaError, Listener, Options, PARTITIONS_EVERY, QUESTION_WAIT, START_WAIT,
};
use crate::clock;
use parking_lot::Mutex;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::statistics::{Partition, Statistics};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use slackwater_engine::record::fingerprint::Fingerprint;
use slackwater_engine::record::{PartitionEnd, Position, Record, Topic};
use slackwater_order::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// A batch is handed over at this many records or bytes, or when nothing more has arrived.
const BATCH_RECORDS_MAX: usize = 1000;
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Batches that may wait to be taken; beyond, nothing is polled.
const BATCHES_MAX: usize = 4;
/// How long a poll waits for a first record.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// There is more to read and the broker is there, but nothing comes: then the consumer is replaced.
const STUCK_AFTER: Duration = Duration::from_secs(30);
/// The same, if replacing it did not help.
const STUCK_AFTER_MAX: Duration = Duration::from_secs(600);
/// How often the ends are asked for while nothing comes: statistics tell them too, but not from a stuck fetcher.
const ENDS_EVERY: Duration = Duration::from_secs(10);
/// How long until a topic that is not there is looked for again.
const MISSING_WAIT: Duration = Duration::from_secs(5);
/// How long stopping waits for the thread before leaving it to itself: amid a question to a broker that is away it does
/// not hear.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// Our defaults, which `[kafka.client]` may change.
const DEFAULTS: [(&str, &str); 3] = [
    // What librdkafka fetches ahead, all partitions together.
    ("queued.max.messages.kbytes", "16384"),
    // The default of a second would stall a queue this small.
    ("fetch.queue.backoff.ms", "50"),
    ("fetch.wait.max.ms", "500"),
];
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

pub(super) type TopicPartition = (Topic, i32);
pub(super) type PartitionOffsets = BTreeMap<TopicPartition, i64>;

/// Both topics, being read.
pub struct Consumer {
    batches: Receiver<Result<Batch, KafkaError>>,
    stopped: Receiver<()>,
    status: Arc<Mutex<Status>>,
    /// Records handed over and not yet taken.
    waiting: VecDeque<Record>,
    /// Where each partition stands once `waiting` is taken.
    skipped_to: PartitionOffsets,
    /// The next offset to be taken from each partition.
    next: PartitionOffsets,
    /// An error that came behind records; told when they are taken.
    failure: Option<KafkaError>,
}

struct Batch {
    records: Vec<Record>,
    /// Where partitions stand after it, as far as that is not one past its records.
    skipped_to: PartitionOffsets,
}

/// What the thread tells and is told beside the batches.
struct Status {
    ends: PartitionOffsets,
    is_healthy: bool,
    lost_records: u64,
    to_commit: Option<Vec<Position>>,
    /// The id of the cluster, once its brokers told one.
    cluster: Option<String>,
    stop: bool,
}

impl Consumer {
    /// Starts reading at `from`, the next offset of each partition; partitions not named start at their beginning.
    /// Blocks until a broker answers, for at most a minute, and until the records that were taken before, in `taken`, have been
    /// found unchanged, or gone.
    ///
    /// Offsets that retention has taken are skipped, with an error in the log and in [`Consumer::lost_records`].
    /// Errors: as [`super::Producer::start`], and [`KafkaError::LogIsShorter`] if the log ends before `from`,
    /// [`KafkaError::OtherRecord`] if one of `taken` is another now.
    pub fn start(
        options: &Options,
        from: &[Position],
        taken: &[Fingerprint],
    ) -> Result<Consumer, KafkaError> {
        let (to_taker, batches) = sync_channel(BATCHES_MAX);
        let (started, has_started) = sync_channel(1);
        let (alive, stopped) = sync_channel(0);
        let status = Arc::new(Mutex::new(Status {
            ends: PartitionOffsets::new(),
            is_healthy: true,
            lost_records: 0,
            to_commit: None,
            cluster: None,
            stop: false,
        }));
        let options = options.clone();
        let shared = Arc::clone(&status);
        let next: PartitionOffsets = from
            .iter()
            .map(|position| ((position.topic, position.partition), position.offset))
            .collect();
        let taken: Fingerprints = taken
            .iter()
            .map(|taken| (taken.partition(), *taken))
            .collect();
        let run = move || {
            let _alive: SyncSender<()> = alive;
            match PollThread::open(options, next, taken, shared, to_taker) {
                Ok(mut reader) => {
                    if started.send(Ok(reader.next.clone())).is_err() {
                        return;
                    }
                    let asking = reader.options.clone();
                    thread::spawn(move || topics::warn_of_settings(&asking));
                    if let Err(error) = reader.run() {
                        // The taker may be gone, and then nobody needs to know.
                        let _ = reader.to_taker.send(Err(error));
                    }
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            }
        };
        thread::Builder::new()
            .name("kafka".to_owned())
            .spawn(run)
            .map_err(KafkaError::Thread)?;
        let next = has_started.recv().unwrap_or(Err(KafkaError::Stopped))?;
        Ok(Consumer {
            batches,
            stopped,
            status,
            waiting: VecDeque::new(),
            skipped_to: PartitionOffsets::new(),
            next,
            failure: None,
        })
    }

    /// Takes up to `records_max` records: blocks up to `wait` for the first, then takes what is there. None while the
    /// broker is away: reading goes on by itself when it is back.
    ///
    /// Errors, after which nothing comes any more: [`KafkaError::LogIsShorter`], [`KafkaError::OtherRecord`], a topic that is no longer fit.
    pub fn take(&mut self, records_max: usize, wait: Duration) -> Result<Vec<Record>, KafkaError> {
        let begun = clock::stopwatch();
        let mut taken = Vec::new();
        while taken.len() < records_max {
            if let Some(record) = self.waiting.pop_front() {
                let topic_partition = (record.position.topic, record.position.partition);
                advance(&mut self.next, topic_partition, record.position.offset + 1);
                taken.push(record);
                continue;
            }
            self.apply_skips();
            if self.failure.is_some() && taken.is_empty() {
                return Err(self.failure.take().unwrap_or(KafkaError::Stopped));
            }
            let wait = if taken.is_empty() {
                wait.saturating_sub(begun.elapsed())
            } else {
                Duration::ZERO
            };
            match self.batches.recv_timeout(wait) {
                Ok(Ok(batch)) => {
                    self.waiting = batch.records.into();
                    self.skipped_to = batch.skipped_to;
                }
                Ok(Err(error)) => self.failure = Some(error),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => self.failure = Some(KafkaError::Stopped),
            }
            if self.failure.is_some() && !taken.is_empty() {
                break;
            }
        }
        if self.waiting.is_empty() {
            self.apply_skips();
        }
        Ok(taken)
    }

    /// How far each partition has been taken, and how far it goes.
    pub fn ends(&self) -> Vec<PartitionEnd> {
        let status = self.status.lock();
        let end = |(topic_partition, end): (&TopicPartition, &i64)| {
            let next = self.next.get(topic_partition).copied().unwrap_or(0);
            PartitionEnd {
                topic: topic_partition.0,
                partition: topic_partition.1,
                next,
                end: next.max(*end),
            }
        };
        status.ends.iter().map(end).collect()
    }

    /// Tells the group where reading stands, for lag tools. Done later, by the thread; the newest call counts.
    pub fn commit(&self, next: &[Position]) {
        self.status.lock().to_commit = Some(next.to_vec());
    }

    /// Whether the leader of every partition is connected, at most about two seconds ago.
    pub fn is_healthy(&self) -> bool {
        self.status.lock().is_healthy
    }

    /// How many offsets the log no longer had when they were to be read, since the start.
    pub fn lost_records(&self) -> u64 {
        self.status.lock().lost_records
    }

    /// Stops reading; records not taken will come again at the next start. Blocks for at most two seconds.
    pub fn stop(self) {
        self.status.lock().stop = true;
        let Consumer {
            batches, stopped, ..
        } = &self;
        // Unblocks a thread that is handing a batch over, until it has ended.
        let begun = clock::stopwatch();
        while begun.elapsed() < STOP_WAIT {
            while batches.try_recv().is_ok() {}
            match stopped.recv_timeout(Duration::from_millis(10)) {
                Err(RecvTimeoutError::Timeout) => {}
                _ => return,
            }
        }
        tracing::warn!("the Kafka consumer did not stop within {STOP_WAIT:?}: left to itself");
    }

    fn apply_skips(&mut self) {
        for (topic_partition, next) in std::mem::take(&mut self.skipped_to) {
            advance(&mut self.next, topic_partition, next);
        }
    }
}

/// One that is dropped without [`Consumer::stop`] takes its thread along, in its own time.
impl Drop for Consumer {
    fn drop(&mut self) {
        self.status.lock().stop = true;
    }
}

/// The thread's side.
struct PollThread {
    options: Options,
    status: Arc<Mutex<Status>>,
    to_taker: SyncSender<Result<Batch, KafkaError>>,
    consumer: BaseConsumer<Listener>,
    partitions: Partitions,
    /// While it is not empty, only relationships are read: up to here.
    relations_until: PartitionOffsets,
    /// The next offset to be polled from each partition.
    next: PartitionOffsets,
    /// The last record polled from each partition.
    taken: Fingerprints,
    /// What the taker has yet to learn of `next` beside the records.
    skipped_to: PartitionOffsets,
    /// When a record last came, or there was nothing to come.
    progressed_at: Instant,
    ends_checked_at: Instant,
    partitions_checked_at: Instant,
    stuck_after: Duration,
    /// A topic was not there when it was looked for: what is there next may be another.
    topic_was_missing: bool,
}

/// Why a consumer must be replaced.
pub(super) type ReplaceReason = String;

impl PollThread {
    /// One that stands at `next`, in the log from which `taken` were taken last.
    fn open(
        options: Options,
        mut next: PartitionOffsets,
        taken: Fingerprints,
        status: Arc<Mutex<Status>>,
        to_taker: SyncSender<Result<Batch, KafkaError>>,
    ) -> Result<PollThread, KafkaError> {
        let phase = ReadPhase::RelationsFirst;
        let assigned = open(&options, &mut next, &taken, &status, START_WAIT, phase)?;
        let now = clock::stopwatch();
        Ok(PollThread {
            options,
            status,
            to_taker,
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

    /// Until it is told to stop, or the log turns out not to be ours.
    fn run(&mut self) -> Result<(), KafkaError> {
        while !self.status.lock().stop {
            let (records, trouble) = self.poll_batch();
            let came = !records.is_empty();
            self.remember_last(&records);
            if !self.hand_over(records) {
                return Ok(());
            }
            if came {
                self.progressed_at = clock::stopwatch();
                self.stuck_after = STUCK_AFTER;
            }
            self.apply_statistics();
            self.commit();
            if let Some(reason) = trouble.or_else(|| self.check_progress(came)) {
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

    /// What has already arrived, up to a batch.
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
                    // The rest is librdkafka trying again: a lost connection, a new leader, an absent group.
                    tracing::debug!(%error, "reading from Kafka");
                    *self.consumer.context().last_error.lock() = Some(error.to_string());
                }
            }
        }
        (records, None)
    }

    /// Whoever reads on after these can tell by their last whether it is the same log.
    fn remember_last(&mut self, records: &[Record]) {
        let mut last = BTreeMap::new();
        for record in records {
            last.insert((record.position.topic, record.position.partition), record);
        }
        let of = last
            .into_iter()
            .map(|(topic_partition, record)| (topic_partition, Fingerprint::of(record)));
        self.taken.extend(of);
    }

    /// Waits for the taker: that is the back-pressure. False if there is none any more.
    fn hand_over(&mut self, records: Vec<Record>) -> bool {
        if records.is_empty() && self.skipped_to.is_empty() {
            return true;
        }
        let must = !records.is_empty();
        let skipped_to = std::mem::take(&mut self.skipped_to);
        let batch = Ok(Batch {
            records,
            skipped_to,
        });
        if must {
            return self.to_taker.send(batch).is_ok();
        }
        match self.to_taker.try_send(batch) {
            Ok(()) => true,
            Err(TrySendError::Full(Ok(batch))) => {
                self.skipped_to = batch.skipped_to;
                true
            }
            Err(_) => false,
        }
    }

    /// Ends, gaps and connections, once a second.
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
        if let Err(error) = done {
            tracing::debug!(%error, "offsets for lag tools were not committed");
        }
    }

    /// Whether there is more to read that does not come, or more partitions.
    fn check_progress(&mut self, came: bool) -> Option<ReplaceReason> {
        if !self.status.lock().is_healthy {
            self.progressed_at = clock::stopwatch();
            return None;
        }
        if !came && ENDS_EVERY <= self.ends_checked_at.elapsed() {
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
        if PARTITIONS_EVERY <= self.partitions_checked_at.elapsed() {
            self.partitions_checked_at = clock::stopwatch();
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

    /// A new consumer where this one stands. Keeps trying while no broker answers or a topic is not there.
    fn replace(&mut self, phase: ReadPhase) -> Result<(), KafkaError> {
        let before = self.next.clone();
        let mut pause = Duration::ZERO;
        loop {
            if self.status.lock().stop {
                return Ok(());
            }
            let assigned = open(
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
                    // That a topic is not there is answered at once.
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
        // A cure that does not last is not tried without end at full speed.
        thread::sleep(POLL_WAIT);
        Ok(())
    }

    /// Until a missing topic is looked for again, or a stop.
    fn wait_for_topic(&self) {
        let begun = clock::stopwatch();
        while begun.elapsed() < MISSING_WAIT && !self.status.lock().stop {
            thread::sleep(POLL_WAIT);
        }
    }
}

/// What a new consumer reads first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadPhase {
    /// Relationships to their present end, then everything: following before posting saves merging after, and a feed
    /// is a function of what is so, whichever came first.
    RelationsFirst,
    /// Both topics.
    Everything,
}

struct AssignedConsumer {
    consumer: BaseConsumer<Listener>,
    partitions: Partitions,
    /// While it is not empty, only relationships are read: up to here.
    relations_until: PartitionOffsets,
}

/// How a consumer is set up.
pub(super) fn settings(options: &Options) -> Result<ClientConfig, KafkaError> {
    let mut settings = options.settings(&DEFAULTS, &REQUIRED)?;
    settings.set("group.id", &options.group);
    Ok(settings)
}

/// A consumer reading on from `next`, which is completed, and moved up where the log has lost what comes next.
fn open(
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
    let ask = |which| {
        let ask = || watermarks(options, &consumer, &partitions, which);
        topics::retry(wait, stopped, ask)
    };
    let (low, high) = (ask(Offset::Beginning)?, ask(Offset::End)?);
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

/// An address may lead to another cluster than before, whose offsets say nothing of this one's.
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
fn advance(offsets: &mut PartitionOffsets, topic_partition: TopicPartition, to: i64) {
    let offset = offsets.entry(topic_partition).or_insert(to);
    *offset = to.max(*offset);
}

#[cfg(test)]
mod tests;
