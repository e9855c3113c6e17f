//! Reading from Kafka, from our own offsets, on a thread of its own.
//!
//! One thread polls one `BaseConsumer` and hands batches over a bounded channel: the channel full, it polls less,
//! and librdkafka fetches less. Whatever goes wrong while reading has one cure: a new consumer, at our positions,
//! after the same checks as at the start.

use super::same_log::{self, Fingerprints};
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
const OURS: [(&str, &str); 3] = [
    // What librdkafka fetches ahead, all partitions together.
    ("queued.max.messages.kbytes", "16384"),
    // The default of a second would stall a queue this small.
    ("fetch.queue.backoff.ms", "50"),
    ("fetch.wait.max.ms", "500"),
];
pub(super) const RELIED_ON: [(&str, &str); 8] = [
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

pub(super) type Slot = (Topic, i32);
pub(super) type Offsets = BTreeMap<Slot, i64>;

/// Both topics, being read.
pub struct Consumer {
    batches: Receiver<Result<Batch, KafkaError>>,
    stopped: Receiver<()>,
    status: Arc<Mutex<Status>>,
    /// Records handed over and not yet taken.
    waiting: VecDeque<Record>,
    /// Where each partition stands once `waiting` is taken.
    then: Offsets,
    /// The next offset to be taken from each partition.
    next: Offsets,
    /// An error that came behind records; told when they are taken.
    failure: Option<KafkaError>,
}

struct Batch {
    records: Vec<Record>,
    /// Where partitions stand after it, as far as that is not one past its records.
    then: Offsets,
}

/// What the thread tells and is told beside the batches.
struct Status {
    ends: Offsets,
    healthy: bool,
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
            ends: Offsets::new(),
            healthy: true,
            lost_records: 0,
            to_commit: None,
            cluster: None,
            stop: false,
        }));
        let options = options.clone();
        let shared = Arc::clone(&status);
        let next: Offsets = from
            .iter()
            .map(|position| ((position.topic, position.partition), position.offset))
            .collect();
        let taken: Fingerprints = taken
            .iter()
            .map(|taken| (taken.partition(), *taken))
            .collect();
        let run = move || {
            let _alive: SyncSender<()> = alive;
            match Reader::open(options, next, taken, shared, to_taker) {
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
            then: Offsets::new(),
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
                let slot = (record.position.topic, record.position.partition);
                advance(&mut self.next, slot, record.position.offset + 1);
                taken.push(record);
                continue;
            }
            self.settle();
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
                    self.then = batch.then;
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
            self.settle();
        }
        Ok(taken)
    }

    /// How far each partition has been taken, and how far it goes.
    pub fn ends(&self) -> Vec<PartitionEnd> {
        let status = self.status.lock();
        let end = |(slot, end): (&Slot, &i64)| {
            let next = self.next.get(slot).copied().unwrap_or(0);
            PartitionEnd {
                topic: slot.0,
                partition: slot.1,
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
    pub fn healthy(&self) -> bool {
        self.status.lock().healthy
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

    fn settle(&mut self) {
        for (slot, next) in std::mem::take(&mut self.then) {
            advance(&mut self.next, slot, next);
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
struct Reader {
    options: Options,
    status: Arc<Mutex<Status>>,
    to_taker: SyncSender<Result<Batch, KafkaError>>,
    consumer: BaseConsumer<Listener>,
    partitions: Partitions,
    /// While it is not empty, only relationships are read: up to here.
    relations_until: Offsets,
    /// The next offset to be polled from each partition.
    next: Offsets,
    /// The last record polled from each partition.
    taken: Fingerprints,
    /// What the taker has yet to learn of `next` beside the records.
    then: Offsets,
    /// When a record last came, or there was nothing to come.
    moved: Instant,
    asked_ends: Instant,
    asked_partitions: Instant,
    stuck_after: Duration,
    /// A topic was not there when it was looked for: what is there next may be another.
    missed: bool,
}

/// Why a consumer must be replaced.
pub(super) type Reason = String;

impl Reader {
    /// One that stands at `next`, in the log from which `taken` were taken last.
    fn open(
        options: Options,
        mut next: Offsets,
        taken: Fingerprints,
        status: Arc<Mutex<Status>>,
        to_taker: SyncSender<Result<Batch, KafkaError>>,
    ) -> Result<Reader, KafkaError> {
        let begin = Begin::RelationsFirst;
        let opened = open(&options, &mut next, &taken, &status, START_WAIT, begin)?;
        let now = clock::stopwatch();
        Ok(Reader {
            options,
            status,
            to_taker,
            consumer: opened.consumer,
            partitions: opened.partitions,
            relations_until: opened.relations_until,
            next,
            taken,
            then: Offsets::new(),
            moved: now,
            asked_ends: now,
            asked_partitions: now,
            stuck_after: STUCK_AFTER,
            missed: false,
        })
    }

    /// Until it is told to stop, or the log turns out not to be ours.
    fn run(&mut self) -> Result<(), KafkaError> {
        while !self.status.lock().stop {
            let (records, trouble) = self.gather();
            let came = !records.is_empty();
            self.note_last(&records);
            if !self.hand_over(records) {
                return Ok(());
            }
            if came {
                self.moved = clock::stopwatch();
                self.stuck_after = STUCK_AFTER;
            }
            self.hear_statistics();
            self.commit();
            if let Some(reason) = trouble.or_else(|| self.look_around(came)) {
                tracing::warn!("the Kafka consumer is replaced: {reason}");
                let begin = match self.relations_until.is_empty() {
                    true => Begin::Everything,
                    false => Begin::RelationsFirst,
                };
                self.replace(begin)?;
            } else if self.relations_are_read() {
                tracing::info!("relationships are read; activities follow");
                self.replace(Begin::Everything)?;
            }
        }
        Ok(())
    }

    /// What has already arrived, up to a batch.
    fn gather(&mut self) -> (Vec<Record>, Option<Reason>) {
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
                    let slot = (topic, message.partition());
                    advance(&mut self.next, slot, message.offset() + 1);
                    records.push(record(topic, &message));
                }
                Some(Err(error)) => {
                    if let Some(reason) = incurable(&error) {
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
    fn note_last(&mut self, records: &[Record]) {
        let mut last = BTreeMap::new();
        for record in records {
            last.insert((record.position.topic, record.position.partition), record);
        }
        let of = last
            .into_iter()
            .map(|(slot, record)| (slot, Fingerprint::of(record)));
        self.taken.extend(of);
    }

    /// Waits for the taker: that is the back-pressure. False if there is none any more.
    fn hand_over(&mut self, records: Vec<Record>) -> bool {
        if records.is_empty() && self.then.is_empty() {
            return true;
        }
        let must = !records.is_empty();
        let then = std::mem::take(&mut self.then);
        let batch = Ok(Batch { records, then });
        if must {
            return self.to_taker.send(batch).is_ok();
        }
        match self.to_taker.try_send(batch) {
            Ok(()) => true,
            Err(TrySendError::Full(Ok(batch))) => {
                self.then = batch.then;
                true
            }
            Err(_) => false,
        }
    }

    /// Ends, gaps and connections, once a second.
    fn hear_statistics(&mut self) {
        let heard = self.consumer.context().statistics.lock().take();
        let Some(statistics) = heard else { return };
        for topic in Topic::ALL {
            let Some(of_topic) = statistics.topics.get(self.options.topic_name(topic)) else {
                continue;
            };
            for (number, partition) in &of_topic.partitions {
                let slot = (topic, *number);
                let Some(next) = self.next.get(&slot).copied() else {
                    continue;
                };
                if let Some(after) = after_gap(partition, next) {
                    advance(&mut self.next, slot, after);
                    advance(&mut self.then, slot, after);
                }
                if 0 <= partition.ls_offset {
                    self.ends_at(slot, partition.ls_offset);
                }
            }
        }
        let healthy = self.leaders_are_up(&statistics);
        let before = std::mem::replace(&mut self.status.lock().healthy, healthy);
        let brokers = self.options.address();
        if before && !healthy {
            let error = self.consumer.context().last_error.lock().take();
            let error = error.unwrap_or_else(|| "not connected".to_owned());
            tracing::warn!(%brokers, %error,
                "Kafka at {brokers} is away ({error}); reading goes on when it is back");
        } else if !before && healthy {
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
        let is_read =
            |(slot, end): (&Slot, &i64)| self.next.get(slot).is_none_or(|next| end <= next);
        !self.relations_until.is_empty() && until.all(is_read)
    }

    fn ends_at(&self, slot: Slot, end: i64) {
        advance(&mut self.status.lock().ends, slot, end);
    }

    fn commit(&self) {
        let Some(next) = self.status.lock().to_commit.take() else {
            return;
        };
        let offsets = next.iter().map(|position| {
            let slot = (position.topic, position.partition);
            (slot, Offset::Offset(position.offset))
        });
        let done = listed(&self.options, offsets)
            .and_then(|offsets| self.consumer.commit(&offsets, CommitMode::Async));
        if let Err(error) = done {
            tracing::debug!(%error, "offsets for lag tools were not committed");
        }
    }

    /// Whether there is more to read that does not come, or more partitions.
    fn look_around(&mut self, came: bool) -> Option<Reason> {
        if !self.status.lock().healthy {
            self.moved = clock::stopwatch();
            return None;
        }
        if !came && ENDS_EVERY <= self.asked_ends.elapsed() {
            self.asked_ends = clock::stopwatch();
            match watermarks(&self.options, &self.consumer, &self.partitions, Offset::End) {
                Ok(ends) => {
                    for (slot, end) in ends {
                        self.ends_at(slot, end);
                    }
                }
                Err(error) => tracing::debug!(%error, "asking Kafka where its partitions end"),
            }
        }
        if PARTITIONS_EVERY <= self.asked_partitions.elapsed() {
            self.asked_partitions = clock::stopwatch();
            match topics::look(self.consumer.client(), &self.options, QUESTION_WAIT) {
                Ok(partitions) if partitions != self.partitions => {
                    return Some("a topic has got more partitions".to_owned());
                }
                Ok(_) if self.missed => return Some("a topic had gone".to_owned()),
                Ok(_) | Err(KafkaError::Unreachable { .. }) => {}
                Err(error) => {
                    self.missed |= matches!(error, KafkaError::TopicMissing { .. });
                    tracing::error!("reading goes on as before, but {error}");
                }
            }
        }
        let lag: i64 = {
            let status = self.status.lock();
            let next = |slot| self.next.get(slot).copied().unwrap_or(0);
            let behind = status
                .ends
                .iter()
                .map(|(slot, end)| (end - next(slot)).max(0));
            behind.sum()
        };
        if lag == 0 {
            self.moved = clock::stopwatch();
        }
        if self.moved.elapsed() < self.stuck_after {
            return None;
        }
        let waited = self.stuck_after;
        self.stuck_after = (waited * 2).min(STUCK_AFTER_MAX);
        Some(format!(
            "{lag} records were left to read and none came for {waited:?}"
        ))
    }

    /// A new consumer where this one stands. Keeps trying while no broker answers or a topic is not there.
    fn replace(&mut self, begin: Begin) -> Result<(), KafkaError> {
        let before = self.next.clone();
        let mut pause = Duration::ZERO;
        loop {
            if self.status.lock().stop {
                return Ok(());
            }
            let opened = open(
                &self.options,
                &mut self.next,
                &self.taken,
                &self.status,
                pause,
                begin,
            );
            match opened {
                Ok(opened) => {
                    self.consumer = opened.consumer;
                    self.partitions = opened.partitions;
                    self.relations_until = opened.relations_until;
                    break;
                }
                Err(error @ (KafkaError::Unreachable { .. } | KafkaError::TopicMissing { .. })) => {
                    tracing::warn!("the Kafka consumer is not replaced yet: {error}");
                    self.status.lock().healthy = false;
                    pause = START_WAIT;
                    // That a topic is not there is answered at once.
                    if matches!(error, KafkaError::TopicMissing { .. }) {
                        self.rest();
                    }
                }
                Err(error) => return Err(error),
            }
        }
        for (slot, next) in &self.next {
            if before.get(slot) != Some(next) {
                advance(&mut self.then, *slot, *next);
            }
        }
        let now = clock::stopwatch();
        (self.moved, self.asked_ends, self.asked_partitions) = (now, now, now);
        self.missed = false;
        // A cure that does not last is not tried without end at full speed.
        thread::sleep(POLL_WAIT);
        Ok(())
    }

    /// Until a missing topic is looked for again, or a stop.
    fn rest(&self) {
        let begun = clock::stopwatch();
        while begun.elapsed() < MISSING_WAIT && !self.status.lock().stop {
            thread::sleep(POLL_WAIT);
        }
    }
}

/// What a new consumer reads first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// Relationships to their present end, then everything: following before posting saves merging after, and a feed
    /// is a function of what is so, whichever came first.
    RelationsFirst,
    /// Both topics.
    Everything,
}

struct Opened {
    consumer: BaseConsumer<Listener>,
    partitions: Partitions,
    /// While it is not empty, only relationships are read: up to here.
    relations_until: Offsets,
}

/// How a consumer is set up.
pub(super) fn settings(options: &Options) -> Result<ClientConfig, KafkaError> {
    let mut settings = options.settings(&OURS, &RELIED_ON)?;
    settings.set("group.id", &options.group);
    Ok(settings)
}

/// A consumer reading on from `next`, which is completed, and moved up where the log has lost what comes next.
fn open(
    options: &Options,
    next: &mut Offsets,
    taken: &Fingerprints,
    status: &Mutex<Status>,
    wait: Duration,
    begin: Begin,
) -> Result<Opened, KafkaError> {
    let settings = settings(options)?;
    let consumer = BaseConsumer::from_config_and_context(&settings, Listener::default())
        .map_err(|source| KafkaError::Settings(Box::new(source)))?;
    let stopped = || status.lock().stop;
    let partitions = topics::find(consumer.client(), options, wait, stopped)?;
    is_same_cluster(
        options,
        consumer.client().fetch_cluster_id(QUESTION_WAIT),
        status,
    )?;
    let ask = |which| {
        let ask = || watermarks(options, &consumer, &partitions, which);
        topics::patiently(wait, stopped, ask)
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
    same_log::check(options, taken, (&low, &high), stopped)?;
    next.retain(|slot, _| high.contains_key(slot));
    for (slot, first) in &low {
        let next = next.entry(*slot).or_insert(*first);
        if *next < *first {
            let (topic, partition) = (options.topic_name(slot.0), slot.1);
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
    let is_relation = |slot: &Slot| slot.0 == Topic::Relationships;
    let relations_until: Offsets = match begin {
        Begin::Everything => Offsets::new(),
        Begin::RelationsFirst => {
            let behind = |slot: &Slot, end: &i64| next.get(slot).is_some_and(|next| next < end);
            let mut ends = high.clone();
            ends.retain(|slot, end| is_relation(slot) && behind(slot, end));
            ends
        }
    };
    let places = next
        .iter()
        .filter(|(slot, _)| relations_until.is_empty() || is_relation(slot))
        .map(|(slot, next)| (*slot, Offset::Offset(*next)));
    listed(options, places)
        .and_then(|places| consumer.assign(&places))
        .map_err(|source| KafkaError::Client {
            what: "assigning the partitions",
            source: Box::new(source),
        })?;
    let mut status = status.lock();
    status.ends = high;
    status.healthy = true;
    Ok(Opened {
        consumer,
        partitions,
        relations_until,
    })
}

/// An address may lead to another cluster than before, whose offsets say nothing of this one's.
fn is_same_cluster(
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
) -> Result<Offsets, KafkaError> {
    let unreachable = |source| KafkaError::Unreachable {
        brokers: options.address(),
        what: "where its partitions begin and end",
        source: Box::new(source),
    };
    let slots = partitions
        .iter()
        .flat_map(|(topic, count)| (0..*count).map(|partition| (*topic, partition)));
    // Offsets for times: the "times" -2 and -1 are Kafka's for the beginning and the end.
    let asked = listed(options, slots.map(|slot| (slot, which))).map_err(unreachable)?;
    let answer = consumer
        .offsets_for_times(asked, QUESTION_WAIT)
        .map_err(unreachable)?;
    let mut offsets = Offsets::new();
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

pub(super) fn listed(
    options: &Options,
    offsets: impl Iterator<Item = (Slot, Offset)>,
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
pub(super) fn incurable(error: &ClientError) -> Option<Reason> {
    let code = error.rdkafka_error_code();
    let incurable = matches!(error, ClientError::MessageConsumptionFatal(_))
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
    incurable.then(|| error.to_string())
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
fn advance(offsets: &mut Offsets, slot: Slot, to: i64) {
    let offset = offsets.entry(slot).or_insert(to);
    *offset = to.max(*offset);
}

#[cfg(test)]
mod tests;
