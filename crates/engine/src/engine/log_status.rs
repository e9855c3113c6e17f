//! What is known of the log at one moment.

use crate::record::{PartitionEnd, Position, Topic};
use std::time::Duration;

/// What is known of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// Every partition; none while nothing is known of it.
    pub ends: Vec<PartitionEnd>,
    /// Whether the log answers: only then are the ends as they are now.
    pub is_reachable: bool,
    /// How long a record may take from its append until its partition's end is past it here.
    pub transit: Duration,
}

impl LogStatus {
    /// Where each partition ends.
    pub fn end_positions(&self) -> Vec<Position> {
        self.ends.iter().map(PartitionEnd::end_position).collect()
    }

    /// Whether all relations that are in the log have been taken.
    pub fn are_relations_read(&self) -> bool {
        self.ends
            .iter()
            .all(|end| end.topic != Topic::Relationships || end.end <= end.next)
    }
}
