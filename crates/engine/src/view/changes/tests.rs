use super::*;
use crate::feed::feed_op::FeedOp;
use crate::feed::ordered_feed::RelationChange;
use crate::record::Position;
use crate::view::visible::visible;
use slackwater_order::time::Time;
use std::sync::Arc;
use std::time::Duration;

const AFTER: Option<Duration> = Some(Duration::from_millis(4));

fn at(ms: i64) -> PostId {
    PostId::new(Time::from_millis(ms), 5, 0)
}

fn log_pos(topic: Topic, offset: i64) -> LogPos {
    LogPos::new(Position {
        topic,
        partition: 0,
        offset,
    })
}

fn post(offset: i64) -> LogPos {
    log_pos(Topic::Activities, offset)
}

fn relation(offset: i64) -> LogPos {
    log_pos(Topic::Relationships, offset)
}

/// So many posts and relations were seen.
fn seen(posts: i64, relations: i64) -> Offsets {
    Offsets::new(&[post(posts).position(), relation(relations).position()])
}

/// A reader who has seen so many posts and relations, and all there was up to the tenth millisecond.
fn from(posts: i64, relations: i64) -> ReadPoint {
    ReadPoint {
        seen: seen(posts, relations),
        ahead: Offsets::default(),
        horizon: Time::from_millis(10),
        top: PostId::MIN,
        floor: PostId::MIN,
    }
}

/// Five entries, at 1 to 5 ms, by as many records.
fn feed() -> OrderedFeed {
    let mut feed = OrderedFeed::default();
    for n in 1..=5 {
        feed.take_in(&[FeedOp::insert(at(n), post(n))]);
    }
    feed
}

/// The changes, in milliseconds, of a feed of ten that is shown whole.
fn told(feed: &OrderedFeed, from: &ReadPoint) -> Result<Vec<(i64, EntryChange)>, CursorRefused> {
    told_of(feed, None, from)
}

fn told_of(
    feed: &OrderedFeed,
    horizon: Option<i64>,
    from: &ReadPoint,
) -> Result<Vec<(i64, EntryChange)>, CursorRefused> {
    let part = visible(feed, 10, horizon.map(Time::from_millis), AFTER);
    let row = |change: ChangedEntry| (change.id.time().millis(), change.change);
    Ok(changes(feed, &part, &[], from)?
        .into_iter()
        .map(row)
        .collect())
}

#[test]
fn an_entry_is_told_if_its_record_was_not_seen() {
    let check = |posts, expected: &[i64]| {
        let expected: Vec<_> = expected
            .iter()
            .map(|ms| (*ms, EntryChange::Touched))
            .collect();
        assert_eq!(told(&feed(), &from(posts, 0)), Ok(expected), "{posts} seen");
    };
    check(6, &[]);
    check(5, &[5]);
    check(4, &[4, 5]);
}

#[test]
fn what_else_an_entry_rests_on_counts_too() {
    let mut feed = feed();
    feed.take_in(&[
        FeedOp::depends_on(at(2), relation(7)),
        FeedOp::depends_on(at(3), post(8)),
        FeedOp::depends_on(at(4), post(8)),
        FeedOp::depends_on(at(4), relation(7)),
    ]);
    let check = |posts, relations, expected: &[(i64, EntryChange)]| {
        let resolved = told(&feed, &from(posts, relations));
        assert_eq!(resolved, Ok(expected.to_vec()), "{posts} {relations}");
    };
    use EntryChange::{LetIn, Touched};
    check(9, 8, &[]);
    check(9, 7, &[(2, LetIn), (4, LetIn)]);
    check(8, 8, &[(3, Touched), (4, Touched)]);
    check(8, 7, &[(2, LetIn), (3, Touched), (4, LetIn)]);
}

/// A feed in which the second and third entries repeat the first.
fn feed_of_boosts() -> OrderedFeed {
    let mut feed = feed();
    for n in 1..=3 {
        feed.take_in(&[FeedOp::shows(at(n), at(1))]);
    }
    feed
}

/// Were this to fail, a reader would keep a repeat, or never see what came to light.
#[test]
fn what_a_change_below_hides_or_brings_to_light_is_told() {
    use EntryChange::{Entered, Left, Repeats, Touched};
    let feed = feed_of_boosts();
    assert_eq!(told(&feed, &from(6, 0)), Ok(vec![]));
    let came = told(&feed, &from(1, 0)).unwrap();
    let expected = [(1, Touched), (2, Repeats), (3, Repeats), (4, Touched)];
    assert_eq!(came[..4], expected);

    let mut undone = feed.clone();
    undone.take_in(&[FeedOp::remove(at(1), post(6))]);
    let light = vec![(1, Left), (2, Entered), (3, Repeats)];
    assert_eq!(told(&undone, &from(6, 0)), Ok(light));
    assert_eq!(told(&undone, &from(7, 0)), Ok(vec![]));

    let mut late = feed.clone();
    late.take_in(&[FeedOp::insert(at(0), post(6)), FeedOp::shows(at(0), at(1))]);
    let hidden = vec![(0, Touched), (1, Repeats), (2, Repeats), (3, Repeats)];
    assert_eq!(told(&late, &from(6, 0)), Ok(hidden));
}

