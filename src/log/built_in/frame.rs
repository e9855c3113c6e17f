//! One record as bytes. Pure.
//!
//! ```text
//! magic 4 | length u32 | CRC-32 of length and body u32 | body
//! body:  offset i64 | synced u32 | flags u8 | timestamp i64 | key | value | header name | header value | …
//! ```
//!
//! Numbers are little-endian. Key, value, header names and header values have their length (u32) before them.
//! `synced` is how many bytes of the file were durable when this record was written. It tells which records of a damaged file
//! were acknowledged.
//!
//! A hole is a frame without a record. It stands for damaged records: the offsets up to its own have none any more.

use slackwater_engine::record::{NewRecord, Position, Record};
use slackwater_order::time::Time;

/// Begins every record. No UTF-8 text holds 0xff or 0xfe, so no text of a remote server passes for a record when the bytes behind
/// an unreadable place are searched.
pub(super) const MAGIC: [u8; 4] = [0xff, b'S', b'W', 0xfe];
/// Magic, length and checksum.
pub(super) const HEAD_BYTES: usize = 12;
/// The longest body, four times the longest value. A greater length in a file was not written by us.
pub(super) const BODY_BYTES_MAX: usize = 4_000_000;
/// Offset, synced, flags, timestamp, and the lengths of key and value.
const FIXED_BYTES: usize = 8 + 4 + 1 + 8 + 4 + 4;

const HAS_KEY: u8 = 1;
const HAS_VALUE: u8 = 2;
const HAS_TIMESTAMP: u8 = 4;
const IS_HOLE: u8 = 8;

/// The shortest frame there is.
pub(super) const FRAME_BYTES_MIN: usize = HEAD_BYTES + FIXED_BYTES;

/// A record before it has an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) timestamp: Option<Time>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
}

impl Content {
    /// Bytes of the frame that holds it.
    pub(super) fn frame_bytes(&self) -> usize {
        let headers = self.headers.iter();
        HEAD_BYTES
            + FIXED_BYTES
            + self.key.as_ref().map_or(0, Vec::len)
            + self.value.as_ref().map_or(0, Vec::len)
            + headers.map(|(n, v)| 8 + n.len() + v.len()).sum::<usize>()
    }

    /// Appends the frame to `out`. The caller makes sure that the body is at most [`BODY_BYTES_MAX`] long.
    pub(super) fn encode(&self, offset: i64, synced: u32, out: &mut Vec<u8>) {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let flags = flag(self.key.is_some(), HAS_KEY)
            | flag(self.value.is_some(), HAS_VALUE)
            | flag(self.timestamp.is_some(), HAS_TIMESTAMP);
        self.encode_as(flags, offset, synced, out);
    }

    fn encode_as(&self, flags: u8, offset: i64, synced: u32, out: &mut Vec<u8>) {
        let start = out.len();
        let body_bytes = self.frame_bytes() - HEAD_BYTES;
        out.reserve(HEAD_BYTES + body_bytes);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&length(body_bytes));
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&offset.to_le_bytes());
        out.extend_from_slice(&synced.to_le_bytes());
        out.push(flags);
        out.extend_from_slice(&self.timestamp.map_or(0, Time::millis).to_le_bytes());
        put(out, self.key.as_deref().unwrap_or_default());
        put(out, self.value.as_deref().unwrap_or_default());
        for (name, value) in &self.headers {
            put(out, name.as_bytes());
            put(out, value);
        }
        let body = out.get(start + HEAD_BYTES..).unwrap_or_default();
        let checksum = checksum(length(body_bytes), body);
        if let Some(place) = out.get_mut(start + 8..start + HEAD_BYTES) {
            place.copy_from_slice(&checksum.to_le_bytes());
        }
    }
}

impl From<NewRecord> for Content {
    fn from(record: NewRecord) -> Content {
        Content {
            timestamp: Some(record.timestamp),
            key: Some(record.key),
            value: record.value,
            headers: record.headers,
        }
    }
}

/// Appends a hole that ends with this offset.
pub(super) fn encode_hole(last: i64, out: &mut Vec<u8>) {
    let nothing = Content {
        timestamp: None,
        key: None,
        value: None,
        headers: Vec::new(),
    };
    nothing.encode_as(IS_HOLE, last, 0, out);
}

/// A record as it lies in a file, or a hole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) offset: i64,
    /// Bytes of the file that were durable when the record was written.
    pub(super) synced: u32,
    pub(super) timestamp: Option<Time>,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    /// Whether it is a hole, without a record.
    pub(super) is_hole: bool,
    headers: &'a [u8],
    /// All bytes of the frame.
    pub(super) raw: &'a [u8],
}

impl Frame<'_> {
    /// The record, standing at `position`.
    pub(super) fn record(&self, position: Position) -> Record {
        Record {
            position,
            timestamp: self.timestamp,
            key: self.key.map(<[u8]>::to_vec),
            value: self.value.map(<[u8]>::to_vec),
            headers: self.headers(),
        }
    }

    /// The headers, in order.
    pub(super) fn headers(&self) -> Vec<(String, Vec<u8>)> {
        let mut headers = Vec::new();
        let mut rest = self.headers;
        while let (Some(name), Some(value)) = (take(&mut rest), take(&mut rest)) {
            let name = String::from_utf8_lossy(name).into_owned();
            headers.push((name, value.to_vec()));
        }
        headers
    }
}

