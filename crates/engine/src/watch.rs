//! A value that one side changes and others wait to see changed, as tokio's `watch` channel, on no runtime in particular.
//!
//! A receiver sees the newest value, not each. Waiting may be given up at any time: what changed meanwhile is seen by the
//! next wait.

use event_listener::Event;
use parking_lot::{RwLock, RwLockReadGuard};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// The side that changes the value. When it is dropped, nobody waits any longer.
#[derive(Debug)]
pub struct Sender<T>(Arc<Shared<T>>);

/// A side that sees it changed. A clone has seen what this one has.
#[derive(Debug)]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The version that was seen last.
    seen: u64,
}

/// The value changes no more: whoever changed it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

struct Shared<T> {
    value: RwLock<T>,
    /// How often it was changed. Moves under the lock.
    version: AtomicU64,
    changed: Event,
    receivers: AtomicUsize,
    is_closed: AtomicBool,
}

/// Both sides of `value`, which the receiver has seen.
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender(Arc::new(Shared {
        value: RwLock::new(value),
        version: AtomicU64::new(0),
        changed: Event::new(),
        receivers: AtomicUsize::new(0),
        is_closed: AtomicBool::new(false),
    }));
    let receiver = sender.subscribe();
    (sender, receiver)
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Sender<T> {
        channel(T::default()).0
    }
}

impl<T> Sender<T> {
    /// A receiver that has seen the value as it is now.
    pub fn subscribe(&self) -> Receiver<T> {
        self.0.receivers.fetch_add(1, Ordering::Relaxed);
        Receiver {
            shared: Arc::clone(&self.0),
            seen: self.0.version(),
        }
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.0.receivers.load(Ordering::Relaxed)
    }

    /// The value now. It cannot change while this is held: look, and let go.
    pub fn borrow(&self) -> RwLockReadGuard<'_, T> {
        self.0.value.read()
    }

    /// Another value.
    pub fn send_replace(&self, value: T) {
        self.send_modify(|there| *there = value);
    }

    /// Changes the value.
    pub fn send_modify(&self, change: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            change(value);
            true
        });
    }

    /// Changes the value, if it does: `change` says so. Receivers see nothing else.
    pub fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) {
        {
            let mut value = self.0.value.write();
            if !change(&mut value) {
                return;
            }
            self.0.version.fetch_add(1, Ordering::Release);
        }
        self.0.changed.notify(usize::MAX);
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.is_closed.store(true, Ordering::Release);
        self.0.changed.notify(usize::MAX);
    }
}

impl<T> Receiver<T> {
    /// The value now. It cannot change while this is held: look, and let go.
    pub fn borrow(&self) -> RwLockReadGuard<'_, T> {
        self.shared.value.read()
    }

    /// Whether it changed since it was seen.
    pub fn has_changed(&self) -> bool {
        self.shared.version() != self.seen
    }

    /// The value now, which is taken for seen.
    pub fn borrow_and_update(&mut self) -> RwLockReadGuard<'_, T> {
        // The version moves under the lock, so under the lock it is the one of this value.
        let value = self.shared.value.read();
        self.seen = self.shared.version();
        value
    }

    /// Takes the value as it is now for seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.shared.version();
    }

    /// Waits until it changed since it was seen, and takes it for seen.
    pub async fn changed(&mut self) -> Result<(), Closed> {
        while !self.has_changed() {
            // Listening from before it is looked at again: no change falls between the two.
            let change = self.shared.changed.listen();
            if self.has_changed() {
                break;
            }
            if self.shared.is_closed.load(Ordering::Acquire) {
                return Err(Closed);
            }
            change.await;
        }
        self.mark_unchanged();
        Ok(())
    }

    /// Waits until the value is as it should be.
    pub async fn wait_for(&mut self, mut is_it: impl FnMut(&T) -> bool) -> Result<(), Closed> {
        loop {
            if is_it(&self.borrow_and_update()) {
                return Ok(());
            }
            self.changed().await?;
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        self.shared.receivers.fetch_add(1, Ordering::Relaxed);
        Receiver {
            shared: Arc::clone(&self.shared),
            seen: self.seen,
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.receivers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T> Shared<T> {
    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("value", &self.value)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};

    /// What `waiting` gives without waiting.
    fn now<T>(waiting: impl Future<Output = T>) -> Option<T> {
        block_on(poll_once(waiting))
    }

    #[test]
    fn a_change_is_seen_once_and_the_newest_value_with_it() {
        let (sender, mut receiver) = channel(1);
        assert_eq!(now(receiver.changed()), None);
        sender.send_replace(2);
        sender.send_modify(|value| *value += 1);
        assert!(receiver.has_changed());
        assert_eq!(now(receiver.changed()), Some(Ok(())));
        assert_eq!(*receiver.borrow(), 3);
        assert_eq!(now(receiver.changed()), None);
        let mut later = sender.subscribe();
        assert!(!later.has_changed(), "it came after the change");
        sender.send_replace(4);
        let mut copy = receiver.clone();
        for receiver in [&mut later, &mut copy, &mut receiver] {
            assert_eq!(now(receiver.changed()), Some(Ok(())));
        }
    }

    /// Were this to fail, whoever waits would wait for ever.
    #[test]
    fn all_who_wait_are_woken_and_let_go_when_the_sender_is_gone() {
        let (sender, receiver) = channel(0);
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let mut receiver = receiver.clone();
                std::thread::spawn(move || {
                    block_on(async move {
                        receiver.wait_for(|value| *value == 1_000).await?;
                        receiver.changed().await
                    })
                })
            })
            .collect();
        for value in 1..=1_000 {
            sender.send_replace(value);
        }
        while sender.receiver_count() != 5 {
            std::thread::yield_now();
        }
        drop(sender);
        for waiting in waiting {
            assert_eq!(waiting.join().unwrap(), Err(Closed));
        }
    }

    #[test]
    fn receivers_are_counted_while_they_are_there() {
        let sender = Sender::<()>::default();
        assert_eq!(sender.receiver_count(), 0);
        let receiver = sender.subscribe();
        let copy = receiver.clone();
        assert_eq!(sender.receiver_count(), 2);
        drop((receiver, copy));
        assert_eq!(sender.receiver_count(), 0);
    }
}
