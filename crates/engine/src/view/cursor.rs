//! A resume token: how much of a feed a reader has, as text. It is opaque to clients, versioned, sealed, and bound to one feed.

use crate::record::offsets::Offsets;
use crate::view::seal::{NAME_BYTES, SEAL_BYTES, SealedLog};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use xxhash_rust::xxh3::xxh3_64;

/// The version of cursors that are written, and the only one that is read.
pub const VERSION: u8 = 4;
/// How many later versions are known for what they are: one that was in use before this one was gone back to.
const LATER_VERSIONS: u8 = 8;
/// The longest text worth decoding: both topics in 1024 partitions, twice.
const TEXT_BYTES_MAX: usize = 128 << 10;

/// How much of one feed a reader has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// A hash of the account and the feed that the cursor belongs to.
    pub feed: u64,
    /// The log that its offsets are of, and the key that seals its text.
    #[serde(with = "by_hash")]
    pub log: SealedLog,
    /// The moment whose feed the reader has whole.
    pub from: ReadPoint,
    /// How far the reader has got in a delivery of several answers; none outside of one.
    pub batch: Option<Batch>,
}

/// A feed at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadPoint {
    /// The offsets up to which the feed was built.
    pub seen: Offsets,
    /// The offsets of records that entries rested on beyond that: they are of a batch that was not published yet. Mostly none.
    pub ahead: Offsets,
    /// Its horizon; if it had none, the time of its highest entry or of the reading.
    pub horizon: Time,
    /// The highest place it showed; the lowest of all for none.
    pub top: PostId,
    /// Its floor: the place at and below which nothing was visible for length.
    pub floor: PostId,
}

/// How far a delivery of several answers has got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The moment whose feed the reader will have at its end.
    pub upto: ReadPoint,
    /// The highest place that was sent.
    pub last: PostId,
}

/// Why a text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// It was cut or changed, or never was a cursor.
    #[error("the cursor is damaged: send one exactly as an answer gave it")]
    Damaged,
    /// Another version of the service wrote it.
    #[error("the cursor is of another version")]
    OtherVersion,
    /// A service with another key wrote it, or a service without one.
    #[error("the cursor was sealed with another key")]
    OtherKey,
}

impl Cursor {
    /// The horizon that its reader has reached.
    pub fn horizon(&self) -> Time {
        let upto = self.batch.as_ref().map(|batch| &batch.upto);
        upto.unwrap_or(&self.from).horizon
    }

    /// The hash that binds a cursor to a feed, of a text that no other feed has.
    pub fn feed_of(feed: &str) -> u64 {
        xxh3_64(feed.as_bytes())
    }

    /// The floor of its reader, who is sent it with the cursor. None amid a delivery of several answers: these may bring back entries
    /// below the floor that there was before.
    pub fn floor(&self) -> Option<PostId> {
        self.batch.is_none().then_some(self.from.floor)
    }

    /// From now on the cursor counts on no floor.
    pub fn drop_floor(&mut self) {
        self.from.floor = PostId::MIN;
        if let Some(batch) = &mut self.batch {
            batch.upto.floor = PostId::MIN;
        }
    }

    /// As URL-safe text.
    pub fn to_text(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.log.key_name());
        bytes.extend(postcard::to_stdvec(self).unwrap_or_default());
        let seal = self.log.seal(&bytes);
        bytes.extend_from_slice(&seal);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`Cursor::to_text`] wrote, with a key of `log`'s. Whether it is of that log is left to be seen.
    pub fn parse(text: &str, log: &SealedLog) -> Result<Cursor, CursorError> {
        const DAMAGED: CursorError = CursorError::Damaged;
        if TEXT_BYTES_MAX < text.len() {
            return Err(DAMAGED);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| DAMAGED)?;
        match bytes.split_first() {
            Some((&VERSION, _)) => {}
            // How later ones are sealed is not known: they are told from damage by their number.
            Some((later, _)) if (VERSION..=VERSION + LATER_VERSIONS).contains(later) => {
                return Err(CursorError::OtherVersion);
            }
            Some((before, _)) if *before < VERSION && ends_in_checksum(&bytes) => {
                return Err(CursorError::OtherVersion);
            }
            _ => return Err(DAMAGED),
        }
        let split = bytes.len().checked_sub(SEAL_BYTES).ok_or(DAMAGED)?;
        let (said, seal) = bytes.split_at(split);
        let (named, rest) = said.split_at_checked(1 + NAME_BYTES).ok_or(DAMAGED)?;
        let name = named.get(1..).unwrap_or_default();
        let by = log.by_name(name).ok_or(CursorError::OtherKey)?;
        if !by.is_sealed(said, seal) {
            return Err(DAMAGED);
        }
        let mut cursor: Cursor = postcard::from_bytes(rest).map_err(|_| DAMAGED)?;
        cursor.log = log.of(&cursor.log);
        Ok(cursor)
    }
}

/// Whether this is whole as texts of earlier versions were: it ends in a checksum of eight bytes.
fn ends_in_checksum(bytes: &[u8]) -> bool {
    bytes
        .split_last_chunk::<8>()
        .is_some_and(|(said, checksum)| *checksum == xxh3_64(said).to_le_bytes())
}

