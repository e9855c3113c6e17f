//! Where values begin and end in valid JSON, found without validating it again. On invalid JSON the result is unspecified
//! but safe. Pure.

use memchr::memchr2;
use std::borrow::Cow;

const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// The fields of an object, in order: each its name, and its value as it is written. None of anything else.
pub(super) fn fields(object: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    let mut rest = object.strip_prefix('{').unwrap_or_default();
    std::iter::from_fn(move || {
        let (name, after) = split_name(skip(rest, b','))?;
        let (value, after) = split(skip(after, b':'))?;
        rest = after;
        Some((name, value))
    })
}

/// The elements of a list; anything else that is there is the only element.
pub(super) fn items(value: &str) -> impl Iterator<Item = &str> {
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
pub(super) fn plain(string: &str) -> Option<&str> {
    let inner = string.strip_prefix('"')?.strip_suffix('"')?;
    memchr2(b'"', b'\\', inner.as_bytes())
        .is_none()
        .then_some(inner)
}

/// Whether a value is `null`, or a text, list or object with nothing in it.
pub(super) fn is_empty(value: &str) -> bool {
    let inside = |open, close| {
        let inner = value.strip_prefix(open)?.strip_suffix(close)?;
        Some(skip_space(inner))
    };
    value == "null"
        || value == "\"\""
        || inside('[', ']') == Some("")
        || inside('{', '}') == Some("")
}

/// A value up to where its first `max` values end, those in others and itself among them: lists and objects that have more are
/// cut short there.
pub(super) fn first_values(value: &str, max: usize) -> &str {
    // Each takes a byte at least, and one before the next.
    if value.len() <= 2 * max {
        return value;
    }
    let (mut rest, mut left) = (value, max);
    while left != 0 {
        let is_between = |c: char| matches!(c, ',' | ':' | ']' | '}') || SPACE.contains(&c);
        rest = rest.trim_start_matches(is_between);
        let opened = rest.strip_prefix(['[', '{']);
        let Some(after) = opened.or_else(|| Some(split(rest)?.1)) else {
            return value;
        };
        // What stands before a colon is a name.
        let is_name = rest.starts_with('"') && skip_space(after).starts_with(':');
        left -= usize::from(!is_name);
        rest = after;
    }
    let length = value.len() - rest.len();
    value.get(..length).unwrap_or(value)
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches(SPACE)
}

/// Without white space and one `separator` that may stand in it.
#[inline]
fn skip(text: &str, separator: u8) -> &str {
    let bytes = text.as_bytes();
    let spaces = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|b| is_space(**b)).count()
    };
    let mut at = spaces(0);
    if bytes.get(at) == Some(&separator) {
        at += 1;
        at += spaces(at);
    }
    text.get(at..).unwrap_or_default()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The name that `text` begins with, and what comes after it.
fn split_name(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let (length, is_plain) = string_length(bytes)?;
    let (string, after) = text.split_at_checked(length)?;
    let name = match is_plain {
        true => Cow::Borrowed(string.get(1..length - 1)?),
        false => Cow::Owned(serde_json::from_str(string).ok()?),
    };
    Some((name, after))
}

/// The value that `text` begins with, and what comes after it. None if no value begins there.
fn split(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let length = match bytes.first()? {
        b'"' => string_length(bytes)?.0,
        b'{' | b'[' => nested_length(bytes)?,
        b'}' | b']' => return None,
        _ => {
            let is_end = |b: &u8| matches!(b, b',' | b'}' | b']' | b':') || is_space(*b);
            bytes.iter().position(is_end).unwrap_or(bytes.len())
        }
    };
    if length == 0 {
        return None;
    }
    text.split_at_checked(length)
}

/// The bytes of the string at the beginning, quotes and all, and whether nothing in it is escaped.
fn string_length(bytes: &[u8]) -> Option<(usize, bool)> {
    let mut at = 1;
    loop {
        let found = at + memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(found) == Some(&b'"') {
            return Some((found + 1, at == 1));
        }
        // What a backslash escapes is one character more; the digits of a `\u` are none that matter here.
        at = found + 2;
    }
}

/// The bytes of the list or object at the beginning, brackets and all. One that is cut short ends with the text.
fn nested_length(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += string_length(bytes.get(at..)?)?.0;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    Some(at)
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
        let found: Vec<_> = fields(object).collect();
        let expected = [
            ("a", "[ 1 , {\"}\":\"]\"} ]"),
            ("b", "\"\\\"\""),
            ("c", "-1.5e3"),
            ("", "{ }"),
        ];
        assert_eq!(
            found,
            expected.map(|(name, value)| (Cow::from(name), value))
        );
        assert_eq!(
            (
                fields("{}").count(),
                fields("[1]").count(),
                fields("\"{\"").count()
            ),
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
        /// A failure means that the decoder and a client understand one post in two ways.
        #[test]
        fn they_are_what_serde_finds(fields in prop::collection::vec(("\\PC{0,6}", json()), 0..8), pretty: bool) {
            let object = Value::Object(fields.into_iter().collect());
            let text = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) }.unwrap();
            let expected: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(&text).unwrap();
            let found: std::collections::BTreeMap<String, &str> = super::fields(&text).map(|(name, value)| (name.into_owned(), value)).collect();
            prop_assert_eq!(found, expected.into_iter().map(|(name, raw)| (name, raw.get())).collect());
        }

        /// A failure means that some text stops the service.
        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,40}|[{\\[\"\\\\:, a\\]}]{0,40}") {
            for (_, value) in fields(&text) {
                is_empty(value);
                plain(value);
            }
            items(&text).for_each(drop);
            first_values(&text, 1);
        }
    }
}
