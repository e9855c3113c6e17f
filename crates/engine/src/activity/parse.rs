//! Activities from bytes. Pure.
//!
//! The activity is validated once, and the fields of it and of its object are found once: 2 KB take a few microseconds. An
//! unusable record is refused with a reason that says what to send instead, and goes to the dead letters.

use crate::activity::Activity;
use crate::activity::Delivery;
use crate::activity::actor::{self, ActorDocument, ActorKind};
use crate::activity::followers::by_convention;
use crate::activity::object::{self, Enclosing};
use crate::id;
use crate::json::{FieldName, Input, LooseValue, ObjectFields};
use crate::record::Vouched;
use std::borrow::Cow;

/// The reason against an unverified activity inside an Announce: its announcer may have made it up.
const INNER_VERIFIED: &str = "nobody vouches for the activity inside the Announce: fetch its object where it lives and send that alone \
     with `fetched: true`, or, if your instance verified the inner author too (by a signature of the inner activity, or by fetching \
     it), send it with `inner-verified: true`";

/// Decodes one activity, or a bare post or actor if the instance fetched it; an activity inside an Announce only if the
/// instance verified its author too. Errors: what is wrong and what to send instead.
pub fn decode(value: &[u8], vouched: Vouched) -> Result<Activity, String> {
    let fetched = vouched.fetched;
    let outermost = ObjectFields::validate("it", Input::new(value)?)?;
    match Kind::of("it", &outermost)? {
        Kind::Note | Kind::Post if fetched => {
            post(Delivery::Fetched, &outermost, Enclosing::Nothing, true)
        }
        Kind::Note | Kind::Post => Err(
            "it is a post without an activity: wrap it in a Create, or, if your instance fetched it, \
             set `fetched: true`"
                .to_owned(),
        ),
        Kind::Actor if fetched => {
            Ok(Activity::Actor(Box::new(ActorDocument::of(&outermost)?)))
        }
        Kind::Announce => announce(&outermost, vouched),
        kind => activity(kind, &outermost, fetched),
    }
}

/// The id by which records of this activity are keyed and partitioned: the post's author, the actor of a document, or the
/// actor who deletes a post or takes back a boost. None if nothing of the activity is kept.
pub fn author_key(activity: &Activity) -> Option<&str> {
    match activity {
        Activity::Post { body, .. } => Some(&body.author),
        Activity::Actor(document) => Some(&document.id),
        Activity::Delete { by, .. } | Activity::Unboost { by, .. } => Some(by),
        Activity::Ignored(_) => None,
    }
}

/// The id of the actor of an activity, read as [`decode`] reads it; none if it has none that can be one.
pub fn actor(value: &[u8]) -> Option<String> {
    let activity = ObjectFields::validate("it", Input::new(value).ok()?).ok()?;
    object::actor_of(&activity).ok().map(Cow::into_owned)
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
    fn of(label: &str, object: &ObjectFields<'_>) -> Result<Kind, String> {
        let names = object
            .get(FieldName::Type)
            .items()
            .filter_map(LooseValue::text);
        let mut kinds = names.map(|name| Kind::named(&name));
        let Some(first) = kinds.next() else {
            return Err(format!(
                "{label} has no type: send `type` as a name such as Create or Note"
            ));
        };
        let mut kinds = std::iter::once(first).chain(kinds);
        let known = kinds.find(|kind| *kind != Kind::Other);
        Ok(known.unwrap_or(Kind::Other))
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
            "Like" => Kind::Quiet("Like", "Undo Like"),
            "Follow" => Kind::Quiet("Follow", "Undo Follow"),
            "Accept" => Kind::Quiet("Accept", "Undo Accept"),
            "Reject" => Kind::Quiet("Reject", "Undo Reject"),
            "Flag" => Kind::Quiet("Flag", "Undo Flag"),
            "Add" => Kind::Quiet("Add", "Undo Add"),
            "Remove" => Kind::Quiet("Remove", "Undo Remove"),
            "Block" => Kind::Quiet("Block", "Undo Block"),
            "View" => Kind::Quiet("View", "Undo View"),
            _ if ActorKind::named(name).is_some() => Kind::Actor,
            _ => Kind::Other,
        }
    }
}

