//! The shapes of what is sent: records, their headers, and lines of them.
//!
//! Relations are described from their type. Activities are read leniently, by hand, so their shape is written here by
//! hand; a test holds it against the decoder. A schema cannot say everything: that an activity speaks for its own host
//! only, how deep it may nest, and how many bytes anything may have.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};
use slackwater_engine::id::ID_BYTES_MAX;
use slackwater_engine::record::{RECORD_BYTES_MAX, REF_BYTES_MAX};
use slackwater_engine::relationship::{Kind, Relation};

/// The kinds of object that are posts.
const POSTS: [&str; 7] = [
    "Note", "Article", "Page", "Question", "Video", "Event", "Audio",
];
/// The kinds of object that are actors.
const ACTORS: [&str; 5] = ["Person", "Service", "Application", "Group", "Organization"];
/// The kinds of activity whose fields are read; of any other only the type is needed.
const ABOUT_POSTS: [&str; 4] = ["Create", "Update", "Delete", "Undo"];
/// An http or https URL as far as a pattern can tell, without white space, control characters and backslashes.
const URL_PATTERN: &str = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s\\/?#\u0000-\u001f\u007f-\u009f][^\s\\\u0000-\u001f\u007f-\u009f]*$";
/// RFC 3339, or milliseconds since 1970.
const MOMENT_PATTERN: &str = r"^([0-9]{1,15}|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))$";

/// A shape that has no type of its own, and its name in schemas.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// The name.
    pub(super) name: &'static str,
    describe: fn(&mut SchemaGenerator) -> Schema,
}

/// The value of an activities record.
pub(super) const ACTIVITY: Shape = Shape {
    name: "Activity",
    describe: activity,
};
/// A line of activities.
pub(super) const ACTIVITY_LINE: Shape = Shape {
    name: "ActivityLine",
    describe: activity_line,
};
/// The headers of an activities record.
pub(super) const ACTIVITY_HEADERS: Shape = Shape {
    name: "ActivityHeaders",
    describe: activity_headers,
};
/// The value of a relationships record.
pub(super) const RELATIONSHIP: Shape = Shape {
    name: "Relationship",
    describe: relationship,
};
/// The headers a dead letter has beside those of the record it was.
pub(super) const DEAD_LETTER_HEADERS: Shape = Shape {
    name: "DeadLetterHeaders",
    describe: dead_letter_headers,
};
const ID: Shape = Shape {
    name: "Id",
    describe: id,
};
const AGENT: Shape = Shape {
    name: "Agent",
    describe: agent,
};
const POST: Shape = Shape {
    name: "Post",
    describe: post,
};

impl Shape {
    /// A reference to it, defined among `schemas`.
    pub(super) fn within(self, schemas: &mut SchemaGenerator) -> Schema {
        if !schemas.definitions().contains_key(self.name) {
            // Before it is described, since it may have itself inside.
            let definitions = schemas.definitions_mut();
            definitions.insert(self.name.to_owned(), Value::Null);
            let shape = (self.describe)(schemas);
            let definitions = schemas.definitions_mut();
            definitions.insert(self.name.to_owned(), shape.into());
        }
        let definitions = schemas.settings().definitions_path.trim_start_matches('#');
        Schema::new_ref(format!("#{definitions}/{}", self.name))
    }

    /// A schema of its own.
    pub(super) fn alone(self) -> Value {
        let mut schemas = SchemaSettings::draft2020_12()
            .for_deserialize()
            .into_generator();
        let shape = self.within(&mut schemas);
        json!({
            "$schema": schemas.settings().meta_schema,
            "title": self.name,
            "$ref": shape.get("$ref"),
            "$defs": schemas.take_definitions(true)
        })
    }
}

fn id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "pattern": URL_PATTERN, "maxLength": ID_BYTES_MAX,
        "description": "The id of an actor or object: an http or https URL of at most 2048 bytes."
    })
}

