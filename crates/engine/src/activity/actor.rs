//! What an actor's document says, as far as it is shown. Pure.
//!
//! Documents come by themselves (an `Update`, or fetched) and inside activities and posts, in the place of the author's id.
//! Taken is what an account is drawn from; keys, inboxes and whatever else stands there is left out.
//!
//! A document is never refused for its length: whatever of it is too long is left out. What is left of a text or a link
//! cut short would be neither, and an account can be drawn without any of them.

use crate::activity::date;
use crate::activity::id;
use crate::activity::json::Loose;
use crate::activity::json_scan;
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
    /// Whether it is asked before someone follows it.
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
    /// Reads an object known to be sound JSON. Errors: a reason fit for a dead letter, if it is no actor with an id.
    pub(super) fn read(text: &str) -> Result<ActorDocument, String> {
        let written = Written::read(text);
        let id = text_of(written.id, usize::MAX)
            .ok_or("the actor has no id: send its document with its `id`")?;
        let id = id::check("the actor's id", &id)?.to_owned();
        let kind = kinds_of(written.kind)
            .find_map(|kind| ActorKind::named(&kind))
            .ok_or("the actor has no type: send `type` as a name such as Person")?;
        let mut document = ActorDocument {
            id,
            kind,
            is_whole: id_of(written.inbox).is_some(),
            preferred_username: text_of(written.preferred_username, USERNAME_BYTES_MAX),
            name: text_of(written.name, NAME_BYTES_MAX),
            summary: text_of(written.summary, SUMMARY_BYTES_MAX),
            url: page_of(written.url),
            icon: link_of(written.icon),
            image: link_of(written.image),
            published: time_of(written.published),
            updated: time_of(written.updated),
            followers: id_of(written.followers),
            following: id_of(written.following),
            featured: id_of(written.featured),
            moved_to: id_of(written.moved_to),
            manually_approves_followers: written.manually_approves_followers == "true",
            discoverable: match written.discoverable {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            },
            fields: Vec::new(),
            emoji: Vec::new(),
        };
        let mut room = DOCUMENT_BYTES_MAX.saturating_sub(document.bytes());
        document.fields = fitting(
            &mut room,
            fields_of(written.attachment),
            ProfileField::bytes,
        );
        document.emoji = fitting(&mut room, emoji_of(written.tag), Emoji::bytes);
        Ok(document)
    }

    /// Whether it tells more of an actor than that there is one.
    fn says_who(&self) -> bool {
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

/// The document of `author` among what stands in the `places` of an author or actor, each JSON known to be sound. Only the
/// author's own is believed, and only if it says more than an id would; of several the whole one, then the newest, then
/// the first.
pub(super) fn embedded(author: &str, places: [&str; 2]) -> Option<Box<ActorDocument>> {
    let rank = |document: &ActorDocument| (document.is_whole, document.updated);
    places
        .into_iter()
        .flat_map(json_scan::items)
        .filter(|item| item.starts_with('{'))
        .filter_map(|item| ActorDocument::read(item).ok())
        .filter(|document| document.id == author && document.says_who())
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

/// The values that are looked at, as they are written; empty if missing.
#[derive(Default)]
struct Written<'a> {
    id: &'a str,
    kind: &'a str,
    inbox: &'a str,
    preferred_username: &'a str,
    name: &'a str,
    summary: &'a str,
    url: &'a str,
    icon: &'a str,
    image: &'a str,
    published: &'a str,
    updated: &'a str,
    followers: &'a str,
    following: &'a str,
    featured: &'a str,
    moved_to: &'a str,
    manually_approves_followers: &'a str,
    discoverable: &'a str,
    attachment: &'a str,
    tag: &'a str,
}

impl<'a> Written<'a> {
    /// The last of a name counts, as everywhere.
    fn read(text: &'a str) -> Written<'a> {
        let mut written = Written::default();
        for (name, value) in json_scan::of(text) {
            let field = match &*name {
                "id" => &mut written.id,
                "type" => &mut written.kind,
                "inbox" => &mut written.inbox,
                "preferredUsername" => &mut written.preferred_username,
                "name" => &mut written.name,
                "summary" => &mut written.summary,
                "url" => &mut written.url,
                "icon" => &mut written.icon,
                "image" => &mut written.image,
                "published" => &mut written.published,
                "updated" => &mut written.updated,
                "followers" => &mut written.followers,
                "following" => &mut written.following,
                "featured" => &mut written.featured,
                "movedTo" => &mut written.moved_to,
                "manuallyApprovesFollowers" => &mut written.manually_approves_followers,
                "discoverable" => &mut written.discoverable,
                "attachment" => &mut written.attachment,
                "tag" => &mut written.tag,
                _ => continue,
            };
            *field = value;
        }
        written
    }
}

/// The rows in an `attachment`, which may hold images and whatever else too.
fn fields_of(attachment: &str) -> impl Iterator<Item = ProfileField> {
    things(attachment, "PropertyValue").filter_map(|item| {
        Some(ProfileField {
            name: text_of(field(item, "name")?, NAME_BYTES_MAX)?,
            value: text_of(field(item, "value").unwrap_or_default(), SUMMARY_BYTES_MAX)
                .unwrap_or_default(),
        })
    })
}

/// The emoji in a `tag`, which holds hashtags too.
fn emoji_of(tag: &str) -> impl Iterator<Item = Emoji> {
    things(tag, "Emoji").filter_map(|item| {
        let name = text_of(field(item, "name")?, USERNAME_BYTES_MAX)?;
        let shortcode = name.trim_matches(':');
        let strange = |c: char| c == ':' || c.is_whitespace() || c.is_control();
        if shortcode.is_empty() || shortcode.contains(strange) {
            return None;
        }
        Some(Emoji {
            shortcode: shortcode.to_owned(),
            url: link_of(field(item, "icon")?)?,
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
fn things<'a>(list: &'a str, kind: &'static str) -> impl Iterator<Item = &'a str> {
    json_scan::items(list).filter(move |item| {
        field(item, "type").is_some_and(|kinds| kinds_of(kinds).any(|one| one == kind))
    })
}

/// The value of a field of an object; the last of a name counts.
fn field<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    json_scan::of(object)
        .filter(|(there, _)| there == name)
        .last()
        .map(|(_, value)| value)
}

fn kinds_of(kind: &str) -> impl Iterator<Item = String> {
    json_scan::items(kind).filter_map(|kind| text_of(kind, NAME_BYTES_MAX))
}

/// A text that is not empty and no longer than `bytes_max`.
fn text_of(value: &str, bytes_max: usize) -> Option<String> {
    if !value.starts_with('"') {
        return None;
    }
    let text = Loose::read(value).ok()?;
    let text = text.text()?;
    (text.len() <= bytes_max).then(|| text.to_owned())
}

fn time_of(value: &str) -> Option<Time> {
    date::parse(&text_of(value, NAME_BYTES_MAX)?)
}

/// An id, or that of an embedded object, if it may be one.
fn id_of(value: &str) -> Option<String> {
    let one = json_scan::items(value).next()?;
    let own = if one.starts_with('{') {
        field(one, "id")?
    } else {
        one
    };
    let id = text_of(own, id::ID_BYTES_MAX)?;
    id::check("an id", &id).ok().map(str::to_owned)
}

/// The link to the HTML page, if a list says which one that is, else the first.
fn page_of(value: &str) -> Option<String> {
    let is_page = |item: &&str| {
        let kind = field(item, "mediaType").or_else(|| field(item, "mimeType"));
        let kind = kind.and_then(|kind| text_of(kind, NAME_BYTES_MAX));
        kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
    };
    json_scan::items(value)
        .filter(is_page)
        .find_map(link_of)
        .or_else(|| link_of(value))
}

/// The first http or https URL of a text, a Link, an Image whose `url` is any of these, or a list of any.
fn link_of(value: &str) -> Option<String> {
    // Whatever is larger is more than a link; and each level of it is read once more.
    if DOCUMENT_BYTES_MAX < value.len() {
        return None;
    }
    json_scan::items(value).find_map(|item| {
        if item.starts_with('{') {
            return link_of(field(item, "href").or_else(|| field(item, "url"))?);
        }
        let url = text_of(item, id::ID_BYTES_MAX)?;
        id::check("a link", &url).ok().map(str::to_owned)
    })
}

#[cfg(test)]
mod tests;
