//! Which feeds something happened to, for those who watch them: a feed nobody watches costs one look at a flag.

use crate::feed::store::other_memtable::Name;
use crate::graph::AccountIx;
use crate::watch;
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rows below which those of readers who left are not worth looking for.
const SWEPT_AT: usize = 64;

/// The feeds that are watched.
#[derive(Debug, Default)]
pub struct Stirred {
    /// How many are: while none is, nobody takes the lock.
    count: AtomicUsize,
    watched: Mutex<Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    /// Homes and lists, by whose they are.
    accounts: Rows<AccountIx>,
    /// Feeds that are nobody's.
    shared: Rows<Name>,
}

#[derive(Debug)]
struct Rows<K> {
    rows: HashMap<K, watch::Sender<()>>,
    /// Those something happened to since they were last told.
    stirred: HashSet<K>,
    /// With so many rows, those of readers who left are looked for.
    swept_at: usize,
}

impl<K> Default for Rows<K> {
    fn default() -> Rows<K> {
        Rows {
            rows: HashMap::new(),
            stirred: HashSet::new(),
            swept_at: SWEPT_AT,
        }
    }
}

impl Stirred {
    /// Watches an account's feeds: the receiver changes when something has happened to them that readers may see.
    pub fn watch(&self, account: AccountIx) -> watch::Receiver<()> {
        let mut watched = self.watched.lock();
        let receiver = watched.accounts.watch(account);
        self.count.store(watched.len(), Ordering::Release);
        receiver
    }

    /// As [`Self::watch`], for a feed that is nobody's.
    pub fn watch_shared(&self, name: Name) -> watch::Receiver<()> {
        let mut watched = self.watched.lock();
        let receiver = watched.shared.watch(name);
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
    pub fn stir(&self, accounts: &[AccountIx]) {
        if self.is_unwatched() {
            return;
        }
        let mut watched = self.watched.lock();
        let Rows { rows, stirred, .. } = &mut watched.accounts;
        if rows.len() < accounts.len() {
            // `accounts` ascend.
            let watched = rows.keys().copied();
            stirred.extend(watched.filter(|account| accounts.binary_search(account).is_ok()));
        } else {
            let accounts = accounts.iter().copied();
            stirred.extend(accounts.filter(|account| rows.contains_key(account)));
        }
    }

    /// Something happened to a feed that is no home.
    pub fn stir_named(&self, name: &Name) {
        if let Some(account) = name.account() {
            return self.stir(&[account]);
        }
        if self.is_unwatched() {
            return;
        }
        let shared = &mut self.watched.lock().shared;
        if shared.rows.contains_key(name) && !shared.stirred.contains(name) {
            shared.stirred.insert(name.clone());
        }
    }

    /// Something happened that concerns every feed.
    pub fn stir_all(&self) {
        let mut watched = self.watched.lock();
        watched.accounts.stir_all();
        watched.shared.stir_all();
    }

    /// Wakes those who watch what was stirred since the last call.
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
            // Those who left make room.
            self.rows.retain(|_, sender| sender.receiver_count() != 0);
            self.swept_at = SWEPT_AT.max(2 * self.rows.len());
        }
        let sender = self.rows.entry(key);
        let sender = sender.or_insert_with(|| watch::channel(()).0);
        sender.subscribe()
    }

    fn stir_all(&mut self) {
        self.stirred.extend(self.rows.keys().cloned());
    }

    fn wake(&mut self) {
        for key in self.stirred.drain() {
            if let Some(sender) = self.rows.get(&key) {
                sender.send_replace(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::store::other_memtable::Part;

    fn account(n: usize) -> AccountIx {
        AccountIx::from_number(n)
    }

    /// Were this to fail, a reader would wait for ever, or be woken for what happened to others.
    #[test]
    fn those_who_watch_are_woken_for_what_happened_to_their_feed_and_for_nothing_else() {
        let stirred = Stirred::default();
        stirred.stir(&[account(1)]);
        let mut one = stirred.watch(account(1));
        let mut again = stirred.watch(account(1));
        let mut two = stirred.watch(account(2));
        stirred.wake();
        let mut woken = || {
            let all = [&mut one, &mut again, &mut two];
            all.map(|receiver| {
                let is_woken = receiver.has_changed();
                receiver.mark_unchanged();
                is_woken
            })
        };
        assert_eq!(woken(), [false; 3], "it happened before they watched");
        stirred.stir(&[account(0), account(1), account(3)]);
        assert_eq!(woken(), [false; 3], "not before readers may see it");
        stirred.wake();
        assert_eq!(woken(), [true, true, false]);
        stirred.stir(&[account(2)]);
        stirred.wake();
        assert_eq!(woken(), [false, false, true]);
        stirred.wake();
        assert_eq!(woken(), [false; 3]);
        stirred.stir_all();
        stirred.wake();
        assert_eq!(woken(), [true; 3]);
    }

    #[test]
    fn a_shared_feed_wakes_its_own_readers_and_a_list_its_owners() {
        let stirred = Stirred::default();
        let (rust, all) = (Name::Tag("rust".into()), Name::Public(Part::All));
        let one = stirred.watch_shared(rust.clone());
        let two = stirred.watch_shared(all);
        let owner = stirred.watch(account(1));
        stirred.stir_named(&rust);
        stirred.stir_named(&Name::Tag("other".into()));
        stirred.wake();
        let woken = || [&one, &two, &owner].map(|receiver| receiver.has_changed());
        assert_eq!(woken(), [true, false, false]);
        stirred.stir_named(&Name::list(account(1), "7", "42"));
        stirred.wake();
        assert_eq!(woken(), [true, false, true]);
        stirred.stir_all();
        stirred.wake();
        assert_eq!(woken(), [true, true, true]);
    }

    #[test]
    fn who_left_leaves_nothing_behind() {
        let stirred = Stirred::default();
        let kept = stirred.watch(account(7));
        for n in 0..10_000 {
            drop(stirred.watch(account(n)));
        }
        let rows = || stirred.watched.lock().accounts.rows.len();
        assert!(rows() <= SWEPT_AT, "{}", rows());
        stirred.stir(&[account(7)]);
        stirred.wake();
        assert!(kept.has_changed());
    }
}
