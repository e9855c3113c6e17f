//! One thing that happens to a feed. Pure.

use crate::record::offsets::LogPos;
use slackwater_order::place::PostId;

const REMOVAL: u64 = 1 << 63;
const DEPENDENCY: u64 = 1 << 63;

/// One thing that happens to a feed. Of several ops on an id the last counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedOp {
    id: u64,
    log_pos: u64,
}

/// What an op does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Insert,
    DependOn,
    Remove,
    /// The log position is the place of the post that the entry shows.
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

    /// `id`, if it is in the feed, depends on this record too.
    pub const fn depends_on(id: PostId, log_pos: LogPos) -> FeedOp {
        FeedOp {
            id: id.number(),
            log_pos: log_pos.number() | DEPENDENCY,
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
            log_pos: post.number() | DEPENDENCY,
        }
    }

    /// The id it inserts, if it inserts one.
    pub fn inserts(self) -> Option<PostId> {
        matches!(self.verb(), Verb::Insert).then_some(self.id())
    }

    pub(super) fn verb(self) -> Verb {
        match (self.id & REMOVAL != 0, self.log_pos & DEPENDENCY != 0) {
            (false, false) => Verb::Insert,
            (false, true) => Verb::DependOn,
            (true, false) => Verb::Remove,
            (true, true) => Verb::Shows,
        }
    }

    /// The entry it is about.
    pub(super) fn id(self) -> PostId {
        place(self.id & !REMOVAL)
    }

    /// The place of the post that the entry shows; without a meaning for other ops.
    pub(super) fn shown(self) -> PostId {
        place(self.log_pos & !DEPENDENCY)
    }

    /// The record that it names; without a meaning for an op that says what an entry shows.
    pub(super) fn log_pos(self) -> Option<LogPos> {
        LogPos::from_number(self.log_pos & !DEPENDENCY)
    }
}

/// The place of a number whose top bit is not set.
fn place(number: u64) -> PostId {
    PostId::from_number(number).unwrap_or(PostId::MAX)
}
