//! A post into the feeds it belongs in: homes, lists, those of its hashtags, the public ones.

use crate::feed::boost_target::{BoostTarget, in_both, removal_ops, shows};
use crate::feed::feed_id::{FeedId, PublicPart};
use crate::feed::feed_op::FeedOp;
use crate::feed::post::Post;
use crate::feed::reply_target::ReplyTarget;
use crate::feed::rules::{
    Decision, Reach, Subject, decide, decide_list, is_in_public_feed, is_in_tag_feed,
};
use crate::feed::store::Store;
use crate::feed::store::disk::DiskError;
use crate::graph::AccountIx;
use crate::graph::ActorIx;
use crate::graph::FanOutClass;
use crate::graph::Graph;
use crate::record::offsets::LogPos;
use std::sync::Arc;

/// What happened to a post, and so whether any feed can hold it already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostChange {
    /// The post was just placed, or what it waited for just came: it only enters.
    New,
    /// The post or what it depends on changed: it enters or leaves.
    Changed,
    /// The post is deleted: it only leaves.
    Gone,
    /// The post or the post that it boosts was edited, and its audience is unchanged: entries that are there depend on the edit too, and
    /// none enters or leaves.
    Edited,
}

/// A post on its way into feeds, or out of them.
struct FanOut<'a> {
    store: &'a Store,
    graph: &'a Graph,
    subject: Subject<'a>,
    boosted: Option<BoostTarget<'a>>,
    enters: Vec<FeedOp>,
    leaves: Vec<FeedOp>,
    /// A feed that does not let the post in may hold it, so it has to be taken out.
    may_be_there: bool,
}

/// Puts a post into the feeds that it belongs in, or takes it out of them: homes and lists of its author's followers, the
/// author's own home, homes that follow a hashtag of it, and shared feeds. `original` is what it boosts, if known; `cause` is
/// the record that calls for this. Returns how many homes it entered.
pub fn fan_out(
    store: &Store,
    graph: &Graph,
    post: &Post,
    original: Option<&Post>,
    change: PostChange,
    cause: LogPos,
) -> Result<usize, DiskError> {
    let fan_out = FanOut::new(store, graph, post, original, change, cause);
    let mut entered = 0;
    if let Some(author) = fan_out.subject.author {
        let followers = graph.followers(author);
        entered += if change == PostChange::Gone {
            store
                .homes
                .apply(&fan_out.active(followers), &fan_out.leaves);
            0
        } else {
            fan_out.followers(followers)
        };
        entered += fan_out.each(graph.owners(author));
        fan_out.lists(graph.listers(author), author)?;
    }
    if post.body.boost_of.is_none() {
        entered += fan_out.tags(post)?;
        fan_out.public()?;
    }
    Ok(entered)
}

/// As [`fan_out`], of a post that may be there already, into or out of the public feeds alone.
pub fn fan_out_in_public(
    store: &Store,
    graph: &Graph,
    post: &Post,
    cause: LogPos,
) -> Result<(), DiskError> {
    if post.body.boost_of.is_some() {
        return Ok(());
    }
    FanOut::new(store, graph, post, None, PostChange::Changed, cause).public()
}

