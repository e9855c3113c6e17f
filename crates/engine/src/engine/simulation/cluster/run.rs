//! One seed: turns of nodes, relations that are appended and answered, and the end, when all faults are over.

use super::counted::Counted;
use super::member::{Member, Pending, Relation};
use super::shown::{Look, Shown};
use crate::engine::simulation::log::{
    ACCOUNTS, ACTIVITY_PARTITIONS, AUTHORS, FeedKind, PARTITIONS,
};
use crate::engine::simulation::reader::{Habit, Reader};
use crate::engine::simulation::run::Run;
use crate::record::Position;
use fastrand::Rng;
use slackwater_cluster::barrier::Barrier;
use slackwater_cluster::beat::Beat;
use slackwater_cluster::catch_up::Ends;
use slackwater_cluster::node::{Barred, Given, Progress};
use slackwater_fediverse::event::{Action, Event, INSTANCE, Moderated, RelationChoice, Writing};
use slackwater_order::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// Steps of a seed.
const STEPS: usize = 70;
/// Nodes there are at first, and processes that may come.
pub(super) const NODES: usize = 3;
pub(super) const MEMBERS: usize = NODES + 1;
/// After all faults every account is shown after so many rounds, each of [`ROUND_MS`].
const ROUNDS_MAX: u64 = 60;
const ROUND_MS: i64 = 500;

pub(super) struct Cluster {
    /// Engines, the log, time and dice.
    pub(super) run: Run,
    pub(super) members: Vec<Member>,
    /// Each record with its key; none where a newer one of that key has taken its place.
    pub(super) nodes_log: Vec<Option<(String, Vec<u8>)>>,
    pub(super) readers: Vec<Reader>,
    pub(super) looks: Vec<Look>,
    pub(super) answered: Vec<Relation>,
    /// Pairs of nodes that cannot reach each other, and until when.
    pub(super) apart: BTreeMap<(usize, usize), i64>,
    pub(super) standbys: usize,
    /// What the consumer group gives each node; none if there is no group.
    pub(super) group: Option<Vec<BTreeSet<u32>>>,
    /// How far each account was shown without a cursor, and by which node.
    pub(super) horizons: Vec<Shown>,
    pub(super) begun: i64,
    /// About when the lease of a node ends that was cut off on purpose.
    pub(super) lease_ends_at: Option<i64>,
    pub(super) counted: Counted,
}

/// Runs one seed. Panics where something is not as it must be.
pub(super) fn run(seed: u64) -> Counted {
    let mut cluster = Cluster::draw(seed);
    for _ in 0..STEPS {
        cluster.step();
    }
    cluster.recover();
    cluster.counted.seeds = 1;
    cluster.counted
}

impl Cluster {
    fn draw(seed: u64) -> Cluster {
        let mut run = Run::of_cluster(seed, MEMBERS);
        let standbys = run.dice.usize(..2);
        let begun = run.now;
        let member = |(number, dice): (usize, &mut Rng)| {
            // Clocks go apart by eight in a hundred at most.
            let rate = [960, 960, 1_000, 1_040, 1_040][dice.usize(..5)];
            let clock = (begun - dice.i64(0..100_000), rate);
            Member::new(format!("n{number}"), standbys, 2, clock)
        };
        let mut members = Vec::new();
        for number in 0..MEMBERS {
            members.push(member((number, &mut run.dice)));
        }
        let mut readers = Vec::new();
        for account in 0..ACCOUNTS.len() {
            for _ in 0..2 {
                let of = (account, FeedKind::Home);
                readers.push(Reader::new(of, Habit::Roams, !run.taste.calm, &run.log));
            }
        }
        let has_group = run.dice.bool();
        let mut cluster = Cluster {
            run,
            members,
            nodes_log: Vec::new(),
            readers,
            looks: Vec::new(),
            answered: Vec::new(),
            apart: BTreeMap::new(),
            standbys,
            group: has_group.then(|| vec![BTreeSet::new(); MEMBERS]),
            horizons: Vec::new(),
            begun,
            lease_ends_at: None,
            counted: Counted::default(),
        };
        for member in 0..MEMBERS {
            cluster.members[member].down_until = Some(i64::MAX);
            if member < NODES {
                let name = cluster.members[member].name.clone();
                cluster.begin(member, &name);
            }
        }
        cluster.regroup(false);
        cluster
    }

