//! A post as it is stored: its content, its place and its state. Pure.

use crate::activity::PostContent;
use crate::feed::reply_target::ReplyResolution;
use crate::feed::stored_pos;
use crate::host::origin_of;
use crate::record::offsets::LogPos;
use serde::{Deserialize, Serialize};
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use slackwater_order::verdict::{Disposition, PlacedBy, Verdict};

/// What is left of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// All of it.
    Whole,
    /// Deleted or undone: its object, addressees and words are gone, its place stays taken.
    Gone,
    /// Past its retention, needed by no feed: its author and what it answered are still known.
    Stub,
    /// Forgotten by the backend, and not deleted by its author: what is left is as of one that is gone, but its URI may come again, under
    /// another ref, as another post.
    Forgotten,
}

impl State {
    /// Whether it was taken back, by whomever: all but its place is gone.
    pub fn is_gone(self) -> bool {
        matches!(self, State::Gone | State::Forgotten)
    }
}

/// A post, placed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Post {
    /// Its place, which is its id.
    pub id: PostId,
    /// The content, from its author's server.
    pub body: PostContent,
    /// The author's host, without a leading `www.`.
    pub origin: String,
    /// When this instance received it.
    pub arrived: Time,
    /// Its verdict, decided when it was placed.
    pub verdict: Verdict,
    /// The time that gave it its place.
    pub placed_by: PlacedBy,
    /// Whether it is in feeds, decided when it was placed.
    pub disposition: Disposition,
    /// When it was last edited, by the clock of its author's server.
    pub edited: Option<Time>,
    /// The backend's own id of the post.
    pub post_ref: Option<String>,
    /// The backend's own id of the author.
    pub author_ref: Option<String>,
    /// What is left of it.
    pub state: State,
    /// Its author was removed, and with them all theirs.
    pub is_author_gone: bool,
    /// Hashtags it carried before an edit: feeds it may still be in.
    pub was_tagged: Vec<String>,
    /// Whom it answers.
    pub answers: ReplyResolution,
    /// Whether the record that made it was read long after it arrived: see [`crate::record::READ_LATE_AFTER`].
    pub read_late: bool,
    /// The document of its author that decided who could see it: the first that named, as the author's followers, a collection that the
    /// post is addressed to, or one in place of the collection that counted by convention. None if no document decided, or if the
    /// document stands before the post in the same partition: a cursor that lacks it lacks the post as well.
    pub document: Option<LogPos>,
    /// The record that made it.
    #[serde(with = "stored_pos")]
    pub made: LogPos,
    /// The newest record that changed it.
    #[serde(with = "stored_pos")]
    pub newest: LogPos,
}

impl Post {
    /// A post that came in time at `arrived` in the record `made`, at the place `id`; whatever else is known of it is to be set.
    pub fn new(id: PostId, body: PostContent, arrived: Time, made: LogPos) -> Post {
        Post {
            id,
            origin: origin_of(&body.author).unwrap_or_default(),
            arrived,
            verdict: Verdict::InTime,
            placed_by: PlacedBy::Published,
            disposition: Disposition::InFeeds,
            edited: None,
            post_ref: None,
            author_ref: None,
            state: State::Whole,
            is_author_gone: false,
            was_tagged: Vec::new(),
            answers: ReplyResolution::default(),
            read_late: false,
            document: None,
            made,
            newest: made,
            body,
        }
    }

    /// Milliseconds from published to arrived; none if undated. Negative if its author's clock runs ahead.
    pub fn delay_ms(&self) -> Option<i64> {
        self.body
            .published
            .map(|published| self.arrived.since(published))
    }

    /// Whether a record after the one that made it changed it.
    pub fn has_changed(&self) -> bool {
        self.newest != self.made
    }

    /// Forgets all but its place, its author, what it answers, and its hashtags, in whose feeds it was.
    pub fn strip(&mut self, to: State) {
        self.state = to;
        self.edited = None;
        self.body.object = no_object();
        self.body.addressed = Vec::new();
        self.body.collections = Vec::new();
        self.document = None;
        self.body.mentions = Vec::new();
        self.body.language = None;
        self.body.has_media = false;
    }

    /// About how many bytes it takes in memory.
    pub fn weight(&self) -> usize {
        let lists = self
            .body
            .addressed
            .iter()
            .chain(&self.body.collections)
            .chain(&self.body.mentions)
            .chain(&self.body.tags);
        400 + self.body.object.get().len()
            + self.body.uri.len()
            + self.body.author.len()
            + lists.map(|text| 24 + text.len()).sum::<usize>()
    }
}

/// The JSON `null` that stands where an object was.
pub fn no_object() -> Box<serde_json::value::RawValue> {
    serde_json::value::RawValue::NULL.to_owned()
}

#[cfg(test)]
pub(crate) mod example {
    use super::*;

    /// A public post by `author`, without words.
    pub(crate) fn post(author: &str) -> Post {
        let body = PostContent::new(format!("{author}/1"), author.to_owned());
        Post::new(PostId::MIN, body, Time::default(), LogPos::FIRST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, posts stored by another version could not be read.
    #[test]
    fn a_post_ends_in_the_partitions_and_offsets_of_the_records_that_made_and_changed_it() {
        let post = Post {
            made: LogPos::of_activity(1, 5),
            newest: LogPos::of_activity(2, 6),
            ..example::post("https://a.example/users/ana")
        };
        let bytes = postcard::to_stdvec(&post).unwrap();
        assert!(bytes.ends_with(&[2, 10, 4, 12]), "{bytes:?}");
    }
}
