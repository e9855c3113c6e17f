//! The file as it is shipped, and the schema of all keys.

use super::*;

#[test]
fn the_shipped_file_is_the_default() {
    assert_eq!(right(SHIPPED), Config::defaults(0));
    assert_eq!(right(""), Config::defaults(0));
    let kafka = SHIPPED.replace("kind = \"built-in\"", "kind = \"kafka\"");
    assert_eq!(
        right(&kafka).log,
        log::Options::Kafka(kafka::Options::default())
    );
}

#[test]
fn the_shipped_file_has_every_key_and_no_other() {
    let all: Vec<String> = SHIPPED
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => key.to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    // The defaults that other keys rule out.
    let all = all.join("\n").replace("ids = \"place\"", "ids = \"ref\"");
    // And what needs another build.
    let read = all.replace("kind = \"built-in\"", "kind = \"kafka\"");
    right(&read.replace("\"security.protocol\" = \"sasl_ssl\"\n", ""));
    let table: toml::Table = all.parse().unwrap();
    let shipped = leaves(&toml::Value::Table(table));
    let shipped: BTreeSet<String> = shipped
        .into_iter()
        .map(
            |path| match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["kafka", "client", _] => "kafka.client.*".to_owned(),
                ["ordering", "origin", _, key] => format!("ordering.origin.*.{key}"),
                _ => path.join("."),
            },
        )
        .collect();
    let keys = constraints::keys(&file::schema()).into_iter().collect();
    assert_eq!(shipped, keys);
}

#[test]
fn the_shipped_file_says_what_every_key_does() {
    let mut before = "";
    for line in SHIPPED.lines() {
        let of_origin = ["#reorder", "#allowed", "#late", "#too_late"];
        let switched_off = of_origin.iter().any(|key| line.starts_with(key));
        if line.contains(" = ") && !line.starts_with("# ") && !switched_off {
            assert!(before.starts_with('#') || before.starts_with('['), "{line}");
        }
        before = line;
    }
}

#[test]
fn the_schema_takes_the_shipped_file_and_has_its_defaults() {
    let schema = schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let shipped: toml::Table = SHIPPED.parse().unwrap();
    let shipped = serde_json::to_value(&shipped).unwrap();
    assert!(validator.is_valid(&shipped));
    assert!(!validator.is_valid(&serde_json::json!({ "feed": { "lenght": 1 } })));
    assert!(!validator.is_valid(&serde_json::json!({ "log": { "kind": "files" } })));
    assert!(!validator.is_valid(&serde_json::json!({ "auth": null })));
    let default = |pointer: &str| schema.pointer(pointer).unwrap().clone();
    assert_eq!(default("/properties/feed/properties/length/default"), 800);
    assert_eq!(
        default("/properties/ordering/properties/clock_skew/default"),
        "2m"
    );
}

#[test]
fn every_bound_in_the_schema_can_be_read() {
    fn bounded(schema: &serde_json::Value, count: &mut usize) {
        if let Some(kind) = schema
            .get("x-kind")
            .filter(|kind| *kind == "duration" || *kind == "size")
        {
            for bound in ["x-min", "x-max"] {
                let text = schema[bound]
                    .as_str()
                    .unwrap_or_else(|| panic!("{schema} has no {bound}"));
                let read = match kind.as_str().unwrap() {
                    "duration" => file::Span::read(text).is_some(),
                    _ => file::Size::read(text).is_some(),
                };
                assert!(read, "{text}");
                *count += 1;
            }
        }
        if let Some(inner) = schema.as_object() {
            inner.values().for_each(|inner| bounded(inner, count));
        }
    }
    let mut count = 0;
    bounded(&file::schema(), &mut count);
    assert_ne!(count, 0);
}

/// If this fails, a key is spelled differently where it is checked than where it is read, and its mistakes have no line.
#[test]
fn a_mistake_in_any_key_is_told_with_that_key_and_its_line() {
    for key in constraints::keys(&file::schema()) {
        let at = key
            .replace("client.*", "client.\"a.b\"")
            .replace("origin.*", "origin.\"a.example\"");
        let mistakes = read(&format!("\n\n{at} = 1979-05-27")).unwrap_err().0;
        let told: Vec<_> = mistakes
            .iter()
            .map(|it| (it.key.as_str(), it.line))
            .collect();
        assert_eq!(told, [(at.as_str(), Some(3))]);
    }
}

/// The path of every value that is no table.
fn leaves(value: &toml::Value) -> Vec<Vec<String>> {
    let toml::Value::Table(table) = value else {
        return vec![Vec::new()];
    };
    table
        .iter()
        .flat_map(|(key, inner)| {
            leaves(inner).into_iter().map(move |mut path| {
                path.insert(0, key.clone());
                path
            })
        })
        .collect()
}
