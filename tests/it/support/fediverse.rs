//! A large made-up fediverse, the same for the same seed, in any order of arrival, and what each account's home must be: a plain
//! model of its own, which shares nothing with the service but the hash that Kafka partitions by.

use fastrand::Rng;
use serde_json::Value;
use slackwater_engine::record::{NewRecord, Topic};
use slackwater_fediverse::event::{Audience, Event, RelationChoice, Writing};
use slackwater_fediverse::history::{Arrival, History, Taste};
use slackwater_fediverse::json::{Note, PUBLIC, Shape};
use slackwater_fediverse::origin::{DelayProfile, Origin};
use slackwater_fediverse::world::World;
use slackwater_order::key_hash::{key_hash, partition_of};
use slackwater_order::time::Time;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

/// Entries a home keeps, as the service's default has it.
pub(crate) const LENGTH: usize = 800;
const NOON: i64 = 1_763_805_600_000;
/// For how long it is written in, in milliseconds.
const SPAN: i64 = 6 * 60 * 60 * 1000;
/// A post that claims to be written longer than this after its arrival is not believed, in milliseconds.
const CLOCK_SKEW: i64 = 120_000;

/// How large a fediverse to make up.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// So many, give or take a tenth.
    pub(crate) activities: usize,
    pub(crate) authors: usize,
    pub(crate) origins: usize,
    pub(crate) accounts: usize,
}

/// Everything that is sent, and what should come of it.
pub(crate) struct Fediverse {
    /// In an order that keeps each author's own, and whatever else must be kept.
    pub(crate) activities: Vec<Sent>,
    /// In an order that keeps each account's own.
    pub(crate) relations: Vec<Related>,
    /// The backend's ids of the accounts.
    pub(crate) accounts: Vec<String>,
    posts: BTreeMap<usize, Post>,
    wishes: BTreeMap<String, Wishes>,
    world: World,
}

/// One activity to be sent.
#[derive(Clone)]
pub(crate) struct Sent {
    author: String,
    value: String,
    arrived: i64,
    fetched: bool,
    /// The slot and millisecond of the place it asks for, if it is the first of its post.
    place: Option<(u32, i64)>,
}

/// One relation to be sent.
#[derive(Clone)]
pub(crate) struct Related {
    account: String,
    key: String,
    /// A removal has it too, and says so.
    document: String,
    removed: bool,
}

/// A post of the model. Actors and posts go by number.
struct Post {
    uri: String,
    author: usize,
    boost_of: Option<usize>,
    audience: Audience,
    mentions: Option<usize>,
    gone: bool,
    id: u64,
}

/// What an account wants in the end, and whom it ever followed.
struct Wishes {
    actor: usize,
    follows: BTreeMap<usize, bool>,
    ever_followed: BTreeSet<usize>,
    mutes: BTreeSet<usize>,
    blocks: BTreeSet<usize>,
    domain_blocks: BTreeSet<String>,
}

/// What a home must be like.
pub(crate) struct Expected {
    /// All that belongs in it, newest first, however much that is.
    pub(crate) all: Vec<(u64, String)>,
    /// Entries it may have had for a while: each may have cost it one at its lower end, where it is full.
    pub(crate) fleeting: usize,
}

impl Fediverse {
    /// The actors that something is from.
    pub(crate) fn authors(&self) -> BTreeSet<&str> {
        self.activities.iter().map(|sent| &*sent.author).collect()
    }

    pub(crate) fn made_up(seed: u64, size: Size) -> Fediverse {
        let (world, taste) = (world(size), taste(size));
        let rng = &mut Rng::with_seed(seed);
        let history = History::draw(&world, &taste, rng);
        let mut fediverse = Fediverse {
            activities: Vec::new(),
            relations: Vec::new(),
            accounts: world.accounts.clone(),
            posts: BTreeMap::new(),
            wishes: BTreeMap::new(),
            world,
        };
        fediverse.take(&history);
        let drawn = fediverse.activities.len();
        assert!(
            drawn.abs_diff(size.activities) <= size.activities / 10,
            "{drawn} activities"
        );
        for account in 0..size.accounts {
            fediverse.relate(account, &taste, rng);
        }
        fediverse
    }

