use super::*;
use crate::log::kafka::mock_topics::{append, committed, fingerprint, mock, offsets, take};
use crate::log::kafka::poll_thread::{BATCH_RECORDS_MAX, POLL_WAIT};
use crate::log::kafka::{Member, MemberOptions, PARTITIONS_ASKED_EVERY, PARTITIONS_EVERY};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use slackwater_engine::record::Topic;

/// A consumer in trouble goes on where it stood: nothing is missing, nothing comes twice.
#[test]
fn a_consumer_that_is_replaced_goes_on_where_it_stood() {
    let (cluster, options) = mock();
    append(&options, 100, "x");
    let mut consumer = Consumer::start(&options, &[], &[]).unwrap();
    let mut read = take(&mut consumer, 100);
    let out_of_range = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE; 3];
    cluster.request_errors(RDKafkaApiKey::Fetch, &out_of_range);
    append(&options, 100, "y");
    read.extend(take(&mut consumer, 100));
    let mut places: Vec<_> = read.iter().map(|record| record.position.offset).collect();
    places.sort_unstable();
    assert_eq!(places, (0..200).collect::<Vec<i64>>());
    assert_eq!(consumer.lost_records(), 0);
    consumer.stop();
}

/// The mock keeps 5 MiB of a partition, which is retention enough.
#[test]
fn offsets_that_retention_took_are_counted_and_reading_goes_on() {
    let (_cluster, options) = mock();
    for _ in 0..20 {
        append(&options, 1, &"x".repeat(900_000));
    }
    let mut consumer = Consumer::start(&options, &[activities_at(3)], &[]).unwrap();
    let lost = consumer.lost_records();
    assert!(0 < lost && lost < 17, "{lost}");
    let first = i64::try_from(lost).unwrap() + 3;
    let read = take(&mut consumer, 17 - usize::try_from(lost).unwrap());
    assert_eq!(read.first().unwrap().position, activities_at(first));
    assert_eq!(read.last().unwrap().position, activities_at(19));
    assert!(consumer.ends().iter().all(|end| end.next == end.end));
}

/// Nobody takes, so the thread waits for room in the channel, and must still end.
#[test]
fn a_consumer_that_nobody_takes_from_can_be_stopped() {
    let (_cluster, options) = mock();
    let too_many = BATCH_RECORDS_MAX * (BATCHES_MAX + 3);
    append(&options, too_many, "x");
    let consumer = Consumer::start(&options, &[], &[]).unwrap();
    let begun = clock::stopwatch();
    while consumer.ends().iter().all(|end| end.end == 0) {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    thread::sleep(POLL_WAIT);
    let status = Arc::clone(&consumer.status);
    consumer.stop();
    let begun = clock::stopwatch();
    while 1 < Arc::strong_count(&status) {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "the thread is still there"
        );
        thread::yield_now();
    }
}

fn activities_at(offset: i64) -> Position {
    Position {
        topic: Topic::Activities,
        partition: 0,
        offset,
    }
}

/// Another cluster's topics stand for ones that were deleted and created anew: the mock cannot delete.
///
/// Were this to fail, what a new topic has before the offset that the old one was read to would be skipped without a word.
#[test]
fn a_longer_topic_with_another_record_where_the_last_was_read_is_refused() {
    let (_old, options) = mock();
    append(&options, 40, "old");
    let mut consumer = Consumer::start(&options, &[], &[]).unwrap();
    let taken = fingerprint(&take(&mut consumer, 40));
    // The same log has grown since.
    append(&options, 20, "more");
    let mut consumer = Consumer::start(&options, &[activities_at(40)], &[taken]).unwrap();
    assert_eq!(
        offsets(&take(&mut consumer, 20)),
        (40..60).collect::<Vec<_>>()
    );
    // Nothing new: the last record is its very end.
    assert!(Consumer::start(&options, &[activities_at(60)], &[taken]).is_ok());

    let (_new, options) = mock();
    append(&options, 60, "new");
    let refused = Consumer::start(&options, &[activities_at(40)], &[taken]);
    let Err(KafkaError::OtherRecord {
        topic,
        partition,
        offset,
    }) = &refused
    else {
        panic!("{:?}", refused.err());
    };
    assert_eq!((topic, *partition, *offset), (&options.activities, 0, 39));
    let said = refused.err().unwrap().to_string();
    assert!(said.contains("serve --rebuild"), "{said}");
    // What was held back is compared by a record further before it.
    let (_new, options) = mock();
    append(&options, 60, "new");
    let refused = Consumer::start(&options, &[activities_at(50)], &[taken]);
    assert!(matches!(refused, Err(KafkaError::OtherRecord { .. })));
    // Shorter ones are found out as ever.
    let (_new, options) = mock();
    append(&options, 30, "new");
    let refused = Consumer::start(&options, &[activities_at(40)], &[taken]);
    assert!(matches!(refused, Err(KafkaError::LogIsShorter { .. })));
}

