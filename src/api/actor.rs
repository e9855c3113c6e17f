//! An actor as the API shows it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use slackwater_engine::activity::actor::ActorDocument;
use slackwater_engine::activity::handle::handle;
use slackwater_engine::feed::actor::Actor as KnownActor;
use slackwater_order::time::Time;

/// What is known of an actor, for display. Texts are as they came: HTML is not sanitised.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Actor<'a> {
    /// The actor's id.
    pub uri: &'a str,
    /// Its handle, `user@host`: the host of its id, and the name in its own document.
    pub handle: String,
    /// The name it is shown under, plain text; null if it has none.
    pub name: Option<&'a str>,
    /// The URL of its avatar.
    pub avatar: Option<&'a str>,
    /// Its page.
    pub url: Option<&'a str>,
    /// When the document arrived.
    pub arrived: Time,
    /// All that is kept of the document, as ActivityStreams has it: no keys and no inboxes.
    pub document: Map<String, Value>,
}

impl<'a> Actor<'a> {
    /// An actor of which a document came.
    pub fn new(known: &'a KnownActor) -> Actor<'a> {
        let document = &known.document;
        Actor {
            uri: &document.id,
            handle: handle(&document.id, Some(document), false).1,
            name: document.name.as_deref(),
            avatar: document.icon.as_deref(),
            url: document.url.as_deref(),
            arrived: known.arrived,
            document: as_activity_streams(document),
        }
    }
}

/// A document in the terms it came in; what it does not say is left out.
fn as_activity_streams(document: &ActorDocument) -> Map<String, Value> {
    let image = |url: &Option<String>| match url {
        Some(url) => json!({"type": "Image", "url": url}),
        None => Value::Null,
    };
    let fields = document.fields.iter();
    let fields = fields
        .map(|field| json!({"type": "PropertyValue", "name": field.name, "value": field.value}));
    let emoji = document.emoji.iter().map(|emoji| {
        let name = format!(":{}:", emoji.shortcode);
        json!({"type": "Emoji", "name": name, "icon": {"type": "Image", "url": emoji.url}})
    });
    let list = |items: Vec<Value>| match items.is_empty() {
        true => Value::Null,
        false => Value::Array(items),
    };
    let all = [
        ("type", json!(document.kind.name())),
        ("id", json!(document.id)),
        ("preferredUsername", json!(document.preferred_username)),
        ("name", json!(document.name)),
        ("summary", json!(document.summary)),
        ("url", json!(document.url)),
        ("icon", image(&document.icon)),
        ("image", image(&document.image)),
        ("published", json!(document.published)),
        ("updated", json!(document.updated)),
        ("followers", json!(document.followers)),
        ("following", json!(document.following)),
        ("featured", json!(document.featured)),
        ("movedTo", json!(document.moved_to)),
        (
            "manuallyApprovesFollowers",
            json!(document.manually_approves_followers),
        ),
        ("discoverable", json!(document.discoverable)),
        ("attachment", list(fields.collect())),
        ("tag", list(emoji.collect())),
    ];
    let said = all.into_iter().filter(|(_, value)| !value.is_null());
    said.map(|(name, value)| (name.to_owned(), value)).collect()
}