    /// Everything in the order of arrival, which is each author's own: what is sent, and the posts as they are in the end.
    fn take(&mut self, history: &History) {
        let (mut deleted, mut deleted_authors) = (BTreeSet::new(), BTreeSet::new());
        let mut taken: HashMap<(u32, i64), u64> = HashMap::new();
        for Arrival { event, at } in &history.arrivals {
            let author = event.author(&history.authors);
            let new = match event {
                Event::Write(Writing {
                    post,
                    published,
                    audience,
                    mentions,
                    ..
                }) => Some((*post, *published, *audience, *mentions, None)),
                Event::Boost {
                    post,
                    of,
                    published,
                    ..
                } => Some((*post, Some(*published), Audience::Public, None, Some(*of))),
                Event::Delete(post)
                | Event::Unboost {
                    post: Some(post), ..
                } => {
                    deleted.insert(*post);
                    self.remove(|number, _| number == *post);
                    None
                }
                // It takes back all that came before it.
                Event::Unboost { by, of, post: None } => {
                    self.remove(|_, post| post.author == *by && post.boost_of == Some(*of));
                    None
                }
                Event::DeleteAuthor(author) => {
                    deleted_authors.insert(*author);
                    self.remove(|_, post| post.author == *author);
                    None
                }
                other => panic!("{other:?} was not to be drawn"),
            };
            let new = new.filter(|(number, ..)| !self.posts.contains_key(number));
            let place = new.map(|(number, published, audience, mentions, boost_of)| {
                let published = published.filter(|claimed| *claimed <= at + CLOCK_SKEW);
                let time = published.unwrap_or(*at).min(*at);
                let slot = key_hash(self.world.actor(author).as_bytes()) % 1024;
                // Time, slot, and how many stand there already.
                let sequence = taken.entry((slot, time)).or_default();
                let id = time.unsigned_abs() << 16 | u64::from(slot) << 6 | *sequence;
                *sequence += 1;
                assert!(
                    *sequence <= 64,
                    "a full slot runs on, which this model does not know"
                );
                let post = Post {
                    uri: self.world.post(author, number),
                    author,
                    boost_of,
                    audience,
                    mentions,
                    gone: deleted.contains(&number) || deleted_authors.contains(&author),
                    id,
                };
                self.posts.insert(number, post);
                (slot, time)
            });
            self.activities.push(Sent {
                author: self.world.actor(author),
                value: event.json(&self.world, &history.authors).to_string(),
                arrived: *at,
                fetched: event.is_fetched(),
                place,
            });
        }
    }

    fn remove(&mut self, is_meant: impl Fn(usize, &Post) -> bool) {
        for (number, post) in &mut self.posts {
            post.gone |= is_meant(*number, post);
        }
    }

    /// What an account wants, and in the end still does.
    fn relate(&mut self, account: usize, taste: &Taste, rng: &mut Rng) {
        let own = self.world.own(account);
        let mut wishes = Wishes {
            actor: own,
            follows: BTreeMap::new(),
            ever_followed: BTreeSet::new(),
            mutes: BTreeSet::new(),
            blocks: BTreeSet::new(),
            domain_blocks: BTreeSet::new(),
        };
        self.say(account, RelationChoice::Be(own, None, false), true);
        // One in five follows none but the steady, and shuns nobody: its home is exactly the newest entries.
        let is_plain = account % 5 == 4;
        let share = match account % 5 {
            0 | 1 => rng.usize(1..4),
            _ => rng.usize(5..65),
        };
        let percent = |rng: &mut Rng, share| rng.usize(..100) < share;
        for author in (0..self.world.authors).filter(|author| *author != own) {
            let is_wanted = match is_plain {
                true => taste.is_steady(author),
                false => percent(rng, share),
            };
            if !is_wanted {
                continue;
            }
            let boosts = is_plain || !percent(rng, 5);
            self.say(account, RelationChoice::Follow(author, boosts), true);
            wishes.follows.insert(author, boosts);
            wishes.ever_followed.insert(author);
            if !is_plain && percent(rng, 5) {
                self.say(account, RelationChoice::Follow(author, boosts), false);
                wishes.follows.remove(&author);
            }
        }
        let shuns = if is_plain { 0 } else { rng.usize(..6) };
        for _ in 0..shuns {
            let author = rng.usize(..self.world.authors);
            if author == own {
                continue;
            }
            let ends = percent(rng, 40);
            let relation = match rng.u8(..3) {
                0 => {
                    keep(&mut wishes.mutes, author, ends);
                    RelationChoice::Mute(author)
                }
                1 => {
                    keep(&mut wishes.blocks, author, ends);
                    RelationChoice::Block(author)
                }
                _ => {
                    let origin = rng.usize(..self.world.origins.len());
                    let host = self.world.origins[origin].host.clone();
                    keep(&mut wishes.domain_blocks, host, ends);
                    RelationChoice::BlockDomain(origin)
                }
            };
            self.say(account, relation, true);
            if ends {
                self.say(account, relation, false);
            }
        }
        self.wishes
            .insert(self.world.accounts[account].clone(), wishes);
    }

