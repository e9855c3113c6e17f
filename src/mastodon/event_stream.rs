//! Events to a client that reads server-sent events.

use super::app::{MastodonApp, next_passed};
use super::channel::{Channel, ChannelQuery};
use super::error::MastodonError;
use super::event::Event;
use super::feed_follower::{FollowedEvents, Gone, Outlet, Subscriber};
use super::upstream::StreamedMessage;
use crate::api::boxed::boxed;
use crate::api::caller::{CallerContext, StreamPermit};
use crate::api::dismissals::{MOVED, STOPPING};
use crate::api::send_budget::{FRAME_BYTES_MAX, TextInFlight};
use crate::api::spliced_message::SplicedMessage;
use crate::api::subscription::{Lapsed, StreamedUnder};
use crate::clock;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use slackwater_engine::view::cursor::Cursor;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;

/// How often a comment is sent, so that the reader knows that the connection is alive.
const THUMP_EVERY: Duration = Duration::from_secs(15);

impl MastodonApp {
    /// Server-sent events, as HTML's living standard has them (section 9.2). Each has an `id`, and a client that comes back
    /// with `Last-Event-ID` has missed nothing.
    pub(super) async fn events(
        &self,
        name: &str,
        query: &ChannelQuery,
        context: &CallerContext,
        headers: &HeaderMap,
    ) -> Result<Response, MastodonError> {
        let account = self.subscriber(context)?;
        let channel = self.channel(name, query.tag.as_deref(), query.list.as_deref(), context)?;
        self.state.is_open()?;
        let since = headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let feed_ref = channel.feed_ref(account.as_deref());
        let since = feed_ref
            .zip(since)
            .and_then(|(feed_ref, id)| self.state.cursor(&feed_ref, id).ok());
        let permit = self.admit(context, account.as_deref())?;
        let (send, receive) = mpsc::channel(1);
        let (relay, passed) = self.relay_for(context);
        if let Some(relay) = &relay {
            relay.subscribe(&channel);
        }
        let subscriber = Subscriber {
            account,
            base_url: Arc::clone(&context.base_url),
            relay,
        };
        let pump = self
            .clone()
            .pump(channel, subscriber, since, permit, passed, send);
        self.streams.spawn(pump);
        let body = stream::unfold(receive, |mut receive| async move {
            let next: Option<Bytes> = receive.recv().await;
            next.map(|chunk| (Ok::<_, Infallible>(chunk), receive))
        });
        let headers = [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "private, no-store"),
            (header::HeaderName::from_static("x-accel-buffering"), "no"),
        ];
        Ok((headers, Body::from_stream(body)).into_response())
    }

    async fn pump(
        self,
        channel: Channel,
        subscriber: Subscriber,
        since: Option<Cursor>,
        permit: StreamPermit,
        mut passed: Option<mpsc::Receiver<Utf8Bytes>>,
        out: mpsc::Sender<Bytes>,
    ) {
        let (sender, mut events) = mpsc::channel(1);
        let account = subscriber.account.clone();
        let following =
            self.clone()
                .follow_feed(channel, subscriber, since, EventStreamOutlet(sender));
        let mut thumps = interval(THUMP_EVERY);
        thumps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        thumps.reset();
        let (mut following, stopping) = (std::pin::pin!(following), self.stopping.clone());
        let mut ended = std::pin::pin!(permit.ended());
        // Cancelled if the part that the connection has not sent yet is given up.
        let mut given_up = CancellationToken::new();
        let reason = loop {
            let mut under = None;
            let messages: Vec<SplicedMessage> = tokio::select! {
                biased;
                () = &mut following => break "left",
                (_, reason) = &mut ended => break reason,
                () = stopping.cancelled() => break STOPPING,
                () = out.closed() => break "left",
                () = given_up.cancelled() => break "too slow",
                text = next_passed(&mut passed) => {
                    self.state.metrics.http.stream_messages("passed_on", 1);
                    let message = StreamedMessage::read(text.as_str());
                    message.map(|message| message.server_sent().into()).into_iter().collect()
                }
                _ = thumps.tick() => vec![":thump\n\n".to_owned().into()],
                Some(item) = events.recv() => match item {
                    FeedEvent::Events(followed) => {
                        self.count_events(&followed.events);
                        under = Some(followed.lease);
                        followed.events.iter().map(Event::sent).collect()
                    }
                    // From here on nothing is missed. An `id` alone would do more, and Mastodon.py breaks on it.
                    FeedEvent::Begun => vec![":thump\n\n".to_owned().into()],
                },
            };
            match boxed(self.send_events(messages, under.as_ref(), &out)).await {
                Ok(None) => {}
                Ok(Some(last)) => given_up = last,
                Err(reason) => break reason,
            }
        };
        self.state.metrics.http.stream_ended(reason);
        self.dismissal_log.record(
            "server-sent events of Mastodon's API",
            account.as_deref(),
            reason,
            clock::stopwatch(),
        );
    }

    /// Hands messages, found under a lease if they are a feed's, to the connection without copying the parts that all readers share, and
    /// returns the token that is cancelled when the last of these is given up. An error is the reason why they are not sent.
    async fn send_events(
        &self,
        messages: Vec<SplicedMessage>,
        under: Option<&StreamedUnder>,
        out: &mpsc::Sender<Bytes>,
    ) -> Result<Option<CancellationToken>, &'static str> {
        let mut last = None;
        let (wait, send_budget) = (
            self.stream_options.socket.send_timeout,
            &self.state.entry_cache.send_budget,
        );
        for message in messages {
            let may = under.map_or(Ok(()), StreamedUnder::may_be_sent);
            may.map_err(|Lapsed| MOVED)?;
            if message.bytes() <= FRAME_BYTES_MAX {
                sent_within(wait, out.send(message.text().into())).await?;
                continue;
            }
            let delivery = send_budget.begin(message.shared.as_ref());
            let given_up = delivery.given_up().clone();
            let [before, shared, after] = message.parts();
            let shared = Bytes::from_owner(SharedChunk {
                text: shared,
                _until: delivery,
            });
            for part in [before, shared, after] {
                tokio::select! {
                    biased;
                    sent = sent_within(wait, out.send(part)) => sent?,
                    () = given_up.cancelled() => return Err("too slow"),
                }
            }
            last = Some(given_up);
        }
        Ok(last)
    }
}

/// A text until the connection has sent it.
struct SharedChunk {
    text: Bytes,
    _until: TextInFlight,
}

impl AsRef<[u8]> for SharedChunk {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

async fn sent_within(
    wait: Duration,
    sending: impl Future<Output = Result<(), mpsc::error::SendError<Bytes>>>,
) -> Result<(), &'static str> {
    match tokio::time::timeout(wait, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("left"),
        Err(_) => Err("too slow"),
    }
}

/// The outlet of a reader of server-sent events.
struct EventStreamOutlet(mpsc::Sender<FeedEvent>);

/// An item for that reader.
enum FeedEvent {
    /// The feed is followed from here on.
    Begun,
    /// These events happened.
    Events(FollowedEvents),
}

impl Outlet for EventStreamOutlet {
    async fn begun(&mut self) -> Result<(), Gone> {
        self.0.send(FeedEvent::Begun).await.map_err(|_| Gone)
    }

    async fn events(&mut self, events: FollowedEvents) -> Result<(), Gone> {
        self.0
            .send(FeedEvent::Events(events))
            .await
            .map_err(|_| Gone)
    }

    async fn closed(&mut self) {
        self.0.closed().await;
    }
}
