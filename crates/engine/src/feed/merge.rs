//! A feed merged from the posts of those its account follows. For a home and for a list alike.
//!
//! It asks the decision functions of `rules`, as a fan-out does, so it never matters which of them brought an entry in.
//!
//! An account may follow tens of thousands, so a merge goes in steps, and what arrives meanwhile is fanned out between
//! them. First the newest places are gathered from one list after the other, as many as a feed is likely to need; then
//! they are decided about from the top down. Each step leaves the feed with what belongs there by the posts and the
//! relations of that moment: what changes later finds it there.

use crate::feed::boost_target::{BoostTarget, leaving, shows};
use crate::feed::fan_out::{documents, ended, entering, original_of};
use crate::feed::feed_id::FeedId;
use crate::feed::ordered_feed::{FALLEN_MAX, FeedOp, OrderedFeed};
use crate::feed::post::{Post, State};
use crate::feed::rules::{Subject, is_in_feed};
use crate::feed::store::disk::DiskError;
use crate::feed::store::{HELD_FACTOR, Index, Store};
use crate::graph::Account;
use crate::graph::ActorIx;
use crate::graph::Graph;
use crate::graph::apply::Merge;
use crate::record::offsets::{LogPos, Offsets};
use hashbrown::HashSet;
use slackwater_order::place::PostId;
use std::sync::Arc;

/// Lists read in one step.
const LISTS_STEP: usize = 256;
/// Posts decided about in one step.
pub(super) const POSTS_STEP: usize = 256;
/// As many looks at posts as reading a list takes about as long as.
const LIST_LOOKS: usize = 8;
/// Places gathered before any is decided about. If no more of them belong in the feed than it takes, those below are
/// gathered next: lists are read again.
const GATHERED_MAX: usize = 8_192;

/// Whether there is more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is.
    Going,
    /// It is done.
    Done,
}

/// Which indexes list what `merge` may bring into a feed.
fn sources(graph: &Graph, feed: &FeedId, of: &Account, merge: &Merge) -> Vec<Source> {
    let list = match feed {
        FeedId::Home(_) => None,
        FeedId::List { list, .. } => match of.list(list) {
            Some(list) => Some(list),
            None => return Vec::new(),
        },
        FeedId::Tag(_) | FeedId::Public(_) => return Vec::new(),
    };
    let named = |index, name: &str| Source::Named(index, name.into());
    match merge {
        Merge::Nobody => Vec::new(),
        Merge::Author(author) => match graph.actor(author) {
            Some(author) => vec![
                Source::Actor(Index::Author, author),
                Source::Actor(Index::Answered, author),
            ],
            None => Vec::new(),
        },
        Merge::Tag(tag) if list.is_none() => vec![named(Index::Tag, tag)],
        Merge::Tag(_) => Vec::new(),
        Merge::Everyone => {
            let authors = match list {
                Some(list) => list.members(),
                None => of.follows(),
            };
            let own = of.actor().filter(|_| list.is_none());
            let authors = authors.iter().copied().chain(own);
            let tags = of.tags().filter(|_| list.is_none());
            authors
                .map(|actor| Source::Actor(Index::Author, actor))
                .chain(tags.map(|tag| named(Index::Tag, tag)))
                .collect()
        }
    }
}

/// That the post boosted by an entry belongs in the feed too, of itself.
fn original_belongs_too(
    feed: &FeedId,
    original: Option<&Post>,
    graph: &Graph,
    of: &Account,
) -> Option<FeedOp> {
    let boosted = BoostTarget::new(original, graph)?;
    is_in_feed(&boosted.subject, feed, Some(of)).then(|| boosted.shows_itself())
}

/// A list of posts to merge from. Kept between steps, so actors by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Source {
    Actor(Index, ActorIx),
    Named(Index, Box<str>),
}

/// Why a feed is merged or weeded.
#[derive(Clone, Debug, Default)]
pub struct MergeCause {
    /// The relations that call for it: of each partition the newest.
    pub marks: Vec<LogPos>,
    /// What had been seen before the first of them.
    pub seen: Arc<Offsets>,
}

impl MergeCause {
    /// That an entry rests on the relations.
    fn also(&self, id: PostId) -> impl Iterator<Item = FeedOp> {
        self.marks
            .iter()
            .map(move |log_pos| FeedOp::also(id, *log_pos))
    }
}

/// A merge under way.
#[derive(Debug)]
pub struct Merging {
    sources: Vec<Source>,
    /// Sources gathered from.
    gathered: usize,
    /// What was gathered; ascending once all were gathered from.
    places: Vec<PostId>,
    /// Only places below this are looked at: those at or above it are decided.
    below: PostId,
    /// Only places above this: there was no room for those at or below it. The lowest of all if there was for all.
    above: PostId,
    entering: usize,
    entering_shown: usize,
    /// That posts boosted by what enters belong there too. Told last: they may lie below the floor.
    boosted: Vec<FeedOp>,
}

