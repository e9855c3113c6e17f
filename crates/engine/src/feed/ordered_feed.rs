//! A feed as it is kept: its entries by place, the records that each depends on, and the removals it remembers, so that a
//! reader who was away is sent exactly what changed. Pure.
//!
//! Changes of a feed gather beside it as [`FeedOp`]s, and a checkpoint takes them in; a reader takes them in on the fly.

pub mod packed;

use crate::feed::boost_groups::BoostGroups;
use crate::feed::feed_op::{FeedOp, Verb};
use crate::record::offsets::{LogPos, Offsets};
use serde::{Deserialize, Serialize};
use slackwater_order::place::PostId;
use std::sync::Arc;
use std::time::Duration;

/// Removals a feed remembers. A cursor that lacks an older one is refused.
pub const REMOVED_MAX: usize = 1_000;
/// Dependencies a feed keeps beside the one log position of each entry. When there are more, those of the lowest places are forgotten,
/// and a cursor that lacks one of them is refused.
pub const DEPENDENCIES_MAX: usize = 4_000;
/// Changes of relations a feed remembers one by one. A cursor that lacks an older one is refused.
pub const RELATION_CHANGES_MAX: usize = 16;
/// Entries dropped for length that are remembered because they may hide a repeat that is still there. When there are more,
/// the lowest are forgotten: what they hid may show, and a cursor that lacks a record of any that fell is refused.
pub const FALLEN_MAX: usize = 1_000;

/// A feed, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderedFeed {
    /// The entries' places, ascending.
    pub ids: Vec<PostId>,
    /// The newest record that changed the post of each entry.
    pub marks: Vec<LogPos>,
    /// Further records that entries depend on (the relation that brought them in, the post they boost), ascending by id.
    pub dependencies: Vec<(PostId, LogPos)>,
    /// Entries that were removed, each with the record that removed it, in the order of the removals; each above the floor or
    /// known to show something, none of them an entry. One removal per partition: a cursor may have seen one partition's
    /// removal and not the other's.
    pub removed: Vec<(PostId, LogPos)>,
    /// Which posts boosts and the posts they boost show: of entries, of removed ones, and of trimmed ones that may still hide
    /// a repeat.
    pub shows: BoostGroups,
    /// Per partition, the offset after the newest record that any trimmed entry depends on. Kept while trimmed entries are
    /// remembered; a cursor older than this gets the possibly affected boosts again.
    pub fell: Offsets,
    /// Changes of the account's relations that brought entries in or took them out, oldest first.
    pub relation_changes: Vec<RelationChange>,
    /// The next record of each partition after the last that is no longer remembered.
    pub forgotten: Offsets,
    /// The highest place dropped for length: nothing at or below it enters again.
    pub floor: PostId,
    /// How many insertions stood at or below the floor and did not enter. Not stored.
    pub below_floor: u64,
}

/// A relation that changed what a feed holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationChange {
    /// The record of the change.
    pub log_pos: LogPos,
    /// Whether it may have taken entries out.
    pub takes_out: bool,
    /// Whether it hid repeats or brought them to light: all visible entries have to be sent again.
    pub regroups: bool,
    /// The offsets that readers had from this node when the change was applied. Entries that a cursor has from records beyond
    /// these were not decided about, so what the change did to them is not listed.
    pub seen: Arc<Offsets>,
}

impl OrderedFeed {
    /// Takes in what happened, oldest first.
    pub fn take_in(&mut self, ops: &[FeedOp]) {
        // An insertion is followed by what the entry shows.
        let mut new = None;
        // A new entry mostly stands above all removed ones, and need not be looked for among them.
        let mut top_removed = self
            .removed
            .iter()
            .map(|(id, _)| *id)
            .max()
            .unwrap_or_default();
        for op in ops {
            if let Verb::Shows = op.verb() {
                let (id, post) = (op.id(), op.shown());
                self.show(id, post, new == Some(id), top_removed);
                continue;
            }
            let Some(log_pos) = op.log_pos() else {
                continue;
            };
            match op.verb() {
                Verb::Insert => {
                    new = self
                        .insert(op.id(), log_pos, top_removed)
                        .then_some(op.id());
                }
                Verb::DependOn => {
                    if self.ids.binary_search(&op.id()).is_ok() {
                        self.rest_on(op.id(), log_pos);
                    } else if op.id() <= self.floor {
                        self.fell.raise(log_pos.next());
                    }
                }
                Verb::Remove => {
                    let id = op.id();
                    self.remove(id, log_pos);
                    top_removed = top_removed.max(id);
                }
                Verb::Shows => {}
            }
        }
    }

