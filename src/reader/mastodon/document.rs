//! An ActivityPub object as it came, read leniently for show: a field that is not what it should be is none. Pure.

use serde_json::{Map, Value};

/// An object, or what was one.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a>(Option<&'a Map<String, Value>>);

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

    /// A text in the language that comes first, where there are several: `name`, or its map.
    pub fn worded(&self, name: &str, map: &str) -> Option<&'a str> {
        let in_map = || {
            let map = self.get(map)?.as_object()?;
            map.values().find_map(Value::as_str)
        };
        self.text(name).or_else(in_map)
    }

    /// A number that counts something; of a collection its `totalItems`.
    pub fn count(&self, name: &str) -> Option<u64> {
        let value = self.get(name)?;
        value
            .as_u64()
            .or_else(|| Document::new(value).get("totalItems")?.as_u64())
    }

    /// A list: of what is no list, that alone.
    pub fn items(&self, name: &str) -> &'a [Value] {
        match self.get(name) {
            Some(Value::Array(items)) => items,
            Some(Value::Null) | None => &[],
            Some(item) => std::slice::from_ref(item),
        }
    }

    /// Whether it is of this type, or one of its types is.
    pub fn is(&self, kind: &str) -> bool {
        self.items("type")
            .iter()
            .any(|it| it.as_str() == Some(kind))
    }

    /// A link: a text, or a Link's `href`, or the first of several that is http or https; HTML before others.
    pub fn link(&self, name: &str) -> Option<&'a str> {
        let items = self.items(name);
        let is_html = |item: &&Value| Document::new(item).text("mediaType") == Some("text/html");
        let first = items.iter().filter(is_html).chain(items);
        first.filter_map(href).find(|href| is_web(href))
    }
}

/// What a link leads to.
fn href(item: &Value) -> Option<&str> {
    let document = Document::new(item);
    item.as_str()
        .or_else(|| document.text("href"))
        .or_else(|| document.text("url"))
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
                {"href": "https://a.example/w", "mediaType": "text/html"}]});
        let document = Document::new(&value);
        assert_eq!(document.text("content"), None);
        assert_eq!(document.worded("content", "contentMap"), Some("tide"));
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
}
