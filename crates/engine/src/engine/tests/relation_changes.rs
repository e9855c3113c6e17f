//! Changes of mind: any change of a relation (in `posts` of a post), and the feed becomes what the rules now give, at once.
//!
//! What the instance limits or suspends when posts are there already is carried out elsewhere; here only what is decided
//! and fanned out after such a record.

mod posts;

use super::reference_model::from_scratch;
use super::scenario::*;
use super::*;
use crate::engine::publish::ServiceStatus;

#[test]
fn a_follow_merges_the_authors_kept_posts() {
    let mut story = Story::given(&[post(0, 0), post(1, 0), post(0, 1), wish("follow 1")]);
    assert_eq!(story.home(), "1/0");
    story.when(wish("follow 0"));
    assert_eq!(story.home(), "0/0 1/0 0/1");
}

#[test]
fn a_follow_brings_the_replies_to_them_by_others_who_are_followed() {
    let mut story = Story::given(&[wish("follow 1"), post(0, 0), reply(1, 1, (0, 0))]);
    assert_eq!(story.home(), "");
    story.when(wish("follow 0"));
    assert_eq!(story.home(), "0/0 1/1");
    story.when(wish("end follow 0"));
    assert_eq!(story.home(), "");
}

#[test]
fn an_unfollow_takes_out_theirs_and_leaves_the_rest() {
    let mut story = Story::given(&[wish("follow 0"), wish("follow 1"), post(0, 0), post(1, 0)]);
    story.when(wish("end follow 0"));
    assert_eq!(story.home(), "1/0");
}

#[test]
fn a_tag_follow_merges_what_carries_it_and_its_end_removes_what_only_it_brought() {
    let mut story = Story::given(&[wish("follow 0"), tagged(0, 0), tagged(1, 0), post(1, 1)]);
    story.when(wish("tag rust"));
    assert_eq!(story.home(), "0/0 1/0");
    story.when(wish("end follow 0"));
    assert_eq!(story.home(), "0/0 1/0");
    story.when(wish("follow 0")).when(wish("end tag rust"));
    assert_eq!(story.home(), "0/0");
}

#[test]
fn a_follow_without_boosts_takes_them_out_and_one_with_them_brings_them_back() {
    let lines = [
        wish("follow 0"),
        post(2, 0),
        post(0, 1),
        boosts(0, 2, (2, 0)),
    ];
    let mut story = Story::given(&lines);
    story.when(wish("follow 0 \"boosts\":false"));
    assert_eq!(story.home(), "0/1");
    story.when(wish("follow 0"));
    assert_eq!(story.home(), "0/1 0/2");
}

