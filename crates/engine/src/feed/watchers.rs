//! Wakes the readers that watch feeds which changed. A feed without watchers costs one read of a flag.

use crate::feed::feed_id::FeedId;
use crate::graph::AccountIx;
use crate::watch;
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rows below which rows without readers are not looked for.
const SWEPT_AT: usize = 64;

/// The feeds that are watched.
#[derive(Debug, Default)]
pub struct Watchers {
    /// How many feeds are watched: while none is, the lock is not taken.
    count: AtomicUsize,
    watched: Mutex<Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    /// Homes and lists, by their account.
    accounts: Rows<AccountIx>,
    /// Feeds that belong to no account.
    shared: Rows<FeedId>,
}

#[derive(Debug)]
struct Rows<K> {
    rows: HashMap<K, watch::Sender<()>>,
    /// Feeds that changed since their readers were last woken.
    changed: HashSet<K>,
    /// With so many rows, rows without readers are looked for.
    swept_at: usize,
}

impl<K> Default for Rows<K> {
    fn default() -> Rows<K> {
        Rows {
            rows: HashMap::new(),
            changed: HashSet::new(),
            swept_at: SWEPT_AT,
        }
    }
}

impl Watchers {
    /// Watches an account's feeds: the receiver changes when something has happened to them that readers may see.
    pub fn watch(&self, account: AccountIx) -> watch::Receiver<()> {
        let mut watched = self.watched.lock();
        let receiver = watched.accounts.watch(account);
        self.count.store(watched.len(), Ordering::Release);
        receiver
    }

    /// As [`Self::watch`], for a feed that belongs to no account.
    pub fn watch_shared(&self, id: FeedId) -> watch::Receiver<()> {
        let mut watched = self.watched.lock();
        let receiver = watched.shared.watch(id);
        self.count.store(watched.len(), Ordering::Release);
        receiver
    }

    /// Whether anybody watches an account's feeds.
    pub fn is_watched(&self, account: AccountIx) -> bool {
        let watched = self.watched.lock();
        let sender = watched.accounts.rows.get(&account);
        sender.is_some_and(|sender| sender.receiver_count() != 0)
    }

    /// Something happened to these accounts' feeds.
    pub fn mark_changed(&self, accounts: &[AccountIx]) {
        if self.is_unwatched() {
            return;
        }
        let mut watched = self.watched.lock();
        let Rows { rows, changed, .. } = &mut watched.accounts;
        if rows.len() < accounts.len() {
            // `accounts` ascend.
            let watched = rows.keys().copied();
            changed.extend(watched.filter(|account| accounts.binary_search(account).is_ok()));
        } else {
            let accounts = accounts.iter().copied();
            changed.extend(accounts.filter(|account| rows.contains_key(account)));
        }
    }

    /// Something happened to a feed.
    pub fn mark_feed_changed(&self, id: &FeedId) {
        if let Some(account) = id.account() {
            return self.mark_changed(&[account]);
        }
        if self.is_unwatched() {
            return;
        }
        let shared = &mut self.watched.lock().shared;
        if shared.rows.contains_key(id) && !shared.changed.contains(id) {
            shared.changed.insert(id.clone());
        }
    }

    /// Something happened that concerns every feed.
    pub fn mark_all_changed(&self) {
        let mut watched = self.watched.lock();
        watched.accounts.mark_all_changed();
        watched.shared.mark_all_changed();
    }

    /// Wakes the readers of what changed since the last call.
    pub fn wake(&self) {
        if self.is_unwatched() {
            return;
        }
        let mut watched = self.watched.lock();
        watched.accounts.wake();
        watched.shared.wake();
    }

    fn is_unwatched(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }
}

impl Watched {
    fn len(&self) -> usize {
        self.accounts.rows.len() + self.shared.rows.len()
    }
}

impl<K: Clone + Eq + Hash> Rows<K> {
    fn watch(&mut self, key: K) -> watch::Receiver<()> {
        if self.swept_at <= self.rows.len() {
            // Rows without readers make room.
            self.rows.retain(|_, sender| sender.receiver_count() != 0);
            self.swept_at = SWEPT_AT.max(2 * self.rows.len());
        }
        let sender = self.rows.entry(key);
        let sender = sender.or_insert_with(|| watch::channel(()).0);
        sender.subscribe()
    }

    fn mark_all_changed(&mut self) {
        self.changed.extend(self.rows.keys().cloned());
    }

    fn wake(&mut self) {
        for key in self.changed.drain() {
            if let Some(sender) = self.rows.get(&key) {
                sender.send_replace(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::feed_id::PublicPart;

    fn account(n: usize) -> AccountIx {
        AccountIx::from_number(n)
    }

    /// Were this to fail, a reader would wait for ever, or be woken for what happened to others.
    #[test]
    fn those_who_watch_are_woken_for_what_happened_to_their_feed_and_for_nothing_else() {
        let watchers = Watchers::default();
        watchers.mark_changed(&[account(1)]);
        let mut one = watchers.watch(account(1));
        let mut again = watchers.watch(account(1));
        let mut two = watchers.watch(account(2));
        watchers.wake();
        let mut woken = || {
            let all = [&mut one, &mut again, &mut two];
            all.map(|receiver| {
                let is_woken = receiver.has_changed();
                receiver.mark_unchanged();
                is_woken
            })
        };
        assert_eq!(woken(), [false; 3], "it happened before they watched");
        watchers.mark_changed(&[account(0), account(1), account(3)]);
        assert_eq!(woken(), [false; 3], "not before readers may see it");
        watchers.wake();
        assert_eq!(woken(), [true, true, false]);
        watchers.mark_changed(&[account(2)]);
        watchers.wake();
        assert_eq!(woken(), [false, false, true]);
        watchers.wake();
        assert_eq!(woken(), [false; 3]);
        watchers.mark_all_changed();
        watchers.wake();
        assert_eq!(woken(), [true; 3]);
    }

    #[test]
    fn a_shared_feed_wakes_its_own_readers_and_a_list_its_owners() {
        let watchers = Watchers::default();
        let (rust, all) = (FeedId::tag("rust"), FeedId::Public(PublicPart::All));
        let one = watchers.watch_shared(rust.clone());
        let two = watchers.watch_shared(all);
        let owner = watchers.watch(account(1));
        watchers.mark_feed_changed(&rust);
        watchers.mark_feed_changed(&FeedId::tag("other"));
        watchers.wake();
        let woken = || [&one, &two, &owner].map(|receiver| receiver.has_changed());
        assert_eq!(woken(), [true, false, false]);
        watchers.mark_feed_changed(&FeedId::list(account(1), "7", "42"));
        watchers.wake();
        assert_eq!(woken(), [true, false, true]);
        watchers.mark_all_changed();
        watchers.wake();
        assert_eq!(woken(), [true, true, true]);
    }

    #[test]
    fn who_left_leaves_nothing_behind() {
        let watchers = Watchers::default();
        let kept = watchers.watch(account(7));
        for n in 0..10_000 {
            drop(watchers.watch(account(n)));
        }
        let rows = || watchers.watched.lock().accounts.rows.len();
        assert!(rows() <= SWEPT_AT, "{}", rows());
        watchers.mark_changed(&[account(7)]);
        watchers.wake();
        assert!(kept.has_changed());
    }
}
