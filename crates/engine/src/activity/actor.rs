//! The document of an actor, as far as it is shown. Pure.
//!
//! Documents come by themselves (an `Update`, or fetched) and inside activities and posts, in the place of the author's id.
//! Only the fields that an account is drawn from are kept: no keys and no inboxes.
//!
//! A document is never refused for its length: a text or link that is too long is left out and not cut short, since an
//! account can be drawn without any of them.

use crate::date;
use crate::id;
use crate::json::{FieldName, LooseValue, ObjectFields};
use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;

/// The longest `preferredUsername` or shortcode, in bytes; a longer one is left out.
pub const USERNAME_BYTES_MAX: usize = 512;
/// The longest `name`, of an actor or a field, in bytes; a longer one is left out.
pub const NAME_BYTES_MAX: usize = 2_048;
/// The longest `summary` or value of a field, in bytes; a longer one is left out.
pub const SUMMARY_BYTES_MAX: usize = 20 << 10;
/// The bytes of all texts together; fields and emoji are taken in their order while they fit, and the rest is left out.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 10;

/// What each field and emoji counts beside its texts, so that short ones are bounded too.
const ITEM_BYTES: usize = 32;
/// How many ids and links an [`ActorDocument`] has.
const LINKS: usize = 8;
// What is not a list fits, so that a long list can never cost the account its name.
const _: () = assert!(
    LINKS * id::ID_BYTES_MAX + USERNAME_BYTES_MAX + NAME_BYTES_MAX + SUMMARY_BYTES_MAX
        < DOCUMENT_BYTES_MAX
);

/// An actor as its server describes it; all that is kept of it. Texts are as they came: HTML is not made harmless here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorDocument {
    /// The actor's id.
    pub id: String,
    /// Its type.
    pub kind: ActorKind,
    /// Whether it is the whole document and not an excerpt, as some servers embed: it has the `inbox` that every actor must
    /// have (ActivityPub, 4.1).
    pub is_whole: bool,
    /// The name in its handle.
    pub preferred_username: Option<String>,
    /// The name it is shown under, plain text.
    pub name: Option<String>,
    /// What it says of itself, HTML.
    pub summary: Option<String>,
    /// Its page, an http or https URL, perhaps on another host; of several links the one to HTML.
    pub url: Option<String>,
    /// The URL of its avatar; of several the first.
    pub icon: Option<String>,
    /// The URL of its header image; of several the first.
    pub image: Option<String>,
    /// When the account was made, within [`Time::EARLIEST`] and [`Time::LATEST`].
    pub published: Option<Time>,
    /// When its server says it was last edited, bounds as `published`.
    pub updated: Option<Time>,
    /// The id of the collection of its followers.
    pub followers: Option<String>,
    /// The id of the collection of those it follows.
    pub following: Option<String>,
    /// The id of the collection of its pinned posts.
    pub featured: Option<String>,
    /// The id of the actor it has moved to.
    pub moved_to: Option<String>,
    /// Whether a follow needs its approval.
    pub manually_approves_followers: bool,
    /// Whether it wants to be found; none if it does not say.
    pub discoverable: Option<bool>,
    /// The rows of its profile, in their order.
    pub fields: Vec<ProfileField>,
    /// The custom emoji in its texts, in their order.
    pub emoji: Vec<Emoji>,
}

/// What an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActorKind {
    /// A person.
    Person,
    /// A bot.
    Service,
    /// A community.
    Group,
    /// An organization.
    Organization,
    /// A program, mostly a server.
    Application,
}

/// A row of a profile: a `PropertyValue`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileField {
    /// What it is about.
    pub name: String,
    /// What it says, HTML; may be empty.
    pub value: String,
}

/// A custom emoji.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emoji {
    /// Its name, without colons.
    pub shortcode: String,
    /// The URL of its image.
    pub url: String,
}

