//! One topic on disk: a folder of segments, the last of which grows.

use super::segment::{Segment, UNFINISHED, sync_folder};
use super::{Bounds, LogError, create_folder};
use crate::post::record::{Position, Record, Topic};
use crate::time::Time;
use parking_lot::RwLock;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A topic's segments, and what is read from them.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// Oldest first; never empty. Files are opened, renamed and removed with this lock held, so that a reader never
    /// takes one file's index to another file.
    pub(super) segments: RwLock<Vec<Arc<Segment>>>,
}

/// May offsets be missing between two segments?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gaps {
    /// Compaction leaves them.
    Allowed,
    /// They mean that a file is missing.
    Refused,
}

impl Folder {
    /// Opens or creates the folder, and the last segment for appending.
    pub(super) fn open(
        path: PathBuf,
        gaps: Gaps,
    ) -> Result<(Folder, Arc<Segment>, File), LogError> {
        create_folder(&path)?;
        let mut files = segment_files(&path)?;
        let (last, file) = match files.pop() {
            None => Segment::create(&path, 0)?,
            Some((base, file)) => Segment::recover(file, base)?,
        };
        let mut segments: Vec<Arc<Segment>> = Vec::new();
        for (base, file) in files {
            segments.push(Arc::new(Segment::closed(file, base)?));
        }
        let last = Arc::new(last);
        segments.push(Arc::clone(&last));
        if gaps == Gaps::Refused {
            let pairs = segments.iter().zip(segments.iter().skip(1));
            for (one, other) in pairs {
                if one.next() != other.base {
                    return Err(LogError::Missing {
                        folder: path,
                        from: one.next(),
                        to: other.base,
                    });
                }
            }
        }
        let segments = RwLock::new(segments);
        Ok((Folder { path, segments }, last, file))
    }

    /// What can be read.
    pub(super) fn bounds(&self) -> Bounds {
        bounds(&self.segments.read())
    }

    /// Reads on from `from`; see `BuiltInLog::read`.
    pub(super) fn read(
        &self,
        topic: Topic,
        from: i64,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Record>, LogError> {
        let mut records = Vec::new();
        let mut bytes = 0_usize;
        let mut from = from;
        loop {
            let (segment, mut frames, following) = {
                let segments = self.segments.read();
                let Bounds { first, next } = bounds(&segments);
                if from < first && records.is_empty() {
                    return Err(LogError::Gone { first });
                }
                if next < from {
                    return Err(LogError::Beyond);
                }
                let after = segments.partition_point(|segment| segment.base <= from);
                let holding = after.checked_sub(1).and_then(|i| segments.get(i));
                let (true, Some(segment)) = (from < next, holding) else {
                    return Ok(records);
                };
                let following = segments.get(after).map(|segment| segment.base);
                (Arc::clone(segment), segment.frames(from)?, following)
            };
            let mut at = frames.at();
            loop {
                let frame = match frames.next_durable() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    // What stands before the damage is given first; the next call meets it.
                    Err(_) if !records.is_empty() => return Ok(records),
                    Err(error) => return Err(error),
                };
                if from <= frame.offset {
                    let full = records_max <= records.len()
                        || bytes_max < bytes.saturating_add(frame.raw.len());
                    if full && !records.is_empty() {
                        segment.stopped(frame.offset, at);
                        return Ok(records);
                    }
                    bytes += frame.raw.len();
                    records.push(frame.record(Position {
                        topic,
                        partition: 0,
                        offset: frame.offset,
                    }));
                }
                at = frames.at();
            }
            match following {
                Some(following) => from = following,
                None => {
                    if let Some(last) = records.last() {
                        segment.stopped(last.position.offset + 1, at);
                    }
                    return Ok(records);
                }
            }
        }
    }

    /// Removes closed segments, oldest first, whose newest record is older than `before`, or while all are more than
    /// `bytes_max`.
    pub(super) fn expire(&self, before: Time, bytes_max: u64) -> Result<(), LogError> {
        loop {
            let (gone, too_old) = {
                let mut segments = self.segments.write();
                let bytes: u64 = segments.iter().map(|segment| segment.bytes()).sum();
                let [oldest, _, ..] = segments.as_slice() else {
                    return Ok(());
                };
                let too_old = oldest.newest().is_none_or(|newest| newest < before);
                if !too_old && bytes <= bytes_max {
                    return Ok(());
                }
                remove(&oldest.path)?;
                (segments.remove(0), too_old)
            };
            let _ = std::fs::remove_file(gone.path.with_extension("index"));
            // Durably one after the other: were the next gone and this one still there after a power cut, the log
            // would have a hole.
            sync_folder(&self.path)?;
            let why = if too_old { "age" } else { "size" };
            tracing::info!(file = %gone.path.display(), why, "removed a part of the log, for its {why}");
        }
    }
}

fn bounds(segments: &[Arc<Segment>]) -> Bounds {
    Bounds {
        first: segments.first().map_or(0, |segment| segment.base),
        next: segments.last().map_or(0, |segment| segment.next()),
    }
}

/// The segments in a folder, oldest first. What a compaction that did not finish left behind is removed.
fn segment_files(folder: &Path) -> Result<Vec<(i64, PathBuf)>, LogError> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(LogError::io("list", folder))?;
    for entry in entries {
        let path = entry.map_err(LogError::io("list", folder))?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("log") => {
                let stem = path.file_stem().and_then(|stem| stem.to_str());
                if let Some(base) = stem.and_then(|stem| stem.parse().ok()) {
                    files.push((base, path));
                }
            }
            Some(UNFINISHED) => remove(&path)?,
            _ => {}
        }
    }
    files.sort();
    Ok(files)
}

fn remove(file: &Path) -> Result<(), LogError> {
    std::fs::remove_file(file).map_err(LogError::io("remove", file))
}
