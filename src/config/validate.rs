//! Holds a file against the schema of [`super::file`]: every key known, every value of its type and in its bounds.

use super::constraints::{
    Violation, allowed, in_range, is, is_table, keys, kind, number, of_chosen_keys, properties,
    violation, with_unit,
};
use super::mistake::{Mistake, guess, quoted};
use serde_json::{Map, Value as Json};
use std::collections::HashMap;
use toml_edit::{Array, Document, Item, TableLike, Value};

/// A file that could be read, as far as it could.
pub(super) struct Validated {
    /// The values that pass.
    pub accepted: Json,
    /// The line of each key that is there, right or wrong.
    pub lines: HashMap<String, usize>,
    /// The variable of each key that the environment has instead.
    pub variables: HashMap<String, String>,
    /// What is wrong with the others.
    pub mistakes: Vec<Mistake>,
}

/// Reads `text`, of the file named `file`, and holds it against `schema`.
pub(super) fn validate(text: &str, file: &str, schema: &Json) -> Validated {
    let mut validator = Validator {
        text,
        file,
        keys: keys(schema),
        lines: HashMap::new(),
        mistakes: Vec::new(),
    };
    let accepted = match Document::parse(text) {
        Ok(document) => {
            let root = TableContext {
                path: "",
                schema,
                chosen: None,
            };
            validator.table(root, document.as_table())
        }
        Err(error) => {
            validator.mistakes.push(Mistake {
                file: file.to_owned(),
                line: error.span().map(|span| line_at(text, span.start)),
                key: String::new(),
                found: format!("a syntax error: {}", error.message().replace('\n', ", ")),
                allowed: "TOML".to_owned(),
                guess: None,
            });
            Json::Object(Map::new())
        }
    };
    Validated {
        accepted,
        lines: validator.lines,
        variables: HashMap::new(),
        mistakes: validator.mistakes,
    }
}

struct Validator<'a> {
    text: &'a str,
    file: &'a str,
    /// Every key of the whole schema, for guesses.
    keys: Vec<String>,
    lines: HashMap<String, usize>,
    mistakes: Vec<Mistake>,
}

/// A table on the way through the file.
#[derive(Clone, Copy)]
struct TableContext<'a> {
    /// Its key, with its tables.
    path: &'a str,
    /// What it may hold.
    schema: &'a Json,
    /// If the operator chose its name: that, and the key of the table it stands in.
    chosen: Option<(&'a str, &'a str)>,
}

