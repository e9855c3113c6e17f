//! Posts, indexes and feeds, through memory and disk: one writer, any number of readers.
//!
//! New rows live in a memtable; a checkpoint moves it aside, writes it, and drops it. Data moves one way: memtable, the
//! memtable that is being flushed, cache, disk. A look-up goes in that order, so a row never falls between two of them.

mod actor_rows;
mod addressed_posts;
pub mod bloom;
mod checkpoint;
mod checkpoint_state;
pub mod columns;
pub mod disk;
mod early_removals;
mod existence_filter;
mod expired;
mod feeds;
mod flush_batch;
pub mod home_memtable;
mod indexes;
mod keys;
mod last_seen;
mod memtable;
pub mod origin_rows;
mod other_memtable;
pub mod post_block;
pub mod posting_list;
mod posts;
mod relations;
mod sweep;

pub use checkpoint_state::CheckpointState;
pub use flush_batch::{FlushBatch, VisibleUpTo, Written};
pub use keys::{Index, home_key, relation_key};
pub use memtable::{LastSeen, PendingRemoval};
pub use relations::stored_change;

use crate::feed::post::Post;
use crate::record::fingerprint::{Fingerprint, last_before};
use disk::{Disk, DiskError, Tree};
use existence_filter::ExistenceFilter;
use expired::Expired;
use home_memtable::HomeMemtable;
use memtable::Memtable;
use other_memtable::OtherMemtable;
use parking_lot::RwLock;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use slackwater_order::place::PostId;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// How many ids one index (an author's posts, a post's replies, a post's boosts) holds; the lowest fall out, and a
/// merge, a late original or a document that names its author's followers no longer finds them.
pub const INDEX_LENGTH_MAX: usize = 20_000;

/// How many times its length a feed may hold, with what its horizon has not reached yet. Past that the hold gives way.
pub const HELD_FACTOR: usize = 4;

/// How the store works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The data folder.
    pub path: PathBuf,
    /// Entries a home feed keeps.
    pub length: usize,
    /// How long after a post was shown a boost shows it again.
    pub boost_repeat_after: Duration,
    /// Entries that may wait in memory before a checkpoint writes them.
    pub unflushed_entries_max: usize,
    /// Bytes of posts that may wait in memory before a checkpoint writes them.
    pub unflushed_bytes_max: usize,
    /// Bytes for caches: half for sled's, half for decoded posts.
    pub cache_bytes: u64,
}

#[cfg(test)]
impl Options {
    /// A small folder, for tests: feeds of ten, a boost a day.
    pub(crate) fn of_tests(path: &std::path::Path) -> Options {
        Options {
            path: path.to_owned(),
            length: 10,
            boost_repeat_after: Duration::from_secs(86_400),
            unflushed_entries_max: 1_000,
            unflushed_bytes_max: 1 << 20,
            cache_bytes: 1 << 20,
        }
    }
}

/// Everything kept.
#[derive(Debug)]
pub struct Store {
    disk: Disk,
    stored: ExistenceFilter,
    /// Home feeds, by account.
    pub homes: HomeMemtable,
    others: OtherMemtable,
    options: Options,
    memtable: RwLock<Memtable>,
    flushing: RwLock<Option<Arc<Memtable>>>,
    cache: Cache<PostId, Arc<Post>, PostWeight>,
    expired: RwLock<Expired>,
    /// Checkpoints that ended: what a look-up found that began before the last one must not stay in the cache.
    checkpoints: AtomicU64,
    unwritten_bytes: AtomicUsize,
    unwritten_indexed: AtomicUsize,
}

#[derive(Clone, Debug)]
struct PostWeight;

impl quick_cache::Weighter<PostId, Arc<Post>> for PostWeight {
    fn weight(&self, _: &PostId, post: &Arc<Post>) -> u64 {
        u64::try_from(post.weight()).unwrap_or(u64::MAX)
    }
}

impl Store {
    /// Opens the data folder.
    pub fn open(options: Options) -> Result<Store, DiskError> {
        let disk = Disk::open(&options.path, options.cache_bytes / 2)?;
        let cache_bytes = options.cache_bytes / 2;
        let items = usize::try_from(cache_bytes / 2_000)
            .unwrap_or(usize::MAX)
            .max(64);
        let store = Store {
            stored: ExistenceFilter::new(&disk)?,
            disk,
            homes: HomeMemtable::default(),
            others: OtherMemtable::default(),
            cache: Cache::with_weighter(items, cache_bytes, PostWeight),
            options,
            memtable: RwLock::default(),
            flushing: RwLock::default(),
            checkpoints: AtomicU64::new(0),
            unwritten_bytes: AtomicUsize::new(0),
            unwritten_indexed: AtomicUsize::new(0),
            expired: RwLock::default(),
        };
        store.load_expired()?;
        Ok(store)
    }

