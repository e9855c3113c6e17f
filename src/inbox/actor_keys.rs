//! The keys of actors: fetched once, cached, and fetched again when a signature says that there may be another.

use super::fetch_budget::FetchBudget;
use super::key_document::key_of;
use super::key_fetch::KeyFetch;
use super::not_recorded::NotRecorded;
use super::public_key::PublicKey;
use crate::clock;
use crate::operator::metrics::Metrics;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use slackwater_engine::id;
use slackwater_order::time::{Time, millis_of};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

/// The bytes of all keys in memory: some 100,000 of them. The ones that were not used for longest go first, and are fetched again.
const KEYS_BYTES_MAX: u64 = 64 << 20;
/// What a key takes beside its bytes and its names.
const KEY_BYTES: usize = 256;
/// The number of keys that the cache is laid out for.
const KEYS_EXPECTED: usize = 100_000;
/// How long a key is used without being fetched again: a key that its owner gave up is good for no longer.
const KEY_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How long it is believed that there is no key.
const NO_KEY_AGE_MAX: Duration = Duration::from_secs(60);
/// How long ago a key must have been fetched to be fetched again for a signature that it did not make: whoever makes signatures up
/// costs an actor's server no more.
const REFETCH_AGE_MIN: Duration = Duration::from_secs(10);

/// How long after a fetch that failed it is tried once more.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The keys that are known.
#[derive(Debug)]
pub(super) struct ActorKeys {
    cache: Cache<KeyName, Arc<KnownKey>, KeyWeight>,
    fetch: KeyFetch,
    budget: FetchBudget,
    metrics: Arc<Metrics>,
}

/// A key as activities name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KeyName {
    actor: String,
    key_id: String,
}

/// The key of a name, or that it has none.
#[derive(Debug)]
pub(super) struct KnownKey {
    pub(super) key: Option<PublicKey>,
    fetched: Time,
    /// When it was last fetched in vain for a signature that it did not make. Held while it is fetched again.
    refetched: Mutex<Time>,
}

/// The outcome of a fetch.
enum Fetched {
    Key(PublicKey),
    /// The actor's server says that there is no such key.
    NoKey,
    /// It says nothing, and may in a moment.
    Failed,
    /// It says nothing to us.
    Refused,
}

/// The bytes that a key takes.
#[derive(Clone, Debug)]
struct KeyWeight;

impl Weighter<KeyName, Arc<KnownKey>> for KeyWeight {
    fn weight(&self, name: &KeyName, known: &Arc<KnownKey>) -> u64 {
        let key = known.key.as_ref().map_or(0, PublicKey::len);
        let bytes = KEY_BYTES + name.actor.len() + name.key_id.len() + key;
        bytes as u64
    }
}

impl KeyName {
    /// The key `key_id` of an actor. Errors: it is no id, or of another host than the actor.
    pub(super) fn new(actor: String, key_id: &str) -> Result<KeyName, NotRecorded> {
        let key_id = id::check("keyId", key_id).map_err(|_| NotRecorded::Unsigned)?;
        match id::same_origin(&actor, key_id) {
            true => Ok(KeyName {
                key_id: key_id.to_owned(),
                actor,
            }),
            false => Err(NotRecorded::NotTheActor),
        }
    }
}

impl ActorKeys {
    /// No keys yet.
    pub(super) fn new(fetch: KeyFetch, metrics: Arc<Metrics>) -> ActorKeys {
        ActorKeys {
            cache: Cache::with_weighter(KEYS_EXPECTED, KEYS_BYTES_MAX, KeyWeight),
            fetch,
            budget: FetchBudget::new(),
            metrics,
        }
    }

    /// The key of this name, if it is cached. It waits for nothing.
    pub(super) fn cached(&self, name: &KeyName) -> Option<Arc<KnownKey>> {
        let known = self.cache.get(name)?;
        known.is_fresh(clock::now()).then_some(known)
    }

