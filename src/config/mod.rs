//! The configuration file as written, turned into the options that each module takes.
//!
//! [`file`](mod@file) is the only list of keys; its schema is what a file is held against, key by key, so that all mistakes
//! come at once and with their lines. What passes becomes a [`Config`]: the options of each module, in which nothing is optional
//! and durations are durations.
//!
//! | file | what it is |
//! |---|---|
//! | [`file`](mod@file) | the file's shape: every key with its type and bounds |
//! | [`environment`] | settings of the environment, laid over those of the file |
//! | [`advice`] | settings that are good by themselves and defeat each other |
//! | `constraints` | what a schema allows, asked and put in words |
//! | `validate` | a file held against the schema |
//! | `resolve` | the options, and the checks that need more than one key |
//! | [`settings`] | the value of each key, to tell by name which ones differ |
//! | [`memory`] | the share of this machine's memory that `"auto"` is |
//! | `mistake` | what is wrong, and what to write instead |

pub mod advice;
mod constraints;
pub mod environment;
pub mod file;
pub mod memory;
mod mistake;
mod resolve;
pub mod settings;
mod validate;

pub use mistake::{Mistake, Mistakes};

use crate::api::auth::secret::Secret;
use crate::api::{self, auth};
use crate::cluster;
use crate::compare;
use crate::connector;
use crate::inbox;
use crate::log;
use crate::log::built_in;
use crate::mastodon;
use crate::operator::logging;
use crate::pipeline;
use file::ConfigFile;
use memory::UnflushedShare;
use settings::Settings;
use slackwater_engine::feed::store;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file as it is shipped: every key with its default and what it does.
pub const SHIPPED: &str = include_str!("../../slackwater.toml");

/// The name of a configuration that is in no file.
pub const NO_FILE: &str = "defaults";

/// The folder of the built-in log, if no other is written.
const LOG_FOLDER: &str = "data/log";

/// Everything that the file configures, as the options that each module takes. The file and its schema have the bounds of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[log]` and `[kafka]`: the log that records come from.
    pub log: log::Options,
    /// `[cluster]`: this node among others, if it is one of several.
    pub cluster: Option<cluster::Options>,
    /// `[feed]`: the folder of feeds, how long feeds are, and how much may wait in memory.
    pub store: store::Options,
    /// `[ordering]`, and of `[feed]` how long things are kept and when they are written. Which log it is, the engine learns when
    /// that is opened.
    pub pipeline: pipeline::Options,
    /// `http.listen`: the address; on loopback if there are no service tokens.
    pub listen: SocketAddr,
    /// `[http]` and `[stream]`: the bounds of the API.
    pub api: api::Options,
    /// `[mastodon]`: the choices of Mastodon's API.
    pub mastodon: mastodon::Options,
    /// `mastodon.database`: where Mastodon's own database is.
    pub connector: connector::Options,
    /// `mastodon.compare_tokens`: the accounts whose homes are compared with Mastodon's own.
    pub compare: compare::daily::Options,
    /// `[inbox]`: the backend whose inboxes are passed on to, if there is one.
    pub inbox: Option<inbox::Options>,
    /// `[auth]`: the tokens that are taken.
    pub auth: auth::Options,
    /// `auth.cursor_key`: what cursors are sealed with, so that nobody else makes any: at least 32 bytes. The first seals, and
    /// those that any of them sealed are taken; `None` stands for no seal. Empty: a key of the built-in log's own, and no seal
    /// with Kafka.
    pub cursor_keys: Vec<Option<Secret>>,
    /// `[logging]`: what the log of the service holds.
    pub logging: logging::Options,
}

/// What a configuration takes from around it.
pub struct Environment<'a> {
    /// Looks up what is written `env:NAME`.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The memory that this process may use, in bytes, of which `"auto"` is a share; 0 if it is unknown.
    pub memory_bytes: u64,
    /// All variables, of which those that begin with [`environment::PREFIX`] are settings, in any order.
    pub variables: Vec<(String, String)>,
    /// What becomes of a token that is written `made:PATH` and is not there yet.
    pub missing_token: MissingToken<'a>,
}

/// What becomes of a token that is written `made:PATH` and is not there yet.
#[derive(Clone, Copy)]
pub enum MissingToken<'a> {
    /// It is made there, and given to this, once, with its path.
    Make(&'a dyn Fn(&Path, &str)),
    /// It will be made: any is taken for it, and nothing is written.
    Assume,
}

