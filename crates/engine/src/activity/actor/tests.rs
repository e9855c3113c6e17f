use super::*;
use crate::activity::Activity;
use crate::activity::parse::decode;
use crate::record::Vouched;

/// The document a record holds, whichever way.
fn decoded(json: &str, fetched: bool) -> Option<ActorDocument> {
    match decode(
        json.as_bytes(),
        Vouched {
            fetched,
            ..Vouched::default()
        },
    ) {
        Ok(Activity::Actor(document)) => Some(*document),
        Ok(Activity::Post { author, .. }) => author.map(|author| *author),
        _ => None,
    }
}

fn document_of(json: &str) -> Result<ActorDocument, String> {
    ActorDocument::of(&ObjectFields::of(LooseValue::of_valid(json)))
}

/// A document of which only `more` is not usual.
fn read(more: &str) -> ActorDocument {
    let json = format!(r#"{{"type":"Person","id":"https://a.example/u"{more}}}"#);
    document_of(&json).unwrap()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn row(name: &str, value: &str) -> ProfileField {
    ProfileField {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn emoji(shortcode: &str, url: &str) -> Emoji {
    Emoji {
        shortcode: shortcode.to_owned(),
        url: url.to_owned(),
    }
}

#[test]
fn mastodons_person_is_read_whole() {
    let json = include_str!("../../../../../tests/fixtures/mastodon-update-person.json");
    let expected = ActorDocument {
        id: "https://vmst.example/users/ana".to_owned(),
        kind: ActorKind::Person,
        is_whole: true,
        preferred_username: some("ana"),
        name: some("Ana on the water"),
        summary: some("<p>Sailing :anchor: slowly</p>"),
        url: some("https://www.vmst.example/@ana"),
        icon: some("https://files.vmst.example/avatars/ana.png"),
        image: some("https://files.vmst.example/headers/ana.jpg"),
        published: date::parse("2022-11-05T00:00:00Z"),
        updated: None,
        followers: some("https://vmst.example/users/ana/followers"),
        following: some("https://vmst.example/users/ana/following"),
        featured: some("https://vmst.example/users/ana/collections/featured"),
        moved_to: None,
        manually_approves_followers: true,
        discoverable: Some(false),
        fields: vec![
            row("Boat", "Kittiwake"),
            row(
                "Home",
                r#"<a href="https://ana.example" rel="me">ana.example</a>"#,
            ),
        ],
        emoji: vec![emoji(
            "anchor",
            "https://files.vmst.example/emojis/anchor.png",
        )],
    };
    assert_eq!(decoded(json, false), Some(expected));
}

#[test]
fn the_persons_of_others_are_read_too() {
    let misskey = include_str!("../../../../../tests/fixtures/misskey-update-person.json");
    let misskey = decoded(misskey, false).unwrap();
    assert_eq!(misskey.kind, ActorKind::Service);
    assert_eq!(misskey.name, some("Tide tables :wave:"));
    assert_eq!((misskey.summary, misskey.image), (None, None));
    assert_eq!(misskey.icon, some("https://kelp.example/files/1"));
    assert_eq!(misskey.discoverable, Some(true));
    assert_eq!(misskey.fields, [row("Harbour", "Skerry")]);
    let wave = emoji("wave", "https://kelp.example/files/wave.webp");
    assert_eq!(misskey.emoji, [wave]);

    let pleroma = include_str!("../../../../../tests/fixtures/pleroma-person.json");
    let pleroma = decoded(pleroma, true).unwrap();
    assert_eq!(pleroma.summary, some("Shape <br>of water"));
    assert_eq!(pleroma.moved_to, some("https://vmst.example/users/odo"));
    assert_eq!(pleroma.url, some("https://reef.example/users/odo"));
    let drop = emoji("drop", "https://reef.example/emoji/drop.png");
    assert_eq!(pleroma.emoji, [drop]);
    assert_eq!(pleroma.fields, []);

    let threads = include_str!("../../../../../tests/fixtures/threads-person.json");
    let threads = decoded(threads, true).unwrap();
    let id = "https://threads.net/ap/users/17841400000000001/";
    assert_eq!(threads.id, id);
    assert_eq!(threads.followers, Some(format!("{id}followers/")));
    assert_eq!(threads.published, date::parse("2023-07-06T08:00:00Z"));
    assert_eq!(threads.discoverable, None);
    assert!(threads.is_whole && !threads.manually_approves_followers);

    // The bridge embeds the whole actor in the activity and an excerpt in the object.
    let bridge = include_str!("../../../../../tests/fixtures/bridge-create-note.json");
    let bridge = decoded(bridge, false).unwrap();
    assert_eq!(bridge.name, some("Sandpiper"));
    assert!(bridge.is_whole);
}

#[test]
fn only_the_authors_own_document_is_believed() {
    let me = r#"{"type":"Person","id":"https://a.example/u","name":"me"}"#;
    let whole = r#"{"type":"Person","id":"https://a.example/u","name":"whole","inbox":"https://a.example/in"}"#;
    let newer = r#"{"type":"Person","id":"https://a.example/u","name":"newer","updated":"2026-11-22T10:00:00Z"}"#;
    let you = r#"{"type":"Person","id":"https://a.example/v","name":"you"}"#;
    let stranger = r#"{"type":"Person","id":"https://b.example/u","name":"stranger"}"#;
    let bare = r#"{"type":"Person","id":"https://a.example/u"}"#;
    let page = r#"{"type":"Page","id":"https://a.example/u","name":"page"}"#;
    let id = r#""https://a.example/u""#;
    for (author, actor, name) in [
        (id, me, "me"),
        (me, id, "me"),
        (me, newer, "newer"),
        (newer, me, "newer"),
        (newer, whole, "whole"),
        (whole, newer, "whole"),
        (id, id, ""),
        (id, you, ""),
        (you, you, "you"),
        (id, bare, ""),
        (bare, me, "me"),
        (id, page, ""),
    ] {
        let create = format!(
            r#"{{"type":"Create","actor":{actor},"object":{{"type":"Note","id":"https://a.example/1","attributedTo":{author}}}}}"#
        );
        let got = decoded(&create, false).and_then(|document| document.name);
        assert_eq!(got.unwrap_or_default(), name, "{create}");
    }
    for (actors, name) in [
        (format!("[{stranger},{me}]"), ""),
        (format!("[{me},{stranger},{you}]"), "me"),
        (format!("[{id},{me},{stranger}]"), "me"),
    ] {
        for (json, fetched) in [
            (
                format!(r#"{{"type":"Note","id":"https://a.example/1","attributedTo":{actors}}}"#),
                true,
            ),
            (
                format!(r#"{{"type":"Announce","actor":{actors},"object":"https://c.example/1"}}"#),
                false,
            ),
        ] {
            let got =
                decoded(&json, fetched).filter(|document| document.id == "https://a.example/u");
            let got = got.and_then(|document| document.name);
            assert_eq!(got.unwrap_or_default(), name, "{json}");
        }
    }
}

#[test]
fn links_come_in_many_shapes() {
    let link = some("https://a.example/1");
    for value in [
        r#""https://a.example/1""#,
        r#"{"type":"Image","url":"https://a.example/1"}"#,
        r#"[{"type":"Image","url":"https://a.example/1"},{"type":"Image","url":"https://a.example/2"}]"#,
        r#"{"type":"Image","url":[{"type":"Link","href":"https://a.example/1"}]}"#,
        r#"{"type":"Link","href":"https:\/\/a.example\/1"}"#,
        r#"[null,7,"javascript:alert(1)","https://a.example/1"]"#,
    ] {
        let document = read(&format!(r#","icon":{value},"image":{value},"url":{value}"#));
        for got in [document.icon, document.image, document.url] {
            assert_eq!(got, link, "{value}");
        }
    }
    for value in [
        "null",
        "[]",
        "{}",
        "7",
        r#""javascript:alert(1)""#,
        r#""data:image/png;base64,AAAA""#,
        r#"{"type":"Image"}"#,
    ] {
        let document = read(&format!(r#","icon":{value},"url":{value}"#));
        assert_eq!((document.icon, document.url), (None, None), "{value}");
    }
    let pages = r#","url":[{"type":"Link","mediaType":"application/activity+json","href":"https://a.example/json"},{"type":"Link","mediaType":"text/html","href":"https://a.example/1"}]"#;
    assert_eq!(read(pages).url, link);
    let otherwise = pages.replace(r#""mediaType":"text/html""#, r#""mimeType":"Text/HTML""#);
    assert_eq!(read(&otherwise).url, link);
}

#[test]
fn what_is_odd_is_left_out_and_the_last_of_a_name_counts() {
    let document = read(
        r#","name":7,"summary":{"a":1},"published":"yesterday","discoverable":"yes","manuallyApprovesFollowers":"true","followers":{"type":"Collection","id":"https://a.example/f"},"following":["did:x"],"attachment":{"type":"PropertyValue","name":"sole","value":null},"tag":[{"type":"Emoji","name":":a b:","icon":"https://a.example/e"},{"type":"Emoji","name":"::","icon":"https://a.example/e"},{"type":"Emoji","name":"x"},{"type":["Emoji"],"name":"bare","icon":"https://a.example/e"}],"preferredUsername":"first","preferredUsername":"l\u00e4st""#,
    );
    assert_eq!((&document.name, &document.summary), (&None, &None));
    assert_eq!((document.published, document.discoverable), (None, None));
    assert!(!document.manually_approves_followers);
    assert_eq!(document.followers, some("https://a.example/f"));
    assert_eq!(document.following, None);
    assert_eq!(document.fields, [row("sole", "")]);
    assert_eq!(document.emoji, [emoji("bare", "https://a.example/e")]);
    assert_eq!(document.preferred_username, some("läst"));
    let kind = r#"{"id":"https://a.example/u","type":["toot:Bot","Service"]}"#;
    assert_eq!(document_of(kind).unwrap().kind, ActorKind::Service);
}

#[test]
fn what_is_too_long_is_left_out() {
    let text = |field: &str, bytes: usize| {
        let document = read(&format!(r#","{field}":"{}""#, "x".repeat(bytes)));
        [document.preferred_username, document.name, document.summary]
            .into_iter()
            .flatten()
            .count()
    };
    for (field, max) in [
        ("preferredUsername", USERNAME_BYTES_MAX),
        ("name", NAME_BYTES_MAX),
        ("summary", SUMMARY_BYTES_MAX),
    ] {
        assert_eq!(text(field, max), 1, "{field}");
        assert_eq!(text(field, max + 1), 0, "{field}");
    }
    let far = format!("https://a.example/{}", "x".repeat(id::ID_BYTES_MAX));
    let document = read(&format!(r#","url":"{far}","followers":"{far}""#));
    assert_eq!((document.url, document.followers), (None, None));
    assert!(document_of(&format!(r#"{{"type":"Person","id":"{far}"}}"#)).is_err());
}

#[test]
fn rows_and_emoji_are_taken_in_order_while_there_is_room() {
    let rows = |count: usize, bytes: usize| {
        let row = format!(
            r#"{{"type":"PropertyValue","name":"x","value":"{}"}}"#,
            "y".repeat(bytes)
        );
        vec![row; count].join(",")
    };
    let face = r#"{"type":"Emoji","name":"x","icon":"https://a.example/e"}"#;
    let document = |rows: String, faces: usize| {
        let faces = vec![face; faces].join(",");
        read(&format!(
            r#","preferredUsername":"u","attachment":[{rows}],"tag":[{faces}]"#
        ))
    };
    // One that does not fit ends it: the rest would be out of order.
    let long = document(rows(9, 20 << 10), 1);
    assert_eq!((long.fields.len(), long.emoji.len()), (3, 1));
    // Even of the shortest there are only so many.
    let many = document(rows(9_000, 0), 9_000);
    assert_eq!(
        (many.fields.len(), many.emoji.len()),
        ((DOCUMENT_BYTES_MAX - 20) / (ITEM_BYTES + 1), 0)
    );
    for document in [long, many, document(String::new(), 9_000)] {
        assert!(document.bytes() <= DOCUMENT_BYTES_MAX);
        assert_eq!(document.preferred_username, some("u"));
    }
}
