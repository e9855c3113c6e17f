//! Dead letters as the API shows them.

use crate::log::dead_letters::replay::NotReplayed;
use crate::log::dead_letters::{Excerpt, LetterExcerpt, LetterPage};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;

/// Records that could not be used, newest first.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetters {
    /// Newest first. There may be fewer than `limit`: a page has about 1 MB at most, or one letter.
    pub dead_letters: Vec<DeadLetter>,
    /// To be sent as `before` for older ones; null if there are none.
    pub before: Option<String>,
    /// To be sent as `after` for those that come later; null if there never was one.
    pub after: Option<String>,
}

/// A record that could not be used, with its reason.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// Its name among the dead letters: partition and offset there, as in `0-17`.
    pub id: String,
    /// Why the record could not be used; null if the letter does not say it.
    pub reason: Option<String>,
    /// The topic that the record stood in, by its name in the log; null if the letter does not say it.
    pub topic: Option<String>,
    /// The partition that the record stood in.
    pub partition: Option<i32>,
    /// The offset that the record stood at.
    pub offset: Option<i64>,
    /// The record's timestamp in the log; null if it had none or the letter does not say it.
    pub received: Option<Time>,
    /// When the record was set aside; null where the log does not keep that: the built-in log does not.
    pub set_aside: Option<Time>,
    /// The record's key.
    pub key: Option<RecordBytes>,
    /// The record's headers in order, the first fifty.
    pub headers: Vec<RecordHeader>,
    /// How many more headers the record has.
    pub headers_left_out: usize,
    /// The record's value; null if it has none.
    pub value: Option<RecordBytes>,
}

/// What became of a dead letter that was replayed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replayed {
    /// The dead letter.
    pub id: String,
    /// What became of its record.
    pub outcome: Outcome,
    /// Why it is not good; null if it is.
    pub reason: Option<String>,
    /// The topic that the record was appended to; null if it was not.
    pub topic: Option<String>,
    /// The partition it was appended to.
    pub partition: Option<i32>,
    /// The offset it was appended at.
    pub offset: Option<i64>,
}

/// What became of a record that was replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was appended and taken in.
    Good,
    /// It was appended, and is a dead letter again.
    SetAside,
    /// It was not appended: it would be set aside again, or it is a relation.
    Refused,
    /// It was appended, and nothing has read it yet.
    Appended,
}

/// A header of a record.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordHeader {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: RecordBytes,
}

/// Bytes of a record.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordBytes {
    /// How `data` has them.
    pub encoding: Encoding,
    /// The bytes, or the first of them.
    pub data: String,
    /// How many bytes the whole has.
    pub bytes: usize,
    /// Whether `data` has only the first of them.
    pub cut: bool,
}

/// How text has bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// All of them are UTF-8, and this is the text.
    Text,
    /// Base64 (RFC 4648, section 4).
    Base64,
}

impl Replayed {
    /// A letter whose record was not appended.
    pub fn refused(id: String, refused: &NotReplayed) -> Replayed {
        Replayed {
            id,
            outcome: Outcome::Refused,
            reason: Some(refused.to_string()),
            topic: None,
            partition: None,
            offset: None,
        }
    }
}

impl From<LetterPage> for DeadLetters {
    fn from(page: LetterPage) -> DeadLetters {
        DeadLetters {
            dead_letters: page.letters.into_iter().map(DeadLetter::from).collect(),
            before: page.before.map(|position| position.to_string()),
            after: page.after.map(|position| position.to_string()),
        }
    }
}

impl From<LetterExcerpt> for DeadLetter {
    fn from(letter: LetterExcerpt) -> DeadLetter {
        let source = letter.source;
        DeadLetter {
            id: letter.id.to_string(),
            reason: letter.reason,
            partition: source.as_ref().map(|source| source.partition),
            offset: source.as_ref().map(|source| source.offset),
            topic: source.map(|source| source.topic),
            received: letter.received,
            set_aside: letter.set_aside,
            key: letter.key.map(RecordBytes::from),
            headers: letter
                .headers
                .into_iter()
                .map(|(name, value)| RecordHeader {
                    name,
                    value: value.into(),
                })
                .collect(),
            headers_left_out: letter.headers_left_out,
            value: letter.value.map(RecordBytes::from),
        }
    }
}

impl From<Excerpt> for RecordBytes {
    fn from(excerpt: Excerpt) -> RecordBytes {
        let cut = excerpt.is_cut();
        let text = match excerpt.is_text {
            true => String::from_utf8(excerpt.bytes).map_err(|error| error.into_bytes()),
            false => Err(excerpt.bytes),
        };
        let (encoding, data) = match text {
            Ok(text) => (Encoding::Text, text),
            Err(bytes) => (Encoding::Base64, STANDARD.encode(bytes)),
        };
        RecordBytes {
            encoding,
            data,
            bytes: excerpt.length,
            cut,
        }
    }
}
