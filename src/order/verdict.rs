//! What becomes of a post by its delay: its verdict, and by which of its two times it is placed. Pure.

use super::window::Windows;
use crate::time::{Time, millis_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a post came, measured against its origin's reorder window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its delay is within the reorder window.
    InTime,
    /// Past the window, within the allowed lateness.
    Late,
    /// Past the allowed lateness too.
    TooLate,
    /// It claims to be written later than it arrived, by more than the clock skew.
    FromTheFuture,
    /// Its date is missing, unreadable or absurd.
    Undated,
    /// The instance fetched it; its age says nothing about its origin.
    Fetched,
}

impl Verdict {
    /// All of them, in the order they are counted.
    pub const ALL: [Verdict; 6] = [
        Verdict::InTime,
        Verdict::Late,
        Verdict::TooLate,
        Verdict::FromTheFuture,
        Verdict::Undated,
        Verdict::Fetched,
    ];

    /// The name in the API and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::InTime => "in_time",
            Verdict::Late => "late",
            Verdict::TooLate => "too_late",
            Verdict::FromTheFuture => "from_the_future",
            Verdict::Undated => "undated",
            Verdict::Fetched => "fetched",
        }
    }
}

/// Which of a post's two times gave it its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlacedBy {
    /// The event time its author's server claims.
    Published,
    /// When this instance received it.
    Arrived,
}

/// The verdict on a post and what it means for its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Which time counts.
    pub placed_by: PlacedBy,
    /// That time: where to begin looking for a free place. Never later than `arrived`.
    pub at: Time,
}

/// Judges one post of `origin`. A post that claims a time within the clock skew after its arrival is in time and
/// placed at its arrival: place by published never exceeds arrived.
pub fn judge(
    published: Option<Time>,
    arrived: Time,
    fetched: bool,
    origin: &str,
    windows: &Windows,
) -> Judgement {
    let by_arrival = |verdict| Judgement {
        verdict,
        placed_by: PlacedBy::Arrived,
        at: arrived,
    };
    let Some(published) = published else {
        return by_arrival(Verdict::Undated);
    };
    if arrived.plus(windows.clock_skew) < published {
        return by_arrival(Verdict::FromTheFuture);
    }
    let window = windows.of(origin);
    let delay = arrived.since(published);
    let reorder = millis_of(window.reorder_window);
    let verdict = if fetched {
        Verdict::Fetched
    } else if delay <= reorder {
        Verdict::InTime
    } else if delay <= reorder.saturating_add(millis_of(window.allowed_lateness)) {
        Verdict::Late
    } else {
        Verdict::TooLate
    };
    Judgement {
        verdict,
        placed_by: PlacedBy::Published,
        at: published.min(arrived),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_boundary_has_two_sides() {
        let mut windows = Windows::default();
        windows.clock_skew = Duration::from_secs(120);
        windows.default.reorder_window = Duration::from_secs(30);
        windows.default.allowed_lateness = Duration::from_secs(3600);
        let arrived = Time::from_millis(1_763_805_600_000);
        let check = |delay_ms: i64, fetched, verdict, placed_by, at| {
            let published = Time::from_millis(arrived.millis() - delay_ms);
            let found = judge(Some(published), arrived, fetched, "a.example", &windows);
            assert_eq!(
                found,
                Judgement {
                    verdict,
                    placed_by,
                    at
                },
                "delay {delay_ms} ms"
            );
        };
        let back = |ms: i64| Time::from_millis(arrived.millis() - ms);
        check(
            30_000,
            false,
            Verdict::InTime,
            PlacedBy::Published,
            back(30_000),
        );
        check(
            30_001,
            false,
            Verdict::Late,
            PlacedBy::Published,
            back(30_001),
        );
        check(
            3_630_000,
            false,
            Verdict::Late,
            PlacedBy::Published,
            back(3_630_000),
        );
        check(
            3_630_001,
            false,
            Verdict::TooLate,
            PlacedBy::Published,
            back(3_630_001),
        );
        check(
            3_630_001,
            true,
            Verdict::Fetched,
            PlacedBy::Published,
            back(3_630_001),
        );
        check(0, false, Verdict::InTime, PlacedBy::Published, arrived);
        check(
            -120_000,
            false,
            Verdict::InTime,
            PlacedBy::Published,
            arrived,
        );
        check(
            -120_001,
            false,
            Verdict::FromTheFuture,
            PlacedBy::Arrived,
            arrived,
        );
        check(
            -120_001,
            true,
            Verdict::FromTheFuture,
            PlacedBy::Arrived,
            arrived,
        );
    }

    #[test]
    fn a_post_without_a_date_is_placed_by_its_arrival() {
        let arrived = Time::from_millis(7);
        let found = judge(None, arrived, true, "a.example", &Windows::default());
        assert_eq!(
            found,
            Judgement {
                verdict: Verdict::Undated,
                placed_by: PlacedBy::Arrived,
                at: arrived
            }
        );
    }
}
