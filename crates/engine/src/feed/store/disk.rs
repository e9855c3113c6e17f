//! sled: the only file that names it.
//!
//! What it does not forgive, and what follows here: plain inserts only (one batch or transaction would switch on a
//! lock for the whole process); forward reads only (reverse iteration can panic); `flush` is not fsync on Linux, so
//! the files are synced before offsets are stored. A panic inside it must end the process: it is damage, or a disk that
//! failed, and `panic` says what to do. Once it has failed it is never dropped: what it holds it would wait to write for ever.

mod aside;
mod at_hand;
mod panic;
mod snapshots;

pub use aside::put_aside;
pub use at_hand::{ask as ask_to_wait, at_hand, fetching, is_waiting};
pub use panic::end_on_panic;

use crate::feed::post::Post;
use crate::feed::store::post_block::{self, Block};
use at_hand::Lately;
use hashbrown::HashSet;
use parking_lot::Mutex;
use slackwater_order::place::PostId;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// What to do about a damaged data folder.
pub const REBUILD: &str =
    "`slackwater serve --rebuild` puts it aside and makes it anew from the log";

/// The file of sled's that whoever has the folder open has locked.
const OF_SLED_LOCKED: &str = "db";

/// Why the data folder could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Another process has it open.
    #[error(
        "the data folder {path} is open in another slackwater: stop that one, or set another [feed] path"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// sled refused.
    #[error("could not {doing} in the data folder {path}")]
    Sled {
        /// What was being done.
        doing: &'static str,
        /// The folder.
        path: PathBuf,
        /// sled's reason.
        source: sled::Error,
    },
    /// One was put aside before.
    #[error(
        "{aside} is there already, put aside by an earlier --rebuild: look whether it is needed, and delete it"
    )]
    AsideBefore {
        /// Where it is.
        aside: PathBuf,
    },
    /// What is to be put aside holds no feeds.
    #[error("{path} is no data folder: look at [feed] path")]
    NoData {
        /// The folder.
        path: PathBuf,
    },
    /// sled cannot read its own files.
    #[error("the data folder {path} is damaged: {REBUILD}")]
    DamagedFiles {
        /// The folder.
        path: PathBuf,
        /// sled's reason.
        source: sled::Error,
    },
    /// The file system refused.
    #[error("could not {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A value is not what this version writes.
    #[error("a value of {tree} in the data folder cannot be read: {REBUILD}")]
    Damaged {
        /// In which part.
        tree: &'static str,
    },
    /// It may have to be waited for, and who asked does not wait: see [`at_hand`].
    #[error("what was asked for is not at hand")]
    NotAtHand,
    /// A post, or whatever else, could not be packed.
    #[error("could not pack a value")]
    Pack {
        /// The reason.
        source: postcard::Error,
    },
}

/// The parts of the data folder, each a sled tree.
#[derive(Clone, Copy, Debug)]
pub enum Tree {
    /// Hash of a post's URI -> its id. A hint.
    Uris,
    /// Kind and hash of a URI -> ids of the posts by, answering or boosting it. A hint.
    Lists,
    /// Slot and account -> its home feed.
    Homes,
    /// Slot, account, kind and target -> relation document.
    Relations,
    /// Hash of a URI -> a deletion that came before what it deletes.
    EarlyRemovals,
    /// Host -> what is known of an origin.
    Origins,
    /// Account -> up to when its feeds were shown.
    Reached,
    /// Hash of an actor's id -> what is known of the actor.
    Actors,
    /// Hash of an actor's id -> the collections that its documents named as its followers.
    Followers,
    /// Account -> when it was last seen.
    LastSeen,
    /// What the folder is, and the offsets it reflects.
    Meta,
}

const TREES: [(Tree, &str); 11] = [
    (Tree::Uris, "uris"),
    (Tree::Lists, "lists"),
    (Tree::Homes, "homes"),
    (Tree::Relations, "relations"),
    (Tree::EarlyRemovals, "pending"),
    (Tree::Origins, "origins"),
    (Tree::Reached, "reached"),
    (Tree::Actors, "actors"),
    (Tree::Followers, "followers"),
    (Tree::LastSeen, "last_seen"),
    (Tree::Meta, "meta"),
];

/// A post to be written at a place, packed; `None`: it goes.
pub type PostWrite = (PostId, Option<Vec<u8>>);

/// The open data folder.
#[derive(Debug)]
pub struct Disk {
    db: sled::Db,
    posts: sled::Tree,
    trees: Vec<sled::Tree>,
    path: PathBuf,
    synced_blobs: Mutex<HashSet<PathBuf>>,
    lately: Lately,
    /// Whether sled has failed.
    has_failed: AtomicBool,
    /// How many more writes succeed: tests cut a checkpoint off after any of them.
    #[cfg(test)]
    pub(super) writes_left: std::sync::atomic::AtomicU64,
}

