//! The plain model: from everything read, worked out anew each time, what each feed must be. Sort by event time, keep
//! what the rules let in, and no more.

mod apply;

use super::log::{
    ACTIVITY_PARTITIONS, CLOCK_SKEW, FeedKind, HOSTS, Line, Log, PARTITIONS, REPEAT_AFTER,
    SURFACING, actor, host_of,
};
use slackwater_fediverse::event::{
    Action, Audience, Delivery, Event, Moderated, RelationChoice, Writing,
};
use slackwater_fediverse::world::Collection;
use slackwater_order::place::{PostId, slot_of};
use std::collections::{BTreeMap, BTreeSet};

/// The numbers of some places, as the model has them.
pub(super) fn numbers(places: &[PostId]) -> BTreeSet<u64> {
    places.iter().map(|place| place.number()).collect()
}

/// Everything as it is after so many records of each partition.
#[derive(Debug, Default)]
pub(super) struct Model {
    posts: BTreeMap<usize, Post>,
    taken: BTreeSet<u64>,
    accounts: BTreeMap<usize, Account>,
    /// By account and whom it mutes: until when.
    mutes: BTreeMap<(usize, usize), Option<i64>>,
    /// The same of mutes that have ended, as was said last.
    mute_ends: BTreeMap<(usize, usize), i64>,
    deleted: BTreeSet<usize>,
    deleted_authors: BTreeSet<usize>,
    /// Posts with the refs under which the backend forgot them.
    forgotten: BTreeSet<(usize, Option<u64>)>,
    moderated: BTreeMap<Moderated, Action>,
    /// By author: the collections that their documents named as their followers, as far as these may be that.
    named: BTreeMap<usize, BTreeSet<Collection>>,
    /// In milliseconds: the window of [`SURFACING`], and how much longer its posts surface.
    surfacing: Option<(i64, i64)>,
}

#[derive(Debug)]
struct Post {
    id: u64,
    author: usize,
    is_gone: bool,
    /// Whether the backend forgot it.
    is_forgotten: bool,
    /// The backend's own id of it.
    post_ref: Option<u64>,
    is_withheld: bool,
    /// Whether the node that is looked at has only a stub of it.
    is_stub: bool,
    boost_of: Option<(usize, i64)>,
    /// Which of its author's boosts of its post it is, from 1, if it has no id.
    number: Option<usize>,
    /// Whether an undo without its id took it back.
    is_undone: bool,
    updated: Option<i64>,
    audience: Audience,
    mentions: Option<usize>,
    parent: Option<usize>,
    tag: Option<usize>,
}

impl Post {
    fn boosts(&self, of: usize) -> bool {
        self.boost_of.is_some_and(|(there, _)| there == of)
    }
}

/// Whom a post answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReplyTarget {
    Nobody,
    Unknown,
    Gone,
    Themself,
    Actor(usize),
}

/// What an account wants.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Account {
    own: Option<usize>,
    /// By whom: whether their boosts too.
    pub(super) follows: BTreeMap<usize, bool>,
    mutes: BTreeSet<usize>,
    blocks: BTreeSet<usize>,
    domains: BTreeSet<&'static str>,
    blocked_by: BTreeSet<usize>,
    tags: BTreeSet<usize>,
    /// Which replies its list wants, and whether that is exclusive; none if there is none.
    list: Option<(usize, bool)>,
    members: BTreeSet<usize>,
    said: Option<i64>,
    chosen: Option<Option<i64>>,
    wants_repeats: bool,
}

impl Account {
    /// Whether nothing is known of it.
    pub(super) fn is_blank(&self) -> bool {
        *self == Account::default()
    }

    /// How long it waits, in milliseconds, if those who say nothing wait for `default`.
    pub(super) fn patience_ms(&self, default: i64) -> i64 {
        match self.chosen {
            Some(chosen) => chosen.unwrap_or(i64::MAX),
            None => self.said.unwrap_or(default),
        }
    }
}

