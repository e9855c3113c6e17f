//! Answers that are being made, or were made and have not been taken yet by those who asked: memory that somebody else
//! decides how long to hold, bounded for each of them and in all.
//!
//! Room for the largest answer is taken before one is made, and all but what it came to is given back when it is. The rest is
//! free again when the last byte has been sent, or its connection has ended.

use super::limits::CallerKey;
use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit of counting, in bytes.
const UNIT_BYTES: usize = 1_024;
/// The room that a response of unknown length begins with, in units: a page of 4 MiB of posts, with their other fields.
const ANSWER_UNITS: u32 = 8 << 10;
/// The most that may be unread, in units of a KiB.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The bytes of the responses to the backend together.
    pub of_backend: u32,
    /// The bytes of the responses to all others together, so that they never block the backend.
    pub of_others: u32,
    /// The bytes of the responses to one account or address.
    pub of_one: u32,
    /// The longest time that a request waits for room.
    pub wait: Duration,
}

impl Default for Limits {
    /// 128 MiB each in all, which is sixteen answers being made at once, and 24 MiB of one: three, or a hundred usual pages
    /// that are not read.
    fn default() -> Limits {
        Limits {
            of_backend: 128 << 10,
            of_others: 128 << 10,
            of_one: 24 << 10,
            wait: Duration::from_secs(5),
        }
    }
}

/// All that is unread.
#[derive(Debug)]
pub struct ResponseMemory {
    limits: Limits,
    backend: Arc<Semaphore>,
    others: Arc<Semaphore>,
    each: Mutex<HashMap<CallerKey, Arc<Semaphore>>>,
}

/// Room for an answer.
#[derive(Debug)]
pub struct Room {
    in_all: OwnedSemaphorePermit,
    own: Option<Own>,
}

/// The share of one caller.
#[derive(Debug)]
struct Own {
    units: Option<OwnedSemaphorePermit>,
    all_of_it: Arc<Semaphore>,
    key: CallerKey,
    response_memory: Arc<ResponseMemory>,
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// In all.
    #[error("too much of what others asked for has not been read yet: come back in a moment")]
    InAll,
    /// This caller has as much as it may.
    #[error("too much of what you asked for has not been read yet: read it first")]
    OfOne,
}

impl ResponseMemory {
    /// Nothing yet.
    pub fn new(limits: Limits) -> Arc<ResponseMemory> {
        let of = |units| Arc::new(Semaphore::new(usize::try_from(units).unwrap_or(0)));
        Arc::new(ResponseMemory {
            limits,
            backend: of(limits.of_backend),
            others: of(limits.of_others),
            each: Mutex::default(),
        })
    }

    /// Room for an answer to the backend (`key` is none) or to somebody else; waits a moment for it.
    pub async fn room(self: &Arc<Self>, key: Option<CallerKey>) -> Result<Room, NoRoom> {
        let (own, all) = match key {
            None => (None, &self.backend),
            Some(key) => {
                let mut own = self.own(key);
                // The caller's own room first: a request that waits for that keeps no other caller waiting.
                let units = own.all_of_it.clone().acquire_many_owned(ANSWER_UNITS);
                own.units = Some(self.within(units).await.ok_or(NoRoom::OfOne)?);
                (Some(own), &self.others)
            }
        };
        let in_all = self
            .within(Arc::clone(all).acquire_many_owned(ANSWER_UNITS))
            .await;
        let in_all = in_all.ok_or(NoRoom::InAll)?;
        Ok(Room { in_all, own })
    }

    /// As [`Self::room`], if there is room now.
    pub fn room_now(self: &Arc<Self>, key: Option<CallerKey>) -> Option<Room> {
        let of = |all: &Arc<Semaphore>| Arc::clone(all).try_acquire_many_owned(ANSWER_UNITS).ok();
        let (own, all) = match key {
            None => (None, &self.backend),
            Some(key) => {
                let mut own = self.own(key);
                own.units = Some(of(&own.all_of_it)?);
                (Some(own), &self.others)
            }
        };
        let in_all = of(all)?;
        Some(Room { in_all, own })
    }

