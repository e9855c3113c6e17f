//! Who could see it: each row of the table, and each of its columns.

use super::*;
use Visibility::{Direct, Limited, Private, Public, Unlisted};

const ALL: [Visibility; 5] = [Public, Unlisted, Private, Limited, Direct];

fn addressed(mut post: Post, to: &str) -> Post {
    post.body.addressed = vec![to.to_owned()];
    post
}

/// Holds a home and a list against the same expectation: both columns say the same in every row.
fn check_followers(post: &Post, expected: Decision) {
    let given = given("follow ANA, list friends, member friends ANA");
    assert_eq!(given.home(post), expected, "home: {post:?}");
    assert_eq!(given.list("friends", post), expected, "list: {post:?}");
}

#[test]
fn public_unlisted_and_private_posts_are_in_followers_homes_and_lists() {
    for visibility in [Public, Unlisted, Private] {
        check_followers(&sent(visibility, post(ANA)), IN);
    }
}

#[test]
fn a_limited_post_is_only_for_those_addressed_and_following() {
    let limited = |to| addressed(sent(Limited, post(ANA)), to);
    check_followers(&limited(ME), IN);
    check_followers(&limited(BOB), out(Excluded::NotAddressed));
    check_followers(
        &limited("https://a.example/lists/1"),
        out(Excluded::NotAddressed),
    );
    assert_eq!(given("").home(&limited(ME)), out(Excluded::NotFollowed));
}

#[test]
fn a_direct_post_is_only_for_those_mentioned_and_following() {
    let direct = |whom| sent(Direct, mentioning(ANA, whom));
    check_followers(&direct(ME), IN);
    check_followers(&direct(BOB), out(Excluded::NotAddressed));
    check_followers(&sent(Direct, post(ANA)), out(Excluded::NotAddressed));
    check_followers(
        &addressed(sent(Direct, post(ANA)), ME),
        out(Excluded::NotAddressed),
    );
    assert_eq!(given("").home(&direct(ME)), out(Excluded::NotFollowed));
}

#[test]
fn own_posts_are_in_ones_own_home_whoever_could_see_them() {
    for visibility in ALL {
        assert_eq!(given("").home(&sent(visibility, post(ME))), OWN);
    }
}

#[test]
fn a_post_nobody_follows_mentions_or_tags_is_in_public_feeds_only() {
    let given = given("tag gardening, list friends, member friends ANA");
    assert_eq!(given.home(&post(ANA)), out(Excluded::NotFollowed));
    assert_eq!(
        given.list("friends", &post(ANA)),
        out(Excluded::NotFollowed)
    );
    assert_eq!(given.public_feed(&post(ANA), None), BOTH);
}

#[test]
fn tag_followers_and_public_and_tag_feeds_get_public_posts_only() {
    for visibility in ALL {
        let post = sent(visibility, tagged(mentioning(ANA, ME)));
        let (home, open) = match visibility {
            Public => (TAGGED, BOTH),
            _ => (out(Excluded::NotFollowed), NEITHER),
        };
        let given = given("tag rust");
        assert_eq!(given.home(&post), home, "{visibility:?}");
        assert_eq!(given.tag_feed(&post, None), open, "{visibility:?}");
        assert_eq!(given.public_feed(&post, None), open, "{visibility:?}");
    }
}

#[test]
fn a_boost_is_in_no_home_for_a_tag_nor_in_a_public_or_tag_feed() {
    let original = post(BOB);
    let boost = tagged(boost(ANA, &original));
    let given = given("tag rust");
    let original = Some(&original);
    assert_eq!(
        given.home_with(&boost, original),
        out(Excluded::NotFollowed)
    );
    assert_eq!(given.tag_feed(&boost, original), NEITHER);
    assert_eq!(given.public_feed(&boost, original), NEITHER);
}

#[test]
fn a_post_of_a_limited_author_is_in_no_home_for_a_tag_nor_in_a_public_or_tag_feed() {
    let given = given("tag rust, limit ANA");
    assert_eq!(given.home(&tagged(post(ANA))), out(Excluded::NotFollowed));
    assert_eq!(given.tag_feed(&tagged(post(ANA)), None), NEITHER);
    assert_eq!(given.public_feed(&tagged(post(ANA)), None), NEITHER);
}

