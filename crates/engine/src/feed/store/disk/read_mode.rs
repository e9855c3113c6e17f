//! Reads that may not wait. A thread that answers many readers takes what is at hand; what would have to be waited for it
//! leaves to one that may wait, and finds it at hand the next time.
//!
//! sled does not say what its cache holds, nor does the system of its own: what was read lately is taken to be in one of
//! the two. Where that is wrong a read takes as long as the disk does, as it would have without asking.

use super::error::DiskError;
use super::tree::Tree;
use quick_cache::sync::Cache;
use std::cell::Cell;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Keys remembered as lately read, at about 40 bytes each.
const KEYS_MAX: usize = 1 << 17;

/// Whether this thread's reads may wait for the disk. A property of the thread, as blocking is: it holds for everything the
/// thread calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadMode {
    /// It waits.
    Waits,
    /// It waits, and the keys it reads count as cached from then on.
    WaitsAndRemembers,
    /// It does not wait: a read that may have to is refused.
    DoesNotWait { was_refused: bool },
}

thread_local! {
    static READ_MODE: Cell<ReadMode> = const { Cell::new(ReadMode::Waits) };
}

/// Runs `read` without waiting for the disk. None if any read was refused, whatever `read` made of that: it is to be run again
/// by [`waiting`].
pub fn without_waiting<T>(read: impl FnOnce() -> T) -> Option<T> {
    let before = RestoredMode::begin(ReadMode::DoesNotWait { was_refused: false });
    let done = read();
    let is_whole = READ_MODE.get() == ReadMode::DoesNotWait { was_refused: false };
    drop(before);
    is_whole.then_some(done)
}

/// Runs `read`, waiting for the disk where it must. To be called where that holds up nobody else.
pub fn waiting<T>(read: impl FnOnce() -> T) -> T {
    let _before = RestoredMode::begin(ReadMode::WaitsAndRemembers);
    read()
}

/// The mode from before, which the thread has again when this is dropped.
struct RestoredMode(ReadMode);

impl RestoredMode {
    fn begin(fan_out_class: ReadMode) -> RestoredMode {
        RestoredMode(READ_MODE.replace(fan_out_class))
    }
}

impl Drop for RestoredMode {
    fn drop(&mut self) {
        READ_MODE.set(self.0);
    }
}

/// The keys that were read recently.
#[derive(Debug)]
pub(super) struct RecentReads {
    keys: Cache<u64, ()>,
}

impl Default for RecentReads {
    fn default() -> RecentReads {
        RecentReads {
            keys: Cache::new(KEYS_MAX),
        }
    }
}

impl RecentReads {
    /// Before a key is read: refused if that may have to be waited for, and this thread does not.
    pub(super) fn check(&self, tree: Tree, key: &[u8]) -> Result<(), DiskError> {
        match READ_MODE.get() {
            ReadMode::Waits => Ok(()),
            ReadMode::WaitsAndRemembers => {
                self.keys.insert(hash(tree, key), ());
                Ok(())
            }
            ReadMode::DoesNotWait { .. } if self.keys.get(&hash(tree, key)).is_some() => Ok(()),
            ReadMode::DoesNotWait { .. } => refuse(),
        }
    }
}

/// Whether this thread waits for what has to be waited for.
pub fn may_wait() -> bool {
    !matches!(READ_MODE.get(), ReadMode::DoesNotWait { .. })
}

/// Before something is read of which it is not remembered that it was, or done that takes as long as the disk would: refused on a
/// thread that does not wait.
pub fn require_waiting() -> Result<(), DiskError> {
    match READ_MODE.get() {
        ReadMode::Waits | ReadMode::WaitsAndRemembers => Ok(()),
        ReadMode::DoesNotWait { .. } => refuse(),
    }
}

fn refuse() -> Result<(), DiskError> {
    READ_MODE.set(ReadMode::DoesNotWait { was_refused: true });
    Err(DiskError::WouldWait)
}

fn hash(tree: Tree, key: &[u8]) -> u64 {
    xxh3_64_with_seed(key, tree as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::store::disk::Disk;
    use slackwater_order::place::PostId;

    /// Were this to fail, one reader's cold page would hold up all others, or every page would be moved aside.
    #[test]
    fn what_was_fetched_is_at_hand_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path(), 1 << 20).unwrap();
        disk.put(Tree::Homes, b"7", b"feed".to_vec()).unwrap();
        let get = |tree| disk.get(tree, b"7").map(|it| it.is_some());
        assert!(without_waiting(|| get(Tree::Homes)).is_none());
        assert!(get(Tree::Homes).unwrap(), "who waits gets it");
        assert!(
            without_waiting(|| get(Tree::Homes)).is_none(),
            "nobody fetched it"
        );
        assert!(waiting(|| get(Tree::Homes)).unwrap());
        assert!(without_waiting(|| get(Tree::Homes)).unwrap().unwrap());
        assert!(
            without_waiting(|| get(Tree::Uris)).is_none(),
            "another of that key"
        );
        assert!(!waiting(|| get(Tree::Uris)).unwrap());
        assert!(!without_waiting(|| get(Tree::Uris)).unwrap().unwrap());
        assert!(without_waiting(|| disk.post(PostId::MIN).is_ok()).is_none());
        assert!(without_waiting(|| disk.scan(Tree::Homes, b"").count()).is_none());
    }

    #[test]
    fn a_refusal_that_is_passed_over_is_none_the_less_one() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path(), 1 << 20).unwrap();
        let passes_over = || disk.get(Tree::Homes, b"7").ok().flatten().is_none();
        assert!(without_waiting(passes_over).is_none());
        let within = without_waiting(|| waiting(passes_over));
        assert_eq!(within, Some(true), "that was waited for after all");
        assert!(passes_over(), "this thread waits again");
    }
}
