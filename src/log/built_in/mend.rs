//! Mends damaged segments: readable records keep their offsets, unreadable bytes are put aside, and the log goes on.
//!
//! Every frame has its offset, so the frames behind an unreadable place are found again by their magic and checksum. The file
//! is rewritten without that place, and a hole stands for the offsets that were there. So cursors and the data folder stay valid,
//! and no offset is ever given twice. The unreadable bytes go into a file beside it:
//!
//! ```text
//! <first offset>-<byte>-<records>.damaged
//! ```
//!
//! Blocks that the disk does not give (`salvage`) count as overwritten with a mark, and are put aside so.
//!
//! A file that was cut short is noticed even if it ends with a whole record, since it is known how far it must reach: a closed
//! one to where the next begins (compaction leaves a hole at its end for that), the last one to where an orderly end said. A
//! hole takes the place of the missing records, and the file put aside is empty.
//!
//! A torn tail, which a crash leaves, is no damage. It is cut off, and its offsets are given again, since they were never
//! acknowledged. It ends the last segment and looks as an unfinished write does: a frame that is shorter than it says, or
//! zeros where the file grew before its contents came. A record that is all there but for a bit is damage, even if it is
//! the last. So is an unreadable place that an orderly end said was durable.

use super::BuiltInLogError;
use super::frame::{self, FRAME_BYTES_MIN, MAGIC};
use super::frame_reader::{Fault, FrameReader};
use super::salvage::{self, MARK, SalvagedBytes, is_not_given};
use super::segment_file::{Extent, HEADER_BYTES, UNFINISHED, has_header, header, sync_folder};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The extension of files with bytes that were put aside.
pub(super) const DAMAGED: &str = "damaged";
/// This many zeros at the end of a file belong to no record: a disk writes at least as many bytes at once.
const ZEROS: usize = 512;

/// Where a segment must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExpectedEnd {
    /// At the first offset of the segment that follows.
    Before(i64),
    /// It is the last segment. The first `durable` bytes, up to the offset `next`, are known to have been durable.
    Last { durable: u64, next: i64 },
}

impl ExpectedEnd {
    /// The offset that the segment reaches, if nothing of it is missing.
    fn next_offset(self) -> i64 {
        match self {
            ExpectedEnd::Before(next) | ExpectedEnd::Last { next, .. } => next,
        }
    }

    /// The same end, with every byte before this one counted as durable: a block that the disk does not give may have held
    /// acknowledged records, so it is no torn tail.
    fn durable_up_to(self, byte: u64) -> ExpectedEnd {
        match self {
            ExpectedEnd::Before(_) => self,
            ExpectedEnd::Last { durable, next } => ExpectedEnd::Last {
                durable: durable.max(byte),
                next,
            },
        }
    }
}

/// What inspecting a segment found.
pub(super) enum Inspection {
    /// The segment is as it was written, up to this extent. Bytes behind it were never acknowledged.
    Whole(Extent),
    /// The segment is damaged, and has been rewritten beside itself.
    Damaged(Replacement),
}

/// A rewritten segment that has not taken the damaged one's place yet.
#[must_use]
pub(super) struct Replacement {
    /// How far it reaches.
    pub(super) extent: Extent,
    /// Records that cannot be read any more. A stretch whose frames cannot be told apart counts as at least one.
    pub(super) records: u64,
    unfinished: PathBuf,
    path: PathBuf,
    holes: Vec<Hole>,
    /// Bytes of the damaged file that were durable when its last readable record was written.
    durable: u64,
}

/// An unreadable place, for the log line about it.
struct Hole {
    byte: u64,
    bytes: usize,
    first: i64,
    records: u64,
    aside: PathBuf,
}

