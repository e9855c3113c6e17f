//! Nodes that keep the feeds of some shards only, and standbys that keep them warm.

use super::*;
use crate::engine::publish::ServiceStatus;
use crate::kept::Kept;
use crate::view::awake::{AwakenedSince, Warmed};

/// Two accounts that follow author 0, who wrote before and after they were heard of.
const ACCOUNTS: [&str; 2] = ["7", "8"];

fn kept(accounts: &[&str]) -> Kept {
    let modulus = 1_000_003;
    let hash = |id: &&str| slackwater_order::key_hash::key_hash(id.as_bytes()) % modulus;
    Kept::shards(modulus, accounts.iter().map(hash))
}

fn lines() -> Vec<Line> {
    vec![
        create(0, 0, NOON, NOON + 1),
        follow("7", 0),
        follow("8", 0),
        create(0, 1, NOON + 1, NOON + 2),
    ]
}

impl World {
    /// Reads, does all work and publishes.
    fn drives(&mut self, lines: &[Line]) {
        self.read(lines, &BTreeSet::new());
        self.works();
    }

    fn works(&mut self) {
        let now = self.arrived_last;
        loop {
            self.engine.step(now).unwrap();
            let next = next_of(self.engine.next());
            self.engine
                .publish(&status(next, next), ServiceStatus::default());
            if self.engine.is_idle() {
                break;
            }
        }
    }

    fn asks_for(&mut self, account: &str) {
        let number = self.graph.read().account(account).unwrap();
        self.view.last_access.request_feeds(number).unwrap();
        self.works();
    }

    /// Which of the accounts are awake, and that those which sleep have no feeds.
    fn awake(&self) -> Vec<&'static str> {
        let graph = self.graph.read();
        let mut awake = Vec::new();
        for id in ACCOUNTS {
            let number = graph.account(id).unwrap();
            let sleeps = graph.is_inactive(number);
            assert_eq!(sleeps, self.view.last_access.is_inactive(number), "{id}");
            assert!(
                !sleeps || self.home(id).0.is_empty(),
                "{id} sleeps and has a feed"
            );
            if !sleeps {
                awake.push(id);
            }
        }
        assert_eq!(self.view.awake_count(), awake.len());
        awake
    }
}

/// What a node shows that keeps all.
fn expected() -> Shows {
    let mut world = World::new();
    world.drives(&lines());
    let home = world.home("7");
    assert_eq!(home.0.len(), 2);
    home
}

/// Were this to fail, a node would wait for ever for relations that are not there: where a partition ends with what a transaction or
/// compaction leaves.
#[test]
fn what_no_record_is_at_counts_as_taken_between_batches() {
    let mut world = World::new();
    world.keep_only(kept(&["7"]));
    world.drives(&lines());
    let next = |world: &World| {
        let (taken, in_force) = (world.view.relations_taken(), world.view.in_force());
        assert_eq!(taken, in_force);
        taken.into_iter().map(|at| at.offset).next()
    };
    let read = next_of(world.engine.next());
    let past = status(read + 3, read + 3);
    let before = next(&world);
    let amid = ServiceStatus::default();
    world.publish(&past, amid.clone());
    assert_eq!(next(&world), before, "it may be amid a batch");
    let between = ServiceStatus {
        settled: Some(Time::from_millis(NOON)),
        ..amid.clone()
    };
    world.publish(&past, between);
    let expected = i64::try_from(read + 3).ok();
    assert_eq!(next(&world), expected);
    world.publish(&past, amid);
    assert_eq!(next(&world), expected, "it never goes back");
}

#[test]
fn an_account_of_another_shard_begins_asleep_and_is_not_woken_until_its_shard_is_kept() {
    let mut world = World::new();
    world.keep_only(kept(&["7"]));
    world.drives(&lines());
    assert_eq!(world.awake(), ["7"]);
    assert_eq!(world.home("7"), expected());
    let graph = world.graph.read();
    let follows = graph.get(graph.account("8").unwrap()).unwrap().follows();
    assert_eq!(follows.len(), 1, "its relations are in force");
    drop(graph);
    world.asks_for("8");
    assert_eq!(world.awake(), ["7"]);
    world.keep_only(kept(&ACCOUNTS));
    world.works();
    assert_eq!(world.awake(), ["7"], "nobody asked");
    world.asks_for("8");
    assert_eq!(world.awake(), ACCOUNTS);
    assert_eq!(world.home("8"), expected());
    assert_eq!(world.view.last_access.woken(), 1);
}

#[test]
fn an_account_that_was_removed_and_comes_back_is_kept_no_more_than_a_new_one() {
    let mut world = World::new();
    world.keep_only(kept(&["7"]));
    let account = |removed: bool| {
        Line::Relation(format!(
            r#"{{"type":"account","account":"8","actor":"https://here.example/users/8","removed":{removed}}}"#
        ))
    };
    let mut log = lines();
    log.extend([account(true), account(false), follow("8", 0)]);
    world.drives(&log);
    assert_eq!(world.awake(), ["7"]);
    world.keep_only(Kept::All);
    world.asks_for("8");
    assert_eq!(world.home("8"), expected());
}

