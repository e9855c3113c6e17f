//! The routes of feeds, described.

use super::{Operation, Schemas, not_taken, path, query};
use crate::reader::answer::{Choice, Ordering, Page};
use crate::reader::page::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::reader::telling::Changes;
use serde_json::{Value, json};

pub(super) fn page(schemas: &mut Schemas) -> Operation {
    let place = |schema: &str| {
        let what = format!("Only entries placed {schema} this id, which need not exist.");
        let bounds = "From 0 to 9223372036854775807.";
        json!({"type": "string", "pattern": "^[0-9]+$", "description": format!("{what} {bounds}")})
    };
    Operation::new("getFeed", "A page of a feed, newest first")
        .parameter(account())
        .parameter(kind())
        .parameter(limit())
        .parameter(query("before", &place("below")))
        .parameter(query("after", &json!({
            "allOf": [place("above")], "description": "Without `before`, the page is the one just above it."
        })))
        .answer::<Page<'_>>(
            schemas,
            "200",
            "Up to `limit` entries, and about 4 MB of them at most; none only at the end.",
        )
        .header("200", "Link")
        .problem(schemas, "400", "A parameter that is none, or out of its bounds.")
        .problem(schemas, "404", "No such account, or no such feed.")
}

pub(super) fn changes(schemas: &mut Schemas) -> Operation {
    let mut cursor = query(
        "cursor",
        &json!({"type": "string", "description": "As a page or an earlier answer gave it."}),
    );
    if let Some(cursor) = cursor.as_object_mut() {
        cursor.insert("required".to_owned(), json!(true));
    }
    Operation::new("getChanges", "What changed in a feed since a cursor")
        .parameter(account())
        .parameter(kind())
        .parameter(cursor)
        .parameter(limit())
        .answer::<Changes<'_>>(
            schemas,
            "200",
            "Up to `limit` changes, and about 4 MB of them at most. Made in order, they give what a fresh read gives.",
        )
        .problem(schemas, "400", "A parameter that is none, or a cursor that is damaged or another feed's.")
        .problem(schemas, "404", "No such account, or no such feed.")
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
        json!({"schema": schemas.asked_type::<Choice>()}),
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
    not_taken(operation, schemas, "The body is no choice of patience.")
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
    path("feed", &json!({"type": "string", "enum": ["home"]}))
}

fn limit() -> Value {
    query(
        "limit",
        &json!({"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}),
    )
}
