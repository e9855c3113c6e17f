//! Nodes on librdkafka's own mock of a broker, which has sessions of groups as Kafka has, and refuses what it is told to: the consumer group
//! places shards. The real broker of the other tests knows no members by name.

use crate::support::cluster::{live, said_by, shards};
use crate::support::instance::{self, Door, Instance};
use crate::support::wait_for;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::path::Path;
use tempfile::TempDir;

const PARTITIONS: i32 = 4;

fn mock() -> MockCluster<'static, DefaultProducerContext> {
    let broker = MockCluster::new(1).unwrap();
    for (topic, partitions) in [
        ("activities", PARTITIONS),
        ("relationships", PARTITIONS),
        ("dead-letters", 1),
        ("nodes", 1),
    ] {
        broker
            .create_topic(&format!("slackwater.{topic}"), partitions, 1)
            .unwrap();
    }
    broker
}

fn node(dir: &Path, brokers: &str, name: &str) -> Instance {
    let dir = dir.join(name);
    std::fs::create_dir(&dir).unwrap();
    let cluster = format!(
        "[cluster]\nnode = \"{name}\"\nsecret = \"a secret of these tests\"\nstandbys = 0\nlease = \"4s\"\nsession_timeout = \"6s\"\n"
    );
    let config = instance::on_kafka(brokers, "");
    Instance::start(
        &dir,
        &config.replacen("[http]", &format!("{cluster}[http]"), 1),
    )
}

/// What each node that lives serves, as a node says.
fn served(door: &Door) -> Option<Vec<Vec<u64>>> {
    let said = said_by(door)?;
    let of = |node| shards(node, "serves").collect();
    Some(live(&said).map(of).collect())
}

/// Were this to fail, shards would be nobody's, or stay with a node that is dead.
#[test]
fn the_group_shares_shards_out_and_gives_those_of_a_dead_node_to_others() {
    let dir = TempDir::new().unwrap();
    let broker = mock();
    let brokers = broker.bootstrap_servers();
    let a = node(dir.path(), &brokers, "a");
    let mut b = node(dir.path(), &brokers, "b");
    let all: Vec<u64> = (0..4).collect();
    wait_for("each node to serve some shards", || {
        let served = served(&a.door)?;
        let mut sum: Vec<u64> = served.iter().flatten().copied().collect();
        sum.sort_unstable();
        (served.len() == 2 && sum == all && served.iter().all(|of| !of.is_empty())).then_some(())
    });
    b.kill9();
    wait_for("the other to serve all", || {
        (served(&a.door)? == [all.clone()]).then_some(())
    });
}

/// Were this to fail, nobody would learn why a node that is well otherwise shows nothing; or it would show nothing ever after.
#[test]
fn a_node_whose_records_are_refused_says_why_and_serves_again_when_they_are_taken() {
    let dir = TempDir::new().unwrap();
    let broker = mock();
    let node = node(dir.path(), &broker.bootstrap_servers(), "a");
    node.wait_until_ready();
    // More than are sent in a lease.
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 1_000];
    broker.request_errors(RDKafkaApiKey::Produce, &refused);
    wait_for("it to say why it is not ready", || {
        let answer = node.door.get("/readyz");
        let why = "Kafka does not give back its records: ";
        let says = answer.text.contains(why) && answer.text.contains("authorization failed");
        (answer.status == 503 && says).then_some(())
    });
    broker.clear_request_errors(RDKafkaApiKey::Produce);
    node.wait_until_ready();
}
