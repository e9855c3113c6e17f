//! A post into the homes it belongs in, and a home merged from the posts of those its account follows.
//!
//! Both ask the one decision function of `rules`, so it never matters which of them brought an entry in.

use super::disk::DiskError;
use super::kept::{Post, State};
use super::rules::{Decision, Subject, decide};
use super::segment::Op;
use super::store::{Index, Store};
use crate::graph::{AccountIx, Graph};
use crate::order::place::PostId;
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
/// `original` is what it boosts, if known. Returns how many homes it entered.
pub fn fan_out(
    store: &Store,
    graph: &Graph,
    post: &Post,
    original: Option<&Post>,
    fate: Fate,
) -> usize {
    let Some(author) = graph.actor(&post.body.author) else {
        return 0;
    };
    let concerned = [graph.followers(author), graph.owners(author)];
    if fate == Fate::Gone {
        for accounts in concerned {
            store.homes.apply(accounts, Op::remove(post.id));
        }
        return 0;
    }
    let subject = Subject::new(post, original, graph);
    let reaches_every_follower = subject.reaches_every_follower();
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
                Some(Decision::Out(_)) if fate == Fate::Changed => leave.push(*account),
                Some(Decision::Out(_)) | None => {}
            }
        }
        store.homes.apply(&enter, Op::insert(post.id));
        store.homes.apply(&leave, Op::remove(post.id));
        entered += enter.len();
    }
    entered
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
            entered += fan_out(store, graph, &boost, Some(original), fate);
        }
    }
    Ok(entered)
}

/// Merges into an account's home the posts of `authors` (actor ids) that belong there: the newest, as many as a feed
/// holds. With one author this is a new follow, with everyone followed and the account itself a rebuild.
pub fn merge_in(
    store: &Store,
    graph: &Graph,
    account: AccountIx,
    authors: &[&str],
) -> Result<usize, DiskError> {
    let Some(of) = graph.get(account) else {
        return Ok(0);
    };
    let mut lists = Vec::with_capacity(authors.len());
    for author in authors {
        lists.push(store.list(Index::Author, author)?);
    }
    let mut entering = Vec::new();
    let mut left_out = None;
    for id in newest_first(lists) {
        if store.length() <= entering.len() {
            left_out = Some(id);
            break;
        }
        let Some(post) = store.post(id)? else {
            continue;
        };
        let original = original_of(store, &post)?;
        let subject = Subject::new(&post, original.as_deref(), graph);
        if let Decision::In(_) = decide(&subject, of) {
            entering.push(Op::insert(id));
        }
    }
    match left_out {
        None => store.homes.apply_all(account, &entering),
        // What is left out is dropped for length: the feed must not go on below it, should entries leave later.
        Some(left_out) => {
            let Some(home) = store.home_untrimmed(account)? else {
                return Ok(0);
            };
            let mut merged = home.with(&entering, store.length());
            merged.floor = merged.floor.max(left_out);
            store.homes.replace(account, merged);
        }
    }
    Ok(entering.len())
}

/// Takes out of an account's home what the rules no longer let in. Returns how many left.
pub fn weed_out(store: &Store, graph: &Graph, account: AccountIx) -> Result<usize, DiskError> {
    let (Some(of), Some(home)) = (graph.get(account), store.home_untrimmed(account)?) else {
        return Ok(0);
    };
    let mut leaving = Vec::new();
    for id in home.newest_first() {
        let stays = match store.post(id)? {
            None => false,
            Some(post) => {
                let original = original_of(store, &post)?;
                matches!(
                    decide(&Subject::new(&post, original.as_deref(), graph), of),
                    Decision::In(_)
                )
            }
        };
        if !stays {
            leaving.push(Op::remove(id));
        }
    }
    store.homes.apply_all(account, &leaving);
    Ok(leaving.len())
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
