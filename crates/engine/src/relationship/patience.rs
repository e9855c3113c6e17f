//! How long an account's feeds may be held back. Pure.

use crate::id;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slackwater_order::horizon::COMPLETE_MS;
use slackwater_order::time::millis_of;
use std::fmt;
use std::time::Duration;

/// Numbers with units, as `humantime` takes them, or `complete`.
const PATIENCE_PATTERN: &str = r"^(complete|0|(\s*[0-9][0-9\s]*(\.[0-9\s]+)?(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|years|year|yrs|yr|y)\s*)+)$";

/// How long an account's feeds may be held back for the sake of order. Written `"0s"`, `"20m"` or `"complete"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// At most this long.
    For(Duration),
    /// As long as the slowest origin's window.
    Complete,
}

impl Patience {
    /// In milliseconds; [`COMPLETE_MS`] if it is complete.
    pub fn millis(self) -> i64 {
        match self {
            Patience::For(duration) => millis_of(duration),
            Patience::Complete => COMPLETE_MS,
        }
    }

    /// The patience that is so many milliseconds.
    pub fn of_millis(ms: i64) -> Patience {
        match ms {
            COMPLETE_MS => Patience::Complete,
            ms => Patience::For(Duration::from_millis(u64::try_from(ms).unwrap_or(0))),
        }
    }
}

impl std::str::FromStr for Patience {
    type Err = String;

    fn from_str(text: &str) -> Result<Patience, String> {
        if text == "complete" {
            return Ok(Patience::Complete);
        }
        humantime::parse_duration(text)
            .map(Patience::For)
            .map_err(|e| {
                format!(
                    "patience {} is no duration ({e}): write one such as \"30s\", or \"complete\"",
                    id::quoted(text)
                )
            })
    }
}

impl fmt::Display for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Patience::For(duration) => humantime::format_duration(*duration).fmt(f),
            Patience::Complete => f.write_str("complete"),
        }
    }
}

impl Serialize for Patience {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Patience {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Patience, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Patience;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a patience, a duration such as \"30s\" or \"complete\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Patience, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for Patience {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Patience".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": PATIENCE_PATTERN, "examples": ["0s", "30s", "20m", "complete"],
            "description": "How long feeds may be held back for the sake of order: a duration, or \"complete\"."
        })
    }
}
