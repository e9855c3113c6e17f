use super::*;

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn nesting_is_counted_outside_of_texts_only() {
    for (json, too_deep) in [
        (nested(NESTING_MAX), false),
        (nested(NESTING_MAX + 1), true),
        (format!("\"{}\"", "[".repeat(1000)), false),
        (format!("\"\\\"{}\"", "[".repeat(1000)), false),
        (format!("\"\\\\\",{}", "[".repeat(65)), true),
        (format!("[{}]", "{},".repeat(1000)), false),
    ] {
        assert_eq!(nests_too_deep(json.as_bytes()), too_deep, "{json}");
    }
}

#[test]
fn the_last_of_two_equal_keys_wins() {
    let json = r#"{"id":"a","type":"Note","id":"b","object":{},"object":[]}"#;
    for source in [
        text_of(json.as_bytes()).unwrap(),
        Source::part(raw_of(json).unwrap()),
    ] {
        let node = Node::read("it", source).unwrap();
        assert_eq!(node.id.text(), Some("b"));
        assert_eq!(node.object.unwrap().get(), "[]");
    }
}

#[test]
fn what_other_parsers_stumble_over_is_refused() {
    for json in [
        r#"{"x":1e999}"#,
        r#"{"x":{"y":[1e999]}}"#,
        r#"{"content":"\ud800"}"#,
        r#"{"\ud800":1}"#,
        r#"{"tag":[{"name":"\udc00"}]}"#,
        r#"{"contentMap":{"en":"\ud800"}}"#,
        r#"{"contentMap":{"en":"","de":"\ud800"}}"#,
    ] {
        let reason = Node::read("it", text_of(json.as_bytes()).unwrap()).unwrap_err();
        assert!(reason.starts_with("it is not JSON"), "{json}: {reason}");
    }
}

#[test]
fn the_language_is_told_by_content_before_name_before_summary() {
    for (maps, language) in [
        (r#""contentMap":{"en":"x"}"#, Some("en")),
        (
            r#""contentMap":{"pt-BR":"x","en":"y"},"content":"y""#,
            Some("en"),
        ),
        (
            r#""content":"y","contentMap":{"pt-BR":"x","en":"y"}"#,
            Some("en"),
        ),
        (
            r#""summaryMap":{"de":"x"},"nameMap":{"fr":"x"},"contentMap":{}"#,
            Some("fr"),
        ),
        (r#""summaryMap":{"de":"x"},"contentMap":null"#, Some("de")),
        (r#""content":"x""#, None),
    ] {
        for walk in ["", r#","x":"1e999""#] {
            let json = format!("{{{maps}{walk}}}");
            let source = text_of(json.as_bytes()).unwrap();
            assert_eq!(source.soundness == Soundness::Unknown, !walk.is_empty());
            for source in [source, Source::part(raw_of(&json).unwrap())] {
                let node = Node::read("it", source).unwrap();
                assert_eq!(node.language().as_deref(), language, "{json}");
            }
        }
    }
}

#[test]
fn the_first_person_of_a_list_is_the_agent() {
    for (json, id) in [
        (r#""a""#, Some("a")),
        (r#"["a","b"]"#, Some("a")),
        (r#"{"id":"a","type":"Group"}"#, Some("a")),
        (
            r#"[{"id":"a","type":"Group"},{"id":"b","type":"Person"}]"#,
            Some("b"),
        ),
        (r#"["a",{"id":"b","type":["Thing","Person"]}]"#, Some("b")),
        (r#"["a",{"type":"Person"}]"#, Some("a")),
        (r#"[[],"",null,7,"a"]"#, Some("a")),
        ("[]", None),
        ("null", None),
        ("7", None),
        (r#""""#, None),
    ] {
        let loose = Loose::read(json).unwrap();
        assert_eq!(loose.agent().and_then(Loose::id), id, "{json}");
    }
}
