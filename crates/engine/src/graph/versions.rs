//! Which record of a relation counts, in whatever order they are read. Pure.
//!
//! An account's records stand in one partition, and there the newest is the last. But a topic may be given more
//! partitions, and then an account's older records stand in one and its newer ones in another, and which is read first
//! is anybody's guess. So of each relation the newest version of each partition is kept, and of those the one counts that
//! the log took in last: by its timestamp, and among equal ones by the higher partition, since a topic only grows. Which
//! one that is follows from the records alone. Compaction changes nothing: it keeps the newest of each key in each
//! partition.
//!
//! Removals are versions too: without them an older record, read later, would bring a relation back. And so that it brings
//! nothing of a removed account back, the account's own row remembers when it was removed.

use crate::record::offsets::LogPos;
use crate::record::{Position, Topic};
use serde::{Deserialize, Serialize};
use slackwater_order::time::Time;

/// Instead of a partition that is not known.
const NOWHERE: i32 = -1;

/// Where and when the log took a record in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Its partition.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// The log's timestamp; the beginning of time if it has none.
    pub time: Time,
}

impl Stamp {
    /// The record's mark.
    pub fn log_pos(&self) -> LogPos {
        LogPos::new(Position {
            topic: Topic::Relationships,
            partition: self.partition,
            offset: self.offset,
        })
    }

    /// Whether this was taken in before `other`. Among three records of two partitions it may go round in a circle, if a
    /// clock was set back: only the newest of each partition are to be compared.
    pub fn is_before(&self, other: &Stamp) -> bool {
        if self.partition == other.partition {
            self.offset < other.offset
        } else {
            (self.time, self.partition) < (other.time, other.partition)
        }
    }
}

/// What one record said of a relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Where and when.
    pub stamp: Stamp,
    /// The relation's document; none if it was removed.
    pub document: Option<Vec<u8>>,
}

/// What is known of one relation: a row of the data folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The newest of each partition that has any.
    newest: Vec<Version>,
    /// In the row of an account's own document: its newest removal of each partition.
    removals: Vec<Stamp>,
}

impl Versions {
    /// Reads what [`Versions::pack`] wrote, or the document alone, as it was kept once: then all else that is said of it is
    /// newer.
    pub fn read(bytes: &[u8]) -> Option<Versions> {
        if !bytes.starts_with(b"{") {
            return postcard::from_bytes(bytes).ok();
        }
        let mut versions = Versions::default();
        versions.replace(Version {
            stamp: Stamp {
                partition: NOWHERE,
                offset: 0,
                time: Time::from_millis(i64::MIN),
            },
            document: Some(bytes.to_vec()),
        });
        Some(versions)
    }

    /// As bytes. Errors: none that is known.
    pub fn pack(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }

    /// The document in force; none if the relation is removed.
    pub fn document(&self) -> Option<&[u8]> {
        self.effective()?.document.as_deref()
    }

    /// The records that are known to have spoken of it, of each partition the newest.
    pub fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        let newest = self.newest.iter().map(|version| &version.stamp);
        newest.chain(&self.removals)
    }

    /// Takes a version in. Whether it was news: not older than what its partition had said before.
    pub fn add(&mut self, version: Version) -> bool {
        let partition = version.stamp.partition;
        let mut newest = self.newest.iter_mut();
        match newest.find(|there| there.stamp.partition == partition) {
            Some(there) if version.stamp.offset < there.stamp.offset => return false,
            Some(there) => *there = version,
            None => self.newest.push(version),
        }
        true
    }

    /// No other partition has spoken of it, and this is what was said last.
    pub fn replace(&mut self, version: Version) {
        self.newest.clear();
        self.newest.push(version);
    }

    /// The version that counts.
    pub fn effective(&self) -> Option<&Version> {
        let mut versions = self.newest.iter();
        let first = versions.next()?;
        let newer = |a, b| if Version::is_before(a, b) { b } else { a };
        Some(versions.fold(first, newer))
    }

    /// The account of this row was removed. What was taken away by one removal does not come back by another, so of each
    /// partition the highest offset and the latest time count, even if they are not of one record.
    pub fn add_removal(&mut self, stamp: Stamp) {
        let mut removals = self.removals.iter_mut();
        match removals.find(|there| there.partition == stamp.partition) {
            Some(there) => {
                there.offset = there.offset.max(stamp.offset);
                there.time = there.time.max(stamp.time);
            }
            None => self.removals.push(stamp),
        }
    }

    /// A removal of the account of this row from after this was said.
    pub fn removal_after(&self, stamp: &Stamp) -> Option<&Stamp> {
        self.removals
            .iter()
            .find(|removal| stamp.is_before(removal))
    }

    /// Forgets what was said before the account was removed, of which `of` is the row.
    pub fn forget_before_removals(&mut self, of: &Versions) {
        self.newest
            .retain(|version| of.removal_after(&version.stamp).is_none());
    }

    /// Forgets removals from before `cutoff`, if nothing else is known. Whether there was anything to forget.
    pub fn forget_removals_before(&mut self, cutoff: Time) -> bool {
        let removals = self.removals.len();
        self.removals.retain(|removal| cutoff <= removal.time);
        let is_removed = |version: &Version| version.document.is_none();
        let is_old = |version: &Version| version.stamp.time < cutoff;
        let is_over = !self.newest.is_empty()
            && self
                .newest
                .iter()
                .all(|version| is_removed(version) && is_old(version));
        if is_over {
            self.newest.clear();
        }
        is_over || self.removals.len() < removals
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.newest.is_empty() && self.removals.is_empty()
    }
}

