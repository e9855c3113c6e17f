//! What becomes of a post by its delay: its verdict, and by which of its two times it is placed.

use super::window::{EffectiveWindow, LatePolicy, TooLatePolicy};
use crate::time::{Time, millis_of};

// Stored and counted by the number of the variant: a new one goes at the end, here and in `Verdict::ALL`.
/// How a post came, measured against its origin's reorder window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
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

// Stored by the number of the variant: a new one goes at the end.
/// What gave a post its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum PlacedBy {
    /// The event time its author's server claims.
    Published,
    /// When this instance received it.
    Arrived,
    /// The backend's own id of it: see [`ref_place`](crate::ref_place).
    Ref,
}

impl PlacedBy {
    /// The name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            PlacedBy::Published => "published",
            PlacedBy::Arrived => "arrived",
            PlacedBy::Ref => "ref",
        }
    }
}

/// The verdict on a post and what it means for its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What counts.
    pub placed_by: PlacedBy,
    /// The time that it gives: where to begin looking for a free place. Never later than `arrived`, but of a ref.
    pub at: Time,
    /// Whether it is in feeds.
    pub disposition: Disposition,
}

/// Whether a post may be in feeds at all. Decided once, as its place is, and stored with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Disposition {
    /// In those it belongs in.
    #[default]
    InFeeds,
    /// In none: it was too late, and its origin's posts are dropped then, or its ref says no time. It can be asked for.
    Dropped,
}

/// Judges one post by the windows in force for its origin. A post that claims a time within the clock skew after its
/// arrival is in time and placed at its arrival: place by published never exceeds arrived.
pub fn judge(
    published: Option<Time>,
    arrived: Time,
    fetched: bool,
    effective: &EffectiveWindow,
) -> Judgement {
    let by_arrival = |verdict| Judgement {
        verdict,
        placed_by: PlacedBy::Arrived,
        at: arrived,
        disposition: Disposition::InFeeds,
    };
    let Some(published) = published else {
        return by_arrival(Verdict::Undated);
    };
    if arrived.plus(effective.clock_skew) < published {
        return by_arrival(Verdict::FromTheFuture);
    }
    let delay = arrived.since(published);
    let reorder = millis_of(effective.reorder_window);
    let verdict = if fetched {
        Verdict::Fetched
    } else if delay <= reorder {
        Verdict::InTime
    } else if delay <= reorder.saturating_add(millis_of(effective.allowed_lateness)) {
        Verdict::Late
    } else {
        Verdict::TooLate
    };
    match (verdict, effective.late, effective.too_late) {
        (Verdict::Late, LatePolicy::Surface, _) => by_arrival(Verdict::Late),
        (verdict, _, too_late) => Judgement {
            verdict,
            placed_by: PlacedBy::Published,
            at: published.min(arrived),
            disposition: match (verdict, too_late) {
                (Verdict::TooLate, TooLatePolicy::Drop) => Disposition::Dropped,
                _ => Disposition::InFeeds,
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ARRIVED: Time = Time::from_millis(1_763_805_600_000);
    const IN_FORCE: EffectiveWindow = EffectiveWindow {
        reorder_window: Duration::from_secs(30),
        allowed_lateness: Duration::from_secs(3600),
        late: LatePolicy::Reorder,
        too_late: TooLatePolicy::Bury,
        clock_skew: Duration::from_secs(120),
    };

    fn back(ms: i64) -> Time {
        Time::from_millis(ARRIVED.millis() - ms)
    }

    #[track_caller]
    fn check(
        effective: &EffectiveWindow,
        delay_ms: i64,
        fetched: bool,
        verdict: Verdict,
        placed_by: PlacedBy,
        disposition: Disposition,
    ) {
        let at = match placed_by {
            PlacedBy::Published => back(delay_ms).min(ARRIVED),
            PlacedBy::Arrived | PlacedBy::Ref => ARRIVED,
        };
        let meant = Judgement {
            verdict,
            placed_by,
            at,
            disposition,
        };
        let found = judge(Some(back(delay_ms)), ARRIVED, fetched, effective);
        assert_eq!(found, meant, "delay {delay_ms} ms");
    }

    #[test]
    fn each_boundary_has_two_sides() {
        use PlacedBy::{Arrived, Published};
        use Verdict::{Fetched, FromTheFuture, InTime, Late, TooLate};
        let table = [
            (0, false, InTime, Published),
            (30_000, false, InTime, Published),
            (30_001, false, Late, Published),
            (3_630_000, false, Late, Published),
            (3_630_001, false, TooLate, Published),
            (3_630_001, true, Fetched, Published),
            (-120_000, false, InTime, Published),
            (-120_000, true, Fetched, Published),
            (-120_001, false, FromTheFuture, Arrived),
            (-120_001, true, FromTheFuture, Arrived),
        ];
        for (delay_ms, fetched, verdict, placed_by) in table {
            check(
                &IN_FORCE,
                delay_ms,
                fetched,
                verdict,
                placed_by,
                Disposition::InFeeds,
            );
        }
    }

    #[test]
    fn only_what_is_late_comes_to_the_surface() {
        use PlacedBy::{Arrived, Published};
        use Verdict::{Fetched, InTime, Late, TooLate};
        let effective = EffectiveWindow {
            late: LatePolicy::Surface,
            ..IN_FORCE
        };
        let table = [
            (30_000, false, InTime, Published),
            (30_001, false, Late, Arrived),
            (30_001, true, Fetched, Published),
            (3_630_000, false, Late, Arrived),
            (3_630_001, false, TooLate, Published),
        ];
        for (delay_ms, fetched, verdict, placed_by) in table {
            check(
                &effective,
                delay_ms,
                fetched,
                verdict,
                placed_by,
                Disposition::InFeeds,
            );
        }
    }

    #[test]
    fn only_what_is_too_late_is_dropped_and_it_keeps_its_place() {
        use Disposition::{Dropped, InFeeds};
        use Verdict::{Fetched, Late, TooLate};
        let effective = EffectiveWindow {
            too_late: TooLatePolicy::Drop,
            ..IN_FORCE
        };
        let table = [
            (3_630_000, false, Late, InFeeds),
            (3_630_001, false, TooLate, Dropped),
            (3_630_001, true, Fetched, InFeeds),
        ];
        for (delay_ms, fetched, verdict, shown) in table {
            check(
                &effective,
                delay_ms,
                fetched,
                verdict,
                PlacedBy::Published,
                shown,
            );
        }
    }

    #[test]
    fn a_post_without_a_date_is_placed_by_its_arrival() {
        for fetched in [false, true] {
            let found = judge(None, ARRIVED, fetched, &IN_FORCE);
            let meant = Judgement {
                verdict: Verdict::Undated,
                placed_by: PlacedBy::Arrived,
                at: ARRIVED,
                disposition: Disposition::InFeeds,
            };
            assert_eq!(found, meant);
        }
    }
}