/// Any activity but an Announce, which alone may have another inside.
fn activity(kind: Kind, activity: &ObjectFields<'_>, fetched: bool) -> Result<Activity, String> {
    match kind {
        Kind::Create if fetched => create_or_update(Delivery::Fetched, activity, fetched),
        Kind::Create => create_or_update(Delivery::Create, activity, fetched),
        Kind::Update => create_or_update(Delivery::Update, activity, fetched),
        Kind::Delete => delete(activity),
        Kind::Undo => undo(activity),
        Kind::Quiet(name, _) => Ok(Activity::Ignored(name)),
        Kind::Announce => {
            Err("it is an Announce of an Announce: send the inner one alone".to_owned())
        }
        Kind::Note | Kind::Post | Kind::Actor | Kind::Other => Ok(Activity::Ignored("other")),
    }
}

fn create_or_update(
    how: Delivery,
    activity: &ObjectFields<'_>,
    fetched: bool,
) -> Result<Activity, String> {
    object::actor_of(activity)?;
    let enclosing = match how {
        Delivery::Update => Enclosing::Update(activity),
        _ => Enclosing::Create(activity),
    };
    let object = match Target::of(activity)? {
        Target::Embedded(object) => object,
        Target::Id(id) => {
            return Err(format!(
                "the object is only an id, {}: send the post itself as `object`",
                id::quoted(&id)
            ));
        }
    };
    match (Kind::of("the object", &object)?, how) {
        (Kind::Note | Kind::Post, _) => post(how, &object, enclosing, fetched),
        (Kind::Actor, Delivery::Update) => actor_update(activity, &object, fetched),
        (_, Delivery::Update) => Ok(Activity::Ignored("Update other")),
        _ => Ok(Activity::Ignored("Create other")),
    }
}

/// The `update` of an actor.
fn actor_update(
    update: &ObjectFields<'_>,
    actor: &ObjectFields<'_>,
    fetched: bool,
) -> Result<Activity, String> {
    let mut document = ActorDocument::of(actor)?;
    object::same_host(
        ("the activity's actor", &object::actor_of(update)?),
        ("the actor it is about", &document.id),
        match fetched {
            true => "it was fetched: send the actor alone, without the activity around it",
            false => "fetch the actor where it lives and send it alone with `fetched: true`",
        },
    )?;
    document.updated = document
        .updated
        .or_else(|| object::time_of(update.get(FieldName::Updated)));
    Ok(Activity::Actor(Box::new(document)))
}

fn post(
    how: Delivery,
    object: &ObjectFields<'_>,
    enclosing: Enclosing<'_>,
    fetched: bool,
) -> Result<Activity, String> {
    if is_vote(object) && Kind::of("the object", object)? == Kind::Note {
        return Ok(Activity::Ignored("vote"));
    }
    let body = object::post(object, enclosing, fetched)?;
    let authors = object::authors(object, enclosing);
    Ok(Activity::Post {
        how,
        followers: object::followers_named(&body.author, authors),
        author: actor::embedded(&body.author, authors),
        body: Box::new(body),
        original: None,
    })
}

/// Whether a Note is a vote in a poll: it answers the poll, and has a name and no text. Of several fields of one name each
/// counts here.
fn is_vote(note: &ObjectFields<'_>) -> bool {
    // Hardly any Note has a name.
    if note.get(FieldName::Name).is_absent() || note.get(FieldName::InReplyTo).id().is_none() {
        return false;
    }
    let (mut has_name, mut has_more) = (false, false);
    for (name, value) in note.value().fields() {
        match &*name {
            "name" => has_name |= !value.is_empty(),
            "content" | "attachment" => has_more |= !value.is_empty(),
            "contentMap" => has_more |= value.fields().next().is_some(),
            _ => {}
        }
    }
    has_name && !has_more
}

