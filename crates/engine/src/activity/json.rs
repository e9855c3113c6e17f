//! JSON as servers write it: one field, several shapes. Pure.
//!
//! Read by hand-written visitors rather than derived ones, for three reasons: a key given twice is no error (the last
//! wins, as in JavaScript, so that what we understood is what a client sees); no wrong type is an error here (what it
//! costs is decided where the field is used); and the parts nobody asks for are walked all the same, so that whatever
//! is stored can be parsed again (`1e999` and half a surrogate pair cannot, everywhere). What was read once is read
//! again, for the parts of an embedded object, by [`fields`], which believes it.

use crate::activity::json_scan;
use crate::record::RECORD_BYTES_MAX;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// How deep arrays and objects may nest; deeper is refused, since clients' parsers (and ours) count too.
pub(super) const NESTING_MAX: usize = 64;

/// JSON to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// Without white space around it.
    pub(super) text: &'a str,
    soundness: Soundness,
}

/// What is known of some JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Soundness {
    /// It was read before.
    Sound,
    /// Nothing; but what may be skipped while reading it holds nothing unsound.
    Skimmable,
    /// Nothing: it must be walked through.
    Unknown,
}

/// The text of a record's value without white space around it, or why it is not one to look at: too long, not UTF-8, nested too deep.
pub(super) fn text_of(value: &[u8]) -> Result<Source<'_>, String> {
    if RECORD_BYTES_MAX < value.len() {
        return Err(format!(
            "it has {} bytes: send at most {RECORD_BYTES_MAX}",
            value.len()
        ));
    }
    let text = std::str::from_utf8(value).map_err(|e| {
        format!(
            "it is not UTF-8 after {} bytes: send JSON in UTF-8",
            e.valid_up_to()
        )
    })?;
    if nests_too_deep(value) {
        return Err(format!(
            "it nests deeper than {NESTING_MAX}: send it flatter"
        ));
    }
    Ok(Source {
        text: text.trim_matches([' ', '\t', '\n', '\r']),
        soundness: if may_be_unsound(value) {
            Soundness::Unknown
        } else {
            Soundness::Skimmable
        },
    })
}

