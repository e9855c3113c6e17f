//! The constraints in the schema of [`super::file`]: a value checked against them, and they themselves in words.

use super::file::{Size, Span};
use super::mistake::{guess, quoted};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use toml_edit::Value;

/// Every key of a schema that holds a value, with its tables; `*` stands for a key that the operator chooses.
pub(super) fn keys(schema: &Json) -> Vec<String> {
    let mut keys = Vec::new();
    for (name, inner) in properties(schema) {
        if is_table(inner) {
            let below = self::keys(inner);
            keys.extend(below.into_iter().map(|key| format!("{name}.{key}")));
        } else {
            keys.push(name.clone());
        }
    }
    if let Some(inner) = of_chosen_keys(schema) {
        let below = if is_table(inner) {
            self::keys(inner)
        } else {
            Vec::new()
        };
        if below.is_empty() {
            keys.push("*".to_owned());
        }
        keys.extend(below.into_iter().map(|key| format!("*.{key}")));
    }
    keys
}

/// A value that its schema does not allow.
pub(super) struct Violation {
    /// The values that are allowed, in words.
    pub allowed: String,
    /// The value that was probably meant.
    pub guess: Option<String>,
}

/// How a text breaks its schema, if it does.
pub(super) fn violation(schema: &Json, text: &str) -> Option<Violation> {
    let (allowed, word) = (allowed(schema), word(schema, "x-word"));
    let is_allowed = match kind(schema) {
        "duration" | "size" | "count" if word == Some(text) => true,
        "duration" => match Span::read(text) {
            Some(Span(it)) => between(schema, &it, |bound| Span::read(bound).map(|it| it.0)),
            None => {
                let guess = [format!("{text}s"), text.to_lowercase()]
                    .into_iter()
                    .find(|guess| Span::read(guess).is_some())
                    .or_else(|| guess(text, word.into_iter()).map(str::to_owned));
                return Some(Violation {
                    allowed,
                    guess: guess.map(|guess| quoted(&guess)),
                });
            }
        },
        "size" => match Size::read(text) {
            Some(Size(it)) => between(schema, &it, |bound| Size::read(bound).map(|it| it.0)),
            None => {
                let guess = guess(text, word.into_iter()).map(quoted);
                return Some(Violation { allowed, guess });
            }
        },
        "count" => {
            let guess = guess(text, word.into_iter()).map(quoted);
            return Some(Violation { allowed, guess });
        }
        "topic" => {
            let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            text.chars().all(legal)
                && (1..=249).contains(&text.len())
                && !matches!(text, "." | "..")
        }
        _ => match choices(schema) {
            choices if choices.is_empty() => {
                text.len() as u64 >= number(schema, "minLength").unwrap_or(0)
            }
            choices if choices.contains(&text) => true,
            choices => {
                let guess = guess(text, choices.into_iter()).map(quoted);
                return Some(Violation { allowed, guess });
            }
        },
    };
    (!is_allowed).then_some(Violation {
        allowed,
        guess: None,
    })
}

