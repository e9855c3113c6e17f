//! A trace under one configuration: every post is judged and learned from as the service does it, and readers receive it.

use super::report::{Configuration, OriginRow, Quantiles, ReaderRow, Shares};
use super::simulated_reader::SimulatedReaders;
use super::trace_file::Trace;
use slackwater_order::hold::OriginHold;
use slackwater_order::origin_stats::{Learned, OriginStats};
use slackwater_order::origins::OTHERS;
use slackwater_order::verdict::{Disposition, Verdict, judge};
use slackwater_order::window::{EffectiveWindow, Windows};
use std::sync::Arc;

/// Arrivals between two reports of progress.
const PROGRESS_EVERY: u64 = 10_000;

/// A trace that was replayed under one configuration.
#[derive(Debug)]
pub struct Replay {
    origins: Vec<OriginState>,
    /// The readers who received it.
    pub readers: SimulatedReaders,
    windows: Windows,
}

/// An origin while its posts are replayed.
#[derive(Debug)]
struct OriginState {
    delays: OriginStats,
    effective: EffectiveWindow,
    hold: OriginHold,
}

/// Replays `trace` under `windows` to `readers`. `progress` is given how many more arrivals are done.
pub fn replay(
    trace: &Trace,
    windows: &Windows,
    mut readers: SimulatedReaders,
    progress: &mut dyn FnMut(u64),
) -> Replay {
    let new = |host: &Arc<str>| OriginState {
        delays: OriginStats::default(),
        effective: windows.effective(host, None),
        hold: OriginHold::of(host, None, windows),
    };
    let mut origins: Vec<OriginState> = trace.hosts.iter().map(new).collect();
    let mut since_progress = 0;
    for post in &trace.arrivals {
        let at = usize::try_from(post.origin).unwrap_or(usize::MAX);
        let Some(origin) = origins.get_mut(at) else {
            continue;
        };
        let judgement = judge(Some(post.published), post.arrived, false, &origin.effective);
        if judgement.disposition == Disposition::InFeeds {
            readers.receive(judgement.at, post.arrived);
        }
        let delay_ms = Some(post.arrived.since(post.published));
        let verdict = judgement.verdict;
        let learned = origin
            .delays
            .count(verdict, delay_ms, post.arrived, &windows.auto);
        let host = trace.host(post.origin);
        // Origins counted together say nothing of each other.
        if learned == Learned::Moved && host != OTHERS {
            origin.effective = windows.effective(host, origin.delays.learned());
            let hold = OriginHold::of(host, Some(&origin.delays), windows);
            readers.change_hold(&origin.hold, &hold);
            origin.hold = hold;
        }
        since_progress += 1;
        if since_progress == PROGRESS_EVERY {
            progress(since_progress);
            since_progress = 0;
        }
    }
    progress(since_progress);
    Replay {
        origins,
        readers,
        windows: windows.clone(),
    }
}

impl Replay {
    /// The report of it, under the name `name`.
    pub fn configuration(self, name: &str, trace: &Trace) -> Configuration {
        let mut all = [0; Verdict::ALL.len()];
        let mut origins = Vec::with_capacity(self.origins.len());
        for (host, origin) in trace.hosts.iter().zip(&self.origins) {
            let counts = Verdict::ALL.map(|verdict| origin.delays.with(verdict));
            for (all, count) in all.iter_mut().zip(counts) {
                *all += count;
            }
            origins.push(OriginRow {
                host: host.to_string(),
                posts: counts.iter().sum(),
                reorder_window_ms: origin.hold.window_ms(),
                window_from: self
                    .windows
                    .source(host, origin.delays.learned().filter(|_| **host != *OTHERS)),
                shares: shares(counts),
            });
        }
        origins.sort_by(|one, other| (other.posts, &one.host).cmp(&(one.posts, &other.host)));
        let mut readers = Vec::with_capacity(self.readers.0.len());
        for mut reader in self.readers.0 {
            readers.push(ReaderRow {
                patience: reader.patience.to_string(),
                hold_ms: reader.hold_ms,
                added_wait_ms: Quantiles {
                    p50: quantile(&mut reader.waits_ms, 0.5),
                    p95: quantile(&mut reader.waits_ms, 0.95),
                    p99: quantile(&mut reader.waits_ms, 0.99),
                },
                behind: reader.share_behind(),
            });
        }
        Configuration {
            name: name.to_owned(),
            shares: shares(all),
            readers,
            origins,
        }
    }
}

/// The smallest value that a share `q` of `values` does not exceed; 0 of none.
fn quantile(values: &mut [u32], q: f64) -> i64 {
    let rank = (q * values.len() as f64).ceil() as usize;
    let at = rank.clamp(1, values.len().max(1)) - 1;
    if values.len() <= at {
        return 0;
    }
    let (_, value, _) = values.select_nth_unstable(at);
    i64::from(*value)
}

fn shares(counts: [u64; Verdict::ALL.len()]) -> Shares {
    let all = counts.iter().sum::<u64>().max(1) as f64;
    let [in_time, late, too_late, from_the_future, _undated, _fetched] =
        counts.map(|count| count as f64 / all);
    Shares {
        in_time,
        late,
        too_late,
        from_the_future,
    }
}
