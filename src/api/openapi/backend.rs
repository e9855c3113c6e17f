//! The operations of the backend, and those that need no token.

use super::operation::{Operation, Schemas, header, lines, not_taken, path, query};
use super::records::{
    ACTIVITY, ACTIVITY_LINE, RELATIONSHIP, arrived_at, fetched, forgotten, inner_verified,
    reference,
};
use crate::api::accounts;
use crate::api::actor::Actor;
use crate::api::append_body::BODY_BYTES_MAX;
use crate::api::awake::Awake;
use crate::api::dead_letter::{DeadLetter, DeadLetters, Replayed};
use crate::api::entry::Entry;
use crate::api::node_status::Nodes;
use crate::api::origin::{self, Origin, Origins};
use crate::api::responses::{Accepted, Accounts, Readiness, Replaced};
use serde_json::json;
use slackwater_engine::record::REF_BYTES_MAX;
use slackwater_engine::relationship::Kind;
use slackwater_engine::view::page::{LIMIT_DEFAULT, LIMIT_MAX};

pub(super) fn post_activities(schemas: &mut Schemas) -> Operation {
    let one = json!({"schema": schemas.requested(ACTIVITY)});
    let media = [
        ("application/activity+json", one.clone()),
        ("application/ld+json", one.clone()),
        ("application/json", one),
        (
            "application/x-ndjson",
            lines(&schemas.requested(ACTIVITY_LINE)),
        ),
    ];
    let operation = Operation::new("postActivities", "Put activities into the log")
        .parameter(header("Arrived-At", &arrived_at()))
        .parameter(header("Ref", &reference("post")))
        .parameter(header("Author-Ref", &reference("author")))
        .parameter(header("Fetched", &fetched()))
        .parameter(header("Inner-Verified", &inner_verified()))
        .parameter(header("Forgotten", &forgotten()))
        .body(media)
        .answer::<Accepted>(
            schemas,
            "202",
            "What was accepted is durable. Also if every line was rejected.",
        )
        .problem(
            schemas,
            "400",
            "A header that is not UTF-8, or a body that broke off.",
        );
    not_taken(
        operation,
        schemas,
        BODY_BYTES_MAX,
        "The activity cannot be used, or a header cannot be read.",
    )
}

pub(super) fn post_relationships(schemas: &mut Schemas) -> Operation {
    let document = schemas.requested(RELATIONSHIP);
    let media = [
        ("application/json", json!({"schema": document})),
        ("application/x-ndjson", lines(&document)),
    ];
    let operation = Operation::new(
        "postRelationships",
        "Put relations into the log, and in force",
    )
    .body(media)
    .answer::<Accepted>(
        schemas,
        "202",
        "What was accepted is durable, and in force on this node. Also if every line was rejected. `warnings` are of what was \
         accepted and rests on an account or a list that no document has told of.",
    )
    .problem(schemas, "400", "A body that broke off.");
    not_taken(
        operation,
        schemas,
        BODY_BYTES_MAX,
        "The document is no relation.",
    )
}

pub(super) fn relation_set(schemas: &mut Schemas) -> Operation {
    let document = schemas.requested(RELATIONSHIP);
    let content = json!({"application/x-ndjson": lines(&document)});
    of_relation_set(Operation::new(
        "getRelationships",
        "All relations of an account that are in force",
    ))
    .content(
        "200",
        "Their documents, a line each; `_instance` has the moderation.",
        &content,
    )
    .header("200", "ETag")
    .problem(schemas, "400", "An account or a type that cannot be.")
}

pub(super) fn put_relation_set(schemas: &mut Schemas) -> Operation {
    let document = schemas.requested(RELATIONSHIP);
    let if_match = json!({
        "name": "If-Match", "in": "header", "schema": {"type": "string"},
        "description": "An `ETag` of these relations: refused if they have changed since."
    });
    let operation = of_relation_set(Operation::new(
        "putRelationships",
        "Replace all relations of an account",
    ))
    .parameter(if_match)
    .body([("application/x-ndjson", lines(&document))])
    .answer::<Replaced>(
        schemas,
        "200",
        "The set is durable, and in force on this node.",
    )
    .header("200", "ETag")
    .problem(
        schemas,
        "400",
        "An account or a type that cannot be, or a body that broke off.",
    )
    .problem(
        schemas,
        "412",
        "The relations have changed since that `ETag`.",
    );
    not_taken(
        operation,
        schemas,
        BODY_BYTES_MAX,
        "A line is no relation of this account, or is there twice; nothing was changed.",
    )
}

