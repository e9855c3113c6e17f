//! Kafka or the built-in log, behind one set of verbs.
//!
//! | module | what it is |
//! |---|---|
//! | [`reader`] | the reading end: records, where each partition ends, what was lost |
//! | [`writer`] | the writing end: records that are durable once they are answered, dead letters |
//! | [`letter_reader`] | the reading end of dead letters |
//! | [`dead_letters`] | dead letters as they are read: their parts, positions and pages |
//! | [`identity`] | which log it is |
//! | [`kafka`] | the client of Kafka: consumer, producer, topics |
//! | [`built_in`] | the log in a folder, for instances without Kafka |
//! | [`copy_to_kafka`] | a built-in log copied into the topics of Kafka |
//! | [`recent_letters`] | the records that were set aside last |
//! | [`in_flight`] | records that were stamped and are not in the log yet |
//! | [`decode_batch`] | records decoded on every core, handed back in their order |

pub mod built_in;
pub mod copy_to_kafka;
pub mod dead_letters;
pub mod decode_batch;
pub mod identity;
pub mod in_flight;
pub mod kafka;
pub mod letter_reader;
pub mod reader;
pub mod recent_letters;
pub mod writer;

pub use letter_reader::LetterReader;
pub use reader::LogReader;
pub use writer::LogWriter;

use built_in::{BuiltInLog, BuiltInLogError};
use kafka::KafkaError;
use slackwater_engine::record::Position;
use slackwater_engine::record::fingerprint::Fingerprint;

/// Which log, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Options {
    /// The built-in log in a folder.
    BuiltIn(built_in::Options),
    /// Kafka.
    Kafka(kafka::Options),
}

/// Why records could not be read or appended.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The built-in log failed.
    #[error(transparent)]
    BuiltIn(#[from] BuiltInLogError),
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The file with the id of the built-in log cannot be read or written.
    #[error("reading or writing the id of the built-in log")]
    Id {
        /// The reason.
        source: std::io::Error,
    },
    /// The built-in log ends before the offset that the data folder reflects.
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
    /// Whether the log has too much to write, and takes records again when some of it is written.
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

    /// Whether the same call may succeed later: a broker comes back, a disk has room again.
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

    /// Whether the error is in the log of the service already: the built-in log writes it once, when it stops taking records.
    pub fn is_logged(&self) -> bool {
        matches!(self, LogError::BuiltIn(error) if error.is_passing())
    }
}

/// Opens both ends. Reading goes on at `from`, and partitions that are not named there are read from their beginning. It blocks
/// until the log answers.
///
/// Whether Kafka's topics are still the ones that were read is seen by the last records `taken` from them; the built-in log has
/// an id for that ([`Options::identity`]).
pub fn open(
    options: &Options,
    from: &[Position],
    taken: &[Fingerprint],
) -> Result<(LogReader, LogWriter), LogError> {
    match options {
        Options::BuiltIn(options) => {
            let log = BuiltInLog::open(options.clone())?;
            let reader = LogReader::built_in(log.clone(), from)?;
            Ok((reader, LogWriter::BuiltIn(log)))
        }
        Options::Kafka(options) => {
            let producer = kafka::Producer::start(options)?;
            let consumer = kafka::Consumer::start(options, from, taken)?;
            Ok((LogReader::Kafka(consumer), LogWriter::Kafka(producer)))
        }
    }
}

/// Opens the writing end alone, while no service has the log. It blocks until the log answers.
///
/// Errors: the built-in log is in use; Kafka does not answer within a minute.
pub fn open_writer(options: &Options) -> Result<LogWriter, LogError> {
    match options {
        Options::BuiltIn(options) => Ok(LogWriter::BuiltIn(BuiltInLog::open(options.clone())?)),
        Options::Kafka(options) => Ok(LogWriter::Kafka(kafka::Producer::start(options)?)),
    }
}

#[cfg(test)]
mod tests;
