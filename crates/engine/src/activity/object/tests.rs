use super::*;

const AUTHOR: &str = "https://a.example/u";
const FOLLOWERS: &str = "https://a.example/u/followers";

fn addressed(to: &str, cc: &str, audience: &str) -> (Visibility, String) {
    let found = sent(to, cc, audience, None);
    (found.visibility, found.addressed.join(" "))
}

fn sent(to: &str, cc: &str, audience: &str, named: Option<&str>) -> Addressed {
    let [to, cc, audience] = [to, cc, audience].map(LooseValue::of_valid);
    let mentions = [
        "https://b.example/1".to_owned(),
        "https://b.example/2".to_owned(),
    ];
    addressing([to, cc, audience], AUTHOR, named, &mentions).unwrap()
}

#[test]
fn public_is_written_four_ways() {
    for public in [
        "https://www.w3.org/ns/activitystreams#Public",
        "http://www.w3.org/ns/activitystreams#Public",
        "as:Public",
        "Public",
    ] {
        let public = format!("{public:?}");
        for (to, cc, audience, visibility) in [
            (&*public, "null", "null", Visibility::Public),
            (&*public, &*public, "null", Visibility::Public),
            ("[]", &*public, "null", Visibility::Unlisted),
            (
                &*format!("{FOLLOWERS:?}"),
                &*public,
                "null",
                Visibility::Unlisted,
            ),
            ("null", "[]", &*public, Visibility::Public),
            (
                &*format!("{FOLLOWERS:?}"),
                "[]",
                &*public,
                Visibility::Private,
            ),
            (
                r#""https://b.example/1""#,
                "[]",
                &*public,
                Visibility::Direct,
            ),
        ] {
            assert_eq!(
                addressed(to, cc, audience).0,
                visibility,
                "{to} {cc} {audience}"
            );
        }
    }
}

