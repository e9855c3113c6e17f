//! The events of a made-up fediverse, drawn from a seed.
#![allow(clippy::indexing_slicing)] // What is drawn is below the length it is drawn for.

use crate::event::{
    Action, Audience, Delivery, Event, Moderated, REPLIES, RelationChoice, Writing,
};
use crate::world::{Collection, World};
use fastrand::Rng;
use std::ops::Range;

/// Collections of an actor that are the followers' only if the actor's document says so.
const COLLECTIONS: usize = 2;
/// The most boosts without an id that an author makes of one post.
pub const BOOSTS_WITHOUT_ID: usize = 4;

/// What kind of history is drawn.
#[derive(Clone, Debug)]
pub struct Taste {
    /// Posts of an author.
    pub posts: Range<usize>,
    /// Boosts by all authors together.
    pub boosts: Range<usize>,
    /// Whether somebody whose server gives boosts no ids may boost.
    pub boosts_without_id: bool,
    /// Whether posts and boosts are taken back, and relations end.
    pub withdrawals: bool,
    /// Whether it depends on other records whom a post reaches: replies, edits of the audience, collections that are the
    /// followers' if a document says so.
    pub dependent_reach: bool,
    /// Whether actors' documents name collections.
    pub documents: bool,
    /// Whether the instance limits and suspends.
    pub moderation: bool,
    /// What the chance is, in 256ths, that an author is deleted.
    pub deleted_author_chance: u16,
    /// What the chance is, in 256ths, that the instance hears of a post only by fetching it.
    pub only_fetched_chance: u8,
    /// One in so many authors only writes and edits, and is never deleted.
    pub steady_every: Option<usize>,
    /// Whether accounts say what they want.
    pub relations: bool,
}

/// An event, and when it arrives.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// What arrives.
    pub event: Event,
    /// In milliseconds since 1970.
    pub at: i64,
}

/// All that happens.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// By post: its author.
    pub authors: Vec<usize>,
    /// In the order of arrival.
    pub arrivals: Vec<Arrival>,
}

impl Taste {
    /// Whether an author only writes and edits.
    pub fn is_steady(&self, author: usize) -> bool {
        self.steady_every.is_some_and(|every| author % every == 1)
    }
}

impl History {
    /// The same for the same numbers of `rng`.
    pub fn draw(world: &World, taste: &Taste, rng: &mut Rng) -> History {
        let mut draw = Draw {
            world,
            taste,
            rng,
            history: History::default(),
            written: world.begin,
        };
        draw.all();
        let mut history = draw.history;
        history.arrivals.sort_by_key(|arrival| arrival.at);
        history
    }
}

struct Draw<'a> {
    world: &'a World,
    taste: &'a Taste,
    rng: &'a mut Rng,
    history: History,
    /// When the last post was written.
    written: i64,
}

