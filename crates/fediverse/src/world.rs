//! Who lives where. Actors and accounts go by number.
#![allow(clippy::indexing_slicing)] // Numbers are of this world: no outside data comes here.

use crate::origin::Origin;

/// A collection of an actor: of its followers, if the actor's document names it, and of number 0 also if that names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Collection {
    /// The actor.
    pub of: usize,
    /// Which of theirs.
    pub number: usize,
}

/// Origins, the actors who live there, and the local accounts.
#[derive(Clone, Debug)]
pub struct World {
    /// At least two; the last is the instance itself.
    pub origins: Vec<Origin>,
    /// Actors who write, numbered from 0. The last [`World::local_authors`] of them live here, the others anywhere else.
    pub authors: usize,
    /// At most as many as there are accounts, each of which is one of these authors; the other accounts never write.
    pub local_authors: usize,
    /// The backend's ids of the local accounts.
    pub accounts: Vec<String>,
    /// Hashtags, without `#`.
    pub tags: Vec<String>,
    /// When it begins, in milliseconds since 1970.
    pub begin: i64,
    /// For how many milliseconds it is written in.
    pub span: i64,
}

impl World {
    /// Where an actor lives.
    pub fn origin_of(&self, actor: usize) -> &Origin {
        let home = self.origins.len() - 1;
        let origin = if actor < self.own(0) {
            actor % home
        } else {
            home
        };
        &self.origins[origin]
    }

    /// The host of an actor's origin.
    pub fn host_of(&self, actor: usize) -> &str {
        &self.origin_of(actor).host
    }

    /// The id of an actor.
    pub fn actor(&self, number: usize) -> String {
        format!("https://{}/users/{number}", self.host_of(number))
    }

    /// The actor that an account is.
    pub fn own(&self, account: usize) -> usize {
        self.authors - self.local_authors + account
    }

    /// The actors that there are: authors, and accounts that never write.
    pub fn actors(&self) -> usize {
        self.own(self.accounts.len())
    }

    /// The id of a post by `author`.
    pub fn post(&self, author: usize, number: usize) -> String {
        format!("https://{}/posts/{number}", self.host_of(author))
    }

    /// The id of a collection.
    pub fn collection(&self, collection: Collection) -> String {
        let of = self.actor(collection.of);
        match collection.number {
            0 => format!("{of}/followers"),
            number => format!("{of}/circles/{number}"),
        }
    }
}
