//! What the topics must be like, and whether they are so.

use super::{KafkaError, Listener, Options, QUESTION_WAIT};
use crate::clock;
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::Client;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use slackwater_engine::record::Topic;
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

/// The most partitions of a topic. With more than a place has slots, a slot would be split.
const PARTITIONS_MAX: usize = 1024;
/// The least retention, thirty days in milliseconds: feeds can only be rebuilt from records that the log still has.
const RETENTION_MS_MIN: i64 = 30 * 24 * 3600 * 1000;
/// The pause after a first failed try.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often a pause checks whether it must end for a stop.
const STOPPED_EVERY: Duration = Duration::from_millis(100);

/// How many partitions each topic has.
pub(super) type Partitions = BTreeMap<Topic, i32>;

/// Reads how many partitions the topics have. It tries until a broker answers, for at most `wait` or until `stopped`, and logs each
/// failed try.
pub(super) fn wait_for_partitions<C: ClientContext>(
    client: &Client<C>,
    options: &Options,
    wait: Duration,
    stopped: impl Fn() -> bool,
) -> Result<Partitions, KafkaError> {
    retry(wait, stopped, || {
        read_partitions(client, options, QUESTION_WAIT)
    })
}

/// Calls `ask` again while the broker cannot be reached, with longer and longer pauses.
pub(super) fn retry<T>(
    wait: Duration,
    stopped: impl Fn() -> bool,
    mut ask: impl FnMut() -> Result<T, KafkaError>,
) -> Result<T, KafkaError> {
    let begun = clock::stopwatch();
    let mut pause = PAUSE_MIN;
    loop {
        match ask() {
            Err(KafkaError::Unreachable {
                brokers,
                what,
                source,
            }) => {
                if stopped() || wait <= begun.elapsed() + pause {
                    return Err(KafkaError::Unreachable {
                        brokers,
                        what,
                        source,
                    });
                }
                tracing::warn!(%brokers, error = %source,
                    "asking Kafka at {brokers} {what}: {source}; trying again in {pause:?}");
                let resting = clock::stopwatch();
                while resting.elapsed() < pause && !stopped() {
                    thread::sleep(pause.min(STOPPED_EVERY));
                }
                pause = (pause * 2).min(PAUSE_MAX);
            }
            answered => return answered,
        }
    }
}

/// Reads how many partitions the topics have, once. It requests all topics, as a request for one might create it.
pub(super) fn read_partitions<C: ClientContext>(
    client: &Client<C>,
    options: &Options,
    timeout: Duration,
) -> Result<Partitions, KafkaError> {
    let unreachable = |source| KafkaError::Unreachable {
        brokers: options.address(),
        what: "for its topics",
        source: Box::new(source),
    };
    let metadata = client.fetch_metadata(None, timeout).map_err(unreachable)?;
    let count = |name, settings| {
        let creation = Creation {
            partitions: 8,
            settings,
        };
        partitions_of(&metadata, options, name, &creation, "for its topics")
    };
    let mut partitions = Partitions::new();
    for topic in Topic::ALL {
        let name = options.topic_name(topic);
        let found = count(name, settings_of(topic))?;
        if !found.is_power_of_two() || PARTITIONS_MAX < found {
            let topic = name.to_owned();
            return Err(KafkaError::PartitionCount { topic, found });
        }
        partitions.insert(topic, i32::try_from(found).unwrap_or(1));
    }
    count(&options.dead_letters, "")?;
    Ok(partitions)
}

/// How a topic that is missing is to be created.
pub(super) struct Creation {
    /// With how many partitions.
    pub(super) partitions: u32,
    /// The options of the command behind them.
    pub(super) settings: &'static str,
}

