//! Records that cannot be used, kept as dead letters with their reason. A task writes them while the loop goes on.
//!
//! | file | what it is |
//! |---|---|
//! | this one | [`DeadLetters`], which the loop hands such records to |
//! | `backlog` | letters that are not written yet, here or by another node |
//! | `writing` | the task |
//!
//! The offset stored for a partition, from which reading goes on after a crash, does not pass a record whose letter is not durable
//! yet. So none is lost, and a log that takes no letters delays nothing else. How many letters may wait is bounded: beyond
//! that the loop waits.

mod backlog;
mod writing;

use super::letter_ownership::LetterOwnership;
use super::{Pipeline, PipelineError};
use crate::clock;
use crate::log::{LogError, LogWriter};
use backlog::{Backlog, LETTERS_MAX, Letter, Partition};
use slackwater_engine::record::{PartitionEnd, Position, Record};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The time over which records that cannot be understood are counted.
const PERIOD: Duration = Duration::from_secs(60);
/// With so many of them in that time, and none that was ever understood, these are not the right topics: the service stops.
const UNUSABLE_MAX: u64 = 10_000;
/// How long a record waits for room before the loop publishes and tries again.
const ROOM_WAIT: Duration = Duration::from_millis(100);
/// How long letters wait, without any being written, before readiness reports it.
const STUCK_AFTER: Duration = Duration::from_secs(5);
/// How long this node waits for another to write a letter. Then it writes it as well.
const HELD_FOR: Duration = Duration::from_secs(60);
/// How often a dead letter is logged: those in between are counted.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// Writes dead letters.
pub(super) struct DeadLetters {
    letters: mpsc::Sender<Letter>,
    backlog: Arc<Backlog>,
    ownership: LetterOwnership,
    /// Up to where other nodes have written letters.
    written_elsewhere: BTreeMap<Partition, i64>,
    /// Up to where this node said that letters are written, of its partitions, and of those that are another's until that says as much.
    said: BTreeMap<Partition, i64>,
    /// Whether any record was ever understood.
    is_right_log: bool,
    since: Instant,
    unusable: u64,
    logged_at: Option<Instant>,
    unlogged: u64,
}

/// Whether a record is kept as a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// The record is queued, or, while the service stops, will be read again at the next start.
    Accepted,
    /// Another node writes the letter, or has written it.
    Elsewhere,
    /// As many letters wait as may: the caller tries again.
    NoRoom,
}

impl DeadLetters {
    /// Starts a task on `runtime` that writes the letters which are this node's to write. `is_right_log` says that a record of this log
    /// was understood before.
    pub(super) fn new(
        log_writer: LogWriter,
        ownership: LetterOwnership,
        runtime: &tokio::runtime::Handle,
        is_right_log: bool,
        now: Instant,
    ) -> DeadLetters {
        let (letters, to_write) = mpsc::channel(LETTERS_MAX);
        let backlog = Arc::new(Backlog::default());
        runtime.spawn(writing::write_all(
            log_writer,
            to_write,
            Arc::clone(&backlog),
        ));
        DeadLetters {
            letters,
            backlog,
            ownership,
            written_elsewhere: BTreeMap::new(),
            said: BTreeMap::new(),
            is_right_log,
            since: now,
            unusable: 0,
            logged_at: None,
            unlogged: 0,
        }
    }

