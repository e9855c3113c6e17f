//! Relations as documents: who follows, mutes and blocks whom, and what each account wants of its feeds. Pure.
//!
//! A relation is read into one form (domains and tags in lower case, defaults filled in), and its key is derived from
//! that form. A record whose key differs is refused: compaction keeps the newest of each *key*, so two spellings of one
//! relation would outlive each other in turn.

use super::object::{LANGUAGE_BYTES_MAX, hashtag_of, language_of};
use super::record::RECORD_BYTES_MAX;
use super::{id, origin_of};
use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The account moderation documents belong to.
pub const INSTANCE: &str = "_instance";
/// The longest account or list id, in bytes.
pub const ACCOUNT_BYTES_MAX: usize = 64;
/// The longest title of a list, in bytes; a longer one is refused.
pub const TITLE_BYTES_MAX: usize = 1024;
/// The most languages an account or a follow may name; more are refused.
pub const LANGUAGES_MAX: usize = 200;

// What the schema can say of the texts in a relation. The decoder says more: a host must be one that a URL can have, and
// lengths are counted in bytes.
const NAME_PATTERN: &str = r"^[A-Za-z0-9_.-]{1,64}$";
const ACCOUNT_PATTERN: &str = r"^(?!_instance$)[A-Za-z0-9_.-]{1,64}$";
const ACTOR_PATTERN: &str = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s\\/?#\u0000-\u001f\u007f-\u009f][^\s\\\u0000-\u001f\u007f-\u009f]*$";
const DOMAIN_PATTERN: &str = r"^[^\s/?#@\\%\u0000-\u001f\u007f-\u009f]+$";
const MODERATED_PATTERN: &str = r"^([Hh][Tt][Tt][Pp][Ss]?://[^\s\\/?#\u0000-\u001f\u007f-\u009f][^\s\\\u0000-\u001f\u007f-\u009f]*|[^\s/?#@\\%\u0000-\u001f\u007f-\u009f]+)$";
const TAG_PATTERN: &str =
    r"^\s*#*[^\s#\u0000-\u001f\u007f-\u009f][^\s\u0000-\u001f\u007f-\u009f]*\s*$";
const LANGUAGE_PATTERN: &str = r"^(?![Uu][Nn][Dd]$)[A-Za-z0-9_-]{1,35}$";
const UNTIL_PATTERN: &str = r"^(19[7-9][0-9]|[2-9][0-9]{3})-";
/// Numbers with units, as `humantime` takes them, or `complete`.
const PATIENCE_PATTERN: &str = r"^(complete|0|(\s*[0-9][0-9\s]*(\.[0-9\s]+)?(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|years|year|yrs|yr|y)\s*)+)$";

/// What one record of the relationships topic changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which relation.
    pub key: Key,
    /// What it is now; none if it is removed.
    pub relation: Option<Relation>,
}

