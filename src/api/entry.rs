//! A post as the API shows it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use slackwater_engine::activity::Visibility;
use slackwater_engine::feed::post::{Post, State};
use slackwater_engine::view::explain::Explanation;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use slackwater_order::verdict::{PlacedBy, Verdict};

/// One post, where it stands and how it came.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Entry<'a> {
    /// Its place and id: a decimal number below 2^63, as text, that sorts as the feed sorts.
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "String", regex(pattern = r"^[0-9]{1,19}$"))]
    pub id: PostId,
    /// The object's own id.
    pub uri: &'a str,
    /// The backend's id of it, if it gave one.
    #[serde(rename = "ref")]
    pub post_ref: Option<&'a str>,
    /// The backend's id of its author, if it gave one.
    pub author_ref: Option<&'a str>,
    /// Its author's actor id.
    pub author: &'a str,
    /// The author's host, lower case, without a leading `www.`.
    pub origin: &'a str,
    /// When its author's server says it was written; null if it gave no usable date.
    pub published: Option<Time>,
    /// When this instance received it.
    pub arrived: Time,
    /// Milliseconds from `published` to `arrived`; negative if its server's clock runs ahead, null without a date.
    pub delay_ms: Option<i64>,
    /// How that delay measures against its origin's reorder window.
    pub verdict: Verdict,
    /// Which of its times gave it its place.
    pub placed_by: PlacedBy,
    /// Who could see it.
    pub visibility: Visibility,
    /// The id of the post it answers.
    pub in_reply_to: Option<&'a str>,
    /// When it was last edited.
    pub edited: Option<Time>,
    /// What it boosts, if it is a boost.
    pub boost: Option<Boost<'a>>,
    /// The object as it came (for a boost, the Announce); null once only a stub is left.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub object: &'a RawValue,
    /// In the feed of late arrivals, whose ids are its own: the post's place and id everywhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,19}$"))]
    pub place: Option<String>,
    /// Why the account that was asked for has it in its feeds, or has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<Explanation>,
}

/// The post a boost shows.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Boost<'a> {
    /// Its object's own id.
    pub uri: &'a str,
    /// Its author's actor id; null while it is unknown.
    pub author: Option<&'a str>,
    /// Its place and id, as text; null while it is unknown.
    #[schemars(with = "Option<String>", regex(pattern = r"^[0-9]{1,19}$"))]
    pub id: Option<String>,
    /// Its object as it came; null while it is unknown.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub object: Option<&'a RawValue>,
}

impl<'a> Entry<'a> {
    /// A post with what it boosts, if that is known.
    pub fn new(post: &'a Post, original: Option<&'a Post>) -> Entry<'a> {
        let body = &post.body;
        let original = original.filter(|original| original.state == State::Whole);
        Entry {
            id: post.id,
            uri: &body.uri,
            post_ref: post.post_ref.as_deref(),
            author_ref: post.author_ref.as_deref(),
            author: &body.author,
            origin: &post.origin,
            published: body.published,
            arrived: post.arrived,
            delay_ms: post.delay_ms(),
            verdict: post.verdict,
            placed_by: post.placed_by,
            visibility: body.visibility,
            in_reply_to: body.in_reply_to.as_deref(),
            edited: post.edited,
            boost: body.boost_of.as_deref().map(|uri| Boost {
                uri,
                author: original.map(|original| original.body.author.as_str()),
                id: original.map(|original| original.id.to_string()),
                object: original.map(|original| &*original.body.object),
            }),
            object: &body.object,
            place: None,
            explained: None,
        }
    }
}

pub(super) fn as_text<S: serde::Serializer>(id: &PostId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}
