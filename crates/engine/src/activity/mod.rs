//! ActivityStreams objects: activities, the posts they are about, and actors.

pub mod actor;
pub mod document;
pub mod followers;
pub mod handle;
pub mod language;
pub mod media;
pub mod object;
pub mod parse;
mod reference;

use actor::ActorDocument;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use slackwater_order::time::Time;

/// A decoded activity. Made by [`parse::decode`]; everything after works on this.
#[derive(Debug)]
pub enum Activity {
    /// A post is written, edited, boosted, or was fetched by the instance.
    Post {
        /// Which of these it is.
        how: Delivery,
        /// The post as its author's server describes it.
        body: Box<PostContent>,
        /// For an `Announce` whose embedded object is by the booster: that object, believed. Any other embedded
        /// object is not believed and left out.
        original: Option<Box<PostContent>>,
        /// The document of the body's author, if it came embedded; any other actor's is not believed and left out.
        author: Option<Box<ActorDocument>>,
        /// The followers collection that an embedded document of the body's author names, as collections are compared;
        /// believed as `author` is.
        followers: Option<String>,
    },
    /// What an actor is: its server sent its document, or the instance fetched it.
    Actor(Box<ActorDocument>),
    /// `by` deletes the post or boost `uri`. If `uri` is `by`, the author and all of their posts are deleted.
    Delete {
        /// The id of the deleted post or actor; its host is the host of `by`.
        uri: String,
        /// The actor who deletes it.
        by: String,
    },
    /// `by` takes back every boost of `original`, in an `Undo` that does not give the boost's id.
    Unboost {
        /// The actor who boosted.
        by: String,
        /// The id of the boosted post.
        original: String,
    },
    /// An activity that concerns no feed (a Like, a Follow …), counted under this name.
    Ignored(&'static str),
}

/// How a post came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// `Create`: its author's server sent it.
    Create,
    /// `Update`: an edit, or a changed poll count; before its Create, it counts as the Create.
    Update,
    /// `Announce`: a boost.
    Announce,
    /// The instance fetched it (a boosted stranger's post, a missing parent).
    Fetched,
}

/// A post as its author's server describes it; all that is kept of it. A boost is a post by the booster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PostContent {
    /// The object's id (for a boost the Announce's; if it has none, one made of booster and original).
    pub uri: String,
    /// The author's actor id: `attributedTo`, for a boost the `actor`.
    pub author: String,
    /// Event time as claimed, within [`Time::EARLIEST`] and [`Time::LATEST`]; none if missing, unreadable or absurd.
    pub published: Option<Time>,
    /// When its author says it was last edited, bounds as `published`.
    pub updated: Option<Time>,
    /// Who could see it, by docs/rules.md. Where that depends on which collection is its author's followers: as it is known so far.
    pub visibility: Visibility,
    /// The ids in `to`, `cc` and `audience`, each once, without Public and what by itself would be taken for the author's
    /// followers collection.
    pub addressed: Vec<String>,
    /// The ids in `to` and `cc` that may be its author's followers collection, each once, as they are compared; at most
    /// [`followers::COLLECTIONS_MAX`]. Empty if the post is for everybody.
    pub collections: Vec<String>,
    /// The actor ids in Mention tags, each once.
    pub mentions: Vec<String>,
    /// The id of the post this one answers.
    pub in_reply_to: Option<String>,
    /// The id of the post this one boosts. A boost has no tags, mentions or language of its own.
    pub boost_of: Option<String>,
    /// Hashtags as they are compared ([`object::hashtag_of`]), each once.
    pub tags: Vec<String>,
    /// The language of the text that is shown, as `contentMap` says and writes it; none if unknown (`und`).
    pub language: Option<String>,
    /// Whether images, sounds or films are attached that are shown: [`media::has_media`]. Kept, since timelines of media alone would
    /// read all objects of a feed again.
    pub has_media: bool,
    /// The object as it came, JSON text (for a boost the whole Announce).
    #[serde(with = "raw_as_text")]
    pub object: Box<RawValue>,
}

impl PostContent {
    /// A public post by `author` that says nothing else of itself.
    pub fn new(uri: String, author: String) -> PostContent {
        PostContent {
            uri,
            author,
            published: None,
            updated: None,
            visibility: Visibility::Public,
            addressed: Vec::new(),
            collections: Vec::new(),
            mentions: Vec::new(),
            in_reply_to: None,
            boost_of: None,
            tags: Vec::new(),
            language: None,
            has_media: false,
            object: RawValue::NULL.to_owned(),
        }
    }

    /// The URI made for the boost of `original` by `actor`, where the Announce has no id.
    pub(crate) fn uri_of_boost(actor: &str, original: &str) -> String {
        format!("{actor}#announce/{original}")
    }

    /// Whether it is a boost without an id.
    pub(crate) fn has_made_uri(&self) -> bool {
        let original = self.boost_of.as_deref();
        original
            .is_some_and(|original| self.uri == PostContent::uri_of_boost(&self.author, original))
    }
}

/// Who could see a post, derived from its addressees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// `to` has Public.
    Public,
    /// `cc` has Public.
    Unlisted,
    /// Addressed to the author's followers.
    Private,
    /// Addressed to someone without a mention, or to a collection other than the author's followers.
    Limited,
    /// Addressed only to people it mentions.
    Direct,
}

impl Visibility {
    /// The name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Visibility::Public => "public",
            Visibility::Unlisted => "unlisted",
            Visibility::Private => "private",
            Visibility::Limited => "limited",
            Visibility::Direct => "direct",
        }
    }
}

/// JSON text held as text in formats that are not JSON.
mod raw_as_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::value::RawValue;

    pub(super) fn serialize<S: Serializer>(
        raw: &RawValue,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        raw.get().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Box<RawValue>, D::Error> {
        RawValue::from_string(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
