//! What share of an origin's posts comes within a time: a copy of its histogram that stays as it is while little moves, so
//! that what feeds wait for by it does not waver.

use super::decaying_histogram::{BUCKETS, DecayingHistogram, upper_bound_ms};

/// All posts. Shares are whole numbers of so many parts: two bytes each, and every bound below is one of them.
const ALL: u16 = 50_000;
/// The dead band, 0.02: a copy of which no share is off by more is good enough.
const OFF_MAX: u16 = 1_000;
/// Waiting pays from the bucket on by which half of the posts have come ...
const PAYS: u16 = 25_000;
/// ... and once it does, as long as 0.45 of them have: a share that wavers about half does not make feeds waver.
const STILL_PAYS: u16 = 22_500;

/// The copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayCurve {
    /// By bucket: the posts in it and below.
    shares: [u16; BUCKETS],
    /// The first bucket within which waiting pays.
    pays_from: u8,
}

/// What is stored of it. The order of the fields is the format.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Row {
    /// How many buckets have no post in or below them.
    none: u8,
    /// The buckets after those; past the last, all posts have come.
    some: Vec<u16>,
    pays_from: u8,
}

impl DelayCurve {
    /// The curve of an origin seen for the first time. None before the first delay.
    pub fn new(histogram: &DecayingHistogram) -> Option<DelayCurve> {
        let shares = shares_of(histogram);
        let pays_from = first(&shares, PAYS)?;
        Some(DelayCurve { shares, pays_from })
    }

    /// A copy of `histogram` to take its place, if a share is off by more than 0.02.
    pub fn next(&self, histogram: &DecayingHistogram) -> Option<DelayCurve> {
        let shares = shares_of(histogram);
        let mut both = self.shares.iter().zip(&shares);
        if both.all(|(here, there)| here.abs_diff(*there) <= OFF_MAX) {
            return None;
        }
        let (pays, still_pays) = (first(&shares, PAYS)?, first(&shares, STILL_PAYS)?);
        let pays_from = self.pays_from.clamp(still_pays, pays);
        Some(DelayCurve { shares, pays_from })
    }

    /// The upper bound of each bucket in milliseconds, and the share (0 to 1) of the posts below or in it.
    pub fn shares(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        let shares = self.shares.iter().enumerate();
        shares.map(|(bucket, share)| (upper_bound_ms(bucket), f64::from(*share) / f64::from(ALL)))
    }

    /// How long the whole buckets are, in milliseconds, within which waiting begins to pay.
    pub fn pays_from_ms(&self) -> i64 {
        upper_bound_ms(self.pays_from.into())
    }

    /// The first bucket in or below which a share `q` (0 to 1) of those posts lies that lie in or below a bucket, for each:
    /// the shortest wait that finds as good as all that could be found. None of buckets in which waiting does not pay.
    pub fn shortest(&self, q: f64) -> [Option<u8>; BUCKETS] {
        let q = q.clamp(0.0, 1.0);
        let mut below = self.shares.iter().zip(0_u8..).peekable();
        let mut bucket = 0_u8;
        self.shares.map(|share| {
            let pays = self.pays_from <= bucket;
            bucket += 1;
            if !pays {
                return None;
            }
            let enough = q * f64::from(share);
            while below
                .next_if(|(there, _)| f64::from(**there) < enough)
                .is_some()
            {}
            below.peek().map(|(_, shortest)| *shortest)
        })
    }

    /// As it is stored.
    pub fn to_row(&self) -> Row {
        let none = self.shares.partition_point(|share| *share == 0);
        let all = self.shares.partition_point(|share| *share < ALL);
        Row {
            none: u8::try_from(none).unwrap_or(u8::MAX),
            some: self.shares.get(none..all).unwrap_or_default().to_vec(),
            pays_from: self.pays_from,
        }
    }

    /// From what was stored. None if it is not what was stored.
    pub fn from_row(row: &Row) -> Option<DelayCurve> {
        let mut shares = [ALL; BUCKETS];
        let (none, rest) = shares.split_at_mut_checked(row.none.into())?;
        none.fill(0);
        rest.get_mut(..row.some.len())?.copy_from_slice(&row.some);
        let pays = *shares.get(usize::from(row.pays_from))?;
        (shares.is_sorted() && *shares.last()? == ALL && STILL_PAYS <= pays).then_some(DelayCurve {
            shares,
            pays_from: row.pays_from,
        })
    }
}

fn shares_of(histogram: &DecayingHistogram) -> [u16; BUCKETS] {
    // To the nearest: `round` would be a call for each.
    histogram
        .within()
        .map(|share| (share * f64::from(ALL) + 0.5) as u16)
}