    fn step(&mut self) {
        self.pass_time();
        self.befall();
        self.append();
        // Who answers a request is not who keeps the lease: where both stood still, either goes on first.
        if self.run.dice.bool() {
            self.go_on_looking();
        }
        let mut order: Vec<usize> = (0..MEMBERS).collect();
        self.run.dice.shuffle(&mut order);
        for member in order {
            if self.run.dice.u8(..8) != 0 {
                let before = self.members[member].serving.serves.clone();
                self.turn(member);
                self.race(member, &before);
            } else {
                self.deliver(member);
            }
            self.run.now += self.run.dice.i64(0..30);
            if self.run.dice.u8(..3) == 0 {
                self.go_on_looking();
            }
        }
        for _ in 0..self.run.dice.usize(..4) {
            self.ask();
        }
        self.ask_again();
        self.go_on_looking();
        self.count();
    }

    fn pass_time(&mut self) {
        let dice = &mut self.run.dice;
        if let Some(ends_at) = self.lease_ends_at {
            // From a little before to a little after, in small steps.
            let from = ends_at - 220;
            self.run.now = match self.run.now < from {
                true => from,
                false => self.run.now + dice.i64(10..70),
            };
            if ends_at + 300 < self.run.now {
                self.lease_ends_at = None;
            }
            return;
        }
        self.run.now += match dice.u8(..10) {
            0..6 => dice.i64(10..300),
            6..9 => dice.i64(300..1_000),
            _ => dice.i64(1_000..4_000),
        };
    }

    /// A node does what it does time and again: its engine reads and publishes, it reads the nodes' log, and says what is due.
    pub(super) fn turn(&mut self, member: usize) {
        let now = self.run.now;
        if !self.members[member].runs(now) {
            return;
        }
        self.read(member);
        self.read_nodes_log(member);
        self.advance(member);
        let clock = self.members[member].clock(now);
        self.ask_ends(member);
        let of = &mut self.members[member];
        of.cluster.give(match &self.group {
            Some(group) => Given::Shards(group[member].clone()),
            None => Given::ByHash,
        });
        let epoch = of.cluster.serving().epoch;
        let beat = of.cluster.turn(clock);
        self.counted.lapses += u64::from(epoch < of.cluster.serving().epoch);
        if let Some(kept) = of.take_kept() {
            self.run.nodes[member].keep_only(kept);
        }
        of.serving = of.cluster.serving();
        of.on_the_way.extend(beat);
        self.deliver(member);
        self.answer(member);
        let of = &mut self.members[member];
        if of.cluster.barred() == Some(Barred::Superseded) {
            of.down_until = Some(i64::MAX);
        } else if of.cluster.has_left() {
            of.down_until = Some(now + 5_000);
        }
    }

    /// What was sent is in the log at once, or soon.
    fn deliver(&mut self, member: usize) {
        let of = &mut self.members[member];
        let now = self.run.now;
        let is_held_up = of.is_cut_off(now) || now < of.sends_from || !of.runs(now);
        if !is_held_up && self.run.dice.u8(..6) != 0 {
            let sent = std::mem::take(&mut of.on_the_way);
            self.log_beats(sent);
        }
    }

    pub(super) fn log_beats(&mut self, sent: Vec<Beat>) {
        let record = |beat: Beat| Some((beat.node.clone(), beat.encode()));
        self.nodes_log.extend(sent.into_iter().map(record));
    }

    /// Its engine reads some of what is in the log, and does some of what that calls for.
    pub(super) fn read(&mut self, member: usize) {
        let now = Time::from_millis(self.run.now);
        let ends = self.run.log.ends(self.run.now);
        if self.members[member].is_cut_off(self.run.now) {
            self.publish(member);
            return;
        }
        let dice = &mut self.run.dice;
        let open: Vec<usize> = match dice.u8(..4) {
            0 => (0..PARTITIONS).filter(|_| dice.bool()).collect(),
            _ => (0..PARTITIONS).collect(),
        };
        let most = match dice.u8(..4) {
            0 => dice.usize(..6),
            _ => usize::MAX,
        };
        for _ in 0..most {
            let read = self.run.nodes[member].read();
            let mut left = open.iter().filter(|at| read[**at] < ends[**at]);
            let Some(partition) = left.next() else {
                break;
            };
            self.run.nodes[member].take(&self.run.log, *partition, now);
        }
        let steps = match self.run.dice.u8(..4) {
            0 => self.run.dice.usize(..4),
            _ => usize::MAX,
        };
        self.run.nodes[member].step(steps, now);
        self.publish(member);
        if self.run.dice.u8(..32) == 0 {
            self.run.nodes[member].checkpoint(now);
        }
    }

