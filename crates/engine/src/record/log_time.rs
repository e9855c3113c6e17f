//! Log time: the newest `arrived` read, by which ages are measured, and when it is in doubt.
//!
//! Arrival is stamped by a clock, and clocks leap: a machine starts without one, a battery fails, a hand slips. Posts deleted
//! for their age on such a day do not come back with the right time. So log time that leaps over more than [`LEAP`] without a
//! record is in doubt, and no post is deleted for its age until one of three things: the log goes on for as long again by its
//! own time; records fill the gap, as they do where partitions are not read in order; or the clock comes back. After a true
//! absence retention runs that much later. A record that arrived ahead of the clock does not count.

use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;
use std::time::Duration;

/// So long a time without a record is a leap; so long the log must go on after it.
pub const LEAP: Duration = Duration::from_secs(7 * 86_400);
/// How far ahead of the clock a record may have arrived and count. Other machines' clocks differ, but not by more.
const AHEAD_MAX: Duration = Duration::from_secs(86_400);

/// How far the log's own time has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTime {
    newest: Time,
    leap: Option<Leap>,
}

/// What arrived after a leap, while that is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Leap {
    first: Time,
    newest: Time,
}

/// Why nothing is deleted for its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Nothing arrived from `from` to `to`.
    Leap {
        /// The last that arrived before.
        from: Time,
        /// The first that arrived after.
        to: Time,
    },
    /// The clock has gone back behind what has arrived.
    Ahead {
        /// The newest that has arrived.
        newest: Time,
    },
}

impl LogTime {
    /// Log time that has come as far as `newest`.
    pub fn at(newest: Time) -> LogTime {
        LogTime { newest, leap: None }
    }

    /// The newest arrival, without a leap in doubt.
    pub fn newest(&self) -> Time {
        self.newest
    }

    /// Takes note of a record that says it arrived at `arrived`; `now` is the clock's time.
    pub fn read(&mut self, arrived: Time, now: Time) {
        if now.plus(AHEAD_MAX) < arrived {
            return;
        }
        if self.newest < Time::EARLIEST || arrived <= self.newest.plus(LEAP) {
            self.newest = self.newest.max(arrived);
            // Records are read in no order where there are several partitions, or old ones were imported: what comes later
            // may fill the gap.
            if let Some(leap) = self
                .leap
                .take_if(|leap| leap.first <= self.newest.plus(LEAP))
            {
                self.newest = self.newest.max(leap.newest);
            }
            return;
        }
        let leap = match self.leap {
            // Where hardly anything arrives each record is a leap: one that is read as it arrives goes on from the last.
            Some(leap) if arrived <= leap.newest.plus(LEAP) || now <= arrived.plus(AHEAD_MAX) => {
                Leap {
                    first: match leap.first <= arrived.plus(LEAP) {
                        true => leap.first.min(arrived),
                        false => leap.first,
                    },
                    newest: leap.newest.max(arrived),
                }
            }
            _ => Leap {
                first: arrived,
                newest: arrived,
            },
        };
        self.leap = Some(leap);
        if leap.first.plus(LEAP) <= leap.newest {
            *self = LogTime::at(leap.newest);
        }
    }

    /// Why nothing may be deleted for its age, if that is so. A leap that lies ahead of the clock is over.
    pub fn doubt(&mut self, now: Time) -> Option<Doubt> {
        let is_ahead = |time: Time| now.plus(AHEAD_MAX) < time;
        self.leap.take_if(|leap| is_ahead(leap.newest));
        match self.leap {
            _ if is_ahead(self.newest) => Some(Doubt::Ahead {
                newest: self.newest,
            }),
            Some(leap) => Some(Doubt::Leap {
                from: self.newest,
                to: leap.first,
            }),
            None => None,
        }
    }

