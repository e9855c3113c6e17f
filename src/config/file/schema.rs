//! The JSON Schema of the file, made from its types.

use super::ConfigFile;
use schemars::generate::SchemaSettings;

/// The schema of [`ConfigFile`], in one piece, without `null`: TOML has none, a key is left out instead.
pub(in crate::config) fn schema() -> serde_json::Value {
    let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
    let schema = settings
        .into_generator()
        .into_root_schema_for::<ConfigFile>();
    let mut schema = serde_json::Value::from(schema);
    without_null(&mut schema);
    schema
}

fn without_null(schema: &mut serde_json::Value) {
    use serde_json::Value::{Array, Object, String};
    let null = |value: &serde_json::Value| value == "null";
    match schema {
        Object(keywords) => {
            if let Some(Array(types)) = keywords.get_mut("type") {
                types.retain(|name| !null(name));
                if let [String(only)] = types.as_slice() {
                    let only = only.clone();
                    keywords.insert("type".to_owned(), String(only));
                }
            }
            if let Some(Array(choices)) = keywords.remove("anyOf") {
                let some = |choice: &serde_json::Value| !choice.get("type").is_some_and(null);
                for choice in choices.into_iter().filter(some) {
                    if let Object(choice) = choice {
                        for (keyword, value) in choice {
                            keywords.entry(keyword).or_insert(value);
                        }
                    }
                }
            }
            keywords.values_mut().for_each(without_null);
        }
        Array(several) => several.iter_mut().for_each(without_null),
        _ => {}
    }
}
