//! One post, one account: is it in the account's home, or on a list of it, and why. Pure; every rule is a function of
//! what is so now, never of when it was learned.
//!
//! The order of the rules is that of Mastodon's feed manager; the first that applies decides.

mod reasons;

pub use reasons::{Decision, Excluded, Included};

use crate::activity::Visibility;
use crate::feed::feed_id::FeedId;
use crate::feed::post::{Post, State};
use crate::feed::reply_target::ReplyTarget;
use crate::graph::Account;
use crate::graph::ActorIx;
use crate::graph::Graph;
use crate::graph::lists::List;
use crate::graph::moderation::ModerationState;
use crate::relationship::Replies;
use slackwater_order::ref_place::REF_TIMES_SINCE;
use slackwater_order::verdict::{Disposition, PlacedBy};

/// Which of its author's followers without particular wishes get a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All of them.
    Every,
    /// Those who follow this actor too, or are it; nobody, if no relation names the actor.
    Knowing(Option<ActorIx>),
    /// Each is to be decided about.
    Asked,
}

/// A post as the rules look at it: names looked up once, whatever the number of accounts asked about.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Its author, if any relation names them.
    pub author: Option<ActorIx>,
    post: &'a Post,
    standing: ModerationState,
    /// Whom it answers, if that is an actor some relation names.
    answers: Option<ActorIx>,
    /// The author of what it boosts.
    original: Option<Original<'a>>,
    /// Those it mentions, and whom its original mentions, as far as any relation names them.
    mentions: Vec<ActorIx>,
    /// Those it is addressed to or mentions; only looked up where the visibility makes it matter.
    audience: Vec<ActorIx>,
}

#[derive(Debug)]
struct Original<'a> {
    author: Option<ActorIx>,
    post: &'a Post,
    standing: ModerationState,
    /// Those the original is addressed to or mentions; looked up where its visibility makes it matter.
    audience: Vec<ActorIx>,
}

impl<'a> Subject<'a> {
    /// Looks up whom `post` names. `original` is what it boosts, if that is known.
    pub fn new(post: &'a Post, original: Option<&'a Post>, graph: &Graph) -> Subject<'a> {
        let known = |ids: &[String]| {
            ids.iter()
                .filter_map(|id| graph.actor(id))
                .collect::<Vec<_>>()
        };
        let mut mentions = known(&post.body.mentions);
        mentions.extend(
            original
                .iter()
                .flat_map(|original| known(&original.body.mentions)),
        );
        let standing = |post: &Post| graph.standing(&post.body.author, &post.origin);
        Subject {
            author: graph.actor(&post.body.author),
            post,
            standing: standing(post),
            answers: post.answers.actor().and_then(|actor| graph.actor(actor)),
            original: original.map(|original| Original {
                author: graph.actor(&original.body.author),
                audience: audience(original, graph),
                standing: standing(original),
                post: original,
            }),
            mentions,
            audience: audience(post, graph),
        }
    }
}

/// Those a post is addressed to, as far as any relation names them; empty where its visibility names nobody.
fn audience(post: &Post, graph: &Graph) -> Vec<ActorIx> {
    let ids: [&[String]; 2] = match post.body.visibility {
        Visibility::Public | Visibility::Unlisted | Visibility::Private => [&[], &[]],
        Visibility::Limited => [&post.body.mentions, &post.body.addressed],
        Visibility::Direct => [&post.body.mentions, &[]],
    };
    ids.into_iter()
        .flatten()
        .filter_map(|id| graph.actor(id))
        .collect()
}

/// Decides whether the subject is in `account`'s home.
pub fn decide(subject: &Subject<'_>, account: &Account) -> Decision {
    if let Some(why) = subject.is_nowhere() {
        return Decision::Out(why);
    }
    let exclusively = |author| account.lists_exclusively(author);
    match subject.reaches_as_followed(account, exclusively) {
        Decision::Out(_) if subject.reaches_as_tagged(account) => Decision::In(Included::Tagged),
        decision => decision,
    }
}