fn nests_too_deep(json: &[u8]) -> bool {
    // No more brackets in all than may nest: nearly every post, and counted many bytes at a time. `[` and `{` differ in
    // one bit, and 128 of them do not overflow.
    let opened = |chunk: &[u8]| chunk.iter().map(|b| u8::from(b | 0x20 == b'{')).sum::<u8>();
    let opened: usize = json
        .chunks(128)
        .map(|chunk| usize::from(opened(chunk)))
        .sum();
    if opened <= NESTING_MAX {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => {
                depth += 1;
                if NESTING_MAX < depth {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Whether there may be something in it that `serde_json` skips over but would not read: half a surrogate pair, or a
/// number above 1.8e308 (an exponent of three digits, or 127 digits in a row). Rather too often yes: the answer is to
/// walk through all of it instead of skipping.
fn may_be_unsound(json: &[u8]) -> bool {
    let from = |start: usize| json.get(start..).unwrap_or_default().iter();
    // First what all of it begins with, which most posts have none of, and the compiler takes many bytes at a time.
    let begins = from(0).zip(from(1)).fold(0_u8, |found, (a, b)| {
        let escape = u8::from(*a == b'\\') & u8::from(*b == b'u');
        let exponent = u8::from(a.wrapping_sub(b'0') < 10) & u8::from(b | 0x20 == b'e');
        found | escape | exponent
    });
    let fives = from(0).zip(from(1)).zip(from(2)).zip(from(3)).zip(from(4));
    let suspicious = || {
        fives.fold(0_u8, |found, ((((a, b), c), d), e)| {
            let surrogate = (*a == b'\\') & (*b == b'u') & (c | 0x20 == b'd');
            let large = c.is_ascii_digit() & d.is_ascii_digit() & e.is_ascii_digit();
            let exponent = a.is_ascii_digit() & (b | 0x20 == b'e') & ((*c == b'+') | large);
            found | u8::from(surrogate | exponent)
        }) != 0
    };
    let long = |chunk: &[u8]| chunk.len() == 64 && chunk.iter().all(u8::is_ascii_digit);
    (begins != 0 && suspicious()) || json.chunks(64).any(long)
}

/// Raw JSON of which nothing is known but that it is JSON.
pub(super) fn raw_of(text: &str) -> Result<&RawValue, String> {
    serde_json::from_str(text).map_err(|e| not_json(&e))
}

/// The one value of `raw`: itself, or the single element if it is a list.
pub(super) fn sole<'a>(what: &str, raw: &'a RawValue) -> Result<&'a RawValue, String> {
    if !raw.get().starts_with('[') {
        return Ok(raw);
    }
    let list: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|e| not_json(&e))?;
    match list.as_slice() {
        [one] => Ok(one),
        several => Err(format!(
            "{what} is a list of {}: send one record for each",
            several.len()
        )),
    }
}

fn not_json(error: &serde_json::Error) -> String {
    format!("it is not JSON that can be read ({error}): send one ActivityStreams object")
}

/// A value that may be a text, an object, or a list of either.
#[derive(Debug, Default)]
pub(super) enum Loose<'a> {
    /// Missing or `null`.
    #[default]
    Nothing,
    /// A text.
    Text(Cow<'a, str>),
    /// An object: what is looked at in one.
    Thing(Box<Thing<'a>>),
    /// A list.
    Many(Vec<Loose<'a>>),
    /// A number or a boolean, which no field here means anything by.
    Odd,
}

/// What is looked at in an object that is embedded where an id would do, or is in a list of tags.
#[derive(Debug, Default)]
pub(super) struct Thing<'a> {
    id: Loose<'a>,
    kind: Loose<'a>,
    /// Of an actor.
    followers: Loose<'a>,
    /// Of a Mention.
    href: Loose<'a>,
    /// Of a Hashtag.
    name: Loose<'a>,
}

impl<'a> Loose<'a> {
    /// Reads one that is known to be sound.
    pub(super) fn read(text: &'a str) -> Result<Loose<'a>, String> {
        if text == "null" {
            return Ok(Loose::Nothing);
        }
        if let Some(plain) = json_scan::plain(text) {
            return Ok(Loose::Text(Cow::Borrowed(plain)));
        }
        serde_json::from_str(text).map_err(|e| not_json(&e))
    }

    /// A text that is not empty.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Loose::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The elements of a list; anything else that is there is the only element.
    pub(super) fn items(&self) -> &[Loose<'a>] {
        match self {
            Loose::Nothing => &[],
            Loose::Many(items) => items,
            one => std::slice::from_ref(one),
        }
    }

    /// The id, of a text or an object; of a list the first.
    pub(super) fn id(&self) -> Option<&str> {
        self.items().iter().find_map(Loose::own_id)
    }

    /// The ids of a text, an object or a list of either.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.items().iter().filter_map(Loose::own_id)
    }

    /// The actor meant: of a list the first Person, else the first with an id.
    pub(super) fn agent(&self) -> Option<&Loose<'a>> {
        let items = self.items();
        items
            .iter()
            .find(|item| item.own_id().is_some() && item.is_person())
            .or_else(|| items.iter().find(|item| item.own_id().is_some()))
    }

    /// The followers collection an embedded actor names.
    pub(super) fn followers(&self) -> Option<&str> {
        self.thing().and_then(|thing| thing.followers.id())
    }

    /// The `href` of a tag.
    pub(super) fn href(&self) -> Option<&str> {
        self.thing().and_then(|thing| thing.href.id())
    }

    /// The `name` of a tag.
    pub(super) fn name(&self) -> Option<&str> {
        self.thing().and_then(|thing| thing.name.text())
    }

    /// The `type` of an object, which may be a text or a list.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &str> {
        let kind = self.thing().map(|thing| &thing.kind);
        kind.into_iter()
            .flat_map(|kind| kind.items().iter().filter_map(Loose::text))
    }

    fn own_id(&self) -> Option<&str> {
        match self {
            Loose::Text(_) => self.text(),
            Loose::Thing(thing) => thing.id.text(),
            _ => None,
        }
    }

    fn is_person(&self) -> bool {
        self.kinds().any(|kind| kind == "Person")
    }

    fn thing(&self) -> Option<&Thing<'a>> {
        match self {
            Loose::Thing(thing) => Some(thing),
            _ => None,
        }
    }
}

