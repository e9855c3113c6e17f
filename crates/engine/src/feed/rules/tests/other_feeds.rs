//! Lists, hashtags, the public feed, what the instance does, and whom to trust.

use super::*;

#[test]
fn a_list_shows_the_posts_of_its_members_i_follow_and_mine_if_i_am_one() {
    let given = given(
        "follow ANA, follow CLEO, list friends, member friends ANA, member friends BOB, member friends ME",
    );
    for (author, expected) in [
        (ANA, IN),
        (ME, OWN),
        (BOB, out(Excluded::NotFollowed)),
        (CLEO, out(Excluded::NotListed)),
    ] {
        assert_eq!(given.list("friends", &post(author)), expected, "{author}");
    }
}

#[test]
fn i_am_on_no_list_of_mine_unless_i_am_a_member() {
    let given = given("list friends");
    assert_eq!(given.list("friends", &post(ME)), out(Excluded::NotListed));
}

#[test]
fn a_list_shows_replies_by_its_policy() {
    // ANA and BOB are members, CLEO is followed and not, and DAN is neither.
    let dan = "https://d.example/users/dan";
    let not = out(Excluded::ReplyNotListed);
    let stranger = out(Excluded::AnswersStranger);
    for (policy, member, me, followed, unknown_to_me) in [
        ("none", not, not, not, stranger),
        ("list", IN, IN, not, stranger),
        ("followed", IN, IN, IN, stranger),
    ] {
        let given = given(&format!(
            "follow ANA, follow BOB, follow CLEO, list friends \"replies\":\"{policy}\", member friends ANA, \
             member friends BOB"
        ));
        for (whom, expected) in [
            (to(BOB), member),
            (to(ME), me),
            (to(CLEO), followed),
            (to(dan), unknown_to_me),
            (ReplyTarget::Themself, IN),
            (ReplyTarget::Nobody, IN),
            (ReplyTarget::Unknown, out(Excluded::ParentUnknown)),
            (ReplyTarget::Gone, out(Excluded::ParentGone)),
        ] {
            let decided = given.list("friends", &reply(ANA, whom.clone()));
            assert_eq!(decided, expected, "{policy} {whom:?}");
        }
    }
}

#[test]
fn replies_to_members_is_what_a_list_shows_that_says_nothing() {
    let given = given(
        "follow ANA, follow BOB, follow CLEO, list friends, member friends ANA, member friends BOB",
    );
    assert_eq!(given.list("friends", &reply(ANA, to(BOB))), IN);
    let to_cleo = given.list("friends", &reply(ANA, to(CLEO)));
    assert_eq!(to_cleo, out(Excluded::ReplyNotListed));
}

/// Were this to fail, my reply would be in my list for as long as its parent is not known, and depend on what came first.
#[test]
fn my_reply_to_what_is_unknown_is_not_in_a_list_of_mine_whatever_its_policy() {
    for policy in ["none", "list", "followed"] {
        let given = given(&format!(
            "list friends \"replies\":\"{policy}\", member friends ME"
        ));
        for whom in [ReplyTarget::Unknown, ReplyTarget::Gone] {
            let decided = given.list("friends", &reply(ME, whom));
            assert_eq!(decided, out(Excluded::ReplyNotListed), "{policy}");
        }
        assert_eq!(
            given.list("friends", &reply(ME, ReplyTarget::Themself)),
            OWN
        );
    }
}

#[test]
fn a_list_keeps_the_home_rules_but_the_exclusive_one() {
    let original = post(BOB);
    let boosting = boost(ANA, &original);
    let by_ana = post(ANA);
    let french = in_language(ANA, "fr");
    let table: [(&str, &Post, Option<&Post>, Decision); 9] = [
        (
            "list other \"exclusive\":true, member other ANA",
            &by_ana,
            None,
            IN,
        ),
        (
            "follow ANA \"languages\":[\"en\"]",
            &french,
            None,
            out(Excluded::OtherLanguage),
        ),
        (
            "list other",
            &boosting,
            None,
            out(Excluded::OriginalUnknown),
        ),
        ("block ANA", &by_ana, None, out(Excluded::Blocked)),
        ("mute BOB", &boosting, Some(&original), out(Excluded::Muted)),
        (
            "domain_block a.example",
            &by_ana,
            None,
            out(Excluded::DomainBlocked),
        ),
        ("blocked_by ANA", &by_ana, None, out(Excluded::BlockedBy)),
        (
            "follow ANA \"boosts\":false",
            &boosting,
            Some(&original),
            out(Excluded::BoostsOff),
        ),
        (
            "blocked_by BOB",
            &boosting,
            Some(&original),
            out(Excluded::BoostsBlockedBy),
        ),
    ];
    for (relations, post, original, expected) in table {
        let given = given(&format!(
            "follow ANA, list friends \"exclusive\":true, member friends ANA, {relations}"
        ));
        let decided = given.list_with("friends", post, original);
        assert_eq!(decided, expected, "{relations}");
    }
}

#[test]
fn exclusive_takes_members_out_of_home_and_no_other_list() {
    let given = given(
        "follow ANA, list close \"exclusive\":true, member close ANA, list all, member all ANA",
    );
    assert_eq!(given.home(&post(ANA)), out(Excluded::OnExclusiveList));
    assert_eq!(given.list("close", &post(ANA)), IN);
    assert_eq!(given.list("all", &post(ANA)), IN);
}

