use super::*;

/// The fields of an object, as those from outside are found and as those of a part are.
fn both(json: &str) -> [ObjectFields<'_>; 2] {
    let input = Input::new(json.as_bytes()).unwrap();
    let value = LooseValue::of_valid(json);
    [
        ObjectFields::validate("it", input).unwrap(),
        ObjectFields::expect("it", value).unwrap(),
    ]
}

#[test]
fn the_last_of_two_equal_keys_wins() {
    let json = r#"{"id":"a","type":"Note","\u0069d":"b","object":{},"object":[]}"#;
    for fields in both(json) {
        let (id, object) = (fields.get(FieldName::Id), fields.get(FieldName::Object));
        assert_eq!(id.text().as_deref(), Some("b"));
        assert_eq!(fields.value().get("id").text(), id.text());
        assert_eq!(object.json(), "[]");
        assert_eq!(object.to_raw().unwrap().get(), "[]");
        assert!(fields.get(FieldName::Actor).is_absent());
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
        let input = Input::new(json.as_bytes()).unwrap();
        let reason = ObjectFields::validate("it", input).unwrap_err();
        assert!(reason.starts_with("it is not JSON"), "{json}: {reason}");
    }
}

#[test]
fn a_value_of_another_shape_is_none() {
    for (json, text, boolean, number, items) in [
        (r#""a""#, Some("a"), None, None, 1),
        (r#""\u0061""#, Some("a"), None, None, 1),
        (r#""""#, None, None, None, 1),
        ("true", None, Some(true), None, 1),
        ("-1.5", None, None, Some(-1.5), 1),
        ("null", None, None, None, 0),
        ("", None, None, None, 0),
        (r#"["a",null]"#, None, None, None, 2),
        (r#"{"a":1}"#, None, None, None, 1),
    ] {
        let value = LooseValue::of_valid(json);
        assert_eq!(value.text().as_deref(), text, "{json}");
        assert_eq!(value.boolean(), boolean, "{json}");
        assert_eq!(value.number(), number, "{json}");
        assert_eq!(value.items().count(), items, "{json}");
    }
}

#[test]
fn numbers_are_whole_however_they_are_written() {
    for (json, expected) in [
        ("640", Some(640)),
        ("640.0", Some(640)),
        ("639.6", Some(640)),
        ("1e300", None),
        ("18446744073709551615", Some(WHOLE_MAX)),
        (r#""640""#, Some(640)),
        (r#""640px""#, None),
        ("-1", None),
        ("-0.2", Some(0)),
        ("-0", Some(0)),
        ("null", None),
        (r#"{"totalItems":3}"#, None),
    ] {
        assert_eq!(LooseValue::of_valid(json).whole(), expected, "{json}");
    }
}

#[test]
fn a_value_is_cut_short_after_its_first_values() {
    for (json, max, expected) in [
        (r#"[1,2,{"a":3}]"#, 3, "[1,2"),
        (r#"[1,2,{"a":3}]"#, 4, r#"[1,2,{"#),
        (r#"[1,2,{"a":3}]"#, 5, r#"[1,2,{"a":3"#),
        (r#"{"a" : [], "b":"c"}"#, 2, r#"{"a" : ["#),
        (r#"{"a" : [], "b":"c"}"#, 3, r#"{"a" : [], "b":"c""#),
        (r#"[1,2,{"a":3}]"#, 9, r#"[1,2,{"a":3}]"#),
    ] {
        let value = LooseValue::of_valid(json).first_values(max);
        assert_eq!(value.json(), expected, "{json} {max}");
    }
    let cut = LooseValue::of_valid(r#"{"a":{"b":["c","d"]}}"#).first_values(4);
    let items: Vec<_> = cut.get("a").get("b").items().collect();
    assert_eq!(items.len(), 1);
}
