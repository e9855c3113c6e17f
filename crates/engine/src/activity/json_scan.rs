//! The fields of JSON objects that were read before, and so are known to be sound: whoever has to look into an object
//! again need not check it again. Of JSON that is not sound, nothing that makes sense comes out, and no harm. Pure.

use memchr::memchr2;
use std::borrow::Cow;

/// The fields of an object, in order: each its name, and its value as it is written. None of anything else.
pub(crate) fn of(object: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    let mut rest = object.strip_prefix('{').unwrap_or_default();
    std::iter::from_fn(move || {
        let (name, after) = split(skip(rest, b','))?;
        let (value, after) = split(skip(after, b':'))?;
        rest = after;
        let name = match plain(name) {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(serde_json::from_str(name).ok()?),
        };
        Some((name, value))
    })
}

/// The elements of a list; anything else that is there is the only element.
pub(crate) fn items(value: &str) -> impl Iterator<Item = &str> {
    let (mut rest, mut sole) = match value.strip_prefix('[') {
        Some(rest) => (rest, None),
        None => (
            "",
            Some(value).filter(|value| !matches!(*value, "" | "null")),
        ),
    };
    std::iter::from_fn(move || {
        if let Some(sole) = sole.take() {
            return Some(sole);
        }
        let (item, after) = split(skip(rest, b','))?;
        rest = after;
        Some(item)
    })
}

/// The text that a string is, if it is one in which nothing is escaped.
pub(crate) fn plain(string: &str) -> Option<&str> {
    let inner = string.strip_prefix('"')?.strip_suffix('"')?;
    memchr2(b'"', b'\\', inner.as_bytes())
        .is_none()
        .then_some(inner)
}

/// The language of what is shown of a text that may be there in several: `text`, if there is one, which stands in `by_language`
/// too, else the first in there.
pub(crate) fn language<'a>(text: &str, by_language: &'a str) -> Option<Cow<'a, str>> {
    let is_text = |value: &str| value.starts_with('"') && !is_empty(value);
    let mut wordings = of(by_language).filter(|(_, wording)| is_text(wording));
    let (first, wording) = wordings.next()?;
    if !is_text(text) || is_same_text(text, wording) {
        return Some(first);
    }
    let shown = wordings.find(|(_, wording)| is_same_text(text, wording));
    Some(shown.map_or(first, |(language, _)| language))
}

/// Whether two strings say the same, however they are escaped.
fn is_same_text(one: &str, other: &str) -> bool {
    let read = |string: &str| serde_json::from_str::<String>(string).ok();
    one == other || ((plain(one).is_none() || plain(other).is_none()) && read(one) == read(other))
}

/// Whether a value is `null`, or a text, list or object with nothing in it.
pub(crate) fn is_empty(value: &str) -> bool {
    let inside = |open, close| {
        let inner = value.strip_prefix(open)?.strip_suffix(close)?;
        Some(skip_space(inner))
    };
    value == "null"
        || value == "\"\""
        || inside('[', ']') == Some("")
        || inside('{', '}') == Some("")
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r'])
}

/// Without white space and one `log_pos` that may stand in it.
fn skip(text: &str, log_pos: u8) -> &str {
    let text = skip_space(text);
    skip_space(text.strip_prefix(char::from(log_pos)).unwrap_or(text))
}

/// The value that `text` begins with, and what comes after it. None if no value begins there.
fn split(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let length = match bytes.first()? {
        b'"' => string_length(bytes)?,
        b'{' | b'[' => nested_length(bytes)?,
        b'}' | b']' => return None,
        _ => {
            let is_end =
                |b: &u8| matches!(b, b',' | b'}' | b']' | b':' | b' ' | b'\t' | b'\n' | b'\r');
            bytes.iter().position(is_end).unwrap_or(bytes.len())
        }
    };
    if length == 0 {
        return None;
    }
    text.split_at_checked(length)
}

/// The bytes of the string at the beginning, quotes and all.
fn string_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let found = at + memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(found) == Some(&b'"') {
            return Some(found + 1);
        }
        // What a backslash escapes is one character more; the digits of a `\u` are none that matter here.
        at = found + 2;
    }
}

/// The bytes of the list or object at the beginning, brackets and all.
fn nested_length(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at += string_length(bytes.get(at..)?)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::value::RawValue;

    fn json() -> impl Strategy<Value = Value> {
        let text = "\\PC{0,8}|[\"\\\\\u{0}-\u{1f}{}\\[\\],: ]{0,6}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((text, inner), 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn white_space_may_stand_anywhere_and_names_may_be_escaped() {
        let object = "{ \"a\" :\n[ 1 , {\"}\":\"]\"} ] ,\t\"\\u0062\":\"\\\"\" , \"c\" : -1.5e3 , \"\":{ } }";
        let fields: Vec<_> = of(object).collect();
        let expected = [
            ("a", "[ 1 , {\"}\":\"]\"} ]"),
            ("b", "\"\\\"\""),
            ("c", "-1.5e3"),
            ("", "{ }"),
        ];
        assert_eq!(
            fields,
            expected.map(|(name, value)| (Cow::from(name), value))
        );
        assert_eq!(
            (of("{}").count(), of("[1]").count(), of("\"{\"").count()),
            (0, 0, 0)
        );
    }

    #[test]
    fn a_list_is_its_elements_and_anything_else_its_own() {
        for (value, expected) in [
            (
                "[ 1 , {\"a\":[2,3]},\n\"]\" ]",
                &["1", "{\"a\":[2,3]}", "\"]\""][..],
            ),
            ("[]", &[]),
            ("[[1],[]]", &["[1]", "[]"]),
            ("{\"a\":[1,2]}", &["{\"a\":[1,2]}"]),
            ("\"[1]\"", &["\"[1]\""]),
            ("null", &[]),
            ("", &[]),
        ] {
            assert_eq!(items(value).collect::<Vec<_>>(), expected, "{value}");
        }
    }

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
            let found = language(text, by_language);
            assert_eq!(found.as_deref(), expected, "{text} {by_language}");
        }
    }

    #[test]
    fn nothing_is_empty_however_it_is_written() {
        for (value, empty) in [
            ("null", true),
            ("\"\"", true),
            ("[]", true),
            ("{ \n}", true),
            ("0", false),
            ("\" \"", false),
            ("[null]", false),
            ("{\"\":0}", false),
        ] {
            assert_eq!(is_empty(value), empty, "{value}");
        }
    }

    proptest! {
        /// Were this to fail, a post would be understood otherwise than those who show it do.
        #[test]
        fn they_are_what_serde_finds(fields in prop::collection::vec(("\\PC{0,6}", json()), 0..8), pretty: bool) {
            let object = Value::Object(fields.into_iter().collect());
            let text = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) }.unwrap();
            let expected: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(&text).unwrap();
            let found: std::collections::BTreeMap<String, &str> = of(&text).map(|(name, value)| (name.into_owned(), value)).collect();
            prop_assert_eq!(found, expected.into_iter().map(|(name, raw)| (name, raw.get())).collect());
        }

        /// A failure means that some text stops the service.
        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,40}|[{\\[\"\\\\:, a\\]}]{0,40}") {
            for (_, value) in of(&text) {
                is_empty(value);
                language(value, &text);
            }
            items(&text).for_each(drop);
        }
    }
}
