//! An actor as it is kept for display: the newest of the documents that came. Pure.

use crate::activity::actor::ActorDocument;
use crate::feed::stored_pos;
use crate::record::offsets::LogPos;
use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;

const VERSION: u8 = 1;

/// What is known of an actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// What its server says of it.
    pub document: ActorDocument,
    /// When the record that said so arrived.
    pub arrived: Time,
    /// The record that said so.
    #[serde(with = "stored_pos")]
    pub at: LogPos,
}

impl Actor {
    /// Whether this is what is kept of the two, or the same. It compares nothing but the records themselves, so that the
    /// same one stays whichever came first, and however often they are read again.
    pub fn supersedes(&self, other: &Actor) -> bool {
        other.rank() <= self.rank()
    }

    /// An excerpt never stands for a whole document, however new: it would take away the avatar because some server embeds
    /// only names. Of two alike the newer counts, and of one moment the later in the log.
    ///
    /// A document without `updated`, as most servers send it, is as new as its arrival: were it older than any date, one
    /// dated document would hold off all undated ones for ever. And none is newer than its arrival, or a clock that runs
    /// ahead would do the same.
    fn rank(&self) -> (bool, Time, LogPos) {
        let said = self.document.updated.unwrap_or(self.arrived);
        (self.document.is_whole, said.min(self.arrived), self.at)
    }

    /// About how many bytes it takes in memory.
    pub fn weight(&self) -> usize {
        600 + self.document.bytes()
    }

    /// As it is stored.
    pub fn pack(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_extend(self, vec![VERSION])
    }

    /// From what was stored. None if the bytes are not that.
    pub fn read(bytes: &[u8]) -> Option<Actor> {
        let (version, bytes) = bytes.split_first()?;
        match (*version, postcard::take_from_bytes(bytes)) {
            (VERSION, Ok((actor, []))) => Some(actor),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::actor::{ActorKind, Emoji, ProfileField};
    use proptest::prelude::*;

    fn actor(is_whole: bool, updated: Option<i64>, arrived: i64, offset: i64) -> Actor {
        let link = |name: &str| Some(format!("https://a.example/{name}"));
        Actor {
            document: ActorDocument {
                id: "https://a.example/u".to_owned(),
                kind: ActorKind::Service,
                is_whole,
                preferred_username: Some("u".to_owned()),
                name: None,
                summary: Some("<p>Ü</p>".to_owned()),
                url: link("@u"),
                icon: link("icon"),
                image: None,
                published: Some(Time::from_millis(7)),
                updated: updated.map(Time::from_millis),
                followers: link("followers"),
                following: None,
                featured: None,
                moved_to: None,
                manually_approves_followers: true,
                discoverable: Some(false),
                fields: vec![ProfileField {
                    name: "a".to_owned(),
                    value: "b".to_owned(),
                }],
                emoji: vec![Emoji {
                    shortcode: "wave".to_owned(),
                    url: "https://a.example/e".to_owned(),
                }],
            },
            arrived: Time::from_millis(arrived),
            at: LogPos::of_activity(0, offset),
        }
    }

    #[test]
    fn the_newest_counts() {
        for (kept, other) in [
            // Newer by date, whatever came first.
            (actor(true, Some(20), 40, 1), actor(true, Some(10), 50, 2)),
            // Of one date the later in the log.
            (actor(true, Some(20), 40, 2), actor(true, Some(20), 50, 1)),
            // Without a date it is as new as it came.
            (actor(true, None, 30, 1), actor(true, Some(20), 40, 2)),
            (actor(true, Some(35), 40, 1), actor(true, None, 30, 2)),
            // A date ahead of its arrival holds nothing off.
            (actor(true, None, 60, 2), actor(true, Some(9_999), 50, 1)),
            // A whole one, whatever its age.
            (actor(true, Some(1), 2, 1), actor(false, None, 90, 2)),
            (actor(false, None, 91, 1), actor(false, None, 90, 2)),
        ] {
            assert!(kept.supersedes(&other), "{kept:?} {other:?}");
            assert!(!other.supersedes(&kept), "{kept:?} {other:?}");
        }
        // The same record read again is no older than itself.
        let same = actor(true, None, 30, 1);
        assert!(same.supersedes(&same));
    }

    #[test]
    fn what_is_stored_is_read_again_and_nothing_else_is() {
        let kept = actor(true, Some(1), 2, 3);
        let bytes = kept.pack().unwrap();
        assert_eq!(Actor::read(&bytes), Some(kept));
        assert!(bytes.ends_with(&[4, 0, 6]), "arrival, partition, offset");
        assert_eq!(Actor::read(&[]), None);
        assert_eq!(Actor::read(&bytes[..bytes.len() - 1]), None);
        assert_eq!(Actor::read(&[bytes.as_slice(), &[0]].concat()), None);
        let mut other = bytes.clone();
        other[0] = VERSION + 1;
        assert_eq!(Actor::read(&other), None);
    }

    proptest! {
        /// A failure means that two nodes, or one before and after a rebuild, show an author differently.
        #[test]
        fn the_same_one_stays_in_any_order(
            told in prop::collection::vec((any::<bool>(), prop::option::of(0i64..6), 0i64..6), 1..8),
            order in any::<prop::sample::Index>(),
        ) {
            let actors: Vec<Actor> = told
                .iter()
                .zip(0..)
                .map(|((whole, updated, arrived), offset)| actor(*whole, *updated, *arrived, offset))
                .collect();
            let last = |actors: &[Actor]| {
                let pick = |kept: Actor, next: Actor| if next.supersedes(&kept) { next } else { kept };
                actors.iter().cloned().reduce(pick)
            };
            let mut other = actors.clone();
            other.rotate_left(order.index(actors.len()));
            prop_assert_eq!(last(&actors), last(&other));
            other.reverse();
            prop_assert_eq!(last(&actors), last(&other));
        }
    }
}
