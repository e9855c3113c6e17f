//! What would these windows have done? A trace of delays is replayed under one configuration after the other, as the
//! service would have judged and learned, with readers of several patiences looking on. Pure.
//!
//! | module | what it is |
//! |---|---|
//! | [`trace_file`] | the posts of a trace, and what is wrong with its lines |
//! | [`replay`](mod@replay) | a trace under one configuration |
//! | [`simulated_reader`] | a reader of it: how long posts wait, and which come behind |
//! | [`recommend`] | the windows that a target asks for, and the patience that pays with them |
//! | [`report`] | the results, for machines |
//! | [`table`], [`plot`] | the same for people, as text and as a picture |

pub mod plot;
pub mod recommend;
pub mod replay;
pub mod report;
pub mod simulated_reader;
pub mod table;
pub mod trace_file;

use replay::replay;
use report::{Recommended, Report};
use simulated_reader::{PATIENCES, SimulatedReaders};
use slackwater_engine::relationship::Patience;
use slackwater_order::hold::OriginHold;
use slackwater_order::origin_stats::OBSERVATIONS_MIN;
use slackwater_order::window::Windows;
use trace_file::Trace;

/// A configuration to be tried.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What it is called in the report.
    pub name: String,
    /// Its windows.
    pub windows: Windows,
}

/// Tries each candidate on the trace, and what is recommended for `target` (the share of an origin's posts to be in time, 0
/// to 1): windows, which take what they leave open from the first candidate, and a patience. `progress` is given how many
/// arrivals of how many have been replayed.
pub fn tune(
    trace: &Trace,
    candidates: &[Candidate],
    target: f64,
    progress: &mut dyn FnMut(u64, u64),
) -> Report {
    let all = trace.arrivals.len() as u64 * (candidates.len() as u64 + 2);
    let mut done = 0;
    let mut progress = |arrivals: u64| {
        done += arrivals;
        progress(done, all);
    };
    let mut configurations = Vec::with_capacity(candidates.len() + 1);
    for candidate in candidates {
        let readers = first_readers(trace, &candidate.windows, &PATIENCES);
        let replayed = replay(trace, &candidate.windows, readers, &mut progress);
        configurations.push(replayed.configuration(&candidate.name, trace));
    }
    let otherwise = candidates
        .first()
        .map(|it| it.windows.clone())
        .unwrap_or_default();
    let (mut origins, waits) = recommend::recommend(trace, &otherwise, target);
    let mut patience = None;
    if OBSERVATIONS_MIN <= trace.arrivals.len() as u64 {
        let windows = recommend::effective(&origins, &otherwise, target);
        let replayed = replay(
            trace,
            &windows,
            SimulatedReaders::distinct(&waits),
            &mut progress,
        );
        patience = recommend::patience(&replayed.readers, target);
    } else {
        progress(trace.arrivals.len() as u64);
    }
    if let Some(patience) = patience {
        recommend::leave_to_be_learned(&mut origins, trace, &waits, patience);
    }
    let name = format!("recommended for {}", table::percent_in_words(target));
    let windows = recommend::effective(&origins, &otherwise, target);
    let mut patiences = PATIENCES.to_vec();
    patiences.extend(patience);
    let readers = first_readers(trace, &windows, &patiences);
    let mut recommended =
        replay(trace, &windows, readers, &mut progress).configuration(&name, trace);
    let reader = patience.and_then(|_| recommended.readers.pop());
    configurations.push(recommended);
    Report {
        trace: trace.summary(),
        target,
        configurations,
        recommended: Recommended {
            patience: reader,
            default_ms: recommend::default_ms(&otherwise),
            origins,
        },
    }
}

/// Readers who follow everybody in the trace, before anything is learned.
fn first_readers(trace: &Trace, windows: &Windows, patiences: &[Patience]) -> SimulatedReaders {
    let hosts = trace.hosts.iter();
    let holds: Vec<OriginHold> = hosts
        .map(|host| OriginHold::of(host, None, windows))
        .collect();
    SimulatedReaders::new(patiences, &holds)
}

#[cfg(test)]
mod tests;
