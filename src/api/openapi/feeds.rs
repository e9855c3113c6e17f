//! The operations of feeds and of orderings.

use super::operation::{Operation, Schemas, not_taken, path, query};
use crate::api::append_body::CHOICE_BYTES_MAX;
use crate::api::change_json::Changes;
use crate::api::responses::{Choice, Ordering, Page, PreviewPage, RefPage};
use crate::api::stream_message::Message;
use serde_json::{Value, json};
use slackwater_engine::record::REF_BYTES_MAX;
use slackwater_engine::relationship::Patience;
use slackwater_engine::view::page::{LIMIT_DEFAULT, LIMIT_MAX};

pub(super) fn page(schemas: &mut Schemas) -> Operation {
    let operation = Operation::new("getFeed", "A page of an account's feed, newest first")
        .parameter(account())
        .parameter(kind_of_page());
    a_page(operation, schemas).problem(
        schemas,
        "404",
        "No such account, or no such feed, or no post with the ref is kept.",
    )
}

pub(super) fn changes(schemas: &mut Schemas) -> Operation {
    let operation = Operation::new(
        "getChanges",
        "What changed in an account's feed since a cursor",
    )
    .parameter(account())
    .parameter(kind());
    some_changes(operation, schemas).problem(schemas, "404", "No such account, or no such feed.")
}

pub(super) fn preview(schemas: &mut Schemas) -> Operation {
    let patience = json!({
        "allOf": [schemas.answered::<Patience>()],
        "description": "The patience to try. Without it: the account's own."
    });
    Operation::new(
        "previewFeed",
        "An account's feed as another patience would show it, and what waits then",
    )
    .parameter(account())
    .parameter(kind())
    .parameter(query("patience", &patience))
    .parameter(limit())
    .answer::<PreviewPage<'_>>(
        schemas,
        "200",
        "What that patience shows and holds back. The account's own patience, horizon and cursors stay as they are.",
    )
    .problem(schemas, "400", "A parameter that is none, or out of its bounds.")
    .problem(schemas, "404", "No such account, or no such feed.")
}

pub(super) fn public(schemas: &mut Schemas) -> Operation {
    let operation = Operation::new("getPublicFeed", "A page of the public feed, newest first")
        .parameter(part())
        .parameter(reader());
    a_page(operation, schemas).problem(
        schemas,
        "404",
        "No post with the ref is kept, or no such account.",
    )
}

pub(super) fn public_changes(schemas: &mut Schemas) -> Operation {
    let operation = Operation::new(
        "getPublicChanges",
        "What changed in the public feed since a cursor",
    )
    .parameter(part())
    .parameter(reader());
    some_changes(operation, schemas)
}

pub(super) fn tag(schemas: &mut Schemas) -> Operation {
    let operation = Operation::new("getTagFeed", "A page of a hashtag's feed, newest first")
        .parameter(hashtag())
        .parameter(reader());
    a_page(operation, schemas).problem(
        schemas,
        "404",
        "No post with the ref is kept, or no such account.",
    )
}

pub(super) fn tag_changes(schemas: &mut Schemas) -> Operation {
    let operation = Operation::new(
        "getTagChanges",
        "What changed in a hashtag's feed since a cursor",
    )
    .parameter(hashtag())
    .parameter(reader());
    some_changes(operation, schemas)
}

pub(super) fn stream(schemas: &mut Schemas) -> Operation {
    let operation = Operation::new("streamFeed", "An account's feed, live")
        .parameter(account())
        .parameter(kind());
    a_stream(operation, schemas).problem(schemas, "404", "No such account, or no such feed.")
}

pub(super) fn public_stream(schemas: &mut Schemas) -> Operation {
    let operation = Operation::new("streamPublicFeed", "The public feed, live")
        .parameter(part())
        .parameter(reader());
    a_stream(operation, schemas)
}

pub(super) fn tag_stream(schemas: &mut Schemas) -> Operation {
    let operation = Operation::new("streamTagFeed", "A hashtag's feed, live")
        .parameter(hashtag())
        .parameter(reader());
    a_stream(operation, schemas)
}

