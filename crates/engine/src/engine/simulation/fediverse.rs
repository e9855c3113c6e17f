//! A made-up fediverse: who writes what and when, how long it takes to arrive, and what accounts want meanwhile.

use super::log::{
    ACCOUNTS, ACTIVITY_PARTITIONS, AUTHORS, Action, Audience, BEGIN, BOOSTS_WITHOUT_ID, Collection,
    Delivery, Event, HOSTS, Log, Moderated, REPLIES, RelationChoice, TAGS, Writing, host_of,
};
use fastrand::Rng;

/// How long it is written in.
const SPAN: i64 = 2_400_000;
/// Collections of an actor that are the followers' only if the actor's document says so.
const COLLECTIONS: usize = 2;

/// What kind of history is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taste {
    /// Nothing leaves a feed, nor waits for another post: no deletes, no edits of who may see, no ends of follows, no blocks,
    /// no replies, no lists, no moderation, no documents.
    pub(super) calm: bool,
    /// How many times as many posts.
    pub(super) busy: usize,
    /// What no feed needs is left as a stub. Then no author's document names a collection: what was named is forgotten before the
    /// author's first post has come.
    pub(super) ages: bool,
}

impl Log {
    pub(super) fn draw(dice: &mut Rng, taste: Taste) -> Log {
        let mut log = Log::default();
        for account in 0..ACCOUNTS.len() {
            log.wishes(dice, taste, account);
        }
        for author in 0..AUTHORS {
            for _ in 0..dice.usize(1..5) * taste.busy {
                log.post(dice, taste, author);
            }
        }
        let boosted = [
            dice.usize(..log.authors.len()),
            dice.usize(..log.authors.len()),
        ];
        for _ in 0..dice.usize(0..24) {
            let of = match dice.u8(..4) {
                0 => dice.usize(..log.authors.len()),
                _ => boosted[dice.usize(..2)],
            };
            log.boost(dice, taste, of);
        }
        // Last: nothing else speaks of these.
        if dice.u8(..4) == 0 {
            log.boosts_without_id(dice, taste);
        }
        if !taste.calm && dice.u8(..) < 16 {
            let author = dice.usize(..AUTHORS);
            log.add(Event::DeleteAuthor(author), BEGIN + dice.i64(0..SPAN));
        }
        for _ in 0..if taste.calm {
            0
        } else {
            [0, 0, 1, 3][dice.usize(..4)]
        } {
            log.moderate(dice);
        }
        if !taste.calm && !taste.ages {
            for author in 0..AUTHORS {
                for _ in 0..[0, 0, 1, 2][dice.usize(..4)] {
                    log.name(dice, author);
                }
            }
        }
        for lines in &mut log.partitions {
            lines.sort_by_key(|line| line.arrived);
        }
        log
    }

    fn post(&mut self, dice: &mut Rng, taste: Taste, author: usize) {
        let post = self.authors.len();
        self.authors.push(author);
        let written = BEGIN + dice.i64(0..SPAN) / 1_000 * dice.i64(1..1_001);
        let published = match dice.u8(..32) {
            0 => None,
            1 => Some(written + 3_600_000),
            2 => Some(written - 864_000_000),
            3 => Some(written + 60_000),
            _ => Some(written),
        };
        let mentions = (dice.u8(..4) == 0).then(|| dice.usize(..AUTHORS + 3));
        let sight = match dice.u8(..8) {
            0 => to_followers(dice, taste, author),
            1 if mentions.is_some() => Audience::Mentioned,
            _ => Audience::Public,
        };
        let made = Writing {
            how: Delivery::Create,
            post,
            published,
            updated: None,
            sight,
            mentions,
            parent: (!taste.calm && 0 < post && dice.u8(..3) == 0).then(|| dice.usize(..post)),
            tag: (dice.u8(..4) == 0).then(|| dice.usize(..TAGS.len())),
        };
        self.send(dice, Event::Write(made), written);
        let mut last = written;
        for _ in 0..[0, 0, 1, 2][dice.usize(..4)] {
            last += dice.i64(1_000..300_000);
            let mut edit = Writing {
                how: Delivery::Update,
                updated: Some(last.max(published.unwrap_or(0) + 1)),
                ..made
            };
            if !taste.calm && dice.bool() {
                edit.sight = match dice.bool() {
                    true => Audience::Public,
                    false => to_followers(dice, taste, author),
                };
                edit.mentions = (dice.u8(..4) != 0).then(|| dice.usize(..AUTHORS + 3));
                edit.tag = dice.bool().then(|| dice.usize(..TAGS.len()));
            }
            self.send(dice, Event::Write(edit), last);
            if dice.u8(..4) == 0 {
                edit.how = Delivery::Fetched;
                let fetched = last + dice.i64(0..60_000);
                self.send(dice, Event::Write(edit), fetched);
            }
        }
        if dice.u8(..8) == 0 {
            let again = [Delivery::Create, Delivery::Fetched][dice.usize(..2)];
            self.send(dice, Event::Write(Writing { how: again, ..made }), last);
        }
        if !taste.calm && dice.u8(..6) == 0 {
            // It may overtake the post.
            let deleted = written + dice.i64(0..60_000);
            self.send(dice, Event::Delete(post), deleted);
        }
    }

