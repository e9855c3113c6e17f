//! What was asked of a node, what was looked at, and what was shown.

use super::member::Relation;
use crate::engine::simulation::log::PARTITIONS;
use crate::engine::simulation::reader::{PollOutcome, Reader};
use slackwater_cluster::serving::Permit;
use slackwater_order::time::Time;

/// A request that a node has a permit for and has not answered.
pub(super) struct Look {
    pub(super) reader: usize,
    pub(super) member: usize,
    /// The process that was asked.
    pub(super) runs: u32,
    pub(super) permit: Permit,
    pub(super) seen: Option<Seen>,
}

/// What was looked at.
pub(super) struct Seen {
    /// Relations that had been answered by then, and that it lacks.
    pub(super) without: Vec<Relation>,
    /// The reader as they are if it is shown.
    pub(super) reader: Reader,
    pub(super) outcome: PollOutcome,
}

/// How far a node showed an account's home.
pub(super) struct Shown {
    pub(super) account: usize,
    pub(super) member: usize,
    pub(super) read: [usize; PARTITIONS],
    pub(super) built: Time,
    /// The latest that it ever was: while some partition lags it may be earlier.
    pub(super) built_max: Time,
    pub(super) horizon: Time,
}
