//! A made-up fediverse: who writes what and when, how long it takes to arrive, and what accounts want meanwhile.

use crate::post::record::{Position, Record, Topic, partition_of};
use crate::time::Time;
use fastrand::Rng;
use std::collections::BTreeSet;

/// When it begins, in milliseconds since 1970.
pub(super) const BEGIN: i64 = 1_763_805_600_000;
/// How long it is written in.
const SPAN: i64 = 2_400_000;
/// Actors who write: the last lives here and is an account's own.
pub(super) const AUTHORS: usize = 6;
/// Local accounts; their own names are the actors after the authors.
pub(super) const ACCOUNTS: [&str; 3] = ["ana", "bob", "7"];
/// Of the activities topic; those of relationships follow.
pub(super) const ACTIVITY_PARTITIONS: usize = 4;
/// Of both topics.
pub(super) const PARTITIONS: usize = ACTIVITY_PARTITIONS + 2;
/// An origin whose late posts surface, and whose posts too late are dropped, in the seeds that want it.
pub(super) const SURFACING: &str = "slow.example";
const HOSTS: [&str; 5] = [
    "punctual.example",
    SURFACING,
    "threads.example",
    "bursty.example",
    "here.example",
];

/// What kind of history is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taste {
    /// Nothing leaves a feed: no deletes, no edits of who may see, no ends of follows, no blocks.
    pub(super) calm: bool,
    /// How many times as many posts.
    pub(super) busy: usize,
}

/// One record, and what it means.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) deed: Deed,
    pub(super) arrived: i64,
    json: String,
}

/// What a record says. Posts, actors and accounts go by number.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Write(Writing),
    Boost {
        post: usize,
        of: usize,
        published: i64,
    },
    Delete(usize),
    Unboost {
        by: usize,
        of: usize,
    },
    DeleteAuthor(usize),
    Relate {
        account: usize,
        wish: Wish,
        on: bool,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Writing {
    pub(super) how: How,
    pub(super) post: usize,
    pub(super) published: Option<i64>,
    pub(super) updated: Option<i64>,
    pub(super) sight: Sight,
    pub(super) mentions: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Create,
    Update,
    Fetched,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Public,
    Followers,
    Mentioned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The account exists, is this actor, and maybe says how patient it is.
    Be(usize, Option<i64>),
    Follow(usize, bool),
    Mute(usize),
    Block(usize),
    BlockDomain(usize),
    /// In milliseconds; none for as long as it takes.
    Patience(Option<i64>),
}

/// Everything that will ever be in the log, by partition, in the order of arrival.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) partitions: [Vec<Line>; PARTITIONS],
    /// By post: who wrote it.
    pub(super) authors: Vec<usize>,
}

pub(super) fn actor(n: usize) -> String {
    format!("https://{}/users/{n}", host_of(n))
}

pub(super) fn host_of(actor: usize) -> &'static str {
    HOSTS[if actor < AUTHORS - 1 { actor % 4 } else { 4 }]
}

