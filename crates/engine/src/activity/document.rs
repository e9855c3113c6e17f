//! What clients are shown of an ActivityStreams object: a field of the wrong shape is none. Pure.

use crate::activity::id::ID_BYTES_MAX;
use crate::json::{FieldName, LooseValue, ObjectFields};
use std::borrow::Cow;
use std::collections::BTreeMap;
use url::Url;

/// The most items of a list that are read, shown or not.
pub const LOOKED_AT_MAX: usize = 2_000;
/// The most values of an object that are read, inner ones too: the rest is left out, since an entry made of a value takes
/// much more memory than its text.
const VALUES_MAX: usize = 1 << 14;

/// The fields of an object, without what comes after its first 16,384 values.
pub fn fields_shown(object: LooseValue<'_>) -> ObjectFields<'_> {
    ObjectFields::of(object.first_values(VALUES_MAX))
}

/// A link, and what its Link object says of its target.
#[derive(Clone, Debug)]
pub struct Link<'a> {
    /// A URL that a browser follows, as [`web`] has it.
    pub href: String,
    /// The same as it is written.
    pub written: Cow<'a, str>,
    /// A media type as it is written, with parameters, in any case.
    pub media_type: Option<Cow<'a, str>>,
    /// The Link object; of a plain URL it has no fields.
    pub item: ObjectFields<'a>,
}

impl<'a> Link<'a> {
    fn of(item: LooseValue<'a>) -> Option<Link<'a>> {
        let fields = ObjectFields::of(item);
        let written = item
            .string()
            .or_else(|| fields.get(FieldName::Href).text())
            .or_else(|| fields.get(FieldName::Url).text())?;
        Some(Link {
            href: web(&written)?,
            written,
            media_type: fields.media_type(),
            item: fields,
        })
    }
}

/// What is shown of objects.
impl<'a> ObjectFields<'a> {
    /// A text that may be there in several languages: `name`, or what its map has in the `language` of the post.
    pub fn worded(
        &self,
        name: FieldName,
        map: FieldName,
        language: Option<&str>,
    ) -> Option<Cow<'a, str>> {
        let in_map = || {
            // Of a post in an undetermined language that one.
            let language = language.unwrap_or("und");
            // In the order of their names, so that what is shown does not depend on the order they are written in.
            let wordings: BTreeMap<_, _> = self.get(map).fields().collect();
            let is_meant = |key: &str| key.eq_ignore_ascii_case(language);
            let meant = wordings.iter().filter(|(key, _)| is_meant(key));
            let mut preferred = meant.chain(&wordings);
            preferred.find_map(|(_, wording)| wording.text())
        };
        self.get(name).text().or_else(in_map)
    }

    /// A count; of a collection its `totalItems`.
    pub fn count(&self, name: FieldName) -> Option<u64> {
        let value = self.get(name);
        value.whole().or_else(|| value.get("totalItems").whole())
    }

    /// Whether it is of this type, or one of its types is.
    pub fn is(&self, kind: &str) -> bool {
        let mut kinds = self
            .get(FieldName::Type)
            .items()
            .filter_map(LooseValue::string);
        kinds.any(|it| it == kind)
    }

    /// Its media type; some servers write it as `mimeType`.
    pub fn media_type(&self) -> Option<Cow<'a, str>> {
        let media_type = self.get(FieldName::MediaType).text();
        media_type.or_else(|| self.get(FieldName::MimeType).text())
    }

    /// The links of a field, which may be a text, a Link, another object with a `url`, or a list of any; of them those that are
    /// http or https.
    pub fn links(&self, name: FieldName) -> impl Iterator<Item = Link<'a>> + use<'a> {
        self.get(name).items().filter_map(Link::of)
    }

    /// The first link of a field; HTML before others.
    pub fn link(&self, name: FieldName) -> Option<String> {
        let is_html = |link: &Link<'_>| {
            let media_type = link.media_type.as_ref();
            media_type.is_some_and(|it| is_of(it, "text/html"))
        };
        let html = self.links(name).find(is_html);
        Some(html.or_else(|| self.links(name).next())?.href)
    }
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
    use serde_json::{Value, json};

    /// The fields of an object that is written so.
    fn check<T>(written: &Value, read: impl FnOnce(&ObjectFields<'_>) -> T) -> T {
        let json = written.to_string();
        read(&ObjectFields::of(LooseValue::of_valid(&json)))
    }

    #[test]
    fn a_field_is_what_it_should_be_or_none() {
        let written = json!({"content": 7, "replies": {"totalItems": 3}, "votersCount": 4, "type": ["Note", "Extra"],
            "url": [{"type": "Link", "href": "magnet:x"}, {"href": "https://a.example/v.mp4", "mediaType": "video/mp4"},
                {"href": "https://a.example/w", "mimeType": "TEXT/html; charset=utf-8"}]});
        check(&written, |object| {
            let count = |name| object.count(name);
            assert_eq!(count(FieldName::Replies), Some(3));
            assert_eq!(count(FieldName::VotersCount), Some(4));
            assert_eq!(count(FieldName::Content), Some(7));
            assert_eq!(count(FieldName::Likes), None);
            assert!(object.is("Extra") && !object.is("Question"));
            let link = object.link(FieldName::Url);
            assert_eq!(link.as_deref(), Some("https://a.example/w"));
        });
        let link = check(&Value::from("text"), |text| text.link(FieldName::Url));
        assert_eq!(link, None);
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
        let many = VALUES_MAX + 7;
        let json = format!("{{\"tag\":[{}],\"name\":1}}", vec!["{}"; many].join(","));
        let fields = fields_shown(LooseValue::of_valid(&json));
        assert_eq!(fields.get(FieldName::Tag).items().count(), VALUES_MAX - 2);
        assert!(fields.get(FieldName::Name).is_none());
    }

    #[test]
    fn the_wording_shown_is_the_one_in_the_posts_language() {
        let written = json!({"contentMap": {"de": "Flut", "pt": "maré", "und": "~", "es": ""}, "name": "Tide", "nameMap": {"de": "Flut"}});
        let worded = |(name, map), language| {
            let wording = |object: &ObjectFields<'_>| {
                let wording = object.worded(name, map, language);
                wording.map(Cow::into_owned)
            };
            check(&written, wording)
        };
        let content = (FieldName::Content, FieldName::ContentMap);
        let name = (FieldName::Name, FieldName::NameMap);
        let summary = (FieldName::Summary, FieldName::SummaryMap);
        assert_eq!(worded(content, Some("pt")).as_deref(), Some("maré"));
        assert_eq!(worded(content, Some("PT")).as_deref(), Some("maré"));
        assert_eq!(worded(content, None).as_deref(), Some("~"));
        assert_eq!(worded(content, Some("es")).as_deref(), Some("Flut"));
        assert_eq!(worded(name, Some("de")).as_deref(), Some("Tide"));
        assert_eq!(worded(summary, None), None);
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
