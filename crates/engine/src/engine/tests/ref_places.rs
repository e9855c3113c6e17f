//! Places that are the backend's own ids of posts.

use super::*;
use crate::feed::rules::Excluded;
use slackwater_order::verdict::PlacedBy;

/// A world where refs are places.
fn by_ref() -> World {
    World::placing(PlaceSource::Ref, Windows::default())
}

/// The ref of the `n`th post of a backend that stands at this moment.
fn id(at: i64, n: u64) -> String {
    (at.unsigned_abs() << 16 | n).to_string()
}

/// A post by an author whose ref is of when it was written.
fn create_as(author: usize, n: usize, published: i64, arrived: i64) -> Line {
    let number = (author * 100 + n) as u64;
    with_ref(
        create(author, n, published, arrived),
        &id(published, number),
    )
}

/// The home of account 7: refs and URIs, lowest first.
fn home(world: &World) -> Vec<(String, String)> {
    let (entries, _) = world.home("7");
    let entries = entries.into_iter();
    entries.map(|(id, uri)| (id.to_string(), uri)).collect()
}

/// Promise 1. Were this to fail, the order of arrival would decide where posts stand.
#[test]
fn five_posts_in_any_order_have_their_refs_for_places_and_give_one_feed() {
    // Two of a millisecond, whose refs say which is first; late ones; one whose ref is not of when it was written.
    let posts = [
        with_ref(create(0, 0, NOON, NOON + 9), &id(NOON, 7)),
        with_ref(create(1, 0, NOON, NOON + 9), &id(NOON, 3)),
        create_as(0, 1, NOON - 900_000, NOON + 9),
        with_ref(create(1, 1, NOON - 5_000, NOON + 9), &id(NOON + 8, 0)),
        create_as(2, 0, NOON + 1, NOON + 9),
    ];
    let wishes = [follow("7", 0), follow("7", 1), follow("7", 2)];
    let expected = [
        (id(NOON - 900_000, 1), uri(0, 1)),
        (id(NOON, 3), uri(1, 0)),
        (id(NOON, 7), uri(0, 0)),
        (id(NOON + 1, 200), uri(2, 0)),
        (id(NOON + 8, 0), uri(1, 1)),
    ];
    for order in orders(posts.len()) {
        let mut world = by_ref();
        let ordered = order.iter().map(|n| posts[*n].clone());
        let log: Vec<Line> = wishes.iter().cloned().chain(ordered).collect();
        world.read(&log, &BTreeSet::new());
        assert_eq!(home(&world), expected, "{order:?}");
    }
}

#[test]
fn a_verdict_is_by_published_and_arrived_wherever_the_ref_stands() {
    let mut windows = Windows::default();
    windows.default.too_late = TooLatePolicy::Drop;
    let mut world = World::placing(PlaceSource::Ref, windows);
    let day = 86_400_000;
    let undated = create_as(0, 3, NOON, NOON);
    let Line::Activity {
        json,
        arrived,
        beside,
    } = undated
    else {
        panic!("an activity");
    };
    let published = Time::from_millis(NOON).rfc3339();
    let undated = Line::Activity {
        json: json.replace(&published, "soon"),
        arrived,
        beside,
    };
    let log = [
        follow("7", 0),
        create_as(0, 0, NOON, NOON + 30_000),
        create_as(0, 1, NOON, NOON + 30_001),
        create_as(0, 2, NOON, NOON + 2 * day),
        undated,
        with_ref(create(0, 4, NOON + 2 * day, NOON), &id(NOON + 120_000, 9)),
    ];
    world.read(&log, &BTreeSet::new());
    let found = [0, 1, 2, 3, 4].map(|n| {
        let post = world.store.post_by_uri(&uri(0, n)).unwrap().unwrap();
        assert_eq!(post.placed_by, PlacedBy::Ref);
        (post.verdict, post.disposition)
    });
    use Disposition::{Dropped, InFeeds};
    assert_eq!(
        found,
        [
            (Verdict::InTime, InFeeds),
            (Verdict::Late, InFeeds),
            (Verdict::TooLate, Dropped),
            (Verdict::Undated, InFeeds),
            (Verdict::FromTheFuture, InFeeds),
        ]
    );
    assert_eq!(home(&world).len(), 4);
}

