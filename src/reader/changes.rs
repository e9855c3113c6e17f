//! What changed in a feed since a cursor: every entry that rests on a record the cursor has not seen, the removals it has
//! not seen, and what the horizon has passed. Pure.
//!
//! Changes are upserts by id. Where it cannot be known whether a reader has an entry, the entry is told again; where it
//! cannot be known what left, the cursor is refused. Never a gap.

use super::cursor::Moment;
use super::shown::Shown;
use crate::feed::ledger::Ledger;
use crate::order::horizon::last_shown;
use crate::post::mark::Mark;
use crate::post::record::Topic;

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The entry's place.
    pub id: u64,
    /// What became of it.
    pub what: What,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is shown, and was not.
    Entered,
    /// A record about its post, or about the post it boosts, is new to the reader: it entered, or it was edited. Which,
    /// the records that made the two say: see [`Moment::has`].
    Touched,
    /// It is not shown any more.
    Left,
}

/// Why a cursor cannot be served: the feed is to be read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It lacks something that is not remembered any more.
    #[error("what happened since this cursor is not remembered any more")]
    Forgotten,
    /// It lacks a relation that took entries out, of which some are only known to the cursor.
    #[error("what left the feed since this cursor cannot be listed")]
    NotListed,
    /// Entries were dropped for length, and then so many left that those would be in sight.
    #[error("entries that this cursor knew were dropped for length")]
    Dropped,
}

impl Moment {
    /// Whether the record at `mark` was known then.
    pub fn has(&self, mark: Mark) -> bool {
        self.seen.has(mark)
    }

    /// Whether a new entry at `id` is behind: an entry above it had been shown.
    pub fn is_past(&self, id: u64) -> bool {
        id < self.top
    }
}

/// What changed in `feed`, of which `shown` is shown, since `from`, in place order, lowest first. `length` is the feed's.
pub fn changes(
    feed: &Ledger,
    shown: &Shown,
    length: usize,
    from: &Moment,
) -> Result<Vec<Change>, Refused> {
    if !feed.forgotten.is_within(&from.seen) {
        return Err(Refused::Forgotten);
    }
    let mut is_all_in_doubt = false;
    for turn in feed.turns.iter().filter(|turn| !from.has(turn.mark)) {
        if from.seen.is_within(&turn.seen) {
            continue;
        }
        if turn.takes_out {
            return Err(Refused::NotListed);
        }
        is_all_in_doubt = true;
    }
    let ids = shown.ids(feed);
    if from.floor < shown.floor && ids.len() < length {
        return Err(Refused::Dropped);
    }
    let last_known = last_shown(Some(from.horizon)).number();
    let marks = feed.marks.get(shown.entries.clone()).unwrap_or_default();
    // Few, as a rule none, of a full feed's hundreds.
    let also: Vec<_> = feed
        .also
        .iter()
        .filter(|(_, mark)| !from.has(*mark))
        .collect();
    let mut also = also.into_iter().peekable();
    let mut changes = Vec::new();
    for (id, mark) in ids.iter().zip(marks) {
        let is_passed = last_known < *id || *id <= from.floor;
        let mut what = if is_all_in_doubt || is_passed {
            Some(What::Entered)
        } else if from.has(*mark) {
            None
        } else {
            Some(What::Touched)
        };
        while let Some((there, mark)) = also.next_if(|(there, _)| there <= id) {
            if there == id {
                what = match mark.topic() {
                    Topic::Relationships => Some(What::Entered),
                    Topic::Activities => what.or(Some(What::Touched)),
                };
            }
        }
        if let Some(what) = what {
            changes.push(Change { id: *id, what });
        }
    }
    let left = feed
        .gone
        .iter()
        .filter(|(id, mark)| !from.has(*mark) && *id <= last_known && from.floor < *id);
    changes.extend(left.map(|(id, _)| Change {
        id: *id,
        what: What::Left,
    }));
    // Stable and nearly sorted already.
    changes.sort_by_key(|change| change.id);
    Ok(changes)
}
