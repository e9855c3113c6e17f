//! The configuration file as written, turned into what each module means by it.
//!
//! [`file`] is the only list of keys; its schema is what a file is held against, key by key, so that all mistakes
//! come at once and with their lines. What passes becomes a [`Config`], in which nothing is optional and durations
//! are durations.

mod constraints;
pub mod file;
mod mistake;
mod resolve;
mod secret_text;
mod validate;

pub use mistake::{Mistake, Mistakes};

use crate::api::auth::secret::Secret;
use crate::api::auth::{introspection, jwt};
use crate::mastodon::ids::Ids;
use crate::operator::logging;
use crate::post::kafka;
use crate::post::relationship::Patience;
use file::ConfigFile;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use slackwater_order::window::Windows;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file as it is shipped: every key with its default and what it does.
pub const SHIPPED: &str = include_str!("../../slackwater.toml");

/// Reads the text of a configuration; `file` is its name in mistakes, `env` looks up what is written `env:NAME`.
/// What is written `file:PATH` is read from disk, relative to the working directory.
pub fn parse(
    text: &str,
    file: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Mistakes> {
    let mut validated = validate::validate(text, file, &file::schema());
    let written = serde_json::from_value(std::mem::take(&mut validated.right));
    let written = written.unwrap_or_else(|why| {
        // Only if the schema promises more than the types can read.
        validated.mistakes.push(Mistake {
            found: why.to_string(),
            ..about_all(file, "what the schema says")
        });
        ConfigFile::default()
    });
    let config = resolve::resolve(written, &mut validated, file, env);
    let mut mistakes = validated.mistakes;
    if mistakes.is_empty() {
        return Ok(config);
    }
    mistakes.sort_by_key(|mistake| mistake.line);
    Err(Mistakes(mistakes))
}

/// Reads the configuration file at `path`, with the process's environment.
pub fn load(path: &Path) -> Result<Config, Mistakes> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, &file, &|name| std::env::var(name).ok()),
        Err(why) => Err(Mistakes(vec![Mistake {
            found: why.to_string(),
            ..about_all(&file, "a file that can be read")
        }])),
    }
}

/// The JSON Schema of the file, each key with its default.
pub fn schema() -> serde_json::Value {
    let mut schema = file::schema();
    let shipped = validate::validate(SHIPPED, "slackwater.toml", &schema).right;
    with_defaults(&mut schema, &shipped);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("title".to_owned(), "slackwater.toml".into());
    }
    schema
}

/// All of the configuration, as meant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `[log]` and `[kafka]`: where records come from.
    pub log: Log,
    /// `[ordering]`: how long posts may take, and readers wait.
    pub ordering: Ordering,
    /// `[feed]`: what is kept, and how much may wait to be.
    pub feed: Feed,
    /// `[http]`: where requests are answered.
    pub http: Http,
    /// `[stream]`: how readers are told live of what changes.
    pub stream: Stream,
    /// `[mastodon]`: the part of Mastodon's API that is spoken here.
    pub mastodon: Mastodon,
    /// `[auth]`: who may ask.
    pub auth: Auth,
    /// `[logging]`: what the service says while it runs.
    pub logging: logging::Options,
}

/// Where records come from. Default: the built-in log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Log {
    /// A log in this process.
    BuiltIn {
        /// Its folder. Default `data/log`; never inside the feeds' folder.
        path: PathBuf,
        /// How long a record is kept, at least (the key `keep`). 1 hour to 100 years, default 30 days.
        keep: Duration,
        /// How many bytes it may take on disk; then the oldest records go, even before `keep` (the key `size_max`).
        /// 10 MB to 1000 TB, default 50 GB.
        bytes_max: u64,
    },
    /// A Kafka cluster.
    Kafka(Kafka),
}

/// How Kafka is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct Kafka {
    /// Where to ask for the cluster, `host:port`; at least one. Default `localhost:9092`.
    pub brokers: Vec<String>,
    /// The topic of activities. The three topics differ. Default `slackwater.activities`.
    pub activities: String,
    /// The topic of relationships. Default `slackwater.relationships`.
    pub relationships: String,
    /// The topic for records that could not be used. Default `slackwater.dead-letters`.
    pub dead_letters: String,
    /// The consumer group, not empty. Default `slackwater`.
    pub group: String,
    /// librdkafka settings to pass through, by name; may hold passwords, so values are not shown. Default none.
    pub client: BTreeMap<String, String>,
}

