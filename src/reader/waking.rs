//! Waiting for a feed to show something new: something happened to it, or its horizon reached its next entry. Nobody asks
//! again and again, and a feed nobody waits for costs no timer.

use super::look::Look;
use super::view::View;
use crate::clock;
use crate::order::horizon::ripens;
use crate::order::place::PostId;
use std::time::Duration;
use tokio::sync::watch;

/// A reader's watch over one account's feeds.
#[derive(Debug)]
pub struct Watching {
    account: String,
    stirred: watch::Receiver<()>,
}

impl View {
    /// Watches an account's feeds from now on; none if the account is unknown. To be asked for before the feed is looked
    /// at, so that nothing falls between the two.
    pub fn watch(&self, account: &str) -> Option<Watching> {
        let number = self.graph.read().account(account)?;
        Some(Watching {
            account: account.to_owned(),
            stirred: self.store.homes.stirred.watch(number),
        })
    }
}

impl Watching {
    /// Waits until the feed may show what `look` did not.
    pub async fn wait(&mut self, view: &View, look: &Look) {
        tokio::select! {
            changed = self.stirred.changed() => {
                // The service is stopping: there will be no more.
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            () = ripe(view, &self.account, look.next_held()) => {}
        }
    }
}

/// Waits until the horizon has reached an entry; for ever if there is none.
async fn ripe(view: &View, account: &str, held: Option<PostId>) {
    let Some(held) = held else {
        return std::future::pending().await;
    };
    let mut built = view.horizons.watch_built();
    loop {
        let (due, horizon) = {
            let graph = view.graph.read();
            let Some(number) = graph.account(account) else {
                return;
            };
            let due = ripens(held.time(), graph.hold_ms(number));
            (due, view.horizons.of(&graph, number, clock::now()))
        };
        if horizon.is_none_or(|horizon| held.time() <= horizon) {
            return;
        }
        let left = due.since(clock::now());
        if 0 < left {
            tokio::time::sleep(Duration::from_millis(left.unsigned_abs())).await;
        } else if built.changed().await.is_err() {
            // It is due and not all is read: only what is read can bring it on.
            return std::future::pending().await;
        }
    }
}

impl Look {
    /// The first entry that the horizon has not reached.
    fn next_held(&self) -> Option<PostId> {
        let next = self.feed.ids.get(self.shown.entries.end)?;
        PostId::from_number(*next)
    }
}
