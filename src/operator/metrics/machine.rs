//! What the service has around it: its build, the memory it may use, the disks of its folders.

use super::labelled::Labels;
use parking_lot::RwLock;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::path::{Path, PathBuf};

/// The revision that this was built from. Whoever builds it says so in the environment; without that none is known.
const REVISION: Option<&str> = option_env!("SLACKWATER_REVISION");

/// The features that this was built with, with commas between.
const FEATURES: &str = if cfg!(feature = "kafka-tls") {
    "kafka-tls"
} else {
    ""
};

/// How deep the folders of the built-in log are: a folder for each topic, its partitions, and their segments.
const LOG_DEPTH_MAX: usize = 4;

/// The memory that may be used, and the disks.
#[derive(Debug, Default)]
pub struct MachineMetrics {
    /// The memory that this process may use, in bytes: the machine's, or what its control group leaves it. 0 if it is unknown.
    pub usable_memory_bytes: Gauge,
    log_bytes: Gauge,
    disk_free_bytes: Family<Labels, Gauge>,
    disk_size_bytes: Family<Labels, Gauge>,
    /// The folders of the service, by what is in them.
    folders: RwLock<Vec<(&'static str, PathBuf)>>,
}

impl MachineMetrics {
    /// The disk of this folder is looked at from now on. `what` is in it: `log` or `feeds`.
    pub fn watch_folder(&self, what: &'static str, path: PathBuf) {
        self.folders.write().push((what, path));
    }

    /// Asks how much is free on each disk, and how large the files of the built-in log are. It may block for a moment.
    pub fn look_at_disks(&self) {
        for (what, path) in &*self.folders.read() {
            if *what == "log" {
                let bytes = bytes_of_files(path, LOG_DEPTH_MAX);
                self.log_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
            }
            let Ok(disk) = rustix::fs::statvfs(path) else {
                continue;
            };
            let labels = vec![("folder", (*what).to_owned())];
            let bytes = |blocks: u64| {
                i64::try_from(blocks.saturating_mul(disk.f_frsize)).unwrap_or(i64::MAX)
            };
            let free = bytes(disk.f_bavail);
            self.disk_free_bytes.get_or_create(&labels).set(free);
            let size = bytes(disk.f_blocks);
            self.disk_size_bytes.get_or_create(&labels).set(size);
        }
    }

    pub(super) fn register(&self, r: &mut Registry) {
        let mut build: Labels = vec![
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("features", FEATURES.to_owned()),
        ];
        build.extend(REVISION.map(|revision| ("revision", revision.to_owned())));
        r.register("build", "What is running", Info::new(build));
        r.register_with_unit(
            "usable_memory",
            "The memory that this process may use: the machine's, or its control group's; 0 if unknown",
            Unit::Bytes,
            self.usable_memory_bytes.clone(),
        );
        r.register_with_unit(
            "log",
            "The files of the built-in log; 0 with Kafka",
            Unit::Bytes,
            self.log_bytes.clone(),
        );
        r.register_with_unit(
            "disk_free",
            "What is free on the disk of a folder, for this process",
            Unit::Bytes,
            self.disk_free_bytes.clone(),
        );
        r.register_with_unit(
            "disk_size",
            "The size of the disk of a folder",
            Unit::Bytes,
            self.disk_size_bytes.clone(),
        );
    }
}

/// The bytes of the files in a folder, so many folders deep. What cannot be read, or goes meanwhile, counts as nothing.
fn bytes_of_files(folder: &Path, depth_max: usize) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() && 0 < depth_max => {
                bytes_of_files(&entry.path(), depth_max - 1)
            }
            Ok(found) if found.is_file() => found.len(),
            _ => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_log_are_those_of_all_its_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("id"), "abc").unwrap();
        let topic = folder.path().join("activities/0");
        std::fs::create_dir_all(&topic).unwrap();
        std::fs::write(topic.join("1.log"), [0; 1_000]).unwrap();
        assert_eq!(bytes_of_files(folder.path(), LOG_DEPTH_MAX), 1_003);
        assert_eq!(bytes_of_files(&folder.path().join("gone"), 1), 0);
    }
}
