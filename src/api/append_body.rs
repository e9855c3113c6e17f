//! Request bodies as records for the log. They are decoded before they are appended, so that the log holds nothing unusable.

use super::rejections::{Rejection, RejectionKind};
use super::responses::Rejected;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use slackwater_engine::activity::Activity;
use slackwater_engine::activity::parse::author_key;
use slackwater_engine::decode::{Decoded, decode_record};
use slackwater_engine::id;
use slackwater_engine::record::{
    Envelope, HEADERS, NewRecord, RECORD_BYTES_MAX, RecordView, Topic, header_meant,
};
use slackwater_engine::spelling;
use slackwater_order::ref_place::{PlaceSource, place_of_ref};
use slackwater_order::time::Time;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// The largest body, in bytes.
pub const BODY_BYTES_MAX: usize = 16 << 20;

/// The largest body with a patience, in bytes: it takes some dozens.
pub const CHOICE_BYTES_MAX: usize = 4 << 10;

/// The most lines of a body.
pub const LINES_MAX: usize = 100_000;

/// The headers of an activity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivityHeaders {
    /// `Arrived-At`: RFC 3339 or milliseconds since 1970.
    pub arrived_at: Option<String>,
    /// `Ref`.
    pub post_ref: Option<String>,
    /// `Author-Ref`.
    pub author_ref: Option<String>,
    /// `Fetched`.
    pub fetched: Option<String>,
    /// `Inner-Verified`.
    pub inner_verified: Option<String>,
    /// `Forgotten`.
    pub forgotten: Option<String>,
}

/// What posts that are sent must have so that they get a place.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlaceRule {
    /// From what they get it.
    pub source: PlaceSource,
    /// How far ahead of its arrival a ref may stand.
    pub clock_skew: Duration,
}

/// The records of a body, with the lines that are none.
#[derive(Debug)]
pub struct ParsedBody<T = NewRecord> {
    /// The records to append, or what else the lines are.
    pub records: Vec<T>,
    /// The lines these were, from 1.
    pub lines: Vec<usize>,
    /// The rejected lines.
    pub rejected: Vec<Rejected>,
    /// Why not, of each of these.
    pub why: Vec<RejectionKind>,
}

impl<T> Default for ParsedBody<T> {
    fn default() -> ParsedBody<T> {
        ParsedBody {
            records: Vec::new(),
            lines: Vec::new(),
            rejected: Vec::new(),
            why: Vec::new(),
        }
    }
}

impl ParsedBody {
    /// A body that is one document.
    pub fn one(record: NewRecord) -> ParsedBody {
        ParsedBody {
            records: vec![record],
            lines: vec![1],
            ..ParsedBody::default()
        }
    }
}

/// Whether the headers of a request with one activity, in lower case, have none that is nearly one of ours.
pub fn check_headers<'a>(mut names: impl Iterator<Item = &'a str>) -> Result<(), Rejection> {
    match names.find_map(|name| Some((name, header_meant(name)?))) {
        None => Ok(()),
        Some((name, meant)) => Err(Rejection {
            why: RejectionKind::Envelope,
            reason: format!(
                "header {} is not known: did you mean {meant}?",
                id::quoted(name)
            ),
        }),
    }
}

/// Whether the headers of a request with many activities, in lower case, have none that is for one: what comes beside each
/// is in its line.
pub fn check_headers_of_lines<'a>(
    mut names: impl Iterator<Item = &'a str>,
) -> Result<(), Rejection> {
    match names.find(|name| HEADERS.contains(name) || header_meant(name).is_some()) {
        None => Ok(()),
        Some(name) => Err(Rejection {
            why: RejectionKind::Envelope,
            reason: format!(
                "header {name} is for one activity: of many lines send each as {{\"activity\":{{…}},\"arrived_at\":…,\
                 \"ref\":…,\"author_ref\":…,\"fetched\":…,\"inner_verified\":…,\"forgotten\":…}}"
            ),
        }),
    }
}