fn agent(schemas: &mut SchemaGenerator) -> Schema {
    let id = ID.within(schemas);
    let one = json!([id, with_id(&id)]);
    json_schema!({
        "anyOf": [id, with_id(&id), {"type": "array", "contains": {"anyOf": one}}],
        "description": "An actor: an id, an object with an id, or a list of them, of which the first Person counts, \
            else the first."
    })
}

fn post(schemas: &mut SchemaGenerator) -> Schema {
    let id = ID.within(schemas);
    json_schema!({
        "type": "object",
        "required": ["id", "type"],
        "properties": {
            "id": id,
            "type": names(),
            "attributedTo": {
                "description": "Its author, as `actor` is written; else the activity's actor.",
                "if": {"type": "string", "minLength": 1}, "then": id
            },
            "published": {
                "description": "When it was written: RFC 3339, or one of the shapes of it that servers use; else \
                    that of the Create. Missing or unreadable, the post is placed by its arrival."
            },
            "updated": {"description": "When it was last edited, as `published` is written."},
            "to": addressees(), "cc": addressees(), "audience": addressees(),
            "tag": {"description": "A Mention with `href`, a Hashtag with `name`, or a list of them; others are passed over."},
            "inReplyTo": {"description": "The post it answers: an id, an object with one, or a list, of which the first counts."},
            "contentMap": {"description": "Its first key is the post's language."},
        },
        "description": "A post; of its fields those that are looked at. All of it is kept and shown as it came."
    })
}

fn activity(schemas: &mut SchemaGenerator) -> Schema {
    let id = ID.within(schemas);
    let agent = AGENT.within(schemas);
    let post = POST.within(schemas);
    let itself = ACTIVITY.within(schemas);

    let embedded = json!({
        "type": "object", "required": ["type"], "properties": {"type": names()},
        "if": is(&POSTS), "then": post
    });
    let updated = json!({"if": is(&ACTORS), "then": with_id(&id)});
    let boosted = json!({
        "anyOf": [id, {
            "type": "object",
            "not": is(&["Announce"]),
            "if": is(&[&ABOUT_POSTS[..], &["Like", "Follow", "Accept", "Reject", "Flag", "Add", "Remove", "Block", "View"]].concat()),
            "then": itself,
            "else": {"anyOf": [with_id(&id), {"required": ["actor", "object"]}]}
        }]
    });
    let gone = json!({"anyOf": [id, with_id(&id)]});
    let undone = json!({
        "anyOf": [id, {
            "type": "object",
            "if": is(&["Announce"]),
            "then": {"anyOf": [with_id(&id), {"required": ["object"], "properties": {"object": sole(&gone)}}]},
            "else": {"anyOf": [with_id(&id), {"required": ["type"], "properties": {"type": names()}}]}
        }]
    });
    let about = |kinds: &[&str], object: &Value| {
        json!({
            "if": is(kinds),
            "then": {"required": ["actor", "object"], "properties": {"actor": agent, "object": sole(object)}}
        })
    };
    json_schema!({
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": names(),
            "id": {"description": "Of an Announce its own id; one without is given an id made of actor and object."},
            "actor": {"description": "Who does it: an id, an object with an id, or a list."},
            "object": {"description": "What it is about: an object or an id, alone or as the only one of a list."},
            "published": {"description": "Of an Announce when it was boosted; of a Create, for an object without."},
            "updated": {"description": "For an object without."},
            "to": addressees(), "cc": addressees(), "audience": addressees(),
        },
        "allOf": [
            about(&["Create", "Update"], &embedded),
            about(&["Update"], &updated),
            about(&["Announce"], &boosted),
            {
                "if": is(&["Announce"]),
                "then": {"properties": {"id": {"if": {"type": "string", "minLength": 1}, "then": id}}}
            },
            about(&["Delete"], &gone),
            about(&["Undo"], &undone),
            {
                "if": is(&POSTS),
                "then": {
                    "allOf": [post], "required": ["attributedTo"], "properties": {"attributedTo": agent},
                    "description": "A post without an activity: only with `fetched: true` beside it."
                }
            }
        ],
        "description": format!(
            "One ActivityStreams 2.0 activity as the instance received and verified it: Create, Update (of a post, or \
             of an actor), Announce, Delete or Undo; others are accepted and have no effect. At most {RECORD_BYTES_MAX} bytes, nested at most \
             64 deep. Actor, author and object are of one host (but for an Announce's object): an activity speaks for \
             its own host only. The key of the record is the id of the author of its object."
        )
    })
}

