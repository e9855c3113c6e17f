//! Which collections an actor's documents have named as that of its followers, and what follows for who could see its posts.
//! Pure.
//!
//! A post addressed to a collection that any of its author's documents names, or has named, is for followers. Until one is
//! named that is `<actor>/followers`; from then on only what is named, so that a post to another collection reaches no more
//! than those it names otherwise. All of it is a function of the documents there are: whether they came before the post or after
//! it, who could see the post is the same, and a document that comes after is a record its entries rest on.

use crate::activity::PostContent;
use crate::activity::followers::by_convention;
use crate::record::offsets::LogPos;
use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;

/// The most collections that one actor may have named, the earliest in the log. Any other is not believed: posts addressed to it
/// reach only those they name otherwise.
pub const NAMED_MAX: usize = 16;

const VERSION: u8 = 1;

/// The collections that an actor's documents have named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followers {
    /// The actor's id.
    pub actor: String,
    /// When the record arrived that last named one that was not known.
    pub arrived: Time,
    /// Each once, the earliest named first.
    named: Vec<Named>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Named {
    /// The first record that named it; where producers put an actor's records into several partitions, that of the first of
    /// these.
    since: LogPos,
    /// When that arrived.
    arrived: Time,
    collection: String,
}

/// What a record that names a collection says, with the collections of which is to be decided again: posts addressed to them
/// may be for others than before, or rest on another record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Something new.
    New(Vec<String>),
    /// What it said before: it is read again after a crash, which may have come before all was decided.
    Again(Vec<String>),
    /// Nothing that was not known, or that is believed.
    Nothing,
}

impl Followers {
    /// The followers of an actor of whom no document is known.
    pub fn new(actor: &str) -> Followers {
        Followers {
            actor: actor.to_owned(),
            arrived: Time::default(),
            named: Vec::new(),
        }
    }

    /// The record at `log_pos` names `collection`, which may be the actor's and is as it is compared.
    pub fn name(&mut self, collection: String, log_pos: LogPos, arrived: Time) -> Naming {
        let mut concerned = vec![collection.clone()];
        let known = self
            .named
            .iter()
            .position(|there| there.collection == collection);
        if let Some(known) = known {
            match self.named.get(known).map(|there| there.since) {
                Some(since) if since == log_pos => return Naming::Again(self.concerned(concerned)),
                Some(since) if since < log_pos => return Naming::Nothing,
                _ => drop(self.named.remove(known)),
            }
        }
        let at = self.named.partition_point(|there| there.since <= log_pos);
        if at == NAMED_MAX {
            return Naming::Nothing;
        }
        let since = log_pos;
        let one = Named {
            since,
            arrived,
            collection,
        };
        self.named.insert(at, one);
        if NAMED_MAX < self.named.len() {
            concerned.extend(self.named.pop().map(|last| last.collection));
        }
        self.arrived = self.arrived.max(arrived);
        Naming::New(self.concerned(concerned))
    }

    /// Adds the collection that counts as the followers by convention, if it is affected too: the first collection that is named affects
    /// it, and so does the first that is named besides itself.
    fn concerned(&self, mut collections: Vec<String>) -> Vec<String> {
        let by_convention = by_convention(&self.actor);
        let is_first = |there: &Named| collections.contains(&there.collection);
        if !self.says_more_than_convention() {
            collections.clear();
        } else if self.named.len() <= 2 || self.named.first().is_some_and(is_first) {
            collections.retain(|there| *there != by_convention);
            collections.push(by_convention);
        }
        collections
    }

    /// When the record at `log_pos`, which first named one of them, arrived; the beginning of time if it named none.
    pub fn arrival_of(&self, log_pos: LogPos) -> Time {
        let by_it = self.named.iter().find(|there| there.since == log_pos);
        by_it.map_or_else(Time::default, |there| there.arrived)
    }

    /// Whether anything is otherwise than if no document were known.
    fn says_more_than_convention(&self) -> bool {
        match self.named.as_slice() {
            [] => false,
            [only] => only.collection != by_convention(&self.actor),
            _ => true,
        }
    }

    /// As it is stored.
    pub fn pack(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_extend(self, vec![VERSION])
    }

    /// From what was stored. None if the bytes are not that.
    pub fn read(bytes: &[u8]) -> Option<Followers> {
        let (version, bytes) = bytes.split_first()?;
        match (*version, postcard::take_from_bytes(bytes)) {
            (VERSION, Ok((followers, []))) => Some(followers),
            _ => None,
        }
    }
}

/// Decides who could see a post that the record at `made` made, of whose author `known` is known. Returns the document that
/// decided it, for the post's [`document`](crate::feed::post::Post::document).
///
/// One is enough, however many named what the post is addressed to: a reader who has seen any of these has seen the post as it
/// is, and one who has seen none lacks this one too.
pub fn decide(body: &mut PostContent, known: Option<&Followers>, made: LogPos) -> Option<LogPos> {
    let by_convention = by_convention(&body.author);
    let named = known.map_or(&[][..], |known| &known.named);
    if named.is_empty() {
        body.decide_visibility(|collection| collection == by_convention);
        return None;
    }
    let naming = |id: &str| named.iter().find(|there| there.collection == id);
    body.decide_visibility(|id| naming(id).is_some());
    let is_to_convention = body.collections.contains(&by_convention);
    let by_name = body.collections.iter().filter_map(|id| naming(id));
    let document = match by_name.map(|there| there.since).min() {
        // With no other named, it was for followers before too.
        Some(_) if is_to_convention && !known?.says_more_than_convention() => None,
        Some(since) => Some(since),
        // It was for followers until the first was named.
        None if is_to_convention => named.first().map(|there| there.since),
        None => None,
    };
    document.filter(|document| !(document.is_beside(made) && *document < made))
}

#[cfg(test)]
mod tests;
