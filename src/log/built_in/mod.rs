//! The built-in log, for instances without Kafka: three topics in a folder, durable before it answers.
//!
//! ```text
//! <path>/lock
//! <path>/activities|relationships|dead-letters/<first offset>.log     frames: see `frame`
//!                                             /<first offset>.index   of a closed segment; written again if missing
//!                                             /….damaged              what cannot be read any more: see `mend`
//! ```
//!
//! - One thread writes. All callers that wait while it syncs share the next fsync (`writer`).
//! - Readers open files of their own and see only what is durable (`topic_dir`, `segment`, `frame_reader`).
//! - A disk that is full or fails is tried again every second. Meanwhile no record is accepted (`writer`).
//! - A tail that a crash left half written is cut off with a log line. Any other bytes that cannot be read are put aside and
//!   counted, and the records behind them keep their offsets (`mend`), also where the disk does not give them (`salvage`).
//! - Activities expire by age and size, a whole segment at a time. Relationships are compacted (`compaction`).
//! - Records and dead letters can be read without opening the log (`offline_reader`, `offline_letters`).
//!
//! Why our own files: of the libraries looked at in November 2026 none lets a compacted log keep its offsets, and each
//! lacks more. okaywal 0.3 is drained by checkpoints; commitlog 0.2 never calls fsync and trusts its tail; walrus 0.2
//! syncs on a timer or once a record; wal-db 1.1 reads the whole log at start; open-wal 0.2, the nearest, has one owner
//! for reading and writing and finds no offset without reading all before it; raft-engine 0.4 is for Raft groups, with
//! thirty dependencies; spacetimedb-commitlog is not under an open licence.

mod compaction;
mod durable_times;
mod error;
mod frame;
mod frame_reader;
mod letters;
mod mend;
mod offline_letters;
mod offline_reader;
mod salvage;
mod segment;
mod segment_file;
#[cfg(test)]
mod tests;
mod topic_dir;
mod writer;

pub use error::BuiltInLogError;
pub(super) use offline_letters::OfflineLetters;
pub use offline_reader::{newest_activity, read_records, topic_bytes};

use super::dead_letters::letter;
use crate::clock;
use durable_times::DurableTimes;
use frame::{BODY_BYTES_MAX, Content, HEAD_BYTES};
use parking_lot::{Condvar, Mutex};
use slackwater_engine::record::{NewRecord, Position, Record, Topic};
use slackwater_order::time::Time;
use std::fs::{File, TryLockError};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use topic_dir::{Gaps, TopicDir};
use writer::{Queue, Tail};

/// The index of the third topic, after those of [`Topic::ALL`].
const DEAD_LETTERS: usize = 2;
/// The longest segment, so that a place in it fits 32 bits.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// Dead letters kept, in bytes: a flood of bad records pushes out the oldest.
const DEAD_LETTERS_BYTES_MAX: u64 = 1 << 30;

/// Where the log is and how much it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The folder of the log, which is created if missing.
    pub path: PathBuf,
    /// How long activities and dead letters are kept, in log time.
    pub activities_keep: Duration,
    /// The most bytes of activities that are kept on disk.
    pub activities_bytes_max: u64,
    /// Bytes of a file before the next one begins, at most 1 GiB. A file expires as a whole.
    pub segment_bytes: u64,
}

impl Options {
    /// The defaults, in this folder.
    pub fn at(path: impl Into<PathBuf>) -> Options {
        Options {
            path: path.into(),
            activities_keep: Duration::from_secs(30 * 24 * 60 * 60),
            activities_bytes_max: 50_000_000_000,
            segment_bytes: 64 << 20,
        }
    }
}

/// Which offsets of a topic can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first offset that is kept, or would be if compaction had not removed it.
    pub first: i64,
    /// The next offset to be written. Every record before it is durable.
    pub next: i64,
}

