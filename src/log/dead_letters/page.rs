//! A page of dead letters, newest first, over all partitions of their topic.
//!
//! In each partition the letters of a page follow each other, and its two ends are an offset of each partition. So pages that are
//! read one after the other have every letter once, whatever the timestamps are. Between partitions the timestamps decide.

use super::letter::{LISTED_BYTES_MAX, Letter, LetterExcerpt};
use super::position::{LetterId, LettersPosition};
use crate::log::LogError;
use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};

/// Bytes of letters on a page. A page with more than one letter ends before them.
const PAGE_BYTES_MAX: usize = 1 << 20;
/// How much further each try reads back where offsets have gaps.
const WIDENED_BY: i64 = 4;

/// Which letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// The newest.
    Newest,
    /// The newest of those before a position.
    Before(LettersPosition),
    /// The oldest of those after a position.
    After(LettersPosition),
}

/// Some letters, and where those beside them are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterPage {
    /// Newest first.
    pub letters: Vec<LetterExcerpt>,
    /// Older ones are before this; none if there are no older ones.
    pub before: Option<LettersPosition>,
    /// Newer ones are, or will be, after this; none if there never was a letter.
    pub after: Option<LettersPosition>,
}

/// The offsets of a partition that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOffsets {
    /// Its number, from 0.
    pub partition: i32,
    /// From its first offset to the one after its last.
    pub offsets: Range<i64>,
}

impl PartitionOffsets {
    /// Those of a log that has one partition.
    pub fn of_one(offsets: Range<i64>) -> Vec<PartitionOffsets> {
        vec![PartitionOffsets {
            partition: 0,
            offsets,
        }]
    }
}

/// A log of letters to be read from.
pub trait LetterLog {
    /// Its partitions, each once.
    fn partitions(&mut self) -> Result<Vec<PartitionOffsets>, LogError>;

    /// Hands over the letters of a partition with these offsets in their order, until `each` breaks off. Offsets without a letter
    /// are skipped.
    fn read(
        &mut self,
        partition: i32,
        offsets: Range<i64>,
        each: &mut dyn FnMut(Letter) -> ControlFlow<()>,
    ) -> Result<(), LogError>;
}

/// Reads a page of at most `limit` letters. It holds at most twice as many, cut, beside what the log hands over.
pub fn page(log: &mut dyn LetterLog, span: &Span, limit: usize) -> Result<LetterPage, LogError> {
    let mut parts = Vec::new();
    let mut letters = Vec::new();
    for PartitionOffsets { partition, offsets } in log.partitions()? {
        let range = span.within(partition, &offsets);
        let found = match span {
            Span::After(_) => oldest(log, partition, range.clone(), limit)?,
            _ => newest(log, partition, range.clone(), limit)?,
        };
        parts.push(Part {
            partition,
            offsets,
            range,
            found: found.letters.len(),
            is_all: found.is_all,
        });
        letters = merge(letters, found.letters, |one, other| match span {
            Span::After(_) => one.time() <= other.time(),
            _ => other.time() <= one.time(),
        });
        // One more stays until all partitions are merged: what stands behind it would be on a later page.
        let on_page = on_page(&letters, limit);
        letters.truncate(on_page + 1);
    }
    letters.truncate(on_page(&letters, limit));
    let ends: Vec<(&Part, Range<i64>)> = parts
        .iter()
        .map(|part| (part, part.covered(span, &letters)))
        .collect();
    let has_older = |(part, covered): &(&Part, Range<i64>)| part.offsets.start < covered.start;
    let id = |part: &Part, offset| LetterId {
        partition: part.partition,
        offset,
    };
    let before = ends.iter().any(has_older).then(|| {
        let starts = ends.iter().map(|(part, covered)| id(part, covered.start));
        starts.collect()
    });
    let after: LettersPosition = ends
        .iter()
        .filter(|(_, covered)| 0 < covered.end)
        .map(|(part, covered)| id(part, covered.end - 1))
        .collect();
    if matches!(span, Span::After(_)) {
        letters.reverse();
    }
    Ok(LetterPage {
        letters,
        before,
        after: (!after.is_empty()).then_some(after),
    })
}

