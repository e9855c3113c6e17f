//! The dead letters of a folder, read without opening the log. A service that has it open is not disturbed, and no file is changed.

use super::BuiltInLogError;
use super::frame_reader::{Fault, FrameReader};
use super::letters::letter;
use super::offline_reader::files;
use super::segment_file::HEADER_BYTES;
use crate::log::LogError;
use crate::log::dead_letters::Letter;
use crate::log::dead_letters::page::{LetterLog, PartitionOffsets};
use std::io::ErrorKind;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

/// The dead letters in the folder of a log: one partition, 0.
pub(in crate::log) struct OfflineLetters {
    files: Vec<(i64, PathBuf)>,
}

impl OfflineLetters {
    /// The files as they are at this moment. Errors: the folder cannot be read.
    pub(in crate::log) fn in_folder(log: &Path) -> Result<OfflineLetters, BuiltInLogError> {
        let files = files(&log.join("dead-letters"))?;
        Ok(OfflineLetters { files })
    }

    /// Hands over the letters from an offset on, and returns the offset after the last that was seen.
    fn read_from(
        &self,
        from: i64,
        each: &mut dyn FnMut(Letter) -> ControlFlow<()>,
    ) -> Result<i64, BuiltInLogError> {
        let holding = self.files.partition_point(|(base, _)| *base <= from);
        let first = holding.saturating_sub(1);
        let mut next = from;
        let last = self.files.last().map(|(base, _)| *base);
        for (base, path) in self.files.iter().skip(first) {
            let end = match std::fs::metadata(path) {
                Ok(file) => file.len(),
                // It expired meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(BuiltInLogError::io("read the size of", path)(error)),
            };
            if end < HEADER_BYTES {
                continue;
            }
            let mut frames = FrameReader::open(path, HEADER_BYTES, end, *base)?;
            loop {
                match frames.next() {
                    Ok(Some(frame)) => {
                        next = next.max(frame.offset + 1);
                        let is_wanted = from <= frame.offset && !frame.is_hole;
                        if is_wanted && each(letter(&frame)).is_break() {
                            return Ok(next);
                        }
                    }
                    Ok(None) => break,
                    // It is being written.
                    Err(Fault::Unreadable) if Some(*base) == last => break,
                    Err(fault) => return Err(frames.fault(fault)),
                }
            }
        }
        Ok(next)
    }
}

impl LetterLog for OfflineLetters {
    fn partitions(&mut self) -> Result<Vec<PartitionOffsets>, LogError> {
        let first = self.files.first().map_or(0, |(base, _)| *base);
        let last = self.files.last().map_or(0, |(base, _)| *base);
        let next = self.read_from(last, &mut |_| ControlFlow::Continue(()))?;
        Ok(PartitionOffsets::of_one(first..next))
    }

    fn read(
        &mut self,
        _: i32,
        offsets: Range<i64>,
        each: &mut dyn FnMut(Letter) -> ControlFlow<()>,
    ) -> Result<(), LogError> {
        self.read_from(
            offsets.start,
            &mut |letter| match letter.id.offset < offsets.end {
                true => each(letter),
                false => ControlFlow::Break(()),
            },
        )?;
        Ok(())
    }
}
