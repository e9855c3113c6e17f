//! One seed: what happens to nodes and readers, and what is checked of every look.

use super::counted::Counted;
use super::driver::Node;
use super::log::{ACCOUNTS, BEGIN, FeedKind, Log, MOVING, MuteEnd, PARTITIONS, Taste};
use super::model::Model;
use super::reader::{Habit, PollOutcome, Reader};
use super::windows::{fixed_windows, windows};
use crate::relationship::Patience;
use fastrand::Rng;
use slackwater_order::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Steps of a seed; at the end everything is read.
const STEPS: usize = 14;
/// The longest step, in milliseconds.
const STEP_MS: i64 = 480_000;
/// Entries of a feed longer than any history.
const LONG: usize = 1_000;
/// Makes dice of their own of a seed, for whether refs are places.
const BY_REF: u64 = 0x7265_6620;
/// The same, for whether the backend forgets posts.
const FORGETS: u64 = 0x666f_7267_6574;
/// The same, for which ends of mutes come late.
const MUTE_ENDS: u64 = 0x6d75_7465;
/// The same, for who wakes an account that sleeps.
const NAPS: u64 = 0x6e61_7073;
/// The window of [`super::log::SURFACING`], where it surfaces, and how much longer its posts do, in milliseconds.
const SURFACES: (i64, i64) = (20_000, 20_000);

pub(super) struct Run {
    pub(super) dice: Rng,
    pub(super) log: Log,
    pub(super) taste: Taste,
    pub(super) surfacing: Option<(i64, i64)>,
    /// Whether nodes are killed and rebuilt.
    pub(super) is_disturbed: bool,
    pub(super) length: usize,
    pub(super) nodes: Vec<Node>,
    readers: Vec<Reader>,
    pub(super) now: i64,
    /// Whether everything has arrived.
    is_over: bool,
    /// By node and account: the horizon last shown.
    pub(super) reached: BTreeMap<(usize, usize), i64>,
    /// By node and account: the entries last shown.
    pub(super) visible: BTreeMap<(usize, usize), BTreeSet<u64>>,
    /// The URIs of posts of which a stub was left at some time.
    stubs: BTreeSet<String>,
    /// Records that end mutes, and are not in the log yet.
    mute_ends_on_the_way: Vec<MuteEnd>,
    mute_end_dice: Rng,
    /// For who wakes an account that sleeps.
    nap_dice: Rng,
    pub(super) counted: Counted,
}

/// Runs one seed. Panics where something is not as it must be.
pub(super) fn run(seed: u64) -> Counted {
    let mut run = Run::draw(seed);
    for _ in 0..STEPS {
        run.now += run.dice.i64(0..STEP_MS);
        for node in 0..run.nodes.len() {
            if run.dice.u8(..4) != 0 {
                run.read(node, usize::MAX);
            }
            run.disturb(node);
            if run.taste.ages && run.dice.bool() {
                run.nodes[node].checkpoint(Time::from_millis(run.now));
                run.expire(node);
            }
            run.check(node);
        }
        run.roam();
    }
    // In the end everything has arrived, and is read.
    run.now += 10 * STEP_MS;
    run.is_over = true;
    for node in 0..run.nodes.len() {
        loop {
            run.read(node, usize::MAX);
            if run.nodes[node].read() == run.log.whole() {
                break;
            }
        }
        run.check_ended_mutes();
        let now = Time::from_millis(run.now);
        run.nodes[node].end_checkpoint();
        run.nodes[node].step(usize::MAX, now);
        run.nodes[node].announce(&run.log.ends(run.now), now);
        while !run.nodes[node].is_decided() {
            run.nodes[node].step(1, now);
            run.nodes[node].announce(&run.log.ends(run.now), now);
        }
        assert_eq!(run.nodes[node].view.pending_relations.count(), 0);
        run.check(node);
    }
    for reader in 0..run.readers.len() {
        for node in 0..run.nodes.len() {
            run.catch_up(reader, node);
        }
    }
    run.counted.seeds = 1;
    run.counted
}

