//! Changes of a feed as JSON text.

use super::changes::{Change as Place, What};
use super::cursor::Moment;
use super::entry::Entry;
use super::filling::{LetsIn, whole};
use super::page::PAGE_BYTES_MAX;
use crate::feed::disk::DiskError;
use crate::feed::kept::Post;
use crate::feed::store::Store;
use crate::order::place::PostId;
use schemars::JsonSchema;
use serde::Serialize;

/// What changed in a feed since a cursor.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Changes<'a> {
    /// In place order, lowest first; upserts by id.
    pub changes: Vec<Change<'a>>,
    /// The feed is only so long: what the reader has at or below this place is to be dropped.
    #[schemars(regex(pattern = r"^[0-9]{1,19}$"))]
    pub floor: String,
    /// With these changes made, the reader has what this cursor says: opaque.
    pub cursor: String,
    /// Whether there are more: ask again with this cursor.
    pub more: bool,
}

/// One change of a feed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Change<'a> {
    /// What is to be done.
    pub kind: Kind,
    /// Whether an entry above it had been shown: it goes where its id says, not on top.
    pub behind: bool,
    /// The entry's place and id, as text.
    #[schemars(regex(pattern = r"^[0-9]{1,19}$"))]
    pub id: String,
    /// The entry as it is now; null if it is to be removed.
    pub entry: Option<Entry<'a>>,
}

/// What is to be done about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Put it in, or in the place of what has its id.
    Post,
    /// The entry has been edited, or what it boosts has.
    Edit,
    /// Take it out, if it is there.
    Remove,
}

/// Changes as JSON text.
#[derive(Debug, Default)]
pub struct Telling {
    /// The list, without its brackets.
    pub json: Vec<u8>,
    /// How many there are.
    pub told: usize,
    /// The highest place looked at.
    pub last: u64,
    /// Whether some were left for another answer.
    pub more: bool,
}

/// Tells a reader who has `from` of `changes`, lowest first, until there are `limit` or the answer is large.
pub fn tell(
    store: &Store,
    changes: &[Place],
    from: &Moment,
    limit: usize,
    lets_in: &LetsIn<'_>,
) -> Result<Telling, DiskError> {
    let mut telling = Telling::default();
    for change in changes {
        if limit <= telling.told || PAGE_BYTES_MAX <= telling.json.len() {
            telling.more = true;
            break;
        }
        telling.last = change.id;
        let Some(id) = PostId::from_number(change.id) else {
            continue;
        };
        if change.what == What::Repeats && !may_have(store, id, from)? {
            continue;
        }
        if matches!(change.what, What::Left | What::Repeats) {
            telling.push(&Change {
                kind: Kind::Remove,
                behind: false,
                id: id.to_string(),
                entry: None,
            });
            continue;
        }
        // What went since the feed was read, or does not belong there any more, will be told as a removal.
        let Some((post, original)) = whole(store, id)? else {
            continue;
        };
        let original = original.as_deref();
        if !lets_in(&post, original) {
            continue;
        }
        let kind = kind(change.what, &post, original, from);
        telling.push(&Change {
            kind,
            behind: kind == Kind::Post && from.is_past(change.id),
            id: id.to_string(),
            entry: Some(Entry::new(&post, original)),
        });
    }
    Ok(telling)
}

/// Whether the reader may have a repeat. It cannot if that was hidden from the first: ten thousand boosts of one post are not
/// ten thousand removals.
fn may_have(store: &Store, id: PostId, from: &Moment) -> Result<bool, DiskError> {
    let may_show = |post: &Post| from.may_show(post.made.mark());
    Ok(whole(store, id)?.is_none_or(|(post, original)| {
        may_show(&post) && original.is_none_or(|original| may_show(&original))
    }))
}

/// An entry whose post and original the reader knew has been edited; any other has entered.
fn kind(what: What, post: &Post, original: Option<&Post>, from: &Moment) -> Kind {
    let knew = |post: &Post| from.has(post.made.mark());
    if what == What::Touched && knew(post) && original.is_none_or(knew) {
        Kind::Edit
    } else {
        Kind::Post
    }
}

impl Telling {
    fn push(&mut self, change: &Change<'_>) {
        let before = self.json.len();
        if 0 < self.told {
            self.json.push(b',');
        }
        if serde_json::to_writer(&mut self.json, change).is_ok() {
            self.told += 1;
        } else {
            self.json.truncate(before);
        }
    }
}
