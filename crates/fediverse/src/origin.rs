//! Hosts, and how late what they send arrives.

use crate::json::Shape;
use fastrand::Rng;
use std::ops::Range;

/// A host whose people write.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its name, as in `https://host/`.
    pub host: String,
    /// How late what it sends arrives.
    pub delay: DelayProfile,
    /// How it spells its posts.
    pub shape: Shape,
}

/// A way of being late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DelayProfile {
    /// Each delay within bounds is as likely: a punctual server, a slow one, a bridge, one that holds everything back.
    Within {
        /// Bounds of the delay, in steps.
        steps: Range<u32>,
        /// A step, in milliseconds.
        step_ms: u32,
    },
    /// Sent when the queue runs.
    Queue {
        /// Between two runs, the first of which is at the beginning, in milliseconds.
        every_ms: u32,
        /// What the delivery takes after that, in whole seconds, below this.
        seconds_max: u32,
    },
    /// Sent at once, but for a time in which the queue grows, and a time in which nothing gets out. Both are spans of
    /// milliseconds after the beginning.
    Bursty {
        /// While the queue is long, for as long as this is, an event takes up to `backlog_ms_max`.
        backlog: Range<i64>,
        /// In milliseconds.
        backlog_ms_max: i64,
        /// What was written within this arrives at the end of it.
        downtime: Range<i64>,
    },
}

impl DelayProfile {
    /// As a server delivers to itself.
    pub const AT_ONCE: DelayProfile = DelayProfile::millis(0..300);
    /// Two seconds at most.
    pub const PUNCTUAL: DelayProfile = DelayProfile::millis(0..2_000);
    /// Up to a minute.
    pub const SLOW: DelayProfile = DelayProfile::millis(5_000..60_000);
    /// The fifteen minutes for which Threads holds posts back.
    pub const THREADS: DelayProfile = DelayProfile::millis(900_000..905_000);
    /// A minute or two.
    pub const BRIDGE: DelayProfile = DelayProfile::seconds(60..150);

    /// A delay within these bounds.
    pub const fn millis(steps: Range<u32>) -> DelayProfile {
        DelayProfile::Within { steps, step_ms: 1 }
    }

    /// The same, in whole seconds.
    pub const fn seconds(steps: Range<u32>) -> DelayProfile {
        DelayProfile::Within {
            steps,
            step_ms: 1_000,
        }
    }

    /// Up to ten minutes while its queue is long, after a third of `span_ms`; nothing for seven minutes after two thirds.
    pub const fn bursty(span_ms: i64) -> DelayProfile {
        let third = span_ms / 3;
        DelayProfile::Bursty {
            backlog: third..third + 300_000,
            backlog_ms_max: 600_000,
            downtime: 2 * third..2 * third + 400_000,
        }
    }

    /// How long after it was written something arrives that was written `since_begin_ms` after the beginning. In milliseconds,
    /// never below 0.
    pub fn delay_ms(&self, rng: &mut Rng, since_begin_ms: i64) -> i64 {
        match self {
            DelayProfile::Within { steps, step_ms } => {
                i64::from(rng.u32(steps.clone())) * i64::from(*step_ms)
            }
            DelayProfile::Queue {
                every_ms,
                seconds_max,
            } => {
                let every = i64::from(*every_ms);
                let left = every - since_begin_ms.rem_euclid(every);
                left + 1_000 * i64::from(rng.u32(0..*seconds_max))
            }
            DelayProfile::Bursty {
                backlog,
                backlog_ms_max,
                ..
            } if backlog.contains(&since_begin_ms) => rng.i64(0..*backlog_ms_max),
            DelayProfile::Bursty { downtime, .. } if downtime.contains(&since_begin_ms) => {
                downtime.end - since_begin_ms + rng.i64(0..500)
            }
            DelayProfile::Bursty { .. } => DelayProfile::AT_ONCE.delay_ms(rng, since_begin_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_being_late_keeps_its_bounds() {
        let rng = &mut Rng::with_seed(1);
        let queue = DelayProfile::Queue {
            every_ms: 480_000,
            seconds_max: 20,
        };
        let bursty = DelayProfile::bursty(2_400_000);
        for (profile, since, bounds) in [
            (&DelayProfile::PUNCTUAL, 0, 0..2_000),
            (&DelayProfile::THREADS, 0, 900_000..905_000),
            (&DelayProfile::BRIDGE, 0, 60_000..150_000),
            (&queue, 480_000 - 1, 1..19_002),
            (&queue, 480_000, 480_000..499_001),
            (&bursty, 0, 0..300),
            (&bursty, 800_000, 0..600_000),
            (&bursty, 1_600_000, 400_000..400_500),
            (&bursty, 1_999_999, 1..501),
            (&bursty, 2_000_000, 0..300),
        ] {
            for _ in 0..200 {
                let delay = profile.delay_ms(rng, since);
                assert!(bounds.contains(&delay), "{profile:?} took {delay} ms");
            }
        }
    }
}