impl ActorDocument {
    /// The document that an object is. Errors: a reason fit for a dead letter, if it is no actor with an id.
    pub(super) fn of(actor: &ObjectFields<'_>) -> Result<ActorDocument, String> {
        let id = actor
            .get(FieldName::Id)
            .text()
            .ok_or("the actor has no id: send its document with its `id`")?;
        let id = id::check("the actor's id", &id)?.to_owned();
        let mut kinds = actor
            .get(FieldName::Type)
            .items()
            .filter_map(LooseValue::text);
        let kind = kinds
            .find_map(|kind| ActorKind::named(&kind))
            .ok_or("the actor has no type: send `type` as a name such as Person")?;
        let mut document = ActorDocument {
            id,
            kind,
            is_whole: id_of(actor.get(FieldName::Inbox)).is_some(),
            preferred_username: text_of(
                actor.get(FieldName::PreferredUsername),
                USERNAME_BYTES_MAX,
            ),
            name: text_of(actor.get(FieldName::Name), NAME_BYTES_MAX),
            summary: text_of(actor.get(FieldName::Summary), SUMMARY_BYTES_MAX),
            url: page_of(actor.get(FieldName::Url)),
            icon: link_of(actor.get(FieldName::Icon)),
            image: link_of(actor.get(FieldName::Image)),
            published: time_of(actor.get(FieldName::Published)),
            updated: time_of(actor.get(FieldName::Updated)),
            followers: id_of(actor.get(FieldName::Followers)),
            following: id_of(actor.get(FieldName::Following)),
            featured: id_of(actor.get(FieldName::Featured)),
            moved_to: id_of(actor.get(FieldName::MovedTo)),
            manually_approves_followers: actor.get(FieldName::ManuallyApprovesFollowers).boolean()
                == Some(true),
            discoverable: actor.get(FieldName::Discoverable).boolean(),
            fields: Vec::new(),
            emoji: Vec::new(),
        };
        let mut room = DOCUMENT_BYTES_MAX.saturating_sub(document.bytes());
        document.fields = fitting(
            &mut room,
            fields_of(actor.get(FieldName::Attachment)),
            ProfileField::bytes,
        );
        document.emoji = fitting(&mut room, emoji_of(actor.get(FieldName::Tag)), Emoji::bytes);
        Ok(document)
    }

    /// Whether it has a name to show, and so more than an id.
    fn has_name(&self) -> bool {
        self.preferred_username.is_some() || self.name.is_some()
    }

    /// The bytes of all its texts, and a little for each field and emoji: at most [`DOCUMENT_BYTES_MAX`].
    pub fn bytes(&self) -> usize {
        let texts = [
            &self.preferred_username,
            &self.name,
            &self.summary,
            &self.url,
            &self.icon,
            &self.image,
            &self.followers,
            &self.following,
            &self.featured,
            &self.moved_to,
        ];
        self.id.len()
            + texts.into_iter().flatten().map(String::len).sum::<usize>()
            + self.fields.iter().map(ProfileField::bytes).sum::<usize>()
            + self.emoji.iter().map(Emoji::bytes).sum::<usize>()
    }
}

/// The document of `author` among what stands in the `places` of an author or actor. Only the author's own is believed, and
/// only if it says more than an id would; of several the whole one, then the newest, then the first.
pub(super) fn embedded<'a>(
    author: &str,
    places: impl IntoIterator<Item = LooseValue<'a>>,
) -> Option<Box<ActorDocument>> {
    let rank = |document: &ActorDocument| (document.is_whole, document.updated);
    places
        .into_iter()
        .flat_map(LooseValue::items)
        .filter(|item| item.is_object())
        .filter_map(|item| ActorDocument::of(&ObjectFields::of(item)).ok())
        .filter(|document| document.id == author && document.has_name())
        .reduce(|best, next| {
            if rank(&best) < rank(&next) {
                next
            } else {
                best
            }
        })
        .map(Box::new)
}

impl ActorKind {
    /// The name of the type, as ActivityStreams has it.
    pub fn name(self) -> &'static str {
        match self {
            ActorKind::Person => "Person",
            ActorKind::Service => "Service",
            ActorKind::Group => "Group",
            ActorKind::Organization => "Organization",
            ActorKind::Application => "Application",
        }
    }

    /// The kind of this name; none if it is no actor's.
    pub(super) fn named(name: &str) -> Option<ActorKind> {
        match name {
            "Person" => Some(ActorKind::Person),
            "Service" => Some(ActorKind::Service),
            "Group" => Some(ActorKind::Group),
            "Organization" => Some(ActorKind::Organization),
            "Application" => Some(ActorKind::Application),
            _ => None,
        }
    }
}