impl Version {
    fn is_before(&self, other: &Version) -> bool {
        self.stamp.is_before(&other.stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(partition: i32, offset: i64, time: i64, document: Option<u8>) -> Version {
        Version {
            stamp: Stamp {
                partition,
                offset,
                time: Time::from_millis(time),
            },
            document: document.map(|byte| vec![byte]),
        }
    }

    fn taken(versions: &[&Version]) -> Versions {
        let mut taken = Versions::default();
        for version in versions {
            taken.add((*version).clone());
        }
        taken
    }

    proptest! {
        /// Were this to fail, which relation is in force after a rebuild would hang on which partition was read first.
        #[test]
        fn the_same_version_counts_in_every_interleaving_whatever_the_clocks_said(
            times in prop::collection::vec((0_i64..6, prop::option::of(0_u8..200)), 7),
            split in 1_usize..6,
        ) {
            let (old, new) = times.split_at(split);
            let of = |partition, said: &[(i64, Option<u8>)]| -> Vec<Version> {
                let said = said.iter().enumerate();
                said.map(|(offset, (time, what))| version(partition, offset as i64, *time, *what)).collect()
            };
            let (old, new) = (of(0, old), of(8, new));
            let one_after_the_other: Vec<&Version> = old.iter().chain(&new).collect();
            let expected = taken(&one_after_the_other).effective().cloned();
            let last = [old.last().unwrap(), new.last().unwrap()];
            let plain = last.into_iter().max_by_key(|it| (it.stamp.time, it.stamp.partition));
            prop_assert_eq!(expected.as_ref(), plain);
            // Every way to take from the one or the other.
            for ways in 0_u32..1 << 7 {
                if ways.count_ones() as usize != new.len() {
                    continue;
                }
                let (mut from_old, mut from_new) = (old.iter(), new.iter());
                let order: Vec<&Version> = (0..7)
                    .map(|at| if ways >> at & 1 == 1 { from_new.next() } else { from_old.next() })
                    .map(Option::unwrap)
                    .collect();
                prop_assert_eq!(taken(&order).effective().cloned(), expected.clone());
            }
        }
    }

    #[test]
    fn a_row_is_read_as_it_was_packed() {
        let mut row = taken(&[&version(3, 9, 5, Some(1)), &version(11, 0, 7, None)]);
        row.add_removal(version(3, 8, 4, None).stamp);
        assert_eq!(Versions::read(&row.pack().unwrap()), Some(row));
    }

    #[test]
    fn a_document_alone_is_older_than_all_that_is_said() {
        let mut row = Versions::read(b"{}").unwrap();
        assert_eq!(row.document(), Some(&b"{}"[..]));
        assert_eq!(Versions::read(&row.pack().unwrap()), Some(row.clone()));
        row.add(version(0, 0, -5, None));
        assert_eq!(row.document(), None);
    }

    #[test]
    fn removals_are_forgotten_when_they_are_old_and_nothing_else_is_known() {
        let check = |versions: &[&Version], cutoff, is_left: bool| {
            let mut row = taken(versions);
            let forgot = row.forget_removals_before(Time::from_millis(cutoff));
            assert_eq!(
                (forgot, row.is_empty()),
                (!is_left, !is_left),
                "{versions:?}"
            );
        };
        let (old, new) = (version(0, 1, 10, None), version(8, 0, 20, None));
        check(&[&old], 10, true);
        check(&[&old], 11, false);
        check(&[&old, &new], 15, true);
        check(&[&old, &new], 21, false);
        // It keeps an older one out that is in force elsewhere, or would be again.
        check(&[&version(0, 1, 5, Some(1)), &new], 30, true);
    }
}
