//! The log as a list: the partitions that a drawn history fills, each record with its JSON and its meaning.

mod mutes;

pub(in crate::engine) use mutes::MuteEnd;

use crate::record::{Position, Record, Topic};
use fastrand::Rng;
use slackwater_fediverse::event::{Event, INSTANCE, RelationChoice, Writing};
use slackwater_fediverse::history::{self, BOOSTS_WITHOUT_ID, History};
use slackwater_fediverse::json::Shape;
use slackwater_fediverse::origin::{DelayProfile, Origin};
use slackwater_fediverse::world::World;
use slackwater_order::key_hash::partition_of;
use slackwater_order::ref_place::PlaceSource;
use slackwater_order::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// When it begins, in milliseconds since 1970.
pub(in crate::engine) const BEGIN: i64 = 1_763_805_600_000;
/// Actors who write: the last lives here and is an account's own.
pub(in crate::engine) const AUTHORS: usize = 6;
/// Local accounts; their own names are the actors after the authors.
pub(in crate::engine) const ACCOUNTS: [&str; 3] = ["ana", "bob", "7"];
/// The account whose relations stand in another partition from some time on.
pub(in crate::engine) const MOVING: usize = 1;
const MOVES_AT: i64 = BEGIN + 1_200_000;
/// What some posts are about.
const TAGS: [&str; 2] = ["rust", "sea"];
/// The partitions of the activities topic; those of relationships follow.
pub(in crate::engine) const ACTIVITY_PARTITIONS: usize = 4;
/// How long after a post was shown a boost shows it again, in milliseconds.
pub(in crate::engine) const REPEAT_AFTER: u64 = 600_000;
/// The partitions of both topics.
pub(in crate::engine) const PARTITIONS: usize = ACTIVITY_PARTITIONS + 2;
/// How far the refs of a post that was forgotten and came again stand apart: further than there are posts.
const LIFE: u64 = 4_096;
/// Beyond this much after its arrival a claimed time is not believed, in milliseconds.
pub(in crate::engine) const CLOCK_SKEW: i64 = 120_000;
/// An origin whose late posts surface, and whose posts too late are dropped, in the seeds that want it.
pub(in crate::engine) const SURFACING: &str = "slow.example";
pub(in crate::engine) const HOSTS: [&str; 5] = [
    "punctual.example",
    SURFACING,
    "threads.example",
    "bursty.example",
    "here.example",
];

/// How long it is written in, in milliseconds.
const SPAN: i64 = 2_400_000;

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let ways = [
        (DelayProfile::PUNCTUAL, Shape::Mastodon),
        (DelayProfile::SLOW, Shape::Misskey),
        (DelayProfile::THREADS, Shape::Threads),
        (DelayProfile::bursty(SPAN), Shape::Bridge),
        (DelayProfile::AT_ONCE, Shape::Plain),
    ];
    let origin = |(host, (delay, shape)): (&str, (DelayProfile, Shape))| Origin {
        host: host.to_owned(),
        delay,
        shape,
    };
    World {
        origins: HOSTS.into_iter().zip(ways).map(origin).collect(),
        authors: AUTHORS,
        local_authors: 1,
        accounts: ACCOUNTS.map(str::to_owned).into(),
        tags: TAGS.map(str::to_owned).into(),
        begin: BEGIN,
        span: SPAN,
    }
});

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
    /// The backend's own ids of posts are their places.
    pub(super) by_ref: bool,
    /// The backend forgets posts by itself, and sends some of them again as others.
    pub(super) forgets: bool,
}

impl Taste {
    /// From what posts get their places.
    pub(super) fn place_source(self) -> PlaceSource {
        match self.by_ref {
            true => PlaceSource::Ref,
            false => PlaceSource::Published,
        }
    }
}

/// One record, and what it means.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Line {
    pub(in crate::engine) event: Event,
    pub(in crate::engine) arrived: i64,
    json: String,
    /// The backend's own id of the post that it is about.
    pub(in crate::engine) post_ref: Option<u64>,
    /// It is a removal that is the backend's own forgetting.
    pub(in crate::engine) forgotten: bool,
}

