//! One node of a simulated cluster, beside its engine: its clock, its part of the nodes' log, and what may have befallen it.

use crate::engine::simulation::log::PARTITIONS;
use crate::kept::Kept;
use slackwater_cluster::barrier::Barrier;
use slackwater_cluster::beat::{Beat, Speaks};
use slackwater_cluster::catch_up::Ends;
use slackwater_cluster::moment::Moment;
use slackwater_cluster::node::{Node, Settings};
use slackwater_cluster::serving::Serving;
use slackwater_cluster::shard::ShardSet;
use slackwater_order::time::Time;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a node shows feeds after the sending of a record that it has read back.
pub(super) const LEASE: Duration = Duration::from_secs(4);

/// A relation that was appended by a node and is to be answered when it is in force.
pub(super) struct Pending {
    pub(super) barrier: Barrier,
    pub(super) relation: Relation,
}

/// A relation in the log: whose, none if the instance's, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Relation {
    pub(super) account: Option<usize>,
    pub(super) partition: usize,
    pub(super) offset: usize,
}

/// One node.
pub(super) struct Member {
    pub(super) name: String,
    /// The order in which processes began.
    pub(super) born: u64,
    /// How many processes of it there were.
    pub(super) runs: u32,
    pub(super) cluster: Node,
    /// What its threads that answer look at.
    pub(super) serving: Serving,
    /// The shards whose feeds it was last told to keep.
    pub(super) kept: ShardSet,
    /// How much of the nodes' log it has fetched and read, and where that ended when the process began.
    pub(super) fetched: usize,
    pub(super) read: usize,
    pub(super) began_at: usize,
    /// Records that it sent and that are not in the log.
    pub(super) on_the_way: Vec<Beat>,
    /// The latest moment up to which all was built.
    pub(super) built_max: Time,
    /// Where the log ended when it was last seen.
    pub(super) log_ends: [usize; PARTITIONS],
    /// Where relations end, as it was told, and when it asked.
    pub(super) ends: Option<(Moment, Ends)>,
    /// How many partitions of relations it knows.
    pub(super) shards: u32,
    pub(super) pending: Vec<Pending>,
    /// How far its relations were in force when that was last looked at.
    pub(super) in_force: Ends,
    /// There is no process until then, in milliseconds of the simulation; none if there is one.
    pub(super) down_until: Option<i64>,
    /// Its process stands still until then.
    pub(super) stopped_until: i64,
    /// It is cut off from the log until then.
    pub(super) cut_off_until: i64,
    /// It reads nothing of the nodes' log until then, though it fetches.
    pub(super) reads_from: i64,
    /// What it says of itself is on its way until then.
    pub(super) sends_from: i64,
    /// When its clock began, and how many milliseconds it goes on in a thousand.
    clock: (i64, i64),
}

impl Member {
    pub(super) fn new(name: String, standbys: usize, shards: u32, clock: (i64, i64)) -> Member {
        Member {
            cluster: Node::new(settings(&name, 0, standbys), shards),
            name,
            born: 0,
            runs: 0,
            serving: Serving::default(),
            kept: ShardSet::default(),
            fetched: 0,
            read: 0,
            began_at: 0,
            on_the_way: Vec::new(),
            built_max: Time::default(),
            log_ends: [0; PARTITIONS],
            ends: None,
            shards,
            pending: Vec::new(),
            in_force: Ends::new(),
            down_until: None,
            stopped_until: 0,
            cut_off_until: 0,
            reads_from: 0,
            sends_from: 0,
            clock,
        }
    }

    /// A new process begins, of this name, with the nodes' log as long as it is.
    pub(super) fn begin(&mut self, name: &str, born: u64, standbys: usize, ends_at: usize) {
        self.born = born;
        self.runs += 1;
        self.name = name.to_owned();
        self.cluster = Node::new(settings(name, born, standbys), self.shards);
        self.serving = Serving::default();
        self.kept = ShardSet::default();
        self.fetched = 0;
        self.read = 0;
        self.began_at = ends_at;
        self.on_the_way.clear();
        self.ends = None;
        self.pending.clear();
        self.in_force.clear();
        self.down_until = None;
        self.stopped_until = 0;
        self.reads_from = 0;
        self.sends_from = 0;
    }

    /// Its own clock at a moment of the simulation.
    pub(super) fn clock(&self, now: i64) -> Moment {
        let (began, rate) = self.clock;
        let millis = (now - began) * rate / 1_000;
        Moment::from_millis(u64::try_from(millis).unwrap())
    }

    pub(super) fn is_down(&self) -> bool {
        self.down_until.is_some()
    }

    /// Whether its process runs.
    pub(super) fn runs(&self, now: i64) -> bool {
        !self.is_down() && self.stopped_until <= now
    }

    pub(super) fn is_cut_off(&self, now: i64) -> bool {
        now < self.cut_off_until
    }

    /// Whose feeds its engine is to keep, if that is another than before.
    pub(super) fn take_kept(&mut self) -> Option<Kept> {
        let kept = self.cluster.kept();
        if kept == self.kept {
            return None;
        }
        self.kept = kept.clone();
        Some(kept_of(&kept))
    }
}

pub(super) fn kept_of(shards: &ShardSet) -> Kept {
    Kept::shards(shards.shards, shards.of.iter().copied())
}

fn settings(name: &str, run: u64, standbys: usize) -> Settings {
    Settings {
        node: name.to_owned(),
        run: format!("{name}-{run}"),
        address: format!("http://{name}.example:8787"),
        lease: LEASE,
        standbys,
        decides: "1".to_owned(),
        speaks: Speaks::default(),
        candidate_for: BTreeSet::new(),
        program: "1".to_owned(),
    }
}
