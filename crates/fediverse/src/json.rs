//! Activities, actors and relations of local accounts, as the JSON that servers and backends send.

use crate::date::{date, date_with_millis};
use serde_json::{Map, Value, json};

/// The collection of everybody.
pub const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";

/// Whose spelling a server's posts have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Only what is needed.
    Plain,
    /// Mastodon's.
    Mastodon,
    /// Misskey's: times with decimals, and the text as it was typed.
    Misskey,
    /// That of a bridge: whom it is addressed to is no array.
    Bridge,
    /// That of Threads: no colon in the offset of a time.
    Threads,
}

/// A post that is no boost. Times are in milliseconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct Note<'a> {
    /// Its id.
    pub uri: &'a str,
    /// Where people read it.
    pub url: Option<String>,
    /// The id of its author.
    pub actor: &'a str,
    /// Its text, without markup.
    pub text: &'a str,
    /// When it was written, if it says so.
    pub published: Option<i64>,
    /// When it was edited last.
    pub updated: Option<i64>,
    /// The ids of the collections and actors that it is addressed to.
    pub to: Vec<String>,
    /// The same of those who get a copy.
    pub cc: Vec<String>,
    /// The ids of actors.
    pub mentions: Vec<String>,
    /// Without `#`.
    pub hashtags: Vec<String>,
    /// The id of the post that it answers.
    pub parent: Option<&'a str>,
}

/// A boost.
#[derive(Clone, Debug)]
pub struct Announce<'a> {
    /// Its id, if the server gives boosts one.
    pub uri: Option<&'a str>,
    /// The id of the account that boosts.
    pub actor: &'a str,
    /// The id of the post that is boosted.
    pub object: &'a str,
    /// In milliseconds since 1970.
    pub published: i64,
}

impl Shape {
    /// The Create that brings a post.
    pub fn create(self, note: &Note<'_>) -> Value {
        let uri = note.uri;
        let id = match self {
            Shape::Plain => format!("{uri}#create"),
            Shape::Mastodon | Shape::Misskey => format!("{uri}/activity"),
            Shape::Bridge => format!("{uri}#bridgy-fed-create"),
            Shape::Threads => format!("{uri}activity/"),
        };
        let mut create = self.activity("Create", id, note);
        if let Some(published) = note.published {
            create.insert("published".to_owned(), self.time(published));
        }
        Value::Object(create)
    }

    /// The Update that brings an edit.
    pub fn update(self, note: &Note<'_>) -> Value {
        let id = format!("{}#updates/{}", note.uri, note.updated.unwrap_or(0));
        Value::Object(self.activity("Update", id, note))
    }

    fn activity(self, kind: &str, id: String, note: &Note<'_>) -> Map<String, Value> {
        let object = self.object(note);
        let mut activity = Map::new();
        let mut set = |key: &str, value: Value| drop(activity.insert(key.to_owned(), value));
        match self {
            Shape::Plain => {}
            Shape::Mastodon => set(
                "@context",
                json!(["https://www.w3.org/ns/activitystreams", {"sensitive": "as:sensitive"}]),
            ),
            Shape::Misskey => set(
                "@context",
                json!([
                    "https://www.w3.org/ns/activitystreams",
                    "https://w3id.org/security/v1"
                ]),
            ),
            Shape::Bridge => set("@context", json!("https://www.w3.org/ns/activitystreams")),
            Shape::Threads => set("@context", json!(["https://www.w3.org/ns/activitystreams"])),
        }
        set("id", Value::String(id));
        set("type", json!(kind));
        set("actor", json!(note.actor));
        for key in ["to", "cc"] {
            if let Some(addressed) = object.get(key) {
                set(key, addressed.clone());
            }
        }
        set("object", object);
        activity
    }

