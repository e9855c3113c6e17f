//! Records that cannot be used: kept as dead letters with their reason, beside the loop, which goes on meanwhile.
//!
//! Where reading goes on after a crash is stored only up to the first of a partition whose letter is not durable yet, so none is
//! lost, and a log that takes no letters keeps nothing waiting but them. How many may wait is bounded; then the loop waits.

use super::PipelineError;
use crate::clock;
use crate::log::{Appender, SourceError};
use futures_util::future::join_all;
use parking_lot::{Condvar, Mutex};
use slackwater_engine::record::{Position, Record, Topic};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The time in which records that say nothing are counted.
const PERIOD: Duration = Duration::from_secs(60);
/// With so many of them in that time, and none that ever said anything, these are not the right topics: the service stops.
const UNUSABLE_MAX: u64 = 10_000;
/// Letters that may wait to be written. With more, nothing is read until there is room: the log has it, and memory is bounded.
const LETTERS_MAX: usize = 100_000;
/// Bytes of them.
const BYTES_MAX: usize = 64_000_000;
/// Letters that are written at once.
const BATCH_LETTERS: usize = 500;
/// How long until letters are written again that could not be.
const AGAIN: Duration = Duration::from_secs(1);
/// How long it is waited for room before others have their turn.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long letters wait without any being written before that is a fault.
const SLOW: Duration = Duration::from_secs(5);
/// How often the log says so of a record: the others are counted.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Writes dead letters.
pub(super) struct SetAside {
    letters: mpsc::Sender<Letter>,
    waiting: Arc<Waiting>,
    /// Whether any record ever said something.
    is_right_log: bool,
    since: Instant,
    unusable: u64,
    told: Option<Instant>,
    untold: u64,
}

/// What came of a record that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handed {
    /// It will be.
    Over,
    /// As many wait as may: it is to be handed over again.
    NoRoom,
}

/// A record and why it cannot be used.
struct Letter {
    record: Record,
    reason: String,
}

/// What is not written yet.
#[derive(Default)]
struct Waiting {
    state: Mutex<State>,
    /// Some have been written, or never will be.
    moved: Condvar,
}

#[derive(Default)]
struct State {
    /// Of each partition, the offsets of records whose letters are not durable.
    offsets: BTreeMap<(Topic, i32), BTreeSet<i64>>,
    letters: usize,
    bytes: usize,
    /// Since when none has been written, though some wait.
    stuck_since: Option<Instant>,
    /// Why they could not be written when that was last tried.
    failing: Option<String>,
    /// What no trying again will mend.
    ended: Option<SourceError>,
}

impl SetAside {
    /// With a task on `runtime` that writes. `is_right_log`, if the log is known to be the right one.
    pub(super) fn new(
        appender: Appender,
        runtime: &tokio::runtime::Handle,
        is_right_log: bool,
        now: Instant,
    ) -> SetAside {
        let (letters, to_write) = mpsc::channel(LETTERS_MAX);
        let waiting = Arc::new(Waiting::default());
        runtime.spawn(write_all(appender, to_write, Arc::clone(&waiting)));
        SetAside {
            letters,
            waiting,
            is_right_log,
            since: now,
            unusable: 0,
            told: None,
            untold: 0,
        }
    }

    /// Hands over a record to be kept with its reason. Where too many wait it waits a moment for room. One that finds none when
    /// all is to `stop` is read again at the next start.
    pub(super) fn hand_over(
        &mut self,
        record: &Record,
        reason: &str,
        stop: &AtomicBool,
    ) -> Result<Handed, SourceError> {
        let bytes = record.bytes();
        let is_full = |state: &State| {
            LETTERS_MAX <= state.letters || (state.letters != 0 && BYTES_MAX < state.bytes + bytes)
        };
        let waiting = Arc::clone(&self.waiting);
        let mut state = waiting.state.lock();
        if is_full(&state) && state.ended.is_none() && !stop.load(Ordering::Relaxed) {
            waiting.moved.wait_for(&mut state, LOOK_EVERY);
        }
        if let Some(error) = state.ended.take() {
            return Err(error);
        }
        let has_room = !is_full(&state);
        if !has_room && !stop.load(Ordering::Relaxed) {
            return Ok(Handed::NoRoom);
        }
        self.tell(record.position, reason);
        state.add(record.position);
        if !has_room {
            return Ok(Handed::Over);
        }
        let letter = Letter {
            record: record.clone(),
            reason: reason.to_owned(),
        };
        // There is room for as many as may wait. Without a task to take it, its offset waits for the next start.
        if self.letters.try_send(letter).is_ok() {
            state.letters += 1;
            state.bytes += bytes;
            state.stuck_since.get_or_insert_with(clock::stopwatch);
        }
        Ok(Handed::Over)
    }