/// Reads all of a segment, and rewrites it if it is damaged. `found` is its length in bytes.
pub(super) fn inspect(
    path: &Path,
    base: i64,
    found: u64,
    end: ExpectedEnd,
) -> Result<Inspection, BuiltInLogError> {
    let mut extent = Extent::empty(base);
    let mut frames = FrameReader::open(path, HEADER_BYTES, found, base)?;
    let head_is_damaged = !has_header(path, base)?;
    let at = loop {
        let at = frames.at();
        match frames.next() {
            Ok(Some(frame)) => {
                if let ExpectedEnd::Before(next) = end
                    && next <= frame.offset
                {
                    // From here on stands a group that failed, and was written again into the segment that follows.
                    break at;
                }
                extent.add(base, frame.offset, frame.timestamp, frame.raw.len());
            }
            Ok(None) => break at,
            Err(Fault::Io(error)) if !is_not_given(&error) => {
                return Err(frames.fault(Fault::Io(error)));
            }
            Err(_) => {
                let (rest, is_given) = rest_of(path, at, found)?;
                let end = if is_given {
                    end
                } else {
                    end.durable_up_to(found)
                };
                let pieces = pieces(&rest, at, extent.next, end);
                if let [Piece::Torn] = pieces.as_slice() {
                    break at;
                }
                return rewrite(path, base, at, &rest, &pieces, extent).map(Inspection::Damaged);
            }
        }
    };
    let missing = pieces(&[], at, extent.next, end);
    if head_is_damaged || !missing.is_empty() {
        return rewrite(path, base, at, &[], &missing, extent).map(Inspection::Damaged);
    }
    Ok(Inspection::Whole(extent))
}

/// A stretch of a damaged segment.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// A frame, as it was written.
    Frame { at: usize, bytes: usize },
    /// Unreadable bytes. The offsets from `first` up to `next` were there.
    Hole {
        at: usize,
        bytes: usize,
        first: i64,
        next: i64,
        records: u64,
    },
    /// A tail that a crash left half written.
    Torn,
}

/// Cuts the rest of a segment, which begins with an unreadable place, into pieces. `at` is where the rest begins in the file,
/// `expected` the offset after the last readable record.
fn pieces(rest: &[u8], at: u64, expected: i64, end: ExpectedEnd) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut expected = expected;
    let mut from = 0;
    // No more records can have been there than shortest frames fit in.
    let room = |bytes: usize| i64::try_from(bytes.div_ceil(FRAME_BYTES_MIN)).unwrap_or(i64::MAX);
    while let Some(left) = rest.get(from..).filter(|left| !left.is_empty()) {
        let limit = match end {
            ExpectedEnd::Before(next) => next,
            ExpectedEnd::Last { next, .. } => expected.saturating_add(room(left.len())).max(next),
        };
        let wanted = |offset: i64| expected <= offset && offset < limit;
        let Some((skipped, frame)) = frame::find(left, |frame| wanted(frame.offset)) else {
            pieces.extend(tail(left, from, at + from as u64, expected, end));
            return pieces;
        };
        if 0 < skipped {
            pieces.push(Piece::Hole {
                at: from,
                bytes: skipped,
                first: expected,
                next: frame.offset,
                records: frame.offset.abs_diff(expected),
            });
        }
        let bytes = frame.raw.len();
        pieces.push(Piece::Frame {
            at: from + skipped,
            bytes,
        });
        expected = frame.offset + 1;
        from += skipped + bytes;
    }
    // A file that ends with a whole record may have been longer.
    let next = end.next_offset();
    if expected < next {
        pieces.push(Piece::Hole {
            at: from,
            bytes: 0,
            first: expected,
            next,
            records: next.abs_diff(expected),
        });
    }
    pieces
}

/// The piece that an unreadable place is which no readable frame follows.
fn tail(left: &[u8], from: usize, at: u64, expected: i64, end: ExpectedEnd) -> Option<Piece> {
    let hole = |next: i64, records: u64| Piece::Hole {
        at: from,
        bytes: left.len(),
        first: expected,
        next,
        records,
    };
    match end {
        ExpectedEnd::Before(next) if next <= expected => Some(Piece::Torn),
        ExpectedEnd::Before(next) => Some(hole(next, next.abs_diff(expected))),
        ExpectedEnd::Last { durable, .. } if durable <= at && is_torn(left) => Some(Piece::Torn),
        ExpectedEnd::Last { next, .. } => {
            let heads = left.windows(MAGIC.len()).filter(|four| *four == MAGIC);
            let known = u64::try_from(next.saturating_sub(expected)).unwrap_or(0);
            let records = known.max(heads.count().max(1) as u64);
            // Skipping too many offsets does no harm, giving one twice does.
            let offsets = left.len().div_ceil(FRAME_BYTES_MIN).max(1);
            let offsets = i64::try_from(offsets).unwrap_or(i64::MAX);
            Some(hole(expected.saturating_add(offsets).max(next), records))
        }
    }
}

