//! What would these windows have done? A trace of delays is replayed under one configuration after the other, as the
//! service would have judged and learned, with readers of several patiences looking on. Pure.
//!
//! | module | what it is |
//! |---|---|
//! | [`trace`] | a trace read, and what is wrong with its lines |
//! | [`replay`] | it under one configuration |
//! | [`watch`] | one reader of it: what waits, and what comes behind |
//! | [`recommend`] | the windows that a target asks for |
//! | [`report`] | what comes of it all, for machines |
//! | [`table`], [`plot`] | and for people |

pub mod plot;
pub mod recommend;
pub mod replay;
pub mod report;
pub mod table;
pub mod trace;
pub mod watch;

use crate::order::window::Windows;
use replay::replay;
use report::{Recommended, Report};
use trace::Trace;

/// A configuration to be tried.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What it is called in the report.
    pub name: String,
    /// Its windows.
    pub windows: Windows,
}

/// Tries each candidate on the trace, and the windows recommended for `target` (the share of an origin's posts to be in
/// time, 0 to 1), which take what they leave open from the first candidate. `progress` is told how many arrivals of how
/// many have been replayed.
pub fn tune(
    trace: &Trace,
    candidates: &[Candidate],
    target: f64,
    progress: &mut dyn FnMut(u64, u64),
) -> Report {
    let otherwise = candidates
        .first()
        .map(|it| it.windows.clone())
        .unwrap_or_default();
    let windows = recommend::recommend(trace, &otherwise, target);
    let recommended = Candidate {
        name: format!("recommended for {}", table::percent_in_words(target)),
        windows: recommend::in_force(&windows, &otherwise),
    };
    let rounds = candidates.iter().chain([&recommended]);
    let all = trace.arrivals.len() as u64 * (candidates.len() as u64 + 1);
    let mut done = 0;
    let mut configurations = Vec::with_capacity(candidates.len() + 1);
    for candidate in rounds {
        let replayed = replay(trace, &candidate.windows, &mut |arrivals| {
            done += arrivals;
            progress(done, all);
        });
        configurations.push(replayed.told(&candidate.name, trace));
    }
    Report {
        trace: trace.summary(),
        target,
        configurations,
        recommended: Recommended {
            default_ms: recommend::default_ms(&otherwise),
            origins: windows,
        },
    }
}

#[cfg(test)]
mod tests;
