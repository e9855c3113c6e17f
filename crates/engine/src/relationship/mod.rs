//! Relations as documents: who follows, mutes and blocks whom, and what each account wants of its feeds. Pure.
//!
//! A relation is read into one form (domains and tags in lower case, defaults filled in), and its key is derived from
//! that form. A record whose key differs is refused: compaction keeps the newest of each *key*, so two spellings of one
//! relation would outlive each other in turn. So is one with a field that its type does not have: a `bosts` that is passed
//! over is a wish that nobody hears of again.

use crate::activity::id;
use crate::activity::language::{LANGUAGE_BYTES_MAX, language_code};
use crate::activity::object::hashtag_of;
use crate::host::origin_of;
use crate::json::LooseValue;
use crate::record::RECORD_BYTES_MAX;
use crate::spelling;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;
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
const DOMAIN_PATTERN: &str = r"^[^\s/?#@\\%*\u0000-\u001f\u007f-\u009f]+$";
const MODERATED_PATTERN: &str = r"^([Hh][Tt][Tt][Pp][Ss]?://[^\s\\/?#\u0000-\u001f\u007f-\u009f][^\s\\\u0000-\u001f\u007f-\u009f]*|[^\s/?#@\\%*\u0000-\u001f\u007f-\u009f]+)$";
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
        /// The hashtag as it is compared: after NFKC and case folding, without `#`.
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

    /// The fields that documents of this type may have, `removed` among them.
    pub const fn fields(self) -> &'static [&'static str] {
        match self {
            // These two have no target, and one given means nothing.
            Kind::Account => &[
                "type",
                "account",
                "target",
                "actor",
                "languages",
                "patience",
                "aggregate_boosts",
                "removed",
            ],
            Kind::Ordering => &["type", "account", "target", "patience", "removed"],
            Kind::Follow => &[
                "type",
                "account",
                "target",
                "boosts",
                "languages",
                "removed",
            ],
            Kind::Mute => &["type", "account", "target", "until", "removed"],
            Kind::Tag | Kind::Block | Kind::BlockedBy | Kind::DomainBlock => {
                &["type", "account", "target", "removed"]
            }
            Kind::List => &[
                "type",
                "account",
                "target",
                "title",
                "replies",
                "exclusive",
                "removed",
            ],
            Kind::ListMember => &["type", "account", "list", "target", "removed"],
            Kind::Moderation => &["type", "account", "target", "action", "removed"],
        }
    }

    fn named(name: &str) -> Result<Kind, String> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| {
                let known = Kind::ALL.map(Kind::name);
                let meant = spelling::did_you_mean(name, known.into_iter());
                let known = known.join(", ");
                format!(
                    "type {} is unknown: send one of {known}{meant}",
                    id::quoted(name)
                )
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
            Kind::DomainBlock if target.contains('*') => {
                return Err(format!(
                    "target {} has a *: a domain_block is of one host, send each by its name",
                    id::quoted(target)
                ));
            }
            Kind::DomainBlock => domain(target)?,
            Kind::List => check_name("target", target)?.to_owned(),
            Kind::ListMember => {
                let list = list.ok_or(
                    "a list_member without a list: send `list`, and in a key \"<list> <actor>\"",
                )?;
                format!("{} {}", check_name("list", list)?, actor(target)?)
            }
            Kind::Moderation if target.contains("://") => actor(target)?,
            Kind::Moderation if target.contains('*') => {
                return Err(format!(
                    "target {} has a *: moderation takes a domain and all below it, send \"spam.example\" for both",
                    id::quoted(target)
                ));
            }
            Kind::Moderation => domain(target)?,
        };
        Ok(Key {
            account: account.to_owned(),
            kind,
            target,
        })
    }

    /// Whether `given` is this key as it was once written: hashtags and domains were lower case and no more than that, and what was
    /// said then is still in the log.
    fn is_in_old_form(&self, given: &str) -> bool {
        let before = format!("{}/{}/", self.account, self.kind.name());
        let Some(target) = given.strip_prefix(&before) else {
            return false;
        };
        let has_sign = target.starts_with(['#', '＃']);
        if has_sign || target.is_ascii() || target != target.to_lowercase() {
            return false;
        }
        match self.kind {
            Kind::Tag => hashtag_of(target).is_some_and(|target| target == self.target),
            Kind::DomainBlock | Kind::Moderation => {
                domain(target).is_ok_and(|target| target == self.target)
            }
            _ => false,
        }
    }

    fn agrees_with(&self, given: &[u8]) -> Result<(), String> {
        if self.to_string().as_bytes() == given {
            return Ok(());
        }
        if std::str::from_utf8(given).is_ok_and(|given| self.is_in_old_form(given)) {
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
/// true`. Errors: what is wrong and what to send instead, also of a field that is not known.
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
    // One with an empty label is no host's: it would block nobody.
    let is_whole = |host: &String| host.split('.').all(|label| !label.is_empty());
    host.filter(is_whole).ok_or_else(|| {
        format!(
            "target {} is no domain: send one such as \"spam.example\"",
            id::quoted(text)
        )
    })
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

#[cfg(test)]
mod tests;