    /// Remembers a change of relations. One that is remembered already (its record was read again) stays as it was first: its
    /// effect was listed then.
    pub fn add_relation_change(&mut self, change: RelationChange) {
        let again = |there: &RelationChange| {
            there.log_pos.is_beside(change.log_pos) && change.log_pos <= there.log_pos
        };
        if self.forgotten.has(change.log_pos) || self.relation_changes.iter().any(again) {
            return;
        }
        // Readers are sent whole batches only: the changes of a batch are one to them.
        if let Some(last) = self.relation_changes.last_mut()
            && last.seen == change.seen
            && last.log_pos.is_beside(change.log_pos)
        {
            last.log_pos = change.log_pos;
            last.takes_out |= change.takes_out;
            last.regroups |= change.regroups;
            return;
        }
        self.relation_changes.push(change);
        if RELATION_CHANGES_MAX < self.relation_changes.len() {
            let oldest = self.relation_changes.remove(0);
            self.forget(oldest.log_pos);
        }
    }

    /// A cursor that lacks the record at `log_pos` is refused from now on.
    pub fn forget(&mut self, log_pos: LogPos) {
        self.forgotten.raise(log_pos.next());
    }

    /// Drops the lowest entries until no more than `length` stand at or below `shown` and no more than `held` in all.
    pub fn trim(&mut self, length: usize, held: usize, shown: PostId) {
        let below = self.ids.partition_point(|id| *id <= shown);
        let surplus = below
            .saturating_sub(length)
            .max(self.ids.len().saturating_sub(held));
        let Some(dropped) = surplus.checked_sub(1).and_then(|last| self.ids.get(last)) else {
            return;
        };
        self.floor = self.floor.max(*dropped);
        let floor = self.floor;
        let remembered = self.shows.fallen(floor);
        let is_remembered = |id| remembered.binary_search(&id).is_ok();
        let dependencies = self.dependencies.partition_point(|(id, _)| *id <= floor);
        let dropped = self.ids.drain(..surplus).zip(self.marks.drain(..surplus));
        for (id, log_pos) in dropped.chain(self.dependencies.drain(..dependencies)) {
            if is_remembered(id) {
                self.fell.raise(log_pos.next());
            }
        }
        self.removed
            .retain(|(id, _)| floor < *id || is_remembered(*id));
    }

    /// Forgets what was dropped for length and cannot hide anything that is still there, a repeat being hidden for `after`.
    pub fn forget_fallen(&mut self, after: Duration) {
        let floor = self.floor;
        self.shows.age(floor, after);
        if self.shows.keep_fallen(floor, FALLEN_MAX) {
            for next in self.fell.positions() {
                self.forgotten.raise(next);
            }
        }
        let remembered = self.shows.fallen(floor);
        self.removed
            .retain(|(id, _)| floor < *id || remembered.binary_search(id).is_ok());
        if remembered.is_empty() {
            self.fell = Offsets::default();
        }
    }

    /// The entries that are repeats, and hidden, ascending. Those dropped for length hide what they hid: nothing is
    /// promoted by trimming.
    pub fn hidden(&self, after: Duration) -> Vec<PostId> {
        let removed = self.removed_below();
        self.shows.hidden(after, |id| {
            if id <= self.floor {
                removed.binary_search(&id).is_err()
            } else {
                self.ids.binary_search(&id).is_ok()
            }
        })
    }

    /// What was dropped for length and is remembered, unless it left since.
    pub fn fallen(&self) -> Vec<PostId> {
        let removed = self.removed_below();
        let fallen = self.shows.fallen(self.floor).into_iter();
        fallen
            .filter(|id| removed.binary_search(id).is_err())
            .collect()
    }

    /// What left at or below the floor, ascending.
    fn removed_below(&self) -> Vec<PostId> {
        let removed = self.removed.iter().map(|(id, _)| *id);
        let mut removed: Vec<PostId> = removed.filter(|id| *id <= self.floor).collect();
        removed.sort_unstable();
        removed
    }

