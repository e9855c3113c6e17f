//! From bytes to meaning.
//!
//! An activity is read once around its object, which is kept as text, and the object once: 2 KB in a few microseconds.
//! What cannot be used is refused with a reason that says what to send instead; the record goes to the dead letters.

use super::lenient::{self, Loose, Node};
use super::object::{self, Around};
use super::{Activity, How, id};
use serde_json::value::RawValue;

/// Understands one activity, or a bare post if the instance fetched it. Errors: what is wrong and what to send instead.
pub fn decode(value: &[u8], envelope_fetched: bool) -> Result<Activity, String> {
    let source = lenient::text_of(value)?;
    let text = source.text;
    let node = Node::read("it", source)?;
    match Kind::of("it", &node.kind)? {
        Kind::Note | Kind::Post if envelope_fetched => {
            Ok(posted(How::Fetched, &node, lenient::raw_of(text)?, Around::Nothing)?)
        }
        Kind::Note | Kind::Post => Err(
            "it is a post without an activity: wrap it in a Create, or, if your instance fetched it, \
             set `fetched: true`"
                .to_owned(),
        ),
        Kind::Announce => announce(&node, text, envelope_fetched),
        kind => activity(kind, &node, envelope_fetched),
    }
}

/// The id that records of this activity are keyed and partitioned by: the post's author, or who deletes or takes back a
/// boost. None where nothing is kept.
pub fn author_key(activity: &Activity) -> Option<&str> {
    match activity {
        Activity::Post { body, .. } => Some(&body.author),
        Activity::Delete { by, .. } | Activity::Unboost { by, .. } => Some(by),
        Activity::Ignored(_) => None,
    }
}

/// What an activity or object is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Create,
    Update,
    Announce,
    Delete,
    Undo,
    /// Understood and ignored: its name, and that of its Undo.
    Quiet(&'static str, &'static str),
    /// The one kind of post that may be a vote.
    Note,
    /// Any other kind of post.
    Post,
    Actor,
    Other,
}

impl Kind {
    /// The first known one of a list, else `Other`. Errors if there is none at all.
    fn of(what: &str, kind: &Loose<'_>) -> Result<Kind, String> {
        let names = || kind.items().iter().filter_map(Loose::text);
        if names().next().is_none() {
            return Err(format!(
                "{what} has no type: send `type` as a name such as Create or Note"
            ));
        }
        Ok(names()
            .map(Kind::named)
            .find(|kind| *kind != Kind::Other)
            .unwrap_or(Kind::Other))
    }

    fn named(name: &str) -> Kind {
        match name {
            "Create" => Kind::Create,
            "Update" => Kind::Update,
            "Announce" => Kind::Announce,
            "Delete" => Kind::Delete,
            "Undo" => Kind::Undo,
            "Note" => Kind::Note,
            "Article" | "Page" | "Question" | "Video" | "Event" | "Audio" => Kind::Post,
            "Person" | "Service" | "Application" | "Group" | "Organization" => Kind::Actor,
            "Like" => Kind::Quiet("Like", "Undo Like"),
            "Follow" => Kind::Quiet("Follow", "Undo Follow"),
            "Accept" => Kind::Quiet("Accept", "Undo Accept"),
            "Reject" => Kind::Quiet("Reject", "Undo Reject"),
            "Flag" => Kind::Quiet("Flag", "Undo Flag"),
            "Add" => Kind::Quiet("Add", "Undo Add"),
            "Remove" => Kind::Quiet("Remove", "Undo Remove"),
            "Block" => Kind::Quiet("Block", "Undo Block"),
            "View" => Kind::Quiet("View", "Undo View"),
            _ => Kind::Other,
        }
    }
}

