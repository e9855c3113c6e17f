//! The built-in log opened after its files were damaged.

use slackwater::post::log::{BuiltInLog, Options, look_through};
use slackwater::post::record::{NewRecord, Record, Topic};
use slackwater_order::time::Time;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Damages that are done at once: more tell nothing new.
const DAMAGES_MAX: usize = 16;
/// Groups of records that were made durable together, and records of each topic in each.
const GROUPS: usize = 6;
const OF_GROUP: usize = 4;

/// A log as it was closed: its files, and what was acknowledged.
struct Written {
    files: BTreeMap<PathBuf, Vec<u8>>,
    records: BTreeMap<(Topic, i64), NewRecord>,
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
    for topic in ["activities", "relationships"] {
        for file in std::fs::read_dir(folder.path().join(topic)).expect("a folder") {
            let file = file.expect("a file");
            let name = Path::new(topic).join(file.file_name());
            files.insert(name, std::fs::read(file.path()).expect("its bytes"));
        }
    }
    Written { files, records }
});

/// A failure means that a damaged disk makes the service say what nobody wrote, end without a word, or lose what it takes
/// afterwards.
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
    let _ = look_through(folder.path(), |record, _| {
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
    // An error says that there is damage further on.
    while let Ok(some) = log.read(topic, from, 7, 4_000) {
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
