//! When accounts were last seen, as it is stored: a row of a few bytes for each.
//!
//! That an account sleeps is stored, not worked out from when it was seen: its feeds are gone from the folder, whatever
//! becomes of the configuration. A checkpoint writes that one sleeps before its feeds go, and that one is awake after
//! they are there, so that cut off anywhere it leaves no account awake without them.

use super::Store;
use crate::feed::disk::{DiskError, Tree};
use crate::time::Time;

/// When an account was last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastSeen {
    /// Then, in log time.
    At(Time),
    /// So long ago that it has no feeds.
    Asleep,
}

/// Which rows a checkpoint writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// Of those that sleep.
    OfAsleep,
    /// All others, and those that go.
    OfAwake,
}

impl Store {
    /// Keeps, or with none removes, when accounts were last seen.
    pub fn put_last_seen(&self, rows: Vec<(Box<str>, Option<LastSeen>)>) {
        self.fresh.write().last_seen.extend(rows);
    }

    /// When each account was last seen, as stored.
    pub fn last_seen(&self) -> Result<Vec<(String, LastSeen)>, DiskError> {
        let mut rows = Vec::new();
        for row in self.disk.scan(Tree::LastSeen, &[]) {
            let (account, bytes) = row?;
            let last_seen = if bytes.is_empty() {
                LastSeen::Asleep
            } else {
                let millis = <[u8; 8]>::try_from(&*bytes);
                let millis = millis.map_err(|_| DiskError::Damaged { tree: "last_seen" })?;
                LastSeen::At(Time::from_millis(i64::from_be_bytes(millis)))
            };
            rows.push((String::from_utf8_lossy(&account).into_owned(), last_seen));
        }
        Ok(rows)
    }

    pub(super) fn write_last_seen<'r>(
        &self,
        rows: impl Iterator<Item = (&'r str, Option<LastSeen>)>,
        which: Rows,
    ) -> Result<(), DiskError> {
        for (account, last_seen) in rows {
            let key = account.as_bytes();
            match (which, last_seen) {
                (Rows::OfAsleep, Some(LastSeen::Asleep)) => {
                    self.disk.put(Tree::LastSeen, key, Vec::new())?;
                }
                (Rows::OfAwake, Some(LastSeen::At(time))) => {
                    let millis = time.millis().to_be_bytes().to_vec();
                    self.disk.put(Tree::LastSeen, key, millis)?;
                }
                (Rows::OfAwake, None) => self.disk.remove(Tree::LastSeen, key)?,
                _ => {}
            }
        }
        Ok(())
    }
}