/// An activity as the record it becomes. Errors: the mistake, and what to send instead.
pub fn activity(
    value: &[u8],
    activity_headers: ActivityHeaders,
    places: PlaceRule,
    now: Time,
) -> Result<NewRecord, Rejection> {
    let headers = [
        ("arrived-at", activity_headers.arrived_at),
        ("ref", activity_headers.post_ref),
        ("author-ref", activity_headers.author_ref),
        ("fetched", activity_headers.fetched),
        ("inner-verified", activity_headers.inner_verified),
        ("forgotten", activity_headers.forgotten),
    ];
    let headers: Vec<_> = headers
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into_bytes())))
        .collect();
    let record = RecordView {
        topic: Topic::Activities,
        timestamp: Some(now),
        key: None,
        value: Some(value),
        headers: &headers,
    };
    let author = match decode_record(record) {
        Decoded::Activity(envelope, activity) => {
            places.check(&envelope, &activity)?;
            author_key(&activity).map(|author| author.as_bytes().to_vec())
        }
        Decoded::Relation(_) => None,
        Decoded::Unusable(reason) if RECORD_BYTES_MAX < value.len() => {
            return Err(RejectionKind::TooLarge.with(reason));
        }
        Decoded::Unusable(reason) if Envelope::of(record).is_err() => {
            return Err(RejectionKind::Envelope.with(reason));
        }
        Decoded::Unusable(reason) => {
            return Err(RejectionKind::Activity.unless_not_json(value).with(reason));
        }
    };
    let key = author.unwrap_or_else(|| actor_of(value));
    Ok(NewRecord {
        topic: Topic::Activities,
        partition_by: key.clone(),
        key,
        value: Some(value.to_vec()),
        headers,
        timestamp: now,
    })
}

impl PlaceRule {
    /// Whether what is sent so will have its place, if it is a post.
    fn check(self, envelope: &Envelope, activity: &Activity) -> Result<(), Rejection> {
        if self.source == PlaceSource::Published || !matches!(activity, Activity::Post { .. }) {
            return Ok(());
        }
        let reference = envelope.post_ref.as_deref();
        match place_of_ref(reference, envelope.arrived, self.clock_skew) {
            Ok(_) => Ok(()),
            Err(error) => {
                let reason = format!("{error} (ordering.place is \"ref\")");
                Err(RejectionKind::Envelope.with(reason))
            }
        }
    }
}

/// A relation document as the record it becomes.
pub fn relation(value: &[u8], now: Time) -> Result<NewRecord, Rejection> {
    let record = RecordView {
        topic: Topic::Relationships,
        timestamp: Some(now),
        key: None,
        value: Some(value),
        headers: &[],
    };
    match decode_record(record) {
        Decoded::Relation(change) => Ok(NewRecord {
            topic: Topic::Relationships,
            partition_by: change.key.account.clone().into_bytes(),
            key: change.key.to_bytes(),
            // A removal becomes the null that compaction understands.
            value: change.relation.map(|_| value.to_vec()),
            headers: Vec::new(),
            timestamp: now,
        }),
        Decoded::Activity(..) => {
            Err(RejectionKind::Relation.with("an activity is not a relation".to_owned()))
        }
        Decoded::Unusable(reason) if RECORD_BYTES_MAX < value.len() => {
            Err(RejectionKind::TooLarge.with(reason))
        }
        Decoded::Unusable(reason) => {
            Err(RejectionKind::Relation.unless_not_json(value).with(reason))
        }
    }
}

