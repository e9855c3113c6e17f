//! One topic on disk: a folder of segments, the last of which grows.

use super::frame_reader::FrameReader;
use super::mend::{self, ExpectedEnd, Inspection};
use super::segment::{LastSegment, Segment, UNFINISHED, sync_folder};
use super::{Bounds, BuiltInLogError, create_folder};
use parking_lot::{Mutex, RwLock};
use slackwater_engine::record::{Position, Record, Topic};
use slackwater_order::time::Time;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often a place is read again that could not be read and in which no damage was found.
const TRIES_MAX: usize = 2;

/// A topic's segments, and what is read from them.
pub(super) struct TopicDir {
    pub(super) path: PathBuf,
    /// Oldest first; never empty. Files are opened, renamed and removed with this lock held, so that a reader never
    /// takes one file's index to another file.
    pub(super) segments: RwLock<Vec<Arc<Segment>>>,
    /// Held while a closed segment is written anew or removed: one at a time. Taken before `segments`.
    pub(super) rewrite_lock: Mutex<()>,
    /// Records put aside, in files that were there at the start or came since.
    damaged: AtomicU64,
}

/// What came of mending a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MendOutcome {
    /// Another is in its place now, or it is gone: look again.
    Replaced,
    /// It stays as it is: no damage is found in it, or it is the last.
    Unchanged,
}

/// May offsets be missing between two segments?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gaps {
    /// Compaction leaves them.
    Allowed,
    /// They mean that a file is missing.
    Refused,
}

impl TopicDir {
    /// Opens or creates the folder, and the last segment for appending.
    pub(super) fn open(
        path: PathBuf,
        gaps: Gaps,
    ) -> Result<(TopicDir, Arc<Segment>, File), BuiltInLogError> {
        create_folder(&path)?;
        let mut files = segment_files(&path)?;
        let mut newest = Vec::new();
        let file = match files.last().cloned() {
            None => {
                let (segment, file) = Segment::create(&path, 0)?;
                newest.push(segment);
                file
            }
            Some((base, last)) => {
                files.pop();
                match Segment::recover(last, base)? {
                    LastSegment::Whole(segment, file) => {
                        newest.push(segment);
                        file
                    }
                    LastSegment::Mended(segment) => {
                        let (next, file) = Segment::create(&path, segment.next())?;
                        // One that is left without an offset has given its name to the next.
                        newest.extend((segment.next() != segment.base).then_some(segment));
                        newest.push(next);
                        file
                    }
                }
            }
        };
        let mut segments: Vec<Arc<Segment>> = Vec::new();
        let bases = files.iter().skip(1).map(|(base, _)| *base);
        let follows: Vec<i64> = bases
            .chain(newest.first().map(|segment| segment.base))
            .collect();
        for ((base, file), next) in files.into_iter().zip(follows) {
            segments.push(Arc::new(Segment::closed(file, base, next)?));
        }
        segments.extend(newest.into_iter().map(Arc::new));
        let Some(last) = segments.last().map(Arc::clone) else {
            return Err(BuiltInLogError::Closed);
        };
        if gaps == Gaps::Refused {
            let pairs = segments.iter().zip(segments.iter().skip(1));
            for (one, other) in pairs {
                if one.next() != other.base {
                    return Err(BuiltInLogError::Missing {
                        folder: path,
                        from: one.next(),
                        to: other.base,
                    });
                }
            }
        }
        let folder = TopicDir {
            damaged: AtomicU64::new(damaged_records(&path)?),
            path,
            segments: RwLock::new(segments),
            rewrite_lock: Mutex::default(),
        };
        Ok((folder, last, file))
    }