/// What is looked at in an activity or a post; both, since a fetched post comes without an activity around it.
#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    pub(super) id: Loose<'a>,
    pub(super) kind: Loose<'a>,
    pub(super) actor: Loose<'a>,
    pub(super) attributed_to: Loose<'a>,
    /// `actor` and `attributedTo` as they came, in which there may be more of an actor than is looked at here; empty if
    /// missing.
    pub(super) actor_text: &'a str,
    pub(super) attributed_to_text: &'a str,
    /// As it came; none if missing or `null`.
    pub(super) object: Option<&'a RawValue>,
    pub(super) published: Loose<'a>,
    pub(super) updated: Loose<'a>,
    pub(super) to: Loose<'a>,
    pub(super) cc: Loose<'a>,
    pub(super) audience: Loose<'a>,
    pub(super) tag: Loose<'a>,
    pub(super) in_reply_to: Loose<'a>,
    /// `content`, and what is said in languages, as they came; empty if missing.
    content_text: &'a str,
    content_map: &'a str,
    name_map: &'a str,
    summary_map: &'a str,
    /// There is a `name`, `content` or `contentMap`, an `attachment`: is it more than a vote?
    pub(super) has_name: bool,
    pub(super) has_content: bool,
    /// Something is attached.
    pub(super) has_attachment: bool,
}

impl<'a> Node<'a> {
    /// Reads an object; `what` names it in the reason why not.
    pub(super) fn read(what: &str, source: Source<'a>) -> Result<Node<'a>, String> {
        let Source { text, soundness } = source;
        if !text.starts_with('{') {
            return Err(format!(
                "{what} is {}: send an ActivityStreams object",
                shape_of(text)
            ));
        }
        match soundness {
            Soundness::Sound => return Node::read_sound(text),
            Soundness::Skimmable => {}
            Soundness::Unknown => {
                serde_json::from_str::<Walked>(text).map_err(|e| not_json(&e))?;
            }
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let node = deserializer.deserialize_map(NodeVisitor);
        node.and_then(|node| deserializer.end().map(|()| node))
            .map_err(|e| not_json(&e))
    }

    fn read_sound(text: &'a str) -> Result<Node<'a>, String> {
        let mut node = Node::default();
        for (name, value) in json_scan::of(text) {
            match Field::named(&name) {
                Field::Object => node.object = object(raw_of(value)?),
                field => node.take(field, value)?,
            }
        }
        Ok(node)
    }

    /// Takes one field but `object`; the last of a name counts.
    fn take(&mut self, field: Field, value: &'a str) -> Result<(), String> {
        match field {
            Field::Id => self.id = Loose::read(value)?,
            Field::Type => self.kind = Loose::read(value)?,
            Field::Actor => (self.actor, self.actor_text) = (Loose::read(value)?, value),
            Field::AttributedTo => {
                (self.attributed_to, self.attributed_to_text) = (Loose::read(value)?, value);
            }
            Field::Published => self.published = Loose::read(value)?,
            Field::Updated => self.updated = Loose::read(value)?,
            Field::To => self.to = Loose::read(value)?,
            Field::Cc => self.cc = Loose::read(value)?,
            Field::Audience => self.audience = Loose::read(value)?,
            Field::Tag => self.tag = Loose::read(value)?,
            Field::InReplyTo => self.in_reply_to = Loose::read(value)?,
            Field::ContentMap => {
                self.content_map = value;
                self.has_content |= json_scan::of(value).next().is_some();
            }
            Field::NameMap => self.name_map = value,
            Field::SummaryMap => self.summary_map = value,
            Field::Name => self.has_name |= !json_scan::is_empty(value),
            Field::Content => {
                self.content_text = value;
                self.has_content |= !json_scan::is_empty(value);
            }
            Field::Attachment => {
                let is_there = !json_scan::is_empty(value);
                self.has_content |= is_there;
                self.has_attachment |= is_there;
            }
            Field::Object | Field::Followers | Field::Href | Field::Other => {}
        }
        Ok(())
    }
}

impl<'a> Node<'a> {
    /// The language of the text that is shown of it, as it is written.
    pub(super) fn language(&self) -> Option<Cow<'a, str>> {
        json_scan::language(self.content_text, self.content_map)
            .or_else(|| json_scan::language("", self.name_map))
            .or_else(|| json_scan::language("", self.summary_map))
    }
}

impl<'a> Source<'a> {
    /// A part of what was read.
    pub(super) fn part(raw: &'a RawValue) -> Source<'a> {
        Source {
            text: raw.get(),
            soundness: Soundness::Sound,
        }
    }
}

fn object(raw: &RawValue) -> Option<&RawValue> {
    (raw.get() != "null").then_some(raw)
}

/// What a person calls the shape of some text, if that is JSON at all.
pub(super) fn shape_of(text: &str) -> &'static str {
    if !text.is_empty() && serde_json::from_str::<IgnoredAny>(text).is_err() {
        return "not JSON";
    }
    match text.bytes().next() {
        None => "empty",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a string",
        Some(b'n') => "null",
        Some(b't' | b'f') => "a boolean",
        Some(b'-' | b'0'..=b'9') => "a number",
        Some(_) => "not JSON",
    }
}

/// Reads an object of which nothing is known: what is not asked for is skipped, and sound if it can be.
struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut node = Node::default();
        while let Some(name) = map.next_key()? {
            match name {
                Field::Object => node.object = object(map.next_value()?),
                Field::Followers | Field::Href | Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
                field => {
                    let raw: &RawValue = map.next_value()?;
                    node.take(field, raw.get()).map_err(A::Error::custom)?;
                }
            }
        }
        Ok(node)
    }
}

