//! The OpenAPI 3.1 document of every route that the router serves.

use crate::api::openapi::operation::Schemas;
use crate::api::openapi::route::Route;
use crate::compare::report::Comparison;
use crate::doctor::Finding;
use crate::{api, desk, mastodon};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The document.
pub fn document() -> Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(made);
    DOCUMENT.clone()
}

/// The files of `schemas/` by their names: each record and each response as a JSON Schema, and the document. The schema of the
/// configuration is [`config::schema`](crate::config::schema).
pub fn files() -> Vec<(&'static str, Value)> {
    let mut files = api::openapi::schemas();
    files.push((
        "compare.schema.json",
        api::openapi::answered::<Comparison>(),
    ));
    files.push((
        "doctor.schema.json",
        api::openapi::answered::<Vec<Finding>>(),
    ));
    files.push(("openapi.json", document()));
    files.push(("asyncapi.json", super::asyncapi::document()));
    files
}

fn made() -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Paths::default();
    for route in &api::openapi::ROUTES {
        paths.add(route, api::openapi::described(route, &mut schemas));
    }
    for route in &mastodon::openapi::ROUTES {
        paths.add(route, mastodon::openapi::described(route, &mut schemas));
    }
    for route in &desk::ROUTES {
        paths.add(route, desk::described(route, &mut schemas));
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
        "tags": [mastodon::openapi::tag()],
        "paths": paths.0,
        "components": {
            "schemas": schemas.taken(),
            "headers": {
                "ETag": {
                    "description": "A strong validator of all relations of the account, whatever types were asked for.",
                    "schema": {"type": "string"}
                },
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

/// The operations by path and method.
#[derive(Default)]
struct Paths(Map<String, Value>);

impl Paths {
    fn add<S, G>(&mut self, route: &Route<S, G>, operation: Value)
    where
        S: Clone + Send + Sync + 'static,
        G: Copy,
    {
        let methods = self.0.entry(route.documented_path());
        let methods = methods.or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(route.method().to_owned(), operation);
        }
    }
}