/// Whether an unfinished write leaves these bytes.
fn is_torn(left: &[u8]) -> bool {
    let zeros = left.iter().rev().take_while(|byte| **byte == 0).count();
    zeros == left.len() || ZEROS <= zeros || frame::is_cut_short(left)
}

/// Rewrites a segment beside the old one: the first `intact` bytes as they are, then the pieces. Unreadable bytes are put aside
/// before. A crash before the new file has its name leaves the old one, and the next start does all of it again.
fn rewrite(
    old: &Path,
    base: i64,
    intact: u64,
    rest: &[u8],
    pieces: &[Piece],
    extent: Extent,
) -> Result<Replacement, BuiltInLogError> {
    let path = old.with_extension(UNFINISHED);
    let failed = |doing| BuiltInLogError::io(doing, &path);
    let mut extent = extent;
    let mut lost = 0;
    // Bytes before this were durable when a later record was written. Those behind it may never have been acknowledged.
    let mut durable = 0;
    let mut holes = Vec::new();
    // If the new file were as long as the old one, the old index would be taken for its own.
    let _ = std::fs::remove_file(old.with_extension("index"));
    let mut file = BufWriter::new(File::create(&path).map_err(failed("create"))?);
    file.write_all(&header(base)).map_err(failed("write"))?;
    copy(old, intact, &mut file).map_err(BuiltInLogError::io("copy", old))?;
    for piece in pieces {
        match piece {
            Piece::Frame { at, bytes } => {
                let raw = rest.get(*at..*at + *bytes).unwrap_or_default();
                file.write_all(raw).map_err(failed("write"))?;
                if let Some(frame) = frame::decode(raw) {
                    durable = durable.max(u64::from(frame.synced));
                    extent.add(base, frame.offset, frame.timestamp, raw.len());
                }
            }
            Piece::Hole {
                at,
                bytes,
                first,
                next,
                records,
            } => {
                let unreadable = rest.get(*at..*at + *bytes).unwrap_or_default();
                let byte = intact + *at as u64;
                let aside = put_aside(old, *first, byte, *records, unreadable)?;
                if first < next {
                    let mut hole = Vec::new();
                    frame::encode_hole(next - 1, &mut hole);
                    file.write_all(&hole).map_err(failed("write"))?;
                    extent.add(base, next - 1, None, hole.len());
                }
                lost += records;
                holes.push(Hole {
                    byte,
                    bytes: *bytes,
                    first: *first,
                    records: *records,
                    aside,
                });
            }
            Piece::Torn => {}
        }
    }
    let file = file
        .into_inner()
        .map_err(|error| BuiltInLogError::io("write", &path)(error.into_error()))?;
    file.sync_all().map_err(failed("sync"))?;
    Ok(Replacement {
        extent,
        records: lost,
        unfinished: path,
        path: old.to_owned(),
        holes,
        durable,
    })
}

impl Replacement {
    /// Takes the damaged segment's place, and logs the losses. No reader may open the file meanwhile with the damaged one's
    /// extent.
    pub(super) fn install(self) -> Result<Extent, BuiltInLogError> {
        let (unfinished, path) = (&self.unfinished, &self.path);
        std::fs::rename(unfinished, path).map_err(BuiltInLogError::io("rename", unfinished))?;
        if let Some(folder) = path.parent() {
            sync_folder(folder)?;
        }
        for hole in &self.holes {
            self.log_hole(hole);
        }
        if self.holes.is_empty() {
            let path = path.display();
            tracing::warn!(file = %path, "{path} was damaged or hard to read, and was written anew: no record is lost");
        }
        Ok(self.extent)
    }

    fn log_hole(&self, hole: &Hole) {
        let path = self.path.display();
        let Hole {
            byte,
            bytes,
            first,
            records,
            aside,
        } = hole;
        let aside = aside.display();
        if *bytes == 0 {
            tracing::error!(
                file = %path, byte, first, records, aside = %aside,
                "{path} ends at byte {byte}: {records} records from offset {first} on are missing. So says {aside}, which is \
                 empty; what follows them is read as before"
            );
            return;
        }
        let doubt = match *byte < self.durable {
            true => "",
            false => {
                " (or were being written when the machine stopped, and nobody was told that they are kept)"
            }
        };
        tracing::error!(
            file = %path, byte, first, records, aside = %aside,
            "{path} is damaged at byte {byte}: {records} records from offset {first} on cannot be read{doubt} and are kept aside \
             in {aside}; what follows them is read as before"
        );
    }
}

