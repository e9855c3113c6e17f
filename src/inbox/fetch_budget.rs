//! How often keys are fetched, and how many requests wait for them: so many of all servers below one domain, so that nobody can use
//! this service to flood another server, nor keep the keys of all others waiting.

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use hashbrown::HashMap;
use parking_lot::Mutex;
use slackwater_engine::host::registrable_domain;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

/// The most fetches at once.
const FETCHES_MAX: usize = 128;
/// The most fetches at once below one registrable domain: a slow server leaves room for all others.
const OF_DOMAIN_MAX: usize = 8;
/// The most fetches of a minute below one registrable domain, and as many at once after a rest: after a start all authors of a large
/// server are new.
const OF_DOMAIN_PER_MINUTE: NonZeroU32 = NonZeroU32::new(600).unwrap();
/// The most keys of a minute below one registrable domain that are fetched again for signatures that they did not make.
const AGAIN_OF_DOMAIN_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// The most requests that wait for keys below one registrable domain; to more there is no room.
const OF_DOMAIN_WAITING_MAX: usize = 256;
/// How long a fetch waits for another of its domain to end before it is looked for again.
const OTHER_WAIT: Duration = Duration::from_millis(100);
/// The number of domains at which those that were quiet for a while are removed.
const DOMAINS_SWEPT_AT: usize = 10_000;

/// The fetches there may be.
#[derive(Debug)]
pub(super) struct FetchBudget {
    all: Semaphore,
    running: Counts,
    waiting: Counts,
    rates: DefaultKeyedRateLimiter<String>,
    rates_again: DefaultKeyedRateLimiter<String>,
    swept_at: AtomicUsize,
}

/// How many there are of each domain.
#[derive(Debug, Default)]
struct Counts(Mutex<HashMap<String, usize>>);

/// One that counts until this is dropped.
pub(super) struct Counted<'a> {
    counts: &'a Counts,
    domain: String,
}

/// A fetch that counts until this is dropped.
pub(super) struct FetchTurn<'a> {
    _counted: Counted<'a>,
    _permit: SemaphorePermit<'a>,
}

impl FetchBudget {
    pub(super) fn new() -> FetchBudget {
        FetchBudget {
            all: Semaphore::new(FETCHES_MAX),
            running: Counts::default(),
            waiting: Counts::default(),
            rates: RateLimiter::keyed(Quota::per_minute(OF_DOMAIN_PER_MINUTE)),
            rates_again: RateLimiter::keyed(Quota::per_minute(AGAIN_OF_DOMAIN_PER_MINUTE)),
            swept_at: AtomicUsize::new(DOMAINS_SWEPT_AT),
        }
    }

    /// Room for a request that waits for a key from the host of this URL; none if too many do.
    pub(super) fn wait(&self, url: &Url) -> Option<Counted<'_>> {
        self.waiting.add(domain_of(url), OF_DOMAIN_WAITING_MAX)
    }

    /// Whether a key may be fetched again from the host of this URL, for a signature that it did not make.
    pub(super) fn may_fetch_again(&self, url: &Url) -> bool {
        self.rates_again.check_key(&domain_of(url)).is_ok()
    }

    /// A turn to fetch from the host of a URL, once there is one.
    pub(super) async fn turn(&self, url: &Url) -> FetchTurn<'_> {
        loop {
            match self.try_turn(url) {
                Ok(turn) => return turn,
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// A turn to fetch from the host of a URL. Errors: how long to wait until there may be one.
    fn try_turn(&self, url: &Url) -> Result<FetchTurn<'_>, Duration> {
        let domain = domain_of(url);
        let permit = self.all.try_acquire().map_err(|_| OTHER_WAIT)?;
        let counted = self.running.add(domain, OF_DOMAIN_MAX).ok_or(OTHER_WAIT)?;
        self.sweep();
        let checked = self.rates.check_key(&counted.domain);
        checked.map_err(|full| full.wait_time_from(DefaultClock::default().now()))?;
        Ok(FetchTurn {
            _counted: counted,
            _permit: permit,
        })
    }

    fn sweep(&self) {
        if self.swept_at.load(Ordering::Relaxed) < self.rates.len() {
            self.rates.retain_recent();
            // What is fetched again has a turn, and so is among the others.
            self.rates_again.retain_recent();
            let swept_at = DOMAINS_SWEPT_AT.max(2 * self.rates.len());
            self.swept_at.store(swept_at, Ordering::Relaxed);
        }
    }
}

