//! When what is old may go: log time, and whether to believe it. It is kept with every checkpoint, so that a leap that is
//! in doubt is so after a restart too.

use crate::feed::disk::DiskError;
use crate::feed::store::Store;
use crate::post::log_time::{Doubt, LogTime};
use crate::time::Time;
use serde::{Deserialize, Serialize};

/// Under which name the data folder keeps it.
const AGES: &str = "ages";

/// Two times of the log.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Ages {
    /// When activities arrived: by this their ages are measured.
    arrived: LogTime,
    /// When records of any kind were written: what clocks said of late.
    written: LogTime,
    /// Of which doubt the log was told.
    #[serde(skip)]
    told: Option<Doubt>,
}

impl Ages {
    /// As the last checkpoint had it; a folder from before it was kept has only the log time.
    pub(super) fn stored(store: &Store, log_time: Time) -> Result<Ages, DiskError> {
        let stored = store.meta::<Ages>(AGES)?;
        Ok(stored.unwrap_or(Ages {
            arrived: LogTime::at(log_time),
            written: LogTime::at(log_time),
            told: None,
        }))
    }

    /// Keeps it. Before the offsets that it reflects: what is read again changes nothing.
    pub(super) fn store(&self, store: &Store) -> Result<(), DiskError> {
        store.put_meta(AGES, self)
    }

    /// An activity arrived; log time since then.
    pub(super) fn arrived(&mut self, arrived: Time, now: Time) -> Time {
        self.arrived.read(arrived, now);
        self.arrived.newest()
    }

    /// A record was written.
    pub(super) fn written(&mut self, timestamp: Time, now: Time) {
        self.written.read(timestamp, now);
    }

    /// Whether nothing may be deleted for its age; tells when that begins and when it ends. The clock is only a brake
    /// here: it decides when to drop things, never what is so.
    pub(super) fn are_in_doubt(&mut self, now: Time) -> bool {
        let doubt = self.arrived.doubt(now);
        if doubt != self.told {
            match doubt {
                Some(Doubt::Leap { from, to }) => {
                    let (from, to) = (from.rfc3339(), to.rfc3339());
                    tracing::error!(
                        %from, %to,
                        "time leaps: nothing arrived from {from} to {to}. Nothing is deleted for its age before the log has gone \
                         on for a week from there: is the clock right?"
                    );
                }
                Some(Doubt::Ahead { newest }) => {
                    let newest = newest.rfc3339();
                    tracing::error!(
                        %newest,
                        "a record arrived at {newest}, ahead of the clock: nothing is deleted for its age. Is the clock right?"
                    );
                }
                None => tracing::info!("time goes on: what is old is deleted again"),
            }
            self.told = doubt;
        }
        doubt.is_some()
    }

    /// Whether the clock may have leapt since records were last written: what ends by it does not end now. An end is a record,
    /// and stays when the clock is right again.
    pub(super) fn clock_is_in_doubt(&mut self, now: Time) -> bool {
        self.written.is_far_behind(now) || self.written.doubt(now).is_some()
    }
}
