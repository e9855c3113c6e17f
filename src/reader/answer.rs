//! The shape of every answer but entries and problems.

use crate::order::delays::Delays;
use crate::order::verdict::Verdict;
use crate::order::window::{ReorderWindow, Windows};
use crate::post::relationship::Patience;
use crate::time::{Time, millis_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer to posted activities or relationships.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// How many are durable.
    pub accepted: usize,
    /// The others, in order.
    pub rejected: Vec<Rejected>,
}

/// A line that was not accepted.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rejected {
    /// Its number; the first is 1.
    pub line: usize,
    /// Why, and what to send instead.
    pub reason: String,
}

/// A page of a feed. Its entries are written one by one: see `http`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Page<'a> {
    /// Newest first.
    pub entries: Vec<super::entry::Entry<'a>>,
    /// Up to when the feed is complete; null while the account waits for nobody: then everything shows.
    pub horizon: Option<Time>,
    /// How far the whole feed had been built: opaque.
    pub cursor: String,
}

/// How long an account's feeds are held back, and why.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ordering<'a> {
    /// How long they may be: what the account chose, else what its document says, else the instance's default.
    pub patience: Patience,
    /// How long they are: the largest reorder window among the origins it follows that fits within its patience.
    pub hold: String,
    /// The origins whose window that is, by host.
    pub held_by: Vec<&'a str>,
    /// Up to when its feeds are shown; null with no patience: then everything shows.
    pub horizon: Option<Time>,
}

/// The patience an account chooses.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// How long its feeds may be held back: a duration such as `"30s"`, `"0s"`, or `"complete"`.
    pub patience: Patience,
}

/// What is known of an origin.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Origin<'a> {
    /// Its host; `(others)` for those past the bound.
    pub host: &'a str,
    /// How long it is waited for, in milliseconds.
    pub reorder_window_ms: i64,
    /// How that came about.
    pub window_from: WindowFrom,
    /// Past the window, how long a post is late rather than too late, in milliseconds.
    pub allowed_lateness_ms: i64,
    /// The delays seen; null before the first.
    pub delay_ms: Option<Quantiles>,
    /// Posts by verdict.
    pub posts: Counts,
    /// When a post of it last arrived.
    pub last_heard: Time,
}

/// Where a reorder window comes from.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowFrom {
    /// The operator fixed it.
    Fixed,
    /// It was learned from the delays seen.
    Learned,
    /// It is to be learned: so far nobody waits for it.
    NotYetLearned,
}

/// Delays in milliseconds: a share of posts (10, 50, 90, 99 %) took no longer. From a histogram: up to 39 % too high.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[allow(missing_docs)] // named as they are
pub struct Quantiles {
    pub p10: i64,
    pub p50: i64,
    pub p90: i64,
    pub p99: i64,
    pub max: i64,
}

/// Posts by verdict.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[allow(missing_docs)] // named as the verdicts are
pub struct Counts {
    pub in_time: u64,
    pub late: u64,
    pub too_late: u64,
    pub from_the_future: u64,
    pub undated: u64,
    pub fetched: u64,
}

/// All origins, by host.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Origins<'a> {
    /// Sorted by host.
    pub origins: Vec<Origin<'a>>,
}

impl<'a> Origin<'a> {
    /// What is known of `host`.
    pub fn new(host: &'a str, delays: &Delays, windows: &Windows) -> Origin<'a> {
        let window = windows.of(host);
        let learned = delays.learned();
        let q = |q| delays.quantile_ms(q);
        let delay_ms = match (q(0.1), q(0.5), q(0.9), q(0.99), delays.max_ms()) {
            (Some(p10), Some(p50), Some(p90), Some(p99), Some(max)) => Some(Quantiles {
                p10,
                p50,
                p90,
                p99,
                max,
            }),
            _ => None,
        };
        Origin {
            host,
            reorder_window_ms: millis_of(windows.holding(host, learned)),
            window_from: match (window.reorder_window, learned) {
                (ReorderWindow::Fixed(_), _) => WindowFrom::Fixed,
                (ReorderWindow::Auto, Some(_)) => WindowFrom::Learned,
                (ReorderWindow::Auto, None) => WindowFrom::NotYetLearned,
            },
            allowed_lateness_ms: millis_of(window.allowed_lateness),
            delay_ms,
            posts: Counts {
                in_time: delays.with(Verdict::InTime),
                late: delays.with(Verdict::Late),
                too_late: delays.with(Verdict::TooLate),
                from_the_future: delays.with(Verdict::FromTheFuture),
                undated: delays.with(Verdict::Undated),
                fetched: delays.with(Verdict::Fetched),
            },
            last_heard: delays.last_heard(),
        }
    }
}

/// `/healthz` and `/readyz`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Readiness {
    /// Whether requests are answered from a log read to its end.
    pub ready: bool,
    /// What is going on, for a person.
    pub detail: String,
    /// Records read since the start, and how many there were to read then; null once caught up.
    pub catching_up: Option<CatchingUp>,
}

/// How far a start has come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CatchingUp {
    /// Records read since the start.
    pub read: u64,
    /// Records still to be read.
    pub left: u64,
    /// Seconds it will take at the present rate; null until there is one.
    pub seconds_left: Option<u64>,
}
