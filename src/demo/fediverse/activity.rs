//! The activities of the made-up fediverse, in the shapes that the real models of its origins send.

use super::people::{DeliveryStyle, Person};
use serde_json::{Value, json};
use slackwater_order::time::Time;

const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";

/// A post before it has the shape of an activity.
pub(super) struct Draft<'a> {
    /// The author.
    pub author: &'static Person,
    /// Its text, without markup.
    pub text: &'static str,
    /// When it is written.
    pub published: Time,
    /// The id of the object that it answers.
    pub parent: Option<&'a str>,
}

impl Draft<'_> {
    /// The id of its object, and the Create that brings it.
    pub(super) fn activity(&self) -> (String, Value) {
        match self.author.style() {
            DeliveryStyle::Punctual | DeliveryStyle::SlowQueue => mastodon_like(self),
            DeliveryStyle::Hearth => misskey_like(self),
            DeliveryStyle::Bridge => bridged(self),
            DeliveryStyle::ThreadsLike => threads_like(self),
        }
    }

    /// Stands for whatever a server counts its posts by.
    fn number(&self) -> i64 {
        self.published.millis()
    }

    fn content(&self) -> String {
        format!("<p>{}</p>", self.text)
    }
}

fn mastodon_like(post: &Draft<'_>) -> (String, Value) {
    let actor = post.author.actor();
    let (host, name) = (post.author.host(), post.author.name);
    let (number, content) = (post.number(), post.content());
    let uri = format!("{actor}/statuses/{number}");
    let at = post.published.rfc3339();
    let followers = format!("{actor}/followers");
    let activity = json!({
        "@context": ["https://www.w3.org/ns/activitystreams", {"sensitive": "as:sensitive"}],
        "id": format!("{uri}/activity"),
        "type": "Create",
        "actor": actor,
        "published": at,
        "to": [PUBLIC],
        "cc": [followers],
        "object": {
            "id": uri,
            "type": "Note",
            "summary": null,
            "inReplyTo": post.parent,
            "published": at,
            "url": format!("https://{host}/@{name}/{number}"),
            "attributedTo": actor,
            "to": [PUBLIC],
            "cc": [followers],
            "sensitive": false,
            "content": content,
            "contentMap": {"en": content},
            "attachment": [],
            "tag": [],
        },
    });
    (uri, activity)
}

fn misskey_like(post: &Draft<'_>) -> (String, Value) {
    let actor = post.author.actor();
    let host = post.author.host();
    let (number, content) = (post.number(), post.content());
    let uri = format!("https://{host}/notes/a{number:x}");
    let at = post.published.rfc3339().replace('Z', ".000Z");
    let activity = json!({
        "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"],
        "id": format!("{uri}/activity"),
        "type": "Create",
        "actor": actor,
        "published": at,
        "object": {
            "id": uri,
            "type": "Note",
            "attributedTo": actor,
            "content": content,
            "_misskey_content": post.text,
            "source": {"content": post.text, "mediaType": "text/x.misskeymarkdown"},
            "published": at,
            "to": [PUBLIC],
            "cc": [format!("{actor}/followers")],
            "inReplyTo": post.parent,
            "attachment": [],
            "sensitive": false,
            "tag": [],
        },
        "to": [PUBLIC],
        "cc": [format!("{actor}/followers")],
    });
    (uri, activity)
}

fn bridged(post: &Draft<'_>) -> (String, Value) {
    let actor = post.author.actor();
    let host = post.author.host();
    let (number, content) = (post.number(), post.content());
    let did = actor.rsplit('/').next().unwrap_or_default();
    let uri = format!("https://{host}/convert/ap/at://{did}/app.bsky.feed.post/3k{number:x}");
    let at = post.published.rfc3339().replace('Z', ".000Z");
    let activity = json!({
        "@context": "https://www.w3.org/ns/activitystreams",
        "type": "Create",
        "id": format!("{uri}#bridgy-fed-create"),
        "actor": actor,
        "published": at,
        "object": {
            "type": "Note",
            "id": uri,
            "url": [{"type": "Link", "href": format!("https://sky.example/profile/{did}/post/3k{number:x}")}],
            "attributedTo": actor,
            "content": content,
            "contentMap": {"en": content},
            "inReplyTo": post.parent,
            "published": at,
            "to": PUBLIC,
        },
        "to": PUBLIC,
    });
    (uri, activity)
}

fn threads_like(post: &Draft<'_>) -> (String, Value) {
    let actor = post.author.actor();
    let (host, name) = (post.author.host(), post.author.name);
    let (number, content) = (post.number(), post.content());
    let uri = format!("{actor}post/{number}/");
    // No colon in the offset, as Threads writes it.
    let at = post.published.rfc3339().replace('Z', "+0000");
    let followers = format!("{actor}followers/");
    let activity = json!({
        "@context": ["https://www.w3.org/ns/activitystreams"],
        "id": format!("{uri}activity/"),
        "type": "Create",
        "actor": actor,
        "to": [PUBLIC],
        "cc": [followers],
        "published": at,
        "object": {
            "id": uri,
            "type": "Note",
            "attributedTo": actor,
            "content": content,
            "published": at,
            "to": [PUBLIC],
            "cc": [followers],
            "url": format!("https://www.{host}/@{name}/post/{number:x}"),
            "tag": [],
            "attachment": [],
        },
    });
    (uri, activity)
}
