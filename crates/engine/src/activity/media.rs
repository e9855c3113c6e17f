//! The images, sounds and films among the attachments of a post. Pure.

use crate::activity::document::{LOOKED_AT_MAX, Link, fields_shown, is_of};
use crate::json::{FieldName, LooseValue, ObjectFields};
use std::borrow::Cow;

/// What an attachment of a post may be and be shown. Rows of profiles, proofs, places and other posts are attached too.
const KINDS: [&str; 5] = ["Document", "Image", "Video", "Audio", "Link"];
/// What the classes of media types are to Mastodon, and the types of objects whose media type is not known.
const CLASSES: [(&str, &str, &str); 3] = [
    ("image/", "Image", "image"),
    ("video/", "Video", "video"),
    ("audio/", "Audio", "audio"),
];
const UNKNOWN: &str = "unknown";

/// Something to look at or listen to.
#[derive(Clone, Debug)]
pub struct Medium<'a> {
    /// What is attached.
    pub item: ObjectFields<'a>,
    /// Where it is.
    pub link: Link<'a>,
    /// Its type in Mastodon's API.
    pub kind: &'static str,
}

impl<'a> Medium<'a> {
    /// What is attached, if it is one.
    fn of(item: LooseValue<'a>) -> Option<Medium<'a>> {
        let item = ObjectFields::of(item);
        let mut kinds = item.value().kinds().peekable();
        if kinds.peek().is_some() && !kinds.any(|kind| KINDS.contains(&&*kind)) {
            return None;
        }
        // What is attached may itself be a Link.
        let links = || {
            item.links(FieldName::Url)
                .chain(item.links(FieldName::Href))
        };
        let class = Class::of(&item);
        // Of several the first that can be played; some are pages about it.
        let link = links()
            .find(|link| class.kind_of(link) != UNKNOWN)
            .or_else(|| links().next())?;
        let kind = class.kind_of(&link);
        // A link to whatever is no file.
        let is_page = item.is("Link") && kind == UNKNOWN;
        (!is_page).then_some(Medium { item, link, kind })
    }
}

/// The media among what is attached to a post.
pub fn media<'a>(object: &ObjectFields<'a>) -> impl Iterator<Item = Medium<'a>> + use<'a> {
    let items = object
        .get(FieldName::Attachment)
        .items()
        .take(LOOKED_AT_MAX);
    items.filter_map(Medium::of)
}

/// Whether a post that `object` describes has media that are shown.
pub(super) fn has_media(object: LooseValue<'_>) -> bool {
    media(&fields_shown(object)).next().is_some()
}

/// What an attachment says of its kind, read once for all of its links.
struct Class<'a> {
    media_type: Option<Cow<'a, str>>,
    /// Its kind by its `type`.
    kind: Option<&'static str>,
}

impl<'a> Class<'a> {
    fn of(item: &ObjectFields<'a>) -> Class<'a> {
        let by_type = CLASSES.iter().find(|(_, kind, _)| item.is(kind));
        Class {
            media_type: item.media_type(),
            kind: by_type.map(|(.., kind)| *kind),
        }
    }

    /// The kind of medium a link of the attachment leads to: by the link's media type, the attachment's, its type, or the
    /// ending of the URL.
    fn kind_of(&self, link: &Link<'_>) -> &'static str {
        let media_type = link.media_type.as_ref().or(self.media_type.as_ref());
        // Some servers say so of whatever they do not know.
        let media_type = media_type.filter(|it| !is_of(it, "application/octet-stream"));
        if let Some(media_type) = media_type {
            return kind_by_media_type(media_type).unwrap_or(UNKNOWN);
        }
        let by_ending = || mime_guess::from_ext(ending(&link.href)).first_raw();
        self.kind
            .or_else(|| kind_by_media_type(by_ending()?))
            .unwrap_or(UNKNOWN)
    }
}

fn kind_by_media_type(media_type: &str) -> Option<&'static str> {
    let class = CLASSES.iter().find(|(class, ..)| is_of(media_type, class));
    class.map(|(.., kind)| *kind)
}

/// What stands after the last dot of a URL's path.
fn ending(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}
