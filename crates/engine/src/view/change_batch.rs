//! The changes that fit into one answer, with their entries in the form that the caller writes.

use crate::activity::Visibility;
use crate::feed::fan_out::rests_on;
use crate::feed::post::Post;
use crate::feed::store::disk::DiskError;
use crate::feed::store::{Index, Store};
use crate::view::changes::{ChangedEntry as Place, EntryChange};
use crate::view::cursor::ReadPoint;
use crate::view::page::PAGE_BYTES_MAX;
use crate::view::with_original::{FeedFilter, post_with_original};
use schemars::JsonSchema;
use serde::Serialize;
use slackwater_order::horizon::highest_visible;
use slackwater_order::place::PostId;
use std::sync::Arc;

/// What a reader does with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Kind")]
pub enum ChangeKind {
    /// Insert the entry, or replace the one that has its id.
    Post,
    /// Replace the entry: it was edited, or the post that it boosts was.
    Edit,
    /// Remove the entry, if it is there.
    Remove,
}

/// The form in which a caller has entries written.
pub trait WriteEntry {
    /// A written entry. Cheap to clone.
    type Entry: Clone;

    /// Writes a post, and the post that it boosts, as an entry.
    fn write(&self, post: Arc<Post>, original: Option<Arc<Post>>) -> Self::Entry;

    /// How many bytes it takes in an answer.
    fn bytes(entry: &Self::Entry) -> usize;
}

/// The changes of one answer.
#[derive(Debug)]
pub struct ChangeBatch<E> {
    /// The changes, lowest first.
    pub items: Vec<ChangeItem<E>>,
    /// The highest place looked at.
    pub last: PostId,
    /// Whether some were left for another answer.
    pub more: bool,
}

/// A place whose entry changed.
#[derive(Clone, Debug)]
pub struct ChangeItem<E> {
    /// What the reader does with it.
    pub kind: ChangeKind,
    /// Whether the reader has had an entry above it.
    pub behind: bool,
    /// The entry's place.
    pub id: PostId,
    /// The entry as it is now; none if it is to be removed.
    pub entry: Option<E>,
    /// Whether a post brought it (its own, the one it boosts or the one it answers), or its time came; a relation, such as a follow, is
    /// no news.
    pub is_news: bool,
}

/// How many changes fit into one answer.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimit {
    /// The most changes.
    pub changes: usize,
    /// After so many bytes no further change is taken.
    pub bytes: usize,
}

impl BatchLimit {
    /// So many changes, in as many bytes as a page may have.
    pub fn of(changes: usize) -> BatchLimit {
        let bytes = PAGE_BYTES_MAX;
        BatchLimit { changes, bytes }
    }
}

impl<E> Default for ChangeBatch<E> {
    fn default() -> ChangeBatch<E> {
        ChangeBatch {
            items: Vec::new(),
            last: PostId::MIN,
            more: false,
        }
    }
}

/// Takes from `changes`, lowest first, those that a reader who has `from` needs, within `limit`.
pub fn batch<W: WriteEntry>(
    store: &Store,
    changes: &[Place],
    from: &ReadPoint,
    limit: BatchLimit,
    admits: &FeedFilter<'_>,
    writer: &W,
) -> Result<ChangeBatch<W::Entry>, DiskError> {
    let mut batch = ChangeBatch::default();
    let mut came_again = CameAgain::default();
    let mut bytes = 0;
    for change in changes {
        if limit.changes <= batch.items.len() || limit.bytes <= bytes {
            batch.more = true;
            break;
        }
        batch.last = change.id;
        let id = change.id;
        if change.change == EntryChange::Repeats && !may_have(store, id, from, &mut came_again)? {
            continue;
        }
        if matches!(change.change, EntryChange::Left | EntryChange::Repeats) {
            batch.items.push(ChangeItem {
                kind: ChangeKind::Remove,
                behind: false,
                id,
                entry: None,
                is_news: false,
            });
            continue;
        }
        // A post that was removed since the feed was read, or does not belong in it any more, will be sent as a removal.
        let Some((post, original)) = post_with_original(store, id)? else {
            continue;
        };
        if !admits(&post, original.as_deref()) {
            continue;
        }
        let kind = kind(change.change, &post, original.as_deref(), from);
        let is_known = could_be_there(&post, original.as_deref(), from);
        let was_held = highest_visible(Some(from.horizon)) < id;
        let entry = writer.write(post, original);
        bytes += W::bytes(&entry);
        batch.items.push(ChangeItem {
            kind,
            behind: kind == ChangeKind::Post && from.is_past(change.id),
            id,
            entry: Some(entry),
            is_news: change.change != EntryChange::LetIn && (was_held || !is_known),
        });
    }
    Ok(batch)
}

/// Whether the reader may have a hidden repeat. It cannot if the repeat was hidden from the first: ten thousand boosts of one post
/// are not ten thousand removals. Of a post that was forgotten and came again it may have shown what was there before.
fn may_have(
    store: &Store,
    id: PostId,
    from: &ReadPoint,
    came_again: &mut CameAgain,
) -> Result<bool, DiskError> {
    let Some((post, original)) = post_with_original(store, id)? else {
        return Ok(true);
    };
    if !from.may_show(post.made) {
        return Ok(false);
    }
    match original.filter(|original| !from.may_show(original.made)) {
        None => Ok(true),
        Some(original) => came_again.has(store, &original),
    }
}

/// Whether posts had their URI after one that was forgotten, remembered for the last that was looked up: the boosts of one post follow
/// each other.
#[derive(Debug, Default)]
struct CameAgain {
    last: Option<(PostId, bool)>,
}

impl CameAgain {
    fn has(&mut self, store: &Store, post: &Post) -> Result<bool, DiskError> {
        if let Some((_, again)) = self.last.filter(|(id, _)| *id == post.id) {
            return Ok(again);
        }
        let again = !store.list(Index::Forgotten, &post.body.uri)?.is_empty();
        self.last = Some((post.id, again));
        Ok(again)
    }
}

/// Whether the reader has every record that an entry needs: those of its post, of the post that it boosts, of the posts that a reply
/// waits for, and of the documents that say it is for followers. The entry may have been there for another reason.
fn could_be_there(post: &Post, original: Option<&Post>, from: &ReadPoint) -> bool {
    let is_for_followers = |post: &Post| post.body.visibility == Visibility::Private;
    let opens = |post: &Post| post.document.filter(|_| is_for_followers(post));
    let knew =
        |post: &Post| from.has(post.made) && opens(post).is_none_or(|document| from.has(document));
    knew(post) && original.is_none_or(knew) && rests_on(post).all(|log_pos| from.has(log_pos))
}

/// An entry whose post and original the reader has was edited; any other entry is new.
fn kind(what: EntryChange, post: &Post, original: Option<&Post>, from: &ReadPoint) -> ChangeKind {
    let knew = |post: &Post| from.has(post.made);
    if what == EntryChange::Touched && knew(post) && original.is_none_or(knew) {
        ChangeKind::Edit
    } else {
        ChangeKind::Post
    }
}
