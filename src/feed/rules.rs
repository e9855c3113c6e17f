//! One post, one account: is it in the account's home, and why. Pure; every rule is a function of what is so now,
//! never of when it was learned.
//!
//! The order of the rules is that of Mastodon's feed manager; the first that applies decides.

use super::kept::{Post, State};
use crate::graph::{Account, ActorIx, Graph};
use crate::post::Visibility;

/// Whether a post is in a home feed, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is in.
    In(Because),
    /// It is not.
    Out(Why),
}

/// Why a post is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The account wrote it.
    Own,
    /// The account follows its author.
    Followed,
}

/// Why a post is not in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was deleted or undone, or only a stub of it is left.
    Gone,
    /// The account does not follow its author.
    NotFollowed,
    /// It was addressed to others.
    NotAddressed,
    /// The follow is for other languages.
    OtherLanguage,
    /// It boosts a post that is unknown so far.
    OriginalUnknown,
    /// It boosts a post that is gone.
    OriginalGone,
    /// It boosts a post this account may not see.
    OriginalNotAddressed,
    /// The account blocks its author, whom it boosts, or someone it mentions.
    Blocked,
    /// The account mutes its author, whom it boosts, or someone it mentions.
    Muted,
    /// The account blocks the domain of its author, or of whom it boosts.
    DomainBlocked,
    /// The follow is without boosts.
    BoostsOff,
}

/// A post as the rules look at it: names looked up once, whatever the number of accounts asked about.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Its author, if any relation names them.
    pub author: Option<ActorIx>,
    post: &'a Post,
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
        Subject {
            author: graph.actor(&post.body.author),
            post,
            original: original.map(|original| Original {
                author: graph.actor(&original.body.author),
                audience: audience(original, graph),
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
    let post = subject.post;
    if post.state != State::Whole {
        return Decision::Out(Why::Gone);
    }
    if let Some(why) = subject.boosts_nothing() {
        return Decision::Out(why);
    }
    let Some(author) = subject.author else {
        return Decision::Out(Why::NotFollowed);
    };
    if account.actor() == Some(author) {
        return Decision::In(Because::Own);
    }
    let Some(follow) = account.follow(author) else {
        return Decision::Out(Why::NotFollowed);
    };
    if !subject.reaches(account) {
        return Decision::Out(Why::NotAddressed);
    }
    if !subject.opens_to(account) {
        return Decision::Out(Why::OriginalNotAddressed);
    }
    if let Some(language) = &post.body.language
        && !follow.languages.is_empty()
        && !follow.languages.contains(language)
    {
        return Decision::Out(Why::OtherLanguage);
    }
    if account.shuns_anybody()
        && let Some(why) = subject.shunned_by(account)
    {
        return Decision::Out(why);
    }
    if post.body.boost_of.is_some() && !follow.boosts {
        return Decision::Out(Why::BoostsOff);
    }
    Decision::In(Because::Followed)
}

impl Subject<'_> {
    /// Whether every follower without particular wishes gets it, so that they need not be asked one by one.
    pub fn reaches_every_follower(&self) -> bool {
        let open = |visibility| matches!(visibility, Visibility::Public | Visibility::Unlisted);
        let post =
            open(self.post.body.visibility) || self.post.body.visibility == Visibility::Private;
        let original = self
            .original
            .as_ref()
            .is_none_or(|original| open(original.post.body.visibility));
        self.post.state == State::Whole && self.boosts_nothing().is_none() && post && original
    }

    /// For a boost whose original is unknown or gone: which of the two.
    fn boosts_nothing(&self) -> Option<Why> {
        self.post.body.boost_of.as_ref()?;
        match &self.original {
            None => Some(Why::OriginalUnknown),
            Some(original) => match original.post.state {
                State::Whole => None,
                State::Gone => Some(Why::OriginalGone),
                State::Stub => Some(Why::OriginalUnknown),
            },
        }
    }

    /// Whether the account is among those the post, by an author it follows, was sent to.
    fn reaches(&self, account: &Account) -> bool {
        is_audience(&self.audience, self.post.body.visibility, account)
    }

    /// Whether the account could see what is boosted: a boost opens nothing to those it was not sent to.
    fn opens_to(&self, account: &Account) -> bool {
        let Some(original) = &self.original else {
            return true;
        };
        match original.post.body.visibility {
            Visibility::Public | Visibility::Unlisted => true,
            visibility => original.author.is_some_and(|author| {
                account.actor() == Some(author)
                    || account.follow(author).is_some()
                        && is_audience(&original.audience, visibility, account)
            }),
        }
    }

    fn shunned_by(&self, account: &Account) -> Option<Why> {
        let boosted = self.original.as_ref().and_then(|original| original.author);
        let named = || {
            self.author
                .into_iter()
                .chain(boosted)
                .chain(self.mentions.iter().copied())
        };
        if named().any(|actor| account.blocks(actor)) {
            return Some(Why::Blocked);
        }
        if named().any(|actor| account.mutes(actor)) {
            return Some(Why::Muted);
        }
        let origins = std::iter::once(self.post.origin.as_str()).chain(
            self.original
                .as_ref()
                .map(|original| original.post.origin.as_str()),
        );
        origins
            .into_iter()
            .any(|origin| account.blocks_domain(origin))
            .then_some(Why::DomainBlocked)
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