/// A record that retention took says nothing, and nor does one of a partition that begins after it.
#[test]
fn a_record_that_is_gone_is_not_missed() {
    let (_cluster, options) = mock();
    append(&options, 3, "first");
    let mut consumer = Consumer::start(&options, &[], &[]).unwrap();
    let taken = fingerprint(&take(&mut consumer, 3));
    for _ in 0..20 {
        append(&options, 1, &"x".repeat(900_000));
    }
    let mut consumer = Consumer::start(&options, &[activities_at(3)], &[taken]).unwrap();
    let lost = consumer.lost_records();
    assert!(0 < lost, "the mock keeps all: this says nothing");
    let read = take(&mut consumer, 20 - usize::try_from(lost).unwrap());
    assert_eq!(read.last().unwrap().position, activities_at(22));
}

/// Were this to fail, a topic that comes back would be read on without a look at what it is, or end the service meanwhile.
#[test]
fn a_topic_that_is_gone_is_waited_for_by_a_consumer_that_says_so() {
    let (cluster, mut options) = mock();
    for often in [
        "topic.metadata.refresh.interval.ms",
        "topic.metadata.propagation.max.ms",
    ] {
        options.client.insert(often.to_owned(), "500".to_owned());
    }
    append(&options, 5, "x");
    let mut consumer = Consumer::start(&options, &[], &[]).unwrap();
    assert_eq!(take(&mut consumer, 5).len(), 5);
    let gone = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    cluster.topic_error(&options.activities, gone).unwrap();
    let begun = clock::stopwatch();
    while consumer.is_healthy() {
        assert!(begun.elapsed() < Duration::from_secs(60), "not noticed");
        let taken = consumer.take(1, Duration::from_millis(50)).unwrap();
        assert!(taken.is_empty());
    }
    let here = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
    cluster.topic_error(&options.activities, here).unwrap();
    append(&options, 5, "y");
    let read = take(&mut consumer, 5);
    assert_eq!(offsets(&read), [5, 6, 7, 8, 9]);
    assert!(consumer.is_healthy());
    consumer.stop();
}

/// Were this to fail, lag tools would show nothing without a cluster, or a reader commit where the group takes it from members alone.
#[test]
fn a_reader_commits_itself_or_in_a_cluster_through_the_member_alone() {
    let (_cluster, mut options) = mock();
    let at = |topic, offset| Position {
        topic,
        partition: 0,
        offset,
    };
    let both = |relations, activities| {
        [
            at(Topic::Relationships, relations),
            at(Topic::Activities, activities),
        ]
    };
    let wait_for = |options: &Options, expected: [i64; 2]| {
        let begun = clock::stopwatch();
        while committed(options, &both(0, 0)) != expected {
            assert!(begun.elapsed() < Duration::from_secs(30), "{expected:?}");
        }
    };
    let consumer = Consumer::start(&options, &[], &[]).unwrap();
    consumer.commit(&both(3, 4));
    wait_for(&options, [3, 4]);
    consumer.stop();

    options.node = Some("a".to_owned());
    let mut consumer = Consumer::start(&options, &[], &[]).unwrap();
    consumer.commit(&both(5, 5));
    let member = Member::join(
        &options,
        &MemberOptions {
            instance: None,
            session_timeout: Duration::from_secs(6),
        },
    );
    let member = member.unwrap();
    consumer.commit_through(member.commits());
    // The thread of the reader has had its turns by the time that the group has a member.
    let begun = clock::stopwatch();
    while !member.assignment().borrow().is_current {
        assert!(begun.elapsed() < Duration::from_secs(60));
        thread::yield_now();
    }
    assert_eq!(committed(&options, &both(0, 0)), [3, 4]);
    consumer.commit(&both(7, 8));
    wait_for(&options, [7, 8]);
}

/// Were this to fail, a node would read a new partition a minute after others do, or ask its broker at every turn.
#[test]
fn a_check_that_is_asked_for_is_made_soon_and_not_at_every_turn() {
    let (_cluster, options) = mock();
    let consumer = Consumer::start(&options, &[], &[]).unwrap();
    let check = consumer.partition_check();
    let made_after = || {
        let begun = clock::stopwatch();
        check.ask();
        while consumer.status.lock().partitions_asked {
            assert!(begun.elapsed() < PARTITIONS_EVERY / 2);
            thread::yield_now();
        }
        begun.elapsed()
    };
    made_after();
    let again = made_after();
    assert!(PARTITIONS_ASKED_EVERY / 2 < again, "{again:?}");
}
