//! The options of a node among others.

use crate::api::auth::secret::Secret;
use std::time::Duration;
use url::Url;

/// A node among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Its name: 1 to 32 of a-z, 0-9 and -.
    pub node: String,
    /// Where other nodes reach it, without a path; none: where it listens.
    pub advertise: Option<Url>,
    /// What requests between nodes are signed with: at least 16 bytes.
    pub secret: Secret,
    /// How many further nodes keep a shard's feeds: 0 to 2.
    pub standbys: usize,
    /// How long it shows feeds after it last heard from Kafka: 1 to 20 seconds.
    pub lease: Duration,
    /// After how long the consumer group gives its shards to others when it is away: 6 seconds to 5 minutes.
    pub session_timeout: Duration,
    /// What says where shards go.
    pub assignment: Assignment,
}

/// What says where shards go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assignment {
    /// Kafka's consumer group.
    #[default]
    Group,
    /// Rendezvous hashing over the nodes that live.
    Rendezvous,
}

impl Options {
    /// A node of this name, with what else is the default.
    pub fn new(node: &str, secret: Secret) -> Options {
        Options {
            node: node.to_owned(),
            advertise: None,
            secret,
            standbys: 1,
            lease: Duration::from_secs(4),
            session_timeout: Duration::from_secs(45),
            assignment: Assignment::default(),
        }
    }
}