fn of_relation_set(operation: Operation) -> Operation {
    let account = json!({"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"});
    let types = Kind::WRITTEN_BY_BACKENDS.map(Kind::name).join("|");
    let names = json!({
        "type": "string", "pattern": format!("^({types})(,({types}))*$"),
        "description": "Only relations of these types. Left out: all; then a set without `ordering` leaves the patience that was chosen."
    });
    operation
        .parameter(path("account", &account))
        .parameter(query("type", &names))
}

pub(super) fn accounts(schemas: &mut Schemas) -> Operation {
    let limit = json!({
        "type": "integer", "minimum": 1, "maximum": accounts::LIMIT_MAX, "default": accounts::LIMIT_DEFAULT
    });
    let after = json!({"type": "string", "description": "Only ids above this one; `next` of the page before."});
    let find = json!({
        "type": "string", "maxLength": accounts::WORD_BYTES_MAX,
        "description": "Only accounts whose id or actor id contains this, in any case."
    });
    Operation::new("getAccounts", "The local accounts, by id, in pages")
        .parameter(query("limit", &limit))
        .parameter(query("after", &after))
        .parameter(query("find", &find))
        .answer::<Accounts<'_>>(schemas, "200", "Up to `limit` accounts.")
        .problem(
            schemas,
            "400",
            "A parameter that is none, or out of its bounds.",
        )
}

pub(super) fn post_by_name(schemas: &mut Schemas) -> Operation {
    let uri = json!({
        "type": "string", "description": "The object's own id. Either this or `ref` is sent."
    });
    let reference = json!({
        "type": "string", "minLength": 1, "maxLength": REF_BYTES_MAX,
        "description": "The backend's own id of the post, as it was sent with it; of several posts with one ref the highest placed."
    });
    let operation = Operation::new(
        "getPostByUri",
        "One post, by its object's id or the backend's",
    )
    .parameter(query("uri", &uri))
    .parameter(query("ref", &reference))
    .problem(
        schemas,
        "400",
        "No `uri` and no `ref`, or both, or a `ref` that none can be.",
    );
    one_post(operation, schemas)
}

pub(super) fn post_by_id(schemas: &mut Schemas) -> Operation {
    let id = json!({"type": "string", "pattern": "^[0-9]+$", "description": "From 0 to 9223372036854775807."});
    let operation = Operation::new("getPost", "One post")
        .parameter(path("id", &id))
        .problem(schemas, "400", "What is no id.");
    one_post(operation, schemas)
}

pub(super) fn one_post(operation: Operation, schemas: &mut Schemas) -> Operation {
    let explain_for = query(
        "explain_for",
        &json!({
            "type": "string",
            "description": "A local account: `explained` then says why it has the post in its feeds, or has not."
        }),
    );
    operation
        .parameter(explain_for)
        .answer::<Entry<'_>>(schemas, "200", "The post, or the stub that is left of it.")
        .problem(schemas, "404", "No such post is kept, or no such account.")
        .problem(schemas, "410", "It was deleted.")
}

pub(super) fn actor_by_uri(schemas: &mut Schemas) -> Operation {
    let uri = json!({"type": "string", "description": "The actor's id."});
    let mut parameter = query("uri", &uri);
    if let Some(parameter) = parameter.as_object_mut() {
        parameter.insert("required".to_owned(), json!(true));
    }
    Operation::new("getActorByUri", "What is known of an actor, for display")
        .parameter(parameter)
        .answer::<Actor<'_>>(
            schemas,
            "200",
            "The actor, by the newest of its documents that came.",
        )
        .problem(schemas, "400", "No `uri`.")
        .problem(schemas, "404", "No document of it is kept.")
}

pub(super) fn origins(schemas: &mut Schemas) -> Operation {
    let limit = json!({
        "type": "integer", "minimum": 1, "maximum": origin::LIMIT_MAX, "default": origin::LIMIT_DEFAULT
    });
    Operation::new("getOrigins", "What is known of origins")
        .parameter(query(
            "by",
            &json!({
                "type": "string", "enum": ["posts", "host"], "default": "posts",
                "description": "`posts`: those with the most posts first. `host`: all of them, ascending, in pages."
            }),
        ))
        .parameter(query("limit", &limit))
        .parameter(query(
            "after",
            &json!({
                "type": "string", "description": "With `by=host`: only hosts above this one; `next` of the page before."
            }),
        ))
        .answer::<Origins>(schemas, "200", "Up to `limit` of the origins heard from.")
        .problem(schemas, "400", "A parameter that is none, or out of its bounds.")
}

pub(super) fn origin(schemas: &mut Schemas) -> Operation {
    let host = json!({"type": "string", "description": "As in `origins`, `(others)` included, or as people write it: capitals, umlauts and `www.` do not matter."});
    Operation::new("getOrigin", "What is known of an origin")
        .parameter(path("host", &host))
        .answer::<Origin>(schemas, "200", "The origin.")
        .problem(schemas, "400", "What is not UTF-8.")
        .problem(schemas, "404", "Nothing was heard from it.")
}

