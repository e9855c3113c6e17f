//! A post as a backend that has it needs to be reminded of it: by its ids, where it stands and how it came.

use schemars::JsonSchema;
use serde::Serialize;
use slackwater_engine::feed::post::{Post, State};
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use slackwater_order::verdict::{PlacedBy, Verdict};

/// One post by its ids, where it stands and how it came; without what is written in it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RefEntry<'a> {
    /// Its place and id, as in an entry with all fields.
    #[serde(serialize_with = "super::entry::as_text")]
    #[schemars(with = "String", regex(pattern = r"^[0-9]{1,19}$"))]
    pub id: PostId,
    /// The backend's id of it; null if it gave none.
    #[serde(rename = "ref")]
    pub post_ref: Option<&'a str>,
    /// The backend's id of its author; null if it gave none.
    pub author_ref: Option<&'a str>,
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
    /// When it was last edited.
    pub edited: Option<Time>,
    /// What it boosts, if it is a boost.
    pub boost: Option<BoostRef<'a>>,
    /// In the feed of late arrivals, whose ids are its own: the post's place and id everywhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,19}$"))]
    pub place: Option<String>,
}

/// The post that a boost shows, by its ids.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BoostRef<'a> {
    /// Its place and id, as text; null while it is unknown.
    #[schemars(with = "Option<String>", regex(pattern = r"^[0-9]{1,19}$"))]
    pub id: Option<String>,
    /// The backend's id of it; null if it gave none.
    #[serde(rename = "ref")]
    pub post_ref: Option<&'a str>,
    /// The backend's id of its author; null if it gave none.
    pub author_ref: Option<&'a str>,
}

impl<'a> RefEntry<'a> {
    /// A post with what it boosts, if that is known.
    pub fn new(post: &'a Post, original: Option<&'a Post>) -> RefEntry<'a> {
        let original = original.filter(|original| original.state == State::Whole);
        RefEntry {
            id: post.id,
            post_ref: post.post_ref.as_deref(),
            author_ref: post.author_ref.as_deref(),
            published: post.body.published,
            arrived: post.arrived,
            delay_ms: post.delay_ms(),
            verdict: post.verdict,
            placed_by: post.placed_by,
            edited: post.edited,
            boost: post.body.boost_of.is_some().then(|| BoostRef {
                id: original.map(|original| original.id.to_string()),
                post_ref: original.and_then(|original| original.post_ref.as_deref()),
                author_ref: original.and_then(|original| original.author_ref.as_deref()),
            }),
            place: None,
        }
    }
}