/// The topic and its partition that the partition of this number is.
pub(super) fn partition(number: usize) -> (Topic, i32) {
    if number < ACTIVITY_PARTITIONS {
        (Topic::Activities, number as i32)
    } else {
        (Topic::Relationships, (number - ACTIVITY_PARTITIONS) as i32)
    }
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
        for _ in 0..dice.usize(0..8) {
            log.boost(dice, taste);
        }
        if !taste.calm && dice.u8(..) < 16 {
            let author = dice.usize(..AUTHORS);
            log.add(Deed::DeleteAuthor(author), BEGIN + dice.i64(0..SPAN));
        }
        for lines in &mut log.partitions {
            lines.sort_by_key(|line| line.arrived);
        }
        log
    }

    /// How many records of each partition had arrived by `now`.
    pub(super) fn ends(&self, now: i64) -> [usize; PARTITIONS] {
        self.partitions
            .each_ref()
            .map(|lines| lines.partition_point(|line| line.arrived <= now))
    }

    pub(super) fn whole(&self) -> [usize; PARTITIONS] {
        self.partitions.each_ref().map(Vec::len)
    }

    pub(super) fn uri(&self, post: usize) -> String {
        format!("https://{}/posts/{post}", host_of(self.authors[post]))
    }

    /// How many wishes of an account are among what was read.
    pub(super) fn wishes_of(&self, account: usize, read: &[usize; PARTITIONS]) -> usize {
        let read = self
            .partitions
            .iter()
            .zip(read)
            .flat_map(|(lines, read)| &lines[..*read]);
        let is_its =
            |line: &&Line| matches!(line.deed, Deed::Relate { account: of, .. } if of == account);
        read.filter(is_its).count()
    }

    pub(super) fn is_ever_removed(&self, account: usize) -> bool {
        let is_end = |line: &Line| matches!(line.deed, Deed::Relate { account: of, wish: Wish::Be(..), on: false } if of == account);
        self.partitions.iter().flatten().any(is_end)
    }

    /// What was read about an account and some posts, for whoever looks for the cause of a failure.
    pub(super) fn story(
        &self,
        account: usize,
        posts: &BTreeSet<usize>,
        read: &[usize; PARTITIONS],
    ) -> String {
        let authors: BTreeSet<usize> = posts.iter().map(|post| self.authors[*post]).collect();
        let concerns = |deed: &Deed| match deed {
            Deed::Write(Writing { post, .. }) | Deed::Boost { post, .. } | Deed::Delete(post) => {
                posts.contains(post)
            }
            Deed::Unboost { by, .. } | Deed::DeleteAuthor(by) => authors.contains(by),
            Deed::Relate { account: of, .. } => *of == account,
        };
        let mut story = format!("By {authors:?}, read up to {read:?}:");
        for (partition, lines) in self.partitions.iter().enumerate() {
            for (offset, line) in lines.iter().enumerate() {
                if concerns(&line.deed) {
                    let Line { deed, arrived, .. } = line;
                    let after = arrived - BEGIN;
                    story += &format!("\n{partition}:{offset} after {after} ms {deed:?}");
                }
            }
        }
        story
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
            0 => Sight::Followers,
            1 if mentions.is_some() => Sight::Mentioned,
            _ => Sight::Public,
        };
        let made = Writing {
            how: How::Create,
            post,
            published,
            updated: None,
            sight,
            mentions,
        };
        self.send(dice, Deed::Write(made), written);
        let mut last = written;
        for _ in 0..[0, 0, 1, 2][dice.usize(..4)] {
            last += dice.i64(1_000..300_000);
            let mut edit = Writing {
                how: How::Update,
                updated: Some(last.max(published.unwrap_or(0) + 1)),
                ..made
            };
            if !taste.calm && dice.bool() {
                edit.sight = [Sight::Public, Sight::Followers][dice.usize(..2)];
                edit.mentions = (dice.u8(..4) != 0).then(|| dice.usize(..AUTHORS + 3));
            }
            self.send(dice, Deed::Write(edit), last);
            if dice.u8(..4) == 0 {
                edit.how = How::Fetched;
                let fetched = last + dice.i64(0..60_000);
                self.send(dice, Deed::Write(edit), fetched);
            }
        }
        if dice.u8(..8) == 0 {
            let again = [How::Create, How::Fetched][dice.usize(..2)];
            self.send(dice, Deed::Write(Writing { how: again, ..made }), last);
        }
        if !taste.calm && dice.u8(..6) == 0 {
            // It may overtake the post.
            let deleted = written + dice.i64(0..60_000);
            self.send(dice, Deed::Delete(post), deleted);
        }
    }

    fn boost(&mut self, dice: &mut Rng, taste: Taste) {
        let of = dice.usize(..self.authors.len());
        let (post, by) = (self.authors.len(), dice.usize(..AUTHORS));
        self.authors.push(by);
        let published = BEGIN + dice.i64(0..SPAN);
        let boost = Deed::Boost {
            post,
            of,
            published,
        };
        self.send(dice, boost.clone(), published);
        if dice.u8(..4) == 0 {
            self.send(dice, boost, published);
        }
        if !taste.calm && dice.u8(..3) == 0 {
            let undo = [Deed::Delete(post), Deed::Unboost { by, of }];
            let undone = published + dice.i64(0..60_000);
            let undo = undo[dice.usize(..2)].clone();
            self.send(dice, undo, undone);
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
        let mut say = |wish, on, at| self.add(Deed::Relate { account, wish, on }, at);
        say(Wish::Be(own, said), true, at);
        for _ in 0..dice.usize(1..5) {
            at += 1;
            say(Wish::Follow(dice.usize(..AUTHORS - 1), true), true, at);
        }
        for _ in 0..dice.usize(0..9) {
            at = BEGIN + 60_000 + dice.i64(0..SPAN);
            let author = dice.usize(..AUTHORS);
            let on = taste.calm || dice.u8(..8) < 5;
            let wish = match dice.u8(..if taste.calm { 7 } else { 14 }) {
                0..4 => Wish::Follow(author, taste.calm || dice.u8(..4) != 0),
                4 => Wish::Be(own, dice.bool().then(|| patience(dice))),
                5 | 6 => Wish::Patience((dice.u8(..4) != 0).then(|| patience(dice))),
                7 | 8 => Wish::Mute(author),
                9 => Wish::Block(author),
                10 => Wish::BlockDomain(dice.usize(..HOSTS.len())),
                11 => Wish::Be(dice.usize(..AUTHORS), None),
                _ => Wish::Follow(author, true),
            };
            // Seldom does an account go altogether.
            let on = on || (matches!(wish, Wish::Be(..)) && dice.u8(..4) != 0);
            say(wish, on, at);
            if !on && !matches!(wish, Wish::Follow(..)) && dice.bool() {
                say(wish, true, at - dice.i64(0..600_000));
            }
        }
    }

    /// Something written at `at` arrives, in the way its author's origin has.
    fn send(&mut self, dice: &mut Rng, deed: Deed, at: i64) {
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

    fn add(&mut self, deed: Deed, arrived: i64) {
        let partition = match &deed {
            Deed::Relate { account, .. } => {
                let partitions = (PARTITIONS - ACTIVITY_PARTITIONS) as i32;
                let partition = partition_of(ACCOUNTS[*account].as_bytes(), partitions);
                ACTIVITY_PARTITIONS + partition as usize
            }
            other => {
                let author = actor(self.author_of(other));
                partition_of(author.as_bytes(), ACTIVITY_PARTITIONS as i32) as usize
            }
        };
        let json = self.json(&deed);
        self.partitions[partition].push(Line {
            deed,
            arrived,
            json,
        });
    }

    fn author_of(&self, deed: &Deed) -> usize {
        match deed {
            Deed::Write(Writing { post, .. }) | Deed::Boost { post, .. } | Deed::Delete(post) => {
                self.authors[*post]
            }
            Deed::Unboost { by, .. } | Deed::DeleteAuthor(by) => *by,
            Deed::Relate { .. } => 0,
        }
    }

    fn json(&self, deed: &Deed) -> String {
        let by = actor(self.author_of(deed));
        match deed {
            Deed::Write(writing) => self.note(writing, &by),
            Deed::Boost {
                post,
                of,
                published,
            } => format!(
                r#"{{"id":"{}","type":"Announce","actor":"{by}","object":"{}","published":"{}","to":"as:Public"}}"#,
                self.uri(*post),
                self.uri(*of),
                date(*published)
            ),
            Deed::Delete(post) => {
                let uri = self.uri(*post);
                format!(
                    r#"{{"id":"{uri}#delete","type":"Delete","actor":"{by}","object":"{uri}"}}"#
                )
            }
            Deed::Unboost { of, .. } => format!(
                r#"{{"id":"{by}#undo","type":"Undo","actor":"{by}","object":{{"type":"Announce","actor":"{by}","object":"{}"}}}}"#,
                self.uri(*of)
            ),
            Deed::DeleteAuthor(_) => {
                format!(r#"{{"id":"{by}#delete","type":"Delete","actor":"{by}","object":"{by}"}}"#)
            }
            Deed::Relate { account, wish, on } => relation(ACCOUNTS[*account], *wish, *on),
        }
    }

    fn note(&self, writing: &Writing, by: &str) -> String {
        let uri = self.uri(writing.post);
        let field = |name: &str, at: Option<i64>| {
            at.map_or(String::new(), |at| format!(r#","{name}":"{}""#, date(at)))
        };
        let mentioned = writing.mentions.map(actor).unwrap_or_default();
        let tag = match writing.mentions {
            Some(_) => format!(r#","tag":[{{"type":"Mention","href":"{mentioned}"}}]"#),
            None => String::new(),
        };
        let to = match writing.sight {
            Sight::Public => "https://www.w3.org/ns/activitystreams#Public".to_owned(),
            Sight::Followers => format!("{by}/followers"),
            Sight::Mentioned => mentioned,
        };
        let note = format!(
            r#"{{"id":"{uri}","type":"Note","attributedTo":"{by}","content":"{}","to":["{to}"]{tag}{}{}}}"#,
            words(writing.updated),
            field("published", writing.published),
            field("updated", writing.updated)
        );
        let kind = match writing.how {
            How::Fetched => return note,
            How::Create => "Create",
            How::Update => "Update",
        };
        format!(r#"{{"id":"{uri}#{kind}","type":"{kind}","actor":"{by}","object":{note}}}"#)
    }
}

/// What a post says after the edit of that time.
pub(super) fn words(updated: Option<i64>) -> String {
    format!("as of {}", updated.unwrap_or(0))
}

impl Line {
    pub(super) fn record(&self, partition: (Topic, i32), offset: usize) -> Record {
        let fetched = matches!(&self.deed, Deed::Write(writing) if writing.how == How::Fetched);
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
                .then(|| ("fetched".to_owned(), b"true".to_vec()))
                .into_iter()
                .collect(),
        }
    }
}

fn relation(account: &str, wish: Wish, on: bool) -> String {
    let patience = |ms: Option<i64>| match ms {
        Some(ms) => format!(r#""patience":"{ms}ms""#),
        None => r#""patience":"complete""#.to_owned(),
    };
    let (kind, more) = match wish {
        Wish::Be(own, said) => {
            let said = said.map_or(String::new(), |ms| format!(",{}", patience(Some(ms))));
            ("account", format!(r#""actor":"{}"{said}"#, actor(own)))
        }
        Wish::Patience(ms) => ("ordering", patience(ms)),
        Wish::Follow(who, boosts) => {
            let target = actor(who);
            (
                "follow",
                format!(r#""target":"{target}","boosts":{boosts}"#),
            )
        }
        Wish::Mute(who) => ("mute", format!(r#""target":"{}""#, actor(who))),
        Wish::Block(who) => ("block", format!(r#""target":"{}""#, actor(who))),
        Wish::BlockDomain(host) => ("domain_block", format!(r#""target":"{}""#, HOSTS[host])),
    };
    format!(
        r#"{{"type":"{kind}","account":"{account}",{more},"removed":{}}}"#,
        !on
    )
}

/// The host of this number, as domain blocks name it.
pub(super) fn host(number: usize) -> &'static str {
    HOSTS[number]
}

fn date(ms: i64) -> String {
    Time::from_millis(ms).rfc3339()
}