    fn say(&mut self, account: usize, relation: RelationChoice, holds: bool) {
        let event = Event::Relate {
            account,
            relation,
            holds,
        };
        let document = event.json(&self.world, &[]);
        let account = self.world.accounts[account].clone();
        let target = document["target"].as_str().unwrap_or_default();
        self.relations.push(Related {
            key: format!("{account}/{}/{target}", relation.kind()),
            account,
            document: document.to_string(),
            removed: !holds,
        });
    }

    /// The activities in another order of arrival: any that keeps each author's own order.
    ///
    /// One more order is kept, which the model leaves to the log on purpose: authors who share a slot (one of 1,024,
    /// by the hash of their id) share a partition, and if two of them claim the same millisecond, the first in that
    /// partition gets the lower sequence number.
    pub(crate) fn shuffled(&self, seed: u64) -> Vec<Sent> {
        let mut rng = Rng::with_seed(seed);
        self.arranged(|_| rng.u64(..))
    }

    /// The activities as they would arrive, by the `arrived-at` they bear.
    pub(crate) fn by_arrival(&self) -> Vec<Sent> {
        self.arranged(|sent| sent.arrived.unsigned_abs())
    }

    /// Of all that may come next, always the one with the lowest rank.
    fn arranged(&self, mut rank: impl FnMut(&Sent) -> u64) -> Vec<Sent> {
        let mut waits_for = vec![0; self.activities.len()];
        let mut then: Vec<Vec<usize>> = vec![Vec::new(); self.activities.len()];
        let (mut by_author, mut by_place) = (HashMap::new(), HashMap::new());
        for (n, sent) in self.activities.iter().enumerate() {
            let author = by_author.insert(&sent.author, n);
            let place = sent.place.and_then(|place| by_place.insert(place, n));
            for before in [author, place].into_iter().flatten() {
                then[before].push(n);
                waits_for[n] += 1;
            }
        }
        let ranks: Vec<u64> = self.activities.iter().map(&mut rank).collect();
        let mut ready: BinaryHeap<(std::cmp::Reverse<u64>, usize)> = BinaryHeap::new();
        let may_come = |n: usize| (std::cmp::Reverse(ranks[n]), n);
        ready.extend(
            (0..waits_for.len())
                .filter(|n| waits_for[*n] == 0)
                .map(may_come),
        );
        let mut arranged = Vec::with_capacity(self.activities.len());
        while let Some((_, n)) = ready.pop() {
            arranged.push(self.activities[n].clone());
            for next in &then[n] {
                waits_for[*next] -= 1;
                if waits_for[*next] == 0 {
                    ready.push(may_come(*next));
                }
            }
        }
        assert_eq!(arranged.len(), self.activities.len());
        arranged
    }

    /// The relations in another order that keeps each account's own.
    pub(crate) fn shuffled_relations(&self, seed: u64) -> Vec<Related> {
        let mut rng = Rng::with_seed(seed);
        let mut by_account: BTreeMap<&str, Vec<&Related>> = BTreeMap::new();
        for related in self.relations.iter().rev() {
            by_account
                .entry(&related.account)
                .or_default()
                .push(related);
        }
        let mut queues: Vec<Vec<&Related>> = by_account.into_values().collect();
        let mut shuffled = Vec::with_capacity(self.relations.len());
        while !queues.is_empty() {
            let n = rng.usize(..queues.len());
            shuffled.extend(queues[n].pop().cloned());
            if queues[n].is_empty() {
                queues.swap_remove(n);
            }
        }
        shuffled
    }

    /// What an account's home must be.
    pub(crate) fn expected(&self, account: &str) -> Expected {
        let wishes = &self.wishes[account];
        let mut all: Vec<(u64, String)> = Vec::new();
        let mut fleeting = 0;
        for post in self.posts.values() {
            if self.is_in(post, wishes) {
                all.push((post.id, post.uri.clone()));
            } else if may_have_been_in(post, wishes) {
                fleeting += 1;
            }
        }
        all.sort_unstable_by(|a, b| b.cmp(a));
        Expected { all, fleeting }
    }

