//! The language of a post's text. Pure.

use crate::json::{FieldName, LooseValue, ObjectFields};
use std::borrow::Cow;

/// The longest language code, in bytes; a longer one counts as none.
pub const LANGUAGE_BYTES_MAX: usize = 35;

/// A language as it is written; none if undetermined or no code at all. Languages are compared without case.
pub(crate) fn language_code(code: &str) -> Option<String> {
    let possible = !code.is_empty()
        && code.len() <= LANGUAGE_BYTES_MAX
        && code
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    (possible && !code.eq_ignore_ascii_case("und")).then(|| code.to_owned())
}

/// The language of the text that is shown of an object, as it is written: of its content, else of its name, else of its summary.
pub(super) fn language_shown<'a>(object: &ObjectFields<'a>) -> Option<Cow<'a, str>> {
    let alone = |map| wording_shown(LooseValue::default(), object.get(map));
    wording_shown(
        object.get(FieldName::Content),
        object.get(FieldName::ContentMap),
    )
    .or_else(|| alone(FieldName::NameMap))
    .or_else(|| alone(FieldName::SummaryMap))
}

/// The language of what is shown of a text that may be there in several: `text`, if there is one, which stands in `by_language`
/// too, else the first in there.
fn wording_shown<'a>(text: LooseValue<'a>, by_language: LooseValue<'a>) -> Option<Cow<'a, str>> {
    let is_text = |value: LooseValue<'_>| value.is_string() && !value.is_empty();
    let mut wordings = by_language
        .fields()
        .filter(|(_, wording)| is_text(*wording));
    let (first, wording) = wordings.next()?;
    if !is_text(text) || is_same_text(text, wording) {
        return Some(first);
    }
    let shown = wordings.find(|(_, wording)| is_same_text(text, *wording));
    Some(shown.map_or(first, |(language, _)| language))
}

/// Whether two strings say the same, however they are escaped.
fn is_same_text(one: LooseValue<'_>, other: LooseValue<'_>) -> bool {
    one.json() == other.json() || one.string() == other.string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_that_of_the_text_shown() {
        for (text, by_language, expected) in [
            ("", r#"{"en":"x"}"#, Some("en")),
            ("", r#"{ "pt-BR" : "x", "en": "y" }"#, Some("pt-BR")),
            (r#""y""#, r#"{"pt":"x","en":"y"}"#, Some("en")),
            (r#""y""#, r#"{"pt":"x","en":"\u0079"}"#, Some("en")),
            (r#""\u0079""#, r#"{"pt":"x","en":"y"}"#, Some("en")),
            (r#""z""#, r#"{"pt":"x","en":"y"}"#, Some("pt")),
            (r#""""#, r#"{"pt":"x","en":"y"}"#, Some("pt")),
            ("null", r#"{"pt":null,"es":"","it":7,"en":"y"}"#, Some("en")),
            ("", r#"{"\u0065n":"x"}"#, Some("en")),
            ("", r#"{"e\"n":"x"}"#, Some("e\"n")),
            (r#""x""#, "{ }", None),
            ("", r#"{"en":null}"#, None),
            ("", r#""en""#, None),
            ("", r#"["en"]"#, None),
            ("", "7", None),
            ("", "", None),
        ] {
            let [value, map] = [text, by_language].map(LooseValue::of_valid);
            let found = wording_shown(value, map);
            assert_eq!(found.as_deref(), expected, "{text} {by_language}");
        }
    }

    #[test]
    fn an_undetermined_language_is_none() {
        for (code, language) in [
            ("en", Some("en")),
            ("pt-BR", Some("pt-BR")),
            ("und", None),
            ("UND", None),
            ("", None),
            ("not a language", None),
        ] {
            assert_eq!(language_code(code).as_deref(), language, "{code:?}");
        }
    }
}
