//! Boosts, but for the hiding of repeats; and who is believed.

use super::reference_model::from_scratch;
use super::scenario::*;
use super::*;
use crate::feed::rules::{Decision, Subject, decide};
use crate::view::with_original::post_with_original;

#[test]
fn a_boost_of_what_is_unknown_waits_for_it() {
    let mut story = Story::given(&[wish("follow 0")]);
    story.when(boosts(0, 1, (2, 0)));
    assert_eq!(story.home(), "");
    story.when(fetched(post(2, 0)));
    assert_eq!(story.home(), "0/1");
}

#[test]
fn several_boosts_of_one_post_wait_for_it_and_come_and_go_with_it() {
    let lines = [
        wish("follow 0"),
        wish("follow 1"),
        boosts(0, 1, (2, 0)),
        boosts(1, 2, (2, 0)),
    ];
    let mut story = Story::given(&lines);
    assert_eq!(story.home(), "");
    story.when(post(2, 0));
    assert_eq!(story.home(), "0/1 1/2");
    story.when(undoes(0, Some(1), (2, 0)));
    assert_eq!(story.home(), "1/2");
    story.when(deletes(2, 0));
    assert_eq!(story.home(), "");
}

#[test]
fn only_an_embedded_self_boost_is_believed_without_being_fetched() {
    let embeds = |of: usize| {
        let original = format!(
            r#"{{"id":"{}","type":"Note","attributedTo":"{}","published":"2025-11-22T10:00:00Z","to":"as:Public"}}"#,
            uri(of, 9),
            actor(of)
        );
        altered(
            boosts(0, 1, (of, 9)),
            &format!(r#""{}""#, uri(of, 9)),
            &original,
        )
    };
    let mut story = Story::given(&[wish("follow 0")]);
    story.when(embeds(2));
    assert_eq!(story.home(), "");
    assert!(story.world.store.post_by_uri(&uri(2, 9)).unwrap().is_none());
    let mut story = Story::given(&[wish("follow 0")]);
    story.when(embeds(0));
    assert_eq!(story.home(), "0/9 0/1");
}

#[test]
fn an_announce_that_wraps_an_activity_is_that_activity_and_judged_by_its_author() {
    let mut story = Story::given(&[wish("follow 3")]);
    story.when(relayed(3, post(0, 0)));
    assert_eq!(story.home(), "", "not a boost by the group");
    story.when(wish("follow 0"));
    assert_eq!(story.home(), "0/0");
}

#[test]
fn a_boost_shows_a_private_post_to_nobody_but_its_own_authors_followers() {
    let lines = [wish("follow 0"), wish("follow 1"), private(0, post(0, 0))];
    let mut story = Story::given(&lines);
    story.when(boosts(1, 1, (0, 0)));
    assert_eq!(story.home(), "0/0");
    story.when(boosts(0, 2, (0, 0)));
    assert_eq!(story.home(), "0/0 0/2");
}

#[test]
fn an_activity_speaks_for_its_own_host_only() {
    let elsewhere = "https://host1.example/users/1";
    let as_somebody = format!(r#""actor":"{}""#, actor(0));
    let forged = [
        altered(
            post(0, 0),
            &as_somebody,
            &format!(r#""actor":"{elsewhere}""#),
        ),
        altered(
            edits(0, 0, Some(1), ""),
            &as_somebody,
            &format!(r#""actor":"{elsewhere}""#),
        ),
        altered(
            post(0, 0),
            &format!(r#""attributedTo":"{}""#, actor(0)),
            &format!(r#""attributedTo":"{elsewhere}""#),
        ),
        altered(
            deletes(0, 0),
            &as_somebody,
            &format!(r#""actor":"{elsewhere}""#),
        ),
        altered(
            undoes(0, Some(0), (2, 0)),
            &as_somebody,
            &format!(r#""actor":"{elsewhere}""#),
        ),
    ];
    for line in forged {
        let Line::Activity { json, .. } = &line else {
            continue;
        };
        let record = Record {
            position: Position {
                topic: Topic::Activities,
                partition: 0,
                offset: 0,
            },
            timestamp: Some(Time::from_millis(LATER)),
            key: None,
            value: Some(json.clone().into_bytes()),
            headers: Vec::new(),
        };
        assert!(
            matches!(decode_record(record.view()), Decoded::Unusable(_)),
            "{json}"
        );
    }
}

#[test]
fn a_stranger_enters_no_home_whomever_they_mention_answer_or_boost() {
    let mention = format!(r#","tag":[{{"type":"Mention","href":"{}"}}]"#, actor(ME));
    let mut story = Story::given(&[wish("follow 0"), post(ME, 0), post(0, 0)]);
    story.when(writes(2, 1, &mention));
    story.when(reply(2, 2, (ME, 0))).when(reply(2, 3, (0, 0)));
    story.when(boosts(2, 4, (ME, 0)));
    assert_eq!(story.home(), "0/0 5/0");
}

/// A failure means that a reader who has a cursor from before the follow is never sent the boost: what brought it in says of no record
/// that the cursor lacks.
#[test]
fn an_edit_that_is_carried_out_amid_a_follow_lets_no_boost_in_before_the_follow_does() {
    let mut world = World::in_slices();
    let lines = [
        wish("account 5"),
        wish("follow 0"),
        post(0, 0),
        boosts(1, 1, (0, 0)),
        edits(0, 0, Some(1), ""),
    ];
    for (offset, line) in lines.iter().enumerate() {
        world.take(offset, line);
    }
    assert_eq!(world.ingest.again.boosts.edited().len(), 1, "it waits");
    let follow = lines.len();
    world.apply_line(follow, &wish("follow 1"));
    world.decide_all_boosts();
    let boost = world.store.post_by_uri(&uri(1, 1)).unwrap().unwrap().id;
    let home = |world: &World| {
        let account = world.graph.read().account("7").unwrap();
        world.store.feed(&FeedId::Home(account)).unwrap()
    };
    assert!(!home(&world).ids.contains(&boost));
    world.settle();
    let by_follow = LogPos::new(Position {
        topic: Topic::Relationships,
        partition: 0,
        offset: i64::try_from(follow).unwrap(),
    });
    let mut rests_on = home(&world).marks_of(boost).collect::<Vec<_>>();
    rests_on.retain(|log_pos| *log_pos == by_follow);
    assert_eq!(
        rests_on,
        [by_follow],
        "who lacks the follow lacks the boost"
    );
}

/// A failure means that a reader whose cursor is from another order of reading keeps a boost that is not for them any more: there it
/// entered before what it boosts became private, or mentioned somebody whom they block.
#[test]
fn a_boost_that_is_read_after_what_it_boosts_changed_is_removed_where_it_may_have_been() {
    let check = |edit: Line, is_removed: bool| {
        let mut world = World::new();
        let lines = [
            wish("account 5"),
            wish("follow 1"),
            wish("block 3"),
            post(0, 0),
            edit,
            boosts(1, 1, (0, 0)),
        ];
        world.read(&lines, &BTreeSet::new());
        let boost = world.store.post_by_uri(&uri(1, 1)).unwrap().unwrap().id;
        let home = FeedId::Home(world.graph.read().account("7").unwrap());
        let home = world.store.feed(&home).unwrap();
        assert_eq!(home.ids.contains(&boost), !is_removed);
        let removal = (boost, newest_of(&world, 0, 0));
        assert_eq!(home.removed.contains(&removal), is_removed);
    };
    let mention = format!(r#","tag":[{{"type":"Mention","href":"{}"}}]"#, actor(3));
    check(private(0, edits(0, 0, Some(1), "")), true);
    check(edits(0, 0, Some(1), &mention), true);
    check(edits(0, 0, Some(1), ""), false);
}

/// A failure means that whoever edits what many boosted holds everybody up, once for each edit.
#[test]
fn edits_of_what_many_boosted_are_carried_out_once_and_in_slices() {
    let lines = [
        wish("follow 0"),
        wish("follow 1"),
        post(2, 0),
        boosts(0, 1, (2, 0)),
        boosts(1, 2, (2, 0)),
    ];
    let mut story = Story::given(&lines);
    story.world = story.world.with_boosts_at_once(1);
    for n in 1..=3 {
        story.when(edits(2, 0, Some(n), ""));
    }
    let newest = story.world.store.post_by_uri(&uri(2, 0)).unwrap().unwrap();
    let newest = (newest.id, newest.newest);
    assert_eq!(story.world.ingest.again.boosts.edited(), [newest]);
    assert!(
        is_told(&story.world, newest.1),
        "cursors have an edit at once"
    );
    for is_done in [false, true] {
        story.world.decide_boosts();
        assert_eq!(story.world.ingest.again.boosts.is_done(), is_done);
    }
    let ids = [uri(0, 1), uri(1, 2)];
    let me = story.world.graph.read().account(&ME.to_string());
    let me = me
        .or_else(|| story.world.graph.read().account("7"))
        .unwrap();
    let home = story.world.store.feed(&FeedId::Home(me)).unwrap();
    for uri in ids {
        let boost = story.world.store.post_by_uri(&uri).unwrap().unwrap();
        let rests = home.marks_of(boost.id).any(|log_pos| log_pos == newest.1);
        assert!(rests, "{uri}");
    }
}

/// Whether cursors have a record.
fn is_told(world: &World, log_pos: LogPos) -> bool {
    let read = Arc::new(Offsets::new(&world.reflects.next));
    world.ingest.again.told(&read).has(log_pos)
}

/// The mark of the record that said the newest of a post.
fn newest_of(world: &World, author: usize, n: usize) -> LogPos {
    let post = world.store.post_by_uri(&uri(author, n)).unwrap().unwrap();
    post.newest
}

/// Three who are followed boosted `2/0`, one boost is decided at a time.
fn boosted_thrice(lines: &[Line]) -> Vec<Line> {
    let boosts = [0, 1, 3].map(|by| boosts(by, 1, (2, 0)));
    let follows = [wish("follow 0"), wish("follow 1"), wish("follow 3")];
    [&[wish("account 5")], &follows[..], lines, &boosts].concat()
}

/// Reads on, with nothing decided after it but what is decided at once.
fn told_more(world: &mut World, log: &[Line]) {
    world.read(log, &BTreeSet::new());
}

/// What is in the home, and which of it a page shows.
fn kept_and_shown(world: &World) -> (usize, usize) {
    let graph = world.graph.read();
    let account = graph.account("7").unwrap();
    let home = world.store.feed(&FeedId::Home(account)).unwrap();
    let shows = |id: &PostId| {
        let Some((post, original)) = post_with_original(&world.store, *id).unwrap() else {
            return false;
        };
        let subject = Subject::new(&post, original.as_deref(), &graph);
        let decision = decide(&subject, graph.get(account).unwrap());
        matches!(decision, Decision::In(_))
    };
    let ids: Vec<PostId> = home.newest_first().collect();
    (ids.len(), ids.iter().filter(|id| shows(id)).count())
}

/// A failure means that whoever says again and again for whom a post is that many boosted holds everybody up, once for each time;
/// or that a reader is told of it before all feeds say so, and keeps what left or misses what came.
#[test]
fn what_is_for_others_again_and_again_is_carried_out_once_and_in_slices() {
    let mut log = boosted_thrice(&[post(2, 0)]);
    let mut world = World::in_slices();
    told_more(&mut world, &log);
    world.decide_all_boosts();
    assert_eq!(kept_and_shown(&world), (3, 3));
    let flips = |n: i64| match n % 2 {
        0 => edits(2, 0, Some(n), ""),
        _ => private(2, edits(2, 0, Some(n), "")),
    };
    log.push(flips(1));
    told_more(&mut world, &log);
    let first = newest_of(&world, 2, 0);
    log.extend((2..=5).map(flips));
    told_more(&mut world, &log);
    for left in [3, 2, 1] {
        assert_eq!(kept_and_shown(&world), (left, 0), "hidden at once");
        assert!(!is_told(&world, first));
        world.decide_boosts();
    }
    assert!(world.ingest.again.is_done(), "all in one go");
    assert_eq!(kept_and_shown(&world), (0, 0));
    assert!(is_told(&world, newest_of(&world, 2, 0)));
    // Amid the next it changes again: what was decided already is decided again.
    log.push(flips(6));
    told_more(&mut world, &log);
    world.decide_boosts();
    assert_eq!(kept_and_shown(&world), (1, 1));
    log.push(flips(7));
    told_more(&mut world, &log);
    assert_eq!(kept_and_shown(&world), (1, 0));
    world.decide_all_boosts();
    assert_eq!(kept_and_shown(&world), (0, 0));
    assert_eq!(world.feeds(), from_scratch(&log));
}

/// A failure means that a reader keeps boosts of what is deleted, is shown them, or that a crash leaves them there.
#[test]
fn boosts_of_what_is_deleted_leave_in_slices_and_are_shown_to_nobody() {
    for crashes_after in [None, Some(0), Some(1)] {
        let mut log = boosted_thrice(&[post(2, 0)]);
        let mut world = World::in_slices();
        told_more(&mut world, &log);
        world.decide_all_boosts();
        log.push(deletes(2, 0));
        told_more(&mut world, &log);
        let deleted = newest_of(&world, 2, 0);
        assert_eq!(kept_and_shown(&world), (3, 0));
        assert!(!is_told(&world, deleted));
        if let Some(slices) = crashes_after {
            (0..slices).for_each(|_| world.decide_boosts());
            world.checkpoint();
            world = world.crash();
            assert_eq!(kept_and_shown(&world), (3 - slices, 0));
            assert!(!is_told(&world, deleted), "nor after a crash");
        }
        world.decide_all_boosts();
        assert_eq!(kept_and_shown(&world), (0, 0));
        assert!(is_told(&world, deleted));
        assert_eq!(world.feeds(), from_scratch(&log));
    }
}

/// A failure means that what comes after its many boosts holds everybody up, or that a reader misses boosts that came to be shown.
#[test]
fn boosts_of_what_comes_after_them_enter_in_slices() {
    let mut log = boosted_thrice(&[]);
    // Of one it is not known yet what it would have shown; another never belonged there.
    log.push(undoes(0, Some(1), (2, 0)));
    log.push(wish("follow 4 \"boosts\":false"));
    log.push(boosts(4, 1, (2, 0)));
    let mut world = World::in_slices();
    told_more(&mut world, &log);
    log.push(post(2, 0));
    told_more(&mut world, &log);
    let came = newest_of(&world, 2, 0);
    for entered in [0, 0, 1, 2] {
        assert_eq!(kept_and_shown(&world), (entered, entered));
        assert!(!is_told(&world, came));
        world.decide_boosts();
    }
    assert!(world.ingest.again.is_done());
    assert!(is_told(&world, came));
    let home = world.graph.read().account("7").unwrap();
    let home = world.store.feed(&FeedId::Home(home)).unwrap();
    let undone = world.store.post_by_uri(&uri(0, 1)).unwrap().unwrap();
    let left = |(id, log_pos): &(PostId, LogPos)| *id == undone.id && *log_pos == undone.newest;
    assert!(home.removed.iter().any(left), "{:?}", home.removed);
    let left_for_it = |(_, log_pos): &(PostId, LogPos)| *log_pos == came;
    assert!(!home.removed.iter().any(left_for_it), "{:?}", home.removed);
    let original = world.store.post_by_uri(&uri(2, 0)).unwrap().unwrap();
    let shows = home.shows.entries_of(original.id);
    assert!(shows.into_iter().any(|id| id == undone.id));
    assert_eq!(world.feeds(), from_scratch(&log));
}

/// A failure means that somebody of whom the instance suspends much that many boosted holds everybody up.
#[test]
fn boosts_of_whom_the_instance_suspends_leave_in_slices() {
    let mut log = boosted_thrice(&[post(2, 0)]);
    let mut world = World::in_slices();
    told_more(&mut world, &log);
    world.decide_all_boosts();
    log.push(wish("suspend 2"));
    told_more(&mut world, &log);
    let log_pos = LogPos::new(Position {
        topic: Topic::Relationships,
        partition: 0,
        offset: i64::try_from(log.len()).unwrap() - 1,
    });
    let seen = Offsets::new(&world.reflects.next);
    let engine = &mut world.engine;
    let todo = &mut engine.ingest.again;
    todo.add(AuthorChange::Moderation, &actor(2), log_pos, &seen);
    todo.step(&engine.store, &engine.graph.read()).unwrap();
    assert!(todo.are_authors_done() && !todo.is_all_told());
    let read = Arc::new(Offsets::new(&[log_pos.next()]));
    for left in [3, 2, 1] {
        assert_eq!(kept_and_shown(&world), (left, 0));
        assert!(!world.ingest.again.told(&read).has(log_pos));
        world.decide_boosts();
    }
    assert_eq!(kept_and_shown(&world), (0, 0));
    assert!(world.ingest.again.told(&read).has(log_pos));
}