/// How many partitions a topic has. If it is not there, the error says how to create it. `what` was asked. Errors: it is not there,
/// or its broker does not say.
pub(super) fn partitions_of(
    metadata: &Metadata,
    options: &Options,
    name: &str,
    creation: &Creation,
    what: &'static str,
) -> Result<usize, KafkaError> {
    let missing = || KafkaError::TopicMissing {
        topic: name.to_owned(),
        brokers: options.address(),
        partitions: creation.partitions,
        settings: creation.settings,
    };
    let found = metadata.topics().iter().find(|topic| topic.name() == name);
    let found = found.ok_or_else(missing)?;
    match found.error().map(RDKafkaErrorCode::from) {
        None if !found.partitions().is_empty() => Ok(found.partitions().len()),
        None
        | Some(
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::TopicAuthorizationFailed,
        ) => Err(missing()),
        Some(code) => Err(KafkaError::Unreachable {
            brokers: options.address(),
            what,
            source: Box::new(ClientError::MetadataFetch(code)),
        }),
    }
}

/// The options for creating a topic, behind its name and partitions.
fn settings_of(topic: Topic) -> &'static str {
    match topic {
        Topic::Activities => {
            " --config message.timestamp.type=LogAppendTime --config retention.ms=3888000000"
        }
        Topic::Relationships => {
            " --config message.timestamp.type=LogAppendTime --config cleanup.policy=compact --config delete.retention.ms=2592000000"
        }
    }
}

/// Warns of settings under which the service works, but not as promised. A broker that does not give its settings is no error.
pub(super) fn warn_of_settings(options: &Options) {
    match describe(options) {
        Ok(settings) => {
            for complaint in complaints(options, &settings) {
                tracing::warn!("{complaint}");
            }
        }
        Err(reason) => tracing::warn!(
            "the settings of {} and {} could not be read ({reason}): see to message.timestamp.type, retention.ms and \
             cleanup.policy yourself",
            options.activities,
            options.relationships
        ),
    }
}

pub(super) type Settings = BTreeMap<Topic, BTreeMap<String, String>>;

/// Reads the topics' settings from the broker. It must not be called from async code, since it runs its own executor.
pub(super) fn describe(options: &Options) -> Result<Settings, String> {
    let described = describe_named(options, &Topic::ALL.map(|topic| options.topic_name(topic)))?;
    Ok(Topic::ALL.into_iter().zip(described).collect())
}

/// The settings of topics by their names, in the same order. It must not be called from async code either.
pub(super) fn describe_named(
    options: &Options,
    names: &[&str],
) -> Result<Vec<BTreeMap<String, String>>, String> {
    let config = options.settings(&[], &[]).map_err(|e| e.to_string())?;
    let admin = AdminClient::from_config_and_context(&config, Listener::default())
        .map_err(|e| e.to_string())?;
    let resources = names.iter().map(|name| ResourceSpecifier::Topic(name));
    let resources: Vec<_> = resources.collect();
    let patience = AdminOptions::new().request_timeout(Some(QUESTION_WAIT));
    let answer = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|e| e.to_string())?
        .block_on(admin.describe_configs(resources.iter(), &patience))
        .map_err(|e| e.to_string())?;
    let values = |resource: &ConfigResource| {
        let entries = resource.entries.iter();
        entries
            .filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)))
            .collect()
    };
    answer
        .into_iter()
        .map(|resource| Ok(values(&resource.map_err(|e| e.to_string())?)))
        .collect()
}

/// The command that changes a setting of a topic.
pub(super) fn alter(options: &Options, topic: &str, change: &str) -> String {
    format!(
        "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {topic} --add-config {change}",
        options.address(),
    )
}

