//! Request bodies into records for the log: decoded at the door, so that nothing unusable is ever appended. Pure.

use crate::post::activity::author_key;
use crate::post::id;
use crate::post::record::{NewRecord, Position, RECORD_BYTES_MAX, Record, Topic};
use crate::post::said::{Said, said};
use crate::reader::answer::Rejected;
use crate::time::Time;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The largest body, in bytes.
pub const BODY_BYTES_MAX: usize = 16 << 20;

/// The most lines of a body.
pub const LINES_MAX: usize = 100_000;

/// What came beside an activity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// `Arrived-At`: RFC 3339 or milliseconds since 1970.
    pub arrived_at: Option<String>,
    /// `Ref`.
    pub post_ref: Option<String>,
    /// `Author-Ref`.
    pub author_ref: Option<String>,
    /// `Fetched`.
    pub fetched: Option<String>,
}

/// The records of a body, with the lines that are none.
#[derive(Debug, Default)]
pub struct Sorted {
    /// What can be appended.
    pub records: Vec<NewRecord>,
    /// What cannot.
    pub rejected: Vec<Rejected>,
}

/// One activity as the record it becomes. Errors: what is wrong with it and what to send instead.
pub fn activity(value: &[u8], beside: Beside, now: Time) -> Result<NewRecord, String> {
    let headers = [
        ("arrived-at", beside.arrived_at),
        ("ref", beside.post_ref),
        ("author-ref", beside.author_ref),
        ("fetched", beside.fetched),
    ];
    let headers = headers
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into_bytes())))
        .collect();
    let record = NewRecord {
        topic: Topic::Activities,
        partition_by: Vec::new(),
        key: Vec::new(),
        value: Some(value.to_vec()),
        headers,
        timestamp: now,
    };
    let author = match said(&as_read(&record)) {
        Said::Activity(_, activity) => {
            author_key(&activity).map(|author| author.as_bytes().to_vec())
        }
        Said::Relation(_) => None,
        Said::Unusable(reason) => return Err(reason),
    };
    let key = author.unwrap_or_else(|| actor_of(value));
    Ok(NewRecord {
        partition_by: key.clone(),
        key,
        ..record
    })
}

/// One relation document as the record it becomes.
pub fn relation(value: &[u8], now: Time) -> Result<NewRecord, String> {
    let record = NewRecord {
        topic: Topic::Relationships,
        partition_by: Vec::new(),
        key: Vec::new(),
        value: Some(value.to_vec()),
        headers: Vec::new(),
        timestamp: now,
    };
    let read = Record {
        key: None,
        ..as_read(&record)
    };
    match said(&read) {
        Said::Relation(change) => {
            // A removal becomes the null that compaction understands.
            let value = if change.relation.is_some() {
                record.value
            } else {
                None
            };
            Ok(NewRecord {
                partition_by: change.key.account.clone().into_bytes(),
                key: change.key.to_bytes(),
                value,
                ..record
            })
        }
        Said::Activity(..) => Err("an activity is not a relation".to_owned()),
        Said::Unusable(reason) => Err(reason),
    }
}

/// A body with a document a line. Empty lines are skipped, and counted. Errors: there are more than [`LINES_MAX`]; then
/// none is accepted.
pub fn lines(
    body: &[u8],
    mut read: impl FnMut(&[u8]) -> Result<NewRecord, String>,
) -> Result<Sorted, String> {
    let mut sorted = Sorted::default();
    for (number, line) in body.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let record = if RECORD_BYTES_MAX < line.len() {
            Err(format!(
                "the line has {} bytes: at most {RECORD_BYTES_MAX}",
                line.len()
            ))
        } else {
            read(line)
        };
        match record {
            Ok(record) => sorted.records.push(record),
            Err(reason) => sorted.rejected.push(Rejected {
                line: number + 1,
                reason,
            }),
        }
        if LINES_MAX <= number {
            return Err(format!(
                "the body has more than {LINES_MAX} lines: send it in parts"
            ));
        }
    }
    Ok(sorted)
}

/// One line of activities: the activity itself, or one wrapped with what comes beside it.
pub fn activity_line(line: &[u8], now: Time) -> Result<NewRecord, String> {
    #[derive(Deserialize)]
    struct Wrapped<'a> {
        #[serde(borrow)]
        activity: &'a RawValue,
        #[serde(borrow, default)]
        arrived_at: Option<&'a RawValue>,
        #[serde(borrow, default, rename = "ref")]
        post_ref: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        author_ref: Option<Cow<'a, str>>,
        #[serde(default)]
        fetched: Option<bool>,
    }
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, default)]
        activity: Option<&'a RawValue>,
        #[serde(borrow, default, rename = "type")]
        kind: Option<&'a RawValue>,
    }
    match serde_json::from_slice::<Kind<'_>>(line) {
        Ok(Kind {
            activity: Some(_),
            kind: None,
        }) => {}
        // Whatever is wrong with it otherwise, the decoder says it better.
        _ => return activity(line, Beside::default(), now),
    }
    let wrapped: Wrapped<'_> = serde_json::from_slice(line)
        .map_err(|e| format!("the line is no wrapped activity: {e}"))?;
    let beside = Beside {
        arrived_at: wrapped.arrived_at.map(text_or_number),
        post_ref: wrapped.post_ref.map(Cow::into_owned),
        author_ref: wrapped.author_ref.map(Cow::into_owned),
        fetched: wrapped.fetched.map(|fetched| fetched.to_string()),
    };
    activity(wrapped.activity.get().as_bytes(), beside, now)
}

/// What a JSON string says, or a number as it is written. Anything else is left to be refused as no time.
fn text_or_number(raw: &RawValue) -> String {
    serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

/// A record as the log will give it back, but for its position.
fn as_read(record: &NewRecord) -> Record {
    Record {
        position: Position {
            topic: record.topic,
            partition: 0,
            offset: 0,
        },
        timestamp: Some(record.timestamp),
        key: Some(record.key.clone()),
        value: record.value.clone(),
        headers: record.headers.clone(),
    }
}

/// The actor of an activity that concerns no post; empty if it names none plainly.
fn actor_of(value: &[u8]) -> Vec<u8> {
    #[derive(Deserialize)]
    struct Plain<'a> {
        #[serde(borrow)]
        actor: Cow<'a, str>,
    }
    let plain = serde_json::from_slice::<Plain<'_>>(value).ok();
    let actor = plain.filter(|plain| id::check("actor", &plain.actor).is_ok());
    actor
        .map(|plain| plain.actor.as_bytes().to_vec())
        .unwrap_or_default()
}
