//! When accounts were last active, which accounts are inactive and have no feeds, and whose feeds a reader has requested.
//!
//! An account is active when one of its feeds is read or one of its relations comes. Ages are in log time and rounded to the hour, so
//! that a snapshot reads two numbers, and writes one in an hour.

use crate::feed::store::LastSeen;
use crate::graph::AccountIx;
use crate::watch;
use hashbrown::HashSet;
use parking_lot::{Mutex, RwLock};
use slackwater_order::time::Time;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// The most inactive accounts whose feeds may be requested at once. Readers of others have to come back.
const REQUESTS_MAX: usize = 1_000;

/// Nothing is known of the account: it counts as active when the next round comes by.
const UNKNOWN: u32 = 0;
const INACTIVE: u32 = u32::MAX;
/// Hours after each other that are no leap.
const LEAP: u32 = 2;

/// The table of last accesses. The engine decides which accounts are inactive. Readers note whose feeds they read, and request the feeds
/// of inactive accounts.
#[derive(Debug, Default)]
pub struct LastAccess {
    /// The hour of log time that counts as now; [`UNKNOWN`] while the log is being caught up with.
    hour: AtomicU32,
    /// By account: the hour in which it was last active, [`UNKNOWN`] or [`INACTIVE`].
    hours: RwLock<Vec<AtomicU32>>,
    /// The accounts whose rows are not stored yet.
    changed: Mutex<HashSet<AccountIx>>,
    /// Those of them whose feeds are not stored either: an account stored as active without its feeds would have none after a crash.
    active_unstored: Mutex<HashSet<AccountIx>>,
    requests: Mutex<HashSet<AccountIx>>,
    /// Changes whenever accounts have become active, or requests may be granted that were not before.
    activated: watch::Sender<()>,
    /// How many are inactive.
    asleep: AtomicUsize,
    /// How many became active again, since the start.
    woken: AtomicU64,
}

/// The feeds of too many inactive accounts are requested at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many feeds are being rebuilt at once: come back in a moment")]
pub struct TooManyRequests;

impl LastAccess {
    /// An account is active now. An inactive one stays inactive until it has its feeds.
    pub fn note(&self, account: AccountIx) {
        let now = self.hour.load(Ordering::Relaxed);
        if self.get(account) != now {
            self.change(account, |hour| (hour != INACTIVE).then_some(now));
        }
    }

    /// Whether an account is inactive: it has no feeds to be read.
    pub fn is_inactive(&self, account: AccountIx) -> bool {
        self.get(account) == INACTIVE
    }

    /// Waits until an inactive account has its feeds again.
    pub async fn until_active(&self, account: AccountIx) -> Result<(), TooManyRequests> {
        let mut activated = self.activated.subscribe();
        while self.is_inactive(account) {
            self.request_feeds(account)?;
            // The sender lives as long as this.
            let _ = activated.changed().await;
        }
        Ok(())
    }

    /// Requests the feeds of an inactive account. The engine passes over a request for an account whose feeds it does not keep
    /// ([`crate::kept::Kept`]); whoever waits for it goes on asking when other accounts are kept.
    pub fn request_feeds(&self, account: AccountIx) -> Result<(), TooManyRequests> {
        let mut requests = self.requests.lock();
        if REQUESTS_MAX <= requests.len() && !requests.contains(&account) {
            return Err(TooManyRequests);
        }
        requests.insert(account);
        Ok(())
    }

    /// Sets the hour that counts as now. Only the engine calls this and what follows. Where log time leaps, because nothing arrived for
    /// long, the accounts of the hour before the leap are active now: they may have been all along.
    pub fn set_now(&self, log_time: Time) {
        let now = hour_of(log_time);
        let before = self.hour.swap(now, Ordering::Relaxed);
        if before == UNKNOWN || now <= before.saturating_add(LEAP) {
            return;
        }
        let hours = self.hours.read();
        let mut changed = self.changed.lock();
        for (number, hour) in hours.iter().enumerate() {
            let seen = hour.compare_exchange(before, now, Ordering::AcqRel, Ordering::Acquire);
            if seen.is_ok() {
                changed.insert(AccountIx::from_number(number));
            }
        }
    }

    /// Whether an active account was last active so long ago. An account of which nothing is known counts as active now.
    pub fn is_overdue(&self, account: AccountIx, inactive_after: Duration) -> bool {
        match self.get(account) {
            INACTIVE => false,
            UNKNOWN => {
                self.note(account);
                false
            }
            seen => {
                // It may have been active at the very end of its hour.
                let hours = inactive_after.as_secs().div_ceil(3_600).saturating_add(1);
                let now = self.hour.load(Ordering::Relaxed);
                hours <= u64::from(now.saturating_sub(seen))
            }
        }
    }

    /// The account has no feeds from now on.
    pub fn mark_inactive(&self, account: AccountIx) {
        self.change(account, |_| Some(INACTIVE));
    }

