//! One node of a cluster: what it makes of the records it reads, and what it says of itself.
//!
//! | file | what it is |
//! |---|---|
//! | this one | the node, its lease, and what it may answer for |
//! | `placing` | which shards it should have |
//! | `routing` | where the requests of an account go |
//! | `saying` | what it says of itself, and when |

mod placing;
mod routing;
mod saying;

pub use routing::Route;

use crate::barrier::Barrier;
use crate::beat::{Beat, BeatError, Speaks};
use crate::catch_up::{CatchUp, Ends};
use crate::holdings::Holdings;
use crate::moment::Moment;
use crate::seen::Seen;
use crate::serving::{Role, Serving};
use crate::shard::{SHARDS_MAX, ShardSet};
use crate::standing::Standing;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How often a node says that it lives, if its lease is not so short that a quarter of it is less.
pub const BEAT_EVERY: Duration = Duration::from_secs(1);
/// The shortest time between two records, whatever changes.
pub const BEATS_APART: Duration = Duration::from_millis(50);
/// The shortest time between two records while a request waits for one to be read back.
const PROOFS_APART: Duration = Duration::from_millis(5);
/// How long a node that could not be reached is asked last.
pub const AWAY_FOR: Duration = Duration::from_secs(5);
/// How long a shard that was claimed for a request is served after that was last done.
const CLAIMED_FOR: Duration = Duration::from_secs(30);
/// How long a node that could not be reached counts for nothing when this one considers where shards are. As long as a claim: else every
/// claim of a shard of it would be given back to it, and be taken again.
const SHUNNED_FOR: Duration = CLAIMED_FOR;
/// How long a node that is about to stop waits for others to take its shards.
pub const LEAVE_WAIT: Duration = Duration::from_secs(2);
/// The most records that may be on their way at once. More are sent no oftener than by the clock, and extend no lease.
const SENT_MAX: usize = 256;
/// The most processes of its name before it that a node tells from one that takes its place.
const RUNS_MAX: usize = 256;

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its name, the same after every start.
    pub node: String,
    /// This process, by a name of its own.
    pub run: String,
    /// Where other nodes reach it.
    pub address: String,
    /// How long it shows feeds after the sending of a record that it has read back.
    pub lease: Duration,
    /// How many further nodes keep a shard's feeds.
    pub standbys: usize,
    /// The hash of all that decides feeds and ids.
    pub decides: String,
    /// The versions that it reads and writes.
    pub speaks: Speaks,
    /// Work of which there is one in the cluster, and that this node would do.
    pub candidate_for: BTreeSet<String>,
    /// The version of its program.
    pub program: String,
}

/// How far the node has come with the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many partitions the relationships topic has.
    pub shards: u32,
    /// By partition of it: the next record that is not in force, so that what it hides is shown.
    pub taken: Ends,
    /// By partition of it: the next record that is not in force and carried out.
    pub in_force: Ends,
    /// Whether the relations that were in the log at the start are in force.
    pub has_relations: bool,
    /// Whether the log is read up to where it ended at the start.
    pub is_caught_up: bool,
    /// All that arrived here before is in the log, in milliseconds since 1970.
    pub settled: Option<i64>,
    /// By partition, as `activities/0`: up to where its dead letters are written.
    pub letters: BTreeMap<String, i64>,
}

/// What keeps a node from serving, but for its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Barred {
    /// It has other settings than the oldest node.
    Differs,
    /// A newer process has its name.
    Superseded,
}

/// What says which shards a node should serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// Rendezvous hashing over the nodes that live.
    ByHash,
    /// The consumer group, which has not said so yet.
    Awaited,
    /// The consumer group, which gives these.
    Shards(BTreeSet<u32>),
}

/// One node.
#[derive(Debug)]
pub struct Node {
    settings: Settings,
    standing: Standing,
    /// The topic was read up to where it ended at the start: all others are known.
    is_started: bool,
    n: u64,
    /// The records on their way: their numbers, and when each was sent.
    sent: VecDeque<(u64, Moment)>,
    last_sent: Option<Moment>,
    /// What the last record said of that which others wait for.
    last_said: Option<Beat>,
    /// Requests wait for records that are sent at these moments, the earliest and the latest of them, or later. They may be yet to come.
    proof_wanted: Option<(Moment, Moment)>,
    proved: Option<Moment>,
    lease_until: Option<Moment>,
    epoch: u64,
    /// What is to be done before any feed is shown.
    opening: CatchUp,
    /// Records say that it shows feeds of nobody, or is about to.
    shows: bool,
    holdings: Holdings,
    given: Given,
    /// The shards that it should serve, as of its last turn.
    owns: BTreeSet<u32>,
    /// The nodes that could not be reached, and when last.
    away: BTreeMap<String, Moment>,
    /// Shards that were claimed for requests, and when last.
    claimed: BTreeMap<u32, Moment>,
    progress: Progress,
    leaving: Option<Moment>,
    /// The first record which said that it has left.
    left: Option<u64>,
    /// The newest record that was read back.
    last_read: u64,
    /// The processes of this name that were there before a record of this one: the newest of them.
    runs_before: VecDeque<String>,
    /// The offset of the first record of this process.
    began: Option<i64>,
    is_superseded: bool,
    /// The lease ended: others may do the work of which there is one, so this node stands behind them.
    stands_back: bool,
}

