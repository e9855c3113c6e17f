//! The results of replays, for machines: `slackwater tune --json` writes a [`Report`].

use schemars::JsonSchema;
use serde::Serialize;
use slackwater_order::time::Time;
use slackwater_order::window::WindowSource;

/// What the configurations would have done.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// What was replayed.
    pub trace: Summary,
    /// The share of an origin's posts that windows are recommended for, 0 to 1.
    pub target: f64,
    /// Each configuration, in the order given; the last is the recommended one.
    pub configurations: Vec<Configuration>,
    /// The windows that the target asks for, and the patience that pays with them.
    pub recommended: Recommended,
}

/// What there is in a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// Posts.
    pub posts: u64,
    /// Origins they are of.
    pub origins: u64,
    /// When the first arrived.
    pub from: Time,
    /// When the last arrived.
    pub until: Time,
    /// Lines that could not be read.
    pub malformed: Malformed,
}

/// Lines that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Malformed {
    /// How many.
    pub lines: u64,
    /// The first of them.
    pub told: Vec<MalformedLine>,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MalformedLine {
    /// Its number; the first is 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What one configuration would have done.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Configuration {
    /// Its file, or what else it is.
    pub name: String,
    /// The shares of all posts.
    pub shares: Shares,
    /// Readers who follow everybody in the trace, by patience.
    pub readers: Vec<ReaderRow>,
    /// Each origin, those with the most posts first.
    pub origins: Vec<OriginRow>,
}

/// Shares of posts by verdict, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[allow(missing_docs)] // named as the verdicts are
pub struct Shares {
    pub in_time: f64,
    pub late: f64,
    pub too_late: f64,
    pub from_the_future: f64,
}

/// One reader, who follows everybody.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReaderRow {
    /// How long the reader waits at most: a duration, or `complete`.
    pub patience: String,
    /// How long the reader is held back at the end of the trace, in milliseconds: the longest wait for an origin.
    pub hold_ms: i64,
    /// How long after its arrival a post shows, in milliseconds: the hold less its delay, or at once.
    pub added_wait_ms: Quantiles,
    /// The share of entries, 0 to 1, that came behind: below one that had been shown.
    pub behind: f64,
}

/// A share of posts (50, 95, 99 %) waited no longer, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs)] // named as they are
pub struct Quantiles {
    pub p50: i64,
    pub p95: i64,
    pub p99: i64,
}

/// One origin under one configuration.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct OriginRow {
    /// Its host; `(others)` for those past the bound, taken together.
    pub host: String,
    /// Its posts.
    pub posts: u64,
    /// How long feeds would be held for it at the end of the trace, in milliseconds.
    pub reorder_window_ms: i64,
    /// How that came about.
    pub window_from: WindowSource,
    /// The shares of its posts.
    pub shares: Shares,
}

/// The windows that a target asks for, and the patience that pays with them.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Recommended {
    /// The patience for accounts that say nothing, with what it does to a reader under these windows: beyond it, twice the
    /// hold brings in order fewer of the entries than the target lets miss. Null if there are too few posts to tell.
    pub patience: Option<ReaderRow>,
    /// The window of all others, in milliseconds.
    pub default_ms: i64,
    /// The windows of each origin with posts enough to tell, those with the most posts first.
    pub origins: Vec<Recommendation>,
}

/// The window recommended for one origin.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Recommendation {
    /// Its host.
    pub host: String,
    /// Its posts, those left out that were too late or from the future.
    pub posts: u64,
    /// The window, in milliseconds: also its price, the longest time that those wait who wait for it.
    pub reorder_window_ms: i64,
    /// The share of those posts it finds in time, 0 to 1.
    pub in_time: f64,
    /// Whether it holds every post back for about the same time: no window shorter than that does anything.
    pub looks_scheduled: bool,
    /// Whether it is better left to be learned (`"auto"`): the window is longer than the recommended patience, within which
    /// most of its posts come. Who is less patient than a fixed window does not wait for an origin at all.
    pub auto: bool,
}
