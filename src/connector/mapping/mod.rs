//! Mastodon's rows into activities and relations. Pure.
//!
//! | module | what it is |
//! |---|---|
//! | [`rows`] | rows as they are read, with what they refer to |
//! | [`uris`] | the ids that other servers know accounts and posts by |
//! | [`post`] | a post or a boost into the activity that says what it is now |
//! | [`removal`] | a row that is gone into the activity that takes it back |
//! | [`actor`] | an account into its actor's document |
//! | [`relation`] | rows of local accounts and of moderators into relations |

pub mod actor;
pub mod post;
pub mod relation;
pub mod removal;
pub mod rows;
pub mod uris;

use serde_json::Value;
use slackwater_order::time::Time;

/// An activity, and what its headers say.
#[derive(Clone, Debug, PartialEq)]
pub struct MappedActivity {
    /// The activity, or the bare object of one that was fetched.
    pub activity: Value,
    /// Mastodon's id of the post; none if it is about no post.
    pub post_ref: Option<i64>,
    /// Mastodon's id of the author.
    pub author_ref: Option<i64>,
    /// When Mastodon had it.
    pub arrived: Time,
    /// Whether Mastodon fetched it: nobody delivered it.
    pub is_fetched: bool,
    /// Whether Mastodon only forgot it: its author deleted nothing.
    pub is_forgotten: bool,
}

/// A time as ActivityStreams has it.
fn stamp(millis: i64) -> Value {
    Value::String(Time::from_millis(millis).rfc3339())
}

#[cfg(test)]
mod tests;
