//! Processing time: the only file that asks the machine what time it is. Everything else is given `now`.

use slackwater_order::time::Time;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The machine's idea of now. A clock before 1970 reads as 1970.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Time {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Time::from_millis(slackwater_order::time::millis_of(since_1970))
}

/// How long ago this machine was started, by a clock that never goes back and that runs on while the process is stopped, or the
/// machine sleeps. Leases are measured by it. A virtual machine that is paused from outside may have no such clock: with kvm-clock all of its
/// clocks stand still meanwhile.
#[allow(clippy::disallowed_methods)]
pub fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or(Duration::ZERO)
}

/// A moment that only serves to measure how long something took.
#[allow(clippy::disallowed_methods)]
pub fn stopwatch() -> Instant {
    Instant::now()
}
