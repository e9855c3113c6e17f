//! The description of our own API: its operations, their schemas made from the types that are served, and every schema as a file
//! of its own. The document that they are put into is made by `http`.

mod backend;
mod feeds;
pub(crate) mod operation;
mod records;
pub(crate) mod route;
mod routes;

pub(crate) use routes::{Description, Group, ROUTES};

use super::actor::Actor;
use super::app::App;
use super::change_json::Changes;
use super::dead_letter::{DeadLetters, Replayed};
use super::entry::Entry;
use super::origin::{Origin, Origins};
use super::problem::Problem;
use super::responses::{
    Accepted, Accounts, Ordering, Page, PreviewPage, Readiness, RefPage, Replaced,
};
use super::stream_message::Message;
use crate::operator::trace_export::Sighting;
use crate::operator::tune::report::Report;
use operation::{Audience, Schemas};
use records::{ACTIVITY, ACTIVITY_HEADERS, ACTIVITY_LINE, DEAD_LETTER_HEADERS, RELATIONSHIP};
use route::Route;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// The schemas of records and responses by the names of their files.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("activity-record.schema.json", ACTIVITY.alone()),
        ("activity-line.schema.json", ACTIVITY_LINE.alone()),
        ("activity-headers.schema.json", ACTIVITY_HEADERS.alone()),
        ("relationship.schema.json", RELATIONSHIP.alone()),
        (
            "dead-letter-headers.schema.json",
            DEAD_LETTER_HEADERS.alone(),
        ),
        ("entry.schema.json", answered::<Entry<'_>>()),
        ("page.schema.json", answered::<Page<'_>>()),
        ("preview.schema.json", answered::<PreviewPage<'_>>()),
        ("accounts.schema.json", answered::<Accounts<'_>>()),
        ("ref-page.schema.json", answered::<RefPage<'_>>()),
        ("changes.schema.json", answered::<Changes<'_>>()),
        ("stream-message.schema.json", answered::<Message<'_>>()),
        ("ordering.schema.json", answered::<Ordering<'_>>()),
        ("accepted.schema.json", answered::<Accepted>()),
        ("replaced.schema.json", answered::<Replaced>()),
        ("actor.schema.json", answered::<Actor<'_>>()),
        ("origins.schema.json", answered::<Origins>()),
        ("origin.schema.json", answered::<Origin>()),
        ("dead-letters.schema.json", answered::<DeadLetters>()),
        ("replayed.schema.json", answered::<Replayed>()),
        ("readiness.schema.json", answered::<Readiness>()),
        ("problem.schema.json", answered::<Problem>()),
        ("trace-line.schema.json", answered::<Sighting<'_>>()),
        ("tune.schema.json", answered::<Report>()),
    ]
}

/// The schemas of what comes without being asked for.
pub(crate) struct Events {
    /// An activity, as a record has it.
    pub(crate) activity: Value,
    /// The headers of such a record.
    pub(crate) activity_headers: Value,
    /// A relation, as a record has it.
    pub(crate) relationship: Value,
    /// The headers of a dead letter.
    pub(crate) dead_letter_headers: Value,
    /// The messages of a stream, by their kinds.
    pub(crate) kinds: Vec<(String, Value)>,
    /// What they refer to, by name.
    pub(crate) schemas: Map<String, Value>,
}

/// The schemas of what comes without being asked for, and of what they refer to.
pub(crate) fn events() -> Events {
    let mut schemas = Schemas::new();
    let mut requested = |shape| Value::from(schemas.requested(shape));
    let (activity, activity_headers) = (requested(ACTIVITY), requested(ACTIVITY_HEADERS));
    let (relationship, dead_letter_headers) =
        (requested(RELATIONSHIP), requested(DEAD_LETTER_HEADERS));
    let message = Value::from(schemas.answered::<Message<'_>>());
    let mut schemas = schemas.taken();
    // Each kind is a message of its own.
    let name = message.get("$ref").and_then(Value::as_str);
    let name = name.and_then(|name| name.rsplit('/').next());
    let message = name.and_then(|name| schemas.remove(name));
    let kinds = message.as_ref().and_then(|message| message.get("oneOf"));
    let kinds = kinds.and_then(Value::as_array).into_iter().flatten();
    let kinds = kinds.filter_map(|payload| {
        let kind = payload.pointer("/properties/kind/const")?.as_str()?;
        Some((kind.to_owned(), payload.clone()))
    });
    Events {
        activity,
        activity_headers,
        relationship,
        dead_letter_headers,
        kinds: kinds.collect(),
        schemas,
    }
}

/// The schema of what is answered, or written by a command.
pub(crate) fn answered<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().into()
}

/// The operation of a route, with the errors that all routes for its callers have.
pub(crate) fn described(route: &Route<App, Group>, schemas: &mut Schemas) -> Value {
    let operation = route.operation(schemas);
    let audience = route.group().audience();
    let operation = match audience {
        Audience::User(_) | Audience::AnyoneOrToken | Audience::Anyone => operation,
        Audience::Backend => operation
            .problem(schemas, "401", "No token, or none of this instance.")
            .problem(schemas, "403", "A user token: this is the backend's.")
            .problem(
                schemas,
                "429",
                "Too much in a minute: come back after `Retry-After`.",
            ),
        Audience::Reader => operation
            .problem(schemas, "401", "No token, or none of this instance.")
            .problem(
                schemas,
                "403",
                "The token is another account's, or not for this.",
            )
            .problem(
                schemas,
                "429",
                "Too much in a minute, or at a time: come back after `Retry-After`.",
            ),
    };
    let operation = operation
        .problem(schemas, "500", "The service failed here; its log says why.")
        .problem(
            schemas,
            "503",
            "Too much at once, too slow, or not ready for this: come back after `Retry-After`.",
        );
    operation.into_json(audience)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, a request would be described as a response, or the reverse.
    #[test]
    fn one_name_is_one_shape() {
        let mut schemas = Schemas::new();
        for route in &ROUTES {
            route.operation(&mut schemas);
        }
        let answered = schemas.answered.take_definitions(true);
        let requested = schemas.requested.take_definitions(true);
        assert!(requested.contains_key("Time") && answered.contains_key("Time"));
        for (name, shape) in requested {
            assert!(
                answered.get(&name).is_none_or(|other| *other == shape),
                "{name}"
            );
        }
    }
}
