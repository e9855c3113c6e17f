//! Moments of one machine's monotonic clock, which only their own node compares.

use std::time::Duration;

/// Milliseconds since some beginning that one node chose, by a clock that never goes back and that runs on while the process is stopped. Where a
/// paused virtual machine stops that too, its lease is as much longer for others.
/// Moments of two nodes have nothing to do with each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// So many milliseconds after the beginning.
    pub const fn from_millis(millis: u64) -> Moment {
        Moment(millis)
    }

    /// Milliseconds since the beginning.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// This moment and so long after it.
    #[must_use]
    pub fn plus(self, wait: Duration) -> Moment {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Moment(self.0.saturating_add(millis))
    }

    /// The next moment: what happened before this was read off a clock is before it, and what happens in it or later is after.
    #[must_use]
    pub fn next(self) -> Moment {
        self.plus(Duration::from_millis(1))
    }

    /// How long ago `earlier` was; nothing if it is later than this.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
