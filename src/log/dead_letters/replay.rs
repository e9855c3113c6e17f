//! A dead letter as the record that is appended again.

use super::letter::Letter;
use slackwater_engine::activity::parse::author_key;
use slackwater_engine::decode::{Decoded, decode_record};
use slackwater_engine::record::{NewRecord, RecordView, Topic};
use slackwater_order::time::Time;

/// The header of a replayed record with the id of its letter. Others of its kind are passed over, so it changes nothing; a letter
/// whose record has it came of a replay.
pub const REPLAY_HEADER: &str = "dead-letter";
const ARRIVED_AT: &str = "arrived-at";

/// Why a letter is not replayed. Nothing was appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReplayed {
    /// The record cannot be used as it is.
    #[error("it can still not be used: {0}")]
    Unusable(String),
    /// It is a relation.
    #[error(
        "it is a relation, and a newer one may be in force since: if it still holds, send the document to POST /v1/relationships"
    )]
    Relation,
    /// The letter does not say a topic of this log.
    #[error("the letter does not say which topic of this log its record stood in")]
    NoTopic,
}

/// The record of a letter, to be appended again at `now`. It has the key and the headers that it had, and `arrived-at` says when it
/// came first, so that it gets the place it would have got then. `topic` is that of its source.
pub fn record_of(
    letter: &Letter,
    topic: Option<Topic>,
    now: Time,
) -> Result<NewRecord, NotReplayed> {
    match topic {
        Some(Topic::Activities) => {}
        Some(Topic::Relationships) => return Err(NotReplayed::Relation),
        None => return Err(NotReplayed::NoTopic),
    }
    let record = RecordView {
        topic: Topic::Activities,
        // It came at this time or before.
        timestamp: letter.received.or(letter.set_aside).or(Some(now)),
        key: letter.key.as_deref(),
        value: letter.value.as_deref(),
        headers: &letter.headers,
    };
    let (envelope, activity) = match decode_record(record) {
        Decoded::Activity(envelope, activity) => (envelope, activity),
        Decoded::Relation(_) => return Err(NotReplayed::Relation),
        Decoded::Unusable(reason) => return Err(NotReplayed::Unusable(reason)),
    };
    let author = author_key(&activity).unwrap_or_default();
    let key = letter
        .key
        .clone()
        .unwrap_or_else(|| author.as_bytes().to_vec());
    let is_ours = |name: &str| name == REPLAY_HEADER || name == ARRIVED_AT;
    let mut headers = letter.headers.clone();
    headers.retain(|(name, _)| !is_ours(name));
    headers.push((
        ARRIVED_AT.to_owned(),
        envelope.arrived.millis().to_string().into_bytes(),
    ));
    headers.push((REPLAY_HEADER.to_owned(), letter.id.to_string().into_bytes()));
    Ok(NewRecord {
        topic: Topic::Activities,
        partition_by: key.clone(),
        key,
        value: letter.value.clone(),
        headers,
        timestamp: now,
    })
}

#[cfg(test)]
mod tests {
    use super::super::position::LetterId;
    use super::*;

    const CREATE: &str = r#"{"id":"https://a.example/1#c","type":"Create","actor":"https://a.example/u","object":{"id":"https://a.example/1","type":"Note","attributedTo":"https://a.example/u","content":"x","to":"as:Public"}}"#;

    fn letter(headers: &[(&str, &str)]) -> Letter {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
        Letter {
            id: LetterId {
                partition: 0,
                offset: 7,
            },
            reason: None,
            source: None,
            received: Some(Time::from_millis(1_790_000_000_000)),
            set_aside: Some(Time::from_millis(1_790_000_009_000)),
            key: None,
            headers: headers.iter().map(own).collect(),
            value: Some(CREATE.into()),
        }
    }

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    fn headers(letter: &Letter) -> Vec<(String, String)> {
        let record = record_of(letter, Some(Topic::Activities), NOW).unwrap();
        assert_eq!(record.key, b"https://a.example/u");
        assert_eq!(record.timestamp, NOW);
        let text = |(name, value): (String, Vec<u8>)| (name, String::from_utf8(value).unwrap());
        record.headers.into_iter().map(text).collect()
    }

    /// A failure means that a replayed post stands where it would stand if it had only come now.
    #[test]
    fn a_replayed_record_says_when_it_came_first() {
        let check = |given: &[(&str, &str)], arrived: &str| {
            let mut expected: Vec<(String, String)> = given
                .iter()
                .filter(|(name, _)| *name == "ref")
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            expected.push(("arrived-at".to_owned(), arrived.to_owned()));
            expected.push(("dead-letter".to_owned(), "0-7".to_owned()));
            assert_eq!(headers(&letter(given)), expected);
        };
        check(&[("ref", "4711")], "1790000000000");
        check(
            &[("arrived-at", "1780000000000"), ("ref", "4711")],
            "1780000000000",
        );
        check(
            &[
                ("arrived-at", "2026-10-01T00:00:00Z"),
                ("dead-letter", "0-3"),
            ],
            "1790000000000",
        );
        let unknown = Letter {
            received: None,
            ..letter(&[])
        };
        assert_eq!(headers(&unknown)[0].1, "1790000009000");
    }

    #[test]
    fn nothing_is_appended_that_would_only_be_set_aside_again() {
        let nonsense = Letter {
            value: Some(b"nonsense".to_vec()),
            ..letter(&[])
        };
        let refused = |letter: &Letter, topic| record_of(letter, topic, NOW).unwrap_err();
        let unusable = refused(&nonsense, Some(Topic::Activities));
        assert!(unusable.to_string().contains("not JSON"), "{unusable}");
        let relation = refused(&letter(&[]), Some(Topic::Relationships));
        assert_eq!(relation, NotReplayed::Relation);
        assert_eq!(refused(&letter(&[]), None), NotReplayed::NoTopic);
    }
}
