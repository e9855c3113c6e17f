//! What is known of one origin: its delays, counts by verdict, last heard, and the window and the curve learned from all
//! that.

use super::decaying_histogram::{BUCKETS, DecayingHistogram, bucket_of, upper_bound_ms};
use super::delay_curve::{self, DelayCurve};
use super::verdict::Verdict;
use super::window::Auto;
use crate::time::{Time, millis_of};
use std::time::Duration;

/// The name under which are counted together origins that gave way to others, and hosts beyond so many below one registrable domain.
/// Their windows are not learned. Not a host.
pub const OTHERS: &str = "(others)";

/// A window is learned once so many delays were counted, whenever that was: asking for so many recent ones would leave
/// every origin of a few posts a day unlearned for ever. (Confluent uses 250 too.)
pub const OBSERVATIONS_MIN: u64 = 250;
/// A window moves only while its recent delays weigh as much as so many new ones: one post out of a long silence tells
/// nothing of the slowest in a hundred.
pub const WEIGHT_MIN: f64 = 10.0;
/// Every so many delays the window is looked at: adding up 64 buckets for each would take longer than all else.
const LOOK_EVERY: u64 = 16;
/// The dead band: to shrink, the shorter window must be missed by a fifth fewer than may miss it. Otherwise a share
/// that wavers about the quantile would make the window waver between two buckets.
const DEAD_BAND: f64 = 0.2;
/// A window shrinks by one bucket (28 %) at most once in so much log time, though it grows at once: a window too short
/// buries posts, one too long only keeps readers waiting. From 16 minutes to 30 seconds takes a day. As seldom a curve is
/// replaced by which feeds would only wait less.
const SHRINK_EVERY: Duration = Duration::from_secs(2 * 60 * 60);
/// A delay looks scheduled if even the fastest tenth took longer than this ...
const SCHEDULED_MS_MIN: i64 = 60_000;
/// ... and the slowest tenth begins at most so many buckets above the fastest.
const SCHEDULED_BUCKETS_MAX: usize = 1;

/// One origin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OriginStats {
    /// Posts by verdict, in the order of [`Verdict::ALL`].
    counts: [u64; Verdict::ALL.len()],
    /// Activities that were understood and refused.
    refused: u64,
    histogram: DecayingHistogram,
    /// Delays counted in the histogram, ever.
    observations: u64,
    delay_ms_max: i64,
    last_heard: Time,
    learned: Option<Duration>,
    /// When `learned` last shrank or was first learned, or the curve came to ask for less.
    shrunk: Time,
    /// There since there is a window.
    curve: Option<Box<DelayCurve>>,
}

/// Whether the learned window or the curve is another than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// It is not.
    Stays,
    /// It is.
    Moved,
}

impl OriginStats {
    /// Counts one post and learns from it.
    ///
    /// The delays of posts in time and late are learned from, and of those too late the ones within `auto.max`: with a
    /// short allowed lateness only the punctual would be seen otherwise, and the window shrink to nothing. Beyond that a
    /// post too late is backfill, and one fetched, undated or from the future says nothing about delay. A negative delay
    /// counts as none.
    pub fn count(
        &mut self,
        verdict: Verdict,
        delay_ms: Option<i64>,
        arrived: Time,
        auto: &Auto,
    ) -> Learned {
        if let Some(count) = self.counts.get_mut(verdict as usize) {
            *count += 1;
        }
        self.last_heard = self.last_heard.max(arrived);
        let says_something = match (verdict, delay_ms) {
            (Verdict::InTime | Verdict::Late, Some(_)) => true,
            (Verdict::TooLate, Some(delay_ms)) => delay_ms <= millis_of(auto.max),
            (Verdict::FromTheFuture | Verdict::Undated | Verdict::Fetched, _)
            | (Verdict::InTime | Verdict::Late | Verdict::TooLate, None) => false,
        };
        let Some(delay_ms) = delay_ms.filter(|_| says_something) else {
            return Learned::Stays;
        };
        self.delay_ms_max = self.delay_ms_max.max(delay_ms);
        self.histogram.add(delay_ms, arrived);
        self.observations += 1;
        let is_looked_at = OBSERVATIONS_MIN <= self.observations
            && (self.observations - OBSERVATIONS_MIN).is_multiple_of(LOOK_EVERY);
        if is_looked_at {
            self.learn(arrived, auto)
        } else {
            Learned::Stays
        }
    }