/// Bytes as sled lends them: no copy.
pub type Bytes = sled::IVec;

impl Disk {
    /// Opens or makes the data folder. `cache_bytes` is where sled begins to evict; it is not a bound on memory.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Disk, DiskError> {
        std::fs::create_dir_all(path).map_err(|source| DiskError::Io {
            doing: "create",
            path: path.to_owned(),
            source,
        })?;
        snapshots::remove_unfinished(path)?;
        let sled_error = |doing| {
            move |source| match source {
                sled::Error::Io(error) if is_lock(&error) => DiskError::InUse {
                    path: path.to_owned(),
                },
                source => of_sled(doing, path, source),
            }
        };
        let db = sled::Config::new()
            .path(path)
            .cache_capacity(cache_bytes)
            .flush_every_ms(None)
            .open()
            .map_err(sled_error("open the database"))?;
        let posts = db
            .open_tree("posts")
            .map_err(sled_error("open the posts"))?;
        let trees = TREES
            .iter()
            .map(|(_, name)| db.open_tree(name))
            .collect::<Result<_, _>>();
        let trees = trees.map_err(sled_error("open its parts"))?;
        Ok(Disk {
            db,
            posts,
            trees,
            path: path.to_owned(),
            synced_blobs: Mutex::default(),
            lately: Lately::default(),
            has_failed: AtomicBool::new(false),
            #[cfg(test)]
            writes_left: u64::MAX.into(),
        })
    }

    /// The value of a key.
    pub fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Bytes>, DiskError> {
        self.lately.ask(tree, key)?;
        match self.tree(tree) {
            Some(open) => open.get(key).map_err(self.failed("read")),
            None => Ok(None),
        }
    }

    /// Sets the value of a key.
    pub fn put(&self, tree: Tree, key: &[u8], value: Vec<u8>) -> Result<(), DiskError> {
        #[cfg(test)]
        self.count_write()?;
        let Some(open) = self.tree(tree) else {
            return Ok(());
        };
        open.insert(key, value)
            .map(drop)
            .map_err(self.failed("write"))
    }

    /// Removes a key.
    pub fn remove(&self, tree: Tree, key: &[u8]) -> Result<(), DiskError> {
        #[cfg(test)]
        self.count_write()?;
        let Some(open) = self.tree(tree) else {
            return Ok(());
        };
        open.remove(key).map(drop).map_err(self.failed("remove"))
    }

    /// Every key and value from `from` on, forwards. Not a snapshot.
    pub fn scan(
        &self,
        tree: Tree,
        from: &[u8],
    ) -> impl Iterator<Item = Result<(Bytes, Bytes), DiskError>> + use<> {
        let asked = at_hand::ask();
        let tree = self.tree(tree).filter(|_| asked.is_ok());
        let range = tree.map(|open| open.range(from.to_vec()..));
        let path = self.path.clone();
        let rows = range
            .into_iter()
            .flatten()
            .map(move |row| row.map_err(|source| of_sled("scan", &path, source)));
        asked.err().into_iter().map(Err).chain(rows)
    }

    /// The post at a place.
    pub fn post(&self, id: PostId) -> Result<Option<Post>, DiskError> {
        at_hand::ask()?;
        let Some((_, bytes)) = self.block_over(id)? else {
            return Ok(None);
        };
        let block = Block::read(&bytes).ok_or(DiskError::Damaged { tree: "posts" })?;
        match block.find(id) {
            Some(post) => post_block::decode(post)
                .map(Some)
                .ok_or(DiskError::Damaged { tree: "posts" }),
            None => Ok(None),
        }
    }

    /// The highest place of a stored post, or a higher one if that is not quickly known.
    pub fn highest_place(&self) -> Result<PostId, DiskError> {
        // The last block ends at the highest place there can be, so that it is found without reading backwards.
        match self.block_over(PostId::MAX)? {
            None if self.posts.is_empty() => Ok(PostId::MIN),
            None => Ok(PostId::MAX),
            Some((last, bytes)) => {
                let block = Block::read(&bytes).ok_or(DiskError::Damaged { tree: "posts" })?;
                let highest = block.rows().last().map_or(PostId::MAX, |(id, _)| id);
                // A split that was cut off may have left higher ones below it.
                Ok(highest.max(self.stale_below(last, block.above())?))
            }
        }
    }

    /// Writes posts, ascending by id, into their blocks; `None` takes a post out.
    ///
    /// Safe to be cut off anywhere and done again: a block that grew too long is split from below, the lower parts
    /// are written first, so that until the last is there the old one still has everything.
    pub fn put_posts(&self, changes: &[PostWrite]) -> Result<(), DiskError> {
        let mut rest = changes;
        while let Some((first, _)) = rest.first() {
            let (last, old) = self
                .block_over(*first)?
                .unwrap_or((PostId::MAX, Bytes::default()));
            let here = rest.partition_point(|(id, _)| *id <= last);
            let (now, later) = rest.split_at(here);
            self.put_block(last, &old, now)?;
            rest = later;
        }
        Ok(())
    }

    /// Every post from `from` on, by place: at most `blocks_max` blocks of them, and the place to go on from.
    pub fn posts_from(
        &self,
        from: PostId,
        blocks_max: usize,
    ) -> Result<(Vec<Post>, Option<PostId>), DiskError> {
        let mut posts = Vec::new();
        let mut next = None;
        for row in self
            .posts
            .range(from.number().to_be_bytes()..)
            .take(blocks_max)
        {
            let (key, bytes) = row.map_err(self.failed("scan posts"))?;
            let last = last_place(&key).ok_or(DiskError::Damaged { tree: "posts" })?;
            let block = Block::read(&bytes).ok_or(DiskError::Damaged { tree: "posts" })?;
            let stale = self.stale_below(last, block.above())?;
            for (id, post) in block.rows() {
                if from <= id && stale < id {
                    posts.push(
                        post_block::decode(post).ok_or(DiskError::Damaged { tree: "posts" })?,
                    );
                }
            }
            next = PostId::from_number(last.number().saturating_add(1));
        }
        Ok((posts, next))
    }

    /// Makes all that was written durable: on return it survives a power loss.
    pub fn sync(&self) -> Result<(), DiskError> {
        self.flush()?;
        // Values past 128 KiB stand in files of their own, which sled never syncs.
        let blobs = self.path.join("blobs");
        let read = |source| DiskError::Io {
            doing: "list",
            path: blobs.clone(),
            source,
        };
        let mut synced = self.synced_blobs.lock();
        let mut there = HashSet::new();
        for blob in std::fs::read_dir(&blobs).into_iter().flatten() {
            let path = blob.map_err(read)?.path();
            if !synced.contains(&path) {
                let done = File::open(&path).and_then(|file| file.sync_all());
                // One that sled has removed meanwhile need not be synced.
                if let Err(source) = done
                    && source.kind() != io::ErrorKind::NotFound
                {
                    return Err(DiskError::Io {
                        doing: "sync",
                        path,
                        source,
                    });
                }
            }
            there.insert(path);
        }
        *synced = there;
        let db = self.path.join("db");
        for path in [&blobs, &db, &self.path] {
            let synced = File::open(path).and_then(|file| file.sync_all());
            synced.map_err(|source| DiskError::Io {
                doing: "sync",
                path: path.clone(),
                source,
            })?;
        }
        Ok(())
    }

    /// Hands all that was written to the operating system: on return it survives the end of this process.
    pub fn flush(&self) -> Result<(), DiskError> {
        self.db.flush().map(drop).map_err(self.failed("flush"))
    }

    /// Bytes the folder takes on disk, as sled counts them.
    pub fn bytes(&self) -> u64 {
        self.db.size_on_disk().unwrap_or(0)
    }

    #[cfg(test)]
    fn count_write(&self) -> Result<(), DiskError> {
        let left = self
            .writes_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        left.map(drop).map_err(|_| DiskError::Damaged {
            tree: "a write that was cut off",
        })
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(sled::Error) -> DiskError {
        move |source| {
            if !self.has_failed.swap(true, Ordering::Relaxed) {
                std::mem::forget(self.db.clone());
            }
            of_sled(doing, &self.path, source)
        }
    }

    fn tree(&self, tree: Tree) -> Option<&sled::Tree> {
        self.trees.get(tree as usize)
    }

    /// The block whose range holds `id`: the first that ends at or after it.
    fn block_over(&self, id: PostId) -> Result<Option<(PostId, Bytes)>, DiskError> {
        match self.posts.range(id.number().to_be_bytes()..).next() {
            None => Ok(None),
            Some(Err(source)) => Err(self.failed("read a post")(source)),
            Some(Ok((key, bytes))) => {
                let last = last_place(&key).ok_or(DiskError::Damaged { tree: "posts" })?;
                Ok(Some((last, bytes)))
            }
        }
    }

    fn put_block(&self, last: PostId, old: &[u8], changes: &[PostWrite]) -> Result<(), DiskError> {
        let old = if old.is_empty() {
            None
        } else {
            Some(Block::read(old).ok_or(DiskError::Damaged { tree: "posts" })?)
        };
        let mut above = match old {
            Some(block) => self.stale_below(last, block.above())?,
            None => PostId::MIN,
        };
        let kept = old
            .iter()
            .flat_map(|block| block.rows().map(|(id, post)| (id, Some(post))))
            .filter(|(id, _)| above < *id);
        let rows = overlay(kept, changes);
        if let Some((first, _)) = rows.first() {
            above =
                above.min(PostId::from_number(first.number().saturating_sub(1)).unwrap_or(above));
        }
        let mut rest = rows.as_slice();
        for rows_here in post_block::split(&rows) {
            let (here, later) = rest.split_at(rows_here.min(rest.len()));
            let end = match here.last() {
                Some((highest, _)) if !later.is_empty() => *highest,
                _ => last,
            };
            self.put_raw_block(end, post_block::pack(above, here))?;
            above = end;
            rest = later;
        }
        if rows.is_empty() && old.is_some() {
            // The block above may still hold, from a split that was cut off, what only this one's end keeps hidden.
            if let Some(above) = PostId::from_number(last.number() + 1) {
                self.drop_stale(above)?;
            }
            let removed = self.posts.remove(last.number().to_be_bytes());
            removed.map_err(self.failed("remove posts"))?;
        }
        Ok(())
    }

    /// Rewrites the block over `id` without what is left over in it from a split that was cut off.
    fn drop_stale(&self, id: PostId) -> Result<(), DiskError> {
        let Some((last, bytes)) = self.block_over(id)? else {
            return Ok(());
        };
        let block = Block::read(&bytes).ok_or(DiskError::Damaged { tree: "posts" })?;
        let stale = self.stale_below(last, block.above())?;
        let rows: Vec<_> = block.rows().filter(|(id, _)| stale < *id).collect();
        self.put_raw_block(last, post_block::pack(stale, &rows))
    }

    fn put_raw_block(&self, last: PostId, bytes: Vec<u8>) -> Result<(), DiskError> {
        #[cfg(test)]
        self.count_write()?;
        let put = self.posts.insert(last.number().to_be_bytes(), bytes);
        put.map(drop).map_err(self.failed("write posts"))
    }

    /// The end of the block just below the one ending at `last`, looked for from `above` on: what that block still
    /// holds at or below it is left over from a split that was cut off.
    fn stale_below(&self, last: PostId, above: PostId) -> Result<PostId, DiskError> {
        let mut below = PostId::MIN;
        let from = above.number().to_be_bytes();
        for key in self.posts.range(from..last.number().to_be_bytes()).keys() {
            let key = key.map_err(self.failed("read posts"))?;
            below = last_place(&key).ok_or(DiskError::Damaged { tree: "posts" })?;
        }
        Ok(below)
    }
}

