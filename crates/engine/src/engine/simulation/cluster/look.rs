//! Requests for feeds: passed on by any node, looked at under a permit, and shown if that is still good afterwards.

use super::member::Member;
use super::run::{Cluster, MEMBERS};
use super::shown::{Look, Seen, Shown};
use crate::engine::simulation::check::is_shown;
use crate::engine::simulation::log::{ACCOUNTS, FeedKind, MOVING};
use crate::engine::simulation::reader::{PollOutcome, snapshot};
use crate::record::offsets::LogPos;
use crate::record::{Position, Topic};
use crate::view::pending_relations::Consistency;
use slackwater_cluster::node::Route;
use slackwater_cluster::serving::Role;
use slackwater_cluster::shard::{AccountHash, ShardSet};
use slackwater_fediverse::event::{Event, RelationChoice};
use slackwater_order::time::Time;
use std::collections::BTreeSet;

impl Cluster {
    /// A reader asks some node.
    pub(super) fn ask(&mut self) {
        let reader = self.run.dice.usize(..self.readers.len());
        let edge = self.run.dice.usize(..MEMBERS);
        // Some go straight to a node, as a backend does that knows where it was.
        let look = match self.run.dice.u8(..3) {
            0 => self.permit(reader, edge),
            _ => self.route(reader, edge),
        };
        self.looks.extend(look);
    }

    /// Readers stay at a node that is cut off from the log: it is where something old may be shown.
    pub(super) fn ask_again(&mut self) {
        let now = self.run.now;
        for member in 0..MEMBERS {
            let of = &self.members[member];
            if of.runs(now) && of.is_cut_off(now) && self.run.dice.bool() {
                let reader = self.run.dice.usize(..self.readers.len());
                let look = self.permit(reader, member);
                self.looks.extend(look);
            }
        }
    }

    /// A node has come to serve some shard: at once another appends a relation, and answers it if it may, and readers ask the first,
    /// which has read nothing since.
    pub(super) fn race(&mut self, member: usize, before: &ShardSet) {
        let now = self.run.now;
        let other = self.run.dice.usize(..MEMBERS);
        let serves = &self.members[member].serving.serves;
        let able = |of: &Member| of.runs(now) && !of.is_cut_off(now);
        if serves.of.is_subset(&before.of) || other == member || !able(&self.members[other]) {
            return;
        }
        for _ in 0..3 {
            self.append_at(other);
        }
        // It may answer before it reads of the claim, or after it has read its own record.
        self.read(other);
        self.advance(other);
        self.answer(other);
        for _ in 0..self.run.dice.usize(..4) {
            self.run.now += 60;
            self.turn(other);
        }
        for reader in 0..self.readers.len() {
            if let Some(mut look) = self.permit(reader, member) {
                look.seen = self.see(reader, member);
                if look.seen.is_some() {
                    self.show(look);
                }
            }
        }
    }

    /// What was asked for goes on, where its node goes on.
    pub(super) fn go_on_looking(&mut self) {
        for mut look in std::mem::take(&mut self.looks) {
            let of = &self.members[look.member];
            if of.is_down() || of.runs != look.runs {
                continue;
            }
            if !of.runs(self.run.now) || self.run.dice.u8(..3) == 0 {
                self.looks.push(look);
            } else if look.seen.is_some() {
                self.show(look);
            } else {
                look.seen = self.see(look.reader, look.member);
                if look.seen.is_some() {
                    self.looks.push(look);
                }
            }
        }
    }

    /// Asks a node, which answers at once; whether the feed is shown.
    pub(super) fn look_at_once(&mut self, reader: usize, edge: usize) -> bool {
        let Some(mut look) = self.route(reader, edge) else {
            return false;
        };
        look.seen = self.see(look.reader, look.member);
        look.seen.is_some() && self.show(look)
    }

