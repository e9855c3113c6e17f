//! The keys under which things are stored.

use crate::feed::post::{Post, State};
use xxhash_rust::xxh3::xxh3_128;

/// What an index lists the posts of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Index {
    /// Posts by an author, by the author's id.
    Author = b'a',
    /// Replies to a post, by its URI.
    Parent = b'p',
    /// Boosts of a post, by its URI.
    Original = b'o',
    /// Posts that answer an actor, by the actor's id.
    Answered = b's',
    /// Posts with a hashtag.
    Tag = b't',
    /// Posts that are not for everybody by an author addressed to a collection, by both.
    Addressed = b'f',
    /// Posts with one of the backend's ids: one, unless the backend is mistaken.
    Ref = b'r',
    /// Posts that the backend forgot, by their URI, which another post may have since.
    Forgotten = b'g',
}

/// The key of a list: its index and the hash of what that lists the posts of.
pub(super) type ListKey = [u8; 17];

/// The key a home feed is stored under: the slot of its account, so that a shard's feeds lie together, then the account.
pub fn home_key(account: &str) -> Vec<u8> {
    let slot = u16::try_from(slackwater_order::place::slot_of(account)).unwrap_or(0);
    [&slot.to_be_bytes()[..], account.as_bytes()].concat()
}

/// The key a relation is stored under: the slot of its account, then its key on the topic.
pub fn relation_key(account: &str, key: &[u8]) -> Vec<u8> {
    let slot = u16::try_from(slackwater_order::place::slot_of(account)).unwrap_or(0);
    [&slot.to_be_bytes()[..], key].concat()
}

/// The key of the list of `of` in an index.
pub(super) fn list_key(index: Index, of: &str) -> ListKey {
    let mut key = [0; 17];
    let (first, rest) = key.split_at_mut(1);
    first.fill(index as u8);
    rest.copy_from_slice(&xxh3_128(of.as_bytes()).to_be_bytes());
    key
}

/// The keys of what lists a post.
pub(super) fn indexed(post: &Post) -> impl Iterator<Item = ListKey> + '_ {
    let body = &post.body;
    let whom = post.answers.actor();
    [
        (Index::Author, Some(body.author.as_str())),
        (Index::Parent, body.in_reply_to.as_deref()),
        (Index::Original, body.boost_of.as_deref()),
        (Index::Answered, whom),
        (Index::Ref, post.post_ref.as_deref()),
        (
            Index::Forgotten,
            (post.state == State::Forgotten).then_some(body.uri.as_str()),
        ),
    ]
    .into_iter()
    .filter_map(|(index, of)| Some((index, of?)))
    .chain(
        body.tags
            .iter()
            .chain(&post.was_tagged)
            .map(|tag| (Index::Tag, tag.as_str())),
    )
    .map(|(index, of)| list_key(index, of))
    .chain(addressed(post))
}

/// The keys of the lists of what is addressed to a collection that a post is in.
pub(super) fn addressed(post: &Post) -> impl Iterator<Item = ListKey> + '_ {
    let author = &post.body.author;
    let collections = post.body.collections.iter();
    collections.map(|collection| list_key(Index::Addressed, &both(author, collection)))
}

/// Names the posts of an author that are addressed to a collection.
pub(super) fn both(author: &str, collection: &str) -> String {
    format!("{author} {collection}")
}
