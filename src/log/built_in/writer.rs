//! The one thread that writes. All calls that come while it syncs form its next group, which is synced once.
//!
//! After a failed write or fsync no file that was being written is trusted: the operating system may have dropped the bytes it
//! could not write, and the next fsync of that file would succeed without them
//! (<https://wiki.postgresql.org/wiki/Fsync_Errors>). Acknowledged records were synced before and stay. The rest is cut off, and
//! each topic goes on in a new segment. If a group fails there too, its callers get the error, and so do all others until the
//! disk takes a new segment again.

use super::BuiltInLogError;
use super::frame::Content;
use super::segment::Segment;
use super::segment_file::Extent;
use super::topic_dir::TopicDir;
use crate::clock;
use crate::error_chain::chain;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// The most bytes that may wait to be written. Beyond it, callers get [`BuiltInLogError::Full`].
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// A group takes no further call once it has this many bytes, so that its first callers do not wait long.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// Bytes that are gathered for one `write`.
const WRITE_BYTES: usize = 1 << 20;
/// How often a disk that failed is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// Bytes that must be free on a disk that failed before records are accepted again: a group, and the segments it may begin. With
/// less the disk would fail again at once.
const ROOM_BYTES: u64 = 2 * GROUP_BYTES_MAX as u64;

/// Records to be appended in order, and the channel for their offsets.
struct Call {
    /// The index of each record's topic, and the record.
    contents: Vec<(usize, Content)>,
    bytes: usize,
    answer: oneshot::Sender<Result<Vec<i64>, BuiltInLogError>>,
}

/// Calls on their way to the writer.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<QueueState>,
    filled: Condvar,
    /// Groups made durable so far.
    pub(super) groups: AtomicU64,
}

#[derive(Default)]
struct QueueState {
    calls: VecDeque<Call>,
    bytes: usize,
    is_closing: bool,
    /// Why nothing can be written at the moment, if that is so.
    failure: Option<BuiltInLogError>,
}

/// A caller waits on this for the offsets, in the order of its records.
pub(super) type Answer = oneshot::Receiver<Result<Vec<i64>, BuiltInLogError>>;

impl Queue {
    /// Queues records for the topics whose indexes stand with them.
    pub(super) fn push(&self, contents: Vec<(usize, Content)>) -> Result<Answer, BuiltInLogError> {
        let bytes = contents.iter().map(|(_, c)| c.frame_bytes()).sum();
        let mut state = self.state.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.refused());
        }
        if state.is_closing {
            return Err(BuiltInLogError::Closed);
        }
        // An empty queue takes a call larger than the bound, or none ever would.
        if !state.calls.is_empty() && QUEUE_BYTES_MAX < state.bytes.saturating_add(bytes) {
            return Err(BuiltInLogError::Full);
        }
        let (answer, answered) = oneshot::channel();
        state.bytes += bytes;
        state.calls.push_back(Call {
            contents,
            bytes,
            answer,
        });
        drop(state);
        self.filled.notify_one();
        Ok(answered)
    }

    /// Lets the writer finish the queued calls and stop.
    pub(super) fn close(&self) {
        self.state.lock().is_closing = true;
        self.filled.notify_all();
    }

    /// Waits for the next group; none when the queue is closed and empty.
    fn take(&self) -> Option<Vec<Call>> {
        let mut state = self.state.lock();
        while state.calls.is_empty() {
            if state.is_closing {
                return None;
            }
            self.filled.wait(&mut state);
        }
        let mut group = Vec::new();
        let mut bytes = 0;
        while bytes < GROUP_BYTES_MAX
            && let Some(call) = state.calls.pop_front()
        {
            bytes += call.bytes;
            group.push(call);
        }
        state.bytes -= bytes;
        Some(group)
    }

    /// Why nothing can be written at the moment, if that is so.
    pub(super) fn trouble(&self) -> Option<BuiltInLogError> {
        self.state.lock().failure.clone()
    }

    /// Refuses the queued calls, and later ones until [`Queue::accept`].
    fn refuse(&self, failure: &BuiltInLogError) {
        let mut state = self.state.lock();
        state.failure = Some(failure.clone());
        state.bytes = 0;
        let calls = std::mem::take(&mut state.calls);
        drop(state);
        for call in calls {
            let _ = call.answer.send(Err(failure.refused()));
        }
    }

    /// Accepts calls again.
    fn accept(&self) {
        self.state.lock().failure = None;
    }

    /// Waits until a disk that failed is to be tried again; false if the log is being closed.
    fn wait_for_retry(&self) -> bool {
        let mut state = self.state.lock();
        let is_open = |state: &mut QueueState| !state.is_closing;
        self.filled.wait_while_for(&mut state, is_open, RETRY_EVERY);
        !state.is_closing
    }
}

