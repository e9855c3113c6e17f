//! The writing end of the log.

use super::built_in::BuiltInLog;
use super::{LetterReader, LogError, kafka};
use crate::error_chain::chain;
use slackwater_engine::record::{NewRecord, Position, Record, Topic};
use std::time::Duration;

/// The writing end of the log. Cheap to clone.
#[derive(Clone)]
pub enum LogWriter {
    /// The built-in log.
    BuiltIn(BuiltInLog),
    /// Kafka.
    Kafka(kafka::Producer),
}

impl LogWriter {
    /// Appends records. They are durable when it returns, with their positions in the same order.
    pub async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Position>, LogError> {
        match self {
            LogWriter::BuiltIn(log) => Ok(log.append(records).await?),
            LogWriter::Kafka(producer) => Ok(producer.append(records).await?),
        }
    }

    /// Where every partition ends at this moment: the position after its last record. It blocks, for Kafka for a few seconds
    /// at most. Errors: the log does not answer.
    pub fn ends_now(&self) -> Result<Vec<Position>, LogError> {
        match self {
            LogWriter::BuiltIn(log) => {
                let end = |topic| Position {
                    topic,
                    partition: 0,
                    offset: log.bounds(topic).next,
                };
                Ok(Topic::ALL.map(end).to_vec())
            }
            LogWriter::Kafka(producer) => Ok(producer.ends_now()?),
        }
    }

    /// Keeps a record that could not be used as a dead letter with its reason. It is durable when it returns.
    pub async fn dead_letter(&self, record: &Record, reason: &str) -> Result<(), LogError> {
        match self {
            LogWriter::BuiltIn(log) => Ok(log.dead_letter(record, reason).await?),
            LogWriter::Kafka(producer) => Ok(producer.dead_letter(record, reason).await?),
        }
    }

    /// Reads again soon how many partitions topics have, which decides where records go. By itself that is done once a minute.
    pub fn check_partitions(&self) {
        if let LogWriter::Kafka(producer) = self {
            producer.check_partitions();
        }
    }

    /// Reads the dead letters of this log.
    pub fn letters(&self) -> LetterReader {
        match self {
            LogWriter::BuiltIn(log) => LetterReader::BuiltIn(log.clone()),
            LogWriter::Kafka(producer) => LetterReader::Kafka(producer.options().clone()),
        }
    }

    /// Why nothing can be appended at the moment, if that is known. The trouble passes by itself.
    pub fn trouble(&self) -> Option<String> {
        match self {
            LogWriter::BuiltIn(log) => log.trouble().map(|error| chain(&error)),
            LogWriter::Kafka(_) => None,
        }
    }

    /// Closes the log. Records that were accepted are durable already.
    pub fn close(&self) {
        match self {
            LogWriter::BuiltIn(log) => log.close(),
            LogWriter::Kafka(producer) => {
                if let Err(error) = producer.flush(Duration::from_secs(2)) {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "flushing the producer failed: {error}"
                    );
                }
            }
        }
    }
}
