//! Whichever log is configured, Kafka or the built-in one, behind one set of verbs.
//!
//! | module | what it is |
//! |---|---|
//! | [`kafka`] | the client of Kafka: consumer, producer, topics |
//! | [`built_in`] | the log in a folder, for instances without Kafka |
//! | [`in_flight`] | records that were stamped and are not in the log yet |
//! | [`decode_batch`] | records decoded on every core, handed back in their order |

pub mod built_in;
pub mod decode_batch;
pub mod in_flight;
pub mod kafka;

use crate::clock;
use built_in::{BuiltInLog, LogError};
use kafka::KafkaError;
use slackwater_engine::engine::log_status::LogStatus;
use slackwater_engine::record::fingerprint::Fingerprint;
use slackwater_engine::record::{NewRecord, PartitionEnd, Position, Record, Topic};
use slackwater_order::time::Time;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes of records one read of the built-in log takes at most.
const READ_BYTES_MAX: usize = 8 << 20;

/// How often the built-in log drops what it need not keep: compaction reads the whole relationships topic.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// What a record in Kafka may take to be fetched: the broker answers a waiting fetch at once, and a busy one in less.
const KAFKA_TRANSIT: Duration = Duration::from_secs(1);

/// Which log, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Options {
    /// The built-in log in a folder.
    BuiltIn(built_in::Options),
    /// Kafka.
    Kafka(kafka::Options),
}

/// Why records could not be read or appended.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The built-in log.
    #[error(transparent)]
    BuiltIn(#[from] LogError),
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The file with the built-in log's id.
    #[error("reading or writing the id of the built-in log")]
    Id {
        /// The reason.
        source: std::io::Error,
    },
    /// The built-in log is not the one the data folder was built from.
    #[error(
        "the data folder reflects {topic} up to offset {from}, but the log ends at {next}: it is another log, or lost \
         its end. `slackwater serve --rebuild` puts the folder aside and makes it anew from this log"
    )]
    Shorter {
        /// The topic.
        topic: &'static str,
        /// The next offset the data folder wants.
        from: i64,
        /// The log's next offset.
        next: i64,
    },
}

/// Which log it is: a data folder is built from one and cannot be read on with another, and cursors hold its offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What it is called.
    name: String,
    /// Which of those that are called so; none if it does not tell.
    id: Option<String>,
}

impl Options {
    /// Which log it is. The built-in log has an id in a file of its own, made with its folder; Kafka's is its cluster's,
    /// and this blocks until a broker answers, for at most a minute.
    pub fn identity(&self) -> Result<Identity, SourceError> {
        match self {
            Options::BuiltIn(options) => {
                let id = built_in_id(&options.path).map_err(|source| SourceError::Id { source })?;
                Ok(Identity {
                    name: format!("the built-in log {id}"),
                    id: None,
                })
            }
            Options::Kafka(kafka) => Ok(Identity {
                name: format!(
                    "Kafka topics {} and {}",
                    kafka.activities, kafka.relationships
                ),
                id: kafka::cluster_id(kafka)?,
            }),
        }
    }
}

impl Identity {
    /// The log as a data folder keeps it, which may have been built from `built_from`. None if that was another log.
    ///
    /// One that does not tell its id is taken for what it was, if it is called the same; so is one that had not told it
    /// before.
    pub fn of_folder(&self, built_from: Option<&str>) -> Option<String> {
        let now = match &self.id {
            Some(id) => format!("{}{CLUSTER}{id}", self.name),
            None => self.name.clone(),
        };
        match built_from {
            None => Some(now),
            Some(before) if before == now || before == self.name => Some(now),
            Some(before) => {
                let name = before.split_once(CLUSTER).map(|(name, _)| name);
                let is_untold = self.id.is_none() && name == Some(self.name.as_str());
                is_untold.then(|| before.to_owned())
            }
        }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.of_folder(None).unwrap_or_default())
    }
}

/// Between a log's name and its id. No topic's name has a space.
const CLUSTER: &str = " of cluster ";

