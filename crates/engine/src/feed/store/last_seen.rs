//! When accounts were last seen, and up to when their feeds were shown: a row of a few bytes for each.
//!
//! That an account sleeps is stored, not worked out from when it was seen: its feeds are gone from the folder, whatever
//! becomes of the configuration. A checkpoint writes that one sleeps before its feeds go, and that one is awake after
//! they are there, so that cut off anywhere it leaves no account awake without them.

use super::Store;
use super::memtable::LastSeen;
use crate::feed::store::disk::{Bytes, DiskError, Tree};
use slackwater_order::time::Time;

/// Which rows a checkpoint writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// The accounts that sleep.
    OfAsleep,
    /// All others, and those that go.
    OfAwake,
}

impl Store {
    /// Keeps, or with none removes, when accounts were last seen.
    pub fn put_last_seen(&self, rows: Vec<(Box<str>, Option<LastSeen>)>) {
        self.memtable.write().last_seen.extend(rows);
    }

    /// When each account was last seen, as stored.
    pub fn last_seen(&self) -> Result<Vec<(String, LastSeen)>, DiskError> {
        let mut rows = Vec::new();
        for row in self.disk.scan(Tree::LastSeen, &[]) {
            let (account, bytes) = row?;
            let last_seen = if bytes.is_empty() {
                LastSeen::Inactive
            } else {
                let millis = <[u8; 8]>::try_from(&*bytes);
                let millis = millis.map_err(|_| DiskError::Damaged { tree: "last_seen" })?;
                LastSeen::At(Time::from_millis(i64::from_be_bytes(millis)))
            };
            rows.push((String::from_utf8_lossy(&account).into_owned(), last_seen));
        }
        Ok(rows)
    }

    /// Keeps, or with `None` removes, up to when accounts' feeds were shown.
    pub fn put_reached(&self, reached: Vec<(Box<str>, Option<Time>)>) {
        self.memtable.write().reached.extend(reached);
    }

    /// Up to when each account's feeds were shown, as stored.
    pub fn reached(&self) -> Result<Vec<(String, Time)>, DiskError> {
        let of = |row: Result<_, DiskError>| {
            let (key, value): (Bytes, Bytes) = row?;
            let millis = <[u8; 8]>::try_from(&*value);
            let millis = millis.map_err(|_| DiskError::Damaged { tree: "reached" })?;
            let account = String::from_utf8_lossy(&key).into_owned();
            Ok((account, Time::from_millis(i64::from_be_bytes(millis))))
        };
        self.disk.scan(Tree::Reached, &[]).map(of).collect()
    }

    /// Writes rows that the log does not have and that say nothing of what it has: up to when accounts' feeds were shown, and
    /// when accounts were last seen. None is to be of one that woke since the last checkpoint. Not while a checkpoint is
    /// written.
    pub fn write_rows(
        &self,
        reached: &[(Box<str>, Option<Time>)],
        last_seen: &[(Box<str>, Option<LastSeen>)],
    ) -> Result<(), DiskError> {
        self.write_reached(reached.iter().map(|(account, at)| (&**account, *at)))?;
        let rows = || last_seen.iter().map(|(account, seen)| (&**account, *seen));
        self.write_last_seen(rows(), Rows::OfAsleep)?;
        self.write_last_seen(rows(), Rows::OfAwake)?;
        self.disk.sync()
    }

    pub(super) fn write_reached<'r>(
        &self,
        rows: impl Iterator<Item = (&'r str, Option<Time>)>,
    ) -> Result<(), DiskError> {
        for (account, at) in rows {
            match at {
                Some(at) => {
                    let bytes = at.millis().to_be_bytes().to_vec();
                    self.disk.put(Tree::Reached, account.as_bytes(), bytes)?;
                }
                None => self.disk.remove(Tree::Reached, account.as_bytes())?,
            }
        }
        Ok(())
    }

    pub(super) fn write_last_seen<'r>(
        &self,
        rows: impl Iterator<Item = (&'r str, Option<LastSeen>)>,
        which: Rows,
    ) -> Result<(), DiskError> {
        for (account, last_seen) in rows {
            let key = account.as_bytes();
            match (which, last_seen) {
                (Rows::OfAsleep, Some(LastSeen::Inactive)) => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::store::{CheckpointState, Options};
    use crate::graph::versions::Versions;

    /// Were this to fail, a crash would take back what readers were shown, or what waits would count as written.
    #[test]
    fn rows_are_written_alone() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Store::open_patiently(&Options::of_tests(folder.path()));
        let store = open();
        store
            .put_relation(b"waits".to_vec(), &Versions::default())
            .unwrap();
        let (noon, row) = (Time::from_millis(1_763_812_800_000), |of: &str| {
            Box::from(of)
        });
        let reached = [(row("7"), Some(noon)), (row("8"), Some(noon))];
        let seen = [
            (row("7"), Some(LastSeen::At(noon))),
            (row("8"), Some(LastSeen::Inactive)),
        ];
        store.write_rows(&reached, &seen).unwrap();
        store.write_rows(&[(row("8"), None)], &[]).unwrap();
        assert_ne!(store.unwritten(), (0, 0));
        drop(store);
        let store = open();
        assert_eq!(store.reached().unwrap(), [("7".to_owned(), noon)]);
        let expected = [
            ("7".to_owned(), LastSeen::At(noon)),
            ("8".to_owned(), LastSeen::Inactive),
        ];
        assert_eq!(store.last_seen().unwrap(), expected);
        assert_eq!(store.relations().count(), 0);
        assert_eq!(
            store.reflects().unwrap().next,
            CheckpointState::default().next
        );
    }
}
