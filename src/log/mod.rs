//! Kafka or the built-in log, behind one set of verbs.
//!
//! | module | what it is |
//! |---|---|
//! | [`reader`] | the reading end: records, where each partition ends, what was lost |
//! | [`writer`] | the writing end: records that are durable once they are answered, dead letters |
//! | [`identity`] | which log it is |
//! | [`kafka`] | the client of Kafka: consumer, producer, topics |
//! | [`built_in`] | the log in a folder, for instances without Kafka |
//! | [`in_flight`] | records that were stamped and are not in the log yet |
//! | [`decode_batch`] | records decoded on every core, handed back in their order |

pub mod built_in;
pub mod decode_batch;
pub mod identity;
pub mod in_flight;
pub mod kafka;
pub mod reader;
pub mod writer;

pub use reader::LogReader;
pub use writer::LogWriter;

use built_in::{BuiltInLog, BuiltInLogError};
use kafka::KafkaError;
use slackwater_engine::record::fingerprint::Fingerprint;
use slackwater_engine::record::{Position, Topic};

/// Which log, and where.
#[derive(Clone, Debug)]
pub enum Options {
    /// The built-in log in a folder.
    BuiltIn(built_in::Options),
    /// Kafka.
    Kafka(kafka::Options),
}

/// Why records could not be read or appended.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The built-in log.
    #[error(transparent)]
    BuiltIn(#[from] BuiltInLogError),
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The file with the built-in log's id.
    #[error("reading or writing the id of the built-in log")]
    Id {
        /// The reason.
        source: std::io::Error,
    },
    /// The built-in log is not the one the data folder was built from.
    #[error(
        "the data folder reflects {topic} up to offset {from}, but the log ends at {next}: it is another log, or lost \
         its end. `slackwater serve --rebuild` puts the folder aside and makes it anew from this log"
    )]
    Shorter {
        /// The topic.
        topic: &'static str,
        /// The next offset the data folder wants.
        from: i64,
        /// The log's next offset.
        next: i64,
    },
}

impl LogError {
    /// Whether it will pass when what was handed in before is written.
    pub fn is_full(&self) -> bool {
        matches!(
            self,
            LogError::BuiltIn(BuiltInLogError::Full) | LogError::Kafka(KafkaError::Full { .. })
        )
    }

    /// Whether the record itself is too large for the log.
    pub fn is_too_large(&self) -> bool {
        matches!(
            self,
            LogError::BuiltIn(BuiltInLogError::TooLarge { .. })
                | LogError::Kafka(KafkaError::TooLarge { .. })
        )
    }

    /// Whether the same may succeed later: a broker comes back, a disk has room again.
    pub fn is_passing(&self) -> bool {
        match self {
            LogError::BuiltIn(error) => error.is_passing(),
            LogError::Kafka(error) => matches!(
                error,
                KafkaError::Full { .. }
                    | KafkaError::NotAccepted { .. }
                    | KafkaError::Unreachable { .. }
            ),
            _ => false,
        }
    }

    /// Whether the log has told of it already: it does so once, when it stops taking records.
    pub fn is_logged(&self) -> bool {
        matches!(self, LogError::BuiltIn(error) if error.is_passing())
    }
}

/// Opens both ends; reading goes on at `from`, partitions not named at their beginning. Blocks until the log answers.
///
/// That it is still the log that was read, the built-in one tells by its id, and Kafka's topics by the records that were `taken`
/// from them last.
pub fn open(
    options: &Options,
    from: &[Position],
    taken: &[Fingerprint],
) -> Result<(LogReader, LogWriter), LogError> {
    match options {
        Options::BuiltIn(options) => {
            let log = BuiltInLog::open(options.clone())?;
            let mut next = [0; 2];
            let mut lost = 0;
            for (at, topic) in next.iter_mut().zip(Topic::ALL) {
                let bounds = log.bounds(topic);
                let stored = from
                    .iter()
                    .find(|position| position.topic == topic)
                    .map(|position| position.offset);
                *at = stored.unwrap_or(bounds.first);
                if stored.is_none() && 0 < bounds.first {
                    tracing::warn!(
                        topic = topic.name(),
                        first = bounds.first,
                        "the log has {} from offset {} on: of what was before, feeds made anew have nothing",
                        topic.name(),
                        bounds.first
                    );
                }
                if *at < bounds.first {
                    lost += bounds.first.abs_diff(*at);
                    tracing::error!(
                        topic = topic.name(),
                        lost = bounds.first - *at,
                        "retention took {} records of {} before they were read: feeds lack them",
                        bounds.first - *at,
                        topic.name()
                    );
                    *at = bounds.first;
                }
                if bounds.next < *at {
                    return Err(LogError::Shorter {
                        topic: topic.name(),
                        from: *at,
                        next: bounds.next,
                    });
                }
            }
            Ok((
                LogReader::BuiltIn {
                    log: log.clone(),
                    next,
                    lost,
                    tidied: None,
                },
                LogWriter::BuiltIn(log),
            ))
        }
        Options::Kafka(options) => {
            let producer = kafka::Producer::start(options)?;
            let consumer = kafka::Consumer::start(options, from, taken)?;
            Ok((LogReader::Kafka(consumer), LogWriter::Kafka(producer)))
        }
    }
}

#[cfg(test)]
mod tests;
