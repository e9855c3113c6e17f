//! Numbers of the connector to Mastodon's database.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;

/// What came of Mastodon's database, and what waits in its outbox.
#[derive(Debug, Default)]
pub struct ConnectorMetrics {
    /// Rows of Mastodon's outbox that are in the log and removed from it.
    pub rows: Counter,
    /// Records that were made of Mastodon's database.
    pub records: Counter,
    /// Those of them that the log does not take, and rows that named somebody of whom nothing is left.
    pub unusable: Counter,
    /// Relations that a comparison with Mastodon's database put right.
    pub healed: Counter,
    /// Rows in Mastodon's outbox when it was last counted, at most 100,001.
    pub outbox_rows: Gauge,
    /// How long its oldest row had waited then.
    pub lag_seconds: Gauge<f64, AtomicU64>,
    /// 1 if a database is configured.
    pub configured: Gauge,
    /// 1 while Mastodon's outbox is followed.
    pub following: Gauge,
}

impl ConnectorMetrics {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "connector_rows",
            "Rows of Mastodon's outbox that are in the log",
            self.rows.clone(),
        );
        r.register(
            "connector_records",
            "Records made of Mastodon's database",
            self.records.clone(),
        );
        r.register(
            "connector_unusable",
            "What was found in Mastodon's database and cannot be used",
            self.unusable.clone(),
        );
        r.register(
            "connector_healed",
            "Relations put right by comparing them with Mastodon's database",
            self.healed.clone(),
        );
        r.register(
            "connector_outbox_rows",
            "Rows that wait in Mastodon's outbox, counted up to 100,001",
            self.outbox_rows.clone(),
        );
        r.register_with_unit(
            "connector_lag",
            "How long the oldest row of Mastodon's outbox has waited",
            Unit::Seconds,
            self.lag_seconds.clone(),
        );
        r.register(
            "connector_configured",
            "1 if Mastodon's database is configured",
            self.configured.clone(),
        );
        r.register(
            "connector_following",
            "1 while Mastodon's outbox is followed",
            self.following.clone(),
        );
    }
}