/// A failure means that who has a boost is never told of an edit of what it shows.
#[test]
fn a_boost_is_told_of_an_edit_that_its_feed_does_not_say_yet() {
    let feed = feed_of_boosts();
    let part = visible(&feed, 10, None, None);
    let told = |posts| changes(&feed, &part, &[(at(1), post(7))], &from(posts, 0));
    assert_eq!(told(7).map(|told| told.len()), Ok(3));
    assert_eq!(told(8), Ok(vec![]));
}

/// What a change far below leaves as it was may be told again: it is not told as new.
#[test]
fn what_was_shown_and_is_shown_is_at_most_touched() {
    let mut feed = feed();
    feed.take_in(&[FeedOp::shows(at(5), at(1)), FeedOp::shows(at(1), at(1))]);
    assert_eq!(
        told(&feed, &from(1, 0)).unwrap()[3..],
        [(4, EntryChange::Touched), (5, EntryChange::Touched)]
    );
    feed.take_in(&[FeedOp::depends_on(at(1), post(7))]);
    let expected = vec![(1, EntryChange::Touched), (5, EntryChange::Touched)];
    assert_eq!(told(&feed, &from(6, 0)), Ok(expected));
}

#[test]
fn a_repeat_that_the_reader_had_not_reached_is_not_taken_out() {
    let feed = feed_of_boosts();
    let check = |horizon, floor: i64, expected: &[i64]| {
        let read_point = ReadPoint {
            horizon: Time::from_millis(horizon),
            floor: at(floor),
            ..from(1, 0)
        };
        let mut told = told(&feed, &read_point).unwrap();
        told.retain(|(_, change)| *change == EntryChange::Repeats);
        let told: Vec<i64> = told.into_iter().map(|(ms, _)| ms).collect();
        assert_eq!(told, expected, "{horizon} {floor}");
    };
    check(10, 0, &[2, 3]);
    check(2, 0, &[2]);
    check(10, 2, &[3]);
}

/// Were this to fail, a reader would keep what something hides that came and fell while it was away.
#[test]
fn what_fell_since_puts_what_it_hides_in_doubt() {
    let mut feed = feed_of_boosts();
    feed.trim(4, 4, PostId::MAX);
    let check = |posts, expected: &[(i64, EntryChange)]| {
        assert_eq!(told(&feed, &from(posts, 0)).unwrap()[..], *expected);
    };
    check(6, &[]);
    check(
        2,
        &[
            (3, EntryChange::Repeats),
            (4, EntryChange::Touched),
            (5, EntryChange::Touched),
        ],
    );
    let without = ReadPoint {
        seen: Offsets::new(&[post(1).position()]),
        ..from(1, 0)
    };
    assert_eq!(told(&feed, &without).unwrap()[0], (2, EntryChange::Repeats));
}

#[test]
fn a_relation_that_regroups_puts_all_in_doubt() {
    let mut feed = feed_of_boosts();
    feed.add_relation_change(RelationChange {
        log_pos: relation(2),
        takes_out: false,
        regroups: true,
        seen: Arc::new(seen(9, 9)),
    });
    use EntryChange::{Entered, Repeats};
    let all = vec![
        (1, Entered),
        (2, Repeats),
        (3, Repeats),
        (4, Entered),
        (5, Entered),
    ];
    assert_eq!(told(&feed, &from(6, 2)), Ok(all));
    assert_eq!(told(&feed, &from(6, 3)), Ok(vec![]));
}

#[test]
fn what_the_horizon_has_passed_since_has_entered() {
    let check = |horizon, reached, expected: &[i64]| {
        let read_point = ReadPoint {
            horizon: Time::from_millis(horizon),
            ..from(6, 0)
        };
        let expected: Vec<_> = expected
            .iter()
            .map(|ms| (*ms, EntryChange::Entered))
            .collect();
        let resolved = told_of(&feed(), Some(reached), &read_point);
        assert_eq!(resolved, Ok(expected), "{horizon} to {reached}");
    };
    check(3, 3, &[]);
    check(3, 4, &[4]);
    check(2, 4, &[3, 4]);
    check(4, 3, &[]);
}

