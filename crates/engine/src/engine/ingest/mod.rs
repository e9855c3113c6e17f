//! One activity into the state: its post is found or placed, stored and fanned out. Only here do posts come into being.
//!
//! | module | what it is |
//! |---|---|
//! | [`outcome`] | the result of an activity |
//! | `place` | the lowest free place of a post |
//! | `posts` | posts that come, and posts that come again |
//! | `removals` | deletions, undone boosts, removed authors |
//! | `actors` | documents of actors, and what they name as followers |

mod actors;
pub mod outcome;
mod place;
mod posts;
mod removals;

use crate::activity::Activity;
use crate::activity::Delivery;
use crate::activity::followers as collections;
use crate::activity::parse::author_key;
use crate::feed::boosts;
use crate::feed::post::Post;
use crate::feed::reevaluate::Reevaluation;
use crate::feed::store::Store;
use crate::feed::store::disk::DiskError;
use crate::feed::store::origin_rows;
use crate::feed::unfinished::Renamed;
use crate::graph::Graph;
use crate::host::{origin_of, registrable_domain};
use crate::record::offsets::LogPos;
use crate::record::{Envelope, Position, Topic};
use actors::{keep_document, name};
use hashbrown::HashMap;
use outcome::{IngestError, Outcome};
use parking_lot::RwLock;
use slackwater_order::hold::OriginHold;
use slackwater_order::origins::{self, Observation, Origins};
use slackwater_order::ref_place::PlaceSource;
use slackwater_order::time::Time;
use slackwater_order::window::Windows;
use std::sync::Arc;

/// Takes activities in, one after the other in the order of the log.
#[derive(Debug)]
pub struct Ingest {
    store: Arc<Store>,
    /// From what posts get their places.
    place_source: PlaceSource,
    /// Whether the objects of posts are kept.
    keep_objects: bool,
    /// Sequence numbers below which a slot is known to be full, by slot and first millisecond.
    full: HashMap<(u32, Time), u64>,
    /// Written here alone; readers look on.
    origins: Arc<RwLock<Origins>>,
    /// What the record being taken in named, if that calls for anything to be decided again.
    renamed: Option<Renamed>,
    /// What is not done as a record is taken in, for it may be much.
    pub again: Reevaluation,
}

/// A record that is being applied, and what it is judged by.
#[derive(Clone, Copy, Debug)]
pub struct RecordContext<'a> {
    /// The relations in force.
    pub graph: &'a Graph,
    /// The windows in force.
    pub windows: &'a Windows,
    /// The position of the record.
    pub at: LogPos,
    /// The record's headers.
    pub envelope: &'a Envelope,
}

impl Ingest {
    /// With what is stored of each origin. Posts get their places from `place_source`, and keep their objects if `keep_objects`.
    pub fn new(
        store: Arc<Store>,
        place_source: PlaceSource,
        keep_objects: bool,
    ) -> Result<Ingest, DiskError> {
        let mut from = Vec::new();
        let reflects = store.reflects()?;
        for next in reflects.next {
            if let (Topic::Activities, Ok(partition)) =
                (next.topic, usize::try_from(next.partition))
            {
                from.resize(from.len().max(partition + 1), 0);
                if let Some(from) = from.get_mut(partition) {
                    *from = next.offset;
                }
            }
        }
        let mut origins = Origins::by_domain(registrable_domain);
        let mut unreadable = 0_u64;
        for row in store.origins() {
            let (host, bytes) = row?;
            let is_known =
                origin_rows::decode(&bytes).is_some_and(|row| origins.restore(&host, row, &from));
            unreadable += u64::from(!is_known);
        }
        if 0 < unreadable {
            tracing::warn!(
                unreadable,
                "the delays of {unreadable} origins were stored by another version: they are learned anew"
            );
        }
        Ok(Ingest {
            store,
            place_source,
            keep_objects,
            full: HashMap::new(),
            origins: Arc::new(RwLock::new(origins)),
            renamed: None,
            again: Reevaluation::new(reflects.again, boosts::SLICE),
        })
    }

