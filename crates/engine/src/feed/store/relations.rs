//! Relations, each a row with all its versions that may still count.

use super::Store;
use super::memtable::Memtable;
use crate::feed::store::disk::{DiskError, Tree};
use crate::feed::store::relation_key;
use crate::graph::versions::{Stamp, Versions};
use crate::relationship::{Change, Key, Kind, Relation, decode};
use slackwater_order::time::Time;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// A row and its key.
type Row = Result<(Vec<u8>, Versions), DiskError>;

/// A row that waits for a checkpoint; `None`: it is to be deleted.
type NewRow = Option<Vec<u8>>;

impl Store {
    /// Keeps what is known of a relation under its key; the row goes if that is nothing.
    pub fn put_relation(&self, key: Vec<u8>, versions: &Versions) -> Result<(), DiskError> {
        let row = (!versions.is_empty()).then(|| versions.pack());
        let row = row
            .transpose()
            .map_err(|source| DiskError::Pack { source })?;
        self.memtable.write().relations.insert(key, row);
        self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Every stored relation with its key, removed ones too. Only before the first is put.
    pub fn relations(&self) -> impl Iterator<Item = Row> + use<> {
        self.disk.scan(Tree::Relations, &[]).map(|row| {
            let (key, row) = row?;
            Ok((key.to_vec(), versions(&row)?))
        })
    }

    /// What is known of a relation, by the key it is stored under.
    pub fn versions(&self, key: &[u8]) -> Result<Versions, DiskError> {
        let row = match self.in_memory(|memtable| memtable.relations.get(key).cloned()) {
            Some(found) => found,
            None => self
                .disk
                .get(Tree::Relations, key)?
                .map(|bytes| bytes.to_vec()),
        };
        row.map_or_else(|| Ok(Versions::default()), |row| versions(&row))
    }

    /// The document of a relation in force, by the key it is stored under.
    pub fn relation(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        Ok(self.versions(key)?.document().map(<[u8]>::to_vec))
    }

    /// The keys of the relations that begin with `prefix`, stored or waiting to be, removed ones too.
    pub fn relation_keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, DiskError> {
        Ok(self.relation_rows(prefix)?.into_keys().collect())
    }

    /// The documents in force of the relations whose keys begin with `prefix`, by their keys.
    pub fn relation_documents(
        &self,
        prefix: &[u8],
    ) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, DiskError> {
        let mut documents = BTreeMap::new();
        for (key, row) in self.relation_rows(prefix)? {
            let Some(row) = row else { continue };
            if let Some(document) = versions(&row)?.document() {
                documents.insert(key, document.to_vec());
            }
        }
        Ok(documents)
    }

    /// Forgets an end of a mute from before `cutoff`, of a mute that is not there any more or is another; and that mute with it, if it was to
    /// end so long ago.
    fn forget_mute_end(&self, key: &[u8], end: &Versions, cutoff: Time) -> Result<(), DiskError> {
        let of = key.get(2..).unwrap_or_default();
        let kind = of.split(|byte| *byte == b'/').nth(1);
        let is_end = kind == Some(Kind::MuteEnd.name().as_bytes());
        let Some(document) = end.document().filter(|_| is_end) else {
            return Ok(());
        };
        let end_of_mute = stored_change(of, Some(document))?;
        let Some(Relation::MuteEnd { until, .. }) = end_of_mute.relation else {
            return Ok(());
        };
        let mute_key = Key {
            kind: Kind::Mute,
            ..end_of_mute.key
        };
        let mute_key = relation_key(&mute_key.account, &mute_key.to_bytes());
        let mute = self.versions(&mute_key)?;
        let of = mute_key.get(2..).unwrap_or_default();
        let is_its_own = match mute.document() {
            Some(document) => {
                let mute = stored_change(of, Some(document))?.relation;
                mute.and_then(|mute| mute.ends_at()) == Some(until)
            }
            None => false,
        };
        let is_old = |versions: &Versions| versions.stamps().all(|stamp| stamp.time < cutoff);
        if !is_old(end) || is_its_own && !(is_old(&mute) && until < cutoff) {
            return Ok(());
        }
        let goes_too = is_its_own.then_some((mute_key, mute));
        for (key, versions) in [(key.to_vec(), end.clone())].into_iter().chain(goes_too) {
            let next: Vec<_> = versions
                .stamps()
                .map(|stamp| stamp.log_pos().next())
                .collect();
            self.note_expired_removals(&next)?;
            self.put_relation(key, &Versions::default())?;
        }
        Ok(())
    }

    /// The rows of the relations whose keys begin with `prefix`, stored or waiting to be; `None`: the row is to be deleted.
    fn relation_rows(&self, prefix: &[u8]) -> Result<BTreeMap<Vec<u8>, NewRow>, DiskError> {
        let mut rows = BTreeMap::new();
        // In the order in which rows move, so that none falls between, and the newest of each is met first.
        let mut add = |memtable: &Memtable| {
            for (key, row) in &memtable.relations {
                if key.starts_with(prefix) {
                    rows.entry(key.clone()).or_insert_with(|| row.clone());
                }
            }
        };
        add(&self.memtable.read());
        if let Some(flushing) = self.flushing.read().as_ref() {
            add(flushing);
        }
        for row in self.disk.scan(Tree::Relations, prefix) {
            let (key, row) = row?;
            if !key.starts_with(prefix) {
                break;
            }
            rows.entry(key.to_vec())
                .or_insert_with(|| Some(row.to_vec()));
        }
        Ok(rows)
    }

    /// Forgets the stored removals of relations from before `cutoff`, of at most `rows_max` after the key `after`. The last
    /// key looked at, or none at the end. Not while a checkpoint is written.
    pub fn forget_relations_before(
        &self,
        cutoff: Time,
        after: &[u8],
        rows_max: usize,
    ) -> Result<Option<Vec<u8>>, DiskError> {
        let mut last = None;
        let next = [after, &[0]].concat();
        let from = if after.is_empty() {
            &[]
        } else {
            next.as_slice()
        };
        for row in self.disk.scan(Tree::Relations, from).take(rows_max) {
            let (key, row) = row?;
            let mut versions = versions(&row)?;
            let is_newer = self.memtable.read().relations.contains_key(&*key);
            let said: Vec<Stamp> = versions.stamps().copied().collect();
            if !is_newer && versions.forget_removals_before(cutoff) {
                let is_left = |stamp: &Stamp| versions.stamps().any(|left| left == stamp);
                let gone = said.iter().filter(|stamp| !is_left(stamp));
                let next = gone.map(|stamp| stamp.log_pos().next());
                self.note_expired_removals(&next.collect::<Vec<_>>())?;
                self.put_relation(key.to_vec(), &versions)?;
            } else if !is_newer {
                self.forget_mute_end(&key, &versions, cutoff)?;
            }
            last = Some(key.to_vec());
        }
        Ok(last)
    }
}

fn versions(row: &[u8]) -> Result<Versions, DiskError> {
    Versions::read(row).ok_or(DiskError::Damaged { tree: "relations" })
}

/// What the document of a relation says that is stored under this key; none: that it is removed.
pub fn stored_change(key: &[u8], document: Option<&[u8]>) -> Result<Change, DiskError> {
    decode(Some(key), document).map_err(|_| DiskError::Damaged { tree: "relations" })
}