/// Decides whether the subject is on a list of `account`.
pub fn decide_list(subject: &Subject<'_>, account: &Account, list: &List) -> Decision {
    if let Some(why) = subject.is_nowhere() {
        return Decision::Out(why);
    }
    if !subject.author.is_some_and(|author| list.has(author)) {
        return Decision::Out(Excluded::NotListed);
    }
    match subject.reaches_as_followed(account, |_| false) {
        Decision::In(_) if !subject.is_shown_by(list, account) => {
            Decision::Out(Excluded::ReplyNotListed)
        }
        decision => decision,
    }
}

/// Whether the subject is in a feed. `account` is the feed's; of a shared feed its reader, if there is one.
pub fn is_in_feed(subject: &Subject<'_>, feed: &FeedId, account: Option<&Account>) -> bool {
    let decision = match (feed, account) {
        (FeedId::Tag(_), reader) => return is_in_tag_feed(subject, reader),
        (FeedId::Public(_), reader) => return is_in_public_feed(subject, reader),
        (FeedId::Home(_) | FeedId::List { .. }, None) => return false,
        (FeedId::Home(_), Some(account)) => decide(subject, account),
        (FeedId::List { list, .. }, Some(account)) => match account.list(list) {
            Some(list) => decide_list(subject, account, list),
            None => return false,
        },
    };
    matches!(decision, Decision::In(_))
}

/// Whether the subject is in the feed of a hashtag it carries; with a reader, less what that reader shuns.
pub fn is_in_tag_feed(subject: &Subject<'_>, reader: Option<&Account>) -> bool {
    subject.is_open_to_all() && reader.is_none_or(|reader| !subject.is_excluded(reader))
}

/// Whether the subject is in the public feed; with a reader, less what that reader shuns.
pub fn is_in_public_feed(subject: &Subject<'_>, reader: Option<&Account>) -> bool {
    let is_reply = !matches!(
        subject.post.answers.whom,
        ReplyTarget::Nobody | ReplyTarget::Themself
    );
    !is_reply && is_in_tag_feed(subject, reader)
}

/// Whether the subject may be shown to somebody who asks for it by its id: whom it was meant for, and whom its author does
/// not block. What is hidden from a feed only for the reader's peace may still be asked for.
pub fn may_be_seen(subject: &Subject<'_>, reader: Option<&Account>) -> bool {
    let is_there = subject
        .is_nowhere()
        .is_none_or(|why| matches!(why, Excluded::TooLate | Excluded::Timeless));
    let original = subject.original.as_ref();
    let is_own =
        |author: Option<ActorIx>, reader: &Account| author.is_some() && author == reader.actor();
    let is_for = |post: &Post, author: Option<ActorIx>, audience: &[ActorIx]| {
        let visibility = post.body.visibility;
        if matches!(visibility, Visibility::Public | Visibility::Unlisted) {
            return true;
        }
        let Some(reader) = reader else { return false };
        let follows = || author.is_some_and(|author| reader.follow(author).is_some());
        is_own(author, reader)
            || match visibility {
                Visibility::Private => follows() || is_named(subject, post, reader),
                _ => is_audience(audience, visibility, reader),
            }
    };
    let is_blocked = |author: Option<ActorIx>| {
        let blocks = |reader: &Account| author.is_some_and(|author| reader.is_blocked_by(author));
        reader.is_some_and(blocks)
    };
    is_there
        && !is_blocked(subject.author)
        && is_for(subject.post, subject.author, &subject.audience)
        && original.is_none_or(|original| {
            !is_blocked(original.author)
                && is_for(original.post, original.author, &original.audience)
        })
}

/// Whether a post mentions the account.
fn is_named(subject: &Subject<'_>, post: &Post, account: &Account) -> bool {
    let is_known = |actor: ActorIx| subject.mentions.contains(&actor);
    // `mentions` holds those of an original too, so a boost's own are none.
    post.body.boost_of.is_none() && account.actor().is_some_and(is_known)
}

