//! One file of the log: a header, then frames, oldest first. Only the last segment of a topic grows.

use super::BuiltInLogError;
use super::frame_reader::FrameReader;
use super::mend::{self, ExpectedEnd, Inspection};
use super::segment_file::{Extent, HEADER_BYTES, UNFINISHED, has_header, header, sync_folder};
use parking_lot::Mutex;
use slackwater_order::time::Time;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file of records with offsets from `base`.
pub(super) struct Segment {
    /// The first offset, which is the name of the file.
    pub(super) base: i64,
    /// The path of the file.
    pub(super) path: PathBuf,
    extent: Mutex<Extent>,
}

/// The last segment of a topic, as the start finds it.
pub(super) enum LastSegment {
    /// The segment goes on in this file.
    Whole(Segment, File),
    /// The segment was damaged and is mended. It takes no more records, so another must follow.
    Mended(Segment),
}

impl Segment {
    /// Creates the file for records from `base`, durably, and opens it for appending. The file has its header before it has its
    /// name, so that there is always a last segment which says where the log goes on.
    pub(super) fn create(folder: &Path, base: i64) -> Result<(Segment, File), BuiltInLogError> {
        let path = folder.join(format!("{base:020}.log"));
        let unfinished = path.with_extension(UNFINISHED);
        // It is opened for appending, so that a write after a cut begins at the cut.
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&unfinished)
            .map_err(BuiltInLogError::io("create", &unfinished))?;
        write_header(&mut file, base).map_err(BuiltInLogError::io("write the header of", &path))?;
        std::fs::rename(&unfinished, &path).map_err(BuiltInLogError::io("rename", &unfinished))?;
        sync_folder(folder)?;
        let extent = Mutex::new(Extent::empty(base));
        Ok((Segment { base, path, extent }, file))
    }

    /// Opens the last segment of a topic. A torn tail is cut off, and the rest is made durable, since a killed process may have left
    /// it in the machine's memory only. A damaged segment is mended.
    pub(super) fn recover(path: PathBuf, base: i64) -> Result<LastSegment, BuiltInLogError> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(&path)
            .map_err(BuiltInLogError::io("open", &path))?;
        let found = file
            .metadata()
            .map_err(BuiltInLogError::io("read the size of", &path))?
            .len();
        // The index says how far an orderly end had written.
        let (durable, next) =
            read_index(&path).map_or((0, base), |extent| (extent.bytes, extent.next));
        let extent = if found < HEADER_BYTES && durable <= HEADER_BYTES {
            write_header(&mut file, base)
                .map_err(BuiltInLogError::io("write the header of", &path))?;
            Extent::empty(base)
        } else {
            match mend::inspect(&path, base, found, ExpectedEnd::Last { durable, next })? {
                Inspection::Whole(extent) => {
                    if extent.bytes < found {
                        cut(&file, &path, extent.bytes, found)?;
                    }
                    extent
                }
                Inspection::Damaged(replacement) => {
                    let segment = Segment::of(path, base, replacement.install()?);
                    segment.write_index();
                    return Ok(LastSegment::Mended(segment));
                }
            }
        };
        file.sync_all()
            .map_err(BuiltInLogError::io("sync", &path))?;
        Ok(LastSegment::Whole(Segment::of(path, base, extent), file))
    }

    /// Opens a segment that grows no more, since another begins at `next`. Its extent comes from its index file. If that is
    /// missing or does not fit, all of the segment is inspected, and mended if it is damaged.
    pub(super) fn closed(path: PathBuf, base: i64, next: i64) -> Result<Segment, BuiltInLogError> {
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(BuiltInLogError::io("open", &path))?;
        let bytes = file
            .metadata()
            .map_err(BuiltInLogError::io("read the size of", &path))?
            .len();
        // The file may be longer than its index says, by the bytes of a failed write.
        let is_its = |extent: &Extent| {
            extent.bytes == bytes || (extent.bytes < bytes && extent.next == next)
        };
        let indexed = match has_header(&path, base)? {
            true => read_index(&path).filter(is_its),
            false => None,
        };
        let known = indexed.is_some();
        let (mut extent, is_new) = match indexed {
            Some(extent) => (extent, false),
            None => match mend::inspect(&path, base, bytes, ExpectedEnd::Before(next))? {
                Inspection::Whole(extent) => (extent, false),
                Inspection::Damaged(replacement) => (replacement.install()?, true),
            },
        };
        if extent.bytes < bytes && !is_new {
            cut(&file, &path, extent.bytes, bytes)?;
        }
        extent.last_stop = (base, HEADER_BYTES);
        let segment = Segment::of(path, base, extent);
        if !known {
            segment.write_index();
        }
        Ok(segment)
    }

    /// A segment whose extent is known.
    pub(super) fn of(path: PathBuf, base: i64, extent: Extent) -> Segment {
        let extent = Mutex::new(extent);
        Segment { base, path, extent }
    }

    /// Writes the index beside the segment, so that the next start need not inspect it. If that fails, the next start does.
    pub(super) fn write_index(&self) {
        let path = self.path.with_extension("index");
        let extent = self.extent.lock().clone();
        let written = postcard::to_stdvec(&extent)
            .map_err(io::Error::other)
            .and_then(|mut bytes| {
                bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
                std::fs::write(&path, &bytes)
            });
        if let Err(error) = written {
            tracing::warn!(file = %path.display(), %error, "could not write an index: the next start takes longer");
        }
    }

    /// Durable bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.extent.lock().bytes
    }

    /// The offset after its last durable record.
    pub(super) fn next(&self) -> i64 {
        self.extent.lock().next
    }

    /// The newest timestamp of its records.
    pub(super) fn newest(&self) -> Option<Time> {
        self.extent.lock().newest
    }

    /// A copy of how far it reaches.
    pub(super) fn extent(&self) -> Extent {
        self.extent.lock().clone()
    }

    /// Publishes records that have become durable to readers.
    pub(super) fn grow(&self, to: &Extent) {
        let mut extent = self.extent.lock();
        let known = extent.index.len();
        extent.bytes = to.bytes;
        extent.next = to.next;
        extent.newest = to.newest;
        let new = to.index.get(known..).unwrap_or_default();
        extent.index.extend_from_slice(new);
    }

    /// Reads its durable frames, from the record `from` or somewhat before it.
    pub(super) fn frames(&self, from: i64) -> Result<FrameReader, BuiltInLogError> {
        let (at, end) = {
            let extent = self.extent.lock();
            let indexed = extent
                .index
                .partition_point(|(offset, _)| self.base + i64::from(*offset) <= from);
            let indexed = indexed.checked_sub(1).and_then(|i| extent.index.get(i));
            let at = indexed.map_or(HEADER_BYTES, |(_, at)| u64::from(*at));
            let (offset, stop) = extent.last_stop;
            let at = if offset <= from { at.max(stop) } else { at };
            (at, extent.bytes)
        };
        FrameReader::open(&self.path, at, end, self.base)
    }

    /// Remembers where a reader stopped: the record `next` begins at the byte `at` or later.
    pub(super) fn remember_stop(&self, next: i64, at: u64) {
        self.extent.lock().last_stop = (next, at);
    }
}

fn read_index(segment: &Path) -> Option<Extent> {
    let bytes = std::fs::read(segment.with_extension("index")).ok()?;
    let (body, checksum) = bytes.split_last_chunk()?;
    if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    postcard::from_bytes(body).ok()
}

fn write_header(file: &mut File, base: i64) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(&header(base))?;
    file.sync_all()
}

fn cut(file: &File, path: &Path, at: u64, found: u64) -> Result<(), BuiltInLogError> {
    let bytes = found - at;
    tracing::warn!(
        file = %path.display(), bytes,
        "cut {bytes} bytes off {}: they were being written when the service stopped, and nobody was told they were kept",
        path.display()
    );
    file.set_len(at).map_err(BuiltInLogError::io("cut", path))
}
