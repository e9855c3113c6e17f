//! One reader of a trace, who follows everybody in it and has some patience: how long posts wait, and which come behind.
//!
//! The words for readers, as this module takes them:
//!
//! - The reader's *hold* is the longest wait, of those for each origin in the trace, that the patience comes to now.
//! - The *horizon* is the moment of arrival less the hold; it does not retreat. Entries placed at or before it show.
//! - A post's *added wait* is the time from its arrival until the horizon reaches its place: hold less delay, or none.
//! - A post comes *behind* if, when it arrives, the horizon has passed its place and an entry above it has been shown.

use slackwater_engine::relationship::Patience;
use slackwater_order::hold::OriginHold;
use slackwater_order::horizon::COMPLETE_MS;
use slackwater_order::time::{Time, millis_of};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

/// The patiences of the readers in a report.
pub const PATIENCES: [Patience; 6] = [
    Patience::For(Duration::ZERO),
    Patience::For(Duration::from_secs(5)),
    Patience::For(Duration::from_secs(30)),
    Patience::For(Duration::from_secs(2 * 60)),
    Patience::For(Duration::from_secs(20 * 60)),
    Patience::Complete,
];

/// The patiences of which one may be recommended: in steps of at most two and a half.
pub const RECOMMENDABLE: [Patience; 16] = [
    Patience::For(Duration::ZERO),
    Patience::For(Duration::from_secs(1)),
    Patience::For(Duration::from_secs(2)),
    Patience::For(Duration::from_secs(5)),
    Patience::For(Duration::from_secs(10)),
    Patience::For(Duration::from_secs(15)),
    Patience::For(Duration::from_secs(30)),
    Patience::For(Duration::from_secs(60)),
    Patience::For(Duration::from_secs(2 * 60)),
    Patience::For(Duration::from_secs(5 * 60)),
    Patience::For(Duration::from_secs(10 * 60)),
    Patience::For(Duration::from_secs(15 * 60)),
    Patience::For(Duration::from_secs(20 * 60)),
    Patience::For(Duration::from_secs(30 * 60)),
    Patience::For(Duration::from_secs(60 * 60)),
    Patience::Complete,
];

/// How many origins a reader waits for, by how long.
#[derive(Debug, Default)]
pub struct OriginWaits(BTreeMap<i64, u32>);

impl OriginWaits {
    /// The reader now waits so many milliseconds for an origin.
    pub fn add(&mut self, wait_ms: i64) {
        *self.0.entry(wait_ms).or_default() += 1;
    }

    /// The reader waits so long for it no more.
    pub fn remove(&mut self, wait_ms: i64) {
        if let Some(origins) = self.0.get_mut(&wait_ms) {
            *origins -= 1;
            if *origins == 0 {
                self.0.remove(&wait_ms);
            }
        }
    }

    /// How long the reader is held back, in milliseconds.
    pub fn hold_ms(&self) -> i64 {
        self.0.last_key_value().map_or(0, |(wait_ms, _)| *wait_ms)
    }
}

/// A reader who follows every origin of a trace.
#[derive(Debug)]
pub struct SimulatedReader {
    /// How long the reader waits at most.
    pub patience: Patience,
    /// How long the reader is held back now, in milliseconds.
    pub hold_ms: i64,
    /// The added wait of every post, in milliseconds.
    pub waits_ms: Vec<u32>,
    /// Posts that came behind.
    pub behind: u64,
    waits: OriginWaits,
    horizon: Time,
    /// The highest place shown.
    top: Time,
    /// Places above the horizon.
    above: BinaryHeap<Reverse<Time>>,
}

impl SimulatedReader {
    /// A reader before the first post.
    pub fn new(patience: Patience, waits: OriginWaits) -> SimulatedReader {
        SimulatedReader {
            patience,
            hold_ms: waits.hold_ms(),
            waits_ms: Vec::new(),
            behind: 0,
            waits,
            horizon: Time::from_millis(i64::MIN),
            top: Time::from_millis(i64::MIN),
            above: BinaryHeap::new(),
        }
    }

    /// The share of the posts received, 0 to 1, that came behind.
    pub fn share_behind(&self) -> f64 {
        self.behind as f64 / self.waits_ms.len().max(1) as f64
    }

    /// The hold for an origin changes.
    pub fn change_hold(&mut self, from: &OriginHold, to: &OriginHold) {
        let patience_ms = in_millis(self.patience);
        let (from_ms, to_ms) = (from.ms(patience_ms), to.ms(patience_ms));
        if from_ms != to_ms {
            self.waits.remove(from_ms);
            self.waits.add(to_ms);
            self.hold_ms = self.waits.hold_ms();
        }
    }