/// Writes groups until the queue is closed. `on_durable` is called after each.
pub(super) fn run(mut tails: [Tail; 3], queue: &Queue, on_durable: impl Fn()) {
    while let Some(group) = queue.take() {
        let committed = commit(&mut tails, &group).or_else(|failure| {
            let reason = chain(&failure);
            tracing::warn!(%reason, "{reason}: writing it again into new files");
            begin_new_segments(&mut tails)?;
            commit(&mut tails, &group)
        });
        match committed {
            Ok(offsets) => {
                queue.groups.fetch_add(1, Ordering::Relaxed);
                on_durable();
                for (call, offsets) in group.into_iter().zip(offsets) {
                    let _ = call.answer.send(Ok(offsets));
                }
            }
            Err(failure) => {
                let reason = chain(&failure);
                tracing::error!(
                    %reason,
                    "{reason}: the log takes no records until it can be written to again; nothing that was acknowledged \
                     is lost"
                );
                queue.refuse(&failure);
                for call in group {
                    let _ = call.answer.send(Err(failure.clone()));
                }
                if !wait_for_disk(&mut tails, queue) {
                    return;
                }
            }
        }
    }
    // The index says how far an orderly end had written, so that the next start can tell damage from a torn tail.
    for tail in &tails {
        tail.segment.write_index();
    }
}

/// Tries the disk until it takes new segments again; false if the log is being closed.
fn wait_for_disk(tails: &mut [Tail; 3], queue: &Queue) -> bool {
    let failed = clock::stopwatch();
    while queue.wait_for_retry() {
        match begin_new_segments(tails) {
            Ok(()) => {
                queue.accept();
                let seconds = failed.elapsed().as_secs();
                tracing::info!(
                    seconds,
                    "the log can be written to again, after {seconds} s"
                );
                return true;
            }
            // Readiness says so. One line in the log is enough.
            Err(failure) => queue.refuse(&failure),
        }
    }
    // Unacknowledged records are cut off as far as the operating system lets us, so that they do not come back.
    for tail in tails {
        tail.roll_back();
    }
    false
}

/// Begins a new segment of each topic after its last durable record, also where nothing failed: a disk that takes three new
/// files takes records.
fn begin_new_segments(tails: &mut [Tail; 3]) -> Result<(), BuiltInLogError> {
    for tail in tails.iter_mut() {
        tail.roll_back();
    }
    for tail in tails.iter_mut() {
        check_room(&tail.topic.path)?;
        tail.roll()?;
    }
    Ok(())
}

/// Checks that a file system has room to go on. One that does not say how much is free is tried.
///
/// Errors: [`BuiltInLogError::NoRoom`].
fn check_room(folder: &Path) -> Result<(), BuiltInLogError> {
    let Ok(room) = rustix::fs::statvfs(folder) else {
        return Ok(());
    };
    let bytes = room.f_bavail.saturating_mul(room.f_frsize);
    if bytes < ROOM_BYTES {
        return Err(BuiltInLogError::NoRoom {
            folder: folder.to_owned(),
            bytes,
            bytes_min: ROOM_BYTES,
        });
    }
    Ok(())
}

