//! What is known of every origin, and for which of them feeds wait otherwise than before. Whoever shares it puts a lock around it.

mod capacity;

use super::hold::OriginHold;
use super::origin_stats::{Learned, OriginStats, Row};
use super::verdict::Verdict;
use super::window::{ReorderWindow, Windows};
use crate::map::HashMap;
use crate::time::Time;
use capacity::Capacity;
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

pub use super::origin_stats::OTHERS;
pub use capacity::OF_DOMAIN_MAX;

/// Origins remembered one by one (about 60 MB, 90 once all are learned). For a further one one gives way that is hardly heard: it
/// is counted under [`OTHERS`] from then on, and learned anew should it come again.
pub const ORIGINS_MAX: usize = 100_000;

/// All origins heard of.
#[derive(Debug)]
pub struct Origins {
    /// Where in `known` each host is.
    numbers: HashMap<Arc<str>, usize>,
    known: Vec<Origin>,
    /// Those of `known` that have something to be stored.
    unstored: Vec<usize>,
    /// Hosts that gave way and are still stored.
    dropped: Vec<Arc<str>>,
    /// Those that gave way and for which feeds may wait still.
    forgotten: Vec<Arc<str>>,
    capacity: Capacity,
    /// Those of `known` whose learned window or curve moved since [`Origins::take_changed_holds`] was last asked.
    moved: Vec<usize>,
    /// Up to where records were counted since the start.
    next: Offsets,
    /// The last `ahead` that was restored: those of one checkpoint are the same.
    ahead: Option<Arc<[i64]>>,
}

/// By number of partition of the activities topic, which are dense and at most 1,024: the offset of the next record.
type Offsets = Vec<i64>;

#[derive(Debug)]
struct Origin {
    host: Arc<str>,
    delays: OriginStats,
    /// Up to where its posts were counted before the start, if that is ahead of where reading began: a crash came between
    /// what it stored and the offsets.
    ahead: Option<Arc<[i64]>>,
    is_unstored: bool,
    /// Whether a row of it may be in the data folder.
    is_stored: bool,
    has_moved: bool,
}

/// One post, as far as its origin is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// Its verdict.
    pub verdict: Verdict,
    /// From published to arrived, in milliseconds; none without a date.
    pub delay_ms: Option<i64>,
    /// When it arrived.
    pub arrived: Time,
    /// The record that made it.
    pub at: RecordAt,
}

/// Where a record of the activities topic stands.
#[derive(Clone, Copy, Debug)]
pub struct RecordAt {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

impl Default for Origins {
    /// Hosts are not counted by domain: each is its own.
    fn default() -> Origins {
        Origins::by_domain(|host| host)
    }
}

impl Origins {
    /// None is heard of yet. `domain_of` gives the part of a host that somebody had to register (by the public suffix list, say):
    /// of hosts of one such domain no more than [`OF_DOMAIN_MAX`] are remembered one by one.
    pub fn by_domain(domain_of: fn(&str) -> &str) -> Origins {
        Origins {
            numbers: HashMap::default(),
            known: Vec::new(),
            unstored: Vec::new(),
            dropped: Vec::new(),
            forgotten: Vec::new(),
            capacity: Capacity::new(domain_of),
            moved: Vec::new(),
            next: Vec::new(),
            ahead: None,
        }
    }

    /// Counts a post of `host` and learns from it, unless its record was counted before: a log that is read again counts
    /// once. The posts of one record are all counted before [`Origins::passed`].
    pub fn count(&mut self, host: &str, seen: Observation, windows: &Windows) {
        if seen.at.is_below(&self.next) {
            return;
        }
        let number = self.number_of(host);
        let Some(origin) = self.known.get_mut(number) else {
            return;
        };
        if origin.has_counted(seen.at) {
            return;
        }
        let moved = origin
            .delays
            .count(seen.verdict, seen.delay_ms, seen.arrived, &windows.auto);
        self.leave_unstored(number);
        let Some(origin) = self.known.get_mut(number) else {
            return;
        };
        if moved == Learned::Moved && !origin.has_moved && *origin.host != *OTHERS {
            origin.has_moved = true;
            self.moved.push(number);
        }
    }

    /// Counts an activity of `host` that was understood and refused, as [`Origins::count`] counts posts.
    pub fn count_refused(&mut self, host: &str, at: RecordAt) {
        if at.is_below(&self.next) {
            return;
        }
        let number = self.number_of(host);
        let Some(origin) = self.known.get_mut(number) else {
            return;
        };
        if !origin.has_counted(at) {
            origin.delays.count_refused();
            self.leave_unstored(number);
        }
    }

    /// A record was taken in, with all its posts.
    pub fn passed(&mut self, partition: i32, offset: i64) {
        let Ok(partition) = usize::try_from(partition) else {
            return;
        };
        if self.next.len() <= partition {
            self.next.resize(partition + 1, 0);
        }
        if let Some(next) = self.next.get_mut(partition) {
            *next = (*next).max(offset.saturating_add(1));
        }
    }

