//! The built-in log opened after its files were damaged.

use slackwater::log::built_in::{BuiltInLog, Options, read_records};
use slackwater_engine::record::{NewRecord, Record, Topic};
use slackwater_order::time::Time;
use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Damages that are done at once: more tell nothing new.
const DAMAGES_MAX: usize = 16;
/// Groups of records that were made durable together, and records of each topic in each.
const GROUPS: usize = 6;
const OF_GROUP: usize = 4;

/// A segment's header; magic, length and checksum of a record, of which the length stands behind the magic's four bytes.
const HEADER_BYTES: usize = 16;
const HEAD_BYTES: usize = 12;

/// A log as it was closed: its files, what was acknowledged, and in which file and where in it that stands.
struct Written {
    files: BTreeMap<PathBuf, Vec<u8>>,
    records: BTreeMap<(Topic, i64), NewRecord>,
    places: BTreeMap<(Topic, i64), (PathBuf, Range<usize>)>,
}

static WRITTEN: LazyLock<Written> = LazyLock::new(|| {
    let folder = folder();
    let mut records = BTreeMap::new();
    // Opened twice: what is closed has an index.
    for half in 0..2 {
        let log = BuiltInLog::open(options(folder.path())).expect("a new log");
        for group in 0..GROUPS / 2 {
            let group: Vec<NewRecord> = (0..2 * OF_GROUP)
                .map(|n| record(half * GROUPS + group, n))
                .collect();
            let positions = runtime().block_on(log.append(group.clone())).expect("room");
            let at = positions.into_iter().map(|it| (it.topic, it.offset));
            records.extend(at.zip(group));
        }
        log.close();
    }
    let mut files = BTreeMap::new();
    let mut places = BTreeMap::new();
    for topic in Topic::ALL {
        for file in std::fs::read_dir(folder.path().join(topic.name())).expect("a folder") {
            let file = file.expect("a file");
            let name = Path::new(topic.name()).join(file.file_name());
            let bytes = std::fs::read(file.path()).expect("its bytes");
            if name.extension().is_some_and(|it| it == "log") {
                for (offset, place) in frames(&bytes) {
                    places.insert((topic, offset), (name.clone(), place));
                }
            }
            files.insert(name, bytes);
        }
    }
    assert!(places.keys().eq(records.keys()), "each has its place");
    Written {
        files,
        records,
        places,
    }
});

/// Offsets of the records in a segment that nobody has touched, and where they stand.
fn frames(segment: &[u8]) -> Vec<(i64, Range<usize>)> {
    let mut frames = Vec::new();
    let mut at = HEADER_BYTES;
    while let Some(left) = segment.get(at..).filter(|left| !left.is_empty()) {
        let length = left[4..8].try_into().expect("four bytes");
        let offset = left[HEAD_BYTES..][..8].try_into().expect("eight bytes");
        let end = at + HEAD_BYTES + u32::from_le_bytes(length) as usize;
        frames.push((i64::from_le_bytes(offset), at..end));
        at = end;
    }
    frames
}

