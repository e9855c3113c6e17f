//! A home as each side has it: only what a comparison needs.

use slackwater_order::place::PostId;
use slackwater_order::time::Time;

/// The part of a home that was read, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home<P> {
    /// Its posts.
    pub posts: Vec<P>,
    /// Whether it was read to its end.
    pub is_whole: bool,
}

/// A post in Mastodon's home.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TheirPost {
    /// Mastodon's id of it.
    pub id: u64,
    /// Mastodon's id of its author; of a boost, of the account that boosted.
    pub author: String,
    /// The time at which it says that it was written.
    pub created: Option<Time>,
    /// What it boosts.
    pub boosted: Option<Boosted>,
    /// The post that it answers, if Mastodon knows that.
    pub answers_post: Option<String>,
    /// The account that it answers.
    pub answers_account: Option<String>,
    /// The accounts that it, or what it boosts, mentions.
    pub mentions: Vec<String>,
    /// The names of its hashtags, in lower case.
    pub tags: Vec<String>,
    /// Its language.
    pub language: Option<String>,
}

/// The post that a boost shows, in Mastodon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boosted {
    /// Mastodon's id of it.
    pub id: u64,
    /// Mastodon's id of its author.
    pub author: String,
}

/// A post in the home here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OurPost {
    /// Its place.
    pub place: PostId,
    /// Mastodon's id of it; none if it was sent without one.
    pub id: Option<u64>,
    /// When this instance received it.
    pub arrived: Time,
    /// How long after it was written that was, in milliseconds.
    pub delay_ms: Option<i64>,
    /// Whether Mastodon looked it up instead of being sent it.
    pub is_fetched: bool,
    /// Mastodon's id of what it boosts.
    pub boosted: Option<u64>,
}

impl TheirPost {
    /// The post that readers see: what it boosts, or itself.
    pub fn shows(&self) -> u64 {
        self.boosted.as_ref().map_or(self.id, |boosted| boosted.id)
    }

    /// The moment its id is made of: that of its arrival, or of its writing.
    pub fn id_time(&self) -> Time {
        Time::from_millis(i64::try_from(self.id >> 16).unwrap_or(i64::MAX))
    }
}

impl OurPost {
    /// The post that readers see: what it boosts, or itself; none if Mastodon has no id of that.
    pub fn shows(&self) -> Option<u64> {
        self.boosted.or(self.id)
    }
}
