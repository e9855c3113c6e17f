//! The messages of a stream, as JSON text.

use super::entry::Entry;
use schemars::JsonSchema;
use serde::Serialize;
use slackwater_order::time::Time;

/// A message of a stream. `cursor` says what the reader has with it and all before: keep the latest, and come back with it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message<'a> {
    /// The first.
    Hello {
        /// Opaque.
        cursor: String,
        /// Up to when the feed is shown; null if all of it is.
        horizon: Option<Time>,
        /// What the cursor counts on: what the reader has at or below this place is to be dropped. Left out amid several changes
        /// that belong together: the last of them has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(regex(pattern = r"^[0-9]{1,19}$"))]
        floor: Option<String>,
    },
    /// An entry to be put in, or in the place of what has its id.
    Post {
        /// Whether an entry above it had been shown: it goes where its id says, not on top.
        behind: bool,
        /// The entry's place and id, as text.
        #[schemars(regex(pattern = r"^[0-9]{1,19}$"))]
        id: String,
        /// The entry.
        entry: Entry<'a>,
        /// Opaque.
        cursor: String,
        /// What the cursor counts on: what the reader has at or below this place is to be dropped. Left out amid several changes
        /// that belong together: the last of them has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(regex(pattern = r"^[0-9]{1,19}$"))]
        floor: Option<String>,
    },
    /// An entry that has been edited, or what it boosts has.
    Edit {
        /// Always false.
        behind: bool,
        /// The entry's place and id, as text.
        #[schemars(regex(pattern = r"^[0-9]{1,19}$"))]
        id: String,
        /// The entry as it is now.
        entry: Entry<'a>,
        /// Opaque.
        cursor: String,
        /// What the cursor counts on: what the reader has at or below this place is to be dropped. Left out amid several changes
        /// that belong together: the last of them has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(regex(pattern = r"^[0-9]{1,19}$"))]
        floor: Option<String>,
    },
    /// An entry to be taken out, if it is there.
    Remove {
        /// Always false.
        behind: bool,
        /// The entry's place and id, as text.
        #[schemars(regex(pattern = r"^[0-9]{1,19}$"))]
        id: String,
        /// Nothing is left of it.
        entry: (),
        /// Opaque.
        cursor: String,
        /// What the cursor counts on: what the reader has at or below this place is to be dropped. Left out amid several changes
        /// that belong together: the last of them has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(regex(pattern = r"^[0-9]{1,19}$"))]
        floor: Option<String>,
    },
    /// All before this has been told, and with it made the reader has what a fresh read gives.
    Horizon {
        /// Opaque.
        cursor: String,
        /// Up to when the feed is shown; null if all of it is.
        horizon: Option<Time>,
        /// The feed is only so long: what the reader has at or below this place is to be dropped.
        #[schemars(regex(pattern = r"^[0-9]{1,19}$"))]
        floor: String,
    },
    /// The reader takes too long. The connection closes with 1013; come back with the cursor.
    TooSlow {
        /// Opaque.
        cursor: String,
        /// What the cursor counts on: what the reader has at or below this place is to be dropped. Left out amid several changes
        /// that belong together: the last of them has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(regex(pattern = r"^[0-9]{1,19}$"))]
        floor: Option<String>,
    },
    /// What changed cannot be told: read the feed anew. The connection closes with 4410.
    Reset {
        /// Why.
        detail: String,
    },
}

impl Message<'_> {
    /// As JSON text.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::change_json::{self, Change, Item};
    use crate::api::entry_cache::EntryCache;
    use crate::example;
    use slackwater_engine::record::offsets::Offsets;
    use slackwater_engine::view::change_batch::ChangeKind;
    use slackwater_engine::view::cursor::{Cursor, ReadPoint};
    use slackwater_order::place::PostId;
    use std::sync::Arc;

    #[test]
    fn a_change_is_written_as_its_type_says() {
        let post = Arc::new(example::post("https://a.example/users/ana"));
        let encoding = EntryCache::default().entry(Arc::clone(&post), None);
        let id = PostId::MAX;
        let reached = Cursor {
            feed: 1,
            log: 2.into(),
            from: ReadPoint {
                seen: Offsets::default(),
                ahead: Offsets::default(),
                horizon: Time::default(),
                top: PostId::MIN,
                floor: PostId::from_number(34).unwrap(),
            },
            batch: None,
        };
        for (kind, behind) in [
            (ChangeKind::Post, true),
            (ChangeKind::Edit, false),
            (ChangeKind::Remove, false),
        ] {
            let is_there = kind != ChangeKind::Remove;
            let line = Item {
                kind,
                behind,
                id,
                entry: is_there.then(|| Arc::clone(&encoding)),
                is_news: false,
            };
            let (id, cursor) = (id.to_string(), reached.to_text());
            let floor = Some("34".to_owned());
            let entry = Entry::new(&post, None);
            let typed = match kind {
                ChangeKind::Post => Message::Post {
                    behind,
                    id,
                    entry,
                    cursor,
                    floor,
                },
                ChangeKind::Edit => Message::Edit {
                    behind,
                    id,
                    entry,
                    cursor,
                    floor,
                },
                ChangeKind::Remove => Message::Remove {
                    behind,
                    id,
                    entry: (),
                    cursor,
                    floor,
                },
            };
            assert_eq!(
                change_json::spliced(&line, &reached).text(),
                typed.to_text()
            );
            let mut alone = String::new();
            change_json::write(&line, &mut alone);
            let listed = Change {
                kind,
                behind,
                id: line.id.to_string(),
                entry: is_there.then(|| Entry::new(&post, None)),
            };
            assert_eq!(alone, serde_json::to_string(&listed).unwrap());
        }
    }
}
