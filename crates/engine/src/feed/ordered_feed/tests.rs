use super::packed::Packed;
use super::*;
use crate::record::{Position, Topic};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn id(n: u64) -> PostId {
    PostId::from_number(n).unwrap()
}

fn log_pos(partition: i32, offset: i64) -> LogPos {
    LogPos::new(Position {
        topic: Topic::Activities,
        partition,
        offset,
    })
}

fn relation(offset: i64) -> LogPos {
    LogPos::new(Position {
        topic: Topic::Relationships,
        partition: 0,
        offset,
    })
}

fn seen(offset: i64) -> Arc<Offsets> {
    Arc::new(Offsets::new(&[log_pos(0, offset).position()]))
}

fn relation_change(offset: i64, at: i64, takes_out: bool) -> RelationChange {
    RelationChange {
        log_pos: relation(offset),
        takes_out,
        regroups: false,
        seen: seen(at),
    }
}

#[test]
fn what_is_packed_is_read_again() {
    let mut feed = OrderedFeed::default();
    feed.take_in(&[
        FeedOp::insert(id(3), log_pos(0, 1)),
        FeedOp::insert(id(9), log_pos(1, 7)),
        FeedOp::depends_on(id(9), relation(4)),
        FeedOp::remove(id(5), log_pos(2, 2)),
        FeedOp::shows(id(9), id(3)),
        FeedOp::shows(id(5), id(3)),
    ]);
    assert_eq!(
        feed.shows.rows(),
        [(3, 3), (3, 5), (3, 9)].map(|(post, entry)| (id(post), id(entry)))
    );
    assert_eq!(OrderedFeed::read(&feed.pack()).as_ref(), Some(&feed));
    feed.trim(1, 1, PostId::MAX);
    assert_ne!(feed.fell, Offsets::default());
    feed.add_relation_change(relation_change(4, 1, true));
    feed.forget(log_pos(3, 3));
    let bytes = feed.pack();
    assert_eq!(OrderedFeed::read(&bytes).as_ref(), Some(&feed));
    assert!(feed.forgotten.has(log_pos(3, 3)) && !feed.forgotten.has(log_pos(3, 4)));
    for cut in 0..bytes.len() {
        // Cut anywhere it is no feed, or one that remembers nothing besides.
        assert_ne!(
            OrderedFeed::read(&bytes[..cut]).as_ref(),
            Some(&feed),
            "{cut}"
        );
    }
}

#[test]
fn an_entry_rests_on_the_newest_record_of_each_partition_it_was_said_to() {
    let mut feed = OrderedFeed::default();
    feed.take_in(&[
        FeedOp::depends_on(id(5), relation(1)),
        FeedOp::insert(id(5), log_pos(0, 4)),
        FeedOp::insert(id(5), log_pos(0, 3)),
        FeedOp::depends_on(id(5), relation(8)),
        FeedOp::depends_on(id(5), relation(7)),
    ]);
    assert_eq!(
        feed.marks,
        [log_pos(0, 4)],
        "an older record changes nothing"
    );
    assert_eq!(feed.dependencies, [(id(5), relation(8))]);
    feed.take_in(&[FeedOp::insert(id(5), log_pos(1, 0))]);
    assert_eq!(feed.marks, [log_pos(1, 0)]);
    assert!(
        feed.dependencies.contains(&(id(5), log_pos(0, 4))),
        "both partitions matter"
    );
}

/// Were this to fail, a reader who has seen the one record and not the other would keep the entry.
#[test]
fn what_left_is_remembered_with_the_newest_record_of_each_partition_that_took_it_out() {
    let mut feed = OrderedFeed::default();
    feed.take_in(&[
        FeedOp::insert(id(5), log_pos(0, 0)),
        FeedOp::remove(id(5), relation(3)),
        FeedOp::remove(id(5), log_pos(0, 7)),
        FeedOp::remove(id(5), log_pos(0, 6)),
    ]);
    assert_eq!(feed.removed, [(id(5), relation(3)), (id(5), log_pos(0, 7))]);
    feed.take_in(&[FeedOp::insert(id(5), log_pos(0, 8))]);
    assert_eq!(feed.removed, []);
}