    /// The edge looks where the account is served, and passes the request on, one hop.
    fn route(&mut self, reader: usize, edge: usize) -> Option<Look> {
        let now = self.run.now;
        if !self.members[edge].runs(now) {
            return None;
        }
        let account = AccountHash::of(ACCOUNTS[self.readers[reader].account]);
        let clock = self.members[edge].clock(now);
        match self.members[edge].cluster.route(account, clock) {
            Route::Here(role) => {
                self.counted.by_standby += u64::from(role == Role::StandsBy);
                return self.permit(reader, edge);
            }
            Route::There(there) => {
                for (name, _) in there {
                    let target = self.process_of(&name);
                    let reached = target.filter(|target| self.is_reached(edge, *target));
                    let Some(target) = reached else {
                        self.members[edge].cluster.mark_away(&name, clock);
                        continue;
                    };
                    if let Some(look) = self.permit(reader, target) {
                        return Some(look);
                    }
                }
            }
            Route::Nowhere => self.members[edge].cluster.claim(account, clock),
        }
        self.counted.nowhere += 1;
        None
    }

    /// The process that took a name last.
    fn process_of(&self, name: &str) -> Option<usize> {
        let there = (0..MEMBERS).filter(|member| {
            let of = &self.members[*member];
            of.name == name && !of.is_down()
        });
        there.max_by_key(|member| self.members[*member].born)
    }

    fn is_reached(&self, from: usize, to: usize) -> bool {
        let now = self.run.now;
        let is_apart = self
            .apart
            .get(&(from, to))
            .is_some_and(|until| now < *until);
        self.members[to].runs(now) && !is_apart
    }

    /// The first look at what the node may answer for.
    fn permit(&mut self, reader: usize, member: usize) -> Option<Look> {
        let now = self.run.now;
        self.counted.asked += 1;
        let of = &self.members[member];
        let account = AccountHash::of(ACCOUNTS[self.readers[reader].account]);
        let permit = of.serving.permit(Some(account), of.clock(now));
        let Some(permit) = permit.filter(|_| of.runs(now)) else {
            self.counted.misrouted += 1;
            return None;
        };
        Some(Look {
            reader,
            member,
            runs: of.runs,
            permit,
            seen: None,
        })
    }

    /// The look at the feed. It is what the model says of what the node has read, whether it is shown or not.
    fn see(&mut self, reader: usize, member: usize) -> Option<Seen> {
        let account = self.readers[reader].account;
        let now = Time::from_millis(self.run.now);
        if !self.run.nodes[member].is_open() || !self.wake(member, account) {
            return None;
        }
        let read = self.run.nodes[member].read();
        let concerns = |of: Option<usize>| of.is_none_or(|of| of == account);
        let answered = self.answered.iter().filter(|it| concerns(it.account));
        let without = answered.filter(|it| read[it.partition] <= it.offset);
        let without = without.copied().collect();
        if self.run.is_whole(member) {
            let model = self.run.model(member);
            self.run.check_account(&model, member, account);
            self.check_amid_work(&model, member, account);
        }
        self.check_horizon(member, account);
        let wishes = self.run.log.relations_of(account, &read);
        let has_all = self.has_all_relations(reader, member);
        let mut after = self.readers[reader].clone();
        let outcome = after.ask(&self.run.nodes[member], wishes, now, 80);
        assert!(
            after.wrong().is_empty(),
            "{}: {:#?}",
            after.way(),
            after.wrong()
        );
        if outcome == PollOutcome::CursorRefused && has_all && !self.run.log.is_moderated() {
            let is_excused = account == MOVING || self.run.log.is_ever_removed(account);
            assert!(
                is_excused,
                "a cursor was refused for no reason: {}",
                self.readers[reader].way()
            );
        }
        Some(Seen {
            without,
            reader: after,
            outcome,
        })
    }

    /// The last look at what the node may answer for; whether what was seen is shown.
    fn show(&mut self, look: Look) -> bool {
        let of = &self.members[look.member];
        let Some(seen) = look.seen else { return false };
        if !of.serving.is_good(look.permit, of.clock(self.run.now)) {
            self.counted.thrown_away += 1;
            self.counted.thrown_away_without += u64::from(!seen.without.is_empty());
            return false;
        }
        assert!(
            seen.without.is_empty(),
            "{} shows account {} without {:?}, which were answered",
            of.name,
            seen.reader.account,
            seen.without
        );
        self.counted.shown += 1;
        let is_told = matches!(seen.outcome, PollOutcome::More | PollOutcome::Done);
        let is_refused = seen.outcome == PollOutcome::CursorRefused;
        let is_moderated = self.run.log.is_moderated();
        let (told, refused) = match is_moderated {
            true => (
                &mut self.counted.told_moderated,
                &mut self.counted.refused_moderated,
            ),
            false => (&mut self.counted.told, &mut self.counted.refused),
        };
        *told += u64::from(is_told || is_refused);
        *refused += u64::from(is_refused);
        self.readers[look.reader] = seen.reader;
        true
    }

