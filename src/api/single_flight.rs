//! A cache that makes each value once for all callers: others wait while it is made, and find it again while it is kept, and for
//! as long as any caller still holds it, however large it is.

use hashbrown::{Equivalent, HashMap};
use parking_lot::Mutex;
use quick_cache::sync::{Cache, DefaultLifecycle, GuardResult};
use quick_cache::{DefaultHashBuilder, OptionsBuilder};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The most dead weak references that are kept ...
const GONE_MAX: usize = 64;
/// ... and about how many bytes of them: a weak reference keeps the memory of its value.
const GONE_BYTES_MAX: usize = 16_000_000;

/// Values lately made.
pub struct SingleFlight<K, T: ?Sized> {
    kept: Cache<K, Arc<T>, Weight<K, T>>,
    held: Mutex<Referenced<K, T>>,
    weight: fn(&K, &Arc<T>) -> usize,
}

/// The values that some caller holds.
struct Referenced<K, T: ?Sized> {
    all: HashMap<K, Weak<T>>,
    /// The number and bytes of the values that came since dead references were last removed.
    since: (usize, usize),
}

/// The bytes that a value takes, with its key.
struct Weight<K, T: ?Sized>(fn(&K, &Arc<T>) -> usize);

impl<K, T: ?Sized> Clone for Weight<K, T> {
    fn clone(&self) -> Self {
        Weight(self.0)
    }
}

impl<K, T: ?Sized> quick_cache::Weighter<K, Arc<T>> for Weight<K, T> {
    fn weight(&self, key: &K, made: &Arc<T>) -> u64 {
        u64::try_from((self.0)(key, made)).unwrap_or(u64::MAX)
    }
}

impl<K, T: ?Sized> fmt::Debug for SingleFlight<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}

impl<K: Eq + Hash + Clone, T: ?Sized> SingleFlight<K, T> {
    /// None yet; it keeps at most `bytes_max`, by `weight`, each taking about `bytes`.
    pub fn new(
        bytes_max: u64,
        bytes: usize,
        weight: fn(&K, &Arc<T>) -> usize,
    ) -> SingleFlight<K, T> {
        let items = usize::try_from(bytes_max).unwrap_or(usize::MAX) / bytes.max(1);
        // One part of it and not several: each part keeps its share, and what is larger than that is not kept.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(items)
            .weight_capacity(bytes_max)
            .build();
        let kept = match options {
            Ok(options) => Cache::with_options(
                options,
                Weight(weight),
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            // Nothing of the three is missing.
            Err(_) => Cache::with(
                items,
                bytes_max,
                Weight(weight),
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
        };
        SingleFlight {
            kept,
            weight,
            held: Mutex::new(Referenced {
                all: HashMap::new(),
                since: (0, 0),
            }),
        }
    }

    /// A value, if it is kept.
    pub fn get<Q>(&self, key: &Q) -> Option<Arc<T>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.kept.get(key).or_else(|| self.held(key))
    }

    /// A value, if some caller holds it.
    fn held<Q>(&self, key: &Q) -> Option<Arc<T>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.held.lock().all.get(key)?.upgrade()
    }

    /// A value that is kept, or made now. Other callers wait meanwhile, each on its own thread.
    pub fn get_or_make<Q, E>(
        &self,
        key: &Q,
        make: impl FnOnce() -> Result<Arc<T>, E>,
    ) -> Result<Arc<T>, E>
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
    {
        self.get_or_make_within(None, key, make)
    }

    /// As [`Self::get_or_make`], on a thread that must not wait: a value that another thread is making is made twice.
    pub fn get_or_make_beside<Q, E>(
        &self,
        key: &Q,
        make: impl FnOnce() -> Result<Arc<T>, E>,
    ) -> Result<Arc<T>, E>
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
    {
        self.get_or_make_within(Some(Duration::ZERO), key, make)
    }

