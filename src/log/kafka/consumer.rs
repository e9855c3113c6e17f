//! The handle on the thread that reads from Kafka, from our own offsets.

use super::consumer_client::{PartitionOffsets, TopicPartition, advance};
use super::poll_thread::{BATCHES_MAX, Batch, PollThread};
use super::status::Status;
use super::topic_identity::Fingerprints;
use super::{Commits, KafkaError, Options, topics};
use crate::clock;
use parking_lot::Mutex;
use slackwater_engine::record::fingerprint::Fingerprint;
use slackwater_engine::record::{PartitionEnd, Position, Record};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// How long stopping waits for the thread before it leaves it to itself: in the middle of a request to a broker that is away,
/// the thread does not notice a stop.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// Reads both topics.
pub struct Consumer {
    batches: Receiver<Result<Batch, KafkaError>>,
    /// Closed when the thread has ended.
    stopped: Receiver<()>,
    status: Arc<Mutex<Status>>,
    /// Records handed over and not yet taken.
    waiting: VecDeque<Record>,
    /// Offsets that partitions have reached without a record, valid once `waiting` is taken.
    skipped_to: PartitionOffsets,
    /// The next offset to be taken from each partition.
    next: PartitionOffsets,
    /// An error that came behind records. It is returned when they are taken.
    failure: Option<KafkaError>,
    commits_go: CommitsGo,
}

/// The way that commits for lag tools go.
enum CommitsGo {
    /// The reading client commits.
    Directly,
    /// The member of the group does.
    Through(Commits),
    /// Nobody does.
    Nowhere,
}

/// Asks for a check whether topics have more partitions, before one is due. Cheap to clone.
#[derive(Clone)]
pub struct PartitionCheck(Arc<Mutex<Status>>);

impl PartitionCheck {
    /// Asks for it. It is made soon, and not more often than every two seconds; more partitions are then read from their beginning.
    pub fn ask(&self) {
        self.0.lock().partitions_asked = true;
    }
}