#[test]
fn a_follow_for_other_languages_takes_out_and_brings_in() {
    let in_language = |n, code| writes(0, n, &format!(r#","contentMap":{{"{code}":"x"}}"#));
    let lines = [wish("follow 0"), in_language(0, "de"), in_language(1, "en")];
    let mut story = Story::given(&lines);
    assert_eq!(story.home(), "0/0 0/1");
    story.when(wish("follow 0 \"languages\":[\"en\"]"));
    assert_eq!(story.home(), "0/1");
    story.when(wish("follow 0 \"languages\":[\"de\"]"));
    assert_eq!(story.home(), "0/0");
}

#[test]
fn a_mute_a_block_and_a_domain_block_take_out_and_their_ends_bring_back() {
    for kind in ["mute 2", "block 2", "domain_block host2.example"] {
        let lines = [
            wish("follow 0"),
            wish("follow 2"),
            post(2, 0),
            boosts(0, 1, (2, 0)),
            post(0, 2),
        ];
        let mut story = Story::given(&lines);
        assert_eq!(story.home(), "2/0 0/1 0/2");
        story.when(wish(kind));
        assert_eq!(story.home(), "0/2", "{kind}");
        story.when(wish(&format!("end {kind}")));
        assert_eq!(story.home(), "2/0 0/1 0/2", "{kind}");
    }
}

/// A failure means that a mute which was renewed is lost, if its end was on its way to the log then or came twice.
#[test]
fn the_end_of_a_mute_ends_the_one_it_names_and_no_renewal() {
    let mute = |day: u8| wish(&format!("mute 0 \"until\":\"2025-11-{day:02}T00:00:00Z\""));
    let end = |day: u8| {
        wish(&format!(
            "mute_end 0 \"until\":\"2025-11-{day:02}T00:00:00.000Z\""
        ))
    };
    let mut story = Story::given(&[wish("follow 0"), post(0, 0), mute(1)]);
    let mut then = |line, home: &str| {
        story.when(line);
        assert_eq!(story.home(), home);
    };
    then(end(1), "0/0");
    then(mute(2), "");
    then(end(1), "");
    then(end(2), "0/0");
    then(mute(2), "0/0");
    then(wish("mute 0"), "");
    then(end(2), "");
    then(mute(3), "");
    then(end(3), "0/0");
    then(wish("end mute 0"), "0/0");
}

#[test]
fn who_blocks_me_leaves_home_and_comes_back_when_that_ends() {
    let lines = [
        wish("follow 0"),
        wish("follow 2"),
        post(2, 0),
        boosts(0, 1, (2, 0)),
    ];
    let mut story = Story::given(&lines);
    story.when(wish("blocked_by 2"));
    assert_eq!(story.home(), "");
    story.when(wish("end blocked_by 2"));
    assert_eq!(story.home(), "2/0 0/1");
}

#[test]
fn a_mute_reaches_who_was_brought_in_by_a_tag() {
    let mut story = Story::given(&[wish("tag rust"), tagged(0, 0), tagged(1, 0)]);
    story.when(wish("mute 0"));
    assert_eq!(story.home(), "1/0");
    story.when(wish("end mute 0"));
    assert_eq!(story.home(), "0/0 1/0");
}

#[test]
fn a_list_is_filled_by_its_members_and_emptied_by_their_leaving() {
    let lines = [
        wish("follow 0"),
        wish("follow 1"),
        post(0, 0),
        post(1, 0),
        reply(0, 1, (1, 0)),
    ];
    let mut story = Story::given(&lines);
    story
        .when(wish("list friends"))
        .when(wish("member friends 0"));
    assert_eq!(story.feed("friends 7"), "0/0");
    story.when(wish("member friends 1"));
    assert_eq!(
        story.feed("friends 7"),
        "0/0 1/0 0/1",
        "and the reply to them"
    );
    story.when(wish("end member friends 1"));
    assert_eq!(story.feed("friends 7"), "0/0");
    assert_eq!(story.home(), "0/0 1/0 0/1");
}

#[test]
fn a_member_is_shown_while_followed() {
    let mut story = Story::given(&[wish("list friends"), wish("member friends 0"), post(0, 0)]);
    assert_eq!(story.feed("friends 7"), "");
    story.when(wish("follow 0"));
    assert_eq!(story.feed("friends 7"), "0/0");
    story.when(wish("end follow 0"));
    assert_eq!(story.feed("friends 7"), "");
}

#[test]
fn another_policy_takes_replies_out_of_a_list_and_brings_them_in() {
    let lines = [
        wish("follow 0"),
        wish("follow 1"),
        wish("member friends 0"),
        post(0, 0),
        post(1, 0),
        reply(0, 1, (1, 0)),
    ];
    let mut story = Story::given(&lines);
    for (policy, held) in [
        ("followed", "0/0 0/1"),
        ("list", "0/0"),
        ("none", "0/0"),
        ("followed", "0/0 0/1"),
    ] {
        story.when(wish(&format!("list friends \"replies\":\"{policy}\"")));
        assert_eq!(story.feed("friends 7"), held, "{policy}");
    }
}

#[test]
fn a_list_that_becomes_exclusive_takes_its_members_out_of_home_until_it_is_not_or_is_gone() {
    let mut story = Story::given(&[wish("follow 0"), post(0, 0), wish("member close 0")]);
    let exclusive = || wish("list close \"exclusive\":true");
    for back in [
        wish("list close"),
        wish("end list close"),
        wish("end member close 0"),
    ] {
        story.when(wish("member close 0"));
        story.when(exclusive());
        assert_eq!(
            (story.home(), story.feed("close 7")),
            (String::new(), "0/0".into())
        );
        story.when(back);
        assert_eq!(story.home(), "0/0");
    }
}

#[test]
fn a_list_that_is_removed_is_empty_and_full_again_when_it_is_back() {
    let lines = [
        wish("follow 0"),
        wish("list friends"),
        wish("member friends 0"),
        post(0, 0),
    ];
    let mut story = Story::given(&lines);
    assert_eq!(story.feed("friends 7"), "0/0");
    story.when(wish("end list friends"));
    assert_eq!(story.feed("friends 7"), "");
    story.when(post(0, 1)).when(wish("list friends"));
    assert_eq!(story.feed("friends 7"), "0/0 0/1");
}

#[test]
fn an_account_that_is_removed_has_no_feeds_and_no_relations_not_even_when_it_is_back() {
    let mut story = Story::given(&[
        wish("follow 0"),
        wish("tag rust"),
        wish("list friends"),
        wish("member friends 0"),
        post(0, 0),
        tagged(1, 0),
    ]);
    assert_eq!(
        (story.home(), story.feed("friends 7")),
        ("0/0 1/0".into(), "0/0".into())
    );
    let end = r#"{"type":"account","account":"7","removed":true}"#;
    story.when(Line::Relation(end.to_owned()));
    assert_eq!((story.home(), story.feed("friends 7")), Default::default());
    story
        .when(post(0, 1))
        .when(wish("account 5"))
        .when(post(0, 2));
    assert_eq!((story.home(), story.feed("friends 7")), Default::default());
    story.when(wish("follow 0"));
    assert_eq!(story.home(), "0/0 0/1 0/2");
}

#[test]
fn who_i_am_decides_what_is_mine() {
    let mut story = Story::given(&[post(0, 0), reply(1, 1, (0, 0)), wish("follow 1")]);
    assert_eq!(story.home(), "");
    // The public feed's parts follow whom it is who became local; that is carried out elsewhere.
    story.tell(wish("account 0"));
    assert_eq!(story.home(), "0/0 1/1");
    story.tell(wish("account 5"));
    assert_eq!(story.home(), "");
}

#[test]
fn after_a_limit_posts_are_in_homes_and_lists_and_in_no_public_or_tag_feed() {
    let mut story = Story::given(&[
        wish("follow 0"),
        wish("list friends"),
        wish("member friends 0"),
        wish("limit 0"),
    ]);
    story.when(tagged(0, 0));
    assert_eq!(
        (story.home(), story.feed("friends 7")),
        ("0/0".into(), "0/0".into())
    );
    assert_eq!(
        (story.feed("public"), story.feed("#rust")),
        Default::default()
    );
    story.when(post(1, 0));
    assert_eq!(story.feed("public"), "1/0");
}

#[test]
fn after_a_suspension_posts_and_boosts_of_them_are_nowhere_and_after_its_end_they_are_again() {
    let lines = [
        wish("follow 0"),
        wish("follow 1"),
        wish("suspend host0.example"),
    ];
    let mut story = Story::given(&lines);
    story.when(post(0, 0)).when(boosts(1, 1, (0, 0)));
    assert_eq!((story.home(), story.feed("public")), Default::default());
    story.tell(wish("end suspend host0.example"));
    story.tell(post(0, 2));
    assert!(story.home().ends_with("0/2"), "{}", story.home());
}

/// Were this to fail, the other tests here would hold the feeds against themselves.
#[test]
fn from_scratch_is_told_what_is_right_by_hand() {
    let lines = [
        wish("account 5"),
        wish("follow 0"),
        wish("end follow 0"),
        wish("follow 1"),
        post(0, 0),
        reply(1, 1, (0, 0)),
        reply(1, 2, (1, 3)),
        post(1, 4),
        tagged(5, 5),
        boosts(1, 6, (0, 0)),
        boosts(1, 7, (0, 9)),
    ];
    let feeds = from_scratch(&lines);
    assert_eq!(held(&feeds, "home 7"), "1/4 5/5 1/6");
    assert_eq!(held(&feeds, "public"), "0/0 1/4 5/5");
    assert_eq!(held(&feeds, "local"), "5/5");
    assert_eq!(held(&feeds, "remote"), "0/0 1/4");
    assert_eq!(held(&feeds, "#rust"), "5/5");
}

/// A failure means that a reader who comes from another node after a crash is not sent what a relation took out: it would be decided by
/// what was read up to the crash, and not by what had been read when the relation was in force.
#[test]
fn a_relation_whose_work_a_checkpoint_met_is_remembered_with_what_was_read_before_it() {
    let mut world = World::new();
    let log = [wish("account 5"), wish("follow 0"), post(0, 0)];
    world.read(&log, &BTreeSet::new());
    world.publish(&status(3, 3), ServiceStatus::default());
    let seen = Arc::clone(&world.engine.seen);
    world.apply_line(3, &wish("end follow 0"));
    world.apply_line(4, &post(0, 1));
    world.publish(&status(5, 5), ServiceStatus::default());
    assert_ne!(world.engine.seen, seen);
    world.checkpoint();
    let world = world.crash();
    let account = world.graph.read().account("7").unwrap();
    let home = world.store.feed(&FeedId::Home(account)).unwrap();
    let change = home.relation_changes.last().unwrap();
    assert_eq!(change.log_pos.position().offset, 3);
    assert_eq!(change.seen, seen);
}

#[test]
fn what_somebody_wrote_before_they_were_known_to_be_here_is_in_the_local_feed_then() {
    let mut story = Story::given(&[wish("follow 0"), post(0, 0)]);
    assert_eq!(story.feed("local"), "");
    story.when(wish_of("8", "account 0"));
    assert_eq!(story.feed("local"), "0/0");
    story.when(wish_of("8", "account 1"));
    assert_eq!(story.feed("local"), "");
}
