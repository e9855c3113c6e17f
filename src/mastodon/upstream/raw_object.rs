//! An object of JSON whose fields are as they were written: none is read that need not be, and every byte of the others is kept.
//! Pure.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The fields of an object in their order.
#[derive(Debug)]
pub(crate) struct RawObject<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> RawObject<'a> {
    /// Reads an object; none if the text is no object.
    pub(crate) fn read(text: &'a str) -> Option<RawObject<'a>> {
        serde_json::from_str(text).ok()
    }

    /// The text of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let field = self.0.iter().find(|(field, _)| field == name);
        field.map(|(_, value)| value.get())
    }

    /// The object with other values of some fields, which are added if they are missing.
    pub(crate) fn with(&self, others: &[(&str, &str)]) -> String {
        let other = |name: &str| others.iter().find(|(other, _)| *other == name);
        let kept = self.0.iter().map(|(name, value)| {
            let name: &str = name;
            (name, other(name).map_or(value.get(), |(_, other)| other))
        });
        let has = |name: &str| self.0.iter().any(|(field, _)| field == name);
        let added = others.iter().copied().filter(|(name, _)| !has(name));
        let fields = kept.chain(added).map(|(name, value)| {
            let name = serde_json::to_string(name).unwrap_or_default();
            format!("{name}:{value}")
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawObject<'a>, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = RawObject<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject<'de>, A::Error> {
                let mut fields = Vec::with_capacity(40);
                while let Some(Name(name)) = map.next_key()? {
                    fields.push((name, map.next_value()?));
                }
                Ok(RawObject(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A name, borrowed where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// An object with one field more at its end, every other byte kept; none if the text is no object with a field.
pub(crate) fn with_field(object: &str, name: &str, value: &str) -> Option<String> {
    let inner = object.strip_suffix('}')?;
    let has_fields = inner.starts_with('{') && !inner.trim_end().ends_with('{');
    has_fields.then(|| format!("{inner},\"{name}\":{value}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_bytes_and_their_order() {
        let text = r#"{"id": "1","n":1.50e+3,"content":"a\u00e9\/","reblog":null,"q\"":[ 1 ]}"#;
        let object = RawObject::read(text).unwrap();
        assert_eq!(object.get("n"), Some("1.50e+3"));
        assert_eq!(object.get("none"), None);
        assert_eq!(
            object.with(&[("id", "\"2\""), ("more", "true")]),
            r#"{"id":"2","n":1.50e+3,"content":"a\u00e9\/","reblog":null,"q\"":[ 1 ],"more":true}"#
        );
        assert_eq!(
            with_field(text, "more", "{}").unwrap(),
            r#"{"id": "1","n":1.50e+3,"content":"a\u00e9\/","reblog":null,"q\"":[ 1 ],"more":{}}"#
        );
        for none in ["{}", "{ }", "[]", "\"}", ""] {
            assert_eq!(with_field(none, "more", "1"), None, "{none}");
        }
        assert!(RawObject::read("[1]").is_none());
    }
}
