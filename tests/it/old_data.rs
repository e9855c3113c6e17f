//! Data folders and logs that an earlier version left, in `tests/old_data`: what this version answers from them is what that one
//! answered, byte for byte. How such a folder is made, and what is in it, says the README there.

mod folder;
mod making;
mod story;
mod tape;

use crate::support::instance::Instance;
use serde_json::{Value, json};
use slackwater_engine::view::seal::SealedLog;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tape::{Answer, Asked, Chapter, Question};
use tempfile::TempDir;

/// The log and the feeds, packed.
const FOLDERS: &str = "folders.lz4";
/// What was asked of them and answered, and what was sent to them after that.
const TAPE: &str = "tape.ndjson";
const CONFIG: &str = "slackwater.toml";

/// The versions that have left something here: a folder for each.
fn versions() -> Vec<PathBuf> {
    let entries = fs::read_dir(old_data()).expect("the old data");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let versions: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
    assert!(!versions.is_empty());
    versions
}

fn old_data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old_data")
}

/// A failure means that whoever takes the new version finds other feeds in a data folder than before, or none.
#[test]
fn feeds_that_an_earlier_version_kept_are_read_as_it_read_them_and_go_on() {
    for version in versions() {
        check(&version, Data::Kept);
    }
}

/// A failure means that a rebuild from an old log gives posts other ids or places, and that cursors are lost.
#[test]
fn feeds_rebuilt_from_the_log_of_an_earlier_version_are_the_same_and_go_on() {
    for version in versions() {
        check(&version, Data::Rebuilt);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    /// The feeds as they were left.
    Kept,
    /// Made from the log alone.
    Rebuilt,
}

fn check(version: &Path, data: Data) {
    let dir = TempDir::new().unwrap();
    folder::unpack(&version.join(FOLDERS), dir.path());
    if data == Data::Rebuilt {
        fs::remove_dir_all(dir.path().join("feeds")).unwrap();
    }
    let log = tape::sealed(&dir.path().join("log"));
    let config = fs::read_to_string(version.join(CONFIG)).unwrap();
    let mut instance = Instance::start(dir.path(), &config);
    let chapters = tape::read(&version.join(TAPE));
    assert!(1 < chapters.len());
    let mut found_by_ref = 0;
    for (n, chapter) in chapters.iter().enumerate() {
        instance.wait_until_ready();
        for sent in &chapter.sent {
            tape::send(&instance, sent);
        }
        for when in ["at first", "started again"] {
            let wrong = ask(&instance, &log, chapter, data);
            assert!(
                wrong.is_empty(),
                "{}, {data:?}, chapter {n}, {when}: {} answers are others:\n{}",
                version.display(),
                wrong.len(),
                wrong.join("\n")
            );
            found_by_ref += by_ref(&instance, chapter);
            // What this version has written by then is as good. And it forgets the statuses that it takes for new for some
            // seconds, whatever is said of their authors.
            assert_eq!(instance.terminate().0.code(), Some(0));
            instance.restart();
            instance.wait_until_ready();
        }
    }
    assert!(0 < found_by_ref, "no post has a ref");
    assert_eq!(instance.terminate().0.code(), Some(0));
}

/// Asks what was asked in a chapter. How answers differ from those that were given.
fn ask(instance: &Instance, log: &SealedLog, chapter: &Chapter, data: Data) -> Vec<String> {
    tape::settle(instance, log, chapter);
    let is_same = |question: &Question| data == Data::Kept || question.not_rebuilt.is_none();
    let asked = chapter.asked.iter();
    let asked = asked.filter(|asked| is_same(&asked.question));
    let different = asked.filter_map(|Asked { question, answer }| {
        let now = question.ask(&instance.door);
        let [before, now] = [answer.clone(), now].map(|answer| answer.without_the_clock(log));
        (now != before).then(|| difference(question, &before, &now))
    });
    different.collect()
}

/// Asks for the posts on the pages of a chapter by their refs; how many were found so. The lists by ref are as old as refs.
fn by_ref(instance: &Instance, chapter: &Chapter) -> usize {
    let mut uris = BTreeMap::new();
    for Asked { question, answer } in &chapter.asked {
        if !question.get.starts_with("/v1/") || answer.status != 200 {
            continue;
        }
        let page: Value = serde_json::from_str(&answer.body).unwrap();
        for entry in page["entries"].as_array().into_iter().flatten() {
            if let (Some(reference), Some(uri)) = (entry["ref"].as_str(), entry["uri"].as_str()) {
                uris.insert(reference.to_owned(), uri.to_owned());
            }
        }
    }
    for (reference, uri) in &uris {
        let get = Question::new(format!("/v1/posts?ref={reference}"));
        let post: Value = serde_json::from_str(&get.ask(&instance.door).body).unwrap();
        assert_eq!(post["uri"], json!(uri), "{reference}: {post}");
    }
    uris.len()
}

/// How an answer differs from the one before, from shortly before where it does.
fn difference(question: &Question, before: &Answer, now: &Answer) -> String {
    let [before, now] = [before, now].map(|answer| format!("{answer:?}"));
    let mut pairs = before.bytes().zip(now.bytes());
    let same = pairs.position(|(one, other)| one != other).unwrap_or(0);
    let part = |text: &str| {
        let bytes = text.as_bytes();
        let part = &bytes[same.saturating_sub(200)..bytes.len().min(same + 200)];
        String::from_utf8_lossy(part).into_owned()
    };
    let Question { get, by, .. } = question;
    let by = by.as_deref().unwrap_or("the backend");
    format!(
        "GET {get} by {by}\n  before: …{}…\n  now:    …{}…",
        part(&before),
        part(&now)
    )
}
