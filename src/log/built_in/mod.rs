//! The built-in log, for instances without Kafka: three topics in a folder, durable before it answers.
//!
//! ```text
//! <path>/lock
//! <path>/activities|relationships|dead-letters/<first offset>.log     frames: see `frame`
//!                                             /<first offset>.index   of a closed segment; made again if missing
//!                                             /….damaged              what cannot be read any more: see `mend`
//! ```
//!
//! - One thread writes. All who wait while it syncs share the next fsync (`writer`).
//! - Readers open files of their own and see only what is durable (`folder`, `segment`).
//! - A disk that is full or fails is tried again every second; meanwhile nothing is taken (`writer`).
//! - What a crash left half written at the end is cut off with a log line; anything else that cannot be read is put
//!   aside and counted, and the records behind it keep their offsets (`mend`), also where the disk does not give it (`salvage`).
//! - Activities expire by age and size, a whole segment at a time; relationships are compacted (`compact`).
//!
//! Why our own files: of the libraries looked at in November 2026 none lets a compacted log keep its offsets, and each
//! lacks more. okaywal 0.3 is drained by checkpoints; commitlog 0.2 never calls fsync and trusts its tail; walrus 0.2
//! syncs on a timer or once a record; wal-db 1.1 reads the whole log at start; open-wal 0.2, the nearest, has one owner
//! for reading and writing and finds no offset without reading all before it; raft-engine 0.4 is for Raft groups, with
//! thirty dependencies; spacetimedb-commitlog is not under an open licence.

mod compaction;
mod error;
mod frame;
mod frame_reader;
mod mend;
mod offline_reader;
mod salvage;
mod segment;
#[cfg(test)]
mod tests;
mod topic_dir;
mod writer;

pub use error::BuiltInLogError;
pub use offline_reader::{activities_bytes, read_activities};

use frame::{BODY_BYTES_MAX, Content, HEAD_BYTES};
use parking_lot::{Condvar, Mutex};
use slackwater_engine::record::{NewRecord, Position, Record, Topic};
use slackwater_order::time::Time;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use topic_dir::{Gaps, TopicDir};
use writer::{Queue, Tail};

/// The third topic, after [`Topic::ALL`].
const DEAD_LETTERS: usize = 2;
/// The longest segment, so that a place in it fits 32 bits.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// Dead letters kept, in bytes: a flood of bad records pushes out the oldest.
const DEAD_LETTERS_BYTES_MAX: u64 = 1 << 30;

/// Where the log is and how much it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Its folder; created if missing.
    pub path: PathBuf,
    /// How long activities and dead letters are kept, in log time.
    pub activities_keep: Duration,
    /// How much of the activities is kept, in bytes on disk.
    pub activities_bytes_max: u64,
    /// How long a file grows before the next one begins, in bytes; at most 1 GiB. What expires is a whole file.
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
    /// The first that is kept, or would be if compaction had not removed it.
    pub first: i64,
    /// The next to be written; everything before it is durable.
    pub next: i64,
}

/// An open log. Clones are the same log; it is closed by [`BuiltInLog::close`], or when the last clone is dropped.
#[derive(Clone)]
pub struct BuiltInLog(Arc<OpenLog>);

struct OpenLog {
    options: Options,
    /// Activities, relationships, dead letters.
    topics: [Arc<TopicDir>; 3],
    queue: Arc<Queue>,
    signal: Arc<AppendSignal>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Locked on disk while the log is open here, and in memory while old segments are worked on.
    lock: Mutex<Lock>,
}

struct Lock {
    file: File,
    is_held: bool,
}

/// Wakes those who wait for something new.
#[derive(Default)]
struct AppendSignal {
    state: Mutex<AppendState>,
    changed: Condvar,
}

#[derive(Default)]
struct AppendState {
    next: [i64; 2],
    closed: bool,
}