    /// Fails unless a home is what it must be.
    pub(crate) fn check(&self, account: &str, home: &[Value]) {
        let expected = self.expected(account);
        let found: Vec<(u64, String)> = home
            .iter()
            .map(|entry| {
                (
                    super::instance::id_of(entry),
                    super::instance::uri_of(entry),
                )
            })
            .collect();
        for (n, (found, wanted)) in found.iter().zip(&expected.all).enumerate() {
            let higher = found.max(wanted);
            assert_eq!(
                found,
                wanted,
                "{account}: entry {n} of {}. {} was sent so:\n{}",
                expected.all.len(),
                higher.1,
                self.story(&higher.1)
            );
        }
        let most = expected.all.len().min(LENGTH);
        // A home that is full drops its lowest entry for a new one, and does not get it back if the new one goes.
        let least = if expected.all.len() + expected.fleeting <= LENGTH {
            most
        } else {
            most.min(LENGTH.saturating_sub(expected.fleeting))
        };
        assert!(
            least <= found.len() && found.len() <= most,
            "{account}: {} entries, should be {least} to {most}",
            found.len()
        );
    }

    /// Every activity that names a post, for whoever looks into a failure.
    fn story(&self, uri: &str) -> String {
        let original = self
            .posts
            .values()
            .find(|post| post.uri == uri)
            .and_then(|post| post.boost_of);
        let original = original.map_or(uri, |n| &self.posts[&n].uri);
        let named = self.activities.iter().filter(|sent| {
            sent.value.contains(&format!("\"{uri}"))
                || sent.value.contains(&format!("\"{original}\""))
        });
        named
            .map(|sent| format!("{} {}\n", sent.arrived, sent.value))
            .collect()
    }

    fn is_in(&self, post: &Post, wishes: &Wishes) -> bool {
        let original = post.boost_of.map(|of| &self.posts[&of]);
        if post.gone || original.is_some_and(|original| original.gone) {
            return false;
        }
        if post.author == wishes.actor {
            return true;
        }
        let Some(boosts) = wishes.follows.get(&post.author) else {
            return false;
        };
        let reaches = |post: &Post| {
            post.audience != Audience::Mentioned || post.mentions == Some(wishes.actor)
        };
        // What is not for everybody is boosted by its author alone.
        let is_open = |original: &Post| {
            original.audience == Audience::Public
                || original.author == post.author && reaches(original)
        };
        let shown = || std::iter::once(post).chain(original);
        let mut named = shown().flat_map(|post| [Some(post.author), post.mentions]);
        reaches(post)
            && original.is_none_or(is_open)
            && (original.is_none() || *boosts)
            && !named.any(|actor| {
                let is_one =
                    |actor| wishes.mutes.contains(&actor) || wishes.blocks.contains(&actor);
                actor.is_some_and(is_one)
            })
            && !shown().any(|post| {
                let host = self.world.host_of(post.author);
                wishes.domain_blocks.contains(host)
            })
    }
}

/// Whether it was in for a while, should things have come in the right order.
fn may_have_been_in(post: &Post, wishes: &Wishes) -> bool {
    post.author == wishes.actor
        || wishes.ever_followed.contains(&post.author)
            && (post.audience != Audience::Mentioned || post.mentions == Some(wishes.actor))
}

/// One that is shunned, or is no more.
fn keep<T: Ord>(shunned: &mut BTreeSet<T>, one: T, ends: bool) {
    if ends {
        shunned.remove(&one);
    } else {
        shunned.insert(one);
    }
}