    /// These accounts have their feeds again and are active now: readers who wait for them go on.
    pub fn mark_active(&self, accounts: &[AccountIx]) {
        let now = self.hour.load(Ordering::Relaxed);
        self.active_unstored.lock().extend(accounts);
        for account in accounts {
            if self.change(*account, |_| Some(now)) == Some(INACTIVE) {
                self.woken.fetch_add(1, Ordering::Relaxed);
            }
        }
        if !accounts.is_empty() {
            self.activated.send_replace(());
        }
    }

    /// The account was removed: should it come back, nothing is known of it.
    pub fn forget(&self, account: AccountIx) {
        self.change(account, |_| Some(UNKNOWN));
        self.activated.send_replace(());
    }

    /// Takes over a stored row.
    pub fn restore(&self, account: AccountIx, last_seen: LastSeen) {
        let hour = match last_seen {
            LastSeen::Inactive => INACTIVE,
            LastSeen::At(time) => hour_of(time),
        };
        self.change(account, |_| Some(hour));
        self.changed.lock().remove(&account);
    }

    /// The inactive accounts whose feeds were requested since the last call.
    pub fn take_requests(&self) -> Vec<AccountIx> {
        let requests = std::mem::take(&mut *self.requests.lock());
        requests
            .into_iter()
            .filter(|account| self.is_inactive(*account))
            .collect()
    }

    /// Other accounts are kept: whoever waits for an inactive one requests its feeds again.
    pub fn request_again(&self) {
        self.activated.send_replace(());
    }

    /// How many accounts are inactive.
    pub fn asleep(&self) -> usize {
        self.asleep.load(Ordering::Relaxed)
    }

    /// How many inactive accounts got their feeds back since the start.
    pub fn woken(&self) -> u64 {
        self.woken.load(Ordering::Relaxed)
    }

    /// How many inactive accounts' feeds are requested.
    pub fn requests(&self) -> usize {
        self.requests.lock().len()
    }

    /// Whether feeds of inactive accounts are requested.
    pub fn has_requests(&self) -> bool {
        !self.requests.lock().is_empty()
    }

    /// The rows that changed since the last call, to be stored together with feeds; none: nothing is known of the account.
    pub fn unstored(&self) -> Vec<(AccountIx, Option<LastSeen>)> {
        self.active_unstored.lock().clear();
        let changed = std::mem::take(&mut *self.changed.lock());
        let row = |account| (account, self.last_seen(account));
        changed.into_iter().map(row).collect()
    }

    /// As [`Self::unstored`], to be stored alone: rows that must not be stored before feeds are left out.
    pub fn unstored_alone(&self) -> Vec<(AccountIx, Option<LastSeen>)> {
        let activated = self.active_unstored.lock();
        let mut rows = Vec::new();
        self.changed.lock().retain(|account| {
            let last_seen = self.last_seen(*account);
            let may_be_stored = match last_seen {
                // Its feeds may be dropped from the folder later.
                Some(LastSeen::Inactive) => true,
                Some(LastSeen::At(_)) => !activated.contains(account),
                // It was removed, and its relations are still there.
                None => false,
            };
            if may_be_stored {
                rows.push((*account, last_seen));
            }
            !may_be_stored
        });
        rows
    }

    fn last_seen(&self, account: AccountIx) -> Option<LastSeen> {
        match self.get(account) {
            UNKNOWN => None,
            INACTIVE => Some(LastSeen::Inactive),
            hour => Some(LastSeen::At(time_of(hour))),
        }
    }

    fn get(&self, account: AccountIx) -> u32 {
        let hours = self.hours.read();
        hours
            .get(account.number())
            .map_or(UNKNOWN, |hour| hour.load(Ordering::Acquire))
    }

    /// Changes the hour of an account, if `to` gives another; what it was before, if it does.
    fn change(&self, account: AccountIx, to: impl Fn(u32) -> Option<u32>) -> Option<u32> {
        if self.hours.read().len() <= account.number() {
            let mut hours = self.hours.write();
            let more = (account.number() + 1).saturating_sub(hours.len());
            hours.extend(std::iter::repeat_with(AtomicU32::default).take(more));
        }
        let hours = self.hours.read();
        let hour = hours.get(account.number())?;
        let before = hour
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, &to)
            .ok()?;
        match (before == INACTIVE, to(before) == Some(INACTIVE)) {
            (false, true) => {
                self.asleep.fetch_add(1, Ordering::Relaxed);
            }
            (true, false) => {
                self.asleep.fetch_sub(1, Ordering::Relaxed);
            }
            _ => {}
        }
        self.changed.lock().insert(account);
        Some(before)
    }
}

/// Hours since 1970, and one, so that none is [`UNKNOWN`].
fn hour_of(time: Time) -> u32 {
    u32::try_from(time.millis() / 3_600_000 + 1)
        .unwrap_or(UNKNOWN)
        .min(INACTIVE - 1)
}

