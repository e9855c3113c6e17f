//! One topic on disk: a directory of segments, the last of which grows.

use super::frame::Frame;
use super::frame_reader::FrameReader;
use super::mend::{self, ExpectedEnd, Inspection};
use super::segment::{LastSegment, Segment};
use super::segment_file::{UNFINISHED, sync_folder};
use super::{Bounds, BuiltInLogError, create_folder};
use parking_lot::{Mutex, RwLock};
use slackwater_engine::record::{Position, Record, Topic};
use slackwater_order::time::Time;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often an unreadable place is read again when no damage is found in it.
const TRIES_MAX: usize = 2;

/// The segments of a topic.
pub(super) struct TopicDir {
    pub(super) path: PathBuf,
    /// Oldest first, and never empty. Files are opened, renamed and removed with this lock held, so that a reader never uses the
    /// index of one file on another.
    pub(super) segments: RwLock<Vec<Arc<Segment>>>,
    /// Held while a closed segment is rewritten or removed, one at a time. It is locked before `segments`.
    pub(super) rewrite_lock: Mutex<()>,
    /// Records whose bytes were put aside, in files that were there at the start or were added since.
    damaged: AtomicU64,
}

/// How mending a segment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MendOutcome {
    /// Another segment is in its place, or none: the caller looks it up again.
    Replaced,
    /// The segment stays as it is: no damage is found in it, or it is the last.
    Unchanged,
}

/// Whether offsets may be missing between two segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gaps {
    /// Gaps are left by compaction.
    Allowed,
    /// A gap means that a file is missing.
    Refused,
}

impl TopicDir {
    /// Opens or creates the directory, and opens the last segment for appending.
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
                        // If the mended segment has no offset left, the new file has taken its name.
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
        let topic = TopicDir {
            damaged: AtomicU64::new(damaged_records(&path)?),
            path,
            segments: RwLock::new(segments),
            rewrite_lock: Mutex::default(),
        };
        Ok((topic, last, file))
    }

    /// Records whose bytes were put aside.
    pub(super) fn damaged_records(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Mends a closed segment that has been found damaged.
    pub(super) fn mend(&self, damaged: &Arc<Segment>) -> Result<MendOutcome, BuiltInLogError> {
        let _rewriting = self.rewrite_lock.lock();
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

    /// Reads a segment from its beginning; none if another has taken its place.
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

    /// The offsets that can be read.
    pub(super) fn bounds(&self) -> Bounds {
        bounds(&self.segments.read())
    }

    /// Reads records from offset `from` on, as `BuiltInLog::read` says.
    pub(super) fn read(
        &self,
        topic: Topic,
        from: i64,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Record>, BuiltInLogError> {
        self.read_as(from, records_max, bytes_max, |frame| {
            frame.record(Position {
                topic,
                partition: 0,
                offset: frame.offset,
            })
        })
    }

    /// As [`TopicDir::read`], with each record as `value` makes it of its frame.
    pub(super) fn read_as<T>(
        &self,
        from: i64,
        records_max: usize,
        bytes_max: usize,
        value: impl Fn(&Frame<'_>) -> T,
    ) -> Result<Vec<T>, BuiltInLogError> {
        let mut records = Vec::new();
        // The offset of the last of them.
        let mut last = None;
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
                    // The records before the damage are returned first, and the next call meets the damage.
                    Err(_) if !records.is_empty() => return Ok(records),
                    Err(error) if error.is_of_one_place() => match self.mend(&segment)? {
                        MendOutcome::Replaced => continue 'segments,
                        // A disk may give the bytes at the next try.
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
                        segment.remember_stop(frame.offset, at);
                        return Ok(records);
                    }
                    bytes += frame.raw.len();
                    last = Some(frame.offset);
                    records.push(value(&frame));
                }
                at = frames.at();
            }
            match following {
                Some(following) => from = following,
                None => {
                    if let Some(last) = last {
                        segment.remember_stop(last + 1, at);
                    }
                    return Ok(records);
                }
            }
        }
    }

    /// Removes closed segments, oldest first, whose newest record is older than `before`, or while all are more than
    /// `bytes_max`.
    pub(super) fn expire(&self, before: Time, bytes_max: u64) -> Result<(), BuiltInLogError> {
        // A segment that is being mended must not come back under its old name after it was removed.
        let _rewriting = self.rewrite_lock.lock();
        loop {
            let (expired, too_old) = {
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
            let _ = std::fs::remove_file(expired.path.with_extension("index"));
            // Each removal is durable before the next. Otherwise a power cut could bring back this file without the next one,
            // and the log would have a gap.
            sync_folder(&self.path)?;
            let why = if too_old { "age" } else { "size" };
            tracing::info!(file = %expired.path.display(), why, "removed a part of the log, for its {why}");
        }
    }
}

fn bounds(segments: &[Arc<Segment>]) -> Bounds {
    Bounds {
        first: segments.first().map_or(0, |segment| segment.base),
        next: segments.last().map_or(0, |segment| segment.next()),
    }
}

/// Records whose bytes were put aside in this directory.
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

/// The segments in a directory, oldest first. Files that an unfinished compaction left behind are removed.
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
