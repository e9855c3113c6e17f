//! An ActivityPub object as it came, read leniently for show: a field that is not what it should be is none. Pure.

use serde_json::{Map, Value};

/// The largest whole number that every client reads as it is: those in JavaScript have no larger ones.
pub const WHOLE_MAX: u64 = (1 << 53) - 1;

/// An object, or what was one.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a>(Option<&'a Map<String, Value>>);

/// Where something is, and what it is, as far as that is said.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// A URL that a browser follows.
    pub href: &'a str,
    /// A media type as it is written, with parameters, in any case.
    pub media_type: Option<&'a str>,
    /// What else is said there.
    pub item: Document<'a>,
}

impl<'a> Document<'a> {
    /// Of JSON; anything but an object has no fields.
    pub fn new(value: &'a Value) -> Document<'a> {
        Document(value.as_object())
    }

    /// A field as it came.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.0?.get(name)
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// A text that may be there in several languages: `name`, or what its map has in the `language` of the post.
    pub fn worded(&self, name: &str, map: &str, language: Option<&str>) -> Option<&'a str> {
        let in_map = || {
            let map = self.get(map)?.as_object()?;
            let text = |value: &'a Value| value.as_str().filter(|text| !text.is_empty());
            // Of a post in an undetermined language that one.
            let language = language.unwrap_or("und");
            let is_meant = |key: &str| key.eq_ignore_ascii_case(language);
            let meant = map.iter().filter(|(key, _)| is_meant(key));
            let any = map.iter();
            meant.chain(any).find_map(|(_, value)| text(value))
        };
        self.text(name).or_else(in_map)
    }

    /// A number of things or of pixels: a whole one, up to [`WHOLE_MAX`], however it is written.
    pub fn whole(&self, name: &str) -> Option<u64> {
        whole(self.get(name)?)
    }

    /// A number that counts something; of a collection its `totalItems`.
    pub fn count(&self, name: &str) -> Option<u64> {
        let value = self.get(name)?;
        whole(value).or_else(|| Document::new(value).whole("totalItems"))
    }

    /// A list: of what is no list, that alone.
    pub fn items(&self, name: &str) -> &'a [Value] {
        match self.get(name) {
            Some(Value::Array(items)) => items,
            Some(Value::Null) | None => &[],
            Some(item) => std::slice::from_ref(item),
        }
    }

    /// Its types.
    pub fn kinds(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.items("type").iter().filter_map(Value::as_str)
    }

    /// Whether it is of this type, or one of its types is.
    pub fn is(&self, kind: &str) -> bool {
        self.kinds().any(|it| it == kind)
    }

    /// What media type is said of it; `mimeType` is how some servers write it.
    pub fn media_type(&self) -> Option<&'a str> {
        self.text("mediaType").or_else(|| self.text("mimeType"))
    }

    /// The links of a field, which may be a text, a Link, another object with a `url`, or a list of any; of them those that are
    /// http or https.
    pub fn links(&self, name: &str) -> impl Iterator<Item = Link<'a>> + use<'a> {
        let link = |item: &'a Value| {
            let document = Document::new(item);
            let href = item
                .as_str()
                .or_else(|| document.text("href"))
                .or_else(|| document.text("url"))?;
            is_web(href).then(|| Link {
                href,
                media_type: document.media_type(),
                item: document,
            })
        };
        self.items(name).iter().filter_map(link)
    }

    /// The first link of a field; HTML before others.
    pub fn link(&self, name: &str) -> Option<&'a str> {
        let is_html = |link: &Link<'_>| link.media_type.is_some_and(|it| is_of(it, "text/html"));
        let html = self.links(name).find(is_html);
        Some(html.or_else(|| self.links(name).next())?.href)
    }
}

fn whole(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => match number.as_u64() {
            Some(number) => number,
            None => rounded(number.as_f64()?)?,
        },
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Some(number.min(WHOLE_MAX))
}

fn rounded(number: f64) -> Option<u64> {
    let number = number.round();
    (0.0..=WHOLE_MAX as f64)
        .contains(&number)
        .then_some(number as u64)
}

/// Whether a media type, as it is written, is this one, or of this class (`image/`).
pub fn is_of(media_type: &str, wanted: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let is = |it: &str| it.eq_ignore_ascii_case(wanted);
    match wanted.ends_with('/') {
        true => essence.get(..wanted.len()).is_some_and(is),
        false => is(essence),
    }
}

/// Whether it is a link that a browser follows.
pub fn is_web(link: &str) -> bool {
    let has = |scheme: &str| {
        link.get(..scheme.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(scheme))
    };
    has("https://") || has("http://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_is_what_it_should_be_or_none() {
        let value = json!({"content": 7, "contentMap": {"en": "tide"}, "replies": {"totalItems": 3}, "votersCount": 4,
            "tag": {"type": "Mention"}, "none": null, "type": ["Note", "Extra"],
            "url": [{"type": "Link", "href": "magnet:x"}, {"href": "https://a.example/v.mp4", "mediaType": "video/mp4"},
                {"href": "https://a.example/w", "mimeType": "TEXT/html; charset=utf-8"}]});
        let document = Document::new(&value);
        assert_eq!(document.text("content"), None);
        assert_eq!(
            (document.count("replies"), document.count("votersCount")),
            (Some(3), Some(4))
        );
        assert_eq!(
            (document.items("tag").len(), document.items("none").len()),
            (1, 0)
        );
        assert!(document.is("Extra") && !document.is("Question"));
        assert_eq!(document.link("url"), Some("https://a.example/w"));
        let nothing = Value::from("text");
        assert_eq!(Document::new(&nothing).link("url"), None);
        assert!(is_web("HTTPS://a.example") && !is_web("javascript:x") && !is_web("ht"));
    }

    #[test]
    fn the_wording_shown_is_the_one_in_the_posts_language() {
        let value = json!({"contentMap": {"de": "Flut", "pt": "maré", "und": "~", "es": ""}, "name": "Tide", "nameMap": {"de": "Flut"}});
        let worded = |name: &str, language| {
            let map = format!("{name}Map");
            Document::new(&value).worded(name, &map, language)
        };
        assert_eq!(worded("content", Some("pt")), Some("maré"));
        assert_eq!(worded("content", Some("PT")), Some("maré"));
        assert_eq!(worded("content", None), Some("~"));
        assert_eq!(worded("content", Some("es")), Some("Flut"));
        assert_eq!(worded("name", Some("de")), Some("Tide"));
        assert_eq!(worded("summary", None), None);
    }

    #[test]
    fn numbers_are_whole_however_they_are_written() {
        let check = |written: Value, expected: Option<u64>| {
            let value = json!({"width": written});
            assert_eq!(Document::new(&value).whole("width"), expected, "{value}");
        };
        check(json!(640), Some(640));
        check(json!(640.0), Some(640));
        check(json!(639.6), Some(640));
        check(json!(1e300), None);
        check(json!(u64::MAX), Some(WHOLE_MAX));
        check(json!("640"), Some(640));
        check(json!("640px"), None);
        check(json!(-1), None);
        check(json!(-0.2), Some(0));
        check(json!(null), None);
        check(json!({"totalItems": 3}), None);
    }

    #[test]
    fn media_types_are_compared_without_case_and_parameters() {
        assert!(is_of("IMAGE/Jpeg ; q=1", "image/"));
        assert!(is_of("text/HTML;charset=utf-8", "text/html"));
        assert!(
            !is_of("text/html5", "text/html") && !is_of("image", "image/") && !is_of("", "image/")
        );
    }
}
