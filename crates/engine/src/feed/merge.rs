//! A feed merged from the posts of those its account follows. For a home and for a list alike.
//!
//! It decides by the functions of `rules`, as a fan-out does, so it never matters which of them brought an entry in.
//!
//! An account may follow tens of thousands, so a merge goes in steps, and what arrives meanwhile is fanned out between
//! them. First the newest places are gathered from one list after the other, as many as a feed is likely to need; then
//! they are decided about from the top down. Each step leaves the feed with what belongs there by the posts and the
//! relations of that moment: what changes later finds it there.

mod candidates;

use crate::feed::boost_target::{BoostTarget, removal_ops, shows};
use crate::feed::fan_out::{documents, ended, insertion_ops, original_of};
use crate::feed::feed_id::FeedId;
use crate::feed::feed_op::FeedOp;
use crate::feed::ordered_feed::{FALLEN_MAX, OrderedFeed};
use crate::feed::post::{Post, State};
use crate::feed::rules::{Subject, is_in_feed};
use crate::feed::store::disk::DiskError;
use crate::feed::store::{HELD_FACTOR, Index, Store};
use crate::graph::Account;
use crate::graph::Graph;
use crate::graph::apply::Merge;
use crate::record::offsets::{LogPos, Offsets};
use candidates::Candidates;
use slackwater_order::place::PostId;
use std::sync::Arc;

/// Posts decided about in one step. In tests so few that their small feeds take several steps.
pub(super) const POSTS_STEP: usize = if cfg!(test) { 5 } else { 256 };
/// Reading one list takes about as long as reading so many posts.
const LIST_READS: usize = 8;
/// Whether there is more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is.
    Going,
    /// It is done.
    Done,
}

/// Why a feed is merged or pruned.
#[derive(Clone, Debug, Default)]
pub struct MergeCause {
    /// The relations that call for it: of each partition the newest.
    pub marks: Vec<LogPos>,
    /// What had been seen before the first of them.
    pub seen: Arc<Offsets>,
    /// Whether the feed begins anew: readers may have entries that it does not know.
    pub begins: bool,
}

impl MergeCause {
    /// That an entry depends on the relations.
    fn dependencies(&self, id: PostId) -> impl Iterator<Item = FeedOp> {
        self.marks
            .iter()
            .map(move |log_pos| FeedOp::depends_on(id, *log_pos))
    }
}

/// A merge under way.
#[derive(Debug)]
pub struct Merging {
    candidates: Candidates,
    entering: usize,
    entering_visible: usize,
    /// That posts boosted by what enters belong there too. Applied last: they may lie below the floor.
    boosted: Vec<FeedOp>,
}

impl Merging {
    /// Begins to merge into a feed the posts that belong there of those whom `merges` name: the newest, as many as a feed
    /// holds, those not shown yet besides. With one author this is a new follow, with everyone followed and the account
    /// itself a rebuild.
    pub fn new(graph: &Graph, feed: &FeedId, merges: &[Merge]) -> Merging {
        Merging {
            candidates: Candidates::new(graph, feed, merges),
            entering: 0,
            entering_visible: 0,
            boosted: Vec::new(),
        }
    }

    /// Goes on with it; the feed is shown up to `visible_up_to`.
    pub fn step(
        &mut self,
        store: &Store,
        graph: &Graph,
        feed: &FeedId,
        cause: &MergeCause,
        visible_up_to: PostId,
    ) -> Result<Progress, DiskError> {
        let Some(of) = feed.account().and_then(|account| graph.get(account)) else {
            return Ok(Progress::Done);
        };
        if !self.candidates.is_gathered() {
            self.candidates.gather(store, graph)?;
            return Ok(Progress::Going);
        }
        let context = MergeContext {
            store,
            graph,
            feed,
            of,
            cause,
            visible_up_to,
        };
        let there = store.feed(feed)?;
        let mut ops = Vec::new();
        if let Some(left_out) = self.decide_some(&context, &there, &mut ops)? {
            self.end_at_floor(&context, there, &ops, left_out)?;
            return Ok(Progress::Done);
        }
        let is_done = self.candidates.is_exhausted();
        if is_done {
            ops.append(&mut self.boosted);
        }
        store.apply(feed.clone(), &ops)?;
        if is_done {
            if context.has_forgotten(there.floor) {
                let mut there = store.feed(feed)?;
                context.refuse_earlier(&mut there);
                store.replace(feed.clone(), there);
            }
            return Ok(Progress::Done);
        }
        // If too few of them belong in the feed, those below are next.
        self.candidates.gather_below();
        Ok(Progress::Going)
    }