/// The values that a schema allows, in words.
pub(super) fn allowed(schema: &Json) -> String {
    let range = |what: &str| match (word(schema, "x-min"), word(schema, "x-max")) {
        (Some(min), Some(max)) => format!("{what}, from {min} to {max}"),
        _ => what.to_owned(),
    };
    let or_word = |allowed: String| match word(schema, "x-word") {
        Some(word) => format!("{allowed}; or {word:?}"),
        None => allowed,
    };
    let whole_number = || match (number(schema, "minimum"), number(schema, "maximum")) {
        (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
        _ => "a whole number".to_owned(),
    };
    match kind(schema) {
        "duration" => or_word(range("a duration such as \"30s\", \"24h\" or \"30d\"")),
        "size" => or_word(range("a size such as \"256MB\" or \"50GB\"")),
        "count" => or_word(whole_number()),
        "topic" => {
            "a topic name: up to 249 letters, digits, dots, underscores and hyphens".to_owned()
        }
        _ if is(schema, "array") && is(schema, "string") => "text, or a list of texts".to_owned(),
        _ if is(schema, "array") => "a list".to_owned(),
        _ if is(schema, "integer") && is(schema, "string") => {
            "text, a whole number, true or false".to_owned()
        }
        _ if is(schema, "integer") => whole_number(),
        _ if is(schema, "boolean") => "true or false".to_owned(),
        _ if is(schema, "number") => {
            let bound = |keyword| schema.get(keyword).and_then(Json::as_f64);
            match (bound("minimum"), bound("maximum")) {
                (Some(min), Some(max)) => format!("a number from {min} to {max}"),
                _ => "a number".to_owned(),
            }
        }
        _ => match choices(schema) {
            choices if choices.is_empty() && number(schema, "minLength") == Some(1) => {
                "text that is not empty".to_owned()
            }
            choices if choices.is_empty() => "text".to_owned(),
            choices => {
                let quoted: Vec<String> = choices.into_iter().map(quoted).collect();
                quoted.join(" or ")
            }
        },
    }
}

/// A bare number with the unit it probably lacks, where one belongs.
pub(super) fn with_unit(schema: &Json, value: &Value) -> Option<String> {
    let unit = match kind(schema) {
        "duration" => "s",
        "size" => "B",
        _ => return None,
    };
    let written = match value {
        Value::Integer(n) => format!("{}{unit}", n.value()),
        Value::Float(n) => format!("{}{unit}", n.value()),
        _ => return None,
    };
    violation(schema, &written)
        .is_none()
        .then(|| quoted(&written))
}

/// The keys of a table that have names, with their schemas.
pub(super) fn properties(schema: &Json) -> impl Iterator<Item = (&String, &Json)> {
    let properties = schema.get("properties").and_then(Json::as_object);
    properties.into_iter().flatten()
}

/// The schema of the keys that the operator chooses, if a table has such keys.
pub(super) fn of_chosen_keys(schema: &Json) -> Option<&Json> {
    schema
        .get("additionalProperties")
        .filter(|inner| inner.is_object())
}

/// Whether a schema is that of a table.
pub(super) fn is_table(schema: &Json) -> bool {
    is(schema, "object")
}

/// Whether a schema takes values of this JSON type.
pub(super) fn is(schema: &Json, name: &str) -> bool {
    match schema.get("type") {
        Some(Json::Array(names)) => names.iter().any(|it| it == name),
        Some(it) => it == name,
        None => name == "string" && !choices(schema).is_empty(),
    }
}

/// How a text is to be read: the keyword `x-kind`; empty if it has none.
pub(super) fn kind(schema: &Json) -> &str {
    word(schema, "x-kind").unwrap_or_default()
}

fn word<'a>(schema: &'a Json, keyword: &str) -> Option<&'a str> {
    schema.get(keyword).and_then(Json::as_str)
}

/// The whole number that a keyword has.
pub(super) fn number(schema: &Json, keyword: &str) -> Option<u64> {
    schema.get(keyword).and_then(Json::as_u64)
}

/// Whether a number is within `minimum` and `maximum`.
pub(super) fn in_range<N: PartialOrd + DeserializeOwned>(schema: &Json, n: &N) -> bool {
    let bound = |keyword| N::deserialize(schema.get(keyword)?).ok();
    bound("minimum").is_none_or(|min| min <= *n) && bound("maximum").is_none_or(|max| *n <= max)
}

fn between<T: PartialOrd>(schema: &Json, it: &T, read: impl Fn(&str) -> Option<T>) -> bool {
    let bound = |keyword| word(schema, keyword).and_then(&read);
    bound("x-min").is_none_or(|min| min <= *it) && bound("x-max").is_none_or(|max| *it <= max)
}

/// The texts that are allowed, if only some are.
fn choices(schema: &Json) -> Vec<&str> {
    let list = |keyword| {
        schema
            .get(keyword)
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
    };
    let plain = list("enum").filter_map(Json::as_str);
    let described = list("oneOf").filter_map(|choice| word(choice, "const"));
    plain.chain(described).collect()
}
