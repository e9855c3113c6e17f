//! The result of applying an activity.

use crate::feed::store::disk::DiskError;
use slackwater_order::verdict::Verdict;

/// What an activity came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A post got its place.
    Placed {
        /// How it came.
        verdict: Verdict,
        /// How long after it was written it arrived, in milliseconds, if both are known.
        delay_ms: Option<i64>,
    },
    /// A post was already there, or an author deleted; nothing new was said.
    Known,
    /// A post was edited.
    Edited,
    /// A post's object was replaced without an edit (poll counts).
    Refreshed,
    /// A post or an actor's document was older than what is kept of it.
    Outdated,
    /// This many posts were removed, now or when they come.
    Removed(usize),
    /// An actor's document is kept.
    Actor,
    /// The activity does not concern feeds.
    Ignored(&'static str),
}

/// Why an activity was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// It is set aside, with this reason.
    #[error("{0}")]
    Refused(String),
    /// The data folder failed: the service must stop.
    #[error(transparent)]
    Disk(#[from] DiskError),
}
