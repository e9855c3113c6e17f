//! One thing that happens to a feed. Pure.

use crate::record::offsets::LogPos;
use slackwater_order::place::PostId;

const REMOVAL: u64 = 1 << 63;
const ALSO: u64 = 1 << 63;

/// One thing that happened to a feed. The last word on an id counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedOp {
    id: u64,
    log_pos: u64,
}

/// What an op does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Insert,
    Also,
    Remove,
    /// The mark is a place: that of the post that the entry shows.
    Shows,
}

impl FeedOp {
    /// `id` belongs in the feed; `log_pos` is the newest record about its post.
    pub const fn insert(id: PostId, log_pos: LogPos) -> FeedOp {
        FeedOp {
            id: id.number(),
            log_pos: log_pos.number(),
        }
    }

    /// `id`, if it is in the feed, rests on this too.
    pub const fn also(id: PostId, log_pos: LogPos) -> FeedOp {
        FeedOp {
            id: id.number(),
            log_pos: log_pos.number() | ALSO,
        }
    }

    /// `id` does not belong in the feed (any more), for this reason.
    pub const fn remove(id: PostId, log_pos: LogPos) -> FeedOp {
        FeedOp {
            id: id.number() | REMOVAL,
            log_pos: log_pos.number(),
        }
    }

    /// `id`, if it is in the feed or was, shows this post.
    pub const fn shows(id: PostId, post: PostId) -> FeedOp {
        FeedOp {
            id: id.number() | REMOVAL,
            log_pos: post.number() | ALSO,
        }
    }

    /// The id it inserts, if it inserts one.
    pub fn inserts(self) -> Option<PostId> {
        matches!(self.verb(), Verb::Insert).then_some(self.id())
    }

    pub(super) fn verb(self) -> Verb {
        match (self.id & REMOVAL != 0, self.log_pos & ALSO != 0) {
            (false, false) => Verb::Insert,
            (false, true) => Verb::Also,
            (true, false) => Verb::Remove,
            (true, true) => Verb::Shows,
        }
    }

    /// The entry it is about.
    pub(super) fn id(self) -> PostId {
        place(self.id & !REMOVAL)
    }

    /// The place of the post that its entry shows, if that is what it says.
    pub(super) fn shown(self) -> PostId {
        place(self.log_pos & !ALSO)
    }

    /// The record that it names; of what is shown, none has a meaning.
    pub(super) fn log_pos(self) -> Option<LogPos> {
        LogPos::from_number(self.log_pos & !ALSO)
    }
}

/// The place of a number whose top bit is not set.
fn place(number: u64) -> PostId {
    PostId::from_number(number).unwrap_or(PostId::MAX)
}
