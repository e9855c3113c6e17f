use super::*;
use crate::log::built_in::topic_dir::Gaps;
use slackwater_engine::record::Topic;

fn content() -> (usize, Content) {
    let content = Content {
        timestamp: None,
        key: None,
        value: Some(vec![7; 10]),
        headers: Vec::new(),
    };
    (0, content)
}

fn tails(path: &std::path::Path) -> [Tail; 3] {
    ["a", "b", "c"].map(|name| {
        let (folder, segment, file) = TopicDir::open(path.join(name), Gaps::Refused).unwrap();
        Tail::new(Arc::new(folder), segment, file, 1 << 20)
    })
}

fn ended<T>(mut answer: oneshot::Receiver<T>) -> T {
    loop {
        match answer.try_recv() {
            Ok(answer) => return answer,
            Err(oneshot::error::TryRecvError::Empty) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// If this fails, a record may be acknowledged after the disk has lost one before it, or one that nobody was told is kept
/// comes back.
#[test]
fn a_group_that_fails_is_written_again_into_new_files() {
    let path = tempfile::tempdir().unwrap();
    let mut broken = tails(path.path());
    let group = [Call {
        contents: vec![content(), content()],
        bytes: 0,
        answer: oneshot::channel().0,
    }];
    assert_eq!(commit(&mut broken, &group).unwrap(), [[0, 1]]);

    // A file that can only be read stands for a disk that cannot be written. It is the second of the group: what
    // was written to the first is taken back.
    broken[1].file = File::open(&broken[1].segment.path).unwrap();
    let topic = Arc::clone(&broken[0].topic);
    let queue = Queue::default();
    let one = queue.push(vec![content()]).unwrap();
    let other = queue.push(vec![(1, content().1)]).unwrap();
    queue.close();
    run(broken, &queue, || {});
    assert_eq!(ended(one).unwrap(), [2]);
    assert_eq!(ended(other).unwrap(), [0]);
    assert!(queue.trouble().is_none());
    let read = topic.read(Topic::Activities, 0, 9, 999).unwrap();
    assert_eq!(read.len(), 3);
    assert_eq!(topic.segments.read().len(), 2);

    drop(topic);
    let [first, second, third] = tails(path.path());
    let next = [first, second, third].map(|tail| tail.written.next);
    assert_eq!(next, [3, 1, 0]);
}

/// If this fails, a disk that was full for a moment keeps the service from taking anything until it is restarted.
#[test]
fn a_disk_that_cannot_be_written_is_tried_until_it_can() {
    let path = tempfile::tempdir().unwrap();
    let tails = tails(path.path());
    let queue = Queue::default();
    // No file can be made in a folder that is not there.
    let (there, away) = (path.path().join("b"), path.path().join("away"));
    let mut broken = tails;
    broken[1].file = File::open(&broken[1].segment.path).unwrap();
    std::fs::rename(&there, &away).unwrap();
    let one = queue.push(vec![(1, content().1)]).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| run(broken, &queue, || {}));
        assert!(matches!(ended(one), Err(BuiltInLogError::Io { .. })));
        while queue.trouble().is_none() {
            std::thread::yield_now();
        }
        let refused = queue.push(vec![content()]);
        assert!(matches!(refused, Err(BuiltInLogError::Refused { .. })));
        std::fs::rename(&away, &there).unwrap();
        while queue.trouble().is_some() {
            std::thread::yield_now();
        }
        let offsets = ended(queue.push(vec![(1, content().1)]).unwrap());
        assert_eq!(offsets.unwrap(), [0]);
        queue.close();
        writer.join().unwrap();
    });
}

#[test]
fn a_log_that_cannot_be_written_can_be_closed() {
    let path = tempfile::tempdir().unwrap();
    let mut broken = tails(path.path());
    broken[0].file = File::open(&broken[0].segment.path).unwrap();
    std::fs::rename(path.path().join("a"), path.path().join("away")).unwrap();
    let queue = Queue::default();
    let one = queue.push(vec![content()]).unwrap();
    queue.close();
    run(broken, &queue, || {});
    assert!(ended(one).is_err());
}

#[test]
fn a_full_queue_says_so_and_an_empty_one_takes_any_call() {
    let queue = Queue::default();
    let large = |bytes| {
        let mut large = content();
        large.1.value = Some(vec![0; bytes]);
        queue.push(vec![large])
    };
    let _first = large(QUEUE_BYTES_MAX + 1).unwrap();
    assert!(matches!(large(1), Err(BuiltInLogError::Full)));
    assert_eq!(queue.take().unwrap().len(), 1);
    assert!(large(1).is_ok());
}

#[test]
fn a_group_has_a_bound() {
    let queue = Queue::default();
    let large = || {
        let mut large = content();
        large.1.value = Some(vec![0; GROUP_BYTES_MAX / 2]);
        queue.push(vec![large]).unwrap()
    };
    let _answers = [large(), large(), large()];
    assert_eq!(queue.take().unwrap().len(), 2);
    assert_eq!(queue.take().unwrap().len(), 1);
}
