//! The parts of a segment file that its readers, its writer and its mending share: the header, and what the file holds.

use super::BuiltInLogError;
use super::frame_reader::{Fault, FrameReader};
use super::salvage::is_not_given;
use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const HEADER_MAGIC: [u8; 8] = *b"SLACKLG\x01";
/// The index has one entry of 8 bytes for each stretch this long: 6 MB of memory for 50 GB of log.
const INDEX_STRIDE_BYTES: u64 = 64 * 1024;
/// Bytes before the first frame: a magic that ends with the version, and the first offset, which the file name says too.
pub(super) const HEADER_BYTES: u64 = 16;
/// The extension of a file that takes a segment's place once it is whole.
pub(super) const UNFINISHED: &str = "unfinished";

/// How far the durable part of a segment reaches, with an index of its records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extent {
    /// Durable bytes.
    pub(super) bytes: u64,
    /// The offset after its last record.
    pub(super) next: i64,
    /// The newest timestamp of its records.
    pub(super) newest: Option<Time>,
    /// Offset (less base) and byte of about one record in [`INDEX_STRIDE_BYTES`].
    pub(super) index: Vec<(u32, u32)>,
    /// The offset and byte where the last reader stopped. A replay goes on there without a search.
    #[serde(skip)]
    pub(super) last_stop: (i64, u64),
}

impl Extent {
    pub(super) fn empty(base: i64) -> Extent {
        Extent {
            bytes: HEADER_BYTES,
            next: base,
            newest: None,
            index: Vec::new(),
            last_stop: (base, HEADER_BYTES),
        }
    }

    /// Adds a record of `bytes` bytes at the end.
    pub(super) fn add(&mut self, base: i64, offset: i64, timestamp: Option<Time>, bytes: usize) {
        let last = self.index.last().map_or(0, |(_, at)| u64::from(*at));
        if last + INDEX_STRIDE_BYTES <= self.bytes
            && let (Ok(offset), Ok(at)) = (u32::try_from(offset - base), u32::try_from(self.bytes))
        {
            self.index.push((offset, at));
        }
        self.bytes += bytes as u64;
        self.next = offset + 1;
        self.newest = self.newest.max(timestamp);
    }
}

pub(super) fn header(base: i64) -> [u8; HEADER_BYTES as usize] {
    let mut bytes = [0; HEADER_BYTES as usize];
    let (magic, offset) = bytes.split_at_mut(HEADER_MAGIC.len());
    magic.copy_from_slice(&HEADER_MAGIC);
    offset.copy_from_slice(&base.to_le_bytes());
    bytes
}

/// Whether the header of the file is intact. Its contents are known from the file name. Errors: a later version wrote the file.
pub(super) fn has_header(path: &Path, base: i64) -> Result<bool, BuiltInLogError> {
    let mut found = [0; HEADER_BYTES as usize];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut found));
    match read {
        Ok(()) if found == header(base) => Ok(true),
        Ok(()) => {
            let (magic, of_base) = found.split_at(HEADER_MAGIC.len());
            let name = |magic: &[u8]| magic.split_last().map(|(_, name)| name.to_vec());
            let is_newer = name(magic) == name(&HEADER_MAGIC)
                && HEADER_MAGIC.last() < magic.last()
                && *of_base == base.to_le_bytes()
                && !is_as_written_here(path, base)?;
            match is_newer {
                true => Err(BuiltInLogError::Newer {
                    file: path.to_owned(),
                }),
                false => Ok(false),
            }
        }
        // A header that the disk does not give is damaged, and its contents are known.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof || is_not_given(&error) => {
            Ok(false)
        }
        Err(error) => Err(BuiltInLogError::io("read", path)(error)),
    }
}

/// Makes the creation, renaming and removal of files in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), BuiltInLogError> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(BuiltInLogError::io("sync", folder))
}

/// Whether a frame whose checksum is right follows the header, as this version writes it, or nothing. Then a later version in
/// the header is a flipped bit. (A later version must not begin its files with such a frame.)
fn is_as_written_here(path: &Path, base: i64) -> Result<bool, BuiltInLogError> {
    let bytes = std::fs::metadata(path)
        .map_err(BuiltInLogError::io("read the size of", path))?
        .len();
    let mut frames = FrameReader::open(path, HEADER_BYTES, bytes, base)?;
    match frames.next() {
        Ok(_) => Ok(true),
        Err(Fault::Unreadable) => Ok(false),
        Err(fault) => Err(frames.fault(fault)),
    }
}
