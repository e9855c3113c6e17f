//! Posts in the shapes that servers send, and what clients of Mastodon's API are shown of them. The shapes are in
//! `tests/shapes/`, a file for each kind: an `object` (its id, author, date and addressee are filled in where they do not
//! matter), and what its status `shows`, by a JSON pointer into it; `has` and `lacks` are pieces of its content.

use crate::support::surface::{ANA, KIM, PUBLIC, Surface};
use reqwest::Method;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use slackwater::clock;
use std::collections::BTreeMap;
use std::path::Path;

/// One shape.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    says: String,
    /// Each field as it is written: the order of languages matters.
    object: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    shows: BTreeMap<String, Value>,
    #[serde(default)]
    has: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
}

/// All shapes, with the ids of their posts.
fn shapes() -> Vec<(String, Shape)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shapes");
    let mut shapes = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let kind = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let of_kind: Vec<Shape> =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert!(!of_kind.is_empty(), "{kind}");
        let ids = (1..).map(|n| format!("{ANA}/{kind}/{n}"));
        shapes.extend(ids.zip(of_kind));
    }
    shapes
}

#[test]
fn every_shape_is_shown_as_clients_expect() {
    let surface = Surface::start("");
    let mut shapes = shapes();
    let now = clock::now().rfc3339();
    let mut activities = Vec::new();
    for (id, shape) in &mut shapes {
        for (name, value) in [
            ("type", "Note"),
            ("attributedTo", ANA),
            ("to", PUBLIC),
            ("published", &now),
            ("id", id),
        ] {
            let value = to_raw_value(value).unwrap();
            shape.object.entry(name.to_owned()).or_insert(value);
        }
        // On one line, as all of it is sent.
        let object = serde_json::to_string(&shape.object)
            .unwrap()
            .replace('\n', " ");
        activities.push(format!(
            r#"{{"type":"Create","id":"{id}#create","actor":"{ANA}","object":{object}}}"#
        ));
    }
    surface.tell_lines(&activities);
    let mut wrong = Vec::new();
    for (id, shape) in &shapes {
        let path = format!("/api/v1/statuses/{}", surface.id_of(id));
        let request = surface.door().request(Method::GET, &path);
        let answer = request.bearer_auth(surface.token("read")).send().unwrap();
        assert_eq!(answer.status(), 200, "{id}");
        let status: Value = answer.json().unwrap();
        let content = status["content"].as_str().expect("content");
        let mut check = |right: bool, what: String| {
            if !right {
                wrong.push(format!("{id}: {}: {what}", shape.says));
            }
        };
        for (pointer, expected) in &shape.shows {
            let found = status.pointer(pointer).unwrap_or(&Value::Null);
            // 640 is not 640.0, to clients either.
            check(
                found == expected,
                format!("{pointer} is {found}, not {expected}"),
            );
        }
        for piece in &shape.has {
            check(
                content.contains(piece),
                format!("{piece:?} is not in {content:?}"),
            );
        }
        for piece in &shape.lacks {
            check(
                !content.contains(piece),
                format!("{piece:?} is in {content:?}"),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A failure means that a post with a hashtag is missed by some of those who follow it, or ask for it.
#[test]
fn a_hashtag_is_one_however_it_is_written() {
    let surface = Surface::start("");
    let stranger = "https://b.example/users/bob";
    let written = ["#cafe\u{301}", "CAFÉ", "＃ｃａｆé"];
    let activities: Vec<Value> = (1..)
        .zip(written)
        .map(|(n, name)| {
            let id = format!("{stranger}/{n}");
            let object = json!({"type": "Note", "id": id, "attributedTo": stranger, "to": PUBLIC, "content": "x",
                "published": clock::now().rfc3339(), "tag": {"type": "Hashtag", "name": name}});
            json!({"type": "Create", "id": format!("{id}#create"), "actor": stranger, "object": object})
        })
        .collect();
    let follow = |target: &str| {
        surface.relate(&[json!({"type": "tag", "account": "7", "target": target})]);
    };
    follow("Café");
    surface.tell(&activities);
    assert_eq!(surface.home().len(), 3);
    let count = |path: &str| {
        let request = surface.door().request(Method::GET, path);
        let answer = request.bearer_auth(surface.token("read")).send().unwrap();
        answer.json::<Value>().unwrap().as_array().unwrap().len()
    };
    assert_eq!(count("/api/v1/timelines/tag/cafe%CC%81"), 3);
    assert_eq!(count("/api/v1/timelines/tag/sea?any[]=CAFE%CC%81"), 3);
    assert_eq!(count("/api/v1/timelines/tag/cafe"), 0, "é is not e");
    let page = surface.backend("/v1/feeds/tag/%EF%BC%83CAFE%CC%81");
    assert_eq!(page["entries"].as_array().unwrap().len(), 3);
    let removed = json!({"type": "tag", "account": "7", "target": "cafe\u{301}", "removed": true});
    surface.relate(&[removed]);
    assert_eq!(surface.home(), [""; 0]);
}

#[test]
fn languages_are_told_as_written_and_compared_without_case() {
    let surface = Surface::start("");
    surface.relate(&[
        json!({"type": "follow", "account": "7", "target": ANA, "languages": ["PT-br"]}),
    ]);
    for (n, language) in (1..).zip(["pt-BR", "pt-br", "pt", "und"]) {
        let id = format!("{ANA}/{n}");
        surface.create(
            &json!({"type": "Note", "id": id, "attributedTo": ANA, "to": PUBLIC, "cc": KIM,
            "published": clock::now().rfc3339(), "contentMap": {language: "maré"}}),
        );
    }
    assert_eq!(surface.home().len(), 3);
}
