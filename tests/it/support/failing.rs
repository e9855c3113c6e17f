//! A file system that fails and a clock that leaps, as a service sees them: `failing.c`, put before it with LD_PRELOAD.

use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// No room on the disk.
pub(crate) const ENOSPC: i32 = 28;
/// The disk fails.
pub(crate) const EIO: i32 = 5;

/// The same error from fsync alone: whatever is written is taken, and only then lost.
pub(crate) const fn only_sync(error: i32) -> i32 {
    1_000 + error
}

/// What a service meets that runs in its environment.
pub(crate) struct Failing {
    library: PathBuf,
    control: PathBuf,
}

impl Failing {
    /// Builds the library in `dir`. Nothing fails yet.
    pub(crate) fn new(dir: &Path) -> Failing {
        let library = dir.join("failing.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/failing.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([library.as_os_str(), source.as_ref()])
            .arg("-ldl")
            .status()
            .expect("a C compiler");
        assert!(built.success());
        let failing = Failing {
            library,
            control: dir.join("failing.control"),
        };
        failing.stop();
        failing
    }

    /// What is to be in the environment of the service.
    pub(crate) fn environment(&self) -> Vec<(String, PathBuf)> {
        vec![
            ("LD_PRELOAD".to_owned(), self.library.clone()),
            ("SLACKWATER_FAILING".to_owned(), self.control.clone()),
        ]
    }

    /// Whatever writes below this folder fails with this error.
    pub(crate) fn fail(&self, error: i32, folder: &Path) {
        self.say(&format!("{error} {} 0", folder.display()));
    }

    /// The clock is ahead by so many milliseconds.
    pub(crate) fn leap(&self, ahead_ms: i64) {
        self.say(&format!("0 - {ahead_ms}"));
    }

    /// These bytes of a file cannot be read, as long as it is this file: what takes its place can.
    pub(crate) fn lose(&self, file: &Path, bytes: Range<u64>) {
        let inode = std::fs::metadata(file).expect("the file").ino();
        self.say(&format!("0 - 0 {inode} {} {}", bytes.start, bytes.end));
    }

    /// Everything works, and the clock is right.
    pub(crate) fn stop(&self) {
        self.leap(0);
    }

    fn say(&self, what: &str) {
        // Under another name until it is whole, since it may be read at any moment.
        let unfinished = self.control.with_extension("new");
        std::fs::write(&unfinished, what).expect("writing the control file");
        std::fs::rename(unfinished, &self.control).expect("renaming the control file");
    }
}
