//! The Kafka client against a real broker, which is killed where that matters.

use crate::support::broker::Broker;
use crate::support::wait_for;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use slackwater::clock;
use slackwater::log::kafka::{Consumer, KafkaError, Options, Producer};
use slackwater_engine::record::{NewRecord, Position, Record, Topic};
use slackwater_order::key_hash::partition_of;
use slackwater_order::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const NOON: i64 = 1_763_805_600_000;

#[test]
fn records_come_back_as_they_were_appended() {
    let log = Log::with_partitions(8);
    let producer = Producer::start(&log.options).unwrap();
    let account = b"7".to_vec();
    let records = vec![
        NewRecord {
            headers: vec![
                ("arrived-at".to_owned(), b"2025-11-22T10:00:00Z".to_vec()),
                ("ref".to_owned(), Vec::new()),
                ("ref".to_owned(), vec![0, 159, 255]),
            ],
            ..activity("https://a.example/users/a", "first")
        },
        activity("https://a.example/users/a", &"x".repeat(1_000_000)),
        NewRecord {
            topic: Topic::Relationships,
            partition_by: account.clone(),
            key: b"7/follow/https://a.example/users/a".to_vec(),
            value: None,
            headers: Vec::new(),
            timestamp: Time::from_millis(NOON + 7),
        },
    ];
    let positions = log.broker.wait(producer.append(records.clone())).unwrap();
    assert_eq!(positions[2].partition, partition_of(&account, 8));
    let mut consumer = Consumer::start(&log.options, &[], &[]).unwrap();
    let mut read = take(&mut consumer, 3);
    read.sort_by_key(|record| record.position);
    for (position, wanted) in positions.iter().zip(&records) {
        let found = read
            .iter()
            .find(|record| record.position == *position)
            .unwrap();
        assert_eq!(found.key.as_ref(), Some(&wanted.key));
        assert_eq!(found.value, wanted.value);
        assert_eq!(found.headers, wanted.headers);
        assert_eq!(found.timestamp, Some(wanted.timestamp));
    }
    consumer.stop();
}

#[test]
fn reading_starts_at_the_given_offsets_and_elsewhere_at_the_beginning() {
    let log = Log::with_partitions(2);
    let producer = Producer::start(&log.options).unwrap();
    let records = (0..40).map(|n| activity(&format!("author {n}"), &n.to_string()));
    let positions = log.broker.wait(producer.append(records.collect())).unwrap();
    let from = Position {
        topic: Topic::Activities,
        partition: 1,
        offset: 5,
    };
    let mut wanted: Vec<_> = positions
        .into_iter()
        .filter(|position| position.partition != 1 || 5 <= position.offset)
        .collect();
    let mut consumer = Consumer::start(&log.options, &[from], &[]).unwrap();
    let mut read: Vec<_> = take(&mut consumer, wanted.len())
        .iter()
        .map(|record| record.position)
        .collect();
    wanted.sort();
    read.sort();
    assert_eq!(read, wanted);
    assert_eq!(consumer.take(10, Duration::from_secs(1)).unwrap().len(), 0);
    assert_eq!(consumer.lost_records(), 0);
}

#[test]
fn five_thousand_records_come_once_and_each_partition_in_order() {
    let log = Log::with_partitions(8);
    let producer = Producer::start(&log.options).unwrap();
    let begun = clock::stopwatch();
    for chunk in 0..10 {
        let records =
            (0..500).map(|n| activity(&format!("author {}", n % 97), &format!("{chunk} {n}")));
        log.broker.wait(producer.append(records.collect())).unwrap();
    }
    println!("5,000 records accepted in {:?}", begun.elapsed());
    let mut consumer = Consumer::start(&log.options, &[], &[]).unwrap();
    let begun = clock::stopwatch();
    let read = take(&mut consumer, 5000);
    println!("5,000 records taken in {:?}", begun.elapsed());
    let values: BTreeSet<_> = read.iter().map(|record| record.value.clone()).collect();
    assert_eq!((read.len(), values.len()), (5000, 5000));
    assert_in_order(&read);
    let mut last: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for record in &read {
        let text = String::from_utf8(record.value.clone().unwrap()).unwrap();
        let (chunk, n) = text.split_once(' ').unwrap();
        let now = (chunk.parse().unwrap(), n.parse().unwrap());
        let before = last.insert(record.key.clone(), now);
        assert!(
            before.is_none_or(|before| before < now),
            "{before:?} {now:?}"
        );
    }
    let ends = consumer.ends();
    assert_eq!(ends.len(), 16);
    assert_eq!(ends.iter().map(|end| end.end).sum::<i64>(), 5000);
    assert!(ends.iter().all(|end| end.next == end.end), "{ends:?}");
    // What comes later is noticed, taken or not.
    log.broker
        .wait(producer.append(vec![activity("late author", "late")]))
        .unwrap();
    wait_for("the new end", || {
        let total: i64 = consumer.ends().iter().map(|end| end.end).sum();
        (total == 5001).then_some(())
    });
    let lag = |consumer: &Consumer| -> i64 {
        let ends = consumer.ends();
        ends.iter().map(|end| end.end - end.next).sum()
    };
    assert_eq!(lag(&consumer), 1);
    assert_eq!(take(&mut consumer, 1).len(), 1);
    assert_eq!(lag(&consumer), 0);
}

