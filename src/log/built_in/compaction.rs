//! Compaction: of each key the newest record stays, where it stands.
//!
//! A removal is a newest record like any other and stays for ever. Kafka forgets it after a day
//! (`delete.retention.ms`), and a reader that was away for longer never hears of it; here a reader may come back from
//! any offset, at about a hundred bytes for each relation that ever was.

use super::BuiltInLogError;
use super::frame;
use super::segment::{Extent, HEADER_BYTES, Segment, UNFINISHED, header, sync_folder};
use super::topic_dir::{MendOutcome, TopicDir};
use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufWriter, Write};
use std::sync::Arc;

/// Keys told apart in one compaction, about 130 MB of memory while it runs. The records of further keys stay as they
/// are: space is lost, nothing else.
const KEYS_MAX: usize = 2_000_000;

/// Rewrites each closed segment that is more than half stale.
pub(super) fn compact(folder: &TopicDir) -> Result<(), BuiltInLogError> {
    let segments = folder.segments.read().clone();
    let Some((_, closed @ [_, ..])) = segments.split_last() else {
        return Ok(());
    };
    let mut newest = NewestOffsets::default();
    for segment in &segments {
        let Some(mut frames) = folder.frames(segment)? else {
            return Ok(());
        };
        loop {
            match frames.next_durable() {
                Ok(Some(frame)) => newest.add(frame.key, frame.offset),
                Ok(None) => break,
                Err(error) if error.is_of_one_place() => match folder.mend(segment)? {
                    // With what is left of it the next time.
                    MendOutcome::Replaced => return Ok(()),
                    MendOutcome::Unchanged => return Err(error),
                },
                Err(error) => return Err(error),
            }
        }
    }
    for segment in closed {
        let mut stale_bytes = 0_u64;
        let Some(mut frames) = folder.frames(segment)? else {
            return Ok(());
        };
        while let Some(frame) = frames.next_durable()? {
            if !newest.is_newest(frame.key, frame.offset) {
                stale_bytes += frame.raw.len() as u64;
            }
        }
        if segment.bytes() - HEADER_BYTES < stale_bytes * 2 {
            rewrite(folder, segment, &newest)?;
        }
    }
    Ok(())
}

/// Writes what stays beside the old file, durably, then puts it in the old one's place. A crash before the rename
/// leaves the old file and a leftover, one after it the new file: both say the same.
fn rewrite(
    folder: &TopicDir,
    old: &Arc<Segment>,
    newest: &NewestOffsets,
) -> Result<(), BuiltInLogError> {
    let _one = folder.rewrite_lock.lock();
    if !folder.segments.read().iter().any(|it| Arc::ptr_eq(it, old)) {
        // It has been mended meanwhile.
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
    // Every segment reaches up to the next: one that does not has been cut short, and that is missed.
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
        let mut segments = folder.segments.write();
        std::fs::rename(&path, &old.path).map_err(failed("rename"))?;
        for segment in segments
            .iter_mut()
            .filter(|segment| Arc::ptr_eq(segment, old))
        {
            *segment = Arc::clone(&new);
        }
    }
    sync_folder(&folder.path)?;
    new.write_index();
    tracing::info!(
        file = %old.path.display(), before_bytes, after_bytes,
        "compacted a part of the log from {before_bytes} to {after_bytes} bytes"
    );
    Ok(())
}

/// The newest offset of each key. A key is held as 128 bits of two keyed hashes: remote ids are part of keys, and
/// nobody outside can make two of them meet.
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
