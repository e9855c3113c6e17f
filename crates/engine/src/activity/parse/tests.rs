use super::*;
use crate::activity::document::LOOKED_AT_MAX;
use crate::activity::media::has_media;

/// An activity of `https://a.example/u`, its object given as JSON; what comes of it, in a word and the ids.
fn check(kind: &str, object: &str, expected: &str) {
    let json = format!(
        r#"{{"type":"{kind}","id":"https://a.example/act","actor":"https://a.example/u","published":"2026-11-22T10:00:00Z","updated":"2026-11-22T11:00:00Z","object":{object}}}"#
    );
    let vouched = Vouched {
        inner_verified: true,
        ..Vouched::default()
    };
    let got = match decode(json.as_bytes(), vouched) {
        Ok(Activity::Post { how, body, .. }) => {
            let time = |time: Option<slackwater_order::time::Time>| {
                time.map_or("never".to_owned(), slackwater_order::time::Time::rfc3339)
            };
            let (published, updated) = (time(body.published), time(body.updated));
            format!("{how:?} {} {published} {updated}", body.uri)
        }
        Ok(Activity::Actor(document)) => {
            let updated = document.updated.map(slackwater_order::time::Time::rfc3339);
            format!(
                "{:?} {} {}",
                document.kind,
                document.id,
                updated.unwrap_or_default()
            )
        }
        Ok(Activity::Delete { uri, .. }) => format!("Delete {uri}"),
        Ok(Activity::Unboost { original, .. }) => format!("Unboost {original}"),
        Ok(Activity::Ignored(name)) => name.to_owned(),
        Err(reason) => format!("Err {reason}"),
    };
    assert!(got.starts_with(expected), "{json}: {got}");
}