#[test]
fn what_left_is_remembered_until_it_returns_or_lies_below_the_floor() {
    let mut feed = OrderedFeed::default();
    feed.take_in(&[
        FeedOp::insert(id(5), log_pos(0, 0)),
        FeedOp::remove(id(5), log_pos(0, 1)),
    ]);
    feed.take_in(&[FeedOp::remove(id(4), log_pos(0, 2))]);
    assert_eq!(
        feed.removed,
        [(id(5), log_pos(0, 1)), (id(4), log_pos(0, 2))]
    );
    feed.take_in(&[
        FeedOp::insert(id(5), log_pos(0, 3)),
        FeedOp::insert(id(6), log_pos(0, 4)),
    ]);
    assert_eq!(feed.removed, [(id(4), log_pos(0, 2))]);
    feed.trim(1, 1, PostId::MAX);
    assert_eq!((feed.floor, feed.removed.len()), (id(5), 0));
    feed.take_in(&[
        FeedOp::remove(id(5), log_pos(0, 5)),
        FeedOp::insert(id(5), log_pos(0, 6)),
    ]);
    assert_eq!(
        (feed.removed.len(), feed.ids.len(), feed.below_floor),
        (0, 1, 1)
    );
}

/// Were this to fail, a reader whose cursor lacks a forgotten removal would keep an entry that left.
#[test]
fn what_is_not_remembered_is_known_to_be_forgotten() {
    let mut feed = OrderedFeed::default();
    for n in 0..=REMOVED_MAX as u64 {
        feed.take_in(&[FeedOp::remove(id(n + 1), log_pos(0, n as i64))]);
    }
    assert_eq!(feed.removed.len(), REMOVED_MAX);
    assert!(feed.forgotten.has(log_pos(0, 0)) && !feed.forgotten.has(log_pos(0, 1)));

    let mut feed = OrderedFeed::default();
    for n in 0..=DEPENDENCIES_MAX as u64 {
        feed.take_in(&[
            FeedOp::insert(id(n + 1), log_pos(0, 0)),
            FeedOp::depends_on(id(n + 1), relation(n as i64)),
        ]);
    }
    assert_eq!(feed.dependencies.len(), DEPENDENCIES_MAX);
    assert!(feed.forgotten.has(relation(0)) && !feed.forgotten.has(relation(1)));

    let mut feed = OrderedFeed::default();
    for n in 0..=RELATION_CHANGES_MAX as i64 {
        feed.add_relation_change(relation_change(n, n, false));
    }
    assert_eq!(feed.relation_changes.len(), RELATION_CHANGES_MAX);
    assert!(feed.forgotten.has(relation(0)) && !feed.forgotten.has(relation(1)));
}

#[test]
fn relation_changes_of_one_batch_are_one_and_one_read_again_is_none() {
    let mut feed = OrderedFeed::default();
    feed.add_relation_change(relation_change(3, 1, false));
    feed.add_relation_change(relation_change(4, 1, true));
    assert_eq!(feed.relation_changes, [relation_change(4, 1, true)]);
    feed.add_relation_change(relation_change(5, 2, false));
    feed.add_relation_change(relation_change(4, 9, true));
    feed.add_relation_change(relation_change(5, 9, true));
    assert_eq!(
        feed.relation_changes,
        [relation_change(4, 1, true), relation_change(5, 2, false)]
    );
}

#[test]
fn what_is_not_shown_yet_is_kept_besides() {
    let filled = || {
        let mut feed = OrderedFeed::default();
        for n in 1..=10 {
            feed.take_in(&[FeedOp::insert(id(n), log_pos(0, n as i64))]);
        }
        feed
    };
    let check = |length, held, shown, lowest, floor| {
        let mut feed = filled();
        feed.trim(length, held, id(shown));
        assert_eq!(
            (feed.ids.first().copied(), feed.floor),
            (Some(id(lowest)), id(floor)),
            "{length} of those up to {shown}, {held} in all"
        );
        assert_eq!(feed.ids.len(), feed.marks.len());
    };
    check(3, 12, 10, 8, 7);
    check(3, 12, 5, 3, 2);
    check(3, 12, 2, 1, 0);
    check(3, 6, 2, 5, 4);
    check(10, 10, 10, 1, 0);
}

/// The place of the millisecond; a boost repeats after ten.
fn at(ms: u64) -> PostId {
    PostId::from_number(ms << 16).unwrap()
}

const AFTER: Duration = Duration::from_millis(10);

/// A boost, by the record of its millisecond.
fn boost(ms: u64, of: u64) -> [FeedOp; 2] {
    let by = log_pos(0, i64::try_from(ms).unwrap());
    [FeedOp::insert(at(ms), by), FeedOp::shows(at(ms), at(of))]
}

fn hidden(feed: &OrderedFeed) -> Vec<u64> {
    let hidden = feed.hidden(AFTER);
    hidden
        .into_iter()
        .map(|place| place.number() >> 16)
        .collect()
}

