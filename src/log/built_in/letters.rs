//! The dead letters of an open log, read.

use super::topic_dir::TopicDir;
use super::{BuiltInLogError, frame};
use crate::log::LogError;
use crate::log::dead_letters::letter::{StoredLetter, TimestampOf};
use crate::log::dead_letters::page::{LetterLog, PartitionOffsets};
use crate::log::dead_letters::{Letter, LetterId};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// The most letters, and bytes of them, that are read at once.
const BATCH_LETTERS: usize = 100;
const BATCH_BYTES: usize = 4 << 20;

/// The letters of an open log: one partition, 0.
pub(in crate::log) struct Letters {
    pub(super) topic: Arc<TopicDir>,
}

impl LetterLog for Letters {
    fn partitions(&mut self) -> Result<Vec<PartitionOffsets>, LogError> {
        let bounds = self.topic.bounds();
        Ok(PartitionOffsets::of_one(bounds.first..bounds.next))
    }

    fn read(
        &mut self,
        _: i32,
        offsets: Range<i64>,
        each: &mut dyn FnMut(Letter) -> ControlFlow<()>,
    ) -> Result<(), LogError> {
        let mut from = offsets.start;
        while from < offsets.end {
            let read = self.topic.read_as(from, BATCH_LETTERS, BATCH_BYTES, letter);
            let letters = match read {
                // Retention took some since the bounds were read.
                Err(BuiltInLogError::Gone { first }) if from < first => {
                    from = first;
                    continue;
                }
                letters => letters?,
            };
            let Some(last) = letters.last() else {
                return Ok(());
            };
            from = last.id.offset + 1;
            for letter in letters {
                if offsets.end <= letter.id.offset || each(letter).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The letter in a frame.
pub(super) fn letter(frame: &frame::Frame<'_>) -> Letter {
    let stored = StoredLetter {
        id: LetterId {
            partition: 0,
            offset: frame.offset,
        },
        timestamp: frame.timestamp,
        key: frame.key.map(<[u8]>::to_vec),
        value: frame.value.map(<[u8]>::to_vec),
        headers: frame.headers(),
    };
    Letter::of(stored, TimestampOf::Record)
}