/// A failure means that an instance was told its post is safe, and it was not.
#[test]
fn nothing_accepted_is_lost_when_the_broker_is_killed_and_reading_goes_on() {
    let mut log = Log::with_partitions(4);
    let producer = Producer::start(&log.options).unwrap();
    let mut consumer = Consumer::start(&log.options, &[], &[]).unwrap();
    let accepted = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    let (wanted, read) = std::thread::scope(|scope| {
        let producing = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let mut wanted = Vec::new();
            for batch in 0..60 {
                let records: Vec<_> = (0..50)
                    .map(|n| activity(&format!("author {n}"), &format!("{batch} {n}")))
                    .collect();
                let positions = loop {
                    match runtime.block_on(producer.append(records.clone())) {
                        Ok(positions) => break positions,
                        Err(error) => println!("batch {batch} again: {error}"),
                    }
                };
                accepted.fetch_add(positions.len(), Ordering::Relaxed);
                wanted.extend(positions.into_iter().zip(records));
            }
            done.store(true, Ordering::Relaxed);
            wanted
        });
        let reading = scope.spawn(|| {
            let mut read = Vec::new();
            wait_for("all records", || {
                read.extend(consumer.take(1000, Duration::from_millis(100)).unwrap());
                let ends = consumer.ends();
                let total: i64 = ends.iter().map(|end| end.next).sum();
                let enough = accepted.load(Ordering::Relaxed);
                let at_the_end = usize::try_from(total).unwrap() >= enough
                    && ends.iter().all(|end| end.next == end.end);
                (done.load(Ordering::Relaxed) && consumer.is_healthy() && at_the_end).then_some(())
            });
            read
        });
        for wait_until in [700, 1900] {
            wait_for("some records accepted", || {
                (wait_until <= accepted.load(Ordering::Relaxed)).then_some(())
            });
            log.broker.kill9();
            log.broker.restart();
        }
        (producing.join().unwrap(), reading.join().unwrap())
    });
    assert_in_order(&read);
    let found: BTreeMap<_, _> = read
        .iter()
        .map(|record| (record.position, record))
        .collect();
    assert_eq!(found.len(), read.len(), "a record was taken twice");
    // A batch sent again may be in the log twice: its first time counts.
    let mut first = BTreeMap::new();
    for (position, record) in &found {
        first.entry(record.value.clone()).or_insert(*position);
    }
    assert_eq!(wanted.len(), 3000);
    let mut bounds = 0;
    for (position, record) in wanted {
        let at = first.get(&record.value);
        let at = at.unwrap_or_else(|| panic!("{record:?} was accepted and never read"));
        assert_eq!(at.partition, position.partition);
        assert!(at.offset <= position.offset, "{at:?} {position:?}");
        bounds += usize::from(found[&position].value != record.value);
    }
    println!(
        "{} records read for 3000 accepted, {bounds} of them at a position only bounded",
        read.len()
    );
}

#[test]
fn a_broker_that_is_away_is_known_to_be_and_start_waits_for_it() {
    let mut log = Log::with_partitions(1);
    let consumer = Consumer::start(&log.options, &[], &[]).unwrap();
    assert!(consumer.is_healthy());
    log.broker.kill9();
    wait_for("the broker's absence to be noticed", || {
        (!consumer.is_healthy()).then_some(())
    });
    let options = log.options.clone();
    let starting =
        std::thread::spawn(move || Consumer::start(&options, &[], &[]).map(Consumer::stop));
    log.broker.restart();
    starting.join().unwrap().unwrap();
    wait_for("the broker's return to be noticed", || {
        consumer.is_healthy().then_some(())
    });
    consumer.stop();
}