    fn own(self: &Arc<Self>, key: CallerKey) -> Own {
        let mut each = self.each.lock();
        let own = each.entry(key.clone()).or_insert_with(|| {
            let units = usize::try_from(self.limits.of_one).unwrap_or(0);
            Arc::new(Semaphore::new(units))
        });
        Own {
            units: None,
            all_of_it: Arc::clone(own),
            key,
            response_memory: Arc::clone(self),
        }
    }

    async fn within<E>(
        &self,
        room: impl Future<Output = Result<OwnedSemaphorePermit, E>>,
    ) -> Option<OwnedSemaphorePermit> {
        tokio::time::timeout(self.limits.wait, room)
            .await
            .ok()?
            .ok()
    }

    /// The number of callers with unread responses.
    #[cfg(test)]
    fn callers(&self) -> usize {
        self.each.lock().len()
    }
}

impl Room {
    /// An answer, which keeps its share of the room until it has been sent or thrown away. One that is larger than what was
    /// taken for it keeps all of that: how many such there are at once is bounded with it.
    pub fn hold(mut self, answer: Bytes) -> Bytes {
        let units = answer.len().div_ceil(UNIT_BYTES);
        let units = units.min(usize::try_from(ANSWER_UNITS).unwrap_or(0));
        keep(&mut self.in_all, units);
        if let Some(permit) = self.own.as_mut().and_then(|own| own.units.as_mut()) {
            keep(permit, units);
        }
        Bytes::from_owner(Held {
            answer,
            _room: self,
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Before the check whether another holder is left.
        self.units = None;
        let mut each = self.response_memory.each.lock();
        // Held by the map and by this one.
        if Arc::strong_count(&self.all_of_it) == 2 {
            each.remove(&self.key);
        }
    }
}

struct Held {
    answer: Bytes,
    _room: Room,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

fn keep(permit: &mut OwnedSemaphorePermit, units: usize) {
    let more = permit.num_permits().saturating_sub(units);
    drop(permit.split(more));
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const MIB: usize = 1 << 20;

    fn key(account: &str) -> Option<CallerKey> {
        Some(CallerKey::Account(account.into()))
    }

    fn response_memory() -> Arc<ResponseMemory> {
        ResponseMemory::new(Limits {
            of_backend: 16 << 10,
            of_others: 24 << 10,
            of_one: 16 << 10,
            wait: Duration::from_millis(10),
        })
    }

    /// A failure means that a client that does not read its responses can fill the memory.
    #[tokio::test]
    async fn what_is_not_read_is_bounded_for_each_and_in_all_and_is_free_again_when_it_was_sent() {
        let response_memory = response_memory();
        let mut held = Vec::new();
        // A response that is being made needs room for the largest.
        for _ in 0..8 {
            let room = response_memory.room(key("7")).await.unwrap();
            held.push(room.hold(vec![0; MIB].into()));
        }
        let ninth = response_memory.room(key("7")).await.unwrap();
        let tenth = response_memory.room(key("7")).now_or_never();
        assert!(tenth.is_none(), "waits");
        // Others have the rest of what there is in all.
        let other = response_memory.room(key("8")).await.unwrap();
        assert!(
            response_memory.room(key("9")).now_or_never().is_none(),
            "waits"
        );
        assert!(
            response_memory.room(None).now_or_never().is_some(),
            "the backend"
        );
        drop(other);
        drop(ninth);
        let part = held[0].slice(..10);
        held.clear();
        assert!(response_memory.room(key("9")).now_or_never().is_some());
        assert_eq!(response_memory.callers(), 1, "a part is on its way still");
        drop(part);
        assert_eq!(response_memory.callers(), 0);
    }

    #[tokio::test]
    async fn who_does_not_read_is_told_so_and_nobody_else_is() {
        let response_memory = response_memory();
        let all: Vec<_> = [
            response_memory.room(key("7")).await,
            response_memory.room(key("7")).await,
        ]
        .into();
        assert_eq!(
            response_memory.room(key("7")).await.err(),
            Some(NoRoom::OfOne)
        );
        let other = response_memory.room(key("8")).await;
        assert!(other.is_ok());
        assert_eq!(
            response_memory.room(key("9")).await.err(),
            Some(NoRoom::InAll)
        );
        drop(all);
    }
}
