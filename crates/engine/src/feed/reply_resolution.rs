//! Finds whom a post answers: the other party of its thread. Pure.
//!
//! An author who goes on in a thread of their own under somebody's post still answers that somebody, as in Mastodon. So what a
//! post answers is a function of its parent, and of its parent's parent only as long as the author stays the same.

use crate::activity::PostContent;
use crate::feed::post::Post;
use crate::feed::reply_target::{ReplyResolution, ReplyTarget};
use crate::record::offsets::LogPos;

/// What a post answers whose parent, if that is known, is `parent`.
pub fn resolve(body: &PostContent, parent: Option<&Post>) -> ReplyResolution {
    if body.in_reply_to.is_none() {
        return ReplyResolution::default();
    }
    let Some(parent) = parent else {
        return ReplyResolution {
            whom: ReplyTarget::Unknown,
            rests: Vec::new(),
        };
    };
    let is_own = parent.body.author == body.author;
    let mut rests = if is_own {
        parent.answers.rests.clone()
    } else {
        Vec::new()
    };
    note(&mut rests, parent.made);
    let whom = if parent.is_author_gone {
        note(&mut rests, parent.newest);
        ReplyTarget::Gone
    } else if !is_own {
        ReplyTarget::Actor(parent.body.author.clone())
    } else {
        match &parent.answers.whom {
            ReplyTarget::Nobody | ReplyTarget::Themself => ReplyTarget::Themself,
            other => other.clone(),
        }
    };
    ReplyResolution { whom, rests }
}

fn note(rests: &mut Vec<LogPos>, log_pos: LogPos) {
    match rests.iter_mut().find(|there| there.is_beside(log_pos)) {
        Some(there) => *there = log_pos.max(*there),
        None => rests.push(log_pos),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::post::{State, example};

    const ANA: &str = "https://a.example/users/ana";
    const BOB: &str = "https://b.example/users/bob";

    fn reply(by: &str, offset: i64, parent: Option<&Post>) -> Post {
        let mut post = example::post(by);
        post.body.in_reply_to = Some("https://x.example/1".to_owned());
        post.made = LogPos::of_activity(i32::from(by == BOB), offset);
        post.newest = post.made;
        post.answers = resolve(&post.body, parent);
        post
    }

    #[test]
    fn a_thread_of_ones_own_under_somebodys_post_answers_that_somebody() {
        let mut start = example::post(BOB);
        start.made = LogPos::of_activity(1, 0);
        let first = reply(ANA, 4, Some(&start));
        let second = reply(ANA, 5, Some(&first));
        let third = reply(ANA, 6, Some(&second));
        assert_eq!(third.answers.whom, ReplyTarget::Actor(BOB.to_owned()));
        assert_eq!(
            third.answers.rests,
            [start.made, second.made],
            "the newest of each partition"
        );
        assert_eq!(
            reply(BOB, 7, Some(&third)).answers.whom,
            ReplyTarget::Actor(ANA.to_owned())
        );
    }

    #[test]
    fn a_thread_of_ones_own_answers_nobody_else() {
        let start = example::post(ANA);
        let first = reply(ANA, 4, Some(&start));
        assert_eq!(first.answers.whom, ReplyTarget::Themself);
        assert_eq!(
            reply(ANA, 5, Some(&first)).answers.whom,
            ReplyTarget::Themself
        );
    }

    #[test]
    fn what_leads_to_an_unknown_post_answers_nobody_known() {
        let first = reply(ANA, 4, None);
        assert_eq!(first.answers.whom, ReplyTarget::Unknown);
        assert_eq!(
            reply(ANA, 5, Some(&first)).answers.whom,
            ReplyTarget::Unknown
        );
        assert_eq!(
            reply(BOB, 5, Some(&first)).answers.whom,
            ReplyTarget::Actor(ANA.to_owned())
        );
    }

    #[test]
    fn a_post_that_is_gone_is_still_answered_and_one_whose_author_is_gone_is_not() {
        let mut start = example::post(BOB);
        start.strip(State::Gone);
        assert_eq!(
            reply(ANA, 4, Some(&start)).answers.whom,
            ReplyTarget::Actor(BOB.to_owned())
        );
        start.is_author_gone = true;
        start.newest = LogPos::of_activity(0, 9);
        let answer = reply(ANA, 4, Some(&start));
        assert_eq!(answer.answers.whom, ReplyTarget::Gone);
        assert_eq!(answer.answers.rests, [start.newest]);
    }
}
