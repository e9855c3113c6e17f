//! A feed merged from the posts of those its account follows, and weeded of what does not belong there. For a home and
//! for a list alike.
//!
//! It asks the decision functions of `rules`, as a fan-out does, so it never matters which of them brought an entry in.

use super::boosted::{Boosted, leaving, shows};
use super::disk::DiskError;
use super::fan_out::{ended, entering, original_of};
use super::kept::{Post, State};
use super::ledger::{FALLEN_MAX, Ledger, Op, Turn};
use super::named::Name;
use super::rules::{Decision, Subject, decide, decide_list};
use super::store::{HELD_FACTOR, Index, Store};
use crate::graph::apply::Merge;
use crate::graph::{Account, AccountIx, Graph};
use crate::order::place::PostId;
use crate::post::mark::Mark;
use std::collections::BinaryHeap;

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

    fn name(&self, of: &Account) -> Option<Name> {
        Some(Name::list(self.account, of.id(), self.list?))
    }

    fn read(&self, store: &Store, of: &Account) -> Result<Ledger, DiskError> {
        match self.name(of) {
            Some(name) => store.named(&name),
            None => Ok(store.home(self.account)?.unwrap_or_default()),
        }
    }

    fn apply(&self, store: &Store, of: &Account, ops: &[Op]) -> Result<(), DiskError> {
        match self.name(of) {
            _ if ops.is_empty() => {}
            Some(name) => store.apply_named(name, ops)?,
            None => store.homes.apply_all(self.account, ops),
        }
        Ok(())
    }

    fn replace(&self, store: &Store, of: &Account, feed: Ledger) {
        match self.name(of) {
            Some(name) => store.replace_named(name, feed),
            None => store.homes.replace(self.account, feed),
        }
    }

    /// Remembers a change of relations in it.
    pub fn turn(&self, store: &Store, of: &Account, turn: Turn) {
        match self.name(of) {
            Some(name) => store.turn_named(name, turn),
            None => store.homes.turn(self.account, turn),
        }
    }

    fn decide(&self, subject: &Subject<'_>, of: &Account) -> Decision {
        match self.list.and_then(|list| of.list(list)) {
            Some(list) => decide_list(subject, of, list),
            None => decide(subject, of),
        }
    }

    /// That the post boosted by an entry belongs here too, of itself. Told last: it may lie below the floor.
    fn belongs_too(&self, original: Option<&Post>, graph: &Graph, of: &Account) -> Option<Op> {
        let boosted = Boosted::new(original, graph)?;
        let is_in = matches!(self.decide(&boosted.subject, of), Decision::In(_));
        is_in.then(|| boosted.shows_itself())
    }

    /// Which indexes list what `merge` may bring in.
    fn sources<'g>(
        &self,
        graph: &'g Graph,
        of: &'g Account,
        merge: &'g Merge,
    ) -> Vec<(Index, &'g str)> {
        let list = self.list.and_then(|list| of.list(list));
        match merge {
            Merge::Nobody => Vec::new(),
            Merge::Author(author) => vec![(Index::Author, author), (Index::Answered, author)],
            Merge::Tag(tag) if list.is_none() => vec![(Index::Tag, tag)],
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
                    .map(|actor| (Index::Author, graph.name(actor)))
                    .chain(tags.map(|tag| (Index::Tag, tag)))
                    .collect()
            }
        }
    }
}

/// Merges into a feed the posts that belong there of those whom `merge` names: the newest, as many as a feed holds, those
/// above `shown` besides. With one author this is a new follow, with everyone followed and the account itself a rebuild.
/// `because` marks the relation that calls for it. Returns how many belong there.
pub fn merge_in(
    store: &Store,
    graph: &Graph,
    feed: Feed<'_>,
    merge: &Merge,
    because: Mark,
    shown: PostId,
) -> Result<usize, DiskError> {
    let Some(of) = graph.get(feed.account) else {
        return Ok(0);
    };
    let mut lists = Vec::new();
    for (index, key) in feed.sources(graph, of, merge) {
        lists.push(store.list(index, key)?);
    }
    if lists.iter().all(Vec::is_empty) {
        return Ok(0);
    }
    let mut there = feed.read(store, of)?;
    let (length, held) = (store.length(), HELD_FACTOR * store.length());
    let (mut ops, mut originals) = (Vec::new(), Vec::new());
    let (mut entering_all, mut entering_shown) = (0, 0);
    let mut left_out = None;
    let mut ids = newest_first(lists);
    for id in ids.by_ref() {
        if length <= entering_shown || held <= entering_all {
            left_out = Some(id);
            break;
        }
        let Some(post) = store.post(id)? else {
            continue;
        };
        let original = original_of(store, &post)?;
        let subject = Subject::new(&post, original.as_deref(), graph);
        if let Decision::Out(_) = feed.decide(&subject, of) {
            ops.extend(has_left(&post, original.as_deref()));
            continue;
        }
        originals.extend(feed.belongs_too(original.as_deref(), graph, of));
        entering_all += 1;
        entering_shown += usize::from(id <= shown);
        // What is there already rests on what brought it in.
        if there.ids.binary_search(&id.number()).is_err() {
            ops.extend(entering(&post, original.as_deref(), because));
        }
    }
    match left_out {
        None => {
            ops.extend(originals);
            feed.apply(store, of, &ops)?;
        }
        // What is left out is dropped for length: the feed must not go on below it, should entries leave later.
        Some(left_out) => {
            there.take_in(&ops);
            there.trim(length, held, shown);
            there.floor = there.floor.max(left_out.number());
            // As if it had been there and had fallen: it hides what it would hide.
            let lowest = left_out.time().minus(store.repeat_after());
            let below = std::iter::once(left_out).chain(ids).take(FALLEN_MAX);
            for id in below.take_while(|id| lowest < id.time()) {
                let is_shown = there.shows.is_of(id.number());
                let may_hide = |post: &Post| is_shown || post.body.boost_of.is_some();
                if let Some(post) = store.post(id)?.filter(|post| may_hide(post)) {
                    let original = original_of(store, &post)?;
                    let subject = (&*post, original.as_deref());
                    originals.extend(fallen(feed, graph, of, subject, because));
                }
            }
            there.take_in(&originals);
            feed.replace(store, of, there);
        }
    }
    Ok(entering_all)
}