    /// Queues a record to be written with its reason, or holds it until another node has written it. If too many wait, this waits a
    /// moment for room. A record that finds none after `stop` was set is read again at the next start.
    ///
    /// Errors: letters can never be written.
    pub(super) fn keep(
        &mut self,
        record: &Record,
        reason: &str,
        stop: &AtomicBool,
    ) -> Result<Kept, LogError> {
        let (position, bytes) = (record.position, record.bytes());
        let partition = (position.topic, position.partition);
        let written = self.written_elsewhere.get(&partition);
        if written.is_some_and(|written| position.offset < *written) {
            return Ok(Kept::Elsewhere);
        }
        let mut letter = Letter {
            record: record.clone(),
            reason: reason.to_owned(),
        };
        let backlog = Arc::clone(&self.backlog);
        let mut state = backlog.state.lock();
        if !self.ownership.owns(position.partition) {
            match state.hold(letter, clock::stopwatch()) {
                None => return Ok(Kept::Elsewhere),
                Some(too_much) => letter = too_much,
            }
        }
        if state.is_full(bytes) && state.fatal.is_none() && !stop.load(Ordering::Relaxed) {
            backlog.changed.wait_for(&mut state, ROOM_WAIT);
        }
        if let Some(error) = state.fatal.take() {
            return Err(error);
        }
        let has_room = !state.is_full(bytes);
        if !has_room && !stop.load(Ordering::Relaxed) {
            return Ok(Kept::NoRoom);
        }
        self.log_letter(position, reason);
        state.add(position);
        if !has_room {
            return Ok(Kept::Accepted);
        }
        // The channel has room for as many as may wait. If the task is gone, the record's offset holds back the stored one, and
        // the next start reads the record again.
        if self.letters.try_send(letter).is_ok() {
            state.count(bytes);
        }
        Ok(Kept::Accepted)
    }

    /// Takes in what other nodes have written, queues what was held and is this node's to write since, and says how far it has written.
    /// `ends` are those of the log, and `next` the next offsets to be read. Returns how many letters were queued.
    pub(super) fn share(
        &mut self,
        ends: &[PartitionEnd],
        next: &[Position],
        now: Instant,
    ) -> usize {
        self.written_elsewhere = self.ownership.written_elsewhere(ends);
        let queued = self.queue_what_is_due(now);
        let resume = self.resume_from(next);
        self.say_written(&resume);
        queued
    }

    fn queue_what_is_due(&mut self, now: Instant) -> usize {
        let backlog = Arc::clone(&self.backlog);
        let mut state = backlog.state.lock();
        state.drop_written(&self.written_elsewhere);
        let mut queued = 0;
        let is_due = |partition: Partition, since: Instant| {
            self.ownership.owns(partition.1) || HELD_FOR <= now.saturating_duration_since(since)
        };
        while let Some(letter) = state.release(is_due) {
            let bytes = letter.record.bytes();
            if self.letters.try_send(letter).is_ok() {
                state.count(bytes);
                queued += 1;
            }
        }
        queued
    }

    /// Says up to where letters are written, given where reading goes on after a crash. A partition that is another's since is said on
    /// until that node says as much, so that what was written is never forgotten.
    fn say_written(&mut self, resume: &[Position]) {
        let elsewhere = &self.written_elsewhere;
        self.said.retain(|partition, offset| {
            self.ownership.owns(partition.1)
                || elsewhere.get(partition).is_none_or(|other| other < offset)
        });
        for position in resume {
            if self.ownership.owns(position.partition) {
                let partition = (position.topic, position.partition);
                let other = elsewhere.get(&partition).copied().unwrap_or(0);
                self.said.insert(partition, other.max(position.offset));
            }
        }
        let position = |((topic, partition), offset): (&Partition, &i64)| Position {
            topic: *topic,
            partition: *partition,
            offset: *offset,
        };
        self.ownership
            .set_written(self.said.iter().map(position).collect());
    }

    /// Where reading goes on after a crash, given the `next` offset to be read of each partition.
    pub(super) fn resume_from(&self, next: &[Position]) -> Vec<Position> {
        let state = self.backlog.state.lock();
        next.iter().map(|next| state.resume_from(next)).collect()
    }

