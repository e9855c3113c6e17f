use super::*;
use crate::compare::home::Boosted;
use crate::compare::relations::Relation;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// When homes are read.
const NOW: i64 = 1_000 * DAY;

fn ago(ms: i64) -> Time {
    Time::from_millis(NOW - ms)
}

fn all() -> Circumstances {
    Circumstances {
        account: "7".to_owned(),
        read_at: ago(0),
        horizon: None,
        lowest_place: None,
        lag: Duration::ZERO,
        posts_keep: Duration::from_secs(30 * 24 * 60 * 60),
        sign_in: SignIn::Unknown,
    }
}

/// Bo's, an hour old.
fn theirs() -> TheirPost {
    TheirPost {
        id: u64::try_from(ago(HOUR).millis()).unwrap() << 16,
        author: "9".to_owned(),
        created: Some(ago(HOUR)),
        ..TheirPost::default()
    }
}

fn ours() -> OurPost {
    OurPost {
        place: PostId::new(ago(HOUR), 0, 0),
        id: Some(5),
        arrived: ago(HOUR),
        delay_ms: Some(0),
        is_fetched: false,
        boosted: None,
    }
}

fn there(shows: bool, why: &str) -> Found {
    let place = if shows { "in" } else { "not in" };
    Found::There {
        place: PostId::new(ago(HOUR), 0, 0),
        arrived: ago(HOUR),
        shows,
        why: format!("{place} home: {why}"),
    }
}

#[track_caller]
fn check_theirs(post: &TheirPost, found: &Found, is_shown: bool, all: &Circumstances) -> Answer {
    let judged = of_theirs(post, found, is_shown, None, all).expect("within the part compared");
    assert_eq!(judged.only_in, Side::Mastodon);
    Answer(judged)
}

#[track_caller]
fn check_ours(post: &OurPost, found: &Found, is_shown: bool, all: &Circumstances) -> Answer {
    let judged = of_ours(post, found, is_shown, false, all);
    assert_eq!(judged.only_in, Side::Here);
    Answer(judged)
}

struct Answer(Difference);

impl Answer {
    #[track_caller]
    fn is(self, reason: Reason) {
        assert_eq!(self.0.reason, Some(reason), "{:?}", self.0);
    }

    #[track_caller]
    fn has_none(self, because: &str) {
        assert_eq!(self.0.reason, None, "{:?}", self.0);
        assert!(self.0.why.contains(because), "{:?}", self.0);
    }
}

/// A failure means that posts which never came here are not noticed before the switch.
#[test]
fn what_is_unknown_here_has_no_reason_unless_it_is_new_or_old_or_gone() {
    let unknown = Found::Unknown;
    check_theirs(&theirs(), &unknown, true, &all()).has_none("not known here");
    check_theirs(&theirs(), &unknown, false, &all()).is(Reason::Gone);
    let at = |at: Time| TheirPost {
        id: u64::try_from(at.millis()).unwrap() << 16,
        created: Some(at),
        ..theirs()
    };
    check_theirs(&at(ago(59_000)), &unknown, true, &all()).is(Reason::OnItsWay);
    check_theirs(&at(ago(61_000)), &unknown, true, &all()).has_none("not known here");
    check_theirs(&at(ago(31 * DAY)), &unknown, true, &all()).is(Reason::TooOld);
    check_theirs(&at(ago(29 * DAY)), &unknown, true, &all()).has_none("not known here");
    let behind = Circumstances {
        lag: Duration::from_secs(2 * 60 * 60),
        ..all()
    };
    check_theirs(&theirs(), &unknown, true, &behind).is(Reason::OnItsWay);
}

/// A failure means that a delete which should not have been, or was missed, passes for one that just happened.
#[test]
fn what_is_deleted_on_one_side_only_has_no_reason() {
    let gone = Found::Gone("the post was deleted".to_owned());
    check_theirs(&theirs(), &gone, false, &all()).is(Reason::Gone);
    check_theirs(&theirs(), &gone, true, &all()).has_none("still shows it");
    check_ours(&ours(), &gone, false, &all()).is(Reason::Gone);
    let in_home = there(true, Included::Followed.words());
    check_ours(&ours(), &in_home, false, &all()).has_none("does not show it");
    let stub = there(false, Excluded::Gone.words());
    check_theirs(&theirs(), &stub, true, &all()).has_none("still shows it");
    check_theirs(&theirs(), &stub, false, &all()).is(Reason::Gone);
}

