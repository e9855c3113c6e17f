//! A cache of statuses as JSON text: each is made once for all its readers within a few seconds. Making HTML harmless takes
//! longer than all the rest, and ten thousand readers may get the same post at the same moment.

use super::account::{Account, AccountSource, own_id};
use super::ids::id_of;
use super::status::{ITEMS_MAX, KnownMention, Status, StatusContext};
use crate::api::single_flight::SingleFlight;
use crate::api::state::AppState;
use crate::mastodon::ids::Ids;
use serde_json::value::RawValue;
use slackwater_engine::activity::handle::handle;
use slackwater_engine::feed::post::Post;
use slackwater_engine::feed::store::Index;
use slackwater_engine::feed::store::disk::{DiskError, may_wait, require_waiting};
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::sync::{Arc, OnceLock};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// The most bytes of text that are kept.
const BYTES_MAX: u64 = 32 << 20;
/// The usual bytes of a status.
const STATUS_BYTES: usize = 3 << 10;
/// The time for which a status is used as it is: its author's document may change, and the post it replies to,
/// and its poll may end.
const FRESH_MS: i64 = 5_000;
/// The longest HTML, in bytes, that is made harmless on a thread that other tasks wait for.
const LONG_BYTES: usize = 16 << 10;

/// What a post lacks to be a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    /// The backend's own id of the post.
    Ref,
    /// The backend's own id of the author, with any post of theirs.
    AuthorRef,
    /// Its object, which is not kept.
    Object,
}

/// The statuses lately made.
#[derive(Debug)]
pub struct StatusCache {
    /// The ids that clients see.
    pub ids: Ids,
    /// The scheme and host that clients used: the address of pages and images that have none elsewhere.
    pub(super) base_url: Arc<str>,
    statuses: Arc<SingleFlight<Key, CachedStatus>>,
}

/// The data that a status is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    post: PostId,
    /// The addresses in memory of the post and of the post it boosts: a changed post has another, and the cached one keeps its
    /// own.
    places: (usize, usize),
    /// The scheme and host that the reader used.
    base_url: Arc<str>,
    /// While it is [`FRESH_MS`].
    moment: i64,
}

/// A status as text.
#[derive(Debug)]
pub struct CachedStatus {
    post: Arc<Post>,
    original: Option<Arc<Post>>,
    /// Its id.
    pub id: String,
    /// A [`Status`] as JSON text.
    pub json: Utf8Bytes,
    payload: OnceLock<Utf8Bytes>,
}

impl CachedStatus {
    /// That text as a JSON text itself, as messages on sockets have it.
    pub fn payload(&self) -> &Utf8Bytes {
        self.payload.get_or_init(|| {
            let json = serde_json::to_string(self.json.as_str());
            json.unwrap_or_default().into()
        })
    }

    fn weight(&self) -> usize {
        let original = self.original.as_ref().map_or(0, |post| post.weight());
        let posts = self.post.weight() + original;
        // The payload may yet be made.
        2 * self.json.len() + posts
    }
}

impl StatusCache {
    /// An empty one.
    pub fn new(ids: Ids) -> StatusCache {
        let weight = |_: &Key, cached: &Arc<CachedStatus>| cached.weight();
        StatusCache {
            ids,
            base_url: "".into(),
            statuses: Arc::new(SingleFlight::new(BYTES_MAX, STATUS_BYTES, weight)),
        }
    }

    /// The same, for clients that came to `base_url`: scheme and host.
    pub fn at(&self, base_url: &str) -> StatusCache {
        StatusCache {
            ids: self.ids,
            base_url: base_url.into(),
            statuses: Arc::clone(&self.statuses),
        }
    }