#[test]
fn a_tag_follow_brings_public_posts_home_but_mine_and_whom_i_shun_or_am_shunned_by() {
    for (relations, expected) in [
        ("tag rust", TAGGED),
        ("tag gardening", out(Excluded::NotFollowed)),
        ("tag rust, block ANA", out(Excluded::NotFollowed)),
        ("tag rust, mute ANA", out(Excluded::NotFollowed)),
        (
            "tag rust, domain_block a.example",
            out(Excluded::NotFollowed),
        ),
        ("tag rust, blocked_by ANA", out(Excluded::NotFollowed)),
        ("tag rust, block BOB", out(Excluded::NotFollowed)),
        ("tag rust, limit ANA", out(Excluded::NotFollowed)),
        ("tag rust, suspend ANA", out(Excluded::Suspended)),
        ("tag rust, blocked_by BOB", TAGGED),
    ] {
        let post = tagged(mentioning(ANA, BOB));
        assert_eq!(given(relations).home(&post), expected, "{relations}");
    }
}

#[test]
fn my_own_post_is_in_home_because_it_is_mine_and_not_for_its_tag() {
    assert_eq!(given("tag rust").home(&tagged(post(ME))), OWN);
    let gone = gone(tagged(post(ME)));
    assert_eq!(given("tag rust").home(&gone), out(Excluded::Gone));
}

#[test]
fn a_followed_author_and_a_followed_tag_are_one_entry_for_the_author() {
    let both = given("follow ANA, tag rust");
    assert_eq!(both.home(&tagged(post(ANA))), IN);
    // What the follow does not bring, the tag may.
    let only_english = given("follow ANA \"languages\":[\"en\"], tag rust");
    assert_eq!(only_english.home(&tagged(in_language(ANA, "fr"))), TAGGED);
    let exclusively =
        given("follow ANA, tag rust, list close \"exclusive\":true, member close ANA");
    assert_eq!(exclusively.home(&tagged(post(ANA))), TAGGED);
}

#[test]
fn a_tag_brings_nothing_into_lists() {
    let given = given("tag rust, list friends, member friends ANA");
    assert_eq!(
        given.list("friends", &tagged(post(ANA))),
        out(Excluded::NotFollowed)
    );
}

#[test]
fn a_tag_feed_is_filtered_on_read_for_who_is_signed_in() {
    for (relations, expected) in [
        ("", BOTH),
        ("block ANA", NOT_ME),
        ("mute ANA", NOT_ME),
        ("blocked_by ANA", NOT_ME),
        ("domain_block a.example", NOT_ME),
        ("limit a.example", NEITHER),
        ("suspend ANA", NEITHER),
    ] {
        let given = given(relations);
        assert_eq!(
            given.tag_feed(&tagged(post(ANA)), None),
            expected,
            "{relations}"
        );
        assert_eq!(given.public_feed(&post(ANA), None), expected, "{relations}");
    }
}

#[test]
fn the_public_feed_has_no_reply_except_to_oneself_and_a_tag_feed_has_replies() {
    for (whom, expected) in [
        (ReplyTarget::Nobody, BOTH),
        (ReplyTarget::Themself, BOTH),
        (to(BOB), NEITHER),
        (ReplyTarget::Unknown, NEITHER),
        (ReplyTarget::Gone, NEITHER),
    ] {
        let reply = tagged(reply(ANA, whom.clone()));
        assert_eq!(given("").public_feed(&reply, None), expected, "{whom:?}");
        assert_eq!(given("").tag_feed(&reply, None), BOTH, "{whom:?}");
    }
}

#[test]
fn the_limited_stay_in_followers_homes_and_lists_and_the_suspended_are_nowhere() {
    let original = post(ANA);
    let boosting = boost(BOB, &original);
    for (relation, expected, open) in [
        ("limit ANA", IN, NEITHER),
        ("limit example", IN, NEITHER),
        ("suspend ANA", out(Excluded::Suspended), NEITHER),
        ("suspend a.example", out(Excluded::Suspended), NEITHER),
        (
            "limit ANA, suspend a.example",
            out(Excluded::Suspended),
            NEITHER,
        ),
        ("suspend d.example", IN, BOTH),
    ] {
        let given = given(&format!(
            "follow ANA, follow BOB, list friends, member friends ANA, {relation}"
        ));
        assert_eq!(given.home(&post(ANA)), expected, "{relation}");
        assert_eq!(given.list("friends", &post(ANA)), expected, "{relation}");
        assert_eq!(
            given.home_with(&boosting, Some(&original)),
            expected,
            "{relation}: a boost of theirs"
        );
        assert_eq!(given.tag_feed(&tagged(post(ANA)), None), open, "{relation}");
        assert_eq!(given.public_feed(&post(ANA), None), open, "{relation}");
    }
}

#[test]
fn strangers_cannot_enter_a_home_by_mentioning_answering_or_addressing_me() {
    use Visibility::{Direct, Limited, Private, Public, Unlisted};
    let original = post(ME);
    for visibility in [Public, Unlisted, Private, Limited, Direct] {
        let given = given("follow BOB, tag gardening, list friends, member friends ANA");
        let mut stranger = sent(visibility, tagged(reply(ANA, to(ME))));
        stranger.body.mentions = vec![ME.to_owned()];
        stranger.body.addressed = vec![ME.to_owned()];
        assert_eq!(given.home(&stranger), out(Excluded::NotFollowed));
        assert_eq!(given.list("friends", &stranger), out(Excluded::NotFollowed));
        let boosting = sent(visibility, boost(ANA, &original));
        assert_eq!(
            given.home_with(&boosting, Some(&original)),
            out(Excluded::NotFollowed)
        );
    }
}
