//! Event time: moments that are part of the data. Nothing here asks a clock.

#[cfg(feature = "serde")]
mod rfc3339;

use std::time::Duration;

/// A moment in milliseconds since 1970-01-01T00:00:00Z.
///
/// Bounds: any `i64` can be held. Whoever reads what a remote server claims keeps it within [`Time::EARLIEST`] and
/// [`Time::LATEST`], so that a place built from it is positive. With the feature `serde` a time is written as RFC 3339 where
/// people read it, and as a bare number of milliseconds elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// The first moment a remote date may claim: earlier ones are absurd for a post on the social web.
    pub const EARLIEST: Time = Time(1);
    /// The last moment a remote date may claim, 9999-12-31T23:59:59.999Z: RFC 3339 has four digits for the year.
    pub const LATEST: Time = Time(253_402_300_799_999);

    /// From milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Time {
        Time(millis)
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This moment moved later, or to the end of time.
    pub fn plus(self, by: Duration) -> Time {
        Time(self.0.saturating_add(millis_of(by)))
    }

    /// This moment moved earlier, or to the beginning of time.
    pub fn minus(self, by: Duration) -> Time {
        Time(self.0.saturating_sub(millis_of(by)))
    }

    /// Milliseconds from `earlier` to this; negative if `earlier` is in truth later.
    pub fn since(self, earlier: Time) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Whole milliseconds of a duration; one longer than 292 million years is that long.
pub fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
