//! What can go wrong with the built-in log, in words for the operator.

use super::frame::{BODY_BYTES_MAX, HEAD_BYTES};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What went wrong with the built-in log.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BuiltInLogError {
    /// A call to the operating system failed.
    #[error("could not {doing} {}", file.display())]
    Io {
        /// The operation, as in "could not … the file".
        doing: &'static str,
        /// The file or folder.
        file: PathBuf,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// Another process has the folder open.
    #[error(
        "the log {} is in use by another process: stop it, or set another [log] path",
        folder.display()
    )]
    InUse {
        /// The log's folder.
        folder: PathBuf,
    },
    /// Bytes that were durable are not those that were written: the disk or somebody changed them.
    #[error(
        "{} is damaged at byte {byte}, offset {offset}: the next start of the service keeps what can be read of it and puts \
         the rest aside",
        file.display()
    )]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// The first offset that cannot be read (or the next one kept after it).
        offset: i64,
        /// Where in the file.
        byte: u64,
    },
    /// The disk fails to read bytes that were written.
    #[error(
        "the disk does not give what is in {} at byte {byte}, offset {offset}: the next start of the service keeps what can be \
         read of it and puts the rest aside",
        file.display()
    )]
    NotGiven {
        /// The segment.
        file: PathBuf,
        /// The first offset that the disk does not give (or the next one kept after it).
        offset: i64,
        /// Where in the file, or before it.
        byte: u64,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// The disk gives nothing of a file, or so little that a person must look at it.
    #[error(
        "the disk gives nothing or too little of {}: nothing was changed. Copy what can be read of it to a disk that works \
         (ddrescue does), as long as it is, and put that in its place: what is missing in it is then passed over, and what \
         is there is kept",
        file.display()
    )]
    Unreadable {
        /// The segment.
        file: PathBuf,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// A later version wrote the file.
    #[error("{} was written by a later version of slackwater: run that version", file.display())]
    Newer {
        /// The segment.
        file: PathBuf,
    },
    /// A segment is missing between two others.
    #[error("the file with offsets {from} to {} is missing in {}: put it back", to - 1, folder.display())]
    Missing {
        /// The topic's folder.
        folder: PathBuf,
        /// The first offset in it.
        from: i64,
        /// The offset after its last.
        to: i64,
    },
    /// The requested offset has expired.
    #[error("offset asked for has expired: the log begins at {first}")]
    Gone {
        /// The first offset that can be read.
        first: i64,
    },
    /// The requested offset has not been written.
    #[error("offset asked for is beyond the end of the log")]
    Beyond,
    /// Too many records wait to be written. The caller may try again soon.
    #[error("the log cannot write as fast as records come")]
    Full,
    /// A record is longer than can be written.
    #[error("a record of {bytes} bytes: at most {}", HEAD_BYTES + BODY_BYTES_MAX)]
    TooLarge {
        /// The bytes it would take on disk.
        bytes: usize,
    },
    /// There is too little room on the disk to go on after a failure.
    #[error("{bytes} bytes are free for {}: at least {bytes_min} are needed to go on", folder.display())]
    NoRoom {
        /// The topic's folder.
        folder: PathBuf,
        /// Bytes that are free.
        bytes: u64,
        /// Bytes that are needed.
        bytes_min: u64,
    },
    /// An earlier write or sync failed, and the disk does not take records again yet.
    #[error("the log cannot be written to at the moment")]
    Refused {
        /// The failure.
        source: Arc<BuiltInLogError>,
    },
    /// The log has been closed.
    #[error("the log is closed")]
    Closed,
}

impl BuiltInLogError {
    /// Whether the error passes when the disk has room again, or works again.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            BuiltInLogError::Full
                | BuiltInLogError::Io { .. }
                | BuiltInLogError::NoRoom { .. }
                | BuiltInLogError::Refused { .. }
        )
    }

    /// Whether it is about one unreadable place in a file, which can be mended.
    pub(super) fn is_of_one_place(&self) -> bool {
        matches!(
            self,
            BuiltInLogError::Damaged { .. } | BuiltInLogError::NotGiven { .. }
        )
    }

    pub(super) fn io(
        doing: &'static str,
        file: &Path,
    ) -> impl FnOnce(io::Error) -> BuiltInLogError {
        move |source| BuiltInLogError::Io {
            doing,
            file: file.to_owned(),
            source: Arc::new(source),
        }
    }

    pub(super) fn refused(&self) -> BuiltInLogError {
        BuiltInLogError::Refused {
            source: Arc::new(self.clone()),
        }
    }
}