/// Copies the bytes behind a segment's header, up to the byte `to` of the file.
fn copy(old: &Path, to: u64, into: &mut impl Write) -> io::Result<()> {
    let mut file = File::open(old)?;
    file.seek(SeekFrom::Start(HEADER_BYTES))?;
    let bytes = to.saturating_sub(HEADER_BYTES);
    io::copy(&mut file.take(bytes), into).map(drop)
}

/// Writes unreadable bytes to a file beside the segment, durably.
fn put_aside(
    old: &Path,
    first: i64,
    byte: u64,
    records: u64,
    unreadable: &[u8],
) -> Result<PathBuf, BuiltInLogError> {
    let mut byte = byte;
    loop {
        let path = old.with_file_name(format!("{first:020}-{byte}-{records}.{DAMAGED}"));
        // A file of this name was written by a start that was cut off, or about other damage to a segment of this name.
        match std::fs::read(&path) {
            Ok(there) if there == unreadable => return Ok(path),
            Ok(_) => {
                byte += 1;
                continue;
            }
            Err(_) => {}
        }
        // Until it is whole the file has a name that the next start removes: half of it would be taken for other damage.
        let unfinished = path.with_extension(UNFINISHED);
        let mut file =
            File::create(&unfinished).map_err(BuiltInLogError::io("create", &unfinished))?;
        file.write_all(unreadable)
            .and_then(|()| file.sync_all())
            .map_err(BuiltInLogError::io("write", &unfinished))?;
        std::fs::rename(&unfinished, &path).map_err(BuiltInLogError::io("rename", &unfinished))?;
        if let Some(folder) = path.parent() {
            sync_folder(folder)?;
        }
        return Ok(path);
    }
}

/// How many records were put aside in a file, by its name; none if it is no such file.
pub(super) fn records_aside(file: &Path) -> Option<u64> {
    if file.extension()? != DAMAGED {
        return None;
    }
    let (_, records) = file.file_stem()?.to_str()?.rsplit_once('-')?;
    records.parse().ok()
}

/// The bytes of a file from `at` on, and whether the disk gave all of them.
fn rest_of(path: &Path, at: u64, found: u64) -> Result<(Vec<u8>, bool), BuiltInLogError> {
    let mut file = File::open(path).map_err(BuiltInLogError::io("open", path))?;
    let SalvagedBytes { bytes, lost, first } =
        salvage::salvage(&mut file, at, found).map_err(|error| match is_not_given(&error) {
            true => BuiltInLogError::Unreadable {
                file: path.to_owned(),
                source: Arc::new(error),
            },
            false => BuiltInLogError::io("read", path)(error),
        })?;
    if let Some((byte, error)) = &first {
        let path = path.display();
        tracing::error!(
            file = %path, byte, lost, %error,
            "the disk does not give {lost} blocks of {path}, the first of them at byte {byte}: {error}. What was in them is lost, \
             and \\x{MARK:x} stands for it in what is kept aside; look after the disk"
        );
    }
    Ok((bytes, lost == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, records that were acknowledged and that the disk does not give any more would be cut off without a word,
    /// and their offsets given again.
    #[test]
    fn what_a_disk_does_not_give_is_no_torn_tail_though_zeros_follow() {
        let rest = [vec![MARK; 4096], vec![0; 4096]].concat();
        let end = ExpectedEnd::Last {
            durable: 0,
            next: 5,
        };
        assert_eq!(pieces(&rest, 16, 5, end), [Piece::Torn]);
        let found = 16 + rest.len() as u64;
        let pieces = pieces(&rest, 16, 5, end.durable_up_to(found));
        let [
            Piece::Hole {
                first: 5,
                next,
                records: 1,
                ..
            },
        ] = pieces.as_slice()
        else {
            panic!("{pieces:?}");
        };
        let most = i64::try_from(rest.len() / FRAME_BYTES_MIN).unwrap();
        assert!(5 + most <= *next, "{next}");
    }
}
