//! Letters that are not written yet: those that wait for the log, and those that are another node's to write.

use crate::clock;
use crate::log::LogError;
use parking_lot::{Condvar, Mutex};
use slackwater_engine::record::{Position, Record, Topic};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Letters that may wait to be written. Beyond that nothing is read until there is room, since memory is bounded and the log
/// keeps the rest.
pub(super) const LETTERS_MAX: usize = 100_000;
/// Bytes of letters that may wait to be written.
const BYTES_MAX: usize = 64_000_000;
/// Letters that are held until another node has written them. Beyond that this node writes them too.
pub(super) const HELD_MAX: usize = 10_000;
/// Bytes of such letters.
const HELD_BYTES_MAX: usize = 16_000_000;

/// A partition of the log.
pub(super) type Partition = (Topic, i32);

/// A record, and the reason why it cannot be used.
pub(super) struct Letter {
    pub(super) record: Record,
    pub(super) reason: String,
}

/// A letter that is another node's to write.
struct Held {
    letter: Letter,
    since: Instant,
}

/// Letters that are not written yet.
#[derive(Default)]
pub(super) struct Backlog {
    pub(super) state: Mutex<BacklogState>,
    /// Signalled when letters were written, or when none will be written any more.
    pub(super) changed: Condvar,
}

#[derive(Default)]
pub(super) struct BacklogState {
    /// The offsets of records whose letters are not durable, by partition.
    offsets: BTreeMap<Partition, BTreeSet<i64>>,
    pub(super) letters: usize,
    bytes: usize,
    /// Those of another node's partitions, by partition and offset.
    held: BTreeMap<Partition, BTreeMap<i64, Held>>,
    held_letters: usize,
    held_bytes: usize,
    /// Since when no letter has been written, though some wait.
    pub(super) stuck_since: Option<Instant>,
    /// Why letters could not be written at the last try.
    pub(super) failure: Option<String>,
    /// An error that no other try will pass.
    pub(super) fatal: Option<LogError>,
}

impl BacklogState {
    /// Whether so many letters wait that one of this size finds no room.
    pub(super) fn is_full(&self, bytes: usize) -> bool {
        LETTERS_MAX <= self.letters || (self.letters != 0 && BYTES_MAX < self.bytes + bytes)
    }

    /// The letter of a record is not durable.
    pub(super) fn add(&mut self, position: Position) {
        let of_partition = self.offsets.entry((position.topic, position.partition));
        of_partition.or_default().insert(position.offset);
    }

    /// A letter of this size waits to be written.
    pub(super) fn count(&mut self, bytes: usize) {
        self.letters += 1;
        self.bytes += bytes;
        self.stuck_since.get_or_insert_with(clock::stopwatch);
    }

    /// A letter that waited was written.
    pub(super) fn remove(&mut self, letter: &Letter) {
        self.is_durable(letter.record.position);
        self.letters = self.letters.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(letter.record.bytes());
        self.stuck_since = (self.letters != 0).then(clock::stopwatch);
    }

    /// Where reading goes on after a crash, given the `next` offset to be read of a partition.
    pub(super) fn resume_from(&self, next: &Position) -> Position {
        let offsets = self.offsets.get(&(next.topic, next.partition));
        let first = offsets.and_then(BTreeSet::first);
        let offset = first.map_or(next.offset, |first| next.offset.min(*first));
        Position { offset, ..*next }
    }

    /// Holds a letter that is another node's to write, and gives it back if there is no room.
    pub(super) fn hold(&mut self, letter: Letter, now: Instant) -> Option<Letter> {
        let (position, bytes) = (letter.record.position, letter.record.bytes());
        let has_room = self.held_letters < HELD_MAX && self.held_bytes + bytes <= HELD_BYTES_MAX;
        if !has_room {
            return Some(letter);
        }
        self.add(position);
        let of_partition = self.held.entry((position.topic, position.partition));
        let held = Held { letter, since: now };
        match of_partition.or_default().insert(position.offset, held) {
            // After a read again.
            Some(_) => {}
            None => {
                self.held_letters += 1;
                self.held_bytes += bytes;
            }
        }
        None
    }

    /// Drops what is held up to the offset that others have written letters to.
    pub(super) fn drop_written(&mut self, written: &BTreeMap<Partition, i64>) {
        for (partition, up_to) in written {
            while let Some(letter) = self.take_first(*partition, |offset, _| offset < *up_to) {
                self.is_durable(letter.record.position);
            }
        }
    }

    /// Takes out a letter that is held and is due, to be written here, if one is and finds room.
    pub(super) fn release(
        &mut self,
        is_due: impl Fn(Partition, Instant) -> bool,
    ) -> Option<Letter> {
        let partitions: Vec<Partition> = self.held.keys().copied().collect();
        partitions.into_iter().find_map(|partition| {
            let (letters, bytes) = (self.letters, self.bytes);
            let is_free = |size| letters == 0 || bytes + size <= BYTES_MAX;
            self.take_first(partition, |_, held| {
                letters < LETTERS_MAX
                    && is_free(held.letter.record.bytes())
                    && is_due(partition, held.since)
            })
        })
    }

    fn take_first(
        &mut self,
        partition: Partition,
        is_meant: impl Fn(i64, &Held) -> bool,
    ) -> Option<Letter> {
        let held = self.held.get_mut(&partition)?;
        let first = held.first_entry()?;
        if !is_meant(*first.key(), first.get()) {
            return None;
        }
        let letter = first.remove().letter;
        if held.is_empty() {
            self.held.remove(&partition);
        }
        self.held_letters = self.held_letters.saturating_sub(1);
        self.held_bytes = self.held_bytes.saturating_sub(letter.record.bytes());
        Some(letter)
    }

    fn is_durable(&mut self, position: Position) {
        let key = (position.topic, position.partition);
        if let Some(offsets) = self.offsets.get_mut(&key) {
            offsets.remove(&position.offset);
            if offsets.is_empty() {
                self.offsets.remove(&key);
            }
        }
    }
}