impl Validator<'_> {
    fn table(&mut self, context: TableContext<'_>, table: &dyn TableLike) -> Json {
        let mut accepted = Map::new();
        for (name, item) in table.iter() {
            let key = join(context.path, name);
            let span = table.key(name).and_then(|key| key.span());
            let span = span.or_else(|| item.span());
            let line = span.map_or(1, |span| line_at(self.text, span.start));
            self.lines.insert(key.clone(), line);
            let known = properties(context.schema).find(|(known, _)| *known == name);
            let chosen = known.is_none().then_some((name, context.path));
            let value = match known
                .map(|(_, inner)| inner)
                .or_else(|| of_chosen_keys(context.schema))
            {
                Some(schema) if is_table(schema) => {
                    let inner = TableContext {
                        path: &key,
                        schema,
                        chosen,
                    };
                    self.table_in(inner, line, item)
                }
                Some(schema) => self.value_in(&key, line, schema, item, chosen),
                None => self.unknown(context, name, line, item),
            };
            if let Some(value) = value {
                accepted.insert(name.to_owned(), value);
            }
        }
        Json::Object(accepted)
    }

    fn table_in(&mut self, context: TableContext<'_>, line: usize, item: &Item) -> Option<Json> {
        match item.as_table_like() {
            Some(table) => Some(self.table(context, table)),
            None => self.mistake(context.path, line, kind_of(item), "a table", None),
        }
    }

    fn value_in(
        &mut self,
        key: &str,
        line: usize,
        schema: &Json,
        item: &Item,
        chosen: Option<(&str, &str)>,
    ) -> Option<Json> {
        match item.as_value() {
            Some(Value::InlineTable(_)) | None => {
                // `security.protocol = "ssl"` is a table to TOML, though not to librdkafka.
                let guess = chosen.map(|(name, path)| join(path, &dotted(name, item, true)));
                self.mistake(key, line, kind_of(item), &allowed(schema), guess)
            }
            Some(Value::Array(list)) if is(schema, "array") => self.list(key, line, schema, list),
            Some(_) if is(schema, "array") && !is(schema, "string") => {
                self.mistake(key, line, kind_of(item), &allowed(schema), None)
            }
            Some(value) => self.value(key, line, schema, value),
        }
    }

    fn list(&mut self, key: &str, line: usize, schema: &Json, list: &Array) -> Option<Json> {
        let nothing = Json::Object(Map::new());
        let inner = schema.get("items").unwrap_or(&nothing);
        if list.is_empty() && number(schema, "minItems") == Some(1) {
            let allowed = format!("{} with something in it", allowed(schema));
            return self.mistake(key, line, "an empty list", &allowed, None);
        }
        let mut accepted = Vec::new();
        for (nth, value) in list.iter().enumerate() {
            let key = format!("{key}[{nth}]");
            let line = value
                .span()
                .map_or(line, |span| line_at(self.text, span.start));
            self.lines.insert(key.clone(), line);
            accepted.extend(self.value(&key, line, inner, value));
        }
        Some(Json::Array(accepted))
    }

    fn value(&mut self, key: &str, line: usize, schema: &Json, value: &Value) -> Option<Json> {
        let allowed = allowed(schema);
        let accepted = match value {
            Value::String(text) if is(schema, "string") => match violation(schema, text.value()) {
                None => Some(Json::from(text.value().as_str())),
                Some(Violation { allowed, guess }) => {
                    let found = displayed(schema, value);
                    return self.mistake(key, line, &found, &allowed, guess);
                }
            },
            Value::Integer(n) if is(schema, "integer") && in_range(schema, n.value()) => {
                Some(Json::from(*n.value()))
            }
            Value::Float(n) if is(schema, "number") && in_range(schema, n.value()) => {
                Some(Json::from(*n.value()))
            }
            Value::Boolean(yes) if is(schema, "boolean") => Some(Json::from(*yes.value())),
            _ => None,
        };
        if accepted.is_some() {
            return accepted;
        }
        let guess = with_unit(schema, value);
        self.mistake(key, line, &displayed(schema, value), &allowed, guess)
    }

    fn unknown(
        &mut self,
        context: TableContext<'_>,
        name: &str,
        line: usize,
        item: &Item,
    ) -> Option<Json> {
        let known: Vec<&str> = properties(context.schema)
            .map(|(known, _)| known.as_str())
            .collect();
        let guess = match context.chosen {
            // `[ordering.origin.threads.net]` is a `net` in a `threads` to TOML.
            Some((chosen, path)) if item.is_table_like() => {
                let name = format!("{chosen}.{}", dotted(name, item, false));
                Some(join(path, &name))
            }
            _ => guess(name, known.iter().copied())
                .map(str::to_owned)
                .or_else(|| self.elsewhere(name)),
        };
        let key = join(context.path, name);
        self.mistake(&key, line, "an unknown key", &known.join(", "), guess)
    }

    /// The one place in the schema where there is a key of this name.
    fn elsewhere(&self, name: &str) -> Option<String> {
        let end = format!(".{name}");
        let mut there = self
            .keys
            .iter()
            .filter(|key| key.ends_with(&end) && !key.contains('*'));
        match (there.next(), there.next()) {
            (Some(key), None) => Some(key.clone()),
            _ => None,
        }
    }

    fn mistake(
        &mut self,
        key: &str,
        line: usize,
        found: &str,
        allowed: &str,
        guess: Option<String>,
    ) -> Option<Json> {
        self.mistakes.push(Mistake {
            file: self.file.to_owned(),
            line: Some(line),
            key: key.to_owned(),
            found: found.to_owned(),
            allowed: allowed.to_owned(),
            guess,
        });
        None
    }
}

/// A value as a mistake may show it: of a secret, only what kind of thing it is.
fn displayed(schema: &Json, value: &Value) -> String {
    match value {
        _ if kind(schema) == "secret" => kind_of(&Item::Value(value.clone())).to_owned(),
        Value::String(text) => quoted(text.value()),
        Value::Integer(n) => n.value().to_string(),
        Value::Float(n) => n.value().to_string(),
        Value::Boolean(yes) => yes.value().to_string(),
        Value::Datetime(at) => at.value().to_string(),
        Value::Array(_) => "a list".to_owned(),
        Value::InlineTable(_) => "a table".to_owned(),
    }
}

fn kind_of(item: &Item) -> &'static str {
    match item {
        Item::None => "nothing",
        Item::Table(_) | Item::Value(Value::InlineTable(_)) => "a table",
        Item::ArrayOfTables(_) => "a list of tables",
        Item::Value(Value::String(_)) => "text",
        Item::Value(Value::Integer(_) | Value::Float(_)) => "a number",
        Item::Value(Value::Boolean(_)) => "true or false",
        Item::Value(Value::Datetime(_)) => "a date",
        Item::Value(Value::Array(_)) => "a list",
    }
}

/// `key` in the table `path`, quoted as TOML would have it.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let key = match !key.is_empty() && key.chars().all(bare) {
        true => key.to_owned(),
        false => format!("{key:?}"),
    };
    match path {
        "" => key,
        path => format!("{path}.{key}"),
    }
}

/// The key that was probably meant as one, when dots made tables of it: `leaf` says whether the last name is a part
/// of it too (`security.protocol`), or a key in the table so named (`threads.net`).
fn dotted(name: &str, item: &Item, leaf: bool) -> String {
    let mut dotted = name.to_owned();
    let mut item = item;
    while let Some(table) = item.as_table_like().filter(|table| table.len() == 1) {
        match table.iter().next() {
            Some((name, inner)) if leaf || inner.is_table_like() => {
                dotted = format!("{dotted}.{name}");
                item = inner;
            }
            _ => break,
        }
    }
    dotted
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&b| b == b'\n').count()
}
