//! Why the data folder could not be read or written.

use std::io;
use std::path::PathBuf;

/// What to do about a damaged data folder.
pub const REBUILD: &str =
    "`slackwater serve --rebuild` puts it aside and makes it anew from the log";

/// Why the data folder could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Another process has it open.
    #[error(
        "the data folder {path} is open in another slackwater: stop that one, or set another [feed] path"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// sled refused.
    #[error("could not {doing} in the data folder {path}")]
    Sled {
        /// What was being done.
        doing: &'static str,
        /// The folder.
        path: PathBuf,
        /// sled's reason.
        source: sled::Error,
    },
    /// One was put aside before.
    #[error(
        "{aside} is there already, put aside by an earlier --rebuild: look whether it is needed, and delete it"
    )]
    AsideBefore {
        /// Where it is.
        aside: PathBuf,
    },
    /// What is to be put aside holds no feeds.
    #[error("{path} is no data folder: look at [feed] path")]
    NoData {
        /// The folder.
        path: PathBuf,
    },
    /// sled cannot read its own files.
    #[error("the data folder {path} is damaged: {REBUILD}")]
    DamagedFiles {
        /// The folder.
        path: PathBuf,
        /// sled's reason.
        source: sled::Error,
    },
    /// The file system refused.
    #[error("could not {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A value is not what this version writes.
    #[error("a value of {tree} in the data folder cannot be read: {REBUILD}")]
    Damaged {
        /// In which part.
        tree: &'static str,
    },
    /// The read may have to wait for the disk, and this thread does not wait: see [`without_waiting`](super::without_waiting).
    #[error("what was asked for is not at hand")]
    WouldWait,
    /// A post, or whatever else, could not be packed.
    #[error("could not pack a value")]
    Pack {
        /// The reason.
        source: postcard::Error,
    },
}