    /// Decides about the next candidates. Returns the first for which there is no room.
    fn decide_some(
        &mut self,
        context: &MergeContext<'_>,
        there: &OrderedFeed,
        ops: &mut Vec<FeedOp>,
    ) -> Result<Option<PostId>, DiskError> {
        let length = context.store.length();
        let mut decided = 0;
        while decided < POSTS_STEP
            && let Some(id) = self.candidates.pop()
        {
            if length <= self.entering_visible || HELD_FACTOR * length <= self.entering {
                return Ok(Some(id));
            }
            decided += 1;
            self.decide(context, there, id, ops)?;
        }
        Ok(None)
    }

    /// Decides about one candidate.
    fn decide(
        &mut self,
        context: &MergeContext<'_>,
        there: &OrderedFeed,
        id: PostId,
        ops: &mut Vec<FeedOp>,
    ) -> Result<(), DiskError> {
        let Some(post) = context.store.post(id)? else {
            return Ok(());
        };
        let original = original_of(context.store, &post)?;
        let original = original.as_deref();
        let place = there.ids.binary_search(&id);
        if !context.lets_in(&Subject::new(&post, original, context.graph)) {
            // An entry that is there stays until the change that excludes it is carried out, and is its reason.
            if place.is_err() {
                ops.extend(has_left(&post, original));
            }
            return Ok(());
        }
        self.boosted.extend(context.original_entry(original));
        self.entering += 1;
        self.entering_visible += usize::from(id <= context.visible_up_to);
        let enters = insertion_ops(&post, original, post.newest);
        let Ok(place) = place else {
            ops.extend(enters);
            ops.extend(context.cause.dependencies(id));
            return Ok(());
        };
        if !enters.iter().all(|op| there.has_said(*op)) {
            // The entry missed an update while it should have been out of the feed: it is added again.
            ops.extend(enters);
        }
        // An entry that is there depends on the record that added it. If that record is newer than the relation, a reader who
        // never had the entry would see it as an edit; so the entry depends on the relation too.
        let added = there.marks.get(place).copied();
        if added.is_some_and(|added| !context.cause.seen.has(added)) {
            ops.extend(context.cause.dependencies(id));
        }
        Ok(())
    }

    /// Ends where the feed is full. What is left out counts as dropped for length: the feed must not go on below it, should
    /// entries leave later.
    fn end_at_floor(
        &mut self,
        context: &MergeContext<'_>,
        mut there: OrderedFeed,
        ops: &[FeedOp],
        left_out: PostId,
    ) -> Result<(), DiskError> {
        let length = context.store.length();
        there.take_in(ops);
        there.trim(length, HELD_FACTOR * length, context.visible_up_to);
        there.floor = there.floor.max(left_out);
        self.add_fallen(context, left_out, &mut there)?;
        if context.has_forgotten(there.floor) {
            context.refuse_earlier(&mut there);
        }
        context.store.replace(context.feed.clone(), there);
        Ok(())
    }

    /// Records which post each left-out entry shows, as if it had been trimmed, so that it still hides later boosts. Of what
    /// was gathered only the entries that can hide something are read, among [`FALLEN_MAX`] posts at most.
    fn add_fallen(
        &mut self,
        context: &MergeContext<'_>,
        left_out: PostId,
        there: &mut OrderedFeed,
    ) -> Result<(), DiskError> {
        let below_floor = there.below_floor;
        let lowest = left_out.time().minus(context.store.repeat_after());
        let below = std::iter::once(left_out).chain(self.candidates.drain());
        let below = below.take(FALLEN_MAX);
        for id in below.take_while(|id| lowest < id.time()) {
            let is_shown = there.shows.is_of(id);
            let may_hide = |post: &Post| is_shown || post.body.boost_of.is_some();
            self.boosted.extend(context.fallen(id, may_hide)?);
        }
        there.take_in(&self.boosted);
        context.add_fallen_boosts(left_out, there)?;
        // None of these asked to enter.
        there.below_floor = below_floor;
        Ok(())
    }
}