/// Any activity but an Announce, which alone may have another inside.
fn activity(kind: Kind, node: &Node<'_>, fetched: bool) -> Result<Activity, String> {
    match kind {
        Kind::Create if fetched => written(How::Fetched, node),
        Kind::Create => written(How::Create, node),
        Kind::Update => written(How::Update, node),
        Kind::Delete => delete(node),
        Kind::Undo => undo(node),
        Kind::Quiet(name, _) => Ok(Activity::Ignored(name)),
        Kind::Announce => {
            Err("it is an Announce of an Announce: send the inner one alone".to_owned())
        }
        Kind::Note | Kind::Post | Kind::Actor | Kind::Other => Ok(Activity::Ignored("other")),
    }
}

/// A Create or Update.
fn written(how: How, node: &Node<'_>) -> Result<Activity, String> {
    object::actor_of(node)?;
    let around = match how {
        How::Update => Around::Update(node),
        _ => Around::Create(node),
    };
    let (object, raw) = match Target::of(node)? {
        Target::Embedded(object, raw) => (object, raw),
        Target::Id(id) => {
            return Err(format!(
                "the object is only an id, {}: send the post itself as `object`",
                id::quoted(&id)
            ));
        }
    };
    match (Kind::of("the object", &object.kind)?, how) {
        (Kind::Note | Kind::Post, _) => posted(how, &object, raw, around),
        (Kind::Actor, How::Update) => Ok(Activity::Ignored("Update actor")),
        (_, How::Update) => Ok(Activity::Ignored("Update other")),
        _ => Ok(Activity::Ignored("Create other")),
    }
}

fn posted(
    how: How,
    object: &Node<'_>,
    raw: &RawValue,
    around: Around<'_>,
) -> Result<Activity, String> {
    // A vote in a poll is a Note of a name and nothing more, to whoever asked: not a post to be read.
    if object.has_name
        && !object.has_content
        && object.in_reply_to.id().is_some()
        && Kind::of("the object", &object.kind)? == Kind::Note
    {
        return Ok(Activity::Ignored("vote"));
    }
    Ok(Activity::Post {
        how,
        body: Box::new(object::post(object, raw, around)?),
        original: None,
    })
}

fn announce(node: &Node<'_>, text: &str, fetched: bool) -> Result<Activity, String> {
    let actor = object::actor_of(node)?;
    let boosted = |original: &str| {
        let original = id::check("the announced object's id", original)?;
        object::boost(node, lenient::raw_of(text)?, actor, original)
    };
    let (inner, raw) = match Target::of(node)? {
        Target::Id(original) => {
            return Ok(Activity::Post {
                how: How::Announce,
                body: Box::new(boosted(&original)?),
                original: None,
            });
        }
        Target::Embedded(inner, raw) => (inner, raw),
    };
    // Only here may a type be missing: the id is all that counts.
    let kind = Kind::of("the object", &inner.kind).unwrap_or(Kind::Other);
    let is_activity = match kind {
        Kind::Note | Kind::Post | Kind::Actor => false,
        Kind::Other => inner.object.is_some() && inner.actor.id().is_some(),
        _ => true,
    };
    if is_activity {
        return activity(kind, &inner, fetched)
            .map_err(|reason| format!("inside an Announce: {reason}"));
    }
    let original = inner
        .id
        .text()
        .ok_or("the announced object has no id: send its id as `object`")?;
    let body = boosted(original)?;
    // Believed only if by the booster and fit to be a post by itself; else it is as if only its id had come.
    let is_own = matches!(kind, Kind::Note | Kind::Post)
        && inner.attributed_to.agent().and_then(Loose::id) == Some(actor);
    let original = if is_own {
        object::post(&inner, raw, Around::Nothing)
            .ok()
            .map(Box::new)
    } else {
        None
    };
    Ok(Activity::Post {
        how: How::Announce,
        body: Box::new(body),
        original,
    })
}

fn delete(node: &Node<'_>) -> Result<Activity, String> {
    let by = object::actor_of(node)?;
    match Target::of(node)? {
        Target::Id(uri) => gone(by, &uri),
        Target::Embedded(object, _) => gone(by, object.id.text().unwrap_or_default()),
    }
}

