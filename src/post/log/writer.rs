//! The one thread that writes. Everybody who waits while it syncs is in its next group, which is synced once.

use super::LogError;
use super::folder::Folder;
use super::frame::Content;
use super::segment::{Extent, Segment};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::oneshot;

/// What may wait to be written, in bytes; beyond it, callers are told [`LogError::Full`].
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// A group takes no further call once it has this many bytes, so that the first in it do not wait long.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// Bytes gathered for one `write`.
const WRITE_BYTES: usize = 1 << 20;

/// Records to be appended in order, and who waits for their offsets.
struct Call {
    /// Which folder, and what.
    contents: Vec<(usize, Content)>,
    bytes: usize,
    answer: oneshot::Sender<Result<Vec<i64>, LogError>>,
}

/// Calls on their way to the writer.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    /// Groups made durable so far.
    pub(super) groups: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    calls: VecDeque<Call>,
    bytes: usize,
    closing: bool,
    /// The first failure: after it nothing is written.
    broken: Option<LogError>,
}

/// What a caller waits on: the offsets, in the order of the records.
pub(super) type Answer = oneshot::Receiver<Result<Vec<i64>, LogError>>;

impl Queue {
    /// Queues records for the folders they name.
    pub(super) fn push(&self, contents: Vec<(usize, Content)>) -> Result<Answer, LogError> {
        let bytes = contents.iter().map(|(_, c)| c.frame_bytes()).sum();
        let mut waiting = self.waiting.lock();
        if let Some(because) = &waiting.broken {
            return Err(because.refused());
        }
        if waiting.closing {
            return Err(LogError::Closed);
        }
        // A call larger than the bound is taken by an empty queue, or it never would be.
        if !waiting.calls.is_empty() && QUEUE_BYTES_MAX < waiting.bytes.saturating_add(bytes) {
            return Err(LogError::Full);
        }
        let (answer, answered) = oneshot::channel();
        waiting.bytes += bytes;
        waiting.calls.push_back(Call {
            contents,
            bytes,
            answer,
        });
        drop(waiting);
        self.filled.notify_one();
        Ok(answered)
    }

    /// Lets the writer finish what is queued and stop.
    pub(super) fn close(&self) {
        self.waiting.lock().closing = true;
        self.filled.notify_all();
    }

    /// The next group; none when closed and empty.
    fn take(&self) -> Option<Vec<Call>> {
        let mut waiting = self.waiting.lock();
        while waiting.calls.is_empty() {
            if waiting.closing {
                return None;
            }
            self.filled.wait(&mut waiting);
        }
        let mut group = Vec::new();
        let mut bytes = 0;
        while bytes < GROUP_BYTES_MAX
            && let Some(call) = waiting.calls.pop_front()
        {
            bytes += call.bytes;
            group.push(call);
        }
        waiting.bytes -= bytes;
        Some(group)
    }

    /// Refuses everything queued and to come.
    fn fail(&self, because: &LogError) {
        let mut waiting = self.waiting.lock();
        waiting.broken = Some(because.clone());
        waiting.bytes = 0;
        let calls = std::mem::take(&mut waiting.calls);
        drop(waiting);
        for call in calls {
            let _ = call.answer.send(Err(because.refused()));
        }
    }
}

/// Writes groups until the queue is closed. `durable` is told after each.
pub(super) fn run(mut tails: [Tail; 3], queue: &Queue, durable: impl Fn()) {
    while let Some(group) = queue.take() {
        match commit(&mut tails, &group) {
            Ok(offsets) => {
                queue.groups.fetch_add(1, Ordering::Relaxed);
                durable();
                for (call, offsets) in group.into_iter().zip(offsets) {
                    let _ = call.answer.send(Ok(offsets));
                }
            }
            Err(because) => {
                // After a failed fsync the machine may have dropped what it could not write, and the next fsync would
                // succeed without it: nothing is certain until the files have been read again.
                tracing::error!(error = %because, "the log takes no more records until the service is restarted");
                for tail in &tails {
                    tail.take_back();
                }
                queue.fail(&because);
                for call in group {
                    let _ = call.answer.send(Err(because.clone()));
                }
            }
        }
    }
}

/// Writes a group, syncs each file it touched once, and shows it to readers.
fn commit(tails: &mut [Tail; 3], group: &[Call]) -> Result<Vec<Vec<i64>>, LogError> {
    let mut all = Vec::with_capacity(group.len());
    for call in group {
        let mut offsets = Vec::with_capacity(call.contents.len());
        for (folder, content) in &call.contents {
            if let Some(tail) = tails.get_mut(*folder) {
                offsets.push(tail.append(content)?);
            }
        }
        all.push(offsets);
    }
    for tail in tails.iter_mut() {
        tail.sync()?;
    }
    for tail in tails.iter_mut() {
        tail.show();
    }
    Ok(all)
}

/// The growing end of a topic.
pub(super) struct Tail {
    folder: Arc<Folder>,
    segment: Arc<Segment>,
    file: File,
    /// A segment is closed once it is this long.
    segment_bytes: u64,
    /// What is written, and what of it is durable.
    written: Extent,
    durable_bytes: u64,
    buffer: Vec<u8>,
}

