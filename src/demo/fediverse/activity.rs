//! The activities of the made-up fediverse, with ids as the real models of its origins give them.

use super::people::{DeliveryStyle, Person};
use serde_json::Value;
use slackwater_fediverse::json::{Note, PUBLIC};
use slackwater_order::time::Time;

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
        let style = self.author.style();
        let (actor, host, name) = (self.author.actor(), self.author.host(), self.author.name);
        // Stands for whatever a server counts its posts by.
        let number = self.published.millis();
        let (uri, url) = match style {
            DeliveryStyle::Punctual | DeliveryStyle::SlowQueue => (
                format!("{actor}/statuses/{number}"),
                Some(format!("https://{host}/@{name}/{number}")),
            ),
            DeliveryStyle::Hearth => (format!("https://{host}/notes/a{number:x}"), None),
            DeliveryStyle::Bridge => {
                let did = actor.rsplit('/').next().unwrap_or_default();
                (
                    format!("https://{host}/convert/ap/at://{did}/app.bsky.feed.post/3k{number:x}"),
                    Some(format!(
                        "https://sky.example/profile/{did}/post/3k{number:x}"
                    )),
                )
            }
            DeliveryStyle::ThreadsLike => (
                format!("{actor}post/{number}/"),
                Some(format!("https://www.{host}/@{name}/post/{number:x}")),
            ),
        };
        let cc = match style {
            DeliveryStyle::Bridge => Vec::new(),
            DeliveryStyle::ThreadsLike => vec![format!("{actor}followers/")],
            _ => vec![format!("{actor}/followers")],
        };
        let note = Note {
            uri: &uri,
            url,
            actor: &actor,
            text: self.text,
            published: Some(number),
            to: vec![PUBLIC.to_owned()],
            cc,
            parent: self.parent,
            ..Note::default()
        };
        let activity = style.shape().create(&note);
        (uri, activity)
    }
}