#[test]
fn a_post_in_the_feed_hides_its_boosts_whichever_came_first() {
    let post = [FeedOp::insert(at(4), log_pos(0, 4))];
    let (first, second) = (boost(5, 4), boost(6, 4));
    for order in [
        [&post[..], &first, &second],
        [&first, &post, &second],
        [&second, &first, &post],
    ] {
        let mut feed = OrderedFeed::default();
        for ops in order {
            feed.take_in(ops);
        }
        assert_eq!(hidden(&feed), [5, 6]);
        feed.take_in(&[FeedOp::remove(at(4), log_pos(0, 7))]);
        assert_eq!(hidden(&feed), [6], "the next comes to light");
        feed.take_in(&post);
        assert_eq!(hidden(&feed), [5, 6]);
    }
}

/// A boost of a boost shows that, and the boost shows what it boosts.
#[test]
fn a_boost_that_is_boosted_does_not_show_itself() {
    for order in [[boost(5, 4), boost(6, 5)], [boost(6, 5), boost(5, 4)]] {
        let mut feed = OrderedFeed::default();
        feed.take_in(order.as_flattened());
        assert_eq!(feed.shows.rows(), [(at(4), at(5)), (at(5), at(6))]);
        assert_eq!(hidden(&feed), [0; 0]);
    }
}

/// Were this to fail, trimming would promote a repeat.
#[test]
fn what_fell_hides_repeats_until_it_leaves() {
    let mut feed = OrderedFeed::default();
    feed.take_in(&[boost(5, 1), boost(6, 2), boost(7, 1)].concat());
    feed.trim(1, 1, PostId::MAX);
    feed.forget_fallen(AFTER);
    assert_eq!((feed.floor, hidden(&feed)), (at(6), vec![7]));
    assert_eq!(feed.fallen(), [at(5), at(6)]);
    let kept = OrderedFeed::read(&feed.pack()).unwrap();
    assert_eq!(hidden(&kept), [7]);
    feed.take_in(&[FeedOp::remove(at(5), log_pos(0, 8))]);
    assert_eq!((hidden(&feed), feed.fallen()), (vec![], vec![at(6)]));
    assert_eq!(feed.removed, [(at(5), log_pos(0, 8))]);
    feed.take_in(&boost(5, 1));
    assert_eq!((hidden(&feed), feed.removed.len()), (vec![7], 0));
}

#[test]
fn what_comes_at_or_below_the_floor_hides_repeats_too() {
    let mut feed = OrderedFeed {
        floor: at(6),
        ..OrderedFeed::default()
    };
    feed.take_in(&[boost(7, 3), boost(8, 4), boost(9, 5)].concat());
    assert_eq!(hidden(&feed), [0; 0]);
    feed.take_in(&boost(6, 3));
    feed.take_in(&[FeedOp::insert(at(4), log_pos(0, 4))]);
    feed.take_in(&[FeedOp::shows(at(5), at(5))]);
    assert_eq!(hidden(&feed), [7, 8, 9]);
    assert_eq!(feed.below_floor, 2);
}

/// Were this to fail, feeds would grow without bound, or hide what nothing hides any more.
#[test]
fn what_fell_is_forgotten_with_all_that_rests_on_it() {
    let mut feed = OrderedFeed::default();
    feed.take_in(&[boost(1, 0), boost(2, 0)].concat());
    for ms in [5, 11, 12, 20] {
        feed.take_in(&[FeedOp::insert(at(ms), log_pos(0, 0))]);
    }
    let mut trim = |length| {
        feed.trim(length, length, PostId::MAX);
        feed.forget_fallen(AFTER);
        (feed.fallen().len(), feed.fell != Offsets::default())
    };
    assert_eq!(trim(6), (0, false));
    assert_eq!(trim(4), (2, true));
    assert_eq!(trim(2), (2, true), "at 11 the second may hide what comes");
    assert_eq!(trim(1), (0, false));
}

#[test]
fn ten_thousand_boosts_of_one_post_are_one_entry_and_nine_thousand_hidden() {
    let mut feed = OrderedFeed::default();
    for n in (0..10_000).rev() {
        let id = PostId::from_number(at(5).number() + n).unwrap();
        feed.take_in(&[FeedOp::insert(id, log_pos(0, 1)), FeedOp::shows(id, at(4))]);
    }
    assert_eq!(feed.hidden(AFTER).len(), 9_999);
    feed.trim(800, 3_200, PostId::MAX);
    feed.forget_fallen(AFTER);
    assert_eq!(feed.hidden(AFTER).len(), 800 + FALLEN_MAX - 1);
    assert!(feed.forgotten.has(log_pos(0, 1)));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Insert(u64),
    Also(u64),
    Remove(u64),
    Trim,
}