impl ProfileField {
    fn bytes(&self) -> usize {
        ITEM_BYTES + self.name.len() + self.value.len()
    }
}

impl Emoji {
    fn bytes(&self) -> usize {
        ITEM_BYTES + self.shortcode.len() + self.url.len()
    }
}

/// The rows in an `attachment`, which may hold images and whatever else too.
fn fields_of(attachment: LooseValue<'_>) -> impl Iterator<Item = ProfileField> {
    objects_of(attachment, "PropertyValue").filter_map(|item| {
        Some(ProfileField {
            name: text_of(item.get("name"), NAME_BYTES_MAX)?,
            value: text_of(item.get("value"), SUMMARY_BYTES_MAX).unwrap_or_default(),
        })
    })
}

/// The emoji in a `tag`, which holds hashtags too.
fn emoji_of(tag: LooseValue<'_>) -> impl Iterator<Item = Emoji> {
    objects_of(tag, "Emoji").filter_map(|item| {
        let name = text_of(item.get("name"), USERNAME_BYTES_MAX)?;
        let shortcode = name.trim_matches(':');
        let strange = |c: char| c == ':' || c.is_whitespace() || c.is_control();
        if shortcode.is_empty() || shortcode.contains(strange) {
            return None;
        }
        Some(Emoji {
            shortcode: shortcode.to_owned(),
            url: link_of(item.get("icon"))?,
        })
    })
}

/// From the first on, as many as there is room for.
fn fitting<T>(
    room: &mut usize,
    list: impl Iterator<Item = T>,
    bytes: impl Fn(&T) -> usize,
) -> Vec<T> {
    list.map_while(|item| {
        *room = room.checked_sub(bytes(&item))?;
        Some(item)
    })
    .collect()
}

/// The objects of this type in a list, or the one there is without a list.
fn objects_of<'a>(
    list: LooseValue<'a>,
    kind: &'static str,
) -> impl Iterator<Item = LooseValue<'a>> {
    list.items()
        .filter(move |item| item.kinds().any(|one| one == kind))
}

/// A text that is not empty and no longer than `bytes_max`.
fn text_of(value: LooseValue<'_>, bytes_max: usize) -> Option<String> {
    let text = value.text().filter(|text| text.len() <= bytes_max)?;
    Some(text.into_owned())
}

fn time_of(value: LooseValue<'_>) -> Option<Time> {
    date::parse(&value.text()?)
}

/// An id, or that of an embedded object, if it may be one; of a list the first.
fn id_of(value: LooseValue<'_>) -> Option<String> {
    let id = value.items().next()?.own_id()?;
    id::check("an id", &id).ok().map(str::to_owned)
}

/// The link to the HTML page, if a list says which one that is, else the first.
fn page_of(value: LooseValue<'_>) -> Option<String> {
    let is_page = |item: &LooseValue<'_>| {
        let media_type = item.get("mediaType").or(|| item.get("mimeType")).text();
        media_type.is_some_and(|it| it.to_ascii_lowercase().starts_with("text/html"))
    };
    value
        .items()
        .filter(is_page)
        .find_map(link_of)
        .or_else(|| link_of(value))
}

/// The first http or https URL of a text, a Link, an Image whose `url` is any of these, or a list of any.
fn link_of(value: LooseValue<'_>) -> Option<String> {
    // Whatever is larger is more than a link; and each level of it is read once more.
    if DOCUMENT_BYTES_MAX < value.json().len() {
        return None;
    }
    value.items().find_map(|item| {
        if item.is_object() {
            return link_of(item.get("href").or(|| item.get("url")));
        }
        let url = item.text()?;
        id::check("a link", &url).ok().map(str::to_owned)
    })
}

#[cfg(test)]
mod tests;
