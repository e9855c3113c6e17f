//! A trace file: a line of JSON for each post, with its origin and two times. A line that is malformed is passed over, and the
//! report lists what is wrong with it and its number.

use super::report::{Malformed, Summary};
use chrono::DateTime;
use hashbrown::HashMap;
use serde::{Deserialize, Deserializer, de};
use slackwater_engine::activity::id::quoted;
use slackwater_engine::host::origin_of;
use slackwater_order::origins::{ORIGINS_MAX, OTHERS};
use slackwater_order::time::Time;
use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::Arc;

/// Posts in a trace: more are not read. They take 24 bytes each.
pub const ARRIVALS_MAX: usize = 50_000_000;
/// The longest line, in bytes.
const LINE_BYTES_MAX: u64 = 4_096;
/// Malformed lines that a report lists; all are counted.
const MALFORMED_LISTED_MAX: usize = 20;
/// Lines between two reports of progress.
const PROGRESS_EVERY: u64 = 10_000;

/// The posts of a trace, and the lines that are none.
#[derive(Debug, Default)]
pub struct Trace {
    /// The origins in it.
    pub hosts: Vec<Arc<str>>,
    /// Its posts, in the order they arrived.
    pub arrivals: Vec<Arrival>,
    /// The lines that could not be read.
    pub malformed: Malformed,
}

/// One post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it arrived.
    pub arrived: Time,
    /// When it was written.
    pub published: Time,
    /// Which of [`Trace::hosts`] it is of.
    pub origin: u32,
}

/// Why there is nothing to replay.
#[derive(Debug, thiserror::Error)]
pub enum TraceFileError {
    /// It cannot be read.
    #[error("reading the trace")]
    Read(#[from] io::Error),
    /// There is no line in it.
    #[error("the trace is empty: write one with `slackwater trace`")]
    Empty,
    /// No line of it can be read.
    #[error("none of the {lines} lines can be read; the first: {reason}")]
    AllMalformed {
        /// How many.
        lines: u64,
        /// What is wrong with the first.
        reason: String,
    },
    /// It has more than [`ARRIVALS_MAX`] posts.
    #[error(
        "the trace has more than {ARRIVALS_MAX} posts: take a part of it, such as its last lines"
    )]
    TooLong,
}

impl Trace {
    /// Reads a trace. `progress` is given how many bytes have been read.
    pub fn read(
        mut lines: impl BufRead,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Trace, TraceFileError> {
        let mut trace = Trace::default();
        let mut origins = HashMap::new();
        let mut line = Vec::new();
        let (mut number, mut bytes) = (0_u64, 0_u64);
        loop {
            line.clear();
            let read = lines
                .by_ref()
                .take(LINE_BYTES_MAX + 1)
                .read_until(b'\n', &mut line)?;
            if read == 0 {
                break;
            }
            number += 1;
            bytes += read as u64;
            let is_cut = LINE_BYTES_MAX < read as u64 && !line.ends_with(b"\n");
            if is_cut {
                bytes += pass_line(&mut lines)?;
                trace
                    .malformed
                    .note(number, &format!("it has more than {LINE_BYTES_MAX} bytes"));
            } else if !line.trim_ascii().is_empty() {
                match serde_json::from_slice::<Line<'_>>(&line) {
                    Ok(read) => trace.take(number, &read, &mut origins)?,
                    Err(error) => trace.malformed.note(number, &reason(&error)),
                }
            }
            if number.is_multiple_of(PROGRESS_EVERY) {
                progress(bytes);
            }
        }
        match (trace.arrivals.is_empty(), trace.malformed.told.first()) {
            (true, None) => return Err(TraceFileError::Empty),
            (true, Some(first)) => {
                return Err(TraceFileError::AllMalformed {
                    lines: trace.malformed.lines,
                    reason: format!("line {}: {}", first.line, first.reason),
                });
            }
            (false, _) => {}
        }
        // Partitions of a log are read one beside the other. Stable: what arrived at once stays in order.
        trace.arrivals.sort_by_key(|post| post.arrived);
        Ok(trace)
    }