fn a_stream(operation: Operation, schemas: &mut Schemas) -> Operation {
    let messages = json!({"application/json": {"schema": schemas.answered::<Message<'_>>()}});
    let cursor = json!({
        "type": "string",
        "description": "As a page, an answer or a message gave it. Without it: what happens from now on."
    });
    operation
        .parameter(query("cursor", &cursor))
        .content(
            "101",
            "A websocket (RFC 6455); each message is a text of this form. It closes with 1008 if the client sends \
             anything, 1012 when the service stops or another node has the account, 1013 when the client is too slow or is \
             to come back later, 4401 when its token has ended, 4410 when the cursor cannot be served.",
            &messages,
        )
        .problem(schemas, "400", "A parameter that is none, no websocket, or a cursor that is damaged or another feed's.")
}

fn a_page(operation: Operation, schemas: &mut Schemas) -> Operation {
    let place = |schema: &str| {
        let what = format!("Only entries placed {schema} this id, which need not exist.");
        let bounds = "From 0 to 9223372036854775807.";
        json!({"type": "string", "pattern": "^[0-9]+$", "description": format!("{what} {bounds}")})
    };
    let by_ref = |name: &str| {
        json!({
            "type": "string", "minLength": 1, "maxLength": REF_BYTES_MAX,
            "description": format!("As `{name}`, by the backend's own id of a post that is kept, or was deleted.")
        })
    };
    let pages = json!({"application/json": {"schema": {
        "anyOf": [schemas.answered::<Page<'_>>(), schemas.answered::<RefPage<'_>>()]
    }}});
    operation
        .parameter(limit())
        .parameter(query("before", &place("below")))
        .parameter(query("after", &json!({
            "allOf": [place("above")], "description": "Without `before`, the page is the one just above it."
        })))
        .parameter(query("before_ref", &by_ref("before")))
        .parameter(query("after_ref", &by_ref("after")))
        .parameter(query("seen", &json!({
            "type": "string",
            "description": "The cursor of a page before: the answer is of no earlier moment, whichever node gives it. `Link` has it where there are several."
        })))
        .parameter(query("fields", &json!({
            "type": "string", "enum": ["refs"],
            "description": "`refs`: entries have their ids and times only, for a backend that has the posts. Without it: all fields."
        })))
        .content(
            "200",
            "Up to `limit` entries, and about 4 MB of them at most; none only at the end.",
            &pages,
        )
        .header("200", "Link")
        .problem(schemas, "400", "A parameter that is none, or out of its bounds.")
}

fn some_changes(operation: Operation, schemas: &mut Schemas) -> Operation {
    let mut cursor = query(
        "cursor",
        &json!({"type": "string", "description": "As a page or an earlier answer gave it."}),
    );
    if let Some(cursor) = cursor.as_object_mut() {
        cursor.insert("required".to_owned(), json!(true));
    }
    operation
        .parameter(cursor)
        .parameter(limit())
        .answer::<Changes<'_>>(
            schemas,
            "200",
            "Up to `limit` changes, and about 4 MB of them at most. Made in order, they give what a fresh read gives.",
        )
        .problem(schemas, "400", "A parameter that is none, or a cursor that is damaged or another feed's.")
        .problem(schemas, "410", "The cursor cannot be served: read the feed anew.")
}

pub(super) fn ordering(schemas: &mut Schemas) -> Operation {
    Operation::new(
        "getOrdering",
        "How long an account's feeds are held back, and for whom",
    )
    .parameter(account())
    .answer::<Ordering<'_>>(schemas, "200", "What it chose and what that comes to.")
    .problem(schemas, "400", "A path that cannot be read.")
    .problem(schemas, "404", "No such account.")
}

pub(super) fn put_ordering(schemas: &mut Schemas) -> Operation {
    let media = [(
        "application/json",
        json!({"schema": schemas.requested_type::<Choice>()}),
    )];
    let operation = Operation::new("putOrdering", "Set an account's patience")
        .parameter(account())
        .body(media)
        .answer::<Ordering<'_>>(schemas, "200", "It is durable, and in force on this node.")
        .problem(
            schemas,
            "400",
            "A body that broke off, or a path that cannot be read.",
        )
        .problem(schemas, "404", "No such account.");
    not_taken(
        operation,
        schemas,
        CHOICE_BYTES_MAX,
        "The body is no choice of patience.",
    )
}

pub(super) fn delete_ordering(schemas: &mut Schemas) -> Operation {
    Operation::new(
        "deleteOrdering",
        "Return an account to the patience of its document, or the default",
    )
    .parameter(account())
    .answer::<Ordering<'_>>(schemas, "200", "It is durable, and in force on this node.")
    .problem(schemas, "400", "A path that cannot be read.")
    .problem(schemas, "404", "No such account.")
}

fn account() -> Value {
    path(
        "account",
        &json!({"type": "string", "description": "The backend's id of a local account."}),
    )
}

fn kind() -> Value {
    path(
        "feed",
        &json!({
            "type": "string", "pattern": "^(home|list:[A-Za-z0-9_.-]{1,64})$",
            "description": "`home`, or `list:` and the backend's id of a list of the account."
        }),
    )
}

fn kind_of_page() -> Value {
    path(
        "feed",
        &json!({
            "type": "string", "pattern": "^(home|late|list:[A-Za-z0-9_.-]{1,64})$",
            "description": "`home`, or `list:` and the backend's id of a list of the account, or `late`: what came to home late, \
                by when it came. Ids there are its own; an entry's `place` is the post's id, and there is no cursor."
        }),
    )
}

fn hashtag() -> Value {
    path(
        "tag",
        &json!({"type": "string", "description": "The hashtag, without `#`, in any case."}),
    )
}

fn part() -> Value {
    query(
        "origin",
        &json!({
            "type": "string", "enum": ["local", "remote"],
            "description": "Only posts by local accounts, or only those from elsewhere."
        }),
    )
}

fn reader() -> Value {
    query(
        "account",
        &json!({
            "type": "string",
            "description": "For this local account: less whom it blocks or mutes, who blocks it, and domains it blocks."
        }),
    )
}

fn limit() -> Value {
    query(
        "limit",
        &json!({"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}),
    )
}