impl Merging {
    /// Begins to merge into a feed the posts that belong there of those whom `merges` name: the newest, as many as a feed
    /// holds, those not shown yet besides. With one author this is a new follow, with everyone followed and the account
    /// itself a rebuild.
    pub fn new(graph: &Graph, feed: &FeedId, merges: &[Merge]) -> Merging {
        let of = feed.account().and_then(|account| graph.get(account));
        let all = of.into_iter().flat_map(|of| {
            let merges = merges.iter();
            merges.flat_map(|merge| sources(graph, feed, of, merge))
        });
        let mut known = HashSet::new();
        let sources = all.filter(|source| known.insert(source.clone())).collect();
        Merging {
            sources,
            gathered: 0,
            places: Vec::new(),
            below: PostId::MAX,
            above: PostId::MIN,
            entering: 0,
            entering_shown: 0,
            boosted: Vec::new(),
        }
    }

    /// Goes on with it; the feed is shown up to `shown`.
    pub fn step(
        &mut self,
        store: &Store,
        graph: &Graph,
        feed: &FeedId,
        because: &MergeCause,
        shown: PostId,
    ) -> Result<Progress, DiskError> {
        let Some(of) = feed.account().and_then(|account| graph.get(account)) else {
            return Ok(Progress::Done);
        };
        if self.gathered < self.sources.len() {
            self.gather(store, graph)?;
            return Ok(Progress::Going);
        }
        let there = store.feed(feed)?;
        let (length, held) = (store.length(), HELD_FACTOR * store.length());
        let (mut ops, mut left_out, mut decided) = (Vec::new(), None, 0);
        while decided < POSTS_STEP
            && let Some(id) = self.places.pop()
        {
            self.below = id;
            if length <= self.entering_shown || held <= self.entering {
                left_out = Some(id);
                break;
            }
            decided += 1;
            let Some(post) = store.post(id)? else {
                continue;
            };
            let original = original_of(store, &post)?;
            let subject = Subject::new(&post, original.as_deref(), graph);
            if !is_in_feed(&subject, feed, Some(of)) {
                // What is there is there until what put it out is carried out too, and is told to be the reason.
                if there.ids.binary_search(&id).is_err() {
                    ops.extend(has_left(&post, original.as_deref()));
                }
                continue;
            }
            let boosted = original_belongs_too(feed, original.as_deref(), graph, of);
            self.boosted.extend(boosted);
            self.entering += 1;
            self.entering_shown += usize::from(id <= shown);
            let enters = entering(&post, original.as_deref(), post.newest);
            match there.ids.binary_search(&id) {
                Err(_) => {
                    ops.extend(enters);
                    ops.extend(because.also(id));
                }
                Ok(at) => {
                    let log_pos = there.marks.get(at).copied();
                    let is_said = |op: &FeedOp| op.is_said_by(&there);
                    if !enters.iter().all(is_said) {
                        // It should have left and come again meanwhile, and what was said of its post then was not said here.
                        ops.extend(enters);
                    }
                    // What was there before rests on what brought it in. It may have come by a word on its post since the
                    // relation is in force, and by that alone would be known as edited to who never had it.
                    if log_pos.is_some_and(|log_pos| !because.seen.has(log_pos)) {
                        ops.extend(because.also(id));
                    }
                }
            }
        }
        if let Some(left_out) = left_out {
            // What is left out is dropped for length: the feed must not go on below it, should entries leave later.
            let mut there = there;
            there.take_in(&ops);
            there.trim(length, held, shown);
            there.floor = there.floor.max(left_out);
            let whose = MergeContext {
                store,
                graph,
                feed,
                of,
            };
            self.note_fallen(&whose, because, left_out, &mut there)?;
            store.replace(feed.clone(), there);
            return Ok(Progress::Done);
        }
        let is_done = self.places.is_empty() && self.above == PostId::MIN;
        if is_done {
            ops.append(&mut self.boosted);
        }
        store.apply(feed.clone(), &ops)?;
        if is_done {
            return Ok(Progress::Done);
        }
        if !self.places.is_empty() {
            return Ok(Progress::Going);
        }
        // Too few of them belong in the feed: those below are next.
        self.below = PostId::from_number(self.above.number() + 1).unwrap_or(PostId::MAX);
        self.above = PostId::MIN;
        self.gathered = 0;
        Ok(Progress::Going)
    }

