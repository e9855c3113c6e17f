//! Operations of the document, and the schemas that they refer to.

use super::records::Shape;
use crate::api::append_body::BODY_BYTES_MAX;
use crate::api::problem::Problem;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The callers that an operation lets in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// The backend, with a service token.
    Backend,
    /// The backend, or the account that the feed belongs to.
    Reader,
    /// An account, with a user token that has this scope.
    User(&'static str),
    /// Any caller; a token may change the response.
    AnyoneOrToken,
    /// Any caller.
    Anyone,
}

/// The schemas of the document: in a request a field with a default may be left out, in a response
/// every field is there.
pub(crate) struct Schemas {
    pub(crate) requested: SchemaGenerator,
    pub(crate) answered: SchemaGenerator,
}

impl Schemas {
    pub(crate) fn new() -> Schemas {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Schemas {
            requested: settings().for_deserialize().into_generator(),
            answered: settings().for_serialize().into_generator(),
        }
    }

    pub(super) fn requested(&mut self, shape: Shape) -> Schema {
        shape.within(&mut self.requested)
    }

    pub(crate) fn requested_type<T: JsonSchema>(&mut self) -> Schema {
        self.requested.subschema_for::<T>()
    }

    pub(crate) fn answered<T: JsonSchema>(&mut self) -> Schema {
        self.answered.subschema_for::<T>()
    }

    pub(crate) fn taken(mut self) -> Map<String, Value> {
        let mut all = self.requested.take_definitions(true);
        all.extend(self.answered.take_definitions(true));
        all
    }
}

/// An operation being described.
pub(crate) struct Operation {
    id: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Map<String, Value>,
    /// A tag, and the address of documentation elsewhere.
    tagged: Option<(&'static str, String)>,
}

impl Operation {
    pub(crate) fn new(id: &'static str, summary: &'static str) -> Operation {
        Operation {
            id,
            summary,
            parameters: Vec::new(),
            body: None,
            answers: Map::new(),
            tagged: None,
        }
    }

    pub(crate) fn parameter(mut self, parameter: Value) -> Operation {
        self.parameters.push(parameter);
        self
    }

    pub(crate) fn body<const N: usize>(mut self, media: [(&str, Value); N]) -> Operation {
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

    pub(crate) fn answer<T: JsonSchema>(
        self,
        schemas: &mut Schemas,
        status: &str,
        description: &str,
    ) -> Operation {
        let content = json!({"application/json": {"schema": schemas.answered::<T>()}});
        self.content(status, description, &content)
    }

    pub(crate) fn content(mut self, status: &str, description: &str, content: &Value) -> Operation {
        let answer = json!({"description": description, "content": content});
        self.answers.insert(status.to_owned(), answer);
        self
    }

    pub(crate) fn header(mut self, status: &str, name: &str) -> Operation {
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
    pub(crate) fn problem(
        mut self,
        schemas: &mut Schemas,
        status: &str,
        description: &str,
    ) -> Operation {
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

    /// Puts the operation under a tag, with a link to the documentation of the method elsewhere.
    pub(crate) fn tagged(mut self, tag: &'static str, url: &str) -> Operation {
        self.tagged = Some((tag, url.to_owned()));
        self
    }

    /// The operation as the document has it.
    pub(crate) fn into_json(self, audience: Audience) -> Value {
        let security = match audience {
            Audience::Backend => json!([{"bearer": []}]),
            Audience::Reader => json!([{"bearer": []}, {"user": []}]),
            Audience::User(scope) => json!([{"user": [scope]}]),
            Audience::AnyoneOrToken => json!([{}, {"bearer": []}, {"user": []}]),
            Audience::Anyone => json!([]),
        };
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "security": security,
            "responses": self.answers
        });
        if let Some(operation) = operation.as_object_mut() {
            if let Some((tag, url)) = self.tagged {
                operation.insert("tags".to_owned(), json!([tag]));
                operation.insert("externalDocs".to_owned(), json!({"url": url}));
            }
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

/// Why a body is not taken.
pub(crate) fn not_taken(
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

/// A document on each line. OpenAPI 3.1 has no field for the schema of a line; the field of 3.2 is used as an extension.
pub(crate) fn lines(line: &Schema) -> Value {
    json!({
        "schema": {"type": "string", "description": "One document a line, as `x-itemSchema` says. Empty lines are skipped."},
        "x-itemSchema": line
    })
}

pub(crate) fn path(name: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": schema})
}

pub(crate) fn query(name: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "schema": schema})
}

pub(crate) fn header(name: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "header", "schema": schema, "description": "With one activity, not with lines."})
}
