//! An actor as an account of Mastodon's API.

use super::html::html;
use super::ids::number_of;
use super::stamp;
use serde::Serialize;
use serde_json::{Value, json};
use slackwater_engine::activity::actor::{ActorDocument, ActorKind, Emoji};
use slackwater_engine::activity::document::{shortcode, web};
use slackwater_engine::activity::handle::handle;
use std::collections::HashSet;

/// The path of the stand-in for an avatar. It is Mastodon's own, because clients know it by its end.
pub const NO_AVATAR: &str = "/avatars/original/missing.png";
/// The path of the stand-in for a header image.
pub const NO_HEADER: &str = "/headers/original/missing.png";

/// An account.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// Its id: decimal digits, or the backend's own.
    pub id: String,
    /// The name in its handle.
    pub username: String,
    /// Its handle: without a host if it is local.
    pub acct: String,
    /// The name it is shown under, plain text.
    pub display_name: String,
    /// Whether the account approves its followers.
    pub locked: bool,
    /// Whether a program writes.
    pub bot: bool,
    /// Whether the account wants to be found.
    pub discoverable: Option<bool>,
    /// Whether its posts may be searched: not known here.
    pub indexable: bool,
    /// Whether the account is a community.
    pub group: bool,
    /// When it was made; of those that do not say, the beginning of time.
    pub created_at: String,
    /// The account's description, HTML.
    pub note: String,
    /// Its page.
    pub url: String,
    /// The actor's id.
    pub uri: String,
    /// Its avatar.
    pub avatar: String,
    /// The same, not moving.
    pub avatar_static: String,
    /// Its header image.
    pub header: String,
    /// The same, not moving.
    pub header_static: String,
    /// Not known here.
    pub followers_count: u64,
    /// Not known here.
    pub following_count: u64,
    /// Not known here.
    pub statuses_count: u64,
    /// Not known here.
    pub last_status_at: Option<String>,
    /// Whether the accounts that it follows are shown: not known here.
    pub hide_collections: Option<bool>,
    /// Whether search engines should leave it out: not known here; only of a local account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noindex: Option<bool>,
    /// Its roles here: not known here; only of a local account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Value>>,
    /// Custom emoji in its texts.
    pub emojis: Vec<Value>,
    /// The rows of its profile.
    pub fields: Vec<Value>,
}

/// The data that an account is made of.
#[derive(Clone, Copy, Debug)]
pub struct AccountSource<'a> {
    /// The actor's id.
    pub actor: &'a str,
    /// The id under which clients know it.
    pub id: &'a str,
    /// Its newest document.
    pub document: Option<&'a ActorDocument>,
    /// The scheme and host that the client used: the address of stand-ins for images.
    pub base_url: &'a str,
    /// Whether the actor is one of this instance's accounts.
    pub is_local: bool,
}

impl Account {
    /// An account. Fields that are not known have the value of an account without them.
    pub fn new(source: &AccountSource<'_>) -> Account {
        let (actor, document) = (source.actor, source.document);
        let (username, acct) = handle(actor, document, source.is_local);
        let image = |link: Option<&String>, missing: &str| {
            let missing = || format!("{}{missing}", source.base_url);
            link.and_then(|link| web(link)).unwrap_or_else(missing)
        };
        let avatar = image(document.and_then(|it| it.icon.as_ref()), NO_AVATAR);
        let header = image(document.and_then(|it| it.image.as_ref()), NO_HEADER);
        let kind = document.map(|document| document.kind);
        let published = document.and_then(|document| document.published);
        Account {
            id: source.id.to_owned(),
            display_name: document
                .and_then(|document| document.name.clone())
                .unwrap_or_default(),
            locked: document.is_some_and(|it| it.manually_approves_followers),
            bot: matches!(kind, Some(ActorKind::Service | ActorKind::Application)),
            discoverable: document.and_then(|document| document.discoverable),
            indexable: false,
            group: kind == Some(ActorKind::Group),
            created_at: stamp(published.unwrap_or_default()),
            note: document
                .and_then(|document| document.summary.as_deref())
                .map(html)
                .unwrap_or_default(),
            url: document
                .and_then(|document| web(document.url.as_deref()?))
                .or_else(|| web(actor))
                .unwrap_or_default(),
            uri: actor.to_owned(),
            avatar_static: avatar.clone(),
            avatar,
            header_static: header.clone(),
            header,
            followers_count: 0,
            following_count: 0,
            statuses_count: 0,
            last_status_at: None,
            hide_collections: None,
            noindex: source.is_local.then_some(false),
            roles: source.is_local.then(Vec::new),
            emojis: document.map(|it| emojis(&it.emoji)).unwrap_or_default(),
            fields: document.map(fields).unwrap_or_default(),
            username,
            acct,
        }
    }
}

fn emojis(all: &[Emoji]) -> Vec<Value> {
    let mut once = HashSet::new();
    let row = |emoji: &Emoji| {
        let (code, url) = (shortcode(&emoji.shortcode)?, web(&emoji.url)?);
        let shown = self::emoji(code, &url);
        once.insert(code.to_owned()).then_some(shown)
    };
    all.iter().filter_map(row).collect()
}

fn fields(document: &ActorDocument) -> Vec<Value> {
    let rows = document.fields.iter();
    let row =
        |name: &str, value: &str| json!({"name": name, "value": html(value), "verified_at": null});
    rows.map(|field| row(&field.name, &field.value)).collect()
}

/// The id of an actor that the backend gave no id for.
pub(super) fn own_id(actor: &str) -> String {
    number_of(actor).to_string()
}

/// A custom emoji.
pub(super) fn emoji(shortcode: &str, url: &str) -> Value {
    json!({"shortcode": shortcode, "url": url, "static_url": url, "visible_in_picker": false})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_an_actor_is_told_by_its_id() {
        let account = |actor: &'static str, is_local| {
            let known = AccountSource {
                actor,
                id: "1",
                document: None,
                base_url: "https://home.example",
                is_local,
            };
            let account = Account::new(&known);
            // Clients must not request an image of a foreign server that may not be there.
            assert_eq!(
                account.avatar,
                "https://home.example/avatars/original/missing.png"
            );
            assert_eq!(
                account.header,
                "https://home.example/headers/original/missing.png"
            );
            assert_eq!(account.roles.is_some(), is_local);
            (account.username, account.acct)
        };
        let expected = |username: &str, acct: &str| (username.to_owned(), acct.to_owned());
        for (actor, is_local, found) in [
            (
                "https://a.example/users/ana",
                false,
                expected("ana", "ana@a.example"),
            ),
            ("https://a.example/users/ana", true, expected("ana", "ana")),
            (
                "https://www.a.example/@ana/",
                false,
                expected("ana", "ana@a.example"),
            ),
            (
                "https://a.example/user?id=7",
                false,
                expected("user", "user@a.example"),
            ),
            (
                "https://a.example",
                false,
                expected("a.example", "a.example@a.example"),
            ),
        ] {
            assert_eq!(account(actor, is_local), found, "{actor}");
        }
    }
}
