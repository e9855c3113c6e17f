//! What befalls nodes.

use super::member::Member;
use super::run::{Cluster, MEMBERS, NODES};
use crate::engine::simulation::log::ACCOUNTS;
use slackwater_order::time::Time;
use std::collections::BTreeSet;

impl Cluster {
    /// Something befalls some node, or nothing does.
    pub(super) fn befall(&mut self) {
        self.begin_again();
        let now = self.run.now;
        let member = self.run.dice.usize(..MEMBERS);
        let other = self.run.dice.usize(..MEMBERS);
        let lasts = now + self.run.dice.i64(300..10_000);
        let kind = self.run.dice.u8(..40);
        if !self.members[member].runs(now) {
            return;
        }
        match kind {
            0..3 => {
                self.members[member].stopped_until = lasts;
                self.counted.stops += 1;
            }
            3..6 => {
                self.members[member].cut_off_until = lasts;
                self.counted.cuts += 1;
                // What it had sent meanwhile comes late, or never.
                if self.run.dice.bool() {
                    self.members[member].on_the_way.clear();
                }
            }
            6..9 if member != other => {
                self.apart.insert((member, other), lasts);
                self.apart.insert((other, member), lasts);
            }
            9..11 => self.kill(member, lasts),
            11 => {
                let clock = self.members[member].clock(now);
                self.members[member].cluster.leave(clock);
                self.counted.leaves += 1;
            }
            // A second process of its name, while the first stands still or goes on.
            12 if self.members[NODES].is_down() && member != NODES => {
                if self.run.dice.bool() {
                    self.members[member].stopped_until = lasts;
                }
                let name = self.members[member].name.clone();
                self.begin(NODES, &name);
                self.counted.same_names += 1;
            }
            13 if self.members[NODES].is_down() => self.begin(NODES, "late"),
            // It learns that the topic has twice as many partitions.
            14 | 15 => self.members[member].shards = 4,
            16..19 => {
                self.regroup(true);
                // One hears of what follows late; what another says of itself is late, while it still reads what it said before.
                let dice = &mut self.run.dice;
                self.members[other].reads_from = now + dice.i64(0..3_000);
                self.members[member].reads_from = now + dice.i64(0..800);
                self.members[member].sends_from = now + dice.i64(0..3_000);
            }
            19..22 => {
                let account = self.run.dice.usize(..ACCOUNTS.len());
                self.run.nodes[member].drop_feeds(account);
            }
            22..32 => self.warm(member, other),
            32 => self.compact(),
            33..35 => self.members[member].reads_from = lasts,
            35..37 => self.members[member].sends_from = lasts,
            37..40 => self.cut_off_until_its_lease_ends(member),
            _ => {}
        }
    }

    /// A node is cut off just after all have read a record of it, and what happens next is what happens about the end of its lease.
    fn cut_off_until_its_lease_ends(&mut self, member: usize) {
        for other in std::iter::once(member).chain(0..MEMBERS) {
            self.turn(other);
        }
        let now = self.run.now;
        self.members[member].cut_off_until = now + 6_000;
        self.lease_ends_at = Some(now + super::member::LEASE.as_millis() as i64);
        self.counted.cuts += 1;
    }

    /// Those begin again whose time it is.
    pub(super) fn begin_again(&mut self) {
        for member in 0..MEMBERS {
            let down = self.members[member].down_until;
            if down.is_some_and(|until| until <= self.run.now) {
                let name = self.members[member].name.clone();
                self.begin(member, &name);
            }
        }
    }

    /// A process begins with what its data folder has.
    pub(super) fn begin(&mut self, member: usize, name: &str) {
        let ends = self.run.log.ends(self.run.now);
        let node = self.run.nodes.remove(member);
        self.run.nodes.insert(member, node.crash(ends));
        self.run.restarted(member);
        let (standbys, length) = (self.standbys, self.nodes_log.len());
        let others = self.members.iter().map(|of| of.born);
        let born = others.max().unwrap_or(0) + 1;
        let of = &mut self.members[member];
        of.begin(name, born, standbys, length);
        of.log_ends = ends;
    }

    fn kill(&mut self, member: usize, until: i64) {
        let now = Time::from_millis(self.run.now);
        let sent = std::mem::take(&mut self.members[member].on_the_way);
        if self.run.dice.bool() && !self.members[member].is_cut_off(self.run.now) {
            // It was on its way.
            self.log_beats(sent);
        }
        if self.run.dice.bool() {
            let writes = self.run.dice.u64(..60);
            self.run.nodes[member].checkpoint_cut_off(writes, now);
        }
        self.members[member].down_until = Some(until);
        self.counted.kills += 1;
    }

    /// The consumer group gives every shard to some node; some of them to two, of which one has not heard of it, if `is_split`.
    pub(super) fn regroup(&mut self, is_split: bool) {
        let Some(group) = &mut self.group else { return };
        let dice = &mut self.run.dice;
        let is_there = |of: &&Member| of.down_until != Some(i64::MAX);
        let numbers = self.members.iter().filter(is_there).map(|of| of.shards);
        let shards = numbers.max().unwrap_or(2);
        let there: Vec<usize> = (0..MEMBERS)
            .filter(|member| self.members[*member].down_until != Some(i64::MAX))
            .collect();
        let before = std::mem::replace(group, vec![BTreeSet::new(); MEMBERS]);
        for shard in 0..shards {
            group[there[dice.usize(..there.len())]].insert(shard);
        }
        if is_split {
            let member = dice.usize(..MEMBERS);
            group[member] = before[member].clone();
        }
    }

    /// A node that stands by is told by another which accounts are awake there.
    fn warm(&mut self, standby: usize, owner: usize) {
        let of = &self.members[standby];
        let shards = super::member::kept_of(&of.serving.standby);
        let is_reached = standby != owner && self.members[owner].runs(self.run.now);
        if !is_reached || self.apart.contains_key(&(standby, owner)) {
            return;
        }
        let page = self.run.nodes[owner].view.awake_page(&shards, 0);
        let view = &self.run.nodes[standby].view;
        let before = view.last_access.requests();
        view.keep_warm(page.accounts.iter().map(|id| &**id));
        self.counted.warmed += (view.last_access.requests() - before) as u64;
    }

    /// Of each key the nodes' log keeps the newest record, and what came last.
    fn compact(&mut self) {
        let mut known = BTreeSet::new();
        let older = self.nodes_log.iter_mut().rev();
        for (nth, record) in older.enumerate() {
            let Some((key, _)) = record else { continue };
            if !known.insert(key.clone()) && 5 < nth {
                *record = None;
            }
        }
    }

    /// Nothing befalls anybody any more.
    pub(super) fn end_faults(&mut self) {
        self.apart.clear();
        let now = self.run.now;
        let shards = self.members.iter().map(|of| of.shards).max().unwrap_or(2);
        for of in &mut self.members {
            of.stopped_until = 0;
            of.cut_off_until = 0;
            of.reads_from = 0;
            of.sends_from = 0;
            of.shards = shards;
            if of.down_until.is_some_and(|until| until != i64::MAX) {
                of.down_until = Some(now);
            }
        }
        self.regroup(false);
    }
}