/// A feed of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum FeedKind {
    Home,
    List,
}

/// Everything that will ever be in the log, by partition, in the order of arrival.
#[derive(Debug, Default)]
pub(in crate::engine) struct Log {
    pub(in crate::engine) partitions: [Vec<Line>; PARTITIONS],
    /// By post: who wrote it.
    pub(in crate::engine) authors: Vec<usize>,
    /// By post: the backend's own id of it when it was sent first, where it gives any.
    refs: BTreeMap<usize, u64>,
    /// Whether these are places.
    pub(in crate::engine) by_ref: bool,
}

/// The id of an actor.
pub(in crate::engine) fn actor(n: usize) -> String {
    WORLD.actor(n)
}

/// Where an actor lives.
pub(in crate::engine) fn host_of(actor: usize) -> &'static str {
    WORLD.host_of(actor)
}

/// The topic and its partition that the partition of this number is.
pub(in crate::engine) fn partition(number: usize) -> (Topic, i32) {
    if number < ACTIVITY_PARTITIONS {
        (Topic::Activities, number as i32)
    } else {
        (Topic::Relationships, (number - ACTIVITY_PARTITIONS) as i32)
    }
}

impl Log {
    pub(super) fn draw(dice: &mut Rng, taste: Taste) -> Log {
        let drawn = history::Taste {
            posts: taste.busy..4 * taste.busy + 1,
            boosts: 0..24,
            boosts_without_id: true,
            withdrawals: !taste.calm,
            dependent_reach: !taste.calm,
            documents: !taste.calm && !taste.ages,
            moderation: !taste.calm,
            deleted_author_chance: if taste.calm { 0 } else { 16 },
            only_fetched_chance: 0,
            steady_every: None,
            relations: true,
        };
        let history = History::draw(&WORLD, &drawn, dice);
        let mut log = Log {
            authors: history.authors,
            by_ref: taste.by_ref,
            ..Log::default()
        };
        let has_refs = taste.by_ref || taste.forgets;
        for arrival in history.arrivals {
            if let (true, Some((post, published))) = (has_refs, written(&arrival.event)) {
                // As a backend does: by the time that was claimed if it is believed, else by that of arrival; then a number.
                let claimed = published.filter(|at| *at <= arrival.at + CLOCK_SKEW);
                let ms = claimed.unwrap_or(arrival.at).unsigned_abs();
                let post_ref = ms << 16 | post as u64;
                log.refs.entry(post).or_insert(post_ref);
            }
            log.add(arrival.event, arrival.at);
        }
        if taste.forgets {
            log.forget(&mut Rng::with_seed(dice.clone().u64(..)));
        }
        log
    }

    /// How many records of each partition had arrived by `now`.
    pub(in crate::engine) fn ends(&self, now: i64) -> [usize; PARTITIONS] {
        self.partitions
            .each_ref()
            .map(|lines| lines.partition_point(|line| line.arrived <= now))
    }

    pub(in crate::engine) fn whole(&self) -> [usize; PARTITIONS] {
        self.partitions.each_ref().map(Vec::len)
    }

    /// The backend forgets some posts at some time, and sends some of these again under another ref. What it sent before comes again too.
    fn forget(&mut self, dice: &mut Rng) {
        for lines in &mut self.partitions[..ACTIVITY_PARTITIONS] {
            let written = lines.iter().filter_map(|line| match line.event {
                Event::Write(Writing { post, .. }) => Some(post),
                _ => None,
            });
            for post in written.collect::<BTreeSet<_>>() {
                if dice.u8(..3) != 0 {
                    continue;
                }
                let is_first = |line: &Line| matches!(line.event, Event::Write(Writing { post: of, .. }) if of == post);
                let Some(mut after) = lines.iter().position(is_first) else {
                    continue;
                };
                let mut life = lines[after].clone();
                while dice.u8(..3) != 0 {
                    let forgets = Line {
                        event: Event::Delete(post),
                        json: Event::Delete(post).json(&WORLD, &self.authors).to_string(),
                        forgotten: true,
                        ..life.clone()
                    };
                    let again = life.clone();
                    life.post_ref = life.post_ref.map(|post_ref| post_ref + LIFE);
                    let mut add = |line: Line| {
                        let at = dice.usize(after + 1..=lines.len());
                        let arrived = lines[at - 1].arrived;
                        lines.insert(at, Line { arrived, ..line });
                        after = at;
                    };
                    add(forgets.clone());
                    if post % 2 == 0 {
                        add(again.clone());
                    }
                    add(life.clone());
                    if post % 3 == 0 {
                        add(again);
                        add(forgets);
                    }
                }
            }
        }
    }

