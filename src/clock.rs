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

/// A moment that only serves to measure how long something took.
#[allow(clippy::disallowed_methods)]
pub fn stopwatch() -> Instant {
    Instant::now()
}