impl Subject<'_> {
    /// Why it is in nobody's feed, if that is so.
    fn is_nowhere(&self) -> Option<Excluded> {
        if self.post.state != State::Whole {
            return Some(Excluded::Gone);
        }
        let original = self.original.as_ref().map(|original| original.standing);
        if original.unwrap_or_default().max(self.standing) == ModerationState::Suspended {
            return Some(Excluded::Suspended);
        }
        let says_no_time =
            |post: &Post| post.placed_by == PlacedBy::Ref && post.id.time() < REF_TIMES_SINCE;
        match self.post.disposition {
            Disposition::InFeeds => None,
            Disposition::Dropped if says_no_time(self.post) => Some(Excluded::Timeless),
            Disposition::Dropped => Some(Excluded::TooLate),
        }
    }

    /// Whether it is for everybody: public, no boost, its author not limited.
    fn is_open_to_all(&self) -> bool {
        self.is_nowhere().is_none()
            && self.post.body.visibility == Visibility::Public
            && self.post.body.boost_of.is_none()
            && self.standing == ModerationState::Open
    }

    /// As its author's or its follower's, whether or not a hashtag is followed. The numbers are those of docs/rules.md.
    fn reaches_as_followed(
        &self,
        account: &Account,
        exclusively: impl FnOnce(ActorIx) -> bool,
    ) -> Decision {
        let Some(author) = self.author else {
            return Decision::Out(Excluded::NotFollowed);
        };
        // 1. The account wrote it. A boost of one's own shows nothing either without what it boosts.
        if account.actor() == Some(author) {
            let nothing = self.boosts_nothing();
            return nothing.map_or(Decision::In(Included::Own), Decision::Out);
        }
        let Some(follow) = account.follow(author) else {
            return Decision::Out(Excluded::NotFollowed);
        };
        // 2. A reply whose parent is unknown or whose parent's author is gone.
        match self.post.answers.whom {
            ReplyTarget::Unknown => return Decision::Out(Excluded::ParentUnknown),
            ReplyTarget::Gone => return Decision::Out(Excluded::ParentGone),
            ReplyTarget::Nobody | ReplyTarget::Themself | ReplyTarget::Actor(_) => {}
        }
        if !self.reaches(account) {
            return Decision::Out(Excluded::NotAddressed);
        }
        // 3. An exclusive list.
        if exclusively(author) {
            return Decision::Out(Excluded::OnExclusiveList);
        }
        // 4. The languages of the follow.
        if let Some(language) = &self.post.body.language
            && !follow.languages.is_empty()
            && !follow
                .languages
                .iter()
                .any(|it| it.eq_ignore_ascii_case(language))
        {
            return Decision::Out(Excluded::OtherLanguage);
        }
        // 5. A boost of what is unknown, gone, or was not sent to the account.
        if let Some(why) = self.boosts_nothing() {
            return Decision::Out(why);
        }
        if !self.opens_to(account) {
            return Decision::Out(Excluded::OriginalNotAddressed);
        }
        // 6. Blocks, mutes, blocked domains.
        if let Some(why) = self.excluded_by(account) {
            return Decision::Out(why);
        }
        // 7. The author blocks the account.
        if account.is_blocked_by(author) {
            return Decision::Out(Excluded::BlockedBy);
        }
        // 8. A reply to a stranger. `Subject::reach` has this rule for many followers at once.
        if self.post.answers.actor().is_some() && !self.answers_known(account) {
            return Decision::Out(Excluded::AnswersStranger);
        }
        // 9. Boosts that the account does not want.
        if let Some(original) = &self.original {
            if !follow.boosts {
                return Decision::Out(Excluded::BoostsOff);
            }
            if original
                .author
                .is_some_and(|author| account.is_blocked_by(author))
            {
                return Decision::Out(Excluded::BoostsBlockedBy);
            }
            if account.blocks_domain(&original.post.origin) {
                return Decision::Out(Excluded::DomainBlocked);
            }
        }
        Decision::In(Included::Followed)
    }

    /// For a hashtag it carries: not one's own, and not from whom one shuns or is shunned by.
    fn reaches_as_tagged(&self, account: &Account) -> bool {
        account.follows_a_tag(&self.post.body.tags)
            && self.is_open_to_all()
            && !self.is_excluded(account)
            && (self.author.is_none() || account.actor() != self.author)
    }

    /// Whether the account shuns it, or its author the account.
    fn is_excluded(&self, account: &Account) -> bool {
        let blocks = |author| account.is_blocked_by(author);
        self.excluded_by(account).is_some() || self.author.is_some_and(blocks)
    }

    /// Whether whom it answers is followed by the account, or is it.
    fn answers_known(&self, account: &Account) -> bool {
        self.answers
            .is_some_and(|actor| account.actor() == Some(actor) || account.follow(actor).is_some())
    }

    /// Whether a list shows replies of its kind.
    fn is_shown_by(&self, list: &List, account: &Account) -> bool {
        match self.post.answers.whom {
            ReplyTarget::Nobody | ReplyTarget::Themself => return true,
            // Of these only one's own get this far: as others' do, they wait for what they answer.
            ReplyTarget::Unknown | ReplyTarget::Gone => return false,
            ReplyTarget::Actor(_) => {}
        }
        let to_me = self.answers.is_some() && account.actor() == self.answers;
        match list.replies() {
            Replies::None => false,
            Replies::List => to_me || self.answers.is_some_and(|actor| list.has(actor)),
            Replies::Followed => self.answers_known(account),
        }
    }

    /// Whom it answers, if that is an actor some relation names.
    pub fn answers(&self) -> Option<ActorIx> {
        self.answers
    }

    /// The hashtags it carries.
    pub fn tags(&self) -> &[String] {
        &self.post.body.tags
    }

    /// Whether it may be in homes for a hashtag.
    pub fn may_be_tagged(&self) -> bool {
        !self.post.body.tags.is_empty() && self.is_open_to_all()
    }

    /// Which followers with plain relations get it, so that they need not be decided about one by one.
    pub fn reach(&self) -> Reach {
        let open = |visibility| matches!(visibility, Visibility::Public | Visibility::Unlisted);
        let post =
            open(self.post.body.visibility) || self.post.body.visibility == Visibility::Private;
        let original = self
            .original
            .as_ref()
            .is_none_or(|original| open(original.post.body.visibility));
        if self.is_nowhere().or(self.boosts_nothing()).is_some() || !post || !original {
            return Reach::Asked;
        }
        match self.post.answers.whom {
            ReplyTarget::Nobody | ReplyTarget::Themself => Reach::Every,
            ReplyTarget::Actor(_) => Reach::Knowing(self.answers),
            ReplyTarget::Unknown | ReplyTarget::Gone => Reach::Asked,
        }
    }

    /// For a boost whose original is unknown or gone: which of the two.
    fn boosts_nothing(&self) -> Option<Excluded> {
        self.post.body.boost_of.as_ref()?;
        match &self.original {
            None => Some(Excluded::OriginalUnknown),
            Some(original) => match original.post.state {
                State::Whole => None,
                State::Gone | State::Forgotten => Some(Excluded::OriginalGone),
                State::Stub => Some(Excluded::OriginalUnknown),
            },
        }
    }

    /// Whether the account is among those the post, by an author it follows, was sent to.
    fn reaches(&self, account: &Account) -> bool {
        is_audience(&self.audience, self.post.body.visibility, account)
    }

    /// Whether the boost may show what it boosts: a post that is not open to everybody is shown by its own author's
    /// boost alone, to those it was sent to. Anybody else's would open it to people it was not meant for.
    fn opens_to(&self, account: &Account) -> bool {
        let Some(original) = &self.original else {
            return true;
        };
        match original.post.body.visibility {
            Visibility::Public | Visibility::Unlisted => true,
            visibility => {
                original.author == self.author
                    && is_audience(&original.audience, visibility, account)
            }
        }
    }

    fn excluded_by(&self, account: &Account) -> Option<Excluded> {
        if !account.excludes_anybody() {
            return None;
        }
        let boosted = self.original.as_ref().and_then(|original| original.author);
        let named = || {
            self.author
                .into_iter()
                .chain(boosted)
                .chain(self.mentions.iter().copied())
        };
        if named().any(|actor| account.blocks(actor)) {
            return Some(Excluded::Blocked);
        }
        if named().any(|actor| account.mutes(actor)) {
            return Some(Excluded::Muted);
        }
        account
            .blocks_domain(&self.post.origin)
            .then_some(Excluded::DomainBlocked)
    }
}

fn is_audience(audience: &[ActorIx], visibility: Visibility, account: &Account) -> bool {
    match visibility {
        Visibility::Public | Visibility::Unlisted | Visibility::Private => true,
        Visibility::Limited | Visibility::Direct => account
            .actor()
            .is_some_and(|actor| audience.contains(&actor)),
    }
}

#[cfg(test)]
mod tests;