/// A log as its hash: a key never becomes text.
mod by_hash {
    use super::SealedLog;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(log: &SealedLog, to: S) -> Result<S::Ok, S::Error> {
        log.hash().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SealedLog, D::Error> {
        u64::deserialize(from).map(SealedLog::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Position, Topic};
    use crate::view::seal::Key;

    fn log() -> SealedLog {
        SealedLog::new(4).sealed_with(Some(Key::of(b"a key")))
    }

    fn place(number: u64) -> PostId {
        PostId::from_number(number).unwrap()
    }

    fn cursor() -> Cursor {
        let next = Topic::ALL.map(|topic| Position {
            topic,
            partition: 3,
            offset: 77,
        });
        let read_point = ReadPoint {
            seen: Offsets::new(&next),
            ahead: Offsets::new(&next),
            horizon: Time::from_millis(5),
            top: place(9),
            floor: place(2),
        };
        Cursor {
            feed: Cursor::feed_of("7/home"),
            log: log(),
            from: read_point.clone(),
            batch: Some(Batch {
                upto: read_point,
                last: place(8),
            }),
        }
    }

    #[test]
    fn a_cursor_survives_being_text() {
        assert_eq!(Cursor::parse(&cursor().to_text(), &log()), Ok(cursor()));
    }

    #[test]
    fn any_change_to_it_is_noticed() {
        let unsealed = Cursor {
            log: SealedLog::new(4),
            ..cursor()
        };
        for (text, log) in [
            (cursor().to_text(), log()),
            (unsealed.to_text(), unsealed.log.clone()),
        ] {
            for at in 0..text.len() {
                for other in ["A", "b", "-", "%"] {
                    let mut changed = text.clone();
                    changed.replace_range(at..=at, other);
                    if changed != text {
                        assert!(Cursor::parse(&changed, &log).is_err(), "{at} {other}");
                    }
                }
                assert!(Cursor::parse(&text[..at], &log).is_err());
            }
        }
    }

    /// Were this to fail, anybody could make cursors that keep the service busy, or that skip what their reader lacks.
    #[test]
    fn only_who_has_the_key_makes_a_cursor() {
        let forged = Cursor {
            log: SealedLog::new(4).sealed_with(Some(Key::of(b"a guess"))),
            ..cursor()
        };
        assert_eq!(
            Cursor::parse(&forged.to_text(), &log()),
            Err(CursorError::OtherKey)
        );
        // Under the right name, which every cursor shows.
        let mut bytes = URL_SAFE_NO_PAD.decode(forged.to_text()).unwrap();
        bytes[1..5].copy_from_slice(&log().key_name());
        let named = URL_SAFE_NO_PAD.encode(&bytes);
        assert_eq!(Cursor::parse(&named, &log()), Err(CursorError::Damaged));
        let unsealed = Cursor {
            log: SealedLog::new(4),
            ..cursor()
        };
        let text = unsealed.to_text();
        assert_eq!(Cursor::parse(&text, &log()), Err(CursorError::OtherKey));
        assert_eq!(Cursor::parse(&text, &SealedLog::new(4)), Ok(unsealed));
    }

    /// Were this to fail, all readers would begin anew when the key is changed, or cursors would go on being sealed with the old.
    #[test]
    fn one_that_another_key_sealed_is_taken_if_that_is_among_them_and_goes_on_with_the_first() {
        let key = |secret: &str| Some(Key::of(secret.as_bytes()));
        let by = |key: Option<Key>| Cursor {
            log: SealedLog::new(4).sealed_with(key),
            ..cursor()
        };
        let keys = |first: Option<Key>, others: &[Option<Key>]| {
            SealedLog::new(4).sealed_with(first).taking(others)
        };
        let (old, new) = (by(key("old")), by(key("new")));
        // What the nodes have as one after the other is started anew, from no key on.
        let on_the_way = [
            keys(None, &[key("old")]),
            keys(key("old"), &[None]),
            keys(key("old"), &[key("new"), None]),
            keys(key("new"), &[key("old")]),
        ];
        let takes = |log: &SealedLog| {
            [&by(None), &old, &new].map(|cursor| match Cursor::parse(&cursor.to_text(), log) {
                Ok(taken) => {
                    assert_eq!(taken.log.key_name(), log.key_name(), "sealed anew");
                    let text = taken.to_text();
                    assert_eq!(Cursor::parse(&text, log), Ok(cursor.clone()));
                    let first = log.by_name(&log.key_name()).unwrap();
                    assert!(Cursor::parse(&text, &first).is_ok());
                    true
                }
                Err(error) => {
                    assert_eq!(error, CursorError::OtherKey);
                    false
                }
            })
        };
        assert_eq!(
            on_the_way.each_ref().map(takes),
            [
                [true, true, false],
                [true, true, false],
                [true, true, true],
                [false, true, true]
            ]
        );
        // A name alone is not enough.
        let mut bytes = URL_SAFE_NO_PAD.decode(new.to_text()).unwrap();
        bytes[1..5].copy_from_slice(&old.log.key_name());
        let named = URL_SAFE_NO_PAD.encode(&bytes);
        let parsed = Cursor::parse(&named, &keys(key("new"), &[key("old")]));
        assert_eq!(parsed, Err(CursorError::Damaged));
    }

    #[test]
    fn one_of_an_earlier_version_is_known_for_what_it_is() {
        let mut bytes = vec![3, 1, 2, 3];
        let checksum = xxh3_64(&bytes).to_le_bytes();
        bytes.extend_from_slice(&checksum);
        let parsed = |bytes: &[u8]| Cursor::parse(&URL_SAFE_NO_PAD.encode(bytes), &log());
        assert_eq!(parsed(&bytes), Err(CursorError::OtherVersion));
        bytes[2] = 7;
        assert_eq!(parsed(&bytes), Err(CursorError::Damaged));
        bytes[0] = VERSION + 1;
        assert_eq!(parsed(&bytes), Err(CursorError::OtherVersion));
    }
}