impl Run {
    fn draw(seed: u64) -> Run {
        let mut dice = Rng::with_seed(seed);
        let mut taste = Taste {
            calm: dice.u8(..4) == 0,
            busy: [1, 1, 1, 2][dice.usize(..4)],
            // With dice of its own, so that other seeds stay as they are. What one node left as a stub another still shows.
            ages: Rng::with_seed(!seed).u8(..3) == 0,
            by_ref: Rng::with_seed(seed ^ BY_REF).u8(..4) == 0,
            forgets: Rng::with_seed(seed ^ FORGETS).u8(..3) == 0,
        };
        // Where nothing leaves a feed, nothing is forgotten.
        taste.forgets &= !taste.calm;
        let is_disturbed = dice.bool();
        let length = [LONG, LONG, 8, 4][dice.usize(..4)];
        // Surfacing moves places, which refs are.
        let surfacing = dice.bool() && !taste.by_ref;
        let surfacing = surfacing.then_some(SURFACES);
        let log = Log::draw(&mut dice, taste);
        let nodes = if dice.u8(..4) == 0 && !taste.ages {
            2
        } else {
            1
        };
        let windows = windows(&mut dice, surfacing);
        let ends = log.ends(BEGIN);
        let nodes = (0..nodes)
            .map(|_| Node::placing(taste.place_source(), length, windows.clone(), ends))
            .collect();
        let mut readers = Vec::new();
        for account in 0..ACCOUNTS.len() {
            for which in [FeedKind::Home, FeedKind::List] {
                readers.push(Reader::new(
                    (account, which),
                    Habit::Roams,
                    !taste.calm,
                    &log,
                ));
            }
            if !is_disturbed {
                for habit in [Habit::Watches, Habit::Listens] {
                    let of = (account, FeedKind::Home);
                    readers.push(Reader::new(of, habit, !taste.calm, &log));
                }
            }
        }
        Run {
            surfacing,
            is_disturbed,
            length,
            readers,
            ..Run::of(seed, dice, log, taste, nodes)
        }
    }

    /// Nodes before a history, at its begin.
    fn of(seed: u64, dice: Rng, log: Log, taste: Taste, nodes: Vec<Node>) -> Run {
        Run {
            dice,
            log,
            taste,
            nodes,
            surfacing: None,
            is_disturbed: true,
            length: LONG,
            readers: Vec::new(),
            now: BEGIN,
            is_over: false,
            reached: BTreeMap::new(),
            visible: BTreeMap::new(),
            stubs: BTreeSet::new(),
            mute_ends_on_the_way: Vec::new(),
            mute_end_dice: Rng::with_seed(seed ^ MUTE_ENDS),
            nap_dice: Rng::with_seed(seed ^ NAPS),
            counted: Counted::default(),
        }
    }

    /// Nodes of a cluster, all with the same windows, and a history that they have not begun to read. Who drives them says what happens.
    pub(super) fn of_cluster(seed: u64, nodes: usize) -> Run {
        let mut dice = Rng::with_seed(seed);
        let taste = Taste {
            calm: dice.u8(..4) == 0,
            busy: 1,
            ages: false,
            by_ref: false,
            forgets: false,
        };
        let log = Log::draw(&mut dice, taste);
        let windows = fixed_windows(&mut dice);
        let now = BEGIN + dice.i64(STEP_MS..5 * STEP_MS);
        let patience = [0, 0, 20_000, 1_200_000][dice.usize(..4)];
        let patience = Patience::For(Duration::from_millis(patience));
        let node = || Node::in_cluster(LONG, windows.clone(), patience, log.ends(now));
        let nodes = std::iter::repeat_with(node).take(nodes).collect();
        Run {
            now,
            is_over: true,
            ..Run::of(seed, dice, log, taste, nodes)
        }
    }

    /// A node reads a batch of at most so many records, from some of the partitions, in any interleaving.
    fn read(&mut self, node: usize, most: usize) {
        let ends = self.log.ends(self.now);
        let open: Vec<usize> = match self.dice.u8(..3) {
            0 => (0..PARTITIONS).filter(|_| self.dice.bool()).collect(),
            _ => (0..PARTITIONS).collect(),
        };
        let batch = match self.dice.u8(..4) {
            0 => self.dice.usize(..4),
            _ => usize::MAX,
        };
        let interrupted = self.dice.usize(..24);
        for n in 0..batch.min(most) {
            let read = self.nodes[node].read();
            let left: Vec<usize> = open
                .iter()
                .copied()
                .filter(|at| read[*at] < ends[*at])
                .collect();
            if left.is_empty() {
                break;
            }
            let partition = left[self.dice.usize(..left.len())];
            let (log, now) = (&self.log, Time::from_millis(self.now));
            self.nodes[node].take(log, partition, now);
            if n == interrupted {
                self.check(node);
                self.roam();
            }
        }
        self.step(node);
        self.nodes[node].announce(&ends, Time::from_millis(self.now));
        self.end_mutes(node);
        if node == 0 && !self.is_disturbed {
            for reader in 0..self.readers.len() {
                if self.readers[reader].habit().stays() {
                    self.catch_up(reader, 0);
                }
            }
        }
    }

