//! The state that requests are answered from.

use super::entry_cache::EntryCache;
use super::log_end::LogEnd;
use super::placement::Placement;
use crate::log::in_flight::InFlight;
use crate::log::recent_letters::RecentLetters;
use crate::operator::connector_status::ConnectorStatus;
use crate::operator::metrics::Metrics;
use parking_lot::RwLock;
use slackwater_engine::view::View;
use std::sync::Arc;

/// The state that requests are answered from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    /// Posts, feeds and relations, and how far they are built.
    pub view: View,
    /// Entries as text.
    pub entry_cache: Arc<EntryCache>,
    /// Records that are being appended to the log.
    pub in_flight: InFlight,
    /// The records that were set aside last.
    pub recent_letters: RecentLetters,
    /// The end of the log, queried when a cursor is ahead of this node.
    pub log_end: LogEnd,
    /// The metrics of the service.
    pub metrics: Arc<Metrics>,
    /// The mistakes in the configuration as it was last saved, if it was refused.
    pub refused_settings: Arc<RwLock<Option<String>>>,
    /// The settings that changed in the configuration and need a restart, by their keys, in order.
    pub restart_needed: Arc<RwLock<Vec<String>>>,
    /// How the connector to Mastodon's database is.
    pub connector: Arc<ConnectorStatus>,
    /// The cluster that this node is part of; none if it is the only one.
    pub placement: Option<Arc<dyn Placement>>,
}

impl AppState {
    /// The state of a view alone, with no record in flight and no log.
    pub fn of(view: View) -> AppState {
        AppState {
            view,
            entry_cache: Arc::default(),
            in_flight: InFlight::default(),
            recent_letters: RecentLetters::default(),
            log_end: LogEnd::default(),
            metrics: Arc::default(),
            refused_settings: Arc::default(),
            restart_needed: Arc::default(),
            connector: Arc::default(),
            placement: None,
        }
    }
}