#[test]
fn what_home_here_hides_has_its_reason() {
    for (hidden, reason) in [
        (Hidden::Held, Reason::Held),
        (Hidden::Repeat, Reason::ShownOnce),
        (Hidden::BelowEnd, Reason::BelowEnd),
    ] {
        let found = there(false, hidden.words());
        check_theirs(&theirs(), &found, true, &all()).is(reason);
    }
    let found = there(false, Hidden::BeingPutIn.words());
    check_theirs(&theirs(), &found, true, &all()).has_none("being put in");
    let answers = there(false, Excluded::AnswersStranger.words());
    check_theirs(&theirs(), &answers, true, &all()).is(Reason::Rule);
    let newer = there(false, "a rule that this version does not know");
    check_theirs(&theirs(), &newer, true, &all()).has_none("does not know");
}

#[test]
fn what_home_should_show_and_its_page_lacks_has_no_reason() {
    let shown = there(true, Included::Followed.words());
    check_theirs(&theirs(), &shown, true, &all()).has_none("lacks it");
    let held = Circumstances {
        horizon: Some(ago(2 * HOUR)),
        ..all()
    };
    check_theirs(&theirs(), &shown, true, &held).is(Reason::Held);
    let past = Circumstances {
        horizon: Some(ago(MINUTE)),
        ..all()
    };
    check_theirs(&theirs(), &shown, true, &past).has_none("lacks it");
}

#[test]
fn what_stands_below_the_part_compared_is_no_difference() {
    let lowest = |place: PostId| Circumstances {
        lowest_place: Some(place),
        ..all()
    };
    let found = there(true, Included::Followed.words());
    let at = PostId::new(ago(HOUR), 0, 0);
    let above = PostId::new(ago(HOUR), 0, 1);
    let judged = |all: &Circumstances| of_theirs(&theirs(), &found, true, None, all);
    assert_eq!(judged(&lowest(above)), None);
    assert!(judged(&lowest(at)).is_some());
}

#[test]
fn what_only_home_here_has_has_its_reason_or_none() {
    let in_home = there(true, Included::Followed.words());
    check_ours(&ours(), &in_home, true, &all()).has_none("shows it when asked");
    let no_id = OurPost { id: None, ..ours() };
    check_ours(&no_id, &in_home, false, &all()).is(Reason::NoId);
    let new = OurPost {
        arrived: ago(59_000),
        ..ours()
    };
    check_ours(&new, &in_home, false, &all()).is(Reason::OnItsWay);
    let since = there(false, Excluded::Muted.words());
    check_ours(&ours(), &since, true, &all()).is(Reason::Gone);
    let hashtag = there(true, Included::Tagged.words());
    check_ours(&ours(), &hashtag, true, &all()).is(Reason::Hashtag);
    let fetched = |delay_ms| OurPost {
        is_fetched: true,
        delay_ms: Some(delay_ms),
        ..ours()
    };
    check_ours(&fetched(7 * HOUR), &in_home, true, &all()).is(Reason::LookedUp);
    check_ours(&fetched(5 * HOUR), &in_home, true, &all()).has_none("shows it when asked");
    let otherwise = of_ours(&ours(), &in_home, true, true, &all());
    assert_eq!(otherwise.reason, Some(Reason::ShownOnce));
    let otherwise = of_ours(&ours(), &in_home, false, true, &all());
    assert_eq!(otherwise.reason, None, "whatever else Mastodon shows");
}

#[test]
fn mastodon_feeds_nobody_who_was_away_for_a_week() {
    let in_home = there(true, Included::Followed.words());
    let seen = |sign_in| Circumstances { sign_in, ..all() };
    check_ours(&ours(), &in_home, true, &seen(SignIn::Never)).is(Reason::NotFed);
    let at = |ms| seen(SignIn::At(ago(ms)));
    check_ours(&ours(), &in_home, true, &at(8 * DAY)).is(Reason::NotFed);
    check_ours(&ours(), &in_home, true, &at(6 * DAY)).has_none("shows it when asked");
}

