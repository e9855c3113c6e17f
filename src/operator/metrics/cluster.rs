//! This node among others.

use super::histogram::{AtomicHistogram, WORK};
use super::labelled::{LabelledCounter, Labels};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;

/// In which ways a node has a shard.
pub const SHARD_STATES: [&str; 3] = ["serves", "standby", "claims"];
/// Why a node claims a shard: it is given to it, it stands by, or a request came and nobody else could be reached.
pub const CLAIMS: [&str; 3] = ["owned", "standby", "asked"];

/// Leases and shards of this node, and what relations wait for.
#[derive(Debug)]
pub struct ClusterMetrics {
    shards: Family<Labels, Gauge>,
    /// Nodes that live, this one among them.
    pub nodes: Gauge,
    /// Seconds for which this node may show feeds without hearing from Kafka; 0 when it shows none.
    pub lease_seconds: Gauge<f64, AtomicU64>,
    /// 1 while other settings than the oldest node's keep this one from serving.
    pub config_differs: Gauge,
    /// From the sending of a record of this node until it was read back.
    pub beat_seconds: AtomicHistogram,
    claims: LabelledCounter,
    /// From the claim of a shard until it is answered for.
    pub handover_seconds: AtomicHistogram,
    /// From when relations of a request were in the log until they were in force on all nodes that it takes.
    pub in_force_seconds: AtomicHistogram,
    /// Accounts that slept and were given feeds, because somebody read them or as a standby.
    pub woken: Counter,
}

impl Default for ClusterMetrics {
    fn default() -> ClusterMetrics {
        ClusterMetrics {
            shards: Family::default(),
            nodes: Gauge::default(),
            lease_seconds: Gauge::default(),
            config_differs: Gauge::default(),
            beat_seconds: AtomicHistogram::new(WORK),
            claims: LabelledCounter::new("why", CLAIMS),
            handover_seconds: AtomicHistogram::new(WORK),
            in_force_seconds: AtomicHistogram::new(WORK),
            woken: Counter::default(),
        }
    }
}

impl ClusterMetrics {
    /// The node has so many shards in a way, one of [`SHARD_STATES`].
    pub fn shards(&self, state: &'static str, count: usize) {
        let labels = vec![("state", state.to_owned())];
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.shards.get_or_create(&labels).set(count);
    }

    /// The node claims so many shards, for one of [`CLAIMS`].
    pub fn claims(&self, why: &'static str, count: usize) {
        self.claims.count(why, count as u64);
    }

    pub(super) fn register(&self, r: &mut Registry) {
        for state in SHARD_STATES {
            self.shards(state, 0);
        }
        r.register(
            "shards",
            "Shards that this node serves, stands by for or claims",
            self.shards.clone(),
        );
        r.register(
            "nodes",
            "Nodes of the cluster that live, this one among them",
            self.nodes.clone(),
        );
        r.register(
            "lease_seconds",
            "Seconds for which feeds may be shown without hearing from Kafka",
            self.lease_seconds.clone(),
        );
        r.register(
            "config_differs",
            "1 while other settings than the oldest node's keep this one from serving",
            self.config_differs.clone(),
        );
        r.register(
            "beat_seconds",
            "From the sending of a record of this node until it was read back",
            self.beat_seconds.clone(),
        );
        r.register(
            "claims",
            "Shards that this node claimed, by why",
            self.claims.family.clone(),
        );
        r.register(
            "handover_seconds",
            "From the claim of a shard until it is answered for",
            self.handover_seconds.clone(),
        );
        r.register(
            "in_force_seconds",
            "How long relations that are in the log waited to be in force on all nodes that it takes",
            self.in_force_seconds.clone(),
        );
        r.register(
            "woken_accounts",
            "Accounts that slept and were given feeds since the start",
            self.woken.clone(),
        );
    }
}
