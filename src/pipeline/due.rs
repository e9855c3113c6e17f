//! When what is new is written. Pure.
//!
//! A checkpoint rewrites every feed that something happened to, however little, so how much is written in a day goes by how
//! often one is made. It is made when it saves something: when memory is full of what waits
//! ([`Store::is_full`](slackwater_engine::feed::store::Store::is_full), asked record by record), or when taking in again what waits
//! would keep a crashed service busy for too long. What the log does not have cannot wait for that, and is little.

use std::time::Duration;

/// How long things may wait to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The longest that a crash may take to make good: what waits would be read from the log again, in about the time that
    /// it took the first time.
    pub replay_max: Duration,
    /// How often rows are written that the log does not have: up to when feeds were shown, and when accounts were seen.
    pub rows_every: Duration,
    /// The longest that anything waits. A folder that is copied, a log that drops what is old, a post that was deleted: none
    /// of them can wait as long as it takes a quiet service to have work for seconds.
    pub all_every: Duration,
}

/// What is waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Anything that a checkpoint would write.
    pub is_anything: bool,
    /// How long it took to take in.
    pub replay: Duration,
    /// The time since the last checkpoint.
    pub since_all: Duration,
    /// The time since rows were written.
    pub since_rows: Duration,
}

/// What is to be written now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Nothing.
    Nothing,
    /// The rows that the log does not have.
    Rows,
    /// All that is new.
    All,
}

impl Default for Due {
    fn default() -> Due {
        Due {
            replay_max: Duration::from_secs(10),
            rows_every: Duration::from_secs(30),
            all_every: Duration::from_secs(3_600),
        }
    }
}

impl Due {
    /// What is to be written now.
    pub fn of(&self, waiting: &Waiting) -> What {
        let is_due = self.replay_max <= waiting.replay || self.all_every <= waiting.since_all;
        if waiting.is_anything && is_due {
            What::All
        } else if self.rows_every <= waiting.since_rows {
            What::Rows
        } else {
            What::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Were this to fail, a crash would cost more time than promised, or every feed be rewritten for nothing.
    #[test]
    fn a_checkpoint_is_due_when_it_saves_something() {
        let due = Due {
            replay_max: 10 * SECOND,
            rows_every: 30 * SECOND,
            all_every: 3_600 * SECOND,
        };
        let check = |is_anything, replay: u64, since: [u64; 2], expected| {
            let [since_all, since_rows] = since.map(Duration::from_secs);
            let waiting = Waiting {
                is_anything,
                replay: Duration::from_secs(replay),
                since_all,
                since_rows,
            };
            assert_eq!(due.of(&waiting), expected, "{waiting:?}");
        };
        check(false, 0, [0, 0], What::Nothing);
        check(true, 9, [29, 29], What::Nothing);
        check(true, 9, [3_599, 30], What::Rows);
        check(true, 10, [1, 1], What::All);
        check(true, 0, [3_600, 1], What::All);
        check(true, 0, [3_600, 30], What::All);
        check(false, 0, [3_600, 29], What::Nothing);
        check(false, 0, [3_600, 30], What::Rows);
    }
}
