//! Why the service did not start, or ended.

use crate::api::auth::AuthError;
use crate::log::LogError;
use crate::pipeline::PipelineError;
use slackwater_engine::feed::store::disk::DiskError;
use std::net::SocketAddr;

/// Why the service did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The data folder.
    #[error("opening the data folder {path}")]
    Folder {
        /// Which.
        path: String,
        /// The reason.
        source: DiskError,
    },
    /// The data folder was built from another log.
    #[error(
        "the data folder {path} was built from {built_from}, and this is {now}: `slackwater serve --rebuild` puts it aside and \
         makes it anew"
    )]
    OtherLog {
        /// The folder.
        path: String,
        /// What it was built from.
        built_from: String,
        /// What is configured.
        now: String,
    },
    /// The posts of the data folder got their places from something else.
    #[error(
        "the data folder {path} was built with ordering.place = {built_with:?}, and this is {now:?}: `slackwater serve --rebuild` puts \
         it aside and makes it anew, with other ids; or set ordering.place back"
    )]
    OtherPlaces {
        /// The folder.
        path: String,
        /// What it was built with.
        built_with: &'static str,
        /// What is configured.
        now: &'static str,
    },
    /// The file with the built-in log's id.
    #[error("reading or writing the id of the built-in log")]
    LogId {
        /// The reason.
        source: std::io::Error,
    },
    /// The file with the key that cursors are sealed with.
    #[error("reading or writing the key of cursors, {path}")]
    CursorKey {
        /// Which.
        path: String,
        /// The reason.
        source: std::io::Error,
    },
    /// The log.
    #[error("opening the log")]
    Log {
        /// The reason.
        #[from]
        source: LogError,
    },
    /// The keys and connections that tokens are checked with.
    #[error("preparing to check tokens")]
    Auth {
        /// The reason.
        source: AuthError,
    },
    /// Another process runs under the name of this node.
    #[error(
        "another process runs as the node of this name, and took its place: give each node a cluster.node of its own"
    )]
    Superseded,
    /// The way to the inboxes of the backend.
    #[error("preparing to pass on what comes to inboxes")]
    Inbox {
        /// The reason.
        source: std::io::Error,
    },
    /// The address.
    #[error("listening on {listen}")]
    Listen {
        /// Which.
        listen: SocketAddr,
        /// The reason.
        source: std::io::Error,
    },
    /// The data folder failed while it was used.
    #[error("using the data folder {path}")]
    Disk {
        /// Which.
        path: String,
        /// The reason.
        source: DiskError,
    },
    /// The pipeline ended by itself.
    #[error("the pipeline ended")]
    Pipeline {
        /// The reason.
        source: PipelineError,
    },
    /// A part of the service panicked or could not be started.
    #[error("{what}")]
    Broken {
        /// Which.
        what: String,
    },
}

/// Why the pipeline ended, with the path of the data folder if that is why.
pub(super) fn pipeline_error(error: PipelineError, folder: &str) -> ServiceError {
    match error {
        PipelineError::Disk(source) => ServiceError::Disk {
            path: folder.to_owned(),
            source,
        },
        source => ServiceError::Pipeline { source },
    }
}

/// A part of the service that is gone, which nothing but a fault of ours explains.
pub(super) fn broken(what: &str, error: &dyn std::fmt::Display) -> ServiceError {
    ServiceError::Broken {
        what: format!("{what}: {error}"),
    }
}
