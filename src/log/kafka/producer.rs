//! Appends to Kafka. A record is accepted when every replica has it.

use super::topics::{self, Partitions};
use super::{
    KafkaError, Listener, Options, PARTITIONS_ASKED_EVERY, PARTITIONS_EVERY, QUESTION_WAIT,
    START_WAIT,
};
use crate::clock;
use crate::log::dead_letters::letter;
use parking_lot::{Mutex, RwLock};
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use slackwater_engine::record::{NewRecord, Position, Record, Topic};
use slackwater_order::key_hash::partition_of;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Our defaults, which `[kafka.client]` may change.
const DEFAULTS: [(&str, &str); 6] = [
    ("compression.type", "lz4"),
    ("linger.ms", "5"),
    // A request to append is answered within this time, one way or the other.
    ("message.timeout.ms", "30000"),
    // The most records that may wait to be accepted. Beyond it, callers get KafkaError::Full.
    ("queue.buffering.max.messages", "100000"),
    ("queue.buffering.max.kbytes", "65536"),
    // A record of RECORD_BYTES_MAX fits with its key and headers. The broker's own limit is on the compressed batch.
    ("message.max.bytes", "1500000"),
];
const REQUIRED: [(&str, &str); 3] = [
    ("acks", "all"),
    ("enable.idempotence", "true"),
    ("partitioner", "murmur2_random"),
];
/// The longest `reason` of a dead letter, in bytes. A record near the largest must still fit with it.
const REASON_BYTES_MAX: usize = 1000;

/// Appends records. Cheap to clone: clones share one client and its queue.
#[derive(Clone)]
pub struct Producer(Arc<Shared>);

struct Shared {
    options: Options,
    settings: ClientConfig,
    client: RwLock<Arc<Client>>,
    partitions: RwLock<Partitions>,
    /// When `partitions` was last read from the broker.
    partitions_checked_at: Mutex<Instant>,
}

impl Producer {
    /// Connects and checks the topics. It blocks until a broker answers, for at most a minute.
    ///
    /// Errors: settings that are refused, no broker, a topic that is missing or has an unfit number of partitions.
    pub fn start(options: &Options) -> Result<Producer, KafkaError> {
        let settings = settings(options)?;
        let client = create(&settings)?;
        let partitions =
            topics::wait_for_partitions(client.client(), options, START_WAIT, || false)?;
        Ok(Producer(Arc::new(Shared {
            options: options.clone(),
            settings,
            client: RwLock::new(client),
            partitions: RwLock::new(partitions),
            partitions_checked_at: Mutex::new(clock::stopwatch()),
        })))
    }

    /// Appends in order, and returns each record's position once the broker has accepted all of them. If the first acceptance of a
    /// record got lost with the connection, the broker knows the record at the second try but not its offset. Then it gets the
    /// position of the newest record of its partition, at or before which it stands.
    ///
    /// After an error any of the records may be in the log or still get there. Sending all of them again is harmless, since every
    /// record is an upsert. Errors: [`KafkaError::Full`], [`KafkaError::TooLarge`], [`KafkaError::NotAccepted`] (30 s without an
    /// answer, or refused).
    pub async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Position>, KafkaError> {
        self.refresh_partitions(PARTITIONS_EVERY);
        let mut waiting = Vec::with_capacity(records.len());
        for record in &records {
            let name = self.0.options.topic_name(record.topic);
            let count = self.partitions(record.topic);
            let (sender, delivery) = oneshot::channel();
            let mut message = BaseRecord::with_opaque_to(name, Box::new(sender))
                .partition(partition_of(&record.partition_by, count))
                .key(&record.key)
                .timestamp(record.timestamp.millis())
                .headers(headers(&record.headers));
            if let Some(value) = &record.value {
                message = message.payload(value);
            }
            self.send(message)?;
            waiting.push(delivery);
        }
        let mut positions = Vec::with_capacity(records.len());
        for (record, delivery) in records.iter().zip(waiting) {
            let name = self.0.options.topic_name(record.topic);
            let bytes = record.value.as_ref().map_or(0, Vec::len);
            let delivered = self.wait_for_delivery(delivery, name, bytes).await?;
            let offset = match delivered.offset {
                Some(offset) => offset,
                None => self.newest_offset(name, delivered.partition).await?,
            };
            positions.push(Position {
                topic: record.topic,
                partition: delivered.partition,
                offset,
            });
        }
        Ok(positions)
    }

