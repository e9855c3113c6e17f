//! Federated posts into every account's feeds, in the order they were written.
//!
//! Records of a log go in, feeds come out. The one who drives it reads the log, keeps the time and serves the readers:
//! nothing here starts a thread, opens a socket or asks a clock; `now` is an argument. What is kept is kept in sled.
//!
//! ```text
//! order <- record, activity, relationship <- decode, graph <- feed <- view <- engine
//! (where a post goes) (what arrived) (who cares) (kept) (read) (built)
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`slackwater_order`] | a crate of its own: where a post goes: verdict, place, id; and how long feeds wait: windows, hold, horizon |
//! | [`watch`] | a value that others wait to see changed, on no runtime in particular |
//! | [`record`] | a record of the log, its position, and how far each partition was read |
//! | [`host`] | the host of an actor, which is its origin |
//! | [`json`] | the lenient reader of JSON that is written by others |
//! | [`spelling`] | the known name that a misspelt one is likely to mean |
//! | [`activity`] | ActivityStreams JSON into activities, posts and actors |
//! | [`relationship`] | the documents of local accounts: who follows, mutes and lists whom |
//! | [`decode`] | one record into an activity or a relation |
//! | [`graph`] | who follows, mutes and blocks whom |
//! | [`feed`] | who gets a post, and every feed kept sorted, in memory and on disk |
//! | [`view`] | a feed at one moment, its pages, and what changed since a cursor |
//! | [`engine`] | records in, feeds out: apply, step, publish, flush |

pub mod activity;
pub mod decode;
pub mod engine;
pub mod feed;
pub mod graph;
pub mod host;
pub mod json;
pub mod record;
pub mod relationship;
pub mod spelling;
pub mod view;
pub mod watch;

pub use engine::Engine;
