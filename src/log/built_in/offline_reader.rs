//! Reads records without opening the log. A service that has it open is not disturbed, and no file is changed.

use super::BuiltInLogError;
use super::frame_reader::{Fault, FrameReader};
use super::segment_file::HEADER_BYTES;
use slackwater_engine::record::{Position, Record, Topic};
use slackwater_order::time::Time;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Hands every record of this topic in the log of this folder to `each`, oldest first, with its size on disk in bytes. It ends where the
/// log ends at the call, or when `each` breaks off. Files that expire meanwhile are skipped, and so is a record that is being written.
///
/// Errors: the folder cannot be read, or a file in it, apart from a record that is being written.
pub fn read_records(
    path: &Path,
    topic: Topic,
    mut each: impl FnMut(Record, u64) -> ControlFlow<()>,
) -> Result<(), BuiltInLogError> {
    let files = files(&path.join(topic.name()))?;
    let last = files.last().map(|(base, _)| *base);
    for (base, path) in files {
        let end = match std::fs::metadata(&path) {
            Ok(file) => file.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(BuiltInLogError::io("read the size of", &path)(error)),
        };
        if end < HEADER_BYTES {
            continue;
        }
        let mut frames = FrameReader::open(&path, HEADER_BYTES, end, base)?;
        loop {
            match frames.next() {
                Ok(Some(frame)) if frame.is_hole => {}
                Ok(Some(frame)) => {
                    let bytes = frame.raw.len() as u64;
                    let position = Position {
                        topic,
                        partition: 0,
                        offset: frame.offset,
                    };
                    if each(frame.record(position), bytes).is_break() {
                        return Ok(());
                    }
                }
                Ok(None) => break,
                Err(Fault::Unreadable) if Some(base) == last => break,
                Err(fault) => return Err(frames.fault(fault)),
            }
        }
    }
    Ok(())
}

/// The timestamp of the last activity that has one; none if there is none. It reads the last file, up to 64 MB, and the one before it if
/// that is empty.
///
/// Errors: as [`read_records`].
pub fn newest_activity(path: &Path) -> Result<Option<Time>, BuiltInLogError> {
    let files = files(&path.join(Topic::Activities.name()))?;
    for (base, path) in files.iter().rev().take(2) {
        let end = std::fs::metadata(path).map_err(BuiltInLogError::io("read the size of", path))?;
        if end.len() < HEADER_BYTES {
            continue;
        }
        let mut frames = FrameReader::open(path, HEADER_BYTES, end.len(), *base)?;
        let mut newest = None;
        // What cannot be read at the end is being written, or for the next start to mend.
        while let Ok(Some(frame)) = frames.next() {
            newest = frame.timestamp.or(newest);
        }
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}

/// Bytes of a topic on disk; 0 if the folder cannot be read.
pub fn topic_bytes(path: &Path, topic: Topic) -> u64 {
    let files = files(&path.join(topic.name())).unwrap_or_default();
    let sizes = files
        .iter()
        .filter_map(|(_, path)| std::fs::metadata(path).ok());
    sizes.map(|file| file.len()).sum()
}

/// The segments in a folder, oldest first.
pub(super) fn files(folder: &Path) -> Result<Vec<(i64, PathBuf)>, BuiltInLogError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(BuiltInLogError::io("list", folder))? {
        let path = entry.map_err(BuiltInLogError::io("list", folder))?.path();
        let base = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        if let (Some(base), Some("log")) = (base, path.extension().and_then(|it| it.to_str())) {
            files.push((base, path));
        }
    }
    files.sort();
    Ok(files)
}
