//! The wait until a feed may show something new: something happened to it, or its horizon reached its next entry. Nothing polls,
//! and a feed without readers has no timer.

use super::state::AppState;
use crate::clock;
use slackwater_engine::view::feed_ref::FeedRef;
use slackwater_engine::view::snapshot::{ChangeDelivery, Snapshot};
use slackwater_engine::view::{BuildProgress, View};
use slackwater_engine::watch;
use slackwater_order::horizon::due_at;
use slackwater_order::place::PostId;
use std::sync::Arc;
use std::time::Duration;

/// A reader's watch over one feed.
#[derive(Debug)]
pub struct FeedWatch {
    /// The account whose patience holds the feed back.
    owner: Option<String>,
    /// Counts the changes to the account and to its feeds.
    account: Option<watch::Receiver<()>>,
    /// Counts the changes to a shared feed.
    shared: Option<watch::Receiver<()>>,
    built: watch::Receiver<Arc<BuildProgress>>,
}

/// The conditions that a reader waits for, besides a change of the feed.
#[derive(Clone, Copy, Debug, Default)]
pub struct WakeCondition {
    /// The first entry that the horizon has not reached.
    held: Option<PostId>,
    /// The reader knows more than this node has read.
    is_early: bool,
}

impl WakeCondition {
    /// The conditions that are left when a reader has been sent a batch of changes.
    pub fn after<E>(snapshot: &Snapshot, delivery: &ChangeDelivery<E>) -> WakeCondition {
        WakeCondition {
            held: snapshot.next_held(),
            is_early: delivery.is_early,
        }
    }
}

impl AppState {
    /// Watches a feed from now on. It is to begin before a snapshot is taken, so that no change falls between the two.
    pub fn watch(&self, feed_ref: &FeedRef) -> FeedWatch {
        let watchers = &self.view.store.homes.watchers;
        let account = {
            let graph = self.view.graph.read();
            feed_ref
                .account()
                .and_then(|account| graph.account(account))
        };
        FeedWatch {
            owner: feed_ref.owner().map(str::to_owned),
            account: account.map(|account| watchers.watch(account)),
            shared: feed_ref.shared().map(|name| watchers.watch_shared(name)),
            built: self.view.built.clone(),
        }
    }
}

impl FeedWatch {
    /// Waits until the feed may show something new. May be cancelled and called again.
    pub async fn wait(&mut self, view: &View, wake: WakeCondition) {
        let is_early = wake.is_early;
        tokio::select! {
            () = changed(self.account.as_mut()) => {}
            () = changed(self.shared.as_mut()) => {}
            () = horizon_reaches(view, self.owner.as_deref(), wake.held) => {}
            () = changed(Some(&mut self.built)), if is_early => {}
        }
    }
}

/// Waits for a change; for ever if the service is stopping, because there will be none.
async fn changed<T>(receiver: Option<&mut watch::Receiver<T>>) {
    let is_stopping = match receiver {
        Some(receiver) => receiver.changed().await.is_err(),
        None => true,
    };
    if is_stopping {
        std::future::pending::<()>().await;
    }
}

/// Waits until the horizon has reached an entry; for ever if there is none.
async fn horizon_reaches(view: &View, owner: Option<&str>, held: Option<PostId>) {
    let (Some(owner), Some(held)) = (owner, held) else {
        return std::future::pending().await;
    };
    let mut built = view.horizons.watch_built();
    loop {
        let (due, horizon) = {
            let graph = view.graph.read();
            let Some(number) = graph.account(owner) else {
                return;
            };
            let due = due_at(held.time(), graph.hold_ms(number));
            (due, view.horizons.of(&graph, number, clock::now()))
        };
        if horizon.is_none_or(|horizon| held.time() <= horizon) {
            return;
        }
        let left = due.since(clock::now());
        if 0 < left {
            tokio::time::sleep(Duration::from_millis(left.unsigned_abs())).await;
        } else if built.changed().await.is_err() {
            // It is due and the log is not all read: only further records can bring the horizon on.
            return std::future::pending().await;
        }
    }
}