    /// The author's document, sent by its host or fetched, names a collection.
    fn name(&mut self, dice: &mut Rng, author: usize) {
        let deed = Event::Name {
            author,
            collection: some_collection(dice, author),
            fetched: dice.u8(..4) == 0,
            elsewhere: (dice.u8(..4) == 0).then(|| dice.usize(..ACTIVITY_PARTITIONS)),
        };
        let at = BEGIN + dice.i64(0..SPAN);
        self.send(dice, deed, at);
    }

    /// The instance does something to an actor or a host, and mostly ends it.
    fn moderate(&mut self, dice: &mut Rng) {
        let whom = match dice.u8(..4) {
            0 => Moderated::Host(dice.usize(..HOSTS.len())),
            _ => Moderated::Actor(dice.usize(..AUTHORS)),
        };
        let action = [Action::Limit, Action::Suspend][dice.usize(..2)];
        let at = BEGIN + dice.i64(0..SPAN);
        let deed = |action| Event::Moderate { whom, action };
        self.add(deed(Some(action)), at);
        if dice.u8(..3) != 0 {
            self.add(deed(None), at + dice.i64(0..SPAN / 2));
        }
    }

    fn boost(&mut self, dice: &mut Rng, taste: Taste, of: usize) {
        let (post, by) = (self.authors.len(), dice.usize(..AUTHORS));
        self.authors.push(by);
        let published = BEGIN + dice.i64(0..SPAN);
        let boost = Event::Boost {
            post,
            of,
            published,
            has_id: true,
        };
        self.send(dice, boost.clone(), published);
        if dice.u8(..4) == 0 {
            self.send(dice, boost, published);
        }
        if !taste.calm && dice.u8(..3) == 0 {
            let undo = [Event::Delete(post), Event::Unboost { by, of }];
            let undone = published + dice.i64(0..60_000);
            let undo = undo[dice.usize(..2)].clone();
            self.send(dice, undo, undone);
        }
    }

    /// Somebody whose server gives boosts no ids boosts and undoes, time and again; sometimes a record is sent twice.
    fn boosts_without_id(&mut self, dice: &mut Rng, taste: Taste) {
        let (of, by) = (dice.usize(..self.authors.len()), dice.usize(..AUTHORS));
        let mut at = BEGIN + dice.i64(0..SPAN);
        for _ in 0..dice.usize(1..=BOOSTS_WITHOUT_ID) {
            let post = self.authors.len();
            self.authors.push(by);
            let boost = Event::Boost {
                post,
                of,
                published: at,
                has_id: false,
            };
            self.send(dice, boost, at);
            at += dice.i64(0..120_000);
            if !taste.calm && dice.u8(..3) != 0 {
                self.send(dice, Event::Unboost { by, of }, at);
                at += dice.i64(0..120_000);
            }
        }
    }

