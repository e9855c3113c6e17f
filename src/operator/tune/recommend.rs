//! The windows that a target asks for: of each origin the shortest that finds that share of its posts in time, and a
//! little more, since the next posts are not these.

use super::report::Recommendation;
use super::trace::Trace;
use crate::order::delays::{Delays, OBSERVATIONS_MIN};
use crate::order::verdict::{Verdict, judge};
use crate::order::window::{ReorderWindow, Window, Windows};
use crate::time::millis_of;
use std::time::Duration;

/// The longest window there can be.
const WINDOW_MS_MAX: i64 = 7 * 24 * 3600 * 1000;
/// From here on windows are whole seconds, below tenths of one: nobody reads more.
const TENTHS_MS_MAX: i64 = 10_000;

/// A window for each origin with posts enough to tell, those with the most posts first. `otherwise` says which posts are
/// late and which are backfill: these are no delay.
pub fn recommend(trace: &Trace, otherwise: &Windows, target: f64) -> Vec<Recommendation> {
    let mut delays: Vec<Vec<i64>> = vec![Vec::new(); trace.hosts.len()];
    let mut known: Vec<Delays> = vec![Delays::default(); trace.hosts.len()];
    let in_force: Vec<_> = trace
        .hosts
        .iter()
        .map(|host| otherwise.in_force(host, None))
        .collect();
    for post in &trace.arrivals {
        let at = usize::try_from(post.origin).unwrap_or(usize::MAX);
        let (Some(delays), Some(known), Some(in_force)) =
            (delays.get_mut(at), known.get_mut(at), in_force.get(at))
        else {
            continue;
        };
        let delay_ms = post.arrived.since(post.published);
        let verdict = judge(Some(post.published), post.arrived, false, in_force).verdict;
        known.count(verdict, Some(delay_ms), post.arrived, &otherwise.auto);
        let is_backfill = verdict == Verdict::TooLate && millis_of(otherwise.auto.max) < delay_ms;
        if !is_backfill && verdict != Verdict::FromTheFuture && delay_ms <= WINDOW_MS_MAX {
            delays.push(delay_ms.max(0));
        }
    }
    let mut recommended = Vec::new();
    for ((host, mut delays), known) in trace.hosts.iter().zip(delays).zip(known) {
        let posts = delays.len() as u64;
        if posts < OBSERVATIONS_MIN {
            continue;
        }
        delays.sort_unstable();
        let window_ms = rounded_up(quantile(&delays, surely(target, posts)));
        let in_time = delays.partition_point(|delay_ms| *delay_ms <= window_ms);
        recommended.push(Recommendation {
            host: host.to_string(),
            posts,
            reorder_window_ms: window_ms,
            in_time: in_time as f64 / posts as f64,
            looks_scheduled: known.looks_scheduled(),
        });
    }
    recommended.sort_by(|one, other| (other.posts, &one.host).cmp(&(one.posts, &other.host)));
    recommended
}

/// The recommended windows, fixed, for what they name; the rest as `otherwise`.
pub fn in_force(recommended: &[Recommendation], otherwise: &Windows) -> Windows {
    let mut windows = Windows::new(
        Window {
            reorder_window: ReorderWindow::Fixed(Duration::from_millis(
                default_ms(otherwise).unsigned_abs(),
            )),
            ..otherwise.default
        },
        otherwise.clock_skew,
    );
    windows.auto = otherwise.auto;
    for origin in recommended {
        let window = Window {
            reorder_window: ReorderWindow::Fixed(Duration::from_millis(
                origin.reorder_window_ms.unsigned_abs(),
            )),
            ..*otherwise.of(&origin.host)
        };
        // `(others)` cannot be named, and none is named twice.
        let _ = windows.name(&origin.host, window);
    }
    windows
}

/// The window of origins that none is recommended for: as it is, or if it is to be learned, nobody waits for them.
pub fn default_ms(otherwise: &Windows) -> i64 {
    match otherwise.default.reorder_window {
        ReorderWindow::Fixed(fixed) => millis_of(fixed),
        ReorderWindow::Auto => 0,
    }
}

/// The share to be found in time among `posts` posts, so that of further ones at least `target` probably is: one
/// standard error more.
fn surely(target: f64, posts: u64) -> f64 {
    target + (target * (1.0 - target) / posts as f64).sqrt()
}

/// The smallest of `sorted` that a share `q` does not exceed; 0 of none.
fn quantile(sorted: &[i64], q: f64) -> i64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    let at = rank.clamp(1, sorted.len().max(1)) - 1;
    sorted.get(at).copied().unwrap_or(0)
}

fn rounded_up(window_ms: i64) -> i64 {
    let step = if window_ms <= TENTHS_MS_MAX {
        100
    } else {
        1_000
    };
    window_ms.div_euclid(step) * step
        + if window_ms.rem_euclid(step) == 0 {
            0
        } else {
            step
        }
}
