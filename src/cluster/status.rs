//! The nodes and their shards, as this node knows them.

use super::{Cluster, moment};
use crate::api::node_status::{NodeStatus, Nodes};
use slackwater_cluster::beat::Beat;
use slackwater_cluster::seen::Seen;
use std::collections::BTreeSet;

impl Cluster {
    /// All nodes that were heard of, as this one knows them.
    pub(super) fn all_nodes(&self) -> Nodes {
        let (node, now) = (self.0.node.lock(), moment());
        let proved = node.proved().unwrap_or_default();
        let decides = node.standing().oldest(proved);
        let decides = decides.map(|beat| beat.decides.clone());
        let away: BTreeSet<&str> = node.away().collect();
        let status = |(name, seen): (&str, &Seen)| {
            let beat = seen.beat.as_ref();
            let of =
                |pick: fn(&Beat) -> &BTreeSet<u32>| beat.map(pick).cloned().unwrap_or_default();
            NodeStatus {
                node: name.to_owned(),
                address: beat.map(|beat| beat.address.clone()),
                live: now < seen.gone_by() && !beat.is_some_and(Beat::has_left),
                heard_seconds_ago: now.since(seen.read).as_secs_f64(),
                leaving: beat.is_some_and(|beat| beat.leaving),
                away: away.contains(name),
                shards: beat.map(|beat| beat.shards),
                serves: of(|beat| &beat.serves),
                standby: of(|beat| &beat.standby),
                claims: of(|beat| &beat.claims),
                cannot_reach: beat
                    .map(|beat| beat.cannot_reach.clone())
                    .unwrap_or_default(),
                agrees: beat.map(|beat| &beat.decides) == decides.as_ref(),
                program: beat.map(|beat| beat.program.clone()),
            }
        };
        Nodes {
            node: Some(node.settings().node.clone()),
            shards: node.kept().shards,
            nodes: node.standing().nodes().map(status).collect(),
        }
    }
}
