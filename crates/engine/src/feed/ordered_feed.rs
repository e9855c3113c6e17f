//! A feed as it is kept: its entries by place, what each rests on in the log, and what is remembered of those that
//! left, so that a reader who was away can be told exactly what changed. Pure.
//!
//! What happens to a feed gathers beside it as [`FeedOp`]s and is taken in at a checkpoint; a reader takes them in on the fly.

mod packed;

pub use packed::Packed;

use crate::feed::boost_groups::Shows;
use crate::feed::feed_op::{FeedOp, Verb};
use crate::record::offsets::{LogPos, Offsets};
use serde::{Deserialize, Serialize};
use slackwater_order::place::PostId;
use std::sync::Arc;
use std::time::Duration;

/// Removals a feed remembers. A cursor that lacks an older one is refused.
pub const GONE_MAX: usize = 1_000;
/// Further marks a feed keeps beside one for each entry. When there are more, those of the lowest places are forgotten,
/// and a cursor that lacks one of them is refused.
pub const ALSO_MAX: usize = 4_000;
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
    /// Of each entry: the newest record that said something new of its post.
    pub marks: Vec<LogPos>,
    /// What entries rest on besides (the relation that brought them in, the post they boost), ascending by id.
    pub also: Vec<(PostId, LogPos)>,
    /// Entries that left and why, in the order in which they left; each above the floor or known to show something, none of
    /// them an entry. One of them for each partition whose record took it out, were it still there: neither knows how far
    /// the other was seen.
    pub gone: Vec<(PostId, LogPos)>,
    /// What boosts and the posts they boost show: of entries, of what is gone, and of what fell and may still hide a repeat.
    pub shows: Shows,
    /// Of each partition, the next record after the last that something at or below the floor rests on, as long as anything
    /// that fell is remembered. Their own marks are not: who lacks one is told again what it may have hidden.
    pub fell: Offsets,
    /// Changes of the account's relations that brought entries in or took them out, oldest first.
    pub relation_changes: Vec<RelationChange>,
    /// Of each partition, the next record after the last that is no longer remembered.
    pub forgotten: Offsets,
    /// The highest place dropped for length: nothing at or below it enters again.
    pub floor: PostId,
    /// How many insertions stood at or below the floor and did not enter. Not stored.
    pub below_floor: u64,
}

/// A relation that changed what a feed holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationChange {
    /// The record that said so.
    pub log_pos: LogPos,
    /// Whether it may have taken entries out.
    pub takes_out: bool,
    /// Whether it hid repeats or brought them to light: all that is shown is to be told again.
    pub regroups: bool,
    /// What this node had told readers it had seen when it was taken in. What a cursor saw beyond this was not looked
    /// at, so what the relation did to it is not listed.
    pub seen: Arc<Offsets>,
}

impl OrderedFeed {
    /// Takes in what happened, oldest first.
    pub fn take_in(&mut self, ops: &[FeedOp]) {
        // What just came is followed by what it shows.
        let mut new = None;
        // What comes mostly stands above all that left, and need not be looked for among it.
        let mut top_gone = self
            .gone
            .iter()
            .map(|(id, _)| *id)
            .max()
            .unwrap_or_default();
        for op in ops {
            if let Verb::Shows = op.verb() {
                let (id, post) = (op.id(), op.shown());
                self.show(id, post, new == Some(id), top_gone);
                continue;
            }
            let Some(log_pos) = op.log_pos() else {
                continue;
            };
            match op.verb() {
                Verb::Insert => new = self.insert(op.id(), log_pos, top_gone).then_some(op.id()),
                Verb::Also => {
                    if self.ids.binary_search(&op.id()).is_ok() {
                        self.rest_on(op.id(), log_pos);
                    } else if op.id() <= self.floor {
                        self.fell.raise(log_pos.next());
                    }
                }
                Verb::Remove => {
                    let id = op.id();
                    self.remove(id, log_pos);
                    top_gone = top_gone.max(id);
                }
                Verb::Shows => {}
            }
        }
    }

    /// Remembers a change of relations. One that is remembered already (its record was read again) keeps what was said
    /// first: what it did was listed then.
    pub fn add_relation_change(&mut self, change: RelationChange) {
        let again = |there: &RelationChange| {
            there.log_pos.is_beside(change.log_pos) && change.log_pos <= there.log_pos
        };
        if self.forgotten.has(change.log_pos) || self.relation_changes.iter().any(again) {
            return;
        }
        // Readers are only told of whole batches: the changes of one are one to them.
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
        let also = self.also.partition_point(|(id, _)| *id <= floor);
        let dropped = self.ids.drain(..surplus).zip(self.marks.drain(..surplus));
        for (id, log_pos) in dropped.chain(self.also.drain(..also)) {
            if is_remembered(id) {
                self.fell.raise(log_pos.next());
            }
        }
        self.gone
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
        self.gone
            .retain(|(id, _)| floor < *id || remembered.binary_search(id).is_ok());
        if remembered.is_empty() {
            self.fell = Offsets::default();
        }
    }

