//! Rows that belong to one actor each, through memory and disk, by a hash of the actor's id.

use super::Store;
use super::keys::Index;
use super::memtable::Memtable;
use crate::feed::actor::Actor;
use crate::feed::followers::Followers;
use crate::feed::store::disk::{DiskError, Tree};
use hashbrown::HashMap;
use slackwater_order::time::Time;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xxhash_rust::xxh3::xxh3_128;

/// The rows of one kind that are new since the last checkpoint, by the hash of their actor's id; `None`: the row is to be deleted.
type NewRows<R> = HashMap<u128, Option<Arc<R>>>;

/// A row of one actor.
pub(super) trait ActorRow: Sized {
    /// Where rows of this kind are stored.
    const TREE: Tree;
    /// The name of that, for whoever reads that a row of it is damaged.
    const NAME: &'static str;

    /// The id of the actor.
    fn actor_id(&self) -> &str;
    /// When the newest document of the actor arrived.
    fn arrived(&self) -> Time;
    /// How many bytes it counts for while it waits for a checkpoint.
    fn waiting_bytes(&self) -> usize;
    /// As stored.
    fn read(bytes: &[u8]) -> Option<Self>;
    /// The rows of this kind in memory.
    fn new_rows(memtable: &Memtable) -> &NewRows<Self>;
    /// The rows of this kind in memory, to be changed.
    fn new_rows_mut(memtable: &mut Memtable) -> &mut NewRows<Self>;
}

impl ActorRow for Actor {
    const TREE: Tree = Tree::Actors;
    const NAME: &'static str = "actors";

    fn actor_id(&self) -> &str {
        &self.document.id
    }

    fn arrived(&self) -> Time {
        self.arrived
    }

    fn waiting_bytes(&self) -> usize {
        self.weight()
    }

    fn read(bytes: &[u8]) -> Option<Actor> {
        Actor::read(bytes)
    }

    fn new_rows(memtable: &Memtable) -> &NewRows<Actor> {
        &memtable.actors
    }

    fn new_rows_mut(memtable: &mut Memtable) -> &mut NewRows<Actor> {
        &mut memtable.actors
    }
}

impl ActorRow for Followers {
    const TREE: Tree = Tree::Followers;
    const NAME: &'static str = "followers";

    fn actor_id(&self) -> &str {
        &self.actor
    }

    fn arrived(&self) -> Time {
        self.arrived
    }

    /// They are bounded, and counted by their number alone.
    fn waiting_bytes(&self) -> usize {
        0
    }

    fn read(bytes: &[u8]) -> Option<Followers> {
        Followers::read(bytes)
    }

    fn new_rows(memtable: &Memtable) -> &NewRows<Followers> {
        &memtable.followers
    }

    fn new_rows_mut(memtable: &mut Memtable) -> &mut NewRows<Followers> {
        &mut memtable.followers
    }
}

impl Store {
    /// The document of the actor with this id, if one is known.
    pub fn actor(&self, id: &str) -> Result<Option<Arc<Actor>>, DiskError> {
        self.actor_row(id)
    }

    /// Keeps the document of an actor in place of the one before.
    pub fn put_actor(&self, actor: Actor) {
        self.put_actor_row(actor);
    }

    /// Forgets the document of an actor, if one is known.
    pub fn forget_actor(&self, id: &str) -> Result<(), DiskError> {
        self.forget_actor_row::<Actor>(id)
    }

    /// Forgets the stored documents that arrived before `cutoff`, of actors of whose posts nothing is left and whom nobody follows, of
    /// at most `rows_max` rows after the key `after`. The last key read, or none at the end.
    pub fn forget_actors_before(
        &self,
        cutoff: Time,
        is_followed: &dyn Fn(&str) -> bool,
        after: &[u8],
        rows_max: usize,
    ) -> Result<Option<Vec<u8>>, DiskError> {
        self.forget_actor_rows_before::<Actor>(cutoff, is_followed, after, rows_max)
    }

    /// The collections that the documents of the actor with this id have named; none if none has.
    pub fn followers(&self, id: &str) -> Result<Option<Arc<Followers>>, DiskError> {
        self.actor_row(id)
    }

    /// Keeps the collections that an actor's documents have named, in place of those before.
    pub fn put_followers(&self, followers: Followers) {
        self.put_actor_row(followers);
    }

    /// Forgets the collections that an actor's documents have named, if any are known.
    pub fn forget_followers(&self, id: &str) -> Result<(), DiskError> {
        self.forget_actor_row::<Followers>(id)
    }

    /// As [`Store::forget_actors_before`], of the collections that documents have named.
    pub fn forget_followers_before(
        &self,
        cutoff: Time,
        is_followed: &dyn Fn(&str) -> bool,
        after: &[u8],
        rows_max: usize,
    ) -> Result<Option<Vec<u8>>, DiskError> {
        self.forget_actor_rows_before::<Followers>(cutoff, is_followed, after, rows_max)
    }

    fn actor_row<R: ActorRow>(&self, id: &str) -> Result<Option<Arc<R>>, DiskError> {
        let hash = xxh3_128(id.as_bytes());
        let found = match self.in_memory(|memtable| R::new_rows(memtable).get(&hash).cloned()) {
            Some(found) => found,
            None => self
                .disk
                .get(R::TREE, &hash.to_be_bytes())?
                .map(|bytes| read::<R>(&bytes).map(Arc::new))
                .transpose()?,
        };
        Ok(found.filter(|row| row.actor_id() == id))
    }

    fn put_actor_row<R: ActorRow>(&self, row: R) {
        let hash = xxh3_128(row.actor_id().as_bytes());
        self.unwritten_bytes
            .fetch_add(row.waiting_bytes(), Ordering::Relaxed);
        self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
        R::new_rows_mut(&mut self.memtable.write()).insert(hash, Some(Arc::new(row)));
    }

    fn forget_actor_row<R: ActorRow>(&self, id: &str) -> Result<(), DiskError> {
        // Most actors that are deleted were never known here: a row to delete for each would be work for nothing.
        if self.actor_row::<R>(id)?.is_some() {
            let hash = xxh3_128(id.as_bytes());
            self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
            R::new_rows_mut(&mut self.memtable.write()).insert(hash, None);
        }
        Ok(())
    }

    fn forget_actor_rows_before<R: ActorRow>(
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
        for stored in self.disk.scan(R::TREE, &from).take(rows_max) {
            let (key, bytes) = stored?;
            let row = read::<R>(&bytes)?;
            if row.arrived() < cutoff
                && !is_followed(row.actor_id())
                && let Ok(hash) = <[u8; 16]>::try_from(&*key)
                && self.list(Index::Author, row.actor_id())?.is_empty()
            {
                self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
                // A row that came since the last checkpoint is not old, whatever the disk still says.
                R::new_rows_mut(&mut self.memtable.write())
                    .entry(u128::from_be_bytes(hash))
                    .or_insert(None);
            }
            last = Some(key.to_vec());
        }
        Ok(last)
    }
}

fn read<R: ActorRow>(bytes: &[u8]) -> Result<R, DiskError> {
    R::read(bytes).ok_or(DiskError::Damaged { tree: R::NAME })
}