#[test]
fn what_is_not_kept_any_more_falls_asleep_but_not_amid_work_that_readers_wait_for() {
    let mut world = World::new();
    let mut log = lines();
    world.drives(&log);
    log.push(follow("8", 1));
    assert_eq!(world.awake(), ACCOUNTS);
    let offset = log.len() - 1;
    world.apply_line(offset, &log[offset]);
    world.keep_only(Kept::nobody());
    world.engine.step(world.arrived_last).unwrap();
    let number = |id: &str| world.graph.read().account(id).unwrap();
    assert!(world.view.last_access.is_inactive(number("7")));
    assert!(!world.view.last_access.is_inactive(number("8")));
    world.works();
    world.engine.step(world.arrived_last).unwrap();
    assert!(world.awake().is_empty());
    // It is so after a crash too.
    world.checkpoint();
    let mut world = world.crash();
    assert!(world.awake().is_empty());
    world.asks_for("7");
    assert_eq!(world.home("7"), expected());
}

/// Were this to fail, every restart of a node of a cluster would cost all its feeds.
#[test]
fn a_node_that_starts_without_shards_keeps_what_is_stored_until_it_is_told_which_it_has() {
    let mut world = World::new();
    world.drives(&lines()[..2]);
    world.checkpoint();
    let folder = {
        let World { folder, engine, .. } = world;
        drop(engine);
        folder
    };
    let options = Options {
        kept: Kept::nobody(),
        ..Options::default()
    };
    let mut world = World::open_with(folder, 0, options);
    world.drives(&lines());
    assert_eq!(world.awake(), ["7"], "8 is new");
    assert_eq!(world.home("7"), expected());
    world.keep_only(kept(&["8"]));
    world.works();
    assert!(world.awake().is_empty());
}

/// Were this to fail, whoever reads at the standby of a node that died would wait for feeds to be merged.
#[test]
fn a_standby_wakes_whom_its_node_names_from_a_walk_and_from_then_on() {
    let (mut owner, mut standby) = (World::new(), World::new());
    let log = lines();
    for world in [&mut owner, &mut standby] {
        world.keep_only(Kept::nobody());
        world.drives(&log);
        world.keep_only(Kept::All);
    }
    owner.asks_for("7");
    let next = owner.view.awakened_next();
    let page = owner.view.awake_page(&Kept::All, 0);
    assert_eq!((page.accounts, page.next), (vec!["7".into()], None));
    assert_eq!(owner.view.awake_page(&kept(&["8"]), 0).accounts, []);
    let warm = |standby: &mut World, accounts: &[&str]| {
        let warmed = standby.view.keep_warm(accounts.iter().copied());
        standby.works();
        warmed
    };
    let all_awake = |awake| Warmed {
        awake,
        ..Warmed::default()
    };
    assert_eq!(warm(&mut standby, &["7"]), all_awake(1));
    assert_eq!(standby.awake(), ["7"]);
    owner.asks_for("8");
    let since = owner.view.awakened_since(&Kept::All, next);
    let accounts = vec!["8".into()];
    assert_eq!(
        since,
        AwakenedSince::Accounts {
            accounts,
            next: next + 1
        }
    );
    assert_eq!(warm(&mut standby, &["7", "8"]), all_awake(2));
    assert_eq!(standby.awake(), ACCOUNTS);
    assert_eq!(standby.home("8"), expected());
    let unknown = Warmed {
        unknown: 1,
        ..Warmed::default()
    };
    assert_eq!(warm(&mut standby, &["9"]), unknown);
    assert_eq!(
        owner.view.awakened_since(&Kept::All, next + 2),
        AwakenedSince::WalkAgain
    );
}

/// Were this to fail, a relation would be answered as in force while pages show what it takes out.
#[test]
fn a_relation_is_in_force_when_its_work_in_feeds_is_published() {
    let mut world = World::new();
    let mut log = lines();
    world.drives(&log);
    let in_force = |world: &World| next_of(&world.view.in_force());
    assert_eq!(in_force(&world), 3);
    log.push(relation("mute", "7", 0, false));
    world.apply_line(4, &log[4]);
    let next = next_of(world.engine.next());
    world
        .engine
        .publish(&status(next, next), ServiceStatus::default());
    assert_eq!(in_force(&world), 4, "it is read, and its entries are there");
    assert_eq!(world.home("7").0.len(), 2);
    while world.engine.step(world.arrived_last).unwrap() == Progress::Going {}
    assert_eq!(in_force(&world), 4, "readers are not told");
    world.works();
    assert_eq!(in_force(&world), 5);
    assert_eq!(world.home("7").0.len(), 0);
}