/// An open log. Clones are the same log. It is closed by [`BuiltInLog::close`], or when the last clone is dropped.
#[derive(Clone)]
pub struct BuiltInLog(Arc<OpenLog>);

struct OpenLog {
    options: Options,
    /// Activities, relationships, dead letters.
    topics: [Arc<TopicDir>; 3],
    queue: Arc<Queue>,
    signal: Arc<AppendSignal>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// The lock on the folder. The mutex is held while old segments are removed or rewritten.
    lock: Mutex<FolderLock>,
}

/// The file lock that keeps other processes out of the folder.
struct FolderLock {
    file: File,
    is_held: bool,
}

/// Wakes readers that wait for new records.
#[derive(Default)]
struct AppendSignal {
    state: Mutex<AppendState>,
    changed: Condvar,
}

#[derive(Default)]
struct AppendState {
    next: [i64; 2],
    /// When records of each topic became durable that were not taken yet.
    durable: [DurableTimes; 2],
    is_closed: bool,
}

impl BuiltInLog {
    /// Opens or creates a log. A torn tail is cut off with a log line, and damaged bytes are put aside. Errors: the folder is
    /// in use or cannot be used, or a file in it is missing.
    pub fn open(options: Options) -> Result<BuiltInLog, BuiltInLogError> {
        let path = &options.path;
        create_folder(path)?;
        let lock = lock(path)?;
        let segment_bytes = options.segment_bytes.min(SEGMENT_BYTES_MAX);
        let open = |name: &str, gaps| {
            let (topic, segment, file) = TopicDir::open(path.join(name), gaps)?;
            let topic = Arc::new(topic);
            let tail = Tail::new(Arc::clone(&topic), segment, file, segment_bytes);
            Ok((topic, tail))
        };
        let (activities, activities_tail) = open(Topic::Activities.name(), Gaps::Refused)?;
        let (relationships, relationships_tail) = open(Topic::Relationships.name(), Gaps::Allowed)?;
        let (dead_letters, dead_letters_tail) = open("dead-letters", Gaps::Refused)?;

        segment_file::sync_folder(path)?;

        let queue = Arc::new(Queue::default());
        let signal = Arc::new(AppendSignal::default());
        let newest = {
            let topics = [Arc::clone(&activities), Arc::clone(&relationships)];
            let signal = Arc::clone(&signal);
            move || {
                let (next, now) = (
                    topics.each_ref().map(|topic| topic.bounds().next),
                    clock::stopwatch(),
                );
                let mut state = signal.state.lock();
                state.next = next;
                for (durable, next) in state.durable.iter_mut().zip(next) {
                    durable.note(next, now);
                }
                drop(state);
                signal.changed.notify_all();
            }
        };
        newest();
        let writer = {
            let queue = Arc::clone(&queue);
            let tails = [activities_tail, relationships_tail, dead_letters_tail];
            std::thread::Builder::new()
                .name("log-writer".to_owned())
                .spawn(move || writer::run(tails, &queue, newest))
                .map_err(BuiltInLogError::io("start a thread for", path))?
        };
        Ok(BuiltInLog(Arc::new(OpenLog {
            topics: [activities, relationships, dead_letters],
            queue,
            signal,
            writer: Mutex::new(Some(writer)),
            lock: Mutex::new(FolderLock {
                file: lock,
                is_held: true,
            }),
            options,
        })))
    }

    /// Appends records. They are durable, in this order, when it returns their positions. Callers share one fsync. A caller that
    /// stops waiting does not take its records back.
    ///
    /// After an error none of the records may be relied on. Errors: [`BuiltInLogError::Full`] and [`BuiltInLogError::TooLarge`]
    /// before anything was written. After a write or fsync failed twice, [`BuiltInLogError::Refused`] until the disk takes records
    /// again.
    pub async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Position>, BuiltInLogError> {
        let topics: Vec<Topic> = records.iter().map(|record| record.topic).collect();
        let contents = records
            .into_iter()
            .map(|record| (topic_index(record.topic), Content::from(record)));
        let offsets = self.write(contents.collect()).await?;
        let positions = topics
            .into_iter()
            .zip(offsets)
            .map(|(topic, offset)| Position {
                topic,
                partition: 0,
                offset,
            });
        Ok(positions.collect())
    }

