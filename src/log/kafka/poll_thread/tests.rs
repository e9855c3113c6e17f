use super::*;
use crate::log::kafka::mock_topics::{append, fingerprint, mock, offsets};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::sync::mpsc::sync_channel;

/// Were this to fail, a consumer that was started before a topic was created anew would read on in the new one.
#[test]
fn a_running_consumer_notes_what_it_reads_and_compares_that_when_it_is_replaced() {
    let (cluster, options) = mock();
    append(&options, 5, "x");
    let (to_handle, batches) = sync_channel(BATCHES_MAX);
    let status = Arc::new(Mutex::new(Status::default()));
    let (next, taken) = (PartitionOffsets::new(), Fingerprints::new());
    let shared = Arc::clone(&status);
    let mut poll_thread = PollThread::open(options, next, taken, shared, to_handle).unwrap();
    let mut read = Vec::new();
    thread::scope(|scope| {
        let running = scope.spawn(|| poll_thread.run());
        let begun = clock::stopwatch();
        while read.len() < 5 && begun.elapsed() < Duration::from_secs(60) {
            if let Ok(batch) = batches.recv_timeout(Duration::from_millis(200)) {
                read.extend(batch.unwrap().records);
            }
        }
        status.lock().stop = true;
        running.join().unwrap().unwrap();
    });
    assert_eq!(offsets(&read), [0, 1, 2, 3, 4]);
    let noted = Fingerprints::from([((Topic::Activities, 0), fingerprint(&read))]);
    assert_eq!(poll_thread.taken, noted);

    // As if another stood there now.
    let mut other = read.pop().unwrap();
    other.value = Some(b"y".to_vec());
    poll_thread.remember_last(&[other]);
    let out_of_range = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE];
    cluster.request_errors(RDKafkaApiKey::Fetch, &out_of_range);
    status.lock().stop = false;
    let ended = thread::scope(|scope| {
        let running = scope.spawn(|| poll_thread.run());
        let begun = clock::stopwatch();
        while !running.is_finished() && begun.elapsed() < Duration::from_secs(60) {
            let _ = batches.recv_timeout(Duration::from_millis(200));
        }
        status.lock().stop = true;
        running.join().unwrap()
    });
    assert!(
        matches!(ended, Err(KafkaError::OtherRecord { .. })),
        "{ended:?}"
    );
}
