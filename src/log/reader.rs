//! The reading end of the log.

use super::built_in::{BuiltInLog, BuiltInLogError};
use super::{LogError, kafka};
use crate::clock;
use slackwater_engine::engine::log_status::LogStatus;
use slackwater_engine::record::{PartitionEnd, Position, Record, Topic};
use slackwater_order::time::Time;
use std::time::{Duration, Instant};

/// The most bytes that one read of the built-in log takes.
const READ_BYTES_MAX: usize = 8 << 20;

/// How often the built-in log is tidied at most: compaction reads the whole relationships topic.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// The longest that a record in Kafka may take to be fetched: the broker answers a waiting fetch at once, and a busy one in
/// less than this.
const KAFKA_TRANSIT: Duration = Duration::from_secs(1);

/// The reading end of the log. One thread takes from it.
pub enum LogReader {
    /// The built-in log.
    BuiltIn {
        /// The log.
        log: BuiltInLog,
        /// The next offset to be read of each topic, in the order of [`Topic::ALL`].
        next: [i64; 2],
        /// Records whose offsets retention took before they were read.
        lost: u64,
        /// When the log was last tidied; none if it was not since the start.
        tidied: Option<Instant>,
    },
    /// Kafka.
    Kafka(kafka::Consumer),
}

impl LogReader {
    /// The built-in log, to be read from `from` on, and topics that are not named there from their beginning.
    ///
    /// Errors: [`LogError::Shorter`] if the log ends before `from`.
    pub(super) fn built_in(log: BuiltInLog, from: &[Position]) -> Result<LogReader, LogError> {
        let mut next = [0; 2];
        let mut lost = 0;
        for (next, topic) in next.iter_mut().zip(Topic::ALL) {
            let bounds = log.bounds(topic);
            let stored = from
                .iter()
                .find(|position| position.topic == topic)
                .map(|position| position.offset);
            *next = stored.unwrap_or(bounds.first);
            if stored.is_none() && 0 < bounds.first {
                tracing::warn!(
                    topic = topic.name(),
                    first = bounds.first,
                    "the log has {} from offset {} on: of what was before, feeds made anew have nothing",
                    topic.name(),
                    bounds.first
                );
            }
            if *next < bounds.first {
                lost += bounds.first.abs_diff(*next);
                tracing::error!(
                    topic = topic.name(),
                    lost = bounds.first - *next,
                    "retention took {} records of {} before they were read: feeds lack them",
                    bounds.first - *next,
                    topic.name()
                );
                *next = bounds.first;
            }
            if bounds.next < *next {
                return Err(LogError::Shorter {
                    topic: topic.name(),
                    from: *next,
                    next: bounds.next,
                });
            }
        }
        Ok(LogReader::BuiltIn {
            log,
            next,
            lost,
            tidied: None,
        })
    }

    /// Takes up to `records_max` records, waiting up to `wait` for the first. The records of each partition come in order.
    /// The built-in log gives relationships before activities.
    pub fn take(&mut self, records_max: usize, wait: Duration) -> Result<Vec<Record>, LogError> {
        match self {
            LogReader::Kafka(consumer) => Ok(consumer.take(records_max, wait)?),
            LogReader::BuiltIn {
                log, next, lost, ..
            } => {
                let mut records = read(log, next, lost, records_max)?;
                if records.is_empty() {
                    log.wait(*next, wait);
                    records = read(log, next, lost, records_max)?;
                }
                Ok(records)
            }
        }
    }

    /// How long activities of a batch that was taken `now` had waited for that since they were durable, and how many of them had waited as
    /// long. Of those in Kafka their timestamps say when that was; those that were in the built-in log when it was opened are left
    /// out. To be asked once for each batch, in their order; `stopwatch` is `now` too.
    pub fn waits_of_activities(
        &self,
        records: &[Record],
        now: Time,
        stopwatch: Instant,
    ) -> Vec<(Duration, u64)> {
        let mut activities = records
            .iter()
            .filter(|record| record.position.topic == Topic::Activities);
        match self {
            LogReader::BuiltIn { log, .. } => {
                let Some(first) = activities.next() else {
                    return Vec::new();
                };
                let first = first.position.offset;
                let last = activities
                    .next_back()
                    .map_or(first, |last| last.position.offset);
                let durable = log.durable_since(Topic::Activities, first..last + 1);
                durable
                    .into_iter()
                    .map(|(at, many)| (stopwatch.saturating_duration_since(at), many))
                    .collect()
            }
            LogReader::Kafka(_) => activities
                .filter_map(|record| {
                    let waited = u64::try_from(now.since(record.timestamp?)).unwrap_or(0);
                    Some((Duration::from_millis(waited), 1))
                })
                .collect(),
        }
    }

    /// The longest that a record may be in the log before the end of its partition is known to have moved.
    pub fn transit(&self) -> Duration {
        match self {
            LogReader::BuiltIn { .. } => Duration::ZERO,
            LogReader::Kafka(_) => KAFKA_TRANSIT,
        }
    }

    /// The ends of the partitions, and whether the log can be reached.
    pub fn status(&self) -> LogStatus {
        LogStatus {
            ends: self.ends(),
            is_reachable: self.is_healthy(),
            transit: self.transit(),
        }
    }

