//! The fields of one object. Pure.

use super::validate::Validated;
use super::{FieldName, Input, LooseValue, not_json};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The fields of an object, found once: for callers that read many of them. Anything but an object has none.
#[derive(Clone, Debug)]
pub struct ObjectFields<'a> {
    value: LooseValue<'a>,
    /// By name, and only those that have one here: a decoder reads some twenty for each post, and an object with a hundred
    /// thousand fields takes no more memory than another.
    fields: Box<[LooseValue<'a>; FieldName::COUNT]>,
}

impl Default for ObjectFields<'_> {
    fn default() -> Self {
        ObjectFields {
            value: LooseValue::default(),
            fields: Box::new([LooseValue::default(); FieldName::COUNT]),
        }
    }
}

impl<'a> ObjectFields<'a> {
    /// The fields of valid JSON.
    pub fn of(value: LooseValue<'a>) -> ObjectFields<'a> {
        let mut object = ObjectFields {
            value,
            ..ObjectFields::default()
        };
        for (name, field) in value.fields() {
            object.put(FieldName::of(&name), field);
        }
        object
    }

    /// The fields of valid JSON that should be an object. Errors: a reason, in which `label` names it.
    pub(crate) fn expect(label: &str, value: LooseValue<'a>) -> Result<ObjectFields<'a>, String> {
        check_shape(label, value.json())?;
        Ok(ObjectFields::of(value))
    }

    /// Validates JSON from outside that should be an object. Errors: a reason, in which `label` names it.
    ///
    /// The parser that validates the object also finds its fields, each as a [`RawValue`]. They are taken from there, since a
    /// `RawValue` made of text would be validated again. The fields of inner objects are found in the text.
    pub(crate) fn validate(label: &str, input: Input<'a>) -> Result<ObjectFields<'a>, String> {
        let text = input.text();
        check_shape(label, text)?;
        if input.needs_full_validation() {
            serde_json::from_str::<Validated>(text).map_err(|e| not_json(&e))?;
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let object = deserializer.deserialize_map(FieldsVisitor);
        let object = object.and_then(|object| deserializer.end().map(|()| object));
        Ok(ObjectFields {
            value: LooseValue::of_valid(text),
            ..object.map_err(|e| not_json(&e))?
        })
    }

    /// The object itself.
    pub(crate) fn value(&self) -> LooseValue<'a> {
        self.value
    }

    /// The field of this name, the last one if there are several.
    pub fn get(&self, name: FieldName) -> LooseValue<'a> {
        self.fields.get(name as usize).copied().unwrap_or_default()
    }

    fn put(&mut self, name: Option<FieldName>, value: LooseValue<'a>) {
        if let Some(field) = name.and_then(|name| self.fields.get_mut(name as usize)) {
            *field = value;
        }
    }
}

fn check_shape(label: &str, text: &str) -> Result<(), String> {
    if text.starts_with('{') {
        return Ok(());
    }
    Err(format!(
        "{label} is {}: send an ActivityStreams object",
        shape_of(text)
    ))
}

/// The shape of a text, in words for a reason.
fn shape_of(text: &str) -> &'static str {
    if !text.is_empty() && serde_json::from_str::<IgnoredAny>(text).is_err() {
        return "not JSON";
    }
    match text.bytes().next() {
        None => "empty",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a string",
        Some(b'n') => "null",
        Some(b't' | b'f') => "a boolean",
        Some(b'-' | b'0'..=b'9') => "a number",
        Some(_) => "not JSON",
    }
}

/// Finds the outermost fields, and skips over what is in them.
struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = ObjectFields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = ObjectFields::default();
        while let Some(Key(name)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            object.put(name, LooseValue::from(value));
        }
        Ok(object)
    }
}

/// The key of a field, and its name if it is looked at.
struct Key(Option<FieldName>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Key, E> {
        Ok(Key(FieldName::of(name)))
    }
}
