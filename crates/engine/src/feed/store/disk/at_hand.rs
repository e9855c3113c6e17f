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

/// How this thread reads, whoever of those it calls does so: as with blocking itself, that is the thread's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// It waits, and nobody asks what it read.
    Waits,
    /// It waits, and what it read is at hand from then on.
    Fetches,
    /// It does not wait.
    AtHand { was_refused: bool },
}

thread_local! {
    static MANNER: Cell<Manner> = const { Cell::new(Manner::Waits) };
}

/// Runs `read` without waiting for the disk. None if it asked for anything that is not at hand: what it made of the refusal
/// counts for nothing, and it is to be run again by [`fetching`].
pub fn at_hand<T>(read: impl FnOnce() -> T) -> Option<T> {
    let before = Before::begin(Manner::AtHand { was_refused: false });
    let done = read();
    let is_whole = MANNER.get() == Manner::AtHand { was_refused: false };
    drop(before);
    is_whole.then_some(done)
}

/// Runs `read`, waiting for the disk where it must. To be called where that holds up nobody else.
pub fn fetching<T>(read: impl FnOnce() -> T) -> T {
    let _before = Before::begin(Manner::Fetches);
    read()
}

/// How the thread read before; so it does again when this is dropped.
struct Before(Manner);

impl Before {
    fn begin(manner: Manner) -> Before {
        Before(MANNER.replace(manner))
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        MANNER.set(self.0);
    }
}

/// What was read lately.
#[derive(Debug)]
pub(super) struct Lately {
    keys: Cache<u64, ()>,
}

impl Default for Lately {
    fn default() -> Lately {
        Lately {
            keys: Cache::new(KEYS_MAX),
        }
    }
}

impl Lately {
    /// Before a key is read: refused if that may have to be waited for, and this thread does not.
    pub(super) fn ask(&self, tree: Tree, key: &[u8]) -> Result<(), DiskError> {
        match MANNER.get() {
            Manner::Waits => Ok(()),
            Manner::Fetches => {
                self.keys.insert(hash(tree, key), ());
                Ok(())
            }
            Manner::AtHand { .. } if self.keys.get(&hash(tree, key)).is_some() => Ok(()),
            Manner::AtHand { .. } => must_wait(),
        }
    }
}

/// Whether this thread waits for what has to be waited for.
pub fn is_waiting() -> bool {
    !matches!(MANNER.get(), Manner::AtHand { .. })
}

/// Before something is read of which it is not remembered that it was, or done that takes as long as the disk would: refused on a
/// thread that does not wait.
pub fn ask() -> Result<(), DiskError> {
    match MANNER.get() {
        Manner::Waits | Manner::Fetches => Ok(()),
        Manner::AtHand { .. } => must_wait(),
    }
}

fn must_wait() -> Result<(), DiskError> {
    MANNER.set(Manner::AtHand { was_refused: true });
    Err(DiskError::NotAtHand)
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
        assert!(at_hand(|| get(Tree::Homes)).is_none());
        assert!(get(Tree::Homes).unwrap(), "who waits gets it");
        assert!(at_hand(|| get(Tree::Homes)).is_none(), "nobody fetched it");
        assert!(fetching(|| get(Tree::Homes)).unwrap());
        assert!(at_hand(|| get(Tree::Homes)).unwrap().unwrap());
        assert!(at_hand(|| get(Tree::Uris)).is_none(), "another of that key");
        assert!(!fetching(|| get(Tree::Uris)).unwrap());
        assert!(!at_hand(|| get(Tree::Uris)).unwrap().unwrap());
        assert!(at_hand(|| disk.post(PostId::MIN).is_ok()).is_none());
        assert!(at_hand(|| disk.scan(Tree::Homes, b"").count()).is_none());
    }

    #[test]
    fn a_refusal_that_is_passed_over_is_none_the_less_one() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path(), 1 << 20).unwrap();
        let passes_over = || disk.get(Tree::Homes, b"7").ok().flatten().is_none();
        assert!(at_hand(passes_over).is_none());
        let within = at_hand(|| fetching(passes_over));
        assert_eq!(within, Some(true), "that was waited for after all");
        assert!(passes_over(), "this thread waits again");
    }
}