#[test]
fn every_kind_of_post_is_a_post() {
    for kind in [
        "Note", "Article", "Page", "Question", "Video", "Event", "Audio",
    ] {
        let object = format!(r#"{{"type":"{kind}","id":"https://a.example/1"}}"#);
        check("Create", &object, "Create https://a.example/1");
        check("Update", &object, "Update https://a.example/1");
    }
}

#[test]
fn what_is_not_about_feeds_is_ignored_by_name() {
    for kind in [
        "Like", "Follow", "Accept", "Reject", "Flag", "Add", "Remove", "Block", "View",
    ] {
        check(kind, "{}", kind);
        check(
            "Undo",
            &format!(r#"{{"type":"{kind}"}}"#),
            &format!("Undo {kind}"),
        );
    }
    check("Dislike", "7", "other");
    check("Create", r#"{"type":"Playlist"}"#, "Create other");
    check("Update", r#"{"type":"Playlist"}"#, "Update other");
    check("Undo", r#"{"type":"Delete"}"#, "Undo other");
}

#[test]
fn an_update_of_an_actor_tells_of_it_and_only_its_own_host_may() {
    for actor in ["Person", "Service", "Application", "Group", "Organization"] {
        let object = format!(r#"{{"type":"{actor}","id":"https://a.example/u"}}"#);
        check(
            "Update",
            &object,
            &format!("{actor} https://a.example/u 2026-11-22T11:00:00Z"),
        );
        check("Create", &object, "Create other");
    }
    check(
        "Update",
        r#"{"type":"Person","id":"https://a.example/u","updated":"2026-11-22T09:00:00Z"}"#,
        "Person https://a.example/u 2026-11-22T09:00:00Z",
    );
    check(
        "Update",
        r#"{"type":"Person","id":"https://b.example/u"}"#,
        "Err the activity's actor is \"https://a.example/u\", the actor it is about is \"https://b.example/u\": an activity \
         speaks for its own host only; fetch the actor",
    );
    check("Update", r#"{"type":"Person"}"#, "Err the actor has no id");
    check(
        "Update",
        r#"{"type":"Person","id":"did:a:b"}"#,
        "Err the actor's id is \"did:a:b\"",
    );
}

#[test]
fn the_dates_of_an_activity_fill_in_for_its_objects() {
    for (kind, dates, expected) in [
        ("Create", "", "2026-11-22T10:00:00Z 2026-11-22T11:00:00Z"),
        (
            "Create",
            r#","published":"2020-01-01T00:00:00Z""#,
            "2020-01-01T00:00:00Z 2026-11-22T11:00:00Z",
        ),
        (
            "Create",
            r#","published":"soon","updated":null"#,
            "2026-11-22T10:00:00Z 2026-11-22T11:00:00Z",
        ),
        ("Update", "", "never 2026-11-22T11:00:00Z"),
        (
            "Update",
            r#","updated":"2020-01-01T00:00:00Z""#,
            "never 2020-01-01T00:00:00Z",
        ),
    ] {
        let object = format!(r#"{{"type":"Note","id":"https://a.example/1"{dates}}}"#);
        check(
            kind,
            &object,
            &format!("{kind} https://a.example/1 {expected}"),
        );
    }
    let embedded =
        r#"{"type":"Note","id":"https://b.example/1","published":"2020-01-01T00:00:00Z"}"#;
    check(
        "Announce",
        embedded,
        "Announce https://a.example/act 2026-11-22T10:00:00Z",
    );
}

#[test]
fn an_undo_takes_back_by_id_or_by_what_was_boosted() {
    for (object, expected) in [
        (r#""https://a.example/9""#, "Delete https://a.example/9"),
        (
            r#"{"id":"https://a.example/9"}"#,
            "Delete https://a.example/9",
        ),
        (
            r#"{"type":"Announce","id":"https://a.example/9"}"#,
            "Delete https://a.example/9",
        ),
        (
            r#"{"type":"Announce","object":"https://b.example/1"}"#,
            "Unboost https://b.example/1",
        ),
        (
            r#"{"type":"Announce","object":[{"id":"https://b.example/1"}]}"#,
            "Unboost https://b.example/1",
        ),
        (
            r#"{"type":"Announce","actor":{"id":"https://a.example/u"},"object":"https://b.example/1"}"#,
            "Unboost https://b.example/1",
        ),
        (
            r#"{"type":"Announce","actor":"https://a.example/v","object":"https://b.example/1"}"#,
            "Err \"https://a.example/u\" takes back an Announce by",
        ),
        (
            r#"{"type":"Announce","id":"https://b.example/9"}"#,
            "Err the activity's actor is",
        ),
        (r#""https://b.example/9""#, "Err the activity's actor is"),
        ("{}", "Err the object has no type"),
    ] {
        check("Undo", object, expected);
    }
}

#[test]
fn a_vote_is_a_note_of_a_name_alone() {
    let vote = r#"{"type":"Note","id":"https://a.example/1","name":"North","inReplyTo":"https://b.example/1""#;
    check("Create", &format!("{vote}}}"), "vote");
    for more in [
        r#","content":"x""#,
        r#","contentMap":{"en":"x"}"#,
        r#","attachment":[{}]"#,
        r#","inReplyTo":null"#,
        r#","type":"Question""#,
    ] {
        check(
            "Create",
            &format!("{vote}{more}}}"),
            "Create https://a.example/1",
        );
    }
    check(
        "Create",
        &format!(r#"{vote},"content":"","attachment":[]}}"#),
        "vote",
    );
}

/// A failure means that a timeline of media alone lacks some, or shows posts without any.
#[test]
fn what_a_post_is_said_to_have_attached_is_what_is_shown_of_it() {
    let attached = |attachment: &str| {
        let note = format!(
            r#"{{"id":"https://a.example/1","type":"Note","attributedTo":"https://a.example/u"{attachment}}}"#
        );
        let vouched = Vouched {
            fetched: true,
            ..Vouched::default()
        };
        let Ok(Activity::Post { body, .. }) = decode(note.as_bytes(), vouched) else {
            panic!("{note} is no post");
        };
        assert_eq!(
            body.has_media,
            has_media(LooseValue::from(&*body.object)),
            "{attachment}"
        );
        body.has_media
    };
    let image = r#"{"type":"Image","url":"https://a.example/1.png"}"#;
    for attachment in [
        format!(r#","attachment":{image}"#),
        format!(r#","attachment":[{{"type":"Note"}},{image}]"#),
        format!(r#","attachment":[],"attachment":[{image}]"#),
    ] {
        assert!(attached(&attachment), "{attachment}");
    }
    let rows = "{},".repeat(LOOKED_AT_MAX);
    for attachment in [
        String::new(),
        r#","attachment":null"#.to_owned(),
        r#","attachment":[]"#.to_owned(),
        r#","attachment":[{"type":"PropertyValue","name":"x","url":"https://a.example/1.png"}]"#
            .to_owned(),
        format!(r#","attachment":[{image}],"attachment":[]"#),
        format!(r#","attachment":[{rows}{image}]"#),
        format!(r#","image":{image}"#),
    ] {
        assert!(!attached(&attachment), "{attachment}");
    }
}

#[test]
fn an_activity_inside_an_announce_is_judged_by_its_own_actor() {
    for (object, expected) in [
        (
            r#"{"type":"Delete","actor":"https://b.example/u","object":"https://b.example/1"}"#,
            "Delete https://b.example/1",
        ),
        (
            r#"{"type":"Delete","actor":"https://b.example/u","object":"https://a.example/1"}"#,
            "Err inside an Announce: the activity's actor is",
        ),
        (
            r#"{"type":"Delete","object":"https://b.example/1"}"#,
            "Err inside an Announce: the activity has no actor",
        ),
        (
            r#"{"type":"Dislike","actor":"https://b.example/u","object":"https://a.example/1"}"#,
            "other",
        ),
        (
            r#"{"type":"Announce","actor":"https://b.example/u","object":"https://a.example/1"}"#,
            "Err inside an Announce: it is an Announce of an Announce",
        ),
        (
            r#"{"type":"Person","id":"https://b.example/u"}"#,
            "Announce https://a.example/act",
        ),
        (
            r#"{"id":"https://b.example/1"}"#,
            "Announce https://a.example/act",
        ),
    ] {
        check("Announce", object, expected);
    }
}

#[test]
fn an_own_post_in_a_boost_is_believed_only_if_whole() {
    for (object, believed) in [
        (
            r#"{"type":"Note","id":"https://a.example/1","attributedTo":"https://a.example/u"}"#,
            true,
        ),
        (
            r#"{"type":"Note","id":"https://b.example/1","attributedTo":"https://a.example/u"}"#,
            false,
        ),
        (
            r#"{"type":"Note","id":"https://a.example/1","attributedTo":"https://a.example/v"}"#,
            false,
        ),
        (r#"{"type":"Note","id":"https://a.example/1"}"#, false),
        (
            r#"{"type":"Image","id":"https://a.example/1","attributedTo":"https://a.example/u"}"#,
            false,
        ),
    ] {
        let json =
            format!(r#"{{"type":"Announce","actor":"https://a.example/u","object":{object}}}"#);
        let Ok(Activity::Post { original, body, .. }) = decode(json.as_bytes(), Vouched::default())
        else {
            panic!("{json}");
        };
        assert_eq!(original.is_some(), believed, "{json}");
        let id = body.boost_of.unwrap();
        assert_eq!(body.uri, format!("https://a.example/u#announce/{id}"));
    }
}
