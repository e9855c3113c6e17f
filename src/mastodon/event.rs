//! A feed's changes as events of Mastodon's streaming API.

use super::channel::Filter;
use super::ids::id_of;
use super::status_cache::{CachedStatus, StatusCache, is_local};
use crate::api::change_json::Item;
use crate::api::entry_cache::CachedEntry;
use crate::api::spliced_message::SplicedMessage;
use crate::api::state::AppState;
use slackwater_engine::feed::post::Post;
use slackwater_engine::feed::store::disk::DiskError;
use slackwater_engine::view::change_batch::ChangeKind;
use slackwater_engine::view::late::{Arrival, is_pushed};
use slackwater_engine::view::snapshot::ChangeDelivery;
use slackwater_order::time::Time;
use std::sync::Arc;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Tells changes as events.
#[derive(Debug)]
pub struct EventMapper {
    /// The state that posts are looked up in.
    pub state: AppState,
    /// Statuses.
    pub status_cache: Arc<StatusCache>,
    /// The filter of the feed.
    pub filter: Filter,
    /// The account whose patience holds the feed back, if one does.
    pub owner: Option<String>,
    /// Whether statuses are left for the backend to show.
    pub hydrates: bool,
    /// How long after its place a post may arrive and be pushed as new although others are above it, where no hold is longer.
    pub live_max_age: Duration,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// `update`, `status.update` or `delete`.
    pub name: &'static str,
    /// The payload.
    pub payload: Payload,
    /// The cursor to come back with.
    pub cursor: String,
}

/// The payload of an event.
#[derive(Clone, Debug)]
pub enum Payload {
    /// A whole status.
    Status(Arc<CachedStatus>),
    /// The id of one.
    Id(String),
    /// A status that the backend is yet to show; nobody is sent it so.
    Pending(Box<PendingStatus>),
    /// A whole status as JSON text.
    Whole(String),
    /// The same as a JSON text itself, as messages on sockets have it.
    Escaped(String),
}

/// A status that the backend is yet to show.
#[derive(Clone, Debug)]
pub struct PendingStatus {
    /// The backend's id of it.
    pub id: String,
    /// Its post.
    pub post: Arc<Post>,
    /// The post that this boosts.
    pub original: Option<Arc<Post>>,
}

impl Payload {
    /// As JSON text, or the plain text of an id.
    fn plain(&self) -> Utf8Bytes {
        match self {
            Payload::Status(status) => status.json.clone(),
            Payload::Id(id) => id.clone().into(),
            Payload::Pending(_) => Utf8Bytes::default(),
            Payload::Whole(json) => json.clone().into(),
            Payload::Escaped(text) => {
                let json: Result<String, _> = serde_json::from_str(text);
                json.unwrap_or_default().into()
            }
        }
    }

    /// That text as a JSON text itself.
    fn escaped(&self) -> Utf8Bytes {
        let escape = |text: &str| serde_json::to_string(text).unwrap_or_default().into();
        match self {
            Payload::Status(status) => status.payload().clone(),
            Payload::Id(text) | Payload::Whole(text) => escape(text),
            Payload::Pending(_) => escape(""),
            Payload::Escaped(text) => text.clone().into(),
        }
    }
}

impl Event {
    /// As a server-sent event.
    pub fn sent(&self) -> SplicedMessage {
        let (name, cursor) = (self.name, &self.cursor);
        SplicedMessage {
            before: format!("event: {name}\ndata: "),
            shared: self.payload.plain(),
            after: format!("\nid: {cursor}\n\n"),
        }
    }

    /// As a message on a socket, of the stream of these names.
    pub fn message(&self, names: &[String]) -> SplicedMessage {
        SplicedMessage {
            before: format!("{{\"event\":\"{}\",\"payload\":", self.name),
            shared: self.payload.escaped(),
            after: format!(
                ",\"stream\":{}}}",
                serde_json::to_string(names).unwrap_or_default()
            ),
        }
    }
}

impl EventMapper {
    /// The events that these changes mean for a reader.
    pub fn events(
        &self,
        delivery: &ChangeDelivery<Arc<CachedEntry>>,
        now: Time,
    ) -> Result<Vec<Event>, DiskError> {
        let mut events = Vec::new();
        for (nth, item) in delivery.batch.items.iter().enumerate() {
            let Some((name, payload)) = self.event(item, now)? else {
                continue;
            };
            events.push(Event {
                name,
                payload,
                cursor: delivery.cursor_after(nth).to_text(),
            });
        }
        Ok(events)
    }

    fn event(&self, item: &Item, now: Time) -> Result<Option<(&'static str, Payload)>, DiskError> {
        let Some(entry) = &item.entry else {
            let post = self.state.view.store.post(item.id)?;
            // A removal is sent to all readers that may have the status.
            let admits_author = |post: &Arc<Post>| {
                self.filter
                    .admits_author(|| is_local(&self.state, &post.body.author))
            };
            if !post.as_ref().is_none_or(admits_author) {
                return Ok(None);
            }
            let id = match (self.status_cache.ids, post) {
                (crate::mastodon::ids::Ids::Place, _) => Some(item.id.to_string()),
                (ids, Some(post)) => id_of(ids, &post),
                (_, None) => None,
            };
            return Ok(id.map(|id| ("delete", Payload::Id(id))));
        };
        let post = &entry.post;
        // What waited for what it answers may be there only now: clients pass over an edit of what they do not have, and over
        // what comes twice.
        let name = match item.kind {
            _ if self.is_pushed(item, post, entry.original.as_deref())? => "update",
            ChangeKind::Edit => "status.update",
            ChangeKind::Post | ChangeKind::Remove => return Ok(None),
        };
        if !self
            .filter
            .shows(post, || is_local(&self.state, &post.body.author))
        {
            return Ok(None);
        }
        let (post, original) = (Arc::clone(post), entry.original.clone());
        if self.hydrates {
            let pending =
                id_of(self.status_cache.ids, &post).map(|id| PendingStatus { id, post, original });
            return Ok(pending.map(|status| (name, Payload::Pending(Box::new(status)))));
        }
        let status = self.status_cache.status(&self.state, post, original, now)?;
        Ok(status.map(|status| (name, Payload::Status(status))))
    }

    /// Whether an entry is pushed as new: its own record brought it, or one that it waited for, and it came as [`is_pushed`]
    /// requires.
    fn is_pushed(
        &self,
        item: &Item,
        post: &Post,
        original: Option<&Post>,
    ) -> Result<bool, DiskError> {
        if !item.is_news {
            return Ok(false);
        }
        let owner = self.owner.as_deref();
        let actor = owner.and_then(|owner| self.state.view.actor_of(owner));
        let arrival = Arrival::of(&self.state.view, actor.as_deref(), post, original)?;
        let wait = self.state.view.new_for(owner, self.live_max_age);
        Ok(is_pushed(post, &arrival, item.behind, wait))
    }
}