#[test]
fn a_log_that_ends_before_our_offset_is_another_log() {
    let log = Log::with_partitions(2);
    let producer = Producer::start(&log.options).unwrap();
    let three = vec![activity("a", "1"), activity("a", "2"), activity("a", "3")];
    let partition = log.broker.wait(producer.append(three)).unwrap()[0].partition;
    let check = |partition: i32, offset: i64, ends_at: Option<i64>| {
        let from = Position {
            topic: Topic::Activities,
            partition,
            offset,
        };
        match (Consumer::start(&log.options, &[from], &[]), ends_at) {
            (Ok(_), None) => {}
            (Err(KafkaError::LogIsShorter { end, next, .. }), Some(ends_at)) => {
                assert_eq!((end, next), (ends_at, offset));
            }
            (Err(error), _) => panic!("{partition} {offset}: {error}"),
            (Ok(_), Some(_)) => panic!("{partition} {offset}: was started"),
        }
    };
    check(partition, 3, None);
    check(partition, 4, Some(3));
    check(7, 1, Some(0));
    check(7, 0, None);
}

#[test]
fn topics_that_are_missing_or_unfit_are_named_with_the_way_to_mend_them() {
    let log = Log::with_partitions(1);
    log.broker.create_topic("three", 3, &[]);
    let check = |change: fn(&mut Options), name: &str, advice: &str| {
        let mut options = log.options.clone();
        change(&mut options);
        let errors = [
            Consumer::start(&options, &[], &[]).err().unwrap(),
            Producer::start(&options).err().unwrap(),
        ];
        for error in errors {
            let text = error.to_string();
            assert!(text.contains(name) && text.contains(advice), "{text}");
        }
    };
    let missing = |options: &mut Options| options.relationships = "nowhere".to_owned();
    check(
        missing,
        "topic nowhere does not exist",
        "cleanup.policy=compact",
    );
    let missing = |options: &mut Options| options.dead_letters = "no-letters".to_owned();
    check(
        missing,
        "topic no-letters does not exist",
        "--create --topic no-letters",
    );
    let unfit = |options: &mut Options| options.activities = "three".to_owned();
    check(unfit, "topic three has 3 partitions", "1, 2, 4");
    let refused = |options: &mut Options| {
        options.client.insert("acks".to_owned(), "0".to_owned());
    };
    check(refused, "[kafka.client] sets acks", "remove it");
    let mistyped = |options: &mut Options| {
        options
            .client
            .insert("lingerr.ms".to_owned(), "0".to_owned());
    };
    check(mistyped, "setting up the Kafka client", "[kafka.client]");
}

