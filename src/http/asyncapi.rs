//! The AsyncAPI 3.0 document of what comes without being asked for: the topics of Kafka, and the streams over websockets, ours and
//! Mastodon's. Its schemas are those of [`openapi`](super::openapi), made of the same types.

use crate::api::openapi::{Events, events};
use crate::log::kafka;
use crate::mastodon;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use slackwater_cluster::beat::Beat;
use slackwater_engine::relationship::Kind;

/// The version of the bindings that this describes Kafka and websockets by.
const KAFKA_BINDING: &str = "0.5.0";
/// See [`KAFKA_BINDING`].
const SOCKET_BINDING: &str = "0.1.0";

/// The document.
pub fn document() -> Value {
    let Events {
        activity,
        activity_headers,
        relationship,
        dead_letter_headers,
        kinds,
        mut schemas,
    } = events();
    schemas.extend(mastodon::stream_schemas());
    let of_stream: Vec<String> = kinds
        .iter()
        .map(|(kind, _)| format!("stream_{kind}"))
        .collect();
    let mut messages = record_messages(
        &activity,
        &activity_headers,
        &relationship,
        &dead_letter_headers,
    );
    for ((kind, payload), name) in kinds.into_iter().zip(&of_stream) {
        let summary = payload.get("description").cloned();
        messages.insert(
            name.clone(),
            json!({"name": kind, "summary": summary, "payload": payload}),
        );
    }
    for (name, schema, summary) in [
        (
            "mastodon_event",
            "MastodonEvent",
            "An event of one of the client's streams.",
        ),
        (
            "mastodon_command",
            "MastodonCommand",
            "A client subscribes to a stream, or gives it up.",
        ),
        (
            "mastodon_error",
            "MastodonStreamError",
            "A command was not carried out.",
        ),
    ] {
        let payload = reference("schemas", schema);
        messages.insert(
            name.to_owned(),
            json!({"name": name, "summary": summary, "payload": payload}),
        );
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Slackwater",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Puts federated posts back in the order they were written. What is asked for over HTTP is in openapi.json.",
            "license": {"name": env!("CARGO_PKG_LICENSE")}
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": kafka::Options::default().brokers.join(","), "protocol": "kafka",
                "description": "If `log.kind` is `kafka`: `kafka.brokers`."
            },
            "service": {
                "host": "127.0.0.1:8787", "protocol": "ws", "description": "`http.listen`.",
                "security": [
                    {"$ref": "#/components/securitySchemes/bearer"},
                    {"$ref": "#/components/securitySchemes/subprotocol"},
                    {"$ref": "#/components/securitySchemes/query"}
                ]
            }
        },
        "channels": channels(&of_stream),
        "operations": operations(&of_stream),
        "components": {
            "messages": messages,
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "A service token, or a token of the account whose feed it is."
                },
                "subprotocol": {
                    "type": "httpApiKey", "in": "header", "name": "Sec-WebSocket-Protocol",
                    "description": "The same, for browsers: the service echoes it."
                },
                "query": {
                    "type": "httpApiKey", "in": "query", "name": "access_token",
                    "description": "The same, where neither can be sent. Proxies may log it."
                }
            }
        }
    })
}

/// The messages of the topics.
fn record_messages(
    activity: &Value,
    activity_headers: &Value,
    relationship: &Value,
    dead_letter_headers: &Value,
) -> Map<String, Value> {
    let kinds = Kind::WRITTEN_BY_BACKENDS.into_iter().chain([Kind::MuteEnd]);
    let kinds: Vec<&str> = kinds.map(Kind::name).collect();
    let keyed = |key: Value| json!({"kafka": {"key": key, "bindingVersion": KAFKA_BINDING}});
    let messages = [
        (
            "activity",
            json!({
                "name": "activity",
                "summary": "An activity as the instance received and verified it.",
                "headers": activity_headers,
                "payload": activity,
                "bindings": keyed(json!({
                    "type": "string", "description": "The id of the author of the activity's object. Partitioned by murmur2, as Java clients do."
                }))
            }),
        ),
        (
            "relationship",
            json!({
                "name": "relationship",
                "summary": "A relation of a local account; null takes it back.",
                "payload": {"oneOf": [relationship, {"type": "null"}]},
                "bindings": keyed(json!({
                    "type": "string", "pattern": format!("^[^/]+/({})/.*$", kinds.join("|")),
                    "description": "`<account>/<type>/<target>`: the target empty for account and ordering, `<list> <target>` for \
                        list_member. It goes to the partition that the account alone would get."
                }))
            }),
        ),
        (
            "dead_letter",
            json!({
                "name": "dead_letter",
                "summary": "A record that could not be used, unchanged, with the reason among its headers.",
                "headers": dead_letter_headers,
                "payload": {"description": "What the record had, whatever that is."},
                "bindings": keyed(json!({"type": "string", "description": "What the record had."}))
            }),
        ),
        (
            "beat",
            json!({
                "name": "beat",
                "summary": "What a node says of itself, once a second and whenever that changes.",
                "payload": beat(),
                "bindings": keyed(json!({"type": "string", "description": "The node's name."}))
            }),
        ),
    ];
    let named = messages
        .into_iter()
        .map(|(name, message)| (name.to_owned(), message));
    named.collect()
}

