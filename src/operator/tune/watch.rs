//! One reader of a trace, who follows everybody in it and has some patience: how long posts wait, and which come behind.
//!
//! What is said of readers is defined here:
//!
//! - The reader's *hold* is the largest reorder window in force, of all origins in the trace, that fits in the patience.
//! - The *horizon* is the moment of arrival less the hold; it does not retreat. Entries placed at or before it show.
//! - A post's *added wait* is the time from its arrival until the horizon reaches its place: hold less delay, or none.
//! - A post comes *behind* if, when it arrives, the horizon has passed its place and an entry above it has been shown.

use crate::order::window::Windows;
use crate::post::relationship::Patience;
use crate::time::{Time, millis_of};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

/// The patiences of the readers who look on.
pub const PATIENCES: [Patience; 6] = [
    Patience::For(Duration::ZERO),
    Patience::For(Duration::from_secs(5)),
    Patience::For(Duration::from_secs(30)),
    Patience::For(Duration::from_secs(2 * 60)),
    Patience::For(Duration::from_secs(20 * 60)),
    Patience::Complete,
];

/// Every window in force, with how many origins have it.
#[derive(Debug, Default)]
pub struct Holdings(BTreeMap<i64, u32>);

impl Holdings {
    /// An origin's window is now so long, in milliseconds.
    pub fn add(&mut self, window_ms: i64) {
        *self.0.entry(window_ms).or_default() += 1;
    }

    /// An origin's window is no more so long.
    pub fn remove(&mut self, window_ms: i64) {
        if let Some(origins) = self.0.get_mut(&window_ms) {
            *origins -= 1;
            if *origins == 0 {
                self.0.remove(&window_ms);
            }
        }
    }

    /// How long a reader of this patience is held back, in milliseconds.
    pub fn hold_ms(&self, patience: Patience) -> i64 {
        let longest = match patience {
            Patience::For(patience) => millis_of(patience),
            Patience::Complete => i64::MAX,
        };
        self.0
            .range(..=longest)
            .next_back()
            .map_or(0, |(window_ms, _)| *window_ms)
    }
}

/// One reader.
#[derive(Debug)]
pub struct Reader {
    /// How long the reader waits at most.
    pub patience: Patience,
    /// How long the reader is held back now, in milliseconds.
    pub hold_ms: i64,
    /// The added wait of every post, in milliseconds.
    pub waits_ms: Vec<u32>,
    /// Posts that came behind.
    pub behind: u64,
    horizon: Time,
    /// The highest place shown.
    top: Time,
    /// Places above the horizon.
    above: BinaryHeap<Reverse<Time>>,
}

impl Reader {
    /// A reader before the first post.
    pub fn new(patience: Patience, holdings: &Holdings) -> Reader {
        Reader {
            patience,
            hold_ms: holdings.hold_ms(patience),
            waits_ms: Vec::new(),
            behind: 0,
            horizon: Time::from_millis(i64::MIN),
            top: Time::from_millis(i64::MIN),
            above: BinaryHeap::new(),
        }
    }

    /// Sees a post placed at `place` arrive.
    pub fn see(&mut self, place: Time, arrived: Time) {
        let hold = Duration::from_millis(self.hold_ms.unsigned_abs());
        self.horizon = self.horizon.max(arrived.minus(hold));
        while let Some(Reverse(next)) = self.above.peek()
            && *next <= self.horizon
        {
            self.top = self.top.max(*next);
            self.above.pop();
        }
        let wait_ms = place.since(self.horizon).max(0);
        self.waits_ms
            .push(u32::try_from(wait_ms).unwrap_or(u32::MAX));
        if self.horizon < place {
            self.above.push(Reverse(place));
        } else if place < self.top {
            self.behind += 1;
        } else {
            self.top = place;
        }
    }
}

/// Readers of every patience, while windows move.
#[derive(Debug)]
pub struct Readers {
    /// In the order of [`PATIENCES`].
    pub readers: Vec<Reader>,
    holdings: Holdings,
}

impl Readers {
    /// Readers who follow `hosts`, of whom nothing is learned yet.
    pub fn new<'a>(hosts: impl Iterator<Item = &'a str>, windows: &Windows) -> Readers {
        let mut holdings = Holdings::default();
        for host in hosts {
            holdings.add(millis_of(windows.holding(host, None)));
        }
        let readers = PATIENCES.map(|patience| Reader::new(patience, &holdings));
        Readers {
            readers: readers.into(),
            holdings,
        }
    }

    /// An origin's window moved.
    pub fn moved(&mut self, from_ms: i64, to_ms: i64) {
        self.holdings.remove(from_ms);
        self.holdings.add(to_ms);
        for reader in &mut self.readers {
            reader.hold_ms = self.holdings.hold_ms(reader.patience);
        }
    }

    /// All see a post placed at `place` arrive.
    pub fn see(&mut self, place: Time, arrived: Time) {
        for reader in &mut self.readers {
            reader.see(place, arrived);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hold_is_the_largest_window_that_fits() {
        let mut holdings = Holdings::default();
        for window_ms in [0, 1_000, 30_000, 960_000, 1_000] {
            holdings.add(window_ms);
        }
        let check = |holdings: &Holdings, ms, hold_ms| {
            let patience = Patience::For(Duration::from_millis(ms));
            assert_eq!(holdings.hold_ms(patience), hold_ms, "{ms}");
        };
        for (ms, hold_ms) in [
            (0, 0),
            (999, 0),
            (1_000, 1_000),
            (29_999, 1_000),
            (30_000, 30_000),
            (959_999, 30_000),
            (960_000, 960_000),
        ] {
            check(&holdings, ms, hold_ms);
        }
        assert_eq!(holdings.hold_ms(Patience::Complete), 960_000);
        holdings.remove(1_000);
        check(&holdings, 29_999, 1_000);
        holdings.remove(1_000);
        check(&holdings, 29_999, 0);
        assert_eq!(Holdings::default().hold_ms(Patience::Complete), 0);
    }

    #[test]
    fn a_post_waits_for_the_horizon_and_comes_behind_what_was_shown() {
        let at = Time::from_millis;
        let mut holdings = Holdings::default();
        holdings.add(100);
        let mut reader = Reader::new(Patience::Complete, &holdings);
        let mut live = Reader::new(PATIENCES[0], &holdings);
        // Place, arrival; how long the patient one waits; whether it is behind for the patient, for the live one.
        let table = [
            (1_000, 1_000, 100, false, false),
            (1_050, 1_060, 90, false, false),
            (1_040, 1_070, 70, false, true),
            (1_049, 1_149, 0, false, true),
            (1_049, 1_150, 0, true, true),
            (1_050, 1_150, 0, false, false),
            (1_200, 1_160, 140, false, false),
        ];
        for (place, arrived, wait, patient, impatient) in table {
            let before = (reader.behind, live.behind);
            reader.see(at(place), at(arrived));
            live.see(at(place), at(arrived));
            assert_eq!(reader.waits_ms.last(), Some(&wait), "{place}");
            assert_eq!(reader.behind - before.0, u64::from(patient), "{place}");
            assert_eq!(live.behind - before.1, u64::from(impatient), "{place}");
        }
    }

    #[test]
    fn the_horizon_does_not_retreat_when_the_hold_grows() {
        let at = Time::from_millis;
        let mut reader = Reader::new(Patience::Complete, &Holdings::default());
        reader.see(at(1_000), at(1_000));
        reader.hold_ms = 500;
        reader.see(at(990), at(1_010));
        assert_eq!((reader.waits_ms[1], reader.behind), (0, 1));
    }
}
