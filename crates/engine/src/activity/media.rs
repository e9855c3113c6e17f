//! The images, sounds and films of a post: which there are, of all that is attached. Pure.

use crate::activity::document::{Document, LOOKED_AT_MAX, Link, is_of, read};
use serde_json::Value;
use serde_json::value::RawValue;

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
    pub item: Document<'a>,
    /// Where it is.
    pub link: Link<'a>,
    /// Mastodon's word for what it is.
    pub kind: &'static str,
}

impl<'a> Medium<'a> {
    /// What is attached, if it is one.
    fn new(item: &'a Value) -> Option<Medium<'a>> {
        let document = Document::new(item);
        let mut kinds = document.kinds().peekable();
        if kinds.peek().is_some() && !kinds.any(|kind| KINDS.contains(&kind)) {
            return None;
        }
        // What is attached may itself be a Link.
        let links = || document.links("url").chain(document.links("href"));
        let kind = |link: &Link<'_>| kind_of(document, link);
        // Of several the first that can be played; some are pages about it.
        let link = links()
            .find(|link| kind(link) != UNKNOWN)
            .or_else(|| links().next())?;
        let kind = kind(&link);
        // A link to whatever is no file.
        let is_page = document.is("Link") && kind == UNKNOWN;
        (!is_page).then_some(Medium {
            item: document,
            link,
            kind,
        })
    }
}

/// The media among what is attached to a post.
pub fn media<'a>(document: Document<'a>) -> impl Iterator<Item = Medium<'a>> {
    let items = document.items("attachment").iter().take(LOOKED_AT_MAX);
    items.filter_map(Medium::new)
}

/// Whether a post that `object` describes has media that are shown.
pub fn has_media(object: &RawValue) -> bool {
    let object = read(object);
    media(Document::new(&object)).next().is_some()
}

/// Mastodon's word for what a link of an attachment leads to: by its media type, the attachment's, its type, or how the URL ends.
fn kind_of(item: Document<'_>, link: &Link<'_>) -> &'static str {
    let by_media_type = |media_type: &str| {
        let class = CLASSES.iter().find(|(class, ..)| is_of(media_type, class));
        class.map(|(.., kind)| *kind)
    };
    let said = link.media_type.or_else(|| item.media_type());
    // Some servers say so of whatever they do not know.
    let said = said.filter(|it| !is_of(it, "application/octet-stream"));
    if let Some(said) = said {
        return by_media_type(said).unwrap_or(UNKNOWN);
    }
    let by_type = CLASSES.iter().find(|(_, kind, _)| item.is(kind));
    let by_ending = || mime_guess::from_ext(ending(&link.href)).first_raw();
    by_type
        .map(|(.., kind)| *kind)
        .or_else(|| by_media_type(by_ending()?))
        .unwrap_or(UNKNOWN)
}

/// What stands after the last dot of a URL's path.
fn ending(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}
