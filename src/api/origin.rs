//! An origin as operators see it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slackwater_order::origin_stats::OriginStats;
use slackwater_order::time::{Time, millis_of};
use slackwater_order::verdict::Verdict;
use slackwater_order::window::{LatePolicy, TooLatePolicy, WindowSource, Windows};

/// Origins in one answer, if nothing else is asked for.
pub const LIMIT_DEFAULT: usize = 100;
/// Origins in one answer at most: about a megabyte.
pub const LIMIT_MAX: usize = 1_000;

/// Some of the origins heard of.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Origins {
    /// In the order that was asked for.
    pub origins: Vec<Origin>,
    /// How many there are in all, `(others)` included.
    pub known: usize,
    /// By host, and if there are more: what to send as `after`. Null otherwise.
    pub next: Option<String>,
}

/// In which order origins are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Those with the most posts first.
    #[default]
    Posts,
    /// By host, ascending, in pages.
    Host,
}

/// What is known of an origin.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Origin {
    /// Its host; `(others)` for those taken together: who has not been heard for long when there are 100,000, and hosts beyond
    /// the first 1,000 below one registrable domain.
    pub host: String,
    /// How long feeds may be held for it, in milliseconds; a post with a longer delay is late. 0 while it is to be
    /// learned: then a post is late after the longest window that can be.
    pub reorder_window_ms: i64,
    /// How that came about.
    pub window_from: WindowSource,
    /// The window learned of it, in milliseconds, also where another is fixed; null while it is to be learned.
    pub learned_window_ms: Option<i64>,
    /// Past the window, how long a post is late rather than too late, in milliseconds.
    pub allowed_lateness_ms: i64,
    /// Where its late posts go.
    pub late: LatePolicy,
    /// Where its posts go that are too late.
    pub too_late: TooLatePolicy,
    /// The delays of its posts in time and late, of which those a day old count half; null before the first.
    pub delay_ms: Option<Quantiles>,
    /// Whether it holds every post back for about the same time, as Threads does for 15 minutes: no window shorter than
    /// that does anything.
    pub looks_scheduled: bool,
    /// The share of those posts that a window would find in time, by window, ascending. A window between two of these
    /// finds at least what the shorter does.
    pub in_time_by_window: Vec<InTime>,
    /// Posts by verdict.
    pub posts: Counts,
    /// Its activities that were understood and refused, as a change of another's post is; they are dead letters.
    pub refused: u64,
    /// When a post of it last arrived.
    pub last_heard: Time,
}

/// Delays in milliseconds: a share of posts (10, 50, 90, 99 %) took no longer. From a histogram: up to 39 % too high.
/// `max` is the largest ever.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[allow(missing_docs)] // named as they are
pub struct Quantiles {
    pub p10: i64,
    pub p50: i64,
    pub p90: i64,
    pub p99: i64,
    pub max: i64,
}

/// What a window would do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct InTime {
    /// The window, in milliseconds.
    pub window_ms: i64,
    /// The share of posts it would find in time, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
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

impl Origin {
    /// What is known of `host`.
    pub fn new(host: &str, delays: &OriginStats, windows: &Windows) -> Origin {
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
        let in_time = |(window_ms, share)| InTime { window_ms, share };
        Origin {
            host: host.to_owned(),
            reorder_window_ms: millis_of(windows.holding(host, learned)),
            window_from: windows.source(host, learned),
            learned_window_ms: learned.map(millis_of),
            allowed_lateness_ms: millis_of(window.allowed_lateness),
            late: window.late,
            too_late: window.too_late,
            delay_ms,
            looks_scheduled: delays.looks_scheduled(),
            in_time_by_window: delays.shares().map(in_time).collect(),
            posts: Counts {
                in_time: delays.with(Verdict::InTime),
                late: delays.with(Verdict::Late),
                too_late: delays.with(Verdict::TooLate),
                from_the_future: delays.with(Verdict::FromTheFuture),
                undated: delays.with(Verdict::Undated),
                fetched: delays.with(Verdict::Fetched),
            },
            refused: delays.refused(),
            last_heard: delays.last_heard(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slackwater_order::origin_stats::OBSERVATIONS_MIN;
    use slackwater_order::window::ReorderWindow;
    use slackwater_order::window::Window;
    use std::time::Duration;

    #[test]
    fn it_is_said_where_a_window_comes_from() {
        use slackwater_order::window::HostPattern;
        let mut windows = Windows::default();
        windows.default.reorder_window = ReorderWindow::Auto;
        let fixed = Window {
            reorder_window: ReorderWindow::Fixed(Duration::from_secs(7)),
            ..Window::default()
        };
        windows
            .set(HostPattern::Host("fixed.example".to_owned()), fixed)
            .unwrap();
        let mut delays = OriginStats::default();
        let check = |delays: &OriginStats, host, from, window_ms, learned_ms| {
            let shown = Origin::new(host, delays, &windows);
            assert_eq!(shown.window_from, from, "{host}");
            assert_eq!(shown.reorder_window_ms, window_ms, "{host}");
            assert_eq!(shown.learned_window_ms, learned_ms, "{host}");
        };
        check(&delays, "a.example", WindowSource::NotYetLearned, 0, None);
        check(&delays, "fixed.example", WindowSource::Fixed, 7_000, None);
        for _ in 0..OBSERVATIONS_MIN {
            delays.count(
                Verdict::InTime,
                Some(902_000),
                Time::default(),
                &windows.auto,
            );
        }
        let learned = delays.learned().map(millis_of);
        let window_ms = learned.unwrap();
        check(
            &delays,
            "a.example",
            WindowSource::Learned,
            window_ms,
            learned,
        );
        check(
            &delays,
            "fixed.example",
            WindowSource::Fixed,
            7_000,
            learned,
        );
        let shown = Origin::new("a.example", &delays, &windows);
        assert!(shown.looks_scheduled);
        let all = InTime {
            window_ms,
            share: 1.0,
        };
        assert_eq!(shown.in_time_by_window, [all]);
    }
}
