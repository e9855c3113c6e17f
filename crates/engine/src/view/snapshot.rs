//! A feed at one moment: its visible part, the cursor of that moment, and what changed since another.

use crate::feed::ordered_feed::OrderedFeed;
use crate::feed::post::Post;
use crate::feed::store::disk::DiskError;
use crate::feed::unfinished::{AuthorChangeMark, Edited};
use crate::graph::{Account, AccountIx, Graph};
use crate::record::offsets::Offsets;
use crate::view::View;
use crate::view::change_batch::{BatchLimit, ChangeBatch, WriteEntry, batch as batch_of};
use crate::view::changes::{ChangedEntry, CursorRefused, changes};
use crate::view::cursor::{Batch, Cursor, ReadPoint};
use crate::view::feed_ref::{FeedRef, ResolvedFeed};
use crate::view::hidden::Hidden;
use crate::view::pending_relations::{Consistency, FeedProgress};
use crate::view::visible::{Visible, visible};
use slackwater_order::horizon::highest_visible;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::sync::Arc;

/// A feed at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// The feed.
    pub resolved: ResolvedFeed,
    /// All its entries.
    pub feed: OrderedFeed,
    /// Its visible part.
    pub visible: Visible,
    /// The account is inactive: its feed was dropped and is to be merged again before anybody reads it.
    pub is_inactive: bool,
    /// How far the feed is built.
    pub progress: FeedProgress,
    /// Edits that were read and that entries which boost the edited post may not rest on yet.
    edited: Arc<[Edited]>,
    now: Time,
}

/// One answer to a cursor.
#[derive(Debug)]
pub struct ChangeDelivery<E> {
    /// The changes.
    pub batch: ChangeBatch<E>,
    /// The reader drops the entries at and below this place: the feed ends there.
    pub floor: PostId,
    /// The cursor of a reader who has applied the changes.
    pub cursor: Cursor,
    /// What the reader had when this delivery began.
    from: ReadPoint,
    /// This node has not read, or not carried out, what the cursor has: the reader asks again later.
    pub is_early: bool,
}

/// Why changes since a cursor could not be found.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// The reader has to read the feed anew.
    #[error(transparent)]
    CursorRefused(#[from] CursorRefused),
    /// The data folder failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl View {
    /// As [`View::snapshot`], of an account's home.
    pub fn home_snapshot(
        &self,
        account: &str,
        least: Option<Time>,
        now: Time,
    ) -> Result<Option<Snapshot>, DiskError> {
        let account = account.to_owned();
        self.snapshot(&FeedRef::Home { account }, least, now)
    }

    /// The feed as it is now; none if there is no such account or list. Its horizon is no earlier than `least`, which the reader has
    /// reached before.
    pub fn snapshot(
        &self,
        feed_ref: &FeedRef,
        least: Option<Time>,
        now: Time,
    ) -> Result<Option<Snapshot>, DiskError> {
        let of_account = |graph: &Graph, owner| self.horizons.of(graph, owner, now);
        let Some(mut snapshot) = self.snapshot_held_back(feed_ref, of_account, now)? else {
            return Ok(None);
        };
        if let (Some(reached), Some(owner)) = (snapshot.visible.horizon, feed_ref.owner()) {
            self.horizons.reach(owner, reached);
            if let Some(least) = least.filter(|least| reached < *least) {
                let repeat_after = snapshot.visible.repeat_after;
                let length = self.store.length();
                snapshot.visible = visible(&snapshot.feed, length, Some(least), repeat_after);
            }
        }
        Ok(Some(snapshot))
    }

    /// The feed up to the horizon that `horizon_of` gives for its account, which is not noted as one that was reached.
    pub(super) fn snapshot_held_back(
        &self,
        feed_ref: &FeedRef,
        horizon_of: impl FnOnce(&Graph, AccountIx) -> Option<Time>,
        now: Time,
    ) -> Result<Option<Snapshot>, DiskError> {
        let (resolved, owner, held, aggregates) = {
            let graph = self.graph.read();
            let Some(resolved) = feed_ref.find(&graph) else {
                return Ok(None);
            };
            let owner = resolved.account.filter(|_| feed_ref.owner().is_some());
            let held = owner.and_then(|owner| horizon_of(&graph, owner));
            let of = owner.and_then(|owner| graph.get(owner));
            let aggregates = of.is_none_or(Account::aggregates_boosts);
            (resolved, owner, held, aggregates)
        };
        // The order matters: first the horizon, then the offsets, then the feed. All that the horizon counts on has been read, and all
        // that was read is in the feed.
        let progress_of = || {
            let seen = || Arc::clone(&self.built.borrow().seen);
            self.pending_relations.progress_of(owner, seen)
        };
        // An account becomes active only after its feeds are there.
        let was_asleep = owner.is_some_and(|owner| self.last_access.is_inactive(owner));
        let mut progress = progress_of();
        let mut edited = self.edited.now();
        let feed = loop {
            let feed = resolved.read(self)?;
            let now = progress_of();
            // Both must be of one moment: an entry beyond the offsets may be there by a relation that a later reading of the offsets
            // counts.
            if now == progress {
                break feed;
            }
            (progress, edited) = (now, self.edited.now());
        };
        // An account becomes inactive before its feeds are dropped, so this is asked again at the end.
        let is_inactive = was_asleep
            || owner.is_some_and(|owner| {
                self.last_access.note(owner);
                self.last_access.is_inactive(owner)
            });
        let length = self.store.length();
        let repeat_after = aggregates.then(|| self.store.repeat_after());
        let visible = visible(&feed, length, held, repeat_after);
        Ok(Some(Snapshot {
            resolved,
            feed,
            visible,
            is_inactive,
            progress,
            edited,
            now,
        }))
    }
}