fn world(size: Size) -> World {
    let shapes = [
        Shape::Mastodon,
        Shape::Threads,
        Shape::Misskey,
        Shape::Bridge,
        Shape::Plain,
    ];
    let delays = [
        DelayProfile::PUNCTUAL,
        DelayProfile::THREADS,
        DelayProfile::millis(0..1_200_000),
        DelayProfile::BRIDGE,
        DelayProfile::Queue {
            every_ms: 480_000,
            seconds_max: 20,
        },
        DelayProfile::bursty(SPAN),
    ];
    let remote = |n: usize| Origin {
        host: format!("h{n}.example"),
        delay: delays[n % delays.len()].clone(),
        shape: shapes[n % shapes.len()],
    };
    let home = Origin {
        host: "home.example".to_owned(),
        delay: DelayProfile::AT_ONCE,
        shape: Shape::Mastodon,
    };
    World {
        origins: (0..size.origins).map(remote).chain([home]).collect(),
        authors: size.authors,
        local_authors: size.accounts.min(size.authors / size.origins),
        accounts: (0..size.accounts).map(|n| format!("acct-{n}")).collect(),
        tags: vec!["sea".to_owned()],
        begin: NOON,
        span: SPAN,
    }
}

/// Whom a post reaches depends on its author alone, so that what a home must be in the end needs no history. An eighth of what
/// is sent are boosts; of the rest, a post and its edits are two or three activities.
fn taste(size: Size) -> Taste {
    let posts = size.activities * 3 / 8 / size.authors;
    Taste {
        posts: posts / 2..posts * 3 / 2 + 1,
        boosts: size.activities / 8..size.activities / 8 + 1,
        boosts_without_id: false,
        withdrawals: true,
        dependent_reach: false,
        documents: false,
        moderation: false,
        deleted_author_chance: 256,
        only_fetched_chance: 8,
        steady_every: Some(4),
        relations: false,
    }
}

/// The URI of [`Sent::last`].
pub(crate) fn last_uri(partition: i32) -> String {
    format!("https://last.example/posts/{partition}")
}

impl Sent {
    /// A post that nobody follows the author of, in this of so many partitions: once it is there, so is all before it.
    pub(crate) fn last(partition: i32, partitions: i32) -> Sent {
        let mut names = (0..).map(|n| format!("https://last.example/users/{n}"));
        let author = names.find(|name| partition_of(name.as_bytes(), partitions) == partition);
        let author = author.expect("an author for every partition");
        let uri = last_uri(partition);
        let note = Note {
            uri: &uri,
            actor: &author,
            published: Some(NOON),
            to: vec![PUBLIC.to_owned()],
            ..Note::default()
        };
        Sent {
            value: Shape::Plain.create(&note).to_string(),
            author,
            arrived: NOON,
            fetched: false,
            place: None,
        }
    }

    /// The record as a backend would append it: most say by their timestamp when they arrived, one in thirty by the
    /// header. More headers than that and tansu 0.6.0 on SQLite, which has no index on them and looks for those of each
    /// record it hands out, takes minutes to hand out what it took in seconds.
    pub(crate) fn record(&self, now: Time) -> NewRecord {
        let mut headers = Vec::new();
        if self.arrived % 30 == 0 {
            headers.push((
                "arrived-at".to_owned(),
                self.arrived.to_string().into_bytes(),
            ));
        }
        let timestamp = if headers.is_empty() {
            Time::from_millis(self.arrived)
        } else {
            now
        };
        if self.fetched {
            headers.push(("fetched".to_owned(), b"true".to_vec()));
        }
        NewRecord {
            topic: Topic::Activities,
            partition_by: self.author.clone().into_bytes(),
            key: self.author.clone().into_bytes(),
            value: Some(self.value.clone().into_bytes()),
            headers,
            timestamp,
        }
    }

    /// Whether it takes back whatever boost there is of a post, without its id.
    pub(crate) fn takes_back_any(&self) -> bool {
        let activity: Value = serde_json::from_str(&self.value).expect("JSON");
        activity["type"] == "Undo" && activity["object"]["id"].is_null()
    }

    /// The line as a backend would post it.
    pub(crate) fn line(&self) -> String {
        let arrived = Time::from_millis(self.arrived).rfc3339();
        let (activity, fetched) = (&self.value, self.fetched);
        format!("{{\"activity\":{activity},\"arrived_at\":\"{arrived}\",\"fetched\":{fetched}}}")
    }
}

impl Related {
    /// The record as a backend would append it.
    pub(crate) fn record(&self, now: Time) -> NewRecord {
        NewRecord {
            topic: Topic::Relationships,
            partition_by: self.account.clone().into_bytes(),
            key: self.key.clone().into_bytes(),
            value: (!self.removed).then(|| self.document.clone().into_bytes()),
            headers: Vec::new(),
            timestamp: now,
        }
    }

    /// The line as a backend would post it.
    pub(crate) fn line(&self) -> String {
        self.document.clone()
    }
}