/// The schema of what a node says, whole in itself.
fn beat() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Beat>();
    schema.remove("$schema");
    schema.to_value()
}

fn channels(of_stream: &[String]) -> Value {
    let topics = kafka::Options::default();
    let topic = |address: &str, message: &str, description: &str, set: Value| {
        json!({
            "address": address,
            "servers": [{"$ref": "#/servers/kafka"}],
            "description": description,
            "messages": {message: reference("messages", message)},
            "bindings": {"kafka": {"topicConfiguration": set, "bindingVersion": KAFKA_BINDING}}
        })
    };
    let stream = |address: &str, description: &str, parameters: Value| {
        let messages: Map<String, Value> = of_stream
            .iter()
            .map(|name| (name.clone(), reference("messages", name)))
            .collect();
        json!({
            "address": address,
            "servers": [{"$ref": "#/servers/service"}],
            "description": description,
            "parameters": parameters,
            "messages": messages,
            "bindings": {"ws": {
                "method": "GET",
                "query": {"type": "object", "properties": {
                    "cursor": {"type": "string", "description": "Where to go on; left out: from now on."}
                }},
                "bindingVersion": SOCKET_BINDING
            }}
        })
    };
    let day_ms: u64 = 24 * 60 * 60 * 1000;
    json!({
        "activities": topic(
            &topics.activities, "activity",
            "What other servers sent, and what local accounts did. Set message.timestamp.type to LogAppendTime.",
            json!({"cleanup.policy": ["delete"], "retention.ms": 30 * day_ms})
        ),
        "relationships": topic(
            &topics.relationships, "relationship",
            "Who follows, mutes and blocks whom, and more of the kind. Set message.timestamp.type to LogAppendTime.",
            json!({"cleanup.policy": ["compact"], "delete.retention.ms": 30 * day_ms})
        ),
        "deadLetters": topic(
            &topics.dead_letters, "dead_letter",
            "Records that could not be used.",
            json!({"cleanup.policy": ["delete"]})
        ),
        "nodes": topic(
            &topics.nodes, "beat",
            "Which nodes there are, and what each serves: only where there are several. It has one partition.",
            json!({"cleanup.policy": ["compact"], "segment.ms": 600_000})
        ),
        "accountStream": stream(
            "/v1/accounts/{account}/feeds/{feed}/stream",
            "The changes of an account's feed as they happen. Close codes: 1012 and 1013 come back; 4401 with another token; 4410 read anew.",
            json!({
                "account": {"description": "The backend's id of the account."},
                "feed": {"description": "`home`, or `list:` and the backend's id of a list of the account."}
            })
        ),
        "publicStream": stream("/v1/feeds/public/stream", "The changes of the public feed.", json!({})),
        "tagStream": stream(
            "/v1/feeds/tag/{tag}/stream",
            "The changes of a hashtag's feed.",
            json!({"tag": {"description": "The hashtag, without its sign."}})
        ),
        "mastodonStream": {
            "address": "/api/v1/streaming",
            "servers": [{"$ref": "#/servers/service"}],
            "description": "Mastodon's streaming API, with several streams on one socket. With `mastodon.streaming` all events of that server come too.",
            "messages": {
                "mastodon_event": reference("messages", "mastodon_event"),
                "mastodon_command": reference("messages", "mastodon_command"),
                "mastodon_error": reference("messages", "mastodon_error")
            },
            "bindings": {"ws": {
                "method": "GET",
                "query": {"type": "object", "properties": {
                    "stream": {"type": "string"}, "tag": {"type": "string"}, "list": {"type": "string"}
                }},
                "bindingVersion": SOCKET_BINDING
            }}
        }
    })
}

/// What the service does with each channel: it receives what others produce, and sends what they read.
fn operations(of_stream: &[String]) -> Value {
    let operation = |action: &str, channel: &str, messages: &[&str]| {
        let messages: Vec<Value> = messages
            .iter()
            .map(|name| json!({"$ref": format!("#/channels/{channel}/messages/{name}")}))
            .collect();
        json!({"action": action, "channel": {"$ref": format!("#/channels/{channel}")}, "messages": messages})
    };
    let of_stream: Vec<&str> = of_stream.iter().map(String::as_str).collect();
    json!({
        "receiveActivities": operation("receive", "activities", &["activity"]),
        "receiveRelationships": operation("receive", "relationships", &["relationship"]),
        "sendActivities": operation("send", "activities", &["activity"]),
        "sendRelationships": operation("send", "relationships", &["relationship"]),
        "sendBeats": operation("send", "nodes", &["beat"]),
        "receiveBeats": operation("receive", "nodes", &["beat"]),
        "sendDeadLetters": operation("send", "deadLetters", &["dead_letter"]),
        "sendAccountStream": operation("send", "accountStream", &of_stream),
        "sendPublicStream": operation("send", "publicStream", &of_stream),
        "sendTagStream": operation("send", "tagStream", &of_stream),
        "sendMastodonStream": operation("send", "mastodonStream", &["mastodon_event", "mastodon_error"]),
        "receiveMastodonCommands": operation("receive", "mastodonStream", &["mastodon_command"])
    })
}

fn reference(of: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{of}/{name}")})
}
