//! A trace under one configuration: every post judged and learned from as the service does it, readers looking on.

use super::report::{Configuration, OriginRow, Quantiles, ReaderRow, Shares};
use super::simulated_reader::Readers;
use super::trace_file::Trace;
use slackwater_order::hold::OriginHold;
use slackwater_order::origin_stats::{Learned, OriginStats};
use slackwater_order::origins::OTHERS;
use slackwater_order::verdict::{Disposition, Verdict, judge};
use slackwater_order::window::{EffectiveWindow, Windows};
use std::sync::Arc;

/// Progress is told every so many arrivals.
const TOLD_EVERY: u64 = 10_000;

/// What became of a trace.
#[derive(Debug)]
pub struct Replayed {
    origins: Vec<Origin>,
    /// Who looked on.
    pub readers: Readers,
    windows: Windows,
}

/// One origin on the way.
#[derive(Debug)]
struct Origin {
    delays: OriginStats,
    effective: EffectiveWindow,
    wait: OriginHold,
}

/// Replays `trace` under `windows` while `readers` look on; `progress` is told how many more arrivals are done.
pub fn replay(
    trace: &Trace,
    windows: &Windows,
    mut readers: Readers,
    progress: &mut dyn FnMut(u64),
) -> Replayed {
    let new = |host: &Arc<str>| Origin {
        delays: OriginStats::default(),
        effective: windows.effective(host, None),
        wait: OriginHold::of(host, None, windows),
    };
    let mut origins: Vec<Origin> = trace.hosts.iter().map(new).collect();
    let mut untold = 0;
    for post in &trace.arrivals {
        let at = usize::try_from(post.origin).unwrap_or(usize::MAX);
        let Some(origin) = origins.get_mut(at) else {
            continue;
        };
        let judgement = judge(Some(post.published), post.arrived, false, &origin.effective);
        if judgement.disposition == Disposition::InFeeds {
            readers.see(judgement.at, post.arrived);
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
            let wait = OriginHold::of(host, Some(&origin.delays), windows);
            readers.moved(&origin.wait, &wait);
            origin.wait = wait;
        }
        untold += 1;
        if untold == TOLD_EVERY {
            progress(untold);
            untold = 0;
        }
    }
    progress(untold);
    Replayed {
        origins,
        readers,
        windows: windows.clone(),
    }
}

impl Replayed {
    /// What became of it, in words and numbers, under the name `name`.
    pub fn told(self, name: &str, trace: &Trace) -> Configuration {
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
                reorder_window_ms: origin.wait.window_ms(),
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
    let [in_time, late, too_late, from_the_future, ..] = counts.map(|count| count as f64 / all);
    Shares {
        in_time,
        late,
        too_late,
        from_the_future,
    }
}