impl Counts {
    /// One more of a domain, if there are fewer than so many.
    fn add(&self, domain: String, max: usize) -> Option<Counted<'_>> {
        let mut counts = self.0.lock();
        let count = counts.entry(domain.clone()).or_default();
        if max <= *count {
            return None;
        }
        *count += 1;
        Some(Counted {
            counts: self,
            domain,
        })
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock();
        if let Some(count) = counts.get_mut(&self.domain) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.domain);
            }
        }
    }
}

fn domain_of(url: &Url) -> String {
    registrable_domain(url.host_str().unwrap_or_default()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(host: &str) -> Url {
        Url::parse(&format!("https://{host}/users/ana")).unwrap()
    }

    /// Were this to fail, one server that answers slowly, under however many names, would keep all other keys waiting.
    #[test]
    fn one_domain_has_a_share_and_no_more() {
        let budget = FetchBudget::new();
        let turns: Vec<_> = (0..OF_DOMAIN_MAX)
            .map(|n| budget.try_turn(&url(&format!("n{n}.a.example"))))
            .collect();
        assert!(turns.iter().all(Result::is_ok));
        assert!(budget.try_turn(&url("other.a.example")).is_err());
        assert!(budget.try_turn(&url("b.example")).is_ok());
        drop(turns);
        assert!(budget.try_turn(&url("other.a.example")).is_ok());
        assert!(budget.running.0.lock().is_empty());
    }

    #[test]
    fn so_many_requests_wait_for_one_domain() {
        let budget = FetchBudget::new();
        let waits: Vec<_> = (0..=OF_DOMAIN_WAITING_MAX)
            .map(|n| budget.wait(&url(&format!("n{n}.a.example"))))
            .collect();
        let count = waits.iter().filter(|it| it.is_some()).count();
        assert_eq!(count, OF_DOMAIN_WAITING_MAX);
        assert!(budget.wait(&url("b.example")).is_some());
        drop(waits);
        assert!(budget.waiting.0.lock().is_empty());
    }

    #[test]
    fn a_domain_is_asked_so_often_in_a_minute() {
        let budget = FetchBudget::new();
        // One comes back every tenth of a second.
        let wait = (0..2 * OF_DOMAIN_PER_MINUTE.get())
            .find_map(|_| budget.try_turn(&url("a.example")).err());
        assert!(wait.unwrap() <= Duration::from_millis(100), "{wait:?}");
        assert!(budget.running.0.lock().is_empty());
        assert!(budget.try_turn(&url("b.example")).is_ok());
    }

    #[test]
    fn made_up_signatures_have_keys_fetched_again_so_often() {
        let budget = FetchBudget::new();
        let again = |host: &str| budget.may_fetch_again(&url(host));
        let count = (0..100).filter(|_| again("a.example")).count();
        assert!((60..=61).contains(&count), "{count}");
        assert!(again("b.example"));
        // Keys that are not known have turns of their own.
        assert!(budget.try_turn(&url("a.example")).is_ok());
    }

    #[test]
    fn there_are_so_many_at_once() {
        let budget = FetchBudget::new();
        let turns: Vec<_> = (0..=FETCHES_MAX)
            .map(|n| budget.try_turn(&url(&format!("host{n}.example"))))
            .collect();
        assert_eq!(turns.iter().filter(|it| it.is_ok()).count(), FETCHES_MAX);
    }
}
