//! A feed followed for a client of the streaming API, for as long as the client takes its events.

use super::app::MastodonApp;
use super::channel::Channel;
use super::event::{Event, EventMapper};
use super::upstream::Relay;
use crate::api::boxed::boxed;
use crate::api::disk_reads;
use crate::api::problem::Problem;
use crate::api::subscription::{StreamedUnder, Subscription};
use crate::clock;
use axum::http::StatusCode;
use slackwater_engine::view::cursor::Cursor;
use std::sync::Arc;
use std::time::Duration;

/// The time until a passing failure is tried again.
const TRIED_AGAIN: Duration = Duration::from_secs(1);

impl MastodonApp {
    /// Follows a feed for as long as the outlet takes its events. Changes that are not known any more are left out: the protocol
    /// has no message for that, and clients read their timelines again when they come back.
    pub(super) async fn follow_feed(
        self,
        channel: Channel,
        subscriber: Subscriber,
        mut since: Option<Cursor>,
        mut outlet: impl Outlet,
    ) {
        let relay = subscriber.relay.as_deref();
        let feed_ref = channel
            .feed_ref(subscriber.account.as_deref())
            .filter(|_| relay.is_none() || channel.is_own());
        let Some(feed_ref) = feed_ref else {
            // The backend's stream, if it is one, is passed on elsewhere. The client may have left.
            let _ = outlet.begun().await;
            return outlet.closed().await;
        };
        let mapper = EventMapper {
            state: self.state.clone(),
            status_cache: Arc::new(self.status_cache.at(&subscriber.base_url)),
            filter: channel.filter(),
            owner: feed_ref.owner().map(str::to_owned),
            hydrates: relay.is_some(),
            live_max_age: self.live_max_age,
        };
        loop {
            let begun = match since.clone() {
                Some(cursor) => {
                    boxed(Subscription::since(
                        self.state.clone(),
                        feed_ref.clone(),
                        cursor,
                    ))
                    .await
                }
                None => boxed(Subscription::now(self.state.clone(), feed_ref.clone())).await,
            };
            let mut subscription = match begun {
                Ok((subscription, _)) => subscription.without_floor(),
                Err(problem) => match StreamFailure::of(&problem) {
                    StreamFailure::Passing => {
                        tokio::time::sleep(TRIED_AGAIN).await;
                        continue;
                    }
                    StreamFailure::Forgotten if since.is_some() => {
                        since = None;
                        continue;
                    }
                    StreamFailure::Forgotten | StreamFailure::Lasting => return,
                },
            };
            if outlet.begun().await.is_err() {
                return;
            }
            since = None;
            loop {
                let (events, lease, more) =
                    match boxed(self.next_events(&mapper, &mut subscription)).await {
                        Ok(next) => next,
                        Err(StreamFailure::Passing) => {
                            tokio::time::sleep(TRIED_AGAIN).await;
                            continue;
                        }
                        Err(StreamFailure::Forgotten) => break,
                        Err(StreamFailure::Lasting) => return,
                    };
                let events = match relay {
                    Some(relay) if !events.is_empty() => {
                        boxed(self.hydrated_events(relay, &mapper, events)).await
                    }
                    _ => events,
                };
                let followed = FollowedEvents { events, lease };
                if !followed.events.is_empty() && outlet.events(followed).await.is_err() {
                    return;
                }
                if !more {
                    subscription.changed().await;
                }
            }
        }
    }

    /// Counts events that a stream sends.
    pub(super) fn count_events(&self, events: &[Event]) {
        for event in events {
            self.state.metrics.http.stream_messages(event.name, 1);
        }
    }

    /// The events since the last call, the lease that they are known under, and whether there are more.
    async fn next_events(
        &self,
        mapper: &EventMapper,
        subscription: &mut Subscription,
    ) -> Result<(Vec<Event>, StreamedUnder, bool), StreamFailure> {
        let update = subscription.advance().await;
        let update = update.map_err(|problem| StreamFailure::of(&problem))?;
        match disk_reads::read(|| mapper.events(&update.delivery, clock::now())).await {
            Ok(events) => {
                let lease = update.streamed_under();
                Ok((events, lease, update.delivery.batch.more))
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "telling a stream failed: {error}"
                );
                Err(StreamFailure::Lasting)
            }
        }
    }
}

/// The client that a stream is for.
pub(super) struct Subscriber {
    /// The account, if it is one.
    pub(super) account: Option<String>,
    /// The scheme and host that the client used.
    pub(super) base_url: Arc<str>,
    /// The client's connection to the backend's streaming server, if it has one.
    pub(super) relay: Option<Arc<Relay>>,
}

/// Events of a feed.
pub(super) struct FollowedEvents {
    pub(super) events: Vec<Event>,
    /// The lease that they are known under.
    pub(super) lease: StreamedUnder,
}

/// The receiver of a feed's events.
pub(super) trait Outlet {
    /// The feed is followed from here on.
    async fn begun(&mut self) -> Result<(), Gone>;

    /// Takes events, which it may send for as long as their lease is good. Returns when there is room for more.
    async fn events(&mut self, events: FollowedEvents) -> Result<(), Gone>;

    /// Waits until the receiver has gone.
    async fn closed(&mut self);
}

/// The receiver has gone.
pub(super) struct Gone;

/// Why a feed cannot be followed.
enum StreamFailure {
    /// It can be in a moment.
    Passing,
    /// The changes are not known any more.
    Forgotten,
    /// The feed is gone, or the service failed.
    Lasting,
}

impl StreamFailure {
    fn of(problem: &Problem) -> StreamFailure {
        match StatusCode::from_u16(problem.status) {
            Ok(StatusCode::SERVICE_UNAVAILABLE) => StreamFailure::Passing,
            Ok(StatusCode::GONE) => StreamFailure::Forgotten,
            _ => StreamFailure::Lasting,
        }
    }
}
