//! A value in valid JSON, whatever shape it has. Pure.

use super::{not_json, scan};
use serde_json::Number;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The largest whole number that every client reads as it is: those in JavaScript have no larger ones.
pub const WHOLE_MAX: u64 = (1 << 53) - 1;

/// A value in valid JSON, or none where there is no such field. It is parsed by the method that returns it; a value of
/// another shape is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct LooseValue<'a> {
    /// Empty if there is no such field.
    text: &'a str,
    /// The same as the parser found it, if it did: making a `RawValue` of text validates the text again.
    raw: Option<&'a RawValue>,
}

impl<'a> From<&'a RawValue> for LooseValue<'a> {
    fn from(raw: &'a RawValue) -> LooseValue<'a> {
        LooseValue {
            text: raw.get(),
            raw: Some(raw),
        }
    }
}

impl<'a> LooseValue<'a> {
    /// A value in text that is known to be valid JSON. On any other text the result is unspecified but safe.
    pub(crate) fn of_valid(text: &'a str) -> LooseValue<'a> {
        LooseValue { text, raw: None }
    }

    /// The JSON as it is written; empty if there is no such field.
    pub(crate) fn json(self) -> &'a str {
        self.text
    }

    /// The JSON as a value of its own. Errors: a reason, if it is not valid.
    pub(crate) fn to_raw(self) -> Result<Box<RawValue>, String> {
        match self.raw {
            Some(raw) => Ok(raw.to_owned()),
            None => serde_json::from_str::<&RawValue>(self.text)
                .map(ToOwned::to_owned)
                .map_err(|e| not_json(&e)),
        }
    }

    /// The same value with no more than its first `max` values, those in others too; lists and objects that have more are cut
    /// short.
    pub(crate) fn first_values(self, max: usize) -> LooseValue<'a> {
        LooseValue::of_valid(scan::first_values(self.text, max))
    }

    /// Whether there is no such field, not even `null`.
    pub(crate) fn is_absent(self) -> bool {
        self.text.is_empty()
    }

    /// Whether there is no such field, or it is `null`.
    pub fn is_none(self) -> bool {
        matches!(self.text, "" | "null")
    }

    /// Whether it is none, or a text, list or object with nothing in it.
    pub(crate) fn is_empty(self) -> bool {
        self.text.is_empty() || scan::is_empty(self.text)
    }

    /// Whether it is a text.
    pub(crate) fn is_string(self) -> bool {
        self.text.starts_with('"')
    }

    /// Whether it is an object.
    pub(crate) fn is_object(self) -> bool {
        self.text.starts_with('{')
    }

    /// This value; if there is no such field, not even `null`, that one.
    pub(crate) fn or(self, other: impl FnOnce() -> LooseValue<'a>) -> LooseValue<'a> {
        match self.text {
            "" => other(),
            _ => self,
        }
    }

    /// A text, an empty one too.
    pub fn string(self) -> Option<Cow<'a, str>> {
        if !self.is_string() {
            return None;
        }
        match scan::plain(self.text) {
            Some(plain) => Some(Cow::Borrowed(plain)),
            None => serde_json::from_str(self.text).ok().map(Cow::Owned),
        }
    }

    /// A text that is not empty.
    pub fn text(self) -> Option<Cow<'a, str>> {
        self.string().filter(|text| !text.is_empty())
    }

    /// A boolean.
    pub fn boolean(self) -> Option<bool> {
        match self.text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// A number.
    pub fn number(self) -> Option<f64> {
        self.written_number()?.as_f64()
    }

    /// A number of things or of pixels: a whole one, up to [`WHOLE_MAX`], however it is written.
    pub fn whole(self) -> Option<u64> {
        let number = match self.string() {
            Some(text) => text.trim().parse().ok()?,
            None => {
                let number = self.written_number()?;
                match number.as_u64() {
                    Some(number) => number,
                    None => rounded(number.as_f64()?)?,
                }
            }
        };
        Some(number.min(WHOLE_MAX))
    }

    /// The fields of an object, in their order, one name perhaps several times.
    pub(crate) fn fields(self) -> impl Iterator<Item = (Cow<'a, str>, LooseValue<'a>)> {
        scan::fields(self.text).map(|(name, value)| (name, LooseValue::of_valid(value)))
    }

    /// The field of this name, the last one if there are several. Every call scans the whole object: to read many fields use
    /// [`ObjectFields`](super::ObjectFields).
    pub(crate) fn get(self, name: &str) -> LooseValue<'a> {
        let named = self.fields().filter(|(there, _)| there == name);
        named.last().map(|(_, value)| value).unwrap_or_default()
    }

    /// The elements of a list; anything else that is there is the only element.
    pub fn items(self) -> impl Iterator<Item = LooseValue<'a>> {
        scan::items(self.text).map(LooseValue::of_valid)
    }

    /// The value itself, or the single element if it is a list. Errors: a reason, in which `label` names it, if there are more
    /// or none.
    pub(crate) fn sole(self, label: &str) -> Result<LooseValue<'a>, String> {
        if !self.text.starts_with('[') {
            return Ok(self);
        }
        match (self.items().next(), self.items().count()) {
            (Some(one), 1) => Ok(one),
            (_, several) => Err(format!(
                "{label} is a list of {several}: send one record for each"
            )),
        }
    }

    fn written_number(self) -> Option<Number> {
        let begins = self.text.bytes().next()?;
        if begins != b'-' && !begins.is_ascii_digit() {
            return None;
        }
        serde_json::from_str(self.text).ok()
    }
}

fn rounded(number: f64) -> Option<u64> {
    let number = number.round();
    (0.0..=WHOLE_MAX as f64)
        .contains(&number)
        .then_some(number as u64)
}
