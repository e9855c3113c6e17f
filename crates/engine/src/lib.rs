//! Federated posts into every account's feeds, in the order they were written.
//!
//! Records of a log go in, feeds come out. The one who drives it reads the log, keeps the time and serves the readers:
//! nothing here starts a thread, opens a socket or asks a clock; `now` is an argument. What is kept is kept in sled.
//!
//! ```text
//! order <- post <- graph <- feed <- reader <- engine
//! (where a post goes) (what arrived) (who cares) (kept) (read) (built)
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`slackwater_order`] | a crate of its own: where a post goes: verdict, place, id; and how long feeds wait: windows, hold, horizon |
//! | [`watch`] | a value that others wait to see changed, on no runtime in particular |
//! | [`post`] | records from the log, and the activities and relations in them |
//! | [`graph`] | who follows, mutes and blocks whom |
//! | [`feed`] | who gets a post, and every feed kept sorted, in memory and on disk |
//! | [`reader`] | a feed at one moment, its pages, and what changed since a cursor |
//! | [`engine`] | records in, feeds out: apply, step, publish, flush; driven by the service, the simulation and the tests alike |

pub mod engine;
pub mod feed;
pub mod graph;
pub mod post;
pub mod reader;
pub mod watch;

pub use engine::Engine;
