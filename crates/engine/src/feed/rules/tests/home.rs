//! The rules of home, in their order.

use super::*;

#[test]
fn rule_1_what_i_wrote_is_in() {
    assert_eq!(given("").home(&post(ME)), OWN);
    assert_eq!(given("").home(&reply(ME, ReplyTarget::Unknown)), OWN);
    assert_eq!(given("").home(&reply(ME, to(BOB))), OWN);
    assert_eq!(given("block BOB").home(&mentioning(ME, BOB)), OWN);
}

#[test]
fn rule_2_a_reply_whose_parent_is_unknown_or_whose_parents_author_is_gone_is_out() {
    let given = given("follow ANA");
    assert_eq!(
        given.home(&reply(ANA, ReplyTarget::Unknown)),
        out(Excluded::ParentUnknown)
    );
    assert_eq!(
        given.home(&reply(ANA, ReplyTarget::Gone)),
        out(Excluded::ParentGone)
    );
}

#[test]
fn rule_3_an_author_on_an_exclusive_list_of_mine_is_in_the_list_and_not_in_home() {
    let exclusive =
        given("follow ANA, follow BOB, list friends \"exclusive\":true, member friends ANA");
    assert_eq!(exclusive.home(&post(ANA)), out(Excluded::OnExclusiveList));
    assert_eq!(exclusive.list("friends", &post(ANA)), IN);
    assert_eq!(exclusive.home(&post(BOB)), IN);
    let plain = given("follow ANA, list friends, member friends ANA");
    assert_eq!(plain.home(&post(ANA)), IN);
}

#[test]
fn rule_3_an_exclusive_list_that_is_not_there_takes_nobody_out_of_home() {
    let given = given("follow ANA, member friends ANA");
    assert_eq!(given.home(&post(ANA)), IN);
}

#[test]
fn rule_4_a_follow_for_other_languages_leaves_out_and_a_post_without_a_language_is_in() {
    let given = given("follow ANA \"languages\":[\"en\",\"de\",\"pt-BR\"]");
    assert_eq!(given.home(&in_language(ANA, "de")), IN);
    assert_eq!(given.home(&in_language(ANA, "pt-BR")), IN);
    assert_eq!(given.home(&in_language(ANA, "PT-br")), IN);
    assert_eq!(
        given.home(&in_language(ANA, "pt")),
        out(Excluded::OtherLanguage)
    );
    assert_eq!(
        given.home(&in_language(ANA, "fr")),
        out(Excluded::OtherLanguage)
    );
    assert_eq!(given.home(&post(ANA)), IN, "no language on the post");
}

#[test]
fn rule_5_a_boost_of_what_is_unknown_or_gone_is_out() {
    let given = given("follow ANA");
    let original = post(BOB);
    let boost = boost(ANA, &original);
    let mut stub = post(BOB);
    stub.strip(State::Stub);
    let decided = |original: Option<&Post>| given.home_with(&boost, original);
    assert_eq!(decided(Some(&original)), IN);
    assert_eq!(decided(None), out(Excluded::OriginalUnknown));
    assert_eq!(decided(Some(&stub)), out(Excluded::OriginalUnknown));
    assert_eq!(decided(Some(&gone(original))), out(Excluded::OriginalGone));
}

#[test]
fn rule_5_my_own_boost_of_what_is_unknown_or_gone_is_out_too() {
    let original = post(BOB);
    let boost = boost(ME, &original);
    let decided = |original: Option<&Post>| given("").home_with(&boost, original);
    assert_eq!(decided(Some(&original)), OWN);
    assert_eq!(decided(None), out(Excluded::OriginalUnknown));
    assert_eq!(decided(Some(&gone(original))), out(Excluded::OriginalGone));
}

#[test]
fn rule_6_whom_i_block_or_mute_is_out_as_author_as_boosted_and_as_mentioned() {
    let by_bob = post(BOB);
    let of_who_mentions_bob = mentioning(CLEO, BOB);
    for (relation, why) in [("block", Excluded::Blocked), ("mute", Excluded::Muted)] {
        let given = given(&format!(
            "follow ANA, follow BOB, follow CLEO, {relation} BOB"
        ));
        let boosting = |original| given.home_with(&boost(ANA, original), Some(original));
        assert_eq!(given.home(&by_bob), out(why));
        assert_eq!(given.home(&mentioning(ANA, BOB)), out(why));
        assert_eq!(boosting(&by_bob), out(why));
        assert_eq!(boosting(&of_who_mentions_bob), out(why));
        assert_eq!(given.home(&mentioning(ANA, CLEO)), IN);
    }
}

#[test]
fn rule_6_a_domain_i_block_keeps_out_its_authors_and_not_who_mentions_them() {
    let domain = given("follow ANA, follow BOB, domain_block b.example");
    assert_eq!(domain.home(&post(BOB)), out(Excluded::DomainBlocked));
    assert_eq!(domain.home(&mentioning(ANA, BOB)), IN);
    let above = given("follow BOB, domain_block example");
    assert_eq!(above.home(&post(BOB)), IN, "a domain is not those below it");
}

#[test]
fn rule_7_an_author_who_blocks_me_is_out() {
    let given = given("follow ANA, follow BOB, blocked_by BOB");
    assert_eq!(given.home(&post(BOB)), out(Excluded::BlockedBy));
    assert_eq!(given.home(&mentioning(ANA, BOB)), IN);
}

