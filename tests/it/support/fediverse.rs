//! A made-up fediverse, the same for the same seed, and what each account's home must be: a plain model of its own,
//! which shares nothing with the service but the hash that Kafka partitions by.

use serde_json::{Value, json};
use slackwater_engine::record::{NewRecord, Topic};
use slackwater_order::key_hash::{key_hash, partition_of};
use slackwater_order::time::Time;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

/// Entries a home keeps, as the service's default has it.
pub(crate) const LENGTH: usize = 800;
const NOON: i64 = 1_763_805_600_000;
const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";
const DELAY_MS_MAX: u64 = 20 * 60 * 1000;

/// A random number generator: xorshift64*.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 0 to `n` - 1.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        high as usize % n
    }

    pub(crate) fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }
}

/// How large a fediverse to make up.
#[derive(Clone, Copy)]
pub(crate) struct Size {
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
    posts: Vec<Post>,
    names: Vec<String>,
    wishes: BTreeMap<String, Wishes>,
}

/// One activity to be sent.
#[derive(Clone)]
pub(crate) struct Sent {
    author: String,
    value: String,
    arrived: i64,
    fetched: bool,
    /// The slot and millisecond of the place it asks for, if it is a post.
    place: Option<(u32, i64)>,
}

/// One relation to be sent.
#[derive(Clone)]
pub(crate) struct Related {
    account: String,
    key: String,
    /// The document; a removal has it too, and says so.
    document: Value,
    removed: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Open,
    Followers,
    Mentioned,
}

/// A post of the model.
struct Post {
    uri: String,
    author: usize,
    boost_of: Option<usize>,
    seen: Seen,
    mentions: Vec<String>,
    published: i64,
    gone: bool,
    at: i64,
    id: u64,
}

/// What an account wants in the end, and whom it ever followed.
#[derive(Default)]
struct Wishes {
    actor: String,
    follows: BTreeMap<String, bool>,
    ever_followed: BTreeSet<String>,
    mutes: BTreeSet<String>,
    blocks: BTreeSet<String>,
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
    pub(crate) fn made_up(seed: u64, size: Size) -> Fediverse {
        let mut made = Maker::new(seed, size);
        made.write();
        let (relations, wishes, accounts) = made.relate();
        let mut fediverse = Fediverse {
            activities: made.sent,
            relations,
            accounts,
            posts: made.posts,
            wishes,
            names: made.names,
        };
        fediverse.number();
        fediverse
    }

