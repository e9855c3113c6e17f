//! Posts as statuses.

use super::super::account::AccountSource;
use super::super::worst_posts;
use super::*;
use crate::example;
use serde_json::value::{RawValue, to_raw_value};

/// A failure means that a megabyte becomes many.
#[test]
fn a_status_is_in_proportion_to_what_was_written_of_it() {
    let mentioned = |n: usize| KnownMention {
        actor: format!("https://a.example/{n}"),
        id: n.to_string(),
        username: n.to_string(),
        acct: n.to_string(),
    };
    let ana = "https://a.example/users/ana";
    let account = || {
        Account::new(&AccountSource {
            actor: ana,
            id: "1",
            document: None,
            base_url: "https://home.example",
            is_local: false,
        })
    };
    for bytes in [20_000, 100_000] {
        for (what, object) in worst_posts::objects(bytes) {
            let mut post = example::post(ana);
            let written = object.to_string();
            post.body.object = RawValue::from_string(written.clone()).unwrap();
            let context = StatusContext {
                id: "1".to_owned(),
                account: account(),
                base_url: "https://home.example".into(),
                in_reply_to_id: None,
                in_reply_to_account_id: None,
                mentioned: (0..ITEMS_MAX).map(mentioned).collect(),
            };
            let status = Status::new(&post, context, None, Time::default());
            let json = status.into_json(written.len());
            let room = GROWTH_MAX * written.len() + GROWTH_BYTES + 2_000;
            assert!(
                json.len() <= room,
                "{what}: {} of {}",
                json.len(),
                written.len()
            );
        }
    }
}

fn shown(object: &Value, path: &str) -> Value {
    let mentioned = [
        "https://a.example/u",
        "https://A.example:443/u/",
        "javascript:1",
    ];
    let mentioned = mentioned.map(|actor| KnownMention {
        actor: actor.to_owned(),
        id: "7".to_owned(),
        username: "u".to_owned(),
        acct: "u@a.example".to_owned(),
    });
    let object = to_raw_value(object).unwrap();
    let object = &ObjectFields::of(LooseValue::from(&*object));
    let all = json!({"mentions": mentions(object, &mentioned), "tags": hashtags(object, "https://home.example"),
        "emojis": emojis(object)});
    all.pointer(path).cloned().unwrap_or_default()
}

/// A failure means that a click in a client runs a stranger's script, or that a stranger is shown under another's name.
#[test]
fn tags_lead_to_pages_and_people_are_called_what_they_are() {
    let mention = |href: &str| json!({"type": "Mention", "href": href, "name": "@bob@b.example"});
    let mentions = json!({"tag": [mention("https://a.example/u"), mention("https://A.example:443/u/"), mention("javascript:1"),
        mention("https://a.example/stranger")]});
    let expected =
        json!([{"id": "7", "username": "u", "url": "https://a.example/u", "acct": "u@a.example"}]);
    assert_eq!(shown(&mentions, "/mentions"), expected);
    for bad in [
        "javascript:1",
        "data:x",
        "/x",
        "//a.example",
        "ftp://a.example/",
    ] {
        let tags = json!({"tag": [{"type": "Hashtag", "name": "#Tide", "href": bad},
            {"type": "Emoji", "name": ":cat:", "icon": {"url": bad}}]});
        assert_eq!(
            shown(&tags, "/tags/0/url"),
            "https://home.example/tags/tide"
        );
        assert_eq!(shown(&tags, "/emojis"), json!([]));
    }
    let emoji = |name: &str| json!({"tag": {"type": "Emoji", "name": name, "icon": {"url": "HTTPS://A.example/c.png"}}});
    assert_eq!(
        shown(&emoji(":cat:"), "/emojis/0/url"),
        "https://a.example/c.png"
    );
    assert_eq!(shown(&emoji("cat<b>"), "/emojis"), json!([]));
}
