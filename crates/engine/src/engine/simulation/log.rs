//! The log as a list: what each record says, as JSON and as it is meant.

use crate::record::{Position, Record, Topic};
use slackwater_order::key_hash::partition_of;
use slackwater_order::time::Time;
use std::collections::BTreeSet;

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
pub(in crate::engine) const TAGS: [&str; 2] = ["rust", "sea"];
/// The one list an account may have.
pub(in crate::engine) const LIST: &str = "42";
/// What a list wants of replies.
pub(in crate::engine) const REPLIES: [&str; 3] = ["none", "list", "followed"];
/// Of the activities topic; those of relationships follow.
pub(in crate::engine) const ACTIVITY_PARTITIONS: usize = 4;
/// How long after a post was shown a boost shows it again, in milliseconds.
pub(in crate::engine) const REPEAT_AFTER: u64 = 600_000;
/// The most boosts without an id that an author makes of one post.
pub(in crate::engine) const BOOSTS_WITHOUT_ID: usize = 4;
/// Of both topics.
pub(in crate::engine) const PARTITIONS: usize = ACTIVITY_PARTITIONS + 2;
/// An origin whose late posts surface, and whose posts too late are dropped, in the seeds that want it.
pub(in crate::engine) const SURFACING: &str = "slow.example";
pub(in crate::engine) const HOSTS: [&str; 5] = [
    "punctual.example",
    SURFACING,
    "threads.example",
    "bursty.example",
    "here.example",
];

/// One record, and what it means.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Line {
    pub(in crate::engine) deed: Event,
    pub(in crate::engine) arrived: i64,
    json: String,
}

