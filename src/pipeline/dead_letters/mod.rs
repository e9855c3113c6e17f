//! Records that cannot be used, kept as dead letters with their reason. A task writes them while the loop goes on.
//!
//! The offset stored for a partition, from which reading goes on after a crash, does not pass a record whose letter is not durable
//! yet. So none is lost, and a log that takes no letters delays nothing else. How many letters may wait is bounded: beyond
//! that the loop waits.

use super::PipelineError;
use crate::clock;
use crate::log::{LogError, LogWriter};
use futures_util::future::join_all;
use parking_lot::{Condvar, Mutex};
use slackwater_engine::record::{Position, Record, Topic};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The time over which records that cannot be understood are counted.
const PERIOD: Duration = Duration::from_secs(60);
/// With so many of them in that time, and none that was ever understood, these are not the right topics: the service stops.
const UNUSABLE_MAX: u64 = 10_000;
/// Letters that may wait to be written. Beyond that nothing is read until there is room, since memory is bounded and the log
/// keeps the rest.
const LETTERS_MAX: usize = 100_000;
/// Bytes of letters that may wait to be written.
const BYTES_MAX: usize = 64_000_000;
/// The most letters that are written at once.
const BATCH_LETTERS: usize = 500;
/// The pause before letters that could not be written are tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a record waits for room before the loop publishes and tries again.
const ROOM_WAIT: Duration = Duration::from_millis(100);
/// How long letters wait, without any being written, before readiness reports it.
const STUCK_AFTER: Duration = Duration::from_secs(5);
/// How often a dead letter is logged: those in between are counted.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// Writes dead letters.
pub(super) struct DeadLetters {
    letters: mpsc::Sender<Letter>,
    backlog: Arc<Backlog>,
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
    /// As many letters wait as may: the caller tries again.
    NoRoom,
}

/// A record, and the reason why it cannot be used.
struct Letter {
    record: Record,
    reason: String,
}

/// Letters that are not written yet.
#[derive(Default)]
struct Backlog {
    state: Mutex<BacklogState>,
    /// Signalled when letters were written, or when none will be written any more.
    changed: Condvar,
}

#[derive(Default)]
struct BacklogState {
    /// The offsets of records whose letters are not durable, by partition.
    offsets: BTreeMap<(Topic, i32), BTreeSet<i64>>,
    letters: usize,
    bytes: usize,
    /// Since when no letter has been written, though some wait.
    stuck_since: Option<Instant>,
    /// Why letters could not be written at the last try.
    failure: Option<String>,
    /// An error that no other try will pass.
    fatal: Option<LogError>,
}

impl DeadLetters {
    /// Starts a task on `runtime` that writes the letters. `is_right_log` says that a record of this log was understood
    /// before.
    pub(super) fn new(
        log_writer: LogWriter,
        runtime: &tokio::runtime::Handle,
        is_right_log: bool,
        now: Instant,
    ) -> DeadLetters {
        let (letters, to_write) = mpsc::channel(LETTERS_MAX);
        let backlog = Arc::new(Backlog::default());
        runtime.spawn(write_all(log_writer, to_write, Arc::clone(&backlog)));
        DeadLetters {
            letters,
            backlog,
            is_right_log,
            since: now,
            unusable: 0,
            logged_at: None,
            unlogged: 0,
        }
    }