    /// Whether a ref is not the first that a post had.
    pub(in crate::engine) fn has_come_again(&self, post: usize, post_ref: &str) -> bool {
        let first = self.refs.get(&post);
        first.is_some_and(|first| first.to_string() != post_ref)
    }

    pub(in crate::engine) fn uri(&self, post: usize) -> String {
        WORLD.post(self.authors[post], post)
    }

    /// The URI of the so many-th boost without an id that an author makes of a post.
    pub(in crate::engine) fn uri_without_id(&self, by: usize, of: usize, which: usize) -> String {
        let first = format!("{}#announce/{}", actor(by), self.uri(of));
        match which {
            1 => first,
            later => format!("{first}#{later}"),
        }
    }

    /// The URIs of boosts, and of what is boosted.
    pub(in crate::engine) fn boosts(&self) -> BTreeSet<String> {
        let mut uris = BTreeSet::new();
        for line in self.partitions.iter().flatten() {
            let Event::Boost { post, of, .. } = line.event else {
                continue;
            };
            uris.extend([self.uri(post), self.uri(of)]);
            let by = self.authors[post];
            uris.extend((1..=BOOSTS_WITHOUT_ID).map(|which| self.uri_without_id(by, of, which)));
        }
        uris
    }

    /// How many relations of an account are among what was read.
    pub(in crate::engine) fn relations_of(
        &self,
        account: usize,
        read: &[usize; PARTITIONS],
    ) -> usize {
        let read = self
            .partitions
            .iter()
            .zip(read)
            .flat_map(|(lines, read)| &lines[..*read]);
        let is_its =
            |line: &&Line| matches!(line.event, Event::Relate { account: of, .. } if of == account);
        read.filter(is_its).count()
    }

    /// Whether the instance ever limits or suspends anybody.
    pub(in crate::engine) fn is_moderated(&self) -> bool {
        let is_said = |line: &Line| matches!(line.event, Event::Moderate { .. });
        self.partitions.iter().flatten().any(is_said)
    }

    /// Whether the backend forgets any post.
    pub(in crate::engine) fn forgets(&self) -> bool {
        self.partitions.iter().flatten().any(|line| line.forgotten)
    }

    pub(in crate::engine) fn is_ever_removed(&self, account: usize) -> bool {
        let is_end = |line: &Line| matches!(line.event, Event::Relate { account: of, relation: RelationChoice::Be(..), holds: false } if of == account);
        self.partitions.iter().flatten().any(is_end)
    }

    /// What was read about an account and some posts, for whoever looks for the cause of a failure.
    pub(in crate::engine) fn story(
        &self,
        account: usize,
        posts: &BTreeSet<usize>,
        read: &[usize; PARTITIONS],
    ) -> String {
        let authors: BTreeSet<usize> = posts.iter().map(|post| self.authors[*post]).collect();
        let concerns = |event: &Event| match event {
            Event::Write(Writing { post, .. })
            | Event::Boost { post, .. }
            | Event::Delete(post) => posts.contains(post),
            Event::Unboost { by, .. }
            | Event::DeleteAuthor(by)
            | Event::Name { author: by, .. } => authors.contains(by),
            Event::Relate { account: of, .. } => *of == account,
            Event::Moderate { .. } => true,
        };
        let mut story = format!("By {authors:?}, read up to {read:?}:");
        for (partition, lines) in self.partitions.iter().enumerate() {
            for (offset, line) in lines.iter().enumerate() {
                if concerns(&line.event) {
                    let Line {
                        event,
                        arrived,
                        post_ref,
                        forgotten,
                        ..
                    } = line;
                    let after = arrived - BEGIN;
                    story +=
                        &format!("\n{partition}:{offset} after {after} ms {event:?} {post_ref:?}");
                    if *forgotten {
                        story += " forgotten";
                    }
                }
            }
        }
        story
    }

