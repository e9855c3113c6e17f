//! Records that cannot be used: kept as dead letters with their reason, and counted against the good ones.

use super::PipelineError;
use crate::clock;
use crate::post::record::{Position, Record};
use crate::post::source::{Appender, SourceError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The time in which bad records are counted against good ones.
const PERIOD: Duration = Duration::from_secs(60);
/// With this many bad records in that time, and most of them bad, the service stops.
const UNUSABLE_MIN: u64 = 10_000;
/// How long to wait before a dead letter is written again that could not be.
const AGAIN: Duration = Duration::from_secs(1);

/// Writes dead letters.
pub(super) struct SetAside {
    appender: Appender,
    runtime: tokio::runtime::Handle,
    since: Instant,
    records: u64,
    unusable: u64,
}

impl SetAside {
    pub(super) fn new(
        appender: Appender,
        runtime: tokio::runtime::Handle,
        now: Instant,
    ) -> SetAside {
        SetAside {
            appender,
            runtime,
            since: now,
            records: 0,
            unusable: 0,
        }
    }

    /// Counts a record, good or bad.
    pub(super) fn note_record(&mut self) {
        self.records += 1;
    }

    /// Keeps a record with its reason. The log being away is no reason to lose it, nor to stop: waits until it is back,
    /// or until `stop`.
    pub(super) fn write(
        &mut self,
        record: &Record,
        reason: &str,
        stop: &AtomicBool,
    ) -> Result<(), SourceError> {
        let Position {
            topic,
            partition,
            offset,
        } = record.position;
        let topic = topic.name();
        tracing::warn!(
            topic,
            partition,
            offset,
            reason,
            "set aside {topic}/{partition}@{offset}: {reason}"
        );
        loop {
            let error = match self.try_write(record, reason) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if !error.is_passing() || stop.load(Ordering::Relaxed) {
                return Err(error);
            }
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "setting it aside failed, trying again: {error}"
            );
            std::thread::sleep(AGAIN);
        }
    }

    fn try_write(&self, record: &Record, reason: &str) -> Result<(), SourceError> {
        let write = |record: &Record, reason: &str| {
            self.runtime
                .block_on(self.appender.dead_letter(record, reason))
        };
        match write(record, reason) {
            Err(error) if error.is_too_large() => {
                let bytes = record.value.as_ref().map_or(0, Vec::len);
                let reason = format!(
                    "{reason} (its {bytes} bytes are too many for a dead letter: read it where it is)"
                );
                write(
                    &Record {
                        value: None,
                        ..record.clone()
                    },
                    &reason,
                )
            }
            written => written,
        }
    }

    /// An error once most of a minute's records are bad: better to stop than to fill the dead letters.
    pub(super) fn is_too_much(&mut self, reason: &str) -> Result<(), PipelineError> {
        self.unusable += 1;
        if PERIOD < self.since.elapsed() {
            (self.since, self.records, self.unusable) = (clock::stopwatch(), 0, 0);
        }
        let (unusable, records) = (self.unusable, self.records);
        if UNUSABLE_MIN <= unusable && records < 2 * unusable {
            return Err(PipelineError::MostlyUnusable {
                unusable,
                records,
                reason: reason.to_owned(),
            });
        }
        Ok(())
    }
}
