//! Posts, indexes and home feeds, through memory and disk: one writer (the pipeline), any number of readers.
//!
//! What is new lives in [`Memtable`]; a checkpoint moves it aside, writes it, and lets it go. Data moves one way, fresh,
//! leaving, cache, disk, and a look-up asks in that order, so it never falls between two of them.

mod actors;
pub mod bloom;
mod checkpoint;
pub mod columns;
pub mod disk;
mod existence_filter;
mod feeds;
mod followers;
pub mod home_memtable;
mod last_seen;
pub mod origin_rows;
mod other_memtable;
pub mod post_block;
pub mod posting_list;
mod relations;
mod sweep;

pub use checkpoint::{CheckpointState, FlushBatch, VisibleUpTo, Written};
pub use last_seen::LastSeen;

use super::actor::Actor;
use super::followers::Followers;
use super::post::Post;
use crate::record::fingerprint::{Fingerprint, last_before};
use crate::record::offsets::LogPos;
use disk::{Disk, DiskError, Tree};
use existence_filter::ExistenceFilter;
use hashbrown::{HashMap, HashSet};
use home_memtable::HomeMemtable;
use other_memtable::OtherMemtable;
use parking_lot::RwLock;
use posting_list::{PostingList, PostingOp, merge, newest};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_128;

/// How many ids one index (an author's posts, a post's replies, a post's boosts) holds; the lowest fall out, and a
/// merge, a late original or a document that names its author's followers no longer finds them.
pub const INDEX_LENGTH_MAX: usize = 20_000;

/// How many times its length a feed may hold, with what its horizon has not reached yet. Past that the hold gives way.
pub const HELD_FACTOR: usize = 4;

/// What the store is told.
#[derive(Clone, Debug)]
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

/// What an index lists the posts of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Index {
    /// Posts by an author, by the author's id.
    Author = b'a',
    /// Replies to a post, by its URI.
    Parent = b'p',
    /// Boosts of a post, by its URI.
    Original = b'o',
    /// Posts that answer an actor, by the actor's id.
    Answered = b's',
    /// Posts with a hashtag.
    Tag = b't',
    /// Posts that are not for everybody by an author addressed to a collection, by both.
    Addressed = b'f',
    /// Posts with one of the backend's ids: one, unless the backend is mistaken.
    Ref = b'r',
}

/// A deletion or undo that came before what it takes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRemoval {
    /// The host of who said so; only the author's own may.
    pub host: String,
    /// When it arrived.
    pub arrived: Time,
    /// The record that said so.
    #[serde(with = "crate::feed::stored_pos")]
    pub at: LogPos,
}

type ListKey = [u8; 17];