/// Promise 2. Were this to fail, a post that is sent twice would be twice in a feed, or move.
#[test]
fn a_post_keeps_its_first_ref_however_often_and_with_whatever_ref_it_comes() {
    let first = id(NOON, 1);
    let other = id(NOON + 5, 2);
    let mut world = by_ref();
    let log = [
        follow("7", 0),
        with_ref(create(0, 0, NOON, NOON + 10), &first),
        with_ref(create(0, 0, NOON, NOON + 11), &first),
        with_ref(create(0, 0, NOON, NOON + 12), &other),
        create(0, 0, NOON, NOON + 13),
        with_ref(activity("Update", 0, 0, NOON, NOON + 14, ""), "no number"),
    ];
    world.read(&log, &BTreeSet::new());
    assert_eq!(world.refused, Vec::<String>::new());
    assert_eq!(home(&world), [(first.clone(), uri(0, 0))]);
    assert!(world.store.post_by_ref(&first).unwrap().is_some());
    assert!(world.store.post_by_ref(&other).unwrap().is_none());
}

#[test]
fn what_has_no_place_is_refused_and_says_what_to_send() {
    let taken = id(NOON, 1);
    let ahead = id(NOON + 10 + 120_001, 0);
    let mut world = by_ref();
    let log = [
        with_ref(create(0, 0, NOON, NOON + 10), &taken),
        create(0, 1, NOON, NOON + 10),
        with_ref(create(0, 2, NOON, NOON + 10), "seven"),
        with_ref(create(0, 3, NOON, NOON + 10), &ahead),
        with_ref(create(1, 0, NOON, NOON + 10), &taken),
        boost(0, 4, (0, 0), NOON, NOON + 10),
    ];
    world.read(&log, &BTreeSet::new());
    let words = [
        "has no ref",
        "a decimal number from 1 to",
        "than clocks may differ",
        &format!("the ref {taken} of {} is that of {}", uri(1, 0), uri(0, 0)),
        "has no ref",
    ];
    assert_eq!(world.refused.len(), words.len(), "{:?}", world.refused);
    for (refused, words) in world.refused.iter().zip(words) {
        assert!(refused.contains(words), "{refused}");
    }
    for (author, n) in [(0, 1), (0, 2), (0, 3), (1, 0), (0, 4)] {
        assert!(world.store.post_by_uri(&uri(author, n)).unwrap().is_none());
    }
    let stands = world.store.post_by_ref(&taken).unwrap().unwrap();
    assert_eq!(stands.body.uri, uri(0, 0));
}

/// Were this to fail, old posts that a boost brings would crowd the bottom of feeds in the order of a counter, or be nowhere to be found.
#[test]
fn a_small_number_is_a_place_in_no_feed() {
    let mut world = by_ref();
    let old = NOON - 300_000_000_000;
    let log = [
        follow("7", 0),
        with_ref(create(0, 0, old, NOON), "12345678"),
        create_as(0, 1, NOON, NOON),
        with_ref(boost(0, 2, (0, 0), NOON, NOON), &id(NOON, 77)),
    ];
    world.read(&log, &BTreeSet::new());
    assert_eq!(world.refused, Vec::<String>::new());
    assert_eq!(
        home(&world),
        [(id(NOON, 1), uri(0, 1)), (id(NOON, 77), uri(0, 2))],
        "the boost shows it"
    );
    let post = world.store.post_by_ref("12345678").unwrap().unwrap();
    let explained = world
        .view
        .explain("7", &post, None, Time::from_millis(NOON));
    let explained = explained.unwrap().unwrap();
    let said = serde_json::to_string(&explained).unwrap();
    assert!(said.contains(Excluded::Timeless.words()), "{said}");
}

