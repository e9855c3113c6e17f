use super::*;
use crate::log::kafka::mock_topics::mock;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

/// What a node has read, and its handle.
struct Node {
    name: &'static str,
    topic: NodesTopic,
    read: Arc<Mutex<Vec<NodeRecord>>>,
}

impl Node {
    fn open(name: &'static str, options: &Options) -> Node {
        let read: Arc<Mutex<Vec<NodeRecord>>> = Arc::default();
        let seen = Arc::clone(&read);
        let topic = NodesTopic::open(options, move |record| seen.lock().push(record)).unwrap();
        Node { name, topic, read }
    }

    fn send(&self, value: &str) {
        self.topic.send(self.name, value.as_bytes().to_vec());
    }

    fn values(&self) -> Vec<String> {
        let read = self.read.lock();
        let value = |record: &NodeRecord| {
            String::from_utf8_lossy(record.value.as_deref().unwrap_or(b"none")).into_owned()
        };
        read.iter().map(value).collect()
    }

    fn wait_for(&self, value: &str) {
        let begun = clock::stopwatch();
        while !self.values().iter().any(|it| it == value) {
            let waited = begun.elapsed();
            assert!(
                waited < Duration::from_secs(30),
                "{value}: {:?} {:?}",
                self.values(),
                self.topic.trouble()
            );
            thread::yield_now();
        }
    }

    /// Waits until the broker has accepted, or refused, all that was sent.
    fn wait_sent(&self) {
        let shared = &self.topic.shared;
        let mut state = shared.state.lock();
        while !state.outbox.is_empty() {
            let waited = shared.changed.wait_for(&mut state, Duration::from_secs(10));
            assert!(!waited.timed_out());
        }
    }

    fn send_and_wait(&self, value: &str) {
        self.send(value);
        self.wait_for(value);
    }
}

/// A key and a value.
type Pair<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// Appends as others may.
fn append(options: &Options, records: &[Pair<'_>]) {
    let producer: BaseProducer = options.settings(&[], &[]).unwrap().create().unwrap();
    for (key, value) in records {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&options.nodes).partition(0);
        (record.key, record.payload) = (*key, *value);
        producer.send(record).unwrap();
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

/// Were this to fail, two nodes could each believe to have come first.
#[test]
fn all_nodes_read_what_all_say_in_one_order() {
    let (_cluster, options) = mock();
    let (a, b) = (Node::open("a", &options), Node::open("b", &options));
    for round in 0..10 {
        a.send(&format!("a{round}"));
        b.send_and_wait(&format!("b{round}"));
    }
    a.send_and_wait("end");
    b.wait_for("end");
    assert_eq!(*a.read.lock(), *b.read.lock());
    let offsets: Vec<i64> = a.read.lock().iter().map(|record| record.offset).collect();
    assert!(offsets.is_sorted_by(|one, next| one < next), "{offsets:?}");
    assert_eq!(a.topic.trouble(), None);
}

/// Were this to fail, a node could claim what it does not know another to serve.
#[test]
fn a_node_that_starts_has_read_all_there_is() {
    let (_cluster, options) = mock();
    let values: Vec<String> = (0..2000).map(|number| number.to_string()).collect();
    let record = |value: &'static [u8]| (Some(&b"a"[..]), Some(value));
    let leaked = |value: &String| record(value.clone().leak().as_bytes());
    append(&options, &values.iter().map(leaked).collect::<Vec<_>>());
    let node = Node::open("b", &options);
    assert_eq!(node.values(), values);
    drop(node);
    append(&options, &[(Some(b"a"), None)]);
    assert_eq!(Node::open("c", &options).values().last().unwrap(), "none");
}

/// Were this to fail, anybody who may write to the topic could stop every node.
#[test]
fn what_no_node_wrote_is_passed_over_or_cannot_be_read() {
    let (_cluster, options) = mock();
    let node = Node::open("a", &options);
    let large = vec![b'x'; 300_000];
    let long = vec![b'k'; 1000];
    append(
        &options,
        &[
            (None, Some(b"1")),
            (Some(b"a"), Some(&large)),
            (Some(&long), Some(b"2")),
            (Some(b"\xff"), Some(b"3")),
            (Some(b"a"), Some(b"\xff\x00 not JSON")),
        ],
    );
    node.send_and_wait("mine");
    let read = node.read.lock();
    let lengths: Vec<_> = read
        .iter()
        .map(|record| record.value.as_ref().map(Vec::len))
        .collect();
    assert_eq!(
        lengths,
        [Some(0), Some(11), Some(4)],
        "what is too long is without its bytes"
    );
}

/// Were this to fail, a node would hear nothing any more after a broker was away, or all that it said meanwhile.
#[test]
fn when_the_broker_is_back_the_newest_record_comes() {
    let (cluster, options) = mock();
    let node = Node::open("a", &options);
    node.send_and_wait("before");
    cluster.broker_down(1).unwrap();
    let begun = clock::stopwatch();
    let mut number = 0;
    while node.topic.trouble().is_none() {
        number += 1;
        node.send(&format!("away {number}"));
        assert!(begun.elapsed() < Duration::from_secs(30));
        thread::yield_now();
    }
    cluster.broker_up(1).unwrap();
    node.send_and_wait("after");
    node.wait_sent();
    let read = node.values().len();
    assert!(100 < number && read < 20, "{number} sent, {read} read");
    assert_eq!(node.topic.trouble(), None);
}

/// Were this to fail, a node would not know that others cannot hear it, or be silent after one refusal.
#[test]
fn a_record_that_is_refused_is_known_and_the_next_is_sent() {
    let (cluster, options) = mock();
    let node = Node::open("a", &options);
    node.send_and_wait("before");
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE];
    cluster.request_errors(RDKafkaApiKey::Produce, &refused);
    node.send("refused");
    node.wait_sent();
    let trouble = node.topic.trouble().unwrap();
    assert!(trouble.contains("too large"), "{trouble}");
    node.send_and_wait("after");
    assert_eq!(node.values(), ["before", "after"]);
    node.wait_sent();
    assert_eq!(node.topic.trouble(), None);
}

/// Were this to fail, nodes would read different orders, or wait for a topic that is not there without a word.
#[test]
fn a_topic_that_is_missing_or_has_two_partitions_is_refused() {
    let (cluster, mut options) = mock();
    options.nodes = "elsewhere".to_owned();
    let refused = || match NodesTopic::open(&options, |_| {}) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    };
    let missing = refused();
    let create = "--topic elsewhere --partitions 1 --config cleanup.policy=compact";
    assert!(missing.contains(create), "{missing}");
    cluster.create_topic("elsewhere", 2, 1).unwrap();
    let two = refused();
    assert!(two.contains("has 2 partitions"), "{two}");
}