/// A failure means that a follow which never came here, or a mute that was never lifted here, passes for a reason.
#[test]
fn a_reason_that_mastodons_relations_deny_is_none() {
    type Change = fn(&mut Relation);
    let check = |rule: Excluded, post: &TheirPost, change: Change, is_denied: bool| {
        let mut relation = Relation {
            id: "9".to_owned(),
            ..Relation::default()
        };
        change(&mut relation);
        let accounts = [("9".to_owned(), relation)].into_iter().collect();
        let relations = Relations {
            accounts,
            hashtags: ["sea".to_owned()].into_iter().collect(),
        };
        let found = there(false, rule.words());
        let judged = of_theirs(post, &found, true, Some(&relations), &all()).unwrap();
        assert_eq!(judged.reason.is_none(), is_denied, "{judged:?}");
        // Without Mastodon's relations the rule is believed.
        let judged = of_theirs(post, &found, true, None, &all()).unwrap();
        assert_eq!(judged.reason, Some(Reason::Rule), "{judged:?}");
    };
    let post = theirs();
    let boost = TheirPost {
        author: "8".to_owned(),
        boosted: Some(Boosted {
            id: 3,
            author: "9".to_owned(),
        }),
        ..theirs()
    };
    let names = TheirPost {
        author: "8".to_owned(),
        mentions: vec!["9".to_owned()],
        ..theirs()
    };
    let answer = TheirPost {
        author: "8".to_owned(),
        answers_account: Some("9".to_owned()),
        ..theirs()
    };
    let of_thread = TheirPost {
        answers_account: Some("9".to_owned()),
        ..theirs()
    };
    let tagged = TheirPost {
        tags: vec!["sea".to_owned()],
        ..theirs()
    };
    let english = TheirPost {
        language: Some("en".to_owned()),
        ..theirs()
    };
    check(Excluded::NotFollowed, &post, |it| it.following = true, true);
    check(Excluded::NotFollowed, &post, |_| {}, false);
    check(Excluded::NotFollowed, &tagged, |_| {}, true);
    check(
        Excluded::BoostsOff,
        &post,
        |it| it.showing_reblogs = true,
        true,
    );
    check(Excluded::BoostsOff, &post, |_| {}, false);
    let french: Change = |it| it.languages = Some(vec!["fr".to_owned()]);
    check(Excluded::OtherLanguage, &english, french, false);
    check(Excluded::OtherLanguage, &english, |_| {}, true);
    for post in [&post, &boost, &names] {
        check(Excluded::Blocked, post, |it| it.blocking = true, false);
        check(Excluded::Blocked, post, |it| it.muting = true, true);
        check(Excluded::Muted, post, |it| it.muting = true, false);
        check(Excluded::Muted, post, |it| it.blocking = true, true);
    }
    check(
        Excluded::DomainBlocked,
        &boost,
        |it| it.domain_blocking = true,
        false,
    );
    check(Excluded::DomainBlocked, &boost, |_| {}, true);
    check(Excluded::BlockedBy, &post, |it| it.blocked_by = true, false);
    check(Excluded::BlockedBy, &post, |_| {}, true);
    check(
        Excluded::BoostsBlockedBy,
        &boost,
        |it| it.blocked_by = true,
        false,
    );
    check(Excluded::BoostsBlockedBy, &boost, |_| {}, true);
    check(
        Excluded::AnswersStranger,
        &answer,
        |it| it.following = true,
        true,
    );
    check(Excluded::AnswersStranger, &answer, |_| {}, false);
    // In Mastodon a thread under a stranger's post is its author's own.
    check(
        Excluded::AnswersStranger,
        &of_thread,
        |it| it.following = true,
        false,
    );
}

#[test]
fn a_reason_that_mastodons_own_post_denies_is_none() {
    let check = |rule: Excluded, post: &TheirPost, denial: &str| {
        check_theirs(post, &there(false, rule.words()), true, &all()).has_none(denial);
    };
    let answer = TheirPost {
        answers_post: Some("3".to_owned()),
        answers_account: Some("9".to_owned()),
        ..theirs()
    };
    check(Excluded::ParentUnknown, &answer, "knows what it answers");
    check(Excluded::ParentGone, &answer, "knows whom it answers");
    let boost = TheirPost {
        boosted: Some(Boosted::default()),
        ..theirs()
    };
    check(Excluded::OriginalUnknown, &boost, "shows what it boosts");
    check(Excluded::OriginalGone, &boost, "shows what it boosts");
    check(Excluded::Suspended, &theirs(), "still shows it");
    let own = TheirPost {
        author: "7".to_owned(),
        ..theirs()
    };
    check(Excluded::NotFollowed, &own, "the account's own");
    let to_me = TheirPost {
        answers_account: Some("7".to_owned()),
        ..theirs()
    };
    check(Excluded::AnswersStranger, &to_me, "answers the account");
}