impl Snapshot {
    /// The first entry that the horizon has not reached.
    pub fn next_held(&self) -> Option<PostId> {
        let next = self.feed.ids.get(self.visible.entries.end)?;
        Some(*next)
    }

    /// The visible places, ascending.
    pub fn ids(&self) -> &[PostId] {
        self.visible.ids()
    }

    /// Why an entry is not visible, if it is not.
    pub fn hides(&self, id: PostId) -> Option<Hidden> {
        if self.ids().binary_search(&id).is_ok() {
            None
        } else if id <= self.visible.floor {
            Some(Hidden::BelowEnd)
        } else if self.visible.hides(id) {
            Some(Hidden::Repeat)
        } else if self.feed.ids.binary_search(&id).is_ok() {
            Some(Hidden::Held)
        } else {
            Some(Hidden::BeingPutIn)
        }
    }

    /// This moment, as a cursor keeps it.
    pub fn read_point(&self) -> ReadPoint {
        let marks = self.feed.marks.get(self.visible.entries.clone());
        // A record of a batch that was not published yet will be sent later: its entry is not the top of any reader.
        let entries = self.entries().iter();
        let known = entries.zip(marks.unwrap_or_default()).rev();
        let mut known = known.filter(|(id, _)| !self.visible.hides(**id));
        let top = known.find(|(_, log_pos)| self.progress.seen.has(**log_pos));
        let highest = self.visible.top().time();
        ReadPoint {
            seen: Offsets::clone(&self.progress.seen),
            ahead: self.ahead(),
            horizon: self.visible.horizon.unwrap_or(self.now.max(highest)),
            top: top.map_or(PostId::MIN, |(id, _)| *id),
            floor: self.visible.floor,
        }
    }

    /// Whether the feed is of no earlier moment than a page or changes that gave this cursor.
    pub fn has_read(&self, cursor: &Cursor) -> bool {
        cursor.from.is_within(&self.progress.seen)
    }

    /// The visible places, and those of the hidden repeats among them.
    fn entries(&self) -> &[PostId] {
        let entries = self.feed.ids.get(self.visible.entries.clone());
        entries.unwrap_or_default()
    }

    /// The records that visible entries rest on and that were not published yet.
    fn ahead(&self) -> Offsets {
        let ids = self.entries();
        let (Some(lowest), Some(highest)) = (ids.first(), ids.last()) else {
            return Offsets::default();
        };
        let marks = self.feed.marks.get(self.visible.entries.clone());
        let dependencies = self.feed.dependencies.iter();
        let dependencies = dependencies.filter(|(id, _)| lowest <= id && id <= highest);
        let marks = marks.unwrap_or_default().iter();
        let mut ahead = Offsets::default();
        for log_pos in marks.chain(dependencies.map(|(_, log_pos)| log_pos)) {
            if !self.progress.seen.has(*log_pos) {
                ahead.raise(log_pos.next());
            }
        }
        // Such an entry may be there by a relation that was read since, and nothing else of it says so.
        if ahead != Offsets::default() {
            for log_pos in &self.progress.relations {
                ahead.raise(log_pos.next());
            }
        }
        ahead
    }

    /// A later answer of a delivery may hold entries that rest on records which were not read at its first. The cursor remembers these
    /// records: such an entry may have left again by a relation that another node read together with what let it in, so that there it
    /// never was and nothing lists it.
    fn note_delivered(&self, upto: &mut ReadPoint, told: impl Iterator<Item = PostId>) {
        for id in told {
            for log_pos in self.feed.marks_of(id) {
                if !upto.seen.has(log_pos) {
                    upto.ahead.raise(log_pos.next());
                }
            }
        }
    }