    /// Queues a record to be written with its reason. If too many wait, this waits a moment for room. A record that finds none
    /// after `stop` was set is read again at the next start.
    ///
    /// Errors: letters can never be written.
    pub(super) fn keep(
        &mut self,
        record: &Record,
        reason: &str,
        stop: &AtomicBool,
    ) -> Result<Kept, LogError> {
        let bytes = record.bytes();
        let is_full = |state: &BacklogState| {
            LETTERS_MAX <= state.letters || (state.letters != 0 && BYTES_MAX < state.bytes + bytes)
        };
        let backlog = Arc::clone(&self.backlog);
        let mut state = backlog.state.lock();
        if is_full(&state) && state.fatal.is_none() && !stop.load(Ordering::Relaxed) {
            backlog.changed.wait_for(&mut state, ROOM_WAIT);
        }
        if let Some(error) = state.fatal.take() {
            return Err(error);
        }
        let has_room = !is_full(&state);
        if !has_room && !stop.load(Ordering::Relaxed) {
            return Ok(Kept::NoRoom);
        }
        self.log_letter(record.position, reason);
        state.add(record.position);
        if !has_room {
            return Ok(Kept::Accepted);
        }
        let letter = Letter {
            record: record.clone(),
            reason: reason.to_owned(),
        };
        // The channel has room for as many as may wait. If the task is gone, the record's offset holds back the stored one, and
        // the next start reads the record again.
        if self.letters.try_send(letter).is_ok() {
            state.letters += 1;
            state.bytes += bytes;
            state.stuck_since.get_or_insert_with(clock::stopwatch);
        }
        Ok(Kept::Accepted)
    }

