//! A place that the backend gives: its own id of a post, as a number.
//!
//! Servers that make their ids of a time, as Mastodon does, have ids that sort as feeds do: `milliseconds since 1970 << 16 | n`. Where
//! these are the places, nothing is looked for: a post stands where its ref says, whoever wrote it and whatever stands beside it.

use crate::place::PostId;
use crate::time::Time;
use crate::verdict::{Disposition, Judgement, PlacedBy};
use std::fmt;
use std::time::Duration;

/// From what posts get their places. One log keeps to one of the two: a post has one place for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum PlaceSource {
    /// From when they were written, as far as that can be believed.
    #[default]
    Published,
    /// From the backend's own ids of them.
    Ref,
}

impl PlaceSource {
    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            PlaceSource::Published => "published",
            PlaceSource::Ref => "ref",
        }
    }
}

/// 2017-01-01T00:00:00Z. A ref of an earlier time is of a server's old, small ids, which counted posts and say no time: it is a place,
/// and no feed has it.
pub const REF_TIMES_SINCE: Time = Time::from_millis(1_483_228_800_000);

/// A ref is no place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAPlace {
    /// There is none.
    Missing,
    /// It is no number that is a place, in its one decimal form.
    NotANumber,
    /// It stands further ahead of its arrival than clocks may differ.
    Ahead {
        /// Where it stands.
        at: Time,
        /// When the post arrived.
        arrived: Time,
    },
}

impl fmt::Display for NotAPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAPlace::Missing => {
                f.write_str("the post has no ref, which is its place here: send your own id of it")
            }
            NotAPlace::NotANumber => write!(
                f,
                "its ref, which is its place here, is none: send a decimal number from 1 to {}, milliseconds since 1970 << 16 | n, \
                 without zeros before it",
                PostId::MAX.number()
            ),
            NotAPlace::Ahead { at, arrived } => write!(
                f,
                "its ref, which is its place here, stands at {} ms since 1970, further ahead of its arrival at {} ms than clocks may \
                 differ: send an id made of a time (milliseconds since 1970 << 16 | n), or set the clocks",
                at.millis(),
                arrived.millis()
            ),
        }
    }
}

impl std::error::Error for NotAPlace {}

/// The place that a ref is. A post has only one: a number has one form, without zeros before it.
pub fn place_of_ref(
    reference: Option<&str>,
    arrived: Time,
    clock_skew: Duration,
) -> Result<PostId, NotAPlace> {
    let reference = reference.ok_or(NotAPlace::Missing)?;
    if reference.starts_with('0') {
        return Err(NotAPlace::NotANumber);
    }
    let place: PostId = reference.parse().map_err(|_| NotAPlace::NotANumber)?;
    let at = place.time();
    if arrived.plus(clock_skew) < at {
        return Err(NotAPlace::Ahead { at, arrived });
    }
    Ok(place)
}

/// A judgement on a post that is placed by its ref: its verdict is as ever, by its two times.
pub fn judged_at(place: PostId, judgement: Judgement) -> Judgement {
    let at = place.time();
    Judgement {
        placed_by: PlacedBy::Ref,
        at,
        disposition: match REF_TIMES_SINCE <= at {
            true => judgement.disposition,
            false => Disposition::Dropped,
        },
        ..judgement
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;
    use proptest::prelude::*;

    const ARRIVED: Time = Time::from_millis(1_763_805_600_000);
    const SKEW: Duration = Duration::from_secs(120);

    fn place(reference: &str) -> Result<u64, NotAPlace> {
        place_of_ref(Some(reference), ARRIVED, SKEW).map(PostId::number)
    }

    #[test]
    fn a_place_is_a_number_in_its_one_form() {
        assert_eq!(place("1"), Ok(1));
        assert_eq!(place("115000000000000001"), Ok(115_000_000_000_000_001));
        for bad in [
            "",
            "0",
            "01",
            "-1",
            "+1",
            "1.0",
            " 1",
            "1e3",
            "9223372036854775808",
            "one",
        ] {
            assert_eq!(place(bad), Err(NotAPlace::NotANumber), "{bad}");
        }
        assert_eq!(place_of_ref(None, ARRIVED, SKEW), Err(NotAPlace::Missing));
    }

    #[test]
    fn a_place_is_no_further_ahead_of_its_arrival_than_clocks_may_differ() {
        let last = ARRIVED.plus(SKEW);
        let number = |at: Time, n: u64| (at.millis().unsigned_abs() << 16 | n).to_string();
        assert!(place(&number(last, 65_535)).is_ok());
        let at = Time::from_millis(last.millis() + 1);
        assert_eq!(
            place(&number(at, 0)),
            Err(NotAPlace::Ahead {
                at,
                arrived: ARRIVED
            })
        );
        assert!(place(&PostId::MAX.to_string()).is_err());
    }

    #[test]
    fn small_numbers_are_places_that_no_feed_has_and_the_verdict_stays() {
        let judgement = Judgement {
            verdict: Verdict::Late,
            placed_by: PlacedBy::Published,
            at: ARRIVED,
            disposition: Disposition::InFeeds,
        };
        let first = REF_TIMES_SINCE.millis().unsigned_abs() << 16;
        for (number, disposition) in [
            (1, Disposition::Dropped),
            (99_999_999, Disposition::Dropped),
            (first - 1, Disposition::Dropped),
            (first, Disposition::InFeeds),
        ] {
            let place = PostId::from_number(number).unwrap();
            let judged = judged_at(place, judgement);
            assert_eq!(
                (judged.verdict, judged.placed_by),
                (Verdict::Late, PlacedBy::Ref)
            );
            assert_eq!(
                (judged.at, judged.disposition),
                (place.time(), disposition),
                "{number}"
            );
        }
    }

    proptest! {
        /// Were this to fail, two posts could have one place, or a post not be found under the id that its backend gave it.
        #[test]
        fn a_place_reads_as_the_ref_that_it_is(number in 1..=ARRIVED.millis().unsigned_abs() << 16) {
            let reference = number.to_string();
            let place = place_of_ref(Some(&reference), ARRIVED, SKEW).unwrap();
            prop_assert_eq!(place.to_string(), reference);
        }
    }
}