/// Were this to fail, what is known of a post would depend on whether a copy of it came before it or after it.
#[test]
fn a_copy_inside_a_boost_waits_for_its_own_record_and_edits_nothing() {
    let (author, original, boosted) = (actor(0), uri(0, 0), uri(0, 1));
    let times = [NOON, NOON + 60_000].map(|at| Time::from_millis(at).rfc3339());
    let [published, updated] = &times;
    let json = format!(
        r#"{{"id":"{boosted}","type":"Announce","actor":"{author}","published":"{published}","to":"as:Public","object":{{"id":"{original}","type":"Note","attributedTo":"{author}","content":"edited","published":"{published}","updated":"{updated}","to":["https://www.w3.org/ns/activitystreams#Public"]}}}}"#
    );
    let boosts = Line::Activity {
        json,
        arrived: NOON + 70_000,
        beside: Beside {
            post_ref: Some(id(NOON + 2, 2)),
            ..Beside::default()
        },
    };
    let own = create_as(0, 0, NOON, NOON + 80_000);
    // Where places are by when posts were written, the copy is taken.
    let mut plain = World::new();
    plain.read(std::slice::from_ref(&boosts), &BTreeSet::new());
    assert!(plain.store.post_by_uri(&original).unwrap().is_some());
    for lines in [[boosts.clone(), own.clone()], [own, boosts]] {
        let mut world = by_ref();
        world.read(&[&[follow("7", 0)], &lines[..1]].concat(), &BTreeSet::new());
        let is_boost_first = world.store.post_by_uri(&original).unwrap().is_none();
        assert_eq!(home(&world).len(), usize::from(!is_boost_first));
        world.read(&[&[follow("7", 0)], &lines[..]].concat(), &BTreeSet::new());
        let refs = [id(NOON, 0), id(NOON + 2, 2)];
        let shown: Vec<String> = home(&world).into_iter().map(|(id, _)| id).collect();
        assert_eq!(shown, refs);
        let post = world.store.post_by_uri(&original).unwrap().unwrap();
        assert_eq!(
            (post.edited, post.body.object.get().contains("edited")),
            (None, false)
        );
    }
}

#[test]
fn a_post_that_the_backend_knows_by_another_uri_is_deleted_by_its_ref() {
    let (mine, others) = (id(NOON, 0), id(NOON, 100));
    let mut world = by_ref();
    let log = [
        follow("7", 0),
        follow("7", 1),
        create_as(0, 0, NOON, NOON + 1),
        create_as(1, 0, NOON, NOON + 1),
        with_ref(delete(0, 9, NOON + 2), &mine),
        // Of another host.
        with_ref(delete(0, 8, NOON + 2), &others),
    ];
    world.read(&log, &BTreeSet::new());
    assert_eq!(home(&world), [(others, uri(1, 0))]);
    let post = world.store.post_by_ref(&mine).unwrap().unwrap();
    assert_eq!(post.state, State::Gone);
    assert_eq!(world.refused.len(), 1, "{:?}", world.refused);
    assert!(world.refused[0].contains("only its host may remove it"));
}

