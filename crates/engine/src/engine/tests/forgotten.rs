//! Posts that the backend forgets by itself, and that may come again as others.

use super::*;
use crate::record::RecordView;

/// The ref of the `n`th post that stands `ms` after noon.
fn id(ms: i64, n: u64) -> String {
    ((NOON + ms).unsigned_abs() << 16 | n).to_string()
}

/// The worlds of both kinds of places.
fn worlds() -> [World; 2] {
    [PlaceSource::Published, PlaceSource::Ref]
        .map(|place_source| World::placing(place_source, Windows::default()))
}

fn home(world: &World) -> Vec<String> {
    let (entries, _) = world.home("7");
    entries.into_iter().map(|(_, uri)| uri).collect()
}

/// The post of a URI: its ref and its state.
fn of(world: &World, uri: &str) -> (Option<String>, State) {
    let post = world.store.post_by_uri(uri).unwrap().unwrap();
    (post.post_ref.clone(), post.state)
}

/// Refs of a post's first and its second life. The second was written as the first was.
const FIRST: (i64, u64) = (0, 1);
const SECOND: (i64, u64) = (0, 9);

fn first() -> Line {
    with_ref(create(0, 0, NOON, NOON + 1), &id(FIRST.0, FIRST.1))
}

fn forgets() -> Line {
    forget(0, 0, &id(FIRST.0, FIRST.1), NOON + 2)
}

fn second() -> Line {
    with_ref(create(0, 0, NOON, NOON + 3), &id(SECOND.0, SECOND.1))
}

#[test]
fn a_forgotten_post_leaves_feeds_and_comes_again_under_another_ref_as_another_post() {
    for mut world in worlds() {
        let mut log = vec![follow("7", 0), first()];
        world.read(&log, &BTreeSet::new());
        let before = world.home("7").0[0].0;
        log.push(forgets());
        world.read(&log, &BTreeSet::new());
        assert_eq!(home(&world), Vec::<String>::new());
        assert_eq!(of(&world, &uri(0, 0)), (Some(id(0, 1)), State::Forgotten));
        log.push(second());
        world.read(&log, &BTreeSet::from([3]));
        assert_eq!(home(&world), [uri(0, 0)]);
        let after = world.home("7").0[0].0;
        assert_ne!(before, after, "a place is never freed");
        assert_eq!(of(&world, &uri(0, 0)), (Some(id(0, 9)), State::Whole));
        // Both are found by their refs.
        for (post_ref, place) in [(id(0, 1), before), (id(0, 9), after)] {
            assert_eq!(
                world.store.post_by_ref(&post_ref).unwrap().unwrap().id,
                place
            );
        }
    }
}

/// Were this to fail, a post that the backend forgot would come back because a queue sent its Create twice.
#[test]
fn what_is_sent_again_under_the_same_ref_or_without_one_stays_forgotten() {
    for mut world in worlds() {
        let edit = r#","updated":"2025-11-22T10:02:00Z""#;
        let again = [
            first(),
            create(0, 0, NOON, NOON + 4),
            activity("Update", 0, 0, NOON, NOON + 5, edit),
            with_ref(activity("Update", 0, 0, NOON, NOON + 5, edit), &id(0, 1)),
            forgets(),
        ];
        let log = [&[follow("7", 0), first(), forgets()][..], &again].concat();
        world.read(&log, &BTreeSet::new());
        assert_eq!(home(&world), Vec::<String>::new());
        assert_eq!(of(&world, &uri(0, 0)), (Some(id(0, 1)), State::Forgotten));
        assert_eq!(world.refused, Vec::<String>::new());
    }
}

