//! How far a reader has been told of a feed, as text. Opaque to clients; versioned, checksummed, and bound to one feed.

use crate::post::mark::Seen;
use crate::time::Time;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

const VERSION: u8 = 3;
const CHECKSUM_BYTES: usize = 8;
/// The longest text worth decoding: both topics in 1024 partitions, twice.
const TEXT_BYTES_MAX: usize = 128 << 10;

/// How far a reader of one feed has been told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// A hash of the account and the feed it belongs to.
    pub feed: u64,
    /// A hash of the log whose offsets it holds.
    pub log: u64,
    /// What the reader has, whole.
    pub from: Moment,
    /// Set while the reader is being told in several answers.
    pub batch: Option<Batch>,
}

/// One feed at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// How far the feed had been built.
    pub seen: Seen,
    /// What entries rested on beyond that: records of a batch that readers had not been told of. Mostly nothing.
    pub ahead: Seen,
    /// Up to when it was shown; if all of it was, no entry was placed later.
    pub horizon: Time,
    /// The highest place it showed; 0 for none.
    pub top: u64,
    /// The highest place below which it showed nothing for length.
    pub floor: u64,
}

/// Where a telling in several answers has got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// What the reader will have when it has been told everything.
    pub upto: Moment,
    /// The highest place it was told of.
    pub last: u64,
}

/// Why a text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// It was cut, changed, or never one.
    #[error("the cursor is damaged: send one exactly as an answer gave it")]
    Damaged,
    /// Another version of the service wrote it.
    #[error("the cursor is of another version: read the feed anew")]
    OtherVersion,
}

impl Cursor {
    /// The hash that binds a cursor to a feed, of a text that no other feed has.
    pub fn feed_of(feed: &str) -> u64 {
        xxh3_64(feed.as_bytes())
    }

    /// The place at and below which the reader has nothing: whoever is given the cursor is told it with it. None amid several
    /// answers: what they bring back to light may stand below the floor there was before.
    pub fn floor(&self) -> Option<u64> {
        self.batch.is_none().then_some(self.from.floor)
    }

    /// Counts on no floor any more.
    pub fn drop_floor(&mut self) {
        self.from.floor = 0;
        if let Some(batch) = &mut self.batch {
            batch.upto.floor = 0;
        }
    }

    /// As URL-safe text.
    pub fn to_text(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(postcard::to_stdvec(self).unwrap_or_default());
        let checksum = xxh3_64(&bytes).to_le_bytes();
        bytes.extend_from_slice(&checksum);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`Cursor::to_text`] wrote.
    pub fn parse(text: &str) -> Result<Cursor, CursorError> {
        if TEXT_BYTES_MAX < text.len() {
            return Err(CursorError::Damaged);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| CursorError::Damaged)?;
        let split = bytes
            .len()
            .checked_sub(CHECKSUM_BYTES)
            .ok_or(CursorError::Damaged)?;
        let (said, checksum) = bytes.split_at(split);
        if checksum != xxh3_64(said).to_le_bytes() {
            return Err(CursorError::Damaged);
        }
        match said.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|_| CursorError::Damaged),
            Some(_) => Err(CursorError::OtherVersion),
            None => Err(CursorError::Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::post::record::{Position, Topic};

    fn cursor() -> Cursor {
        let next = Topic::ALL.map(|topic| Position {
            topic,
            partition: 3,
            offset: 77,
        });
        let moment = Moment {
            seen: Seen::new(&next),
            ahead: Seen::new(&next),
            horizon: Time::from_millis(5),
            top: 9,
            floor: 2,
        };
        Cursor {
            feed: Cursor::feed_of("7/home"),
            log: 4,
            from: moment.clone(),
            batch: Some(Batch {
                upto: moment,
                last: 8,
            }),
        }
    }

    #[test]
    fn a_cursor_survives_being_text() {
        assert_eq!(Cursor::parse(&cursor().to_text()), Ok(cursor()));
    }

    #[test]
    fn any_change_to_it_is_noticed() {
        let text = cursor().to_text();
        for at in 0..text.len() {
            for other in ["A", "b", "-", "%"] {
                let mut changed = text.clone();
                changed.replace_range(at..=at, other);
                if changed != text {
                    assert!(Cursor::parse(&changed).is_err(), "{at} {other}");
                }
            }
            assert!(Cursor::parse(&text[..at]).is_err());
        }
    }
}
