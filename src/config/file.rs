//! `slackwater.toml` as written: the only list of its keys, with the type and the bounds of each.
//!
//! The schema made from these types is what `validate` holds a file against, and what editors get. Bounds of
//! durations and sizes are no part of JSON Schema, so they stand in keywords of our own: `x-min` and `x-max`, and
//! `x-kind` says how a text is to be read. What a key means is said in the shipped file, at more length.

use super::Bound;
use crate::api::auth::jwt::Algorithm;
use crate::mastodon::ids::Ids;
use crate::operator::logging::Format;
use crate::post::relationship;
use bytesize::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use slackwater_order::window::{self, LatePolicy, TooLatePolicy};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The configuration of Slackwater. Every key may be left out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConfigFile {
    /// Where records come from.
    pub log: Log,
    /// How Kafka is reached; used if `log.kind` is `kafka`.
    pub kafka: Kafka,
    /// How long posts may take.
    pub ordering: Ordering,
    /// What is kept.
    pub feed: Feed,
    /// Where requests are answered.
    pub http: Http,
    /// How readers are told live of what changes.
    pub stream: Stream,
    /// The part of Mastodon's API that is spoken here.
    pub mastodon: Mastodon,
    /// Who may ask. Without it the service listens on loopback only, where any caller may act as the backend.
    pub auth: Option<Auth>,
    /// What the service says while it runs.
    pub logging: Logging,
}

/// Where records come from.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The log in this process, or a Kafka cluster.
    pub kind: Option<Kind>,
    /// The built-in log's folder.
    #[schemars(length(min = 1))]
    pub path: Option<PathBuf>,
    /// How long the built-in log keeps a record, at least.
    #[schemars(extend("x-min" = "1h", "x-max" = "100y"))]
    pub keep: Option<Span>,
    /// How large the built-in log may grow; then the oldest records go, even before `keep`.
    #[schemars(extend("x-min" = "10MB", "x-max" = "1000TB"))]
    pub size_max: Option<Size>,
}

/// Where records come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A log in this process, appended to over HTTP.
    BuiltIn,
    /// A Kafka cluster.
    Kafka,
}

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
    /// The consumer group.
    #[schemars(length(min = 1))]
    pub group: Option<String>,
    /// Any librdkafka setting, passed through; a value may be `env:NAME` or `file:PATH`.
    pub client: BTreeMap<String, Setting>,
}

/// How long posts may take.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ordering {
    /// A post that took at most this long is in time.
    #[schemars(extend("x-min" = "0s", "x-max" = "7d"))]
    pub reorder_window: Option<ReorderWindow>,
    /// How long feeds may be held back for the sake of order, of accounts that say nothing.
    #[schemars(extend("x-min" = "0s", "x-max" = "7d"))]
    pub patience: Option<Patience>,
    /// A post that took at most this much longer than the window is late; beyond that, too late.
    #[schemars(extend("x-min" = "0s", "x-max" = "10y"))]
    pub allowed_lateness: Option<Span>,
    /// Where late posts go.
    pub late: Option<LatePolicy>,
    /// Where posts go that are too late.
    pub too_late: Option<TooLatePolicy>,
    /// How far ahead of ours another server's clock may run.
    #[schemars(extend("x-min" = "0s", "x-max" = "1h"))]
    pub clock_skew: Option<Span>,
    /// How windows that are "auto" are learned.
    pub auto: Auto,
    /// Windows of their own for some origins: `threads.net`, or `*.example` for all below it.
    pub origin: BTreeMap<String, Origin>,
}

/// How windows that are "auto" are learned.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auto {
    /// The share of an origin's posts that its window is to find in time.
    #[schemars(range(min = 0.5, max = 0.9999))]
    pub quantile: Option<f64>,
    /// No learned window is shorter.
    #[schemars(extend("x-min" = "0s", "x-max" = "7d"))]
    pub min: Option<Span>,
    /// No learned window is longer.
    #[schemars(extend("x-min" = "0s", "x-max" = "7d"))]
    pub max: Option<Span>,
}

