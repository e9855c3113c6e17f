//! Reads the nodes topic from its beginning on, record by record. Whatever goes wrong has one cure: a new consumer that reads on.

use super::super::{KafkaError, Listener, Options};
use super::{NodeRecord, Shared};
use crate::clock;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use slackwater_cluster::beat::BYTES_MAX;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

/// The longest name of a node, in bytes. A record with a longer key is not from a node.
const KEY_BYTES_MAX: usize = 256;
/// The longest value that is handed on, in bytes: what is longer is none of a node.
const VALUE_BYTES_MAX: usize = BYTES_MAX;
/// What the client relies on, beside what both do.
const REQUIRED: [(&str, &str); 11] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // If the topic was deleted and created again, reading begins anew.
    ("auto.offset.reset", "earliest"),
    ("enable.partition.eof", "true"),
    ("allow.auto.create.topics", "false"),
    // A transaction that somebody left open would hold back all that comes after it.
    ("isolation.level", "read_uncommitted"),
    ("check.crcs", "true"),
    ("fetch.min.bytes", "1"),
    // Kafka answers at once whatever this says. A broker that only looks again after it answers as late as this.
    ("fetch.wait.max.ms", "20"),
    ("fetch.error.backoff.ms", "100"),
    ("queued.max.messages.kbytes", "4096"),
];
/// How long a poll waits for a record, and how soon a stop is noticed.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// If a record of ours was accepted and is not read for this long, the consumer is replaced.
const STUCK_AFTER: Duration = Duration::from_secs(5);
/// The pause before a consumer is replaced.
const REPLACE_AFTER: Duration = Duration::from_millis(500);
/// How often a record that no node wrote is logged: those in between are counted.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// The state of the thread.
pub(super) struct Reading {
    options: Options,
    shared: Arc<Shared>,
    each: Box<dyn FnMut(NodeRecord) + Send>,
    consumer: BaseConsumer<Listener>,
    /// The offset after the last record that was read; none before the first.
    next: Option<i64>,
    /// Since when an accepted record of ours has not been read.
    behind_since: Option<Instant>,
    logged_at: Option<Instant>,
    unlogged: u64,
}

/// What one turn has come to.
enum Turn {
    /// Reading goes on, and stands before this offset if that is known.
    ReadTo(Option<i64>),
    /// All that the topic has was read.
    AtEnd,
    /// The consumer must be replaced.
    Broken(String),
}

impl Reading {
    /// Makes the consumer. It connects by itself.
    pub(super) fn new(
        options: &Options,
        shared: &Arc<Shared>,
        each: Box<dyn FnMut(NodeRecord) + Send>,
    ) -> Result<Reading, KafkaError> {
        Ok(Reading {
            options: options.clone(),
            shared: Arc::clone(shared),
            each,
            consumer: connect(options, None)?,
            next: None,
            behind_since: None,
            logged_at: None,
            unlogged: 0,
        })
    }

    /// Reads until a stop. It says once that all records before `end` were read.
    pub(super) fn run(mut self, end: i64, caught_up: &SyncSender<()>) {
        while !self.shared.is_stopped() {
            match self.turn() {
                Turn::ReadTo(next) if next.is_none_or(|next| next < end) => {}
                Turn::ReadTo(_) | Turn::AtEnd => {
                    // It is full or closed once it was said.
                    let _ = caught_up.try_send(());
                }
                Turn::Broken(reason) => self.replace(&reason),
            }
        }
    }

    fn turn(&mut self) -> Turn {
        let polled = match self.consumer.poll(POLL_WAIT) {
            Some(Ok(message)) => Ok(Polled::of(&message)),
            Some(Err(error)) => Err(error),
            None => return self.check_progress(),
        };
        match polled {
            Ok(polled) => {
                self.take(polled);
                Turn::ReadTo(self.next)
            }
            Err(ClientError::PartitionEOF(_)) => Turn::AtEnd,
            Err(error) => match must_replace(&error) {
                true => Turn::Broken(error.to_string()),
                false => {
                    // librdkafka tries again by itself: a lost connection, a new leader, a damaged batch, which it skips.
                    tracing::debug!(%error, "reading {}", self.options.nodes);
                    self.check_progress()
                }
            },
        }
    }

    fn take(&mut self, polled: Polled) {
        if self.next.is_some_and(|next| polled.offset < next) {
            tracing::warn!(
                "topic {} begins anew at offset {}: it was created again, or lost its end",
                self.options.nodes,
                polled.offset
            );
            self.shared.state.lock().outbox.accepted = None;
        }
        self.next = Some(polled.offset + 1);
        self.behind_since = None;
        self.shared.state.lock().not_read = None;
        match polled.record {
            Ok(record) => (self.each)(record),
            Err(reason) => self.log_junk(polled.offset, reason),
        }
    }

