//! A post into the homes it belongs in, and a home merged from the posts of those its account follows.
//!
//! Both ask the one decision function of `rules`, so it never matters which of them brought an entry in.

use super::disk::DiskError;
use super::kept::{Post, State};
use super::ledger::Op;
use super::rules::{Decision, Subject, decide};
use super::store::{HELD_FACTOR, Index, Store};
use crate::graph::{AccountIx, Graph};
use crate::order::place::PostId;
use crate::post::mark::Mark;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Whether any home can hold the post already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was just placed, or what it waited for just came: it only enters.
    New,
    /// It or what it rests on changed: it enters or leaves.
    Changed,
    /// It is gone: it only leaves.
    Gone,
}

/// Puts a post into, or takes it out of, the homes of all whom it concerns: its author's followers and its author.
/// `original` is what it boosts, if known; `because` marks the record that calls for this. Returns how many homes it
/// entered.
pub fn fan_out(
    store: &Store,
    graph: &Graph,
    post: &Post,
    original: Option<&Post>,
    fate: Fate,
    because: Mark,
) -> usize {
    let Some(author) = graph.actor(&post.body.author) else {
        return 0;
    };
    let concerned = [graph.followers(author), graph.owners(author)];
    let leaves = Op::remove(post.id, because);
    if fate == Fate::Gone {
        for accounts in concerned {
            store.homes.apply(accounts, &[leaves]);
        }
        return 0;
    }
    let subject = Subject::new(post, original, graph);
    let reaches_every_follower = subject.reaches_every_follower();
    // Read in another order, a boost may have entered before its original became what it is.
    let may_be_there = fate == Fate::Changed || original.is_some_and(Post::has_changed);
    let enters = entering(post, original);
    let mut entered = 0;
    for accounts in concerned {
        let (mut enter, mut leave) = (Vec::with_capacity(accounts.len()), Vec::new());
        for account in accounts {
            if reaches_every_follower && !graph.is_particular(*account) {
                enter.push(*account);
                continue;
            }
            match graph.get(*account).map(|account| decide(&subject, account)) {
                Some(Decision::In(_)) => enter.push(*account),
                Some(Decision::Out(why)) if may_be_there || why.is_of_the_original() => {
                    leave.push(*account);
                }
                Some(Decision::Out(_)) | None => {}
            }
        }
        store.homes.apply(&enter, &enters);
        store.homes.apply(&leave, &[leaves]);
        entered += enter.len();
    }
    entered
}

/// What brings a post into a feed: the post, and that the entry rests on what it boosts too.
fn entering(post: &Post, original: Option<&Post>) -> Vec<Op> {
    let mut ops = vec![Op::insert(post.id, post.newest.mark())];
    if let Some(original) = original {
        ops.push(Op::also(post.id, original.newest.mark()));
    }
    ops
}

/// The post that `post` boosts, if it boosts one and that is known.
pub fn original_of(store: &Store, post: &Post) -> Result<Option<Arc<Post>>, DiskError> {
    match &post.body.boost_of {
        Some(uri) => store.post_by_uri(uri),
        None => Ok(None),
    }
}

/// Fans out again what rests on `original`: the boosts that waited for it, or that its change or end concerns.
pub fn fan_out_boosts(
    store: &Store,
    graph: &Graph,
    original: &Post,
    fate: Fate,
) -> Result<usize, DiskError> {
    let mut entered = 0;
    for id in store.list(Index::Original, &original.body.uri)? {
        let Some(boost) = PostId::from_number(id)
            .map(|id| store.post(id))
            .transpose()?
            .flatten()
        else {
            continue;
        };
        if boost.body.boost_of.as_deref() == Some(original.body.uri.as_str())
            && boost.state == State::Whole
        {
            let because = original.newest.mark();
            entered += fan_out(store, graph, &boost, Some(original), fate, because);
        }
    }
    Ok(entered)
}

/// Merges into an account's home the posts of `authors` (actor ids) that belong there: the newest, as many as a feed
/// holds, those above `shown` besides. With one author this is a new follow, with everyone followed and the account
/// itself a rebuild. `because` marks the relation that calls for it. Returns how many belong there.
pub fn merge_in(
    store: &Store,
    graph: &Graph,
    account: AccountIx,
    authors: &[&str],
    because: Mark,
    shown: PostId,
) -> Result<usize, DiskError> {
    let (Some(of), Some(mut home)) = (graph.get(account), store.home(account)?) else {
        return Ok(0);
    };
    let mut lists = Vec::with_capacity(authors.len());
    for author in authors {
        lists.push(store.list(Index::Author, author)?);
    }
    let (length, held) = (store.length(), HELD_FACTOR * store.length());
    let mut ops = Vec::new();
    let (mut entering_all, mut entering_shown) = (0, 0);
    let mut left_out = None;
    for id in newest_first(lists) {
        if length <= entering_shown || held <= entering_all {
            left_out = Some(id);
            break;
        }
        let Some(post) = store.post(id)? else {
            continue;
        };
        let original = original_of(store, &post)?;
        let subject = Subject::new(&post, original.as_deref(), graph);
        if let Decision::Out(_) = decide(&subject, of) {
            ops.extend(has_left(&post, original.as_deref()));
            continue;
        }
        entering_all += 1;
        entering_shown += usize::from(id <= shown);
        // What is there already rests on what brought it in.
        if home.ids.binary_search(&id.number()).is_err() {
            ops.extend(entering(&post, original.as_deref()));
            ops.push(Op::also(id, because));
        }
    }
    match left_out {
        None => store.homes.apply_all(account, &ops),
        // What is left out is dropped for length: the feed must not go on below it, should entries leave later.
        Some(left_out) => {
            home.take_in(&ops);
            home.trim(length, held, shown);
            home.floor = home.floor.max(left_out.number());
            store.homes.replace(account, home);
        }
    }
    Ok(entering_all)
}

/// A post that is not let in may have been in the feed before it changed, where the relation was read first: a reader who
/// comes from there is told that it left.
fn has_left(post: &Post, original: Option<&Post>) -> Option<Op> {
    let changed = match original {
        Some(original) if post.state == State::Whole && original.has_changed() => original,
        _ => Some(post).filter(|post| post.has_changed())?,
    };
    Some(Op::remove(post.id, changed.newest.mark()))
}

/// Takes out of an account's home what the rules no longer let in, because of the relation that `because` marks.
/// Returns how many left.
pub fn weed_out(
    store: &Store,
    graph: &Graph,
    account: AccountIx,
    because: Mark,
) -> Result<usize, DiskError> {
    let (Some(of), Some(home)) = (graph.get(account), store.home(account)?) else {
        return Ok(0);
    };
    let (mut leaving, mut left) = (Vec::new(), 0);
    for id in home.newest_first() {
        let Some(post) = store.post(id)? else {
            leaving.push(Op::remove(id, because));
            left += 1;
            continue;
        };
        let original = original_of(store, &post)?;
        let subject = Subject::new(&post, original.as_deref(), graph);
        if let Decision::Out(_) = decide(&subject, of) {
            left += 1;
            leaving.push(Op::remove(id, because));
            // An edit may have a part in it, and have been read after the relation elsewhere.
            leaving.extend(has_left(&post, original.as_deref()));
        }
    }
    store.homes.apply_all(account, &leaving);
    Ok(left)
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