/// Windows of one origin.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Origin {
    /// As in `[ordering]`, which holds if this is left out.
    #[schemars(extend("x-min" = "0s", "x-max" = "7d"))]
    pub reorder_window: Option<ReorderWindow>,
    /// As in `[ordering]`, which holds if this is left out.
    #[schemars(extend("x-min" = "0s", "x-max" = "10y"))]
    pub allowed_lateness: Option<Span>,
    /// As in `[ordering]`, which holds if this is left out.
    pub late: Option<LatePolicy>,
    /// As in `[ordering]`, which holds if this is left out.
    pub too_late: Option<TooLatePolicy>,
}

/// What is kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Feed {
    /// The feeds' folder.
    #[schemars(length(min = 1))]
    pub path: Option<PathBuf>,
    /// Entries in a feed.
    #[schemars(range(min = 1, max = 100_000))]
    pub length: Option<usize>,
    /// How long after a post was shown a boost shows it again; until then boosts of it are hidden.
    #[schemars(extend("x-min" = "0s", "x-max" = "10y"))]
    pub boost_repeat_after: Option<Span>,
    /// How long a post is kept, at least.
    #[schemars(extend("x-min" = "1h", "x-max" = "10y"))]
    pub posts_keep: Option<Span>,
    /// How long it is remembered who wrote a post and what it answered.
    #[schemars(extend("x-min" = "1h", "x-max" = "10y"))]
    pub stubs_keep: Option<Span>,
    /// How long a delete, an undo or a removal is remembered.
    #[schemars(extend("x-min" = "1h", "x-max" = "10y"))]
    pub removals_keep: Option<Span>,
    /// How long an account may go unseen before its feeds are given up, until it is seen again.
    #[schemars(extend("x-min" = "1h", "x-max" = "10y"))]
    pub inactive_after: Option<Span>,
    /// Feed entries that may wait in memory for a checkpoint.
    #[schemars(range(min = 1_000, max = 1_000_000_000))]
    pub unflushed_entries_max: Option<CountBound>,
    /// Bytes of posts that may wait in memory for a checkpoint.
    #[schemars(extend("x-min" = "1MB", "x-max" = "1TB"))]
    pub unflushed_bytes_max: Option<SizeBound>,
    /// Memory for what was read from disk.
    #[schemars(extend("x-min" = "1MB", "x-max" = "1TB"))]
    pub cache_bytes: Option<Size>,
    /// The longest time that a start after a crash may take to read again what waited for a checkpoint.
    #[schemars(extend("x-min" = "1ms", "x-max" = "1h"))]
    pub replay_max: Option<Span>,
    /// How often is written what the log does not have: how far feeds were shown, and when accounts were seen.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1h"))]
    pub checkpoint_every: Option<Span>,
}

/// Where requests are answered.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// An IP address and a port.
    pub listen: Option<String>,
    /// Requests answered at a time; more are told to come back (503).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_max: Option<usize>,
    /// The longest time that a request may take.
    #[schemars(extend("x-min" = "1s", "x-max" = "10m"))]
    pub request_timeout: Option<Span>,
    /// Requests that one account, or without one an address, may make in a minute; more are told to come back (429). The
    /// backend's are not counted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_minute: Option<u32>,
    /// Addresses of reverse proxies, or networks of them: theirs is the `X-Forwarded-For` that is believed.
    #[schemars(inner(length(min = 1)))]
    pub trusted_proxies: Option<Vec<String>>,
}

/// How readers are told live of what changes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stream {
    /// Readers connected at a time; more are told to come back (503).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_max: Option<usize>,
    /// Connections of one account at a time; more are refused (429).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_account_max: Option<usize>,
    /// Connections from one address at a time; more are refused (429).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_address_max: Option<usize>,
    /// How often a reader is told how far its feed is complete, if nothing else is to be told.
    #[schemars(extend("x-min" = "1s", "x-max" = "15s"))]
    pub horizon_every: Option<Span>,
    /// How often a reader is asked whether it is still there; one that has not answered by the next time is not.
    #[schemars(extend("x-min" = "1s", "x-max" = "5m"))]
    pub ping_every: Option<Span>,
    /// How long a reader may take to accept what it is sent; a slower one is sent away (1013).
    #[schemars(extend("x-min" = "1s", "x-max" = "5m"))]
    pub send_timeout: Option<Span>,
    /// How long after its place a post may come and still be pushed as new to clients of Mastodon's API though others stand above
    /// it, if their feed is not held longer. What comes later is in the feed of late arrivals.
    #[schemars(extend("x-min" = "0s", "x-max" = "7d"))]
    pub live_max_age: Option<Span>,
}

