//! What is known of actors, through memory and disk.

use super::Store;
use super::keys::Index;
use crate::feed::actor::Actor;
use crate::feed::store::disk::{DiskError, Tree};
use slackwater_order::time::Time;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xxhash_rust::xxh3::xxh3_128;

impl Store {
    /// What is known of the actor with this id.
    pub fn actor(&self, id: &str) -> Result<Option<Arc<Actor>>, DiskError> {
        let hash = xxh3_128(id.as_bytes());
        let found = match self.in_memory(|memtable| memtable.actors.get(&hash).cloned()) {
            Some(found) => found,
            None => self
                .disk
                .get(Tree::Actors, &hash.to_be_bytes())?
                .map(|bytes| read(&bytes).map(Arc::new))
                .transpose()?,
        };
        Ok(found.filter(|actor| actor.document.id == id))
    }

    /// Keeps what is known of an actor, whatever was known before.
    pub fn put_actor(&self, actor: Actor) {
        let hash = xxh3_128(actor.document.id.as_bytes());
        self.unwritten_bytes
            .fetch_add(actor.weight(), Ordering::Relaxed);
        self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
        self.memtable
            .write()
            .actors
            .insert(hash, Some(Arc::new(actor)));
    }

    /// Forgets an actor, if it is one that is known.
    pub fn forget_actor(&self, id: &str) -> Result<(), DiskError> {
        // Most that is deleted was never known here: a row to remove for each would be work for nothing.
        if self.actor(id)?.is_some() {
            let hash = xxh3_128(id.as_bytes());
            self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
            self.memtable.write().actors.insert(hash, None);
        }
        Ok(())
    }

    /// Forgets the stored actors whose document arrived before `cutoff`, of whose posts nothing is left and whom nobody follows,
    /// of at most `rows_max` after the key `after`. The last key looked at, or none at the end.
    pub fn forget_actors_before(
        &self,
        cutoff: Time,
        is_followed: &dyn Fn(&str) -> bool,
        after: &[u8],
        rows_max: usize,
    ) -> Result<Option<Vec<u8>>, DiskError> {
        let mut last = None;
        let from = match after {
            [] => Vec::new(),
            after => [after, &[0]].concat(),
        };
        for row in self.disk.scan(Tree::Actors, &from).take(rows_max) {
            let (key, bytes) = row?;
            let actor = read(&bytes)?;
            if actor.arrived < cutoff
                && !is_followed(&actor.document.id)
                && let Ok(hash) = <[u8; 16]>::try_from(&*key)
                && self.list(Index::Author, &actor.document.id)?.is_empty()
            {
                self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
                // What came since the last checkpoint is not old, whatever the disk still says.
                self.memtable
                    .write()
                    .actors
                    .entry(u128::from_be_bytes(hash))
                    .or_insert(None);
            }
            last = Some(key.to_vec());
        }
        Ok(last)
    }
}

fn read(bytes: &[u8]) -> Result<Actor, DiskError> {
    Actor::read(bytes).ok_or(DiskError::Damaged { tree: "actors" })
}