#[test]
fn what_concerns_the_first_life_leaves_the_second_alone() {
    for mut world in worlds() {
        let log = [
            follow("7", 0),
            first(),
            forgets(),
            second(),
            forgets(),
            first(),
        ];
        world.read(&log, &BTreeSet::new());
        assert_eq!(home(&world), [uri(0, 0)]);
        assert_eq!(of(&world, &uri(0, 0)), (Some(id(0, 9)), State::Whole));
        // And a third, after the second was forgotten too, and the first was sent once more.
        let edit = r#","updated":"2025-11-22T10:02:00Z""#;
        let third = [
            forget(0, 0, &id(0, 9), NOON + 4),
            first(),
            with_ref(activity("Update", 0, 0, NOON, NOON + 5, edit), &id(0, 1)),
            with_ref(create(0, 0, NOON, NOON + 5), &id(0, 11)),
        ];
        world.read(&[&log[..], &third].concat(), &BTreeSet::new());
        assert_eq!(of(&world, &uri(0, 0)), (Some(id(0, 11)), State::Whole));
        assert_eq!(home(&world), [uri(0, 0)]);
    }
}

/// Were this to fail, a deletion by the author would be undone by the backend's housekeeping.
#[test]
fn what_its_author_deleted_stays_deleted_whichever_comes_first() {
    let deletes = delete(0, 0, NOON + 2);
    for removals in [[deletes.clone(), forgets()], [forgets(), deletes]] {
        for mut world in worlds() {
            let log = [&[follow("7", 0), first()], &removals[..], &[second()]].concat();
            world.read(&log, &BTreeSet::new());
            assert_eq!(home(&world), Vec::<String>::new());
            assert_eq!(of(&world, &uri(0, 0)).1, State::Gone);
        }
    }
}

#[test]
fn an_author_who_is_removed_takes_both_lives_with_them() {
    for mut world in worlds() {
        let log = [
            follow("7", 0),
            first(),
            forgets(),
            second(),
            scenario::leaves(0),
            with_ref(create(0, 0, NOON, NOON + 9), &id(0, 12)),
        ];
        world.read(&log, &BTreeSet::from([4]));
        assert_eq!(home(&world), Vec::<String>::new());
        assert_eq!(of(&world, &uri(0, 0)), (Some(id(0, 9)), State::Gone));
    }
}

