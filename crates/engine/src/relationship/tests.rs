use super::*;
use crate::record::RECORD_BYTES_MAX;
use proptest::prelude::*;

fn decoded(document: &str) -> Result<(String, String), String> {
    let change = decode(None, Some(document.as_bytes()))?;
    let relation = change.relation.expect("not a removal");
    assert_eq!(relation.key().as_ref(), Ok(&change.key));
    let canonical = serde_json::to_string(&relation).unwrap();
    let again = decode(Some(&change.key.to_bytes()), Some(canonical.as_bytes())).unwrap();
    assert_eq!(again.relation, Some(relation), "{document}");
    assert_eq!(Key::parse(&change.key.to_bytes()), Ok(change.key.clone()));
    Ok((change.key.to_string(), canonical))
}

#[test]
fn every_document_has_one_form_and_one_key() {
    for (document, key, canonical) in [
        (
            r#"{"type":"account","account":"7","actor":"https://vmst.example/users/ana","languages":["EN","de","en"],"patience":"30s","aggregate_boosts":false}"#,
            "7/account/",
            r#"{"type":"account","account":"7","actor":"https://vmst.example/users/ana","languages":["de","en"],"patience":"30s","aggregate_boosts":false}"#,
        ),
        (
            r#"{"account":"7","type":"account","actor":"https://vmst.example/users/ana","target":null}"#,
            "7/account/",
            r#"{"type":"account","account":"7","actor":"https://vmst.example/users/ana","languages":[],"aggregate_boosts":true}"#,
        ),
        (
            r#"{"type":"ordering","account":"7","patience":"20m"}"#,
            "7/ordering/",
            r#"{"type":"ordering","account":"7","patience":"20m"}"#,
        ),
        (
            r#"{"type":"ordering","account":"7","patience":"90s"}"#,
            "7/ordering/",
            r#"{"type":"ordering","account":"7","patience":"1m 30s"}"#,
        ),
        (
            r#"{"type":"ordering","account":"7","patience":"complete"}"#,
            "7/ordering/",
            r#"{"type":"ordering","account":"7","patience":"complete"}"#,
        ),
        (
            r#"{"type":"ordering","account":"7","patience":"0s"}"#,
            "7/ordering/",
            r#"{"type":"ordering","account":"7","patience":"0s"}"#,
        ),
        (
            r#"{"type":"follow","account":"7","target":"https://threads.net/ap/users/1"}"#,
            "7/follow/https://threads.net/ap/users/1",
            r#"{"type":"follow","account":"7","target":"https://threads.net/ap/users/1","boosts":true,"languages":[]}"#,
        ),
        (
            r##"{"type":"tag","account":"7","target":"#RUST"}"##,
            "7/tag/rust",
            r#"{"type":"tag","account":"7","target":"rust"}"#,
        ),
        (
            r#"{"type":"mute","account":"7","target":"https://a.example/u","until":"2026-12-01T01:00:00+01:00"}"#,
            "7/mute/https://a.example/u",
            r#"{"type":"mute","account":"7","target":"https://a.example/u","until":"2026-12-01T00:00:00Z"}"#,
        ),
        (
            r#"{"type":"mute","account":"7","target":"https://a.example/u","until":null,"removed":false}"#,
            "7/mute/https://a.example/u",
            r#"{"type":"mute","account":"7","target":"https://a.example/u"}"#,
        ),
        (
            r#"{"type":"block","account":"A_b.c-9","target":"https://a.example/u"}"#,
            "A_b.c-9/block/https://a.example/u",
            r#"{"type":"block","account":"A_b.c-9","target":"https://a.example/u"}"#,
        ),
        (
            r#"{"type":"blocked_by","account":"7","target":"https://a.example/u"}"#,
            "7/blocked_by/https://a.example/u",
            r#"{"type":"blocked_by","account":"7","target":"https://a.example/u"}"#,
        ),
        (
            r#"{"type":"domain_block","account":"7","target":"WWW.Spam.example"}"#,
            "7/domain_block/spam.example",
            r#"{"type":"domain_block","account":"7","target":"spam.example"}"#,
        ),
        (
            r#"{"type":"list","account":"7","target":"42","title":"Friends","replies":"followed","exclusive":true}"#,
            "7/list/42",
            r#"{"type":"list","account":"7","target":"42","title":"Friends","replies":"followed","exclusive":true}"#,
        ),
        (
            r#"{"type":"list","account":"7","target":"42"}"#,
            "7/list/42",
            r#"{"type":"list","account":"7","target":"42","title":"","replies":"list","exclusive":false}"#,
        ),
        (
            r#"{"type":"list_member","account":"7","list":"42","target":"https://a.example/u"}"#,
            "7/list_member/42 https://a.example/u",
            r#"{"type":"list_member","account":"7","list":"42","target":"https://a.example/u"}"#,
        ),
        (
            r#"{"type":"domain_block","account":"7","target":"Müller.example"}"#,
            "7/domain_block/xn--mller-kva.example",
            r#"{"type":"domain_block","account":"7","target":"xn--mller-kva.example"}"#,
        ),
        (
            r#"{"type":"moderation","account":"_instance","target":"www.MÜLLER.example","action":"limit"}"#,
            "_instance/moderation/xn--mller-kva.example",
            r#"{"type":"moderation","account":"_instance","target":"xn--mller-kva.example","action":"limit"}"#,
        ),
        (
            r#"{"type":"moderation","account":"_instance","target":"Threads.net","action":"limit"}"#,
            "_instance/moderation/threads.net",
            r#"{"type":"moderation","account":"_instance","target":"threads.net","action":"limit"}"#,
        ),
        (
            r#"{"type":"moderation","account":"_instance","target":"https://a.example/u","action":"suspend"}"#,
            "_instance/moderation/https://a.example/u",
            r#"{"type":"moderation","account":"_instance","target":"https://a.example/u","action":"suspend"}"#,
        ),
    ] {
        assert_eq!(
            decoded(document),
            Ok((key.to_owned(), canonical.to_owned())),
            "{document}"
        );
    }
}

