//! The changes that one answer takes, with the entries as whoever asks has them written.

use crate::activity::Visibility;
use crate::feed::fan_out::rests_on;
use crate::feed::post::Post;
use crate::feed::store::Store;
use crate::feed::store::disk::DiskError;
use crate::view::changes::{ChangedEntry as Place, EntryChange};
use crate::view::cursor::ReadPoint;
use crate::view::page::PAGE_BYTES_MAX;
use crate::view::with_original::{FeedFilter, post_with_original};
use schemars::JsonSchema;
use serde::Serialize;
use slackwater_order::horizon::highest_visible;
use slackwater_order::place::PostId;
use std::sync::Arc;

/// What is to be done about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Kind")]
pub enum ChangeKind {
    /// Put it in, or in the place of what has its id.
    Post,
    /// The entry has been edited, or what it boosts has.
    Edit,
    /// Take it out, if it is there.
    Remove,
}

/// How entries are written for those who ask.
pub trait WriteEntry {
    /// A written entry. Cheap to clone.
    type Entry: Clone;

    /// Writes a post, and what it boosts, as an entry.
    fn write(&self, post: Arc<Post>, original: Option<Arc<Post>>) -> Self::Entry;

    /// How many bytes it takes in an answer.
    fn bytes(entry: &Self::Entry) -> usize;
}

/// The changes that one answer takes.
#[derive(Debug)]
pub struct ChangeBatch<E> {
    /// The changes, lowest first.
    pub items: Vec<ChangeItem<E>>,
    /// The highest place looked at.
    pub last: PostId,
    /// Whether some were left for another answer.
    pub more: bool,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct ChangeItem<E> {
    /// What is to be done.
    pub kind: ChangeKind,
    /// Whether an entry above it had been shown.
    pub behind: bool,
    /// The entry's place.
    pub id: PostId,
    /// The entry as it is now; none if it is to be removed.
    pub entry: Option<E>,
    /// Whether its own record, that of what it boosts, or that of what it answers may have brought it, or its time came; not
    /// a relation, such as a follow.
    pub is_news: bool,
}

/// How much of a feed's changes one answer takes.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimit {
    /// So many changes at most.
    pub changes: usize,
    /// No further one after so many bytes.
    pub bytes: usize,
}

impl BatchLimit {
    /// So many changes, in as many bytes as a page has.
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

/// Takes of `changes`, lowest first, what a reader who has `from` is to be told, as far as there is limit.
pub fn batch<W: WriteEntry>(
    store: &Store,
    changes: &[Place],
    from: &ReadPoint,
    limit: BatchLimit,
    admits: &FeedFilter<'_>,
    writer: &W,
) -> Result<ChangeBatch<W::Entry>, DiskError> {
    let mut batch = ChangeBatch::default();
    let mut bytes = 0;
    for change in changes {
        if limit.changes <= batch.items.len() || limit.bytes <= bytes {
            batch.more = true;
            break;
        }
        batch.last = change.id;
        let id = change.id;
        if change.change == EntryChange::Repeats && !may_have(store, id, from)? {
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
        // What went since the feed was read, or does not belong there any more, will be told as a removal.
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

/// Whether the reader may have a repeat. It cannot if that was hidden from the first: ten thousand boosts of one post are not
/// ten thousand removals.
fn may_have(store: &Store, id: PostId, from: &ReadPoint) -> Result<bool, DiskError> {
    let may_show = |post: &Post| from.may_show(post.made);
    Ok(
        post_with_original(store, id)?.is_none_or(|(post, original)| {
            may_show(&post) && original.is_none_or(|original| may_show(&original))
        }),
    )
}

/// Whether all was known that an entry needs to be there: its post, what that boosts, the posts above it that a reply
/// rests on, for which it may have waited, and the documents that say it is for followers. It may have been there for
/// another reason.
fn could_be_there(post: &Post, original: Option<&Post>, from: &ReadPoint) -> bool {
    let is_for_followers = |post: &Post| post.body.visibility == Visibility::Private;
    let opens = |post: &Post| post.document.filter(|_| is_for_followers(post));
    let knew =
        |post: &Post| from.has(post.made) && opens(post).is_none_or(|document| from.has(document));
    knew(post) && original.is_none_or(knew) && rests_on(post).all(|log_pos| from.has(log_pos))
}

/// An entry whose post and original the reader knew has been edited; any other has entered.
fn kind(what: EntryChange, post: &Post, original: Option<&Post>, from: &ReadPoint) -> ChangeKind {
    let knew = |post: &Post| from.has(post.made);
    if what == EntryChange::Touched && knew(post) && original.is_none_or(knew) {
        ChangeKind::Edit
    } else {
        ChangeKind::Post
    }
}