impl Account {
    /// Whether it wants nothing of the author, of whom they boost or mention, or is blocked by them.
    fn shuns(&self, post: &Post, original: Option<&Post>) -> bool {
        let named = [
            Some(post.author),
            post.mentions,
            original.map(|original| original.author),
            original.and_then(|original| original.mentions),
        ];
        let mut named = named.into_iter().flatten();
        named.any(|actor| self.mutes.contains(&actor) || self.blocks.contains(&actor))
            || self.domains.contains(host_of(post.author))
            || self.blocked_by.contains(&post.author)
    }
}

impl Model {
    pub(super) fn of(
        log: &Log,
        read: &[usize; PARTITIONS],
        surfacing: Option<(i64, i64)>,
    ) -> Model {
        let mut model = Model {
            surfacing,
            ..Model::default()
        };
        let (activities, relations) = log.partitions.split_at(ACTIVITY_PARTITIONS);
        let (of_activities, of_relations) = read.split_at(ACTIVITY_PARTITIONS);
        for (lines, read) in activities.iter().zip(of_activities) {
            for line in &lines[..*read] {
                model.take(log, line);
            }
        }
        // An account's may stand in both: the later counts, of two at one moment that in the higher partition.
        let lines = relations.iter().zip(of_relations);
        let mut lines: Vec<&Line> = lines.flat_map(|(lines, read)| &lines[..*read]).collect();
        lines.sort_by_key(|line| line.arrived);
        for line in lines {
            model.take(log, line);
        }
        model
    }

    /// Takes out of feeds the posts of which a node has only a stub, though they may answer and be answered. Which these are the node
    /// says; that no feed needed them is seen where it still shows them.
    pub(super) fn leave_stubs(&mut self, log: &Log, is_stub: impl Fn(&str) -> bool) {
        let numbers: Vec<usize> = self.posts.keys().copied().collect();
        for number in numbers {
            let is_stub = is_stub(&self.uri(log, number));
            if let Some(post) = self.posts.get_mut(&number) {
                post.is_stub = is_stub;
            }
        }
    }

    /// The posts at these places, what they boost, and what that answers.
    pub(super) fn posts_at(&self, ids: &BTreeSet<u64>) -> BTreeSet<usize> {
        let there = self.posts.iter().filter(|(_, post)| ids.contains(&post.id));
        let there =
            there.flat_map(|(number, post)| [Some(*number), post.boost_of.map(|(of, _)| of)]);
        let mut posts: BTreeSet<usize> = there.flatten().collect();
        let mut rest: Vec<usize> = posts.iter().copied().collect();
        while let Some(number) = rest.pop() {
            let parent = self.posts.get(&number).and_then(|post| post.parent);
            rest.extend(parent.filter(|parent| posts.insert(*parent)));
        }
        posts
    }

    pub(super) fn account(&self, account: usize) -> Option<&Account> {
        self.accounts.get(&account)
    }

    /// Places that are taken, feeds or no feeds.
    pub(super) fn places(&self) -> &BTreeSet<u64> {
        &self.taken
    }

    /// The URI of a post that was read.
    pub(super) fn uri(&self, log: &Log, number: usize) -> String {
        match self.posts.get(&number) {
            Some(Post {
                number: Some(which),
                boost_of: Some((of, _)),
                author,
                ..
            }) => log.uri_without_id(*author, *of, *which),
            _ => log.uri(number),
        }
    }

    fn boosts_without_id(&self, by: usize, of: usize) -> impl Iterator<Item = &Post> {
        let is_one = move |post: &&Post| post.number.is_some() && post.boosts(of);
        self.posts
            .values()
            .filter(move |post| post.author == by && is_one(post))
    }

    /// Whether an actor who boosted a post without ids has undone that since.
    fn may_boost_again(&self, by: usize, of: usize) -> bool {
        let last = self
            .boosts_without_id(by, of)
            .max_by_key(|post| post.number);
        last.is_none_or(|last| last.is_undone) && !self.deleted_authors.contains(&by)
    }

