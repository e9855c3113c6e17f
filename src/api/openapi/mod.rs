//! The API's description: an OpenAPI 3.1 document, its schemas made from the types that are served; and every schema as
//! a file of its own.

mod backend;
mod feeds;
mod operation;
mod records;
mod routes;

pub(super) use routes::{Description, Group, ROUTES};

use super::change_json::Changes;
use super::entry::Entry;
use super::origin::{Origin, Origins};
use super::problem::Problem;
use super::responses::{Accepted, Ordering, Page, Readiness};
use super::stream_message::Message;
use crate::operator::trace_export::Sighting;
use crate::operator::tune::report::Report;
use operation::{Audience, Schemas};
use records::{ACTIVITY, ACTIVITY_HEADERS, ACTIVITY_LINE, DEAD_LETTER_HEADERS, RELATIONSHIP};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The OpenAPI document.
pub fn document() -> Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(described);
    DOCUMENT.clone()
}

/// The files of `schemas/` by their names: each record and each answer as a JSON Schema, and the document. The configuration's
/// is `config::schema`.
pub fn files() -> Vec<(&'static str, Value)> {
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
        ("changes.schema.json", answered::<Changes<'_>>()),
        ("stream-message.schema.json", answered::<Message<'_>>()),
        ("ordering.schema.json", answered::<Ordering<'_>>()),
        ("accepted.schema.json", answered::<Accepted>()),
        ("origins.schema.json", answered::<Origins>()),
        ("origin.schema.json", answered::<Origin>()),
        ("readiness.schema.json", answered::<Readiness>()),
        ("problem.schema.json", answered::<Problem>()),
        ("trace-line.schema.json", answered::<Sighting<'_>>()),
        ("tune.schema.json", answered::<Report>()),
        ("openapi.json", document()),
    ]
}

fn answered<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().into()
}

fn described() -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for route in &ROUTES {
        let mut operation = (route.describe)(&mut schemas);
        operation = match route.group.audience() {
            Audience::Anyone => operation,
            Audience::Backend => operation
                .problem(&mut schemas, "401", "No token, or none of this instance.")
                .problem(&mut schemas, "403", "A user token: this is the backend's.")
                .problem(
                    &mut schemas,
                    "429",
                    "Too much in a minute: come back after `Retry-After`.",
                ),
            Audience::Reader => operation
                .problem(&mut schemas, "401", "No token, or none of this instance.")
                .problem(
                    &mut schemas,
                    "403",
                    "The token is another account's, or not for this.",
                )
                .problem(
                    &mut schemas,
                    "429",
                    "Too much in a minute, or at a time: come back after `Retry-After`.",
                ),
        };
        operation = operation
            .problem(
                &mut schemas,
                "500",
                "The service failed here; its log says why.",
            )
            .problem(
                &mut schemas,
                "503",
                "Too much at once, too slow, or not ready for this: come back after `Retry-After`.",
            );
        let methods = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            let described = operation.described(route.group.audience());
            methods.insert(route.method.name().to_owned(), described);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Slackwater",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Puts federated posts back in the order they were written",
            "description": "Errors are RFC 9457 problem documents (application/problem+json), also for paths that are \
                not listed here (404) and other methods (405). Every GET answers HEAD too.",
            "license": {"name": "Apache-2.0 OR MIT", "identifier": env!("CARGO_PKG_LICENSE")}
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas.taken(),
            "headers": {
                "Link": {
                    "description": "`rel=\"next\"`: the page below, if there is anything below; `rel=\"prev\"`: the \
                        page just above this one. None on an empty page.",
                    "schema": {"type": "string"}
                },
                "Retry-After": {
                    "description": "Seconds to wait.", "required": true,
                    "schema": {"type": "integer", "minimum": 1}
                },
                "WWW-Authenticate": {"required": true, "schema": {"const": "Bearer"}}
            },
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "A service token of the configuration. Without any configured, the service listens \
                        on loopback only and asks for none."
                },
                "user": {
                    "type": "http", "scheme": "bearer",
                    "description": "A user token: a JWT that the backend signs, or one that introspection knows. It \
                        reads the feeds of its account. Scopes: read:statuses, read:lists (lists), read:accounts and \
                        write:accounts (ordering); read and write hold them. Streams also take it as `access_token` \
                        in the query, or as their websocket's subprotocol."
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, what is asked would be described as what is answered, or the reverse.
    #[test]
    fn one_name_is_one_shape() {
        let mut schemas = Schemas::new();
        for route in &ROUTES {
            (route.describe)(&mut schemas);
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