    /// A post, with the post it boosts, as a status; none if the backend gave no id for a part of it that needs one,
    /// or its object is not kept.
    pub fn status(
        &self,
        state: &AppState,
        post: Arc<Post>,
        original: Option<Arc<Post>>,
        now: Time,
    ) -> Result<Option<Arc<CachedStatus>>, DiskError> {
        let place = |post: &Arc<Post>| Arc::as_ptr(post) as usize;
        let key = Key {
            post: post.id,
            places: (place(&post), original.as_ref().map_or(0, place)),
            base_url: Arc::clone(&self.base_url),
            moment: now.millis().div_euclid(FRESH_MS),
        };
        let make = || self.make(state, post, original, now);
        let made = match may_wait() {
            true => self.statuses.get_or_make(&key, make),
            // This thread must not wait: long statuses are not made here, and short ones may be made twice.
            false => self.statuses.get_or_make_beside(&key, make),
        };
        match made {
            Ok(cached) => Ok(Some(cached)),
            Err(None) => Ok(None),
            Err(Some(error)) => Err(error),
        }
    }

    /// The same without the cache; an error without a cause means that the post is left out.
    fn make(
        &self,
        state: &AppState,
        post: Arc<Post>,
        original: Option<Arc<Post>>,
        now: Time,
    ) -> Result<Arc<CachedStatus>, Option<DiskError>> {
        let reblog = match &original {
            Some(original) => match self.made(state, original, None, now)? {
                Some(reblog) => Some(reblog),
                None => return Err(self.left_out(state, original)),
            },
            None => None,
        };
        let Some(status) = self.made(state, &post, reblog, now)? else {
            return Err(self.left_out(state, &post));
        };
        let objects = [Some(&post), original.as_ref()];
        let objects = objects.into_iter().flatten();
        let written = objects.map(|post| post.body.object.get().len()).sum();
        Ok(Arc::new(CachedStatus {
            id: status.id.clone(),
            json: status.into_json(written).into(),
            post,
            original,
            payload: OnceLock::new(),
        }))
    }

    /// The reason why clients do not see a post, with the post it boosts, whatever feed it is in; none if they do. As a
    /// sentence's end.
    pub fn why_left_out(
        &self,
        state: &AppState,
        post: &Post,
        original: Option<&Post>,
    ) -> Result<Option<String>, DiskError> {
        for (part, name) in [(original, "what it boosts"), (Some(post), "it")] {
            let missing = part.map(|part| self.missing(state, part)).transpose()?;
            let header = match missing.flatten() {
                Some(Missing::Ref) => "Ref",
                Some(Missing::AuthorRef) => "Author-Ref",
                // The backend shows it.
                Some(Missing::Object) | None => continue,
            };
            return Ok(Some(format!(
                "left out: mastodon.ids is \"ref\", and {name} was sent without {header}"
            )));
        }
        Ok(None)
    }

    /// What a post lacks to be a status.
    fn missing(&self, state: &AppState, post: &Post) -> Result<Option<Missing>, DiskError> {
        if id_of(self.ids, post).is_none() {
            return Ok(Some(Missing::Ref));
        }
        if !has_object(post) {
            return Ok(Some(Missing::Object));
        }
        let given = post.author_ref.as_deref();
        let id = self.account_id(state, &post.body.author, given)?;
        Ok(id.is_none().then_some(Missing::AuthorRef))
    }

    /// Counts that there is no status of a post; an error only if that cannot be looked up.
    fn left_out(&self, state: &AppState, post: &Post) -> Option<DiskError> {
        match self.missing(state, post) {
            Ok(Some(Missing::Ref)) => state.metrics.mastodon.left_out("ref"),
            Ok(Some(Missing::AuthorRef)) => state.metrics.mastodon.left_out("author_ref"),
            Ok(Some(Missing::Object)) => state.metrics.mastodon.left_out("object"),
            Ok(None) => {}
            Err(error) => return Some(error),
        }
        None
    }