/// The part of Mastodon's API that is spoken here.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mastodon {
    /// Whose ids clients see.
    pub ids: Option<Ids>,
    /// Whether clients find one list more, Late arrivals: what came too late to be pushed as new.
    pub late_list: Option<bool>,
}

/// Keys for cursors at most: each makes those of another key cost a hash more.
pub const CURSOR_KEYS_MAX: usize = 8;

/// Who may ask.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// What the backend sends as its bearer token, at least 16 bytes each; `env:NAME` or `file:PATH` to keep them out
    /// of this file.
    #[schemars(length(min = 1))]
    pub service_tokens: Option<Vec<SecretText>>,
    /// Whether public and hashtag feeds may be read without a token.
    pub public_feeds_open: Option<bool>,
    /// What cursors are sealed with: a secret of at least 32 bytes that all nodes share; `env:NAME` or `file:PATH` to keep it
    /// out of this file. Of a list the first seals, and cursors that any of them sealed are taken; "none" in it stands for no
    /// seal.
    pub cursor_key: Option<CursorKeys>,
    /// User tokens that the backend signs.
    pub jwt: Option<Jwt>,
    /// User tokens that the backend is asked about (RFC 7662).
    pub introspection: Option<Introspection>,
}

/// User tokens that the backend signs: `sub` is the account, `scope` what the token is for, `exp` when it ends.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Jwt {
    /// How they are signed.
    pub algorithm: Option<Algorithm>,
    /// HS256: the shared secret, at least 32 bytes. RS256 and EdDSA: the public key, PEM. `env:NAME` or `file:PATH` to keep
    /// it out of this file.
    pub key: Option<SecretText>,
    /// What `iss` must be.
    #[schemars(length(min = 1))]
    pub issuer: Option<String>,
    /// What `aud` must be or hold.
    #[schemars(length(min = 1))]
    pub audience: Option<String>,
}

/// Who is asked about user tokens that say nothing by themselves.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Introspection {
    /// Where.
    #[schemars(length(min = 1))]
    pub url: Option<String>,
    /// As whom.
    #[schemars(length(min = 1))]
    pub client_id: Option<String>,
    /// With which secret; `env:NAME` or `file:PATH` to keep it out of this file.
    pub client_secret: Option<SecretText>,
    /// How long an answer is believed.
    #[schemars(extend("x-min" = "1s", "x-max" = "25s"))]
    pub remember: Option<Span>,
}

/// What the service says while it runs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Logging {
    /// `error`, `warn`, `info`, `debug`, `trace` or `off`, and `module=level` for parts, between commas.
    pub level: Option<String>,
    /// How lines look.
    pub format: Option<Format>,
}

/// A duration, written `"30s"`, `"24h"`, `"30d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// A reorder window, written `"30s"` or `"auto"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReorderWindow(pub window::ReorderWindow);

/// A patience, written `"30s"` or `"complete"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Patience(pub relationship::Patience);

/// A number of bytes, written `"256MB"` (10^6) or `"256MiB"` (2^20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// A bound on a number of bytes, written `"256MB"` or `"auto"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeBound(pub Bound<u64>);

/// A bound on a number of things, written `1_000` or `"auto"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountBound(pub Bound<usize>);

/// A secret as written: `env:NAME`, `file:PATH`, or the secret itself.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub String);

/// What cursors are sealed with as written.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum CursorKeys {
    /// One for all.
    One(SecretText),
    /// One that seals, and others.
    Several(Vec<SecretText>),
}

/// A librdkafka setting as the text it takes.
pub struct Setting(pub String);

impl Span {
    /// Reads a duration; none if it is not one.
    pub fn read(text: &str) -> Option<Span> {
        humantime::parse_duration(text).ok().map(Span)
    }
}

impl Size {
    /// Reads a size; none if it is not one, or has no unit.
    pub fn read(text: &str) -> Option<Size> {
        let ByteSize(bytes) = text.trim().parse().ok()?;
        text.trim()
            .ends_with(|c: char| c.is_ascii_alphabetic())
            .then_some(Size(bytes))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let text = String::deserialize(deserializer)?;
        Span::read(&text).ok_or_else(|| D::Error::custom("not a duration"))
    }
}

