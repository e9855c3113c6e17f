//! What a boost shows: the post that it boosts, which hides boosts of it where it is in a feed itself.

use crate::feed::feed_op::FeedOp;
use crate::feed::post::Post;
use crate::feed::rules::{Decision, Subject, decide};
use crate::graph::AccountIx;
use crate::graph::Graph;
use crate::record::offsets::LogPos;

/// A post that is boosted, and shows itself where it belongs.
pub(super) struct BoostTarget<'a> {
    /// It, as the rules decide of it.
    pub(super) subject: Subject<'a>,
    post: &'a Post,
}

impl<'a> BoostTarget<'a> {
    /// The target that a post boosts. None if it boosts nothing that is known, or a boost, which does not show itself.
    pub(super) fn new(original: Option<&'a Post>, graph: &Graph) -> Option<BoostTarget<'a>> {
        let post = original.filter(|original| original.body.boost_of.is_none())?;
        let subject = Subject::new(post, None, graph);
        Some(BoostTarget { subject, post })
    }

    /// That the post shows itself. To be applied after the ops of what boosts it: the post may lie below the floor.
    pub(super) fn shows_itself(&self) -> FeedOp {
        shows(self.post, self.post)
    }

    /// Those of `accounts`, which are ascending, in whose homes it belongs.
    pub(super) fn who_has(&self, graph: &Graph, accounts: &[AccountIx]) -> Vec<AccountIx> {
        let mut concerned = Vec::new();
        if let Some(author) = self.subject.author {
            concerned.extend(in_both(accounts, graph.followers(author)));
            concerned.extend(in_both(accounts, graph.owners(author)));
        }
        for tag in &self.post.body.tags {
            concerned.extend(in_both(accounts, graph.tag_followers(tag)));
        }
        concerned.sort_unstable();
        concerned.dedup();
        concerned.retain(|account| {
            let of = graph.get(*account);
            of.is_some_and(|of| matches!(decide(&self.subject, of), Decision::In(_)))
        });
        concerned
    }
}

/// That the entry of `post` shows this one.
pub(super) fn shows(post: &Post, shown: &Post) -> FeedOp {
    FeedOp::shows(post.id, shown.id)
}

/// The ops that remove a post from a feed, for each of the reasons, and that say which post it would show: entries that it
/// hid, here or on a node that read the log in another order, have to be sent again. What it shows stands before the removals,
/// since a trimmed entry is remembered only by what it shows, and after them, since an entry that never was in the feed is
/// remembered only by its removal.
pub(super) fn removal_ops(
    post: &Post,
    original: Option<&Post>,
    reasons: impl Iterator<Item = LogPos>,
) -> Vec<FeedOp> {
    let shows = original.map(|original| shows(post, original));
    let leaves = reasons.map(|cause| FeedOp::remove(post.id, cause));
    shows.into_iter().chain(leaves).chain(shows).collect()
}

/// The accounts in both lists, of which each is ascending. Few accounts follow both a booster and the boosted author: for each
/// account of the shorter list the longer one is searched on from where the search before ended, in steps that double, so that
/// the accounts between cost little and a near one is found soon.
pub(super) fn in_both<'l>(
    one: &'l [AccountIx],
    other: &'l [AccountIx],
) -> impl Iterator<Item = AccountIx> + 'l {
    let (few, mut rest) = if one.len() < other.len() {
        (one, other)
    } else {
        (other, one)
    };
    few.iter().copied().filter(move |account| {
        rest = from(rest, *account);
        rest.first() == Some(account)
    })
}

/// The part of an ascending list that is not below `account`.
fn from(list: &[AccountIx], account: AccountIx) -> &[AccountIx] {
    let is_below = |there: &AccountIx| *there < account;
    let mut end = 1;
    while list.get(end - 1).is_some_and(is_below) {
        end *= 2;
    }
    // Half of that was below.
    let (begin, end) = (end / 2, end.min(list.len()));
    let between = list.get(begin..end).unwrap_or_default();
    list.get(begin + between.partition_point(is_below)..)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::PostContent;
    use crate::feed::ordered_feed::OrderedFeed;
    use proptest::prelude::*;
    use slackwater_order::place::PostId;
    use slackwater_order::time::Time;
    use std::collections::BTreeSet;

    /// A failure means that boosts which a removed one hid, here or where the log was read in another order, are not sent again.
    #[test]
    fn a_removed_boost_is_remembered_with_what_it_showed() {
        let post = |n: u32| {
            let id = PostId::new(Time::from_millis(i64::from(n)), n, 0);
            let body = PostContent::new(
                format!("https://a.example/{n}"),
                "https://a.example/u".to_owned(),
            );
            Post::new(
                id,
                body,
                Time::from_millis(9),
                LogPos::of_activity(0, i64::from(n)),
            )
        };
        let (original, boost) = (post(1), post(2));
        let entered = [
            FeedOp::insert(boost.id, boost.made),
            shows(&boost, &original),
        ];
        let removal = removal_ops(
            &boost,
            Some(&original),
            std::iter::once(LogPos::of_activity(0, 5)),
        );
        let check = |mut feed: OrderedFeed, what: &str| {
            feed.take_in(&removal);
            let of_original: Vec<PostId> = feed.shows.entries_of(original.id).collect();
            assert_eq!(of_original, [boost.id], "{what}");
        };
        let mut there = OrderedFeed::default();
        there.take_in(&entered);
        check(there, "it was there");
        check(OrderedFeed::default(), "it never was there");
        let above = OrderedFeed {
            floor: boost.id,
            ..OrderedFeed::default()
        };
        check(above, "it was dropped for length");
    }

    proptest! {
        /// Were this to fail, a reply or a boost would miss a home it belongs in, or enter one twice.
        #[test]
        fn what_stands_in_both_is_found_once_each(
            one in prop::collection::btree_set(0usize..300, 0..60),
            other in prop::collection::btree_set(0usize..300, 0..300),
        ) {
            let list = |set: &BTreeSet<usize>| -> Vec<AccountIx> {
                set.iter().copied().map(AccountIx::from_number).collect()
            };
            let (these, those) = (list(&one), list(&other));
            let expected: BTreeSet<usize> = one.intersection(&other).copied().collect();
            let expected = list(&expected);
            prop_assert_eq!(in_both(&these, &those).collect::<Vec<_>>(), expected.clone());
            prop_assert_eq!(in_both(&those, &these).collect::<Vec<_>>(), expected);
        }
    }
}