    /// All that belongs in a feed of `account`, by place: which post, and of which edit it and what it boosts are.
    pub(super) fn feed(
        &self,
        account: usize,
        which: FeedKind,
    ) -> BTreeMap<u64, (usize, Option<i64>)> {
        let Some(of) = self.accounts.get(&account) else {
            return BTreeMap::new();
        };
        let is_in = |(_, post): &(&usize, &Post)| self.admits(of, which, post);
        let row = |(number, post): (&usize, &Post)| {
            let shows = post.boost_of.map_or(post, |(of, _)| &self.posts[&of]);
            (post.id, (*number, shows.updated))
        };
        self.posts.iter().filter(is_in).map(row).collect()
    }

    /// Which of them are hidden, as far as `counts` says that they count: another that shows the same post, and is not hidden,
    /// stands below it, but not far enough. Of what the feed remembers for having dropped it, stubs count too.
    pub(super) fn hidden(
        &self,
        account: usize,
        which: FeedKind,
        fallen: impl Fn(u64) -> bool,
        counts: impl Fn(u64) -> bool,
    ) -> BTreeSet<u64> {
        let of = self.accounts.get(&account);
        let Some(of) = of.filter(|of| !of.wants_repeats) else {
            return BTreeSet::new();
        };
        let mut by_place: Vec<_> = self.posts.iter().collect();
        by_place.retain(|(_, post)| match fallen(post.id) {
            true => self.admitted(of, which, post),
            false => counts(post.id) && self.admits(of, which, post),
        });
        by_place.sort_by_key(|(_, post)| post.id);
        let (mut hidden, mut last) = (BTreeSet::new(), BTreeMap::new());
        for (number, post) in by_place {
            let shows = post.boost_of.map_or(*number, |(of, _)| of);
            let at = post.id >> 16;
            match last.get(&shows) {
                Some(last) if at - last < REPEAT_AFTER => drop(hidden.insert(post.id)),
                _ => drop(last.insert(shows, at)),
            }
        }
        hidden
    }

    /// Whether an account has a list.
    pub(super) fn has_list(&self, account: usize) -> bool {
        let of = self.accounts.get(&account);
        of.is_some_and(|of| of.list.is_some())
    }

    fn admits(&self, of: &Account, which: FeedKind, post: &Post) -> bool {
        let original = post.boost_of.map(|(original, _)| original);
        let is_stub = |number: usize| self.posts.get(&number).is_some_and(|post| post.is_stub);
        !post.is_stub && !original.is_some_and(is_stub) && self.admitted(of, which, post)
    }

    /// The same of a post that is there, as whole as it ever was.
    fn admitted(&self, of: &Account, which: FeedKind, post: &Post) -> bool {
        let original = match post.boost_of {
            None => None,
            Some((original, _)) => match self.posts.get(&original) {
                Some(original) if !original.is_gone && !original.is_forgotten => Some(original),
                _ => return false,
            },
        };
        let is_suspended = |author| self.standing(author) == Some(Action::Suspend);
        if post.is_gone
            || post.is_forgotten
            || post.is_withheld
            || is_suspended(post.author)
            || original.is_some_and(|original| is_suspended(original.author))
        {
            return false;
        }
        let whom = self.whom(post);
        match (which, of.list) {
            (FeedKind::Home, list) => {
                let is_elsewhere =
                    matches!(list, Some((_, true))) && of.members.contains(&post.author);
                let as_followed = self.is_followed(of, post, original, whom);
                (as_followed && (!is_elsewhere || of.own == Some(post.author)))
                    || self.is_tagged(of, post)
            }
            (FeedKind::List, None) => false,
            (FeedKind::List, Some((replies, _))) => {
                let is_shown = match (whom, replies) {
                    (ReplyTarget::Nobody | ReplyTarget::Themself, _) => true,
                    (ReplyTarget::Unknown | ReplyTarget::Gone, _) | (_, 0) => false,
                    (ReplyTarget::Actor(whom), 1) => {
                        of.own == Some(whom) || of.members.contains(&whom)
                    }
                    (ReplyTarget::Actor(whom), _) => {
                        of.own == Some(whom) || of.follows.contains_key(&whom)
                    }
                };
                of.members.contains(&post.author)
                    && is_shown
                    && self.is_followed(of, post, original, whom)
            }
        }
    }

