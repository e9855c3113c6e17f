//! How many lines of the log a caller may cause: so many of each kind in a while, and then one that says how many were left out.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// A bound on lines, for each kind of a bounded set.
#[derive(Debug)]
pub struct LineRate {
    lines_max: u32,
    every: Duration,
    kinds: Mutex<Vec<(&'static str, Window)>>,
}

/// The lines of one kind since a moment.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: Instant,
    lines: u32,
    left_out: u64,
}

impl LineRate {
    /// At most `lines_max` lines of a kind in `every`, counted from the first of them.
    pub fn new(lines_max: u32, every: Duration) -> LineRate {
        LineRate {
            lines_max,
            every,
            kinds: Mutex::default(),
        }
    }

    /// Whether a line of this kind is due, which stands for `events` events: with how many events before it had none. `kind` is one
    /// of a bounded set, since each is remembered.
    pub fn due(&self, kind: &'static str, events: u64, now: Instant) -> Option<u64> {
        let mut kinds = self.kinds.lock();
        let begun = Window {
            since: now,
            lines: 0,
            left_out: 0,
        };
        let nth = match kinds.iter().position(|(there, _)| *there == kind) {
            Some(nth) => nth,
            None => {
                kinds.push((kind, begun));
                kinds.len().saturating_sub(1)
            }
        };
        let (_, window) = kinds.get_mut(nth)?;
        if self.every <= now.saturating_duration_since(window.since) {
            *window = Window {
                left_out: window.left_out,
                ..begun
            };
        }
        if self.lines_max <= window.lines {
            window.left_out = window.left_out.saturating_add(events);
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

/// What a line ends with, if events before it had none.
pub fn left_out(events: u64) -> String {
    match events {
        0 => String::new(),
        events => format!("; {events} more before, since this was last said"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// A failure means that a client can fill the disk with log lines, or that an operator hears of nothing.
    #[test]
    fn so_many_lines_of_a_kind_are_due_and_the_next_says_how_many_were_not() {
        let start = clock::stopwatch();
        let rate = LineRate::new(2, Duration::from_secs(10));
        let due =
            |kind, events, seconds| rate.due(kind, events, start + Duration::from_secs(seconds));
        assert_eq!(due("a", 3, 0), Some(0));
        assert_eq!(due("a", 5, 1), Some(0));
        assert_eq!(due("a", 5, 2), None);
        assert_eq!(due("b", 1, 2), Some(0), "each kind has lines of its own");
        assert_eq!(due("a", 7, 9), None);
        assert_eq!(due("a", 1, 10), Some(12));
        assert_eq!(due("a", 1, 11), Some(0));
        assert_eq!(due("a", 1, 12), None);
        assert_eq!(due("a", 1, 100), Some(1));
    }
}
