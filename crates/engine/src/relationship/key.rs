//! Which relation a document is about, in one form. Pure.

use crate::activity::object::hashtag_of;
use crate::host::origin_of;
use crate::id;
use crate::spelling;
use std::fmt;

/// The account moderation documents belong to.
pub const INSTANCE: &str = "_instance";
/// The longest account or list id, in bytes.
pub const ACCOUNT_BYTES_MAX: usize = 64;

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
    /// [`Relation::MuteEnd`].
    MuteEnd,
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
    /// All that backends write, in the order they are described in.
    pub const WRITTEN_BY_BACKENDS: [Kind; 11] = [
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
            Kind::MuteEnd => "mute_end",
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
            // It is never taken back: whoever mutes anew says so.
            Kind::MuteEnd => &["type", "account", "target", "until"],
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

    /// The type of this name. Errors: a reason that names all that backends write.
    pub fn named(name: &str) -> Result<Kind, String> {
        let mut all = Kind::WRITTEN_BY_BACKENDS.into_iter().chain([Kind::MuteEnd]);
        all.find(|kind| kind.name() == name).ok_or_else(|| {
            let known = Kind::WRITTEN_BY_BACKENDS.map(Kind::name);
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
    pub(super) fn of(
        account: &str,
        kind: Kind,
        list: Option<&str>,
        target: &str,
    ) -> Result<Key, String> {
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
            Kind::Follow | Kind::Mute | Kind::MuteEnd | Kind::Block | Kind::BlockedBy => {
                actor(target)?
            }
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

    /// Whether `given` is an older form of this key, which the log may still have: hashtags and domains in it are in lower case
    /// and not normalised further.
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

    /// Checks that a record's key is this one. Errors: a reason.
    pub(super) fn agrees_with(&self, given: &[u8]) -> Result<(), String> {
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

/// Checks the backend's id of an account. Errors: a reason that says what one looks like.
pub fn check_account(account: &str) -> Result<(), String> {
    check_name("account", account).map(drop)
}

/// An account or list id.
fn check_name<'a>(label: &str, name: &'a str) -> Result<&'a str, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if (1..=ACCOUNT_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(name);
    }
    Err(format!(
        "{label} is {}: send 1 to {ACCOUNT_BYTES_MAX} of A-Z a-z 0-9 _ . -",
        id::quoted(name)
    ))
}

/// An actor's id.
pub(super) fn actor(id: &str) -> Result<String, String> {
    id::check("the actor's id", id).map(str::to_owned)
}

/// A domain as posts' origins are compared: lower case, punycode, without `www.`, with a port only if it is unusual.
pub(super) fn domain(text: &str) -> Result<String, String> {
    let strange = |c: char| matches!(c, '/' | '?' | '#' | '@' | '\\' | '%') || c.is_whitespace();
    let host = if text.len() <= id::ID_BYTES_MAX && !text.contains(strange) {
        origin_of(&format!("https://{text}/"))
    } else {
        None
    };
    // A domain with an empty label is no host's, and would match no origin.
    let is_whole = |host: &String| host.split('.').all(|label| !label.is_empty());
    host.filter(is_whole).ok_or_else(|| {
        format!(
            "target {} is no domain: send one such as \"spam.example\"",
            id::quoted(text)
        )
    })
}