/// Promise 2. Were this to fail, a crash would lose a post, double it, or give it another place.
#[test]
fn a_checkpoint_may_be_cut_off_after_any_write() {
    let first = [
        follow("7", 0),
        follow("7", 1),
        create_as(0, 0, NOON, NOON + 1),
    ];
    let second = [
        create_as(0, 1, NOON - 60_000, NOON + 2),
        delete(0, 0, NOON + 3),
        create_as(1, 0, NOON + 4, NOON + 5),
        with_ref(
            activity("Update", 1, 0, NOON + 4, NOON + 6, ""),
            &id(NOON + 4, 100),
        ),
        with_ref(boost(0, 2, (2, 0), NOON + 7, NOON + 8), &id(NOON + 7, 2)),
        create_as(2, 0, NOON + 6, NOON + 9),
    ];
    let log = [&first[..], &second].concat();
    let mut whole = by_ref();
    whole.read(&log, &BTreeSet::new());
    let expected = whole.home("7");
    assert_eq!(expected.0.len(), 3, "{expected:?}");
    for writes in 0.. {
        let mut world = by_ref();
        world.read(&first, &BTreeSet::from([first.len() - 1]));
        world.read(&log, &BTreeSet::new());
        let was_all = world.checkpoint_cut_off(writes);
        let mut world = world.crash();
        world.read(&log, &BTreeSet::new());
        assert_eq!(world.home("7"), expected, "after {writes} writes");
        for (post_ref, uri) in &home(&whole) {
            let found = world.store.post_by_ref(post_ref).unwrap().unwrap();
            assert_eq!(&found.body.uri, uri, "after {writes} writes");
        }
        if was_all {
            assert!(15 < writes, "{writes} writes were all");
            break;
        }
    }
}

/// Were this to fail, a reader would go on in feeds of other places with a cursor of the ones before.
#[test]
fn a_cursor_is_of_one_kind_of_places() {
    let log = |place_source| {
        World::placing(place_source, Windows::default())
            .view
            .log
            .clone()
    };
    let [published, by_ref] = [PlaceSource::Published, PlaceSource::Ref].map(log);
    assert_ne!(published, by_ref);
    assert_eq!(by_ref, log(PlaceSource::Ref), "and good on another node");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Promises 1, 2, 3 and 10, where refs are places.
    #[test]
    fn a_feed_is_a_function_of_what_is_so_not_of_how_it_came(
        posts in prop::collection::btree_set((0usize..4, 0usize..14, 0i64..6), 1..30),
        one in prop::collection::vec(0usize..64, 30),
        other in prop::collection::vec(0usize..64, 30),
        checkpoints in prop::collection::btree_set(0usize..80, 0..4),
        crashes in prop::collection::vec(0usize..80, 0..3),
        doubled in prop::collection::vec(0usize..30, 0..6),
    ) {
        let mut lines: Vec<Line> = posts.iter().map(|(author, n, at)| create_as(*author, *n, NOON + at, NOON + 20)).collect();
        // A URI has one ref.
        lines.sort();
        lines.dedup_by_key(|line| match line {
            Line::Activity { json, .. } => json.split('#').next().unwrap().to_owned(),
            Line::Relation(json) => json.clone(),
        });
        lines.extend(doubled.iter().filter_map(|n| lines.get(*n).cloned()).collect::<Vec<_>>());
        let shuffled = |by: &[usize]| {
            let mut keyed: Vec<_> = lines.iter().cloned().zip(by.iter().cycle()).collect();
            keyed.sort_by_key(|(_, key)| **key);
            let lines = keyed.into_iter().map(|(line, _)| line);
            (0..4).map(|author| follow("7", author)).chain(lines).collect::<Vec<Line>>()
        };
        let mut plain = by_ref();
        plain.read(&shuffled(&one), &BTreeSet::new());
        let log = shuffled(&other);
        let mut world = by_ref();
        for end in crashes {
            world.read(&log[..end.min(log.len())], &checkpoints);
            world = world.crash();
        }
        world.read(&log, &checkpoints);
        prop_assert!(plain.refused.is_empty(), "{:?}", plain.refused);
        let (expected, found) = (plain.home("7"), world.home("7"));
        prop_assert!(found.0.is_sorted_by(|a, b| a.0 < b.0));
        prop_assert!(agree(&expected, &found), "{expected:?}\n{found:?}\n{log:#?}");
        for (id, uri) in &found.0 {
            let post = world.store.post_by_ref(&id.to_string()).unwrap().unwrap();
            prop_assert_eq!(&post.body.uri, uri);
        }
    }
}