    /// Keeps a record that could not be used, with its key, value and headers, and where it came from. It gets a new timestamp, or
    /// the topic's retention would delete old records at once; its own is in a header.
    ///
    /// Errors as [`Producer::append`].
    pub async fn dead_letter(&self, record: &Record, reason: &str) -> Result<(), KafkaError> {
        let options = &self.0.options;
        let (partition, offset) = (record.position.partition, record.position.offset);
        let of_letter = [
            shortened(reason),
            options.topic_name(record.position.topic),
            &partition.to_string(),
            &offset.to_string(),
        ];
        let mut headers = headers(&record.headers);
        for (name, value) in letter::HEADERS.into_iter().zip(of_letter) {
            headers = headers.insert(header(name, value.as_bytes()));
        }
        if let Some(timestamp) = record.timestamp {
            let millis = timestamp.millis().to_string();
            headers = headers.insert(header(letter::TIMESTAMP_HEADER, millis.as_bytes()));
        }
        let (sender, delivery) = oneshot::channel();
        let mut message =
            BaseRecord::with_opaque_to(&options.dead_letters, Box::new(sender)).headers(headers);
        if let Some(key) = &record.key {
            message = message.key(key);
        }
        if let Some(value) = &record.value {
            message = message.payload(value);
        }
        self.send(message)?;
        let bytes = record.value.as_ref().map_or(0, Vec::len);
        self.wait_for_delivery(delivery, &options.dead_letters, bytes)
            .await?;
        Ok(())
    }

    /// Where the cluster is and what its topics are called.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Where every partition ends now, as [`super::ends_now`].
    pub fn ends_now(&self) -> Result<Vec<Position>, KafkaError> {
        super::ends_now(&self.0.options)
    }

    /// Blocks until all records are accepted, for at most `timeout`.
    pub fn flush(&self, timeout: Duration) -> Result<(), KafkaError> {
        let client = Arc::clone(&self.0.client.read());
        client.flush(timeout).map_err(|source| {
            self.append_error(&self.0.options.activities, 0, ClientErrorKind::of(source))
        })
    }

    fn partitions(&self, topic: Topic) -> i32 {
        self.0.partitions.read().get(&topic).copied().unwrap_or(1)
    }

    fn send(
        &self,
        message: BaseRecord<'_, Vec<u8>, Vec<u8>, DeliverySender>,
    ) -> Result<(), KafkaError> {
        let client = Arc::clone(&self.0.client.read());
        client.send(message).map_err(|(source, message)| {
            let bytes = message.payload.map_or(0, Vec::len);
            self.append_error(message.topic, bytes, ClientErrorKind::of(source))
        })
    }

    async fn wait_for_delivery(
        &self,
        delivery: oneshot::Receiver<Result<Delivery, ClientError>>,
        topic: &str,
        bytes: usize,
    ) -> Result<Delivery, KafkaError> {
        match delivery.await {
            Ok(Ok(delivered)) => Ok(delivered),
            Ok(Err(source)) => Err(self.append_error(topic, bytes, ClientErrorKind::of(source))),
            Err(_) => Err(KafkaError::Stopped),
        }
    }

    async fn newest_offset(&self, topic: &str, partition: i32) -> Result<i64, KafkaError> {
        let client = Arc::clone(&self.0.client.read());
        let name = topic.to_owned();
        let (answer, answered) = oneshot::channel();
        std::thread::spawn(move || {
            let watermarks = client
                .client()
                .fetch_watermarks(&name, partition, QUESTION_WAIT);
            let _ = answer.send(watermarks);
        });
        match answered.await {
            Ok(Ok((_, end))) => Ok((end - 1).max(0)),
            Ok(Err(source)) => Err(self.append_error(topic, 0, ClientErrorKind::of(source))),
            Err(_) => Err(KafkaError::Stopped),
        }
    }

    fn append_error(&self, topic: &str, bytes: usize, kind: ClientErrorKind) -> KafkaError {
        self.replace_broken_client();
        let topic = topic.to_owned();
        match kind {
            ClientErrorKind::Full => KafkaError::Full { topic },
            ClientErrorKind::TooLarge => KafkaError::TooLarge { topic, bytes },
            ClientErrorKind::Other(source) => KafkaError::NotAccepted {
                topic,
                brokers: self.0.options.address(),
                source: Box::new(source),
            },
        }
    }

    /// Replaces a client with a fatal error. An idempotent client that has lost count with its broker refuses everything from then
    /// on. Its undelivered records were answered with an error, so a new client may begin afresh.
    fn replace_broken_client(&self) {
        let mut client = self.0.client.write();
        let Some((code, reason)) = client.client().fatal_error() else {
            return;
        };
        match create(&self.0.settings) {
            Ok(fresh) => {
                tracing::error!(%code, "the Kafka producer failed for good ({reason}): it was replaced");
                let broken = std::mem::replace(&mut *client, fresh);
                // Dropping a client waits for its threads, which must not block the caller.
                std::thread::spawn(move || drop(broken));
            }
            Err(error) => {
                tracing::error!(%code, %error, "the Kafka producer failed for good ({reason}) and cannot be replaced");
            }
        }
    }

    /// Reads again how many partitions topics have, in the background, unless that was done within two seconds. By itself it does so
    /// once a minute.
    pub fn check_partitions(&self) {
        self.refresh_partitions(PARTITIONS_ASKED_EVERY);
    }

