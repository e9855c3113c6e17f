//! The nodes of a cluster, as answers show them.

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;

/// The nodes of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Nodes {
    /// The name of the node that answers; null if it is the only one.
    pub node: Option<String>,
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
