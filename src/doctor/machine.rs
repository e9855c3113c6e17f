//! What the machine gives: folders, free space, open files, memory.

use super::finding::Found;
use crate::config::Config;
use crate::config::memory::usable_bytes;
use crate::log::{self, built_in};
use rustix::fs::{Access, access, statvfs};
use rustix::process::{Resource, getrlimit};
use slackwater_engine::record::Topic;
use std::path::{Path, PathBuf};

/// With less free space than this, a checkpoint may not fit.
const FREE_BYTES_MIN: u64 = 200_000_000;
/// With less free space than this there is little time left to act.
const FREE_BYTES_LOW: u64 = 2_000_000_000;
/// Files that are open beside connections.
const FILES_BESIDE: u64 = 256;
/// Bytes of a feed's entry that waits for a checkpoint.
const ENTRY_BYTES: u64 = 64;

/// Whether folders can be written and their disks have room.
pub(super) fn folders(config: &Config) -> Vec<Found> {
    let mut found = vec![folder("feed.path", &config.store.path)];
    match &config.log {
        log::Options::BuiltIn(options) => {
            found.push(folder("log.path", &options.path));
            found.extend(room_of_log(options));
        }
        log::Options::Kafka(_) => {}
    }
    found
}

fn folder(key: &str, path: &Path) -> Found {
    let shown = path.display();
    let existing = existing(path);
    let named = match existing == path {
        true => format!("{key}: {shown}"),
        false => format!("{key}: {shown} will be made in {}", existing.display()),
    };
    if !existing.is_dir() {
        let found = format!(
            "{key}: {} is no folder, so {shown} cannot be used",
            existing.display()
        );
        return Found::wrong(
            found,
            format!("move that file away, or give {key} another path"),
        );
    }
    if let Err(error) = access(&existing, Access::WRITE_OK | Access::EXEC_OK) {
        let to_do = "give it to the user of the service (chown), or see whether its disk is mounted read-only";
        return Found::wrong(format!("{named} cannot be written: {error}"), to_do);
    }
    let free = match free_bytes(&existing) {
        Ok(free) => free,
        Err(error) => {
            let found = format!("{named} can be written; how much is free is not known: {error}");
            return Found::warning(found, "see with df");
        }
    };
    let found = format!("{named} can be written, {} are free", shown_bytes(free));
    let to_do = "make room, or move it to a larger disk; while nothing fits, nothing is accepted";
    if free < FREE_BYTES_MIN {
        return Found::wrong(found, to_do);
    }
    match free < FREE_BYTES_LOW {
        true => Found::warning(found, to_do),
        false => Found::ok(found),
    }
}

/// Whether the built-in log may grow as far as it is allowed to.
fn room_of_log(options: &built_in::Options) -> Option<Found> {
    let used = built_in::topic_bytes(&options.path, Topic::Activities);
    let free = free_bytes(&existing(&options.path)).ok()?;
    let allowed = options.activities_bytes_max;
    if allowed <= used.saturating_add(free) {
        return None;
    }
    Some(Found::warning(
        format!(
            "log.size_max lets activities grow to {}, and they have {} now with {} free",
            shown_bytes(allowed),
            shown_bytes(used),
            shown_bytes(free)
        ),
        "set log.size_max below what the disk has, so that the oldest go before it is full; or keep an eye on it, as log.keep may end first",
    ))
}

/// Whether as many connections may be open as the configuration allows.
pub(super) fn open_files(config: &Config) -> Vec<Found> {
    let api = &config.api;
    let connections = api.connections.all.saturating_add(api.requests_max);
    let wanted = u64::try_from(connections)
        .unwrap_or(u64::MAX)
        .saturating_add(FILES_BESIDE);
    vec![files(getrlimit(Resource::Nofile).maximum, wanted)]
}

fn files(maximum: Option<u64>, wanted: u64) -> Found {
    match maximum {
        Some(maximum) if maximum < wanted => Found::warning(
            format!(
                "{maximum} may be open at once here, and stream.connections_max and http.requests_max come to {wanted}: fewer readers fit"
            ),
            "raise the limit of the service's process (LimitNOFILE, ulimit -Hn), or lower stream.connections_max",
        ),
        Some(maximum) => Found::ok(format!(
            "{maximum} may be open at once here; {wanted} are enough"
        )),
        None => Found::ok("as many as wanted may be open at once"),
    }
}

/// Whether the bounds on memory fit into what there is.
pub(super) fn memory(config: &Config) -> Vec<Found> {
    let store = &config.store;
    let waiting = (store.unflushed_entries_max as u64)
        .saturating_mul(ENTRY_BYTES)
        .saturating_add(store.unflushed_bytes_max as u64);
    // While a checkpoint is written, as much may gather again.
    let bounds = waiting.saturating_mul(2).saturating_add(store.cache_bytes);
    vec![bounds_in(bounds, usable_bytes())]
}

fn bounds_in(bounds: u64, usable: u64) -> Found {
    let shown = shown_bytes(bounds);
    if usable == 0 {
        let found = format!(
            "what waits for a checkpoint and the cache take up to {shown}; how much there is is not known"
        );
        return Found::warning(found, "see that this fits");
    }
    let found = format!(
        "what waits for a checkpoint and the cache take up to {shown} of {}",
        shown_bytes(usable)
    );
    let to_do = "lower feed.cache, or leave feed.unflushed_entries_max and feed.unflushed_bytes_max out, which makes them fit";
    if usable <= bounds {
        return Found::wrong(found, to_do);
    }
    match usable / 4 * 3 < bounds {
        true => Found::warning(found, to_do),
        false => Found::ok(found),
    }
}

/// The folder, or the nearest above it that is there.
fn existing(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut above = whole.ancestors();
    let found = above.find(|path| path.symlink_metadata().is_ok());
    match found {
        // So that it is shown as it was written.
        Some(found) if found == whole => path.to_owned(),
        found => found.unwrap_or(Path::new("/")).to_owned(),
    }
}

fn free_bytes(path: &Path) -> std::io::Result<u64> {
    let disk = statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn shown_bytes(bytes: u64) -> String {
    match bytes {
        ..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn bounds_that_do_not_fit_are_told() {
        let state = |found: Found| found.about("x").state;
        assert_eq!(state(bounds_in(1_000, 4_000)), State::Ok);
        assert_eq!(state(bounds_in(3_500, 4_000)), State::Warning);
        assert_eq!(state(bounds_in(4_000, 4_000)), State::Wrong);
        assert_eq!(state(bounds_in(4_000, 0)), State::Warning);
        assert_eq!(state(files(Some(1024), 5000)), State::Warning);
        assert_eq!(state(files(Some(8192), 5000)), State::Ok);
        assert_eq!(state(files(None, 5000)), State::Ok);
    }

    #[test]
    fn a_folder_below_a_file_cannot_be_used_and_one_that_is_missing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let state = |path: &Path| folder("feed.path", path).about("x").state;
        assert_eq!(state(&file), State::Wrong);
        assert_eq!(state(&file.join("feeds")), State::Wrong);
        let found = folder("feed.path", &dir.path().join("a/b")).about("x");
        assert!(found.found.contains("will be made"), "{found:?}");
        assert_ne!(found.state, State::Wrong);
    }

    #[test]
    fn a_log_that_may_grow_past_its_disk_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut options = built_in::Options::at(dir.path());
        options.activities_bytes_max = 1;
        assert_eq!(room_of_log(&options), None);
        options.activities_bytes_max = u64::MAX;
        assert!(room_of_log(&options).is_some());
    }
}
