//! Kafka as the log. This folder is the only place that names `rdkafka`.
//!
//! | module | what it is |
//! |---|---|
//! | `consumer` | [`Consumer`], the handle on the thread that reads both topics from our own offsets |
//! | `poll_thread` | that thread: batches, back-pressure, statistics, a new consumer where one is stuck |
//! | `status` | what the two share beside the batches |
//! | `assignment` | a consumer assigned to partitions, after the checks that they are the ones that were read before |
//! | `topic_identity` | the check by the last records that were taken |
//! | `consumer_client` | librdkafka's consumer: settings, offsets, records, errors |
//! | `producer` | [`Producer`], which answers when the broker has accepted a record |
//! | `member` | [`Member`], a member of the group that shares out the shards, and fetches nothing |
//! | `nodes_topic` | [`NodesTopic`], in which the nodes of a cluster say what each serves |
//! | `nodes_heard` | what the nodes say to somebody who only listens |
//! | `letters` | [`Letters`], the dead letters, read with a client of their own |
//! | `examination` | what a broker says of itself and its topics to somebody who looks |
//! | `topics` | how many partitions the topics have, and whether their settings are fit |
//! | `cluster` | the cluster's id, and where its log ends at this moment |
//! | `settings` | mistakes in `[kafka.client]` |

mod assignment;
mod cluster;
mod consumer;
mod consumer_client;
mod examination;
mod letters;
mod member;
#[cfg(test)]
mod mock_topics;
mod nodes_heard;
mod nodes_topic;
mod poll_thread;
mod producer;
mod settings;
mod status;
mod topic_identity;
mod topics;

pub use cluster::{EndsClient, cluster_id, ends_now};
pub use consumer::{Consumer, PartitionCheck};
pub use examination::{Clock, Examination, NotExamined, examine, examine_nodes};
pub use letters::Letters;
pub use member::{Assignment, Commits, Member, MemberOptions};
pub use nodes_heard::hear_nodes;
pub use nodes_topic::{NodeRecord, NodesTopic};
pub use producer::Producer;
pub use settings::{WrongSetting, wrong_settings, wrong_together};

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError as ClientError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;
use slackwater_engine::record::Topic;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long `start` keeps trying to reach a broker before it gives up.
const START_WAIT: Duration = Duration::from_secs(60);
/// How long one request to the broker may take.
const QUESTION_WAIT: Duration = Duration::from_secs(5);
/// How often the consumer and the producer check whether a topic has got more partitions.
const PARTITIONS_EVERY: Duration = Duration::from_secs(60);
/// How often they check it if they are asked to.
const PARTITIONS_ASKED_EVERY: Duration = Duration::from_secs(2);

/// Settings that may not be passed through, each with the reason: this folder relies on them.
const RESERVED: [(&str, &str); 15] = [
    ("bootstrap.servers", "write [kafka] brokers instead"),
    ("metadata.broker.list", "write [kafka] brokers instead"),
    ("group.id", "write [kafka] group instead"),
    ("enable.auto.commit", OFFSETS),
    ("enable.auto.offset.store", OFFSETS),
    ("auto.offset.reset", OFFSETS),
    ("enable.partition.eof", OFFSETS),
    ("statistics.interval.ms", "lag is read from the statistics"),
    ("isolation.level", "aborted records must not be read"),
    (
        "check.crcs",
        "everything is derived from the log, so it is checked",
    ),
    ("enable.idempotence", ACCEPTED),
    ("acks", ACCEPTED),
    ("request.required.acks", ACCEPTED),
    ("transactional.id", ACCEPTED),
    (
        "partitioner",
        "an author or account must stay in its partition",
    ),
];
const OFFSETS: &str = "offsets are kept beside the data they belong to";
const ACCEPTED: &str = "accepted means that every replica has it, once";