/// A feed that is merged, and all there is to decide by.
struct MergeContext<'a> {
    store: &'a Store,
    graph: &'a Graph,
    feed: &'a FeedId,
    of: &'a Account,
    cause: &'a MergeCause,
    visible_up_to: PostId,
}

impl MergeContext<'_> {
    /// Whether readers may have entries above the floor of which nothing is known any more: posts that became stubs while no feed here
    /// needed them.
    fn has_forgotten(&self, floor: PostId) -> bool {
        self.cause.begins && floor < self.store.expired().highest_post
    }

    /// Has the feed refuse cursors that lack any record read before it began.
    fn refuse_earlier(&self, there: &mut OrderedFeed) {
        for next in self.cause.seen.positions() {
            there.forgotten.raise(next);
        }
    }

    fn lets_in(&self, subject: &Subject<'_>) -> bool {
        is_in_feed(subject, self.feed, Some(self.of))
    }

    /// That the post boosted by an entry belongs in the feed too, of itself.
    fn original_entry(&self, original: Option<&Post>) -> Option<FeedOp> {
        let boosted = BoostTarget::new(original, self.graph)?;
        self.lets_in(&boosted.subject)
            .then(|| boosted.shows_itself())
    }

    /// For each post that is shown near the floor, records the entries below that show it, each so near to the next as to hide
    /// it: which of these are shown depends on them. All of it is one step, so no more than [`FALLEN_MAX`] posts are read.
    fn add_fallen_boosts(
        &self,
        left_out: PostId,
        there: &mut OrderedFeed,
    ) -> Result<(), DiskError> {
        let after = self.store.repeat_after();
        let mut reads = FALLEN_MAX;
        for (post, mut above) in there.shows.lowest() {
            if reads == 0 {
                break;
            }
            if left_out.time() <= above.time().minus(after) {
                continue;
            }
            let Some(shown) = self.store.post(post)? else {
                continue;
            };
            reads = reads.saturating_sub(LIST_READS);
            let boosts = self.store.list(Index::Original, &shown.body.uri)?;
            let boosts = boosts.into_iter();
            let mut all: Vec<PostId> = boosts.chain([post]).filter(|id| *id < above).collect();
            all.sort_unstable();
            for id in all.into_iter().rev() {
                if reads == 0 {
                    break;
                }
                reads -= 1;
                if id.time() <= above.time().minus(after) {
                    break;
                }
                let ops = self.fallen(id, |_| true)?;
                if !ops.is_empty() {
                    there.take_in(&ops);
                    above = id;
                }
            }
        }
        Ok(())
    }

    /// The ops that record what a left-out post shows; none if it does not belong in the feed, or cannot hide anything.
    fn fallen(
        &self,
        id: PostId,
        may_hide: impl FnOnce(&Post) -> bool,
    ) -> Result<Vec<FeedOp>, DiskError> {
        let Some(post) = self.store.post(id)?.filter(|post| may_hide(post)) else {
            return Ok(Vec::new());
        };
        let original = original_of(self.store, &post)?;
        let subject = Subject::new(&post, original.as_deref(), self.graph);
        if !self.lets_in(&subject) {
            return Ok(Vec::new());
        }
        let shown = original.as_ref().unwrap_or(&post);
        // It may have left, and be back.
        let mut ops = vec![
            FeedOp::insert(id, post.newest),
            FeedOp::depends_on(id, shown.newest),
        ];
        let documents = documents(&post, original.as_deref());
        ops.extend(documents.map(|document| FeedOp::depends_on(id, document)));
        ops.extend(self.cause.dependencies(id));
        ops.push(shows(&post, shown));
        ops.extend(self.original_entry(original.as_deref()));
        Ok(ops)
    }
}

/// The ops that remove a post which is not let in, and may have been in the feed on a node that read the relation first:
/// before the post changed, or before a document decided who could see it. A reader who comes from such a node is sent the
/// removal.
pub(super) fn has_left(post: &Post, original: Option<&Post>) -> Vec<FeedOp> {
    let changed = match original {
        Some(original) if post.state == State::Whole && original.has_changed() => Some(original),
        _ => Some(post).filter(|post| post.has_changed()),
    };
    let changed = changed.map(|changed| changed.newest);
    let reasons = changed.into_iter().chain(ended(post));
    let mut reasons = reasons.chain(documents(post, original)).peekable();
    if reasons.peek().is_none() {
        return Vec::new();
    }
    removal_ops(post, original, reasons)
}