#[test]
fn rule_8_a_reply_to_someone_i_do_not_follow_is_out_unless_to_me_or_to_the_authors_own() {
    let given = given("follow ANA, follow BOB");
    for (whom, expected) in [
        (to(BOB), IN),
        (to(ME), IN),
        (ReplyTarget::Themself, IN),
        (to(CLEO), out(Excluded::AnswersStranger)),
    ] {
        assert_eq!(given.home(&reply(ANA, whom.clone())), expected, "{whom:?}");
    }
}

#[test]
fn rule_8_a_thread_of_ones_own_under_a_strangers_post_is_a_reply_to_that_stranger() {
    let thread = |above: &Post| {
        let mut post = reply(ANA, ReplyTarget::Nobody);
        post.answers = crate::feed::reply_resolution::resolve(&post.body, Some(above));
        post
    };
    let (to_stranger, to_friend) = (thread(&post(CLEO)), thread(&post(BOB)));
    let given = given("follow ANA, follow BOB");
    for (first, expected) in [
        (to_stranger, out(Excluded::AnswersStranger)),
        (to_friend, IN),
    ] {
        let second = thread(&first);
        let third = thread(&second);
        assert_eq!(
            [first, second, third].map(|post| given.home(&post)),
            [expected; 3]
        );
    }
}

#[test]
fn rule_9_a_boost_is_out_with_boosts_off_or_if_its_author_blocks_me_or_i_their_domain() {
    let original = post(BOB);
    for (relations, expected) in [
        ("follow ANA", IN),
        ("follow ANA \"boosts\":false", out(Excluded::BoostsOff)),
        ("follow ANA, blocked_by BOB", out(Excluded::BoostsBlockedBy)),
        (
            "follow ANA, domain_block b.example",
            out(Excluded::DomainBlocked),
        ),
    ] {
        let boost = boost(ANA, &original);
        assert_eq!(
            given(relations).home_with(&boost, Some(&original)),
            expected,
            "{relations}"
        );
    }
    assert_eq!(given("follow ANA \"boosts\":false").home(&post(ANA)), IN);
}

#[test]
fn none_of_these_is_a_reason_an_instances_limit_or_sensitivity_or_age() {
    let mut post = post(ANA);
    post.body.object = serde_json::value::RawValue::from_string(
        r#"{"type":"Note","sensitive":true,"summary":"old"}"#.to_owned(),
    )
    .unwrap();
    post.body.published = Some(slackwater_order::time::Time::EARLIEST);
    for relations in [
        "follow ANA",
        "follow ANA, limit ANA",
        "follow ANA, limit a.example",
    ] {
        assert_eq!(given(relations).home(&post), IN, "{relations}");
    }
}

#[test]
fn what_is_gone_suspended_or_dropped_for_coming_too_late_is_in_no_home_not_even_ones_own() {
    for author in [ME, ANA] {
        let given = given("follow ANA");
        assert_eq!(given.home(&gone(post(author))), out(Excluded::Gone));
        let mut dropped = post(author);
        dropped.disposition = Disposition::Dropped;
        assert_eq!(given.home(&dropped), out(Excluded::TooLate));
        assert_eq!(
            Subject::new(&dropped, None, &given.graph).reach(),
            Reach::Asked
        );
    }
    let suspended = given("follow ANA, suspend ANA, suspend here.example");
    assert_eq!(suspended.home(&post(ANA)), out(Excluded::Suspended));
    assert_eq!(suspended.home(&post(ME)), out(Excluded::Suspended));
}

/// Were this to fail, a post would reach followers without wishes that the rules keep it from.
#[test]
fn what_a_post_reaches_is_what_a_plain_follower_gets_whoever_it_is() {
    use Visibility::{Direct, Limited, Private, Public, Unlisted};
    let given = given("follow ANA");
    let whoms = [
        ReplyTarget::Nobody,
        ReplyTarget::Unknown,
        ReplyTarget::Gone,
        ReplyTarget::Themself,
        to(CLEO),
    ];
    let knowing = super::given("follow ANA, follow CLEO");
    let (mut reached, mut reached_knowing) = (0, 0);
    for visibility in [Public, Unlisted, Private, Limited, Direct] {
        for original_visibility in [None, Some(Public), Some(Unlisted), Some(Private)] {
            for original_state in [State::Whole, State::Gone, State::Stub] {
                for whom in &whoms {
                    let original = original_visibility.map(|visibility| {
                        let mut original = sent(visibility, post(CLEO));
                        if original_state != State::Whole {
                            original.strip(original_state);
                        }
                        original
                    });
                    let mut post = sent(visibility, reply(ANA, whom.clone()));
                    post.body.boost_of = original.as_ref().map(|of| of.body.uri.clone());
                    let subject = Subject::new(&post, original.as_ref(), &given.graph);
                    match subject.reach() {
                        Reach::Asked => {}
                        Reach::Every => {
                            reached += 1;
                            assert_eq!(decide(&subject, given.me()), IN, "{post:?} {original:?}");
                        }
                        Reach::Knowing(_) => {
                            let stranger = decide(&subject, given.me());
                            assert_eq!(stranger, out(Excluded::AnswersStranger), "{post:?}");
                            let subject = Subject::new(&post, original.as_ref(), &knowing.graph);
                            let cleo = knowing.graph.actor(CLEO);
                            assert_eq!(subject.reach(), Reach::Knowing(cleo));
                            assert_eq!(decide(&subject, knowing.me()), IN, "{post:?} {original:?}");
                            reached_knowing += 1;
                        }
                    }
                }
            }
        }
    }
    let sorts = 3 * (3 + 2);
    assert_eq!(
        (reached, reached_knowing),
        (2 * sorts, sorts),
        "two threads, one reply"
    );
}
