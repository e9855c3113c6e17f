//! Records as the log holds them, and their positions in it. Pure.

pub mod fingerprint;
pub mod log_time;
pub mod offsets;

use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;
use std::time::Duration;

/// The longest value a record may have, in bytes.
pub const RECORD_BYTES_MAX: usize = 1_000_000;
/// The longest `ref` or `author-ref` header, in bytes.
pub const REF_BYTES_MAX: usize = 255;

/// Which of the log's topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Topic {
    /// One ActivityStreams activity a record, keyed by the author of its object.
    Activities,
    /// One relation a record, keyed `<account>/<type>/<target>`; the newest of a key counts.
    Relationships,
}

impl Topic {
    /// Both, in the order they are stored.
    pub const ALL: [Topic; 2] = [Topic::Activities, Topic::Relationships];

    /// The name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Topic::Activities => "activities",
            Topic::Relationships => "relationships",
        }
    }
}

/// Where a record stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Its topic.
    pub topic: Topic,
    /// Its partition, from 0; the built-in log has only 0.
    pub partition: i32,
    /// Its offset in the partition, from 0; there may be gaps.
    pub offset: i64,
}

/// A record read from the log.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it stands.
    pub position: Position,
    /// The log's timestamp, if it has one.
    pub timestamp: Option<Time>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; none is a removal on the relationships topic.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// A record as it is decoded: one of the log, or one that is still to be appended.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    /// Its topic.
    pub topic: Topic,
    /// The log's timestamp, if it has one.
    pub timestamp: Option<Time>,
    /// Its key; none if it is to be derived from the value.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers, in order.
    pub headers: &'a [(String, Vec<u8>)],
}

impl Record {
    /// What of it is decoded: all but its position.
    pub fn view(&self) -> RecordView<'_> {
        RecordView {
            topic: self.position.topic,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &self.headers,
        }
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + value.len());
        size_of::<Record>() + length(&self.key) + length(&self.value) + headers.sum::<usize>()
    }
}

/// A record to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Its topic.
    pub topic: Topic,
    /// The bytes whose murmur2 chooses the partition: an author's id, or an account.
    pub partition_by: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// When it was received at the door.
    pub timestamp: Time,
}

/// The headers of an activity that mean something here.
pub const HEADERS: [&str; 6] = [
    "arrived-at",
    "ref",
    "author-ref",
    "fetched",
    "inner-verified",
    "forgotten",
];

/// Which of [`HEADERS`] was meant by a header that is none of them: one of theirs in other letters or with other hyphens,
/// or one slip beside it. None of anything else: records carry headers of others too.
pub fn header_meant(name: &str) -> Option<&'static str> {
    const LETTERS_MAX: usize = 16;
    if LETTERS_MAX < name.len() || HEADERS.contains(&name) {
        return None;
    }
    let plain = name.to_ascii_lowercase().replace('_', "-");
    let is_meant = |known: &&str| {
        // A slip beside `ref` is all sorts of things.
        let may_slip = 4 < known.len();
        plain == **known || (may_slip && strsim::damerau_levenshtein(&plain, known) <= 1)
    };
    HEADERS.into_iter().find(|known| is_meant(known))
}

/// Facts about an activity for which only the backend can vouch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vouched {
    /// The instance fetched the object itself, where it lives.
    pub fetched: bool,
    /// It verified the author of the activity inside a wrapping Announce too, as it did that of the Announce.
    pub inner_verified: bool,
    /// A Delete is its own forgetting, and not its author's doing.
    pub forgotten: bool,
}

/// The decoded headers of an activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// When the instance received it: the earlier of header and timestamp.
    pub arrived: Time,
    /// The backend's own id of the post.
    pub post_ref: Option<String>,
    /// The backend's own id of the author.
    pub author_ref: Option<String>,
    /// The backend's vouchers.
    pub vouched: Vouched,
    /// Whether it was read more than [`READ_LATE_AFTER`] after it arrived, so that no reader was shown it in time. No header
    /// says so: it is false until the reader of the log sets it.
    pub read_late: bool,
}

/// How long after its arrival a record may be read and still be news to who is connected. Past that it is an import, or
/// waited in the log while the service was away.
pub const READ_LATE_AFTER: Duration = Duration::from_secs(20 * 60);