fn time_of(hour: u32) -> Time {
    Time::from_millis((i64::from(hour) - 1) * 3_600_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, yield_now, zip};

    const DAY: Duration = Duration::from_secs(86_400);

    fn account(n: usize) -> AccountIx {
        AccountIx::from_number(n)
    }

    fn noon() -> Time {
        Time::from_millis(1_763_812_800_000)
    }

    /// Were this to fail, a feed would be dropped under its reader's eyes, or be kept for nobody.
    #[test]
    fn an_account_is_overdue_when_it_was_not_seen_for_so_long() {
        let last_access = LastAccess::default();
        let hour = Duration::from_secs(3_600);
        last_access.set_now(noon());
        last_access.note(account(1));
        last_access.set_now(noon().plus(hour));
        let check = |n, after: Duration, expected| {
            last_access.set_now(noon().plus(after));
            assert_eq!(
                last_access.is_overdue(account(n), 14 * DAY),
                expected,
                "{n} {after:?}"
            );
        };
        check(1, 14 * DAY, false);
        check(1, 14 * DAY + hour, true);
        check(0, 14 * DAY, false);
        last_access.set_now(noon().plus(14 * DAY + hour));
        check(0, 28 * DAY, false);
        check(0, 28 * DAY + hour, true);
        last_access.note(account(0));
        check(0, 40 * DAY, false);
    }

    /// Were this to fail, all would sleep after a quiet fortnight, whoever read meanwhile.
    #[test]
    fn who_was_seen_in_the_hour_that_log_time_stood_at_is_seen_when_it_leaps() {
        let last_access = LastAccess::default();
        last_access.set_now(noon());
        last_access.note(account(0));
        last_access.set_now(noon().plus(Duration::from_secs(7_200)));
        last_access.note(account(1));
        last_access.set_now(noon().plus(30 * DAY));
        assert!(last_access.is_overdue(account(0), 14 * DAY));
        assert!(!last_access.is_overdue(account(1), 14 * DAY));
        assert!(last_access.changed.lock().contains(&account(1)));
    }

    #[test]
    fn nobody_is_overdue_for_what_was_seen_while_the_log_was_caught_up_with() {
        let last_access = LastAccess::default();
        last_access.note(account(0));
        last_access.set_now(noon());
        assert!(!last_access.is_overdue(account(0), DAY));
        last_access.set_now(noon().plus(Duration::from_secs(3_600)));
        last_access.set_now(noon().plus(2 * DAY));
        assert!(last_access.is_overdue(account(0), DAY), "but from then on");
    }

    #[test]
    fn a_look_wakes_nobody_by_itself_and_what_changed_is_stored_once() {
        let last_access = LastAccess::default();
        last_access.set_now(noon());
        last_access.note(account(0));
        last_access.note(account(0));
        last_access.mark_inactive(account(1));
        last_access.note(account(1));
        let mut unstored = last_access.unstored();
        unstored.sort_unstable_by_key(|(account, _)| *account);
        assert_eq!(
            unstored,
            [
                (account(0), Some(LastSeen::At(noon()))),
                (account(1), Some(LastSeen::Inactive))
            ]
        );
        assert_eq!(last_access.unstored(), []);
        last_access.forget(account(1));
        assert_eq!(last_access.unstored(), [(account(1), None)]);
        let again = LastAccess::default();
        again.restore(account(0), LastSeen::At(noon()));
        again.restore(account(1), LastSeen::Inactive);
        assert!(again.is_inactive(account(1)) && !again.is_inactive(account(0)));
        assert_eq!(again.unstored(), []);
    }

    #[test]
    fn whoever_waits_for_a_sleeping_account_goes_on_when_it_woke() {
        let last_access = LastAccess::default();
        assert_eq!(block_on(last_access.until_active(account(3))), Ok(()));
        last_access.mark_inactive(account(3));
        let wakes = async {
            while !last_access.has_requests() {
                yield_now().await;
            }
            let requests = last_access.take_requests();
            assert_eq!(requests, [account(3)]);
            last_access.mark_active(&[account(7)]);
            yield_now().await;
            last_access.mark_active(&requests);
        };
        let (until_active, ()) = block_on(zip(last_access.until_active(account(3)), wakes));
        assert_eq!(until_active, Ok(()));
        assert!(!last_access.is_inactive(account(3)));
    }

    #[test]
    fn no_more_are_asked_for_than_can_be() {
        let last_access = LastAccess::default();
        for n in 0..REQUESTS_MAX {
            last_access.mark_inactive(account(n));
            last_access.requests.lock().insert(account(n));
        }
        last_access.mark_inactive(account(REQUESTS_MAX));
        assert_eq!(
            block_on(last_access.until_active(account(REQUESTS_MAX))),
            Err(TooManyRequests)
        );
    }
}