    /// The changes since `cursor`, as many as fit. A node that has not read all that the cursor counts on (it is another node, or reads
    /// again after a crash) sends none and leaves the cursor as it is: an entry of which this node does not know could leave without
    /// being listed. Neither does a node that has not carried out the account's relations.
    pub fn changes_since<W: WriteEntry>(
        &self,
        view: &View,
        cursor: &Cursor,
        limit: BatchLimit,
        writer: &W,
    ) -> Result<ChangeDelivery<W::Entry>, ChangesError> {
        let (from, batch) = (&cursor.from, cursor.batch.as_ref());
        let is_behind = |read_point: &ReadPoint| !read_point.is_within(&self.progress.seen);
        let has_pending_relations = self.progress.consistency == Consistency::Pending;
        if has_pending_relations
            || is_behind(from)
            || batch.is_some_and(|batch| is_behind(&batch.upto))
        {
            return Ok(ChangeDelivery {
                batch: ChangeBatch::default(),
                floor: from.floor,
                cursor: cursor.clone(),
                from: from.clone(),
                is_early: true,
            });
        }
        let author_changes = Arc::clone(&view.built.borrow().author_changes);
        // A change that this node has not published yet does not count: the next cursor would lack it again.
        let is_claimed = |said: &AuthorChangeMark| self.progress.seen.has(said.log_pos);
        let is_unlisted = |said: &AuthorChangeMark| {
            is_claimed(said) && !from.has(said.log_pos) && !from.is_within(&said.seen)
        };
        if author_changes.iter().any(is_unlisted) {
            return Err(CursorRefused::NotListed.into());
        }
        let mut all = changes(&self.feed, &self.visible, &self.edited, from)?;
        if let Some(batch) = batch {
            // The rest of the delivery that was begun. What came above its horizon follows when that is done.
            let (last, end) = (batch.last, highest_visible(Some(batch.upto.horizon)));
            all.retain(|change: &ChangedEntry| last < change.id && change.id <= end);
        }
        let admits =
            |post: &Post, original: Option<&Post>| self.resolved.admits(view, post, original);
        let told = batch_of(&view.store, &all, from, limit, &admits, writer)?;
        let mut upto = batch.map_or_else(|| self.read_point(), |batch| batch.upto.clone());
        // An entry that fell below the floor since was not sent, and is sent if it comes back.
        upto.floor = upto.floor.max(self.visible.floor);
        if batch.is_some() {
            let looked_at = all.iter().take_while(|change| change.id <= told.last);
            self.note_delivered(&mut upto, looked_at.map(|change| change.id));
        }
        let floor = upto.floor;
        let before = from.clone();
        let (from, batch) = if told.more {
            let last = told.last;
            (before.clone(), Some(Batch { upto, last }))
        } else {
            (upto, None)
        };
        let after = Cursor {
            feed: cursor.feed,
            log: cursor.log.clone(),
            from,
            batch,
        };
        Ok(ChangeDelivery {
            batch: told,
            floor,
            cursor: after,
            from: before,
            is_early: false,
        })
    }
}

impl<E> ChangeDelivery<E> {
    /// Whether the cursor counts on a higher floor than the one before while no change carries that floor: it rises with entries that
    /// are not sent, such as hidden repeats. A reader who is sent changes one by one is sent the floor by itself then; otherwise an
    /// entry that leaves between the two floors would neither be sent as a removal nor be dropped.
    pub fn raises_floor_silently(&self) -> bool {
        self.batch.items.is_empty()
            && self
                .cursor
                .floor()
                .is_some_and(|floor| self.from.floor < floor)
    }

    /// The same for a reader whose protocol has no floors: it keeps what it was sent, so its cursor counts on no floor, and every
    /// removal is sent wherever the entry stood.
    pub fn without_floor(mut self) -> ChangeDelivery<E> {
        self.floor = PostId::MIN;
        self.from.floor = PostId::MIN;
        self.cursor.drop_floor();
        self
    }

    /// The cursor of a reader who has applied the changes up to this one, counted from 0.
    pub fn cursor_after(&self, nth: usize) -> Cursor {
        let lines = &self.batch.items;
        let line = lines.get(nth).filter(|_| nth + 1 < lines.len());
        let Some(line) = line else {
            return self.cursor.clone();
        };
        let upto = self.cursor.batch.as_ref().map(|batch| &batch.upto);
        Cursor {
            from: self.from.clone(),
            batch: Some(Batch {
                upto: upto.unwrap_or(&self.cursor.from).clone(),
                last: line.id,
            }),
            feed: self.cursor.feed,
            log: self.cursor.log.clone(),
        }
    }

    /// The delivery as a reader has it whose connection breaks after so many changes.
    #[cfg(test)]
    pub fn cut(&self, changes: usize) -> ChangeDelivery<E>
    where
        E: Clone,
    {
        let mut items = self.batch.items.clone();
        items.truncate(changes);
        ChangeDelivery {
            cursor: self.cursor_after(changes - 1),
            from: self.from.clone(),
            batch: ChangeBatch {
                items,
                more: true,
                ..self.batch
            },
            ..*self
        }
    }
}

#[cfg(test)]
mod tests;