    /// The entries that are repeats, and hidden, ascending. Those dropped for length hide what they hid: nothing is
    /// promoted by trimming.
    pub fn hidden(&self, after: Duration) -> Vec<PostId> {
        let gone = self.gone_below();
        self.shows.hidden(after, |id| {
            if id <= self.floor {
                gone.binary_search(&id).is_err()
            } else {
                self.ids.binary_search(&id).is_ok()
            }
        })
    }

    /// What was dropped for length and is remembered, unless it left since.
    pub fn fallen(&self) -> Vec<PostId> {
        let gone = self.gone_below();
        let fallen = self.shows.fallen(self.floor).into_iter();
        fallen
            .filter(|id| gone.binary_search(id).is_err())
            .collect()
    }

    /// What left at or below the floor, ascending.
    fn gone_below(&self) -> Vec<PostId> {
        let gone = self.gone.iter().map(|(id, _)| *id);
        let mut gone: Vec<PostId> = gone.filter(|id| *id <= self.floor).collect();
        gone.sort_unstable();
        gone
    }

    /// The entries from the highest place down.
    pub fn newest_first(&self) -> impl Iterator<Item = PostId> + '_ {
        self.ids.iter().rev().copied()
    }

    /// Whether an entry depends already on what `op` says, or on something newer. Removals, and what entries show, are not asked for.
    pub fn has_said(&self, op: FeedOp) -> bool {
        let Some(log_pos) = op.log_pos() else {
            return true;
        };
        let is_newer = |there: LogPos| there.is_beside(log_pos) && log_pos <= there;
        match op.verb() {
            Verb::Insert | Verb::Also => self.marks_of(op.id()).any(is_newer),
            Verb::Remove | Verb::Shows => true,
        }
    }

    /// What an entry rests on.
    pub fn marks_of(&self, id: PostId) -> impl Iterator<Item = LogPos> + '_ {
        let at = self.ids.binary_search(&id).ok();
        let own = at.and_then(|at| self.marks.get(at)).copied();
        let also = self.also.iter().filter(move |(there, _)| *there == id);
        own.into_iter().chain(also.map(|(_, log_pos)| *log_pos))
    }

    /// Whether it holds nothing and remembers nothing.
    pub fn is_blank(&self) -> bool {
        *self
            == OrderedFeed {
                below_floor: self.below_floor,
                ..OrderedFeed::default()
            }
    }

    /// Whether it is new: nothing was known of it, nor of what it shows. Nothing that left stands above `top_gone`.
    fn insert(&mut self, id: PostId, log_pos: LogPos, top_gone: PostId) -> bool {
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
                self.is_back(id, top_gone);
                false
            }
            Err(at) => {
                self.ids.insert(at, id);
                self.marks.insert(at, log_pos);
                let gone = self.gone.len();
                self.is_back(id, top_gone);
                gone == self.gone.len() && !self.shows.is_of(id)
            }
        }
    }

    fn is_back(&mut self, id: PostId, top_gone: PostId) {
        if id <= top_gone {
            self.gone.retain(|(there, _)| *there != id);
        }
        self.note_boosted(id);
    }

    /// Notes that `id` shows itself, if a boost shows it too.
    fn note_boosted(&mut self, id: PostId) {
        if self.shows.is_of(id) && !self.shows.has_itself(id) && !self.shows.has(id) {
            self.shows.note_new(id, id);
        }
    }

    fn show(&mut self, id: PostId, post: PostId, is_new: bool, top_gone: PostId) {
        let is_known = |id| {
            id <= self.floor
                || self.ids.binary_search(&id).is_ok()
                || id <= top_gone && self.gone.iter().any(|(there, _)| *there == id)
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
        let from = self.also.partition_point(|(there, _)| *there < id);
        let of_id = self.also.get_mut(from..).unwrap_or_default();
        let same = of_id
            .iter_mut()
            .take_while(|(there, _)| *there == id)
            .find(|(_, there)| there.is_beside(log_pos));
        match same {
            Some((_, there)) => *there = (*there).max(log_pos),
            None => self.also.insert(from, (id, log_pos)),
        }
        if ALSO_MAX < self.also.len() {
            let (_, lowest) = self.also.remove(0);
            self.forget(lowest);
        }
    }

    fn remove(&mut self, id: PostId, log_pos: LogPos) {
        if let Ok(at) = self.ids.binary_search(&id) {
            self.ids.remove(at);
            self.marks.remove(at);
            self.also.retain(|(there, _)| *there != id);
        }
        self.note_boosted(id);
        if id <= self.floor && !self.shows.has(id) {
            return;
        }
        // Remembered even if it never was here: where the log was read in another order it may have been.
        let mut newest = log_pos;
        self.gone.retain(|(there, before)| {
            let same = *there == id && before.is_beside(log_pos);
            if same {
                newest = newest.max(*before);
            }
            !same
        });
        self.gone.push((id, newest));
        if GONE_MAX < self.gone.len() {
            let (unknown, oldest) = self.gone.remove(0);
            self.forget(oldest);
            if !self.gone.iter().any(|(there, _)| *there == unknown) {
                self.shows.retain(|there| there != unknown);
            }
        }
    }
}

#[cfg(test)]
mod tests;
