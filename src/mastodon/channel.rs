//! The streams there are, and how clients of Mastodon name them.

use serde::Deserialize;
use serde_json::Value;
use slackwater_engine::activity::object::hashtag_of;
use slackwater_engine::feed::feed_id::PublicPart;
use slackwater_engine::feed::post::Post;
use slackwater_engine::view::feed_ref::FeedRef;

/// The names of all streams there are.
pub const NAMES: [&str; 12] = [
    "user",
    "user:notification",
    "direct",
    "public",
    "public:media",
    "public:local",
    "public:local:media",
    "public:remote",
    "public:remote:media",
    "hashtag",
    "hashtag:local",
    "list",
];

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Home. (Notifications are the backend's.)
    User,
    /// Notifications alone, or direct messages: the backend's. Nothing ever comes of it.
    Quiet(&'static str),
    /// The public feed.
    Public {
        /// Which part.
        part: PublicPart,
        /// Only posts with media.
        only_media: bool,
    },
    /// A hashtag's feed.
    Hashtag {
        /// As it is compared.
        tag: String,
        /// As the client wrote it.
        written: String,
        /// Only posts by local accounts.
        only_local: bool,
    },
    /// A list.
    List(String),
}

/// Why there is no such stream, as Mastodon words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelError {
    /// The mistake.
    pub error: &'static str,
    /// As an HTTP status.
    pub status: u16,
}

/// The query of a stream.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ChannelQuery {
    pub(super) stream: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) list: Option<String>,
}

/// A message of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ClientCommand {
    /// `subscribe` or `unsubscribe`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Which stream.
    #[serde(default)]
    pub stream: String,
    /// Which hashtag.
    #[serde(default, deserialize_with = "loosely")]
    pub tag: Option<String>,
    /// Which list.
    #[serde(default, deserialize_with = "loosely")]
    pub list: Option<String>,
}

/// Some clients send an id as a number.
fn loosely<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

impl Channel {
    /// The stream of this name.
    pub fn named(
        name: &str,
        tag: Option<&str>,
        list: Option<&str>,
    ) -> Result<Channel, ChannelError> {
        let wrong = |error| ChannelError { error, status: 400 };
        let public = |part, only_media| Ok(Channel::Public { part, only_media });
        let hashtag = |only_local| {
            let written = tag.filter(|tag| !tag.is_empty());
            let written = written.ok_or(wrong("Missing tag name parameter"))?;
            let tag = hashtag_of(written).ok_or(wrong("Missing tag name parameter"))?;
            Ok(Channel::Hashtag {
                tag,
                written: written.to_owned(),
                only_local,
            })
        };
        match name {
            "user" => Ok(Channel::User),
            "user:notification" => Ok(Channel::Quiet("user:notification")),
            "direct" => Ok(Channel::Quiet("direct")),
            "public" => public(PublicPart::All, false),
            "public:media" => public(PublicPart::All, true),
            "public:local" => public(PublicPart::Local, false),
            "public:local:media" => public(PublicPart::Local, true),
            "public:remote" => public(PublicPart::Remote, false),
            "public:remote:media" => public(PublicPart::Remote, true),
            "hashtag" => hashtag(false),
            "hashtag:local" => hashtag(true),
            "list" => {
                let list = list.filter(|list| !list.is_empty());
                let list = list.ok_or(wrong("Missing list name parameter"))?;
                Ok(Channel::List(list.to_owned()))
            }
            _ => Err(wrong("Unknown stream type")),
        }
    }

    /// The names that its messages are marked with.
    pub fn names(&self) -> Vec<String> {
        match self {
            Channel::User => vec!["user".to_owned()],
            Channel::Quiet(name) => vec![(*name).to_owned()],
            Channel::Public { part, only_media } => {
                let part = match part {
                    PublicPart::All => "public",
                    PublicPart::Local => "public:local",
                    PublicPart::Remote => "public:remote",
                };
                let media = if *only_media { ":media" } else { "" };
                vec![format!("{part}{media}")]
            }
            Channel::Hashtag {
                written,
                only_local,
                ..
            } => {
                let name = if *only_local {
                    "hashtag:local"
                } else {
                    "hashtag"
                };
                vec![name.to_owned(), written.clone()]
            }
            Channel::List(list) => vec!["list".to_owned(), list.clone()],
        }
    }

    /// The key by which streams are compared: a hashtag has one, however it is written.
    pub fn key(&self) -> Vec<String> {
        let mut names = self.names();
        if let (Channel::Hashtag { tag, .. }, Some(last)) = (self, names.last_mut()) {
            last.clone_from(tag);
        }
        names
    }

    /// The feed it is of, for this account; none if nothing ever comes of it, or if it needs an account.
    pub fn feed_ref(&self, account: Option<&str>) -> Option<FeedRef> {
        let reader = || account.map(str::to_owned);
        match self {
            Channel::User => Some(FeedRef::Home {
                account: account?.to_owned(),
            }),
            Channel::List(list) => Some(FeedRef::List {
                account: account?.to_owned(),
                list: list.clone(),
            }),
            Channel::Quiet(_) => None,
            Channel::Public { part, .. } => Some(FeedRef::Public {
                part: *part,
                reader: reader(),
            }),
            Channel::Hashtag { tag, .. } => Some(FeedRef::Tag {
                tag: tag.clone(),
                reader: reader(),
            }),
        }
    }

