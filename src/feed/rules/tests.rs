use super::*;
use crate::feed::kept::example::post;
use crate::post::relationship::decode;

const ME: &str = "https://here.example/users/me";
const ANA: &str = "https://a.example/users/ana";
const BOB: &str = "https://b.example/users/bob";

fn boost(by: &str, of: &Post) -> Post {
    let mut boost = post(by);
    boost.body.boost_of = Some(of.body.uri.clone());
    boost
}

/// Decides for account 7, who is ME and has these relations: `follow ANA`, say.
fn decided(relations: &str, post: &Post, original: Option<&Post>) -> Decision {
    let mut graph = Graph::default();
    let own = format!(r#"{{"type":"account","account":"7","actor":"{ME}"}}"#);
    graph.apply(&decode(None, Some(own.as_bytes())).unwrap());
    for relation in relations
        .split(", ")
        .filter(|relation| !relation.is_empty())
    {
        let mut words = relation.split(' ');
        let (kind, target) = (words.next().unwrap(), words.next().unwrap());
        let target = target.replace("ANA", ANA).replace("BOB", BOB);
        let more = words
            .next()
            .map_or(String::new(), |more| format!(",{more}"));
        let document = format!(r#"{{"type":"{kind}","account":"7","target":"{target}"{more}}}"#);
        graph.apply(&decode(None, Some(document.as_bytes())).unwrap());
    }
    let account = graph.get(graph.account("7").unwrap()).unwrap();
    decide(&Subject::new(post, original, &graph), account)
}

const IN: Decision = Decision::In(Because::Followed);

fn out(why: Why) -> Decision {
    Decision::Out(why)
}

#[test]
fn a_post_is_in_home_if_its_author_is_followed_or_is_oneself() {
    assert_eq!(decided("follow ANA", &post(ANA), None), IN);
    assert_eq!(decided("", &post(ME), None), Decision::In(Because::Own));
    assert_eq!(
        decided("follow BOB", &post(ANA), None),
        out(Why::NotFollowed)
    );
    assert_eq!(decided("", &post(ANA), None), out(Why::NotFollowed));
}

#[test]
fn who_sees_a_post_is_said_by_its_visibility() {
    use Visibility::{Direct, Limited, Private, Public, Unlisted};
    let nobody: &[&str] = &[];
    let table: [(Visibility, &[&str], &[&str], Decision); 10] = [
        // visibility, mentions, addressed: for a follower
        (Public, nobody, nobody, IN),
        (Unlisted, nobody, nobody, IN),
        (Private, nobody, nobody, IN),
        (Limited, nobody, &[ME], IN),
        (
            Limited,
            nobody,
            &["https://a.example/lists/1"],
            out(Why::NotAddressed),
        ),
        (Limited, nobody, &[BOB], out(Why::NotAddressed)),
        (Direct, &[ME], &[ME], IN),
        (Direct, &[BOB], &[BOB], out(Why::NotAddressed)),
        (Direct, nobody, &[ME], out(Why::NotAddressed)),
        (Direct, nobody, nobody, out(Why::NotAddressed)),
    ];
    for (visibility, mentions, addressed, decision) in table {
        let mut sent = post(ANA);
        sent.body.visibility = visibility;
        sent.body.mentions = mentions.iter().map(|id| (*id).to_owned()).collect();
        sent.body.addressed = addressed.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(
            decided("follow ANA, follow BOB", &sent, None),
            decision,
            "{visibility:?} {mentions:?} {addressed:?}"
        );
        // Nobody gets in who was not followed, mentioned or not.
        assert_eq!(decided("", &sent, None), out(Why::NotFollowed));
    }
}

#[test]
fn a_block_a_mute_and_a_blocked_domain_keep_out_the_author_and_whom_they_name() {
    let mut mentioning = post(ANA);
    mentioning.body.mentions = vec![BOB.to_owned()];
    let by_bob = post(BOB);
    let boosting = boost(ANA, &by_bob);
    let table: [(&str, &Post, Option<&Post>, Why); 10] = [
        ("follow BOB, block BOB", &by_bob, None, Why::Blocked),
        ("follow BOB, mute BOB", &by_bob, None, Why::Muted),
        (
            "follow BOB, domain_block b.example",
            &by_bob,
            None,
            Why::DomainBlocked,
        ),
        ("follow ANA, block BOB", &mentioning, None, Why::Blocked),
        ("follow ANA, mute BOB", &mentioning, None, Why::Muted),
        (
            "follow ANA, block BOB",
            &boosting,
            Some(&by_bob),
            Why::Blocked,
        ),
        ("follow ANA, mute BOB", &boosting, Some(&by_bob), Why::Muted),
        (
            "follow ANA, domain_block b.example",
            &boosting,
            Some(&by_bob),
            Why::DomainBlocked,
        ),
        (
            "follow BOB, block BOB, mute BOB",
            &by_bob,
            None,
            Why::Blocked,
        ),
        (
            "follow ANA \"boosts\":false, mute BOB",
            &boosting,
            Some(&by_bob),
            Why::Muted,
        ),
    ];
    for (relations, sent, original, why) in table {
        assert_eq!(decided(relations, sent, original), out(why), "{relations}");
    }
    assert_eq!(
        decided("follow ANA, domain_block b.example", &mentioning, None),
        IN,
        "the domain of the mentioned"
    );
    assert_eq!(
        decided("follow BOB, domain_block example", &by_bob, None),
        IN,
        "a domain is not those below it"
    );
}

#[test]
fn a_follow_may_be_without_boosts_or_for_some_languages() {
    let by_bob = post(BOB);
    let boosting = boost(ANA, &by_bob);
    assert_eq!(decided("follow ANA", &boosting, Some(&by_bob)), IN);
    assert_eq!(
        decided("follow ANA \"boosts\":false", &boosting, Some(&by_bob)),
        out(Why::BoostsOff)
    );
    assert_eq!(decided("follow ANA \"boosts\":false", &post(ANA), None), IN);
    let mut german = post(ANA);
    german.body.language = Some("de".to_owned());
    assert_eq!(
        decided("follow ANA \"languages\":[\"en\"]", &german, None),
        out(Why::OtherLanguage)
    );
    assert_eq!(
        decided("follow ANA \"languages\":[\"en\",\"de\"]", &german, None),
        IN
    );
    assert_eq!(
        decided("follow ANA \"languages\":[\"en\"]", &post(ANA), None),
        IN,
        "no language on the post"
    );
}

#[test]
fn a_boost_needs_its_original_and_opens_nothing_to_those_it_was_not_sent_to() {
    let by_bob = post(BOB);
    let boosting = boost(ANA, &by_bob);
    assert_eq!(
        decided("follow ANA", &boosting, None),
        out(Why::OriginalUnknown)
    );
    let mut left = post(BOB);
    left.strip(State::Gone);
    assert_eq!(
        decided("follow ANA", &boosting, Some(&left)),
        out(Why::OriginalGone)
    );
    left.strip(State::Stub);
    assert_eq!(
        decided("follow ANA", &boosting, Some(&left)),
        out(Why::OriginalUnknown)
    );
    let mut private = post(BOB);
    private.body.visibility = Visibility::Private;
    let again = boost(BOB, &private);
    let both = "follow ANA, follow BOB";
    assert_eq!(
        decided(both, &boosting, Some(&private)),
        out(Why::OriginalNotAddressed)
    );
    assert_eq!(decided(both, &again, Some(&private)), IN);
    private.body.visibility = Visibility::Direct;
    assert_eq!(
        decided(both, &again, Some(&private)),
        out(Why::OriginalNotAddressed)
    );
    private.body.mentions = vec![ME.to_owned()];
    assert_eq!(decided(both, &again, Some(&private)), IN);
    assert_eq!(
        decided(both, &boosting, Some(&private)),
        out(Why::OriginalNotAddressed)
    );
}

#[test]
fn what_is_dropped_for_coming_too_late_is_in_no_home_not_even_ones_own() {
    for (author, because) in [(ME, Because::Own), (ANA, Because::Followed)] {
        let mut dropped = post(author);
        let before = decided("follow ANA", &dropped, None);
        assert_eq!(before, Decision::In(because));
        dropped.shown = Shown::Nowhere;
        assert_eq!(decided("follow ANA", &dropped, None), out(Why::TooLate));
        let graph = Graph::default();
        assert!(!Subject::new(&dropped, None, &graph).reaches_every_follower());
    }
}

#[test]
fn what_is_gone_is_in_no_home_not_even_ones_own() {
    let mut gone = post(ME);
    gone.strip(State::Gone);
    assert_eq!(decided("", &gone, None), out(Why::Gone));
}
