//! What a record tells of an actor into what is known of actors.

use super::admit::Outcome;
use crate::feed::actor::Actor;
use crate::feed::disk::DiskError;
use crate::feed::kept::At;
use crate::feed::store::Store;
use crate::post::actor::ActorDocument;
use crate::time::Time;

/// Keeps the document if it is the newest and its actor is not deleted.
///
/// An actor's records are keyed by its id, as its posts are, so that they are in one partition; where a producer puts them
/// elsewhere, the newest is found all the same.
pub(super) fn tell(
    store: &Store,
    at: At,
    arrived: Time,
    document: ActorDocument,
) -> Result<Outcome, DiskError> {
    let id = &document.id;
    // As with its posts, a deletion stands for as long as it is remembered, whichever came first. It is of the actor's own
    // host, or it would have been refused before it came here.
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