fn activity_line(schemas: &mut SchemaGenerator) -> Schema {
    let activity = ACTIVITY.within(schemas);
    let text = json!({"type": ["string", "null"], "maxLength": REF_BYTES_MAX});
    json_schema!({
        "anyOf": [activity, {
            "type": "object",
            "required": ["activity"],
            "additionalProperties": false,
            "properties": {
                "activity": activity,
                "type": {"type": "null", "description": "None: a line with a type is an activity itself."},
                "arrived_at": {
                    "type": ["string", "integer", "null"], "pattern": MOMENT_PATTERN,
                    "minimum": 1, "maximum": slackwater_order::time::Time::LATEST.millis(),
                    "description": "When the instance received it: RFC 3339, or milliseconds since 1970. Now, if not \
                        given or later than that."
                },
                "ref": text,
                "author_ref": text,
                "fetched": {"type": ["boolean", "null"], "description": "The instance fetched the object itself."},
                "inner_verified": {
                    "type": ["boolean", "null"],
                    "description": "The instance verified the author inside a wrapping Announce too."
                },
                "forgotten": {
                    "type": ["boolean", "null"],
                    "description": "A Delete, or an Undo, with the id and the `ref` of a post is the instance's own forgetting."
                }
            }
        }],
        "description": "A line of application/x-ndjson: an activity, or one wrapped with what comes beside it."
    })
}

fn activity_headers(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "arrived-at": arrived_at(),
            "ref": reference("post"),
            "author-ref": reference("author"),
            "fetched": fetched(),
            "inner-verified": inner_verified(),
            "forgotten": forgotten()
        },
        "description": "The headers of an activities record, as text; all are optional. Others are passed over, \
            unless they are nearly one of these: that is a mistake."
    })
}

/// When the instance received an activity, as a header has it.
pub(super) fn arrived_at() -> Value {
    json!({
        "type": "string", "pattern": MOMENT_PATTERN,
        "description": "When the instance received it: RFC 3339, or milliseconds since 1970. The log's own timestamp, \
            if not given or later than that."
    })
}

/// The backend's id of something, as a header has it.
pub(super) fn reference(of: &str) -> Value {
    json!({
        "type": "string", "maxLength": REF_BYTES_MAX,
        "description": format!("The backend's own id of the {of}, given back with it: at most {REF_BYTES_MAX} bytes of UTF-8.")
    })
}

/// Whether the instance fetched an object, as a header has it.
pub(super) fn fetched() -> Value {
    json!({
        "type": "string", "enum": ["true", "false"],
        "description": "The instance fetched the object itself; then it may come without an activity around it."
    })
}

/// Whether the instance verified the author of the activity that an Announce wraps, as a header has it.
pub(super) fn inner_verified() -> Value {
    json!({
        "type": "string", "enum": ["true", "false"],
        "description": "The instance verified the author of the activity inside an Announce too: without it a Create, Update, \
            Delete or Undo inside an Announce is refused."
    })
}

/// Whether a removal is the instance's own forgetting, as a header has it.
pub(super) fn forgotten() -> Value {
    json!({
        "type": "string", "enum": ["true", "false"],
        "description": "A Delete, or an Undo, with the id of a post and its ref is the instance's own forgetting, not its author's \
            doing: the post may come again under another ref."
    })
}