impl BuiltInLog {
    /// Opens or creates a log. A torn tail is cut off, with a log line; what is damaged is put aside. Errors: the folder is
    /// in use or cannot be used, or a file in it is missing.
    pub fn open(options: Options) -> Result<BuiltInLog, BuiltInLogError> {
        let path = &options.path;
        create_folder(path)?;
        let lock = lock(path)?;
        let segment_bytes = options.segment_bytes.min(SEGMENT_BYTES_MAX);
        let open = |name: &str, gaps| {
            let (folder, segment, file) = TopicDir::open(path.join(name), gaps)?;
            let folder = Arc::new(folder);
            let tail = Tail::new(Arc::clone(&folder), segment, file, segment_bytes);
            Ok((folder, tail))
        };
        let (activities, activities_tail) = open(Topic::Activities.name(), Gaps::Refused)?;
        let (relationships, relationships_tail) = open(Topic::Relationships.name(), Gaps::Allowed)?;
        let (dead_letters, dead_letters_tail) = open("dead-letters", Gaps::Refused)?;

        segment::sync_folder(path)?;

        let queue = Arc::new(Queue::default());
        let signal = Arc::new(AppendSignal::default());
        let newest = {
            let topics = [Arc::clone(&activities), Arc::clone(&relationships)];
            let signal = Arc::clone(&signal);
            move || {
                signal.state.lock().next = topics.each_ref().map(|folder| folder.bounds().next);
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
            lock: Mutex::new(Lock {
                file: lock,
                is_held: true,
            }),
            options,
        })))
    }

    /// Appends records; they are durable, in this order, when it returns their positions. Callers share one fsync. A
    /// caller that stops waiting does not take its records back.
    ///
    /// Errors: none of them is to be counted on: [`BuiltInLogError::Full`] and [`BuiltInLogError::TooLarge`] before anything was
    /// written; after a write or fsync failed twice, [`BuiltInLogError::Refused`] until the disk takes records again.
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

    /// Keeps a record that could not be used, unchanged, with headers that say why and where it stood; durable when it
    /// returns.
    pub async fn dead_letter(&self, record: &Record, reason: &str) -> Result<(), BuiltInLogError> {
        let Position {
            topic,
            partition,
            offset,
        } = record.position;
        let mut headers = record.headers.clone();
        headers.extend([
            ("reason".to_owned(), reason.as_bytes().to_vec()),
            ("topic".to_owned(), topic.name().as_bytes().to_vec()),
            ("partition".to_owned(), partition.to_string().into_bytes()),
            ("offset".to_owned(), offset.to_string().into_bytes()),
        ]);
        let content = Content {
            timestamp: record.timestamp,
            key: record.key.clone(),
            value: record.value.clone(),
            headers,
        };
        self.write(vec![(DEAD_LETTERS, content)]).await.map(drop)
    }

    /// What can be read of a topic: only what is durable.
    pub fn bounds(&self, topic: Topic) -> Bounds {
        self.topic(topic).bounds()
    }

    /// Reads records from offset `from` on, up to `records_max` and `bytes_max` (bytes on disk), but at least one if
    /// there is one; none at the end, and where nothing is left of what was there up to the end. Never beyond what is
    /// durable. Damage met in a closed segment is mended on the way.
    ///
    /// Errors: [`BuiltInLogError::Gone`] below the first offset, [`BuiltInLogError::Beyond`] above the next one,
    /// [`BuiltInLogError::Damaged`] and [`BuiltInLogError::NotGiven`] in the last segment, [`BuiltInLogError::Unreadable`] where a disk gives too little.
    pub fn read(
        &self,
        topic: Topic,
        from: i64,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Record>, BuiltInLogError> {
        self.topic(topic).read(topic, from, records_max, bytes_max)
    }

    /// Blocks until there is something durable at or beyond the offsets `seen` (the next ones of each topic, in the
    /// order of [`Topic::ALL`]), until `timeout`, or until the log is closed.
    pub fn wait(&self, seen: [i64; 2], timeout: Duration) {
        let signal = &self.0.signal;
        let nothing = |now: &mut AppendState| {
            let mut pairs = now.next.iter().zip(&seen);
            !now.closed && pairs.all(|(next, seen)| next <= seen)
        };
        signal
            .changed
            .wait_while_for(&mut signal.state.lock(), nothing, timeout);
    }

    /// Removes what is too old or too much, by whole closed segments: activities by the options, dead letters by the
    /// same age and a size of their own. `log_time` is the newest `arrived` read.
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

    /// Rewrites closed segments of the relationships of which more than half is stale, so that of each key only the
    /// newest record stays, at its offset; a removal stays too, for ever. Safe to be killed at any moment. It reads
    /// all of the topic: call it once an hour or less, on a thread that may block.
    pub fn compact(&self) -> Result<(), BuiltInLogError> {
        let lock = self.0.lock.lock();
        if !lock.is_held {
            return Err(BuiltInLogError::Closed);
        }
        compaction::compact(self.topic(Topic::Relationships))
    }

    /// Records that could not be read any more and were put aside, in files that are still there.
    pub fn damaged_records(&self) -> u64 {
        let topics = self.0.topics.iter();
        topics.map(|folder| folder.damaged_records()).sum()
    }

    /// Why nothing can be written at the moment, if that is so: what is appended meanwhile is refused. It passes by itself
    /// when the disk has room again, or works again.
    pub fn trouble(&self) -> Option<BuiltInLogError> {
        self.0.queue.trouble()
    }

    /// How many groups have been made durable: appends divided by this is how many share an fsync.
    pub fn groups(&self) -> u64 {
        self.0.queue.groups.load(Ordering::Relaxed)
    }

    /// Writes what is queued, then lets the folder go. Blocks until that is done; what comes later is
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
            // Held until the writer has ended: whoever closes second must not let the folder go before.
            let mut writer = self.writer.lock();
            if let Some(writer) = writer.take()
                && writer.join().is_err()
            {
                tracing::error!("the log's writer has panicked");
            }
        }
        self.signal.state.lock().closed = true;
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

/// Creates a folder and those above it, durably.
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
    segment::sync_folder(parent)
}

fn lock(folder: &Path) -> Result<File, BuiltInLogError> {
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