    fn is_followed(
        &self,
        of: &Account,
        post: &Post,
        original: Option<&Post>,
        whom: ReplyTarget,
    ) -> bool {
        if of.own == Some(post.author) {
            return true;
        }
        let Some(boosts) = of.follows.get(&post.author) else {
            return false;
        };
        let reaches = |post: &Post| {
            post.audience == Audience::Public
                || self.is_for_followers(post)
                || (post.mentions == of.own && of.own.is_some())
        };
        let opens = original.is_none_or(|original| {
            original.audience == Audience::Public
                || (original.author == post.author && reaches(original))
        });
        let answers_known = match whom {
            ReplyTarget::Nobody | ReplyTarget::Themself => true,
            ReplyTarget::Unknown | ReplyTarget::Gone => false,
            ReplyTarget::Actor(whom) => of.own == Some(whom) || of.follows.contains_key(&whom),
        };
        let is_blocked = |post: &Post| of.domains.contains(host_of(post.author));
        reaches(post)
            && opens
            && answers_known
            && !of.shuns(post, original)
            && !original.is_some_and(is_blocked)
            && !original.is_some_and(|original| of.blocked_by.contains(&original.author))
            && (*boosts || post.boost_of.is_none())
    }

    /// Whether its author's documents, as far as they are known, say that it is addressed to their followers.
    fn is_for_followers(&self, post: &Post) -> bool {
        let to = match post.audience {
            Audience::Followers => Collection {
                of: post.author,
                number: 0,
            },
            Audience::To(collection) => collection,
            Audience::Public | Audience::Mentioned => return false,
        };
        match self.named.get(&post.author) {
            Some(named) => named.contains(&to),
            None => (to.of, to.number) == (post.author, 0),
        }
    }

    /// Who could see a post, as the API says it.
    pub(super) fn visibility(&self, post: usize) -> &'static str {
        let post = &self.posts[&post];
        match post.audience {
            Audience::Public => "public",
            Audience::Mentioned => "direct",
            _ if self.is_for_followers(post) => "private",
            Audience::Followers | Audience::To(_) => "limited",
        }
    }

    fn is_tagged(&self, of: &Account, post: &Post) -> bool {
        post.boost_of.is_none()
            && post.tag.is_some_and(|tag| of.tags.contains(&tag))
            && post.audience == Audience::Public
            && self.standing(post.author).is_none()
            && !of.shuns(post, None)
    }

    fn whom(&self, post: &Post) -> ReplyTarget {
        let Some(parent) = post.parent else {
            return ReplyTarget::Nobody;
        };
        let Some(parent) = self.posts.get(&parent) else {
            return ReplyTarget::Unknown;
        };
        if self.deleted_authors.contains(&parent.author) {
            return ReplyTarget::Gone;
        }
        if parent.author != post.author {
            return ReplyTarget::Actor(parent.author);
        }
        match self.whom(parent) {
            ReplyTarget::Nobody | ReplyTarget::Themself => ReplyTarget::Themself,
            other => other,
        }
    }

    /// What the instance does to an author, or to their host: the harder of the two.
    fn standing(&self, author: usize) -> Option<Action> {
        let host = HOSTS.iter().position(|host| *host == host_of(author));
        let said = [Some(Moderated::Actor(author)), host.map(Moderated::Host)];
        let said = said.into_iter().flatten();
        let said: Vec<_> = said.filter_map(|whom| self.moderated.get(&whom)).collect();
        if said.contains(&&Action::Suspend) {
            Some(Action::Suspend)
        } else {
            said.first().map(|action| **action)
        }
    }
}
