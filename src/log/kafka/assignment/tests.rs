use super::*;
use crate::log::kafka::mock_topics::{append, mock, take};
use crate::log::kafka::{Consumer, START_WAIT};
use slackwater_engine::record::Record;
use slackwater_engine::record::fingerprint::Fingerprint;

/// Were this to fail, offsets of one cluster would be read on in another, to which its address leads since.
#[test]
fn another_cluster_behind_the_same_address_is_noticed() {
    let options = Options::default();
    let status = Mutex::new(Status::default());
    let check = |id: Option<&str>, is_same: bool| {
        let found = check_cluster(&options, id.map(str::to_owned), &status);
        assert_eq!(found.is_ok(), is_same, "{found:?}");
        if let Err(error) = found {
            let said = error.to_string();
            assert!(
                said.contains("cluster X") && said.contains("cluster Y"),
                "{said}"
            );
        }
    };
    check(None, true);
    check(Some("Y"), true);
    check(Some("Y"), true);
    check(None, true);
    check(Some("X"), false);
    check(Some("Y"), true);
}

/// Also while it runs: whoever is replaced reads on only in the same log.
#[test]
fn a_consumer_that_is_replaced_compares_what_it_read_last() {
    let (_cluster, options) = mock();
    append(&options, 5, "x");
    let mut consumer = Consumer::start(&options, &[], &[]).unwrap();
    let taken = take(&mut consumer, 5);
    let mut other = taken.last().unwrap().clone();
    other.value = Some(b"y".to_vec());
    let topic_partition = (Topic::Activities, 0);
    let check = |record: &Record| {
        let status = Mutex::new(Status::default());
        let mut next = PartitionOffsets::from([(topic_partition, 5)]);
        let taken = Fingerprints::from([(topic_partition, Fingerprint::of(record))]);
        let phase = ReadPhase::Everything;
        open(&options, &mut next, &taken, &status, START_WAIT, phase).map(|_| ())
    };
    check(taken.last().unwrap()).unwrap();
    assert!(matches!(check(&other), Err(KafkaError::OtherRecord { .. })));
}
