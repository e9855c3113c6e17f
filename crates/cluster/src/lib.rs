//! Which node of a cluster serves which accounts, proved by a log that all nodes read.
//!
//! Nothing here does I/O or asks a clock: a record of the log, an answer of it and the moment are arguments, so a simulation drives the
//! same code as the service. Nodes elect nobody. Each says in one partition of the log, once a second, that it lives and what it
//! serves ([`beat`]); a record of its own that it has read back proves that it has read all before it, and is a lease to show feeds for some
//! seconds more ([`serving`]).
//!
//! Feeds are a function of the log, so two nodes that serve one account show the same. What must not be is that a relation was answered as
//! in force while some node still shows feeds without it. Two rules keep that:
//!
//! - who answers for a relation waits for every node that may show its account, by all that was in the log when the relation was
//!   ([`barrier`]);
//! - who begins to show an account, or goes on after its lease ended, makes that known first, and then reads relations up to where they end
//!   ([`catch_up`]).
//!
//! | module | what it is |
//! |---|---|
//! | [`moment`] | moments of one machine's monotonic clock |
//! | [`shard`] | an account's shard, and sets of shards |
//! | [`beat`] | what a node says of itself, as a record |
//! | [`predecessors`] | the processes that had a node's name before |
//! | [`seen`] | what is known of one node |
//! | [`standing`] | who is there: the fold of all these records |
//! | [`placement`] | which node each shard goes to where no consumer group says so, and who stands by |
//! | [`catch_up`] | what is done before accounts are shown |
//! | [`holdings`] | the shards that a node has, and gets and gives |
//! | [`serving`] | what a node may answer for, for the threads that answer |
//! | [`barrier`] | when a relation is in force wherever it matters |
//! | [`node`] | one node: all of the above driven by records, answers and time |

pub mod barrier;
pub mod beat;
pub mod catch_up;
pub mod holdings;
pub mod moment;
pub mod node;
pub mod placement;
pub mod predecessors;
pub mod seen;
pub mod serving;
pub mod shard;
pub mod standing;

#[cfg(test)]
mod tests;
