//! The API's description: an OpenAPI 3.1 document, its schemas made from the types that are served; and every schema as
//! a file of its own.

mod feeds;
mod records;

use super::answer::{Accepted, Ordering, Page, Readiness};
use super::change_json::Changes;
use super::door::BODY_BYTES_MAX;
use super::entry::Entry;
use super::message::Message;
use super::origin::{self, Origin, Origins};
use super::problem::Problem;
use crate::operator::trace::Sighting;
use crate::operator::tune::report::Report;
use records::{
    ACTIVITY, ACTIVITY_HEADERS, ACTIVITY_LINE, DEAD_LETTER_HEADERS, RELATIONSHIP, Shape,
    arrived_at, fetched, inner_verified, reference,
};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The OpenAPI document.
pub fn document() -> Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(described);
    DOCUMENT.clone()
}

/// Every file of `schemas/`, by its name: each record, answer and the configuration as a JSON Schema, and the document.
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
        ("config.schema.json", config()),
        ("openapi.json", document()),
    ]
}

fn answered<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().into()
}

fn config() -> Value {
    let mut schema = crate::config::schema();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("title".to_owned(), json!("slackwater.toml"));
    }
    schema
}

/// A route as it is described.
struct Route {
    method: &'static str,
    path: &'static str,
    who: Who,
    describe: fn(&mut Schemas) -> Operation,
}

/// Who may ask.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Backend,
    /// Or the account whose feed it is.
    Reader,
    Anyone,
}

/// Every route there is; `tests/it/schemas.rs` holds the list against the router.
const ROUTES: [Route; 22] = [
    backend("post", "/v1/activities", post_activities),
    backend("post", "/v1/relationships", post_relationships),
    reader("get", "/v1/accounts/{account}/feeds/{feed}", feeds::page),
    reader(
        "get",
        "/v1/accounts/{account}/feeds/{feed}/changes",
        feeds::changes,
    ),
    reader(
        "get",
        "/v1/accounts/{account}/feeds/{feed}/stream",
        feeds::stream,
    ),
    reader("get", "/v1/accounts/{account}/ordering", feeds::ordering),
    reader(
        "put",
        "/v1/accounts/{account}/ordering",
        feeds::put_ordering,
    ),
    reader(
        "delete",
        "/v1/accounts/{account}/ordering",
        feeds::delete_ordering,
    ),
    reader("get", "/v1/feeds/public", feeds::public),
    reader("get", "/v1/feeds/public/changes", feeds::public_changes),
    reader("get", "/v1/feeds/public/stream", feeds::public_stream),
    reader("get", "/v1/feeds/tag/{tag}", feeds::tag),
    reader("get", "/v1/feeds/tag/{tag}/changes", feeds::tag_changes),
    reader("get", "/v1/feeds/tag/{tag}/stream", feeds::tag_stream),
    backend("get", "/v1/posts", post_by_uri),
    backend("get", "/v1/posts/{id}", post_by_id),
    backend("get", "/v1/origins", origins),
    backend("get", "/v1/origins/{host}", origin),
    backend("get", "/metrics", metrics),
    open("get", "/healthz", healthz),
    open("get", "/readyz", readyz),
    open("get", "/openapi.json", openapi),
];

const fn backend(
    method: &'static str,
    path: &'static str,
    describe: fn(&mut Schemas) -> Operation,
) -> Route {
    Route {
        method,
        path,
        who: Who::Backend,
        describe,
    }
}

const fn reader(
    method: &'static str,
    path: &'static str,
    describe: fn(&mut Schemas) -> Operation,
) -> Route {
    Route {
        method,
        path,
        who: Who::Reader,
        describe,
    }
}

const fn open(
    method: &'static str,
    path: &'static str,
    describe: fn(&mut Schemas) -> Operation,
) -> Route {
    Route {
        method,
        path,
        who: Who::Anyone,
        describe,
    }
}

