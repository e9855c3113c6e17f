//! A topic of relationships that was given more partitions: an account's older records stand in one partition, its newer
//! ones in another, and they are read in any order.

use super::reference_model::{Feeds, from_scratch};
use super::scenario::*;
use super::*;
use crate::graph::versions::Stamp;
use crate::relationship::{Change, Kind};

/// What one record of account 7's says.
#[derive(Clone, Debug)]
struct Record7 {
    stamp: Stamp,
    words: &'static str,
}

/// The records of two partitions, each in its own order, each with its timestamp.
fn records(old: &[(i64, &'static str)], new: &[(i64, &'static str)]) -> [Vec<Record7>; 2] {
    let of = |partition, said: &[(i64, &'static str)]| {
        let said = said.iter().enumerate();
        said.map(|(offset, (time, words))| Record7 {
            stamp: Stamp {
                partition,
                offset: i64::try_from(offset).unwrap(),
                time: Time::from_millis(NOON + time),
            },
            words,
        })
        .collect()
    };
    [of(3, old), of(11, new)]
}

/// Every order of reading them that keeps each partition's own.
fn interleavings([old, new]: &[Vec<Record7>; 2]) -> Vec<Vec<Record7>> {
    match (old.split_first(), new.split_first()) {
        (None, _) => vec![new.clone()],
        (_, None) => vec![old.clone()],
        (Some((first_old, older)), Some((first_new, newer))) => {
            let then = |first: &Record7, rest: [Vec<Record7>; 2]| {
                let rest = interleavings(&rest).into_iter();
                rest.map(|rest| [vec![first.clone()], rest].concat())
                    .collect::<Vec<_>>()
            };
            let mut all = then(first_old, [older.to_vec(), new.clone()]);
            all.extend(then(first_new, [old.clone(), newer.to_vec()]));
            all
        }
    }
}

/// What is so, as one would say it who sees both partitions at once: of each relation the last record of each partition,
/// of these the one the log took in last, and nothing from before the account was removed.
fn effective(partitions: &[Vec<Record7>; 2]) -> Vec<Line> {
    let all = || partitions.iter().flatten();
    let key = |words: &str| match decode(words).key {
        key if key.kind == Kind::Account => String::new(),
        key => key.to_string(),
    };
    let is_last = |record: &&Record7| {
        !all().any(|other| {
            key(other.words) == key(record.words)
                && other.stamp.partition == record.stamp.partition
                && record.stamp.offset < other.stamp.offset
        })
    };
    let is_before = |a: &Stamp, b: &Stamp| match a.partition == b.partition {
        true => a.offset < b.offset,
        false => (a.time, a.partition) < (b.time, b.partition),
    };
    let removals: Vec<&Record7> = all().filter(|it| it.words == REMOVED).collect();
    let is_void = |record: &Record7| {
        removals
            .iter()
            .any(|removal| is_before(&record.stamp, &removal.stamp))
    };
    let last: Vec<&Record7> = all().filter(is_last).filter(|it| !is_void(it)).collect();
    let newest = last.iter().filter(|record| {
        !last.iter().any(|other| {
            key(other.words) == key(record.words) && is_before(&record.stamp, &other.stamp)
        })
    });
    let newest: Vec<&str> = newest.map(|record| record.words).collect();
    let has_ended = |words: &str| {
        let end = words.replacen("mute", "mute_end", 1);
        end.contains("until") && newest.contains(&&*end)
    };
    let stays = |words: &&&str| {
        let is_said = !words.starts_with("end ") && !words.starts_with("mute_end");
        is_said && !has_ended(words)
    };
    newest.iter().filter(stays).map(|it| wish(it)).collect()
}

const REMOVED: &str = "end account 5";

fn decode(words: &str) -> Change {
    let Line::Relation(json) = wish(words) else {
        panic!("{words}");
    };
    crate::relationship::decode(None, Some(json.as_bytes())).unwrap()
}

impl World {
    fn hear(&mut self, record: &Record7, again: bool) {
        self.put_in_force(record, again);
        self.settle();
    }

    /// Its work in feeds is still to be done.
    fn put_in_force(&mut self, record: &Record7, again: bool) {
        let position = Position {
            topic: Topic::Relationships,
            partition: record.stamp.partition,
            offset: record.stamp.offset,
        };
        let seen = Arc::default();
        let change = decode(record.words);
        let engine = &mut self.engine;
        let read = relations::Read {
            log_pos: LogPos::new(position),
            record: LogPos::new(position),
            timestamp: Some(record.stamp.time),
            seen: &seen,
            again,
            wait: &|_| slackwater_order::hold::OriginHold::default(),
            kept: &engine.kept,
            last_access: &engine.view.last_access,
            awakened: &engine.view.awakened,
        };
        let backlog = &mut engine.backlog;
        relations::relate(&engine.store, &engine.graph, backlog, &change, &read).unwrap();
    }
}

/// Three authors' posts, some of them tagged, answered or boosted.
fn posts() -> Vec<Line> {
    vec![
        post(0, 0),
        tagged(1, 0),
        post(2, 0),
        boosts(0, 1, (2, 0)),
        reply(1, 1, (0, 0)),
        tagged(2, 1),
        post(0, 2),
        post(ME, 2),
    ]
}

/// What accounts see: which part of the public feed a post is in is decided elsewhere.
fn of_accounts(feeds: Feeds) -> Feeds {
    let is_its = |name: &String| name.ends_with(" 7");
    feeds.into_iter().filter(|(name, _)| is_its(name)).collect()
}

/// Reads the partitions in every interleaving; then in every one with a crash in the middle, after which all of it is read
/// again, the other partition first.
fn check(old: &[(i64, &'static str)], new: &[(i64, &'static str)]) {
    let partitions = records(old, new);
    let posts = posts();
    let lines = [posts.clone(), effective(&partitions)].concat();
    let expected = of_accounts(from_scratch(&lines));
    for order in interleavings(&partitions) {
        let mut world = World::new();
        world.read(&posts, &BTreeSet::new());
        for record in &order {
            world.hear(record, false);
        }
        assert_eq!(of_accounts(world.feeds()), expected, "{order:#?}");
        let mut world = World::new();
        world.read(&posts, &BTreeSet::new());
        let (before, after) = order.split_at(order.len() / 2);
        for record in before {
            world.hear(record, false);
        }
        world.checkpoint();
        for record in after.iter().take(1) {
            world.hear(record, false);
        }
        let mut world = world.crash();
        let [one, other] = &partitions;
        for record in other.iter().chain(one) {
            world.hear(record, true);
        }
        assert_eq!(
            of_accounts(world.feeds()),
            expected,
            "read again after {before:#?}"
        );
    }
}

/// Were one of these to fail, a rebuild of the feeds after the topic grew would bring back who was unfollowed, or let in
/// who was muted.
#[test]
fn the_newest_relation_counts_whichever_partition_is_read_first() {
    const ME: (i64, &str) = (0, "account 5");
    check(&[ME, (1, "follow 0")], &[(2, "end follow 0")]);
    check(
        &[ME, (1, "follow 0"), (2, "end follow 0")],
        &[(3, "follow 0")],
    );
    check(
        &[ME, (1, "follow 0"), (2, "follow 1")],
        &[(3, "mute 1"), (4, "follow 0 \"boosts\":false")],
    );
    check(
        &[ME, (1, "follow 0"), (2, "mute 0")],
        &[(3, "end mute 0"), (4, "tag rust")],
    );
    // A producer that had not heard yet went on in the old partition.
    check(
        &[ME, (1, "follow 0"), (4, "end follow 0")],
        &[(3, "follow 0")],
    );
    // At one moment: the topic grew, so the higher partition is the later.
    check(&[ME, (3, "follow 0")], &[(3, "end follow 0")]);
    check(&[ME, (3, "end follow 0")], &[(3, "follow 0")]);
}

/// Were this to fail, an account that was removed would have its feeds again, or one that was made anew would lose them.
#[test]
fn what_was_said_before_an_account_was_removed_stays_without_effect() {
    const ME: (i64, &str) = (0, "account 5");
    check(&[ME, (1, "follow 0")], &[(2, REMOVED)]);
    check(&[ME, (1, "follow 0")], &[(2, REMOVED), (3, "follow 1")]);
    check(
        &[ME, (1, "follow 0"), (2, REMOVED)],
        &[(3, "account 5"), (4, "follow 1")],
    );
    check(
        &[(2, REMOVED), (3, "account 5"), (4, "follow 0")],
        &[(1, "follow 1"), (5, "end follow 0")],
    );
}

/// Clocks go back, and brokers differ: which record counts must not hang on that, whatever it is.
#[test]
fn clocks_that_were_set_back_decide_the_same_in_every_order() {
    const ME: (i64, &str) = (0, "account 5");
    check(
        &[ME, (10, "follow 0"), (3, "end follow 0")],
        &[(5, "follow 0 \"boosts\":false")],
    );
    check(
        &[ME, (10, "end follow 0"), (3, "follow 0")],
        &[(5, "end follow 0"), (2, "mute 1"), (1, "follow 1")],
    );
    check(
        &[(9, REMOVED), (3, "follow 0")],
        &[(5, "follow 1"), (4, "account 5")],
    );
    check(
        &[(2, REMOVED), (0, "follow 0")],
        &[(2, "mute 0"), (0, "mute 0")],
    );
    check(&[(4, "follow 0")], &[(4, REMOVED), (0, REMOVED)]);
}

const MUTE: &str = "mute 0 \"until\":\"2025-11-01T00:00:00Z\"";
const MUTE_END: &str = "mute_end 0 \"until\":\"2025-11-01T00:00:00Z\"";
const LONGER_MUTE: &str = "mute 0 \"until\":\"2025-11-02T00:00:00Z\"";
const LONGER_MUTE_END: &str = "mute_end 0 \"until\":\"2025-11-02T00:00:00Z\"";

/// Were this to fail, a mute would come back after a rebuild though it has ended, or a renewal of it would be lost.
#[test]
fn a_mute_has_ended_if_the_newest_end_is_its_own_whichever_is_read_first() {
    const ME: (i64, &str) = (0, "account 5");
    const FOLLOW: (i64, &str) = (1, "follow 0");
    check(&[ME, FOLLOW, (2, MUTE)], &[(3, MUTE_END)]);
    check(&[ME, FOLLOW, (2, MUTE)], &[(3, LONGER_MUTE), (4, MUTE_END)]);
    check(&[ME, FOLLOW, (2, MUTE), (3, MUTE_END)], &[(4, LONGER_MUTE)]);
    check(
        &[ME, FOLLOW, (2, MUTE)],
        &[(3, LONGER_MUTE), (4, LONGER_MUTE_END), (5, MUTE_END)],
    );
    check(
        &[ME, FOLLOW, (2, MUTE), (3, MUTE_END)],
        &[(4, LONGER_MUTE_END)],
    );
    check(&[ME, FOLLOW, (2, "mute 0")], &[(3, MUTE_END)]);
    // A clock was set back: of two ends neither counts any more.
    check(&[(100, MUTE_END), (40, MUTE_END)], &[(50, REMOVED)]);
    check(
        &[ME, FOLLOW, (2, MUTE_END)],
        &[(3, REMOVED), (4, MUTE), (5, "follow 0")],
    );
}

/// Were this to fail, nobody could mute again until then whom a clock that was ahead had ended the mute of.
#[test]
fn a_mute_that_is_said_again_after_a_clock_that_was_ahead_had_ended_it_counts() {
    const EARLY: &str = "mute 0 \"until\":\"2026-12-01T00:00:00Z\"";
    const EARLY_END: &str = "mute_end 0 \"until\":\"2026-12-01T00:00:00Z\"";
    let said = [
        (0, "account 5"),
        (1, "follow 0"),
        (2, EARLY),
        (3, EARLY_END),
        (4, EARLY),
        (5, EARLY_END),
    ];
    let [said, _] = &records(&said, &[]);
    let entries = |read: usize| {
        let read: Vec<&Record7> = said.iter().take(read).collect();
        let own = home_after(&read[..1]).ids.len();
        home_after(&read).ids.len() - own
    };
    let all = entries(2);
    assert!(0 < all);
    assert_eq!([3, 4, 5, 6].map(entries), [0, all, 0, all]);
}

const WISHES: [&str; 14] = [
    MUTE,
    MUTE_END,
    LONGER_MUTE,
    "account 5",
    REMOVED,
    "follow 0",
    "follow 0 \"boosts\":false",
    "end follow 0",
    "follow 1",
    "end follow 1",
    "mute 0",
    "end mute 0",
    "tag rust",
    "list friends \"replies\":\"list\"",
];

proptest! {
    // Each is read in up to twenty interleavings, twice.
    #![proptest_config(ProptestConfig { cases: cases().div_ceil(4), ..ProptestConfig::default() })]

    /// The same of whatever relations.
    #[test]
    fn any_relations_in_two_partitions_are_what_both_together_say(
        old in prop::collection::vec((0_i64..6, prop::sample::select(&WISHES[..])), 1..4),
        new in prop::collection::vec((0_i64..6, prop::sample::select(&WISHES[..])), 1..4),
    ) {
        check(&old, &new);
    }
}

/// Were this to fail, what is remembered of removed relations would only ever grow.
#[test]
fn a_removal_is_remembered_for_as_long_as_the_configuration_says() {
    let day = |n: i64| n * 86_400_000;
    let mut world = World::new();
    let [old, new] = records(
        &[(0, "account 5"), (1, "end follow 0")],
        &[(day(20), "mute 1")],
    );
    for record in old.iter().chain(&new) {
        world.hear(record, false);
    }
    let rows = |world: &World| world.store.relation_keys(&[]).unwrap().len();
    let sweep = |world: &mut World, days: i64| {
        world.checkpoint();
        let now = Time::from_millis(NOON + day(days));
        world.begin_sweep(now);
        world.end_sweep();
        world.checkpoint();
    };
    sweep(&mut world, 29);
    assert_eq!(rows(&world), 3);
    sweep(&mut world, 31);
    assert_eq!(rows(&world), 2, "the removal is forgotten, the rest is not");
}

/// Were this to fail, the ends of mutes would only ever gather, or somebody would be muted again whose mute had ended.
#[test]
fn a_mute_that_has_ended_and_its_end_are_forgotten_together() {
    let day = |n: i64| n * 86_400_000;
    let rows = |world: &World| world.store.relation_keys(&[]).unwrap().len();
    let after = |said: &[(i64, &'static str)], days: i64| {
        let mut world = World::new();
        let [said, _] = records(said, &[]);
        for record in &said {
            world.hear(record, false);
        }
        world.checkpoint();
        world.begin_sweep(Time::from_millis(NOON + day(days)));
        world.end_sweep();
        world.checkpoint();
        let muted = world.graph.read();
        let account = muted.get(muted.account("7").unwrap()).unwrap();
        (rows(&world), account.excludes_anybody())
    };
    const ME: (i64, &str) = (0, "account 5");
    let ended = [ME, (1, MUTE), (2, MUTE_END)];
    assert_eq!(after(&ended, 20), (3, false));
    assert_eq!(after(&ended, 31), (1, false));
    let renewed = [ME, (1, MUTE), (2, MUTE_END), (3, LONGER_MUTE)];
    assert_eq!(after(&renewed, 31), (2, true));
    let removed = [ME, (1, MUTE), (2, MUTE_END), (3, "end mute 0")];
    assert_eq!(after(&removed, 31), (1, false));
    assert_eq!(after(&[ME, (1, MUTE)], 31), (2, true));
}

/// Were this to fail, whom an account had muted until then would stay away for good, if a crash came between the end and its work in feeds.
#[test]
fn the_end_of_a_mute_that_is_read_again_is_carried_out() {
    let said = [(0, "account 5"), (1, "follow 0"), (2, MUTE), (3, MUTE_END)];
    let [said, _] = records(&said, &[]);
    let mut world = World::new();
    world.read(&posts(), &BTreeSet::new());
    for record in &said[..3] {
        world.hear(record, false);
    }
    let muted = of_accounts(world.feeds());
    world.put_in_force(&said[3], false);
    world.checkpoint();
    let mut world = world.crash();
    assert_eq!(of_accounts(world.feeds()), muted);
    world.hear(&said[3], true);
    let unmuted: Vec<Line> = said[..2].iter().map(|it| wish(it.words)).collect();
    let expected = of_accounts(from_scratch(&[posts(), unmuted].concat()));
    assert_eq!(of_accounts(world.feeds()), expected);
    assert_ne!(expected, muted);
}

/// Account 7's home after these records, in this order.
fn home_after(records: &[&Record7]) -> OrderedFeed {
    let mut world = World::new();
    world.read(&posts(), &BTreeSet::new());
    for record in records {
        world.hear(record, false);
    }
    let account = world.graph.read().account("7").unwrap();
    world.store.feed(&FeedId::Home(account)).unwrap()
}

/// Were this to fail, a reader who was told of a follow elsewhere, but not of its end, would keep what it brought: here
/// neither ever did anything.
#[test]
fn a_cursor_that_knows_what_was_overtaken_and_not_by_what_is_refused() {
    let refuses = |home: &OrderedFeed, old: i64, new: i64| {
        let next = |partition, offset| Position {
            topic: Topic::Relationships,
            partition,
            offset,
        };
        let seen = Offsets::new(&[next(3, old), next(11, new)]);
        !home.forgotten.is_within(&seen)
    };
    let [old, new] = &records(
        &[(0, "account 5"), (1, "follow 0")],
        &[(2, "end follow 0"), (3, "follow 1")],
    );
    let home = home_after(&[&old[0], &new[0], &old[1], &new[1]]);
    assert!(refuses(&home, 2, 0));
    assert!(!refuses(&home, 2, 1));
    let home = home_after(&[&old[0], &old[1], &new[0], &new[1]]);
    assert!(!refuses(&home, 2, 0), "here it was told of both");

    // A mute that is read after its end takes nothing out here.
    let said = [(0, "account 5"), (1, "follow 0"), (2, MUTE)];
    let [old, new] = &records(&said, &[(3, MUTE_END)]);
    let home = home_after(&[&old[0], &old[1], &new[0], &old[2]]);
    assert!(refuses(&home, 3, 0));
    assert!(!refuses(&home, 3, 1));

    // The account was not known when it was overtaken.
    let [old, new] = &records(&[(1, "follow 0"), (3, "account 5")], &[(2, "end follow 0")]);
    let home = home_after(&[&new[0], &old[0], &old[1]]);
    assert!(refuses(&home, 2, 0));
    assert!(!refuses(&home, 2, 1));
}

/// Were this to fail, a reader who knows of the removal, but not of the follow since, would never be told of what it brought.
#[test]
fn what_stays_when_an_account_is_taken_away_rests_on_its_own_record() {
    let [old, new] = &records(
        &[(0, "follow 1"), (1, REMOVED)],
        &[(2, "account 5"), (3, "follow 0")],
    );
    let home = home_after(&[&old[0], &new[0], &new[1], &old[1]]);
    let rests_on: Vec<bool> = home
        .ids
        .iter()
        .flat_map(|id| home.marks_of(*id))
        .filter(|log_pos| log_pos.topic() == Topic::Relationships)
        .map(|log_pos| log_pos.is_beside(new[1].stamp.log_pos()))
        .collect();
    assert!(
        !rests_on.is_empty() && rests_on.iter().all(|it| *it),
        "{home:?}"
    );
}
