//! Federated posts into every account's feeds, in the order they were written.
//!
//! Records of a log go in, feeds come out. The one who drives it reads the log, keeps the time and serves the readers:
//! nothing here opens a socket or asks a clock, and threads are started only while a checkpoint is written; `now` is an argument. Feeds
//! are stored in sled.
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
//! | [`id`] | ids of actors, posts and accounts from outside, checked once |
//! | [`date`] | dates as servers write them |
//! | [`json`] | the lenient reader of JSON that is written by others |
//! | [`spelling`] | the known name that a misspelt one is likely to mean |
//! | [`activity`] | ActivityStreams JSON into activities, posts and actors |
//! | [`relationship`] | the documents of local accounts: who follows, mutes and lists whom |
//! | [`decode`] | one record into an activity or a relation |
//! | [`kept`] | whose feeds are kept here: all accounts', or those of some shards |
//! | [`graph`] | who follows, mutes and blocks whom |
//! | [`feed`] | who gets a post, and every feed kept sorted, in memory and on disk |
//! | [`view`] | a feed at one moment, its pages, and what changed since a cursor |
//! | [`engine`] | records in, feeds out: apply, step, publish, flush |
//!
//! # From two records to a feed
//!
//! ```
//! use slackwater_engine::Engine;
//! use slackwater_engine::decode::decode_record;
//! use slackwater_engine::engine::log_status::LogStatus;
//! use slackwater_engine::engine::publish::ServiceStatus;
//! use slackwater_engine::engine::{Applied, Options};
//! use slackwater_engine::feed::store::{self, Store};
//! use slackwater_engine::record::{Position, Record, Topic};
//! use slackwater_order::time::Time;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let store = Arc::new(Store::open(store::Options {
//!     path: folder.path().to_owned(),
//!     length: 800,
//!     boost_repeat_after: Duration::from_secs(86_400),
//!     unflushed_entries_max: 1_000_000,
//!     unflushed_bytes_max: 64 << 20,
//!     cache_bytes: 16 << 20,
//! })?);
//! let log = LogStatus { is_reachable: true, ..LogStatus::default() };
//! let mut engine = Engine::open(store, &log, Options::default())?;
//!
//! // Whoever drives the engine has a log and a clock.
//! let arrived = Time::from_millis(1_795_954_500_000);
//! let mut next = [0, 0];
//! let mut drive = |engine: &mut Engine, topic: Topic, json: &str| -> Result<(), Box<dyn std::error::Error>> {
//!     let next = &mut next[usize::from(topic == Topic::Activities)];
//!     let record = Record {
//!         position: Position { topic, partition: 0, offset: *next },
//!         timestamp: Some(arrived),
//!         key: None,
//!         value: Some(json.into()),
//!         headers: Vec::new(),
//!     };
//!     let applied = engine.apply(&record, decode_record(record.view()), arrived)?;
//!     assert!(!matches!(applied, Applied::Refused(_) | Applied::Unusable(_)), "{applied:?}");
//!     engine.pass(&record);
//!     *next += 1;
//!     Ok(())
//! };
//! let relations = [
//!     r#"{"type": "account", "account": "7", "actor": "https://here.example/users/7"}"#,
//!     r#"{"type": "follow", "account": "7", "target": "https://there.example/users/ana"}"#,
//! ];
//! for relation in relations {
//!     drive(&mut engine, Topic::Relationships, relation)?;
//! }
//! // The later post arrives first.
//! for (number, published) in [(2, "2026-11-29T12:10:00Z"), (1, "2026-11-29T12:05:00Z")] {
//!     let create = format!(
//!         r#"{{"type": "Create", "actor": "https://there.example/users/ana", "object": {{
//!             "id": "https://there.example/posts/{number}", "type": "Note",
//!             "attributedTo": "https://there.example/users/ana",
//!             "to": "https://www.w3.org/ns/activitystreams#Public",
//!             "content": "post {number}", "published": "{published}"}}}}"#
//!     );
//!     drive(&mut engine, Topic::Activities, &create)?;
//! }
//! while !engine.is_idle() {
//!     engine.step(arrived)?;
//! }
//! engine.publish(&log, ServiceStatus { settled: Some(arrived), ..ServiceStatus::default() });
//!
//! // Readers look on, also from other threads.
//! let view = engine.view().clone();
//! let home = view.home_snapshot("7", None, arrived)?.ok_or("an account")?;
//! let uris: Vec<String> = home
//!     .ids()
//!     .iter()
//!     .filter_map(|id| view.store.post(*id).ok()?)
//!     .map(|post| post.body.uri.clone())
//!     .collect();
//! assert_eq!(uris, ["https://there.example/posts/1", "https://there.example/posts/2"]);
//!
//! // What is new is written wherever the driver likes, while more comes in.
//! let flush = engine.begin_flush(arrived, |next| next.to_vec());
//! flush.write()?;
//! engine.end_flush();
//! # Ok(())
//! # }
//! ```

pub mod activity;
pub mod date;
pub mod decode;
pub mod engine;
pub mod feed;
pub mod graph;
pub mod host;
pub mod id;
pub mod json;
pub mod kept;
pub mod record;
pub mod relationship;
pub mod spelling;
pub mod view;
pub mod watch;

pub use engine::Engine;
