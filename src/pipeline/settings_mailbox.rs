//! Ordering settings that are to replace those in force, left here until the loop comes by.

use parking_lot::Mutex;
use slackwater_engine::relationship::Patience;
use slackwater_order::window::Windows;
use std::sync::Arc;

/// Where they are put. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SettingsMailbox {
    next: Arc<Mutex<Option<(Windows, Patience)>>>,
}

impl SettingsMailbox {
    /// The windows and the default patience to go on with.
    pub fn put(&self, windows: Windows, patience: Patience) {
        *self.next.lock() = Some((windows, patience));
    }

    pub(super) fn take(&self) -> Option<(Windows, Patience)> {
        self.next.lock().take()
    }
}
