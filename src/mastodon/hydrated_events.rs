//! Events of this service's feeds with statuses as the backend shows them: those that its stream sent, and those that are asked for
//! because it did not.

use super::app::MastodonApp;
use super::event::{Event, EventMapper, Payload, PendingStatus};
use super::status::Placement;
use super::upstream::raw_object::with_field;
use super::upstream::{IDS_MAX, Relay, Statuses, payload_with_field};
use crate::api::disk_reads;
use crate::clock;
use hashbrown::HashMap;
use slackwater_order::time::Time;
use std::time::Duration;

/// The longest time that the backend's stream has to send what this service's feed shows: both learn of a post at about the same
/// time.
const COMING_WAIT: Duration = Duration::from_secs(2);
/// After this long since it arrived, a post that the backend's stream has not sent is not waited for: the client was not connected
/// then, or what was sent is not kept any more.
const COMING_FOR: Duration = Duration::from_secs(10);

impl MastodonApp {
    /// The same events with their statuses. What the backend does not show to this reader is left out, and so is what its stream has
    /// already told.
    pub(super) async fn hydrated_events(
        &self,
        relay: &Relay,
        mapper: &EventMapper,
        mut events: Vec<Event>,
    ) -> Vec<Event> {
        let now = clock::now();
        let is_coming = || events.iter().any(|it| is_coming(relay, it, now));
        relay.wait_until(COMING_WAIT, || !is_coming()).await;
        events.retain(|event| match (&event.payload, event.name) {
            (Payload::Id(id), "delete") => !relay.was_deleted(id),
            (Payload::Pending(status), "status.update") => !relay.was_edited(&status.id),
            _ => true,
        });
        for event in &mut events {
            let Payload::Pending(status) = &event.payload else {
                continue;
            };
            // An edit of a status that is kept is newer than that.
            let kept = relay.kept(&status.id).filter(|_| event.name == "update");
            let placement = Placement::of(&status.post).json();
            let kept = kept.and_then(|it| payload_with_field(&it, "slackwater", &placement));
            if let Some(kept) = kept {
                event.payload = Payload::Escaped(kept);
            }
        }
        let missing: Vec<String> = events.iter().filter_map(pending_id).collect();
        if missing.is_empty() {
            return events;
        }
        let asked = self.asked(relay, &missing).await;
        let mut hydrated = Vec::with_capacity(events.len());
        for mut event in events {
            if let Payload::Pending(status) = &event.payload {
                let payload = match asked.get(&status.id) {
                    Some(Some(json)) => {
                        let placement = Placement::of(&status.post).json();
                        with_field(json, "slackwater", &placement).map(Payload::Whole)
                    }
                    // This reader may not see it.
                    Some(None) => None,
                    None => self.plain(mapper, status).await,
                };
                let Some(payload) = payload else { continue };
                event.payload = payload;
            }
            hydrated.push(event);
        }
        hydrated
    }

    /// The statuses of these ids as the backend shows them; none of what it does not show. An id is missing if the backend is not to
    /// be asked so often, or has no answer.
    async fn asked(&self, relay: &Relay, ids: &[String]) -> HashMap<String, Option<String>> {
        let mut asked = HashMap::new();
        let Some(upstream) = &self.upstream else {
            return asked;
        };
        for ids in ids.chunks(IDS_MAX) {
            if !upstream.may_call_for_stream(&relay.reader) {
                break;
            }
            let texts: Vec<&str> = ids.iter().map(String::as_str).collect();
            let Ok(statuses) = upstream.statuses(&relay.reader, &texts).await else {
                break;
            };
            let text = |statuses: &Statuses, id: &String| {
                let json = std::str::from_utf8(statuses.get(id)?).ok()?;
                Some(json.to_owned())
            };
            asked.extend(ids.iter().map(|id| (id.clone(), text(&statuses, id))));
        }
        asked
    }

    /// A status as this service makes it.
    async fn plain(&self, mapper: &EventMapper, status: &PendingStatus) -> Option<Payload> {
        let made = disk_reads::read(|| {
            let (post, original) = (status.post.clone(), status.original.clone());
            mapper
                .status_cache
                .status(&mapper.state, post, original, clock::now())
        });
        match made.await {
            Ok(status) => status.map(Payload::Status),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "telling a stream failed: {error}"
                );
                None
            }
        }
    }
}

/// Whether the backend's stream may yet send the status of an event, or its edit.
fn is_coming(relay: &Relay, event: &Event, now: Time) -> bool {
    match (&event.payload, event.name) {
        (Payload::Pending(status), "status.update") => !relay.was_edited(&status.id),
        (Payload::Pending(status), _) => {
            now < status.post.arrived.plus(COMING_FOR) && !relay.keeps(&status.id)
        }
        _ => false,
    }
}

fn pending_id(event: &Event) -> Option<String> {
    match &event.payload {
        Payload::Pending(status) => Some(status.id.clone()),
        _ => None,
    }
}
