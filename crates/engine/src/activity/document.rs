//! An ActivityPub object as it came, read leniently for show: a field that is not what it should be is none. Pure.

use crate::activity::id::ID_BYTES_MAX;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::cell::Cell;
use std::fmt;
use url::Url;

/// The largest whole number that every client reads as it is: those in JavaScript have no larger ones.
pub const WHOLE_MAX: u64 = (1 << 53) - 1;

/// How many items of a list are looked at, shown or not.
pub const LOOKED_AT_MAX: usize = 2_000;
/// The most values of an object that are looked at, those in others too: each takes much more memory than it has bytes.
const VALUES_MAX: usize = 1 << 14;

/// An object as JSON, whatever of it is beyond [`VALUES_MAX`] left out.
pub fn read(object: &RawValue) -> Value {
    let left = Cell::new(VALUES_MAX);
    let mut written = serde_json::Deserializer::from_str(object.get());
    Part(&left).deserialize(&mut written).unwrap_or_default()
}

/// What is read while there is room for it.
#[derive(Clone, Copy)]
struct Part<'a>(&'a Cell<usize>);

impl Part<'_> {
    fn is_full(self) -> bool {
        self.0.get() == 0
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.0.set(self.0.get().saturating_sub(1));
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, is: bool) -> Result<Value, E> {
        Ok(is.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while !self.is_full() {
            match items.next_element_seed(self)? {
                Some(item) => all.push(item),
                None => return Ok(all.into()),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while !self.is_full() {
            match fields.next_key::<String>()? {
                Some(name) => all.insert(name, fields.next_value_seed(self)?),
                None => return Ok(all.into()),
            };
        }
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(all.into())
    }
}

/// An object, or what was one.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a>(Option<&'a Map<String, Value>>);

/// Where something is, and what it is, as far as that is said.
#[derive(Clone, Debug)]
pub struct Link<'a> {
    /// A URL that a browser follows, as [`web`] has it.
    pub href: String,
    /// The same as it is written.
    pub written: &'a str,
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
            Some(Link {
                href: web(href)?,
                written: href,
                media_type: document.media_type(),
                item: document,
            })
        };
        self.items(name).iter().filter_map(link)
    }

    /// The first link of a field; HTML before others.
    pub fn link(&self, name: &str) -> Option<String> {
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

/// A link that a browser follows and that leads to a page: an http or https URL with a host and nobody's password, as a browser
/// writes it, no longer than an id. What is relative, or leads to a program or into the text itself, is none.
pub fn web(link: &str) -> Option<String> {
    if ID_BYTES_MAX < link.len() {
        return None;
    }
    let url = Url::parse(link).ok()?;
    let is_page = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none();
    (is_page && url.as_str().len() <= ID_BYTES_MAX).then(|| url.into())
}

/// A custom emoji's shortcode, without its colons: clients look for nothing else in a text.
pub fn shortcode(name: &str) -> Option<&str> {
    let name = name.trim_matches(':');
    let is_code = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (!name.is_empty() && name.bytes().all(is_code)).then_some(name)
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
        assert_eq!(document.link("url").as_deref(), Some("https://a.example/w"));
        let nothing = Value::from("text");
        assert_eq!(Document::new(&nothing).link("url"), None);
    }

    /// A failure means that a click in a client runs what a stranger wrote.
    #[test]
    fn a_link_leads_to_a_page_or_is_none() {
        for (written, shown) in [
            ("HTTPS://A.Example", Some("https://a.example/")),
            ("https://a.example:443/x y", Some("https://a.example/x%20y")),
            (
                "https://bücher.example/é",
                Some("https://xn--bcher-kva.example/%C3%A9"),
            ),
            (" https://a.example/\n", Some("https://a.example/")),
            ("java\nscript:alert(1)", None),
            ("JavaScript:alert(1)//https://a.example", None),
            ("data:text/html,x", None),
            ("//a.example/x", None),
            ("/x", None),
            ("a.example", None),
            ("", None),
            ("https://", None),
            ("https://you@a.example/", None),
            ("https://:secret@a.example/", None),
            ("ftp://a.example/", None),
            ("blob:https://a.example/1", None),
        ] {
            assert_eq!(web(written).as_deref(), shown, "{written}");
        }
        assert!(web(&format!("https://a.example/{}", "é".repeat(500))).is_none());
    }

    #[test]
    fn a_shortcode_is_letters_digits_and_lines() {
        for (name, code) in [
            (":blob_Cat2:", Some("blob_Cat2")),
            ("a-b", None),
            ("a b", None),
            ("é", None),
            ("::", None),
            ("a\"><img", None),
        ] {
            assert_eq!(shortcode(name), code, "{name}");
        }
    }

    /// A failure means that a megabyte of brackets takes a hundred megabytes.
    #[test]
    fn no_more_is_looked_at_than_there_is_room_for() {
        let object = |text: String| RawValue::from_string(text).unwrap();
        let many = VALUES_MAX + 7;
        let listed = format!("{{\"a\":[{}],\"b\":1}}", vec!["{}"; many].join(","));
        let read_list = read(&object(listed));
        let length = read_list["a"].as_array().map(Vec::len);
        assert_eq!(length, Some(VALUES_MAX - 2));
        assert_eq!(read_list.get("b"), None);
        let few = json!({"a": [1, -2, 0.5, "é\n", true, null, {"b": []}], "c": {"d": "e"}});
        assert_eq!(read(&object(few.to_string())), few);
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
