//! The messages of Mastodon's streaming sockets as JSON Schemas, for the description of streams.

use super::channel::NAMES;
use serde_json::{Map, Value, json};

/// The schemas by their names.
pub(crate) fn stream_schemas() -> Map<String, Value> {
    let schemas = [
        (
            "MastodonEvent",
            json!({
                "type": "object",
                "required": ["event", "payload", "stream"],
                "properties": {
                    "stream": {
                        "type": "array", "items": {"type": "string"},
                        "description": "The stream's name, and behind it the hashtag or the list."
                    },
                    "event": {
                        "type": "string",
                        "description": "`update`, `status.update` or `delete`; and what the backend's streaming server passes on."
                    },
                    "payload": {
                        "type": "string",
                        "description": "JSON as text: a status, or for `delete` the id of one."
                    }
                }
            }),
        ),
        (
            "MastodonCommand",
            json!({
                "type": "object",
                "required": ["type", "stream"],
                "properties": {
                    "type": {"type": "string", "enum": ["subscribe", "unsubscribe"]},
                    "stream": {"type": "string", "enum": NAMES},
                    "tag": {"type": "string", "description": "Of `hashtag` and `hashtag:local`."},
                    "list": {"type": ["string", "integer"], "description": "Of `list`."}
                }
            }),
        ),
        (
            "MastodonStreamError",
            json!({
                "type": "object",
                "required": ["error", "status"],
                "properties": {"error": {"type": "string"}, "status": {"type": "integer"}}
            }),
        ),
    ];
    let named = schemas
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema));
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::super::channel::{Channel, ClientCommand};
    use super::super::event::{Event, Payload};
    use super::*;

    /// A failure means that the description of streams is of others than are served.
    #[test]
    fn what_is_described_is_what_is_sent_and_taken() {
        let schemas = stream_schemas();
        let check = |name: &str, message: &str| {
            let message: Value = serde_json::from_str(message).unwrap();
            let schema = jsonschema::validator_for(&schemas[name]).unwrap();
            schema
                .validate(&message)
                .unwrap_or_else(|error| panic!("{error}: {message}"));
            assert!(!schema.is_valid(&json!({})), "{name}");
        };
        for payload in [
            Payload::Id("7".to_owned()),
            Payload::Whole("{\"id\":\"7\"}".to_owned()),
        ] {
            let event = Event {
                name: "delete",
                payload,
                cursor: String::new(),
            };
            let text = event.message(&["user".to_owned()]).text();
            check("MastodonEvent", &text);
        }
        for name in NAMES {
            let command =
                json!({"type": "subscribe", "stream": name, "tag": "tides", "list": 7}).to_string();
            check("MastodonCommand", &command);
            let command: ClientCommand = serde_json::from_str(&command).unwrap();
            let channel = Channel::named(
                &command.stream,
                command.tag.as_deref(),
                command.list.as_deref(),
            );
            assert_eq!(channel.unwrap().names()[0], name);
        }
    }
}