#[test]
fn a_document_that_cannot_be_says_what_to_send_instead() {
    let long = format!(
        r#"{{"type":"list","account":"7","target":"42","title":"{}"}}"#,
        "x".repeat(TITLE_BYTES_MAX + 1)
    );
    for (document, reason) in [
        ("", "it is not a JSON object: send one with type"),
        ("[]", "it is not a JSON object: send one with type"),
        ("{", "it is not a relation that can be read (EOF"),
        ("{}", "it has no type: send `type`"),
        (
            r#"{"type":7}"#,
            "it is not a relation that can be read (invalid type",
        ),
        (
            r#"{"type":"poke","account":"7","target":"x"}"#,
            "type \"poke\" is unknown: send one of account, ordering, follow, tag, mute, block, blocked_by, domain_block, list, list_member, moderation",
        ),
        (
            r#"{"type":"tag","target":"x"}"#,
            "it has no account: send `account`",
        ),
        (
            r#"{"type":"tag","account":"7"}"#,
            "it has no target: send `target`",
        ),
        (
            r#"{"type":"tag","account":"7","target":"two words"}"#,
            "target \"two words\" is no hashtag",
        ),
        (
            r#"{"type":"tag","account":"a/b","target":"x"}"#,
            "account is \"a/b\": send 1 to 64 of",
        ),
        (
            r#"{"type":"tag","account":"","target":"x"}"#,
            "account is \"\": send 1 to 64 of",
        ),
        (
            r#"{"type":"tag","account":"_instance","target":"x"}"#,
            "a tag of account _instance: _instance has moderation",
        ),
        (
            r#"{"type":"moderation","account":"7","target":"x.example","action":"limit"}"#,
            "a moderation of account 7: _instance has moderation",
        ),
        (
            r#"{"type":"moderation","account":"_instance","target":"x.example","action":"hug"}"#,
            "it is not a relation that can be read (unknown variant `hug`",
        ),
        (
            r#"{"type":"moderation","account":"_instance","target":"x.example"}"#,
            "it is not a relation that can be read (missing field `action`",
        ),
        (
            r#"{"type":"follow","account":"7","target":"ana"}"#,
            "the actor's id is \"ana\": send an http or https URL",
        ),
        (
            r#"{"type":"follow","account":"7","target":"https://a.example/u","languages":["e n"]}"#,
            "languages has \"e n\": send codes",
        ),
        (
            r#"{"type":"account","account":"7"}"#,
            "it is not a relation that can be read (missing field `actor`",
        ),
        (
            r#"{"type":"ordering","account":"7","patience":30}"#,
            "it is not a relation that can be read (invalid type: integer `30`, expected a patience",
        ),
        (
            r#"{"type":"ordering","account":"7","patience":"30"}"#,
            "it is not a relation that can be read (patience \"30\" is no duration",
        ),
        (
            r#"{"type":"mute","account":"7","target":"https://a.example/u","until":"soon"}"#,
            "it is not a relation that can be read (until \"soon\" is no RFC 3339 time",
        ),
        (
            r#"{"type":"mute","account":"7","target":"https://a.example/u","until":"1066-10-14T09:00:00Z"}"#,
            "until is before 1970",
        ),
        (
            r#"{"type":"domain_block","account":"7","target":"a b"}"#,
            "target \"a b\" is no domain",
        ),
        (
            r#"{"type":"domain_block","account":"7","target":"https://a.example"}"#,
            "target \"https://a.example\" is no domain",
        ),
        (
            r#"{"type":"domain_block","account":"7","target":""}"#,
            "target \"\" is no domain",
        ),
        (
            r#"{"type":"domain_block","account":"7","target":".a.example"}"#,
            "target \".a.example\" is no domain",
        ),
        (
            r#"{"type":"moderation","account":"_instance","target":"a..example","action":"limit"}"#,
            "target \"a..example\" is no domain",
        ),
        (
            r#"{"type":"domain_block","account":"7","target":"u@a.example"}"#,
            "target \"u@a.example\" is no domain",
        ),
        (
            r#"{"type":"list_member","account":"7","target":"https://a.example/u"}"#,
            "a list_member without a list",
        ),
        (
            r#"{"type":"list_member","account":"7","list":"4 2","target":"https://a.example/u"}"#,
            "list is \"4 2\": send 1 to 64 of",
        ),
        (long.as_str(), "title has 1025 bytes: at most 1024"),
        (
            r#"{"type":"follow","account":"7","target":"https://a.example/u","bosts":false}"#,
            "\"bosts\" is no field of a follow: send some of type, account, target, boosts, languages, removed; did you mean boosts?",
        ),
        (
            r#"{"type":"follow","account":"7","target":"https://a.example/u","\u0062osts":false}"#,
            "\"bosts\" is no field of a follow",
        ),
        (
            r#"{"type":"follow","account":"7","target":"https://a.example/u","removd":true}"#,
            "\"removd\" is no field of a follow: send some of type, account, target, boosts, languages, removed; did you mean removed?",
        ),
        (
            r#"{"type":"follow","account":"7","target":"https://a.example/u","removed":true,"hat":"red"}"#,
            "\"hat\" is no field of a follow: send some of type, account, target, boosts, languages, removed",
        ),
        (
            r#"{"type":"account","account":"7","actr":"https://a.example/u"}"#,
            "\"actr\" is no field of an account: send some of type, account, target, actor, languages, patience, aggregate_boosts, removed; did you mean actor?",
        ),
        (
            r#"{"type":"block","account":"7","target":"https://a.example/u","until":"2026-12-01T00:00:00Z"}"#,
            "\"until\" is no field of a block",
        ),
        (
            r#"{"type":"folow","account":"7","target":"https://a.example/u"}"#,
            "type \"folow\" is unknown: send one of account, ordering, follow, tag, mute, block, blocked_by, domain_block, list, list_member, moderation; did you mean follow?",
        ),
        (
            r#"{"type":"domain_block","account":"7","target":"*.x"}"#,
            "target \"*.x\" has a *: a domain_block is of one host",
        ),
        (
            r#"{"type":"domain_block","account":"7","target":"x.*"}"#,
            "target \"x.*\" has a *",
        ),
        (
            r#"{"type":"moderation","account":"_instance","target":"*.x","action":"limit"}"#,
            "target \"*.x\" has a *: moderation takes a domain and all below it",
        ),
    ] {
        let got = decoded(document).unwrap_err();
        assert!(got.starts_with(reason), "{document}: {got}");
    }
    let nested = "{\"type\":\"tag\",\"x\":".to_owned() + &"[".repeat(10_000);
    assert!(decoded(&nested).is_err());
    assert!(decode(None, Some(&[b' '; RECORD_BYTES_MAX + 1])).is_err());
}

