//! Which feeds something happened to, for those who watch them: a feed nobody watches costs one look at a flag.

use crate::graph::AccountIx;
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// The feeds that are watched.
#[derive(Debug, Default)]
pub struct Stirred {
    /// How many are: while none is, nobody takes the lock.
    count: AtomicUsize,
    watched: Mutex<Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    by_account: HashMap<AccountIx, watch::Sender<()>>,
    /// Those something happened to since they were last told.
    stirred: HashSet<AccountIx>,
}

impl Stirred {
    /// Watches an account's feeds: the receiver changes when something has happened to them that readers may see.
    pub fn watch(&self, account: AccountIx) -> watch::Receiver<()> {
        let mut watched = self.watched.lock();
        // Those who left make room.
        watched
            .by_account
            .retain(|_, sender| sender.receiver_count() != 0);
        let sender = watched.by_account.entry(account);
        let receiver = sender.or_insert_with(|| watch::channel(()).0).subscribe();
        self.count
            .store(watched.by_account.len(), Ordering::Release);
        receiver
    }

    /// Whether anybody watches an account's feeds.
    pub fn is_watched(&self, account: AccountIx) -> bool {
        let watched = self.watched.lock();
        let sender = watched.by_account.get(&account);
        sender.is_some_and(|sender| sender.receiver_count() != 0)
    }

    /// Something happened to these accounts' feeds.
    pub fn stir(&self, accounts: &[AccountIx]) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut watched = self.watched.lock();
        let Watched {
            by_account,
            stirred,
        } = &mut *watched;
        if by_account.len() < accounts.len() {
            // `accounts` ascend.
            let watched = by_account.keys().copied();
            stirred.extend(watched.filter(|account| accounts.binary_search(account).is_ok()));
        } else {
            let accounts = accounts.iter().copied();
            stirred.extend(accounts.filter(|account| by_account.contains_key(account)));
        }
    }

    /// Something happened that concerns every feed.
    pub fn stir_all(&self) {
        let mut watched = self.watched.lock();
        let Watched {
            by_account,
            stirred,
        } = &mut *watched;
        stirred.extend(by_account.keys().copied());
    }

    /// Wakes those who watch what was stirred since the last call.
    pub fn wake(&self) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut watched = self.watched.lock();
        let Watched {
            by_account,
            stirred,
        } = &mut *watched;
        for account in stirred.drain() {
            if let Some(sender) = by_account.get(&account) {
                sender.send_replace(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                let is_woken = receiver.has_changed().unwrap();
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
    fn who_left_leaves_nothing_behind() {
        let stirred = Stirred::default();
        for n in 0..100 {
            drop(stirred.watch(account(n)));
        }
        let _kept = stirred.watch(account(7));
        assert_eq!(stirred.watched.lock().by_account.len(), 1);
    }
}