/// A failure means that a damaged disk makes the service say what nobody wrote, end without a word, lose what is whole beside
/// the damage, or lose what it takes afterwards.
///
/// What is whole is every record all of whose bytes stand where they were written, whatever became of the records and of the
/// file's header before it and behind it: also where a record before it no longer says how long it is. A log that can be opened
/// gives all of these. (A record that is whole but stands elsewhere now, since something was put before it, may be given or not.)
pub fn holds(data: &[u8]) {
    let written = &*WRITTEN;
    let mut files = written.files.clone();
    let names: Vec<PathBuf> = files.keys().cloned().collect();
    for damage in data.chunks(5).take(DAMAGES_MAX) {
        let &[kind, file, high, low, byte] = damage else {
            break;
        };
        let name = &names[usize::from(file) % names.len()];
        let Some(bytes) = files.get_mut(name) else {
            continue;
        };
        let at = usize::from(u16::from_be_bytes([high, low])) % bytes.len().max(1);
        match kind % 6 {
            0 => bytes
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|it| *it ^= byte.max(1)),
            1 => bytes.truncate(at),
            // As a disk leaves a block that it did not write.
            2 => bytes
                .iter_mut()
                .skip(at)
                .take(usize::from(byte) * 4)
                .for_each(|it| *it = 0),
            3 => bytes.extend_from_slice(data),
            // Something there twice.
            4 => bytes.extend_from_within(at..),
            _ => drop(files.remove(name)),
        }
    }
    let folder = folder();
    for topic in ["activities", "relationships"] {
        std::fs::create_dir(folder.path().join(topic)).expect("a folder");
    }
    for (name, bytes) in &files {
        std::fs::write(folder.path().join(name), bytes).expect("a file");
    }
    // Only looks, and sees what there is.
    let _ = read_records(folder.path(), Topic::Activities, |record, _| {
        acknowledged(&record);
        ControlFlow::Continue(())
    });
    // It may be refused, with the file and the place.
    let Ok(log) = BuiltInLog::open(options(folder.path())) else {
        return;
    };
    let before = Topic::ALL.map(|topic| read(&log, topic));
    for record in before.iter().flatten() {
        acknowledged(record);
    }
    for (key, (name, place)) in &written.places {
        let is_now = files.get(name).and_then(|bytes| bytes.get(place.clone()));
        let is_whole = is_now == Some(&written.files[name][place.clone()]);
        let is_read = before
            .iter()
            .flatten()
            .any(|it| (it.position.topic, it.position.offset) == *key);
        assert!(is_read || !is_whole, "{key:?} is whole, and is not read");
    }
    let new = record(99, 0);
    let next = log.bounds(new.topic).next;
    let position = runtime()
        .block_on(log.append(vec![new.clone()]))
        .expect("room")[0];
    assert_eq!(position.offset, next);
    log.close();
    drop(log);
    let log =
        BuiltInLog::open(options(folder.path())).expect("what was opened can be opened again");
    for (topic, before) in Topic::ALL.into_iter().zip(&before) {
        let after = read(&log, topic);
        for record in before {
            let is_there = after
                .iter()
                .any(|it| it.position == record.position && it.value == record.value);
            assert!(
                is_there,
                "{:?} was read before, and is gone",
                record.position
            );
        }
    }
    let last = log
        .read(new.topic, position.offset, 1, usize::MAX)
        .expect("what was appended");
    assert_eq!(last[0].value, new.value);
}

/// All that can be read of a topic, each record once and in order.
fn read(log: &BuiltInLog, topic: Topic) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut from = log.bounds(topic).first;
    loop {
        let some = log.read(topic, from, 7, 4_000);
        let some = some.expect("damage is passed over");
        let Some(last) = some.last() else {
            break;
        };
        from = last.position.offset + 1;
        records.extend(some);
    }
    assert!(
        records.is_sorted_by(|a, b| a.position < b.position),
        "each once, in order"
    );
    records
}

fn acknowledged(record: &Record) {
    let position = record.position;
    let written = WRITTEN.records.get(&(position.topic, position.offset));
    let written = written.unwrap_or_else(|| panic!("nobody wrote {record:?}"));
    assert_eq!(record.key.as_ref(), Some(&written.key));
    assert_eq!(record.value, written.value);
    assert_eq!(record.headers, written.headers);
    assert_eq!(record.timestamp, Some(written.timestamp));
}

fn record(group: usize, n: usize) -> NewRecord {
    let key = format!("https://tide.example/users/{}", n % 3);
    NewRecord {
        topic: Topic::ALL[n % 2],
        partition_by: key.clone().into_bytes(),
        key: key.into_bytes(),
        // Lengths of all sorts, so that frames begin anywhere.
        value: (n != 3)
            .then(|| format!("{group}/{n} {}", "tide ".repeat(group * n % 11)).into_bytes()),
        headers: vec![("ref".to_owned(), n.to_string().into_bytes())],
        timestamp: Time::from_millis(
            1_795_000_000_000 + i64::try_from(group * 100 + n).unwrap_or(0),
        ),
    }
}

fn options(path: &Path) -> Options {
    Options {
        // Several files of each topic.
        segment_bytes: 1_000,
        ..Options::at(path)
    }
}

/// In memory where there is such a place: it is synced often.
fn folder() -> TempDir {
    let shared = Path::new("/dev/shm");
    let place = if shared.is_dir() {
        shared.to_owned()
    } else {
        std::env::temp_dir()
    };
    tempfile::Builder::new()
        .prefix("slackwater-recovery")
        .tempdir_in(place)
        .expect("a folder")
}

fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));
    &RUNTIME
}
