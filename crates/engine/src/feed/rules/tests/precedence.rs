//! Where two rules apply, the earlier gives the reason.

use super::*;

/// A post that every rule from the second on keeps out, and what undoes each, so that the next one speaks.
struct Everything {
    relations: Vec<&'static str>,
    boost: Post,
    original: Option<Post>,
}

impl Everything {
    fn decided(&self) -> Decision {
        given(&self.relations.join(", ")).home_with(&self.boost, self.original.as_ref())
    }

    fn without(&mut self, relation: &str) {
        let before = self.relations.len();
        self.relations
            .retain(|there| there.split_once(' ') != relation.split_once(' '));
        assert_eq!(self.relations.len() + 1, before, "{relation}");
    }
}

#[test]
fn the_earlier_rule_gives_the_reason_from_the_first_to_the_last() {
    let original = post(BOB);
    let mut boost = boost(ANA, &original);
    boost.body.language = Some("fr".to_owned());
    boost.body.in_reply_to = Some("https://x.example/posts/1".to_owned());
    boost.answers.whom = ReplyTarget::Unknown;
    let mut all = Everything {
        relations: vec![
            "follow ANA \"languages\":[\"en\"],\"boosts\":false",
            "list friends \"exclusive\":true",
            "member friends ANA",
            "block ANA",
            "mute ANA",
            "domain_block a.example",
            "blocked_by ANA",
            "blocked_by BOB",
            "domain_block b.example",
        ],
        boost,
        original: Some(gone(original.clone())),
    };
    assert_eq!(all.decided(), out(Excluded::ParentUnknown), "rule 2");
    all.boost.answers.whom = to(CLEO);
    assert_eq!(all.decided(), out(Excluded::OnExclusiveList), "rule 3");
    all.without("member friends ANA");
    assert_eq!(all.decided(), out(Excluded::OtherLanguage), "rule 4");
    all.boost.body.language = None;
    assert_eq!(all.decided(), out(Excluded::OriginalGone), "rule 5");
    all.original = Some(original);
    assert_eq!(all.decided(), out(Excluded::Blocked), "rule 6");
    all.without("block ANA");
    assert_eq!(all.decided(), out(Excluded::Muted), "rule 6");
    all.without("mute ANA");
    assert_eq!(all.decided(), out(Excluded::DomainBlocked), "rule 6");
    all.without("domain_block a.example");
    assert_eq!(all.decided(), out(Excluded::BlockedBy), "rule 7");
    all.without("blocked_by ANA");
    assert_eq!(all.decided(), out(Excluded::AnswersStranger), "rule 8");
    all.boost.answers.whom = ReplyTarget::Nobody;
    assert_eq!(all.decided(), out(Excluded::BoostsOff), "rule 9");
    all.without("follow ANA \"languages\":[\"en\"],\"boosts\":false");
    all.relations.push("follow ANA");
    assert_eq!(all.decided(), out(Excluded::BoostsBlockedBy), "rule 9");
    all.without("blocked_by BOB");
    assert_eq!(all.decided(), out(Excluded::DomainBlocked), "rule 9");
    all.without("domain_block b.example");
    assert_eq!(all.decided(), IN);
}

#[test]
fn what_i_wrote_is_in_whatever_later_rule_would_keep_it_out() {
    let given = given(
        "follow ME \"languages\":[\"en\"],\"boosts\":false, list own \"exclusive\":true, member own ME, block BOB, \
         domain_block here.example, blocked_by ME",
    );
    let mut mine = reply(ME, to(CLEO));
    mine.body.language = Some("fr".to_owned());
    mine.body.mentions = vec![BOB.to_owned()];
    assert_eq!(given.home(&mine), OWN);
    let by_bob = post(BOB);
    assert_eq!(given.home_with(&boost(ME, &by_bob), Some(&by_bob)), OWN);
}

#[test]
fn who_could_see_it_comes_before_the_rules_of_home() {
    let direct = sent(Visibility::Direct, in_language(ANA, "fr"));
    let given = given("follow ANA \"languages\":[\"en\"], block ANA");
    assert_eq!(given.home(&direct), out(Excluded::NotAddressed));
}
