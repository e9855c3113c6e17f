//! Compaction: the newest record of each key stays, at its offset.
//!
//! A removal is a newest record like any other and stays for ever. Kafka forgets it after a day (`delete.retention.ms`), and a
//! reader that was away for longer never gets it. Here a reader may come back from any offset, at the cost of about a hundred
//! bytes for each relation that ever was.

use super::BuiltInLogError;
use super::frame;
use super::segment::Segment;
use super::segment_file::{Extent, HEADER_BYTES, UNFINISHED, header, sync_folder};
use super::topic_dir::{MendOutcome, TopicDir};
use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufWriter, Write};
use std::sync::Arc;

/// The most keys that one compaction tells apart, in about 130 MB of memory while it runs. The records of further keys stay as
/// they are, which costs space and nothing else.
const KEYS_MAX: usize = 2_000_000;

/// Rewrites each closed segment that is more than half stale.
pub(super) fn compact(topic: &TopicDir) -> Result<(), BuiltInLogError> {
    let segments = topic.segments.read().clone();
    let Some((_, closed @ [_, ..])) = segments.split_last() else {
        return Ok(());
    };
    let mut newest = NewestOffsets::default();
    for segment in &segments {
        let Some(mut frames) = topic.frames(segment)? else {
            return Ok(());
        };
        loop {
            match frames.next_durable() {
                Ok(Some(frame)) => newest.add(frame.key, frame.offset),
                Ok(None) => break,
                Err(error) if error.is_of_one_place() => match topic.mend(segment)? {
                    // The next compaction works on the segment that has taken its place.
                    MendOutcome::Replaced => return Ok(()),
                    MendOutcome::Unchanged => return Err(error),
                },
                Err(error) => return Err(error),
            }
        }
    }
    for segment in closed {
        let mut stale_bytes = 0_u64;
        let Some(mut frames) = topic.frames(segment)? else {
            return Ok(());
        };
        while let Some(frame) = frames.next_durable()? {
            if !newest.is_newest(frame.key, frame.offset) {
                stale_bytes += frame.raw.len() as u64;
            }
        }
        if segment.bytes() - HEADER_BYTES < stale_bytes * 2 {
            rewrite(topic, segment, &newest)?;
        }
    }
    Ok(())
}

/// Writes the records that stay to a file beside the old one, durably, then renames it to the old one's name. A crash before the
/// rename leaves the old file and a leftover, and a crash after it the new file. Both hold the newest record of each key.
fn rewrite(
    topic: &TopicDir,
    old: &Arc<Segment>,
    newest: &NewestOffsets,
) -> Result<(), BuiltInLogError> {
    let _rewriting = topic.rewrite_lock.lock();
    if !topic.segments.read().iter().any(|it| Arc::ptr_eq(it, old)) {
        // The segment has been mended meanwhile, and another is in its place.
        return Ok(());
    }
    let path = old.path.with_extension(UNFINISHED);
    let failed = |doing| BuiltInLogError::io(doing, &path);
    let mut file = BufWriter::new(File::create(&path).map_err(failed("create"))?);
    file.write_all(&header(old.base)).map_err(failed("write"))?;
    let mut extent = Extent::empty(old.base);
    let mut frames = old.frames(old.base)?;
    while let Some(frame) = frames.next_durable()? {
        if newest.is_newest(frame.key, frame.offset) {
            file.write_all(frame.raw).map_err(failed("write"))?;
            extent.add(old.base, frame.offset, frame.timestamp, frame.raw.len());
        }
    }
    // Every segment must reach the next one, or it counts as cut short. A hole fills the gap at the end.
    if extent.next < old.next() {
        let mut hole = Vec::new();
        frame::encode_hole(old.next() - 1, &mut hole);
        file.write_all(&hole).map_err(failed("write"))?;
        extent.add(old.base, old.next() - 1, None, hole.len());
    }
    let file = file
        .into_inner()
        .map_err(|error| BuiltInLogError::io("write", &path)(error.into_error()))?;
    file.sync_all().map_err(failed("sync"))?;

    let (before_bytes, after_bytes) = (old.bytes(), extent.bytes);
    let new = Arc::new(Segment::of(old.path.clone(), old.base, extent));
    {
        let mut segments = topic.segments.write();
        std::fs::rename(&path, &old.path).map_err(failed("rename"))?;
        for segment in segments
            .iter_mut()
            .filter(|segment| Arc::ptr_eq(segment, old))
        {
            *segment = Arc::clone(&new);
        }
    }
    sync_folder(&topic.path)?;
    new.write_index();
    tracing::info!(
        file = %old.path.display(), before_bytes, after_bytes,
        "compacted a part of the log from {before_bytes} to {after_bytes} bytes"
    );
    Ok(())
}

/// The newest offset of each key. A key is held as 128 bits of two keyed hashes: remote ids are part of keys, and nobody
/// outside can choose two that collide.
#[derive(Default)]
struct NewestOffsets {
    hashers: (RandomState, RandomState),
    offsets: HashMap<(u64, u64), i64>,
}

impl NewestOffsets {
    fn add(&mut self, key: Option<&[u8]>, offset: i64) {
        let Some(key) = key else { return };
        let key = self.hash(key);
        if self.offsets.len() < KEYS_MAX || self.offsets.contains_key(&key) {
            self.offsets.insert(key, offset);
        }
    }

    fn is_newest(&self, key: Option<&[u8]>, offset: i64) -> bool {
        let newest = key.and_then(|key| self.offsets.get(&self.hash(key)));
        newest.is_none_or(|newest| *newest <= offset)
    }

    fn hash(&self, key: &[u8]) -> (u64, u64) {
        (self.hashers.0.hash_one(key), self.hashers.1.hash_one(key))
    }
}
