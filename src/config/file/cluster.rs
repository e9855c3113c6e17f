//! `[cluster]` as written.

use super::{SecretText, Span};
use schemars::JsonSchema;
use serde::Deserialize;

/// One of several nodes on one Kafka, each serving a part of the accounts. Left out, this is the only node.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// The name of this node, the same after every start and no other's.
    #[schemars(length(min = 1, max = 32))]
    pub node: Option<String>,
    /// Where the other nodes, and backends, reach this one: an http URL without a path.
    pub advertise: Option<String>,
    /// What requests between nodes are signed with: at least 16 bytes, the same on all nodes, and no service token.
    pub secret: Option<SecretText>,
    /// How many further nodes keep a shard's feeds.
    #[schemars(range(min = 0, max = 2))]
    pub standbys: Option<usize>,
    /// How long a node that has heard nothing from Kafka still shows feeds. A relation waits for a node that is gone for a tenth longer, and no
    /// request waits for longer than 25 seconds.
    #[schemars(extend("x-min" = "1s", "x-max" = "20s"))]
    pub lease: Option<Span>,
    /// After how long the consumer group gives the shards of a node that is away to others.
    #[schemars(extend("x-min" = "6s", "x-max" = "5m"))]
    pub session_timeout: Option<Span>,
    /// What says where shards go.
    pub assignment: Option<Assignment>,
}

/// What says where shards go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Assignment {
    /// Kafka's consumer group.
    Group,
    /// Rendezvous hashing over the nodes that live.
    Rendezvous,
}