/// How long posts may take, and readers wait.
#[derive(Clone, Debug, PartialEq)]
pub struct Ordering {
    /// How long posts may take: the reorder windows of all origins.
    pub windows: Windows,
    /// How long the feeds of an account that says nothing may be held back for the sake of order. 0 to 7 days, or
    /// complete, default none.
    pub patience: Patience,
}

/// What is kept, and how much may wait to be. Ages are in log time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Its folder. Default `data/feeds`.
    pub path: PathBuf,
    /// Entries in a feed; the lowest place goes first. 1 to 100,000, default 800.
    pub length: usize,
    /// How long after a post was shown a boost shows it again, from place to place. 0 to 10 years, default 1 day; with 0
    /// every boost shows.
    pub boost_repeat_after: Duration,
    /// How long a post is kept; longer while a feed needs it. 1 hour to 10 years, default 30 days.
    pub posts_keep: Duration,
    /// How long a stub (URI, author, parent) is kept. 1 hour to 10 years, default 365 days.
    pub stubs_keep: Duration,
    /// How long deletes, undos and removals are remembered. 1 hour to 10 years, default 30 days.
    pub removals_keep: Duration,
    /// How long an account may go unseen before its feeds are given up, until it is seen again. 1 hour to 10 years,
    /// default 14 days.
    pub inactive_after: Duration,
    /// Feed entries that may wait in memory; reaching it makes a checkpoint. 1,000 to 1,000,000,000, default
    /// [`Bound::Auto`].
    pub unflushed_entries_max: Bound<usize>,
    /// Bytes of posts that may wait in memory; reaching it makes a checkpoint. 1 MB to 1 TB, default [`Bound::Auto`].
    pub unflushed_bytes_max: Bound<u64>,
    /// Bytes of memory for what was read from disk. 1 MB to 1 TB, default 256 MB.
    pub cache_bytes: u64,
    /// The longest time that a start after a crash may take to read again what waited for a checkpoint, as far as that can be
    /// told from how long it took the first time. 1 millisecond to 1 hour, default 10 seconds.
    pub replay_max: Duration,
    /// How often is written what the log does not have: how far feeds were shown, and when accounts were seen. 100
    /// milliseconds to 1 hour, default 30 seconds.
    pub checkpoint_every: Duration,
}

/// How much may wait in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound<N> {
    /// A share of the memory that there is: [`crate::service::memory`] has it.
    Auto,
    /// So much.
    Fixed(N),
}

/// Where requests are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// The address; on loopback if there are no service tokens. Default `127.0.0.1:8787`.
    pub listen: SocketAddr,
    /// Requests answered at a time; more are told to come back (503). 1 to 1,000,000, default 10,000.
    pub requests_max: usize,
    /// The longest time that a request may take. 1 second to 10 minutes, default 30 seconds.
    pub request_timeout: Duration,
    /// Requests that one account, or without one an address, may make in a minute, the backend's aside. 1 to 1,000,000,
    /// default 300.
    pub requests_per_minute: u32,
    /// Whose `X-Forwarded-For` is believed. Default loopback.
    pub trusted_proxies: Vec<IpNet>,
}

/// How readers are told live of what changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Readers connected at a time. 1 to 1,000,000, default 20,000.
    pub connections_max: usize,
    /// Connections of one account at a time. 1 to 1,000,000, default 50.
    pub connections_per_account_max: usize,
    /// Connections from one address at a time. 1 to 1,000,000, default 1,000.
    pub connections_per_address_max: usize,
    /// How often a reader is told how far its feed is complete. 1 to 15 seconds, default 15 seconds.
    pub horizon_every: Duration,
    /// How often a reader is asked whether it is still there. 1 second to 5 minutes, default 30 seconds.
    pub ping_every: Duration,
    /// How long a reader may take to accept what it is sent. 1 second to 5 minutes, default 10 seconds.
    pub send_timeout: Duration,
    /// How long after its place a post may come and still be pushed as new to clients of Mastodon's API though it is behind, if
    /// their feed is not held longer. 0 to 7 days, default 1 minute.
    pub live_max_age: Duration,
}

/// The part of Mastodon's API that is spoken here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mastodon {
    /// Whose ids clients see. Default [`Ids::Place`].
    pub ids: Ids,
    /// Whether the lists of an account end with that of its late arrivals. Default true.
    pub late_list: bool,
}

impl Default for Mastodon {
    fn default() -> Mastodon {
        Mastodon {
            ids: Ids::default(),
            late_list: true,
        }
    }
}