impl Span {
    /// The offsets of a partition that it leaves of `all`.
    fn within(&self, partition: i32, all: &Range<i64>) -> Range<i64> {
        let inside = |offset: i64| offset.clamp(all.start, all.end);
        match self {
            Span::Newest => all.clone(),
            Span::Before(position) => {
                all.start..inside(position.offset(partition).unwrap_or(all.end))
            }
            Span::After(position) => {
                let from = position.offset(partition);
                inside(from.map_or(all.start, |from| from.saturating_add(1)))..all.end
            }
        }
    }
}

/// What was read of a partition.
struct Part {
    partition: i32,
    /// All its offsets.
    offsets: Range<i64>,
    /// The offsets that were to be read.
    range: Range<i64>,
    /// How many letters were found.
    found: usize,
    /// Whether these are all in the range.
    is_all: bool,
}

impl Part {
    /// The offsets of which the page has every letter, at the end of the range where it begins.
    fn covered(&self, span: &Span, page: &[LetterExcerpt]) -> Range<i64> {
        let mut own = page.iter().filter(|it| it.id.partition == self.partition);
        let given = own.clone().count();
        if self.is_all && given == self.found {
            return self.range.clone();
        }
        // In the order of reading, so the last one is where the page ends.
        let last = own.next_back().map(|letter| letter.id.offset);
        match (span, last) {
            (Span::After(_), Some(last)) => self.range.start..last + 1,
            (Span::After(_), None) => self.range.start..self.range.start,
            (_, Some(last)) => last..self.range.end,
            (_, None) => self.range.end..self.range.end,
        }
    }
}

struct Found {
    /// In the order of reading.
    letters: Vec<LetterExcerpt>,
    /// Whether there is no other letter in the range.
    is_all: bool,
}

/// The last `limit` letters in a range, newest first.
fn newest(
    log: &mut dyn LetterLog,
    partition: i32,
    range: Range<i64>,
    limit: usize,
) -> Result<Found, LogError> {
    let mut letters = Vec::new();
    let mut is_all = true;
    let mut end = range.end;
    let mut span = i64::try_from(limit).unwrap_or(i64::MAX);
    while range.start < end && letters.len() < limit {
        let start = end.saturating_sub(span).max(range.start);
        let room = limit - letters.len();
        let mut last = VecDeque::new();
        log.read(partition, start..end, &mut |letter| {
            if last.len() == room {
                last.pop_front();
                is_all = false;
            }
            last.push_back(letter.excerpt(LISTED_BYTES_MAX));
            ControlFlow::Continue(())
        })?;
        letters.extend(last.into_iter().rev());
        end = start;
        span = span.saturating_mul(WIDENED_BY);
    }
    is_all &= end <= range.start;
    Ok(Found { letters, is_all })
}

/// The first `limit` letters in a range, oldest first.
fn oldest(
    log: &mut dyn LetterLog,
    partition: i32,
    range: Range<i64>,
    limit: usize,
) -> Result<Found, LogError> {
    let mut letters = Vec::new();
    let mut is_all = true;
    if !range.is_empty() {
        log.read(partition, range, &mut |letter| {
            if letters.len() == limit {
                is_all = false;
                return ControlFlow::Break(());
            }
            letters.push(letter.excerpt(LISTED_BYTES_MAX));
            ControlFlow::Continue(())
        })?;
    }
    Ok(Found { letters, is_all })
}

/// Two lists as one, each in its own order; `is_first` says whether the head of the one comes before that of the other.
fn merge(
    one: Vec<LetterExcerpt>,
    other: Vec<LetterExcerpt>,
    is_first: impl Fn(&LetterExcerpt, &LetterExcerpt) -> bool,
) -> Vec<LetterExcerpt> {
    let mut merged = Vec::with_capacity(one.len() + other.len());
    let (mut one, mut other) = (one.into_iter().peekable(), other.into_iter().peekable());
    loop {
        let next = match (one.peek(), other.peek()) {
            (Some(first), Some(second)) if is_first(first, second) => one.next(),
            (_, Some(_)) => other.next(),
            (_, None) => one.next(),
        };
        match next {
            Some(letter) => merged.push(letter),
            None => return merged,
        }
    }
}

/// How many of these are on the page.
fn on_page(letters: &[LetterExcerpt], limit: usize) -> usize {
    let mut bytes = 0_usize;
    let fitting = letters.iter().take(limit).take_while(|letter| {
        bytes = bytes.saturating_add(letter.bytes());
        bytes <= PAGE_BYTES_MAX
    });
    fitting.count().max(letters.len().min(1))
}

#[cfg(test)]
mod tests;