/// An actor that the backend removed, and looked up again, writes on. Were this to fail, whoever was removed once would never be seen
/// again; or a removal that is read again would take what came after it.
#[test]
fn an_author_who_is_forgotten_writes_on() {
    let forgets_author = |arrived: i64| {
        let Line::Activity { json, .. } = scenario::leaves(0) else {
            unreachable!()
        };
        Line::Activity {
            json,
            arrived,
            beside: Beside {
                forgotten: true,
                ..Beside::default()
            },
        }
    };
    let reply = format!(r#","inReplyTo":"{}""#, uri(0, 0));
    let reply = activity("Create", 1, 0, NOON + 5, NOON + 6, &reply);
    let log = [
        follow("7", 0),
        follow("7", 1),
        first(),
        with_ref(create(0, 1, NOON + 1, NOON + 1), &id(1, 2)),
        with_ref(reply, &id(5, 100)),
        forgets_author(NOON + 7),
        second(),
        with_ref(create(0, 2, NOON + 8, NOON + 8), &id(8, 3)),
    ];
    let shown = [uri(0, 0), uri(1, 0), uri(0, 2)];
    for mut world in worlds() {
        world.read(&log[..6], &BTreeSet::new());
        assert_eq!(home(&world), [uri(1, 0)], "a reply stays where it is");
    }
    for stored in 1..log.len() {
        for writes in 0.. {
            let mut world = World::new();
            world.read(&log[..stored], &BTreeSet::from([stored - 1]));
            world.read(&log, &BTreeSet::new());
            assert_eq!(home(&world), shown, "{stored}");
            let was_all = world.checkpoint_cut_off(writes);
            let mut world = world.crash();
            world.read(&log, &BTreeSet::new());
            assert_eq!(home(&world), shown, "{stored} stored, {writes} writes");
            assert_eq!(of(&world, &uri(0, 1)).1, State::Forgotten);
            assert_eq!(world.refused, Vec::<String>::new());
            if was_all {
                break;
            }
        }
    }
}

#[test]
fn a_post_without_a_ref_and_one_that_is_unknown_are_forgotten_too() {
    let mut world = World::new();
    let log = [
        follow("7", 0),
        create(0, 0, NOON, NOON + 1),
        forgets(),
        first(),
        // Of which nothing is known, nor waited for.
        forget(0, 1, &id(0, 2), NOON + 2),
        with_ref(create(0, 1, NOON + 1, NOON + 3), &id(0, 2)),
        // Of another host.
        forget(1, 5, &id(0, 2), NOON + 4),
    ];
    world.read(&log, &BTreeSet::new());
    assert_eq!(home(&world), [uri(0, 1)]);
    assert_eq!(of(&world, &uri(0, 0)), (Some(id(0, 1)), State::Forgotten));
    assert_eq!(world.refused.len(), 1, "{:?}", world.refused);
}

/// A boost of a forgotten post leaves with it and comes back with the post, and replies go on answering its author.
#[test]
fn boosts_leave_and_come_back_with_it_and_replies_stay() {
    for mut world in worlds() {
        let reply = format!(r#","inReplyTo":"{}""#, uri(0, 0));
        let answers = |n: usize, at: i64| {
            let line = activity("Create", 1, n, NOON + at, NOON + 20, &reply);
            with_ref(line, &id(at, 100 + n as u64))
        };
        let boosts = with_ref(boost(2, 0, (0, 0), NOON + 10, NOON + 20), &id(10, 200));
        let mut log = vec![
            follow("7", 0),
            follow("7", 1),
            follow("7", 2),
            Line::Relation(format!(
                r#"{{"type":"account","account":"7","actor":"{}","aggregate_boosts":false}}"#,
                actor(5)
            )),
            first(),
            answers(0, 5),
            boosts,
        ];
        world.read(&log, &BTreeSet::new());
        assert_eq!(home(&world), [uri(0, 0), uri(1, 0), uri(2, 0)]);
        log.push(forgets());
        world.read(&log, &BTreeSet::new());
        assert_eq!(home(&world), [uri(1, 0)], "the boost shows nothing");
        // A reply that comes now knows whom it answers.
        log.push(answers(1, 6));
        world.read(&log, &BTreeSet::new());
        assert_eq!(home(&world), [uri(1, 0), uri(1, 1)]);
        log.push(second());
        world.read(&log, &BTreeSet::new());
        assert_eq!(home(&world), [uri(0, 0), uri(1, 0), uri(1, 1), uri(2, 0)]);
    }
}

/// Were this to fail, the post that came after a forgotten one could not be found, edited or deleted any more.
#[test]
fn a_forgotten_reply_takes_no_uri_back_when_its_parent_comes() {
    for mut world in worlds() {
        let reply = format!(r#","inReplyTo":"{}""#, uri(1, 0));
        let answers = |at: i64, arrived: i64, post_ref: &str| {
            let line = activity("Create", 0, 0, NOON + at, NOON + arrived, &reply);
            with_ref(line, post_ref)
        };
        let log = [
            follow("7", 0),
            follow("7", 1),
            answers(0, 1, &id(0, 9)),
            forget(0, 0, &id(0, 9), NOON + 2),
            // It stands lower, and is decided about before what was forgotten.
            answers(-50, 3, &id(-50, 1)),
            with_ref(create(1, 0, NOON - 100, NOON + 9), &id(-100, 3)),
        ];
        world.read(&log, &BTreeSet::new());
        assert_eq!(of(&world, &uri(0, 0)), (Some(id(-50, 1)), State::Whole));
        assert_eq!(home(&world), [uri(1, 0), uri(0, 0)]);
    }
}

/// Were this to fail, what is kept of a forgotten post would take the URI from the post that has it now.
#[test]
fn a_sweep_over_a_forgotten_post_leaves_the_one_that_has_its_uri() {
    for mut world in worlds() {
        let log = [follow("7", 0), first(), forgets(), second()];
        world.read(&log, &BTreeSet::from([3]));
        let before = world.store.post_by_ref(&id(0, 1)).unwrap().unwrap();
        world.store.forget_post(&before).unwrap();
        assert_eq!(of(&world, &uri(0, 0)), (Some(id(0, 9)), State::Whole));
        world.checkpoint();
        let mut world = world.crash();
        assert_eq!(of(&world, &uri(0, 0)), (Some(id(0, 9)), State::Whole));
        // The one alone gives its URI up.
        let after = world.store.post_by_ref(&id(0, 9)).unwrap().unwrap();
        world.store.forget_post(&after).unwrap();
        assert!(world.store.post_by_uri(&uri(0, 0)).unwrap().is_none());
        world.checkpoint();
    }
}

/// Promise 2, at every moment of a checkpoint, wherever the one before was. Were this to fail, a crash would bring a forgotten post
/// back into a feed, lose the one that came after it, or give one of them another place.
#[test]
fn a_checkpoint_may_be_cut_off_after_any_write() {
    let later = [
        with_ref(create(1, 0, NOON, NOON + 4), &id(0, 100)),
        with_ref(boost(1, 1, (0, 0), NOON + 5, NOON + 6), &id(5, 101)),
    ];
    let log = [
        &[follow("7", 0), follow("7", 1), first(), forgets(), second()][..],
        &later,
    ]
    .concat();
    for place_source in [PlaceSource::Published, PlaceSource::Ref] {
        let new = || World::placing(place_source, Windows::default());
        let mut whole = new();
        whole.read(&log, &BTreeSet::new());
        let expected = whole.home("7");
        let lives = |world: &World| {
            [id(0, 1), id(0, 9)].map(|post_ref| {
                let post = world.store.post_by_ref(&post_ref).unwrap().unwrap();
                (post.id, post.state, post.newest)
            })
        };
        for stored in 1..log.len() {
            for writes in 0.. {
                let mut world = new();
                world.read(&log[..stored], &BTreeSet::from([stored - 1]));
                world.read(&log, &BTreeSet::new());
                let was_all = world.checkpoint_cut_off(writes);
                let mut world = world.crash();
                world.read(&log, &BTreeSet::new());
                let when = format!("{stored} stored, {writes} writes");
                assert_eq!(world.home("7"), expected, "{when}");
                assert_eq!(lives(&world), lives(&whole), "{when}");
                assert_eq!(of(&world, &uri(0, 0)), of(&whole, &uri(0, 0)), "{when}");
                if was_all {
                    break;
                }
            }
        }
    }
}

#[test]
fn forgotten_is_for_a_removal_of_a_post_that_has_a_ref_or_of_an_actor_that_has_none() {
    let check = |line: Line, is_good: bool| {
        let Line::Activity { json, beside, .. } = &line else {
            panic!("an activity");
        };
        let decoded = decode_record(RecordView {
            topic: Topic::Activities,
            timestamp: Some(Time::from_millis(NOON)),
            key: None,
            value: Some(json.as_bytes()),
            headers: &beside.headers(),
        });
        match decoded {
            Decoded::Activity(envelope, _) => {
                assert!(is_good && envelope.vouched.forgotten);
            }
            Decoded::Unusable(reason) => {
                assert!(!is_good && reason.contains("forgotten"), "{reason}");
            }
            Decoded::Relation(_) => panic!("{json}"),
        }
    };
    let forgotten = |line: Line, post_ref: Option<&str>| match line {
        Line::Activity { json, arrived, .. } => Line::Activity {
            json,
            arrived,
            beside: Beside {
                forgotten: true,
                post_ref: post_ref.map(str::to_owned),
                ..Beside::default()
            },
        },
        line @ Line::Relation(_) => line,
    };
    check(forgotten(delete(0, 0, NOON), Some("1")), true);
    check(
        forgotten(scenario::undoes(0, Some(1), (1, 0)), Some("1")),
        true,
    );
    check(forgotten(delete(0, 0, NOON), None), false);
    check(forgotten(create(0, 0, NOON, NOON), Some("1")), false);
    check(
        forgotten(scenario::undoes(0, None, (1, 0)), Some("1")),
        false,
    );
    check(forgotten(scenario::leaves(0), Some("1")), false);
    check(forgotten(scenario::leaves(0), None), true);
}
