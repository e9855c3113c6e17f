//! Bodies of many lines, each an activity or one wrapped with what came beside it.

use slackwater::api::append_body::{self, ParsedBody, PlaceRule};
use slackwater_engine::decode::{Decoded, decode_record};
use slackwater_engine::record::{Position, Record};
use slackwater_order::time::Time;

/// The longest reason that is worth reading, in bytes.
const REASON_BYTES_MAX: usize = 2_000;

/// A failure means that one body stops the service, or that what the door took is refused behind it.
pub fn holds(data: &[u8]) {
    let now = Time::from_millis(1_795_000_000_000);
    let said_of = data
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty());
    if let Ok(sorted) = append_body::lines(data, |line| {
        append_body::activity_line(line, PlaceRule::default(), now)
    }) {
        assert_eq!(
            sorted.records.len() + sorted.rejected.len(),
            said_of.count(),
            "each line once"
        );
        taken(sorted);
    }
    if let Ok(sorted) = append_body::lines(data, |line| append_body::relation(line, now)) {
        taken(sorted);
    }
}

fn taken(sorted: ParsedBody) {
    for rejected in &sorted.rejected {
        let reason = &rejected.reason;
        assert!(
            !reason.is_empty() && reason.len() <= REASON_BYTES_MAX,
            "a reason of {} bytes: {reason:.200}",
            reason.len()
        );
    }
    for record in sorted.records {
        // As the log gives it back.
        let read = Record {
            position: Position {
                topic: record.topic,
                partition: 0,
                offset: 0,
            },
            timestamp: Some(record.timestamp),
            key: Some(record.key),
            value: record.value,
            headers: record.headers,
        };
        if let Decoded::Unusable(reason) = decode_record(read.view()) {
            panic!("taken at the door, refused behind it: {reason}");
        }
    }
}
