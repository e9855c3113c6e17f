//! Reading a segment from some place on, frame by frame, with a file handle and a buffer of its own.

use super::BuiltInLogError;
use super::frame::{self, Frame, HEAD_BYTES};
use super::salvage::is_not_given;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// How much is read from a file at once.
const READ_BYTES: usize = 256 * 1024;

/// Reads frames one after the other.
pub(super) struct FrameReader {
    file: File,
    path: Arc<Path>,
    /// Where the next frame begins in the file.
    at: u64,
    /// Where reading ends.
    end: u64,
    /// The least offset the next frame may have.
    expected: i64,
    buffer: Vec<u8>,
    /// How much of the buffer has been given out.
    used: usize,
}

/// Why there is no next frame.
pub(super) enum Fault {
    /// These are not the bytes of a record.
    Unreadable,
    /// The machine says no.
    Io(io::Error),
}

impl FrameReader {
    pub(super) fn open(
        path: &Path,
        at: u64,
        end: u64,
        expected: i64,
    ) -> Result<FrameReader, BuiltInLogError> {
        let mut file = File::open(path).map_err(BuiltInLogError::io("open", path))?;
        file.seek(SeekFrom::Start(at))
            .map_err(BuiltInLogError::io("seek in", path))?;
        Ok(FrameReader {
            file,
            path: path.into(),
            at,
            end,
            expected,
            buffer: Vec::new(),
            used: 0,
        })
    }

    /// The next frame, or none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Frame<'_>>, Fault> {
        if self.end <= self.at {
            return Ok(None);
        }
        self.fill(HEAD_BYTES)?;
        let head = self.buffer.get(self.used..).unwrap_or_default();
        let bytes = frame::frame_bytes(head).ok_or(Fault::Unreadable)?;
        self.fill(bytes)?;
        let raw = self.buffer.get(self.used..self.used + bytes);
        let frame = raw.and_then(frame::decode).ok_or(Fault::Unreadable)?;
        if frame.offset < self.expected {
            return Err(Fault::Unreadable);
        }
        self.used += bytes;
        self.at += bytes as u64;
        self.expected = frame.offset + 1;
        Ok(Some(frame))
    }

    /// As [`FrameReader::next`], in what is known to be durable: whatever cannot be read is damage.
    pub(super) fn next_durable(&mut self) -> Result<Option<Frame<'_>>, BuiltInLogError> {
        // Taken beforehand: a frame that may be returned keeps the whole of `self` borrowed.
        let (path, at, expected) = (Arc::clone(&self.path), self.at, self.expected);
        self.next()
            .map_err(|fault| explain(&path, at, expected, fault))
    }

    /// Where the next frame begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// What to say when [`FrameReader::next`] fails.
    pub(super) fn fault(&self, fault: Fault) -> BuiltInLogError {
        explain(&self.path, self.at, self.expected, fault)
    }

    /// Sees to it that the buffer holds `bytes` more.
    fn fill(&mut self, bytes: usize) -> Result<(), Fault> {
        let held = self.buffer.len() - self.used;
        if bytes <= held {
            return Ok(());
        }
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        if left < bytes {
            return Err(Fault::Unreadable);
        }
        self.buffer.drain(..self.used);
        self.used = 0;
        self.buffer.resize(left.min(bytes.max(READ_BYTES)), 0);
        let empty = self.buffer.get_mut(held..).unwrap_or_default();
        self.file.read_exact(empty).map_err(Fault::Io)
    }
}

fn explain(path: &Path, byte: u64, offset: i64, fault: Fault) -> BuiltInLogError {
    match fault {
        Fault::Unreadable => BuiltInLogError::Damaged {
            file: path.to_owned(),
            offset,
            byte,
        },
        Fault::Io(error) if is_not_given(&error) => BuiltInLogError::NotGiven {
            file: path.to_owned(),
            offset,
            byte,
            source: Arc::new(error),
        },
        Fault::Io(error) => BuiltInLogError::io("read", path)(error),
    }
}