fn of_sled(doing: &'static str, path: &Path, source: sled::Error) -> DiskError {
    let path = path.to_owned();
    match source {
        sled::Error::Corruption { .. } | sled::Error::ReportableBug(_) => {
            DiskError::DamagedFiles { path, source }
        }
        source => DiskError::Sled {
            doing,
            path,
            source,
        },
    }
}

fn is_there(path: &Path) -> Result<bool, DiskError> {
    path.try_exists().map_err(|source| DiskError::Io {
        doing: "look for",
        path: path.to_owned(),
        source,
    })
}

/// Whether this is sled's word for a folder that another process has open; it has no kind of its own for that.
fn is_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Other && error.to_string().contains("acquire lock")
}

fn last_place(key: &[u8]) -> Option<PostId> {
    PostId::from_number(u64::from_be_bytes(key.try_into().ok()?))
}

/// `kept` and `changes`, both ascending, as one; of two with one id the change counts, and `None` is left out.
fn overlay<'a>(
    kept: impl Iterator<Item = (PostId, Option<&'a [u8]>)>,
    changes: &'a [PostWrite],
) -> Vec<(PostId, &'a [u8])> {
    let mut rows = Vec::new();
    let mut kept = kept.peekable();
    for (id, change) in changes {
        while let Some((lower, post)) = kept.next_if(|(there, _)| there < id) {
            rows.extend(post.map(|post| (lower, post)));
        }
        kept.next_if(|(there, _)| there == id);
        rows.extend(change.as_deref().map(|post| (*id, post)));
    }
    rows.extend(kept.filter_map(|(id, post)| post.map(|post| (id, post))));
    rows
}

#[cfg(test)]
mod tests;
