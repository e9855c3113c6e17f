//! The value of each key that is in force, to say by name which of them differ between two readings of a configuration.

use super::constraints::{is_table, kind, of_chosen_keys, properties};
use super::file::{Size, Span};
use super::resolve::secret_text::secret_text;
use super::validate::join;
use super::{Environment, SHIPPED, validate};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_128;

/// The keys that are taken over while the service runs; all others need a restart.
const TAKEN_OVER: [&str; 2] = ["ordering.", "logging.level"];
/// A key of those tables that is not, since it decides what ids posts have.
const PLACE: &str = "ordering.place";

/// The value of each key, those left out with their defaults. Two ways to write the same duration or size are the same value, and of a
/// secret there is nothing but a hash.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Settings {
    /// The settings of a file that says this, where every value has passed the schema.
    pub(super) fn of(accepted: &Json, schema: &Json, environment: &Environment<'_>) -> Settings {
        let shipped = validate::validate(SHIPPED, "slackwater.toml", schema).accepted;
        let mut settings = BTreeMap::new();
        for values in [&shipped, accepted] {
            collect("", values, schema, environment, &mut settings);
        }
        Settings(settings)
    }

    /// The keys that these give another value than `running` does and that need a restart to be in force, in order.
    pub fn waiting_for_restart(&self, running: &Settings) -> Vec<String> {
        let keys: BTreeSet<&String> = self.0.keys().chain(running.0.keys()).collect();
        let is_taken_over =
            |key: &str| key != PLACE && TAKEN_OVER.iter().any(|it| key.starts_with(it));
        let differ = keys.into_iter().filter(|key| {
            !is_taken_over(key) && self.0.get(key.as_str()) != running.0.get(key.as_str())
        });
        differ.cloned().collect()
    }
}

fn collect(
    path: &str,
    values: &Json,
    schema: &Json,
    environment: &Environment<'_>,
    into: &mut BTreeMap<String, String>,
) {
    for (name, value) in values.as_object().into_iter().flatten() {
        let known = properties(schema).find(|(known, _)| *known == name);
        let Some(inner) = known
            .map(|(_, inner)| inner)
            .or_else(|| of_chosen_keys(schema))
        else {
            continue;
        };
        let key = join(path, name);
        if is_table(inner) {
            collect(&key, value, inner, environment, into);
        } else {
            into.insert(key, comparable(inner, value, environment));
        }
    }
}

/// A value as a text that is the same for all ways to write it.
fn comparable(schema: &Json, value: &Json, environment: &Environment<'_>) -> String {
    if let Json::Array(list) = value {
        let inner = schema.get("items").unwrap_or(schema);
        let list: Vec<String> = list
            .iter()
            .map(|value| comparable(inner, value, environment))
            .collect();
        return list.join(", ");
    }
    match (kind(schema), value.as_str()) {
        ("secret", Some(text)) => {
            let meant = secret_text(text, environment).unwrap_or_else(|found| found);
            format!("{:x}", xxh3_128(meant.as_bytes()))
        }
        ("duration", Some(text)) if let Some(Span(span)) = Span::read(text) => format!("{span:?}"),
        ("size", Some(text)) if let Some(Size(bytes)) = Size::read(text) => bytes.to_string(),
        (_, Some(text)) => text.to_owned(),
        (_, None) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MissingToken, read};
    use super::*;

    /// The keys that wait when a service started with one text finds the other.
    fn waiting(running: &str, found: &str) -> Vec<String> {
        let settings = |text: &str, secret: &'static str| {
            let environment = Environment {
                variable: &|_| Some(secret.to_owned()),
                memory_bytes: 0,
                variables: Vec::new(),
                missing_token: MissingToken::Assume,
            };
            read(text, "s.toml", &environment).unwrap().1
        };
        let (running, found) = (
            settings(running, "0123456789abcdef"),
            settings(found, "fedcba9876543210"),
        );
        found.waiting_for_restart(&running)
    }

    /// A failure means that an operator does not learn what a restart would change, or that a password is in the log.
    #[test]
    fn settings_that_need_a_restart_are_named_and_no_others() {
        let nothing: [&str; 0] = [];
        assert_eq!(waiting("", ""), nothing);
        let changed =
            "[http]\nrequests_max = 7\n[feed]\nlength = 900\n[kafka.client]\n\"linger.ms\" = 3";
        let keys = [
            "feed.length",
            "http.requests_max",
            "kafka.client.\"linger.ms\"",
        ];
        assert_eq!(waiting("", changed), keys);
        assert_eq!(waiting(changed, ""), keys, "what is left out again too");
        let same = "[stream]\nhorizon_every = \"0m 15s\"\n[feed]\ncache_bytes = \"256 MB\"";
        assert_eq!(waiting("", same), nothing, "defaults, in other words");
        let taken_over = "[ordering]\npatience = \"1m\"\nplace = \"ref\"\n[ordering.origin.\"a.example\"]\nallowed_lateness = \"1h\"\n\
                          [logging]\nlevel = \"debug\"\nformat = \"json\"";
        let keys = ["logging.format", "ordering.place"];
        assert_eq!(waiting("", taken_over), keys);
        let token = "auth.service_tokens = [\"env:TOKEN\"]";
        assert_eq!(waiting(token, token), ["auth.service_tokens"]);
    }
}