    /// Counts an activity that was understood and refused: somebody else's post was to be changed by it, or nobody's.
    pub fn count_refused(&mut self) {
        self.refused += 1;
    }

    /// Counts all that another counted, and learns nothing from it.
    pub fn count_all_of(&mut self, other: &OriginStats) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.refused += other.refused;
        self.last_heard = self.last_heard.max(other.last_heard);
    }

    /// Activities that were understood and refused.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The window learned so far, wherever the bounds are now; none before [`OBSERVATIONS_MIN`] delays.
    pub fn learned(&self) -> Option<Duration> {
        self.learned
    }

    /// What share of its posts comes within a time, as feeds wait by it: within 0.02 of what is counted. None while there is
    /// no window.
    pub fn curve(&self) -> Option<&DelayCurve> {
        self.curve.as_deref()
    }

    /// Posts with this verdict.
    pub fn with(&self, verdict: Verdict) -> u64 {
        self.counts.get(verdict as usize).copied().unwrap_or(0)
    }

    /// Posts, whatever their verdict.
    pub fn posts(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// When a post of it last arrived.
    pub fn last_heard(&self) -> Time {
        self.last_heard
    }

    /// The delay, in milliseconds, that a share `q` (0 to 1) of its posts does not exceed, recent ones counting more: the
    /// upper bound of the bucket it falls in (at most 39 % too high), never above the largest seen. None before the
    /// first.
    pub fn quantile_ms(&self, q: f64) -> Option<i64> {
        let bucket = self.histogram.quantile(q)?;
        let bound = if bucket == BUCKETS - 1 {
            i64::MAX
        } else {
            upper_bound_ms(bucket)
        };
        Some(bound.min(self.delay_ms_max))
    }

    /// The largest delay ever counted, in milliseconds. None before the first.
    pub fn max_ms(&self) -> Option<i64> {
        (self.observations != 0).then_some(self.delay_ms_max)
    }

    /// The share (0 to 1) of its posts that a window of so many milliseconds would find in time, recent ones counting
    /// more; ascending, from the first above 0 to the first that finds all.
    pub fn shares(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        self.histogram.shares()
    }

    /// Whether its posts are held back for a fixed time, as Threads does: its delay is shifted, not wide.
    pub fn looks_scheduled(&self) -> bool {
        let q = |q| self.histogram.quantile(q);
        OBSERVATIONS_MIN <= self.observations
            && self
                .quantile_ms(0.1)
                .is_some_and(|p10| SCHEDULED_MS_MIN < p10)
            && matches!((q(0.1), q(0.9)), (Some(p10), Some(p90)) if p90 - p10 <= SCHEDULED_BUCKETS_MAX)
    }

    /// What is to be stored of it, with the offsets, by number of partition, up to which its posts are counted.
    pub fn to_row(&self, counted: &[i64]) -> Row {
        Row {
            counts: self.counts,
            refused: self.refused,
            landmark: self.histogram.landmark(),
            weights: self.histogram.weights().collect(),
            observations: self.observations,
            delay_ms_max: self.delay_ms_max,
            last_heard: self.last_heard,
            learned_ms: self.learned.map(millis_of),
            shrunk: self.shrunk,
            curve: self.curve.as_deref().map(DelayCurve::to_row),
            counted: counted.to_vec(),
        }
    }

    /// From what was stored, with the offsets, by number of partition, up to which its posts are counted. None if it is not what
    /// [`OriginStats::to_row`] gives: then the origin is learned anew.
    pub fn from_row(row: Row) -> Option<(OriginStats, Vec<i64>)> {
        let delays = OriginStats {
            counts: row.counts,
            refused: row.refused,
            histogram: DecayingHistogram::new(row.landmark, &row.weights),
            observations: row.observations,
            delay_ms_max: row.delay_ms_max,
            last_heard: row.last_heard,
            learned: match row.learned_ms {
                Some(ms) => Some(Duration::from_millis(u64::try_from(ms).ok()?)),
                None => None,
            },
            shrunk: row.shrunk,
            curve: match &row.curve {
                Some(curve) => Some(Box::new(DelayCurve::from_row(curve)?)),
                None => None,
            },
        };
        Some((delays, row.counted))
    }

    fn learn(&mut self, arrived: Time, auto: &Auto) -> Learned {
        if self.histogram.weight(self.last_heard) < WEIGHT_MIN {
            return Learned::Stays;
        }
        // Both by the same clock: neither keeps the other from its turn.
        let may_shrink = millis_of(SHRINK_EVERY) <= arrived.since(self.shrunk);
        let window = self.learn_window(arrived, may_shrink, auto);
        let curve = self.learn_curve(arrived, may_shrink, auto);
        match (window, curve) {
            (Learned::Stays, Learned::Stays) => Learned::Stays,
            _ => Learned::Moved,
        }
    }

    fn learn_window(&mut self, arrived: Time, may_shrink: bool, auto: &Auto) -> Learned {
        let window_for = |q| {
            let bound = upper_bound_ms(self.histogram.quantile(q)?);
            Some(Duration::from_millis(bound.unsigned_abs()).clamp(auto.min, auto.max))
        };
        let Some(enough) = window_for(auto.quantile) else {
            return Learned::Stays;
        };
        let Some(learned) = self.learned else {
            self.learned = Some(enough);
            self.shrunk = arrived;
            return Learned::Moved;
        };
        if learned < enough {
            self.learned = Some(enough);
            return Learned::Moved;
        }
        let may_miss = (1.0 - auto.quantile) * (1.0 - DEAD_BAND);
        let shorter = window_for(1.0 - may_miss).map(|enough| enough.max(a_bucket_below(learned)));
        match shorter {
            Some(shorter) if shorter < learned && may_shrink => {
                self.learned = Some(shorter.max(auto.min));
                self.shrunk = arrived;
                Learned::Moved
            }
            _ => Learned::Stays,
        }
    }

    fn learn_curve(&mut self, arrived: Time, may_shrink: bool, auto: &Auto) -> Learned {
        let Some(curve) = self.curve.as_deref() else {
            let there_is_a_window = self.learned.is_some();
            let first = DelayCurve::new(&self.histogram).filter(|_| there_is_a_window);
            self.curve = first.map(Box::new);
            return match self.curve {
                Some(_) => Learned::Moved,
                None => Learned::Stays,
            };
        };
        let Some(next) = curve.next(&self.histogram) else {
            return Learned::Stays;
        };
        let (before, after) = (curve.shortest(auto.quantile), next.shortest(auto.quantile));
        let grows = before
            .iter()
            .zip(after)
            .any(|(before, after)| *before < after);
        if !grows && before != after {
            if !may_shrink {
                return Learned::Stays;
            }
            self.shrunk = arrived;
        }
        self.curve = Some(Box::new(next));
        Learned::Moved
    }
}

/// What is stored of an origin. The order of the fields is the format: with another order or another field, whoever stores it
/// changes their version.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Row {
    counts: [u64; Verdict::ALL.len()],
    refused: u64,
    landmark: Time,
    weights: Vec<(u8, f32)>,
    observations: u64,
    delay_ms_max: i64,
    last_heard: Time,
    pub(crate) learned_ms: Option<i64>,
    shrunk: Time,
    curve: Option<delay_curve::Row>,
    counted: Vec<i64>,
}

fn a_bucket_below(window: Duration) -> Duration {
    let below = bucket_of(millis_of(window)).saturating_sub(1);
    Duration::from_millis(upper_bound_ms(below).unsigned_abs())
}

#[cfg(test)]
mod tests;