    /// Why letters wait to be written, if they wait for longer than usual. Errors: letters can never be written.
    pub(super) fn trouble(&self) -> Result<Option<String>, LogError> {
        let mut state = self.backlog.state.lock();
        if let Some(error) = state.fatal.take() {
            return Err(error);
        }
        let is_slow = |since: Instant| STUCK_AFTER <= since.elapsed();
        let slow = state.stuck_since.is_some_and(is_slow).then(|| {
            let letters = state.letters;
            format!("no answer for {} s, {letters} wait", STUCK_AFTER.as_secs())
        });
        Ok(state.failure.clone().or(slow))
    }

    /// Waits until all letters are written, for at most `wait`.
    pub(super) fn finish(&self, wait: Duration) {
        let begun = clock::stopwatch();
        let mut state = self.backlog.state.lock();
        while state.letters != 0
            && state.fatal.is_none()
            && let Some(left) = wait.checked_sub(begun.elapsed())
        {
            self.backlog.changed.wait_for(&mut state, left);
        }
        if state.letters != 0 {
            let letters = state.letters;
            tracing::warn!(
                letters,
                "{letters} dead letters are not written yet: their records are read again at the next start"
            );
        }
    }

    /// A record was understood, even if it was refused: these are the right topics.
    pub(super) fn count_usable(&mut self) {
        self.is_right_log = true;
    }

    /// A record could not be understood. Errors: so many could not, and none ever was, that the service should stop rather than
    /// make letters of somebody else's topics. Records that were understood and refused do not count.
    pub(super) fn count_unusable(&mut self, reason: &str) -> Result<(), PipelineError> {
        if self.is_right_log {
            return Ok(());
        }
        if PERIOD < self.since.elapsed() {
            (self.since, self.unusable) = (clock::stopwatch(), 0);
        }
        self.unusable += 1;
        match self.unusable {
            UNUSABLE_MAX.. => Err(PipelineError::Unusable {
                records: self.unusable,
                reason: reason.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn log_letter(&mut self, position: Position, reason: &str) {
        if self
            .logged_at
            .is_some_and(|logged_at| logged_at.elapsed() < LOG_EVERY)
        {
            self.unlogged += 1;
            return;
        }
        let Position {
            topic,
            partition,
            offset,
        } = position;
        let (topic, others) = (topic.name(), self.unlogged);
        let besides = match others {
            0 => String::new(),
            others => format!(" (and {others} others before it)"),
        };
        tracing::warn!(
            topic,
            partition,
            offset,
            reason,
            others,
            "set aside {topic}/{partition}@{offset}: {reason}{besides}"
        );
        (self.logged_at, self.unlogged) = (Some(clock::stopwatch()), 0);
    }
}

impl Pipeline {
    /// Has other nodes write the letters that are theirs, and those of this one that it held for another.
    pub(super) fn share_letters(&mut self) {
        if !self.letter_ownership.is_shared() {
            return;
        }
        let (ends, now) = (self.log_reader.ends(), clock::stopwatch());
        let queued = self.dead_letters.share(&ends, self.engine.next(), now);
        self.metrics.pipeline.dead_letters.inc_by(queued as u64);
    }

    /// Keeps a record that cannot be used as a dead letter, here or at the node whose it is. The offset from which a crash reads on
    /// passes the record only afterwards, so none is lost silently.
    pub(super) fn keep_dead_letter(
        &mut self,
        record: &Record,
        reason: &str,
    ) -> Result<(), PipelineError> {
        self.recent_letters.note(record.position, reason);
        loop {
            match self.dead_letters.keep(record, reason, &self.stop)? {
                Kept::NoRoom => {
                    // Nothing else is read meanwhile, and readiness says so.
                    let failing = self.dead_letters.trouble()?.unwrap_or_default();
                    self.letters_failing =
                        Some(format!("so many wait that nothing is read: {failing}"));
                    self.publish(None);
                }
                Kept::Accepted => {
                    self.metrics.pipeline.dead_letters.inc();
                    break;
                }
                Kept::Elsewhere => break,
            }
        }
        self.metrics.pipeline.outcome("set_aside");
        Ok(())
    }
}

#[cfg(test)]
mod tests;
