//! What a client's streams and their connection to the backend's streaming server share.

use super::kept_updates::{AllBytes, KeptUpdates};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use tokio::sync::watch;

/// The streams that a client has, by their keys, and how each is asked for.
pub(super) type Wanted = BTreeMap<Vec<String>, String>;

/// The state of a relay.
#[derive(Debug)]
pub(super) struct RelayState {
    pub(super) kept: Mutex<KeptUpdates>,
    /// Changes whenever something was kept or passed on, or the connection began or ended.
    pub(super) progress: watch::Sender<Progress>,
}

/// How far the connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) is_connected: bool,
    pub(super) messages: u64,
}

impl RelayState {
    /// Not connected, with nothing kept.
    pub(super) fn new(all_bytes: AllBytes) -> RelayState {
        RelayState {
            kept: Mutex::new(KeptUpdates::new(all_bytes)),
            progress: watch::Sender::new(Progress::default()),
        }
    }
}
