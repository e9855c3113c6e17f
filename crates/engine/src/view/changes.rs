//! The changes of a feed since a cursor: every entry that rests on a record which the cursor lacks, every removal that the cursor
//! lacks, and every entry that the horizon has passed since. A function of its arguments.
//!
//! Changes are upserts by id. Where nobody can know whether a reader has an entry, the entry is sent again; where nobody can know
//! what left, the cursor is refused. There is never a gap.

use crate::feed::ordered_feed::OrderedFeed;
use crate::feed::unfinished::Edited;
use crate::record::Topic;
use crate::record::offsets::{LogPos, Offsets};
use crate::view::cursor::ReadPoint;
use crate::view::uncertain_boosts::UncertainBoosts;
use crate::view::visible::Visible;
use hashbrown::HashSet;
use slackwater_order::horizon::highest_visible;
use slackwater_order::place::PostId;

/// A place whose entry changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangedEntry {
    /// The entry's place.
    pub id: PostId,
    /// What happened to it.
    pub change: EntryChange,
}

/// What happened to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryChange {
    /// It is visible now and was not.
    Entered,
    /// It is visible now and was not, because of a relation.
    LetIn,
    /// The reader lacks a record about its post, or about the post that it boosts: the entry is new, or it was edited. The records that
    /// made the two say which: see [`ReadPoint::has`].
    Touched,
    /// It is not visible any more.
    Left,
    /// It is a hidden repeat of an entry below it: it leaves if the reader had it.
    Repeats,
}

/// Why a cursor is refused: the reader has to read the feed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorRefused {
    /// The cursor lacks something that is not remembered any more.
    #[error("what happened since this cursor is not remembered any more")]
    Forgotten,
    /// The cursor lacks a relation that took entries out, and some of these only the cursor knows.
    #[error("what left the feed since this cursor cannot be listed")]
    NotListed,
}

impl ReadPoint {
    /// Whether the record at `log_pos` had been read.
    pub fn has(&self, log_pos: LogPos) -> bool {
        self.seen.has(log_pos)
    }

    /// Whether one of its entries may rest on the record at `log_pos`.
    pub fn may_show(&self, log_pos: LogPos) -> bool {
        self.seen.has(log_pos) || self.ahead.has(log_pos)
    }

    /// Whether `there` has every record that its entries may rest on.
    pub fn is_within(&self, there: &Offsets) -> bool {
        self.seen.is_within(there) && self.ahead.is_within(there)
    }

    /// Whether a new entry at `id` is behind: the reader has an entry above it.
    pub fn is_past(&self, id: PostId) -> bool {
        id < self.top
    }
}

/// The changes of `feed` since `from`, lowest place first; `visible` is its visible part. The entries that show the posts `edited` rest
/// on these edits, even where the feed does not say so yet. Entries that were dropped for length are not among the changes: the reader
/// drops what it has at or below the floor.
pub fn changes(
    feed: &OrderedFeed,
    visible: &Visible,
    edited: &[Edited],
    from: &ReadPoint,
) -> Result<Vec<ChangedEntry>, CursorRefused> {
    if !feed.forgotten.is_within(&from.seen) {
        return Err(CursorRefused::Forgotten);
    }
    let mut is_all_in_doubt = false;
    let relation_changes = feed.relation_changes.iter();
    for change in relation_changes.filter(|change| !from.has(change.log_pos)) {
        is_all_in_doubt |= change.regroups;
        if from.is_within(&change.seen) {
            continue;
        }
        if change.takes_out {
            return Err(CursorRefused::NotListed);
        }
        is_all_in_doubt = true;
    }
    let uncertain = match visible.repeat_after {
        Some(after) => UncertainBoosts::new(feed, after, from),
        None => UncertainBoosts::default(),
    };
    let ids = feed.ids.get(visible.entries.clone()).unwrap_or_default();
    let last_known = highest_visible(Some(from.horizon));
    let marks = feed.marks.get(visible.entries.clone()).unwrap_or_default();
    // These are few; as a rule there are none among a full feed's hundreds.
    let dependencies: Vec<_> = feed
        .dependencies
        .iter()
        .filter(|(_, log_pos)| !from.has(*log_pos))
        .collect();
    let mut dependencies = dependencies.into_iter().peekable();
    let edited = edited.iter().filter(|(_, log_pos)| !from.has(*log_pos));
    let edited = edited.flat_map(|(post, _)| feed.shows.entries_of(*post));
    let edited: HashSet<PostId> = edited.collect();
    let mut changes = Vec::new();
    for (id, log_pos) in ids.iter().zip(marks) {
        let is_passed = last_known < *id || *id <= from.floor;
        let mut change = if is_all_in_doubt || is_passed {
            Some(EntryChange::Entered)
        } else if from.has(*log_pos) {
            None
        } else {
            Some(EntryChange::Touched)
        };
        while let Some((there, log_pos)) = dependencies.next_if(|(there, _)| there <= id) {
            if there == id {
                change = match log_pos.topic() {
                    Topic::Relationships => Some(EntryChange::LetIn),
                    Topic::Activities => change.or(Some(EntryChange::Touched)),
                };
            }
        }
        if edited.contains(id) {
            change = change.or(Some(EntryChange::Touched));
        }
        if visible.hides(*id) {
            let may_show = !is_passed && (is_all_in_doubt || uncertain.has(*id));
            change = may_show.then_some(EntryChange::Repeats);
        } else if uncertain.was_hidden(*id) {
            change = Some(EntryChange::Entered);
        } else if uncertain.has(*id) {
            change = change.or(Some(EntryChange::Touched));
        }
        if let Some(change) = change {
            changes.push(ChangedEntry { id: *id, change });
        }
    }
    let left = feed
        .removed
        .iter()
        .filter(|(id, log_pos)| !from.has(*log_pos) && *id <= last_known && from.floor < *id);
    changes.extend(left.map(|(id, _)| ChangedEntry {
        id: *id,
        change: EntryChange::Left,
    }));
    // The sort is stable, and they are nearly sorted already.
    changes.sort_by_key(|change| change.id);
    // An entry that left for several reasons left once.
    changes.dedup();
    Ok(changes)
}

#[cfg(test)]
mod tests;
