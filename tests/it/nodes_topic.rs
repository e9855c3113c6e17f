//! The topic of the nodes at a real broker, which is killed.

use crate::support::broker::Broker;
use crate::support::wait_for;
use slackwater::clock;
use slackwater::log::kafka::{NodeRecord, NodesTopic, Options};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// A node of which the test reads what it read.
struct Node {
    name: &'static str,
    topic: NodesTopic,
    read: Arc<Mutex<Vec<NodeRecord>>>,
}

impl Node {
    fn open(name: &'static str, options: &Options) -> Node {
        let read: Arc<Mutex<Vec<NodeRecord>>> = Arc::default();
        let seen = Arc::clone(&read);
        let each = move |record| seen.lock().unwrap().push(record);
        let topic = NodesTopic::open(options, each).unwrap();
        Node { name, topic, read }
    }

    fn send(&self, value: &str) {
        self.topic.send(self.name, value.as_bytes().to_vec());
    }

    fn has_read(&self, value: &str) -> Option<()> {
        let read = self.read.lock().unwrap();
        let mut values = read.iter().filter_map(|record| record.value.as_deref());
        values.any(|it| it == value.as_bytes()).then_some(())
    }

    fn send_and_wait(&self, value: &str) -> Duration {
        let begun = clock::stopwatch();
        self.send(value);
        wait_for("a record to be read back", || self.has_read(value));
        begun.elapsed()
    }
}

fn broker() -> (Broker, Options, TempDir) {
    let dir = TempDir::new().unwrap();
    let broker = Broker::start(dir.path());
    let options = Options {
        brokers: vec![broker.address()],
        node: Some("a".to_owned()),
        ..Options::default()
    };
    let compacted = [("cleanup.policy", "compact"), ("segment.ms", "600000")];
    broker.create_topic(&options.nodes, 1, &compacted);
    (broker, options, dir)
}

/// Were this to fail, a cluster would be deaf after a broker was killed.
#[test]
fn what_nodes_say_comes_in_one_order_also_after_the_broker_was_killed() {
    let (mut broker, options, _dir) = broker();
    let (a, b) = (Node::open("a", &options), Node::open("b", &options));
    for round in 0..20 {
        b.send(&format!("b{round}"));
        let took = a.send_and_wait(&format!("a{round}"));
        println!("read back after {took:?}");
    }
    broker.kill9();
    a.send("while it is away");
    broker.restart();
    a.send_and_wait("when it is back");
    b.send_and_wait("b too");
    wait_for("a to hear b", || a.has_read("b too"));
    let c = Node::open("c", &options);
    let read = |node: &Node| node.read.lock().unwrap().clone();
    assert_eq!(read(&a), read(&b));
    // Of what was compacted meanwhile, the newest of each node is left.
    for newest in ["when it is back", "b too"] {
        assert!(c.has_read(newest).is_some(), "{newest}");
    }
    let all = read(&a);
    let mut all = all.iter();
    for record in read(&c) {
        assert!(all.any(|it| *it == record), "{record:?} in another order");
    }
}
