//! What the nodes topic must be like: one partition, compacted, and compacted often.

use super::super::topics::{self, Creation};
use super::super::{ClientError, KafkaError, Listener, Options, QUESTION_WAIT, consumer_client};
use crate::clock;
use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use std::collections::BTreeMap;
use std::time::Duration;

const WHAT: &str = "for the topic of the nodes";
/// The longest that a segment may take what is written, in milliseconds: an hour. Only segments that are full are compacted, and a
/// node that starts reads all that is not.
const SEGMENT_MS_MAX: i64 = 3600 * 1000;
/// How the topic is created.
const CREATION: Creation = Creation {
    partitions: 1,
    settings: " --config cleanup.policy=compact --config segment.ms=600000",
};

/// Checks that the topic is there and has one partition. It tries until a broker answers, for at most `wait`. Returns the offset at
/// which the topic ends.
pub(super) fn wait_for_end(options: &Options, wait: Duration) -> Result<i64, KafkaError> {
    let settings = options.settings(&super::REQUIRED, &consumer_client::REQUIRED)?;
    let client: BaseConsumer<Listener> =
        BaseConsumer::from_config_and_context(&settings, Listener::default())
            .map_err(|source| KafkaError::Settings(Box::new(source)))?;
    let begun = clock::stopwatch();
    topics::retry(wait, || false, || check(client.client(), options))?;
    let end = || {
        let ends = client.fetch_watermarks(&options.nodes, 0, QUESTION_WAIT);
        ends.map(|(_, end)| end)
            .map_err(|source| unreachable(options, source))
    };
    topics::retry(wait.saturating_sub(begun.elapsed()), || false, end)
}

/// Checks that the topic is there and has one partition, once.
pub(in super::super) fn check<C: ClientContext>(
    client: &Client<C>,
    options: &Options,
) -> Result<(), KafkaError> {
    let metadata = client
        .fetch_metadata(None, QUESTION_WAIT)
        .map_err(|source| unreachable(options, source))?;
    match topics::partitions_of(&metadata, options, &options.nodes, &CREATION, WHAT)? {
        1 => Ok(()),
        found => Err(KafkaError::NodesPartitions {
            topic: options.nodes.clone(),
            found,
        }),
    }
}

/// The error if what the topic has does not come in time.
pub(super) fn not_read(options: &Options) -> KafkaError {
    let timed_out = ClientError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
    unreachable(options, timed_out)
}

fn unreachable(options: &Options, source: ClientError) -> KafkaError {
    KafkaError::Unreachable {
        brokers: options.address(),
        what: WHAT,
        source: Box::new(source),
    }
}

/// Warns of settings under which the topic works, but not as it should. A broker that does not give its settings is no error.
pub(super) fn warn_of_settings(options: &Options) {
    match examine_settings(options) {
        Ok(complaints) => {
            for complaint in complaints {
                tracing::warn!("{complaint}");
            }
        }
        Err(reason) => tracing::warn!(
            "the settings of {} could not be read ({reason}): see to cleanup.policy and segment.ms yourself",
            options.nodes
        ),
    }
}

/// What is wrong with the settings of the topic, as the broker says them. It must not be called from async code. Errors: the broker
/// does not say.
pub(in super::super) fn examine_settings(options: &Options) -> Result<Vec<String>, String> {
    let described = topics::describe_named(options, &[&options.nodes])?;
    let settings = described.into_iter().next().unwrap_or_default();
    Ok(complaints(options, &settings))
}

/// What is wrong with the settings of the topic, each with the command that mends it behind the last colon.
fn complaints(options: &Options, settings: &BTreeMap<String, String>) -> Vec<String> {
    let topic = &options.nodes;
    let setting = |name: &str, default: &'static str| {
        settings
            .get(name)
            .map_or(default, String::as_str)
            .to_owned()
    };
    let mut complaints = Vec::new();
    let cleaned = setting("cleanup.policy", "delete");
    if !cleaned.contains("compact") {
        complaints.push(format!(
            "topic {topic} has cleanup.policy={cleaned}, so what a node said last is forgotten after retention.ms: {}",
            topics::alter(options, topic, "cleanup.policy=compact")
        ));
    }
    let segment = setting("segment.ms", "604800000");
    if !segment.parse().is_ok_and(|ms: i64| ms <= SEGMENT_MS_MAX) {
        complaints.push(format!(
            "topic {topic} has segment.ms={segment}, and a node that starts reads what is not compacted yet, a record for each \
             second and node: {}",
            topics::alter(options, topic, "segment.ms=600000")
        ));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_as_recommended_raises_no_complaint_and_kafkas_defaults_two() {
        let options = Options::default();
        let check = |pairs: &[(&str, &str)], expected: &[&str]| {
            let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let said = complaints(&options, &pairs.iter().map(own).collect());
            assert_eq!(said.len(), expected.len(), "{said:?}");
            for (said, word) in said.iter().zip(expected) {
                assert!(said.contains(word), "{said}");
                assert!(said.contains("--entity-name slackwater.nodes"), "{said}");
            }
        };
        let good = ("cleanup.policy", "compact,delete");
        check(&[good, ("segment.ms", "600000")], &[]);
        check(&[good], &["segment.ms=604800000"]);
        check(&[("segment.ms", "1000")], &["cleanup.policy=delete"]);
        check(&[], &["cleanup.policy=delete", "segment.ms=604800000"]);
    }
}
