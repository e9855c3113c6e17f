//! A record of either topic into an activity or a change of a relation: the same before it is appended and after. Pure.

use crate::activity::Activity;
use crate::activity::parse;
use crate::record::{Envelope, RECORD_BYTES_MAX, RecordView, Topic};
use crate::relationship::{self, Change};

/// The meaning of a record.
#[derive(Debug)]
pub enum Decoded {
    /// An activity, with what came beside it.
    Activity(Envelope, Box<Activity>),
    /// A change of a relation.
    Relation(Change),
    /// Nothing that can be used, for this reason.
    Unusable(String),
}

/// Decodes `record`.
pub fn decode_record(record: RecordView<'_>) -> Decoded {
    let decoded = match record.topic {
        Topic::Relationships => {
            relationship::decode(record.key, record.value).map(Decoded::Relation)
        }
        Topic::Activities => decode_activity(record),
    };
    decoded.unwrap_or_else(Decoded::Unusable)
}

fn decode_activity(record: RecordView<'_>) -> Result<Decoded, String> {
    let value = record
        .value
        .ok_or("the record has no value: an activity is expected")?;
    if RECORD_BYTES_MAX < value.len() {
        return Err(format!(
            "the record has {} bytes: at most {RECORD_BYTES_MAX}",
            value.len()
        ));
    }
    let envelope = Envelope::of(record)?;
    let activity = parse::decode(value, envelope.vouched)?;
    if envelope.vouched.forgotten {
        check_forgotten(&envelope, &activity)?;
    }
    Ok(Decoded::Activity(envelope, Box::new(activity)))
}

/// What the backend forgets is one post, named by its URI and its ref: by that a post that has the URI later is told from it. Or it is
/// an actor, named by its own id.
fn check_forgotten(envelope: &Envelope, activity: &Activity) -> Result<(), String> {
    match activity {
        Activity::Delete { uri, by } if uri == by => match &envelope.post_ref {
            None => Ok(()),
            Some(_) => Err("an actor that is forgotten has no ref: send it without one".to_owned()),
        },
        Activity::Delete { .. } if envelope.post_ref.is_none() => Err(
            "a Delete that is forgotten needs the ref of its post: send your own id of it".to_owned(),
        ),
        Activity::Delete { .. } => Ok(()),
        _ => Err(
            "forgotten is for a Delete, or an Undo, that gives the id of the post or boost: send this without it"
                .to_owned(),
        ),
    }
}