    /// What is known of `host`.
    pub fn get(&self, host: &str) -> Option<&OriginStats> {
        let number = self.numbers.get(host)?;
        self.known.get(*number).map(|origin| &origin.delays)
    }

    /// All of them, in the order they were first heard of.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &OriginStats)> {
        self.known
            .iter()
            .map(|origin| (&origin.host, &origin.delays))
    }

    /// The `count` with the most posts, most first.
    pub fn busiest(&self, count: usize) -> Vec<(Arc<str>, OriginStats)> {
        let keys = self
            .iter()
            .map(|(host, delays)| (Reverse(delays.posts()), Arc::clone(host)));
        let busiest = lowest(count, keys.collect());
        self.copied(busiest.into_iter().map(|(_, host)| host).collect())
    }

    /// The `count` lowest hosts above `after`, ascending.
    pub fn by_host(&self, after: Option<&str>, count: usize) -> Vec<(Arc<str>, OriginStats)> {
        let hosts = self.known.iter().map(|origin| &origin.host);
        let above = hosts.filter(|host| after.is_none_or(|after| after < &***host));
        self.copied(lowest(count, above.cloned().collect()))
    }

    /// Posts of all of them by verdict, in the order of [`Verdict::ALL`].
    pub fn posts(&self) -> [u64; Verdict::ALL.len()] {
        Verdict::ALL.map(|verdict| self.iter().map(|(_, delays)| delays.with(verdict)).sum())
    }

