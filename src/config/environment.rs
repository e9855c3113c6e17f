//! Settings from the environment: `SLACKWATER__HTTP__LISTEN` is `http.listen`, with two underscores for each dot. They win over the file,
//! and are held against the same schema, so that a mistake in one is reported as in a file, under the variable's name.

use super::constraints::{is, is_table, kind, of_chosen_keys, properties};
use super::mistake::{Mistake, Mistakes};
use super::validate::{Validated, join, validate};
use serde_json::{Map, Value as Json};
use toml_edit::{Array, Key, Value};

/// What the variables begin with that are settings.
pub const PREFIX: &str = "SLACKWATER__";
/// What separates the names of tables and keys in them.
const SEPARATOR: &str = "__";

/// The settings of the environment, as far as they could be read.
#[derive(Debug, Default)]
pub(super) struct FromEnvironment {
    /// The values that pass, in their tables.
    pub accepted: Json,
    /// The keys that are there, right or wrong.
    pub keys: Vec<FoundKey>,
    /// What is wrong with the others.
    pub mistakes: Vec<Mistake>,
}

impl FromEnvironment {
    /// Lays the settings over those of the file.
    pub(super) fn lay_over(self, file: &mut Validated) {
        lay_over(&mut file.accepted, self.accepted);
        file.mistakes.extend(self.mistakes);
        for FoundKey {
            key,
            variable,
            is_table,
        } in self.keys
        {
            // What is wrong with a table as a whole is the file's mistake where it has that table.
            if !is_table || !file.lines.contains_key(&key) {
                file.variables.insert(key, variable);
            }
        }
    }
}

/// A key that a variable sets, or a table that one of its is in.
#[derive(Debug)]
pub(super) struct FoundKey {
    /// The key, with its tables.
    pub key: String,
    /// The variable's name.
    pub variable: String,
    /// Whether it is no more than a table on the way.
    pub is_table: bool,
}

/// The variables of this process that are settings, by their names, in order.
pub fn of_this_process() -> Result<Vec<(String, String)>, Mistakes> {
    let mut variables = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        match value.into_string() {
            Ok(value) => variables.push((name.to_owned(), value)),
            Err(_) => {
                let found = "bytes that are no text";
                return Err(Mistakes(vec![of_no_key(name, found, "text (UTF-8)")]));
            }
        }
    }
    variables.sort();
    Ok(variables)
}

/// Reads those of these variables that are settings, and holds them against `schema`.
pub(super) fn settings(variables: &[(String, String)], schema: &Json) -> FromEnvironment {
    let mut found = FromEnvironment {
        accepted: Json::Object(Map::new()),
        ..FromEnvironment::default()
    };
    for (variable, text) in variables {
        let Some(name) = variable.strip_prefix(PREFIX) else {
            continue;
        };
        let (path, target) = path(name, schema);
        let line = match path.iter().all(|name| !name.is_empty()) {
            true => line(&path, target, text),
            false => {
                let allowed = format!("{PREFIX} and a key, such as {PREFIX}HTTP__LISTEN");
                found.mistakes.push(of_no_key(variable, "no key", &allowed));
                continue;
            }
        };
        let validated = validate(&line, variable, schema);
        let own = path
            .iter()
            .fold(String::new(), |path, name| join(&path, name));
        found
            .keys
            .extend(validated.lines.into_keys().map(|key| FoundKey {
                is_table: !key.starts_with(&own),
                variable: variable.clone(),
                key,
            }));
        found
            .mistakes
            .extend(validated.mistakes.into_iter().map(of_a_variable));
        lay_over(&mut found.accepted, validated.accepted);
    }
    found
}

/// Lays the values of one table over those of another.
fn lay_over(under: &mut Json, over: Json) {
    match (under, over) {
        (Json::Object(under), Json::Object(over)) => {
            for (key, value) in over {
                lay_over(under.entry(key).or_insert(Json::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

/// The key that the rest of a variable's name stands for, and the schema of its value if there is such a key.
fn path<'a>(name: &str, schema: &'a Json) -> (Vec<String>, Option<&'a Json>) {
    let mut path = Vec::new();
    let mut schema = Some(schema);
    for part in name.split(SEPARATOR) {
        let lower = part.to_ascii_lowercase();
        let inner = schema.and_then(|schema| {
            let known = properties(schema).find(|(known, _)| **known == lower);
            known.map(|(_, inner)| inner)
        });
        match (inner, schema.and_then(of_chosen_keys)) {
            (Some(inner), _) => {
                path.push(lower);
                schema = Some(inner);
            }
            // The settings of librdkafka have dots, which a shell takes in no name.
            (None, Some(inner)) if !is_table(inner) && !part.contains('.') => {
                path.push(lower.replace('_', "."));
                schema = Some(inner);
            }
            (None, Some(inner)) => {
                path.push(part.to_owned());
                schema = Some(inner);
            }
            (None, None) => {
                path.push(lower);
                schema = None;
            }
        }
    }
    (path, schema)
}

/// A setting as a line of a file has it.
fn line(path: &[String], schema: Option<&Json>, text: &str) -> String {
    let key: Vec<String> = path.iter().map(|name| Key::new(name).to_string()).collect();
    let value = schema.map_or_else(|| text.into(), |schema| value(schema, text));
    format!("{} = {value}\n", key.join("."))
}

/// A text as the kind of value that its schema asks for; as text where it is none of them, which is the mistake then.
fn value(schema: &Json, text: &str) -> Value {
    let text = text.trim();
    let parsed = || text.parse::<Value>().ok();
    if is(schema, "array") {
        if text.starts_with('[')
            && let Some(list) = parsed().filter(Value::is_array)
        {
            return list;
        }
        // One word alone is a list of one, where a list has to be.
        if !is(schema, "string") {
            let words = text.split(',').map(str::trim);
            return words
                .filter(|word| !word.is_empty())
                .collect::<Array>()
                .into();
        }
        return text.into();
    }
    // What librdkafka is given is text in any case.
    let is_text_too = is(schema, "string") && kind(schema) != "count";
    let fits = |value: &Value| {
        is(schema, "integer") && value.is_integer()
            || is(schema, "number") && (value.is_float() || value.is_integer())
            || is(schema, "boolean") && value.is_bool()
    };
    match parsed().filter(fits).filter(|_| !is_text_too) {
        Some(Value::Integer(n)) if !is(schema, "integer") => {
            // A whole number where a fraction may stand.
            #[allow(
                clippy::cast_precision_loss,
                reason = "no bound of a fraction is that large"
            )]
            let fraction = *n.value() as f64;
            fraction.into()
        }
        Some(value) => value,
        None => text.into(),
    }
}

/// A mistake of a variable that names no key.
fn of_no_key(variable: &str, found: &str, allowed: &str) -> Mistake {
    Mistake {
        found: found.to_owned(),
        ..super::about_all(variable, allowed)
    }
}

/// A mistake as that of a variable: it has no lines, and guesses are names of variables.
fn of_a_variable(mistake: Mistake) -> Mistake {
    let is_key = mistake.found == "an unknown key";
    let table = mistake.key.rsplit_once('.').map(|(table, _)| table);
    let guess = mistake.guess.map(|guess| match is_key {
        false => guess,
        true if guess.contains('.') => variable(&guess),
        true => variable(&[table.unwrap_or_default(), &guess].join(".")),
    });
    Mistake {
        line: None,
        guess,
        ..mistake
    }
}

/// The variable of a key.
fn variable(key: &str) -> String {
    let key = key.trim_start_matches('.').to_ascii_uppercase();
    format!("{PREFIX}{}", key.replace('.', SEPARATOR))
}