    /// Reads the partitions again, in the background, unless they were read within `every`. Other producers follow a topic that grows
    /// within minutes, so this one must too.
    fn refresh_partitions(&self, every: Duration) {
        {
            let mut partitions_checked_at = self.0.partitions_checked_at.lock();
            if partitions_checked_at.elapsed() < every {
                return;
            }
            *partitions_checked_at = clock::stopwatch();
        }
        let shared = Arc::clone(&self.0);
        std::thread::spawn(move || {
            let client = Arc::clone(&shared.client.read());
            match topics::read_partitions(client.client(), &shared.options, QUESTION_WAIT) {
                Ok(partitions) => *shared.partitions.write() = partitions,
                Err(KafkaError::Unreachable { .. }) => {}
                Err(error) => tracing::error!("producing to Kafka goes on as before, but {error}"),
            }
        });
    }
}

/// An error of the client, by what the caller can do about it.
enum ClientErrorKind {
    Full,
    TooLarge,
    Other(ClientError),
}

impl ClientErrorKind {
    fn of(source: ClientError) -> ClientErrorKind {
        match source.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => ClientErrorKind::Full,
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => ClientErrorKind::TooLarge,
            _ => ClientErrorKind::Other(source),
        }
    }
}

type Client = ThreadedProducer<DeliveryContext>;
type DeliverySender = Box<oneshot::Sender<Result<Delivery, ClientError>>>;

/// The place of an accepted record. The offset is none if the broker did not say it.
struct Delivery {
    partition: i32,
    offset: Option<i64>,
}

/// Passes deliveries on to the callers that wait for them.
#[derive(Default)]
struct DeliveryContext {
    listener: Listener,
    unknown: Mutex<UnknownOffsets>,
}

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.listener.log(level, facility, text);
    }

    fn error(&self, error: ClientError, reason: &str) {
        self.listener.error(error, reason);
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = DeliverySender;

    fn delivery(&self, result: &DeliveryResult<'_>, sender: DeliverySender) {
        let delivery = match result {
            Ok(message) => {
                let (topic, partition) = (message.topic(), message.partition());
                let mut unknown = self.unknown.lock();
                let offset = unknown.check(topic, partition, message.offset());
                Ok(Delivery { partition, offset })
            }
            Err((error, _)) => Err(error.clone()),
        };
        // A caller that no longer waits has dropped its receiver.
        let _ = sender.send(delivery);
    }
}

/// Tells true offsets from made-up ones. If the broker has a batch already (DUPLICATE_SEQUENCE_NUMBER), the offset of the batch is
/// not known, but librdkafka counts its records -1, 0, 1 … The next true offset cannot continue that count, since the n records
/// of the batch stand before it, and the count ends at n - 2.
#[derive(Default)]
struct UnknownOffsets(BTreeMap<(String, i32), i64>);

impl UnknownOffsets {
    /// The offset, if it is a true one. It must be called in the order of deliveries.
    fn check(&mut self, topic: &str, partition: i32, offset: i64) -> Option<i64> {
        if 0 <= offset && self.0.is_empty() {
            return Some(offset);
        }
        let key = (topic.to_owned(), partition);
        let counted_on = self.0.get(&key).is_some_and(|last| offset == last + 1);
        if offset < 0 || counted_on {
            self.0.insert(key, offset);
            return None;
        }
        self.0.remove(&key);
        Some(offset)
    }
}

/// The settings of a producer.
pub(super) fn settings(options: &Options) -> Result<ClientConfig, KafkaError> {
    options.settings(&DEFAULTS, &REQUIRED)
}

/// Whether a producer can be created with these settings. It is dropped again.
pub(super) fn try_to_create(settings: &ClientConfig) -> Result<(), KafkaError> {
    create(settings).map(drop)
}

fn create(settings: &ClientConfig) -> Result<Arc<Client>, KafkaError> {
    ThreadedProducer::from_config_and_context(settings, DeliveryContext::default())
        .map(Arc::new)
        .map_err(|source| KafkaError::Settings(Box::new(source)))
}

fn headers(pairs: &[(String, Vec<u8>)]) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new_with_capacity(pairs.len() + 5);
    for (name, value) in pairs {
        headers = headers.insert(header(name, value));
    }
    headers
}

fn header<'a>(name: &'a str, value: &'a [u8]) -> Header<'a, &'a [u8]> {
    let value = Some(value);
    Header { key: name, value }
}

fn shortened(reason: &str) -> &str {
    let end = reason.floor_char_boundary(REASON_BYTES_MAX);
    reason.get(..end).unwrap_or(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_that_were_only_counted_on_are_not_believed() {
        let mut unknown = UnknownOffsets::default();
        let mut check = |partition: i32, offsets: &[i64], believed: &[bool]| {
            let found: Vec<bool> = offsets
                .iter()
                .map(|offset| unknown.check("t", partition, *offset).is_some())
                .collect();
            assert_eq!(found, believed, "{offsets:?}");
        };
        check(0, &[0, 1, 2], &[true, true, true]);
        check(0, &[-1, 0, 1, 6, 7], &[false, false, false, true, true]);
        // A batch of one at the very beginning: the next stands at 1.
        check(1, &[-1, 1, 2], &[false, true, true]);
        // Two in a row, another partition in between.
        check(2, &[-1, 0], &[false, false]);
        check(3, &[0], &[true]);
        check(2, &[-1, 0, 1, 5], &[false, false, false, true]);
    }
}