/// What is said of a post that a merge leaves out, if it belongs in the feed and may hide a repeat there: what it shows. Looked
/// for only as far below the floor as it can itself hide something, among [`FALLEN_MAX`] posts at most, so that which of them
/// are shown is reckoned from the lowest of those; a feed that grew may know of a lower one, which hides it.
fn fallen(
    feed: Feed<'_>,
    graph: &Graph,
    of: &Account,
    (post, original): (&Post, Option<&Post>),
    because: Mark,
) -> Vec<Op> {
    if let Decision::Out(_) = feed.decide(&Subject::new(post, original, graph), of) {
        return Vec::new();
    }
    let shown = original.unwrap_or(post);
    let mut ops = vec![
        Op::also(post.id, post.newest.mark()),
        Op::also(post.id, shown.newest.mark()),
        Op::also(post.id, because),
        shows(post, shown),
    ];
    ops.extend(feed.belongs_too(original, graph, of));
    ops
}

/// Takes out of a feed what the rules no longer let in, because of the relation that `because` marks. Returns how many
/// left.
pub fn weed_out(
    store: &Store,
    graph: &Graph,
    feed: Feed<'_>,
    because: Mark,
) -> Result<usize, DiskError> {
    let Some(of) = graph.get(feed.account) else {
        return Ok(0);
    };
    let (mut leaving, mut left) = (Vec::new(), 0);
    let there = feed.read(store, of)?;
    // What fell hides repeats, and must not once it does not belong there.
    for id in there.newest_first().chain(there.fallen()) {
        let Some(post) = store.post(id)? else {
            leaving.push(Op::remove(id, because));
            left += 1;
            continue;
        };
        let original = original_of(store, &post)?;
        let subject = Subject::new(&post, original.as_deref(), graph);
        if let Decision::Out(_) = feed.decide(&subject, of) {
            left += 1;
            leaving.push(Op::remove(id, because));
            // An edit may have a part in it, and have been read after the relation elsewhere.
            leaving.extend(has_left(&post, original.as_deref()));
        }
    }
    feed.apply(store, of, &leaving)?;
    Ok(left)
}

/// A post that is not let in may have been in the feed before it changed, where the relation was read first: a reader who
/// comes from there is told that it left.
fn has_left(post: &Post, original: Option<&Post>) -> Vec<Op> {
    let changed = match original {
        Some(original) if post.state == State::Whole && original.has_changed() => Some(original),
        _ => Some(post).filter(|post| post.has_changed()),
    };
    let changed = changed.map(|changed| changed.newest.mark());
    let mut reasons = changed.into_iter().chain(ended(post)).peekable();
    if reasons.peek().is_none() {
        return Vec::new();
    }
    leaving(post, original, reasons)
}

/// The ids of several ascending lists as one, newest first, each once.
fn newest_first(mut lists: Vec<Vec<u64>>) -> impl Iterator<Item = PostId> {
    let mut heads: BinaryHeap<(u64, usize)> = lists
        .iter_mut()
        .enumerate()
        .filter_map(|(n, list)| list.pop().map(|id| (id, n)))
        .collect();
    let mut before = None;
    std::iter::from_fn(move || {
        loop {
            let (id, n) = heads.pop()?;
            if let Some(next) = lists.get_mut(n).and_then(Vec::pop) {
                heads.push((next, n));
            }
            if before.replace(id) != Some(id) {
                return PostId::from_number(id);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_merged_newest_first_each_id_once() {
        let merged: Vec<u64> = newest_first(vec![vec![1, 4, 9], vec![], vec![4, 5], vec![2]])
            .map(|id| id.number())
            .collect();
        assert_eq!(merged, [9, 5, 4, 2, 1]);
    }
}
