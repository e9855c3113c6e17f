use super::*;
use slackwater_engine::record::{NewRecord, Topic};
use slackwater_order::time::Time;
use std::time::Duration;

/// Were this to fail, a service whose log was damaged at its end would wait for ever for records that are gone.
#[test]
fn what_is_gone_from_the_end_of_the_log_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::BuiltIn(built_in::Options::at(folder.path()));
    let (_, log_writer) = open(&options, &[], &[]).unwrap();
    let post = |n: u8| NewRecord {
        topic: Topic::Activities,
        partition_by: Vec::new(),
        key: Vec::new(),
        value: Some(vec![n; 100]),
        headers: Vec::new(),
        timestamp: Time::from_millis(1),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let append = |log_writer: &LogWriter, n| {
        let appended = runtime.block_on(log_writer.append(vec![post(n), post(n)]));
        appended.unwrap()
    };
    append(&log_writer, 1);
    log_writer.close();
    let file = folder.path().join("activities/00000000000000000000.log");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();

    let (mut source, log_writer) = open(&options, &[], &[]).unwrap();
    let take = |source: &mut LogReader| source.take(9, Duration::ZERO).unwrap().len();
    assert_eq!(take(&mut source), 1);
    assert_eq!(take(&mut source), 0);
    for end in source.ends() {
        assert_eq!(end.next, end.end, "{}", end.topic.name());
    }
    assert_eq!(source.damaged_records(), 1);
    append(&log_writer, 2);
    assert_eq!(take(&mut source), 2);
}
