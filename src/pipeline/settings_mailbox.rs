//! A mailbox for ordering settings that are to replace those in force. The loop empties it once a turn.

use parking_lot::Mutex;
use slackwater_engine::relationship::Patience;
use slackwater_order::window::Windows;
use std::sync::Arc;

/// Holds the newest settings until the loop takes them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SettingsMailbox {
    next: Arc<Mutex<Option<(Windows, Patience)>>>,
}

impl SettingsMailbox {
    /// Puts in the windows and the default patience to go on with. Settings that were not taken yet are replaced.
    pub fn put(&self, windows: Windows, patience: Patience) {
        *self.next.lock() = Some((windows, patience));
    }

    /// Takes the settings, if new ones were put in.
    pub(super) fn take(&self) -> Option<(Windows, Patience)> {
        self.next.lock().take()
    }
}
