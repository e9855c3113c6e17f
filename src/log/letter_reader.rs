//! The reading end of the dead letters, for either log.

use super::built_in::BuiltInLog;
use super::dead_letters::page::{self, LetterPage, Span};
use super::{LogError, kafka};

/// Reads dead letters. Neither the loop nor the writer of a log notices. Cheap to clone.
#[derive(Clone)]
pub enum LetterReader {
    /// Those of an open built-in log.
    BuiltIn(BuiltInLog),
    /// Those of Kafka. Each call connects with a client of its own, and commits nothing.
    Kafka(kafka::Options),
}

impl LetterReader {
    /// A page of at most `limit` letters. It blocks, for Kafka for some seconds at most.
    ///
    /// Errors: the log does not answer, or cannot be read.
    pub fn page(&self, span: &Span, limit: usize) -> Result<LetterPage, LogError> {
        match self {
            LetterReader::BuiltIn(log) => page::page(&mut log.letters(), span, limit),
            LetterReader::Kafka(options) => {
                page::page(&mut kafka::Letters::connect(options)?, span, limit)
            }
        }
    }
}
