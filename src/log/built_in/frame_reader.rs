//! Reads a segment frame by frame from a byte on, with a file handle and a buffer of its own.

use super::BuiltInLogError;
use super::frame::{self, Frame, HEAD_BYTES};
use super::salvage::is_not_given;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// Bytes that are read from a file at once.
const READ_BYTES: usize = 256 * 1024;

/// Reads frames one after the other.
pub(super) struct FrameReader {
    file: File,
    path: Arc<Path>,
    /// The byte of the file where the next frame begins.
    at: u64,
    /// The byte of the file where reading ends.
    end: u64,
    /// The least offset the next frame may have.
    expected: i64,
    buffer: Vec<u8>,
    /// Bytes of the buffer that have been returned as frames.
    used: usize,
}

/// Why there is no next frame.
pub(super) enum Fault {
    /// The bytes are not a frame.
    Unreadable,
    /// The operating system failed to read.
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

    /// As [`FrameReader::next`], among bytes that are known to be durable: whatever cannot be read there is damage.
    pub(super) fn next_durable(&mut self) -> Result<Option<Frame<'_>>, BuiltInLogError> {
        // These are copied beforehand, since a frame that may be returned keeps all of `self` borrowed.
        let (path, at, expected) = (Arc::clone(&self.path), self.at, self.expected);
        self.next()
            .map_err(|fault| error_of(&path, at, expected, fault))
    }

    /// The byte of the file where the next frame begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The error for a fault that [`FrameReader::next`] returned.
    pub(super) fn fault(&self, fault: Fault) -> BuiltInLogError {
        error_of(&self.path, self.at, self.expected, fault)
    }

    /// Fills the buffer until it holds at least `bytes` that were not returned yet.
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

fn error_of(path: &Path, byte: u64, offset: i64, fault: Fault) -> BuiltInLogError {
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