    /// Wakes an account that sleeps; whether it is awake: it is not if its shard has left meanwhile.
    fn wake(&mut self, member: usize, account: usize) -> bool {
        let now = Time::from_millis(self.run.now);
        if !self.run.nodes[member].sleeps(account) {
            return true;
        }
        self.run.nodes[member].rouse(account, now);
        self.publish(member);
        !self.run.nodes[member].sleeps(account)
    }

    /// While relations are carried out, a page shows nothing that they take out.
    fn check_amid_work(
        &self,
        model: &crate::engine::simulation::model::Model,
        member: usize,
        account: usize,
    ) {
        let now = Time::from_millis(self.run.now);
        let home = (account, FeedKind::Home);
        let Some(snapshot) = snapshot(&self.run.nodes[member], home, None, now) else {
            return;
        };
        if snapshot.progress.consistency == Consistency::Complete {
            return;
        }
        let belongs = model.feed(account, FeedKind::Home);
        for id in snapshot.ids().iter().map(|id| id.number()) {
            assert!(
                belongs.contains_key(&id) || !is_shown(&self.run, member, &snapshot, id),
                "{id} is shown to {account} and should be hidden"
            );
        }
    }

    /// Promise 3 without a cursor: a node that has read all that another had, and knows as much of time, shows no less of it.
    fn check_horizon(&mut self, member: usize, account: usize) {
        let node = &self.run.nodes[member];
        let now = Time::from_millis(self.run.now);
        let says_patience = |event: &Event| matches!(event, Event::Relate { account: of, relation: RelationChoice::Be(..) | RelationChoice::Patience(_), .. } if *of == account);
        let lines = self.run.log.partitions.iter().flatten();
        let mut since = lines.filter(|line| self.begun < line.arrived);
        // Of an account whose relations are in two partitions, each node reads them in another order, and so at another hold.
        let is_excused = account == MOVING || self.run.log.is_ever_removed(account);
        if is_excused || since.any(|line| says_patience(&line.event)) {
            return;
        }
        let Some(snapshot) = snapshot(node, (account, FeedKind::Home), None, now) else {
            return;
        };
        let Some(horizon) = snapshot.visible.horizon else {
            return;
        };
        let shown = Shown {
            account,
            member,
            read: node.read(),
            built: node.view.horizons.built(),
            built_max: self.members[member].built_max,
            horizon,
        };
        for before in self.horizons.iter().filter(|it| it.account == account) {
            let has_read = before
                .read
                .iter()
                .zip(shown.read)
                .all(|(before, now)| *before <= now);
            assert!(
                !has_read || shown.built < before.built_max || before.horizon <= horizon,
                "{} shows account {account} up to {horizon:?}, built {:?} of {:?}, and {} did up to {:?}, built {:?} of {:?}. {}",
                self.members[member].name,
                shown.built,
                shown.built_max,
                self.members[before.member].name,
                before.horizon,
                before.built,
                before.built_max,
                self.run.log.story(account, &BTreeSet::new(), &shown.read)
            );
        }
        self.horizons.push(shown);
    }

    /// Whether a reader's cursor has all relations of its account that a node has read.
    fn has_all_relations(&self, reader: usize, member: usize) -> bool {
        let (node, of) = (&self.run.nodes[member], &self.readers[reader]);
        let read = node.read();
        for (number, lines) in self.run.log.partitions.iter().enumerate() {
            for (offset, line) in lines.iter().enumerate().take(read[number]) {
                let is_its =
                    matches!(line.event, Event::Relate { account, .. } if account == of.account);
                let (topic, partition) = crate::engine::simulation::log::partition(number);
                assert!(!is_its || topic == Topic::Relationships);
                let position = Position {
                    topic,
                    partition,
                    offset: offset as i64,
                };
                if is_its && !of.cursor_has(node, LogPos::new(position)) {
                    return false;
                }
            }
        }
        true
    }
}
