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
use crate::feed::ordered_feed::{FALLEN_MAX, FeedOp, OrderedFeed, RelationChange};
use crate::feed::post::{Post, State};
use crate::feed::rules::{Decision, Subject, decide, decide_list};
use crate::feed::store::disk::DiskError;
use crate::feed::store::other_memtable::Name;
use crate::feed::store::{HELD_FACTOR, Index, Store};
use crate::graph::Account;
use crate::graph::AccountIx;
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

/// A feed of an account: its home, or one of its lists.
#[derive(Clone, Copy, Debug)]
pub struct Feed<'a> {
    /// Whose.
    pub account: AccountIx,
    /// The backend's id of the list, if it is one.
    pub list: Option<&'a str>,
}

impl<'a> Feed<'a> {
    /// All feeds of an account.
    pub fn all(account: AccountIx, of: &'a Account) -> impl Iterator<Item = Feed<'a>> {
        let lists = of.lists().map(|(list, _)| Some(list));
        std::iter::once(None)
            .chain(lists)
            .map(move |list| Feed { account, list })
    }

    /// Its name, if it is a list.
    pub(super) fn name(&self, of: &Account) -> Option<Name> {
        Some(Name::list(self.account, of.id(), self.list?))
    }

    /// It as it is now.
    pub fn read(&self, store: &Store, of: &Account) -> Result<OrderedFeed, DiskError> {
        match self.name(of) {
            Some(name) => store.named(&name),
            None => Ok(store.home(self.account)?.unwrap_or_default()),
        }
    }

    pub(super) fn apply(
        &self,
        store: &Store,
        of: &Account,
        ops: &[FeedOp],
    ) -> Result<(), DiskError> {
        match self.name(of) {
            _ if ops.is_empty() => {}
            Some(name) => store.apply_named(name, ops)?,
            None => store.homes.apply_all(self.account, ops),
        }
        Ok(())
    }

    /// Puts a whole feed in its place.
    pub fn replace(&self, store: &Store, of: &Account, feed: OrderedFeed) {
        match self.name(of) {
            Some(name) => store.replace_named(name, feed),
            None => store.homes.replace(self.account, feed),
        }
    }

    /// Remembers a change of relations in it.
    pub fn turn(&self, store: &Store, of: &Account, turn: RelationChange) {
        match self.name(of) {
            Some(name) => store.turn_named(name, turn),
            None => store.homes.turn(self.account, turn),
        }
    }

    pub(super) fn decide(&self, subject: &Subject<'_>, of: &Account) -> Decision {
        match self.list.and_then(|list| of.list(list)) {
            Some(list) => decide_list(subject, of, list),
            None => decide(subject, of),
        }
    }

    /// That the post boosted by an entry belongs here too, of itself.
    fn belongs_too(&self, original: Option<&Post>, graph: &Graph, of: &Account) -> Option<FeedOp> {
        let boosted = BoostTarget::new(original, graph)?;
        let is_in = matches!(self.decide(&boosted.subject, of), Decision::In(_));
        is_in.then(|| boosted.shows_itself())
    }

    /// Which indexes list what `merge` may bring in.
    fn sources(&self, graph: &Graph, of: &Account, merge: &Merge) -> Vec<Source> {
        let list = self.list.and_then(|list| of.list(list));
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
    places: Vec<u64>,
    /// Only places below this are looked at: those at or above it are decided.
    below: u64,
    /// Only places above this: there was no room for those at or below it. 0 if there was for all.
    above: u64,
    entering: usize,
    entering_shown: usize,
    /// That posts boosted by what enters belong there too. Told last: they may lie below the floor.
    boosted: Vec<FeedOp>,
}

impl Merging {
    /// Begins to merge into a feed the posts that belong there of those whom `merges` name: the newest, as many as a feed
    /// holds, those not shown yet besides. With one author this is a new follow, with everyone followed and the account
    /// itself a rebuild.
    pub fn new(graph: &Graph, feed: Feed<'_>, merges: &[Merge]) -> Merging {
        let mut sources = Vec::new();
        if let Some(of) = graph.get(feed.account) {
            let all = merges
                .iter()
                .flat_map(|merge| feed.sources(graph, of, merge));
            let mut known = HashSet::new();
            sources = all.filter(|source| known.insert(source.clone())).collect();
        }
        Merging {
            sources,
            gathered: 0,
            places: Vec::new(),
            below: u64::MAX,
            above: 0,
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
        feed: Feed<'_>,
        because: &MergeCause,
        shown: PostId,
    ) -> Result<Progress, DiskError> {
        let Some(of) = graph.get(feed.account) else {
            return Ok(Progress::Done);
        };
        if self.gathered < self.sources.len() {
            self.gather(store, graph)?;
            return Ok(Progress::Going);
        }
        let there = feed.read(store, of)?;
        let (length, held) = (store.length(), HELD_FACTOR * store.length());
        let (mut ops, mut left_out, mut decided) = (Vec::new(), None, 0);
        while decided < POSTS_STEP
            && let Some(place) = self.places.pop()
        {
            self.below = place;
            let Some(id) = PostId::from_number(place) else {
                continue;
            };
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
            if let Decision::Out(_) = feed.decide(&subject, of) {
                // What is there is there until what put it out is carried out too, and is told to be the reason.
                if there.ids.binary_search(&place).is_err() {
                    ops.extend(has_left(&post, original.as_deref()));
                }
                continue;
            }
            let boosted = feed.belongs_too(original.as_deref(), graph, of);
            self.boosted.extend(boosted);
            self.entering += 1;
            self.entering_shown += usize::from(id <= shown);
            let enters = entering(&post, original.as_deref(), post.newest.log_pos());
            match there.ids.binary_search(&place) {
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
            there.floor = there.floor.max(left_out.number());
            let whose = MergeContext {
                store,
                graph,
                feed,
                of,
            };
            self.note_fallen(&whose, because, left_out, &mut there)?;
            feed.replace(store, of, there);
            return Ok(Progress::Done);
        }
        let is_done = self.places.is_empty() && self.above == 0;
        if is_done {
            ops.append(&mut self.boosted);
        }
        feed.apply(store, of, &ops)?;
        if is_done {
            return Ok(Progress::Done);
        }
        if !self.places.is_empty() {
            return Ok(Progress::Going);
        }
        // Too few of them belong in the feed: those below are next.
        self.below = self.above + 1;
        self.above = 0;
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
        let below = self.places.drain(..).rev().filter_map(PostId::from_number);
        let below = std::iter::once(left_out).chain(below).take(FALLEN_MAX);
        for id in below.take_while(|id| lowest < id.time()) {
            let is_shown = there.shows.is_of(id.number());
            let may_hide = |post: &Post| is_shown || post.body.boost_of.is_some();
            self.boosted.extend(of.fallen(id, because, may_hide)?);
        }
        there.take_in(&self.boosted);
        // All of it is one step.
        let mut looks = FALLEN_MAX;
        for (post, entry) in there.shows.lowest() {
            let (Some(post), Some(mut above)) =
                (PostId::from_number(post), PostId::from_number(entry))
            else {
                continue;
            };
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
            let all = boosts.into_iter().filter_map(PostId::from_number);
            let mut all: Vec<PostId> = all.chain([post]).filter(|id| *id < above).collect();
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
    feed: Feed<'a>,
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
        if let Decision::Out(_) = self.feed.decide(&subject, self.of) {
            return Ok(Vec::new());
        }
        let shown = original.as_ref().unwrap_or(&post);
        // It may have left, and be back.
        let mut ops = vec![
            FeedOp::insert(id, post.newest.log_pos()),
            FeedOp::also(id, shown.newest.log_pos()),
        ];
        let documents = documents(&post, original.as_deref());
        ops.extend(documents.map(|document| FeedOp::also(id, document)));
        ops.extend(because.also(id));
        ops.push(shows(&post, shown));
        ops.extend(
            self.feed
                .belongs_too(original.as_deref(), self.graph, self.of),
        );
        Ok(ops)
    }
}

/// Sorts places, each once, and keeps the highest; the highest there was no room for, if that is above `above`.
fn keep_highest(places: &mut Vec<u64>, above: u64) -> u64 {
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
    let changed = changed.map(|changed| changed.newest.log_pos());
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
        let mut places: Vec<u64> = (1..=GATHERED_MAX as u64 + 2).rev().chain([7, 9]).collect();
        assert_eq!(keep_highest(&mut places, 0), 2);
        assert_eq!((places.len(), places.first()), (GATHERED_MAX, Some(&3)));
        assert!(places.is_sorted());
        assert_eq!(
            keep_highest(&mut places, 2),
            2,
            "there was no room for it before"
        );
    }
}
