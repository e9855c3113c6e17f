//! Slackwater puts federated posts back in the order they were written.
//!
//! An instance's incoming activities come from Kafka (or the built-in log), each is placed by the time its author
//! wrote it, however late it came, every local account's feeds are kept in that order, and readers get them over HTTP and
//! websockets, or as Mastodon's API has them.
//!
//! # The story, in reading order
//!
//! ```text
//! order <- engine <- log <- api, mastodon, inbox <- pipeline, cluster, http <- service
//! (where a post goes) (built) (read from) (served) (driven, shared out)
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`slackwater_order`] | a crate of its own: where a post goes: verdict, place, id; and how long feeds wait: windows, hold, horizon |
//! | [`slackwater_engine`] | a crate of its own: records in, feeds out: decoding, follow graph, rules, feeds, store and view |
//! | [`slackwater_cluster`] | a crate of its own: which node serves which accounts, proved by a log that all nodes read |
//! | [`clock`] | the only file that asks the machine for the time |
//! | [`error_chain`] | an error with its causes, as a line |
//! | [`log`] | Kafka or the built-in log, behind one set of verbs |
//! | [`api`] | our own HTTP API: pages, changes and streams as JSON, over HTTP and websockets; who may read what |
//! | [`mastodon`] | feeds as Mastodon's API shows them: timelines, lists, statuses, streaming |
//! | [`inbox`] | what other servers deliver, passed on to the backend and recorded if its author is proved |
//! | [`desk`] | the operator's page: files that are served as they are, and ask the API |
//! | [`http`] | both APIs and the page as one router and one description, and the bounds on every request |
//! | [`operator`] | what the service says of itself: metrics, progress; and what other windows would have done |
//! | [`pipeline`] | the loop that drives it: the log, threads, the clock, dead letters, checkpoints |
//! | [`cluster`] | this node among others on one Kafka: leases, shards, and relations in force on all nodes |
//! | [`connector`] | Mastodon's database: changes noted by triggers, and read into records |
//! | [`compare`] | Mastodon's own homes beside those here: every difference with its reason |
//! | [`running_service`] | the running service as commands of its machine ask it |
//! | [`config`] | the file as written, turned into each module's options |
//! | [`doctor`] | whether all that the service rests on is well, looked at from beside it |
//! | [`service`] | all of it started and stopped |
//! | [`demo`] | the service with a made-up fediverse around it, to look at |

pub mod api;
pub mod clock;
pub mod cluster;
pub mod compare;
pub mod config;
pub mod connector;
pub mod demo;
pub mod desk;
pub mod doctor;
pub mod error_chain;
#[cfg(test)]
mod example;
pub mod http;
pub mod inbox;
pub mod log;
pub mod mastodon;
pub mod operator;
pub mod pipeline;
pub mod running_service;
pub mod service;