#[test]
fn who_could_see_it_follows_from_whom_it_is_addressed_to() {
    for (to, cc, visibility, rest) in [
        (
            r#""https://a.example/u/followers""#,
            "[]",
            Visibility::Private,
            "",
        ),
        (
            r#""https://a.example/u/followers/""#,
            "[]",
            Visibility::Private,
            "",
        ),
        (
            "[]",
            r#"["https://a.example/u/followers"]"#,
            Visibility::Private,
            "",
        ),
        (
            r#"{"type":"Collection","id":"https://a.example/u/followers"}"#,
            r#""https://b.example/9""#,
            Visibility::Private,
            "https://b.example/9",
        ),
        (
            r#"["https://b.example/1","https://b.example/1"]"#,
            r#"["https://b.example/1"]"#,
            Visibility::Direct,
            "https://b.example/1",
        ),
        (
            r#"["https://b.example/1"]"#,
            r#"["https://b.example/9"]"#,
            Visibility::Limited,
            "https://b.example/1 https://b.example/9",
        ),
        (
            r#""https://b.example/u/followers""#,
            "[]",
            Visibility::Limited,
            "https://b.example/u/followers",
        ),
        ("[]", "[]", Visibility::Direct, ""),
        ("null", "null", Visibility::Direct, ""),
        ("7", r#"[[],{},""]"#, Visibility::Direct, ""),
    ] {
        assert_eq!(
            addressed(to, cc, "null"),
            (visibility, rest.to_owned()),
            "{to} {cc}"
        );
    }
    let community = r#""https://b.example/c""#;
    assert_eq!(
        addressed(r#""as:Public""#, "[]", community),
        (Visibility::Public, "https://b.example/c".to_owned())
    );
}

#[test]
fn what_may_be_the_followers_of_an_author_is_kept_of_what_is_not_for_everybody() {
    let named = Some("https://a.example/f");
    let cases = [
        // Named, taken for it, and neither so far.
        (
            r#""https://a.example/f/""#,
            Visibility::Private,
            "https://a.example/f",
        ),
        (
            r#""https://a.example/u/followers""#,
            Visibility::Limited,
            FOLLOWERS,
        ),
        (
            r#"["https://a.example/g","https://a.example/g/","https://a.example/f"]"#,
            Visibility::Private,
            "https://a.example/f https://a.example/g",
        ),
        // Elsewhere, the author, everybody, or somebody who is mentioned: none.
        (r#""https://b.example/f""#, Visibility::Limited, ""),
        (r#""https://a.example/u""#, Visibility::Limited, ""),
        (
            r#"["as:Public","https://a.example/f"]"#,
            Visibility::Public,
            "",
        ),
        (r#""https://b.example/1""#, Visibility::Limited, ""),
    ];
    for (to, visibility, collections) in cases {
        // A community is none either.
        let found = sent(to, "[]", r#""https://a.example/audience""#, named);
        assert_eq!(
            (found.visibility, found.collections.join(" ").as_str()),
            (visibility, collections),
            "{to}"
        );
    }
    // A person is mentioned, whatever a document says.
    let [to, nothing] = [r#""https://a.example/f""#, "null"].map(LooseValue::of_valid);
    let mentions = ["https://a.example/f".to_owned()];
    let found = addressing([to, nothing, nothing], AUTHOR, named, &mentions).unwrap();
    assert_eq!(
        (found.visibility, found.collections.len()),
        (Visibility::Direct, 0)
    );
    let many: Vec<String> = (0..100).map(|n| format!("https://a.example/{n}")).collect();
    let many = [many, vec![FOLLOWERS.to_owned()]].concat();
    let found = sent(&serde_json::to_string(&many).unwrap(), "[]", "[]", None);
    assert_eq!(found.visibility, Visibility::Private);
    assert_eq!(found.collections.len(), COLLECTIONS_MAX);
    assert_eq!(found.collections[0], FOLLOWERS);
}

#[test]
fn the_followers_of_an_author_are_what_their_own_document_names_on_their_own_host() {
    for (actor, followers) in [
        (r#""https://a.example/u""#, None),
        (r#"{"id":"https://a.example/u"}"#, None),
        (
            r#"{"id":"https://a.example/u","followers":"https://a.example/f/"}"#,
            Some("https://a.example/f"),
        ),
        (
            r#"{"id":"https://a.example/u","followers":{"id":"https://a.example/f"}}"#,
            Some("https://a.example/f"),
        ),
        (
            r#"{"id":"https://a.example/other","followers":"https://a.example/f"}"#,
            None,
        ),
        (
            r#"{"id":"https://a.example/u","followers":"https://b.example/f"}"#,
            None,
        ),
        (
            r#"{"id":"https://a.example/u","followers":"https://a.example/u"}"#,
            None,
        ),
    ] {
        let places = [LooseValue::default(), LooseValue::of_valid(actor)];
        assert_eq!(
            followers_named(AUTHOR, places).as_deref(),
            followers,
            "{actor}"
        );
    }
}

#[test]
fn a_hashtag_is_compared_without_its_sign_case_width_and_composition() {
    let long = "x".repeat(TAG_BYTES_MAX + 1);
    for (name, tag) in [
        ("#Rust", Some("rust")),
        ("rust", Some("rust")),
        (" ##ÄÖ ", Some("äö")),
        ("cafe\u{301}", Some("caf\u{e9}")),
        ("\u{3000}\u{ff03}\u{ff33}\u{ff45}\u{ff41}", Some("sea")),
        ("\u{fe5f}sea", Some("sea")),
        (
            "\u{ff76}\u{ff9e}\u{ff9d}\u{ff80}\u{ff9e}\u{ff91}",
            Some("ガンダム"),
        ),
        ("\u{1112}\u{1161}\u{11ab}", Some("한")),
        ("STRASSE", Some("strasse")),
        ("Straße", Some("strasse")),
        ("ΟΔΟΣ", Some("οδοσ")),
        ("οδος", Some("οδοσ")),
        ("ć", Some("ć")),
        ("c", Some("c")),
        ("I", Some("i")),
        ("ı", Some("ı")),
        ("ﬁsh", Some("fish")),
        ("two\u{3000}words", None),
        ("#", None),
        ("", None),
        ("two words", None),
        ("nul\0", None),
        (&*long, None),
    ] {
        assert_eq!(hashtag_of(name).as_deref(), tag, "{name:?}");
    }
}

/// Were this to fail, a tag that is followed and the one its posts are kept under would be two.
#[test]
fn what_is_compared_is_compared_as_it_is() {
    // Ideographs and syllables by the thousand are alike.
    let letters = ('\0'..'\u{3400}').chain('\u{a000}'..'\u{ac80}');
    for c in letters.chain('\u{f900}'..'\u{11000}') {
        for name in [c.to_string(), format!("{c}\u{301}\u{345}")] {
            if let Some(tag) = hashtag_of(&name) {
                assert_eq!(hashtag_of(&tag), Some(tag), "{:x}", u32::from(c));
            }
        }
    }
}

#[test]
fn mentions_and_hashtags_are_found_in_any_list_of_tags() {
    for (tag, expected) in [
        ("[]", ""),
        ("null", ""),
        (r#""tag""#, ""),
        (
            r#"{"type":"Mention","href":"https://b.example/1"}"#,
            "https://b.example/1 |",
        ),
        (r#"{"type":"Mention","name":"@x"}"#, ""),
        (
            r##"[{"type":"Hashtag","name":"#A"},{"type":"Hashtag","name":"a"}]"##,
            "| a",
        ),
        (
            r##"[{"type":["Mention"],"href":"https://b.example/1"},{"type":"Emoji","name":":x:"},{"type":"Link","href":"https://b.example/2"}]"##,
            "https://b.example/1 |",
        ),
    ] {
        let (mentions, tags) = tags_of(LooseValue::of_valid(tag)).unwrap();
        let found = format!("{} | {}", mentions.join(" "), tags.join(" "));
        assert_eq!(
            found.trim(),
            if expected.is_empty() { "|" } else { expected },
            "{tag}"
        );
    }
}

#[test]
fn a_list_keeps_the_first_of_equals_however_long() {
    for length in [0, 1, FEW - 1, FEW, FEW + 1, 200] {
        let once: Vec<String> = (0..length).map(|n| n.to_string()).collect();
        let thrice = || once.iter().chain(&once).chain(&once).map(String::as_str);
        assert_eq!(each_once("it", length, thrice()), Ok(once.clone()));
        if let Some(max) = length.checked_sub(1) {
            assert!(each_once("it", max, thrice()).is_err());
        }
    }
}