/// The id of the built-in log in a folder; made if it has none.
fn built_in_id(folder: &Path) -> std::io::Result<String> {
    let path = folder.join("id");
    match std::fs::read_to_string(&path) {
        Ok(id) => return Ok(id.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(named("read", &path)(error)),
    }
    std::fs::create_dir_all(folder).map_err(named("create", folder))?;
    // Two logs made at one moment by one process are not to be expected.
    let id = format!("{:x}-{:x}", clock::now().millis(), std::process::id());
    // Under another name until it is whole: a process that ends meanwhile leaves no empty id.
    let unfinished = folder.join("id.new");
    let mut file = std::fs::File::create(&unfinished).map_err(named("create", &unfinished))?;
    writeln!(file, "{id}").map_err(named("write", &unfinished))?;
    file.sync_all().map_err(named("sync", &unfinished))?;
    std::fs::rename(&unfinished, &path).map_err(named("rename", &unfinished))?;
    let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(named("sync", folder))?;
    Ok(id)
}

/// The same error, with what we were doing to which file: the system's own says neither.
fn named(doing: &str, path: &Path) -> impl FnOnce(std::io::Error) -> std::io::Error {
    move |error| {
        let said = format!("could not {doing} {}: {error}", path.display());
        std::io::Error::new(error.kind(), said)
    }
}

impl SourceError {
    /// Whether it will pass when what was handed in before is written.
    pub fn is_full(&self) -> bool {
        matches!(
            self,
            SourceError::BuiltIn(LogError::Full) | SourceError::Kafka(KafkaError::Full { .. })
        )
    }

    /// Whether the record itself is too large for the log.
    pub fn is_too_large(&self) -> bool {
        matches!(
            self,
            SourceError::BuiltIn(LogError::TooLarge { .. })
                | SourceError::Kafka(KafkaError::TooLarge { .. })
        )
    }

    /// Whether the same may succeed later: a broker comes back, a disk has room again.
    pub fn is_passing(&self) -> bool {
        match self {
            SourceError::BuiltIn(error) => error.is_passing(),
            SourceError::Kafka(error) => matches!(
                error,
                KafkaError::Full { .. }
                    | KafkaError::NotAccepted { .. }
                    | KafkaError::Unreachable { .. }
            ),
            _ => false,
        }
    }

    /// Whether the log has told of it already: it does so once, when it stops taking records.
    pub fn is_told(&self) -> bool {
        matches!(self, SourceError::BuiltIn(error) if error.is_passing())
    }
}

/// The reading end of the log: one taker.
pub enum Source {
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

/// The writing end of the log. Cheap to clone.
#[derive(Clone)]
pub enum Appender {
    /// The built-in log.
    BuiltIn(BuiltInLog),
    /// Kafka.
    Kafka(kafka::Producer),
}

/// Opens both ends; reading goes on at `from`, partitions not named at their beginning. Blocks until the log answers.
///
/// That it is still the log that was read, the built-in one tells by its id, and Kafka's topics by the records that were `taken`
/// from them last.
pub fn open(
    options: &Options,
    from: &[Position],
    taken: &[Fingerprint],
) -> Result<(Source, Appender), SourceError> {
    match options {
        Options::BuiltIn(options) => {
            let log = BuiltInLog::open(options.clone())?;
            let mut next = [0; 2];
            let mut lost = 0;
            for (at, topic) in next.iter_mut().zip(Topic::ALL) {
                let bounds = log.bounds(topic);
                let stored = from
                    .iter()
                    .find(|position| position.topic == topic)
                    .map(|position| position.offset);
                *at = stored.unwrap_or(bounds.first);
                if stored.is_none() && 0 < bounds.first {
                    tracing::warn!(
                        topic = topic.name(),
                        first = bounds.first,
                        "the log has {} from offset {} on: of what was before, feeds made anew have nothing",
                        topic.name(),
                        bounds.first
                    );
                }
                if *at < bounds.first {
                    lost += bounds.first.abs_diff(*at);
                    tracing::error!(
                        topic = topic.name(),
                        lost = bounds.first - *at,
                        "retention took {} records of {} before they were read: feeds lack them",
                        bounds.first - *at,
                        topic.name()
                    );
                    *at = bounds.first;
                }
                if bounds.next < *at {
                    return Err(SourceError::Shorter {
                        topic: topic.name(),
                        from: *at,
                        next: bounds.next,
                    });
                }
            }
            Ok((
                Source::BuiltIn {
                    log: log.clone(),
                    next,
                    lost,
                    tidied: None,
                },
                Appender::BuiltIn(log),
            ))
        }
        Options::Kafka(options) => {
            let producer = kafka::Producer::start(options)?;
            let consumer = kafka::Consumer::start(options, from, taken)?;
            Ok((Source::Kafka(consumer), Appender::Kafka(producer)))
        }
    }
}

impl Source {
    /// Takes up to `records_max` records, waiting up to `wait` for the first. Each partition's come in order; the
    /// built-in log gives relationships before activities.
    pub fn take(&mut self, records_max: usize, wait: Duration) -> Result<Vec<Record>, SourceError> {
        match self {
            Source::Kafka(consumer) => Ok(consumer.take(records_max, wait)?),
            Source::BuiltIn {
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
            Source::BuiltIn { .. } => Duration::ZERO,
            Source::Kafka(_) => KAFKA_TRANSIT,
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
            Source::Kafka(consumer) => consumer.ends(),
            Source::BuiltIn { log, next, .. } => Topic::ALL
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
            Source::Kafka(consumer) => consumer.commit(next),
            Source::BuiltIn { .. } => {}
        }
    }

    /// A checkpoint is written: lets the built-in log drop what it need not keep.
    pub fn reflected(&mut self, log_time: Time) {
        match self {
            Source::Kafka(_) => {}
            Source::BuiltIn { log, tidied, .. } => {
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
            Source::Kafka(consumer) => consumer.healthy(),
            Source::BuiltIn { .. } => true,
        }
    }

    /// Records that were gone from the log before they were read.
    pub fn lost_records(&self) -> u64 {
        match self {
            Source::Kafka(consumer) => consumer.lost_records(),
            Source::BuiltIn { lost, .. } => *lost,
        }
    }

    /// Records of the log that could not be read any more and were put aside: of the built-in log.
    pub fn damaged_records(&self) -> u64 {
        match self {
            Source::Kafka(_) => 0,
            Source::BuiltIn { log, .. } => log.damaged_records(),
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
        if let Source::Kafka(consumer) = self {
            consumer.stop();
        }
    }
}

impl Appender {
    /// Appends records; durable when it returns. Their positions, in order.
    pub async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<Position>, SourceError> {
        match self {
            Appender::BuiltIn(log) => Ok(log.append(records).await?),
            Appender::Kafka(producer) => Ok(producer.append(records).await?),
        }
    }

    /// Where every partition ends at this moment: the position after its last record. Blocks, for Kafka for a few seconds
    /// at most. Errors: the log does not answer.
    pub fn ends_now(&self) -> Result<Vec<Position>, SourceError> {
        match self {
            Appender::BuiltIn(log) => {
                let end = |topic| Position {
                    topic,
                    partition: 0,
                    offset: log.bounds(topic).next,
                };
                Ok(Topic::ALL.map(end).to_vec())
            }
            Appender::Kafka(producer) => Ok(producer.ends_now()?),
        }
    }

    /// Keeps a record that could not be used, with its reason.
    pub async fn dead_letter(&self, record: &Record, reason: &str) -> Result<(), SourceError> {
        match self {
            Appender::BuiltIn(log) => Ok(log.dead_letter(record, reason).await?),
            Appender::Kafka(producer) => Ok(producer.dead_letter(record, reason).await?),
        }
    }

    /// Why nothing can be appended at the moment, if that is known: it passes by itself.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Appender::BuiltIn(log) => log.trouble().map(|error| error.told()),
            Appender::Kafka(_) => None,
        }
    }

    /// Ends it: what was accepted is durable already.
    pub fn close(&self) {
        match self {
            Appender::BuiltIn(log) => log.close(),
            Appender::Kafka(producer) => {
                if let Err(error) = producer.flush(Duration::from_secs(2)) {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "flushing the producer failed: {error}"
                    );
                }
            }
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
                LogError::Closed => Ok(()),
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
) -> Result<Vec<Record>, SourceError> {
    // Relationships first: a feed is a function of what is so, and following before posting saves merging after.
    for topic in [Topic::Relationships, Topic::Activities] {
        let Some(at) = next.get_mut(topic as usize) else {
            continue;
        };
        let end = log.bounds(topic).next;
        let records = match log.read(topic, *at, records_max, READ_BYTES_MAX) {
            Err(LogError::Gone { first, .. }) => {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, feeds built from one log would be read on with the offsets of another.
    #[test]
    fn a_folder_belongs_to_one_cluster_and_one_from_before_ids_were_kept_to_that_of_its_names() {
        let log = |name: &str, id: Option<&str>| Identity {
            name: name.to_owned(),
            id: id.map(str::to_owned),
        };
        let check = |now: &Identity, built_from: Option<&str>, is: Option<&str>| {
            assert_eq!(
                now.of_folder(built_from).as_deref(),
                is,
                "{now} {built_from:?}"
            );
        };
        let (told, untold) = (
            log("Kafka topics a and b", Some("X")),
            log("Kafka topics a and b", None),
        );
        let (named, whole) = ("Kafka topics a and b", "Kafka topics a and b of cluster X");
        check(&told, None, Some(whole));
        check(&told, Some(whole), Some(whole));
        check(&told, Some(named), Some(whole));
        check(&told, Some("Kafka topics a and b of cluster Y"), None);
        check(&told, Some("Kafka topics a and c of cluster X"), None);
        check(&told, Some("Kafka topics a and c"), None);
        check(&untold, None, Some(named));
        check(&untold, Some(named), Some(named));
        check(&untold, Some(whole), Some(whole));
        check(&untold, Some("Kafka topics a and c of cluster X"), None);
        check(
            &log("the built-in log 1", None),
            Some("the built-in log 2"),
            None,
        );
    }

    #[test]
    fn a_built_in_log_keeps_its_id_and_another_has_another() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let id = built_in_id(one.path()).unwrap();
        assert_eq!(built_in_id(one.path()).unwrap(), id);
        // As a process leaves it that ended while it made one.
        std::fs::write(other.path().join("id.new"), "").unwrap();
        let made = built_in_id(other.path()).unwrap();
        assert!(!made.is_empty());
        assert_eq!(built_in_id(other.path()).unwrap(), made);
    }

    /// Were this to fail, a service whose log was damaged at its end would wait for ever for records that are gone.
    #[test]
    fn what_is_gone_from_the_end_of_the_log_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::BuiltIn(built_in::Options::at(folder.path()));
        let (_, appender) = open(&options, &[], &[]).unwrap();
        let post = |n: u8| NewRecord {
            topic: Topic::Activities,
            partition_by: Vec::new(),
            key: Vec::new(),
            value: Some(vec![n; 100]),
            headers: Vec::new(),
            timestamp: Time::from_millis(1),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let append = |appender: &Appender, n| {
            let appended = runtime.block_on(appender.append(vec![post(n), post(n)]));
            appended.unwrap()
        };
        append(&appender, 1);
        appender.close();
        let file = folder.path().join("activities/00000000000000000000.log");
        let mut bytes = std::fs::read(&file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&file, bytes).unwrap();

        let (mut source, appender) = open(&options, &[], &[]).unwrap();
        let take = |source: &mut Source| source.take(9, Duration::ZERO).unwrap().len();
        assert_eq!(take(&mut source), 1);
        assert_eq!(take(&mut source), 0);
        for end in source.ends() {
            assert_eq!(end.next, end.end, "{}", end.topic.name());
        }
        assert_eq!(source.damaged_records(), 1);
        append(&appender, 2);
        assert_eq!(take(&mut source), 2);
    }
}
