//! sled: no other module names it.
//!
//! What it does not forgive, and what follows here: plain inserts only (one batch or transaction would switch on a
//! lock for the whole process); forward reads only (reverse iteration can panic); `flush` is not fsync on Linux, so
//! the files are synced before offsets are stored. A panic inside it must end the process: it is damage, or a disk that
//! failed, and `panic` says what to do. Once it has failed it is never dropped: what it holds it would wait to write for ever.

mod aside;
mod blocks;
mod error;
mod files;
mod panic;
mod read_mode;
mod snapshots;
mod tree;

pub use aside::put_aside;

pub use error::{DiskError, REBUILD};
pub use panic::end_on_panic;
pub use read_mode::{may_wait, require_waiting, waiting, without_waiting};
pub use tree::Tree;

use hashbrown::HashSet;
use parking_lot::Mutex;
use read_mode::RecentReads;
use slackwater_order::place::PostId;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

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
    recent_reads: RecentReads,
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
        let trees = tree::TREES
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
            recent_reads: RecentReads::default(),
            has_failed: AtomicBool::new(false),
            #[cfg(test)]
            writes_left: u64::MAX.into(),
        })
    }

    /// The value of a key.
    pub fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Bytes>, DiskError> {
        self.recent_reads.check(tree, key)?;
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
        let asked = require_waiting();
        let tree = self.tree(tree).filter(|_| asked.is_ok());
        let range = tree.map(|open| open.range(from.to_vec()..));
        let path = self.path.clone();
        let rows = range
            .into_iter()
            .flatten()
            .map(move |row| row.map_err(|source| of_sled("scan", &path, source)));
        asked.err().into_iter().map(Err).chain(rows)
    }

    /// Makes all that was written durable: on return it survives a power loss.
    pub fn sync(&self) -> Result<(), DiskError> {
        self.flush()?;
        // Values past 128 KiB stand in files of their own, which sled never syncs.
        let blobs = self.path.join(files::BLOBS);
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
        let db = self.path.join(files::LOCKED);
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

/// Whether this is sled's word for a folder that another process has open; it has no kind of its own for that.
fn is_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Other && error.to_string().contains("acquire lock")
}

/// Does what needs a folder that another may just have let go of: sled lets go of its lock when its last background job ends, a
/// moment after it was dropped.
#[cfg(test)]
pub(crate) fn patiently<T>(mut open: impl FnMut() -> Result<T, DiskError>) -> T {
    for _ in 0..2_000 {
        match open() {
            Err(DiskError::InUse { .. }) => {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            opened => return opened.unwrap(),
        }
    }
    open().unwrap()
}

#[cfg(test)]
mod tests;