    pub(in crate::engine) fn add(&mut self, event: Event, arrived: i64) {
        let partition = match &event {
            // What was said before stays where it is, as when the topic is given more partitions.
            Event::Relate {
                account: MOVING, ..
            } if MOVES_AT <= arrived => {
                ACTIVITY_PARTITIONS
                    + (1 + of_relations(ACCOUNTS[MOVING]) - ACTIVITY_PARTITIONS)
                        % (PARTITIONS - ACTIVITY_PARTITIONS)
            }
            Event::Relate { account, .. } => of_relations(ACCOUNTS[*account]),
            Event::Moderate { .. } => of_relations(INSTANCE),
            Event::Name {
                elsewhere: Some(partition),
                ..
            } => *partition % ACTIVITY_PARTITIONS,
            other => {
                let author = actor(other.author(&self.authors));
                partition_of(author.as_bytes(), ACTIVITY_PARTITIONS as i32) as usize
            }
        };
        let json = event.json(&WORLD, &self.authors).to_string();
        let written = written(&event);
        let post_ref = written.and_then(|(post, _)| self.refs.get(&post).copied());
        self.partitions[partition].push(Line {
            event,
            arrived,
            json,
            post_ref,
            forgotten: false,
        });
    }
}

impl Log {
    /// Appends behind all that has arrived by `now`; the number of the partition and the offset.
    pub(in crate::engine) fn append(&mut self, event: Event, now: i64) -> (usize, usize) {
        let (ends, before) = (self.ends(now), self.whole());
        self.add(event, now);
        let grown = (0..PARTITIONS).find(|n| before[*n] < self.partitions[*n].len());
        let number = grown.unwrap();
        self.partitions[number][ends[number]..].rotate_right(1);
        (number, ends[number])
    }
}

impl Line {
    pub(in crate::engine) fn record(&self, partition: (Topic, i32), offset: usize) -> Record {
        let fetched = self.event.is_fetched();
        let fetched = fetched.then(|| ("fetched".to_owned(), b"true".to_vec()));
        let post_ref = self
            .post_ref
            .map(|post_ref| post_ref.to_string().into_bytes());
        let post_ref = post_ref.map(|post_ref| ("ref".to_owned(), post_ref));
        let forgotten = self.forgotten;
        let forgotten = forgotten.then(|| ("forgotten".to_owned(), b"true".to_vec()));
        Record {
            position: Position {
                topic: partition.0,
                partition: partition.1,
                offset: offset as i64,
            },
            timestamp: Some(Time::from_millis(self.arrived)),
            key: None,
            value: Some(self.json.clone().into_bytes()),
            headers: fetched
                .into_iter()
                .chain(post_ref)
                .chain(forgotten)
                .collect(),
        }
    }
}

/// The post that is written by this, if one is, and when it says that was.
fn written(event: &Event) -> Option<(usize, Option<i64>)> {
    match event {
        Event::Write(writing) => Some((writing.post, writing.published)),
        Event::Boost {
            post, published, ..
        } => Some((*post, Some(*published))),
        _ => None,
    }
}

/// The partition of what concerns an account.
fn of_relations(account: &str) -> usize {
    let partitions = (PARTITIONS - ACTIVITY_PARTITIONS) as i32;
    ACTIVITY_PARTITIONS + partition_of(account.as_bytes(), partitions) as usize
}