pub(super) fn nodes(schemas: &mut Schemas) -> Operation {
    Operation::new("getNodes", "The nodes of the cluster, and what each serves").answer::<Nodes>(
        schemas,
        "200",
        "All nodes that were heard of; none if this one is alone.",
    )
}

pub(super) fn awake(schemas: &mut Schemas) -> Operation {
    let text = |description: &str| json!({"type": "string", "description": description});
    let number =
        |description: &str| json!({"type": "integer", "minimum": 0, "description": description});
    Operation::new(
        "getAwake",
        "Accounts that are awake here, for a node that stands by for them",
    )
    .parameter(query(
        "shards",
        &number("How many shards the asking node counts."),
    ))
    .parameter(query("of", &text("Which of them, as `0,5,9`.")))
    .parameter(query(
        "from",
        &number("A page of the walk through all: 0, then `from` of the answer."),
    ))
    .parameter(query(
        "since",
        &number("Those that were awakened since: `since` of an answer."),
    ))
    .parameter(query("run", &text("`run` of that answer.")))
    .answer::<Awake>(schemas, "200", "Their ids, and how to go on.")
    .problem(schemas, "400", "A parameter that is none.")
    .problem(schemas, "404", "This node is not one of several.")
}

pub(super) fn dead_letters(schemas: &mut Schemas) -> Operation {
    let limit = json!({
        "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT
    });
    let position = |description: &str| {
        json!({
            "type": "string", "pattern": "^[0-9]+-[0-9]+(,[0-9]+-[0-9]+)*$", "description": description
        })
    };
    Operation::new("getDeadLetters", "Records that could not be used")
        .parameter(query("limit", &limit))
        .parameter(query(
            "before",
            &position("The newest of those before this: `before` of an answer."),
        ))
        .parameter(query(
            "after",
            &position("The oldest of those after this, newest first: `after` of an answer."),
        ))
        .answer::<DeadLetters>(
            schemas,
            "200",
            "Up to `limit` of them, newest first, long values cut.",
        )
        .problem(
            schemas,
            "400",
            "A parameter that is none, or both `before` and `after`.",
        )
}

pub(super) fn dead_letter(schemas: &mut Schemas) -> Operation {
    of_letter(
        Operation::new("getDeadLetter", "One record that could not be used").answer::<DeadLetter>(
            schemas,
            "200",
            "The letter, with up to 4 MB of the value.",
        ),
        schemas,
    )
}

pub(super) fn replay(schemas: &mut Schemas) -> Operation {
    of_letter(
        Operation::new(
            "replayDeadLetter",
            "Append the record of a dead letter again",
        )
        .answer::<Replayed>(
            schemas,
            "200",
            "What became of it. The letter stays. Once more is as harmless as a redelivery.",
        ),
        schemas,
    )
}

fn of_letter(operation: Operation, schemas: &mut Schemas) -> Operation {
    let id = json!({"type": "string", "pattern": "^[0-9]+-[0-9]+$", "description": "`id` of a dead letter."});
    operation
        .parameter(path("id", &id))
        .problem(schemas, "400", "What is no id.")
        .problem(schemas, "404", "There is none of this id, or no more.")
}

pub(super) fn metrics(_: &mut Schemas) -> Operation {
    let text = json!({
        "application/openmetrics-text": {"schema": {"type": "string"}},
        "text/plain": {"schema": {"type": "string"}}
    });
    Operation::new("getMetrics", "What is counted, for Prometheus").content(
        "200",
        "OpenMetrics 1.0.0, if `Accept` names it, or Prometheus' text format 0.0.4.",
        &text,
    )
}

pub(super) fn healthz(schemas: &mut Schemas) -> Operation {
    Operation::new("getHealth", "Is the process alive?")
        .answer::<Readiness>(schemas, "200", "It is.")
        .answer::<Readiness>(schemas, "500", "It is stopping, for the reason given.")
}

pub(super) fn readyz(schemas: &mut Schemas) -> Operation {
    Operation::new(
        "getReadiness",
        "Is all of the log read that there was at the start?",
    )
    .answer::<Readiness>(schemas, "200", "It is, and the log can be reached.")
    .answer::<Readiness>(schemas, "503", "Not yet, or the log cannot be reached.")
}

pub(super) fn openapi(_: &mut Schemas) -> Operation {
    let document = json!({"application/json": {"schema": {"type": "object"}}});
    Operation::new("getDescription", "This document").content(
        "200",
        "An OpenAPI 3.1 document.",
        &document,
    )
}
