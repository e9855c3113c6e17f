//! Changes of a feed as JSON text.

use super::changes::{Change as Place, What};
use super::cursor::{Cursor, Moment};
use super::encoded::Encoding;
use super::entry::Entry;
use super::filling::{LetsIn, whole};
use super::page::PAGE_BYTES_MAX;
use super::spliced::Spliced;
use super::view::View;
use crate::feed::disk::DiskError;
use crate::feed::fan_out::rests_on;
use crate::feed::kept::Post;
use crate::feed::store::Store;
use crate::post::Visibility;
use schemars::JsonSchema;
use serde::Serialize;
use slackwater_order::horizon::highest_visible;
use slackwater_order::place::PostId;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

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

/// Changes that a reader is told.
#[derive(Debug, Default)]
pub struct Telling {
    /// The changes, lowest first.
    pub lines: Vec<Line>,
    /// The highest place looked at.
    pub last: u64,
    /// Whether some were left for another answer.
    pub more: bool,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Line {
    /// What is to be done.
    pub kind: Kind,
    /// Whether an entry above it had been shown.
    pub behind: bool,
    /// The entry's place.
    pub id: PostId,
    /// The entry as it is now; none if it is to be removed.
    pub entry: Option<Arc<Encoding>>,
    /// Whether its own record, that of what it boosts, or that of what it answers may have brought it, or its time came; not
    /// a relation, such as a follow.
    pub is_news: bool,
}

/// How much of a feed's changes one answer takes.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// So many changes at most.
    pub changes: usize,
    /// No further one after so many bytes.
    pub bytes: usize,
}

impl Room {
    /// So many changes, in as many bytes as a page has.
    pub fn of(changes: usize) -> Room {
        let bytes = PAGE_BYTES_MAX;
        Room { changes, bytes }
    }
}

/// Tells a reader who has `from` of `changes`, lowest first, as far as there is room.
pub fn tell(
    view: &View,
    changes: &[Place],
    from: &Moment,
    room: Room,
    lets_in: &LetsIn<'_>,
) -> Result<Telling, DiskError> {
    let store = &view.store;
    let mut telling = Telling::default();
    let mut bytes = 0;
    for change in changes {
        if room.changes <= telling.lines.len() || room.bytes <= bytes {
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
            telling.lines.push(Line {
                kind: Kind::Remove,
                behind: false,
                id,
                entry: None,
                is_news: false,
            });
            continue;
        }
        // What went since the feed was read, or does not belong there any more, will be told as a removal.
        let Some((post, original)) = whole(store, id)? else {
            continue;
        };
        if !lets_in(&post, original.as_deref()) {
            continue;
        }
        let kind = kind(change.what, &post, original.as_deref(), from);
        let is_known = could_be_there(&post, original.as_deref(), from);
        let was_held = highest_visible(Some(from.horizon)).number() < change.id;
        let entry = view.encoded.entry(post, original);
        bytes += entry.json.len();
        telling.lines.push(Line {
            kind,
            behind: kind == Kind::Post && from.is_past(change.id),
            id,
            entry: Some(entry),
            is_news: change.what != What::LetIn && (was_held || !is_known),
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

/// Whether all was known that an entry needs to be there: its post, what that boosts, the posts above it that a reply
/// rests on, for which it may have waited, and the documents that say it is for followers. It may have been there for
/// another reason.
fn could_be_there(post: &Post, original: Option<&Post>, from: &Moment) -> bool {
    let is_for_followers = |post: &Post| post.body.visibility == Visibility::Private;
    let opens = |post: &Post| post.document.filter(|_| is_for_followers(post));
    let knew = |post: &Post| {
        from.has(post.made.mark()) && opens(post).is_none_or(|document| from.has(document))
    };
    knew(post) && original.is_none_or(knew) && rests_on(post).all(|mark| from.has(mark))
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

impl Kind {
    /// As the API writes it.
    fn name(self) -> &'static str {
        match self {
            Kind::Post => "post",
            Kind::Edit => "edit",
            Kind::Remove => "remove",
        }
    }
}

impl Line {
    /// Appends it as JSON text: a [`Change`].
    pub fn write(&self, json: &mut String) {
        self.write_head(json);
        json.push_str(self.entry.as_ref().map_or("null", |entry| &entry.json));
        json.push('}');
    }

    /// The same as a message of its own, its entry shared with all others who are told of it: with the cursor that the reader has
    /// with it, and what floor that counts on.
    pub fn spliced(&self, cursor: &Cursor) -> Spliced {
        let mut before = String::with_capacity(128);
        self.write_head(&mut before);
        let shared = match &self.entry {
            Some(entry) => entry.json.clone(),
            None => Utf8Bytes::from_static("null"),
        };
        let mut after = format!(",\"cursor\":\"{}\"", cursor.to_text());
        if let Some(floor) = cursor.floor() {
            after.push_str(&format!(",\"floor\":\"{floor}\""));
        }
        after.push('}');
        Spliced {
            before,
            shared,
            after,
        }
    }

    fn write_head(&self, json: &mut String) {
        json.push_str("{\"kind\":\"");
        json.push_str(self.kind.name());
        json.push_str("\",\"behind\":");
        json.push_str(if self.behind { "true" } else { "false" });
        json.push_str(",\"id\":\"");
        json.push_str(&self.id.to_string());
        json.push_str("\",\"entry\":");
    }
}

impl Telling {
    /// The changes as JSON text, with commas between and no brackets.
    pub fn json(&self) -> String {
        let entries = self.lines.iter().filter_map(|line| line.entry.as_ref());
        let bytes: usize = entries.map(|entry| entry.json.len()).sum();
        let mut json = String::with_capacity(bytes + 96 * self.lines.len());
        for line in &self.lines {
            if !json.is_empty() {
                json.push(',');
            }
            line.write(&mut json);
        }
        json
    }
}
