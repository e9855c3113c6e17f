//! One record's meaning, whichever topic it is of: the same at the door and behind the log. Pure.

use crate::activity::Activity;
use crate::activity::parse;
use crate::record::{Envelope, RECORD_BYTES_MAX, Record, Topic};
use crate::relationship::{self, Change};

/// What a record says.
#[derive(Debug)]
pub enum Decoded {
    /// An activity, with what came beside it.
    Activity(Envelope, Box<Activity>),
    /// A change of a relation.
    Relation(Change),
    /// Nothing that can be used, for this reason.
    Unusable(String),
}

/// What `record` says.
pub fn decode_record(record: &Record) -> Decoded {
    let decode_record = match record.position.topic {
        Topic::Relationships => {
            relationship::decode(record.key.as_deref(), record.value.as_deref())
                .map(Decoded::Relation)
        }
        Topic::Activities => activity_of(record),
    };
    decode_record.unwrap_or_else(Decoded::Unusable)
}

fn activity_of(record: &Record) -> Result<Decoded, String> {
    let value = record
        .value
        .as_deref()
        .ok_or("the record has no value: an activity is expected")?;
    if RECORD_BYTES_MAX < value.len() {
        return Err(format!(
            "the record has {} bytes: at most {RECORD_BYTES_MAX}",
            value.len()
        ));
    }
    let envelope = Envelope::of(record)?;
    let activity = parse::decode(value, envelope.vouched)?;
    Ok(Decoded::Activity(envelope, Box::new(activity)))
}