    /// A post placed at `place` arrives.
    pub fn receive(&mut self, place: Time, arrived: Time) {
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

/// Readers of several patiences, while windows move.
#[derive(Debug)]
pub struct SimulatedReaders(pub Vec<SimulatedReader>);

impl SimulatedReaders {
    /// Readers of these patiences, who follow as many origins as there are `holds`.
    pub fn new(patiences: &[Patience], holds: &[OriginHold]) -> SimulatedReaders {
        let reader = |patience: &Patience| {
            let mut waits = OriginWaits::default();
            for hold in holds {
                waits.add(hold.ms(in_millis(*patience)));
            }
            SimulatedReader::new(*patience, waits)
        };
        SimulatedReaders(patiences.iter().map(reader).collect())
    }

    /// Readers of the patiences in [`RECOMMENDABLE`]: of those that come to the same hold only the least patient.
    pub fn distinct(holds: &[OriginHold]) -> SimulatedReaders {
        let SimulatedReaders(mut readers) = SimulatedReaders::new(&RECOMMENDABLE, holds);
        readers.dedup_by_key(|reader| reader.hold_ms);
        SimulatedReaders(readers)
    }

    /// The hold for an origin changes for all.
    pub fn change_hold(&mut self, from: &OriginHold, to: &OriginHold) {
        for reader in &mut self.0 {
            reader.change_hold(from, to);
        }
    }

    /// A post placed at `place` arrives for all.
    pub fn receive(&mut self, place: Time, arrived: Time) {
        for reader in &mut self.0 {
            reader.receive(place, arrived);
        }
    }
}

fn in_millis(patience: Patience) -> i64 {
    match patience {
        Patience::For(patience) => millis_of(patience),
        Patience::Complete => COMPLETE_MS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hold_is_the_longest_wait() {
        let mut waits = OriginWaits::default();
        for wait_ms in [0, 1_000, 30_000, 1_000] {
            waits.add(wait_ms);
        }
        assert_eq!(waits.hold_ms(), 30_000);
        waits.remove(30_000);
        assert_eq!(waits.hold_ms(), 1_000);
        waits.remove(1_000);
        assert_eq!(waits.hold_ms(), 1_000);
        waits.remove(1_000);
        assert_eq!(waits.hold_ms(), 0);
        assert_eq!(OriginWaits::default().hold_ms(), 0);
    }

    #[test]
    fn each_reader_waits_by_their_own_patience() {
        let fixed = |ms| OriginHold::from(Duration::from_millis(ms));
        let waits = [fixed(1_000), fixed(20_000)];
        let mut readers = SimulatedReaders::new(&PATIENCES, &waits);
        let holds = |readers: &SimulatedReaders| -> Vec<i64> {
            readers.0.iter().map(|reader| reader.hold_ms).collect()
        };
        assert_eq!(holds(&readers), [0, 1_000, 20_000, 20_000, 20_000, 20_000]);
        readers.change_hold(&waits[1], &fixed(960_000));
        assert_eq!(holds(&readers), [0, 1_000, 1_000, 1_000, 960_000, 960_000]);
        readers.change_hold(&waits[0], &fixed(0));
        assert_eq!(holds(&readers), [0, 0, 0, 0, 960_000, 960_000]);
    }

    #[test]
    fn a_post_waits_for_the_horizon_and_comes_behind_what_was_shown() {
        let at = Time::from_millis;
        let mut waits = OriginWaits::default();
        waits.add(100);
        let mut reader = SimulatedReader::new(Patience::Complete, waits);
        let mut live = SimulatedReader::new(PATIENCES[0], OriginWaits::default());
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
            reader.receive(at(place), at(arrived));
            live.receive(at(place), at(arrived));
            assert_eq!(reader.waits_ms.last(), Some(&wait), "{place}");
            assert_eq!(reader.behind - before.0, u64::from(patient), "{place}");
            assert_eq!(live.behind - before.1, u64::from(impatient), "{place}");
        }
    }

    #[test]
    fn the_horizon_does_not_retreat_when_the_hold_grows() {
        let at = Time::from_millis;
        let mut reader = SimulatedReader::new(Patience::Complete, OriginWaits::default());
        reader.receive(at(1_000), at(1_000));
        reader.hold_ms = 500;
        reader.receive(at(990), at(1_010));
        assert_eq!((reader.waits_ms[1], reader.behind), (0, 1));
    }
}