fn announce(announce: &ObjectFields<'_>, vouched: Vouched) -> Result<Activity, String> {
    let actor = &*object::actor_of(announce)?;
    let booster = || actor::embedded(actor, [announce.get(FieldName::Actor)]);
    let boost = |original: &str| {
        let original = id::check("the announced object's id", original)?;
        object::boost(announce, actor, original)
    };
    let inner = match Target::of(announce)? {
        Target::Id(original) => {
            return Ok(Activity::Post {
                how: Delivery::Announce,
                body: Box::new(boost(&original)?),
                original: None,
                author: booster(),
                followers: object::followers_named(actor, [announce.get(FieldName::Actor)]),
            });
        }
        Target::Embedded(inner) => inner,
    };
    // Only here may a type be missing: the id is all that counts.
    let kind = Kind::of("the object", &inner).unwrap_or(Kind::Other);
    let is_activity = match kind {
        Kind::Note | Kind::Post | Kind::Actor => false,
        Kind::Other => {
            !inner.get(FieldName::Object).is_none() && inner.get(FieldName::Actor).id().is_some()
        }
        _ => true,
    };
    if is_activity {
        let inside = |reason| format!("inside an Announce: {reason}");
        return match activity(kind, &inner, vouched.fetched).map_err(inside)? {
            // Most of what communities pass on are votes, which backends do not mark as verified.
            ignored @ Activity::Ignored(_) => Ok(ignored),
            inner if vouched.inner_verified => Ok(relayed(inner)),
            _ => Err(INNER_VERIFIED.to_owned()),
        };
    }
    let original = inner
        .get(FieldName::Id)
        .text()
        .ok_or("the announced object has no id: send its id as `object`")?;
    let body = boost(&original)?;
    // Believed only if by the booster and fit to be a post by itself; else it is as if only its id had come.
    let author = inner.get(FieldName::AttributedTo);
    let is_own = matches!(kind, Kind::Note | Kind::Post)
        && author.agent().and_then(LooseValue::id).as_deref() == Some(actor);
    let original = if is_own {
        object::post(&inner, Enclosing::Nothing, vouched.fetched)
            .ok()
            .map(Box::new)
    } else {
        None
    };
    Ok(Activity::Post {
        how: Delivery::Announce,
        body: Box::new(body),
        original,
        author: booster(),
        followers: object::followers_named(
            actor,
            std::iter::once(announce.get(FieldName::Actor)).chain(is_own.then_some(author)),
        ),
    })
}

/// An activity that another server passed on, without the followers collection it names: that decides who sees posts that
/// are not public, so only the author's own server may name it.
fn relayed(activity: Activity) -> Activity {
    match activity {
        Activity::Post {
            how,
            mut body,
            original,
            author,
            followers: Some(_),
        } => {
            let followers = by_convention(&body.author);
            body.decide_visibility(|collection| collection == followers);
            Activity::Post {
                how,
                body,
                original,
                author,
                followers: None,
            }
        }
        Activity::Actor(mut document) => {
            document.followers = None;
            Activity::Actor(document)
        }
        other => other,
    }
}

fn delete(delete: &ObjectFields<'_>) -> Result<Activity, String> {
    let by = object::actor_of(delete)?;
    let uri = match Target::of(delete)? {
        Target::Id(uri) => uri,
        Target::Embedded(object) => object.get(FieldName::Id).text().unwrap_or_default(),
    };
    removal(&by, &uri)
}

fn undo(undo: &ObjectFields<'_>) -> Result<Activity, String> {
    let by = &*object::actor_of(undo)?;
    let inner = match Target::of(undo)? {
        Target::Id(uri) => return removal(by, &uri),
        Target::Embedded(inner) => inner,
    };
    let uri = inner.get(FieldName::Id).text();
    let kind = match Kind::of("the object", &inner) {
        Ok(kind) => kind,
        Err(reason) => return removal(by, &uri.ok_or(reason)?),
    };
    match kind {
        Kind::Quiet(_, undone) => return Ok(Activity::Ignored(undone)),
        Kind::Announce => {}
        _ => return Ok(Activity::Ignored("Undo other")),
    }
    if let Some(actor) = inner.get(FieldName::Actor).agent().and_then(LooseValue::id)
        && actor != by
    {
        return Err(format!(
            "{} takes back an Announce by {}: only the same actor may",
            id::quoted(by),
            id::quoted(&actor)
        ));
    }
    if let Some(uri) = uri {
        return removal(by, &uri);
    }
    let original = match Target::of(&inner)? {
        Target::Id(original) => original,
        Target::Embedded(object) => object.get(FieldName::Id).text().unwrap_or_default(),
    };
    id::check("the id of what is no longer announced", &original)?;
    Ok(Activity::Unboost {
        by: by.to_owned(),
        original: original.into_owned(),
    })
}

fn removal(by: &str, uri: &str) -> Result<Activity, String> {
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
    Id(Cow<'a, str>),
    Embedded(ObjectFields<'a>),
}

impl<'a> Target<'a> {
    fn of(activity: &ObjectFields<'a>) -> Result<Target<'a>, String> {
        let object = activity.get(FieldName::Object);
        if object.is_none() {
            return Err("the activity has no object: send what it is about as `object`".to_owned());
        }
        let target = object.sole("the object")?;
        match target.string() {
            Some(id) => Ok(Target::Id(id)),
            None => ObjectFields::expect("the object", target).map(Target::Embedded),
        }
    }
}

#[cfg(test)]
mod tests;