/// What is wrong with the settings, each with the way to mend it. A setting that is not given has Kafka's default.
pub(super) fn complaints(options: &Options, settings: &Settings) -> Vec<String> {
    let setting = |topic: Topic, name: &str, default: &'static str| {
        let of_topic = settings.get(&topic);
        of_topic
            .and_then(|all| all.get(name))
            .map_or(default, String::as_str)
            .to_owned()
    };
    let mend = |topic: Topic, change: &str| alter(options, options.topic_name(topic), change);
    let mut complaints = Vec::new();
    let activities = &options.activities;
    let stamped = setting(Topic::Activities, "message.timestamp.type", "CreateTime");
    if stamped != "LogAppendTime" {
        complaints.push(format!(
            "topic {activities} has message.timestamp.type={stamped}, so delays are measured by the producers' clocks: {}",
            mend(Topic::Activities, "message.timestamp.type=LogAppendTime")
        ));
    }
    let stamped = setting(Topic::Relationships, "message.timestamp.type", "CreateTime");
    if stamped != "LogAppendTime" {
        complaints.push(format!(
            "topic {} has message.timestamp.type={stamped}, so after it was given more partitions the producers' clocks \
             decide which relation is the newest: {}",
            options.relationships,
            mend(Topic::Relationships, "message.timestamp.type=LogAppendTime")
        ));
    }
    let retained = setting(Topic::Activities, "retention.ms", "604800000");
    if !retained
        .parse()
        .is_ok_and(|ms: i64| ms == -1 || RETENTION_MS_MIN <= ms)
    {
        complaints.push(format!(
            "topic {activities} has retention.ms={retained}, less than 30 days, and only what it still has can be \
             rebuilt: {}",
            mend(Topic::Activities, "retention.ms=3888000000")
        ));
    }
    let cleaned = setting(Topic::Activities, "cleanup.policy", "delete");
    if cleaned.contains("compact") {
        complaints.push(format!(
            "topic {activities} has cleanup.policy={cleaned}, which keeps only the newest activity of an author: {}",
            mend(Topic::Activities, "cleanup.policy=delete")
        ));
    }
    let cleaned = setting(Topic::Relationships, "cleanup.policy", "delete");
    if !cleaned.contains("compact") {
        complaints.push(format!(
            "topic {} has cleanup.policy={cleaned}, so relations are forgotten after retention.ms: {}",
            options.relationships,
            mend(Topic::Relationships, "cleanup.policy=compact")
        ));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::consumer::{BaseConsumer, Consumer};

    fn settings(activities: &[(&str, &str)], relationships: &[(&str, &str)]) -> Settings {
        let map = |pairs: &[(&str, &str)]| {
            let owned = pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            owned.collect()
        };
        [
            (Topic::Activities, map(activities)),
            (Topic::Relationships, map(relationships)),
        ]
        .into()
    }

    #[test]
    fn topics_as_recommended_raise_no_complaint_and_kafkas_defaults_four() {
        let options = Options::default();
        let good = settings(
            &[
                ("message.timestamp.type", "LogAppendTime"),
                ("retention.ms", "-1"),
            ],
            &[
                ("message.timestamp.type", "LogAppendTime"),
                ("cleanup.policy", "compact,delete"),
            ],
        );
        assert_eq!(complaints(&options, &good), Vec::<String>::new());
        let thirty_days = [
            ("message.timestamp.type", "LogAppendTime"),
            ("retention.ms", "2592000000"),
            ("cleanup.policy", "compact"),
        ];
        let said = complaints(
            &options,
            &settings(&thirty_days, &[thirty_days[0], thirty_days[2]]),
        );
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("newest activity"), "{said:?}");
        let said = complaints(&options, &settings(&[], &[]));
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(said.iter().all(|line| line.contains("--add-config")));
    }

    #[test]
    fn a_broker_that_is_not_there_is_named_with_what_to_check() {
        let options = Options {
            brokers: vec!["127.0.0.1:1".to_owned()],
            ..Options::default()
        };
        let config = options.settings(&[], &[]).unwrap();
        let consumer: BaseConsumer = config.create().unwrap();
        let ask = || read_partitions(consumer.client(), &options, Duration::from_millis(300));
        let error = retry(Duration::from_millis(600), || false, ask).unwrap_err();
        assert!(matches!(error, KafkaError::Unreachable { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains("127.0.0.1:1") && text.contains("advertised.listeners"),
            "{text}"
        );
    }
}
