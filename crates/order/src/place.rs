//! A place in every feed, which is also the post's id: decided once, and it sorts as the feed sorts.
//!
//! ```text
//! id = milliseconds since 1970 << 16 | slot (10 bits) << 6 | sequence (6 bits)
//! ```
//!
//! The slot is Kafka's own hash of the author's id, so a slot lives in one partition of any topic of 2^n <= 1024
//! partitions, and the order in which a partition is read decides ties the same way on every node and every time.

use crate::key_hash::key_hash;
use crate::time::Time;
use std::fmt;
use std::str::FromStr;

/// Slots: authors are spread over this many.
pub const SLOTS: u32 = 1 << SLOT_BITS;
/// How many posts one slot holds in one millisecond.
pub const SEQUENCES: u64 = 1 << SEQUENCE_BITS;
/// How many milliseconds a full slot may run on into before the post is placed by its arrival instead.
pub const RUN_ON_MAX: i64 = 1_000;

const SLOT_BITS: u32 = 10;
const SEQUENCE_BITS: u32 = 6;
const MILLIS_MAX: i64 = (1 << 47) - 1;

/// A post's place and id: a positive 63-bit integer, shown as a decimal string. By default [`PostId::MIN`].
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct PostId(u64);

impl PostId {
    /// Above every place.
    pub const MAX: PostId = PostId(i64::MAX as u64);
    /// Below every place.
    pub const MIN: PostId = PostId(0);

    /// The place with these parts. `at` is clamped to what 47 bits hold, slot and sequence wrap at their sizes.
    pub fn new(at: Time, slot: u32, sequence: u64) -> PostId {
        let millis = u64::try_from(at.millis().clamp(0, MILLIS_MAX)).unwrap_or(0);
        let slot = u64::from(slot % SLOTS);
        PostId(
            (millis << (SLOT_BITS + SEQUENCE_BITS))
                | (slot << SEQUENCE_BITS)
                | (sequence % SEQUENCES),
        )
    }

    /// From the number it is; none if the top bit is set.
    pub const fn from_number(number: u64) -> Option<PostId> {
        if number <= PostId::MAX.0 {
            Some(PostId(number))
        } else {
            None
        }
    }

    /// The number it is.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The moment it stands at.
    pub fn time(self) -> Time {
        Time::from_millis(i64::try_from(self.0 >> (SLOT_BITS + SEQUENCE_BITS)).unwrap_or(i64::MAX))
    }

    /// Its author's slot.
    pub const fn slot(self) -> u32 {
        (self.0 >> SEQUENCE_BITS) as u32 % SLOTS
    }

    /// Its number within slot and millisecond.
    pub const fn sequence(self) -> u64 {
        self.0 % SEQUENCES
    }
}

/// The slot of an author's posts.
pub fn slot_of(author: &str) -> u32 {
    key_hash(author.as_bytes()) % SLOTS
}

/// What stands at a place, asked while looking for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupant {
    /// Nothing: the place is free.
    Nobody,
    /// This very post: it was placed before and is being read again.
    Itself,
    /// Another post, a tombstone, or a withheld post.
    Another,
}

/// The lowest place of `slot` from `from` to `until` (both included, at most [`RUN_ON_MAX`] milliseconds on) that is
/// free or already holds the post itself; none if all are taken.
///
/// `hint` is a sequence number, counted from `from`, below which every place is known to hold another post.
pub fn lowest_free<E>(
    slot: u32,
    from: Time,
    until: Time,
    hint: u64,
    mut occupant: impl FnMut(PostId) -> Result<Occupant, E>,
) -> Result<Option<PostId>, E> {
    let run_on = until.since(from).clamp(0, RUN_ON_MAX);
    let tries = (u64::try_from(run_on).unwrap_or(0) + 1) * SEQUENCES;
    for n in hint..tries {
        let millis = from.millis() + i64::try_from(n / SEQUENCES).unwrap_or(0);
        let id = PostId::new(Time::from_millis(millis), slot, n % SEQUENCES);
        match occupant(id)? {
            Occupant::Nobody | Occupant::Itself => return Ok(Some(id)),
            Occupant::Another => {}
        }
    }
    Ok(None)
}

/// A text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPostId;

impl fmt::Display for NotAPostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not an id: send a decimal number from 0 to {}",
            PostId::MAX.0
        )
    }
}

impl std::error::Error for NotAPostId {}

impl fmt::Display for PostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}@{}/{}.{}",
            self.0,
            self.time().millis(),
            self.slot(),
            self.sequence()
        )
    }
}

