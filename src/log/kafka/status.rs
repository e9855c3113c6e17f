//! What the thread that reads from Kafka and the handle on it share beside the batches.

use super::consumer_client::PartitionOffsets;
use slackwater_engine::record::Position;

/// Where reading stands as the thread sees it, and what the handle asks of the thread.
pub(super) struct Status {
    /// Where each partition ends: the offset after its last record.
    pub(super) ends: PartitionOffsets,
    /// Whether the leader of every partition is connected.
    pub(super) is_healthy: bool,
    /// Offsets that retention took before they were read, since the start.
    pub(super) lost_records: u64,
    /// Offsets that the thread is to commit for lag tools.
    pub(super) to_commit: Option<Vec<Position>>,
    /// Whether somebody wants to know soon if topics have more partitions.
    pub(super) partitions_asked: bool,
    /// The id of the cluster, once its brokers have said one.
    pub(super) cluster: Option<String>,
    /// Whether the thread is to stop.
    pub(super) stop: bool,
}

impl Default for Status {
    fn default() -> Status {
        Status {
            ends: PartitionOffsets::new(),
            is_healthy: true,
            lost_records: 0,
            to_commit: None,
            partitions_asked: false,
            cluster: None,
            stop: false,
        }
    }
}
