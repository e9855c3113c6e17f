//! Limits on connections and requests: in all, for each account and for each address.

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The number of callers at which those that were quiet for a while are removed.
const CALLERS_SWEPT_AT: usize = 10_000;

/// The most connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub all: usize,
    /// The most of one account.
    pub per_account: usize,
    /// The most from one address; of IPv6, from one network of 64 bits.
    pub per_address: usize,
}

/// The open connections.
#[derive(Debug)]
pub struct Connections {
    limits: Limits,
    open: Mutex<OpenConnections>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    all: usize,
    by_account: HashMap<Box<str>, usize>,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection that counts until this is dropped.
#[derive(Debug)]
pub struct ConnectionGuard {
    connections: Arc<Connections>,
    account: Option<Box<str>>,
    address: Option<IpAddr>,
}

/// The limit that another connection would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitReached {
    /// In all.
    #[error("too many readers are connected: come back in a moment")]
    InAll,
    /// The account has as many as it may.
    #[error("this account has as many connections as it may: close one first")]
    OfAccount,
    /// From the address.
    #[error("this address has as many connections as it may: close one first")]
    FromAddress,
}

impl Connections {
    /// Nobody yet.
    pub fn new(limits: Limits) -> Arc<Connections> {
        Arc::new(Connections {
            limits,
            open: Mutex::default(),
        })
    }

    /// Counts another connection, if the limits allow it. Without an account or an address, that limit does not apply.
    pub fn admit(
        self: &Arc<Self>,
        account: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<ConnectionGuard, LimitReached> {
        let address = address.map(network);
        let limits = self.limits;
        let open = &mut *self.open.lock();
        if limits.all <= open.all {
            return Err(LimitReached::InAll);
        }
        let of = |account| open.by_account.get(account).copied().unwrap_or(0);
        if account.is_some_and(|account| limits.per_account <= of(account)) {
            return Err(LimitReached::OfAccount);
        }
        let from = |address| open.by_address.get(&address).copied().unwrap_or(0);
        if address.is_some_and(|address| limits.per_address <= from(address)) {
            return Err(LimitReached::FromAddress);
        }
        open.all += 1;
        if let Some(account) = account {
            *open.by_account.entry(account.into()).or_default() += 1;
        }
        if let Some(address) = address {
            *open.by_address.entry(address).or_default() += 1;
        }
        Ok(ConnectionGuard {
            connections: Arc::clone(self),
            account: account.map(Box::from),
            address,
        })
    }

    /// The number of open connections.
    pub fn count(&self) -> usize {
        self.open.lock().all
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let open = &mut *self.connections.open.lock();
        open.all = open.all.saturating_sub(1);
        if let Some(account) = &self.account {
            one_less(&mut open.by_account, account);
        }
        if let Some(address) = &self.address {
            one_less(&mut open.by_address, address);
        }
    }
}

fn one_less<K: Clone + Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// The network that counts as one address: with IPv6 a household has a network of 64 bits to itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

/// The key that requests are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CallerKey {
    /// An account.
    Account(Box<str>),
    /// An address, for callers without an account.
    Address(IpAddr),
}

/// The requests of each caller in this minute.
#[derive(Debug)]
pub struct RequestRates {
    callers: DefaultKeyedRateLimiter<CallerKey>,
    /// The number of callers at which the quiet ones are removed.
    swept_at: AtomicUsize,
}

impl RequestRates {
    /// So many requests a minute of each caller, and as many at once.
    pub fn new(per_minute: u32) -> RequestRates {
        let per_minute = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
        RequestRates {
            callers: RateLimiter::keyed(Quota::per_minute(per_minute)),
            swept_at: AtomicUsize::new(CALLERS_SWEPT_AT),
        }
    }

    /// Counts a request; if it is one too many, how long to wait.
    pub fn ask(&self, caller: CallerKey) -> Result<(), Duration> {
        if self.swept_at.load(Ordering::Relaxed) < self.callers.len() {
            self.callers.retain_recent();
            let swept_at = CALLERS_SWEPT_AT.max(2 * self.callers.len());
            self.swept_at.store(swept_at, Ordering::Relaxed);
        }
        let caller = match caller {
            CallerKey::Address(address) => CallerKey::Address(network(address)),
            caller @ CallerKey::Account(_) => caller,
        };
        self.callers
            .check_key(&caller)
            .map_err(|full| full.wait_time_from(DefaultClock::default().now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        all: 4,
        per_account: 2,
        per_address: 3,
    };

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn there_are_as_many_connections_as_there_may_be_and_who_leaves_makes_room() {
        let connections = Connections::new(LIMITS);
        let (here, there) = (address("10.0.0.1"), address("10.0.0.2"));
        let first = connections.admit(Some("7"), here).unwrap();
        let _second = connections.admit(Some("7"), here).unwrap();
        let refused = |account, address| connections.admit(account, address).err();
        assert_eq!(refused(Some("7"), there), Some(LimitReached::OfAccount));
        let third = connections.admit(Some("8"), here).unwrap();
        assert_eq!(refused(Some("9"), here), Some(LimitReached::FromAddress));
        let _fourth = connections.admit(Some("9"), there).unwrap();
        assert_eq!(refused(None, None), Some(LimitReached::InAll));
        assert_eq!(connections.count(), 4);
        drop(third);
        assert_eq!(refused(Some("7"), here), Some(LimitReached::OfAccount));
        drop(first);
        assert!(connections.admit(Some("7"), here).is_ok());
        assert_eq!(connections.open.lock().by_account.len(), 2);
    }

    #[test]
    fn a_network_of_64_bits_is_one_address() {
        let connections = Connections::new(Limits {
            per_address: 1,
            ..LIMITS
        });
        let _one = connections.admit(None, address("2001:db8::1")).unwrap();
        let again = connections.admit(None, address("2001:db8::2:3"));
        assert_eq!(again.err(), Some(LimitReached::FromAddress));
        assert!(connections.admit(None, address("2001:db8:0:1::1")).is_ok());
        let _four = connections.admit(None, address("::ffff:10.0.0.1")).unwrap();
        let again = connections.admit(None, address("10.0.0.1"));
        assert_eq!(again.err(), Some(LimitReached::FromAddress));
    }

    #[test]
    fn each_caller_asks_so_often_and_no_more() {
        let rates = RequestRates::new(3);
        let caller = |account: &str| CallerKey::Account(account.into());
        for _ in 0..3 {
            assert_eq!(rates.ask(caller("7")), Ok(()));
        }
        let wait = rates.ask(caller("7")).unwrap_err();
        assert!(wait <= Duration::from_secs(20), "{wait:?}");
        assert_eq!(rates.ask(caller("8")), Ok(()));
    }
}
