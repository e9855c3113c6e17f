//! One record of the relationships topic into a change of a relation. Pure.

use super::document::{LANGUAGES_MAX, Relation, TITLE_BYTES_MAX};
use super::key::{Key, Kind, actor, domain};
use crate::activity::language::{LANGUAGE_BYTES_MAX, language_code};
use crate::activity::object::hashtag_of;
use crate::id;
use crate::json::LooseValue;
use crate::record::RECORD_BYTES_MAX;
use crate::spelling;
use serde::Deserialize;
use slackwater_order::time::Time;

/// What one record of the relationships topic changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which relation.
    pub key: Key,
    /// What it is now; none if it is removed.
    pub relation: Option<Relation>,
}

/// What of a document makes its key, also if the rest is missing, as in a removal.
#[derive(Deserialize)]
struct Heading {
    r#type: Option<String>,
    account: Option<String>,
    target: Option<String>,
    list: Option<String>,
    #[serde(default)]
    removed: bool,
}

/// Understands one record of the relationships topic. Without a key (a document that came over HTTP) the key follows
/// from the document. No value, or JSON `null`, removes what the key names, and so does a document with `"removed":
/// true`. Errors: what is wrong and what to send instead, also of a field that is not known.
pub fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Change, String> {
    let value = value.filter(|value| value.trim_ascii() != b"null");
    let Some(value) = value else {
        let key = key.ok_or("neither a key nor a value: send a document")?;
        let key = Key::parse(key)?;
        if key.kind == Kind::MuteEnd {
            return Err("a mute_end is never taken back: send the mute anew".to_owned());
        }
        return Ok(Change {
            key,
            relation: None,
        });
    };
    if RECORD_BYTES_MAX < value.len() {
        return Err(format!(
            "it has {} bytes: send at most {RECORD_BYTES_MAX}",
            value.len()
        ));
    }
    let bad = |e: serde_json::Error| {
        format!(
            "it is not a relation that can be read ({e}): send a JSON object with type, account and target"
        )
    };
    if !value.trim_ascii_start().starts_with(b"{") {
        return Err("it is not a JSON object: send one with type, account and target".to_owned());
    }
    let heading: Heading = serde_json::from_slice(value).map_err(bad)?;
    let kind = Kind::named(&heading.r#type.ok_or("it has no type: send `type`")?)?;
    check_fields(kind, value)?;
    let account = heading.account.ok_or("it has no account: send `account`")?;
    // An account document has no target of its own, and one given means nothing.
    let target = match kind {
        Kind::Account | Kind::Ordering => String::new(),
        _ => heading.target.ok_or("it has no target: send `target`")?,
    };
    let derived = Key::of(&account, kind, heading.list.as_deref(), &target)?;
    if let Some(key) = key {
        derived.agrees_with(key)?;
    }
    if heading.removed {
        return Ok(Change {
            key: derived,
            relation: None,
        });
    }
    let relation: Relation = serde_json::from_slice(value).map_err(bad)?;
    Ok(Change {
        relation: Some(relation.canonical()?),
        key: derived,
    })
}

impl Relation {
    /// The one form of this relation. Errors: a reason, if a field cannot be.
    fn canonical(mut self) -> Result<Relation, String> {
        match &mut self {
            Relation::Account {
                actor: id,
                languages,
                ..
            } => {
                *id = actor(id)?;
                *languages = canonical_languages(languages)?;
            }
            Relation::Follow { languages, .. } => *languages = canonical_languages(languages)?,
            Relation::Tag { target, .. } => {
                if let Some(tag) = hashtag_of(target) {
                    *target = tag;
                }
            }
            Relation::DomainBlock { target, .. } => *target = domain(target)?,
            Relation::Moderation { target, .. } if !target.contains("://") => {
                *target = domain(target)?;
            }
            Relation::MuteEnd { until, .. } if !(Time::EARLIEST..=Time::LATEST).contains(until) => {
                return Err("until is before 1970 or after 9999, when no mute ends".to_owned());
            }
            Relation::Mute {
                until: Some(until), ..
            } if !(Time::EARLIEST..=Time::LATEST).contains(until) => {
                return Err(
                    "until is before 1970 or after 9999: leave it out for a mute without end"
                        .to_owned(),
                );
            }
            Relation::List { title, .. } if TITLE_BYTES_MAX < title.len() => {
                return Err(format!(
                    "title has {} bytes: at most {TITLE_BYTES_MAX}",
                    title.len()
                ));
            }
            _ => {}
        }
        Ok(self)
    }
}

/// Whether a document that could be read has no fields but those of its kind.
fn check_fields(kind: Kind, document: &[u8]) -> Result<(), String> {
    let text = str::from_utf8(document.trim_ascii()).map_err(|_| "it is not UTF-8")?;
    let known = kind.fields();
    let mut fields = LooseValue::of_valid(text).fields();
    let unknown = fields.find(|(name, _)| !known.contains(&&**name));
    let Some((name, _)) = unknown else {
        return Ok(());
    };
    Err(format!(
        "{} is no field of {} {}: send some of {}{}",
        id::quoted(&name),
        if kind == Kind::Account || kind == Kind::Ordering {
            "an"
        } else {
            "a"
        },
        kind.name(),
        known.join(", "),
        spelling::did_you_mean(&name, known.iter().copied())
    ))
}

/// Language codes in lower case, sorted, each once.
fn canonical_languages(codes: &[String]) -> Result<Vec<String>, String> {
    if LANGUAGES_MAX < codes.len() {
        return Err(format!(
            "languages has {} entries: at most {LANGUAGES_MAX}",
            codes.len()
        ));
    }
    let mut canonical = codes
        .iter()
        .map(|code| {
            let canonical = language_code(code).map(|code| code.to_ascii_lowercase());
            canonical.ok_or_else(|| {
                format!(
                    "languages has {}: send codes such as \"en\", up to {LANGUAGE_BYTES_MAX} bytes",
                    id::quoted(code)
                )
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    canonical.sort();
    canonical.dedup();
    Ok(canonical)
}
