//! The images, sounds and films of a post, as Mastodon's API shows them.

use super::ids::number_of;
use serde_json::{Map, Value, json};
use slackwater_engine::activity::media::{self, Medium};
use slackwater_engine::json::{FieldName, ObjectFields};

/// The first `max` media of a post, as Mastodon's API shows them.
pub(super) fn media(object: &ObjectFields<'_>, language: Option<&str>, max: usize) -> Vec<Value> {
    let media = media::media(object).take(max);
    media.map(|medium| shown(&medium, language)).collect()
}

fn shown(medium: &Medium<'_>, language: Option<&str>) -> Value {
    let (item, url, kind) = (&medium.item, &medium.link.href, medium.kind);
    let preview = item
        .link(FieldName::Icon)
        .or_else(|| (kind == "image").then(|| url.clone()));
    json!({"id": number_of(&medium.link.written).to_string(), "type": kind, "url": url, "preview_url": preview,
        "remote_url": url, "preview_remote_url": preview, "text_url": null, "meta": meta(medium),
        "description": item.worded(FieldName::Name, FieldName::NameMap, language).or_else(|| item.worded(FieldName::Summary, FieldName::SummaryMap, language)),
        "blurhash": item.get(FieldName::Blurhash).text()})
}

fn meta(medium: &Medium<'_>) -> Map<String, Value> {
    let mut meta = Map::new();
    let pixels = |name: FieldName| {
        let number = medium
            .item
            .get(name)
            .whole()
            .or_else(|| medium.link.item.get(name).whole());
        number.filter(|number| 0 < *number)
    };
    if let (Some(width), Some(height)) = (pixels(FieldName::Width), pixels(FieldName::Height)) {
        let size = format!("{width}x{height}");
        let aspect = width as f64 / height as f64;
        let original = json!({"width": width, "height": height, "size": size, "aspect": aspect});
        meta.insert("original".to_owned(), original);
    }
    let focus = medium.item.get(FieldName::FocalPoint);
    let at = |nth: usize| {
        let number = focus.items().nth(nth)?.number()?;
        (-1.0..=1.0).contains(&number).then_some(number)
    };
    if let (Some(x), Some(y)) = (at(0), at(1)) {
        meta.insert("focus".to_owned(), json!({"x": x, "y": y}));
    }
    meta
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::to_raw_value;
    use slackwater_engine::json::LooseValue;

    /// The fields of an attachment that are shown, by their path.
    fn shown(attachment: &Value, path: &str) -> Value {
        let document = json!({"attachment": attachment});
        let document = to_raw_value(&document).unwrap();
        let document = ObjectFields::of(LooseValue::from(&*document));
        let shown = media(&document, Some("en"), 9);
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
