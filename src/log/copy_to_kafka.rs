//! A built-in log copied into the topics of Kafka, for an instance that has outgrown it.

use super::built_in::{self, BuiltInLogError, read_records, topic_bytes};
use super::kafka::{self, KafkaError, Producer};
use slackwater_engine::record::{Envelope, NewRecord, Record, Topic};
use std::ops::ControlFlow;
use std::path::Path;
use tokio::runtime::Handle;

/// Records that are given to Kafka at once, and about how many bytes of them: much less than the producer's queue holds.
const BATCH_RECORDS: usize = 500;
const BATCH_BYTES: usize = 8 << 20;
/// The header that says when an activity arrived: with `LogAppendTime` Kafka's own timestamp says when it was copied.
const ARRIVED_AT: &str = "arrived-at";

/// Why a log could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The built-in log cannot be read.
    #[error("reading the built-in log")]
    Read(#[from] BuiltInLogError),
    /// Kafka does not take a record, or does not answer. What it has taken stays: to begin again doubles nothing in feeds.
    #[error("writing to Kafka, after {copied} records")]
    Write {
        /// Records that it has taken.
        copied: u64,
        /// The reason.
        source: KafkaError,
    },
}

/// Copies every record of the log in `folder`, relations first and each topic in its order; returns how many of each topic. Keys, values
/// and headers stay, and activities get the header that says when they arrived, so that their places are the same. A record that was
/// copied before is one that was delivered again. It blocks, outside of a task of `runtime`. `progress` is given how many bytes are
/// read, of how many.
pub fn copy(
    folder: &Path,
    to: &kafka::Options,
    runtime: &Handle,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<[(Topic, u64); 2], CopyError> {
    // What a service took in after it was copied would be lost.
    let _alone = built_in::lock(folder)?;
    let failed = |copied| move |source| CopyError::Write { copied, source };
    let producer = Producer::start(to).map_err(failed(0))?;
    let topics = [Topic::Relationships, Topic::Activities];
    let all: u64 = topics.map(|topic| topic_bytes(folder, topic)).iter().sum();
    let (mut read, mut copied) = (0, 0);
    let mut counts = topics.map(|topic| (topic, 0));
    for (topic, count) in &mut counts {
        let mut batch = Vec::with_capacity(BATCH_RECORDS);
        let mut batch_bytes = 0;
        let mut outcome = Ok(());
        let mut append = |batch: &mut Vec<NewRecord>| {
            let records = batch.len() as u64;
            let appended = runtime.block_on(producer.append(std::mem::take(batch)));
            appended.map_err(failed(copied))?;
            copied += records;
            *count += records;
            Ok::<(), CopyError>(())
        };
        read_records(folder, *topic, |record, bytes| {
            read += bytes;
            batch_bytes += record.value.as_ref().map_or(0, Vec::len);
            batch.push(as_new(record));
            if batch.len() < BATCH_RECORDS && batch_bytes < BATCH_BYTES {
                return ControlFlow::Continue(());
            }
            progress(read, all);
            batch_bytes = 0;
            outcome = append(&mut batch);
            match outcome {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        outcome?;
        if !batch.is_empty() {
            append(&mut batch)?;
        }
    }
    progress(all, all);
    Ok(counts)
}

/// The record as it is appended again. An activity that cannot be understood stays as it is, and is a dead letter there too.
fn as_new(record: Record) -> NewRecord {
    let arrived = Envelope::of(record.view()).map(|envelope| envelope.arrived);
    let topic = record.position.topic;
    let mut headers = record.headers;
    if let (Topic::Activities, Ok(arrived)) = (topic, &arrived) {
        headers.retain(|(name, _)| name != ARRIVED_AT);
        headers.push((ARRIVED_AT.to_owned(), arrived.millis().to_string().into()));
    }
    let key = record.key.unwrap_or_default();
    let partition_by = match topic {
        Topic::Activities => key.clone(),
        // A relation goes where its account alone would: see docs/integrating.md.
        Topic::Relationships => key
            .split(|&byte| byte == b'/')
            .next()
            .unwrap_or_default()
            .to_vec(),
    };
    NewRecord {
        topic,
        partition_by,
        key,
        value: record.value,
        headers,
        timestamp: record.timestamp.or(arrived.ok()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slackwater_engine::record::Position;
    use slackwater_order::time::Time;

    /// A failure means that all posts arrive when they are copied: late, every one of them.
    #[test]
    fn an_activity_keeps_when_it_arrived_and_a_relation_goes_where_its_account_would() {
        let record = |topic, key: &str, headers: &[(&str, &str)]| Record {
            position: Position {
                topic,
                partition: 0,
                offset: 7,
            },
            timestamp: Some(Time::from_millis(1_795_348_800_000)),
            key: Some(key.into()),
            value: Some(b"{}".to_vec()),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).into()))
                .collect(),
        };
        let headers = |headers: &[(&str, &str)]| {
            let new = as_new(record(Topic::Activities, "https://a.example/ana", headers));
            assert_eq!(new.partition_by, new.key);
            let pairs = new.headers.into_iter();
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            pairs
                .map(|(name, value)| format!("{name}={}", text(value)))
                .collect::<Vec<_>>()
        };
        assert_eq!(headers(&[]), ["arrived-at=1795348800000"]);
        let earlier = [("arrived-at", "2026-11-22T10:00:00Z"), ("ref", "4711")];
        assert_eq!(headers(&earlier), ["ref=4711", "arrived-at=1795341600000"]);
        assert_eq!(
            headers(&[("arrived-at", "1895348800000")]),
            ["arrived-at=1795348800000"]
        );
        assert_eq!(
            headers(&[("arrived-at", "yesterday")]),
            ["arrived-at=yesterday"],
            "a dead letter again"
        );
        let relation = as_new(record(
            Topic::Relationships,
            "7/follow/https://a.example/ana",
            &[],
        ));
        assert_eq!(
            (relation.partition_by, relation.headers),
            (b"7".to_vec(), Vec::new())
        );
    }
}