impl FromStr for PostId {
    type Err = NotAPostId;

    fn from_str(text: &str) -> Result<PostId, NotAPostId> {
        let number = if text.bytes().all(|b| b.is_ascii_digit()) {
            text.parse().ok()
        } else {
            None
        };
        number.and_then(PostId::from_number).ok_or(NotAPostId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn an_id_sorts_by_time_then_slot_then_sequence() {
        let at = |ms, slot, seq| PostId::new(Time::from_millis(ms), slot, seq);
        let sorted = [
            at(1, 1023, 63),
            at(2, 0, 0),
            at(2, 0, 1),
            at(2, 1, 0),
            at(3, 0, 0),
        ];
        assert!(sorted.is_sorted());
    }

    #[test]
    fn an_id_has_the_documented_shape() {
        let id = PostId::new(Time::from_millis(1_763_805_600_123), 777, 5);
        assert_eq!(id.number(), (1_763_805_600_123 << 16) | (777 << 6) | 5);
        assert_eq!(
            (id.time().millis(), id.slot(), id.sequence()),
            (1_763_805_600_123, 777, 5)
        );
    }

    #[test]
    fn only_positive_63_bit_decimals_are_ids() {
        for bad in [
            "",
            "-1",
            "+1",
            "9223372036854775808",
            "1.0",
            " 1",
            "abc",
            "18446744073709551616",
        ] {
            assert!(bad.parse::<PostId>().is_err(), "{bad}");
        }
        assert_eq!(
            "9223372036854775807".parse::<PostId>().unwrap(),
            PostId::MAX
        );
    }

    /// Were this to fail, a slot could be split over partitions, and ids would depend on how they interleave.
    #[test]
    fn a_slot_lives_in_one_partition_of_any_topic() {
        for n in 0..5_000 {
            let author = format!("https://host{}.example/users/{n}", n % 7);
            for partitions in [1, 2, 8, 64, 1024] {
                let partition = crate::key_hash::partition_of(author.as_bytes(), partitions);
                assert_eq!(slot_of(&author) as i32 % partitions, partition);
            }
        }
    }

    fn place(
        taken: &mut BTreeMap<PostId, u32>,
        from: i64,
        until: i64,
        post: u32,
    ) -> Option<PostId> {
        let found = lowest_free(
            3,
            Time::from_millis(from),
            Time::from_millis(until),
            0,
            |id| {
                Ok::<_, ()>(match taken.get(&id) {
                    None => Occupant::Nobody,
                    Some(there) if *there == post => Occupant::Itself,
                    Some(_) => Occupant::Another,
                })
            },
        );
        let id = found.unwrap()?;
        taken.insert(id, post);
        Some(id)
    }

    #[test]
    fn a_full_slot_runs_on_into_the_next_millisecond_and_no_further_than_allowed() {
        let mut taken = BTreeMap::new();
        for post in 0..64 {
            assert_eq!(
                place(&mut taken, 10, 10, post).unwrap().sequence(),
                u64::from(post)
            );
        }
        assert_eq!(place(&mut taken, 10, 10, 64), None);
        assert_eq!(
            place(&mut taken, 10, 11, 64),
            Some(PostId::new(Time::from_millis(11), 3, 0))
        );
        assert_eq!(
            place(&mut taken, 10, 11, 64),
            Some(PostId::new(Time::from_millis(11), 3, 0)),
            "found again"
        );
    }

    #[test]
    fn a_slot_runs_on_a_thousand_milliseconds_at_most() {
        let mut asked = 0;
        let none = lowest_free(0, Time::from_millis(5), Time::LATEST, 0, |_| {
            asked += 1;
            Ok::<_, ()>(Occupant::Another)
        });
        assert_eq!((none, asked), (Ok(None), 1_001 * 64));
    }

    proptest! {
        /// Were this to fail, reading the log again would give other ids.
        #[test]
        fn placing_the_same_posts_again_gives_the_same_places(times in prop::collection::vec(0i64..3, 1..200)) {
            let mut first = BTreeMap::new();
            let mut ids = Vec::new();
            for (post, at) in times.iter().enumerate() {
                ids.push(place(&mut first, *at, at + 1_000, post as u32));
            }
            let mut again = first.clone();
            for (post, at) in times.iter().enumerate() {
                prop_assert_eq!(place(&mut again, *at, at + 1_000, post as u32), ids[post]);
            }
            prop_assert_eq!(first, again);
        }
    }
}
