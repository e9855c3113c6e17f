use super::*;
use crate::log;
use crate::log::built_in;
use crate::log::dead_letters::Span;
use backlog::HELD_MAX;
use slackwater_engine::record::Topic;

fn record(offset: i64) -> Record {
    Record {
        position: Position {
            topic: Topic::Activities,
            partition: 0,
            offset,
        },
        timestamp: None,
        key: None,
        value: Some(b"{}".to_vec()),
        headers: Vec::new(),
    }
}

fn dead_letters(folder: &std::path::Path, runtime: &tokio::runtime::Runtime) -> DeadLetters {
    let options = log::Options::BuiltIn(built_in::Options::at(folder));
    let (_, log_writer) = log::open(&options, &[], &[]).unwrap();
    let ownership = LetterOwnership::default();
    let now = clock::stopwatch();
    DeadLetters::new(log_writer, ownership, runtime.handle(), false, now)
}

/// Were this to fail, a crash could lose a record that cannot be used, or all be read again for one.
#[test]
fn reading_goes_on_from_the_first_whose_letter_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut dead_letters = dead_letters(folder.path(), &runtime);
    let next = [
        record(9).position,
        Position {
            partition: 1,
            ..record(4).position
        },
    ];
    let held = |dead_letters: &DeadLetters| {
        let held = dead_letters.resume_from(&next);
        held.iter().map(|next| next.offset).collect::<Vec<_>>()
    };
    let going = AtomicBool::new(false);
    // A log that takes no letters leaves them so.
    for offset in [5, 7] {
        dead_letters
            .backlog
            .state
            .lock()
            .add(record(offset).position);
    }
    assert_eq!(held(&dead_letters), [5, 4]);
    dead_letters.keep(&record(3), "bad", &going).unwrap();
    dead_letters.finish(Duration::from_secs(60));
    assert_eq!(
        held(&dead_letters),
        [5, 4],
        "that of 3 is written, those before are not"
    );
    for offset in [5, 7] {
        let letter = Letter {
            record: record(offset),
            reason: String::new(),
        };
        dead_letters.backlog.state.lock().remove(&letter);
    }
    assert_eq!(held(&dead_letters), [9, 4]);
}

/// Were this to fail, letters nobody takes would fill memory, or a stop wait for them.
#[test]
fn when_too_many_wait_a_stop_ends_the_waiting_and_the_record_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut dead_letters = dead_letters(folder.path(), &runtime);
    dead_letters.backlog.state.lock().letters = LETTERS_MAX;
    let stopping = AtomicBool::new(true);
    let going = AtomicBool::new(false);
    let kept = dead_letters.keep(&record(2), "bad", &going).unwrap();
    assert_eq!(kept, Kept::NoRoom);
    dead_letters.keep(&record(3), "bad", &stopping).unwrap();
    assert_eq!(dead_letters.backlog.state.lock().letters, LETTERS_MAX);
    assert_eq!(dead_letters.resume_from(&[record(9).position])[0].offset, 3);
}

/// Were this to fail, strangers could stop the service, or somebody else's topics fill the dead letters.
#[test]
fn only_a_log_that_never_said_anything_is_the_wrong_one() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut dead_letters = dead_letters(folder.path(), &runtime);
    for _ in 1..UNUSABLE_MAX {
        dead_letters.count_unusable("not JSON").unwrap();
    }
    assert!(matches!(
        dead_letters.count_unusable("not JSON"),
        Err(PipelineError::Unusable {
            records: UNUSABLE_MAX,
            ..
        })
    ));
    dead_letters.count_usable();
    for _ in 0..2 * UNUSABLE_MAX {
        dead_letters.count_unusable("not JSON").unwrap();
    }
}