    /// Refused activities of all of them.
    pub fn refused(&self) -> u64 {
        self.iter().map(|(_, delays)| delays.refused()).sum()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The window learned of `host`; none if it is not yet.
    pub fn learned(&self, host: &str) -> Option<Duration> {
        // Origins counted together say nothing of each other.
        self.get(host).filter(|_| host != OTHERS)?.learned()
    }

    /// How long feeds wait for `host`, by patience; nobody does while its window is to be learned.
    pub fn hold(&self, host: &str, windows: &Windows) -> OriginHold {
        OriginHold::of(host, self.get(host), windows)
    }

    /// The origins that `windows` leave to be learned and whose window or curve moved since the last call, with how long
    /// feeds now wait for them. The first call tells all that are learned. Only with other `windows` does anything else
    /// change what [`Origins::hold`] says.
    pub fn take_changed_holds(&mut self, windows: &Windows) -> Vec<(Arc<str>, OriginHold)> {
        let mut moved = Vec::with_capacity(self.moved.len());
        for host in std::mem::take(&mut self.forgotten) {
            if !self.numbers.contains_key(&host)
                && windows.of(&host).reorder_window == ReorderWindow::Auto
            {
                moved.push((host, OriginHold::default()));
            }
        }
        for number in std::mem::take(&mut self.moved) {
            let Some(origin) = self.known.get_mut(number) else {
                continue;
            };
            origin.has_moved = false;
            if windows.of(&origin.host).reorder_window == ReorderWindow::Auto {
                let wait = OriginHold::of(&origin.host, Some(&origin.delays), windows);
                moved.push((Arc::clone(&origin.host), wait));
            }
        }
        moved
    }

    /// The origins heard of since the last call, as they are to be stored with the next checkpoint; none for those that gave way.
    pub fn unstored(&mut self) -> Vec<(Arc<str>, Option<Row>)> {
        let mut rows = Vec::with_capacity(self.unstored.len());
        for host in std::mem::take(&mut self.dropped) {
            if !self.numbers.contains_key(&host) {
                rows.push((host, None));
            }
        }
        for number in std::mem::take(&mut self.unstored) {
            let Some(origin) = self.known.get_mut(number) else {
                continue;
            };
            origin.is_unstored = false;
            let counted = match &origin.ahead {
                Some(ahead) if is_ahead(ahead, &self.next) => higher(&self.next, ahead),
                _ => {
                    origin.ahead = None;
                    self.next.clone()
                }
            };
            origin.is_stored = true;
            let row = origin.delays.to_row(&counted);
            rows.push((Arc::clone(&origin.host), Some(row)));
        }
        rows
    }

    fn copied(&self, hosts: Vec<Arc<str>>) -> Vec<(Arc<str>, OriginStats)> {
        let copy = |host: Arc<str>| {
            let delays = self.get(&host)?.clone();
            Some((host, delays))
        };
        hosts.into_iter().filter_map(copy).collect()
    }

    /// Takes back what was stored of `host`; reading goes on at `from`, by number of partition. Whether the row is sound:
    /// if not, the origin is learned anew, which moves no place.
    pub fn restore(&mut self, host: &str, row: Row, from: &[i64]) -> bool {
        let Some((delays, counted)) = OriginStats::from_row(row) else {
            return false;
        };
        let ahead = is_ahead(&counted, from).then(|| match &self.ahead {
            Some(ahead) if **ahead == *counted => Arc::clone(ahead),
            _ => Arc::from(counted),
        });
        if ahead.is_some() {
            self.ahead.clone_from(&ahead);
        }
        let is_learned = delays.learned().is_some() && host != OTHERS;
        let number = self.add(host, delays, ahead);
        if let Some(origin) = self.known.get_mut(number) {
            origin.is_stored = true;
        }
        if is_learned && let Some(origin) = self.known.get_mut(number) {
            origin.has_moved = true;
            self.moved.push(number);
        }
        true
    }

    /// Where `host` is counted: under its own name, if there is room.
    fn number_of(&mut self, host: &str) -> usize {
        if let Some(number) = self.numbers.get(host) {
            return *number;
        }
        if !self.capacity.has_some_for(host) {
            return self.others();
        }
        if self.known.len() < ORIGINS_MAX {
            return self.add(host, OriginStats::default(), None);
        }
        let others = self.others();
        let known = &self.known;
        let heard = |number: usize| {
            let delays = &known.get(number).filter(|_| number != others)?.delays;
            Some((delays.posts() + delays.refused(), delays.last_heard()))
        };
        match self.capacity.least(known.len(), heard) {
            Some(number) => {
                self.replace(number, host);
                number
            }
            None => others,
        }
    }

    /// Where is counted what is counted together.
    fn others(&mut self) -> usize {
        match self.numbers.get(OTHERS) {
            Some(number) => *number,
            None => self.add(OTHERS, OriginStats::default(), None),
        }
    }

    /// Puts `host` in the place of another, of which only the counts stay.
    fn replace(&mut self, number: usize, host: &str) {
        let Some(there) = self.known.get_mut(number) else {
            return;
        };
        let fresh = Origin::new(Arc::from(host), OriginStats::default(), None);
        self.capacity.give(&there.host);
        self.capacity.take(host);
        self.numbers.insert(Arc::clone(&fresh.host), number);
        let gone = std::mem::replace(there, fresh);
        // Wherever it was listed, its place is looked at, and nothing is new there.
        there.is_unstored = gone.is_unstored;
        there.has_moved = gone.has_moved;
        self.numbers.remove(&gone.host);
        if gone.is_stored {
            self.dropped.push(Arc::clone(&gone.host));
        }
        if gone.delays.learned().is_some() {
            self.forgotten.push(Arc::clone(&gone.host));
        }
        let others = self.others();
        if let Some(others) = self.known.get_mut(others) {
            others.delays.count_all_of(&gone.delays);
        }
        self.leave_unstored(others);
    }

    fn leave_unstored(&mut self, number: usize) {
        if let Some(origin) = self.known.get_mut(number)
            && !origin.is_unstored
        {
            origin.is_unstored = true;
            self.unstored.push(number);
        }
    }

    /// Adds an origin that is not known yet; its number.
    fn add(&mut self, host: &str, delays: OriginStats, ahead: Option<Arc<[i64]>>) -> usize {
        let host: Arc<str> = Arc::from(host);
        let number = self.known.len();
        self.numbers.insert(Arc::clone(&host), number);
        self.capacity.take(&host);
        self.known.push(Origin::new(host, delays, ahead));
        number
    }
}

impl Origin {
    fn new(host: Arc<str>, delays: OriginStats, ahead: Option<Arc<[i64]>>) -> Origin {
        Origin {
            host,
            delays,
            ahead,
            is_unstored: false,
            is_stored: false,
            has_moved: false,
        }
    }

    /// Whether what the record at `at` made was counted before the start.
    fn has_counted(&self, at: RecordAt) -> bool {
        let ahead = self.ahead.as_deref();
        ahead.is_some_and(|ahead| at.is_below(ahead))
    }
}

impl RecordAt {
    fn is_below(&self, counted: &[i64]) -> bool {
        let partition = usize::try_from(self.partition).ok();
        let next = partition.and_then(|partition| counted.get(partition));
        next.is_some_and(|next| self.offset < *next)
    }
}

/// The `count` lowest keys, ascending, without sorting the others.
fn lowest<K: Ord>(count: usize, mut keys: Vec<K>) -> Vec<K> {
    if count < keys.len() {
        keys.select_nth_unstable(count);
        keys.truncate(count);
    }
    keys.sort_unstable();
    keys
}

/// Whether any partition was counted further than `next`.
fn is_ahead(counted: &[i64], next: &[i64]) -> bool {
    let next = next.iter().chain(std::iter::repeat(&0));
    counted
        .iter()
        .zip(next)
        .any(|(counted, next)| next < counted)
}

/// The higher offset of each partition.
fn higher(one: &[i64], other: &[i64]) -> Offsets {
    let at = |offsets: &[i64], n| offsets.get(n).copied().unwrap_or(0);
    (0..one.len().max(other.len()))
        .map(|n| at(one, n).max(at(other, n)))
        .collect()
}

#[cfg(test)]
mod tests;