    /// Tells readers how far its feeds are built.
    pub(super) fn publish(&mut self, member: usize) {
        let now = self.run.now;
        let (node, of) = (&mut self.run.nodes[member], &mut self.members[member]);
        if of.is_cut_off(now) {
            node.announce_cut_off(&of.log_ends);
            return;
        }
        of.log_ends = self.run.log.ends(now);
        node.announce(&of.log_ends, Time::from_millis(now));
        of.built_max = of.built_max.max(node.view.horizons.built());
    }

    fn read_nodes_log(&mut self, member: usize) {
        let now = self.run.now;
        let of = &mut self.members[member];
        if !of.is_cut_off(now) {
            of.fetched = self.nodes_log.len();
        }
        if now < of.reads_from {
            return;
        }
        let clock = of.clock(now);
        let left = of.fetched - of.read;
        let most = match self.run.dice.u8(..5) {
            0 => self.run.dice.usize(..=left),
            _ => left,
        };
        for _ in 0..most {
            if let Some((key, value)) = &self.nodes_log[of.read] {
                let offset = of.read as i64;
                of.cluster.read(offset, key, Some(value), clock).unwrap();
            }
            of.read += 1;
        }
        if of.began_at <= of.read {
            of.cluster.start();
        }
    }

    /// Tells how far its relations are in force. That never goes back.
    pub(super) fn advance(&mut self, member: usize) {
        let ends = |positions: Vec<Position>| -> Ends {
            let next = positions.iter();
            next.map(|next| (next.partition as u32, next.offset))
                .collect()
        };
        let view = &self.run.nodes[member].view;
        let (taken, in_force) = (ends(view.relations_taken()), ends(view.in_force()));
        let has_relations = view.built.borrow().relations_in_force;
        let of = &mut self.members[member];
        for (partition, before) in &of.in_force {
            assert!(before <= in_force.get(partition).unwrap(), "it went back");
        }
        of.in_force = in_force.clone();
        of.cluster.advance(Progress {
            shards: of.shards,
            taken,
            in_force,
            has_relations,
            is_caught_up: true,
            settled: Some(self.run.now),
            letters: BTreeMap::new(),
        });
    }

    /// Asks where relations end. The answer may come a turn later.
    fn ask_ends(&mut self, member: usize) {
        let ends = self.run.log.ends(self.run.now);
        let (now, dice) = (self.run.now, &mut self.run.dice);
        let of = &mut self.members[member];
        if of.is_cut_off(now) {
            return;
        }
        if of.cluster.asks_ends() && of.ends.is_none() {
            let ends = ends[ACTIVITY_PARTITIONS..].iter().zip(0..);
            let ends = ends.map(|(end, partition)| (partition, *end as i64));
            of.ends = Some((of.clock(now), ends.collect()));
        }
        if dice.u8(..4) != 0
            && let Some((asked, ends)) = of.ends.take()
        {
            of.cluster.ends(asked, &ends);
        }
    }

    /// Answers for relations that are in force wherever that matters.
    pub(super) fn answer(&mut self, member: usize) {
        let now = self.run.now;
        let is_amid = (0..MEMBERS).any(|other| {
            let of = &self.members[other];
            of.down_until != Some(i64::MAX) && (!of.runs(now) || of.is_cut_off(now))
        });
        let of = &mut self.members[member];
        let (cluster, answered) = (&of.cluster, &mut self.answered);
        of.pending.retain(|pending| {
            let is_in_force = cluster.is_in_force(&pending.barrier);
            if is_in_force {
                answered.push(pending.relation);
                self.counted.answered += 1;
                self.counted.answered_amid_faults += u64::from(is_amid);
            }
            !is_in_force
        });
    }

