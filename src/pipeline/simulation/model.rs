//! The plain model: from everything read, worked out anew each time, what each feed must be. Sort by event time, keep
//! what the rules let in, and no more.

use super::log::{
    ACTIVITY_PARTITIONS, Deed, How, Line, Log, PARTITIONS, REPEAT_AFTER, SURFACING, Sight, Wish,
    Writing, actor, host, host_of,
};
use crate::order::place::slot_of;
use std::collections::{BTreeMap, BTreeSet};

/// Beyond this much after its arrival a claimed time is not believed.
const CLOCK_SKEW: i64 = 120_000;

/// Everything as it is after so many records of each partition.
#[derive(Debug, Default)]
pub(super) struct Model {
    posts: BTreeMap<usize, Post>,
    taken: BTreeSet<u64>,
    accounts: BTreeMap<usize, Account>,
    deleted: BTreeSet<usize>,
    deleted_authors: BTreeSet<usize>,
    /// By booster and boosted: when they were last parted.
    unboosted: BTreeMap<(usize, usize), i64>,
    /// In milliseconds: the window of [`SURFACING`], and how much longer its posts surface.
    surfacing: Option<(i64, i64)>,
}

#[derive(Debug)]
struct Post {
    id: u64,
    author: usize,
    is_gone: bool,
    is_withheld: bool,
    boost_of: Option<(usize, i64)>,
    updated: Option<i64>,
    sight: Sight,
    mentions: Option<usize>,
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
        for (lines, read) in log.partitions.iter().zip(read) {
            for line in &lines[..*read] {
                model.take(log, line);
            }
        }
        model
    }

    /// The posts at these places, and what they boost.
    pub(super) fn posts_at(&self, ids: &BTreeSet<u64>) -> BTreeSet<usize> {
        let there = self.posts.iter().filter(|(_, post)| ids.contains(&post.id));
        there
            .flat_map(|(number, post)| [Some(*number), post.boost_of.map(|(of, _)| of)])
            .flatten()
            .collect()
    }

    pub(super) fn account(&self, account: usize) -> Option<&Account> {
        self.accounts.get(&account)
    }

    /// Places that are taken, feeds or no feeds.
    pub(super) fn places(&self) -> &BTreeSet<u64> {
        &self.taken
    }

    /// All that belongs in the feed of `account`, by place: which post, and of which edit it and what it boosts are.
    pub(super) fn feed(&self, account: usize) -> BTreeMap<u64, (usize, Option<i64>)> {
        let Some(of) = self.accounts.get(&account) else {
            return BTreeMap::new();
        };
        let is_in = |(_, post): &(&usize, &Post)| self.lets_in(of, post);
        let row = |(number, post): (&usize, &Post)| {
            let shows = post.boost_of.map_or(post, |(of, _)| &self.posts[&of]);
            (post.id, (*number, shows.updated))
        };
        self.posts.iter().filter(is_in).map(row).collect()
    }

    /// Which of them are hidden, as far as `counts` says that they count: another that shows the same post, and is not hidden,
    /// stands below it, but not far enough.
    pub(super) fn hidden(&self, account: usize, counts: impl Fn(u64) -> bool) -> BTreeSet<u64> {
        let of = self.accounts.get(&account);
        let Some(of) = of.filter(|of| !of.wants_repeats) else {
            return BTreeSet::new();
        };
        let mut by_place: Vec<_> = self.posts.iter().collect();
        by_place.retain(|(_, post)| counts(post.id) && self.lets_in(of, post));
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

    fn lets_in(&self, of: &Account, post: &Post) -> bool {
        let original = match post.boost_of {
            None => None,
            Some((original, _)) => match self.posts.get(&original) {
                Some(original) if !original.is_gone => Some(original),
                _ => return false,
            },
        };
        if post.is_gone || post.is_withheld {
            return false;
        }
        if of.own == Some(post.author) {
            return true;
        }
        let Some(boosts) = of.follows.get(&post.author) else {
            return false;
        };
        let reaches = |post: &Post| {
            post.sight != Sight::Mentioned || (post.mentions == of.own && of.own.is_some())
        };
        let opens = original.is_none_or(|original| {
            original.sight == Sight::Public || (original.author == post.author && reaches(original))
        });
        let named = [
            Some(post.author),
            post.mentions,
            original.map(|original| original.author),
            original.and_then(|original| original.mentions),
        ];
        let mut named = named.into_iter().flatten();
        let is_shunned = named.any(|actor| of.mutes.contains(&actor) || of.blocks.contains(&actor));
        let is_blocked = |post: &Post| of.domains.contains(host_of(post.author));
        reaches(post)
            && opens
            && !is_shunned
            && !is_blocked(post)
            && !original.is_some_and(is_blocked)
            && (*boosts || post.boost_of.is_none())
    }

    fn take(&mut self, log: &Log, line: &Line) {
        match &line.deed {
            Deed::Write(writing) => self.write(log, writing, line.arrived),
            Deed::Boost {
                post,
                of,
                published,
            } => {
                let announced = Writing {
                    how: How::Create,
                    post: *post,
                    published: Some(*published),
                    updated: None,
                    sight: Sight::Public,
                    mentions: None,
                };
                if !self.posts.contains_key(post) {
                    self.write(log, &announced, line.arrived);
                    let parted = self.unboosted.get(&(log.authors[*post], *of)).copied();
                    if let Some(boost) = self.posts.get_mut(post) {
                        boost.boost_of = Some((*of, *published));
                        boost.is_gone |= parted.is_some_and(|parted| *published <= parted);
                    }
                }
            }
            Deed::Delete(post) => {
                self.deleted.insert(*post);
                if let Some(post) = self.posts.get_mut(post) {
                    post.is_gone = true;
                }
            }
            Deed::Unboost { by, of } => {
                self.unboosted.insert((*by, *of), line.arrived);
                for post in self.posts.values_mut() {
                    let meant = matches!(post.boost_of, Some((there, at)) if there == *of && at <= line.arrived);
                    post.is_gone |= post.author == *by && meant;
                }
            }
            Deed::DeleteAuthor(author) => {
                self.deleted_authors.insert(*author);
                for post in self.posts.values_mut() {
                    post.is_gone |= post.author == *author;
                }
            }
            Deed::Relate { account, wish, on } => self.relate(*account, *wish, *on),
        }
    }

    fn write(&mut self, log: &Log, writing: &Writing, arrived: i64) {
        if let Some(post) = self.posts.get_mut(&writing.post) {
            let is_newer = post.updated < writing.updated;
            let is_same = writing.how == How::Update && post.updated == writing.updated;
            if !post.is_gone && (is_newer || is_same) {
                post.updated = writing.updated;
                post.sight = writing.sight;
                post.mentions = writing.mentions;
            }
            return;
        }
        let author = log.authors[writing.post];
        let (at, is_withheld) = self.place(writing, author, arrived);
        let slot = u64::from(slot_of(&actor(author)));
        let mut id = (at as u64) << 16 | slot << 6;
        while !self.taken.insert(id) {
            id += 1;
        }
        let is_gone =
            self.deleted.contains(&writing.post) || self.deleted_authors.contains(&author);
        let post = Post {
            id,
            author,
            is_gone,
            is_withheld,
            boost_of: None,
            updated: writing.updated,
            sight: writing.sight,
            mentions: writing.mentions,
        };
        self.posts.insert(writing.post, post);
    }

    /// Where a post goes, and whether it is in no feed for being too late.
    fn place(&self, writing: &Writing, author: usize, arrived: i64) -> (i64, bool) {
        let Some(published) = writing.published.filter(|at| *at <= arrived + CLOCK_SKEW) else {
            return (arrived, false);
        };
        let by_published = published.min(arrived);
        let Some((window, lateness)) = self.surfacing else {
            return (by_published, false);
        };
        if host_of(author) != SURFACING || writing.how == How::Fetched {
            return (by_published, false);
        }
        match arrived - published {
            delay if delay <= window => (by_published, false),
            delay if delay <= window + lateness => (arrived, false),
            _ => (by_published, true),
        }
    }

    fn relate(&mut self, account: usize, wish: Wish, on: bool) {
        if matches!(wish, Wish::Be(..)) && !on {
            self.accounts.remove(&account);
            return;
        }
        if !on && !self.accounts.contains_key(&account) {
            return;
        }
        let of = self.accounts.entry(account).or_default();
        let set = |set: &mut BTreeSet<usize>, who| {
            if on {
                set.insert(who)
            } else {
                set.remove(&who)
            }
        };
        match wish {
            Wish::Be(own, said, aggregates) => {
                of.own = Some(own);
                of.said = said;
                of.wants_repeats = !aggregates;
            }
            Wish::Follow(who, boosts) if on => drop(of.follows.insert(who, boosts)),
            Wish::Follow(who, _) => drop(of.follows.remove(&who)),
            Wish::Mute(who) => drop(set(&mut of.mutes, who)),
            Wish::Block(who) => drop(set(&mut of.blocks, who)),
            Wish::BlockDomain(n) if on => drop(of.domains.insert(host(n))),
            Wish::BlockDomain(n) => drop(of.domains.remove(host(n))),
            Wish::Patience(ms) => of.chosen = on.then_some(ms),
        }
    }
}

/// Whether this partition is one of relations.
pub(super) fn is_of_relations(partition: usize) -> bool {
    ACTIVITY_PARTITIONS <= partition
}