/// A relation between a local account and something, as backends write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Relation {
    /// A local account exists.
    Account {
        /// The backend's id of the account, `[A-Za-z0-9_.-]{1,64}`.
        #[schemars(regex(pattern = ACCOUNT_PATTERN))]
        account: String,
        /// Its actor id.
        #[schemars(length(max = id::ID_BYTES_MAX), regex(pattern = ACTOR_PATTERN))]
        actor: String,
        /// The languages it reads, lower case; none named: all.
        #[serde(default)]
        #[schemars(length(max = LANGUAGES_MAX), inner(regex(pattern = LANGUAGE_PATTERN)))]
        languages: Vec<String>,
        /// How long its feeds may be held back; the instance's default if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        patience: Option<Patience>,
        /// Boosts of one post show as one.
        #[serde(default = "yes")]
        aggregate_boosts: bool,
    },
    /// The patience an account chose itself; wins over that of its `account` document.
    Ordering {
        /// The backend's id of the account.
        #[schemars(regex(pattern = ACCOUNT_PATTERN))]
        account: String,
        /// How long its feeds may be held back.
        patience: Patience,
    },
    /// The account follows an actor.
    Follow {
        /// The backend's id of the account.
        #[schemars(regex(pattern = ACCOUNT_PATTERN))]
        account: String,
        /// The actor's id.
        #[schemars(length(max = id::ID_BYTES_MAX), regex(pattern = ACTOR_PATTERN))]
        target: String,
        /// Whether the actor's boosts are wanted.
        #[serde(default = "yes")]
        boosts: bool,
        /// The languages wanted, lower case; none named: all.
        #[serde(default)]
        #[schemars(length(max = LANGUAGES_MAX), inner(regex(pattern = LANGUAGE_PATTERN)))]
        languages: Vec<String>,
    },
    /// The account follows a hashtag.
    Tag {
        /// The backend's id of the account.
        #[schemars(regex(pattern = ACCOUNT_PATTERN))]
        account: String,
        /// The hashtag, lower case, without `#`.
        #[schemars(regex(pattern = TAG_PATTERN))]
        target: String,
    },
    /// The account mutes an actor.
    Mute {
        /// The backend's id of the account.
        #[schemars(regex(pattern = ACCOUNT_PATTERN))]
        account: String,
        /// The actor's id.
        #[schemars(length(max = id::ID_BYTES_MAX), regex(pattern = ACTOR_PATTERN))]
        target: String,
        /// When the mute ends; never if not given.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "until_of"
        )]
        #[schemars(extend("pattern" = UNTIL_PATTERN))]
        until: Option<Time>,
    },
    /// The account blocks an actor.
    Block {
        /// The backend's id of the account.
        #[schemars(regex(pattern = ACCOUNT_PATTERN))]
        account: String,
        /// The actor's id.
        #[schemars(length(max = id::ID_BYTES_MAX), regex(pattern = ACTOR_PATTERN))]
        target: String,
    },
    /// An actor blocks the account.
    BlockedBy {
        /// The backend's id of the account.
        #[schemars(regex(pattern = ACCOUNT_PATTERN))]
        account: String,
        /// The actor's id.
        #[schemars(length(max = id::ID_BYTES_MAX), regex(pattern = ACTOR_PATTERN))]
        target: String,
    },
    /// The account blocks a domain.
    DomainBlock {
        /// The backend's id of the account.
        #[schemars(regex(pattern = ACCOUNT_PATTERN))]
        account: String,
        /// The domain, lower case, without `www.`.
        #[schemars(length(max = id::ID_BYTES_MAX), regex(pattern = DOMAIN_PATTERN))]
        target: String,
    },
    /// The account has a list.
    List {
        /// The backend's id of the account.
        #[schemars(regex(pattern = ACCOUNT_PATTERN))]
        account: String,
        /// The backend's id of the list, `[A-Za-z0-9_.-]{1,64}`.
        #[schemars(regex(pattern = NAME_PATTERN))]
        target: String,
        /// What the account calls it, at most 1024 bytes.
        #[serde(default)]
        #[schemars(length(max = TITLE_BYTES_MAX))]
        title: String,
        /// Which replies it shows.
        #[serde(default)]
        replies: Replies,
        /// Its members are not shown in the home feed.
        #[serde(default)]
        exclusive: bool,
    },
    /// An actor is on a list of the account.
    ListMember {
        /// The backend's id of the account.
        #[schemars(regex(pattern = ACCOUNT_PATTERN))]
        account: String,
        /// The backend's id of the list.
        #[schemars(regex(pattern = NAME_PATTERN))]
        list: String,
        /// The actor's id.
        #[schemars(length(max = id::ID_BYTES_MAX), regex(pattern = ACTOR_PATTERN))]
        target: String,
    },
    /// The instance limits or suspends an actor or a domain; its account is `_instance`.
    Moderation {
        /// `_instance`.
        #[schemars(extend("const" = INSTANCE))]
        account: String,
        /// An actor's id, or a domain, lower case, without `www.`.
        #[schemars(length(max = id::ID_BYTES_MAX), regex(pattern = MODERATED_PATTERN))]
        target: String,
        /// What is done.
        action: Action,
    },
}