    /// The key of this name: cached, or fetched, for all that wait for it at once. Errors: too many wait for keys of its domain.
    pub(super) async fn key(&self, name: &KeyName) -> Result<Arc<KnownKey>, NotRecorded> {
        let url = Url::parse(&name.actor).map_err(|_| NotRecorded::NoKey)?;
        let _wait = self.budget.wait(&url).ok_or(NotRecorded::Busy)?;
        loop {
            match self.cache.get_value_or_guard_async(name).await {
                Ok(known) if known.is_fresh(clock::now()) => return Ok(known),
                Ok(stale) => {
                    let is_stale = |there: &Arc<KnownKey>| Arc::ptr_eq(there, &stale);
                    self.cache.remove_if(name, is_stale);
                }
                Err(guard) => {
                    let mut fetched = self.fetch(name, &url).await;
                    if matches!(fetched, Fetched::Failed) {
                        tokio::time::sleep(AGAIN_AFTER).await;
                        fetched = self.fetch(name, &url).await;
                    }
                    let key = match fetched {
                        Fetched::Key(key) => Some(key),
                        Fetched::NoKey | Fetched::Failed | Fetched::Refused => None,
                    };
                    let known = Arc::new(KnownKey::new(key, clock::now()));
                    // If it was removed in the meantime, it is fetched again when it is asked for again.
                    let _ = guard.insert(Arc::clone(&known));
                    return Ok(known);
                }
            }
        }
    }

    /// Another key than this one, which did not make a signature; none if there is no other, or it was fetched just now. This one
    /// stays as long as its server does not say otherwise: that it is away at the moment takes nobody's key.
    pub(super) async fn newer(
        &self,
        name: &KeyName,
        than: &Arc<KnownKey>,
    ) -> Result<Option<Arc<KnownKey>>, NotRecorded> {
        let url = Url::parse(&name.actor).map_err(|_| NotRecorded::NoKey)?;
        let _wait = self.budget.wait(&url).ok_or(NotRecorded::Busy)?;
        let mut refetched = than.refetched.lock().await;
        match self.cached(name) {
            Some(other) if !Arc::ptr_eq(&other, than) => return Ok(Some(other)),
            _ => {}
        }
        let last = than.fetched.max(*refetched);
        let is_too_early = clock::now().since(last) < millis_of(REFETCH_AGE_MIN);
        if is_too_early || !self.budget.may_fetch_again(&url) {
            return Ok(None);
        }
        let key = match self.fetch(name, &url).await {
            Fetched::Key(key) if Some(&key) != than.key.as_ref() => Some(key),
            Fetched::NoKey => None,
            Fetched::Key(_) | Fetched::Failed | Fetched::Refused => {
                *refetched = clock::now();
                return Ok(None);
            }
        };
        let known = Arc::new(KnownKey::new(key, clock::now()));
        self.cache.insert(name.clone(), Arc::clone(&known));
        Ok(Some(known))
    }

    /// The key as its actor's server has it. The actor's own document is asked for first. A server that shows that to nobody without
    /// a signature may show the key alone at its own address, with the actor's id (GoToSocial).
    async fn fetch(&self, name: &KeyName, actor: &Url) -> Fetched {
        let mut places = vec![actor.clone()];
        if let Ok(mut of_key) = Url::parse(&name.key_id) {
            of_key.set_fragment(None);
            if of_key != *actor {
                places.push(of_key);
            }
        }
        let mut fetched = Fetched::Refused;
        for url in places {
            let turn = self.budget.turn(&url).await;
            let document = self.fetch.document(&url, clock::now()).await;
            drop(turn);
            let outcome = match document {
                Ok(document) => match key_of(&document, &name.actor, &name.key_id) {
                    Some(key) => {
                        self.metrics.inbox.key_fetch("key");
                        return Fetched::Key(key);
                    }
                    None => {
                        fetched = Fetched::NoKey;
                        "no_key"
                    }
                },
                Err(error) => {
                    tracing::debug!(%url, %error, "no key from {url}: {error}");
                    if error.may_pass() && !matches!(fetched, Fetched::NoKey) {
                        fetched = Fetched::Failed;
                    }
                    "failed"
                }
            };
            self.metrics.inbox.key_fetch(outcome);
        }
        fetched
    }
}

impl KnownKey {
    fn new(key: Option<PublicKey>, fetched: Time) -> KnownKey {
        KnownKey {
            key,
            fetched,
            refetched: Mutex::new(fetched),
        }
    }

    fn is_fresh(&self, now: Time) -> bool {
        let age_max = match self.key {
            Some(_) => KEY_AGE_MAX,
            None => NO_KEY_AGE_MAX,
        };
        now.since(self.fetched) < millis_of(age_max)
    }
}
