//! What the metrics say of a node.

use super::moment;
use crate::operator::metrics::Metrics;
use slackwater_cluster::moment::Moment;
use slackwater_cluster::node::{Barred, Node};
use slackwater_cluster::serving::Role;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Counts what becomes of a node from turn to turn.
#[derive(Debug)]
pub(super) struct Counting {
    metrics: Arc<Metrics>,
    /// The shards that are claimed, and since when.
    claims: BTreeMap<u32, Moment>,
    proved: Option<Moment>,
}

impl Counting {
    pub(super) fn new(metrics: Arc<Metrics>) -> Counting {
        Counting {
            metrics,
            claims: BTreeMap::new(),
            proved: None,
        }
    }

    /// A record was read.
    pub(super) fn read(&mut self, node: &Node) {
        let proved = node.proved();
        if self.proved != proved
            && let Some(sent) = proved
        {
            self.metrics
                .cluster
                .beat_seconds
                .observe(moment().since(sent));
        }
        self.proved = proved;
    }

    /// The node has done what was due.
    pub(super) fn turn(&mut self, node: &Node, now: Moment) {
        let (metrics, serving) = (&self.metrics.cluster, node.serving());
        let holdings = node.holdings();
        let claims = holdings.claims();
        metrics.shards("serves", serving.serves.of.len());
        metrics.shards("standby", serving.standby.of.len());
        metrics.shards("claims", claims.len());
        let proved = node.proved().unwrap_or_default();
        let live = node.standing().live(proved).count();
        metrics.nodes.set(i64::try_from(live).unwrap_or(i64::MAX));
        let lease = serving.lease_until.filter(|_| serving.is_open);
        let left = lease.map(|until| until.since(now)).unwrap_or_default();
        metrics.lease_seconds.set(left.as_secs_f64());
        let differs = node.barred() == Some(Barred::Differs);
        metrics.config_differs.set(differs.into());
        let owns = node.owns();
        for (shard, held) in holdings.iter() {
            if claims.contains(&shard) && !self.claims.contains_key(&shard) {
                let why = match held.role {
                    Role::StandsBy => "standby",
                    Role::Serves if owns.contains(&shard) => "owned",
                    Role::Serves => "asked",
                };
                metrics.claims(why, 1);
                self.claims.insert(shard, now);
            }
            if !claims.contains(&shard)
                && let Some(since) = self.claims.remove(&shard)
            {
                metrics.handover_seconds.observe(now.since(since));
            }
        }
        self.claims.retain(|shard, _| claims.contains(shard));
    }
}