    /// The next offset to be taken of each partition, and the offset at which the partition ends.
    pub fn ends(&self) -> Vec<PartitionEnd> {
        match self {
            LogReader::Kafka(consumer) => consumer.ends(),
            LogReader::BuiltIn { log, next, .. } => Topic::ALL
                .into_iter()
                .zip(next)
                .map(|(topic, next)| PartitionEnd {
                    topic,
                    partition: 0,
                    next: *next,
                    end: log.bounds(topic).next,
                })
                .collect(),
        }
    }

    /// Commits how far the log has been read, for lag tools only: after a crash, reading goes on from the checkpoint.
    pub fn commit(&self, next: &[Position]) {
        match self {
            LogReader::Kafka(consumer) => consumer.commit(next),
            LogReader::BuiltIn { .. } => {}
        }
    }

    /// Has a member of Kafka's group commit from here on, as [`kafka::Consumer::commit_through`].
    pub fn commit_through(&mut self, commits: kafka::Commits) {
        if let LogReader::Kafka(consumer) = self {
            consumer.commit_through(commits);
        }
    }

    /// Asks for a check whether topics have more partitions, before one is due; none where they cannot get any.
    pub fn partition_check(&self) -> Option<kafka::PartitionCheck> {
        match self {
            LogReader::Kafka(consumer) => Some(consumer.partition_check()),
            LogReader::BuiltIn { .. } => None,
        }
    }

    /// Lets the built-in log drop what it need not keep, if it was not tidied within the last hour. To be called when a
    /// checkpoint is written. `log_time` is what retention is measured from.
    pub fn tidy_if_due(&mut self, log_time: Time) {
        match self {
            LogReader::Kafka(_) => {}
            LogReader::BuiltIn { log, tidied, .. } => {
                let is_due = tidied
                    .as_ref()
                    .is_none_or(|tidied| TIDY_EVERY <= tidied.elapsed());
                if is_due {
                    *tidied = Some(clock::stopwatch());
                    tidy(log.clone(), log_time);
                }
            }
        }
    }

    /// Whether the log can be reached.
    pub fn is_healthy(&self) -> bool {
        match self {
            LogReader::Kafka(consumer) => consumer.is_healthy(),
            LogReader::BuiltIn { .. } => true,
        }
    }

    /// Records that retention took before they were read.
    pub fn lost_records(&self) -> u64 {
        match self {
            LogReader::Kafka(consumer) => consumer.lost_records(),
            LogReader::BuiltIn { lost, .. } => *lost,
        }
    }

    /// Records of the built-in log that could not be read any more and were put aside.
    pub fn damaged_records(&self) -> u64 {
        match self {
            LogReader::Kafka(_) => 0,
            LogReader::BuiltIn { log, .. } => log.damaged_records(),
        }
    }

    /// How many partitions each topic has, in the order of [`Topic::ALL`].
    pub fn partitions(&self) -> [i32; 2] {
        let ends = self.ends();
        Topic::ALL.map(|topic| {
            let of_topic = ends.iter().filter(|end| end.topic == topic);
            of_topic.map(|end| end.partition + 1).max().unwrap_or(1)
        })
    }

    /// Stops reading.
    pub fn stop(self) {
        if let LogReader::Kafka(consumer) = self {
            consumer.stop();
        }
    }
}

/// Drops expired activities and superseded relations, on a thread of its own: on a large log it takes seconds.
fn tidy(log: BuiltInLog, log_time: Time) {
    let tidied = std::thread::Builder::new()
        .name("log-tidy".to_owned())
        .spawn(move || {
            let tidied = log.expire(log_time).and_then(|()| log.compact());
            if let Err(error) = tidied.or_else(|error| match error {
                // The service has stopped meanwhile, and the next start tidies.
                BuiltInLogError::Closed => Ok(()),
                error => Err(error),
            }) {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "tidying the built-in log failed: {error}"
                );
            }
        });
    if let Err(error) = tidied {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "no thread to tidy the built-in log: {error}"
        );
    }
}

/// Reads on in the first topic that has more. Where retention has overtaken reading, the records it took are counted as lost.
fn read(
    log: &BuiltInLog,
    next: &mut [i64; 2],
    lost: &mut u64,
    records_max: usize,
) -> Result<Vec<Record>, LogError> {
    // Relationships come first: a feed does not depend on the order, and a follow that is known before the posts saves a
    // merge after them.
    for topic in [Topic::Relationships, Topic::Activities] {
        let Some(at) = next.get_mut(topic as usize) else {
            continue;
        };
        let end = log.bounds(topic).next;
        let records = match log.read(topic, *at, records_max, READ_BYTES_MAX) {
            Err(BuiltInLogError::Gone { first, .. }) => {
                tracing::error!(
                    topic = topic.name(),
                    "retention overtook reading of {}: going on at {first}",
                    topic.name()
                );
                *lost += first.abs_diff(*at);
                *at = first;
                log.read(topic, *at, records_max, READ_BYTES_MAX)?
            }
            records => records?,
        };
        if let Some(last) = records.last() {
            *at = last.position.offset + 1;
            return Ok(records);
        }
        // The log has offsets up to here without a record: the records were damaged.
        *at = end.max(*at);
    }
    Ok(Vec::new())
}