fn undo(node: &Node<'_>) -> Result<Activity, String> {
    let by = object::actor_of(node)?;
    let inner = match Target::of(node)? {
        Target::Id(uri) => return gone(by, &uri),
        Target::Embedded(inner, _) => inner,
    };
    let kind = match Kind::of("the object", &inner.kind) {
        Ok(kind) => kind,
        Err(reason) => {
            let uri = inner.id.text().ok_or(reason)?;
            return gone(by, uri);
        }
    };
    match kind {
        Kind::Quiet(_, undone) => return Ok(Activity::Ignored(undone)),
        Kind::Announce => {}
        _ => return Ok(Activity::Ignored("Undo other")),
    }
    if let Some(actor) = inner.actor.agent().and_then(Loose::id)
        && actor != by
    {
        return Err(format!(
            "{} takes back an Announce by {}: only the same actor may",
            id::quoted(by),
            id::quoted(actor)
        ));
    }
    if let Some(uri) = inner.id.text() {
        return gone(by, uri);
    }
    let original = match Target::of(&inner)? {
        Target::Id(original) => original.into_owned(),
        Target::Embedded(object, _) => object.id.text().unwrap_or_default().to_owned(),
    };
    id::check("the id of what is no longer announced", &original)?;
    Ok(Activity::Unboost {
        by: by.to_owned(),
        original,
    })
}

fn gone(by: &str, uri: &str) -> Result<Activity, String> {
    let uri = id::check("the id of what is gone", uri)?;
    object::same_host(
        ("the activity's actor", by),
        ("what is gone", uri),
        "only the author's server may take it away",
    )?;
    Ok(Activity::Delete {
        uri: uri.to_owned(),
        by: by.to_owned(),
    })
}

/// The `object` of an activity.
enum Target<'a> {
    Id(std::borrow::Cow<'a, str>),
    Embedded(Box<Node<'a>>, &'a RawValue),
}

impl<'a> Target<'a> {
    fn of(activity: &Node<'a>) -> Result<Target<'a>, String> {
        let raw = activity
            .object
            .ok_or("the activity has no object: send what it is about as `object`")?;
        let raw = lenient::sole("the object", raw)?;
        if !raw.get().starts_with('"') {
            let node = Node::read("the object", activity.part(raw))?;
            return Ok(Target::Embedded(Box::new(node), raw));
        }
        match Loose::read(raw.get())? {
            Loose::Text(id) => Ok(Target::Id(id)),
            _ => Err("the object is not a text: send an id".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An activity of `https://a.example/u`, its object given as JSON; what comes of it, in a word and the ids.
    fn check(kind: &str, object: &str, expected: &str) {
        let json = format!(
            r#"{{"type":"{kind}","id":"https://a.example/act","actor":"https://a.example/u","published":"2026-11-22T10:00:00Z","updated":"2026-11-22T11:00:00Z","object":{object}}}"#
        );
        let got = match decode(json.as_bytes(), false) {
            Ok(Activity::Post { how, body, .. }) => {
                let time = |time: Option<crate::time::Time>| {
                    time.map_or("never".to_owned(), crate::time::Time::rfc3339)
                };
                let (published, updated) = (time(body.published), time(body.updated));
                format!("{how:?} {} {published} {updated}", body.uri)
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
        for actor in ["Person", "Service", "Application", "Group", "Organization"] {
            check(
                "Update",
                &format!(r#"{{"type":"{actor}"}}"#),
                "Update actor",
            );
        }
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
            let Ok(Activity::Post { original, body, .. }) = decode(json.as_bytes(), false) else {
                panic!("{json}");
            };
            assert_eq!(original.is_some(), believed, "{json}");
            let id = body.boost_of.unwrap();
            assert_eq!(body.uri, format!("https://a.example/u#announce/{id}"));
        }
    }
}