impl<'de> Deserialize<'de> for ReorderWindow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ReorderWindow, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = match text.as_str() {
            "auto" => Some(window::ReorderWindow::Auto),
            text => Span::read(text).map(|Span(fixed)| window::ReorderWindow::Fixed(fixed)),
        };
        read.map(ReorderWindow)
            .ok_or_else(|| D::Error::custom("neither a duration nor \"auto\""))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        let text = String::deserialize(deserializer)?;
        Size::read(&text).ok_or_else(|| D::Error::custom("not a size"))
    }
}

impl<'de> Deserialize<'de> for SizeBound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SizeBound, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = match text.as_str() {
            "auto" => Some(Bound::Auto),
            text => Size::read(text).map(|Size(fixed)| Bound::Fixed(fixed)),
        };
        read.map(SizeBound)
            .ok_or_else(|| D::Error::custom("neither a size nor \"auto\""))
    }
}

impl<'de> Deserialize<'de> for CountBound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CountBound, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let fixed = value.as_u64().and_then(|fixed| usize::try_from(fixed).ok());
        match fixed {
            Some(fixed) => Ok(CountBound(Bound::Fixed(fixed))),
            None if value == "auto" => Ok(CountBound(Bound::Auto)),
            None => Err(D::Error::custom("neither a number nor \"auto\"")),
        }
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Setting, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Setting(text)),
            other => Ok(Setting(other.to_string())),
        }
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Setting(redacted)")
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-kind": "duration", "examples": ["30s", "24h", "30d"] })
    }
}

impl JsonSchema for ReorderWindow {
    fn schema_name() -> Cow<'static, str> {
        "ReorderWindow".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "x-kind": "duration", "x-word": "auto", "examples": ["30s", "16m", "auto"]
        })
    }
}

impl JsonSchema for Patience {
    fn schema_name() -> Cow<'static, str> {
        "Patience".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "x-kind": "duration", "x-word": "complete", "examples": ["0s", "30s", "complete"]
        })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-kind": "size", "examples": ["256MB", "50GB", "1GiB"] })
    }
}

impl JsonSchema for SizeBound {
    fn schema_name() -> Cow<'static, str> {
        "SizeBound".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "x-kind": "size", "x-word": "auto", "examples": ["256MB", "1GiB", "auto"]
        })
    }
}

impl JsonSchema for CountBound {
    fn schema_name() -> Cow<'static, str> {
        "CountBound".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"], "x-kind": "count", "x-word": "auto", "examples": [4_000_000, "auto"]
        })
    }
}

impl JsonSchema for SecretText {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-kind": "secret", "examples": ["env:SLACKWATER_TOKEN"] })
    }
}

impl JsonSchema for CursorKeys {
    fn schema_name() -> Cow<'static, str> {
        "CursorKeys".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "array"], "x-kind": "secret", "items": { "type": "string", "x-kind": "secret" },
            "minItems": 1, "maxItems": CURSOR_KEYS_MAX,
            "examples": ["env:SLACKWATER_CURSOR_KEY", ["env:SLACKWATER_CURSOR_KEY", "env:SLACKWATER_CURSOR_KEY_BEFORE"]]
        })
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

/// The schema of [`ConfigFile`], in one piece, without `null`: TOML has none, a key is left out instead.
pub(super) fn schema() -> serde_json::Value {
    let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
    let schema = settings
        .into_generator()
        .into_root_schema_for::<ConfigFile>();
    let mut schema = serde_json::Value::from(schema);
    without_null(&mut schema);
    schema
}

fn without_null(schema: &mut serde_json::Value) {
    use serde_json::Value::{Array, Object, String};
    let null = |value: &serde_json::Value| value == "null";
    match schema {
        Object(keywords) => {
            if let Some(Array(types)) = keywords.get_mut("type") {
                types.retain(|name| !null(name));
                if let [String(only)] = types.as_slice() {
                    let only = only.clone();
                    keywords.insert("type".to_owned(), String(only));
                }
            }
            if let Some(Array(choices)) = keywords.remove("anyOf") {
                let some = |choice: &serde_json::Value| !choice.get("type").is_some_and(null);
                for choice in choices.into_iter().filter(some) {
                    if let Object(choice) = choice {
                        for (keyword, value) in choice {
                            keywords.entry(keyword).or_insert(value);
                        }
                    }
                }
            }
            keywords.values_mut().for_each(without_null);
        }
        Array(several) => several.iter_mut().for_each(without_null),
        _ => {}
    }
}