fn described() -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for route in &ROUTES {
        let mut operation = (route.describe)(&mut schemas);
        operation = match route.who {
            Who::Anyone => operation,
            Who::Backend => operation
                .problem(&mut schemas, "401", "No token, or none of this instance.")
                .problem(&mut schemas, "403", "A user token: this is the backend's.")
                .problem(
                    &mut schemas,
                    "429",
                    "Too much in a minute: come back after `Retry-After`.",
                ),
            Who::Reader => operation
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
            methods.insert(route.method.to_owned(), operation.described(route.who));
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

/// Schemas on their way into the document: of what is asked a field with a default may be left out, of what is answered
/// every field is there.
struct Schemas {
    asked: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Schemas {
    fn new() -> Schemas {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Schemas {
            asked: settings().for_deserialize().into_generator(),
            answered: settings().for_serialize().into_generator(),
        }
    }

    fn asked(&mut self, shape: Shape) -> Schema {
        shape.within(&mut self.asked)
    }

    fn asked_type<T: JsonSchema>(&mut self) -> Schema {
        self.asked.subschema_for::<T>()
    }

    fn answered<T: JsonSchema>(&mut self) -> Schema {
        self.answered.subschema_for::<T>()
    }

    fn taken(mut self) -> Map<String, Value> {
        let mut all = self.asked.take_definitions(true);
        all.extend(self.answered.take_definitions(true));
        all
    }
}

/// An operation being described.
struct Operation {
    id: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Map<String, Value>,
}

impl Operation {
    fn new(id: &'static str, summary: &'static str) -> Operation {
        Operation {
            id,
            summary,
            parameters: Vec::new(),
            body: None,
            answers: Map::new(),
        }
    }

    fn parameter(mut self, parameter: Value) -> Operation {
        self.parameters.push(parameter);
        self
    }

    fn body<const N: usize>(mut self, media: [(&str, Value); N]) -> Operation {
        let media: Map<String, Value> = media
            .into_iter()
            .map(|(kind, media)| (kind.to_owned(), media))
            .collect();
        self.body = Some(json!({
            "required": true,
            "description": format!("At most {BODY_BYTES_MAX} bytes."),
            "content": media
        }));
        self
    }

    fn answer<T: JsonSchema>(
        self,
        schemas: &mut Schemas,
        status: &str,
        description: &str,
    ) -> Operation {
        let content = json!({"application/json": {"schema": schemas.answered::<T>()}});
        self.content(status, description, &content)
    }

    fn content(mut self, status: &str, description: &str, content: &Value) -> Operation {
        let answer = json!({"description": description, "content": content});
        self.answers.insert(status.to_owned(), answer);
        self
    }

    fn header(mut self, status: &str, name: &str) -> Operation {
        if let Some(answer) = self.answers.get_mut(status).and_then(Value::as_object_mut) {
            let headers = answer.entry("headers").or_insert_with(|| json!({}));
            if let Some(headers) = headers.as_object_mut() {
                let header = json!({"$ref": format!("#/components/headers/{name}")});
                headers.insert(name.to_owned(), header);
            }
        }
        self
    }

    /// An error. Beside another answer of that status it is one of the two.
    fn problem(mut self, schemas: &mut Schemas, status: &str, description: &str) -> Operation {
        let problem = json!({"schema": schemas.answered::<Problem>()});
        if let Some(answer) = self.answers.get_mut(status).and_then(Value::as_object_mut) {
            if let Some(content) = answer.get_mut("content").and_then(Value::as_object_mut) {
                content.insert("application/problem+json".to_owned(), problem);
            }
            if status == "503" {
                let seconds = json!({"type": "integer", "minimum": 1});
                let retry_after = json!({"description": "Seconds to wait; with a problem only.", "schema": seconds});
                answer.insert("headers".to_owned(), json!({"Retry-After": retry_after}));
            }
            return self;
        }
        let content = json!({"application/problem+json": problem});
        let answer = self.content(status, description, &content);
        match status {
            "401" => answer.header(status, "WWW-Authenticate"),
            "429" | "503" => answer.header(status, "Retry-After"),
            _ => answer,
        }
    }

    fn described(self, who: Who) -> Value {
        let security = match who {
            Who::Backend => json!([{"bearer": []}]),
            Who::Reader => json!([{"bearer": []}, {"user": []}]),
            Who::Anyone => json!([]),
        };
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "security": security,
            "responses": self.answers
        });
        if let Some(operation) = operation.as_object_mut() {
            if !self.parameters.is_empty() {
                operation.insert("parameters".to_owned(), Value::Array(self.parameters));
            }
            if let Some(body) = self.body {
                operation.insert("requestBody".to_owned(), body);
            }
        }
        operation
    }
}

fn post_activities(schemas: &mut Schemas) -> Operation {
    let one = json!({"schema": schemas.asked(ACTIVITY)});
    let media = [
        ("application/activity+json", one.clone()),
        ("application/ld+json", one.clone()),
        ("application/json", one),
        ("application/x-ndjson", lines(&schemas.asked(ACTIVITY_LINE))),
    ];
    let operation = Operation::new("postActivities", "Put activities into the log")
        .parameter(header("Arrived-At", &arrived_at()))
        .parameter(header("Ref", &reference("post")))
        .parameter(header("Author-Ref", &reference("author")))
        .parameter(header("Fetched", &fetched()))
        .parameter(header("Inner-Verified", &inner_verified()))
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

fn post_relationships(schemas: &mut Schemas) -> Operation {
    let document = schemas.asked(RELATIONSHIP);
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

fn post_by_uri(schemas: &mut Schemas) -> Operation {
    let uri = json!({"type": "string", "description": "The object's own id."});
    let mut parameter = query("uri", &uri);
    if let Some(parameter) = parameter.as_object_mut() {
        parameter.insert("required".to_owned(), json!(true));
    }
    let operation = Operation::new("getPostByUri", "One post, by its object's id")
        .parameter(parameter)
        .problem(schemas, "400", "No `uri`.");
    one_post(operation, schemas)
}

fn post_by_id(schemas: &mut Schemas) -> Operation {
    let id = json!({"type": "string", "pattern": "^[0-9]+$", "description": "From 0 to 9223372036854775807."});
    let operation = Operation::new("getPost", "One post")
        .parameter(path("id", &id))
        .problem(schemas, "400", "What is no id.");
    one_post(operation, schemas)
}

fn one_post(operation: Operation, schemas: &mut Schemas) -> Operation {
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

fn origins(schemas: &mut Schemas) -> Operation {
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

fn origin(schemas: &mut Schemas) -> Operation {
    let host = json!({"type": "string", "description": "As in `origins`, `(others)` included, or as people write it: capitals, umlauts and `www.` do not matter."});
    Operation::new("getOrigin", "What is known of an origin")
        .parameter(path("host", &host))
        .answer::<Origin>(schemas, "200", "The origin.")
        .problem(schemas, "400", "What is not UTF-8.")
        .problem(schemas, "404", "Nothing was heard from it.")
}

fn metrics(_: &mut Schemas) -> Operation {
    let text = json!({"application/openmetrics-text": {"schema": {"type": "string"}}});
    Operation::new("getMetrics", "What is counted, for Prometheus").content(
        "200",
        "OpenMetrics text.",
        &text,
    )
}

fn healthz(schemas: &mut Schemas) -> Operation {
    Operation::new("getHealth", "Is the process alive?")
        .answer::<Readiness>(schemas, "200", "It is.")
        .answer::<Readiness>(schemas, "500", "It is stopping, for the reason given.")
}

fn readyz(schemas: &mut Schemas) -> Operation {
    Operation::new(
        "getReadiness",
        "Is all of the log read that there was at the start?",
    )
    .answer::<Readiness>(schemas, "200", "It is, and the log can be reached.")
    .answer::<Readiness>(schemas, "503", "Not yet, or the log cannot be reached.")
}

fn openapi(_: &mut Schemas) -> Operation {
    let document = json!({"application/json": {"schema": {"type": "object"}}});
    Operation::new("getDescription", "This document").content(
        "200",
        "An OpenAPI 3.1 document.",
        &document,
    )
}

/// Why a body is not taken.
fn not_taken(
    operation: Operation,
    schemas: &mut Schemas,
    bytes_max: usize,
    unusable: &str,
) -> Operation {
    operation
        .problem(
            schemas,
            "408",
            "The body did not come on: fewer than 16384 bytes in 10 seconds.",
        )
        .problem(
            schemas,
            "413",
            &format!("The body is larger than {bytes_max} bytes."),
        )
        .problem(schemas, "415", "Another Content-Type.")
        .problem(schemas, "422", unusable)
}

/// Documents a line each. OpenAPI 3.1 has no word for the shape of a line; the one of 3.2 stands here as an extension.
fn lines(line: &Schema) -> Value {
    json!({
        "schema": {"type": "string", "description": "One document a line, as `x-itemSchema` says. Empty lines are skipped."},
        "x-itemSchema": line
    })
}

fn path(name: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": schema})
}

fn query(name: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "schema": schema})
}

fn header(name: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "header", "schema": schema, "description": "With one activity, not with lines."})
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
        let asked = schemas.asked.take_definitions(true);
        assert!(asked.contains_key("Time") && answered.contains_key("Time"));
        for (name, shape) in asked {
            assert!(
                answered.get(&name).is_none_or(|other| *other == shape),
                "{name}"
            );
        }
    }
}
