//! How far catching up after a start has come, and how long it will take. Pure.

use std::time::Duration;

/// Records read since the start, against those still to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Records read since the start.
    pub read: u64,
    /// Records still to be read, by the log's offsets.
    pub left: u64,
    /// How long it has taken so far.
    pub taken: Duration,
}

impl Progress {
    /// The share that is done, 0 to 1.
    pub fn share(&self) -> f64 {
        let all = self.read.saturating_add(self.left);
        if all == 0 {
            1.0
        } else {
            self.read as f64 / all as f64
        }
    }

    /// How long the rest will take at the rate so far. None before anything was read.
    pub fn time_left(&self) -> Option<Duration> {
        if self.read == 0 {
            return None;
        }
        let seconds = self.taken.as_secs_f64() * self.left as f64 / self.read as f64;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_done_in_ten_seconds_takes_thirty_more() {
        let progress = Progress {
            read: 25,
            left: 75,
            taken: Duration::from_secs(10),
        };
        assert_eq!(
            (progress.share(), progress.time_left()),
            (0.25, Some(Duration::from_secs(30)))
        );
    }

    #[test]
    fn nothing_to_do_is_done_and_nothing_done_has_no_rate() {
        assert_eq!(
            Progress {
                read: 0,
                left: 0,
                taken: Duration::ZERO
            }
            .share(),
            1.0
        );
        assert_eq!(
            Progress {
                read: 0,
                left: 5,
                taken: Duration::from_secs(1)
            }
            .time_left(),
            None
        );
    }
}