impl Node {
    /// A node that has read nothing.
    pub fn new(settings: Settings, shards: u32) -> Node {
        Node {
            settings,
            standing: Standing::default(),
            is_started: false,
            n: 0,
            sent: VecDeque::new(),
            last_sent: None,
            last_said: None,
            proof_wanted: None,
            proved: None,
            lease_until: None,
            epoch: 0,
            opening: CatchUp::ReadBack { n: u64::MAX },
            shows: false,
            holdings: Holdings::new(shards),
            given: Given::ByHash,
            owns: BTreeSet::new(),
            away: BTreeMap::new(),
            claimed: BTreeMap::new(),
            progress: Progress {
                shards,
                ..Progress::default()
            },
            leaving: None,
            left: None,
            last_read: 0,
            runs_before: VecDeque::new(),
            began: None,
            is_superseded: false,
            stands_back: false,
        }
    }

    /// Takes in a record of the topic, in the order of offsets. A record without a value says nothing.
    ///
    /// Errors: the record is none of a node; it changes nothing but that its node may serve anything.
    pub fn read(
        &mut self,
        offset: i64,
        key: &str,
        value: Option<&[u8]>,
        now: Moment,
    ) -> Result<(), BeatError> {
        let Some(value) = value else {
            return Ok(());
        };
        let run = |seen: &Seen| seen.beat.as_ref().map(|beat| beat.run.clone());
        let before = self.standing.node(key).and_then(run);
        let seen = self.standing.read(offset, key, value, now)?;
        if before != run(seen) {
            // A new process may be reached where the one before was not.
            self.away.remove(key);
        }
        if key != self.settings.node {
            return Ok(());
        }
        let Some(beat) = &seen.beat else {
            return Ok(());
        };
        if beat.run == self.settings.run {
            let n = beat.n;
            self.began = Some(seen.since);
            self.read_back(n, now);
        } else if self.proved.is_none() {
            // Behind it stands this process.
            if RUNS_MAX <= self.runs_before.len() {
                self.runs_before.pop_front();
            }
            self.runs_before.push_back(beat.run.clone());
        } else if !self.runs_before.contains(&beat.run) {
            // One that began earlier was stopped for so long that nothing was left of it in the topic. It ends when it reads of this.
            let is_older = beat.began.zip(self.began).is_some_and(|(it, own)| it < own);
            self.is_superseded |= !is_older;
        }
        Ok(())
    }

    /// The topic was read up to where it ended at the start.
    pub fn start(&mut self) {
        self.is_started = true;
        self.standing.watch();
    }

    /// The settings that decide feeds and ids are others now.
    pub fn set_decides(&mut self, decides: String) {
        self.settings.decides = decides;
    }

    /// What says which shards this node should serve. Before it is said, rendezvous hashing does.
    pub fn give(&mut self, given: Given) {
        self.given = given;
    }

    /// The shards that it should serve, by group or hashing, as of its last turn.
    pub fn owns(&self) -> &BTreeSet<u32> {
        &self.owns
    }

    /// How far the node has come with the log.
    pub fn advance(&mut self, progress: Progress) {
        let shards = progress.shards.clamp(1, SHARDS_MAX);
        let progress = Progress { shards, ..progress };
        self.holdings.grow(progress.shards);
        self.opening.reached(&progress.taken);
        self.holdings.reached(&progress.taken);
        self.progress = progress;
    }

    /// Whether the log is to be asked where relations end.
    pub fn asks_ends(&self) -> bool {
        self.opening.asks() || self.holdings.asks()
    }

    /// The log said where relations end. It was asked at `asked` or later.
    pub fn ends(&mut self, asked: Moment, ends: &Ends) {
        self.opening.ends(asked, ends);
        self.holdings.ends(asked, ends);
        self.opening.reached(&self.progress.taken);
        self.holdings.reached(&self.progress.taken);
    }

    /// A request waits for a record that is sent at `from` or later to be read back.
    pub fn want_proof(&mut self, from: Moment) {
        let (earliest, latest) = self.proof_wanted.unwrap_or((from, from));
        self.proof_wanted = Some((earliest.min(from), latest.max(from)));
    }

    /// The node is about to stop: others take its shards.
    pub fn leave(&mut self, now: Moment) {
        self.leaving.get_or_insert(now);
    }

    /// Whether it has left: it serves nothing, and has read back that it said so; or it never can.
    pub fn has_left(&self) -> bool {
        self.is_superseded || self.left.is_some_and(|left| left <= self.last_read)
    }

