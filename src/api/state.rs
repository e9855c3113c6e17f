//! The state that requests are answered from.

use super::entry_cache::EntryCache;
use super::log_end::LogEnd;
use crate::log::in_flight::InFlight;
use crate::operator::metrics::Metrics;
use parking_lot::RwLock;
use slackwater_engine::view::View;
use std::sync::Arc;

/// Everything a request is answered from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    /// Posts, feeds and relations, and how far they are built.
    pub view: View,
    /// Entries as text.
    pub entry_cache: Arc<EntryCache>,
    /// What is on its way into the log.
    pub in_flight: InFlight,
    /// Where the log ends now, to be asked anew.
    pub log_end: LogEnd,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is wrong with the configuration as it was last saved, if it was refused.
    pub refused_settings: Arc<RwLock<Option<String>>>,
}

impl AppState {
    /// Of a view alone, with nothing in flight and a log that is asked nothing.
    pub fn of(view: View) -> AppState {
        AppState {
            view,
            entry_cache: Arc::default(),
            in_flight: InFlight::default(),
            log_end: LogEnd::default(),
            metrics: Arc::default(),
            refused_settings: Arc::default(),
        }
    }
}