impl Consumer {
    /// Starts reading at `from`, the next offset of each partition. Partitions that are not named are read from their beginning.
    /// It blocks until a broker answers, for at most a minute, and until the last records taken before, in `taken`, have been
    /// compared.
    ///
    /// Offsets that retention has taken are skipped, with an error in the log and in [`Consumer::lost_records`].
    /// Errors: as [`super::Producer::start`], and [`KafkaError::LogIsShorter`] if the log ends before `from`,
    /// [`KafkaError::OtherRecord`] if one of `taken` is another now.
    pub fn start(
        options: &Options,
        from: &[Position],
        taken: &[Fingerprint],
    ) -> Result<Consumer, KafkaError> {
        let (to_handle, batches) = sync_channel(BATCHES_MAX);
        let (started, has_started) = sync_channel(1);
        let (alive, stopped) = sync_channel(0);
        let status = Arc::new(Mutex::new(Status::default()));
        let commits_go = match options.node {
            None => CommitsGo::Directly,
            Some(_) => CommitsGo::Nowhere,
        };
        let options = options.clone();
        let shared = Arc::clone(&status);
        let next: PartitionOffsets = from
            .iter()
            .map(|position| ((position.topic, position.partition), position.offset))
            .collect();
        let taken: Fingerprints = taken
            .iter()
            .map(|taken| (taken.partition(), *taken))
            .collect();
        let run = move || {
            let _alive: SyncSender<()> = alive;
            match PollThread::open(options, next, taken, shared, to_handle) {
                Ok(mut poll_thread) => {
                    if started.send(Ok(poll_thread.next.clone())).is_err() {
                        return;
                    }
                    let options = poll_thread.options.clone();
                    thread::spawn(move || topics::warn_of_settings(&options));
                    if let Err(error) = poll_thread.run() {
                        // If the handle was dropped, nobody receives the error.
                        let _ = poll_thread.to_handle.send(Err(error));
                    }
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            }
        };
        thread::Builder::new()
            .name("kafka".to_owned())
            .spawn(run)
            .map_err(KafkaError::Thread)?;
        let next = has_started.recv().unwrap_or(Err(KafkaError::Stopped))?;
        Ok(Consumer {
            batches,
            stopped,
            status,
            waiting: VecDeque::new(),
            skipped_to: PartitionOffsets::new(),
            next,
            failure: None,
            commits_go,
        })
    }

    /// Takes up to `records_max` records. It blocks up to `wait` for the first, then takes those that have arrived. There are none
    /// while the broker is away; reading goes on by itself when it is back.
    ///
    /// Errors, after which nothing comes any more: [`KafkaError::LogIsShorter`], [`KafkaError::OtherRecord`], a topic that is no
    /// longer fit.
    pub fn take(&mut self, records_max: usize, wait: Duration) -> Result<Vec<Record>, KafkaError> {
        let begun = clock::stopwatch();
        let mut taken = Vec::new();
        while taken.len() < records_max {
            if let Some(record) = self.waiting.pop_front() {
                let topic_partition = (record.position.topic, record.position.partition);
                advance(&mut self.next, topic_partition, record.position.offset + 1);
                taken.push(record);
                continue;
            }
            self.apply_skips();
            if self.failure.is_some() && taken.is_empty() {
                return Err(self.failure.take().unwrap_or(KafkaError::Stopped));
            }
            let wait = if taken.is_empty() {
                wait.saturating_sub(begun.elapsed())
            } else {
                Duration::ZERO
            };
            match self.batches.recv_timeout(wait) {
                Ok(Ok(batch)) => {
                    self.waiting = batch.records.into();
                    self.skipped_to = batch.skipped_to;
                }
                Ok(Err(error)) => self.failure = Some(error),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => self.failure = Some(KafkaError::Stopped),
            }
            if self.failure.is_some() && !taken.is_empty() {
                break;
            }
        }
        if self.waiting.is_empty() {
            self.apply_skips();
        }
        Ok(taken)
    }

    /// The next offset to be taken of each partition, and the offset at which the partition ends.
    pub fn ends(&self) -> Vec<PartitionEnd> {
        let status = self.status.lock();
        let end = |(topic_partition, end): (&TopicPartition, &i64)| {
            let next = self.next.get(topic_partition).copied().unwrap_or(0);
            PartitionEnd {
                topic: topic_partition.0,
                partition: topic_partition.1,
                next,
                end: next.max(*end),
            }
        };
        status.ends.iter().map(end).collect()
    }

    /// Commits where reading stands to the group, for lag tools. A thread does it later, and the newest call counts. A node of a
    /// cluster commits what [`Consumer::commit_through`] says, or nothing.
    pub fn commit(&self, next: &[Position]) {
        match &self.commits_go {
            CommitsGo::Directly => self.status.lock().to_commit = Some(next.to_vec()),
            CommitsGo::Through(commits) => commits.commit(next),
            CommitsGo::Nowhere => {}
        }
    }

    /// Has a member of the group commit from here on: the group takes no commits of others while it has members.
    pub fn commit_through(&mut self, commits: Commits) {
        self.commits_go = CommitsGo::Through(commits);
    }

    /// Asks for a check whether topics have more partitions.
    pub fn partition_check(&self) -> PartitionCheck {
        PartitionCheck(Arc::clone(&self.status))
    }

    /// Whether the leader of every partition is connected, at most about two seconds ago.
    pub fn is_healthy(&self) -> bool {
        self.status.lock().is_healthy
    }

    /// How many offsets the log no longer had when they were to be read, since the start.
    pub fn lost_records(&self) -> u64 {
        self.status.lock().lost_records
    }

    /// Stops reading. Records that were not taken come again at the next start. It blocks for at most two seconds.
    pub fn stop(self) {
        self.status.lock().stop = true;
        let Consumer {
            batches, stopped, ..
        } = &self;
        // Taking batches unblocks a thread that is handing one over.
        let begun = clock::stopwatch();
        while begun.elapsed() < STOP_WAIT {
            while batches.try_recv().is_ok() {}
            match stopped.recv_timeout(Duration::from_millis(10)) {
                Err(RecvTimeoutError::Timeout) => {}
                _ => return,
            }
        }
        tracing::warn!("the Kafka consumer did not stop within {STOP_WAIT:?}: left to itself");
    }

    /// Moves on where a partition has reached an offset without a record.
    fn apply_skips(&mut self) {
        for (topic_partition, next) in std::mem::take(&mut self.skipped_to) {
            advance(&mut self.next, topic_partition, next);
        }
    }
}

/// The thread of a consumer that is dropped without [`Consumer::stop`] ends too, some time later.
impl Drop for Consumer {
    fn drop(&mut self) {
        self.status.lock().stop = true;
    }
}

#[cfg(test)]
mod tests;
