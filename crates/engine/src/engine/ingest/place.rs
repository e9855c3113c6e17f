//! The place of a post: the lowest free one of its author's slot, or the one that its backend gave it.

use super::outcome::IngestError;
use super::{Ingest, RecordContext};
use crate::activity::PostContent;
use crate::feed::post::Post;
use crate::feed::store::disk::DiskError;
use crate::record::Envelope;
use slackwater_order::place::{Occupant, PostId, RUN_ON_MAX, lowest_free, slot_of};
use slackwater_order::ref_place::{PlaceSource, judged_at, place_of_ref};
use slackwater_order::verdict::{Judgement, PlacedBy};
use std::sync::Arc;
use std::time::Duration;

/// How many full slots are remembered, so that a flood of posts claiming one moment does not search it from its
/// beginning each time; past that all are forgotten and searched again.
const FULL_SLOTS_MAX: usize = 10_000;

impl Ingest {
    /// The place of a post that is judged so, with what gave it the place. Clocks may differ by `clock_skew`.
    pub(super) fn place(
        &mut self,
        body: &PostContent,
        judgement: Judgement,
        record: RecordContext<'_>,
        clock_skew: Duration,
    ) -> Result<Placed, IngestError> {
        match self.place_source {
            PlaceSource::Published => self.lowest_place(body, judgement, record),
            PlaceSource::Ref => self.place_by_ref(body, judgement, record.envelope, clock_skew),
        }
    }

    /// The place that the backend's own id of a post is.
    fn place_by_ref(
        &self,
        body: &PostContent,
        judgement: Judgement,
        envelope: &Envelope,
        clock_skew: Duration,
    ) -> Result<Placed, IngestError> {
        let place = place_of_ref(envelope.post_ref.as_deref(), envelope.arrived, clock_skew);
        let id = place.map_err(|error| IngestError::Refused(format!("{}: {error}", body.uri)))?;
        match self.store.post(id)? {
            None => Ok(Placed::At(id, judged_at(id, judgement))),
            Some(there) if there.body.uri == body.uri => Ok(Placed::Before(there)),
            Some(there) => Err(IngestError::Refused(format!(
                "the ref {id} of {} is that of {}: a post has an id of its own",
                body.uri, there.body.uri
            ))),
        }
    }

    /// The lowest free place of a post that is judged so.
    fn lowest_place(
        &mut self,
        body: &PostContent,
        judgement: Judgement,
        record: RecordContext<'_>,
    ) -> Result<Placed, IngestError> {
        let arrived = record.envelope.arrived;
        let slot = slot_of(&body.author);
        let run_on = Duration::from_millis(RUN_ON_MAX.unsigned_abs());
        // By published, a place never exceeds arrived; by arrived, it may run on.
        let tries = match judgement.placed_by {
            PlacedBy::Published => [
                Some((PlacedBy::Published, judgement.at, arrived)),
                Some((PlacedBy::Arrived, arrived, arrived.plus(run_on))),
            ],
            PlacedBy::Arrived | PlacedBy::Ref => [
                Some((PlacedBy::Arrived, arrived, arrived.plus(run_on))),
                None,
            ],
        };
        for (placed_by, from, until) in tries.into_iter().flatten() {
            let hint = self.full.get(&(slot, from)).copied().unwrap_or(0);
            let mut asked = 0;
            let mut before = None;
            let found = lowest_free(slot, from, until, hint, |id| {
                asked += 1;
                match self.store.post(id)? {
                    None => Ok(Occupant::Nobody),
                    // One of its URI that was forgotten is another, unless this record made it.
                    Some(there)
                        if there.body.uri == body.uri
                            && (there.made == record.at
                                || !is_another_ref(&there, record.envelope)) =>
                    {
                        before = Some(there);
                        Ok(Occupant::Itself)
                    }
                    Some(_) => Ok::<_, DiskError>(Occupant::Another),
                }
            })?;
            if let Some(known) = before {
                return Ok(Placed::Before(known));
            }
            if 1 < asked || 0 < hint {
                if FULL_SLOTS_MAX <= self.full.len() {
                    self.full.clear();
                }
                // The place found is about to be taken too.
                self.full.insert((slot, from), hint + asked);
            }
            if let Some(id) = found {
                let placed = Judgement {
                    placed_by,
                    ..judgement
                };
                return Ok(Placed::At(id, placed));
            }
        }
        Err(IngestError::Refused(format!(
            "no place is free within {RUN_ON_MAX} ms of its arrival: its author's slot holds {} posts there",
            (RUN_ON_MAX + 1) * 64
        )))
    }
}

/// The result of looking for a place.
pub(super) enum Placed {
    /// At a free place, and judged so.
    At(PostId, Judgement),
    /// It stands at its place already, and the index by URI did not know.
    Before(Arc<Post>),
}

/// Whether a record is sent under another ref than a post has.
pub(super) fn is_another_ref(post: &Post, envelope: &Envelope) -> bool {
    let refs = post.post_ref.as_deref().zip(envelope.post_ref.as_deref());
    refs.is_some_and(|(of_post, of_record)| of_post != of_record)
}