    /// Notes of what is left out what it shows, as if it had been there and had fallen: it hides what it would hide. Looked
    /// at is what can itself hide something, among [`FALLEN_MAX`] posts at most and as far as was gathered; and of each post
    /// that is shown near the floor the entries below, one as near to the next as to hide it, since on them rests which of
    /// these are shown.
    fn note_fallen(
        &mut self,
        of: &MergeContext<'_>,
        because: &MergeCause,
        left_out: PostId,
        there: &mut OrderedFeed,
    ) -> Result<(), DiskError> {
        let (after, below_floor) = (of.store.repeat_after(), there.below_floor);
        let lowest = left_out.time().minus(after);
        let below = self.places.drain(..).rev();
        let below = std::iter::once(left_out).chain(below).take(FALLEN_MAX);
        for id in below.take_while(|id| lowest < id.time()) {
            let is_shown = there.shows.is_of(id);
            let may_hide = |post: &Post| is_shown || post.body.boost_of.is_some();
            self.boosted.extend(of.fallen(id, because, may_hide)?);
        }
        there.take_in(&self.boosted);
        // All of it is one step.
        let mut looks = FALLEN_MAX;
        for (post, mut above) in there.shows.lowest() {
            if looks == 0 {
                break;
            }
            if left_out.time() <= above.time().minus(after) {
                continue;
            }
            let Some(shown) = of.store.post(post)? else {
                continue;
            };
            looks = looks.saturating_sub(LIST_LOOKS);
            let boosts = of.store.list(Index::Original, &shown.body.uri)?;
            let boosts = boosts.into_iter();
            let mut all: Vec<PostId> = boosts.chain([post]).filter(|id| *id < above).collect();
            all.sort_unstable();
            for id in all.into_iter().rev() {
                if looks == 0 {
                    break;
                }
                looks -= 1;
                if id.time() <= above.time().minus(after) {
                    break;
                }
                let ops = of.fallen(id, because, |_| true)?;
                if !ops.is_empty() {
                    there.take_in(&ops);
                    above = id;
                }
            }
        }
        // None of these asked to enter.
        there.below_floor = below_floor;
        Ok(())
    }

    /// Gathers from some more sources.
    fn gather(&mut self, store: &Store, graph: &Graph) -> Result<(), DiskError> {
        let to = self.sources.len().min(self.gathered + LISTS_STEP);
        for source in self.sources.get(self.gathered..to).unwrap_or_default() {
            let (index, of) = match source {
                Source::Actor(index, actor) => (*index, graph.name(*actor)),
                Source::Named(index, name) => (*index, &**name),
            };
            let newest = store.newest(index, of, self.above..self.below, GATHERED_MAX + 1)?;
            self.places.extend(newest);
            if 2 * GATHERED_MAX < self.places.len() {
                self.above = keep_highest(&mut self.places, self.above);
            }
        }
        self.gathered = to;
        if self.gathered == self.sources.len() {
            self.above = keep_highest(&mut self.places, self.above);
        }
        Ok(())
    }
}

/// A feed that is merged, and all there is to decide by.
struct MergeContext<'a> {
    store: &'a Store,
    graph: &'a Graph,
    feed: &'a FeedId,
    of: &'a Account,
}

impl MergeContext<'_> {
    /// What is said of a post that is left out, if it belongs in the feed: what it shows. Nothing of one that does not, or
    /// that cannot hide anything.
    fn fallen(
        &self,
        id: PostId,
        because: &MergeCause,
        may_hide: impl FnOnce(&Post) -> bool,
    ) -> Result<Vec<FeedOp>, DiskError> {
        let Some(post) = self.store.post(id)?.filter(|post| may_hide(post)) else {
            return Ok(Vec::new());
        };
        let original = original_of(self.store, &post)?;
        let subject = Subject::new(&post, original.as_deref(), self.graph);
        if !is_in_feed(&subject, self.feed, Some(self.of)) {
            return Ok(Vec::new());
        }
        let shown = original.as_ref().unwrap_or(&post);
        // It may have left, and be back.
        let mut ops = vec![
            FeedOp::insert(id, post.newest),
            FeedOp::also(id, shown.newest),
        ];
        let documents = documents(&post, original.as_deref());
        ops.extend(documents.map(|document| FeedOp::also(id, document)));
        ops.extend(because.also(id));
        ops.push(shows(&post, shown));
        ops.extend(original_belongs_too(
            self.feed,
            original.as_deref(),
            self.graph,
            self.of,
        ));
        Ok(ops)
    }
}

/// Sorts places, each once, and keeps the highest; the highest there was no room for, if that is above `above`.
fn keep_highest(places: &mut Vec<PostId>, above: PostId) -> PostId {
    places.sort_unstable();
    places.dedup();
    let surplus = places.len().saturating_sub(GATHERED_MAX);
    let dropped = places.drain(..surplus).next_back();
    dropped.map_or(above, |dropped| dropped.max(above))
}

/// A post that is not let in may have been in the feed before it changed, or before a document decided who could see it, where
/// the relation was read first: a reader who comes from there is told that it left.
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
    leaving(post, original, reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_places_are_kept_each_once_and_the_next_is_known() {
        let place = |number| PostId::from_number(number).unwrap();
        let numbers = (1..=GATHERED_MAX as u64 + 2).rev().chain([7, 9]);
        let mut places: Vec<PostId> = numbers.map(place).collect();
        assert_eq!(keep_highest(&mut places, PostId::MIN), place(2));
        assert_eq!(
            (places.len(), places.first()),
            (GATHERED_MAX, Some(&place(3)))
        );
        assert!(places.is_sorted());
        assert_eq!(
            keep_highest(&mut places, place(2)),
            place(2),
            "there was no room for it before"
        );
    }
}