/// Which replies a list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Replies {
    /// None.
    None,
    /// To its members, and to the account itself.
    #[default]
    List,
    /// To anyone the account follows.
    Followed,
}

/// What the instance does to an actor or a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Out of public and tag feeds.
    Limit,
    /// Out of every feed.
    Suspend,
}

/// How long an account's feeds may be held back for the sake of order. Written `"0s"`, `"20m"` or `"complete"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// At most this long.
    For(Duration),
    /// As long as the slowest origin's window.
    Complete,
}

impl std::str::FromStr for Patience {
    type Err = String;

    fn from_str(text: &str) -> Result<Patience, String> {
        if text == "complete" {
            return Ok(Patience::Complete);
        }
        humantime::parse_duration(text)
            .map(Patience::For)
            .map_err(|e| {
                format!(
                    "patience {} is no duration ({e}): write one such as \"30s\", or \"complete\"",
                    id::quoted(text)
                )
            })
    }
}

impl fmt::Display for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Patience::For(duration) => humantime::format_duration(*duration).fmt(f),
            Patience::Complete => f.write_str("complete"),
        }
    }
}

impl Serialize for Patience {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Patience {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Patience, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Patience;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a patience, a duration such as \"30s\" or \"complete\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Patience, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for Patience {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Patience".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": PATIENCE_PATTERN, "examples": ["0s", "30s", "20m", "complete"],
            "description": "How long feeds may be held back for the sake of order: a duration, or \"complete\"."
        })
    }
}

/// Which relation a record is about: `<account>/<type>/<target>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The account.
    pub account: String,
    /// The type of relation.
    pub kind: Kind,
    /// What it relates to, in its one form: an actor id, tag, domain, list id; `<list> <actor>` of a list member; empty
    /// where the account alone is meant.
    pub target: String,
}

/// The types of relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`Relation::Account`].
    Account,
    /// [`Relation::Ordering`].
    Ordering,
    /// [`Relation::Follow`].
    Follow,
    /// [`Relation::Tag`].
    Tag,
    /// [`Relation::Mute`].
    Mute,
    /// [`Relation::Block`].
    Block,
    /// [`Relation::BlockedBy`].
    BlockedBy,
    /// [`Relation::DomainBlock`].
    DomainBlock,
    /// [`Relation::List`].
    List,
    /// [`Relation::ListMember`].
    ListMember,
    /// [`Relation::Moderation`].
    Moderation,
}

impl Kind {
    /// All, in the order they are described in.
    pub const ALL: [Kind; 11] = [
        Kind::Account,
        Kind::Ordering,
        Kind::Follow,
        Kind::Tag,
        Kind::Mute,
        Kind::Block,
        Kind::BlockedBy,
        Kind::DomainBlock,
        Kind::List,
        Kind::ListMember,
        Kind::Moderation,
    ];

    /// The name in documents and keys.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Account => "account",
            Kind::Ordering => "ordering",
            Kind::Follow => "follow",
            Kind::Tag => "tag",
            Kind::Mute => "mute",
            Kind::Block => "block",
            Kind::BlockedBy => "blocked_by",
            Kind::DomainBlock => "domain_block",
            Kind::List => "list",
            Kind::ListMember => "list_member",
            Kind::Moderation => "moderation",
        }
    }

    fn named(name: &str) -> Result<Kind, String> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| {
                let known = Kind::ALL.map(Kind::name).join(", ");
                format!("type {} is unknown: send one of {known}", id::quoted(name))
            })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.account, self.kind.name(), self.target)
    }
}