    /// Waits for another thread that makes the value, for this long or for as long as it takes.
    fn get_or_make_within<Q, E>(
        &self,
        wait: Option<Duration>,
        key: &Q,
        make: impl FnOnce() -> Result<Arc<T>, E>,
    ) -> Result<Arc<T>, E>
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(value) = self.get(key) {
            return Ok(value);
        }
        let turn = match self.kept.get_value_or_guard(key, wait) {
            GuardResult::Value(made) => return Ok(made),
            GuardResult::Guard(turn) => Some(turn),
            GuardResult::Timeout => None,
        };
        // It may have been made since the first lookup, and be too large to be kept.
        if let Some(value) = self.held(key) {
            return Ok(value);
        }
        let made = make()?;
        self.hold(key.to_owned(), &made);
        // The cache decides whether it is kept; of two that are made at once, it keeps the one that was made in turn.
        if let Some(turn) = turn {
            let _ = turn.insert(Arc::clone(&made));
        }
        Ok(made)
    }

    fn hold(&self, key: K, made: &Arc<T>) {
        let mut held = self.held.lock();
        let (count, bytes) = held.since;
        held.since = (count + 1, bytes + (self.weight)(&key, made));
        // Once for many values: a pass over all of them takes less than making that many.
        if GONE_MAX < held.since.0 || GONE_BYTES_MAX < held.since.1 {
            held.all.retain(|_, made| 0 < made.strong_count());
            held.since = (0, 0);
        }
        held.all.insert(key, Arc::downgrade(made));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn once(bytes_max: u64) -> SingleFlight<u32, str> {
        SingleFlight::new(bytes_max, 8, |_, made| made.len())
    }

    /// A failure means that twenty readers of one post make it twenty times.
    #[test]
    fn what_many_ask_for_at_once_is_made_once_however_large_it_is() {
        for bytes_max in [1 << 20, 1] {
            let (once, made) = (once(bytes_max), AtomicUsize::new(0));
            let (all, started) = (Barrier::new(8), AtomicUsize::new(0));
            let ask = || {
                all.wait();
                started.fetch_add(1, Ordering::Relaxed);
                once.get_or_make(&7, || {
                    made.fetch_add(1, Ordering::Relaxed);
                    // Until all others are on their way here.
                    while started.load(Ordering::Relaxed) < 8 {
                        std::thread::yield_now();
                    }
                    Ok::<Arc<str>, Infallible>("text".into())
                })
            };
            let found: Vec<_> = std::thread::scope(|scope| {
                let all: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
                all.into_iter().map(|it| it.join().unwrap()).collect()
            });
            // Whoever has it keeps it there.
            assert!(once.get(&7).is_some());
            assert!(found.iter().all(|it| it.as_deref() == Ok("text")));
            assert_eq!(made.load(Ordering::Relaxed), 1, "{bytes_max}");
        }
    }

    /// A failure means that a thread with many readers waits for one whose post is on disk, or that the value it makes meanwhile
    /// is made again for the next.
    #[test]
    fn who_may_not_wait_makes_it_beside_who_makes_it_and_it_is_there_for_others() {
        let once = once(1 << 20);
        let (begun, may_end) = (Barrier::new(2), Barrier::new(2));
        let text = |text: &str| Ok::<Arc<str>, Infallible>(text.into());
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| {
                once.get_or_make(&7, || {
                    begun.wait();
                    may_end.wait();
                    text("slow")
                })
            });
            begun.wait();
            let beside = once.get_or_make_beside(&7, || text("beside")).unwrap();
            let again = once.get_or_make_beside(&7, || text("made again")).unwrap();
            may_end.wait();
            assert_eq!(
                [&*beside, &*again],
                ["beside"; 2],
                "whoever has it keeps it there"
            );
            assert_eq!(slow.join().unwrap().as_deref(), Ok("slow"));
        });
        let kept = once.get_or_make_beside(&7, || text("made again"));
        assert_eq!(kept.as_deref(), Ok("slow"));
        // Alone it is kept too.
        drop(once.get_or_make_beside(&8, || text("alone")));
        assert!(once.get(&8).is_some());
    }

    #[test]
    fn what_nobody_has_and_is_not_kept_is_forgotten() {
        let once = once(1);
        for key in 0..10_000 {
            let made = once.get_or_make(&key, || Ok::<Arc<str>, Infallible>("text".into()));
            assert!(once.get(&key).is_some());
            drop(made);
            assert!(once.get(&key).is_none());
        }
        assert!(once.held.lock().all.len() <= 2 * GONE_MAX);
        // Long ones are forgotten sooner, also beside many that are kept.
        let long: Arc<str> = "x".repeat(GONE_BYTES_MAX / 4).into();
        for key in 0..100 {
            let made = once.get_or_make(&key, || Ok::<Arc<str>, Infallible>(Arc::from(&*long)));
            drop(made);
            assert!(once.held.lock().all.len() <= 2 * GONE_MAX + 5);
        }
        let held = once.held.lock();
        let long = held.all.keys().filter(|key| **key < 100).count();
        assert!(long <= 5, "{long}");
        drop(held);
        let failed = once.get_or_make(&7, || Err::<Arc<str>, _>("failed"));
        assert_eq!(failed, Err("failed"));
        assert!(once.get(&7).is_none(), "and may be tried again");
    }
}
