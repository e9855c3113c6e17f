//! The documents of relations, as backends write them. Pure.

use super::key::{INSTANCE, Key, Kind};
use super::patience::Patience;
use crate::id;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;

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
    /// A mute has ended by its time: the one that was to end then, and none that was made or renewed since. Slackwater writes it
    /// itself; it may be written any number of times.
    MuteEnd {
        /// The backend's id of the account.
        #[schemars(regex(pattern = ACCOUNT_PATTERN))]
        account: String,
        /// The actor's id.
        #[schemars(length(max = id::ID_BYTES_MAX), regex(pattern = ACTOR_PATTERN))]
        target: String,
        /// When the mute was to end.
        #[serde(deserialize_with = "end_of")]
        #[schemars(extend("pattern" = UNTIL_PATTERN))]
        until: Time,
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
            Relation::MuteEnd {
                account, target, ..
            } => (account, Kind::MuteEnd, None, &**target),
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

    /// When it ends by itself: only mutes do.
    pub fn ends_at(&self) -> Option<Time> {
        match self {
            Relation::Mute { until, .. } => *until,
            _ => None,
        }
    }

    /// Whether it ended by itself by `now`.
    pub fn has_ended(&self, now: Time) -> bool {
        self.ends_at().is_some_and(|end| end <= now)
    }
}

fn until_of<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| moment(&text)).transpose()
}

fn end_of<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    moment(&String::deserialize(deserializer)?)
}

fn moment<E: serde::de::Error>(text: &str) -> Result<Time, E> {
    let moment = chrono::DateTime::parse_from_rfc3339(text).map_err(|e| {
        E::custom(format!(
            "until {} is no RFC 3339 time: {e}",
            id::quoted(text)
        ))
    })?;
    Ok(Time::from(moment.with_timezone(&chrono::Utc)))
}

fn yes() -> bool {
    true
}