    /// Whether it is of a feed that is the reader's own: its new statuses come in the order of this service, whatever else is the
    /// backend's.
    pub fn is_own(&self) -> bool {
        matches!(self, Channel::User | Channel::List(_))
    }

    /// The filter of its feed.
    pub fn filter(&self) -> Filter {
        match self {
            Channel::Public { part, only_media } => Filter {
                only_media: *only_media,
                only_local: *part == PublicPart::Local,
                only_remote: *part == PublicPart::Remote,
                ..Filter::default()
            },
            Channel::Hashtag { only_local, .. } => Filter {
                only_local: *only_local,
                ..Filter::default()
            },
            _ => Filter::default(),
        }
    }
}

/// The posts of a feed that are shown, where these are not all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only posts with media.
    pub only_media: bool,
    /// Only posts by local accounts.
    pub only_local: bool,
    /// Only posts by others.
    pub only_remote: bool,
    /// Only posts with all of these hashtags.
    pub all: Vec<String>,
    /// No posts with any of these.
    pub none: Vec<String>,
}

impl Filter {
    /// Whether a post is shown as far as its author decides.
    pub fn admits_author(&self, is_local: impl FnOnce() -> bool) -> bool {
        let (local, remote) = (self.only_local, self.only_remote);
        (!local && !remote) || {
            let is_local = is_local();
            (!local || is_local) && (!remote || !is_local)
        }
    }

    /// Whether a post is shown. `is_local` tells whether its author is local.
    pub fn shows(&self, post: &Post, is_local: impl FnOnce() -> bool) -> bool {
        let has = |tag: &String| post.body.tags.contains(tag);
        self.admits_author(is_local)
            && self.all.iter().all(has)
            && !self.none.iter().any(has)
            && (!self.only_media || post.body.has_media)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_the_names_that_clients_asked_with() {
        let takes_more = |name: &&str| name.starts_with("hashtag") || *name == "list";
        for name in NAMES.into_iter().filter(|name| !takes_more(name)) {
            assert_eq!(Channel::named(name, None, None).unwrap().names(), [name]);
        }
        for name in ["hashtag", "hashtag:local"] {
            let channel = Channel::named(name, Some("Rust"), None).unwrap();
            assert_eq!(channel.names(), [name, "Rust"]);
            assert!(
                matches!(channel.feed_ref(None), Some(FeedRef::Tag { tag, .. }) if tag == "rust")
            );
            let other = Channel::named(name, Some("#ＲＵＳＴ"), None).unwrap();
            assert_eq!(channel.key(), other.key());
            assert_ne!(
                channel.key(),
                Channel::named(name, Some("sea"), None).unwrap().key()
            );
        }
        let of = |name| Channel::named(name, Some("rust"), None).unwrap().key();
        assert_ne!(of("hashtag"), of("hashtag:local"));
        let list = Channel::named("list", None, Some("42")).unwrap();
        assert_eq!(list.names(), ["list", "42"]);
        assert_eq!(list.feed_ref(None), None);
        assert!(list.feed_ref(Some("7")).is_some());
        assert_eq!(
            Channel::named("direct", None, None)
                .unwrap()
                .feed_ref(Some("7")),
            None
        );
    }

    /// A failure means that a page of media alone parses all the objects of a feed.
    #[test]
    fn whether_a_post_has_media_is_known_without_reading_its_object() {
        let filter = Filter {
            only_media: true,
            ..Filter::default()
        };
        let mut post = crate::example::post("https://a.example/users/ana");
        for (object, has_media) in [
            ("null", true),
            (
                r#"{"attachment":{"type":"Image","url":"https://a.example/1.png"}}"#,
                false,
            ),
        ] {
            post.body.object = serde_json::value::RawValue::from_string(object.to_owned()).unwrap();
            post.body.has_media = has_media;
            assert_eq!(filter.shows(&post, || true), has_media, "{object}");
        }
    }

    #[test]
    fn what_is_no_stream_is_said_in_mastodons_words() {
        let wrong = |name, tag, list| Channel::named(name, tag, list).unwrap_err();
        assert_eq!(wrong("users", None, None).error, "Unknown stream type");
        assert_eq!(wrong("", None, None).status, 400);
        assert_eq!(
            wrong("hashtag", None, None).error,
            "Missing tag name parameter"
        );
        assert_eq!(
            wrong("hashtag", Some("a b"), None).error,
            "Missing tag name parameter"
        );
        assert_eq!(
            wrong("list", None, Some("")).error,
            "Missing list name parameter"
        );
    }

    #[test]
    fn wishes_are_read_as_clients_write_them() {
        let read = |text: &str| serde_json::from_str::<ClientCommand>(text).unwrap();
        let command = read(r#"{"type":"subscribe","stream":"list","list":42,"more":[]}"#);
        assert_eq!(
            (command.kind.as_str(), command.list.as_deref()),
            ("subscribe", Some("42"))
        );
        assert_eq!(read("{}"), ClientCommand::default());
        assert_eq!(read(r#"{"tag":null}"#).tag, None);
    }
}
