//! When what is old may go: log time, and whether to believe it, and the clock. It is kept with every checkpoint, so that a leap that is
//! in doubt is so after a restart too.

use crate::feed::store::Store;
use crate::feed::store::disk::DiskError;
use crate::record::log_time::{Doubt, LogTime};
use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;
use std::time::Duration;

/// Under which name the data folder keeps it.
const AGES: &str = "ages";
/// A clock that has gone on evenly for so long is believed, whatever was written: somebody would have set it right.
const BELIEVED_AFTER: Duration = Duration::from_secs(86_400);
/// A clock that is further off from what it should have come to has leapt.
const SLIP_MAX: Duration = Duration::from_secs(3_600);

/// Two times of the log.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct RetentionClock {
    /// When activities arrived: by this their ages are measured.
    arrived: LogTime,
    /// When records of any kind were written: what clocks said of late.
    written: LogTime,
    /// The doubt that was logged last.
    #[serde(skip)]
    told: Option<Doubt>,
    /// Since when the clock has gone on evenly: its time, and how long this process had run.
    #[serde(skip)]
    even_since: Option<(Time, Duration)>,
    /// Whether the log was told that the clock is in doubt.
    #[serde(skip)]
    clock_told: bool,
}

impl RetentionClock {
    /// As the last checkpoint had it; a folder from before it was kept has only the log time.
    pub(super) fn stored(store: &Store, log_time: Time) -> Result<RetentionClock, DiskError> {
        let stored = store.meta::<RetentionClock>(AGES)?;
        Ok(stored.unwrap_or(RetentionClock::at(log_time)))
    }

    fn at(log_time: Time) -> RetentionClock {
        RetentionClock {
            arrived: LogTime::at(log_time),
            written: LogTime::at(log_time),
            told: None,
            even_since: None,
            clock_told: false,
        }
    }

    /// Keeps it. Before the offsets that it reflects: what is read again changes nothing.
    pub(super) fn store(&self, store: &Store) -> Result<(), DiskError> {
        store.put_meta(AGES, self)
    }

    /// An activity arrived; log time since then.
    pub(super) fn arrived(&mut self, arrived: Time, now: Time) -> Time {
        self.arrived.read(arrived, now);
        self.arrived.newest()
    }

    /// A record was written.
    pub(super) fn written(&mut self, timestamp: Time, now: Time) {
        self.written.read(timestamp, now);
    }

    /// Whether nothing may be deleted for its age; tells when that begins and when it ends. The clock is only a brake
    /// here: it decides when to drop things, never what is so.
    pub(super) fn are_in_doubt(&mut self, now: Time) -> bool {
        let doubt = self.arrived.doubt(now);
        if doubt != self.told {
            match doubt {
                Some(Doubt::Leap { from, to }) => {
                    let (from, to) = (from.rfc3339(), to.rfc3339());
                    tracing::error!(
                        %from, %to,
                        "time leaps: nothing arrived from {from} to {to}. Nothing is deleted for its age before the log has gone \
                         on for a week from there: is the clock right?"
                    );
                }
                Some(Doubt::Ahead { newest }) => {
                    let newest = newest.rfc3339();
                    tracing::error!(
                        %newest,
                        "a record arrived at {newest}, ahead of the clock: nothing is deleted for its age. Is the clock right?"
                    );
                }
                None => tracing::info!("time goes on: what is old is deleted again"),
            }
            self.told = doubt;
        }
        doubt.is_some()
    }

    /// Whether the clock may have leapt since records were last written. While it may have, no mute ends: the removal of a mute is a record,
    /// which stays when the clock is right again. Logs when the doubt begins and when it ends. `run` is how long this process has run, by a
    /// stopwatch, which does not leap.
    ///
    /// Where hardly anything is written, records confirm no clock, so a clock that has gone on evenly for a day is believed.
    pub(super) fn clock_is_in_doubt(&mut self, now: Time, run: Duration) -> bool {
        let is_even = self.goes_evenly(now, run);
        let is_borne_out = !self.written.is_far_behind(now) && self.written.doubt(now).is_none();
        let is_in_doubt = !is_even && !is_borne_out;
        if is_in_doubt != self.clock_told {
            match is_in_doubt {
                true => {
                    let (now, newest) = (now.rfc3339(), self.written.newest().rfc3339());
                    tracing::warn!(
                        %now, %newest,
                        "the clock says {now}, and what was last written before is from {newest}: no mute ends by its time before \
                         the clock has gone on evenly for a day, or the log for a week. Is the clock right?"
                    );
                }
                false => tracing::info!("the clock is believed: mutes end by their time again"),
            }
            self.clock_told = is_in_doubt;
        }
        is_in_doubt
    }

    /// Whether anything is in doubt, as it was told last.
    pub(super) fn is_anything_in_doubt(&self) -> bool {
        self.told.is_some() || self.clock_told
    }

    fn goes_evenly(&mut self, now: Time, run: Duration) -> bool {
        let (since, run_then) = *self.even_since.get_or_insert((now, run));
        let went = run.saturating_sub(run_then);
        let due = since.plus(went);
        if due.plus(SLIP_MAX) < now || now.plus(SLIP_MAX) < due {
            self.even_since = Some((now, run));
            return false;
        }
        BELIEVED_AFTER <= went
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn hour(hour: u32) -> Time {
        Time::from_millis(1_700_000_000_000).plus(HOUR * hour)
    }

    /// If this fails, a mute never ends on an instance that hears little, or one ends on a day that has not come.
    #[test]
    fn a_clock_that_nothing_bears_out_is_believed_once_it_has_gone_on_evenly_for_a_day() {
        let mut ages = RetentionClock::at(hour(0));
        let mut check = |at: u32, run: u32, is_in_doubt: bool| {
            let found = ages.clock_is_in_doubt(hour(at), HOUR * run);
            assert_eq!(found, is_in_doubt, "hour {at} after {run} hours");
            assert_eq!(ages.is_anything_in_doubt(), is_in_doubt);
        };
        // A week and more without a record.
        check(7 * 24, 0, false);
        check(7 * 24 + 1, 1, true);
        check(9 * 24, 2, true);
        check(10 * 24 - 1, 25, true);
        check(10 * 24, 26, false);
        // The clock leaps, and comes back.
        check(99 * 24, 27, true);
        check(100 * 24, 51, false);
        check(10 * 24 + 26, 52, true);
        check(11 * 24 + 26, 76, false);
    }
}
