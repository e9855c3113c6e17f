//! How far a page's feed had been built, as text. Opaque to clients; versioned, checksummed, and bound to one feed.

use crate::post::record::Position;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 8;
/// The longest text worth decoding: both topics in 1024 partitions.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// A moment of one feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// A hash of the account and the feed it belongs to.
    pub feed: u64,
    /// Of each partition, the next record the feed had not seen.
    pub next: Vec<Position>,
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
    /// The hash that binds a cursor to a feed.
    pub fn feed_of(account: &str, feed: &str) -> u64 {
        xxh3_64(format!("{account}/{feed}").as_bytes())
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
    use crate::post::record::Topic;

    fn cursor() -> Cursor {
        let next = Topic::ALL
            .map(|topic| Position {
                topic,
                partition: 3,
                offset: 77,
            })
            .to_vec();
        Cursor {
            feed: Cursor::feed_of("7", "home"),
            next,
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