/// From the type, with what the decoder wants also of what is removed.
fn relationship(schemas: &mut SchemaGenerator) -> Schema {
    let mut relation = Value::from(Relation::json_schema(schemas));
    let kinds = relation.get_mut("oneOf").map(Value::take);
    let mut kinds: Vec<Value> = match kinds {
        Some(Value::Array(kinds)) => kinds,
        _ => Vec::new(),
    };
    for kind in &mut kinds {
        let name = kind.pointer("/properties/type/const").cloned();
        let named = name.as_ref().and_then(Value::as_str).map(Kind::named);
        let fields = named.and_then(Result::ok).map(Kind::fields);
        if let (Some(name), Some(fields), Some(kind)) = (name, fields, kind.as_object_mut()) {
            kind.insert("title".to_owned(), name);
            kind.insert("propertyNames".to_owned(), json!({"enum": fields}));
        }
    }
    let is_taken_back = |kind: &&Value| kind.get("title") != Some(&json!(Kind::MuteEnd.name()));
    let headings: Vec<Value> = kinds.iter().filter(is_taken_back).map(heading).collect();
    json_schema!({
        "type": "object",
        "properties": {
            "removed": {"type": "boolean", "default": false, "description": "Takes the relation back; what makes the key is enough then."},
            "account": {"type": "string"},
            "target": {"type": ["string", "null"]},
            "list": {"type": ["string", "null"]}
        },
        "if": {"required": ["removed"], "properties": {"removed": {"const": true}}},
        "then": {"oneOf": headings},
        "else": {"oneOf": kinds},
        "description": "A relation between a local account and something. The key of the record is \
            `<account>/<type>/<target>`: the target empty for account and ordering, `<list> <target>` for list_member. \
            As a record null does what removed does. Lengths are in bytes. A field that is not named here is a mistake."
    })
}

/// The fields that make the key of a kind of relation.
fn heading(kind: &Value) -> Value {
    const FIELDS: [&str; 4] = ["type", "account", "target", "list"];
    let kept = |name: &&str| FIELDS.contains(name);
    let properties: Map<String, Value> = kind
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(name, _)| kept(&name.as_str()))
        .map(|(name, shape)| (name.clone(), shape.clone()))
        .collect();
    let required: Vec<&str> = kind
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(kept)
        .collect();
    let names = kind.get("propertyNames");
    json!({"type": "object", "properties": properties, "required": required, "propertyNames": names})
}

fn dead_letter_headers(_: &mut SchemaGenerator) -> Schema {
    let number = json!({"type": "string", "pattern": "^[0-9]+$"});
    json_schema!({
        "type": "object",
        "required": ["reason", "topic", "partition", "offset"],
        "properties": {
            "reason": {"type": "string", "description": "Why the record could not be used, and what to send instead."},
            "topic": {"type": "string", "description": "The topic it came from."},
            "partition": number,
            "offset": number,
            "timestamp": {
                "type": "string", "pattern": "^-?[0-9]+$",
                "description": "In Kafka, the record's timestamp, in milliseconds since 1970: the dead letter has another. Left out \
                    if the record had none."
            }
        },
        "description": "The headers a dead letter has, as text, behind those of the record it was; key and value are \
            that record's, unchanged. Where a name comes twice, the last one counts."
    })
}

/// One of these names is its type.
fn is(kinds: &[&str]) -> Value {
    json!({
        "required": ["type"],
        "properties": {"type": {"anyOf": [{"enum": kinds}, {"type": "array", "contains": {"enum": kinds}}]}}
    })
}

fn names() -> Value {
    let name = json!({"type": "string", "minLength": 1});
    json!({
        "anyOf": [name, {"type": "array", "contains": name}],
        "description": "What it is; of several the first that is known counts."
    })
}

fn addressees() -> Value {
    json!({"description": "An id, an object with one, or a list of them; others are passed over."})
}

fn with_id(id: &Schema) -> Value {
    json!({"type": "object", "required": ["id"], "properties": {"id": id}})
}

/// It, or a list of it alone.
fn sole(shape: &Value) -> Value {
    json!({"anyOf": [shape, {"type": "array", "minItems": 1, "maxItems": 1, "items": shape}]})
}