    /// Whether a record of ours was accepted and does not come.
    fn check_progress(&mut self) -> Turn {
        let accepted = self.shared.state.lock().outbox.accepted;
        if accepted.is_none_or(|accepted| self.next.is_some_and(|next| accepted < next)) {
            self.behind_since = None;
            return Turn::ReadTo(self.next);
        }
        let since = *self.behind_since.get_or_insert_with(clock::stopwatch);
        if since.elapsed() < STUCK_AFTER {
            return Turn::ReadTo(self.next);
        }
        self.behind_since = None;
        Turn::Broken(format!(
            "a record was accepted and did not come for {STUCK_AFTER:?}"
        ))
    }

    /// Replaces the consumer by one that reads on.
    fn replace(&mut self, reason: &str) {
        let topic = &self.options.nodes;
        tracing::warn!("the consumer of {topic} is replaced: {reason}");
        let begun = clock::stopwatch();
        let mut state = self.shared.state.lock();
        state.not_read = Some(format!("{topic} is not read: {reason}"));
        while !state.stop
            && let Some(left) = REPLACE_AFTER.checked_sub(begun.elapsed())
        {
            self.shared.changed.wait_for(&mut state, left);
        }
        drop(state);
        match connect(&self.options, self.next) {
            Ok(consumer) => self.consumer = consumer,
            Err(error) => tracing::error!(%error, "the consumer of {topic} cannot be replaced"),
        }
    }

    fn log_junk(&mut self, offset: i64, reason: &str) {
        let is_recent = |logged_at: Instant| logged_at.elapsed() < LOG_EVERY;
        if self.logged_at.is_some_and(is_recent) {
            self.unlogged += 1;
            return;
        }
        let (topic, others) = (&self.options.nodes, std::mem::take(&mut self.unlogged));
        self.logged_at = Some(clock::stopwatch());
        tracing::warn!(
            topic,
            offset,
            reason,
            others,
            "{topic} has a record at offset {offset} that no node wrote ({reason}), and {others} others before it: see who else \
             writes there"
        );
    }
}

/// A record that was read, or why it cannot be one of a node.
struct Polled {
    offset: i64,
    record: Result<NodeRecord, &'static str>,
}

impl Polled {
    fn of(message: &BorrowedMessage<'_>) -> Polled {
        let offset = message.offset();
        Polled {
            offset,
            record: node_record(offset, message.key(), message.payload()),
        }
    }
}

fn node_record(
    offset: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Result<NodeRecord, &'static str> {
    let key = key.ok_or("it has no key")?;
    if KEY_BYTES_MAX < key.len() {
        return Err("its key is too long");
    }
    let key = std::str::from_utf8(key).map_err(|_| "its key is no text")?;
    // What is too long is handed on without its bytes: something was said that cannot be read.
    let value = value.map(|value| match value.len() {
        0..=VALUE_BYTES_MAX => value.to_vec(),
        _ => Vec::new(),
    });
    Ok(NodeRecord {
        offset,
        key: key.to_owned(),
        value,
    })
}

/// A consumer that reads from `next` on, or from the beginning.
fn connect(options: &Options, next: Option<i64>) -> Result<BaseConsumer<Listener>, KafkaError> {
    let mut required = REQUIRED.to_vec();
    required.extend(super::REQUIRED);
    let mut settings = options.settings(&[], &required)?;
    // librdkafka assigns no partitions without the name of a group. Nothing is committed to it.
    settings.set("group.id", &options.group);
    let consumer: BaseConsumer<Listener> =
        BaseConsumer::from_config_and_context(&settings, Listener::default())
            .map_err(|source| KafkaError::Settings(Box::new(source)))?;
    let mut from = TopicPartitionList::new();
    let place = next.map_or(Offset::Beginning, Offset::Offset);
    from.add_partition_offset(&options.nodes, 0, place)
        .and_then(|()| consumer.assign(&from))
        .map_err(|source| KafkaError::Client {
            what: "assigning the nodes topic",
            source: Box::new(source),
        })?;
    Ok(consumer)
}

/// Whether a consumer would read nothing any more after this error.
fn must_replace(error: &ClientError) -> bool {
    matches!(error, ClientError::MessageConsumptionFatal(_))
        || matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::UnknownPartition
                    | RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::AutoOffsetReset
            )
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, anybody who may write to the topic could stop every node, or fill its memory.
    #[test]
    fn a_record_that_no_node_wrote_is_told_apart() {
        let check = |key: Option<&[u8]>, value: Option<&[u8]>, is_one: bool| {
            let record = node_record(7, key, value);
            assert_eq!(record.is_ok(), is_one, "{record:?}");
        };
        check(Some(b"a"), Some(b"{}"), true);
        check(Some(b"a"), None, true);
        check(Some(b"a"), Some(&[0xff; VALUE_BYTES_MAX]), true);
        let long = node_record(7, Some(b"a"), Some(&[0; VALUE_BYTES_MAX + 1]));
        let value = long.unwrap().value;
        assert_eq!(
            value,
            Some(Vec::new()),
            "its node said what nobody can read"
        );
        check(None, Some(b"{}"), false);
        check(Some(b"\xff"), Some(b"{}"), false);
        check(Some(&[b'a'; KEY_BYTES_MAX + 1]), Some(b"{}"), false);
    }
}
