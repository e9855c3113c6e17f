//! `[log]` and `[kafka]`: the log that records come from.

use super::Resolver;
use super::secret_text::secret_text;
use crate::config::LOG_FOLDER;
use crate::config::file::{self, LogKind, Setting, Span};
use crate::config::mistake::quoted;
use crate::config::validate::join;
use crate::log;
use crate::log::built_in;
use crate::log::kafka;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

impl Resolver<'_> {
    /// The log that is chosen. A built-in one must not be in the folder of feeds, `feeds`. The settings of Kafka are checked even
    /// if it is not used.
    pub(super) fn log(&mut self, log: file::Log, kafka: file::Kafka, feeds: &Path) -> log::Options {
        let is_kafka = log.kind == Some(LogKind::Kafka);
        let kafka = self.kafka(kafka, is_kafka);
        match is_kafka {
            true => log::Options::Kafka(kafka),
            false => log::Options::BuiltIn(self.built_in(log, feeds)),
        }
    }

    fn built_in(&mut self, written: file::Log, feeds: &Path) -> built_in::Options {
        let default = built_in::Options::at(LOG_FOLDER);
        let path = written.path.unwrap_or(default.path);
        if plain(&path).starts_with(plain(feeds)) {
            // The feeds' folder may be deleted to rebuild it from the log, which would then be gone.
            let key = if self.is_written("feed.path") {
                "feed.path"
            } else {
                "log.path"
            };
            let found = format!("feeds in {feeds:?} and the log in {path:?}");
            let allowed = "feeds in a folder that the log is not in";
            self.mistake(key, &found, allowed, None);
        }
        built_in::Options {
            path,
            activities_keep: written
                .keep
                .map_or(default.activities_keep, |Span(keep)| keep),
            activities_bytes_max: written
                .size_max
                .map_or(default.activities_bytes_max, |size| size.0),
            ..default
        }
    }

    fn kafka(&mut self, written: file::Kafka, is_used: bool) -> kafka::Options {
        let default = kafka::Options::default();
        let mut client = BTreeMap::new();
        for (name, Setting(value)) in written.client {
            match secret_text(&value, self.environment) {
                Ok(value) => {
                    client.insert(name, value);
                }
                Err(found) => {
                    let key = join("kafka.client", &name);
                    self.mistake(
                        &key,
                        &found,
                        "a variable that is set, a file that can be read",
                        None,
                    );
                }
            }
        }
        let kafka = kafka::Options {
            brokers: written.brokers.unwrap_or(default.brokers),
            activities: written.activities.unwrap_or(default.activities),
            relationships: written.relationships.unwrap_or(default.relationships),
            dead_letters: written.dead_letters.unwrap_or(default.dead_letters),
            nodes: written.nodes.unwrap_or(default.nodes),
            node: None,
            group: written.group.unwrap_or(default.group),
            client,
        };
        let topics = [
            ("kafka.activities", &kafka.activities),
            ("kafka.relationships", &kafka.relationships),
            ("kafka.dead_letters", &kafka.dead_letters),
            ("kafka.nodes", &kafka.nodes),
        ];
        for (nth, (key, topic)) in topics.iter().enumerate() {
            if let Some((other, _)) = topics.iter().take(nth).find(|(_, it)| it == topic) {
                let key = if self.is_written(key) { key } else { other };
                let found = format!("{}, another's topic too", quoted(topic));
                self.mistake(key, &found, "a topic of its own", None);
            }
        }
        self.brokers(&kafka.brokers);
        self.client(&kafka, is_used);
        kafka
    }

    fn brokers(&mut self, brokers: &[String]) {
        for (nth, broker) in brokers.iter().enumerate() {
            // librdkafka takes several in one text too, each maybe with its protocol.
            for one in broker.split(',').map(str::trim) {
                let address = one.split_once("://").map_or(one, |(_, address)| address);
                if is_host_and_port(address) {
                    continue;
                }
                let guess = [format!("{address}:9092"), format!("[{address}]:9092")];
                let guess = guess.into_iter().find(|guess| is_host_and_port(guess));
                let key = format!("kafka.brokers[{nth}]");
                let allowed = "a host and a port such as \"kafka1:9092\"";
                self.mistake(&key, &quoted(one), allowed, guess.map(|it| quoted(&it)));
            }
        }
    }

    fn client(&mut self, kafka: &kafka::Options, is_used: bool) {
        let mut wrong = kafka::wrong_settings(&kafka.client);
        let is_whole = !self.has_mistake_below("kafka.client") && !self.has_mistake_below("kafka");
        if wrong.is_empty() && is_used && is_whole {
            wrong.extend(kafka::wrong_together(kafka));
        }
        for wrong in wrong {
            let key = match &wrong.name {
                Some(name) => join("kafka.client", name),
                None => "kafka.client".to_owned(),
            };
            let guess = wrong.guess.map(|name| join("kafka.client", name));
            self.mistake(&key, &wrong.found, &wrong.allowed, guess);
        }
    }
}

/// Whether this is a host, as a name or an address, and a port.
fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let is_address = |host: &str| host.parse::<std::net::Ipv6Addr>().is_ok();
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_host = match bracketed {
        Some(address) => is_address(address),
        None => {
            let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            !host.is_empty() && host.chars().all(legal)
        }
    };
    is_host && port.parse::<u16>().is_ok_and(|port| 0 < port)
}

/// A path without the `.` in it, to be compared.
fn plain(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}