/// Where Kafka is and what its topics are called.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// `host:port` of some brokers. The others are learned from them.
    pub brokers: Vec<String>,
    /// The activities topic.
    pub activities: String,
    /// The relationships topic.
    pub relationships: String,
    /// The topic for records that could not be used.
    pub dead_letters: String,
    /// The topic in which the nodes of a cluster say what each serves. Without a cluster it is not used.
    pub nodes: String,
    /// The name of this node in its cluster; none without one. Kafka's own logs and tools show clients by it. The reader of a node in
    /// a cluster commits through a [`Member`] or not at all.
    pub node: Option<String>,
    /// The group under which offsets are committed, for lag tools only. Nothing is read back from it.
    pub group: String,
    /// Any librdkafka setting by its own name. It wins over ours, except those this folder relies on:
    /// [`KafkaError::Reserved`]. May hold passwords, so values are not shown.
    pub client: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            brokers: vec!["localhost:9092".to_owned()],
            activities: "slackwater.activities".to_owned(),
            relationships: "slackwater.relationships".to_owned(),
            dead_letters: "slackwater.dead-letters".to_owned(),
            nodes: "slackwater.nodes".to_owned(),
            node: None,
            group: "slackwater".to_owned(),
            client: BTreeMap::new(),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let settings: Vec<&String> = self.client.keys().collect();
        f.debug_struct("Options")
            .field("brokers", &self.brokers)
            .field("activities", &self.activities)
            .field("relationships", &self.relationships)
            .field("dead_letters", &self.dead_letters)
            .field("nodes", &self.nodes)
            .field("node", &self.node)
            .field("group", &self.group)
            .field("client", &settings)
            .finish()
    }
}

impl Options {
    /// The name of a topic at the broker.
    pub fn topic_name(&self, topic: Topic) -> &str {
        match topic {
            Topic::Activities => &self.activities,
            Topic::Relationships => &self.relationships,
        }
    }

    /// The topic of this name at the broker, if it is one of ours.
    fn topic_named(&self, name: &str) -> Option<Topic> {
        Topic::ALL
            .into_iter()
            .find(|topic| self.topic_name(*topic) == name)
    }

    /// The brokers as errors and logs name them.
    fn address(&self) -> String {
        self.brokers.join(",")
    }

    /// The settings of a client: `defaults`, over them the operator's, over them the `required` ones.
    fn settings(
        &self,
        defaults: &[(&str, &str)],
        required: &[(&str, &str)],
    ) -> Result<ClientConfig, KafkaError> {
        for (name, why) in RESERVED {
            if self.client.contains_key(name) {
                return Err(KafkaError::Reserved { name, why });
            }
        }
        let mut settings = ClientConfig::new();
        match &self.node {
            None => settings.set("client.id", "slackwater"),
            Some(node) => settings.set("client.id", format!("slackwater-{node}")),
        };
        // With this, a broker that comes back is found within seconds, not after the ten of the default.
        settings.set("reconnect.backoff.max.ms", "3000");
        for (name, value) in defaults {
            settings.set(*name, *value);
        }
        for (name, value) in &self.client {
            settings.set(name, value);
        }
        settings.set("bootstrap.servers", self.address());
        for (name, value) in required {
            settings.set(*name, *value);
        }
        Ok(settings)
    }
}