/// A node among others, whose letters are kept in a log of its own.
struct Node {
    dead_letters: DeadLetters,
    log_writer: LogWriter,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Node {
    /// It owns nothing yet.
    fn new() -> Node {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let options = log::Options::BuiltIn(built_in::Options::at(folder.path()));
        let (_, log_writer) = log::open(&options, &[], &[]).unwrap();
        let ownership = LetterOwnership::default();
        ownership.share();
        let dead_letters = DeadLetters::new(
            log_writer.clone(),
            ownership,
            runtime.handle(),
            false,
            clock::stopwatch(),
        );
        Node {
            dead_letters,
            log_writer,
            runtime,
            _folder: folder,
        }
    }

    fn owns(&self, shards: &[u32]) {
        let shards = shards.iter().copied().collect();
        self.dead_letters.ownership.own(shards, 1);
    }

    fn hears(&self, offset: i64) {
        let written = [("activities/0".to_owned(), offset)].into();
        self.dead_letters.ownership.hear("other", &written);
    }

    fn keep(&mut self, offset: i64) -> Kept {
        let going = AtomicBool::new(false);
        self.dead_letters
            .keep(&record(offset), "bad", &going)
            .unwrap()
    }

    /// A turn of the loop, which has read up to offset 9 of 9.
    fn turn(&mut self, later: Duration) -> usize {
        let end = PartitionEnd {
            topic: Topic::Activities,
            partition: 0,
            next: 9,
            end: 9,
        };
        let now = clock::stopwatch() + later;
        self.dead_letters.share(&[end], &[record(9).position], now)
    }

    fn resumes_at(&self) -> i64 {
        self.dead_letters.resume_from(&[record(9).position])[0].offset
    }

    /// The offsets whose letters are in the log.
    fn written(&self) -> Vec<i64> {
        self.dead_letters.finish(Duration::from_secs(60));
        let page = self.log_writer.letters().page(&Span::Newest, 100);
        let letters = page.unwrap().letters.into_iter();
        letters
            .filter_map(|it| it.source)
            .map(|it| it.offset)
            .collect()
    }

    fn says(&self) -> Option<i64> {
        let said = self.dead_letters.ownership.written();
        said.get("activities/0").copied()
    }
}

/// Were this to fail, every node would write a letter for each bad record, or a record be passed that nobody has written one for.
#[test]
fn a_letter_of_another_nodes_partition_is_held_until_that_says_it_is_written() {
    let mut node = Node::new();
    assert_eq!(node.keep(3), Kept::Elsewhere);
    assert_eq!(node.keep(5), Kept::Elsewhere);
    assert_eq!(node.turn(Duration::ZERO), 0);
    assert_eq!(node.resumes_at(), 3);
    // The offset that is written next is not written yet.
    for (heard, resumes_at) in [(3, 3), (5, 5), (6, 9)] {
        node.hears(heard);
        assert_eq!(node.turn(Duration::ZERO), 0);
        assert_eq!(node.resumes_at(), resumes_at, "{heard}");
    }
    node.owns(&[0]);
    assert_eq!(node.turn(Duration::ZERO), 0);
    assert_eq!(node.written(), Vec::<i64>::new());
}

/// Were this to fail, a letter would be lost that its owner had not written when it died.
#[test]
fn a_node_that_gains_a_partition_writes_what_is_missing() {
    let mut node = Node::new();
    for offset in [3, 5] {
        node.keep(offset);
    }
    node.hears(4);
    node.owns(&[0]);
    assert_eq!(node.turn(Duration::ZERO), 1);
    assert_eq!(node.written(), [5]);
    assert_eq!(node.resumes_at(), 9);
    // A rebuild reads all again.
    node.keep(3);
    assert_eq!(node.written(), [5]);
    node.keep(6);
    assert_eq!(node.written(), [6, 5]);
}

/// Were this to fail, letters that nobody owns would hold back the stored offset for ever.
#[test]
fn what_nobody_writes_for_long_every_node_writes() {
    let mut node = Node::new();
    node.keep(3);
    assert_eq!(node.turn(HELD_FOR / 2), 0);
    assert_eq!(node.turn(HELD_FOR * 2), 1);
    assert_eq!(node.written(), [3]);
    assert_eq!(node.resumes_at(), 9);
    assert_eq!(node.says(), None);
}

/// Were this to fail, letters of others would fill memory, or those beyond the bound be lost.
#[test]
fn more_than_may_be_held_is_written_at_once() {
    let mut node = Node::new();
    for offset in 0..i64::try_from(HELD_MAX).unwrap() {
        assert_eq!(node.keep(offset), Kept::Elsewhere);
    }
    assert_eq!(node.keep(1_000_000), Kept::Accepted);
    assert_eq!(node.written(), [1_000_000]);
}

/// Were this to fail, others would drop a letter that this node has not written, or forget that it was.
#[test]
fn a_node_says_up_to_where_its_letters_are_written() {
    let mut node = Node::new();
    node.turn(Duration::ZERO);
    assert_eq!(node.says(), None);
    node.owns(&[0]);
    let waiting = record(4).position;
    node.dead_letters.backlog.state.lock().add(waiting);
    node.turn(Duration::ZERO);
    assert_eq!(node.says(), Some(4));
    node.hears(6);
    node.turn(Duration::ZERO);
    assert_eq!(node.says(), Some(6));
    // Another has it, and has not said as much yet.
    node.owns(&[]);
    node.hears(2);
    node.turn(Duration::ZERO);
    assert_eq!(node.says(), Some(6));
    node.hears(7);
    node.turn(Duration::ZERO);
    assert_eq!(node.says(), None);
    drop(node.runtime);
}