    /// Where reading goes on after a crash, given the `next` offset to be read of each partition.
    pub(super) fn resume_from(&self, next: &[Position]) -> Vec<Position> {
        let state = self.backlog.state.lock();
        let held = |next: &Position| {
            let offsets = state.offsets.get(&(next.topic, next.partition));
            let first = offsets.and_then(BTreeSet::first);
            let offset = first.map_or(next.offset, |first| next.offset.min(*first));
            Position { offset, ..*next }
        };
        next.iter().map(held).collect()
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

impl BacklogState {
    fn add(&mut self, position: Position) {
        let of_partition = self.offsets.entry((position.topic, position.partition));
        of_partition.or_default().insert(position.offset);
    }

    fn remove(&mut self, letter: &Letter) {
        let position = letter.record.position;
        let key = (position.topic, position.partition);
        if let Some(offsets) = self.offsets.get_mut(&key) {
            offsets.remove(&position.offset);
            if offsets.is_empty() {
                self.offsets.remove(&key);
            }
        }
        self.letters = self.letters.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(letter.record.bytes());
        self.stuck_since = (self.letters != 0).then(clock::stopwatch);
    }
}

/// Writes the queued letters, many at a time, each until it is durable.
async fn write_all(
    log_writer: LogWriter,
    mut letters: mpsc::Receiver<Letter>,
    backlog: Arc<Backlog>,
) {
    let mut batch = Vec::new();
    while letters.recv_many(&mut batch, BATCH_LETTERS).await != 0 {
        while !batch.is_empty() {
            let writes = batch.iter().map(|letter| write(&log_writer, letter));
            let results = join_all(writes).await;
            let mut failed = None;
            {
                let mut state = backlog.state.lock();
                let mut results = results.into_iter();
                batch.retain(|letter| match results.next() {
                    Some(Ok(())) => {
                        state.remove(letter);
                        false
                    }
                    Some(Err(error)) => {
                        failed = Some(error);
                        true
                    }
                    None => true,
                });
                let failure = failed.as_ref().map(ToString::to_string);
                if let Some(error) = &failed
                    && state.failure != failure
                {
                    tracing::error!(
                        error = error as &dyn std::error::Error,
                        "setting records aside failed, to be tried again: {error}"
                    );
                }
                state.failure = failure;
            }
            let passes = match failed {
                None => true,
                Some(error) if error.is_passing() => !letters.is_closed(),
                Some(error) => {
                    backlog.state.lock().fatal = Some(error);
                    false
                }
            };
            backlog.changed.notify_all();
            if !passes {
                return;
            }
            if !batch.is_empty() {
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }
}

async fn write(log_writer: &LogWriter, letter: &Letter) -> Result<(), LogError> {
    let Letter { record, reason } = letter;
    match log_writer.dead_letter(record, reason).await {
        Err(error) if error.is_too_large() => {
            let bytes = record.value.as_ref().map_or(0, Vec::len);
            let reason = format!(
                "{reason} (its {bytes} bytes are too many for a dead letter: read it where it is)"
            );
            let emptied = Record {
                value: None,
                ..record.clone()
            };
            log_writer.dead_letter(&emptied, &reason).await
        }
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log;
    use crate::log::built_in;

    fn record(offset: i64) -> Record {
        Record {
            position: Position {
                topic: Topic::Activities,
                partition: 0,
                offset,
            },
            timestamp: None,
            key: None,
            value: Some(b"{}".to_vec()),
            headers: Vec::new(),
        }
    }

    fn dead_letters(folder: &std::path::Path, runtime: &tokio::runtime::Runtime) -> DeadLetters {
        let options = log::Options::BuiltIn(built_in::Options::at(folder));
        let (_, log_writer) = log::open(&options, &[], &[]).unwrap();
        DeadLetters::new(log_writer, runtime.handle(), false, clock::stopwatch())
    }

    /// Were this to fail, a crash could lose a record that cannot be used, or all be read again for one.
    #[test]
    fn reading_goes_on_from_the_first_whose_letter_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut dead_letters = dead_letters(folder.path(), &runtime);
        let next = [
            record(9).position,
            Position {
                partition: 1,
                ..record(4).position
            },
        ];
        let held = |dead_letters: &DeadLetters| {
            let held = dead_letters.resume_from(&next);
            held.iter().map(|next| next.offset).collect::<Vec<_>>()
        };
        let going = AtomicBool::new(false);
        // A log that takes no letters leaves them so.
        for offset in [5, 7] {
            dead_letters
                .backlog
                .state
                .lock()
                .add(record(offset).position);
        }
        assert_eq!(held(&dead_letters), [5, 4]);
        dead_letters.keep(&record(3), "bad", &going).unwrap();
        dead_letters.finish(Duration::from_secs(60));
        assert_eq!(
            held(&dead_letters),
            [5, 4],
            "that of 3 is written, those before are not"
        );
        for offset in [5, 7] {
            let letter = Letter {
                record: record(offset),
                reason: String::new(),
            };
            dead_letters.backlog.state.lock().remove(&letter);
        }
        assert_eq!(held(&dead_letters), [9, 4]);
    }

    /// Were this to fail, letters nobody takes would fill memory, or a stop wait for them.
    #[test]
    fn when_too_many_wait_a_stop_ends_the_waiting_and_the_record_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut dead_letters = dead_letters(folder.path(), &runtime);
        dead_letters.backlog.state.lock().letters = LETTERS_MAX;
        let stopping = AtomicBool::new(true);
        let going = AtomicBool::new(false);
        let kept = dead_letters.keep(&record(2), "bad", &going).unwrap();
        assert_eq!(kept, Kept::NoRoom);
        dead_letters.keep(&record(3), "bad", &stopping).unwrap();
        assert_eq!(dead_letters.backlog.state.lock().letters, LETTERS_MAX);
        assert_eq!(dead_letters.resume_from(&[record(9).position])[0].offset, 3);
    }

    /// Were this to fail, strangers could stop the service, or somebody else's topics fill the dead letters.
    #[test]
    fn only_a_log_that_never_said_anything_is_the_wrong_one() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut dead_letters = dead_letters(folder.path(), &runtime);
        for _ in 1..UNUSABLE_MAX {
            dead_letters.count_unusable("not JSON").unwrap();
        }
        assert!(matches!(
            dead_letters.count_unusable("not JSON"),
            Err(PipelineError::Unusable {
                records: UNUSABLE_MAX,
                ..
            })
        ));
        dead_letters.count_usable();
        for _ in 0..2 * UNUSABLE_MAX {
            dead_letters.count_unusable("not JSON").unwrap();
        }
    }
}