    /// Up to where reading need not begin again, `next` being the next record of each partition.
    pub(super) fn reflected(&self, next: &[Position]) -> Vec<Position> {
        let state = self.waiting.state.lock();
        let held = |next: &Position| {
            let offsets = state.offsets.get(&(next.topic, next.partition));
            let first = offsets.and_then(BTreeSet::first);
            let offset = first.map_or(next.offset, |first| next.offset.min(*first));
            Position { offset, ..*next }
        };
        next.iter().map(held).collect()
    }

    /// Why letters wait to be written, if they do for longer than it takes. Errors: what will not pass.
    pub(super) fn failing(&self) -> Result<Option<String>, SourceError> {
        let mut state = self.waiting.state.lock();
        if let Some(error) = state.ended.take() {
            return Err(error);
        }
        let is_slow = |since: Instant| SLOW <= since.elapsed();
        let slow = state.stuck_since.is_some_and(is_slow).then(|| {
            let letters = state.letters;
            format!("no answer for {} s, {letters} wait", SLOW.as_secs())
        });
        Ok(state.failing.clone().or(slow))
    }

    /// Waits until all are written, for at most `wait`.
    pub(super) fn finish(&self, wait: Duration) {
        let begun = clock::stopwatch();
        let mut state = self.waiting.state.lock();
        while state.letters != 0
            && state.ended.is_none()
            && let Some(left) = wait.checked_sub(begun.elapsed())
        {
            self.waiting.moved.wait_for(&mut state, left);
        }
        if state.letters != 0 {
            let letters = state.letters;
            tracing::warn!(
                letters,
                "{letters} dead letters are not written yet: their records are read again at the next start"
            );
        }
    }

    /// A record said something, whatever came of it: these are the right topics.
    pub(super) fn note_usable(&mut self) {
        self.is_right_log = true;
    }

    /// A record said nothing that can be understood. An error once so many did and none ever said anything: better to stop
    /// than to make letters of somebody else's topics. What was understood and refused is never that.
    pub(super) fn note_unusable(&mut self, reason: &str) -> Result<(), PipelineError> {
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

    fn tell(&mut self, position: Position, reason: &str) {
        if self.told.is_some_and(|told| told.elapsed() < TOLD_EVERY) {
            self.untold += 1;
            return;
        }
        let Position {
            topic,
            partition,
            offset,
        } = position;
        let (topic, others) = (topic.name(), self.untold);
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
        (self.told, self.untold) = (Some(clock::stopwatch()), 0);
    }
}

impl State {
    fn add(&mut self, position: Position) {
        let of_partition = self.offsets.entry((position.topic, position.partition));
        of_partition.or_default().insert(position.offset);
    }