impl Key {
    /// `<account>/<type>/<target>`.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    /// Reads [`Key::to_bytes`] again. Errors: a reason, also for a target that is not in its one form.
    pub fn parse(bytes: &[u8]) -> Result<Key, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the key is not UTF-8".to_owned())?;
        let mut parts = text.splitn(3, '/');
        let (Some(account), Some(kind), Some(target)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(format!(
                "the key is {}: send <account>/<type>/<target>",
                id::quoted(text)
            ));
        };
        let kind = Kind::named(kind)?;
        let (list, target) = match (kind, target.split_once(' ')) {
            (Kind::ListMember, Some((list, target))) => (Some(list), target),
            _ => (None, target),
        };
        let key = Key::of(account, kind, list, target)?;
        key.agrees_with(bytes)?;
        Ok(key)
    }

    /// The key of what is given, in its one form. Errors: a reason.
    fn of(account: &str, kind: Kind, list: Option<&str>, target: &str) -> Result<Key, String> {
        check_name("account", account)?;
        if (account == INSTANCE) != (kind == Kind::Moderation) {
            return Err(format!(
                "a {} of account {account}: {INSTANCE} has moderation, and nobody else has",
                kind.name()
            ));
        }
        let target = match kind {
            Kind::Account | Kind::Ordering if target.is_empty() => String::new(),
            Kind::Account | Kind::Ordering => {
                return Err(format!(
                    "target {}: {} has none; its key ends with the slash",
                    id::quoted(target),
                    kind.name()
                ));
            }
            Kind::Follow | Kind::Mute | Kind::Block | Kind::BlockedBy => actor(target)?,
            Kind::Tag => hashtag_of(target).ok_or_else(|| {
                format!("target {} is no hashtag: send one word", id::quoted(target))
            })?,
            Kind::DomainBlock => domain(target)?,
            Kind::List => check_name("target", target)?.to_owned(),
            Kind::ListMember => {
                let list = list.ok_or(
                    "a list_member without a list: send `list`, and in a key \"<list> <actor>\"",
                )?;
                format!("{} {}", check_name("list", list)?, actor(target)?)
            }
            Kind::Moderation if target.contains("://") => actor(target)?,
            Kind::Moderation => domain(target)?,
        };
        Ok(Key {
            account: account.to_owned(),
            kind,
            target,
        })
    }

    fn agrees_with(&self, given: &[u8]) -> Result<(), String> {
        if self.to_string().as_bytes() == given {
            return Ok(());
        }
        Err(format!(
            "the key is {}: send {:?}",
            id::quoted(&String::from_utf8_lossy(given)),
            self.to_string()
        ))
    }
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
/// true`. Fields that are not known are ignored. Errors: what is wrong and what to send instead.
pub fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Change, String> {
    let value = value.filter(|value| value.trim_ascii() != b"null");
    let Some(value) = value else {
        let key = key.ok_or("neither a key nor a value: send a document")?;
        return Ok(Change {
            key: Key::parse(key)?,
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
    /// Its key. Errors: a reason, if a field cannot be; not for one that came from [`decode`].
    pub fn key(&self) -> Result<Key, String> {
        let (account, kind, list, target) = match self {
            Relation::Account { account, .. } => (account, Kind::Account, None, ""),
            Relation::Ordering { account, .. } => (account, Kind::Ordering, None, ""),
            Relation::Follow {
                account, target, ..
            } => (account, Kind::Follow, None, &**target),
            Relation::Tag { account, target } => (account, Kind::Tag, None, &**target),
            Relation::Mute {
                account, target, ..
            } => (account, Kind::Mute, None, &**target),
            Relation::Block { account, target } => (account, Kind::Block, None, &**target),
            Relation::BlockedBy { account, target } => (account, Kind::BlockedBy, None, &**target),
            Relation::DomainBlock { account, target } => {
                (account, Kind::DomainBlock, None, &**target)
            }
            Relation::List {
                account, target, ..
            } => (account, Kind::List, None, &**target),
            Relation::ListMember {
                account,
                list,
                target,
            } => (account, Kind::ListMember, Some(list.as_str()), &**target),
            Relation::Moderation {
                account, target, ..
            } => (account, Kind::Moderation, None, &**target),
        };
        Key::of(account, kind, list, target)
    }

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

fn until_of<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let moment = chrono::DateTime::parse_from_rfc3339(&text).map_err(|e| {
        serde::de::Error::custom(format!(
            "until {} is no RFC 3339 time: {e}",
            id::quoted(&text)
        ))
    })?;
    Ok(Some(Time::from(moment.with_timezone(&chrono::Utc))))
}

fn yes() -> bool {
    true
}

/// An account or list id.
fn check_name<'a>(what: &str, name: &'a str) -> Result<&'a str, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if (1..=ACCOUNT_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(name);
    }
    Err(format!(
        "{what} is {}: send 1 to {ACCOUNT_BYTES_MAX} of A-Z a-z 0-9 _ . -",
        id::quoted(name)
    ))
}