impl Tail {
    /// Goes on after what is in `segment`.
    pub(super) fn new(
        folder: Arc<Folder>,
        segment: Arc<Segment>,
        file: File,
        segment_bytes: u64,
    ) -> Tail {
        let written = segment.extent();
        Tail {
            folder,
            segment,
            file,
            segment_bytes,
            durable_bytes: written.bytes,
            written,
            buffer: Vec::new(),
        }
    }

    /// Gives a record its offset and writes it, or gathers it for the next write.
    fn append(&mut self, content: &Content) -> Result<i64, LogError> {
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

    fn write(&mut self) -> Result<(), LogError> {
        self.file
            .write_all(&self.buffer)
            .map_err(LogError::io("append to", &self.segment.path))?;
        self.buffer.clear();
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LogError> {
        if self.written.bytes == self.durable_bytes {
            return Ok(());
        }
        self.write()?;
        self.file
            .sync_data()
            .map_err(LogError::io("sync", &self.segment.path))
    }

    fn show(&mut self) {
        if self.durable_bytes < self.written.bytes {
            self.durable_bytes = self.written.bytes;
            self.segment.grow(&self.written);
        }
    }

    /// Begins the next segment. All of this one is durable.
    fn roll(&mut self) -> Result<(), LogError> {
        let (segment, file) = Segment::create(&self.folder.path, self.written.next)?;
        let segment = Arc::new(segment);
        let closed = std::mem::replace(&mut self.segment, Arc::clone(&segment));
        self.file = file;
        self.written = segment.extent();
        self.durable_bytes = self.written.bytes;
        closed.write_index();
        self.folder.segments.write().push(segment);
        Ok(())
    }

    /// Removes, as far as the machine lets us, what nobody was told is kept, so that it does not come back.
    fn take_back(&self) {
        let _ = self.file.set_len(self.durable_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::Gaps;
    use super::*;
    use crate::post::record::Topic;

    fn content() -> (usize, Content) {
        let content = Content {
            timestamp: None,
            key: None,
            value: Some(vec![7; 10]),
            headers: Vec::new(),
        };
        (0, content)
    }

    fn tails(path: &std::path::Path) -> [Tail; 3] {
        ["a", "b", "c"].map(|name| {
            let (folder, segment, file) = Folder::open(path.join(name), Gaps::Refused).unwrap();
            Tail::new(Arc::new(folder), segment, file, 1 << 20)
        })
    }

    /// If this fails, a record may be acknowledged after the disk has lost one before it.
    #[test]
    fn after_a_failed_write_nothing_is_taken_until_reopened() {
        let path = tempfile::tempdir().unwrap();
        let mut broken = tails(path.path());
        let kept = Queue::default();
        let answer = kept.push(vec![content()]).unwrap();
        kept.close();
        let [first, second, third] = &mut broken;
        let group = kept.take().unwrap();
        let all = [first, second, third].map(|tail| tail.append(&group[0].contents[0].1).unwrap());
        assert_eq!(all, [0, 0, 0]);
        for tail in &mut broken {
            tail.sync().unwrap();
            tail.show();
        }
        drop(answer);

        // A file that can only be read stands for a disk that cannot be written. It is the second of the group: what
        // was written to the first is taken back.
        broken[1].file = File::open(&broken[1].segment.path).unwrap();
        let folder = Arc::clone(&broken[0].folder);
        let queue = Queue::default();
        let mut one = queue.push(vec![content()]).unwrap();
        let mut other = queue.push(vec![(1, content().1)]).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| run(broken, &queue, || {}));
            while !queue.waiting.lock().calls.is_empty() {
                std::thread::yield_now();
            }
            queue.close();
            writer.join().unwrap();
        });
        assert!(matches!(one.try_recv(), Ok(Err(LogError::Io { .. }))));
        assert!(matches!(other.try_recv(), Ok(Err(LogError::Io { .. }))));
        let refused = queue.push(vec![content()]);
        assert!(matches!(refused, Err(LogError::Refused { .. })));
        let read = folder.read(Topic::Activities, 0, 9, 999).unwrap();
        assert_eq!(read.len(), 1);

        drop(folder);
        let [first, second, _] = tails(path.path());
        assert_eq!((first.written.next, second.written.next), (1, 1));
    }

    #[test]
    fn a_full_queue_says_so_and_an_empty_one_takes_any_call() {
        let queue = Queue::default();
        let large = |bytes| {
            let mut large = content();
            large.1.value = Some(vec![0; bytes]);
            queue.push(vec![large])
        };
        let _first = large(QUEUE_BYTES_MAX + 1).unwrap();
        assert!(matches!(large(1), Err(LogError::Full)));
        assert_eq!(queue.take().unwrap().len(), 1);
        assert!(large(1).is_ok());
    }

    #[test]
    fn a_group_has_a_bound() {
        let queue = Queue::default();
        let large = || {
            let mut large = content();
            large.1.value = Some(vec![0; GROUP_BYTES_MAX / 2]);
            queue.push(vec![large]).unwrap()
        };
        let _answers = [large(), large(), large()];
        assert_eq!(queue.take().unwrap().len(), 2);
        assert_eq!(queue.take().unwrap().len(), 1);
    }
}
