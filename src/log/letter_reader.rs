//! The reading end of the dead letters, for either log.

use super::built_in::BuiltInLog;
use super::dead_letters::page::{self, LetterLog, LetterPage, Span};
use super::dead_letters::{Letter, LetterId};
use super::{LogError, Options, built_in, kafka};
use slackwater_engine::record::Topic;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Reads dead letters. Neither the loop nor the writer of a log notices. Cheap to clone.
#[derive(Clone)]
pub enum LetterReader {
    /// Those of an open built-in log.
    BuiltIn(BuiltInLog),
    /// Those of a built-in log in this folder, which is not opened.
    Folder(PathBuf),
    /// Those of Kafka. Each call connects with a client of its own, and commits nothing.
    Kafka(kafka::Options),
}

impl LetterReader {
    /// Reads those of a log that is not open here.
    pub fn of(log: &Options) -> LetterReader {
        match log {
            Options::BuiltIn(options) => LetterReader::Folder(options.path.clone()),
            Options::Kafka(options) => LetterReader::Kafka(options.clone()),
        }
    }

    /// A page of at most `limit` letters. It blocks, for Kafka for some seconds at most.
    ///
    /// Errors: the log does not answer, or cannot be read.
    pub fn page(&self, span: &Span, limit: usize) -> Result<LetterPage, LogError> {
        self.read(&mut |log| page::page(log, span, limit))
    }

    /// One letter; none if there is none of this id, or no more. It blocks as [`LetterReader::page`] does.
    pub fn letter(&self, id: LetterId) -> Result<Option<Letter>, LogError> {
        self.read(&mut |log| {
            let partitions = log.partitions()?;
            let is_there = partitions
                .iter()
                .any(|part| part.partition == id.partition && part.offsets.contains(&id.offset));
            let mut found = None;
            if is_there {
                log.read(id.partition, id.offset..id.offset + 1, &mut |letter| {
                    found = Some(letter);
                    ControlFlow::Break(())
                })?;
            }
            Ok(found)
        })
    }

    /// The topic that a letter's record stood in; none if it is none of this log's.
    pub fn topic_of(&self, letter: &Letter) -> Option<Topic> {
        let name = &letter.source.as_ref()?.topic;
        Topic::ALL.into_iter().find(|topic| match self {
            LetterReader::Kafka(options) => options.topic_name(*topic) == name,
            LetterReader::BuiltIn(_) | LetterReader::Folder(_) => topic.name() == name,
        })
    }

    fn read<T>(
        &self,
        read: &mut dyn FnMut(&mut dyn LetterLog) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        match self {
            LetterReader::BuiltIn(log) => read(&mut log.letters()),
            LetterReader::Folder(path) => read(&mut built_in::OfflineLetters::in_folder(path)?),
            LetterReader::Kafka(options) => read(&mut kafka::Letters::connect(options)?),
        }
    }
}