#[test]
fn a_key_gets_the_partition_that_other_producers_give_it() {
    let log = Log::with_partitions(8);
    let producer = Producer::start(&log.options).unwrap();
    let plain: FutureProducer = log
        .broker
        .client()
        .set("partitioner", "murmur2_random")
        .create()
        .unwrap();
    let keys: Vec<String> = (0..100)
        .map(|n| format!("https://social{n}.example/users/{}", "ü".repeat(n % 7)))
        .collect();
    let ours = keys.iter().map(|key| activity(key, "ours")).collect();
    let ours = log.broker.wait(producer.append(ours)).unwrap();
    let theirs = log.broker.wait(async {
        let sent: Vec<_> = keys
            .iter()
            .map(|key| {
                let record = FutureRecord::to("slackwater.activities")
                    .key(key)
                    .payload("theirs");
                plain
                    .send_result(record)
                    .map_err(|(error, _)| error)
                    .unwrap()
            })
            .collect();
        let mut partitions = Vec::new();
        for delivery in sent {
            partitions.push(delivery.await.unwrap().unwrap().partition);
        }
        partitions
    });
    let ours: Vec<_> = ours.iter().map(|position| position.partition).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn a_dead_letter_is_the_record_and_why_and_where_it_was() {
    let log = Log::with_partitions(2);
    let producer = Producer::start(&log.options).unwrap();
    let record = Record {
        position: Position {
            topic: Topic::Relationships,
            partition: 1,
            offset: 77,
        },
        timestamp: Some(Time::from_millis(NOON)),
        key: Some(b"7/folow/x".to_vec()),
        value: Some(b"{\"type\":\"folow\"}".to_vec()),
        headers: vec![("ref".to_owned(), b"9".to_vec())],
    };
    log.broker
        .wait(producer.dead_letter(&record, &"no such type ".repeat(200)))
        .unwrap();
    let empty = Record {
        key: None,
        value: None,
        ..record.clone()
    };
    log.broker
        .wait(producer.dead_letter(&empty, "empty"))
        .unwrap();
    producer.flush(Duration::from_secs(10)).unwrap();
    let consumer: BaseConsumer = log
        .broker
        .client()
        .set("group.id", "letters")
        .create()
        .unwrap();
    let mut places = TopicPartitionList::new();
    places
        .add_partition_offset("slackwater.dead-letters", 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&places).unwrap();
    let read = || wait_for("a dead letter", || consumer.poll(Duration::from_secs(1)));
    let letter = read().unwrap();
    assert_eq!(letter.key(), record.key.as_deref());
    assert_eq!(letter.payload(), record.value.as_deref());
    let headers: Vec<_> = letter
        .headers()
        .unwrap()
        .iter()
        .map(|header| {
            (
                header.key.to_owned(),
                String::from_utf8_lossy(header.value.unwrap()).into_owned(),
            )
        })
        .collect();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(headers[0], header("ref", "9"));
    assert!(headers[1].0 == "reason" && headers[1].1.starts_with("no such type"));
    assert_eq!(headers[1].1.len(), 1000);
    assert_eq!(
        headers[2..],
        [
            header("topic", "slackwater.relationships"),
            header("partition", "1"),
            header("offset", "77"),
            header("timestamp", &NOON.to_string())
        ]
    );
    let letter = read().unwrap();
    assert_eq!((letter.key(), letter.payload()), (None, None));
}

#[test]
fn lag_tools_see_what_was_committed() {
    let log = Log::with_partitions(1);
    let producer = Producer::start(&log.options).unwrap();
    log.broker
        .wait(producer.append(vec![activity("a", "1"), activity("a", "2")]))
        .unwrap();
    let mut consumer = Consumer::start(&log.options, &[], &[]).unwrap();
    assert_eq!(take(&mut consumer, 2).len(), 2);
    consumer.commit(&[Position {
        topic: Topic::Activities,
        partition: 0,
        offset: 2,
    }]);
    let tool: BaseConsumer = log
        .broker
        .client()
        .set("group.id", "slackwater")
        .create()
        .unwrap();
    wait_for("the committed offset", || {
        let mut asked = TopicPartitionList::new();
        asked.add_partition("slackwater.activities", 0);
        let answer = tool.committed_offsets(asked, Duration::from_secs(5)).ok()?;
        let found = answer.elements().first()?.offset();
        (found == Offset::Offset(2)).then_some(())
    });
}

/// A broker with the three topics, in a folder of its own.
struct Log {
    options: Options,
    broker: Broker,
    _dir: TempDir,
}

impl Log {
    fn with_partitions(partitions: i32) -> Log {
        let dir = TempDir::new().unwrap();
        let broker = Broker::start(dir.path());
        let options = Options {
            brokers: vec![broker.address()],
            ..Options::default()
        };
        broker.create_topic(&options.activities, partitions, &[("retention.ms", "-1")]);
        let compact = [("cleanup.policy", "compact")];
        broker.create_topic(&options.relationships, partitions, &compact);
        broker.create_topic(&options.dead_letters, 1, &[]);
        Log {
            options,
            broker,
            _dir: dir,
        }
    }
}

fn activity(author: &str, value: &str) -> NewRecord {
    NewRecord {
        topic: Topic::Activities,
        partition_by: author.as_bytes().to_vec(),
        key: author.as_bytes().to_vec(),
        value: Some(value.as_bytes().to_vec()),
        headers: Vec::new(),
        timestamp: Time::from_millis(NOON),
    }
}

/// Takes exactly `count` records, however long it takes.
fn take(consumer: &mut Consumer, count: usize) -> Vec<Record> {
    let mut taken = Vec::new();
    wait_for("records to take", || {
        let records = consumer.take(count - taken.len(), Duration::from_millis(200));
        taken.extend(records.unwrap());
        (taken.len() == count).then_some(())
    });
    taken
}

fn assert_in_order(records: &[Record]) {
    let mut last = BTreeMap::new();
    for record in records {
        let slot = (record.position.topic, record.position.partition);
        let before = last.insert(slot, record.position.offset);
        assert!(
            before < Some(record.position.offset),
            "{:?}",
            record.position
        );
    }
}
