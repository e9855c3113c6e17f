//! The images, sounds and films of a post. Pure.

use super::document::{Document, LOOKED_AT_MAX, Link, is_of, read};
use super::ids::number_of;
use crate::feed::kept::Post;
use serde_json::{Map, Value, json};

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
struct Medium<'a> {
    item: Document<'a>,
    link: Link<'a>,
    kind: &'static str,
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

    /// As Mastodon's API shows it.
    fn shown(&self, language: Option<&str>) -> Value {
        let (item, url, kind) = (self.item, &self.link.href, self.kind);
        let preview = item
            .link("icon")
            .or_else(|| (kind == "image").then(|| url.clone()));
        json!({"id": number_of(self.link.written).to_string(), "type": kind, "url": url, "preview_url": preview,
            "remote_url": url, "preview_remote_url": preview, "text_url": null, "meta": self.meta(),
            "description": item.worded("name", "nameMap", language).or_else(|| item.worded("summary", "summaryMap", language)),
            "blurhash": item.text("blurhash")})
    }

    fn meta(&self) -> Map<String, Value> {
        let mut meta = Map::new();
        let pixels = |name: &str| {
            let number = self.item.whole(name).or_else(|| self.link.item.whole(name));
            number.filter(|number| 0 < *number)
        };
        if let (Some(width), Some(height)) = (pixels("width"), pixels("height")) {
            let size = format!("{width}x{height}");
            let aspect = width as f64 / height as f64;
            let original =
                json!({"width": width, "height": height, "size": size, "aspect": aspect});
            meta.insert("original".to_owned(), original);
        }
        let focus = self.item.items("focalPoint");
        let at = |nth: usize| {
            let number = focus.get(nth)?.as_f64()?;
            (-1.0..=1.0).contains(&number).then_some(number)
        };
        if let (Some(x), Some(y)) = (at(0), at(1)) {
            meta.insert("focus".to_owned(), json!({"x": x, "y": y}));
        }
        meta
    }
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

/// The first `max` media of a post, as Mastodon's API shows them.
pub(super) fn media(document: Document<'_>, language: Option<&str>, max: usize) -> Vec<Value> {
    let media = document.items("attachment").iter().take(LOOKED_AT_MAX);
    let media = media.filter_map(Medium::new);
    media
        .map(|medium| medium.shown(language))
        .take(max)
        .collect()
}

/// Whether a post has media that are shown.
pub fn has_media(post: &Post) -> bool {
    let object = read(&post.body.object);
    let items = Document::new(&object).items("attachment");
    items
        .iter()
        .take(LOOKED_AT_MAX)
        .any(|item| Medium::new(item).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of an attachment, by a path into it.
    fn shown(attachment: &Value, path: &str) -> Value {
        let document = json!({"attachment": attachment});
        let shown = media(Document::new(&document), Some("en"), 9);
        Value::from(shown)
            .pointer(path)
            .cloned()
            .unwrap_or_default()
    }

    #[test]
    fn what_a_medium_is_is_said_in_many_places() {
        let url = "https://a.example/1";
        for (attachment, kind) in [
            (
                json!({"type": "Document", "url": url, "mediaType": "image/png"}),
                "image",
            ),
            (
                json!({"type": "Document", "url": url, "mediaType": "IMAGE/JPEG"}),
                "image",
            ),
            (
                json!({"type": "Document", "url": url, "mediaType": "video/mp4; codecs=av1"}),
                "video",
            ),
            (
                json!({"type": "Document", "url": url, "mimeType": "audio/ogg"}),
                "audio",
            ),
            (
                json!({"type": "Document", "url": {"href": url, "mediaType": "image/webp"}}),
                "image",
            ),
            (
                json!({"type": "Document", "url": [{"href": url, "mimeType": "image/webp"}]}),
                "image",
            ),
            (
                json!({"type": "Link", "href": url, "mediaType": "image/webp"}),
                "image",
            ),
            (json!({"type": "Image", "url": url}), "image"),
            (json!({"type": ["Video"], "url": url}), "video"),
            (
                json!({"type": "Audio", "url": format!("{url}.png")}),
                "audio",
            ),
            (
                json!({"type": "Document", "url": format!("{url}.JPEG?size=9#x")}),
                "image",
            ),
            (json!({"url": format!("{url}.opus")}), "audio"),
            (
                json!({"type": "Document", "url": format!("{url}.webm"), "mediaType": "application/octet-stream"}),
                "video",
            ),
            (
                json!({"type": "Document", "url": format!("{url}.png"), "mediaType": "application/pdf"}),
                "unknown",
            ),
            (json!({"type": "Document", "url": url}), "unknown"),
            (
                json!({"type": "Document", "url": "https://a.png/"}),
                "unknown",
            ),
        ] {
            assert_eq!(shown(&attachment, "/0/type"), kind, "{attachment}");
        }
    }

    #[test]
    fn what_is_no_medium_is_not_shown_as_one() {
        let url = "https://a.example/1";
        for attachment in [
            json!({"type": "PropertyValue", "name": "x", "value": "y", "url": url}),
            json!({"type": "schema:PropertyValue", "name": "x", "url": url}),
            json!({"type": "IdentityProof", "url": url}),
            json!({"type": "Note", "id": url, "url": url}),
            json!({"type": "Link", "href": url}),
            json!({"type": "Link", "href": url, "mediaType": "text/html"}),
            json!({"type": "Image", "url": "javascript:alert(1)"}),
            json!({"type": "Image"}),
            json!("not a link"),
            json!(null),
        ] {
            assert_eq!(shown(&attachment, "/0"), Value::Null, "{attachment}");
        }
    }

    #[test]
    fn of_several_links_the_one_that_plays_is_taken() {
        let film = json!({"type": "Video", "url": [
            {"type": "Link", "href": "https://a.example/w", "mediaType": "text/html"},
            {"type": "Link", "href": "https://a.example/v.mp4", "mediaType": "video/mp4", "height": 720, "width": 1280}]});
        assert_eq!(shown(&film, "/0/url"), "https://a.example/v.mp4");
        assert_eq!(shown(&film, "/0/meta/original/size"), "1280x720");
        assert_eq!(shown(&film, "/0/preview_url"), Value::Null);
    }

    #[test]
    fn sizes_are_whole_and_foci_within_the_picture() {
        let image = |more: Value| {
            let mut image = json!({"type": "Image", "url": "https://a.example/1", "nameMap": {"de": "Boot", "en": "A boat"}});
            image
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            image
        };
        let sized = |width: Value, height: Value| {
            shown(&image(json!({"width": width, "height": height})), "/0/meta").to_string()
        };
        let meta = r#"{"original":{"aspect":1.3333333333333333,"height":480,"size":"640x480","width":640}}"#;
        assert_eq!(sized(json!(640), json!(480)), meta);
        assert_eq!(sized(json!(640.0), json!("480")), meta);
        for (width, height) in [
            (json!(640), json!(0)),
            (json!(-640), json!(480)),
            (json!(640), json!(null)),
        ] {
            assert_eq!(sized(width, height), "{}");
        }
        let focused = |point: Value| shown(&image(json!({"focalPoint": point})), "/0/meta/focus");
        assert_eq!(focused(json!([0.25, -1])), json!({"x": 0.25, "y": -1.0}));
        assert_eq!(focused(json!([0.25])), Value::Null);
        assert_eq!(focused(json!([7, 0])), Value::Null);
        assert_eq!(shown(&image(json!({})), "/0/description"), "A boat");
    }
}
