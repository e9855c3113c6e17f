//! Durations, sizes and bounds as they are written.

use bytesize::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use slackwater_engine::relationship;
use slackwater_order::window;
use std::borrow::Cow;
use std::time::Duration;

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

/// A bound on what may wait in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound<N> {
    /// A share of the memory that there is, as [`memory`](crate::config::memory) has it; written `"auto"`.
    Auto,
    /// This many.
    Fixed(N),
}

/// A bound on a number of bytes, written `"256MB"` or `"auto"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeBound(pub Bound<u64>);

/// A bound on a number of things, written `1_000` or `"auto"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountBound(pub Bound<usize>);

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
