//! The dead letters in Kafka, read with a client of its own. It is assigned one partition at a time, joins no group and commits
//! nothing.

use super::{ClientError, KafkaError, Listener, Options, QUESTION_WAIT, consumer_client, topics};
use crate::clock;
use crate::log::LogError;
use crate::log::dead_letters::letter::{StoredLetter, TimestampOf};
use crate::log::dead_letters::page::{LetterLog, PartitionOffsets};
use crate::log::dead_letters::{Letter, LetterId};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use slackwater_order::time::Time;
use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

/// How long everything that one client reads may take. Past that the caller gets an error.
const WAIT_MAX: Duration = Duration::from_secs(15);
/// Our defaults, which `[kafka.client]` may change. A page needs little, so the client fetches little ahead.
const DEFAULTS: [(&str, &str); 4] = [
    ("queued.max.messages.kbytes", "4096"),
    ("queued.min.messages", "100"),
    ("max.partition.fetch.bytes", "1048576"),
    ("fetch.wait.max.ms", "100"),
];
/// What this file relies on.
const REQUIRED: [(&str, &str); 6] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // Retention may take letters between two requests: then reading begins at those that are left.
    ("auto.offset.reset", "earliest"),
    ("enable.partition.eof", "true"),
    ("allow.auto.create.topics", "false"),
    // Letters are shown whether or not a transaction of others is open.
    ("isolation.level", "read_uncommitted"),
];
const WHAT: &str = "for dead letters";

/// The topic of dead letters, to be read within [`WAIT_MAX`].
pub struct Letters {
    options: Options,
    client: BaseConsumer<Listener>,
    begun: Instant,
}

impl Letters {
    /// Makes the client. It connects when it is asked something.
    ///
    /// Errors: settings that librdkafka does not take.
    pub fn connect(options: &Options) -> Result<Letters, KafkaError> {
        let mut settings = options.settings(&DEFAULTS, &REQUIRED)?;
        // librdkafka assigns no partitions without the name of a group.
        settings.set("group.id", &options.group);
        let client = BaseConsumer::from_config_and_context(&settings, Listener::default())
            .map_err(|source| KafkaError::Settings(Box::new(source)))?;
        Ok(Letters {
            options: options.clone(),
            client,
            begun: clock::stopwatch(),
        })
    }

    fn read(
        &self,
        partition: i32,
        offsets: &Range<i64>,
        each: &mut dyn FnMut(Letter) -> ControlFlow<()>,
    ) -> Result<(), KafkaError> {
        let failed = |source| self.unreachable(source);
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(
            &self.options.dead_letters,
            partition,
            Offset::Offset(offsets.start),
        )
        .map_err(failed)?;
        self.client.assign(&from).map_err(failed)?;
        let mut last_error = None;
        while let Some(left) = WAIT_MAX.checked_sub(self.begun.elapsed()) {
            match self.client.poll(left) {
                Some(Ok(message)) => {
                    let offset = message.offset();
                    if message.partition() != partition || offset < offsets.start {
                        continue;
                    }
                    if offsets.end <= offset || each(letter(&message)).is_break() {
                        return Ok(());
                    }
                    if offset + 1 == offsets.end {
                        return Ok(());
                    }
                }
                Some(Err(ClientError::PartitionEOF(ended))) if ended == partition => return Ok(()),
                // The client goes on by itself when the broker is back.
                Some(Err(error)) => last_error = Some(error),
                None => {}
            }
        }
        let timed_out = ClientError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
        Err(self.unreachable(last_error.unwrap_or(timed_out)))
    }

    fn unreachable(&self, source: ClientError) -> KafkaError {
        KafkaError::Unreachable {
            brokers: self.options.address(),
            what: WHAT,
            source: Box::new(source),
        }
    }
}

impl LetterLog for Letters {
    fn partitions(&mut self) -> Result<Vec<PartitionOffsets>, LogError> {
        let name = &self.options.dead_letters;
        let metadata = self.client.fetch_metadata(None, QUESTION_WAIT);
        let metadata = metadata.map_err(|source| self.unreachable(source))?;
        let creation = topics::Creation {
            partitions: 8,
            settings: "",
        };
        let count = topics::partitions_of(&metadata, &self.options, name, &creation, WHAT)?;
        let offsets = |partition: i32| {
            let ends = self.client.fetch_watermarks(name, partition, QUESTION_WAIT);
            let (first, next) = ends.map_err(|source| self.unreachable(source))?;
            Ok(PartitionOffsets {
                partition,
                offsets: first..next,
            })
        };
        (0..i32::try_from(count).unwrap_or(i32::MAX))
            .map(offsets)
            .collect()
    }

    fn read(
        &mut self,
        partition: i32,
        offsets: Range<i64>,
        each: &mut dyn FnMut(Letter) -> ControlFlow<()>,
    ) -> Result<(), LogError> {
        Ok(Letters::read(self, partition, &offsets, each)?)
    }
}

fn letter(message: &BorrowedMessage<'_>) -> Letter {
    let stored = StoredLetter {
        id: LetterId {
            partition: message.partition(),
            offset: message.offset(),
        },
        timestamp: message.timestamp().to_millis().map(Time::from_millis),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: consumer_client::headers(message),
    };
    Letter::of(stored, TimestampOf::Letter)
}
