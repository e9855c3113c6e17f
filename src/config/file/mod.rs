//! `slackwater.toml` as written: the only list of its keys, with the type and the bounds of each.
//!
//! The schema made from these types is what `validate` holds a file against, and what editors get. Bounds of
//! durations and sizes are no part of JSON Schema, so they stand in keywords of our own: `x-min` and `x-max`, and
//! `x-kind` names how a text is to be read. The shipped file explains every key at more length.

mod auth;
mod cluster;
mod kafka;
mod ordering;
mod schema;
mod value;

pub use auth::{Auth, CURSOR_KEYS_MAX, CursorKeys, Introspection, Jwt, SecretText};
pub use cluster::{Assignment, Cluster};
pub use kafka::{Kafka, Setting};
pub use ordering::{Auto, Ordering, Origin};
pub(super) use schema::schema;
pub use value::{Bound, CountBound, Patience, ReorderWindow, Size, SizeBound, Span};

use crate::mastodon::ids::Ids;
use crate::operator::logging::Format;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// The configuration of Slackwater. Every key may be left out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConfigFile {
    /// Where records come from.
    pub log: Log,
    /// How Kafka is reached; used if `log.kind` is `kafka`.
    pub kafka: Kafka,
    /// This node among others; used if `log.kind` is `kafka`.
    pub cluster: Option<Cluster>,
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
    /// What other servers deliver, passed on to the server that it is for.
    pub inbox: Inbox,
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
    pub kind: Option<LogKind>,
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
pub enum LogKind {
    /// A log in this process, appended to over HTTP.
    BuiltIn,
    /// A Kafka cluster.
    Kafka,
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
    /// Whether the objects of posts are kept, and not only what the rules ask for.
    pub keep_objects: Option<bool>,
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
    /// Where the backend itself answers. With it statuses are shown as the backend shows them to each reader.
    #[schemars(length(min = 1))]
    pub upstream: Option<String>,
    /// Where the backend's streaming server answers. With it all its events are passed on.
    #[schemars(length(min = 1))]
    pub streaming: Option<String>,
    /// The host that the backend is known by.
    #[schemars(length(min = 1))]
    pub web_domain: Option<String>,
    /// Whether statuses are shown without what only the backend knows while it does not answer, instead of none.
    pub plain_when_away: Option<bool>,
    /// The address of Mastodon's own database, `postgres://...`, for the role that `slackwater mastodon install` makes. With it
    /// feeds follow that database.
    pub database: Option<SecretText>,
    /// Access tokens of accounts whose homes are compared with Mastodon's own every day, at most 16.
    #[schemars(length(min = 1, max = 16))]
    pub compare_tokens: Option<Vec<SecretText>>,
}

/// What other servers deliver, passed on to the server that it is for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Inbox {
    /// Where that server answers. With it requests to its inboxes are passed on to it, and recorded where their author is proved.
    #[schemars(length(min = 1))]
    pub upstream: Option<String>,
    /// Networks in which keys are fetched although they are not public, there also over http: for tests, and private networks.
    #[schemars(inner(length(min = 1)))]
    pub allow_addresses: Option<Vec<String>>,
    /// The private key of an actor of that server, RSA, PEM, which fetches are signed with: for servers that answer no other;
    /// `env:NAME` or `file:PATH` to keep it out of this file.
    pub key: Option<SecretText>,
    /// The id of that key.
    #[schemars(length(min = 1))]
    pub key_id: Option<String>,
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