    /// That mutes have ended is said in the log, at once or when it is no news.
    fn end_mutes(&mut self, node: usize) {
        let now = Time::from_millis(self.now);
        let due = self.nodes[node].due_mute_ends(&self.log.ends(self.now), now);
        self.mute_ends_on_the_way.extend(due);
        for end in std::mem::take(&mut self.mute_ends_on_the_way) {
            if !self.is_over && self.mute_end_dice.u8(..4) == 0 {
                self.mute_ends_on_the_way.push(end);
            } else {
                self.log.end_mute(&end, self.now);
                self.counted.ended_mutes += 1;
            }
        }
    }

    /// What relations call for is mostly done within the turn of the loop that read them, and sometimes it is not.
    fn step(&mut self, node: usize) {
        let steps = match self.dice.u8(..4) {
            0 => self.dice.usize(..6),
            _ => usize::MAX,
        };
        self.nodes[node].step(steps, Time::from_millis(self.now));
    }

    /// What else may happen to a node.
    fn disturb(&mut self, node: usize) {
        let (now, ends) = (Time::from_millis(self.now), self.log.ends(self.now));
        if self.is_disturbed && self.nap_dice.u8(..3) == 0 {
            let account = self.nap_dice.usize(..ACCOUNTS.len());
            self.counted.slept += u64::from(self.nodes[node].drop_feeds(account));
        }
        match self.dice.u8(..24) {
            0..2 => self.nodes[node].checkpoint(now),
            // Written later, while more is read.
            2..4 | 14 => self.nodes[node].begin_checkpoint(now),
            15..18 => self.nodes[node].end_checkpoint(),
            10..14 => self.nodes[node].write_rows(),
            9 if self.is_disturbed => {
                let account = self.dice.usize(..ACCOUNTS.len());
                self.counted.slept += u64::from(self.nodes[node].drop_feeds(account));
            }
            4 => {
                let windows = windows(&mut self.dice, self.surfacing);
                let patience = [0, 0, 20_000, 1_200_000][self.dice.usize(..4)];
                let patience = Patience::For(Duration::from_millis(patience));
                self.nodes[node].reload(windows, patience, now);
            }
            5..8 if self.is_disturbed => {
                let mut dead = self.nodes.remove(node);
                if self.dice.bool() {
                    let writes = self.dice.u64(..60);
                    dead.checkpoint_cut_off(writes, now);
                }
                self.nodes.insert(node, dead.crash(ends));
                self.restarted(node);
            }
            8 if self.is_disturbed && self.dice.bool() => {
                let windows = windows(&mut self.dice, self.surfacing);
                let place_source = self.taste.place_source();
                self.nodes[node] = Node::placing(place_source, self.length, windows, ends);
                self.restarted(node);
            }
            _ => {}
        }
    }

    /// What feeds of a node must be by all that it has read.
    pub(super) fn model(&self, node: usize) -> Model {
        let node = &self.nodes[node];
        let mut model = Model::of(&self.log, &node.read(), self.surfacing);
        if self.taste.ages {
            model.leave_stubs(&self.log, |uri| node.is_stub(uri));
        }
        model
    }

    /// The sweep over old posts goes on by some slices. It leaves stubs of those alone that arrived long ago; whether a feed needed
    /// one is seen at the next look.
    fn expire(&mut self, node: usize) {
        let stubs = |run: &Run| -> Vec<String> {
            let uris = (0..run.log.authors.len()).map(|post| run.log.uri(post));
            uris.filter(|uri| run.nodes[node].is_stub(uri)).collect()
        };
        let before = stubs(self);
        for _ in 0..self.dice.usize(1..8) {
            self.counted.expired += self.nodes[node].expire() as u64;
        }
        let now = Time::from_millis(self.now);
        for uri in stubs(self).iter().filter(|uri| !before.contains(uri)) {
            assert!(
                self.nodes[node].may_be_stub(uri, now),
                "{uri} is too young to be left as a stub"
            );
            self.stubs.insert(uri.clone());
        }
    }

    /// Nobody is muted for longer than was said, whose account was never removed.
    fn check_ended_mutes(&self) {
        let mut left = self.log.ended_mutes(self.now);
        left.retain(|(account, _)| !self.log.is_ever_removed(*account));
        assert_eq!(left, [], "mutes that have ended go on");
    }

