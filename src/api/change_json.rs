//! A feed's changes as JSON text.

use super::entry::Entry;
use super::entry_cache::CachedEntry;
use super::spliced_message::SplicedMessage;
use schemars::JsonSchema;
use serde::Serialize;
use slackwater_engine::view::change_batch::{ChangeBatch, ChangeItem, ChangeKind};
use slackwater_engine::view::cursor::Cursor;
use slackwater_order::place::PostId;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// A change with its entry as text.
pub type Item = ChangeItem<Arc<CachedEntry>>;

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
    pub kind: ChangeKind,
    /// Whether an entry above it had been shown: it goes where its id says, not on top.
    pub behind: bool,
    /// The entry's place and id, as text.
    #[schemars(regex(pattern = r"^[0-9]{1,19}$"))]
    pub id: String,
    /// The entry as it is now; null if it is to be removed.
    pub entry: Option<Entry<'a>>,
}

/// Appends a change as JSON text: a [`Change`].
pub fn write(item: &Item, json: &mut String) {
    write_head(item, json);
    json.push_str(item.entry.as_ref().map_or("null", |entry| &entry.json));
    json.push('}');
}

/// A change as a message of its own, its entry shared with all others who are told of it: with the cursor that the reader has
/// with it, and what floor that counts on.
pub fn spliced(item: &Item, cursor: &Cursor) -> SplicedMessage {
    let mut before = String::with_capacity(128);
    write_head(item, &mut before);
    let shared = match &item.entry {
        Some(entry) => entry.json.clone(),
        None => Utf8Bytes::from_static("null"),
    };
    let mut after = format!(",\"cursor\":\"{}\"", cursor.to_text());
    if let Some(floor) = cursor.floor() {
        after.push_str(&format!(",\"floor\":\"{floor}\""));
    }
    after.push('}');
    SplicedMessage {
        before,
        shared,
        after,
    }
}

/// The changes as JSON text, with commas between and no brackets.
pub fn changes(batch: &ChangeBatch<Arc<CachedEntry>>) -> String {
    let entries = batch.items.iter().filter_map(|item| item.entry.as_ref());
    let bytes: usize = entries.map(|entry| entry.json.len()).sum();
    let mut json = String::with_capacity(bytes + 96 * batch.items.len());
    for item in &batch.items {
        if !json.is_empty() {
            json.push(',');
        }
        write(item, &mut json);
    }
    json
}

/// The body of an answer with changes, as JSON text: a [`Changes`]. `cursor` is what the reader has with them.
pub fn body(batch: &ChangeBatch<Arc<CachedEntry>>, floor: PostId, cursor: &str) -> String {
    let (changes, more) = (changes(batch), batch.more);
    format!(
        "{{\"changes\":[{changes}],\"floor\":\"{floor}\",\"cursor\":\"{cursor}\",\"more\":{more}}}"
    )
}

/// The word for what is to be done.
pub(super) const fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Post => "post",
        ChangeKind::Edit => "edit",
        ChangeKind::Remove => "remove",
    }
}

fn write_head(item: &Item, json: &mut String) {
    json.push_str("{\"kind\":\"");
    json.push_str(word(item.kind));
    json.push_str("\",\"behind\":");
    json.push_str(if item.behind { "true" } else { "false" });
    json.push_str(",\"id\":\"");
    json.push_str(&item.id.to_string());
    json.push_str("\",\"entry\":");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::entry_cache::EntryCache;
    use crate::example;

    /// Were this to fail, clients made from the description would not read what is sent.
    #[test]
    fn an_answer_with_changes_is_written_as_its_type_says() {
        let post = Arc::new(example::post("https://a.example/users/ana"));
        let cached = EntryCache::default().entry(Arc::clone(&post), None);
        let item = |kind, is_there: bool| Item {
            kind,
            behind: !is_there,
            id: PostId::MAX,
            entry: is_there.then(|| Arc::clone(&cached)),
            is_news: false,
        };
        for (kinds, more) in [
            (vec![], false),
            (vec![ChangeKind::Post], true),
            (vec![ChangeKind::Edit, ChangeKind::Remove], false),
        ] {
            let is_there = |kind: ChangeKind| kind != ChangeKind::Remove;
            let changes = kinds.iter().map(|&kind| Change {
                kind,
                behind: !is_there(kind),
                id: PostId::MAX.to_string(),
                entry: is_there(kind).then(|| Entry::new(&post, None)),
            });
            let typed = Changes {
                changes: changes.collect(),
                floor: "34".to_owned(),
                cursor: "c".to_owned(),
                more,
            };
            let items = kinds.iter().map(|&kind| item(kind, is_there(kind)));
            let batch = ChangeBatch {
                items: items.collect(),
                more,
                ..ChangeBatch::default()
            };
            assert_eq!(
                body(&batch, PostId::from_number(34).unwrap(), "c"),
                serde_json::to_string(&typed).unwrap()
            );
        }
    }
}