impl Config {
    /// The configuration of an empty file, where there are so many bytes of memory; 0 if that is unknown.
    pub fn defaults(memory_bytes: u64) -> Config {
        let unflushed = UnflushedShare::of(memory_bytes);
        Config {
            log: log::Options::BuiltIn(built_in::Options::at(LOG_FOLDER)),
            cluster: None,
            store: store::Options {
                path: PathBuf::from("data/feeds"),
                length: 800,
                boost_repeat_after: Duration::from_secs(24 * 60 * 60),
                unflushed_entries_max: unflushed.entries_max,
                unflushed_bytes_max: unflushed.bytes_max,
                cache_bytes: 256_000_000,
            },
            pipeline: pipeline::Options::default(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8787)),
            api: api::Options::default(),
            mastodon: mastodon::Options::default(),
            connector: connector::Options::default(),
            compare: compare::daily::Options::default(),
            inbox: None,
            auth: auth::Options::default(),
            cursor_keys: Vec::new(),
            logging: logging::Options::default(),
        }
    }
}

/// Reads the text of a configuration; `file` is its name in mistakes. What is written `file:PATH` is read from disk, relative to
/// the working directory.
pub fn parse(text: &str, file: &str, environment: &Environment<'_>) -> Result<Config, Mistakes> {
    read(text, file, environment).map(|(config, _)| config)
}

/// As [`parse`], with the value of each key.
fn read(
    text: &str,
    file: &str,
    environment: &Environment<'_>,
) -> Result<(Config, Settings), Mistakes> {
    let schema = file::schema();
    let mut validated = validate::validate(text, file, &schema);
    environment::settings(&environment.variables, &schema).lay_over(&mut validated);
    let settings = Settings::of(&validated.accepted, &schema, environment);
    let written = serde_json::from_value(std::mem::take(&mut validated.accepted));
    let written = written.unwrap_or_else(|why| {
        // Only if the schema promises more than the types can read.
        validated.mistakes.push(Mistake {
            found: why.to_string(),
            ..about_all(file, "what the schema says")
        });
        ConfigFile::default()
    });
    let config = resolve::resolve(written, &mut validated, file, environment);
    let mut mistakes = validated.mistakes;
    if mistakes.is_empty() {
        return Ok((config, settings));
    }
    mistakes.sort_by_key(|mistake| mistake.line);
    Err(Mistakes(mistakes))
}

/// The secret that a word of the command line stands for, as one of a file: `env:NAME`, `file:PATH`, or the secret itself. Errors:
/// what was found instead, without anything secret.
pub fn secret(written: &str) -> Result<Secret, String> {
    let environment = Environment {
        variable: &|name| std::env::var(name).ok(),
        memory_bytes: 0,
        variables: Vec::new(),
        missing_token: MissingToken::Assume,
    };
    resolve::secret_text::secret_text(written, &environment).map(|text| Secret::new(&text))
}

/// Reads the configuration file at `path`, with the environment of this process and the memory of this machine.
pub fn load(path: &Path) -> Result<Config, Mistakes> {
    load_with_settings(Some(path), MissingToken::Assume).map(|(config, _)| config)
}

/// As [`load`], where there is no file: what the environment does not set has its default.
pub fn load_without_file() -> Result<Config, Mistakes> {
    load_with_settings(None, MissingToken::Assume).map(|(config, _)| config)
}

/// As [`load`], with the value of each key.
pub fn load_with_settings(
    path: Option<&Path>,
    missing_token: MissingToken<'_>,
) -> Result<(Config, Settings), Mistakes> {
    let file = path.map_or_else(|| NO_FILE.to_owned(), |path| path.display().to_string());
    let environment = Environment {
        variable: &|name| std::env::var(name).ok(),
        memory_bytes: memory::usable_bytes(),
        variables: environment::of_this_process()?,
        missing_token,
    };
    match path.map(std::fs::read_to_string).transpose() {
        Ok(text) => read(&text.unwrap_or_default(), &file, &environment),
        Err(why) => Err(Mistakes(vec![Mistake {
            found: why.to_string(),
            ..about_all(&file, "a file that can be read")
        }])),
    }
}

/// The JSON Schema of the file, each key with its default.
pub fn schema() -> serde_json::Value {
    let mut schema = file::schema();
    let shipped = validate::validate(SHIPPED, "slackwater.toml", &schema).accepted;
    with_defaults(&mut schema, &shipped);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("title".to_owned(), "slackwater.toml".into());
    }
    schema
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
