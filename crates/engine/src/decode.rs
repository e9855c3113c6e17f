//! One record's meaning, whichever topic it is of: the same at the door and behind the log. Pure.

use crate::activity::Activity;
use crate::activity::parse;
use crate::record::{Envelope, RECORD_BYTES_MAX, Record, Topic};
use crate::relationship::{self, Change};

/// What a record says.
#[derive(Debug)]
pub enum Said {
    /// An activity, with what came beside it.
    Activity(Envelope, Box<Activity>),
    /// A change of a relation.
    Relation(Change),
    /// Nothing that can be used, for this reason.
    Unusable(String),
}

/// What `record` says.
pub fn said(record: &Record) -> Said {
    let said = match record.position.topic {
        Topic::Relationships => {
            relationship::decode(record.key.as_deref(), record.value.as_deref()).map(Said::Relation)
        }
        Topic::Activities => activity_of(record),
    };
    said.unwrap_or_else(Said::Unusable)
}

fn activity_of(record: &Record) -> Result<Said, String> {
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
    Ok(Said::Activity(envelope, Box::new(activity)))
}