/// Bytes of the frame whose head stands at the start of `bytes`; none if there is no head.
pub(super) fn frame_bytes(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let body_bytes = u32::from_le_bytes(*rest.first_chunk()?) as usize;
    (FIXED_BYTES..=BODY_BYTES_MAX)
        .contains(&body_bytes)
        .then_some(HEAD_BYTES + body_bytes)
}

/// The frame at the start of `bytes`; none unless every bit of it is as it was written.
pub(super) fn decode(bytes: &[u8]) -> Option<Frame<'_>> {
    let raw = bytes.get(..frame_bytes(bytes)?)?;
    let (head, mut rest) = raw.split_at_checked(HEAD_BYTES)?;
    let written = u32::from_le_bytes(*head.last_chunk()?);
    if checksum(length(rest.len()), rest) != written {
        return None;
    }
    let offset = i64::from_le_bytes(array(&mut rest)?);
    let synced = u32::from_le_bytes(array(&mut rest)?);
    let [flags] = array(&mut rest)?;
    let timestamp = i64::from_le_bytes(array(&mut rest)?);
    let key = take(&mut rest)?;
    let value = take(&mut rest)?;
    Some(Frame {
        offset,
        synced,
        timestamp: (flags & HAS_TIMESTAMP != 0).then_some(Time::from_millis(timestamp)),
        key: (flags & HAS_KEY != 0).then_some(key),
        value: (flags & HAS_VALUE != 0).then_some(value),
        is_hole: flags & IS_HOLE != 0,
        headers: rest,
        raw,
    })
}

/// The first intact frame in `bytes` for which `wanted` holds, and where it starts.
pub(super) fn find(
    bytes: &[u8],
    wanted: impl Fn(&Frame<'_>) -> bool,
) -> Option<(usize, Frame<'_>)> {
    memchr::memmem::find_iter(bytes, &MAGIC)
        .filter_map(|at| Some((at, decode(bytes.get(at..)?)?)))
        .find(|(_, frame)| wanted(frame))
}

/// Whether these bytes are the first part of a frame, as far as they go, and end within it.
///
/// A frame whose parts end where the bytes do is complete, whatever its length says: then the length is damaged.
pub(super) fn is_cut_short(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(&MAGIC) else {
        return MAGIC.starts_with(bytes);
    };
    match frame_bytes(bytes) {
        Some(whole) => bytes.len() < whole && !ends_with_a_part(rest),
        None => rest.len() < 4,
    }
}

/// Whether the bytes behind a magic have all that a frame must have, and end where one of its parts does.
fn ends_with_a_part(after_magic: &[u8]) -> bool {
    let before_key = HEAD_BYTES - MAGIC.len() + FIXED_BYTES - 8;
    let Some(mut parts) = after_magic.get(before_key..) else {
        return false;
    };
    let mut taken = 0;
    while !parts.is_empty() {
        if take(&mut parts).is_none() {
            return false;
        }
        taken += 1;
    }
    // Key and value, and each header's name has a value.
    2 <= taken && taken % 2 == 0
}

fn checksum(length: [u8; 4], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(body);
    hasher.finalize()
}

/// A length as a frame has it. Lengths beyond 32 bits are refused before.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&length(bytes.len()));
    out.extend_from_slice(bytes);
}

fn array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let bytes = u32::from_le_bytes(array(rest)?) as usize;
    let (taken, left) = rest.split_at_checked(bytes)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use slackwater_engine::record::Topic;

    proptest! {
        /// If this fails, what is read is not what was written.
        #[test]
        fn a_record_survives_its_bytes(
            timestamp in proptest::option::of(any::<i64>()),
            key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
            value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200)),
            headers in proptest::collection::vec((".{0,9}", proptest::collection::vec(any::<u8>(), 0..9)), 0..4),
            offset in any::<i64>(),
            synced in any::<u32>(),
        ) {
            let content = Content { timestamp: timestamp.map(Time::from_millis), key, value, headers };
            let mut bytes = Vec::new();
            content.encode(offset, synced, &mut bytes);
            prop_assert_eq!(bytes.len(), content.frame_bytes());
            let frame = decode(&bytes).unwrap();
            prop_assert_eq!((frame.offset, frame.synced), (offset, synced));
            let position = Position { topic: Topic::Activities, partition: 0, offset };
            let record = frame.record(position);
            let read = Content {
                timestamp: record.timestamp, key: record.key, value: record.value, headers: record.headers,
            };
            prop_assert_eq!(read, content);
        }

        /// If this fails, a stranger's bytes can stop the service.
        #[test]
        fn any_bytes_can_be_tried(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes);
            let _ = decode(&[MAGIC.as_slice(), &bytes].concat());
            let _ = find(&bytes, |_| true);
            let _ = is_cut_short(&[MAGIC.as_slice(), &bytes].concat());
        }
    }

    #[test]
    fn zeros_are_no_record() {
        assert!(decode(&[0; 100]).is_none());
    }
}
