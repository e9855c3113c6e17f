//! What the records of nodes mean for this node's log: which dead letters it writes, and whether topics have more partitions.

use crate::log::LogWriter;
use crate::log::kafka::PartitionCheck;
use crate::pipeline::letter_ownership::LetterOwnership;
use slackwater_cluster::beat::Beat;

/// Hears every record of the topic of the nodes, in its order.
pub(super) struct Hearing {
    /// Whose dead letters this node writes.
    pub(super) letters: LetterOwnership,
    /// Asks the reader of the log for a check of the partitions; none where there can be no more.
    pub(super) partition_check: Option<PartitionCheck>,
    /// Appends to as many partitions as it knows of.
    pub(super) log_writer: LogWriter,
    /// The name of this process.
    pub(super) run: String,
    /// How many shards this node has said that there are; 0 before it has.
    pub(super) shards: u32,
}

impl Hearing {
    /// Hears a record: its key, and its value if it has one. What is no beat is passed over, and logged elsewhere.
    pub(super) fn hear(&mut self, key: &str, value: Option<&[u8]>) {
        let Some(value) = value else {
            self.letters.forget(key);
            return;
        };
        let Ok(beat) = Beat::decode(key, value) else {
            return;
        };
        if beat.run == self.run {
            self.shards = beat.shards;
            self.letters.own(beat.owns, beat.shards);
            return;
        }
        self.letters.hear(key, &beat.letters);
        if 0 < self.shards && self.shards < beat.shards {
            if let Some(check) = &self.partition_check {
                check.ask();
            }
            self.log_writer.check_partitions();
        }
    }
}