    /// Does what is due, and returns the record to be sent, if one is. It counts as sent at `now`. What may be answered for
    /// ([`Self::serving`]) is published before the record is sent: whoever reads it counts on what it says.
    pub fn turn(&mut self, now: Moment) -> Option<Beat> {
        self.away.retain(|_, since| now < since.plus(SHUNNED_FOR));
        if self.lease_until.is_some_and(|until| until <= now) {
            self.lapse();
        }
        if !self.is_started || self.is_superseded {
            self.holdings.clear();
            return None;
        }
        if !self.shows && self.progress.has_relations {
            self.shows = true;
            self.opening = CatchUp::ReadBack { n: self.n + 1 };
        }
        self.owns = self.find_own();
        self.choose(now);
        if SENT_MAX <= self.sent.len() {
            // Those that are read back later extend no lease.
            let lease = self.settings.lease;
            self.sent.retain(|(_, sent)| now < sent.plus(lease));
        }
        if !self.is_due(now) {
            return None;
        }
        self.n += 1;
        let beat = Beat {
            n: self.n,
            ..self.describe()
        };
        self.stands_back = false;
        if beat.has_left() {
            self.left.get_or_insert(beat.n);
        }
        self.last_said = Some(beat.clone());
        self.last_sent = Some(now);
        if self.has_room() {
            self.sent.push_back((self.n, now));
            // Those that are wanted from a later moment on are not proved by this one.
            let latest = self.proof_wanted.map(|(_, latest)| latest);
            let left = latest.filter(|latest| now < *latest);
            self.proof_wanted = left.map(|latest| (latest, latest));
        }
        Some(beat)
    }

    /// When [`Self::turn`] has something to do at the latest, if nothing happens.
    pub fn next_turn(&self, now: Moment) -> Moment {
        if !self.is_started || self.is_superseded {
            return now.plus(self.beat_every());
        }
        let lease = self.lease_until.filter(|until| now < *until);
        let next = self.next_beat(now);
        lease.map_or(next, |until| next.min(until))
    }

    /// What this node may answer for, as far as it knows now.
    pub fn serving(&self) -> Serving {
        let of = |role| ShardSet {
            shards: self.holdings.shards(),
            of: self.holdings.ready(role),
        };
        Serving {
            epoch: self.epoch,
            lease_until: self.lease_until,
            is_open: self.opening.is_done() && self.barred().is_none() && !self.has_dropped_all(),
            serves: of(Role::Serves),
            standby: of(Role::StandsBy),
        }
    }

    /// The shards that it has, in whatever way.
    pub fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    /// The shards whose feeds are to be kept here.
    pub fn kept(&self) -> ShardSet {
        ShardSet {
            shards: self.holdings.shards(),
            of: self.holdings.kept(),
        }
    }

    /// Whether relations are in force wherever they matter.
    pub fn is_in_force(&self, barrier: &Barrier) -> bool {
        barrier.is_passed(
            &self.settings.run,
            &self.progress.in_force,
            &self.standing,
            self.proved,
        )
    }

    /// What all nodes said.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The moment at which this node sent the newest record that it has read back.
    pub fn proved(&self) -> Option<Moment> {
        self.proved
    }

    /// What keeps it from serving, but for its lease.
    pub fn barred(&self) -> Option<Barred> {
        if self.is_superseded {
            return Some(Barred::Superseded);
        }
        let oldest = self.standing.oldest(self.proved?)?;
        let differs = oldest.run != self.settings.run && oldest.decides != self.settings.decides;
        differs.then_some(Barred::Differs)
    }

    /// Whether one more record can be followed until it is read back.
    fn has_room(&self) -> bool {
        self.sent.len() < SENT_MAX
    }

    /// Whether this node does the work of which there is one, under a good lease.
    pub fn works(&self, work: &str, now: Moment) -> bool {
        let Some(proved) = self.proved.filter(|_| self.serving().is_leased(now)) else {
            return false;
        };
        self.leaving.is_none()
            && self.standing.worker(work, proved) == Some(self.settings.node.as_str())
    }

    /// The least of what all other live nodes say is settled; none if none of them says so.
    pub fn settled_elsewhere(&self) -> Option<i64> {
        let proved = self.proved?;
        let others = self
            .standing
            .heard(proved)
            .filter(|beat| beat.node != self.settings.node && !beat.has_left());
        others.filter_map(|beat| beat.settled).min()
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn read_back(&mut self, n: u64, now: Moment) {
        let Some(at) = self.sent.iter().position(|(sent, _)| *sent == n) else {
            return;
        };
        let Some((_, sent)) = self.sent.drain(..=at).next_back() else {
            return;
        };
        self.last_read = n;
        self.proved = Some(sent);
        self.standing.forget_gone(sent);
        let until = sent.plus(self.settings.lease);
        if until <= now {
            return;
        }
        if self.lease_until.is_some_and(|before| before <= now) {
            self.lapse();
        }
        self.lease_until = Some(until);
        self.opening.read_back(n, now);
        self.holdings.read_back(n, now);
    }

    /// The lease ended. Somebody may have counted this node as gone.
    fn lapse(&mut self) {
        self.epoch += 1;
        self.lease_until = None;
        self.stands_back = true;
        self.opening.begin_again();
        self.holdings.lapse();
    }

    /// Whether it is about to stop and has given all away.
    fn has_dropped_all(&self) -> bool {
        self.left.is_some()
    }
}

#[cfg(test)]
mod tests;