    /// Opens a folder that another store may just have let go of.
    #[cfg(test)]
    pub(crate) fn open_patiently(options: &Options) -> Store {
        disk::patiently(|| Store::open(options.clone()))
    }

    /// From now on only so many writes succeed.
    #[cfg(test)]
    pub(crate) fn cut_off_after(&self, writes: u64) {
        self.disk.writes_left.store(writes, Ordering::Relaxed);
    }

    /// Entries a home feed keeps.
    pub fn length(&self) -> usize {
        self.options.length
    }

    /// How long after a post was shown a boost shows it again.
    pub fn repeat_after(&self) -> Duration {
        self.options.boost_repeat_after
    }

    /// Keeps, or with `None` removes, what is known of an origin.
    pub fn put_origin(&self, host: &str, bytes: Option<Vec<u8>>) {
        self.memtable.write().origins.insert(host.to_owned(), bytes);
    }

    /// Every stored origin. Only before the first is put.
    pub fn origins(&self) -> impl Iterator<Item = Result<(String, Vec<u8>), DiskError>> + use<> {
        self.disk.scan(Tree::Origins, &[]).map(|row| {
            row.map(|(key, value)| (String::from_utf8_lossy(&key).into_owned(), value.to_vec()))
        })
    }

    /// What is stored under a name of the folder's own.
    pub fn meta<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>, DiskError> {
        match self.disk.get(Tree::Meta, name.as_bytes())? {
            Some(bytes) => postcard::from_bytes(&bytes)
                .map(Some)
                .map_err(|_| DiskError::Damaged { tree: "meta" }),
            None => Ok(None),
        }
    }

    /// Stores something under a name of the folder's own, at once.
    pub fn put_meta<T: Serialize>(&self, name: &str, value: &T) -> Result<(), DiskError> {
        let bytes = postcard::to_stdvec(value).map_err(|source| DiskError::Pack { source })?;
        self.disk.put(Tree::Meta, name.as_bytes(), bytes)
    }

    /// Reads a slice of what was stored at the start, so that look-ups need not be made for what is not. To be called
    /// now and then by the one that writes; does nothing once all is read.
    pub fn remember_stored(&self) -> Result<(), DiskError> {
        self.stored.read_slice(&self.disk)
    }

    /// Whether a bound on memory asks for a checkpoint.
    pub fn is_full(&self) -> bool {
        let feeds = self.homes.unwritten() + self.others.unwritten();
        let entries = feeds + self.unwritten_indexed.load(Ordering::Relaxed);
        self.options.unflushed_entries_max <= entries
            || self.options.unflushed_bytes_max <= self.unwritten_bytes.load(Ordering::Relaxed)
    }

    /// Entries and bytes that wait for a checkpoint.
    pub fn unwritten(&self) -> (usize, usize) {
        let feeds = self.homes.unwritten() + self.others.unwritten();
        let entries = feeds + self.unwritten_indexed.load(Ordering::Relaxed);
        (entries, self.unwritten_bytes.load(Ordering::Relaxed))
    }

    /// As many entries and bytes wait at most: then a checkpoint begins.
    pub fn unwritten_max(&self) -> (usize, usize) {
        (
            self.options.unflushed_entries_max,
            self.options.unflushed_bytes_max,
        )
    }

    /// Bytes of the data folder.
    pub fn bytes_on_disk(&self) -> u64 {
        self.disk.bytes()
    }

    /// What of the log the data folder reflects.
    pub fn reflects(&self) -> Result<CheckpointState, DiskError> {
        let mut reflects = match self.disk.get(Tree::Meta, OFFSETS.as_bytes())? {
            Some(bytes) => {
                CheckpointState::read(&bytes).ok_or(DiskError::Damaged { tree: "meta" })?
            }
            None => CheckpointState::default(),
        };
        let taken: Vec<Fingerprint> = self.meta(TAKEN)?.unwrap_or_default();
        reflects.taken = last_before(taken, &reflects.next);
        Ok(reflects)
    }

    fn in_memory<T>(&self, look: impl Fn(&Memtable) -> Option<T>) -> Option<T> {
        if let Some(found) = look(&self.memtable.read()) {
            return Some(found);
        }
        self.flushing
            .read()
            .as_ref()
            .and_then(|flushing| look(flushing))
    }
}

/// Under which name the offsets are stored.
const OFFSETS: &str = "offsets";

/// The name of what records were taken from the log before those offsets.
const TAKEN: &str = "taken";
