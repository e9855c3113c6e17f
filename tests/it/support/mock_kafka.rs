//! librdkafka's own mock of a cluster, which can be gone from one moment to the next.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

pub(crate) type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A broker with all topics, of two partitions each.
pub(crate) fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    for topic in ["activities", "relationships", "dead-letters"] {
        let name = format!("slackwater.{topic}");
        cluster.create_topic(&name, 2, 1).unwrap();
    }
    cluster
}