    fn wishes(&mut self, dice: &mut Rng, taste: Taste, account: usize) {
        let own = if account == 0 {
            AUTHORS - 1
        } else {
            AUTHORS + account
        };
        let mut at = BEGIN + dice.i64(0..60_000);
        let patience = |dice: &mut Rng| [0, 0, 5_000, 30_000, 120_000, 1_200_000][dice.usize(..6)];
        let said = dice.bool().then(|| patience(dice));
        let mut say = |wish, on, at| self.add(Event::Relate { account, wish, on }, at);
        let aggregates = dice.u8(..8) != 0;
        say(RelationChoice::Be(own, said, aggregates), true, at);
        for _ in 0..dice.usize(1..5) {
            at += 1;
            say(
                RelationChoice::Follow(dice.usize(..AUTHORS - 1), true),
                true,
                at,
            );
        }
        for _ in 0..dice.usize(0..if taste.calm { 9 } else { 15 }) {
            at = BEGIN + 60_000 + dice.i64(0..SPAN);
            let author = dice.usize(..AUTHORS);
            let on = taste.calm || dice.u8(..8) < 5;
            let wish = match dice.u8(..if taste.calm { 8 } else { 24 }) {
                0..4 => RelationChoice::Follow(author, taste.calm || dice.u8(..4) != 0),
                4 => RelationChoice::Be(own, dice.bool().then(|| patience(dice)), dice.bool()),
                5 | 6 => RelationChoice::Patience((dice.u8(..4) != 0).then(|| patience(dice))),
                7 | 8 => RelationChoice::Tag(dice.usize(..TAGS.len())),
                9 => RelationChoice::Mute(author),
                10 => RelationChoice::MuteUntil(author, at + dice.i64(0..SPAN / 2)),
                11 => RelationChoice::Block(author),
                12 => RelationChoice::BlockDomain(dice.usize(..HOSTS.len())),
                13 => RelationChoice::BlockedBy(author),
                14 | 15 => RelationChoice::List(dice.usize(..REPLIES.len()), dice.bool()),
                16..20 => RelationChoice::Member(author),
                20 => RelationChoice::Be(dice.usize(..AUTHORS), None, dice.bool()),
                _ => RelationChoice::Follow(author, true),
            };
            // Seldom does an account go altogether.
            let on = on || (matches!(wish, RelationChoice::Be(..)) && dice.u8(..4) != 0);
            say(wish, on, at);
            if !on && !matches!(wish, RelationChoice::Follow(..)) && dice.bool() {
                say(wish, true, at - dice.i64(0..600_000));
            }
        }
    }

    /// Something written at `at` arrives, in the way its author's origin has.
    fn send(&mut self, dice: &mut Rng, deed: Event, at: i64) {
        let burst = SPAN / 3;
        let since = at - BEGIN;
        let delay = match host_of(self.author_of(&deed)) {
            "punctual.example" => dice.i64(0..2_000),
            "slow.example" => dice.i64(5_000..60_000),
            "threads.example" => 900_000 + dice.i64(0..5_000),
            // Its queue grows, and then it is not heard of for a while.
            "bursty.example" if (burst..burst + 300_000).contains(&since) => dice.i64(0..600_000),
            "bursty.example" if (2 * burst..2 * burst + 400_000).contains(&since) => {
                2 * burst + 400_000 - since + dice.i64(0..500)
            }
            _ => dice.i64(0..300),
        };
        self.add(deed, at + delay);
    }
}

/// Addressed to a collection that is the author's followers, or may become that.
fn to_followers(dice: &mut Rng, taste: Taste, author: usize) -> Audience {
    if taste.calm || dice.bool() {
        return Audience::Followers;
    }
    Audience::To(some_collection(dice, author))
}

/// Mostly one of the author's, else of whoever is at hand, on the same host or another.
fn some_collection(dice: &mut Rng, author: usize) -> Collection {
    let of = match dice.u8(..4) {
        0 => dice.usize(..AUTHORS),
        _ => author,
    };
    Collection {
        of,
        number: dice.usize(..=COLLECTIONS),
    }
}