    fn written(&mut self, letter: &Letter) {
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

/// Writes what is handed over, many at a time, each until it is durable.
async fn write_all(appender: Appender, mut letters: mpsc::Receiver<Letter>, waiting: Arc<Waiting>) {
    let mut batch = Vec::new();
    while letters.recv_many(&mut batch, BATCH_LETTERS).await != 0 {
        while !batch.is_empty() {
            let each = batch.iter().map(|letter| write(&appender, letter));
            let results = join_all(each).await;
            let mut failed = None;
            {
                let mut state = waiting.state.lock();
                let mut results = results.into_iter();
                batch.retain(|letter| match results.next() {
                    Some(Ok(())) => {
                        state.written(letter);
                        false
                    }
                    Some(Err(error)) => {
                        failed = Some(error);
                        true
                    }
                    None => true,
                });
                let failing = failed.as_ref().map(ToString::to_string);
                if let Some(error) = &failed
                    && state.failing != failing
                {
                    tracing::error!(
                        error = error as &dyn std::error::Error,
                        "setting records aside failed, to be tried again: {error}"
                    );
                }
                state.failing = failing;
            }
            let passes = match failed {
                None => true,
                Some(error) if error.is_passing() => !letters.is_closed(),
                Some(error) => {
                    waiting.state.lock().ended = Some(error);
                    false
                }
            };
            waiting.moved.notify_all();
            if !passes {
                return;
            }
            if !batch.is_empty() {
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn write(appender: &Appender, letter: &Letter) -> Result<(), SourceError> {
    let Letter { record, reason } = letter;
    match appender.dead_letter(record, reason).await {
        Err(error) if error.is_too_large() => {
            let bytes = record.value.as_ref().map_or(0, Vec::len);
            let reason = format!(
                "{reason} (its {bytes} bytes are too many for a dead letter: read it where it is)"
            );
            let emptied = Record {
                value: None,
                ..record.clone()
            };
            appender.dead_letter(&emptied, &reason).await
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

    fn set_aside(folder: &std::path::Path, runtime: &tokio::runtime::Runtime) -> SetAside {
        let options = log::Options::BuiltIn(built_in::Options::at(folder));
        let (_, appender) = log::open(&options, &[], &[]).unwrap();
        SetAside::new(appender, runtime.handle(), false, clock::stopwatch())
    }

    /// Were this to fail, a crash could lose a record that cannot be used, or all be read again for one.
    #[test]
    fn reading_goes_on_from_the_first_whose_letter_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut aside = set_aside(folder.path(), &runtime);
        let next = [
            record(9).position,
            Position {
                partition: 1,
                ..record(4).position
            },
        ];
        let held = |aside: &SetAside| {
            let held = aside.reflected(&next);
            held.iter().map(|next| next.offset).collect::<Vec<_>>()
        };
        let going = AtomicBool::new(false);
        // As a log leaves them that takes none.
        for offset in [5, 7] {
            aside.waiting.state.lock().add(record(offset).position);
        }
        assert_eq!(held(&aside), [5, 4]);
        aside.hand_over(&record(3), "bad", &going).unwrap();
        aside.finish(Duration::from_secs(60));
        assert_eq!(
            held(&aside),
            [5, 4],
            "that of 3 is written, those before are not"
        );
        for offset in [5, 7] {
            let letter = Letter {
                record: record(offset),
                reason: String::new(),
            };
            aside.waiting.state.lock().written(&letter);
        }
        assert_eq!(held(&aside), [9, 4]);
    }

    /// Were this to fail, letters nobody takes would fill memory, or a stop wait for them.
    #[test]
    fn when_too_many_wait_a_stop_ends_the_waiting_and_the_record_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut aside = set_aside(folder.path(), &runtime);
        aside.waiting.state.lock().letters = LETTERS_MAX;
        let stopping = AtomicBool::new(true);
        let going = AtomicBool::new(false);
        let handed = aside.hand_over(&record(2), "bad", &going).unwrap();
        assert_eq!(handed, Handed::NoRoom);
        aside.hand_over(&record(3), "bad", &stopping).unwrap();
        assert_eq!(aside.waiting.state.lock().letters, LETTERS_MAX);
        assert_eq!(aside.reflected(&[record(9).position])[0].offset, 3);
    }

    /// Were this to fail, strangers could stop the service, or somebody else's topics fill the dead letters.
    #[test]
    fn only_a_log_that_never_said_anything_is_the_wrong_one() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut aside = set_aside(folder.path(), &runtime);
        for _ in 1..UNUSABLE_MAX {
            aside.note_unusable("not JSON").unwrap();
        }
        assert!(matches!(
            aside.note_unusable("not JSON"),
            Err(PipelineError::Unusable {
                records: UNUSABLE_MAX,
                ..
            })
        ));
        aside.note_usable();
        for _ in 0..2 * UNUSABLE_MAX {
            aside.note_unusable("not JSON").unwrap();
        }
    }
}
