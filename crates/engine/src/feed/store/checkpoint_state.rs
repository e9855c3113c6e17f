//! What of the log a checkpoint reflects.

use crate::feed::unfinished::Unfinished;
use crate::record::Position;
use crate::record::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;

/// What of the log a checkpoint reflects.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CheckpointState {
    /// The next record to read of each partition that was read.
    pub next: Vec<Position>,
    /// The newest `arrived` read: ages are measured against it.
    pub log_time: Time,
    /// What records that were read call for and is not done yet.
    pub again: Unfinished,
    /// Records that were taken, to tell by whether it still is the same log: of each partition the last before `next` that is
    /// known. In a row of its own, so that folders that were written without them are read as ever. To be written with those
    /// of the checkpoint before, which are the ones that count if a crash comes between the two rows.
    #[serde(skip)]
    pub taken: Vec<Fingerprint>,
}

impl CheckpointState {
    /// As it is stored: in one row, so that a crash leaves all of it or nothing.
    pub(super) fn pack(&self) -> Result<Vec<u8>, postcard::Error> {
        let bytes = postcard::to_stdvec(self)?;
        match self.again.changed.is_empty() {
            true => Ok(bytes),
            false => postcard::to_extend(&self.again.changed, bytes),
        }
    }

    /// Reads what was stored. None if the bytes are not that.
    pub(super) fn read(bytes: &[u8]) -> Option<CheckpointState> {
        let (mut reflects, rest): (CheckpointState, _) = postcard::take_from_bytes(bytes).ok()?;
        if !rest.is_empty() {
            reflects.again.changed = postcard::from_bytes(rest).ok()?;
        }
        Some(reflects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this to fail, a folder of the version before could not be read, or a crash would leave boosts where they do not belong.
    #[test]
    fn posts_whose_boosts_wait_are_stored_behind_what_was_stored_before_there_were_any() {
        let mut reflects = CheckpointState {
            log_time: Time::from_millis(7),
            ..CheckpointState::default()
        };
        let before = postcard::to_stdvec(&reflects).unwrap();
        assert_eq!(reflects.pack().unwrap(), before);
        let changed = postcard::from_bytes(&[9, 0, 4, 0, 8, 0, 1]);
        reflects.again.changed = vec![changed.unwrap()];
        let stored = reflects.pack().unwrap();
        assert!(stored.starts_with(&before));
        let read = CheckpointState::read(&stored).unwrap();
        assert_eq!(
            (read.log_time, read.again),
            (reflects.log_time, reflects.again)
        );
        let read = CheckpointState::read(&before).unwrap();
        assert_eq!(
            (read.log_time, read.again.changed),
            (reflects.log_time, Vec::new())
        );
        for cut in [0, before.len() - 1, before.len() + 1, stored.len() - 1] {
            assert!(CheckpointState::read(&stored[..cut]).is_none(), "{cut}");
        }
    }
}