/// Who may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auth {
    /// The bearer tokens of the backend, 16 to 4096 visible ASCII characters each. Empty only if there is no `[auth]`:
    /// then the service is on loopback, and any caller may act as the backend. Default empty.
    pub service_tokens: Vec<Secret>,
    /// Whether public and hashtag feeds may be read without a token. Default no.
    pub public_feeds_open: bool,
    /// What cursors are sealed with, so that nobody else makes any: at least 32 bytes. The first seals, and those that any of
    /// them sealed are taken; `None` stands for no seal. Default one of the built-in log's own, and no seal with Kafka.
    pub cursor_keys: Vec<Option<Secret>>,
    /// User tokens that the backend signs. Default none.
    pub jwt: Option<jwt::Options>,
    /// Who is asked about other user tokens. Default nobody.
    pub introspection: Option<introspection::Options>,
}

const MB: u64 = 1_000_000;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Log {
    fn default() -> Log {
        Log::BuiltIn {
            path: PathBuf::from("data/log"),
            keep: 30 * DAY,
            bytes_max: 50_000 * MB,
        }
    }
}

impl Default for Kafka {
    fn default() -> Kafka {
        Kafka {
            brokers: vec!["localhost:9092".to_owned()],
            activities: "slackwater.activities".to_owned(),
            relationships: "slackwater.relationships".to_owned(),
            dead_letters: "slackwater.dead-letters".to_owned(),
            group: "slackwater".to_owned(),
            client: BTreeMap::new(),
        }
    }
}

impl Default for Ordering {
    fn default() -> Ordering {
        Ordering {
            windows: Windows::default(),
            patience: Patience::For(Duration::ZERO),
        }
    }
}

impl Default for Feed {
    fn default() -> Feed {
        Feed {
            path: PathBuf::from("data/feeds"),
            length: 800,
            boost_repeat_after: DAY,
            posts_keep: 30 * DAY,
            stubs_keep: 365 * DAY,
            removals_keep: 30 * DAY,
            inactive_after: 14 * DAY,
            unflushed_entries_max: Bound::Auto,
            unflushed_bytes_max: Bound::Auto,
            cache_bytes: 256 * MB,
            replay_max: Duration::from_secs(10),
            checkpoint_every: Duration::from_secs(30),
        }
    }
}

impl Default for Http {
    fn default() -> Http {
        Http {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8787)),
            requests_max: 10_000,
            request_timeout: Duration::from_secs(30),
            requests_per_minute: 300,
            trusted_proxies: vec![
                IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
                IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
            ],
        }
    }
}

impl Default for Stream {
    fn default() -> Stream {
        Stream {
            connections_max: 20_000,
            connections_per_account_max: 50,
            connections_per_address_max: 1_000,
            horizon_every: Duration::from_secs(15),
            ping_every: Duration::from_secs(30),
            send_timeout: Duration::from_secs(10),
            live_max_age: Duration::from_secs(60),
        }
    }
}

impl From<&Kafka> for kafka::Options {
    fn from(kafka: &Kafka) -> kafka::Options {
        kafka::Options {
            brokers: kafka.brokers.clone(),
            activities: kafka.activities.clone(),
            relationships: kafka.relationships.clone(),
            dead_letters: kafka.dead_letters.clone(),
            group: kafka.group.clone(),
            client: kafka.client.clone(),
        }
    }
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings: Vec<&String> = self.client.keys().collect();
        f.debug_struct("Kafka")
            .field("brokers", &self.brokers)
            .field("activities", &self.activities)
            .field("relationships", &self.relationships)
            .field("dead_letters", &self.dead_letters)
            .field("group", &self.group)
            .field("client", &settings)
            .finish()
    }
}

fn about_all(file: &str, allowed: &str) -> Mistake {
    Mistake {
        file: file.to_owned(),
        line: None,
        key: String::new(),
        found: String::new(),
        allowed: allowed.to_owned(),
        guess: None,
    }
}

fn with_defaults(schema: &mut serde_json::Value, defaults: &serde_json::Value) {
    let serde_json::Value::Object(defaults) = defaults else {
        return;
    };
    for (key, default) in defaults {
        let Some(inner) = schema.pointer_mut(&format!("/properties/{key}")) else {
            continue;
        };
        if default.is_object() {
            with_defaults(inner, default);
        } else if let Some(inner) = inner.as_object_mut() {
            inner.insert("default".to_owned(), default.clone());
        }
    }
}

#[cfg(test)]
mod tests;