    pub(super) fn restarted(&mut self, node: usize) {
        self.counted.crashes += 1;
        // Only a cursor carries its horizon over.
        self.reached.retain(|(of, _), _| *of != node);
        self.visible.retain(|(of, _), _| *of != node);
    }

    /// Some readers ask some node, page or catch up.
    fn roam(&mut self) {
        for reader in 0..self.readers.len() {
            let node = self.dice.usize(..self.nodes.len());
            let account = self.readers[reader].account;
            if self.readers[reader].habit().stays() || self.sleeps_on(node, account) {
                continue;
            }
            match self.dice.u8(..6) {
                0 | 1 => self.catch_up(reader, node),
                // Begun, and not brought to its end.
                2 => drop(self.ask(reader, node, 2)),
                3 => self.walk(
                    self.readers[reader].account,
                    self.readers[reader].which,
                    node,
                ),
                _ => {}
            }
        }
    }

    fn catch_up(&mut self, reader: usize, node: usize) {
        let limit = [2, 5, 80][self.dice.usize(..3)];
        // Twice what there can be, once for what was begun: it must come to an end.
        for _ in 0..200 {
            match self.ask(reader, node, limit) {
                PollOutcome::More => {}
                _ => return,
            }
        }
        panic!("it has no end");
    }

    /// Whether an account sleeps, and nobody looks at it for now: much may happen until somebody does.
    pub(super) fn sleeps_on(&mut self, node: usize, account: usize) -> bool {
        let sleeps = !self.is_over && self.nodes[node].sleeps(account);
        sleeps && self.nap_dice.u8(..4) != 0
    }

    /// Whoever looks at a feed wakes its account; whether it slept.
    pub(super) fn rouse(&mut self, node: usize, account: usize) -> bool {
        let now = Time::from_millis(self.now);
        let woke = self.nodes[node].is_open() && self.nodes[node].rouse(account, now);
        if woke {
            self.nodes[node].announce(&self.log.ends(self.now), now);
        }
        woke
    }

    fn ask(&mut self, reader: usize, node: usize, limit: usize) -> PollOutcome {
        let woke = self.rouse(node, self.readers[reader].account);
        let of = &mut self.readers[reader];
        let was_held_back = of.was_held_back();
        let wishes = self.log.relations_of(of.account, &self.nodes[node].read());
        let asked = of.ask(
            &self.nodes[node],
            wishes,
            Time::from_millis(self.now),
            limit,
        );
        self.counted.misled += of.misled();
        if self.is_disturbed {
            // What a crash undid of a sweep may be in a feed that is made anew, of which no record says so.
            of.forgive(|id| self.nodes[node].concerns_one_of(id, &self.stubs));
        }
        let of = &self.readers[reader];
        if !of.wrong().is_empty() {
            let read = self.nodes[node].read();
            let model = self.model(node);
            let ids = of.wrong().iter().map(|(id, _)| *id).collect();
            let story = self.log.story(of.account, &model.posts_at(&ids), &read);
            panic!(
                "a reader of account {} at node {node} {}: {:#?}. {story}",
                of.account,
                of.way(),
                of.wrong()
            );
        }
        let is_undisturbed = !self.is_disturbed && self.nodes.len() == 1;
        let told = u64::from(matches!(
            asked,
            PollOutcome::More | PollOutcome::Done | PollOutcome::CursorRefused
        ));
        let refused = u64::from(asked == PollOutcome::CursorRefused);
        if woke {
            self.counted.told_woken += told;
            self.counted.refused_woken += refused;
        }
        if self.log.is_moderated() {
            // Cursors given while posts are decided again are refused: another node may never have shown them.
            self.counted.told_moderated += told;
            self.counted.refused_moderated += refused;
            return asked;
        }
        self.counted.told += told;
        self.counted.refused += refused;
        if is_undisturbed {
            self.counted.told_undisturbed += told;
            self.counted.refused_undisturbed += refused;
            let watches = self.readers[reader].habit() == Habit::Watches && self.length == LONG;
            let account = self.readers[reader].account;
            // What a newer record of another partition had overtaken refuses all who lack the newer, also those who lack both.
            // A relation that comes while boosts wait takes out what was shown already of what cursors lack.
            let has_reason =
                account == MOVING || self.log.is_ever_removed(account) || was_held_back;
            self.counted.refused_watching += refused * u64::from(watches && !has_reason);
        }
        asked
    }
}