impl<'a> FanOut<'a> {
    fn new(
        store: &'a Store,
        graph: &'a Graph,
        post: &'a Post,
        original: Option<&'a Post>,
        change: PostChange,
        cause: LogPos,
    ) -> FanOut<'a> {
        let mut enters = insertion_ops(post, original, cause);
        if change == PostChange::Edited {
            enters.retain(|op| op.inserts().is_none());
        }
        FanOut {
            store,
            graph,
            subject: Subject::new(post, original, graph),
            enters,
            boosted: BoostTarget::new(original, graph),
            leaves: match change {
                PostChange::Edited => Vec::new(),
                PostChange::New | PostChange::Changed | PostChange::Gone => removal_ops(
                    post,
                    original,
                    std::iter::once(cause)
                        .chain(ended(post))
                        .chain(documents(post, original)),
                ),
            },
            // Read in another order, a boost may have entered before its original became what it is, and any post before
            // a document decided who could see it.
            may_be_there: match change {
                PostChange::Changed | PostChange::Gone => true,
                PostChange::Edited => false,
                PostChange::New => {
                    original.is_some_and(Post::has_changed)
                        || documents(post, original).next().is_some()
                }
            },
        }
    }

    /// Into or out of the homes of an author's followers. Followers with plain relations are not decided about one by one.
    fn followers(&self, followers: &[AccountIx]) -> usize {
        let reach = self.subject.reach();
        if reach == Reach::Asked {
            return self.each(followers);
        }
        let (mut plain, mut particular) = (Vec::with_capacity(followers.len()), Vec::new());
        for account in followers {
            match self.graph.fan_out_class(*account) {
                FanOutClass::Plain => plain.push(*account),
                FanOutClass::Particular => particular.push(*account),
                FanOutClass::Inactive => {}
            }
        }
        if let Reach::Knowing(whom) = reach {
            let knowing = self.knowing(&plain, whom);
            // The others may follow a hashtag of it.
            let tags = self.subject.tags().iter();
            let tagged = tags.flat_map(|tag| in_both(&plain, self.graph.tag_followers(tag)));
            particular.extend(tagged.filter(|account| knowing.binary_search(account).is_err()));
            particular.sort_unstable();
            particular.dedup();
            if self.may_be_there {
                let own = self.subject.author.map(|author| self.graph.owners(author));
                let among =
                    |account: &AccountIx, all: &[AccountIx]| all.binary_search(account).is_ok();
                plain.retain(|account| {
                    !among(account, &knowing)
                        && !among(account, &particular)
                        && !own.is_some_and(|own| among(account, own))
                });
                self.store.homes.apply(&plain, &self.leaves);
            }
            plain = knowing;
        }
        self.enter(&plain);
        plain.len() + self.each(&particular)
    }

    /// Those of `accounts`, which are ascending, who follow `whom` or are `whom`.
    fn knowing(&self, accounts: &[AccountIx], whom: Option<ActorIx>) -> Vec<AccountIx> {
        let Some(whom) = whom else { return Vec::new() };
        let mut knowing: Vec<AccountIx> = in_both(accounts, self.graph.followers(whom)).collect();
        knowing.extend(in_both(accounts, self.graph.owners(whom)));
        knowing.sort_unstable();
        knowing.dedup();
        knowing
    }

    /// Those of `accounts` that have feeds.
    fn active(&self, accounts: &[AccountIx]) -> Vec<AccountIx> {
        let active = accounts.iter().copied();
        active
            .filter(|account| !self.graph.is_inactive(*account))
            .collect()
    }

    /// Into or out of the homes of these accounts, decided for each.
    fn each(&self, accounts: &[AccountIx]) -> usize {
        let (mut enter, mut leave) = (Vec::new(), Vec::new());
        for account in &self.active(accounts) {
            let of = self.graph.get(*account);
            match of.map(|of| decide(&self.subject, of)) {
                Some(Decision::In(_)) => enter.push(*account),
                Some(Decision::Out(why)) if self.may_be_there || why.is_of_another() => {
                    leave.push(*account);
                }
                Some(Decision::Out(_)) | None => {}
            }
        }
        self.enter(&enter);
        self.store.homes.apply(&leave, &self.leaves);
        enter.len()
    }

    /// Into these homes. Where the boosted post belongs too, the feed learns that it shows itself: it may have been dropped
    /// for length before the first boost of it came.
    fn enter(&self, accounts: &[AccountIx]) {
        self.store.homes.apply(accounts, &self.enters);
        if let Some(boosted) = &self.boosted {
            let both = boosted.who_has(self.graph, accounts);
            self.store.homes.apply(&both, &[boosted.shows_itself()]);
        }
    }

    fn lists(&self, listers: &[AccountIx], author: ActorIx) -> Result<(), DiskError> {
        for account in &self.active(listers) {
            let Some(of) = self.graph.get(*account) else {
                continue;
            };
            for (list_id, list) in of.lists().filter(|(_, list)| list.has(author)) {
                let id = FeedId::list(*account, of.id(), list_id);
                match decide_list(&self.subject, of, list) {
                    Decision::In(_) => {
                        self.store.apply(id.clone(), &self.enters)?;
                        if let Some(boosted) = &self.boosted
                            && let Decision::In(_) = decide_list(&boosted.subject, of, list)
                        {
                            self.store.apply(id, &[boosted.shows_itself()])?;
                        }
                    }
                    Decision::Out(why) if self.may_be_there || why.is_of_another() => {
                        self.store.apply(id, &self.leaves)?;
                    }
                    Decision::Out(_) => {}
                }
            }
        }
        Ok(())
    }

    /// Into or out of the feeds of its hashtags, and the homes of those who follow one.
    fn tags(&self, post: &Post) -> Result<usize, DiskError> {
        let mut followers = Vec::new();
        let is_in = is_in_tag_feed(&self.subject, None);
        for tag in post.body.tags.iter().chain(&post.was_tagged) {
            followers.extend_from_slice(self.graph.tag_followers(tag));
            let is_in = is_in && post.body.tags.contains(tag);
            self.put(FeedId::tag(tag), is_in)?;
        }
        followers.sort_unstable();
        followers.dedup();
        // Accounts that follow its author too have been decided about already.
        if let Some(author) = self.subject.author {
            let has_been_asked = |account: &AccountIx| {
                let of = self.graph.get(*account);
                of.is_some_and(|of| of.actor() == Some(author) || of.follow(author).is_some())
            };
            followers.retain(|account| !has_been_asked(account));
        }
        Ok(self.each(&followers))
    }

    /// Into or out of the public feeds.
    fn public(&self) -> Result<(), DiskError> {
        let author = self.subject.author;
        let is_local = author.is_some_and(|author| !self.graph.owners(author).is_empty());
        let is_in = is_in_public_feed(&self.subject, None);
        self.put(FeedId::Public(PublicPart::All), is_in)?;
        self.put(FeedId::Public(PublicPart::Local), is_in && is_local)?;
        self.put(FeedId::Public(PublicPart::Remote), is_in && !is_local)
    }

    fn put(&self, id: FeedId, is_in: bool) -> Result<(), DiskError> {
        if is_in {
            self.store.apply(id, &self.enters)
        } else if self.may_be_there {
            self.store.apply(id, &self.leaves)
        } else {
            Ok(())
        }
    }
}