    /// Applies one activity.
    pub fn ingest(
        &mut self,
        record: RecordContext<'_>,
        activity: Activity,
    ) -> Result<Outcome, IngestError> {
        let author = author_key(&activity).and_then(origin_of);
        let outcome = self.dispatch(record, activity);
        let mut origins = self.origins.write();
        if let (Err(IngestError::Refused(_)), Some(origin)) = (&outcome, author) {
            origins.count_refused(&origin, record_at(record.at));
        }
        let position = record.at.position();
        origins.passed(position.partition, position.offset);
        drop(origins);
        // Whatever came of the record.
        if let Some(renamed) = self.renamed.take() {
            self.again.renamed(&self.store, record.graph, renamed)?;
        }
        outcome
    }

    fn dispatch(
        &mut self,
        record: RecordContext<'_>,
        activity: Activity,
    ) -> Result<Outcome, IngestError> {
        let RecordContext { at, envelope, .. } = record;
        match activity {
            Activity::Post {
                how,
                body,
                original,
                author,
                followers,
            } => {
                // Whatever comes of the post: that may hang on what came before it, what is known of its author must not.
                if let Some(followers) = followers {
                    self.name(at, envelope.arrived, &body.author, followers)?;
                }
                if let Some(author) = author {
                    keep_document(&self.store, at, envelope.arrived, *author)?;
                }
                // A copy has no ref. Where refs are places it waits for its own record, also to be edited: else what it says would
                // count if it came after that record, and not if it came before.
                let original = original.filter(|_| self.place_source == PlaceSource::Published);
                if let Some(original) = original {
                    let plain = Envelope {
                        post_ref: None,
                        author_ref: envelope.author_ref.clone(),
                        ..envelope.clone()
                    };
                    let fetched = RecordContext {
                        envelope: &plain,
                        ..record
                    };
                    self.post(fetched, Delivery::Fetched, *original)?;
                }
                self.post(record, how, *body)
            }
            Activity::Actor(document) => {
                let named = document.followers.as_deref();
                let named = named.and_then(|named| collections::named(&document.id, named));
                if let Some(followers) = named {
                    self.name(at, envelope.arrived, &document.id, followers)?;
                }
                Ok(keep_document(&self.store, at, envelope.arrived, *document)?)
            }
            Activity::Delete { uri, by } if envelope.vouched.forgotten => {
                Ok(Outcome::Removed(self.forget(record, &uri, &by)?))
            }
            Activity::Delete { uri, by } => Ok(Outcome::Removed(self.remove(record, &uri, &by)?)),
            Activity::Unboost { by, original } => {
                Ok(Outcome::Removed(self.unboost(record, &by, &original)?))
            }
            Activity::Ignored(kind) => Ok(Outcome::Ignored(kind)),
        }
    }

    /// A document of `actor` names this collection as its followers.
    fn name(
        &mut self,
        at: LogPos,
        arrived: Time,
        actor: &str,
        collection: String,
    ) -> Result<(), DiskError> {
        let collections = name(&self.store, at, arrived, actor, collection)?;
        if !collections.is_empty() {
            self.renamed = Some(Renamed {
                author: actor.to_owned(),
                collections,
                cause: at,
            });
        }
        Ok(())
    }

    /// What is known of every origin.
    pub fn origins(&self) -> &Arc<RwLock<Origins>> {
        &self.origins
    }

    /// Hands what was learned of origins since the last call to the store, for its next checkpoint.
    pub fn put_origins(&mut self) {
        for (host, row) in self.origins.write().unstored() {
            self.store
                .put_origin(&host, row.as_ref().and_then(origin_rows::encode));
        }
    }

    /// The origins for which feeds wait otherwise than at the last call, and how. See [`Origins::take_changed_holds`].
    pub fn take_changed_holds(&mut self, windows: &Windows) -> Vec<(Arc<str>, OriginHold)> {
        self.origins.write().take_changed_holds(windows)
    }

    /// Counts a post for the delays of its origin.
    fn count(&self, post: &Post, how: Delivery, windows: &Windows) {
        let seen = Observation {
            verdict: post.verdict,
            // An edit of what never came tells how old the post is, not how long its origin takes.
            delay_ms: post.delay_ms().filter(|_| how != Delivery::Update),
            arrived: post.arrived,
            at: record_at(post.made),
        };
        self.origins.write().count(&post.origin, seen, windows);
    }
}

fn record_at(at: LogPos) -> origins::RecordAt {
    let Position {
        partition, offset, ..
    } = at.position();
    origins::RecordAt { partition, offset }
}