#[test]
fn what_comes_to_light_from_below_has_entered() {
    let check = |floor: i64, expected: &[i64]| {
        let read_point = ReadPoint {
            floor: at(floor),
            ..from(6, 0)
        };
        let expected: Vec<_> = expected
            .iter()
            .map(|ms| (*ms, EntryChange::Entered))
            .collect();
        assert_eq!(told(&feed(), &read_point), Ok(expected), "{floor}");
    };
    check(0, &[]);
    check(2, &[1, 2]);
    // A post changed later stays what it is: it was not there.
    let read_point = ReadPoint {
        floor: at(1),
        ..from(1, 0)
    };
    assert_eq!(
        told(&feed(), &read_point).unwrap().first(),
        Some(&(1, EntryChange::Entered))
    );
}

/// A place may end in ones alone, as a ref may. Were this to fail, a reader would keep such an entry of the last millisecond it was shown.
#[test]
fn what_left_from_the_last_place_that_was_shown_is_told() {
    let last = highest_visible(Some(Time::from_millis(10)));
    let mut feed = feed();
    feed.take_in(&[FeedOp::insert(last, post(6))]);
    feed.take_in(&[FeedOp::remove(last, post(7))]);
    assert_eq!(told(&feed, &from(7, 0)), Ok(vec![(10, EntryChange::Left)]));
}

#[test]
fn what_left_is_told_to_whom_it_was_shown() {
    let mut feed = feed();
    feed.take_in(&[FeedOp::remove(at(3), post(6))]);
    let check = |posts, horizon, floor: i64, expected: &[(i64, EntryChange)]| {
        let read_point = ReadPoint {
            horizon: Time::from_millis(horizon),
            floor: at(floor),
            ..from(posts, 0)
        };
        let resolved = told_of(&feed, Some(3), &read_point).unwrap();
        let left: Vec<_> = resolved
            .into_iter()
            .filter(|(_, change)| *change == EntryChange::Left)
            .collect();
        assert_eq!(left, expected, "{posts} {horizon} {floor}");
    };
    let left = [(3, EntryChange::Left)];
    check(6, 10, 0, &left);
    check(7, 10, 0, &[]);
    check(6, 3, 0, &left);
    check(6, 2, 0, &[]);
    check(6, 10, 2, &left);
    check(6, 10, 3, &[]);
    assert_eq!(
        told(&feed, &from(5, 0)),
        Ok(vec![(3, EntryChange::Left), (5, EntryChange::Touched)]),
        "in place order"
    );
    feed.take_in(&[FeedOp::remove(at(3), relation(4))]);
    let check = |posts, relations, expected| {
        let resolved = told(&feed, &from(posts, relations));
        assert_eq!(resolved, Ok(expected), "{posts} {relations}");
    };
    check(6, 4, vec![(3, EntryChange::Left)]);
    check(7, 4, vec![(3, EntryChange::Left)]);
    check(6, 5, vec![(3, EntryChange::Left)]);
    check(7, 5, vec![]);
}

/// Were this to fail, a reader would go on with a copy that can never be made right.
#[test]
fn a_cursor_that_lacks_what_was_forgotten_is_refused() {
    let mut feed = feed();
    feed.forget(post(3));
    assert_eq!(told(&feed, &from(3, 0)), Err(CursorRefused::Forgotten));
    assert!(told(&feed, &from(4, 0)).is_ok());
}

/// Were this to fail, a reader would keep what an unfollow took out, or miss what a follow brought in.
#[test]
fn a_relation_that_worked_on_less_than_the_cursor_saw_puts_all_in_doubt() {
    let turned = |takes_out| {
        let mut feed = feed();
        feed.add_relation_change(RelationChange {
            log_pos: relation(2),
            takes_out,
            regroups: false,
            seen: Arc::new(seen(5, 2)),
        });
        feed
    };
    let all: Vec<_> = (1..=5).map(|ms| (ms, EntryChange::Entered)).collect();
    assert_eq!(
        told(&turned(true), &from(6, 3)),
        Ok(vec![]),
        "it has the relation"
    );
    assert_eq!(
        told(&turned(true), &from(5, 2)).map(|all| all.len()),
        Ok(1),
        "it saw no more"
    );
    assert_eq!(
        told(&turned(true), &from(6, 2)),
        Err(CursorRefused::NotListed)
    );
    assert_eq!(told(&turned(false), &from(6, 2)), Ok(all));
    let ahead = ReadPoint {
        ahead: seen(6, 0),
        ..from(5, 2)
    };
    assert_eq!(
        told(&turned(true), &ahead),
        Err(CursorRefused::NotListed),
        "it shows more than it saw"
    );
}
