//! Boosts, but for the hiding of repeats; and who is believed.

use super::story::*;
use super::*;

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
        assert!(matches!(said(&record), Said::Unusable(_)), "{json}");
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
    let left = crate::feed::again::Left::default();
    story.world.admission.again = crate::feed::again::Again::new(left, 1);
    for n in 1..=3 {
        story.when(edits(2, 0, Some(n), ""));
    }
    let newest = story.world.store.post_by_uri(&uri(2, 0)).unwrap().unwrap();
    let newest = (newest.id, newest.newest.mark());
    assert_eq!(story.world.admission.again.boosts.edited(), [newest]);
    for is_done in [false, true] {
        let World {
            admission,
            store,
            graph,
            ..
        } = &mut story.world;
        let boosts = &mut admission.again.boosts;
        boosts.step(store, &graph.read()).unwrap();
        assert_eq!(boosts.is_done(), is_done);
    }
    let ids = [uri(0, 1), uri(1, 2)];
    let me = story.world.graph.read().account(&ME.to_string());
    let me = me
        .or_else(|| story.world.graph.read().account("7"))
        .unwrap();
    let home = story.world.store.home(me).unwrap().unwrap();
    for uri in ids {
        let boost = story.world.store.post_by_uri(&uri).unwrap().unwrap();
        let rests = home
            .marks_of(boost.id.number())
            .any(|mark| mark == newest.1);
        assert!(rests, "{uri}");
    }
}