#[test]
fn a_boost_of_what_was_not_sent_to_everybody_shows_it_by_its_own_author_to_those_it_was_sent_to() {
    let check = |by, original: &Post, expected| {
        let given = given("follow ANA, follow BOB, list friends, member friends ANA");
        let boost = boost(by, original);
        assert_eq!(given.home_with(&boost, Some(original)), expected);
    };
    let not_me = out(Excluded::OriginalNotAddressed);
    check(ANA, &sent(Unlisted, post(BOB)), IN);
    check(ANA, &sent(Private, post(BOB)), not_me);
    check(BOB, &sent(Private, post(BOB)), IN);
    check(ANA, &sent(Direct, mentioning(BOB, ME)), not_me);
    check(BOB, &sent(Direct, mentioning(BOB, ME)), IN);
    check(BOB, &sent(Direct, post(BOB)), not_me);
}

/// Whether account 7 may be shown a post that it asks for by its id; and whether anybody may.
fn may_see(relations: &str, post: &Post, original: Option<&Post>) -> (bool, bool) {
    let given = given(relations);
    let subject = Subject::new(post, original, &given.graph);
    let me = given.graph.account("7").and_then(|me| given.graph.get(me));
    (may_be_seen(&subject, me), may_be_seen(&subject, None))
}

/// A failure means that whoever learns of an id reads what was not meant for them.
#[test]
fn a_post_asked_for_by_its_id_is_shown_to_those_it_was_meant_for() {
    let check = |relations: &str, post: &Post, expected| {
        assert_eq!(
            may_see(relations, post, None),
            expected,
            "{relations}: {post:?}"
        );
    };
    for visibility in [Public, Unlisted] {
        check("", &sent(visibility, post(ANA)), (true, true));
        check("mute ANA", &sent(visibility, post(ANA)), (true, true));
        check(
            "blocked_by ANA",
            &sent(visibility, post(ANA)),
            (false, true),
        );
        check("suspend ANA", &sent(visibility, post(ANA)), (false, false));
        check("limit ANA", &sent(visibility, post(ANA)), (true, true));
    }
    check("follow ANA", &sent(Private, post(ANA)), (true, false));
    check("follow BOB", &sent(Private, post(ANA)), (false, false));
    check("", &sent(Private, mentioning(ANA, ME)), (true, false));
    check("", &sent(Direct, mentioning(ANA, ME)), (true, false));
    check(
        "follow ANA",
        &sent(Direct, mentioning(ANA, BOB)),
        (false, false),
    );
    check("", &addressed(sent(Limited, post(ANA)), ME), (true, false));
    check(
        "follow ANA",
        &addressed(sent(Limited, post(ANA)), BOB),
        (false, false),
    );
    for visibility in ALL {
        check(
            "",
            &sent(visibility, post(ME)),
            (true, matches!(visibility, Public | Unlisted)),
        );
    }
    let gone = Post {
        state: State::Gone,
        ..post(ANA)
    };
    check("follow ANA", &gone, (false, false));
    // Dropped from feeds, it may still be asked for; not if its author is suspended.
    let dropped = Post {
        disposition: Disposition::Dropped,
        ..post(ANA)
    };
    check("", &dropped, (true, true));
    check("suspend ANA", &dropped, (false, false));
}

#[test]
fn a_boost_asked_for_by_its_id_shows_only_what_may_be_seen() {
    let check = |relations: &str, original: &Post, expected| {
        let boost = boost(ANA, original);
        assert_eq!(
            may_see(relations, &boost, Some(original)),
            expected,
            "{relations}"
        );
    };
    check("", &post(BOB), (true, true));
    check("blocked_by BOB", &post(BOB), (false, true));
    check("suspend BOB", &post(BOB), (false, false));
    check("follow ANA", &sent(Private, post(BOB)), (false, false));
    check("follow BOB", &sent(Private, post(BOB)), (true, false));
}