    /// The post itself, as a server hands it out to those who fetch it.
    pub fn object(self, note: &Note<'_>) -> Value {
        let content = format!("<p>{}</p>", note.text);
        let mut object = Map::new();
        let mut set = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        set("id", json!(note.uri));
        set("type", json!("Note"));
        set("attributedTo", json!(note.actor));
        set("content", json!(content));
        set("to", self.addressed(&note.to));
        if !(note.cc.is_empty() && matches!(self, Shape::Plain | Shape::Bridge)) {
            set("cc", self.addressed(&note.cc));
        }
        let tags = tags(note);
        if !(tags.is_empty() && self == Shape::Bridge) {
            set("tag", Value::Array(tags));
        }
        for (key, time) in [("published", note.published), ("updated", note.updated)] {
            if let Some(time) = time {
                set(key, self.time(time));
            }
        }
        if note.parent.is_some() || !matches!(self, Shape::Plain | Shape::Threads) {
            set("inReplyTo", json!(note.parent));
        }
        match self {
            Shape::Plain => {}
            Shape::Mastodon => {
                set("summary", Value::Null);
                set("sensitive", json!(false));
                set("contentMap", json!({"en": content}));
                set("attachment", json!([]));
            }
            Shape::Misskey => {
                set("_misskey_content", json!(note.text));
                set(
                    "source",
                    json!({"content": note.text, "mediaType": "text/x.misskeymarkdown"}),
                );
                set("attachment", json!([]));
                set("sensitive", json!(false));
            }
            Shape::Bridge => set("contentMap", json!({"en": content})),
            Shape::Threads => set("attachment", json!([])),
        }
        match (&note.url, self) {
            (None, _) => {}
            (Some(url), Shape::Bridge) => set("url", json!([{"type": "Link", "href": url}])),
            (Some(url), _) => set("url", json!(url)),
        }
        Value::Object(object)
    }

    /// The Announce that boosts a post, for everybody.
    pub fn announce(self, boost: &Announce<'_>) -> Value {
        let mut announce = json!({
            "type": "Announce",
            "actor": boost.actor,
            "object": boost.object,
            "published": self.time(boost.published),
        });
        match self {
            Shape::Plain => set(&mut announce, "to", json!("as:Public")),
            _ => {
                set(&mut announce, "to", json!([PUBLIC]));
                set(
                    &mut announce,
                    "cc",
                    json!([format!("{}/followers", boost.actor)]),
                );
            }
        }
        if let Some(uri) = boost.uri {
            set(&mut announce, "id", json!(uri));
        }
        announce
    }

    fn addressed(self, ids: &[String]) -> Value {
        match ids {
            [id] if self == Shape::Bridge => json!(id),
            ids => json!(ids),
        }
    }

    fn time(self, ms: i64) -> Value {
        Value::String(match self {
            Shape::Plain | Shape::Mastodon => date(ms),
            Shape::Misskey | Shape::Bridge => date_with_millis(ms),
            Shape::Threads => date(ms).replace('Z', "+0000"),
        })
    }
}

fn tags(note: &Note<'_>) -> Vec<Value> {
    let mentions = note.mentions.iter();
    let mentions = mentions.map(|actor| json!({"type": "Mention", "href": actor}));
    let hashtags = note.hashtags.iter();
    let hashtags = hashtags.map(|name| json!({"type": "Hashtag", "name": format!("#{name}")}));
    mentions.chain(hashtags).collect()
}

fn set(document: &mut Value, key: &str, value: Value) {
    if let Value::Object(fields) = document {
        fields.insert(key.to_owned(), value);
    }
}

/// The Undo of a boost of `object`: by the boost's id, or else by what it boosts alone.
pub fn undo(actor: &str, boost: Option<&str>, object: &str) -> Value {
    let mut announce = json!({"type": "Announce", "actor": actor, "object": object});
    if let Some(uri) = boost {
        set(&mut announce, "id", json!(uri));
    }
    json!({"id": format!("{actor}#undo"), "type": "Undo", "actor": actor, "object": announce})
}

/// The Delete of a post, or of the actor itself, by its id alone.
pub fn delete(actor: &str, uri: &str) -> Value {
    json!({"id": format!("{uri}#delete"), "type": "Delete", "actor": actor, "object": uri})
}

/// The Delete of a post, with the Tombstone that stands in its place.
pub fn delete_with_tombstone(actor: &str, uri: &str) -> Value {
    let tombstone = json!({"type": "Tombstone", "id": uri});
    json!({"id": format!("{uri}#delete"), "type": "Delete", "actor": actor, "object": tombstone})
}

/// An actor's document, which names the collection of its followers.
pub fn person(actor: &str, followers: &str) -> Value {
    json!({"id": actor, "type": "Person", "inbox": format!("{actor}/inbox"), "followers": followers})
}

/// The Update by which a server sends an actor's document.
pub fn update_of_person(actor: &str, followers: &str) -> Value {
    let document = person(actor, followers);
    json!({"id": format!("{actor}#update"), "type": "Update", "actor": actor, "object": document})
}

/// A relation of a local account, as a backend writes it: its kind, the account, and the fields of that kind.
pub fn relation(kind: &str, account: &str, fields: &Value, is_removed: bool) -> Value {
    let mut document = json!({"type": kind, "account": account});
    for (key, value) in fields.as_object().into_iter().flatten() {
        set(&mut document, key, value.clone());
    }
    if is_removed {
        set(&mut document, "removed", json!(true));
    }
    document
}

#[cfg(test)]
mod tests;
