//! What a feed's changes are to clients of Mastodon's streaming API.

use super::channel::Sieve;
use super::ids::id_of;
use super::shelf::{Shelf, Shelved, is_local};
use crate::api::change_json::Item;
use crate::api::entry_cache::CachedEntry;
use crate::api::spliced_message::SplicedMessage;
use crate::api::state::AppState;
use crate::feed::disk::DiskError;
use crate::feed::kept::Post;
use crate::reader::change_batch::ChangeKind;
use crate::reader::late::{Arrival, is_pushed};
use crate::reader::look::Delivery;
use slackwater_order::time::Time;
use std::sync::Arc;
use std::time::Duration;

/// Tells changes as events.
#[derive(Debug)]
pub struct Teller {
    /// What is looked up in.
    pub state: AppState,
    /// Statuses.
    pub shelf: Arc<Shelf>,
    /// What of the feed is shown.
    pub sieve: Sieve,
    /// The account whose patience holds the feed back, if one does.
    pub owner: Option<String>,
    /// How long after its place a post may come that is pushed as new though others stand above it, where no hold is longer.
    pub live_max_age: Duration,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// `update`, `status.update` or `delete`.
    pub name: &'static str,
    /// What it is about.
    pub about: About,
    /// The cursor to come back with.
    pub cursor: String,
}

/// What an event is about.
#[derive(Clone, Debug)]
pub enum About {
    /// A status, told in full.
    Status(Arc<Shelved>),
    /// The id of one.
    Id(String),
}

impl Event {
    /// As a server-sent event.
    pub fn sent(&self) -> SplicedMessage {
        let (name, cursor) = (self.name, &self.cursor);
        SplicedMessage {
            before: format!("event: {name}\ndata: "),
            shared: match &self.about {
                About::Status(status) => status.json.clone(),
                About::Id(id) => id.clone().into(),
            },
            after: format!("\nid: {cursor}\n\n"),
        }
    }

    /// As a message on a socket, of the stream of these names.
    pub fn message(&self, names: &[String]) -> SplicedMessage {
        SplicedMessage {
            before: format!("{{\"event\":\"{}\",\"payload\":", self.name),
            shared: match &self.about {
                About::Status(status) => status.payload().clone(),
                About::Id(id) => serde_json::to_string(id).unwrap_or_default().into(),
            },
            after: format!(
                ",\"stream\":{}}}",
                serde_json::to_string(names).unwrap_or_default()
            ),
        }
    }
}

impl Teller {
    /// What a reader is told of these changes.
    pub fn events(
        &self,
        told: &Delivery<Arc<CachedEntry>>,
        now: Time,
    ) -> Result<Vec<Event>, DiskError> {
        let mut events = Vec::new();
        for (nth, line) in told.batch.items.iter().enumerate() {
            let Some((name, about)) = self.event(line, now)? else {
                continue;
            };
            events.push(Event {
                name,
                about,
                cursor: told.cursor_after(nth).to_text(),
            });
        }
        Ok(events)
    }

    fn event(&self, line: &Item, now: Time) -> Result<Option<(&'static str, About)>, DiskError> {
        let Some(entry) = &line.entry else {
            let post = self.state.view.store.post(line.id)?;
            // What went is told of to all who may have had it.
            let is_by_whom = |post: &Arc<Post>| {
                self.sieve
                    .is_by_whom(|| is_local(&self.state, &post.body.author))
            };
            if !post.as_ref().is_none_or(is_by_whom) {
                return Ok(None);
            }
            let id = match (self.shelf.ids, post) {
                (crate::config::Ids::Place, _) => Some(line.id.to_string()),
                (ids, Some(post)) => id_of(ids, &post),
                (_, None) => None,
            };
            return Ok(id.map(|id| ("delete", About::Id(id))));
        };
        let post = &entry.post;
        // What waited for what it answers may be there only now: clients pass over an edit of what they do not have, and over
        // what comes twice.
        let name = match line.kind {
            _ if self.is_pushed(line, post, entry.original.as_deref())? => "update",
            ChangeKind::Edit => "status.update",
            ChangeKind::Post | ChangeKind::Remove => return Ok(None),
        };
        if !self
            .sieve
            .shows(post, || is_local(&self.state, &post.body.author))
        {
            return Ok(None);
        }
        let (post, original) = (Arc::clone(post), entry.original.clone());
        let status = self.shelf.status(&self.state, post, original, now)?;
        Ok(status.map(|status| (name, About::Status(status))))
    }

    /// Whether an entry is pushed as new: its own record brought it, or one that it waited for, and it came as [`is_pushed`] asks.
    fn is_pushed(
        &self,
        line: &Item,
        post: &Post,
        original: Option<&Post>,
    ) -> Result<bool, DiskError> {
        if !line.is_news {
            return Ok(false);
        }
        let owner = self.owner.as_deref();
        let actor = owner.and_then(|owner| self.state.view.actor_of(owner));
        let arrival = Arrival::of(&self.state.view, actor.as_deref(), post, original)?;
        let wait = self.state.view.new_for(owner, self.live_max_age);
        Ok(is_pushed(post, &arrival, line.behind, wait))
    }
}