proptest! {
    /// Were this to fail, a feed would depend on when its checkpoints happened, or lose an entry.
    #[test]
    fn a_ledger_is_the_highest_of_the_set_above_its_floor(
        steps in prop::collection::vec(
            prop_oneof![
                6 => (1u64..60).prop_map(Step::Insert),
                1 => (1u64..60).prop_map(Step::Also),
                2 => (1u64..60).prop_map(Step::Remove),
                1 => Just(Step::Trim),
            ],
            0..200,
        ),
        length in 1usize..20,
    ) {
        let (mut model, mut removed, mut floor) = (BTreeMap::new(), BTreeSet::new(), 0);
        let mut feed = OrderedFeed::default();
        for (n, step) in steps.into_iter().enumerate() {
            let at = log_pos(0, n as i64);
            match step {
                Step::Insert(n) => {
                    feed.take_in(&[FeedOp::insert(id(n), at)]);
                    if floor < n || model.contains_key(&n) {
                        model.insert(n, at);
                        removed.remove(&n);
                    }
                }
                Step::Also(n) => feed.take_in(&[FeedOp::depends_on(id(n), at)]),
                Step::Remove(n) => {
                    feed.take_in(&[FeedOp::remove(id(n), at)]);
                    model.remove(&n);
                    if floor < n {
                        removed.insert(n);
                    }
                }
                Step::Trim => {
                    feed.trim(length, length, PostId::MAX);
                    while length < model.len() {
                        floor = model.pop_first().unwrap().0;
                    }
                    removed.retain(|n| floor < *n);
                    feed = OrderedFeed { below_floor: feed.below_floor, ..OrderedFeed::read(&feed.pack()).unwrap() };
                }
            }
        }
        prop_assert_eq!(&feed.ids, &model.keys().copied().map(id).collect::<Vec<_>>());
        prop_assert_eq!(&feed.marks, &model.values().copied().collect::<Vec<_>>());
        prop_assert_eq!(feed.removed.iter().map(|(id, _)| id.number()).collect::<BTreeSet<_>>(), removed);
        prop_assert!(feed.dependencies.is_sorted());
        prop_assert!(feed.dependencies.iter().all(|(id, _)| model.contains_key(&id.number())));
        prop_assert_eq!(feed.floor, id(floor));
    }

    /// Were this to fail, trimming would show or hide something, or a feed would depend on when its checkpoints happened.
    #[test]
    fn what_is_hidden_is_what_the_whole_feed_says_however_it_is_trimmed(
        steps in prop::collection::vec(
            prop_oneof![
                6 => (10u64..60, 0u64..13).prop_map(|(ms, of)| (Step::Insert(ms), of)),
                2 => (10u64..60).prop_map(|ms| (Step::Remove(ms), 0)),
                1 => Just((Step::Trim, 0)),
            ],
            0..80,
        ),
        length in 1usize..20,
    ) {
        let (mut model, mut feed, mut trimmed) = (BTreeMap::new(), OrderedFeed::default(), false);
        for (n, (step, of)) in steps.into_iter().enumerate() {
            let by = log_pos(0, n as i64);
            match step {
                // Each post is boosted by some; those from 10 to 12 are entries too.
                Step::Insert(ms) => {
                    let of = *model.get(&ms).map_or(&of, |(of, _)| of);
                    if trimmed && at(ms) <= feed.floor {
                        continue;
                    }
                    model.insert(ms, (of, true));
                    feed.take_in(&[FeedOp::insert(at(ms), by), FeedOp::shows(at(ms), at(of))]);
                }
                Step::Remove(ms) => {
                    if let Some((_, stands)) = model.get_mut(&ms) {
                        *stands = false;
                    }
                    feed.take_in(&[FeedOp::remove(at(ms), by)]);
                }
                Step::Also(_) => {}
                Step::Trim => {
                    trimmed = true;
                    feed.trim(length, length, PostId::MAX);
                    feed.forget_fallen(AFTER);
                    feed = OrderedFeed { below_floor: feed.below_floor, ..OrderedFeed::read(&feed.pack()).unwrap() };
                }
            }
        }
        let (mut last, mut expected) = (BTreeMap::new(), Vec::new());
        for (ms, (of, _)) in model.iter().filter(|(_, (_, stands))| *stands) {
            match last.get(of) {
                Some(shown) if ms - shown < 10 => expected.push(*ms),
                _ => drop(last.insert(*of, *ms)),
            }
        }
        expected.retain(|ms| feed.floor < at(*ms));
        let mut found = hidden(&feed);
        found.retain(|ms| feed.floor < at(*ms));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Some(packed) = Packed::read(&bytes) {
            prop_assert!(packed.ids().is_none_or(|ids| ids.len() <= bytes.len()));
        }
        OrderedFeed::read(&bytes);
    }
}