/// The first bucket by which so much has come.
fn first(shares: &[u16; BUCKETS], share: u16) -> Option<u8> {
    let first = shares.partition_point(|there| *there < share);
    u8::try_from(first).ok().filter(|_| first < BUCKETS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decaying_histogram::bucket_of;
    use crate::time::Time;
    use proptest::prelude::*;

    const NOON: Time = Time::from_millis(1_763_805_600_000);

    /// So many delays of so many milliseconds each.
    fn histogram(delays: &[(u32, i64)]) -> DecayingHistogram {
        let mut histogram = DecayingHistogram::default();
        for (count, delay_ms) in delays {
            for _ in 0..*count {
                histogram.add(*delay_ms, NOON);
            }
        }
        histogram
    }

    /// Whether the curve was replaced.
    fn follow(curve: &mut DelayCurve, histogram: &DecayingHistogram) -> bool {
        let next = curve.next(histogram);
        let is_other = next.is_some();
        *curve = next.unwrap_or_else(|| curve.clone());
        is_other
    }

    fn of(delays: &[(u32, i64)]) -> DelayCurve {
        DelayCurve::new(&histogram(delays)).unwrap()
    }

    /// What is waited for within so many whole buckets: milliseconds.
    fn shortest_ms(curve: &DelayCurve, within_ms: i64) -> Option<i64> {
        let shortest = curve.shortest(0.99)[bucket_of(within_ms)];
        shortest.map(|bucket| upper_bound_ms(bucket.into()))
    }

    #[test]
    fn the_shortest_wait_finds_nearly_all_that_could_be_found() {
        let curve = of(&[(600, 5_000), (388, 8_000), (12, 600_000)]);
        let bound = |ms| Some(upper_bound_ms(bucket_of(ms)));
        assert_eq!(shortest_ms(&curve, 1_000), None);
        assert_eq!(shortest_ms(&curve, 5_000), bound(5_000));
        assert_eq!(shortest_ms(&curve, 8_000), bound(8_000));
        assert_eq!(shortest_ms(&curve, 120_000), bound(8_000));
        assert_eq!(shortest_ms(&curve, 600_000), bound(600_000), "12 of 1000");
        let curve = of(&[(991, 8_000), (9, 600_000)]);
        assert_eq!(shortest_ms(&curve, 600_000), bound(8_000), "9 of 1000");
    }

    #[test]
    fn a_curve_stays_while_no_share_is_off_by_more_than_a_fiftieth() {
        for (slow, is_replaced) in [(20, false), (21, true)] {
            let mut curve = of(&[(1_000, 1_000)]);
            let before = curve.clone();
            let moved = histogram(&[(1_000 - slow, 1_000), (slow, 60_000)]);
            assert_eq!(follow(&mut curve, &moved), is_replaced, "{slow}");
            assert_eq!(curve != before, is_replaced, "{slow}");
            assert!(!follow(&mut curve, &moved), "it is a good copy now");
        }
    }

    #[test]
    fn a_share_that_wavers_about_half_does_not_make_waiting_pay_by_turns() {
        let half = |quick| histogram(&[(quick, 1_000), (1_000 - quick, 900_000)]);
        let pays = |curve: &DelayCurve| shortest_ms(curve, 60_000).is_some();
        let mut curve = DelayCurve::new(&half(499)).unwrap();
        assert!(!pays(&curve));
        for (quick, expected) in [
            (470, false),
            (499, false),
            (450, false),
            (500, true),
            (470, true),
            (510, true),
            (450, true),
            (480, true),
            (449, false),
            (499, false),
        ] {
            assert!(follow(&mut curve, &half(quick)), "{quick}");
            assert_eq!(pays(&curve), expected, "{quick}");
        }
    }

    fn any_delays() -> impl Strategy<Value = Vec<(u32, i64)>> {
        let delay = prop_oneof![0i64..1_000, 0i64..1_000_000, 0i64..1_000_000_000];
        prop::collection::vec((1u32..100, delay), 1..30)
    }

    proptest! {
        /// Were this to fail, who is more patient would be held back less, or somebody longer than waiting pays.
        #[test]
        fn the_wait_grows_with_patience_and_is_the_shortest_that_does(
            before in any_delays(), after in any_delays(), q in 0.5f64..=0.9999,
        ) {
            let mut curve = of(&before);
            follow(&mut curve, &histogram(&after));
            let shortest = curve.shortest(q);
            prop_assert!(shortest.is_sorted());
            let shares: Vec<f64> = curve.shares().map(|(_, share)| share).collect();
            for (bucket, found) in shortest.into_iter().enumerate() {
                let all = shares[bucket];
                let Some(found) = found.map(usize::from) else {
                    prop_assert!(all < 0.5, "{} in {}", all, bucket);
                    continue;
                };
                prop_assert!(0.45 <= all && found <= bucket);
                prop_assert!(q * all <= shares[found] + 1e-9);
                prop_assert!(found == 0 || shares[found - 1] < q * all + 1e-9);
            }
        }

        /// Were this to fail, a restart would move holds.
        #[test]
        fn it_is_the_same_from_what_is_stored(before in any_delays(), after in any_delays()) {
            let mut curve = of(&before);
            follow(&mut curve, &histogram(&after));
            prop_assert_eq!(DelayCurve::from_row(&curve.to_row()), Some(curve));
        }

        /// Were this to fail, a data folder damaged in one origin would stop the service or hold feeds for nothing.
        #[test]
        fn what_was_not_stored_is_no_curve(
            none in any::<u8>(), some in prop::collection::vec(any::<u16>(), 0..80), pays_from in any::<u8>(),
        ) {
            if let Some(curve) = DelayCurve::from_row(&Row { none, some, pays_from }) {
                prop_assert!(curve.shares().is_sorted_by(|one, next| one.1 <= next.1));
                prop_assert!(curve.shares().all(|(_, share)| share <= 1.0));
                prop_assert!(curve.shortest(0.99).is_sorted());
            }
        }
    }
}
