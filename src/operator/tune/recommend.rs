//! The windows that a target asks for: of each origin the shortest that finds that share of its posts in time, and a
//! little more, since the next posts are not these. And the patience that pays with them.

use super::report::Recommendation;
use super::simulated_reader::{SimulatedReader, SimulatedReaders};
use super::trace_file::Trace;
use hashbrown::HashMap;
use slackwater_engine::host::pattern_of;
use slackwater_engine::relationship::Patience;
use slackwater_order::hold::OriginHold;
use slackwater_order::origin_stats::{OBSERVATIONS_MIN, OriginStats};
use slackwater_order::origins::OTHERS;
use slackwater_order::time::millis_of;
use slackwater_order::verdict::{Verdict, judge};
use slackwater_order::window::{Auto, ReorderWindow, Window, Windows};
use std::time::Duration;

/// The longest window there can be.
const WINDOW_MS_MAX: i64 = 7 * 24 * 3600 * 1000;
/// From here on windows are whole seconds, below tenths of one: nobody reads more.
const TENTHS_MS_MAX: i64 = 10_000;

/// The shares that windows can be learned for.
const QUANTILE_MIN: f64 = 0.5;
const QUANTILE_MAX: f64 = 0.9999;
/// A hold of so many milliseconds is the first that counts as one doubling: nobody minds less.
const PAID_FROM_MS: f64 = 1_000.0;

/// A window for each origin with posts enough to tell, those with the most posts first; and how long feeds would wait for
/// each origin of the trace, in its order, if these windows were learned. `otherwise` says which posts are late and which
/// are backfill: these are no delay.
pub fn recommend(
    trace: &Trace,
    otherwise: &Windows,
    target: f64,
) -> (Vec<Recommendation>, Vec<OriginHold>) {
    let mut delays: Vec<Vec<i64>> = vec![Vec::new(); trace.hosts.len()];
    let mut known: Vec<OriginStats> = vec![OriginStats::default(); trace.hosts.len()];
    let effective: Vec<_> = trace
        .hosts
        .iter()
        .map(|host| otherwise.effective(host, None))
        .collect();
    for post in &trace.arrivals {
        let at = usize::try_from(post.origin).unwrap_or(usize::MAX);
        let (Some(delays), Some(known), Some(effective)) =
            (delays.get_mut(at), known.get_mut(at), effective.get(at))
        else {
            continue;
        };
        let delay_ms = post.arrived.since(post.published);
        let verdict = judge(Some(post.published), post.arrived, false, effective).verdict;
        known.count(verdict, Some(delay_ms), post.arrived, &otherwise.auto);
        let is_backfill = verdict == Verdict::TooLate && millis_of(otherwise.auto.max) < delay_ms;
        if !is_backfill && verdict != Verdict::FromTheFuture && delay_ms <= WINDOW_MS_MAX {
            delays.push(delay_ms.max(0));
        }
    }
    let mut recommended = Vec::new();
    let mut waits = Vec::with_capacity(trace.hosts.len());
    for ((host, mut delays), known) in trace.hosts.iter().zip(delays).zip(known) {
        let posts = delays.len() as u64;
        if posts < OBSERVATIONS_MIN {
            let default_ms = default_ms(otherwise).unsigned_abs();
            waits.push(OriginHold::from(Duration::from_millis(default_ms)));
            continue;
        }
        delays.sort_unstable();
        let window_ms = rounded_up(quantile(&delays, surely(target, posts)));
        let in_time = delays.partition_point(|delay_ms| *delay_ms <= window_ms);
        let window = Duration::from_millis(window_ms.unsigned_abs());
        waits.push(match known.curve() {
            Some(curve) if can_be_learned(host, window, otherwise) => {
                OriginHold::learned(window, curve, learnable(target))
            }
            _ => OriginHold::from(window),
        });
        recommended.push(Recommendation {
            host: host.to_string(),
            posts,
            reorder_window_ms: window_ms,
            in_time: in_time as f64 / posts as f64,
            looks_scheduled: known.looks_scheduled(),
            auto: false,
        });
    }
    recommended.sort_by(|one, other| (other.posts, &one.host).cmp(&(one.posts, &other.host)));
    (recommended, waits)
}

/// Leaves the windows to be learned that `patience` does not reach though it is waited for these origins in part.
pub fn leave_to_be_learned(
    recommended: &mut [Recommendation],
    trace: &Trace,
    waits: &[OriginHold],
    patience: Patience,
) {
    let Patience::For(patience) = patience else {
        return;
    };
    let patience_ms = millis_of(patience);
    let by_host: HashMap<&str, &OriginHold> =
        trace.hosts.iter().map(|host| &**host).zip(waits).collect();
    for origin in recommended {
        let wait = by_host.get(origin.host.as_str());
        origin.auto = patience_ms < origin.reorder_window_ms
            && wait.is_some_and(|wait| 0 < wait.ms(patience_ms));
    }
}

/// The recommended windows, learned for `target` or fixed, for what they name; the rest as `otherwise`.
pub fn effective(recommended: &[Recommendation], otherwise: &Windows, target: f64) -> Windows {
    let mut windows = Windows::new(
        Window {
            reorder_window: ReorderWindow::Fixed(Duration::from_millis(
                default_ms(otherwise).unsigned_abs(),
            )),
            ..otherwise.default
        },
        otherwise.clock_skew,
    );
    windows.auto = Auto {
        quantile: learnable(target),
        ..otherwise.auto
    };
    for origin in recommended {
        let window = Window {
            reorder_window: if origin.auto {
                ReorderWindow::Auto
            } else {
                ReorderWindow::Fixed(Duration::from_millis(
                    origin.reorder_window_ms.unsigned_abs(),
                ))
            },
            ..*otherwise.of(&origin.host)
        };
        // `(others)` cannot be named, and none is named twice.
        if let Some(pattern) = pattern_of(&origin.host) {
            let _ = windows.set(pattern, window);
        }
    }
    windows
}

/// The share nearest to `target` that windows can be learned for.
pub fn learnable(target: f64) -> f64 {
    target.clamp(QUANTILE_MIN, QUANTILE_MAX)
}

/// The window of origins that none is recommended for: as it is, or if it is to be learned, nobody waits for them.
pub fn default_ms(otherwise: &Windows) -> i64 {
    match otherwise.default.reorder_window {
        ReorderWindow::Fixed(fixed) => millis_of(fixed),
        ReorderWindow::Auto => 0,
    }
}

/// The patience that pays, of those of `readers`; none if there are none. They have seen the trace, least patient first.
///
/// Order is bought by waiting, and ever dearer: the last thirtieth of the posts may take a hundred times as long as all
/// others. So what is asked of each doubling of the hold is that it brings in order at least the share of entries that
/// `target` lets miss. The patience taken is the one from which no other, longer or shorter, is worth the change.
pub fn patience(readers: &SimulatedReaders, target: f64) -> Option<Patience> {
    let costs = |reader: &SimulatedReader| {
        let doublings = (1.0 + reader.hold_ms as f64 / PAID_FROM_MS).log2();
        reader.share_behind() + (1.0 - target) * doublings
    };
    // Of equals the first, which is the least patient.
    let readers = readers.0.iter();
    let best = readers.min_by(|one, other| costs(one).total_cmp(&costs(other)));
    best.map(|reader| reader.patience)
}

/// Whether such a window can be had by learning, and need not be fixed.
fn can_be_learned(host: &str, window: Duration, otherwise: &Windows) -> bool {
    host != OTHERS && window <= otherwise.auto.max && !otherwise.of(host).decides_places()
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