    /// A post as a status, without the cache; none if something is missing of it.
    pub(super) fn made(
        &self,
        state: &AppState,
        post: &Post,
        reblog: Option<Status>,
        now: Time,
    ) -> Result<Option<Status>, DiskError> {
        let body = &post.body;
        if LONG_BYTES < body.object.get().len() {
            require_waiting()?;
        }
        let Some(id) = id_of(self.ids, post).filter(|_| has_object(post)) else {
            return Ok(None);
        };
        let given = post.author_ref.as_deref();
        let Some(account) = self.account(state, &body.author, given)? else {
            return Ok(None);
        };
        let parent = match &body.in_reply_to {
            Some(uri) => state.view.store.post_by_uri(uri)?,
            None => None,
        };
        let in_reply_to_account_id = match &parent {
            Some(parent) => {
                let given = parent.author_ref.as_deref();
                self.account_id(state, &parent.body.author, given)?
            }
            None => None,
        };
        let mut mentioned = Vec::with_capacity(body.mentions.len().min(ITEMS_MAX));
        for actor in body.mentions.iter().take(ITEMS_MAX) {
            let Some(id) = self.account_id(state, actor, None)? else {
                continue;
            };
            let kept = state.view.store.actor(actor)?;
            let document = kept.as_ref().map(|kept| &kept.document);
            let (username, acct) = handle(actor, document, is_local(state, actor));
            let actor = actor.clone();
            mentioned.push(KnownMention {
                actor,
                id,
                username,
                acct,
            });
        }
        let context = StatusContext {
            id,
            account,
            base_url: Arc::clone(&self.base_url),
            in_reply_to_id: parent.as_ref().and_then(|parent| id_of(self.ids, parent)),
            in_reply_to_account_id,
            mentioned,
        };
        Ok(Some(Status::new(post, context, reblog, now)))
    }

    /// An actor as an account; none if the backend gave no id for it. `given` is one that it gave.
    pub fn account(
        &self,
        state: &AppState,
        actor: &str,
        given: Option<&str>,
    ) -> Result<Option<Account>, DiskError> {
        let Some(id) = self.account_id(state, actor, given)? else {
            return Ok(None);
        };
        let kept = state.view.store.actor(actor)?;
        if kept
            .as_ref()
            .is_some_and(|kept| LONG_BYTES < kept.document.bytes())
        {
            require_waiting()?;
        }
        Ok(Some(Account::new(&AccountSource {
            actor,
            id: &id,
            document: kept.as_ref().map(|kept| &kept.document),
            base_url: &self.base_url,
            is_local: is_local(state, actor),
        })))
    }

    /// The id under which clients know an actor.
    fn account_id(
        &self,
        state: &AppState,
        actor: &str,
        given: Option<&str>,
    ) -> Result<Option<String>, DiskError> {
        match (self.ids, given) {
            (Ids::Place, _) => return Ok(Some(own_id(actor))),
            (Ids::Ref, Some(given)) => return Ok(Some(given.to_owned())),
            (Ids::Ref, None) => {}
        }
        {
            let graph = state.view.graph.read();
            let owner = graph
                .actor(actor)
                .and_then(|actor| graph.owners(actor).first().copied());
            if let Some(owner) = owner.and_then(|owner| graph.get(owner)) {
                return Ok(Some(owner.id().to_owned()));
            }
        }
        // As it was given with the newest post of theirs.
        let newest = state
            .view
            .store
            .newest(Index::Author, actor, PostId::MIN..PostId::MAX, 1)?;
        let post = newest
            .first()
            .map(|id| state.view.store.post(*id))
            .transpose()?
            .flatten();
        Ok(post.and_then(|post| post.author_ref.clone()))
    }
}

/// Whether there is anything to show of a post.
fn has_object(post: &Post) -> bool {
    post.body.object.get() != RawValue::NULL.get()
}

/// Whether an actor is one of this instance's accounts.
pub fn is_local(state: &AppState, actor: &str) -> bool {
    let graph = state.view.graph.read();
    let actor = graph.actor(actor);
    actor.is_some_and(|actor| !graph.owners(actor).is_empty())
}

#[cfg(test)]
mod tests;
