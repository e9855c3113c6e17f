//! This node among others on one Kafka: it says that it lives, learns who the others are, and knows for which accounts it may answer.
//!
//! What is decided is decided in [`slackwater_cluster`], by records, answers and moments. Here it meets the topic, the clock and the
//! threads that answer requests.
//!
//! | file | what it is |
//! |---|---|
//! | this one | [`Cluster`], the handle that requests ask |
//! | [`turns`] | the thread that reads what the nodes say, and says what this one does |
//! | `options` | what the configuration says of it |
//! | `counting` | what the metrics say of it |
//! | `placement` | the cluster as requests see it |
//! | [`warming`] | the feeds of accounts that are awake at another node, kept here too |
//! | [`agreement`] | the hash of all that decides feeds and ids |
//! | [`status`] | the nodes and their shards, for people and backends |

pub mod agreement;
mod counting;
mod options;
mod placement;
pub mod status;
pub mod turns;
pub mod warming;

pub use options::{Assignment, Options};

use crate::api::auth::secret::Secret;
use crate::clock;
use crate::operator::metrics::Metrics;
use parking_lot::Mutex;
use slackwater_cluster::barrier::Barrier;
use slackwater_cluster::moment::Moment;
use slackwater_cluster::node::{Barred, Node, Route, Settings};
use slackwater_cluster::serving::{self, Role, Serving};
use slackwater_cluster::shard::{AccountHash, ShardSet};
use slackwater_engine::record::Position;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;
use tokio::sync::watch;
use turns::Event;

/// How long an account that is claimed for a request may take until it is answered for here.
const CLAIM_WAIT: Duration = Duration::from_secs(2);

/// How long a request waits for this node's own lease.
const LEASE_WAIT: Duration = Duration::from_millis(500);

/// The cluster as this node knows it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cluster(Arc<Inner>);

/// The right to show feeds of an account, or of nobody, given at one moment.
#[derive(Clone, Debug)]
pub struct Permit {
    cluster: Cluster,
    permit: serving::Permit,
}

#[derive(Debug)]
struct Inner {
    node: Mutex<Node>,
    secret: Secret,
    /// What this node may answer for. A newer value is sent before the record that says so is.
    serving: watch::Sender<Serving>,
    kept: watch::Sender<ShardSet>,
    settled_elsewhere: watch::Sender<Option<i64>>,
    /// Changes whenever a record was read or this node came further.
    changed: watch::Sender<()>,
    barred: watch::Sender<Option<Barred>>,
    /// Why what this node says does not come back, if that is known.
    trouble: watch::Sender<Option<String>>,
    /// What permits rest on. It changes seldom, so that those who wait for the end of theirs are not woken at every record.
    held: watch::Sender<Held>,
    /// The nodes that are there, by name.
    live: watch::Sender<BTreeSet<String>>,
    events: SyncSender<Event>,
    metrics: Arc<Metrics>,
}

/// What this node may answer for, but for how long its lease lasts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    epoch: u64,
    is_leased: bool,
    serves: ShardSet,
    standby: ShardSet,
}

impl Held {
    fn of(serving: &Serving, now: Moment) -> Held {
        Held {
            epoch: serving.epoch,
            is_leased: serving.is_leased(now),
            serves: serving.serves.clone(),
            standby: serving.standby.clone(),
        }
    }
}

/// This moment, by the clock that leases are measured by.
pub fn moment() -> Moment {
    Moment::from_millis(u64::try_from(clock::since_boot().as_millis()).unwrap_or(u64::MAX))
}

impl Cluster {
    fn new(
        settings: Settings,
        secret: Secret,
        shards: u32,
        events: SyncSender<Event>,
        metrics: Arc<Metrics>,
    ) -> Cluster {
        let none = ShardSet {
            shards,
            of: BTreeSet::new(),
        };
        Cluster(Arc::new(Inner {
            node: Mutex::new(Node::new(settings, shards)),
            secret,
            serving: watch::Sender::new(Serving::default()),
            kept: watch::Sender::new(none),
            settled_elsewhere: watch::Sender::new(None),
            changed: watch::Sender::new(()),
            barred: watch::Sender::new(None),
            trouble: watch::Sender::new(None),
            held: watch::Sender::default(),
            live: watch::Sender::new(BTreeSet::new()),
            events,
            metrics,
        }))
    }

    /// Where the requests of an account go.
    pub(super) fn route_of(&self, account: &str) -> Route {
        let (account, now) = (AccountHash::of(account), moment());
        // Mostly it is here, and nobody has to wait for the node's turn.
        if self.0.serving.borrow().role(account, now) == Some(Role::Serves) {
            return Route::Here(Role::Serves);
        }
        self.0.node.lock().route(account, now)
    }

    /// The right to show feeds of an account, or of nobody, if this node may: as the account's node, or in that one's place.
    fn permit_for(&self, account: Option<&str>) -> Option<Permit> {
        let account = account.map(AccountHash::of);
        let permit = self.0.serving.borrow().permit(account, moment())?;
        Some(Permit {
            cluster: self.clone(),
            permit,
        })
    }