impl<'de> Deserialize<'de> for Loose<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Loose::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Loose::Odd)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Loose::Odd)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Loose::Odd)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Loose::Odd)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Loose::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Loose::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Loose::Many(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut thing = Thing::default();
        while let Some(name) = map.next_key()? {
            match name {
                Field::Id => thing.id = map.next_value()?,
                Field::Type => thing.kind = map.next_value()?,
                Field::Followers => thing.followers = map.next_value()?,
                Field::Href => thing.href = map.next_value()?,
                Field::Name => thing.name = map.next_value()?,
                _ => {
                    map.next_value::<Walked>()?;
                }
            }
        }
        Ok(Loose::Thing(Box::new(thing)))
    }
}

/// The names of the fields that are looked at.
#[derive(Clone, Copy)]
enum Field {
    Id,
    Type,
    Actor,
    AttributedTo,
    Object,
    Published,
    Updated,
    To,
    Cc,
    Audience,
    Tag,
    InReplyTo,
    Content,
    ContentMap,
    NameMap,
    SummaryMap,
    Attachment,
    Name,
    Followers,
    Href,
    Other,
}

impl Field {
    fn named(name: &str) -> Field {
        match name {
            "id" => Field::Id,
            "type" => Field::Type,
            "actor" => Field::Actor,
            "attributedTo" => Field::AttributedTo,
            "object" => Field::Object,
            "published" => Field::Published,
            "updated" => Field::Updated,
            "to" => Field::To,
            "cc" => Field::Cc,
            "audience" => Field::Audience,
            "tag" => Field::Tag,
            "inReplyTo" => Field::InReplyTo,
            "content" => Field::Content,
            "contentMap" => Field::ContentMap,
            "nameMap" => Field::NameMap,
            "summaryMap" => Field::SummaryMap,
            "attachment" => Field::Attachment,
            "name" => Field::Name,
            "followers" => Field::Followers,
            "href" => Field::Href,
            _ => Field::Other,
        }
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(FieldVisitor)
    }
}

struct FieldVisitor;

impl Visitor<'_> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Field, E> {
        Ok(Field::named(name))
    }
}

/// A value that was walked through and found sound.
struct Walked;

impl<'de> Deserialize<'de> for Walked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WalkedVisitor)
    }
}

struct WalkedVisitor;

impl<'de> Visitor<'de> for WalkedVisitor {
    type Value = Walked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Walked, E> {
        Ok(Walked)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Walked, E> {
        Ok(Walked)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Walked, E> {
        Ok(Walked)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Walked, E> {
        Ok(Walked)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Walked, E> {
        Ok(Walked)
    }

    fn visit_str<E>(self, _: &str) -> Result<Walked, E> {
        Ok(Walked)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Walked, A::Error> {
        while seq.next_element::<Walked>()?.is_some() {}
        Ok(Walked)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Walked, A::Error> {
        while map.next_key::<Walked>()?.is_some() {
            map.next_value::<Walked>()?;
        }
        Ok(Walked)
    }
}

#[cfg(test)]
mod tests;
