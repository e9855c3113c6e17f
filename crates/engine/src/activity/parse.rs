//! From bytes to meaning.
//!
//! An activity is read once around its object, which is kept as text, and the object once: 2 KB in a few microseconds.
//! What cannot be used is refused with a reason that says what to send instead; the record goes to the dead letters.

use crate::activity::Activity;
use crate::activity::Delivery;
use crate::activity::actor::{self, ActorDocument, ActorKind};
use crate::activity::followers::by_convention;
use crate::activity::id;
use crate::activity::json::{self, Loose, Node, Source};
use crate::activity::object::{self, Around};
use crate::record::Vouched;
use serde_json::value::RawValue;

/// What to do about an activity inside an Announce for which nobody vouches: whoever announces it may have made it up.
const INNER_VERIFIED: &str = "nobody vouches for the activity inside the Announce: fetch its object where it lives and send that alone \
     with `fetched: true`, or, if your instance verified the inner author too (by a signature of the inner activity, or by fetching \
     it), send it with `inner-verified: true`";

/// Understands one activity, or a bare post or actor if the instance fetched it; one inside an Announce, if the instance
/// verified its author too. Errors: what is wrong and what to send instead.
pub fn decode(value: &[u8], vouched: Vouched) -> Result<Activity, String> {
    let fetched = vouched.fetched;
    let source = json::text_of(value)?;
    let text = source.text;
    let node = Node::read("it", source)?;
    match Kind::of("it", &node.kind)? {
        Kind::Note | Kind::Post if fetched => {
            let raw = json::raw_of(text)?;
            posted(Delivery::Fetched, &node, raw, Around::Nothing, true)
        }
        Kind::Note | Kind::Post => Err(
            "it is a post without an activity: wrap it in a Create, or, if your instance fetched it, \
             set `fetched: true`"
                .to_owned(),
        ),
        Kind::Actor if fetched => {
            Ok(Activity::Actor(Box::new(ActorDocument::read(text)?)))
        }
        Kind::Announce => announce(&node, text, vouched),
        kind => activity(kind, &node, fetched),
    }
}

/// The id that records of this activity are keyed and partitioned by: the post's author, the actor told of, or who deletes
/// or takes back a boost. None where nothing is kept.
pub fn author_key(activity: &Activity) -> Option<&str> {
    match activity {
        Activity::Post { body, .. } => Some(&body.author),
        Activity::Actor(document) => Some(&document.id),
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
fn activity(kind: Kind, node: &Node<'_>, fetched: bool) -> Result<Activity, String> {
    match kind {
        Kind::Create if fetched => written(Delivery::Fetched, node, fetched),
        Kind::Create => written(Delivery::Create, node, fetched),
        Kind::Update => written(Delivery::Update, node, fetched),
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
fn written(how: Delivery, node: &Node<'_>, fetched: bool) -> Result<Activity, String> {
    object::actor_of(node)?;
    let around = match how {
        Delivery::Update => Around::Update(node),
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
        (Kind::Note | Kind::Post, _) => posted(how, &object, raw, around, fetched),
        (Kind::Actor, Delivery::Update) => actor_updated(node, raw, fetched),
        (_, Delivery::Update) => Ok(Activity::Ignored("Update other")),
        _ => Ok(Activity::Ignored("Create other")),
    }
}

/// The `update` of an actor, whose document `raw` is.
fn actor_updated(update: &Node<'_>, raw: &RawValue, fetched: bool) -> Result<Activity, String> {
    let mut document = ActorDocument::read(raw.get())?;
    object::same_host(
        ("the activity's actor", object::actor_of(update)?),
        ("the actor it is about", &document.id),
        match fetched {
            true => "it was fetched: send the actor alone, without the activity around it",
            false => "fetch the actor where it lives and send it alone with `fetched: true`",
        },
    )?;
    document.updated = document
        .updated
        .or_else(|| object::time_of(&update.updated));
    Ok(Activity::Actor(Box::new(document)))
}

fn posted(
    how: Delivery,
    object: &Node<'_>,
    raw: &RawValue,
    around: Around<'_>,
    fetched: bool,
) -> Result<Activity, String> {
    // A vote in a poll is a Note of a name and nothing more, to whoever asked: not a post to be read.
    if object.has_name
        && !object.has_content
        && object.in_reply_to.id().is_some()
        && Kind::of("the object", &object.kind)? == Kind::Note
    {
        return Ok(Activity::Ignored("vote"));
    }
    let body = object::post(object, raw, around, fetched)?;
    let actor = around.activity().map_or("", |activity| activity.actor_text);
    Ok(Activity::Post {
        how,
        followers: object::followers_named(&body.author, object::authors(object, around)),
        author: actor::embedded(&body.author, [object.attributed_to_text, actor]),
        body: Box::new(body),
        original: None,
    })
}

fn announce(node: &Node<'_>, text: &str, vouched: Vouched) -> Result<Activity, String> {
    let actor = object::actor_of(node)?;
    let booster = || actor::embedded(actor, [node.actor_text, ""]);
    let boosted = |original: &str| {
        let original = id::check("the announced object's id", original)?;
        object::boost(node, json::raw_of(text)?, actor, original)
    };
    let (inner, raw) = match Target::of(node)? {
        Target::Id(original) => {
            return Ok(Activity::Post {
                how: Delivery::Announce,
                body: Box::new(boosted(&original)?),
                original: None,
                author: booster(),
                followers: object::followers_named(actor, [&node.actor]),
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
        let inside = |reason| format!("inside an Announce: {reason}");
        return match activity(kind, &inner, vouched.fetched).map_err(inside)? {
            // Most of what communities pass on are votes, which nobody marks.
            ignored @ Activity::Ignored(_) => Ok(ignored),
            inner if vouched.inner_verified => Ok(relayed(inner)),
            _ => Err(INNER_VERIFIED.to_owned()),
        };
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
        object::post(&inner, raw, Around::Nothing, vouched.fetched)
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
            std::iter::once(&node.actor).chain(is_own.then_some(&inner.attributed_to)),
        ),
    })
}

/// What another's server passed on. Which collection is an author's followers decides who sees posts that are not for everybody,
/// so only the author's own server says that.
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
        let raw = json::sole("the object", raw)?;
        if !raw.get().starts_with('"') {
            let node = Node::read("the object", Source::part(raw))?;
            return Ok(Target::Embedded(Box::new(node), raw));
        }
        match Loose::read(raw.get())? {
            Loose::Text(id) => Ok(Target::Id(id)),
            _ => Err("the object is not a text: send an id".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
