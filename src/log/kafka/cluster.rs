//! The id of the cluster, and where its log ends at this moment. Who asks has a client of its own, since the one that reads may be
//! busy.

use super::consumer_client::watermarks;
use super::{KafkaError, Listener, Options, QUESTION_WAIT, START_WAIT, topics};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::Offset;
use slackwater_engine::record::Position;

/// The id that a cluster was given when it was created; none if its brokers do not say it (they do since Kafka 0.10.1). It blocks
/// until a broker answers, for at most a minute.
///
/// Errors: as [`super::Producer::start`].
pub fn cluster_id(options: &Options) -> Result<Option<String>, KafkaError> {
    let client = client(options)?;
    topics::wait_for_partitions(client.client(), options, START_WAIT, || false)?;
    // The answer about the topics has brought it.
    Ok(client.client().fetch_cluster_id(QUESTION_WAIT))
}

/// Where every partition ends now: the position after its last record. It blocks for a few seconds at most.
///
/// Errors: no answer; a topic that is no longer fit.
pub fn ends_now(options: &Options) -> Result<Vec<Position>, KafkaError> {
    ends_by(options, &client(options)?)
}

/// Asks where every partition ends, again and again, over connections that stay.
pub struct EndsClient {
    options: Options,
    client: Option<BaseConsumer<Listener>>,
}

impl EndsClient {
    /// Nothing is connected to yet.
    pub fn new(options: &Options) -> EndsClient {
        EndsClient {
            options: options.clone(),
            client: None,
        }
    }

    /// As [`ends_now`].
    pub fn ends_now(&mut self) -> Result<Vec<Position>, KafkaError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => client(&self.options)?,
        };
        // After an error the next begins with another client.
        let ends = ends_by(&self.options, &client)?;
        self.client = Some(client);
        Ok(ends)
    }
}

fn ends_by(
    options: &Options,
    client: &BaseConsumer<Listener>,
) -> Result<Vec<Position>, KafkaError> {
    let partitions = topics::read_partitions(client.client(), options, QUESTION_WAIT)?;
    let ends = watermarks(options, client, &partitions, Offset::End)?;
    let position = |((topic, partition), offset)| Position {
        topic,
        partition,
        offset,
    };
    Ok(ends.into_iter().map(position).collect())
}

fn client(options: &Options) -> Result<BaseConsumer<Listener>, KafkaError> {
    // The settings are those of reading, so that uncommitted records do not count.
    let mut settings = options.settings(&[], &super::consumer_client::REQUIRED)?;
    settings.set("group.id", &options.group);
    BaseConsumer::from_config_and_context(&settings, Listener::default())
        .map_err(|source| KafkaError::Settings(Box::new(source)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::DefaultProducerContext;
    use slackwater_engine::record::{NewRecord, Topic};
    use slackwater_order::time::Time;

    fn mock() -> (MockCluster<'static, DefaultProducerContext>, Options) {
        let cluster = MockCluster::new(1).unwrap();
        let options = Options {
            brokers: vec![cluster.bootstrap_servers()],
            ..Options::default()
        };
        for topic in [
            &options.activities,
            &options.relationships,
            &options.dead_letters,
        ] {
            cluster.create_topic(topic, 2, 1).unwrap();
        }
        (cluster, options)
    }

    #[test]
    fn two_clusters_have_two_ids_and_each_the_same_every_time() {
        let (_one, one) = mock();
        let (_other, other) = mock();
        let id = cluster_id(&one).unwrap();
        assert!(id.is_some());
        assert_eq!(cluster_id(&one).unwrap(), id);
        assert_ne!(cluster_id(&other).unwrap(), id);
    }

    #[test]
    fn the_ends_are_those_of_this_moment() {
        let (_cluster, options) = mock();
        let end = |partition| {
            let ends = ends_now(&options).unwrap();
            let is_meant =
                |end: &&Position| (end.topic, end.partition) == (Topic::Activities, partition);
            assert_eq!(ends.len(), 4);
            ends.iter().find(is_meant).unwrap().offset
        };
        assert_eq!((end(0), end(1)), (0, 0));
        let producer = super::super::Producer::start(&options).unwrap();
        let record = NewRecord {
            topic: Topic::Activities,
            partition_by: b"a".to_vec(),
            key: b"a".to_vec(),
            value: Some(b"x".to_vec()),
            headers: Vec::new(),
            timestamp: Time::from_millis(1),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let at = runtime
            .unwrap()
            .block_on(producer.append(vec![record; 3]))
            .unwrap();
        assert_eq!(end(at[0].partition), 3);
        let mut client = EndsClient::new(&options);
        for _ in 0..2 {
            assert_eq!(client.ends_now().unwrap(), ends_now(&options).unwrap());
        }
        assert_eq!(end(1 - at[0].partition), 0);
    }
}
