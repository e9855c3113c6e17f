//! `[kafka]` as written.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How Kafka is reached.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Kafka {
    /// Where to ask for the cluster, `host:port`.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub brokers: Option<Vec<String>>,
    /// The topic of activities.
    #[schemars(extend("x-kind" = "topic"))]
    pub activities: Option<String>,
    /// The topic of relationships.
    #[schemars(extend("x-kind" = "topic"))]
    pub relationships: Option<String>,
    /// The topic for records that could not be used.
    #[schemars(extend("x-kind" = "topic"))]
    pub dead_letters: Option<String>,
    /// The topic in which the nodes of a cluster say what each serves: one partition, compacted.
    #[schemars(extend("x-kind" = "topic"))]
    pub nodes: Option<String>,
    /// The consumer group.
    #[schemars(length(min = 1))]
    pub group: Option<String>,
    /// Any librdkafka setting, passed through; a value may be `env:NAME` or `file:PATH`.
    pub client: BTreeMap<String, Setting>,
}

/// A librdkafka setting as the text it takes.
pub struct Setting(pub String);

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Setting, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Setting(text)),
            other => Ok(Setting(other.to_string())),
        }
    }
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Setting(redacted)")
    }
}

impl JsonSchema for Setting {
    fn schema_name() -> Cow<'static, str> {
        "Setting".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer", "boolean"], "x-kind": "secret" })
    }
}