    /// Keeps a record that could not be used, unchanged, with headers that say why and where it stood. It is durable when this
    /// returns.
    pub async fn dead_letter(&self, record: &Record, reason: &str) -> Result<(), BuiltInLogError> {
        let Position {
            topic,
            partition,
            offset,
        } = record.position;
        let mut headers = record.headers.clone();
        let of_letter = [
            reason.to_owned(),
            topic.name().to_owned(),
            partition.to_string(),
            offset.to_string(),
        ];
        let names = letter::HEADERS.map(str::to_owned);
        headers.extend(names.into_iter().zip(of_letter.map(String::into_bytes)));
        let content = Content {
            timestamp: record.timestamp,
            key: record.key.clone(),
            value: record.value.clone(),
            headers,
        };
        self.write(vec![(DEAD_LETTERS, content)]).await.map(drop)
    }

    /// The dead letters, to be read.
    pub(super) fn letters(&self) -> letters::Letters {
        let [_, _, dead_letters] = &self.0.topics;
        letters::Letters {
            topic: Arc::clone(dead_letters),
        }
    }

    /// The offsets of a topic that can be read. All of them are durable.
    pub fn bounds(&self, topic: Topic) -> Bounds {
        self.topic(topic).bounds()
    }

    /// Reads records from offset `from` on, up to `records_max` and `bytes_max` (bytes on disk), but at least one if there is one.
    /// It returns none at the end, and where every record up to the end was damaged, and never one that is not durable. Damage
    /// in a closed segment is mended on the way.
    ///
    /// Errors: [`BuiltInLogError::Gone`] below the first offset, [`BuiltInLogError::Beyond`] above the next one,
    /// [`BuiltInLogError::Damaged`] and [`BuiltInLogError::NotGiven`] in the last segment, [`BuiltInLogError::Unreadable`] where
    /// a disk gives too little.
    pub fn read(
        &self,
        topic: Topic,
        from: i64,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Record>, BuiltInLogError> {
        self.topic(topic).read(topic, from, records_max, bytes_max)
    }

    /// Blocks until there is a durable record at or beyond the offsets `seen` (the next ones of each topic, in the
    /// order of [`Topic::ALL`]), until `timeout`, or until the log is closed.
    pub fn wait(&self, seen: [i64; 2], timeout: Duration) {
        let signal = &self.0.signal;
        let has_nothing_new = |state: &mut AppendState| {
            let mut pairs = state.next.iter().zip(&seen);
            !state.is_closed && pairs.all(|(next, seen)| next <= seen)
        };
        signal
            .changed
            .wait_while_for(&mut signal.state.lock(), has_nothing_new, timeout);
    }

    /// When the records of a topic at these offsets became durable, and how many did so together: of those that did since the log
    /// was opened. To be asked once for each, in their order.
    pub fn durable_since(&self, topic: Topic, offsets: Range<i64>) -> Vec<(Instant, u64)> {
        let mut state = self.0.signal.state.lock();
        let durable = state.durable.get_mut(topic_index(topic));
        durable.map_or_else(Vec::new, |durable| durable.take(offsets))
    }

    /// Removes closed segments that are too old or too many: of activities by the options, of dead letters by the same age and a
    /// size of their own. `log_time` is the newest time of arrival that was read.
    pub fn expire(&self, log_time: Time) -> Result<(), BuiltInLogError> {
        let lock = self.0.lock.lock();
        if !lock.is_held {
            return Err(BuiltInLogError::Closed);
        }
        let before = log_time.minus(self.0.options.activities_keep);
        let [activities, _, dead_letters] = &self.0.topics;
        activities.expire(before, self.0.options.activities_bytes_max)?;
        dead_letters.expire(before, DEAD_LETTERS_BYTES_MAX)
    }

    /// Rewrites closed segments of the relationships of which more than half is stale, so that only the newest record of each key
    /// stays, at its offset. A removal stays too, for ever. It may be killed at any moment. It reads all of the topic: call it
    /// once an hour or less, on a thread that may block.
    pub fn compact(&self) -> Result<(), BuiltInLogError> {
        let lock = self.0.lock.lock();
        if !lock.is_held {
            return Err(BuiltInLogError::Closed);
        }
        compaction::compact(self.topic(Topic::Relationships))
    }

    /// Records that could not be read any more, and whose bytes were put aside in files that are still there.
    pub fn damaged_records(&self) -> u64 {
        let topics = self.0.topics.iter();
        topics.map(|topic| topic.damaged_records()).sum()
    }

    /// Why nothing can be written at the moment, if that is so. Meanwhile appends are refused. It passes by itself when the disk
    /// has room again, or works again.
    pub fn trouble(&self) -> Option<BuiltInLogError> {
        self.0.queue.trouble()
    }

    /// How many groups of appends have been made durable. Appends divided by this is how many share an fsync.
    pub fn groups(&self) -> u64 {
        self.0.queue.groups.load(Ordering::Relaxed)
    }

    /// Writes the queued records, then unlocks the folder. It blocks until that is done. Later appends get
    /// [`BuiltInLogError::Closed`].
    pub fn close(&self) {
        self.0.close();
    }

    async fn write(&self, contents: Vec<(usize, Content)>) -> Result<Vec<i64>, BuiltInLogError> {
        let lengths = contents.iter().map(|(_, content)| content.frame_bytes());
        match lengths.max() {
            None => return Ok(Vec::new()),
            Some(bytes) if HEAD_BYTES + BODY_BYTES_MAX < bytes => {
                return Err(BuiltInLogError::TooLarge { bytes });
            }
            Some(_) => {}
        }
        let answer = self.0.queue.push(contents)?;
        answer.await.unwrap_or(Err(BuiltInLogError::Closed))
    }

    fn topic(&self, topic: Topic) -> &TopicDir {
        let [activities, relationships, _] = &self.0.topics;
        match topic {
            Topic::Activities => activities,
            Topic::Relationships => relationships,
        }
    }
}

impl OpenLog {
    fn close(&self) {
        self.queue.close();
        {
            // This lock is held until the writer has ended, so that a second caller does not unlock the folder before.
            let mut writer = self.writer.lock();
            if let Some(writer) = writer.take()
                && writer.join().is_err()
            {
                tracing::error!("the log's writer has panicked");
            }
        }
        self.signal.state.lock().is_closed = true;
        self.signal.changed.notify_all();
        let mut lock = self.lock.lock();
        if std::mem::take(&mut lock.is_held)
            && let Err(error) = lock.file.unlock()
        {
            tracing::warn!(%error, "could not unlock the log's folder");
        }
    }
}

impl Drop for OpenLog {
    fn drop(&mut self) {
        self.close();
    }
}

fn topic_index(topic: Topic) -> usize {
    match topic {
        Topic::Activities => 0,
        Topic::Relationships => 1,
    }
}

/// Creates a folder and its missing parents, durably.
fn create_folder(path: &Path) -> Result<(), BuiltInLogError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    create_folder(parent)?;
    std::fs::create_dir(path).map_err(BuiltInLogError::io("create", path))?;
    segment_file::sync_folder(parent)
}

/// Keeps everybody else from the log as long as the file is held. Errors: it is in use.
pub(super) fn lock(folder: &Path) -> Result<File, BuiltInLogError> {
    let path = folder.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(BuiltInLogError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BuiltInLogError::InUse {
            folder: folder.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(BuiltInLogError::io("lock", &path)(error)),
    }
}
