//! Locks on accounts, so that replacing all relations of one goes together with no other change of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use xxhash_rust::xxh3::xxh3_64;

/// How many locks the accounts share.
const LOCKS: usize = 64;

/// The locks. Requests that append relations share those of their accounts; a request that replaces relations has its own alone.
#[derive(Debug)]
pub(crate) struct AccountLocks(Vec<Arc<RwLock<()>>>);

/// The locks of the accounts that a request appends relations of.
#[must_use]
pub(crate) struct Shared(#[allow(dead_code)] Vec<OwnedRwLockReadGuard<()>>);

/// The lock of an account whose relations are replaced.
#[must_use]
pub(crate) struct Exclusive(#[allow(dead_code)] OwnedRwLockWriteGuard<()>);

impl AccountLocks {
    /// The locks of these accounts, to be shared with other requests that append. Waits while relations of one of them are
    /// replaced.
    pub(crate) async fn shared<'a>(&self, accounts: impl Iterator<Item = &'a [u8]>) -> Shared {
        // Ascending, each once: no two requests wait for each other.
        let numbers: BTreeSet<usize> = accounts.map(number_of).collect();
        let mut guards = Vec::with_capacity(numbers.len());
        for lock in numbers.iter().filter_map(|number| self.0.get(*number)) {
            guards.push(Arc::clone(lock).read_owned().await);
        }
        Shared(guards)
    }

    /// The lock of an account alone. Waits for the requests that append relations of it.
    pub(crate) async fn exclusive(&self, account: &str) -> Option<Exclusive> {
        let lock = self.0.get(number_of(account.as_bytes()))?;
        Some(Exclusive(Arc::clone(lock).write_owned().await))
    }
}

impl Default for AccountLocks {
    fn default() -> AccountLocks {
        AccountLocks((0..LOCKS).map(|_| Arc::default()).collect())
    }
}

fn number_of(account: &[u8]) -> usize {
    (xxh3_64(account) % LOCKS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        }
    }

    /// A failure means that a relation that is posted beside a replacement may get lost.
    #[test]
    fn a_replacement_waits_for_who_appends_and_the_other_way_round() {
        let locks = AccountLocks::default();
        let appending = now(locks.shared([&b"7"[..], b"8", b"7"].into_iter()));
        assert!(appending.is_some());
        assert!(now(locks.shared([&b"7"[..]].into_iter())).is_some());
        assert!(now(locks.exclusive("7")).is_none());
        drop(appending);
        let replacing = now(locks.exclusive("7")).flatten();
        assert!(replacing.is_some());
        assert!(now(locks.shared([&b"7"[..]].into_iter())).is_none());
        assert!(now(locks.exclusive("7")).is_none());
        drop(replacing);
        assert!(now(locks.shared([&b"7"[..]].into_iter())).is_some());
    }
}