/// What is new since the last checkpoint, except home feeds, which are [`HomeMemtable`]'.
#[derive(Debug, Default)]
struct Memtable {
    posts: HashMap<PostId, Arc<Post>>,
    /// `None`: the row goes.
    uris: HashMap<u128, Option<PostId>>,
    lists: HashMap<ListKey, Vec<PostingOp>>,
    removed_posts: HashSet<PostId>,
    relations: HashMap<Vec<u8>, Option<Vec<u8>>>,
    pending: HashMap<u128, Option<PendingRemoval>>,
    origins: HashMap<String, Option<Vec<u8>>>,
    actors: HashMap<u128, Option<Arc<Actor>>>,
    followers: HashMap<u128, Option<Arc<Followers>>>,
    reached: HashMap<Box<str>, Option<Time>>,
    last_seen: HashMap<Box<str>, Option<LastSeen>>,
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
    fresh: RwLock<Memtable>,
    leaving: RwLock<Option<Arc<Memtable>>>,
    cache: Cache<PostId, Arc<Post>, PostWeight>,
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
        Ok(Store {
            stored: ExistenceFilter::new(&disk)?,
            disk,
            homes: HomeMemtable::default(),
            others: OtherMemtable::default(),
            cache: Cache::with_weighter(items, cache_bytes, PostWeight),
            options,
            fresh: RwLock::default(),
            leaving: RwLock::default(),
            checkpoints: AtomicU64::new(0),
            unwritten_bytes: AtomicUsize::new(0),
            unwritten_indexed: AtomicUsize::new(0),
        })
    }

    /// Opens a folder that another store may just have let go of: sled lets go of its lock when its last background job
    /// ends, a moment after it was dropped.
    #[cfg(test)]
    pub(crate) fn open_patiently(options: &Options) -> Store {
        for _ in 0..2_000 {
            if let Ok(store) = Store::open(options.clone()) {
                return store;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Store::open(options.clone()).unwrap()
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

    /// The post at a place.
    pub fn post(&self, id: PostId) -> Result<Option<Arc<Post>>, DiskError> {
        let begun = self.checkpoints.load(Ordering::Acquire);
        if let Some(found) = self.in_memory(|fresh| {
            if fresh.removed_posts.contains(&id) {
                Some(None)
            } else {
                fresh.posts.get(&id).cloned().map(Some)
            }
        }) {
            return Ok(found);
        }
        if let Some(post) = self.cache.get(&id) {
            return Ok(Some(post));
        }
        if !self.stored.may_have_post(id) {
            return Ok(None);
        }
        let Some(post) = self.disk.post(id)?.map(Arc::new) else {
            return Ok(None);
        };
        // With the lock, so that no checkpoint fills the cache in between: what was read may be older than what it has.
        let leaving = self.leaving.read();
        if begun == self.checkpoints.load(Ordering::Acquire) {
            self.cache.insert(id, Arc::clone(&post));
        }
        drop(leaving);
        Ok(Some(post))
    }

    /// The post of this URI. Indexes are hints: what they point at is looked at.
    pub fn post_by_uri(&self, uri: &str) -> Result<Option<Arc<Post>>, DiskError> {
        let hash = xxh3_128(uri.as_bytes());
        let id = match self.in_memory(|fresh| fresh.uris.get(&hash).copied()) {
            Some(id) => id,
            None if !self.stored.may_have_uri(hash) => None,
            None => match self.disk.get(Tree::Uris, &hash.to_be_bytes())? {
                Some(bytes) => Some(read_id(&bytes).ok_or(DiskError::Damaged { tree: "uris" })?),
                None => None,
            },
        };
        let Some(id) = id else { return Ok(None) };
        Ok(self.post(id)?.filter(|post| post.body.uri == uri))
    }

    /// The ids an index lists, ascending.
    pub fn list(&self, index: Index, of: &str) -> Result<Vec<PostId>, DiskError> {
        let key = list_key(index, of);
        let fresh = self
            .fresh
            .read()
            .lists
            .get(&key)
            .cloned()
            .unwrap_or_default();
        let mut ops = self
            .leaving
            .read()
            .as_ref()
            .and_then(|leaving| leaving.lists.get(&key).cloned())
            .unwrap_or_default();
        ops.extend(fresh);
        if !self.stored.may_have_list(&key) {
            return Ok(Vec::new());
        }
        let stored = self.disk.get(Tree::Lists, &key)?;
        Ok(merge(segment(stored.as_deref(), "lists")?, &ops, INDEX_LENGTH_MAX).ids)
    }

    /// The highest ids that an index lists between two places, both exclusive, at most `most`, in no order. Of what is
    /// stored no more is looked at than that.
    pub fn newest(
        &self,
        index: Index,
        of: &str,
        between: Range<PostId>,
        most: usize,
    ) -> Result<Vec<PostId>, DiskError> {
        let key = list_key(index, of);
        // In the order in which things move, so that nothing falls between.
        let new = self.fresh.read().lists.get(&key).cloned();
        let leaving = self.leaving.read();
        let leaving = leaving.as_ref();
        let mut ops = leaving
            .and_then(|leaving| leaving.lists.get(&key).cloned())
            .unwrap_or_default();
        ops.extend(new.into_iter().flatten());
        let stored = match self.stored.may_have_list(&key) {
            true => self.disk.get(Tree::Lists, &key)?,
            false => None,
        };
        let stored = segment(stored.as_deref(), "lists")?;
        Ok(newest(stored, &ops, INDEX_LENGTH_MAX, between, most))
    }

    /// The removal that waits for this URI (or actor, or boost key) to come.
    pub fn pending(&self, of: &str) -> Result<Option<PendingRemoval>, DiskError> {
        let hash = xxh3_128(of.as_bytes());
        if let Some(found) = self.in_memory(|fresh| fresh.pending.get(&hash).cloned()) {
            return Ok(found);
        }
        if !self.stored.may_have_pending(hash) {
            return Ok(None);
        }
        match self.disk.get(Tree::EarlyRemovals, &hash.to_be_bytes())? {
            Some(bytes) => postcard::from_bytes(&bytes)
                .map(Some)
                .map_err(|_| DiskError::Damaged { tree: "pending" }),
            None => Ok(None),
        }
    }

    /// Keeps a removal for what has not come yet.
    pub fn put_pending(&self, of: &str, removal: PendingRemoval) {
        let hash = xxh3_128(of.as_bytes());
        self.stored.note_pending(hash);
        self.fresh.write().pending.insert(hash, Some(removal));
        self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps a post: new, or changed.
    pub fn put_post(&self, post: Post) -> Arc<Post> {
        let post = Arc::new(post);
        let hash = xxh3_128(post.body.uri.as_bytes());
        let indexed: Vec<ListKey> = indexed(&post).collect();
        self.unwritten_bytes
            .fetch_add(post.weight(), Ordering::Relaxed);
        self.stored.note_post(post.id, hash, &indexed);
        let mut fresh = self.fresh.write();
        fresh.uris.insert(hash, Some(post.id));
        for key in indexed {
            fresh
                .lists
                .entry(key)
                .or_default()
                .push(PostingOp::insert(post.id));
            self.unwritten_indexed.fetch_add(1, Ordering::Relaxed);
        }
        fresh.removed_posts.remove(&post.id);
        fresh.posts.insert(post.id, Arc::clone(&post));
        post
    }

    /// Forgets a post altogether, its rows in the indexes too.
    pub fn forget_post(&self, post: &Post) {
        let body = &post.body;
        let mut fresh = self.fresh.write();
        for key in indexed(post) {
            fresh
                .lists
                .entry(key)
                .or_default()
                .push(PostingOp::remove(post.id));
        }
        fresh.posts.remove(&post.id);
        fresh.removed_posts.insert(post.id);
        fresh.uris.insert(xxh3_128(body.uri.as_bytes()), None);
        self.unwritten_indexed
            .fetch_add(1 + indexed(post).count(), Ordering::Relaxed);
    }

    /// The post of which the backend gave this as its own id; of several the newest.
    pub fn post_by_ref(&self, reference: &str) -> Result<Option<Arc<Post>>, DiskError> {
        let newest = self.newest(Index::Ref, reference, PostId::MIN..PostId::MAX, 1)?;
        let Some(id) = newest.first() else {
            return Ok(None);
        };
        let post = self.post(*id)?;
        Ok(post.filter(|post| post.post_ref.as_deref() == Some(reference)))
    }

    /// Keeps, or with `None` removes, what is known of an origin.
    pub fn put_origin(&self, host: &str, bytes: Option<Vec<u8>>) {
        self.fresh.write().origins.insert(host.to_owned(), bytes);
    }

    /// Every stored origin. Only before the first is put.
    pub fn origins(&self) -> impl Iterator<Item = Result<(String, Vec<u8>), DiskError>> + use<> {
        self.disk.scan(Tree::Origins, &[]).map(|row| {
            row.map(|(key, value)| (String::from_utf8_lossy(&key).into_owned(), value.to_vec()))
        })
    }

    /// Keeps, or with `None` removes, up to when accounts' feeds were shown.
    pub fn put_reached(&self, reached: Vec<(Box<str>, Option<Time>)>) {
        self.fresh.write().reached.extend(reached);
    }

    /// Up to when each account's feeds were shown, as stored.
    pub fn reached(&self) -> Result<Vec<(String, Time)>, DiskError> {
        let of = |row: Result<_, DiskError>| {
            let (key, value): (
                crate::feed::store::disk::Bytes,
                crate::feed::store::disk::Bytes,
            ) = row?;
            let millis = <[u8; 8]>::try_from(&*value);
            let millis = millis.map_err(|_| DiskError::Damaged { tree: "reached" })?;
            let account = String::from_utf8_lossy(&key).into_owned();
            Ok((account, Time::from_millis(i64::from_be_bytes(millis))))
        };
        self.disk.scan(Tree::Reached, &[]).map(of).collect()
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

    /// Whether the post is among what memory holds, so that a sweep over the disk leaves it alone.
    pub fn is_in_memory(&self, id: PostId) -> bool {
        self.in_memory(|fresh| fresh.posts.contains_key(&id).then_some(()))
            .is_some()
    }

    /// The posts in memory that are not stored yet, as far as they are meant.
    pub fn ids_in_memory(&self, is_meant: impl Fn(&Post) -> bool) -> Vec<PostId> {
        let mut ids = Vec::new();
        let mut look = |fresh: &Memtable| {
            let meant = fresh.posts.values().filter(|post| is_meant(post));
            ids.extend(meant.map(|post| post.id));
        };
        look(&self.fresh.read());
        if let Some(leaving) = self.leaving.read().as_ref() {
            look(leaving);
        }
        ids
    }

    fn in_memory<T>(&self, look: impl Fn(&Memtable) -> Option<T>) -> Option<T> {
        if let Some(found) = look(&self.fresh.read()) {
            return Some(found);
        }
        self.leaving
            .read()
            .as_ref()
            .and_then(|leaving| look(leaving))
    }
}

/// Under which name the offsets are stored.
const OFFSETS: &str = "offsets";

/// The name of what records were taken from the log before those offsets.
const TAKEN: &str = "taken";

/// The keys of what lists a post.
fn indexed(post: &Post) -> impl Iterator<Item = ListKey> + '_ {
    let body = &post.body;
    let whom = post.answers.actor();
    [
        (Index::Author, Some(body.author.as_str())),
        (Index::Parent, body.in_reply_to.as_deref()),
        (Index::Original, body.boost_of.as_deref()),
        (Index::Answered, whom),
        (Index::Ref, post.post_ref.as_deref()),
    ]
    .into_iter()
    .filter_map(|(index, of)| Some((index, of?)))
    .chain(
        body.tags
            .iter()
            .chain(&post.was_tagged)
            .map(|tag| (Index::Tag, tag.as_str())),
    )
    .map(|(index, of)| list_key(index, of))
    .chain(followers::addressed(post))
}

/// The key a home feed is stored under: the slot of its account, so that a shard's feeds lie together, then the account.
pub fn home_key(account: &str) -> Vec<u8> {
    let slot = u16::try_from(slackwater_order::place::slot_of(account)).unwrap_or(0);
    [&slot.to_be_bytes()[..], account.as_bytes()].concat()
}

/// The key a relation is stored under: the slot of its account, then its key on the topic.
pub fn relation_key(account: &str, key: &[u8]) -> Vec<u8> {
    let slot = u16::try_from(slackwater_order::place::slot_of(account)).unwrap_or(0);
    [&slot.to_be_bytes()[..], key].concat()
}

fn list_key(index: Index, of: &str) -> ListKey {
    let mut key = [0; 17];
    let (first, rest) = key.split_at_mut(1);
    first.fill(index as u8);
    rest.copy_from_slice(&xxh3_128(of.as_bytes()).to_be_bytes());
    key
}

fn segment<'a>(bytes: Option<&'a [u8]>, tree: &'static str) -> Result<PostingList<'a>, DiskError> {
    match bytes {
        None => Ok(PostingList::EMPTY),
        Some(bytes) => PostingList::read(bytes).ok_or(DiskError::Damaged { tree }),
    }
}

fn read_id(bytes: &[u8]) -> Option<PostId> {
    PostId::from_number(u64::from_be_bytes(bytes.try_into().ok()?))
}