    /// Makes this node answer for an account whose nodes cannot be reached, unless another one can be asked by now (`is_elsewhere`). It waits
    /// until one of both is so, for [`CLAIM_WAIT`] at most, and less without a lease.
    async fn claim_for(&self, account: &str, is_elsewhere: impl Fn() -> bool) {
        let (hash, now) = (AccountHash::of(account), moment());
        let mut changed = self.0.changed.subscribe();
        let is_here = || self.0.serving.borrow().role(hash, moment()).is_some();
        let is_placed = || is_here() || is_elsewhere();
        if is_placed() {
            return;
        }
        self.0.node.lock().claim(hash, now);
        self.poke();
        let placed = async {
            while !is_placed() {
                // The sender lives as long as this.
                let _ = changed.changed().await;
            }
        };
        // Without a lease nothing can be claimed: one that comes back does so at once.
        let is_leased = self.0.serving.borrow().is_leased(now);
        let wait = if is_leased { CLAIM_WAIT } else { LEASE_WAIT };
        // Whether it was placed, the next look says.
        let _ = tokio::time::timeout(wait, placed).await;
    }

    /// A connection to a node failed: it is asked last for some seconds.
    fn is_away(&self, node: &str) {
        self.0.node.lock().mark_away(node, moment());
        self.poke();
    }

    /// Waits until nothing was heard of a node for so long that it shows no feeds.
    async fn until_gone(&self, node: &str) {
        let mut live = self.0.live.subscribe();
        // The sender lives as long as this.
        let _ = live.wait_for(|live| !live.contains(node)).await;
    }

    fn secret_of_nodes(&self) -> &Secret {
        &self.0.secret
    }

    /// Waits until relations that were appended before are in force on every node that may show their accounts. Each is the account and
    /// the position of its record. It waits for ever if a node never gets there.
    async fn until_in_force(&self, relations: Vec<(String, Position)>) {
        let now = moment();
        let records = relations.iter().map(|(account, position)| {
            let partition = u32::try_from(position.partition).unwrap_or(u32::MAX);
            (account.as_str(), partition, position.offset)
        });
        let barrier = Barrier::new(records, now);
        let mut changed = self.0.changed.subscribe();
        self.0.node.lock().want_proof(barrier.proof_wanted());
        self.poke();
        while !self.0.node.lock().is_in_force(&barrier) {
            // The sender lives as long as this.
            let _ = changed.changed().await;
        }
        let waited = moment().since(now);
        self.0.metrics.cluster.in_force_seconds.observe(waited);
    }

    /// Why this node shows no feeds, if it does not.
    fn why_not_serving(&self) -> Option<String> {
        let reason = match *self.0.barred.borrow() {
            Some(Barred::Superseded) => "another process runs under the name of this node",
            Some(Barred::Differs) => {
                "the settings that decide feeds and ids are not those of the oldest node: feed.length, \
                 feed.boost_repeat_after, feed.keep_objects, ordering.place, ordering.clock_skew, mastodon.ids, and origins that surface \
                 or drop"
            }
            None if !self.0.serving.borrow().is_leased(moment()) => {
                if let Some(trouble) = &*self.0.trouble.borrow() {
                    return Some(format!("Kafka does not give back its records: {trouble}"));
                }
                "Kafka does not give back what this node says, or its relations are still being read"
            }
            None => return None,
        };
        Some(reason.to_owned())
    }

    /// Whether another process has taken the name of this node.
    pub fn is_superseded(&self) -> bool {
        *self.0.barred.borrow() == Some(Barred::Superseded)
    }

    /// Waits until another process has taken the name of this node.
    pub async fn superseded(&self) {
        let mut barred = self.0.barred.subscribe();
        let is_it = |barred: &Option<Barred>| *barred == Some(Barred::Superseded);
        // The sender lives as long as this.
        let _ = barred.wait_for(is_it).await;
    }

    /// Whether this node does the work of this name, which one node at a time does.
    fn does(&self, work: &str) -> bool {
        self.0.node.lock().works(work, moment())
    }

    /// The shards whose feeds are to be kept here.
    pub fn kept(&self) -> watch::Receiver<ShardSet> {
        self.0.kept.subscribe()
    }

    /// All that arrived at another node before this is in the log, in milliseconds since 1970.
    pub fn settled_elsewhere(&self) -> watch::Receiver<Option<i64>> {
        self.0.settled_elsewhere.subscribe()
    }

    /// The settings that decide feeds and ids are others now.
    pub fn set_decides(&self, decides: String) {
        self.0.node.lock().set_decides(decides);
        self.poke();
    }

    /// Gives the shards of this node away, and says so. It takes some seconds at most.
    pub async fn leave(&self) {
        self.0.node.lock().leave(moment());
        self.poke();
        let mut changed = self.0.changed.subscribe();
        let leaving = async {
            while !self.0.node.lock().has_left() {
                let _ = changed.changed().await;
            }
        };
        let wait = slackwater_cluster::node::LEAVE_WAIT + Duration::from_secs(1);
        if tokio::time::timeout(wait, leaving).await.is_err() {
            tracing::warn!(
                "Kafka did not take in time that this node leaves: its shards are taken when its lease is over"
            );
        }
    }

    /// Ends the node's thread, when nobody waits for anything of it any more.
    pub fn stop(&self) {
        // If the queue is full, the thread ends with the process.
        let _ = self.0.events.try_send(Event::Stop);
    }

    fn poke(&self) {
        let _ = self.0.events.try_send(Event::Poke);
    }
}

impl Permit {
    /// Whether what was looked at with it may be shown.
    fn is_still_good(&self) -> bool {
        self.cluster
            .0
            .serving
            .borrow()
            .is_good(self.permit, moment())
    }

    /// Waits until it is not good any more, as the node's thread finds.
    async fn until_ended(&self) {
        let mut held = self.cluster.0.held.subscribe();
        while self.is_still_good() {
            // The sender lives as long as this.
            let _ = held.changed().await;
        }
    }
}
