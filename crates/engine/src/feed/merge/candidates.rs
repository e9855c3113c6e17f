//! The places that a merge decides about: the newest of many lists, gathered in steps.

use crate::feed::feed_id::FeedId;
use crate::feed::store::disk::DiskError;
use crate::feed::store::{Index, Store};
use crate::graph::apply::Merge;
use crate::graph::{Account, ActorIx, Graph};
use hashbrown::HashSet;
use slackwater_order::place::PostId;

/// Lists read in one step. In tests so few that a merge takes several steps.
const LISTS_STEP: usize = if cfg!(test) { 2 } else { 256 };
/// Places gathered before any is decided about. If no more of them belong in the feed than it takes, those below are
/// gathered next: lists are read again.
const GATHERED_MAX: usize = 8_192;

/// The candidates of a merge, from the highest place down.
#[derive(Debug)]
pub(super) struct Candidates {
    sources: Vec<Source>,
    /// Sources gathered from.
    gathered: usize,
    /// What was gathered; ascending once all were gathered from.
    places: Vec<PostId>,
    /// Only places below this are gathered: those at or above it are decided.
    below: PostId,
    /// Only places above this: there was no room for those at or below it. The lowest of all if there was for all.
    above: PostId,
}

/// A list of posts to merge from. Kept between steps, so actors by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Source {
    Actor(Index, ActorIx),
    Named(Index, Box<str>),
}

impl Candidates {
    /// The posts of those whom `merges` name, for a feed; nothing is gathered yet.
    pub(super) fn new(graph: &Graph, feed: &FeedId, merges: &[Merge]) -> Candidates {
        let of = feed.account().and_then(|account| graph.get(account));
        let all = of.into_iter().flat_map(|of| {
            let merges = merges.iter();
            merges.flat_map(|merge| sources(graph, feed, of, merge))
        });
        let mut known = HashSet::new();
        Candidates {
            sources: all.filter(|source| known.insert(source.clone())).collect(),
            gathered: 0,
            places: Vec::new(),
            below: PostId::MAX,
            above: PostId::MIN,
        }
    }

    /// Whether all sources were gathered from.
    pub(super) fn is_gathered(&self) -> bool {
        self.gathered == self.sources.len()
    }

    /// Whether all were taken, and none is left to be gathered.
    pub(super) fn is_exhausted(&self) -> bool {
        self.places.is_empty() && self.above == PostId::MIN
    }

    /// Takes the highest.
    pub(super) fn pop(&mut self) -> Option<PostId> {
        let id = self.places.pop()?;
        self.below = id;
        Some(id)
    }

    /// Takes all that were gathered, from the highest down.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = PostId> {
        self.places.drain(..).rev()
    }

    /// Once all that were gathered are taken, begins to gather those below, for which there was no room.
    pub(super) fn gather_below(&mut self) {
        if self.places.is_empty() {
            self.below = PostId::from_number(self.above.number() + 1).unwrap_or(PostId::MAX);
            self.above = PostId::MIN;
            self.gathered = 0;
        }
    }

    /// Gathers from some more sources.
    pub(super) fn gather(&mut self, store: &Store, graph: &Graph) -> Result<(), DiskError> {
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
        if self.is_gathered() {
            self.above = keep_highest(&mut self.places, self.above);
        }
        Ok(())
    }
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

/// Sorts places, each once, and keeps the highest; the highest there was no room for, if that is above `above`.
fn keep_highest(places: &mut Vec<PostId>, above: PostId) -> PostId {
    places.sort_unstable();
    places.dedup();
    let surplus = places.len().saturating_sub(GATHERED_MAX);
    let dropped = places.drain(..surplus).next_back();
    dropped.map_or(above, |dropped| dropped.max(above))
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