    /// Records put aside.
    pub(super) fn damaged_records(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Mends a closed segment.
    pub(super) fn mend(&self, damaged: &Arc<Segment>) -> Result<MendOutcome, BuiltInLogError> {
        let _one = self.rewrite_lock.lock();
        let next = {
            let segments = self.segments.read();
            let at = segments.iter().position(|it| Arc::ptr_eq(it, damaged));
            let Some(at) = at else {
                return Ok(MendOutcome::Replaced);
            };
            match segments.get(at + 1) {
                Some(following) => following.base,
                None => return Ok(MendOutcome::Unchanged),
            }
        };
        let end = ExpectedEnd::Before(next);
        let inspection = mend::inspect(&damaged.path, damaged.base, damaged.bytes(), end)?;
        let Inspection::Damaged(replacement) = inspection else {
            return Ok(MendOutcome::Unchanged);
        };
        let records = replacement.records;
        let new = {
            let mut segments = self.segments.write();
            let extent = replacement.install()?;
            let new = Segment::of(damaged.path.clone(), damaged.base, extent);
            let new = Arc::new(new);
            let place = segments.iter_mut().find(|it| Arc::ptr_eq(it, damaged));
            if let Some(place) = place {
                *place = Arc::clone(&new);
            }
            new
        };
        self.damaged.fetch_add(records, Ordering::Relaxed);
        new.write_index();
        Ok(MendOutcome::Replaced)
    }

    /// All frames of a segment; none if it is another by now.
    pub(super) fn frames(
        &self,
        segment: &Arc<Segment>,
    ) -> Result<Option<FrameReader>, BuiltInLogError> {
        let segments = self.segments.read();
        match segments.iter().any(|it| Arc::ptr_eq(it, segment)) {
            true => segment.frames(segment.base).map(Some),
            false => Ok(None),
        }
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
    ) -> Result<Vec<Record>, BuiltInLogError> {
        let mut records = Vec::new();
        let mut bytes = 0_usize;
        let mut from = from;
        let mut tries = 0;
        'segments: loop {
            let (segment, mut frames, following) = {
                let segments = self.segments.read();
                let Bounds { first, next } = bounds(&segments);
                if from < first && records.is_empty() {
                    return Err(BuiltInLogError::Gone { first });
                }
                if next < from {
                    return Err(BuiltInLogError::Beyond);
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
                    Err(error) if error.is_of_one_place() => match self.mend(&segment)? {
                        MendOutcome::Replaced => continue 'segments,
                        // A disk may give the next time what it did not give now.
                        MendOutcome::Unchanged if tries < TRIES_MAX => {
                            tries += 1;
                            continue 'segments;
                        }
                        MendOutcome::Unchanged => return Err(error),
                    },
                    Err(error) => return Err(error),
                };
                if from <= frame.offset && !frame.is_hole {
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
    pub(super) fn expire(&self, before: Time, bytes_max: u64) -> Result<(), BuiltInLogError> {
        // What is being mended must not come back under its old name.
        let _one = self.rewrite_lock.lock();
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

/// Records put aside in this folder.
fn damaged_records(folder: &Path) -> Result<u64, BuiltInLogError> {
    let mut records = 0;
    for entry in std::fs::read_dir(folder).map_err(BuiltInLogError::io("list", folder))? {
        let path = entry.map_err(BuiltInLogError::io("list", folder))?.path();
        records += mend::records_aside(&path).unwrap_or(0);
    }
    if 0 < records {
        tracing::warn!(
            folder = %folder.display(), records,
            "{records} records that could not be read any more are kept aside in {}/*.{}, to be looked at or deleted",
            folder.display(), mend::DAMAGED
        );
    }
    Ok(records)
}

/// The segments in a folder, oldest first. What a compaction that did not finish left behind is removed.
fn segment_files(folder: &Path) -> Result<Vec<(i64, PathBuf)>, BuiltInLogError> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(BuiltInLogError::io("list", folder))?;
    for entry in entries {
        let path = entry.map_err(BuiltInLogError::io("list", folder))?.path();
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

fn remove(file: &Path) -> Result<(), BuiltInLogError> {
    std::fs::remove_file(file).map_err(BuiltInLogError::io("remove", file))
}