fn actor(id: &str) -> Result<String, String> {
    id::check("the actor's id", id).map(str::to_owned)
}

/// A domain as posts' origins are compared: lower case, punycode, without `www.`, with a port only if it is unusual.
fn domain(text: &str) -> Result<String, String> {
    let strange = |c: char| matches!(c, '/' | '?' | '#' | '@' | '\\' | '%') || c.is_whitespace();
    let host = if text.len() <= id::ID_BYTES_MAX && !text.contains(strange) {
        origin_of(&format!("https://{text}/"))
    } else {
        None
    };
    host.filter(|host| !host.is_empty()).ok_or_else(|| {
        format!(
            "target {} is no domain: send one such as \"spam.example\"",
            id::quoted(text)
        )
    })
}

/// Language codes as posts' languages are compared, sorted, each once.
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
            language_of(code).ok_or_else(|| {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(document: &str) -> Result<(String, String), String> {
        let change = decode(None, Some(document.as_bytes()))?;
        let relation = change.relation.expect("not a removal");
        assert_eq!(relation.key().as_ref(), Ok(&change.key));
        let canonical = serde_json::to_string(&relation).unwrap();
        let again = decode(Some(&change.key.to_bytes()), Some(canonical.as_bytes())).unwrap();
        assert_eq!(again.relation, Some(relation), "{document}");
        assert_eq!(Key::parse(&change.key.to_bytes()), Ok(change.key.clone()));
        Ok((change.key.to_string(), canonical))
    }

    #[test]
    fn every_document_has_one_form_and_one_key() {
        for (document, key, canonical) in [
            (
                r#"{"type":"account","account":"7","actor":"https://vmst.example/users/ana","languages":["EN","de","en"],"patience":"30s","aggregate_boosts":false}"#,
                "7/account/",
                r#"{"type":"account","account":"7","actor":"https://vmst.example/users/ana","languages":["de","en"],"patience":"30s","aggregate_boosts":false}"#,
            ),
            (
                r#"{"account":"7","type":"account","actor":"https://vmst.example/users/ana","hat":"red"}"#,
                "7/account/",
                r#"{"type":"account","account":"7","actor":"https://vmst.example/users/ana","languages":[],"aggregate_boosts":true}"#,
            ),
            (
                r#"{"type":"ordering","account":"7","patience":"20m"}"#,
                "7/ordering/",
                r#"{"type":"ordering","account":"7","patience":"20m"}"#,
            ),
            (
                r#"{"type":"ordering","account":"7","patience":"90s"}"#,
                "7/ordering/",
                r#"{"type":"ordering","account":"7","patience":"1m 30s"}"#,
            ),
            (
                r#"{"type":"ordering","account":"7","patience":"complete"}"#,
                "7/ordering/",
                r#"{"type":"ordering","account":"7","patience":"complete"}"#,
            ),
            (
                r#"{"type":"ordering","account":"7","patience":"0s"}"#,
                "7/ordering/",
                r#"{"type":"ordering","account":"7","patience":"0s"}"#,
            ),
            (
                r#"{"type":"follow","account":"7","target":"https://threads.net/ap/users/1"}"#,
                "7/follow/https://threads.net/ap/users/1",
                r#"{"type":"follow","account":"7","target":"https://threads.net/ap/users/1","boosts":true,"languages":[]}"#,
            ),
            (
                r##"{"type":"tag","account":"7","target":"#RUST"}"##,
                "7/tag/rust",
                r#"{"type":"tag","account":"7","target":"rust"}"#,
            ),
            (
                r#"{"type":"mute","account":"7","target":"https://a.example/u","until":"2026-12-01T01:00:00+01:00"}"#,
                "7/mute/https://a.example/u",
                r#"{"type":"mute","account":"7","target":"https://a.example/u","until":"2026-12-01T00:00:00Z"}"#,
            ),
            (
                r#"{"type":"mute","account":"7","target":"https://a.example/u","until":null,"removed":false}"#,
                "7/mute/https://a.example/u",
                r#"{"type":"mute","account":"7","target":"https://a.example/u"}"#,
            ),
            (
                r#"{"type":"block","account":"A_b.c-9","target":"https://a.example/u"}"#,
                "A_b.c-9/block/https://a.example/u",
                r#"{"type":"block","account":"A_b.c-9","target":"https://a.example/u"}"#,
            ),
            (
                r#"{"type":"blocked_by","account":"7","target":"https://a.example/u"}"#,
                "7/blocked_by/https://a.example/u",
                r#"{"type":"blocked_by","account":"7","target":"https://a.example/u"}"#,
            ),
            (
                r#"{"type":"domain_block","account":"7","target":"WWW.Spam.example"}"#,
                "7/domain_block/spam.example",
                r#"{"type":"domain_block","account":"7","target":"spam.example"}"#,
            ),
            (
                r#"{"type":"list","account":"7","target":"42","title":"Friends","replies":"followed","exclusive":true}"#,
                "7/list/42",
                r#"{"type":"list","account":"7","target":"42","title":"Friends","replies":"followed","exclusive":true}"#,
            ),
            (
                r#"{"type":"list","account":"7","target":"42"}"#,
                "7/list/42",
                r#"{"type":"list","account":"7","target":"42","title":"","replies":"list","exclusive":false}"#,
            ),
            (
                r#"{"type":"list_member","account":"7","list":"42","target":"https://a.example/u"}"#,
                "7/list_member/42 https://a.example/u",
                r#"{"type":"list_member","account":"7","list":"42","target":"https://a.example/u"}"#,
            ),
            (
                r#"{"type":"moderation","account":"_instance","target":"Threads.net","action":"limit"}"#,
                "_instance/moderation/threads.net",
                r#"{"type":"moderation","account":"_instance","target":"threads.net","action":"limit"}"#,
            ),
            (
                r#"{"type":"moderation","account":"_instance","target":"https://a.example/u","action":"suspend"}"#,
                "_instance/moderation/https://a.example/u",
                r#"{"type":"moderation","account":"_instance","target":"https://a.example/u","action":"suspend"}"#,
            ),
        ] {
            assert_eq!(
                decoded(document),
                Ok((key.to_owned(), canonical.to_owned())),
                "{document}"
            );
        }
    }

    #[test]
    fn a_document_that_cannot_be_says_what_to_send_instead() {
        let long = format!(
            r#"{{"type":"list","account":"7","target":"42","title":"{}"}}"#,
            "x".repeat(TITLE_BYTES_MAX + 1)
        );
        for (document, reason) in [
            ("", "it is not a JSON object: send one with type"),
            ("[]", "it is not a JSON object: send one with type"),
            ("{", "it is not a relation that can be read (EOF"),
            ("{}", "it has no type: send `type`"),
            (
                r#"{"type":7}"#,
                "it is not a relation that can be read (invalid type",
            ),
            (
                r#"{"type":"poke","account":"7","target":"x"}"#,
                "type \"poke\" is unknown: send one of account, ordering, follow, tag, mute, block, blocked_by, domain_block, list, list_member, moderation",
            ),
            (
                r#"{"type":"tag","target":"x"}"#,
                "it has no account: send `account`",
            ),
            (
                r#"{"type":"tag","account":"7"}"#,
                "it has no target: send `target`",
            ),
            (
                r#"{"type":"tag","account":"7","target":"two words"}"#,
                "target \"two words\" is no hashtag",
            ),
            (
                r#"{"type":"tag","account":"a/b","target":"x"}"#,
                "account is \"a/b\": send 1 to 64 of",
            ),
            (
                r#"{"type":"tag","account":"","target":"x"}"#,
                "account is \"\": send 1 to 64 of",
            ),
            (
                r#"{"type":"tag","account":"_instance","target":"x"}"#,
                "a tag of account _instance: _instance has moderation",
            ),
            (
                r#"{"type":"moderation","account":"7","target":"x.example","action":"limit"}"#,
                "a moderation of account 7: _instance has moderation",
            ),
            (
                r#"{"type":"moderation","account":"_instance","target":"x.example","action":"hug"}"#,
                "it is not a relation that can be read (unknown variant `hug`",
            ),
            (
                r#"{"type":"moderation","account":"_instance","target":"x.example"}"#,
                "it is not a relation that can be read (missing field `action`",
            ),
            (
                r#"{"type":"follow","account":"7","target":"ana"}"#,
                "the actor's id is \"ana\": send an http or https URL",
            ),
            (
                r#"{"type":"follow","account":"7","target":"https://a.example/u","languages":["e n"]}"#,
                "languages has \"e n\": send codes",
            ),
            (
                r#"{"type":"account","account":"7"}"#,
                "it is not a relation that can be read (missing field `actor`",
            ),
            (
                r#"{"type":"ordering","account":"7","patience":30}"#,
                "it is not a relation that can be read (invalid type: integer `30`, expected a patience",
            ),
            (
                r#"{"type":"ordering","account":"7","patience":"30"}"#,
                "it is not a relation that can be read (patience \"30\" is no duration",
            ),
            (
                r#"{"type":"mute","account":"7","target":"https://a.example/u","until":"soon"}"#,
                "it is not a relation that can be read (until \"soon\" is no RFC 3339 time",
            ),
            (
                r#"{"type":"mute","account":"7","target":"https://a.example/u","until":"1066-10-14T09:00:00Z"}"#,
                "until is before 1970",
            ),
            (
                r#"{"type":"domain_block","account":"7","target":"a b"}"#,
                "target \"a b\" is no domain",
            ),
            (
                r#"{"type":"domain_block","account":"7","target":"https://a.example"}"#,
                "target \"https://a.example\" is no domain",
            ),
            (
                r#"{"type":"domain_block","account":"7","target":""}"#,
                "target \"\" is no domain",
            ),
            (
                r#"{"type":"domain_block","account":"7","target":"u@a.example"}"#,
                "target \"u@a.example\" is no domain",
            ),
            (
                r#"{"type":"list_member","account":"7","target":"https://a.example/u"}"#,
                "a list_member without a list",
            ),
            (
                r#"{"type":"list_member","account":"7","list":"4 2","target":"https://a.example/u"}"#,
                "list is \"4 2\": send 1 to 64 of",
            ),
            (long.as_str(), "title has 1025 bytes: at most 1024"),
        ] {
            let got = decoded(document).unwrap_err();
            assert!(got.starts_with(reason), "{document}: {got}");
        }
        let nested = "{\"type\":\"tag\",\"x\":".to_owned() + &"[".repeat(10_000);
        assert!(decoded(&nested).is_err());
        assert!(decode(None, Some(&[b' '; RECORD_BYTES_MAX + 1])).is_err());
    }

    #[test]
    fn null_and_removed_remove_what_the_key_names() {
        let follow = "7/follow/https://a.example/u";
        let document =
            r#"{"type":"follow","account":"7","target":"https://a.example/u","removed":true}"#;
        for (key, value) in [
            (Some(follow), None),
            (Some(follow), Some("null")),
            (Some(follow), Some(document)),
            (None, Some(document)),
        ] {
            let change = decode(key.map(str::as_bytes), value.map(str::as_bytes)).unwrap();
            assert_eq!(change.key.to_string(), follow);
            assert_eq!(change.relation, None);
        }
        let reason = decode(None, None).unwrap_err();
        assert_eq!(reason, "neither a key nor a value: send a document");
        let ordering = decode(
            None,
            Some(br#"{"type":"ordering","account":"7","removed":true}"#),
        );
        assert_eq!(ordering.unwrap().key.to_string(), "7/ordering/");
    }

    #[test]
    fn a_key_has_one_spelling_and_agrees_with_its_document() {
        for (key, reason) in [
            ("", "the key is \"\": send <account>/<type>/<target>"),
            (
                "7/follow",
                "the key is \"7/follow\": send <account>/<type>/<target>",
            ),
            (
                "7/account",
                "the key is \"7/account\": send <account>/<type>/<target>",
            ),
            (
                "7/account/x",
                "target \"x\": account has none; its key ends with the slash",
            ),
            ("7/poke/x", "type \"poke\" is unknown"),
            (
                "7/tag/#Rust",
                "the key is \"7/tag/#Rust\": send \"7/tag/rust\"",
            ),
            (
                "7/domain_block/Spam.example",
                "the key is \"7/domain_block/Spam.example\": send \"7/domain_block/spam.example\"",
            ),
            (
                "7/list_member/https://a.example/u",
                "a list_member without a list",
            ),
            ("7/mute/nobody", "the actor's id is \"nobody\""),
        ] {
            let got = Key::parse(key.as_bytes()).unwrap_err();
            assert!(got.starts_with(reason), "{key}: {got}");
        }
        assert!(Key::parse(&[0xff]).is_err());
        let document = br#"{"type":"tag","account":"7","target":"rust"}"#;
        assert!(decode(Some(b"7/tag/rust"), Some(document)).is_ok());
        assert_eq!(
            decode(Some(b"8/tag/rust"), Some(document)).unwrap_err(),
            "the key is \"8/tag/rust\": send \"7/tag/rust\""
        );
    }

    #[test]
    fn the_schema_names_every_type() {
        let schema = serde_json::to_string(&schemars::schema_for!(Relation)).unwrap();
        for kind in Kind::ALL {
            assert!(
                schema.contains(&format!("\"const\":\"{}\"", kind.name())),
                "{schema}"
            );
        }
    }

    proptest! {
        /// A failure means that a record can stop the service.
        #[test]
        fn no_record_is_too_strange(key in prop::option::of(any::<Vec<u8>>()), value in prop::option::of(any::<Vec<u8>>())) {
            let _ = decode(key.as_deref(), value.as_deref());
        }

        /// A failure means that a key which we wrote is refused when it comes back.
        #[test]
        fn a_key_is_read_back(
            kind in prop::sample::select(&Kind::ALL[..]), account in "[A-Za-z0-9_.-]{1,64}", list in "[a-z0-9]{1,9}",
            target in "\\PC{1,20}|[a-zA-Z#.]{1,12}|https://[a-z]{1,5}\\.example/\\PC{0,20}"
        ) {
            let account = if kind == Kind::Moderation { INSTANCE } else { &account };
            if let Ok(key) = Key::of(account, kind, Some(&list), &target) {
                prop_assert_eq!(Key::parse(&key.to_bytes()), Ok(key));
            }
        }
    }
}