/// Writes a group, syncs each file it touched once, and publishes it to readers. It returns the offsets of each call.
fn commit(tails: &mut [Tail; 3], group: &[Call]) -> Result<Vec<Vec<i64>>, BuiltInLogError> {
    let mut all = Vec::with_capacity(group.len());
    for call in group {
        let mut offsets = Vec::with_capacity(call.contents.len());
        for (topic, content) in &call.contents {
            if let Some(tail) = tails.get_mut(*topic) {
                offsets.push(tail.append(content)?);
            }
        }
        all.push(offsets);
    }
    for tail in tails.iter_mut() {
        tail.sync()?;
    }
    for tail in tails.iter_mut() {
        tail.publish();
    }
    Ok(all)
}

/// The growing end of a topic.
pub(super) struct Tail {
    topic: Arc<TopicDir>,
    segment: Arc<Segment>,
    file: File,
    /// A segment is closed once it has this many bytes.
    segment_bytes: u64,
    /// How far the file is written. Of that, `durable_bytes` are durable.
    written: Extent,
    durable_bytes: u64,
    buffer: Vec<u8>,
}

impl Tail {
    /// Goes on at the end of `segment`.
    pub(super) fn new(
        topic: Arc<TopicDir>,
        segment: Arc<Segment>,
        file: File,
        segment_bytes: u64,
    ) -> Tail {
        let written = segment.extent();
        Tail {
            topic,
            segment,
            file,
            segment_bytes,
            durable_bytes: written.bytes,
            written,
            buffer: Vec::new(),
        }
    }

    /// Gives a record its offset, and gathers it for the next write.
    fn append(&mut self, content: &Content) -> Result<i64, BuiltInLogError> {
        let untouched = self.written.bytes == self.durable_bytes;
        if untouched && self.segment_bytes <= self.written.bytes {
            self.roll()?;
        }
        let offset = self.written.next;
        // Segments are shorter than 4 GB: see `Options::segment_bytes`.
        let synced = u32::try_from(self.durable_bytes).unwrap_or(u32::MAX);
        content.encode(offset, synced, &mut self.buffer);
        let base = self.segment.base;
        self.written
            .add(base, offset, content.timestamp, content.frame_bytes());
        if WRITE_BYTES <= self.buffer.len() {
            self.write()?;
        }
        Ok(offset)
    }

    fn write(&mut self) -> Result<(), BuiltInLogError> {
        self.file
            .write_all(&self.buffer)
            .map_err(BuiltInLogError::io("append to", &self.segment.path))?;
        self.buffer.clear();
        Ok(())
    }

    fn sync(&mut self) -> Result<(), BuiltInLogError> {
        if self.written.bytes == self.durable_bytes {
            return Ok(());
        }
        self.write()?;
        self.file
            .sync_data()
            .map_err(BuiltInLogError::io("sync", &self.segment.path))
    }

    fn publish(&mut self) {
        if self.durable_bytes < self.written.bytes {
            self.durable_bytes = self.written.bytes;
            self.segment.grow(&self.written);
        }
    }

    /// Begins the next segment. All of this one is durable. If it has no record, the new file takes its place.
    fn roll(&mut self) -> Result<(), BuiltInLogError> {
        let (segment, file) = Segment::create(&self.topic.path, self.written.next)?;
        let segment = Arc::new(segment);
        let closed = std::mem::replace(&mut self.segment, Arc::clone(&segment));
        self.file = file;
        self.written = segment.extent();
        self.durable_bytes = self.written.bytes;
        let mut segments = self.topic.segments.write();
        if closed.base == segment.base {
            segments.pop();
        } else {
            closed.write_index();
        }
        segments.push(segment);
        Ok(())
    }

    /// Forgets records that are not durable, and cuts them off. If that fails, the next start cuts them off, since a later segment
    /// begins where the durable part of this one ends.
    fn roll_back(&mut self) {
        self.buffer.clear();
        self.written = self.segment.extent();
        self.durable_bytes = self.written.bytes;
        let cut = self.file.set_len(self.durable_bytes);
        if let Err(error) = cut.and_then(|()| self.file.sync_all()) {
            tracing::debug!(%error, "what was not acknowledged could not be cut off: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