/// How far a partition has been taken, and how far it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionEnd {
    /// Its topic.
    pub topic: Topic,
    /// Its number, from 0.
    pub partition: i32,
    /// The next offset to be taken; gaps (compacted records, transaction markers) count as taken.
    pub next: i64,
    /// The offset after its last record.
    pub end: i64,
}

impl PartitionEnd {
    /// The next to be taken.
    pub fn next_position(&self) -> Position {
        Position {
            topic: self.topic,
            partition: self.partition,
            offset: self.next,
        }
    }

    /// Where it ends.
    pub fn end_position(&self) -> Position {
        Position {
            topic: self.topic,
            partition: self.partition,
            offset: self.end,
        }
    }
}

impl Envelope {
    /// Reads a record's headers. Errors: a reason fit for a dead letter.
    pub fn of(record: RecordView<'_>) -> Result<Envelope, String> {
        let mut claimed = None;
        let mut envelope = Envelope {
            arrived: Time::default(),
            post_ref: None,
            author_ref: None,
            vouched: Vouched::default(),
            read_late: false,
        };
        for (name, value) in record.headers {
            match name.as_str() {
                "arrived-at" => {
                    let text = text("arrived-at", value)?;
                    claimed = Some(crate::date::parse_arrived_at(text).ok_or_else(|| {
                        format!("header arrived-at is {text:?}: send RFC 3339 or milliseconds since 1970")
                    })?);
                }
                "ref" => envelope.post_ref = Some(reference("ref", value)?),
                "author-ref" => envelope.author_ref = Some(reference("author-ref", value)?),
                "fetched" => envelope.vouched.fetched = yes_or_no("fetched", value)?,
                "inner-verified" => {
                    envelope.vouched.inner_verified = yes_or_no("inner-verified", value)?;
                }
                "forgotten" => envelope.vouched.forgotten = yes_or_no("forgotten", value)?,
                name => {
                    if let Some(meant) = header_meant(name) {
                        return Err(format!(
                            "header {} is not known: did you mean {meant}?",
                            crate::id::quoted(name)
                        ));
                    }
                }
            }
        }
        envelope.arrived = match (claimed, record.timestamp) {
            (Some(header), Some(timestamp)) => header.min(timestamp),
            (Some(time), None) | (None, Some(time)) => time,
            (None, None) => {
                return Err(
                    "neither a timestamp nor an arrived-at header: set the topic to LogAppendTime"
                        .to_owned(),
                );
            }
        };
        if !(Time::EARLIEST..=Time::LATEST).contains(&envelope.arrived) {
            return Err(format!(
                "arrived at {} ms since 1970, which no instance did",
                envelope.arrived.millis()
            ));
        }
        Ok(envelope)
    }
}

fn text<'a>(name: &str, value: &'a [u8]) -> Result<&'a str, String> {
    std::str::from_utf8(value).map_err(|_| format!("header {name} is not UTF-8"))
}

fn yes_or_no(name: &str, value: &[u8]) -> Result<bool, String> {
    match value {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(format!("header {name} is neither true nor false")),
    }
}

fn reference(name: &str, value: &[u8]) -> Result<String, String> {
    if REF_BYTES_MAX < value.len() {
        return Err(format!(
            "header {name} has {} bytes: at most {REF_BYTES_MAX}",
            value.len()
        ));
    }
    text(name, value).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were `Arrived-At` passed over, all that came so would have arrived when it was read.
    #[test]
    fn a_header_that_is_nearly_ours_is_a_mistake_and_those_of_others_are_not() {
        for (name, meant) in [
            ("arrived-at", None),
            ("Arrived-At", Some("arrived-at")),
            ("arrived_at", Some("arrived-at")),
            ("arived-at", Some("arrived-at")),
            ("authorref", Some("author-ref")),
            ("REF", Some("ref")),
            ("fetchd", Some("fetched")),
            ("Inner_Verified", Some("inner-verified")),
            ("inner-verify", None),
            ("rev", None),
            ("href", None),
            ("batched", None),
            ("traceparent", None),
            ("reason", None),
            ("", None),
        ] {
            assert_eq!(header_meant(name), meant, "{name}");
        }
    }
}