impl Draw<'_> {
    fn all(&mut self) {
        if self.taste.relations {
            for account in 0..self.world.accounts.len() {
                self.relations(account);
            }
        }
        for author in 0..self.world.authors {
            for _ in 0..self.rng.usize(self.taste.posts.clone()) {
                self.post(author);
            }
        }
        let boosts = self.rng.usize(self.taste.boosts.clone());
        // Most boosts are of a few posts.
        let favourites: Vec<usize> = (0..2.max(boosts / 12)).map(|_| self.any_post()).collect();
        for _ in 0..boosts {
            let of = match self.rng.u8(..4) {
                0 => self.any_post(),
                _ => self.one_of(&favourites),
            };
            self.boost(of);
        }
        // Last: nothing else speaks of these.
        if self.taste.boosts_without_id && self.rng.u8(..4) == 0 {
            self.boosts_without_id();
        }
        if self.rng.u16(..256) < self.taste.deleted_author_chance {
            let author = self.restless_author();
            let at = self.any_time();
            self.arrive(Event::DeleteAuthor(author), at);
        }
        if self.taste.moderation {
            for _ in 0..self.one_of(&[0, 0, 1, 3]) {
                self.moderate();
            }
        }
        if self.taste.documents {
            for author in 0..self.world.authors {
                for _ in 0..self.one_of(&[0, 0, 1, 2]) {
                    self.name(author);
                }
            }
        }
    }

    fn post(&mut self, author: usize) {
        let post = self.new_post(author);
        let (begin, span) = (self.world.begin, self.world.span);
        // Some within one moment.
        let written = match self.rng.u8(..16) {
            0 => self.written,
            _ => begin + self.rng.i64(0..span) / 1_000 * self.rng.i64(1..1_001),
        };
        self.written = written;
        let published = match self.rng.u8(..32) {
            0 => None,
            1 => Some(written + 3_600_000),
            2 => Some(written - 864_000_000),
            3 => Some(written + 60_000),
            _ => Some(written),
        };
        let dependent = self.taste.dependent_reach;
        let mentions = (self.rng.u8(..4) == 0).then(|| self.any_actor());
        let audience = match self.rng.u8(..8) {
            0 => self.some_followers(author),
            1 if mentions.is_some() => Audience::Mentioned,
            _ => Audience::Public,
        };
        let chance = self.taste.only_fetched_chance;
        let is_fetched = 0 < chance && self.rng.u8(..) < chance;
        let made = Writing {
            delivery: if is_fetched {
                Delivery::Fetched
            } else {
                Delivery::Create
            },
            post,
            published,
            updated: None,
            audience,
            mentions,
            parent: (dependent && 0 < post && self.rng.u8(..3) == 0)
                .then(|| self.rng.usize(..post)),
            tag: (self.rng.u8(..4) == 0).then(|| self.any_tag()),
        };
        self.send(Event::Write(made), written);
        let mut last = written;
        for _ in 0..self.one_of(&[0, 0, 1, 2]) {
            last += self.rng.i64(1_000..300_000);
            let mut edit = Writing {
                delivery: Delivery::Update,
                updated: Some(last.max(published.unwrap_or(0) + 1)),
                ..made
            };
            if dependent && self.rng.bool() {
                edit.audience = match self.rng.bool() {
                    true => Audience::Public,
                    false => self.some_followers(author),
                };
                edit.mentions = (self.rng.u8(..4) != 0).then(|| self.any_actor());
                edit.tag = self.rng.bool().then(|| self.any_tag());
            }
            self.send(Event::Write(edit), last);
            if self.rng.u8(..4) == 0 {
                edit.delivery = Delivery::Fetched;
                let fetched = last + self.rng.i64(0..60_000);
                self.send(Event::Write(edit), fetched);
            }
        }
        if self.rng.u8(..8) == 0 {
            let delivery = self.one_of(&[Delivery::Create, Delivery::Fetched]);
            self.send(Event::Write(Writing { delivery, ..made }), last);
        }
        if self.withdraws(author) && self.rng.u8(..6) == 0 {
            // It may overtake the post.
            let deleted = written + self.rng.i64(0..60_000);
            self.send(Event::Delete(post), deleted);
        }
    }

    /// The author's document, sent by its host or fetched, names a collection.
    fn name(&mut self, author: usize) {
        let event = Event::Name {
            author,
            collection: self.any_collection(author),
            fetched: self.rng.u8(..4) == 0,
            elsewhere: (self.rng.u8(..4) == 0).then(|| self.rng.usize(..)),
        };
        let at = self.any_time();
        self.send(event, at);
    }

    /// The instance does something to an actor or a host, and mostly ends it.
    fn moderate(&mut self) {
        let target = match self.rng.u8(..4) {
            0 => Moderated::Host(self.rng.usize(..self.world.origins.len())),
            _ => Moderated::Actor(self.any_author()),
        };
        let action = self.one_of(&[Action::Limit, Action::Suspend]);
        let at = self.any_time();
        let event = |action| Event::Moderate { target, action };
        self.arrive(event(Some(action)), at);
        if self.rng.u8(..3) != 0 {
            let ended = at + self.rng.i64(0..self.world.span / 2);
            self.arrive(event(None), ended);
        }
    }

    fn boost(&mut self, of: usize) {
        let by = self.restless_author();
        let post = self.new_post(by);
        let published = self.any_time();
        let boost = Event::Boost {
            post,
            of,
            published,
            has_id: true,
        };
        self.send(boost.clone(), published);
        if self.rng.u8(..4) == 0 {
            self.send(boost, published);
        }
        if self.withdraws(by) && self.rng.u8(..3) == 0 {
            let undo = match self.rng.u8(..4) {
                0 => Event::Delete(post),
                1 => Event::Unboost {
                    by,
                    of,
                    post: Some(post),
                },
                _ => Event::Unboost { by, of, post: None },
            };
            let undone = published + self.rng.i64(0..60_000);
            self.send(undo, undone);
        }
    }

    /// Somebody whose server gives boosts no ids boosts and undoes, time and again; sometimes a record is sent twice.
    fn boosts_without_id(&mut self) {
        let (of, by) = (self.any_post(), self.restless_author());
        let mut at = self.any_time();
        for _ in 0..self.rng.usize(1..=BOOSTS_WITHOUT_ID) {
            let post = self.new_post(by);
            let boost = Event::Boost {
                post,
                of,
                published: at,
                has_id: false,
            };
            self.send(boost, at);
            at += self.rng.i64(0..120_000);
            if self.withdraws(by) && self.rng.u8(..3) != 0 {
                self.send(Event::Unboost { by, of, post: None }, at);
                at += self.rng.i64(0..120_000);
            }
        }
    }

    fn relations(&mut self, account: usize) {
        let (world, ends) = (self.world, self.taste.withdrawals);
        let own = world.own(account);
        let mut at = world.begin + self.rng.i64(0..60_000);
        let said = self.rng.bool().then(|| self.any_patience());
        let aggregates = self.rng.u8(..8) != 0;
        let say = |draw: &mut Self, relation, holds, at| {
            draw.arrive(
                Event::Relate {
                    account,
                    relation,
                    holds,
                },
                at,
            );
        };
        say(self, RelationChoice::Be(own, said, aggregates), true, at);
        for _ in 0..self.rng.usize(1..5) {
            at += 1;
            let remote = self.rng.usize(..world.own(0));
            say(self, RelationChoice::Follow(remote, true), true, at);
        }
        for _ in 0..self.rng.usize(0..if ends { 15 } else { 9 }) {
            at = world.begin + 60_000 + self.rng.i64(0..world.span);
            let author = self.any_author();
            let holds = !ends || self.rng.u8(..8) < 5;
            let relation = match self.rng.u8(..if ends { 24 } else { 8 }) {
                0..4 => RelationChoice::Follow(author, !ends || self.rng.u8(..4) != 0),
                4 => {
                    let said = self.rng.bool().then(|| self.any_patience());
                    RelationChoice::Be(own, said, self.rng.bool())
                }
                5 | 6 => {
                    let said = (self.rng.u8(..4) != 0).then(|| self.any_patience());
                    RelationChoice::Patience(said)
                }
                7 | 8 => RelationChoice::Tag(self.any_tag()),
                9 => RelationChoice::Mute(author),
                10 => RelationChoice::MuteUntil(author, at + self.rng.i64(0..world.span / 2)),
                11 => RelationChoice::Block(author),
                12 => RelationChoice::BlockDomain(self.rng.usize(..world.origins.len())),
                13 => RelationChoice::BlockedBy(author),
                14 | 15 => RelationChoice::List(self.rng.usize(..REPLIES.len()), self.rng.bool()),
                16..20 => RelationChoice::Member(author),
                20 => RelationChoice::Be(self.any_author(), None, self.rng.bool()),
                _ => RelationChoice::Follow(author, true),
            };
            // Seldom does an account go altogether.
            let holds =
                holds || (matches!(relation, RelationChoice::Be(..)) && self.rng.u8(..4) != 0);
            say(self, relation, holds, at);
            if !holds && !matches!(relation, RelationChoice::Follow(..)) && self.rng.bool() {
                let before = at - self.rng.i64(0..600_000);
                say(self, relation, true, before);
            }
        }
    }

    /// Something written at `at` arrives, as late as its author's origin is.
    fn send(&mut self, event: Event, at: i64) {
        let author = event.author(&self.history.authors);
        let delay = &self.world.origin_of(author).delay;
        let delay = delay.delay_ms(self.rng, at - self.world.begin);
        self.arrive(event, at + delay);
    }

    fn arrive(&mut self, event: Event, at: i64) {
        self.history.arrivals.push(Arrival { event, at });
    }

    fn new_post(&mut self, author: usize) -> usize {
        self.history.authors.push(author);
        self.history.authors.len() - 1
    }

    /// Addressed to a collection that is the author's followers, or may become that.
    fn some_followers(&mut self, author: usize) -> Audience {
        if !self.taste.dependent_reach || self.rng.bool() {
            return Audience::Followers;
        }
        Audience::To(self.any_collection(author))
    }

    /// Mostly one of the author's, else of somebody on the same host or another.
    fn any_collection(&mut self, author: usize) -> Collection {
        let of = match self.rng.u8(..4) {
            0 => self.any_author(),
            _ => author,
        };
        Collection {
            of,
            number: self.rng.usize(..=COLLECTIONS),
        }
    }

    fn withdraws(&self, author: usize) -> bool {
        self.taste.withdrawals && !self.taste.is_steady(author)
    }

    fn restless_author(&mut self) -> usize {
        loop {
            let author = self.any_author();
            if !self.taste.is_steady(author) {
                return author;
            }
        }
    }

    fn any_author(&mut self) -> usize {
        self.rng.usize(..self.world.authors)
    }

    /// One more than there are: somebody of whom nothing is ever heard.
    fn any_actor(&mut self) -> usize {
        self.rng.usize(..=self.world.actors())
    }

    fn any_post(&mut self) -> usize {
        self.rng.usize(..self.history.authors.len())
    }

    fn any_tag(&mut self) -> usize {
        self.rng.usize(..self.world.tags.len())
    }

    fn any_time(&mut self) -> i64 {
        self.world.begin + self.rng.i64(0..self.world.span)
    }

    /// In milliseconds.
    fn any_patience(&mut self) -> i64 {
        self.one_of(&[0, 0, 5_000, 30_000, 120_000, 1_200_000])
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.rng.usize(..all.len())]
    }
}

#[cfg(test)]
mod tests;
