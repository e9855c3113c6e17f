//! What a broker says when somebody looks, without reading or committing anything.

use super::nodes_topic::checks;
use super::topics::{self, complaints, describe};
use super::{ClientError, KafkaError, Listener, Options, QUESTION_WAIT, consumer_client};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use slackwater_engine::record::Topic;
use slackwater_order::time::Time;
use std::time::Duration;

/// What was seen of a cluster and its topics.
#[derive(Debug)]
pub struct Examination {
    /// How many brokers there are.
    pub brokers: usize,
    /// How many partitions each topic has, which is a number that is fit.
    pub partitions: Vec<(String, i32)>,
    /// What is to be changed about the topics, each with the command behind the last colon; or why their settings cannot be read.
    pub complaints: Result<Vec<String>, String>,
    /// Whether a record is ahead of a time.
    pub clock: Clock,
}

/// Whether the log has activities from after a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clock {
    /// It has none.
    Agrees,
    /// It has one.
    Behind,
    /// The broker does not say.
    Unknown(String),
}

/// Why nothing could be seen.
#[derive(Debug)]
pub struct NotExamined {
    /// The error.
    pub error: KafkaError,
    /// What librdkafka said last, if it said anything.
    pub said: Option<String>,
}

/// Looks at the cluster and its topics, within some seconds. `ahead` is a time after which no record can be from.
///
/// Errors: no broker answers; a topic is missing or has an unfit number of partitions; settings that librdkafka refuses.
pub fn examine(options: &Options, ahead: Time) -> Result<Examination, NotExamined> {
    let plainly = |error| NotExamined { error, said: None };
    let settings = consumer_client::settings(options).map_err(plainly)?;
    let client: BaseConsumer<Listener> =
        BaseConsumer::from_config_and_context(&settings, Listener::default())
            .map_err(|source| plainly(KafkaError::Settings(Box::new(source))))?;
    let partitions = topics::read_partitions(client.client(), options, QUESTION_WAIT);
    let partitions = partitions.map_err(|error| {
        // Errors are handed over while the client is polled.
        let _ = client.poll(Duration::from_millis(200));
        let said = client.context().last_error.lock().clone();
        let said = said.filter(|_| matches!(error, KafkaError::Unreachable { .. }));
        NotExamined { error, said }
    })?;
    let brokers = client.fetch_metadata(None, QUESTION_WAIT);
    let count = partitions.get(&Topic::Activities).copied().unwrap_or(1);
    Ok(Examination {
        brokers: brokers.map_or(1, |metadata| metadata.brokers().len()),
        clock: clock(options, &client, count, ahead),
        partitions: partitions
            .iter()
            .map(|(topic, count)| (options.topic_name(*topic).to_owned(), *count))
            .collect(),
        complaints: describe(options).map(|settings| complaints(options, &settings)),
    })
}

/// Looks at the topic of the nodes, within some seconds. Returns what is to be changed about it, each with the command behind the last
/// colon; or why its settings cannot be read.
///
/// Errors: no broker answers; the topic is missing or has more than one partition; settings that librdkafka refuses.
pub fn examine_nodes(options: &Options) -> Result<Result<Vec<String>, String>, KafkaError> {
    let settings = consumer_client::settings(options)?;
    let client: BaseConsumer<Listener> =
        BaseConsumer::from_config_and_context(&settings, Listener::default())
            .map_err(|source| KafkaError::Settings(Box::new(source)))?;
    checks::check(client.client(), options)?;
    Ok(checks::examine_settings(options))
}

fn clock(
    options: &Options,
    client: &BaseConsumer<Listener>,
    partitions: i32,
    ahead: Time,
) -> Clock {
    let looked = || {
        let mut times = TopicPartitionList::new();
        for partition in 0..partitions {
            let time = Offset::Offset(ahead.millis());
            times.add_partition_offset(&options.activities, partition, time)?;
        }
        // The first record at or after a time, or the end where there is none.
        let answer = client.offsets_for_times(times, QUESTION_WAIT)?;
        for element in answer.elements() {
            if let Offset::Offset(offset) = element.offset()
                && is_from_after(client, element.topic(), element.partition(), offset, ahead)?
            {
                return Ok(Clock::Behind);
            }
        }
        Ok::<_, ClientError>(Clock::Agrees)
    };
    looked().unwrap_or_else(|error| Clock::Unknown(error.to_string()))
}

/// Whether there is a record at this offset, and from after a time: some brokers give any offset where there is none.
fn is_from_after(
    client: &BaseConsumer<Listener>,
    topic: &str,
    partition: i32,
    offset: i64,
    time: Time,
) -> Result<bool, ClientError> {
    let (_, end) = client.fetch_watermarks(topic, partition, QUESTION_WAIT)?;
    if !(0..end).contains(&offset) {
        return Ok(false);
    }
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    client.assign(&from)?;
    let record = client.poll(QUESTION_WAIT).transpose()?;
    let timestamp = record.and_then(|record| record.timestamp().to_millis());
    Ok(timestamp.is_some_and(|timestamp| time.millis() <= timestamp))
}
