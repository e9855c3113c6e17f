//! Puts events that come late back in the order in which they happened.
//!
//! An event has two times: when its source says it happened, and when it arrived. From these and the name of the source's host
//! this crate works out
//!
//! - a **verdict**: did it come within its source's *reorder window*, late, or too late ([`verdict`]);
//! - a **place**, which is also its id: a positive 63-bit number that sorts by time, for good ([`place`]);
//! - for each source a **learned window**, from the delays of its own events alone ([`origins`], [`origin_stats`]);
//! - for each reader a **horizon**: the moment up to which as good as everything has come that they read, held back no longer
//!   than their patience ([`hold`], [`horizon`]).
//!
//! What stream processors call event time, allowed lateness and watermark, but with a window for each source and a watermark for
//! each reader. It is used by Slackwater for posts of the fediverse, whose sources are hosts; feeds, mail and logs fit as well.
//!
//! These are plain functions and two small registries: there is no clock, no I/O and no thread. By default only the standard
//! library is used. The features: `serde` (what may be stored or sent can be), `schemars`, `hashbrown` (faster look-ups).
//!
//! # From two times and a host to a verdict, an id and a horizon
//!
//! ```
//! use slackwater_order::horizon::{highest_visible, horizon};
//! use slackwater_order::origins::{Observation, Origins, RecordAt};
//! use slackwater_order::place::{PostId, slot_of};
//! use slackwater_order::time::Time;
//! use slackwater_order::verdict::{Verdict, judge};
//! use slackwater_order::window::{ReorderWindow, Windows};
//! use std::time::Duration;
//!
//! // Windows are learned; none is longer than half an hour.
//! let mut windows = Windows::default();
//! windows.default.reorder_window = ReorderWindow::Auto;
//! let mut origins = Origins::default();
//!
//! // A host whose posts take twelve seconds each.
//! let noon = 1_763_805_600_000;
//! for n in 0..300 {
//!     let published = Time::from_millis(noon + n * 1_000);
//!     let arrived = published.plus(Duration::from_secs(12));
//!     let effective = windows.effective("slow.example", origins.learned("slow.example"));
//!     let judgement = judge(Some(published), arrived, false, &effective);
//!     let observation = Observation {
//!         verdict: judgement.verdict,
//!         delay_ms: Some(arrived.since(published)),
//!         arrived,
//!         at: RecordAt { partition: 0, offset: n },
//!     };
//!     origins.count("slow.example", observation, &windows);
//!     origins.passed(0, n);
//! }
//! let learned = origins.learned("slow.example").expect("250 posts are enough");
//! assert!((12..=18).contains(&learned.as_secs()));
//!
//! // One that takes an hour is late, and still belongs where it was written.
//! let published = Time::from_millis(noon + 300_000);
//! let arrived = published.plus(Duration::from_secs(3_600));
//! let effective = windows.effective("slow.example", Some(learned));
//! let judgement = judge(Some(published), arrived, false, &effective);
//! assert_eq!(judgement.verdict, Verdict::Late);
//! let id = PostId::new(judgement.at, slot_of("https://slow.example/users/ana"), 0);
//! assert_eq!(id.time(), published);
//!
//! // Somebody with a minute of patience who reads this host sees what is older than its window.
//! let hold = origins.hold("slow.example", &windows).ms(60_000);
//! assert_eq!(hold, learned.as_millis() as i64);
//! let now = Time::from_millis(noon + 310_000);
//! let horizon = horizon(60_000, hold, now, now);
//! assert_eq!(horizon, Some(now.minus(learned)));
//! assert!(highest_visible(horizon) < PostId::new(now, 0, 0));
//! ```
//!
//! # The files, in reading order
//!
//! | module | what it is |
//! |---|---|
//! | [`time`] | moments, in milliseconds |
//! | [`window`] | how long a host's events may take: as the operator says, or as learned |
//! | [`verdict`] | what that makes of one event |
//! | [`place`], [`key_hash`] | where it then stands: its id, and the slot of its author in it |
//! | [`ref_place`] | the same where somebody else gives it its id |
//! | [`decaying_histogram`], [`delay_curve`], [`origin_stats`] | one host's delays, and the window and the curve learned from them |
//! | [`origins`] | all hosts |
//! | [`hold`] | how long a reader is held back for the hosts they read |
//! | [`horizon`] | up to when they are shown |

pub mod decaying_histogram;
pub mod delay_curve;
pub mod hold;
pub mod horizon;
pub mod key_hash;
mod map;
pub mod origin_stats;
pub mod origins;
pub mod place;
pub mod ref_place;
pub mod time;
pub mod verdict;
pub mod window;