#[test]
fn null_and_removed_remove_what_the_key_names() {
    let follow = "7/follow/https://a.example/u";
    let document =
        r#"{"type":"follow","account":"7","target":"https://a.example/u","removed":true}"#;
    for (key, value) in [
        (Some(follow), None),
        (Some(follow), Some("null")),
        (Some(follow), Some(document)),
        (None, Some(document)),
    ] {
        let change = decode(key.map(str::as_bytes), value.map(str::as_bytes)).unwrap();
        assert_eq!(change.key.to_string(), follow);
        assert_eq!(change.relation, None);
    }
    let reason = decode(None, None).unwrap_err();
    assert_eq!(reason, "neither a key nor a value: send a document");
    let ordering = decode(
        None,
        Some(br#"{"type":"ordering","account":"7","removed":true}"#),
    );
    assert_eq!(ordering.unwrap().key.to_string(), "7/ordering/");
}

#[test]
fn a_key_has_one_spelling_and_agrees_with_its_document() {
    for (key, reason) in [
        ("", "the key is \"\": send <account>/<type>/<target>"),
        (
            "7/follow",
            "the key is \"7/follow\": send <account>/<type>/<target>",
        ),
        (
            "7/account",
            "the key is \"7/account\": send <account>/<type>/<target>",
        ),
        (
            "7/account/x",
            "target \"x\": account has none; its key ends with the slash",
        ),
        ("7/poke/x", "type \"poke\" is unknown"),
        (
            "7/tag/#Rust",
            "the key is \"7/tag/#Rust\": send \"7/tag/rust\"",
        ),
        (
            "7/domain_block/Spam.example",
            "the key is \"7/domain_block/Spam.example\": send \"7/domain_block/spam.example\"",
        ),
        (
            "7/list_member/https://a.example/u",
            "a list_member without a list",
        ),
        ("7/mute/nobody", "the actor's id is \"nobody\""),
    ] {
        let got = Key::parse(key.as_bytes()).unwrap_err();
        assert!(got.starts_with(reason), "{key}: {got}");
    }
    // What was said before they were compared as they are now is read as it is meant.
    for (old, key) in [
        ("7/tag/straße", "7/tag/strasse"),
        ("7/tag/ｒｕｓｔ", "7/tag/rust"),
        (
            "7/domain_block/müller.example",
            "7/domain_block/xn--mller-kva.example",
        ),
        (
            "_instance/moderation/müller.example",
            "_instance/moderation/xn--mller-kva.example",
        ),
    ] {
        assert_eq!(Key::parse(old.as_bytes()).unwrap().to_string(), key);
    }
    assert!(Key::parse("7/tag/Straße".as_bytes()).is_err());
    assert!(Key::parse("7/tag/#straße".as_bytes()).is_err());
    assert!(Key::parse(&[0xff]).is_err());
    let document = br#"{"type":"tag","account":"7","target":"rust"}"#;
    assert!(decode(Some(b"7/tag/rust"), Some(document)).is_ok());
    assert_eq!(
        decode(Some(b"8/tag/rust"), Some(document)).unwrap_err(),
        "the key is \"8/tag/rust\": send \"7/tag/rust\""
    );
}

#[test]
fn the_schema_names_every_type() {
    let schema = serde_json::to_string(&schemars::schema_for!(Relation)).unwrap();
    for kind in Kind::WRITTEN_BY_BACKENDS {
        assert!(
            schema.contains(&format!("\"const\":\"{}\"", kind.name())),
            "{schema}"
        );
    }
}

/// Were a field missing there, it would be refused; were there one too many, it would be passed over.
#[test]
fn every_type_has_the_fields_that_are_taken() {
    let schema = serde_json::Value::from(schemars::schema_for!(Relation));
    let kinds = schema["oneOf"].as_array().unwrap();
    assert_eq!(
        kinds.len(),
        Kind::WRITTEN_BY_BACKENDS.len() + 1,
        "and mute_end"
    );
    for kind in kinds {
        let properties = kind["properties"].as_object().unwrap();
        let name = properties["type"]["const"].as_str().unwrap();
        let named = Kind::named(name).unwrap();
        let mut taken: Vec<&str> = properties.keys().map(String::as_str).collect();
        if named != Kind::MuteEnd {
            taken.push("removed");
        }
        if matches!(named, Kind::Account | Kind::Ordering) {
            taken.push("target");
        }
        taken.sort_unstable();
        let mut known = named.fields().to_vec();
        known.sort_unstable();
        assert_eq!(known, taken, "{name}");
    }
}

proptest! {
    /// A failure means that a record can stop the service.
    #[test]
    fn no_record_is_too_strange(key in prop::option::of(any::<Vec<u8>>()), value in prop::option::of(any::<Vec<u8>>())) {
        let _ = decode(key.as_deref(), value.as_deref());
    }

    /// A failure means that a key which we wrote is refused when it comes back.
    #[test]
    fn a_key_is_read_back(
        kind in prop::sample::select([&Kind::WRITTEN_BY_BACKENDS[..], &[Kind::MuteEnd]].concat()), account in "[A-Za-z0-9_.-]{1,64}", list in "[a-z0-9]{1,9}",
        target in "\\PC{1,20}|[a-zA-Z#.]{1,12}|https://[a-z]{1,5}\\.example/\\PC{0,20}"
    ) {
        let account = if kind == Kind::Moderation { INSTANCE } else { &account };
        if let Ok(key) = Key::of(account, kind, Some(&list), &target) {
            prop_assert_eq!(Key::parse(&key.to_bytes()), Ok(key));
        }
    }
}