    /// Whether the clock is much further than any record that was read: the clock may have leapt.
    pub fn is_far_behind(&self, now: Time) -> bool {
        Time::EARLIEST <= self.newest && self.newest.plus(LEAP) < now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn day(day: i64) -> Time {
        Time::from_millis(20_000 * DAY + day * DAY)
    }

    /// A record on each of these days, as the clock has it.
    fn read(log_time: &mut LogTime, days: impl IntoIterator<Item = i64>) {
        for at in days {
            log_time.read(day(at), day(at));
        }
    }

    /// Were this to fail, whoever says that it arrived in some days would make every post so much older.
    #[test]
    fn a_record_from_more_than_a_day_ahead_of_the_clock_does_not_count() {
        let mut log_time = LogTime::at(day(9));
        log_time.read(day(12), day(9));
        assert_eq!(log_time.newest(), day(9));
        log_time.read(day(10), day(9));
        assert_eq!(log_time.newest(), day(10), "clocks differ by so much");
    }

    /// Were this to fail, a clock that is wrong for a day would delete what nobody can bring back.
    #[test]
    fn a_leap_is_in_doubt_until_the_log_has_gone_on_for_as_long() {
        let mut log_time = LogTime::default();
        read(&mut log_time, [0, 1, 2, 9]);
        assert_eq!(log_time.doubt(day(9)), None);
        read(&mut log_time, [409, 410, 415]);
        let doubt = Doubt::Leap {
            from: day(9),
            to: day(409),
        };
        assert_eq!(log_time.doubt(day(415)), Some(doubt));
        assert_eq!(log_time.newest(), day(9));
        // Another leap is no proof of the first, unless it was read as it arrived.
        log_time.read(day(500), day(600));
        assert!(log_time.doubt(day(600)).is_some());
        read(&mut log_time, [503, 507]);
        assert_eq!(log_time.doubt(day(507)), None);
        assert_eq!(log_time.newest(), day(507));
    }

    /// Were this to fail, nothing would ever be deleted again after a quiet partition was read before a busy one.
    #[test]
    fn a_leap_is_none_once_the_log_itself_fills_the_gap() {
        // A consumer was away for eight days, and the partition that is read first was quiet.
        let mut log_time = LogTime::default();
        for arrived in [0, 9, 10] {
            log_time.read(day(arrived), day(10));
        }
        assert!(log_time.doubt(day(10)).is_some());
        for arrived in [1, 2] {
            log_time.read(day(arrived), day(10));
        }
        assert_eq!(log_time.doubt(day(10)), None);
        assert_eq!(log_time.newest(), day(10));
        // Backwards.
        let mut log_time = LogTime::default();
        for arrived in [0, 20, 15, 10] {
            log_time.read(day(arrived), day(30));
        }
        assert_eq!(
            (log_time.newest(), log_time.doubt(day(30))),
            (day(20), None)
        );
    }

    /// Were this to fail, an instance that hears little would never delete anything.
    #[test]
    fn a_record_every_eight_days_is_enough_for_time_to_go_on() {
        let mut log_time = LogTime::default();
        read(&mut log_time, (0..=80).step_by(8));
        assert_eq!(
            (log_time.newest(), log_time.doubt(day(80))),
            (day(80), None)
        );
    }

    #[test]
    fn a_leap_is_over_when_the_clock_comes_back() {
        let mut log_time = LogTime::default();
        read(&mut log_time, [0, 400]);
        assert!(log_time.doubt(day(400)).is_some());
        assert_eq!(log_time.doubt(day(1)), None);
        read(&mut log_time, [1, 2]);
        assert_eq!((log_time.newest(), log_time.doubt(day(2))), (day(2), None));
    }

    /// Were this to fail, one record of a producer with a wrong clock would keep everything for ever.
    #[test]
    fn what_arrived_ahead_of_the_clock_does_not_count() {
        let mut log_time = LogTime::default();
        read(&mut log_time, [0]);
        log_time.read(day(300), day(1));
        read(&mut log_time, [1]);
        assert_eq!((log_time.newest(), log_time.doubt(day(1))), (day(1), None));
    }

    #[test]
    fn a_clock_that_went_back_deletes_nothing() {
        let mut log_time = LogTime::default();
        read(&mut log_time, [400, 401]);
        read(&mut log_time, [0]);
        let newest = day(401);
        assert_eq!(log_time.doubt(day(0)), Some(Doubt::Ahead { newest }));
        assert_eq!(log_time.doubt(day(401)), None);
    }

    #[test]
    fn a_clock_that_ran_on_without_the_log_is_seen() {
        let mut log_time = LogTime::default();
        assert!(!log_time.is_far_behind(day(0)));
        read(&mut log_time, [0]);
        assert!(!log_time.is_far_behind(day(7)));
        assert!(log_time.is_far_behind(day(8)));
    }
}