    /// The activities in another order of arrival: any that keeps each author's own order.
    ///
    /// One more order is kept, which the model leaves to the log on purpose: authors who share a slot (one of 1,024,
    /// by the hash of their id) share a partition, and if two of them claim the same millisecond, the first in that
    /// partition gets the lower sequence number.
    pub(crate) fn shuffled(&self, seed: u64) -> Vec<Sent> {
        let mut random = Random::new(seed);
        self.arranged(|_| random.below(usize::MAX) as u64)
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
        let mut random = Random::new(seed);
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
            let n = random.below(queues.len());
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
        for post in &self.posts {
            if self.is_in(post, wishes) {
                all.push((post.id, post.uri.clone()));
            } else if self.may_have_been_in(post, wishes) {
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

    fn name(&self, post: usize) -> String {
        self.names[post].clone()
    }

    /// Every activity that names a post, for whoever looks into a failure.
    fn story(&self, uri: &str) -> String {
        let original = self
            .posts
            .iter()
            .find(|post| post.uri == uri)
            .and_then(|post| post.boost_of);
        let original = original.map_or(uri, |n| &self.posts[n].uri);
        let named = self.activities.iter().filter(|sent| {
            sent.value.contains(&format!("\"{uri}"))
                || sent.value.contains(&format!("\"{original}\""))
        });
        named
            .map(|sent| format!("{} {}\n", sent.arrived, sent.value))
            .collect()
    }

    /// Whether it was in for a while, should things have come in the right order.
    fn may_have_been_in(&self, post: &Post, wishes: &Wishes) -> bool {
        let author = self.name(post.author);
        author == wishes.actor
            || wishes.ever_followed.contains(&author)
                && (post.seen != Seen::Mentioned || post.mentions.contains(&wishes.actor))
    }

    fn is_in(&self, post: &Post, wishes: &Wishes) -> bool {
        let author = self.name(post.author);
        let original = post.boost_of.map(|n| &self.posts[n]);
        if post.gone || original.is_some_and(|original| original.gone) {
            return false;
        }
        if author == wishes.actor {
            return true;
        }
        let Some(boosts) = wishes.follows.get(&author) else {
            return false;
        };
        let sees = |post: &Post| {
            let author = self.name(post.author);
            match post.seen {
                Seen::Open => true,
                Seen::Followers => author == wishes.actor || wishes.follows.contains_key(&author),
                Seen::Mentioned => {
                    author == wishes.actor
                        || wishes.follows.contains_key(&author)
                            && post.mentions.contains(&wishes.actor)
                }
            }
        };
        let named: Vec<String> = std::iter::once(post)
            .chain(original)
            .flat_map(|post| {
                std::iter::once(self.name(post.author)).chain(post.mentions.iter().cloned())
            })
            .collect();
        let hosts = std::iter::once(post)
            .chain(original)
            .map(|post| host_of(&self.name(post.author)));
        sees(post)
            && original.is_none_or(sees)
            && (original.is_none() || *boosts)
            && !named
                .iter()
                .any(|actor| wishes.mutes.contains(actor) || wishes.blocks.contains(actor))
            && !hosts
                .into_iter()
                .any(|host| wishes.domain_blocks.contains(&host))
    }

    /// Gives each post its id: time, slot, and how many stand there already.
    fn number(&mut self) {
        let mut taken: HashMap<(i64, u32), u64> = HashMap::new();
        for post in &mut self.posts {
            let slot = slot_of(&self.names[post.author]);
            let sequence = taken.entry((post.at, slot)).or_default();
            post.id = post.at.unsigned_abs() << 16 | u64::from(slot) << 6 | *sequence;
            *sequence += 1;
            assert!(
                *sequence <= 64,
                "a full slot runs on, which this model does not know"
            );
        }
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
        let object = json!({"type": "Note", "id": uri, "attributedTo": author, "to": PUBLIC, "published": date(NOON)});
        Sent {
            value: json!({"type": "Create", "actor": author, "object": object}).to_string(),
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
            value: (!self.removed).then(|| self.document.to_string().into_bytes()),
            headers: Vec::new(),
            timestamp: now,
        }
    }

    /// The line as a backend would post it.
    pub(crate) fn line(&self) -> String {
        self.document.to_string()
    }
}

struct Maker {
    random: Random,
    size: Size,
    /// The authors' ids, those of strangers whose posts are only fetched at the end.
    names: Vec<String>,
    last_arrived: Vec<i64>,
    sent: Vec<Sent>,
    posts: Vec<Post>,
    /// By author, the posts and boosts that can still be edited, deleted or undone.
    own: Vec<Vec<usize>>,
    /// Posts that can be boosted.
    boostable: Vec<usize>,
    /// By author and what they boosted: when an undo of all such boosts arrived last.
    undone: HashMap<(usize, usize), i64>,
}

impl Maker {
    fn new(seed: u64, size: Size) -> Maker {
        let strangers = size.authors / 40;
        let names: Vec<String> = (0..size.authors + strangers)
            .map(|n| match (n < size.authors, n % size.origins) {
                (true, 0) => format!("https://home.example/users/u{n}"),
                (true, host) => format!("https://h{host}.example/users/u{n}"),
                (false, host) => format!("https://far{host}.example/users/s{n}"),
            })
            .collect();
        Maker {
            random: Random::new(seed),
            size,
            last_arrived: vec![0; names.len()],
            own: vec![Vec::new(); names.len()],
            names,
            sent: Vec::new(),
            posts: Vec::new(),
            boostable: Vec::new(),
            undone: HashMap::new(),
        }
    }

    /// An author who only ever writes: whoever follows none but these has a home that never loses an entry.
    fn is_steady(author: usize) -> bool {
        author % 4 == 1
    }

    fn write(&mut self) {
        let step = 6 * 60 * 60 * 1000 / self.size.activities as i64;
        let mut now = NOON;
        // One turn sends two activities at most.
        while self.sent.len() + 3 <= self.size.activities {
            // Every so often several things happen in one moment.
            if !self.random.percent(15) {
                now += 1 + self.random.below((2 * step) as usize) as i64;
            }
            let mut claimed = now;
            if self.random.percent(30) {
                claimed -= claimed % 1000;
            }
            let author = self.random.below(self.names.len());
            if self.size.authors <= author {
                self.fetched(author, claimed);
                continue;
            }
            match self.random.below(100) {
                _ if Maker::is_steady(author) => self.create(author, claimed, false),
                0..=63 => self.create(author, claimed, false),
                64..=66 => self.create(author, claimed, true),
                67..=84 => self.announce(author, claimed),
                85..=90 => self.update(author, claimed),
                91..=95 => self.delete(author, claimed),
                96..=97 => self.undo(author, claimed),
                _ => self.again(author),
            }
        }
        // One author leaves in the end, and everything of theirs goes.
        let leaving = (0..self.size.authors)
            .rev()
            .find(|author| author % 4 == 2)
            .unwrap_or(0);
        let name = self.names[leaving].clone();
        let activity = json!({"type": "Delete", "id": format!("{name}#gone"), "actor": name, "object": name, "to": PUBLIC});
        self.send(leaving, &activity, NOON + 12 * 60 * 60 * 1000, None, false);
        for post in &mut self.posts {
            post.gone |= post.author == leaving;
        }
        while self.sent.len() < self.size.activities {
            self.again(leaving);
        }
    }

    /// A post as its object, told to the model too.
    fn note(&mut self, author: usize, published: i64, seen: usize) -> Value {
        let name = self.names[author].clone();
        let uri = format!("https://{}/posts/{}", host_of(&name), self.posts.len());
        let followers = format!("{name}/followers");
        let mut mentions = Vec::new();
        if 90 <= seen || self.random.percent(5) {
            for _ in 0..=self.random.below(3) {
                let account = self.random.below(self.size.accounts);
                mentions.push(self.actor(account));
            }
            mentions.sort();
            mentions.dedup();
        }
        let (seen, to, cc) = match seen {
            0..=69 => (Seen::Open, json!(PUBLIC), json!([followers])),
            70..=79 => (Seen::Open, json!([followers]), json!([PUBLIC])),
            80..=89 => (Seen::Followers, json!([followers]), json!([])),
            _ => (Seen::Mentioned, json!(mentions), json!([])),
        };
        let tag: Vec<Value> = mentions
            .iter()
            .map(|actor| json!({"type": "Mention", "href": actor}))
            .collect();
        let content = format!(
            "<p>post {} {}</p>",
            self.posts.len(),
            "lorem ipsum ".repeat(self.random.below(40))
        );
        self.posts.push(Post {
            uri: uri.clone(),
            author,
            boost_of: None,
            seen,
            mentions,
            published,
            gone: false,
            at: 0,
            id: 0,
        });
        json!({"type": "Note", "id": uri, "attributedTo": name, "published": date(published), "to": to, "cc": cc,
            "tag": tag, "content": content})
    }

    /// Sends a Create; with `twisted`, an edit or a deletion of it goes before it.
    fn create(&mut self, author: usize, claimed: i64, twisted: bool) {
        let name = self.names[author].clone();
        let number = self.posts.len();
        let seen = self.random.below(100);
        let mut object = self.note(author, claimed, seen);
        let fate = self.random.below(100);
        if fate < 2 {
            // Undated, or from the future: by arrival.
            object["published"] = if fate == 0 {
                Value::Null
            } else {
                json!(date(claimed + 86_400_000))
            };
        }
        let deleted_first = twisted && self.random.percent(50);
        if deleted_first {
            let delete = json!({"type": "Delete", "id": format!("{name}#d{number}"), "actor": name,
                "object": {"type": "Tombstone", "id": object["id"]}});
            self.send(author, &delete, claimed, None, false);
            self.posts[number].gone = true;
        }
        let activity = |kind: &str, object: &Value| {
            json!({"type": kind, "id": format!("{}#{kind}", object["id"].as_str().unwrap_or_default()),
                "actor": name, "to": object["to"], "cc": object["cc"], "object": object})
        };
        let create = activity("Create", &object);
        if twisted && !deleted_first {
            object["updated"] = json!(date(claimed + 60_000));
            object["content"] = json!("<p>edited before it came</p>");
            let update = activity("Update", &object);
            self.send(author, &update, claimed, Some((number, fate < 2)), false);
            self.send(author, &create, claimed, None, false);
        } else {
            self.send(author, &create, claimed, Some((number, fate < 2)), false);
        }
        self.own[author].push(number);
        if self.posts[number].seen != Seen::Mentioned {
            self.boostable.push(number);
        }
    }

    /// A stranger's post that the instance fetched.
    fn fetched(&mut self, author: usize, claimed: i64) {
        let number = self.posts.len();
        let object = self.note(author, claimed - 3_600_000, 0);
        self.send(author, &object, claimed, Some((number, false)), true);
        self.boostable.push(number);
    }

    fn announce(&mut self, author: usize, claimed: i64) {
        if self.boostable.is_empty() {
            return;
        }
        // Mostly something new.
        let newest = self.boostable.len().min(500);
        let original = self.boostable[self.boostable.len() - 1 - self.random.below(newest)];
        // As everywhere, what only followers may see is boosted by its author alone.
        if self.posts[original].seen == Seen::Followers && self.posts[original].author != author {
            return;
        }
        let name = self.names[author].clone();
        let number = self.posts.len();
        let uri = format!("https://{}/boosts/{number}", host_of(&name));
        let activity = json!({"type": "Announce", "id": uri, "actor": name, "published": date(claimed), "to": [PUBLIC],
            "cc": [format!("{name}/followers")], "object": self.posts[original].uri});
        self.posts.push(Post {
            uri,
            author,
            boost_of: Some(original),
            seen: Seen::Open,
            mentions: Vec::new(),
            published: claimed,
            // An undo that does not name the boost takes back all that were made until it came.
            gone: self
                .undone
                .get(&(author, original))
                .is_some_and(|undone| claimed <= *undone),
            at: 0,
            id: 0,
        });
        self.send(author, &activity, claimed, Some((number, false)), false);
        self.own[author].push(number);
    }

    fn update(&mut self, author: usize, claimed: i64) {
        let Some(number) = self.pick(author, |post| post.boost_of.is_none()) else {
            return;
        };
        let post = &self.posts[number];
        let name = &self.names[author];
        let tag: Vec<Value> = post
            .mentions
            .iter()
            .map(|actor| json!({"type": "Mention", "href": actor}))
            .collect();
        let followers = format!("{name}/followers");
        let to = match post.seen {
            Seen::Open => json!([PUBLIC]),
            Seen::Followers => json!([followers]),
            Seen::Mentioned => json!(post.mentions),
        };
        let object = json!({"type": "Note", "id": post.uri, "attributedTo": name, "published": date(post.published),
            "updated": date(claimed), "to": to, "tag": tag, "content": format!("<p>edited {claimed}</p>")});
        let activity = json!({"type": "Update", "id": format!("{}#u{claimed}", post.uri), "actor": name, "to": to,
            "object": object});
        self.send(author, &activity, claimed, None, false);
    }

    fn delete(&mut self, author: usize, claimed: i64) {
        let Some(number) = self.pick(author, |post| post.boost_of.is_none()) else {
            return;
        };
        let (name, uri) = (&self.names[author], &self.posts[number].uri);
        let activity = json!({"type": "Delete", "id": format!("{uri}#delete"), "actor": name, "to": PUBLIC,
            "object": {"type": "Tombstone", "id": uri}});
        self.send(author, &activity, claimed, None, false);
        self.posts[number].gone = true;
    }

    /// Takes back a boost, by its id or only by what it boosts.
    fn undo(&mut self, author: usize, claimed: i64) {
        let Some(number) = self.pick(author, |post| post.boost_of.is_some()) else {
            return;
        };
        let name = self.names[author].clone();
        let original = self.posts[number].boost_of.unwrap_or_default();
        let mut announce =
            json!({"type": "Announce", "actor": name, "object": self.posts[original].uri});
        let by_id = self.random.percent(50);
        if by_id {
            announce["id"] = json!(self.posts[number].uri);
        }
        let activity = json!({"type": "Undo", "id": format!("{name}#undo{claimed}"), "actor": name, "object": announce});
        let arrived = self.send(author, &activity, claimed, None, false);
        if !by_id {
            self.undone.insert((author, original), arrived);
        }
        for (n, post) in self.posts.iter_mut().enumerate() {
            let same = post.author == author
                && post.boost_of == Some(original)
                && post.published <= arrived;
            post.gone |= if by_id { n == number } else { same };
        }
    }

    /// What the author sent last, once more.
    fn again(&mut self, author: usize) {
        let name = &self.names[author];
        let last = self
            .sent
            .iter()
            .rev()
            .take(2000)
            .find(|sent| sent.author == *name);
        if let Some(last) = last.cloned() {
            self.sent.push(Sent {
                place: None,
                ..last
            });
        }
    }

    fn pick(&mut self, author: usize, wanted: impl Fn(&Post) -> bool) -> Option<usize> {
        let own: Vec<usize> = self.own[author]
            .iter()
            .copied()
            .filter(|n| wanted(&self.posts[*n]) && !self.posts[*n].gone)
            .collect();
        (!own.is_empty()).then(|| own[self.random.below(own.len())])
    }

    /// Sends an activity; `places` is the post that gets its place by it, and whether by its arrival. When it arrived.
    fn send(
        &mut self,
        author: usize,
        activity: &Value,
        claimed: i64,
        places: Option<(usize, bool)>,
        fetched: bool,
    ) -> i64 {
        // Each origin has its own way of being late; the second is always a quarter of an hour behind.
        let delay = match author % self.size.origins {
            1 => 900_000 + self.random.below(10_000),
            host if host % 3 == 0 => self.random.below(2_000),
            _ => self.random.below(DELAY_MS_MAX as usize),
        };
        let arrived = (claimed + delay as i64).max(self.last_arrived[author]);
        self.last_arrived[author] = arrived;
        let place = places.map(|(number, by_arrival)| {
            let post = &mut self.posts[number];
            post.at = if by_arrival {
                arrived
            } else {
                post.published.min(arrived)
            };
            (slot_of(&self.names[author]), post.at)
        });
        self.sent.push(Sent {
            author: self.names[author].clone(),
            value: activity.to_string(),
            arrived,
            fetched,
            place,
        });
        arrived
    }

    /// Accounts that are authors here are the first; the others never write.
    fn actor(&self, account: usize) -> String {
        match account * self.size.origins {
            author if author < self.size.authors => self.names[author].clone(),
            _ => format!("https://home.example/users/quiet{account}"),
        }
    }

    fn relate(&mut self) -> (Vec<Related>, BTreeMap<String, Wishes>, Vec<String>) {
        let mut relations = Vec::new();
        let mut all = BTreeMap::new();
        let accounts: Vec<String> = (0..self.size.accounts)
            .map(|n| format!("acct-{n}"))
            .collect();
        for (n, account) in accounts.iter().enumerate() {
            let mut wishes = Wishes {
                actor: self.actor(n),
                ..Wishes::default()
            };
            let mut say = |kind: &str, target: &str, removed: bool, more: Value| {
                let mut document = json!({"type": kind, "account": account});
                for (key, value) in more.as_object().into_iter().flatten() {
                    document[key] = value.clone();
                }
                if !target.is_empty() {
                    document["target"] = json!(target);
                }
                if removed {
                    document["removed"] = json!(true);
                }
                relations.push(Related {
                    account: account.clone(),
                    key: format!("{account}/{kind}/{target}"),
                    document,
                    removed,
                });
            };
            say(
                "account",
                "",
                false,
                json!({"actor": wishes.actor, "aggregate_boosts": false}),
            );
            // One in five follows none but the steady, and shuns nobody: its home is exactly the newest entries.
            let is_plain = n % 5 == 4;
            let share = match n % 5 {
                0 | 1 => 1 + self.random.below(3),
                _ => 5 + self.random.below(60),
            };
            for author in 0..self.size.authors {
                let target = self.names[author].clone();
                let wanted = if is_plain {
                    Maker::is_steady(author)
                } else {
                    self.random.percent(share)
                };
                if !wanted || target == wishes.actor {
                    continue;
                }
                let boosts = is_plain || !self.random.percent(5);
                say("follow", &target, false, json!({"boosts": boosts}));
                wishes.follows.insert(target.clone(), boosts);
                wishes.ever_followed.insert(target.clone());
                if !is_plain && self.random.percent(5) {
                    say("follow", &target, true, json!({}));
                    wishes.follows.remove(&target);
                }
            }
            let shuns = if is_plain { 0 } else { self.random.below(6) };
            for _ in 0..shuns {
                let author = self.random.below(self.names.len());
                let target = self.names[author].clone();
                let (kind, target, shunned) = match self.random.below(3) {
                    0 => ("mute", target, &mut wishes.mutes),
                    1 => ("block", target, &mut wishes.blocks),
                    _ => ("domain_block", host_of(&target), &mut wishes.domain_blocks),
                };
                if target == wishes.actor {
                    continue;
                }
                say(kind, &target, false, json!({}));
                shunned.insert(target.clone());
                if self.random.percent(40) {
                    say(kind, &target, true, json!({}));
                    shunned.remove(&target);
                }
            }
            all.insert(account.clone(), wishes);
        }
        (relations, all, accounts)
    }
}

fn slot_of(author: &str) -> u32 {
    key_hash(author.as_bytes()) % 1024
}

fn host_of(actor: &str) -> String {
    actor.split('/').nth(2).unwrap_or_default().to_owned()
}

fn date(millis: i64) -> String {
    Time::from_millis(millis).rfc3339()
}