    /// Somebody appends a relation, or a post, by some node.
    fn append(&mut self) {
        let now = self.run.now;
        let can = |member: &usize| {
            let of = &self.members[*member];
            of.runs(now) && !of.is_cut_off(now)
        };
        let able: Vec<usize> = (0..MEMBERS).filter(can).collect();
        let dice = &mut self.run.dice;
        if able.is_empty() || self.lease_ends_at.is_none() && dice.bool() {
            return;
        }
        let member = able[dice.usize(..able.len())];
        self.append_at(member);
    }

    /// The same by this node.
    pub(super) fn append_at(&mut self, member: usize) {
        let (now, dice) = (self.run.now, &mut self.run.dice);
        let account = dice.usize(..ACCOUNTS.len());
        let author = dice.usize(..AUTHORS);
        let relation = |relation, holds| Event::Relate {
            account,
            relation,
            holds,
        };
        let event = match dice.u8(..12) {
            0..3 => relation(RelationChoice::Mute(author), dice.bool()),
            3..5 => relation(RelationChoice::Block(author), dice.bool()),
            5..8 => relation(
                RelationChoice::Follow(author, dice.bool()),
                dice.u8(..3) != 0,
            ),
            8 if !self.run.taste.calm => Event::Moderate {
                target: Moderated::Actor(author),
                action: [None, Some(Action::Limit), Some(Action::Suspend)][dice.usize(..3)],
            },
            _ => {
                let published = now - dice.i64(0..60_000);
                self.run.log.authors.push(author);
                Event::Write(Writing::public(self.run.log.authors.len() - 1, published))
            }
        };
        let account = match event {
            Event::Relate { .. } => Some(account),
            Event::Moderate { .. } => None,
            _ => {
                self.run.log.append(event, now);
                return;
            }
        };
        let (partition, offset) = self.run.log.append(event, now);
        let of = &mut self.members[member];
        let clock = of.clock(now);
        let id = account.map_or(INSTANCE, |account| ACCOUNTS[account]);
        let number = (partition - ACTIVITY_PARTITIONS) as u32;
        let barrier = Barrier::new([(id, number, offset as i64)], clock);
        of.cluster.want_proof(barrier.proof_wanted());
        of.pending.push(Pending {
            barrier,
            relation: Relation {
                account,
                partition,
                offset,
            },
        });
        self.counted.appended += 1;
    }

    /// All faults are over: every account is shown wherever it is asked for, soon.
    fn recover(&mut self) {
        self.end_faults();
        for round in 1.. {
            assert!(round <= ROUNDS_MAX, "some account is not shown again");
            self.run.now += ROUND_MS;
            self.begin_again();
            for member in 0..MEMBERS {
                self.turn(member);
            }
            self.go_on_looking();
            let live: Vec<usize> = (0..MEMBERS)
                .filter(|member| !self.members[*member].is_down())
                .collect();
            let is_answered = live
                .iter()
                .all(|member| self.members[*member].pending.is_empty());
            let all_begun = self
                .members
                .iter()
                .all(|of| of.down_until.is_none_or(|at| at == i64::MAX));
            let whole = self.run.log.ends(self.run.now);
            let is_read = live
                .iter()
                .all(|member| self.run.nodes[*member].read() == whole);
            if all_begun && is_answered && is_read && self.are_all_shown(&live) {
                self.counted.rounds_max = round;
                break;
            }
        }
    }

    fn are_all_shown(&mut self, edges: &[usize]) -> bool {
        let readers = 0..self.readers.len();
        let mut pairs = readers.flat_map(|reader| edges.iter().map(move |edge| (reader, *edge)));
        pairs.all(|(reader, edge)| self.look_at_once(reader, edge))
    }

    fn count(&mut self) {
        let now = self.run.now;
        let serving: Vec<_> = (0..MEMBERS)
            .filter(|member| self.members[*member].runs(now))
            .map(|member| &self.members[member])
            .collect();
        for id in ACCOUNTS {
            let account = slackwater_cluster::shard::AccountHash::of(id);
            let serves = |of: &&&Member| {
                let role = of.serving.role(account, of.clock(now));
                role == Some(slackwater_cluster::serving::Role::Serves)
            };
            let servers: Vec<_> = serving.iter().filter(serves).collect();
            self.counted.served_twice += u64::from(1 < servers.len());
            let moduli: BTreeSet<u32> = servers.iter().map(|of| of.serving.serves.shards).collect();
            self.counted.counted_otherwise += u64::from(1 < moduli.len());
        }
    }
}