/// What a record says. Posts, actors and accounts go by number.
#[derive(Clone, Debug)]
pub(in crate::engine) enum Event {
    Write(Writing),
    Boost {
        post: usize,
        of: usize,
        published: i64,
        has_id: bool,
    },
    Delete(usize),
    Unboost {
        by: usize,
        of: usize,
    },
    DeleteAuthor(usize),
    /// The author's document, sent or fetched, names a collection as their followers: of their own, or of whoever else.
    Name {
        author: usize,
        collection: Collection,
        fetched: bool,
        /// The partition that the producer put it in, if not the author's.
        elsewhere: Option<usize>,
    },
    Relate {
        account: usize,
        wish: RelationChoice,
        on: bool,
    },
    /// The instance limits or suspends, or ends that.
    Moderate {
        whom: Moderated,
        action: Option<Action>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum Moderated {
    Actor(usize),
    Host(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Action {
    Limit,
    Suspend,
}

/// A feed of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum FeedKind {
    Home,
    List,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Writing {
    pub(in crate::engine) how: Delivery,
    pub(in crate::engine) post: usize,
    pub(in crate::engine) published: Option<i64>,
    pub(in crate::engine) updated: Option<i64>,
    pub(in crate::engine) sight: Audience,
    pub(in crate::engine) mentions: Option<usize>,
    /// The post it answers.
    pub(in crate::engine) parent: Option<usize>,
    /// Of [`TAGS`].
    pub(in crate::engine) tag: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Delivery {
    Create,
    Update,
    Fetched,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Audience {
    Public,
    /// To the collection that is the followers' unless another is named.
    Followers,
    To(Collection),
    Mentioned,
}

/// A collection of an actor: of its followers, if the actor's document names it, and of number 0 also if that names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) struct Collection {
    pub(in crate::engine) of: usize,
    pub(in crate::engine) number: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum RelationChoice {
    /// The account exists, is this actor, maybe says how patient it is, and whether boosts of one post show as one.
    Be(usize, Option<i64>, bool),
    Follow(usize, bool),
    Mute(usize),
    /// Until then.
    MuteUntil(usize, i64),
    Block(usize),
    BlockDomain(usize),
    BlockedBy(usize),
    Tag(usize),
    /// It has a list, which wants these of [`REPLIES`], and maybe takes its members out of home.
    List(usize, bool),
    /// This actor is on it.
    Member(usize),
    /// In milliseconds; none for as long as it takes.
    Patience(Option<i64>),
}

/// Everything that will ever be in the log, by partition, in the order of arrival.
#[derive(Debug, Default)]
pub(in crate::engine) struct Log {
    pub(in crate::engine) partitions: [Vec<Line>; PARTITIONS],
    /// By post: who wrote it.
    pub(in crate::engine) authors: Vec<usize>,
}

pub(in crate::engine) fn actor(n: usize) -> String {
    format!("https://{}/users/{n}", host_of(n))
}

fn collection(collection: Collection) -> String {
    let of = actor(collection.of);
    match collection.number {
        0 => format!("{of}/followers"),
        number => format!("{of}/circles/{number}"),
    }
}

pub(in crate::engine) fn host_of(actor: usize) -> &'static str {
    HOSTS[if actor < AUTHORS - 1 { actor % 4 } else { 4 }]
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
    /// How many records of each partition had arrived by `now`.
    pub(in crate::engine) fn ends(&self, now: i64) -> [usize; PARTITIONS] {
        self.partitions
            .each_ref()
            .map(|lines| lines.partition_point(|line| line.arrived <= now))
    }

    pub(in crate::engine) fn whole(&self) -> [usize; PARTITIONS] {
        self.partitions.each_ref().map(Vec::len)
    }

    pub(in crate::engine) fn uri(&self, post: usize) -> String {
        format!("https://{}/posts/{post}", host_of(self.authors[post]))
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
            let Event::Boost { post, of, .. } = line.deed else {
                continue;
            };
            uris.extend([self.uri(post), self.uri(of)]);
            let by = self.authors[post];
            uris.extend((1..=BOOSTS_WITHOUT_ID).map(|which| self.uri_without_id(by, of, which)));
        }
        uris
    }

    /// How many wishes of an account are among what was read.
    pub(in crate::engine) fn wishes_of(&self, account: usize, read: &[usize; PARTITIONS]) -> usize {
        let read = self
            .partitions
            .iter()
            .zip(read)
            .flat_map(|(lines, read)| &lines[..*read]);
        let is_its =
            |line: &&Line| matches!(line.deed, Event::Relate { account: of, .. } if of == account);
        read.filter(is_its).count()
    }

    /// Whether the instance ever limits or suspends anybody.
    pub(in crate::engine) fn is_moderated(&self) -> bool {
        let is_said = |line: &Line| matches!(line.deed, Event::Moderate { .. });
        self.partitions.iter().flatten().any(is_said)
    }

    pub(in crate::engine) fn is_ever_removed(&self, account: usize) -> bool {
        let is_end = |line: &Line| matches!(line.deed, Event::Relate { account: of, wish: RelationChoice::Be(..), on: false } if of == account);
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
        let concerns = |deed: &Event| match deed {
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
                if concerns(&line.deed) {
                    let Line { deed, arrived, .. } = line;
                    let after = arrived - BEGIN;
                    story += &format!("\n{partition}:{offset} after {after} ms {deed:?}");
                }
            }
        }
        story
    }

    pub(in crate::engine) fn add(&mut self, deed: Event, arrived: i64) {
        let partition = match &deed {
            // What was said before stays where it is, as when the topic is given more partitions.
            Event::Relate {
                account: MOVING, ..
            } if MOVES_AT <= arrived => {
                ACTIVITY_PARTITIONS
                    + (1 + of_relations(ACCOUNTS[MOVING]) - ACTIVITY_PARTITIONS)
                        % (PARTITIONS - ACTIVITY_PARTITIONS)
            }
            Event::Relate { account, .. } => of_relations(ACCOUNTS[*account]),
            Event::Moderate { .. } => of_relations("_instance"),
            Event::Name {
                elsewhere: Some(partition),
                ..
            } => *partition,
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

    /// A node appends the removal of a mute that has ended, behind all that has arrived. It has to be the last word on that mute, and
    /// the mute to have ended: a renewal must not be taken back.
    pub(in crate::engine) fn end_mute(&mut self, account: &str, target: &str, now: i64) {
        let account = ACCOUNTS.iter().position(|id| *id == account).unwrap();
        let who = (0..AUTHORS).find(|who| actor(*who) == target).unwrap();
        match self.newest_mute(account, who, now) {
            Some((RelationChoice::MuteUntil(_, until), true)) if until <= now => {}
            other => panic!("the mute of {who} by {account} was ended at {now}, and is {other:?}"),
        }
        let ends = self.ends(now);
        let wish = RelationChoice::Mute(who);
        self.add(
            Event::Relate {
                account,
                wish,
                on: false,
            },
            now,
        );
        for (lines, end) in self.partitions.iter_mut().zip(ends) {
            if lines.last().is_some_and(|line| line.arrived == now) && end < lines.len() {
                lines[end..].rotate_right(1);
            }
        }
    }

    /// The mutes that ended by `now` and are not taken back.
    pub(in crate::engine) fn ended_mutes(&self, now: i64) -> Vec<(usize, usize)> {
        let all = (0..ACCOUNTS.len()).flat_map(|of| (0..AUTHORS).map(move |who| (of, who)));
        let has_ended = |(account, who): &(usize, usize)| {
            let newest = self.newest_mute(*account, *who, now);
            matches!(newest, Some((RelationChoice::MuteUntil(_, until), true)) if until <= now)
        };
        all.filter(has_ended).collect()
    }

    /// The last word by `now` on whether an account mutes somebody.
    fn newest_mute(&self, account: usize, who: usize, now: i64) -> Option<(RelationChoice, bool)> {
        let mut newest: Option<((i64, usize, usize), RelationChoice, bool)> = None;
        for (partition, lines) in self.partitions.iter().enumerate() {
            for (offset, line) in lines.iter().enumerate() {
                let Event::Relate {
                    account: of,
                    wish: wish @ (RelationChoice::Mute(whom) | RelationChoice::MuteUntil(whom, _)),
                    on,
                } = line.deed
                else {
                    continue;
                };
                let at = (line.arrived, partition, offset);
                if (of, whom) == (account, who)
                    && line.arrived <= now
                    && newest.is_none_or(|(before, ..)| before < at)
                {
                    newest = Some((at, wish, on));
                }
            }
        }
        newest.map(|(_, wish, on)| (wish, on))
    }

    pub(in crate::engine) fn author_of(&self, deed: &Event) -> usize {
        match deed {
            Event::Write(Writing { post, .. })
            | Event::Boost { post, .. }
            | Event::Delete(post) => self.authors[*post],
            Event::Unboost { by, .. }
            | Event::DeleteAuthor(by)
            | Event::Name { author: by, .. } => *by,
            Event::Relate { .. } | Event::Moderate { .. } => 0,
        }
    }

    fn json(&self, deed: &Event) -> String {
        let by = actor(self.author_of(deed));
        match deed {
            Event::Write(writing) => self.note(writing, &by),
            Event::Boost {
                post,
                of,
                published,
                has_id,
            } => {
                let id = match has_id {
                    true => format!(r#""id":"{}","#, self.uri(*post)),
                    false => String::new(),
                };
                format!(
                    r#"{{{id}"type":"Announce","actor":"{by}","object":"{}","published":"{}","to":"as:Public"}}"#,
                    self.uri(*of),
                    date(*published)
                )
            }
            Event::Delete(post) => {
                let uri = self.uri(*post);
                format!(
                    r#"{{"id":"{uri}#delete","type":"Delete","actor":"{by}","object":"{uri}"}}"#
                )
            }
            Event::Unboost { of, .. } => format!(
                r#"{{"id":"{by}#undo","type":"Undo","actor":"{by}","object":{{"type":"Announce","actor":"{by}","object":"{}"}}}}"#,
                self.uri(*of)
            ),
            Event::DeleteAuthor(_) => {
                format!(r#"{{"id":"{by}#delete","type":"Delete","actor":"{by}","object":"{by}"}}"#)
            }
            Event::Name {
                collection: named,
                fetched,
                ..
            } => {
                let document = format!(
                    r#"{{"id":"{by}","type":"Person","inbox":"{by}/inbox","followers":"{}"}}"#,
                    collection(*named)
                );
                match fetched {
                    true => document,
                    false => format!(
                        r#"{{"id":"{by}#update","type":"Update","actor":"{by}","object":{document}}}"#
                    ),
                }
            }
            Event::Relate { account, wish, on } => relation(ACCOUNTS[*account], *wish, *on),
            Event::Moderate { whom, action } => moderation(*whom, *action),
        }
    }

    fn note(&self, writing: &Writing, by: &str) -> String {
        let uri = self.uri(writing.post);
        let field = |name: &str, at: Option<i64>| {
            at.map_or(String::new(), |at| format!(r#","{name}":"{}""#, date(at)))
        };
        let mentioned = writing.mentions.map(actor).unwrap_or_default();
        let mention = writing
            .mentions
            .map(|_| format!(r#"{{"type":"Mention","href":"{mentioned}"}}"#));
        let hashtag = writing
            .tag
            .map(|tag| format!(r##"{{"type":"Hashtag","name":"#{}"}}"##, TAGS[tag]));
        let tags: Vec<String> = mention.into_iter().chain(hashtag).collect();
        let tag = format!(r#","tag":[{}]"#, tags.join(","));
        let parent = writing.parent.map_or(String::new(), |parent| {
            format!(r#","inReplyTo":"{}""#, self.uri(parent))
        });
        let to = match writing.sight {
            Audience::Public => "https://www.w3.org/ns/activitystreams#Public".to_owned(),
            Audience::Followers => format!("{by}/followers"),
            Audience::To(other) => collection(other),
            Audience::Mentioned => mentioned,
        };
        let note = format!(
            r#"{{"id":"{uri}","type":"Note","attributedTo":"{by}","content":"{}","to":["{to}"]{tag}{parent}{}{}}}"#,
            words(writing.updated),
            field("published", writing.published),
            field("updated", writing.updated)
        );
        let kind = match writing.how {
            Delivery::Fetched => return note,
            Delivery::Create => "Create",
            Delivery::Update => "Update",
        };
        format!(r#"{{"id":"{uri}#{kind}","type":"{kind}","actor":"{by}","object":{note}}}"#)
    }
}

/// What a post says after the edit of that time.
pub(in crate::engine) fn words(updated: Option<i64>) -> String {
    format!("as of {}", updated.unwrap_or(0))
}

impl Line {
    pub(in crate::engine) fn record(&self, partition: (Topic, i32), offset: usize) -> Record {
        let fetched = match &self.deed {
            Event::Write(writing) => writing.how == Delivery::Fetched,
            Event::Name { fetched, .. } => *fetched,
            _ => false,
        };
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

fn relation(account: &str, wish: RelationChoice, on: bool) -> String {
    let patience = |ms: Option<i64>| match ms {
        Some(ms) => format!(r#""patience":"{ms}ms""#),
        None => r#""patience":"complete""#.to_owned(),
    };
    let (kind, more) = match wish {
        RelationChoice::Be(own, said, aggregates) => {
            let said = said.map_or(String::new(), |ms| format!(",{}", patience(Some(ms))));
            let own = actor(own);
            (
                "account",
                format!(r#""actor":"{own}","aggregate_boosts":{aggregates}{said}"#),
            )
        }
        RelationChoice::Patience(ms) => ("ordering", patience(ms)),
        RelationChoice::Follow(who, boosts) => {
            let target = actor(who);
            (
                "follow",
                format!(r#""target":"{target}","boosts":{boosts}"#),
            )
        }
        RelationChoice::Mute(who) => ("mute", format!(r#""target":"{}""#, actor(who))),
        RelationChoice::MuteUntil(who, until) => {
            let (target, until) = (actor(who), date(until));
            ("mute", format!(r#""target":"{target}","until":"{until}""#))
        }
        RelationChoice::Block(who) => ("block", format!(r#""target":"{}""#, actor(who))),
        RelationChoice::BlockDomain(host) => {
            ("domain_block", format!(r#""target":"{}""#, HOSTS[host]))
        }
        RelationChoice::BlockedBy(who) => ("blocked_by", format!(r#""target":"{}""#, actor(who))),
        RelationChoice::Tag(tag) => ("tag", format!(r#""target":"{}""#, TAGS[tag])),
        RelationChoice::List(replies, is_exclusive) => {
            let replies = REPLIES[replies];
            (
                "list",
                format!(
                    r#""target":"{LIST}","title":"Friends","replies":"{replies}","exclusive":{is_exclusive}"#
                ),
            )
        }
        RelationChoice::Member(who) => (
            "list_member",
            format!(r#""list":"{LIST}","target":"{}""#, actor(who)),
        ),
    };
    format!(
        r#"{{"type":"{kind}","account":"{account}",{more},"removed":{}}}"#,
        !on
    )
}

fn moderation(whom: Moderated, action: Option<Action>) -> String {
    let target = match whom {
        Moderated::Actor(who) => actor(who),
        Moderated::Host(host) => HOSTS[host].to_owned(),
    };
    let said = match action {
        Some(Action::Limit) => r#""action":"limit""#,
        Some(Action::Suspend) => r#""action":"suspend""#,
        None => r#""action":"limit","removed":true"#,
    };
    format!(r#"{{"type":"moderation","account":"_instance","target":"{target}",{said}}}"#)
}

/// The partition of what concerns an account.
fn of_relations(account: &str) -> usize {
    let partitions = (PARTITIONS - ACTIVITY_PARTITIONS) as i32;
    ACTIVITY_PARTITIONS + partition_of(account.as_bytes(), partitions) as usize
}

/// The host of this number, as domain blocks name it.
pub(in crate::engine) fn host(number: usize) -> &'static str {
    HOSTS[number]
}

fn date(ms: i64) -> String {
    Time::from_millis(ms).rfc3339()
}
