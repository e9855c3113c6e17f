//! The reading end of the log.

use super::built_in::{BuiltInLog, BuiltInLogError};
use super::{LogError, kafka};
use crate::clock;
use slackwater_engine::engine::log_status::LogStatus;
use slackwater_engine::record::{PartitionEnd, Position, Record, Topic};
use slackwater_order::time::Time;
use std::time::{Duration, Instant};

/// Bytes of records one read of the built-in log takes at most.
const READ_BYTES_MAX: usize = 8 << 20;

/// How often the built-in log drops what it need not keep: compaction reads the whole relationships topic.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// What a record in Kafka may take to be fetched: the broker answers a waiting fetch at once, and a busy one in less.
const KAFKA_TRANSIT: Duration = Duration::from_secs(1);

/// The reading end of the log: one taker.
pub enum LogReader {
    /// The built-in log and, of each topic, the next offset.
    BuiltIn {
        /// The log.
        log: BuiltInLog,
        /// The next offset of each topic, in the order of [`Topic::ALL`].
        next: [i64; 2],
        /// Records whose offsets retention took before they were read.
        lost: u64,
        /// When it was last tidied.
        tidied: Option<Instant>,
    },
    /// Kafka.
    Kafka(kafka::Consumer),
}

impl LogReader {
    /// Takes up to `records_max` records, waiting up to `wait` for the first. Each partition's come in order; the
    /// built-in log gives relationships before activities.
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

    /// How long a record may be in the log before its partition's end is known to have moved.
    pub fn transit(&self) -> Duration {
        match self {
            LogReader::BuiltIn { .. } => Duration::ZERO,
            LogReader::Kafka(_) => KAFKA_TRANSIT,
        }
    }

    /// What is known of the log now.
    pub fn status(&self) -> LogStatus {
        LogStatus {
            ends: self.ends(),
            is_reachable: self.is_healthy(),
            transit: self.transit(),
        }
    }

    /// How far each partition has been taken, and how far it goes.
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

    /// Tells lag tools how far the log has been taken in. What is read again after a crash does not go by that.
    pub fn taken(&self, next: &[Position]) {
        match self {
            LogReader::Kafka(consumer) => consumer.commit(next),
            LogReader::BuiltIn { .. } => {}
        }
    }

    /// A checkpoint is written: lets the built-in log drop what it need not keep.
    pub fn reflected(&mut self, log_time: Time) {
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

    /// Records that were gone from the log before they were read.
    pub fn lost_records(&self) -> u64 {
        match self {
            LogReader::Kafka(consumer) => consumer.lost_records(),
            LogReader::BuiltIn { lost, .. } => *lost,
        }
    }

    /// Records of the log that could not be read any more and were put aside: of the built-in log.
    pub fn damaged_records(&self) -> u64 {
        match self {
            LogReader::Kafka(_) => 0,
            LogReader::BuiltIn { log, .. } => log.damaged_records(),
        }
    }

    /// Partitions of the activities topic.
    pub fn partitions(&self) -> i32 {
        let activities = self
            .ends()
            .into_iter()
            .filter(|end| end.topic == Topic::Activities);
        activities.map(|end| end.partition + 1).max().unwrap_or(1)
    }

    /// Stops reading.
    pub fn stop(self) {
        if let LogReader::Kafka(consumer) = self {
            consumer.stop();
        }
    }
}

/// Drops expired activities and superseded relations, beside everything else: on a large log it takes seconds.
fn tidy(log: BuiltInLog, log_time: Time) {
    let tidied = std::thread::Builder::new()
        .name("log-tidy".to_owned())
        .spawn(move || {
            let tidied = log.expire(log_time).and_then(|()| log.compact());
            if let Err(error) = tidied.or_else(|error| match error {
                // The service stopped meanwhile: the next start tidies.
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

fn read(
    log: &BuiltInLog,
    next: &mut [i64; 2],
    lost: &mut u64,
    records_max: usize,
) -> Result<Vec<Record>, LogError> {
    // Relationships first: a feed is a function of what is so, and following before posting saves merging after.
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
        // Nothing is left of what was there: it was damaged.
        *at = end.max(*at);
    }
    Ok(Vec::new())
}
