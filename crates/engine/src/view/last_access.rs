//! When accounts were last seen, which of them sleep for that, and which of those are asked for.
//!
//! An account is seen when one of its feeds is read or a relation of it is taken in. Ages are in log time and rounded to
//! the hour, so that a look costs the reading of two numbers, and writing one an hour.

use crate::feed::store::LastSeen;
use crate::graph::AccountIx;
use crate::watch;
use hashbrown::HashSet;
use parking_lot::{Mutex, RwLock};
use slackwater_order::time::Time;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Sleeping accounts that may be asked for at once. More are told to come back.
const REQUESTS_MAX: usize = 1_000;

/// Not known yet: it counts as seen when the next round comes by.
const UNKNOWN: u32 = 0;
const INACTIVE: u32 = u32::MAX;
/// Hours after each other that are no leap.
const LEAP: u32 = 2;

/// Who was seen when. The pipeline decides who sleeps; readers say whom they look at, and ask for those that sleep.
#[derive(Debug, Default)]
pub struct LastAccess {
    /// The hour of log time that counts as now; [`UNKNOWN`] while the log is being caught up with.
    hour: AtomicU32,
    /// By account: the hour it was last seen in, [`UNKNOWN`] or [`INACTIVE`].
    hours: RwLock<Vec<AtomicU32>>,
    /// Not stored yet.
    changed: Mutex<HashSet<AccountIx>>,
    /// Those of them whose feeds are not stored either: stored awake, they would be without any after a crash.
    active_unstored: Mutex<HashSet<AccountIx>>,
    requests: Mutex<HashSet<AccountIx>>,
    /// Changes whenever some have woken.
    activated: watch::Sender<()>,
}

/// Too many sleeping accounts are asked for at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many feeds are being rebuilt at once: come back in a moment")]
pub struct TooManyRequests;

impl LastAccess {
    /// An account is seen now. One that sleeps sleeps on.
    pub fn note(&self, account: AccountIx) {
        let now = self.hour.load(Ordering::Relaxed);
        if self.get(account) != now {
            self.change(account, |hour| (hour != INACTIVE).then_some(now));
        }
    }

    /// Whether it sleeps: it has no feeds to be read.
    pub fn is_inactive(&self, account: AccountIx) -> bool {
        self.get(account) == INACTIVE
    }

    /// Waits until an account that sleeps has its feeds again.
    pub async fn until_active(&self, account: AccountIx) -> Result<(), TooManyRequests> {
        let mut activated = self.activated.subscribe();
        while self.is_inactive(account) {
            self.request_feeds(account)?;
            // The sender lives as long as this.
            let _ = activated.changed().await;
        }
        Ok(())
    }

    /// Asks that an account that sleeps has its feeds again.
    pub fn request_feeds(&self, account: AccountIx) -> Result<(), TooManyRequests> {
        let mut requests = self.requests.lock();
        if REQUESTS_MAX <= requests.len() && !requests.contains(&account) {
            return Err(TooManyRequests);
        }
        requests.insert(account);
        Ok(())
    }

    /// From now on this is the hour. The pipeline's, as the rest is. Where log time leaps, because nothing arrived for long,
    /// those seen in the hour it had stood at are seen now: they may have been all along.
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

    /// Whether this account has not been seen for so long, and is awake. One of which nothing is known is seen now.
    pub fn is_overdue(&self, account: AccountIx, inactive_after: Duration) -> bool {
        match self.get(account) {
            INACTIVE => false,
            UNKNOWN => {
                self.note(account);
                false
            }
            seen => {
                // Seen at the end of its hour, for all that is known.
                let hours = inactive_after.as_secs().div_ceil(3_600).saturating_add(1);
                let now = self.hour.load(Ordering::Relaxed);
                hours <= u64::from(now.saturating_sub(seen))
            }
        }
    }

    /// It has no feeds from now on.
    pub fn mark_inactive(&self, account: AccountIx) {
        self.change(account, |_| Some(INACTIVE));
    }

    /// These have their feeds again, and are seen: whoever waits for them is told.
    pub fn mark_active(&self, accounts: &[AccountIx]) {
        let now = self.hour.load(Ordering::Relaxed);
        self.active_unstored.lock().extend(accounts);
        for account in accounts {
            self.change(*account, |_| Some(now));
        }
        if !accounts.is_empty() {
            self.activated.send_replace(());
        }
    }

    /// It was removed: should it come back, nothing is known of it.
    pub fn forget(&self, account: AccountIx) {
        self.change(account, |_| Some(UNKNOWN));
        self.activated.send_replace(());
    }

    /// As stored.
    pub fn restore(&self, account: AccountIx, last_seen: LastSeen) {
        let hour = match last_seen {
            LastSeen::Inactive => INACTIVE,
            LastSeen::At(time) => hour_of(time),
        };
        self.change(account, |_| Some(hour));
        self.changed.lock().remove(&account);
    }

    /// Those that sleep and were asked for since the last call.
    pub fn take_requests(&self) -> Vec<AccountIx> {
        let requests = std::mem::take(&mut *self.requests.lock());
        requests
            .into_iter()
            .filter(|account| self.is_inactive(*account))
            .collect()
    }

    /// Whether some that sleep are asked for.
    pub fn has_requests(&self) -> bool {
        !self.requests.lock().is_empty()
    }

    /// What changed since the last call, to be stored with what is new in feeds; none: nothing is known.
    pub fn unstored(&self) -> Vec<(AccountIx, Option<LastSeen>)> {
        self.active_unstored.lock().clear();
        let changed = std::mem::take(&mut *self.changed.lock());
        let row = |account| (account, self.last_seen(account));
        changed.into_iter().map(row).collect()
    }

    /// As [`Self::unstored`], to be stored alone: what must not be before the feeds are is left to that.
    pub fn unstored_alone(&self) -> Vec<(AccountIx, Option<LastSeen>)> {
        let activated = self.active_unstored.lock();
        let mut rows = Vec::new();
        self.changed.lock().retain(|account| {
            let last_seen = self.last_seen(*account);
            let may_be_stored = match last_seen {
                // Its feeds may go from the folder later.
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

    fn change(&self, account: AccountIx, to: impl Fn(u32) -> Option<u32>) {
        if self.hours.read().len() <= account.number() {
            let mut hours = self.hours.write();
            let more = (account.number() + 1).saturating_sub(hours.len());
            hours.extend(std::iter::repeat_with(AtomicU32::default).take(more));
        }
        let hours = self.hours.read();
        let changed = hours.get(account.number()).is_some_and(|hour| {
            hour.fetch_update(Ordering::AcqRel, Ordering::Acquire, to)
                .is_ok()
        });
        if changed {
            self.changed.lock().insert(account);
        }
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
