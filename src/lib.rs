//! Slackwater puts federated posts back in the order they were written.
//!
//! An instance's incoming activities come from Kafka (or the built-in log), each is placed by the time its author
//! wrote it, however late it came, every local account's feeds are kept in that order, and readers get them over HTTP and
//! websockets, or as Mastodon's API has them.
//!
//! # The story, in reading order
//!
//! ```text
//! order <- post <- graph <- feed <- reader <- engine <- api, mastodon <- pipeline <- main
//! (where a post goes) (what arrived) (who cares) (kept) (read) (built) (served) (driven)
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`slackwater_order`] | a crate of its own: where a post goes: verdict, place, id; and how long feeds wait: windows, hold, horizon |
//! | [`watch`] | a value that others wait to see changed, on no runtime in particular |
//! | [`clock`] | the only file that asks the machine for the time |
//! | [`post`] | records from the log, and the activities and relations in them |
//! | [`graph`] | who follows, mutes and blocks whom |
//! | [`feed`] | who gets a post, and every feed kept sorted, in memory and on disk |
//! | [`reader`] | a feed at one moment, its pages, and what changed since a cursor |
//! | [`api`] | the HTTP API: pages, changes and streams as JSON, over HTTP and websockets; who may read what |
//! | [`mastodon`] | feeds as Mastodon's API shows them: timelines, lists, statuses, streaming |
//! | [`operator`] | what the service says of itself: metrics, progress; and what other windows would have done |
//! | [`engine`] | records in, feeds out: apply, step, publish, flush; driven by the service, the simulation and the tests alike |
//! | [`pipeline`] | the loop that drives it: the log, threads, the clock, dead letters, checkpoints |
//! | [`config`] | the file as written, turned into each module's options |
//! | [`service`] | all of it started and stopped |
//! | [`demo`] | the service with a made-up fediverse around it, to look at |

pub mod api;
pub mod clock;
pub mod config;
pub mod demo;
pub mod engine;
pub mod feed;
pub mod graph;
pub mod mastodon;
pub mod operator;
pub mod pipeline;
pub mod post;
pub mod reader;
pub mod service;
pub mod watch;