    /// The entries from the highest place down.
    pub fn newest_first(&self) -> impl Iterator<Item = PostId> + '_ {
        self.ids.iter().rev().copied()
    }

    /// Whether an entry depends already on the record of `op`, or on a newer one. True for ops that are neither insertions nor
    /// dependencies.
    pub fn has_said(&self, op: FeedOp) -> bool {
        let Some(log_pos) = op.log_pos() else {
            return true;
        };
        let is_newer = |there: LogPos| there.is_beside(log_pos) && log_pos <= there;
        match op.verb() {
            Verb::Insert | Verb::DependOn => self.marks_of(op.id()).any(is_newer),
            Verb::Remove | Verb::Shows => true,
        }
    }

    /// The records that an entry depends on.
    pub fn marks_of(&self, id: PostId) -> impl Iterator<Item = LogPos> + '_ {
        let at = self.ids.binary_search(&id).ok();
        let own = at.and_then(|at| self.marks.get(at)).copied();
        let dependencies = self
            .dependencies
            .iter()
            .filter(move |(there, _)| *there == id);
        own.into_iter()
            .chain(dependencies.map(|(_, log_pos)| *log_pos))
    }

    /// Whether it holds nothing and remembers nothing.
    pub fn is_blank(&self) -> bool {
        *self
            == OrderedFeed {
                below_floor: self.below_floor,
                ..OrderedFeed::default()
            }
    }

    /// Returns whether the entry is new: neither the entry was known nor what it shows. No removed entry stands above
    /// `top_removed`.
    fn insert(&mut self, id: PostId, log_pos: LogPos, top_removed: PostId) -> bool {
        match self.ids.binary_search(&id) {
            Ok(at) => {
                let Some(there) = self.marks.get_mut(at) else {
                    return false;
                };
                let before = *there;
                if before.is_beside(log_pos) {
                    *there = before.max(log_pos);
                } else {
                    // Both still matter: neither partition knows how far the other was seen.
                    *there = log_pos;
                    self.rest_on(id, before);
                }
                false
            }
            Err(_) if id <= self.floor => {
                self.below_floor += 1;
                self.fell.raise(log_pos.next());
                self.is_back(id, top_removed);
                false
            }
            Err(at) => {
                self.ids.insert(at, id);
                self.marks.insert(at, log_pos);
                let removed = self.removed.len();
                self.is_back(id, top_removed);
                removed == self.removed.len() && !self.shows.is_of(id)
            }
        }
    }

    fn is_back(&mut self, id: PostId, top_removed: PostId) {
        if id <= top_removed {
            self.removed.retain(|(there, _)| *there != id);
        }
        self.note_boosted(id);
    }

    /// Notes that `id` shows itself, if a boost shows it too.
    fn note_boosted(&mut self, id: PostId) {
        if self.shows.is_of(id) && !self.shows.has_itself(id) && !self.shows.has(id) {
            self.shows.note_new(id, id);
        }
    }

    fn show(&mut self, id: PostId, post: PostId, is_new: bool, top_removed: PostId) {
        let is_known = |id| {
            id <= self.floor
                || self.ids.binary_search(&id).is_ok()
                || id <= top_removed && self.removed.iter().any(|(there, _)| *there == id)
        };
        let is_post_known = self.floor < post && is_known(post);
        if is_new {
            self.shows.note_new(id, post);
        } else if is_known(id) {
            self.shows.note(id, post);
        } else {
            return;
        }
        if is_post_known {
            self.note_boosted(post);
        }
    }

    fn rest_on(&mut self, id: PostId, log_pos: LogPos) {
        let from = self.dependencies.partition_point(|(there, _)| *there < id);
        let of_id = self.dependencies.get_mut(from..).unwrap_or_default();
        let same = of_id
            .iter_mut()
            .take_while(|(there, _)| *there == id)
            .find(|(_, there)| there.is_beside(log_pos));
        match same {
            Some((_, there)) => *there = (*there).max(log_pos),
            None => self.dependencies.insert(from, (id, log_pos)),
        }
        if DEPENDENCIES_MAX < self.dependencies.len() {
            let (_, lowest) = self.dependencies.remove(0);
            self.forget(lowest);
        }
    }

    fn remove(&mut self, id: PostId, log_pos: LogPos) {
        if let Ok(at) = self.ids.binary_search(&id) {
            self.ids.remove(at);
            self.marks.remove(at);
            self.dependencies.retain(|(there, _)| *there != id);
        }
        self.note_boosted(id);
        if id <= self.floor && !self.shows.has(id) {
            return;
        }
        // Remembered even if it never was here: where the log was read in another order it may have been.
        let mut newest = log_pos;
        self.removed.retain(|(there, before)| {
            let same = *there == id && before.is_beside(log_pos);
            if same {
                newest = newest.max(*before);
            }
            !same
        });
        self.removed.push((id, newest));
        if REMOVED_MAX < self.removed.len() {
            let (unknown, oldest) = self.removed.remove(0);
            self.forget(oldest);
            if !self.removed.iter().any(|(there, _)| *there == unknown) {
                self.shows.retain(|there| there != unknown);
            }
        }
    }
}

#[cfg(test)]
mod tests;
