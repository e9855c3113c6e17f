//! The delays in a log, as lines of JSON: what `tune` tries windows on, without the posts themselves.

use crate::clock;
use crate::log;
use crate::log::built_in::{BuiltInLogError, read_records, topic_bytes};
use crate::log::decode_batch::decode_in_order;
use crate::log::kafka::{self, KafkaError};
use hashbrown::HashSet;
use schemars::JsonSchema;
use serde::Serialize;
use slackwater_engine::activity::Activity;
use slackwater_engine::activity::Delivery;
use slackwater_engine::activity::PostContent;
use slackwater_engine::decode::Decoded;
use slackwater_engine::host::origin_of;
use slackwater_engine::record::{PartitionEnd, Record, Topic};
use slackwater_order::time::Time;
use std::io::Write;
use std::ops::ControlFlow;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// Posts remembered, so that each is exported once. Past that all are forgotten, and a post that is delivered again is exported
/// again: redeliveries come within hours, so it hardly matters. Takes about 150 MB.
const POSTS_MAX: usize = 10_000_000;
/// Records decoded at once.
const BATCH_RECORDS: usize = 2_000;
/// How long to wait for records that are known to be there.
const RECORDS_WAIT: Duration = Duration::from_secs(1);
/// How long nothing may come from Kafka before the export gives up.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// One post, as far as its delay is concerned: a line of the trace.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sighting<'a> {
    /// The host of its author's id, lower case, without a leading `www.`.
    pub origin: &'a str,
    /// When its author's server says it was written. `tune` takes milliseconds since 1970 as well.
    pub published: Time,
    /// When the instance received it. `tune` takes milliseconds since 1970 as well.
    pub arrived: Time,
}

/// What an export has read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportCounts {
    /// Records read.
    pub records: u64,
    /// Posts among them, each a line.
    pub posts: u64,
    /// Records that could not be used.
    pub unusable: u64,
}

/// Why a trace could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The built-in log cannot be read.
    #[error("reading the built-in log")]
    Log(#[from] BuiltInLogError),
    /// Kafka cannot be read.
    #[error("reading from Kafka")]
    Kafka(#[from] KafkaError),
    /// Nothing came from Kafka for a minute, though there is more.
    #[error(
        "nothing came from Kafka for a minute, though {left} records are left: is a broker away?"
    )]
    Silent {
        /// Records left.
        left: i64,
    },
    /// The lines cannot be written.
    #[error("writing the trace")]
    Write(#[from] std::io::Error),
}

/// Writes a line for each post in the log, from its beginning to where it ends now: those that came as a Create or an
/// Announce and have a date, each once. A running service is not disturbed. `progress` is given how much of how
/// much is read, in bytes or records.
pub fn write(
    log: &log::Options,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<ExportCounts, ExportError> {
    let mut writer = TraceWriter {
        out,
        exported: HashSet::new(),
        counts: ExportCounts::default(),
        batch: Vec::with_capacity(BATCH_RECORDS),
        failed: None,
    };
    match log {
        log::Options::BuiltIn(options) => {
            let all = topic_bytes(&options.path, Topic::Activities);
            let mut read = 0;
            read_records(&options.path, Topic::Activities, |record, bytes| {
                read += bytes;
                if writer.counts.records.is_multiple_of(BATCH_RECORDS as u64) {
                    progress(read, all);
                }
                writer.take(record)
            })?;
        }
        log::Options::Kafka(options) => from_kafka(options, &mut writer, progress)?,
    }
    writer.finish()
}

fn from_kafka(
    options: &kafka::Options,
    writer: &mut TraceWriter<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), ExportError> {
    let mut consumer = kafka::Consumer::start(options, &[], &[])?;
    let is_of_activities = |end: &PartitionEnd| end.topic == Topic::Activities;
    let ends: Vec<PartitionEnd> = consumer
        .ends()
        .into_iter()
        .filter(is_of_activities)
        .collect();
    let left = |consumer: &kafka::Consumer| -> i64 {
        let now = consumer.ends();
        let left = ends.iter().map(|then| {
            let same =
                |end: &&PartitionEnd| (end.topic, end.partition) == (then.topic, then.partition);
            then.end
                - now
                    .iter()
                    .find(same)
                    .map_or(0, |end| end.next.min(then.end))
        });
        left.sum()
    };
    let all = left(&consumer);
    let mut last_records = clock::stopwatch();
    loop {
        let left = left(&consumer);
        progress(all.abs_diff(left), all.unsigned_abs());
        if left <= 0 {
            break;
        }
        let records = consumer.take(BATCH_RECORDS, RECORDS_WAIT)?;
        if !records.is_empty() {
            last_records = clock::stopwatch();
        } else if SILENCE_MAX <= last_records.elapsed() {
            consumer.stop();
            return Err(ExportError::Silent { left });
        }
        for record in records {
            if record.position.topic == Topic::Activities && writer.take(record).is_break() {
                consumer.stop();
                return Ok(());
            }
        }
    }
    consumer.stop();
    Ok(())
}

/// The trace while it is written.
struct TraceWriter<'a> {
    out: &'a mut dyn Write,
    /// Hashes of the URIs of posts exported.
    exported: HashSet<u64>,
    counts: ExportCounts,
    batch: Vec<Record>,
    failed: Option<std::io::Error>,
}

impl TraceWriter<'_> {
    /// Takes a record. Breaks when lines cannot be written any more.
    fn take(&mut self, record: Record) -> ControlFlow<()> {
        self.counts.records += 1;
        self.batch.push(record);
        if BATCH_RECORDS <= self.batch.len() {
            self.flush();
        }
        match self.failed {
            None => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(()),
        }
    }

    fn flush(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let decoded = decode_in_order(&batch, threads, |_, said, _| {
            match said {
                Decoded::Activity(envelope, activity) => {
                    if let Activity::Post {
                        how: Delivery::Create | Delivery::Announce,
                        body,
                        ..
                    } = *activity
                    {
                        self.export(&body, envelope.arrived);
                    }
                }
                Decoded::Unusable(_) => self.counts.unusable += 1,
                Decoded::Relation(_) => {}
            }
            Ok::<_, std::convert::Infallible>(())
        });
        match decoded {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }

    fn export(&mut self, body: &PostContent, arrived: Time) {
        let (Some(origin), Some(published)) = (origin_of(&body.author), body.published) else {
            return;
        };
        if POSTS_MAX <= self.exported.len() {
            self.exported.clear();
        }
        if !self.exported.insert(xxh3_64(body.uri.as_bytes())) || self.failed.is_some() {
            return;
        }
        let sighting = Sighting {
            origin: &origin,
            published,
            arrived,
        };
        let written = serde_json::to_writer(&mut *self.out, &sighting)
            .map_err(std::io::Error::from)
            .and_then(|()| self.out.write_all(b"\n"));
        match written {
            Ok(()) => self.counts.posts += 1,
            Err(error) => self.failed = Some(error),
        }
    }

    fn finish(mut self) -> Result<ExportCounts, ExportError> {
        self.flush();
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        self.out.flush()?;
        Ok(self.counts)
    }
}
