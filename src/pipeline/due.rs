//! When a checkpoint is written. Pure.
//!
//! A checkpoint rewrites every feed that has changed, however little, so the bytes written in a day depend on how often one is
//! made. One is made when it saves something: when memory is full of unwritten state
//! ([`Store::is_full`](slackwater_engine::feed::store::Store::is_full), which the loop reads after each record), or when applying
//! the same records again would keep a crashed service busy for too long. The rows that the log does not have cannot wait
//! for that, and they are few.

use std::time::Duration;

/// How long state may wait to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The longest that a start after a crash may apply records again. It takes about as long as the first time did.
    pub replay_max: Duration,
    /// How often the rows are written that the log does not have: the horizons of feeds, and when accounts were last seen.
    pub rows_every: Duration,
    /// The longest that anything waits. On a quiet service `replay_max` may never be reached, but a copy of the folder, the
    /// retention of the log and the deletion of a post cannot wait for ever.
    pub all_every: Duration,
}

/// What waits to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PendingWrites {
    /// Whether a checkpoint would write anything.
    pub is_dirty: bool,
    /// How long it took to apply the records whose effects are not written.
    pub replay: Duration,
    /// The time since the last checkpoint.
    pub since_checkpoint: Duration,
    /// The time since rows were written.
    pub since_rows: Duration,
}

/// What is to be written now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueWrite {
    /// Nothing.
    Nothing,
    /// The rows that the log does not have.
    Rows,
    /// All that is new.
    Checkpoint,
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
    pub fn of(&self, pending: &PendingWrites) -> DueWrite {
        let is_due =
            self.replay_max <= pending.replay || self.all_every <= pending.since_checkpoint;
        if pending.is_dirty && is_due {
            DueWrite::Checkpoint
        } else if self.rows_every <= pending.since_rows {
            DueWrite::Rows
        } else {
            DueWrite::Nothing
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
        let check = |is_dirty, replay: u64, since: [u64; 2], expected| {
            let [since_checkpoint, since_rows] = since.map(Duration::from_secs);
            let pending = PendingWrites {
                is_dirty,
                replay: Duration::from_secs(replay),
                since_checkpoint,
                since_rows,
            };
            assert_eq!(due.of(&pending), expected, "{pending:?}");
        };
        check(false, 0, [0, 0], DueWrite::Nothing);
        check(true, 9, [29, 29], DueWrite::Nothing);
        check(true, 9, [3_599, 30], DueWrite::Rows);
        check(true, 10, [1, 1], DueWrite::Checkpoint);
        check(true, 0, [3_600, 1], DueWrite::Checkpoint);
        check(true, 0, [3_600, 30], DueWrite::Checkpoint);
        check(false, 0, [3_600, 29], DueWrite::Nothing);
        check(false, 0, [3_600, 30], DueWrite::Rows);
    }
}
