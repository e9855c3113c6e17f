//! One reader's subscription to a feed, read on whenever the feed may show something new. Nothing is queued for a reader: a slow
//! one reads on from its own cursor.

use super::boxed::boxed;
use super::disk_reads;
use super::entry_cache::CachedEntry;
use super::feed_watch::{FeedWatch, WakeCondition};
use super::placement::Permit;
use super::problem::Problem;
use super::state::AppState;
use slackwater_engine::view::change_batch::BatchLimit;
use slackwater_engine::view::cursor::Cursor;
use slackwater_engine::view::feed_ref::FeedRef;
use slackwater_engine::view::snapshot::ChangeDelivery;
use slackwater_order::time::Time;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// The most that a reader is sent at a time: it is held in memory until the reader has accepted it.
const LIMIT: BatchLimit = BatchLimit {
    changes: 20,
    bytes: 64 << 10,
};

/// The time until changes are looked for again that straddled the end of a lease.
const TRIED_AGAIN: Duration = Duration::from_millis(100);

/// One reader's place in one feed.
#[derive(Debug)]
pub struct Subscription {
    state: AppState,
    feed_ref: FeedRef,
    watch: FeedWatch,
    cursor: Cursor,
    wake: WakeCondition,
    /// Whether the reader is sent floors.
    hears_floors: bool,
}

/// The changes that one step found for a reader.
#[derive(Debug)]
pub struct FeedUpdate {
    /// The changes since the step before.
    pub delivery: ChangeDelivery<Arc<CachedEntry>>,
    /// Up to when the feed is shown; none if all of it is.
    pub horizon: Option<Time>,
    lease: StreamedUnder,
}

/// The lease under which changes were found; none if this is the only node.
#[derive(Clone, Debug)]
pub struct StreamedUnder(Option<Permit>);

/// The lease under which changes were found has run out before they were sent: other nodes may have in force by now what they lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lapsed;

impl StreamedUnder {
    /// Whether what was found may still be sent.
    pub fn may_be_sent(&self) -> Result<(), Lapsed> {
        match &self.0 {
            Some(permit) if !permit.is_good() => Err(Lapsed),
            _ => Ok(()),
        }
    }
}

impl FeedUpdate {
    /// Whether the changes may still be sent.
    pub fn may_be_sent(&self) -> Result<(), Lapsed> {
        self.lease.may_be_sent()
    }

    /// The lease under which the changes were found.
    pub fn streamed_under(&self) -> StreamedUnder {
        self.lease.clone()
    }
}

impl Subscription {
    /// Begins with the feed as it is now, of which nothing is sent.
    pub async fn now(
        state: AppState,
        feed_ref: FeedRef,
    ) -> Result<(Subscription, Option<Time>), Problem> {
        state.is_open()?;
        let watch = state.watch(&feed_ref);
        let snapshot = boxed(state.snapshot_again(&feed_ref, None)).await?;
        let cursor = Cursor {
            feed: Cursor::feed_of(&feed_ref.text()),
            log: state.view.log.clone(),
            from: snapshot.read_point(),
            batch: None,
        };
        let horizon = snapshot.visible.horizon;
        Ok((Subscription::at(state, feed_ref, watch, cursor), horizon))
    }

    /// Goes on from where a reader was; 410 if that cannot be.
    pub async fn since(
        state: AppState,
        feed_ref: FeedRef,
        cursor: Cursor,
    ) -> Result<(Subscription, Option<Time>), Problem> {
        state.is_open()?;
        boxed(state.reaches(&cursor)).await?;
        let watch = state.watch(&feed_ref);
        let snapshot = boxed(state.snapshot_again(&feed_ref, Some(cursor.horizon()))).await?;
        let horizon = snapshot.visible.horizon;
        Ok((Subscription::at(state, feed_ref, watch, cursor), horizon))
    }

    fn at(state: AppState, feed_ref: FeedRef, watch: FeedWatch, cursor: Cursor) -> Subscription {
        Subscription {
            state,
            feed_ref,
            watch,
            cursor,
            wake: WakeCondition::default(),
            hears_floors: true,
        }
    }

    /// For a reader whose protocol has no floor: a removal is sent wherever the entry was.
    pub fn without_floor(mut self) -> Subscription {
        self.hears_floors = false;
        self.cursor.drop_floor();
        self
    }

    /// The point up to which the reader has been sent changes.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Takes a snapshot of the feed, and returns what is new; that counts as sent. 410 if the changes are not known any more: the
    /// reader is to read the feed from its top.
    pub async fn advance(&mut self) -> Result<FeedUpdate, Problem> {
        boxed(self.advance_now()).await
    }

    async fn advance_now(&mut self) -> Result<FeedUpdate, Problem> {
        loop {
            let account = self.feed_ref.account();
            let lease = StreamedUnder(self.state.permit_of_stream(account).await);
            let found = self.changes().await;
            // The second look. What was found is not the reader's yet, so it is found again.
            if lease.may_be_sent().is_err() {
                sleep(TRIED_AGAIN).await;
                continue;
            }
            let (wake, horizon, delivery) = found?;
            self.wake = wake;
            self.cursor = delivery.cursor.clone();
            return Ok(FeedUpdate {
                delivery,
                horizon,
                lease,
            });
        }
    }

    /// What is new since the cursor.
    async fn changes(
        &self,
    ) -> Result<
        (
            WakeCondition,
            Option<Time>,
            ChangeDelivery<Arc<CachedEntry>>,
        ),
        Problem,
    > {
        let least = Some(self.cursor.horizon());
        let snapshot = self.state.snapshot_again(&self.feed_ref, least).await?;
        let delivery = disk_reads::read(|| {
            snapshot.changes_since(
                &self.state.view,
                &self.cursor,
                LIMIT,
                &*self.state.entry_cache,
            )
        })
        .await
        .map_err(|error| self.state.changes_problem(error))?;
        let delivery = match self.hears_floors {
            true => delivery,
            false => delivery.without_floor(),
        };
        let wake = WakeCondition::after(&snapshot, &delivery);
        Ok((wake, snapshot.visible.horizon, delivery))
    }

    /// Waits until there may be something new. May be cancelled and called again.
    pub async fn changed(&mut self) {
        self.watch.wait(&self.state.view, self.wake).await;
    }
}