    /// How much there is in it.
    pub fn summary(&self) -> Summary {
        let first = self.arrivals.first();
        let last = self.arrivals.last();
        Summary {
            posts: self.arrivals.len() as u64,
            origins: self.hosts.len() as u64,
            from: first.map(|post| post.arrived).unwrap_or_default(),
            until: last.map(|post| post.arrived).unwrap_or_default(),
            malformed: self.malformed.clone(),
        }
    }

    /// The name of an origin.
    pub fn host(&self, origin: u32) -> &str {
        let at = usize::try_from(origin).unwrap_or(usize::MAX);
        self.hosts.get(at).map_or(OTHERS, |host| host)
    }

    fn take(
        &mut self,
        number: u64,
        line: &Line<'_>,
        origins: &mut HashMap<String, u32>,
    ) -> Result<(), TraceFileError> {
        if ARRIVALS_MAX <= self.arrivals.len() {
            return Err(TraceFileError::TooLong);
        }
        let Some(origin) = self.origin(&line.origin, origins) else {
            let reason = format!("origin: {} is no host", quoted(&line.origin));
            self.malformed.note(number, &reason);
            return Ok(());
        };
        self.arrivals.push(Arrival {
            arrived: line.arrived.0,
            published: line.published.0,
            origin,
        });
        Ok(())
    }

    /// Which of the hosts this is, however it is spelled; a new one past the bound is one of the others.
    fn origin(&mut self, spelled: &str, origins: &mut HashMap<String, u32>) -> Option<u32> {
        if let Some(known) = origins.get(spelled) {
            return Some(*known);
        }
        let host = origin_of(&format!("https://{spelled}"))?;
        let known = match origins.get(&host) {
            Some(known) => *known,
            None => {
                let is_full = ORIGINS_MAX <= self.hosts.len();
                let named = u32::try_from(self.hosts.len().min(ORIGINS_MAX)).ok()?;
                if self.hosts.len() <= ORIGINS_MAX {
                    self.hosts
                        .push(Arc::from(if is_full { OTHERS } else { host.as_str() }));
                }
                if !is_full {
                    origins.insert(host, named);
                }
                named
            }
        };
        if origins.len() < 2 * ORIGINS_MAX {
            origins.insert(spelled.to_owned(), known);
        }
        Some(known)
    }
}

impl Malformed {
    fn note(&mut self, line: u64, reason: &str) {
        self.lines += 1;
        if self.told.len() < MALFORMED_LISTED_MAX {
            self.told.push(super::report::MalformedLine {
                line,
                reason: reason.to_owned(),
            });
        }
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    origin: Cow<'a, str>,
    published: Timestamp,
    arrived: Timestamp,
}

/// A moment as RFC 3339 or as milliseconds since 1970, in the bounds of what the service places.
struct Timestamp(Time);

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        struct TimestampVisitor;
        impl de::Visitor<'_> for TimestampVisitor {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time as \"2026-11-22T10:00:00Z\" or in milliseconds since 1970")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                let at = DateTime::parse_from_rfc3339(text)
                    .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))?;
                self.visit_i64(at.timestamp_millis())
            }
            fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Timestamp, E> {
                self.visit_i64(i64::try_from(millis).unwrap_or(i64::MAX))
            }
            fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Timestamp, E> {
                let at = Time::from_millis(millis);
                if (Time::EARLIEST..=Time::LATEST).contains(&at) {
                    Ok(Timestamp(at))
                } else {
                    Err(E::custom("a time before 1970 or after 9999"))
                }
            }
        }
        deserializer.deserialize_any(TimestampVisitor)
    }
}

/// What is wrong, without the line that serde counts within the one line.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line 1 ") {
        Some((what, column)) => format!("{what} at {column}"),
        None => text,
    }
}

/// Passes what is left of a line; how many bytes that was.
fn pass_line(lines: &mut impl BufRead) -> io::Result<u64> {
    let mut passed = 0;
    loop {
        let there = lines.fill_buf()?;
        let (used, ended) = match there.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (there.len(), there.is_empty()),
        };
        lines.consume(used);
        passed += used as u64;
        if ended {
            return Ok(passed);
        }
    }
}
