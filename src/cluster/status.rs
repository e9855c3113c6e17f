//! The nodes and their shards, for people and for backends that go straight to the node of an account.

use super::{Cluster, moment};
use schemars::JsonSchema;
use serde::Serialize;
use slackwater_cluster::beat::Beat;
use slackwater_cluster::standing::Seen;
use std::collections::BTreeSet;

/// The nodes of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Nodes {
    /// The node that answers.
    pub node: String,
    /// How many shards there are. The shard of an account is Kafka's hash of its id (murmur2, as its default partitioner has it) modulo
    /// this.
    pub shards: u32,
    /// All that were heard of, by name.
    pub nodes: Vec<NodeStatus>,
}

/// A node of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct NodeStatus {
    /// Its name.
    pub node: String,
    /// Where it is reached; null if what it said cannot be read.
    pub address: Option<String>,
    /// Whether it was heard of within its lease.
    pub live: bool,
    /// Seconds since it was last heard of.
    pub heard_seconds_ago: f64,
    /// Whether it is about to stop.
    pub leaving: bool,
    /// Whether the node that answers could not reach it lately.
    pub away: bool,
    /// How many shards it counts.
    pub shards: Option<u32>,
    /// The shards whose accounts it answers for.
    pub serves: BTreeSet<u32>,
    /// The shards that it answers for if their node is away.
    pub standby: BTreeSet<u32>,
    /// The shards that it is about to have.
    pub claims: BTreeSet<u32>,
    /// Nodes that it cannot reach.
    pub cannot_reach: BTreeSet<String>,
    /// Whether its settings decide feeds and ids as those of the oldest node do.
    pub agrees: bool,
    /// The version of its program.
    pub program: Option<String>,
}

impl Cluster {
    /// All nodes that were heard of, as this one knows them.
    pub fn nodes(&self) -> Nodes {
        let (node, now) = (self.0.node.lock(), moment());
        let proved = node.proved().unwrap_or_default();
        let decides = node.standing().decides(proved).map(str::to_owned);
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
            node: node.settings().node.clone(),
            shards: node.kept().shards,
            nodes: node.standing().nodes().map(status).collect(),
        }
    }
}