/// A body with a document a line. Empty lines are skipped, and counted. Errors: there are more than [`LINES_MAX`]; then
/// none is accepted.
pub fn lines<T>(
    body: &[u8],
    mut read: impl FnMut(&[u8]) -> Result<T, Rejection>,
) -> Result<ParsedBody<T>, String> {
    let mut parsed = ParsedBody::default();
    for (number, line) in body.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let record = if RECORD_BYTES_MAX < line.len() {
            Err(RejectionKind::TooLarge.with(format!(
                "the line has {} bytes: at most {RECORD_BYTES_MAX}",
                line.len()
            )))
        } else {
            read(line)
        };
        match record {
            Ok(record) => {
                parsed.records.push(record);
                parsed.lines.push(number + 1);
            }
            Err(Rejection { why, reason }) => {
                parsed.why.push(why);
                parsed.rejected.push(Rejected {
                    line: number + 1,
                    reason,
                });
            }
        }
        if LINES_MAX <= number {
            return Err(format!(
                "the body has more than {LINES_MAX} lines: send it in parts"
            ));
        }
    }
    Ok(parsed)
}

/// The fields that an activity may be wrapped with.
const WRAPPED: [&str; 8] = [
    "activity",
    "type",
    "arrived_at",
    "ref",
    "author_ref",
    "fetched",
    "inner_verified",
    "forgotten",
];

/// A line of activities: the activity itself, or an activity wrapped with its headers.
pub fn activity_line(line: &[u8], places: PlaceRule, now: Time) -> Result<NewRecord, Rejection> {
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
        #[serde(default)]
        inner_verified: Option<bool>,
        #[serde(default)]
        forgotten: Option<bool>,
    }
    if !is_wrapped(line)? {
        return activity(line, ActivityHeaders::default(), places, now);
    }
    let wrapped: Wrapped<'_> = serde_json::from_slice(line).map_err(|e| {
        RejectionKind::Envelope.with(format!("the line is no wrapped activity: {e}"))
    })?;
    let activity_headers = ActivityHeaders {
        arrived_at: wrapped.arrived_at.map(text_or_number),
        post_ref: wrapped.post_ref.map(Cow::into_owned),
        author_ref: wrapped.author_ref.map(Cow::into_owned),
        fetched: wrapped.fetched.map(|fetched| fetched.to_string()),
        inner_verified: wrapped.inner_verified.map(|it| it.to_string()),
        forgotten: wrapped.forgotten.map(|it| it.to_string()),
    };
    activity(
        wrapped.activity.get().as_bytes(),
        activity_headers,
        places,
        now,
    )
}

/// Whether a line is an activity wrapped with what comes beside it: an object without a type that has one inside, or has
/// what could only be meant so. Errors: a field that it cannot have.
fn is_wrapped(line: &[u8]) -> Result<bool, Rejection> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, default)]
        activity: Option<&'a RawValue>,
        #[serde(borrow, default, rename = "type")]
        kind: Option<&'a RawValue>,
    }
    // The decoder has the better messages for all other mistakes.
    let Ok(Kind {
        activity,
        kind: None,
    }) = serde_json::from_slice::<Kind<'_>>(line)
    else {
        return Ok(false);
    };
    let fields = serde_json::from_slice::<BTreeMap<Cow<'_, str>, IgnoredAny>>(line);
    let fields = fields.unwrap_or_default();
    let members = WRAPPED.iter().filter(|known| **known != "type");
    // A slip beside `ref` is all sorts of things.
    let is_meant = |name: &str| {
        let long = members.clone().copied().filter(|known| 3 < known.len());
        name == "ref" || spelling::guess(name, long).is_some()
    };
    if activity.is_none() && !fields.keys().any(|name| is_meant(name)) {
        return Ok(false);
    }
    let Some(name) = fields.keys().find(|name| !WRAPPED.contains(&&***name)) else {
        return Ok(true);
    };
    Err(RejectionKind::Envelope.with(format!(
        "{} is no field of a wrapped activity: send activity and, beside it, arrived_at, ref, author_ref, fetched, inner_verified, forgotten{}",
        id::quoted(name),
        spelling::did_you_mean(name, members.copied())
    )))
}

/// The text of a JSON string, or a number as it is written. Anything else is refused later as no time.
fn text_or_number(raw: &RawValue) -> String {
    serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
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
