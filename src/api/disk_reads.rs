//! Reads that may need the disk. What memory answers is read on the spot; any other read runs where it blocks no other task, and
//! only so many run at once.

use slackwater_engine::feed::store::disk::{waiting, without_waiting};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The most responses that wait for the disk at once, each on a thread of its own: more would hardly be faster, and each thread
/// keeps memory of its own.
pub(super) const FETCHING_MAX: usize = 8;

static FETCHING: Semaphore = Semaphore::const_new(FETCHING_MAX);

/// Runs `read`, and runs it again on a thread that may block if it needs the disk.
pub async fn read<T>(read: impl Fn() -> T) -> T {
    match without_waiting(&read) {
        Some(done) => done,
        None => turn().await.read(read),
    }
}

/// A turn to wait for the disk. A task that waits for one should hold nothing that others wait for.
#[must_use]
pub struct DiskTurn(#[allow(dead_code)] Option<SemaphorePermit<'static>>);

/// A turn, when one is free.
pub async fn turn() -> DiskTurn {
    // It is never closed.
    DiskTurn(FETCHING.acquire().await.ok())
}

/// A turn, if one is free now.
pub fn turn_now() -> Option<DiskTurn> {
    FETCHING.try_acquire().ok().map(|turn| DiskTurn(Some(turn)))
}

impl DiskTurn {
    /// Runs `read`, which waits for the disk where it must.
    pub fn read<T>(self, read: impl FnOnce() -> T) -> T {
        tokio::task::block_in_place(|| waiting(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slackwater_engine::feed::store::disk::{Disk, Tree};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    fn runtime() -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).build().unwrap()
    }

    /// A failure means that one reader whose page is on disk holds up all others for as long as the disk takes.
    #[test]
    fn who_waits_for_the_disk_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::open(folder.path(), 1 << 20).unwrap());
        let runtime = runtime();
        let (others_answer, answered) = mpsc::channel();
        let cold = runtime.spawn(async move {
            let answered = std::sync::Mutex::new(answered);
            let tries = AtomicUsize::new(0);
            let other = tokio::spawn(async move { others_answer.send("another").unwrap() });
            let slow = || {
                disk.get(Tree::Homes, b"7").ok()?;
                tries.fetch_add(1, Ordering::Relaxed);
                // As long as this disk takes, the only other thread has another reader.
                let answered = answered.lock().unwrap();
                answered.recv_timeout(Duration::from_secs(60)).ok()
            };
            let read = read(slow).await;
            other.await.unwrap();
            (read, tries.into_inner())
        });
        assert_eq!(runtime.block_on(cold).unwrap(), (Some("another"), 1));
    }

    #[test]
    fn what_is_at_hand_is_read_on_the_spot() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path(), 1 << 20).unwrap();
        let tries = AtomicUsize::new(0);
        let get = || {
            tries.fetch_add(1, Ordering::Relaxed);
            let thread = std::thread::current().id();
            disk.get(Tree::Homes, b"7").map(|_| thread).ok()
        };
        runtime().block_on(async {
            assert!(read(get).await.is_some());
            assert_eq!(
                tries.load(Ordering::Relaxed),
                2,
                "refused, and then fetched"
            );
            assert_eq!(read(get).await, Some(std::thread::current().id()));
            assert_eq!(tries.load(Ordering::Relaxed), 3);
        });
    }
}