/// What can go wrong with Kafka.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// `[kafka.client]` has a setting that Slackwater sets itself.
    #[error("[kafka.client] sets {name}, which Slackwater sets itself ({why}): remove it")]
    Reserved {
        /// The setting.
        name: &'static str,
        /// Why Slackwater sets it.
        why: &'static str,
    },
    /// librdkafka does not accept the settings.
    #[error("setting up the Kafka client: check [kafka] and [kafka.client]")]
    Settings(#[source] Box<ClientError>),
    /// The client's thread could not be started.
    #[error("starting the thread that reads from Kafka")]
    Thread(#[source] std::io::Error),
    /// No broker answered in time.
    #[error(
        "asking Kafka at {brokers} {what}: no answer. Is it running, do [kafka] brokers and its advertised.listeners \
         name addresses that can be reached from here, do TLS and SASL settings match?"
    )]
    Unreachable {
        /// The addresses tried.
        brokers: String,
        /// What was requested, as in "asking Kafka …".
        what: &'static str,
        /// The error of the client.
        source: Box<ClientError>,
    },
    /// A topic does not exist.
    #[error(
        "topic {topic} does not exist at {brokers}, or these credentials may not see it. Create it: kafka-topics.sh \
         --bootstrap-server {brokers} --create --topic {topic} --partitions {partitions}{settings}"
    )]
    TopicMissing {
        /// Its name.
        topic: String,
        /// Where it was looked for.
        brokers: String,
        /// How many partitions it should have.
        partitions: u32,
        /// The rest of the command that creates it.
        settings: &'static str,
    },
    /// The number of a topic's partitions does not divide the 1024 slots of a place.
    #[error(
        "topic {topic} has {found} partitions, and an author's posts only keep their order if it has 1, 2, 4 … or \
         1024: create it anew with 8, say, and copy the records by key"
    )]
    PartitionCount {
        /// Its name.
        topic: String,
        /// How many partitions it has.
        found: usize,
    },
    /// The topic of the nodes has not one partition, in which all nodes read the same order.
    #[error(
        "topic {topic} has {found} partitions, and the nodes of a cluster must all read one order: create it anew with 1, \
         or write another name as [kafka] nodes"
    )]
    NodesPartitions {
        /// Its name.
        topic: String,
        /// How many partitions it has.
        found: usize,
    },
    /// The log ends before the offset up to which it was read, so it is another log.
    #[error(
        "{topic}/{partition} was read up to offset {next} before, but it ends at {end}: the topic was created anew, or \
         [kafka] brokers name another cluster. Correct that, or `slackwater serve --rebuild` puts the data folder aside and \
         makes it anew from what the log has"
    )]
    LogIsShorter {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset that was to be read next.
        next: i64,
        /// Where the partition ends; 0 if it is not there.
        end: i64,
    },
    /// The log goes on beyond the offset up to which it was read, but has another record there.
    #[error(
        "{topic}/{partition} is not what was read before: at offset {offset} is another record than the one read there, so \
         the topic was created anew. Bring the old one back, or `slackwater serve --rebuild` puts the data folder aside and \
         makes it anew from what the topics have now"
    )]
    OtherRecord {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset whose records were compared.
        offset: i64,
    },
    /// The brokers belong to another cluster than before.
    #[error(
        "Kafka at {brokers} is cluster {now} now, and was cluster {before} before: [kafka] brokers lead elsewhere. Correct \
         that, or start again to have it checked against the data folder"
    )]
    OtherCluster {
        /// The addresses tried.
        brokers: String,
        /// The id of the cluster that was read.
        before: String,
        /// The id of the one that answers.
        now: String,
    },
    /// Too many records wait to be accepted. Some of these may still be accepted; sending them all again is harmless.
    #[error("appending to {topic}: too many records are waiting for Kafka to accept them")]
    Full {
        /// The topic's name.
        topic: String,
    },
    /// The broker or the client refuses a record for its size.
    #[error(
        "appending to {topic}: Kafka does not take a record of {bytes} bytes (max.message.bytes)"
    )]
    TooLarge {
        /// The topic's name.
        topic: String,
        /// The length of its value.
        bytes: usize,
    },
    /// The broker did not accept a record. The log may have it all the same; sending it again is harmless.
    #[error("appending to {topic}: not accepted by Kafka at {brokers}")]
    NotAccepted {
        /// The topic's name.
        topic: String,
        /// The addresses tried.
        brokers: String,
        /// The error of the client.
        source: Box<ClientError>,
    },
    /// A call within the client failed.
    #[error("reading from Kafka: {what}")]
    Client {
        /// The call, as in "assigning the partitions".
        what: &'static str,
        /// The error of the client.
        source: Box<ClientError>,
    },
    /// The client was stopped, or has returned another error before.
    #[error("Kafka is no longer being read")]
    Stopped,
}

/// Receives librdkafka's callbacks. Its log lines repeat on every try, so they go to the debug level. What an operator needs is
/// logged where it changes.
#[derive(Default)]
struct Listener {
    last_error: Mutex<Option<String>>,
    statistics: Mutex<Option<Statistics>>,
}

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{text}");
    }

    fn stats(&self, statistics: Statistics) {
        *self.statistics.lock() = Some(statistics);
    }

    fn error(&self, error: ClientError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        *self.last_error.lock() = Some(format!("{error}: {reason}"));
    }
}

impl ConsumerContext for Listener {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        note_commit(result);
    }
}

/// Offsets were committed, or were not.
fn note_commit(result: KafkaResult<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "offsets for lag tools were not committed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_we_rely_on_is_refused_by_name() {
        let mut options = Options::default();
        options
            .client
            .insert("enable.auto.commit".to_owned(), "true".to_owned());
        let error = options.settings(&[], &[]).unwrap_err();
        assert!(error.to_string().contains("enable.auto.commit"), "{error}");
    }

    #[test]
    fn the_operators_settings_win_over_ours() {
        let mut options = Options::default();
        options
            .client
            .insert("linger.ms".to_owned(), "50".to_owned());
        let settings = options
            .settings(&[("linger.ms", "5")], &[("acks", "all")])
            .unwrap();
        assert_eq!(settings.get("linger.ms"), Some("50"));
        assert_eq!(settings.get("acks"), Some("all"));
    }
}
