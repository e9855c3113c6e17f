//! What a service is, in the first lines of its log: an operator who is sent a log has no other way to know.

use crate::config::{Config, environment};
use crate::log;
use crate::mastodon::ids::Ids;
use crate::operator::shown_url::without_user;
use std::path::Path;

/// Logs which version this is, by what it is configured, and what that comes to. Nothing of it is secret.
pub fn log(config: &Config, file: Option<&Path>) {
    let version = env!("CARGO_PKG_VERSION");
    let variables = variables();
    match file {
        Some(file) => {
            let file = absolute(file);
            tracing::info!(version, %file, "slackwater {version}, configured by {file}");
        }
        None => tracing::info!(
            version,
            "slackwater {version}, without a configuration file: settings have their defaults"
        ),
    }
    if !variables.is_empty() {
        tracing::info!(variables, "over that, the environment has {variables}");
    }
    let feeds = absolute(&config.store.path);
    match &config.log {
        log::Options::BuiltIn(built_in) => {
            let folder = absolute(&built_in.path);
            tracing::info!(
                log = "built-in", %folder, %feeds,
                "the log is the built-in one in {folder}; feeds are in {feeds}"
            );
        }
        log::Options::Kafka(kafka) => {
            let brokers = kafka.brokers.join(", ");
            let (activities, relationships) = (&kafka.activities, &kafka.relationships);
            let dead_letters = &kafka.dead_letters;
            tracing::info!(
                log = "kafka", brokers, activities, relationships, dead_letters, %feeds,
                "the log is Kafka at {brokers}, topics {activities}, {relationships} and {dead_letters}; feeds are in {feeds}"
            );
        }
    }
    let (callers, ids) = (callers(config).join("; "), ids(config.mastodon.ids));
    tracing::info!(
        callers,
        mastodon_ids = ids,
        "who may ask: {callers}. Clients of Mastodon's API see {ids}"
    );
}

/// The variables of the environment that are settings, by their names.
fn variables() -> String {
    let variables = environment::of_this_process().unwrap_or_default();
    let names: Vec<String> = variables.into_iter().map(|(name, _)| name).collect();
    names.join(", ")
}

/// Who may ask, in words.
fn callers(config: &Config) -> Vec<String> {
    let auth = &config.auth;
    let mut callers = Vec::new();
    callers.push(match auth.service_tokens.len() {
        0 => "anybody on this machine, as the backend".to_owned(),
        1 => "the backend, by a service token".to_owned(),
        tokens => format!("the backend, by {tokens} service tokens"),
    });
    if let Some(jwt) = &auth.jwt {
        let algorithm = jwt.algorithm.name();
        callers.push(format!("accounts, by tokens that are signed ({algorithm})"));
    }
    // The order in which they are asked: see `Auth::new`.
    if let Some(introspection) = &auth.introspection {
        let server = without_user(&introspection.url);
        callers.push(format!("accounts, by tokens that {server} introspects"));
    } else if config.connector.database.is_some() {
        callers.push("accounts, by the tokens in Mastodon's database".to_owned());
    } else if let Some(backend) = &auth.backend {
        let server = without_user(&backend.address);
        callers.push(format!("accounts, by tokens that {server} knows"));
    }
    if auth.public_feeds_open {
        callers.push("anybody, for public and hashtag feeds".to_owned());
    }
    callers
}

const fn ids(ids: Ids) -> &'static str {
    match ids {
        Ids::Place => "ids of ours (\"place\")",
        Ids::Ref => "the backend's ids (\"ref\")",
    }
}

/// A path that says where it is to somebody who does not know the working directory.
fn absolute(path: &Path) -> String {
    let absolute = std::path::absolute(path);
    absolute.as_deref().unwrap_or(path).display().to_string()
}