/// The ops that put a post into a feed. Its entry also depends on what it boosts, on what it answers, on the documents that
/// decided who could see it, and on the record that calls for this.
pub(super) fn insertion_ops(post: &Post, original: Option<&Post>, cause: LogPos) -> Vec<FeedOp> {
    let original_mark = original.map(|original| original.newest);
    let is_new = |cause: &LogPos| *cause != post.newest && original_mark != Some(*cause);
    let cause = Some(cause).filter(is_new);
    let rests = original_mark
        .into_iter()
        .chain(rests_on(post))
        .chain(documents(post, original))
        .chain(cause);
    std::iter::once(FeedOp::insert(post.id, post.newest))
        .chain(rests.map(|log_pos| FeedOp::depends_on(post.id, log_pos)))
        .chain(original.map(|original| shows(post, original)))
        .collect()
}

/// The records that ended what a reply answers, if its author is gone.
pub(super) fn ended(post: &Post) -> impl Iterator<Item = LogPos> + '_ {
    rests_on(post).filter(|_| post.answers.whom == ReplyTarget::Gone)
}

/// The records of the posts above it that a reply depends on.
pub fn rests_on(post: &Post) -> impl Iterator<Item = LogPos> + '_ {
    post.answers.rests.iter().copied()
}

/// The documents of their authors that decided who could see a post, and what it boosts.
pub fn documents(post: &Post, original: Option<&Post>) -> impl Iterator<Item = LogPos> {
    let of_original = original.and_then(|original| original.document);
    post.document.into_iter().chain(of_original)
}

/// The post that `post` boosts, if it boosts one and that is known.
pub fn original_of(store: &Store, post: &Post) -> Result<Option<Arc<Post>>, DiskError> {
    match &post.body.boost_of {
        Some(uri) => store.post_by_uri(uri),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
