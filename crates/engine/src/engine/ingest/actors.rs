//! Keeps the documents of actors, and the collections that these name as followers.

use super::outcome::Outcome;
use crate::activity::actor::ActorDocument;
use crate::feed::actor::Actor;
use crate::feed::followers::{Followers, Naming};
use crate::feed::store::Store;
use crate::feed::store::disk::DiskError;
use crate::record::offsets::LogPos;
use slackwater_order::time::Time;

/// Keeps the document if it is the newest and its actor is not deleted.
///
/// The records of an actor have its id as their key, as its posts have, so they are in one partition. Where a producer puts them
/// elsewhere, the newest is found all the same.
pub(super) fn keep_document(
    store: &Store,
    at: LogPos,
    arrived: Time,
    document: ActorDocument,
) -> Result<Outcome, DiskError> {
    let id = &document.id;
    // As with posts, a deletion stands for as long as it is remembered, whichever came first. It is by the actor's own host, or it
    // would have been refused before.
    if store.pending(id)?.is_some() {
        return Ok(Outcome::Known);
    }
    let known = store.actor(id)?;
    let actor = Actor {
        document,
        arrived,
        at,
    };
    if known.is_some_and(|known| !actor.supersedes(&known)) {
        return Ok(Outcome::Outdated);
    }
    store.put_actor(actor);
    Ok(Outcome::Actor)
}

/// Keeps that a document of `actor`, in the record at `at`, names this collection as its followers, unless the actor is deleted.
/// Returns the collections whose posts are to be decided again.
pub(super) fn name(
    store: &Store,
    at: LogPos,
    arrived: Time,
    actor: &str,
    collection: String,
) -> Result<Vec<String>, DiskError> {
    if store.pending(actor)?.is_some() {
        return Ok(Vec::new());
    }
    let mut followers = match store.followers(actor)? {
        Some(followers) => Followers::clone(&followers),
        None => Followers::new(actor),
    };
    match followers.name(collection, at, arrived) {
        Naming::New(concerned) => {
            store.put_followers(followers);
            Ok(concerned)
        }
        Naming::Again(concerned) => Ok(concerned),
        Naming::Nothing => Ok(Vec::new()),
    }
}
