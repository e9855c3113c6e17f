//! What one record of the log says, and its JSON. Posts, actors and accounts go by number.
#![allow(clippy::indexing_slicing)] // Numbers are of one world and its posts: no outside data comes here.

use crate::date::date;
use crate::json;
use crate::json::{
    Announce, Note, PUBLIC, delete, delete_with_tombstone, person, undo, update_of_person,
};
use crate::world::{Collection, World};
use serde_json::{Value, json};

/// The one list an account may have.
pub const LIST: &str = "42";
/// What a list wants of replies.
pub const REPLIES: [&str; 3] = ["none", "list", "followed"];
/// The account whose documents are the instance's own.
pub const INSTANCE: &str = "_instance";

/// What a record says.
#[derive(Clone, Debug)]
pub enum Event {
    /// A post is written, edited, or fetched.
    Write(Writing),
    /// A post is boosted; the boost is a post itself.
    Boost {
        /// The boost.
        post: usize,
        /// What it boosts.
        of: usize,
        /// In milliseconds since 1970.
        published: i64,
        /// Whether its server gives boosts ids.
        has_id: bool,
    },
    /// A post or a boost is deleted by its id.
    Delete(usize),
    /// A boost is taken back.
    Unboost {
        /// The actor who boosted.
        by: usize,
        /// What was boosted.
        of: usize,
        /// The boost, if the Undo gives its id.
        post: Option<usize>,
    },
    /// An actor is deleted with all they wrote.
    DeleteAuthor(usize),
    /// The author's document, sent or fetched, names a collection as their followers: of their own, or of somebody else.
    Name {
        /// The actor whose document it is.
        author: usize,
        /// What it names.
        collection: Collection,
        /// Whether the instance fetched it.
        fetched: bool,
        /// Any number, to choose a partition by, if the producer did not put it in the author's.
        elsewhere: Option<usize>,
    },
    /// The backend says what an account wants.
    Relate {
        /// The account.
        account: usize,
        /// The relation.
        relation: RelationChoice,
        /// Whether it holds from now on, or ends.
        holds: bool,
    },
    /// The instance limits or suspends, or ends that.
    Moderate {
        /// Whom.
        target: Moderated,
        /// None to end it.
        action: Option<Action>,
    },
}

/// What the instance moderates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moderated {
    /// An actor.
    Actor(usize),
    /// All actors of an origin.
    Host(usize),
}

/// What the instance does to an actor or a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Only followers see it.
    Limit,
    /// Nobody sees it.
    Suspend,
}

/// A post that is no boost, as one record has it. Times are in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Writing {
    /// How it came.
    pub delivery: Delivery,
    /// Its number.
    pub post: usize,
    /// When it was written, if it says so.
    pub published: Option<i64>,
    /// When it was edited last.
    pub updated: Option<i64>,
    /// To whom it is addressed.
    pub audience: Audience,
    /// An actor.
    pub mentions: Option<usize>,
    /// The post it answers.
    pub parent: Option<usize>,
    /// The number of a hashtag in [`World::tags`].
    pub tag: Option<usize>,
}

/// How a post comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Its author's server sends it.
    Create,
    /// Its author's server sends an edit.
    Update,
    /// The instance fetched it.
    Fetched,
}

/// To whom a post is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everybody.
    Public,
    /// The collection that is the followers' unless another is named.
    Followers,
    /// This collection.
    To(Collection),
    /// Who is mentioned.
    Mentioned,
}

/// What an account may want. Numbers are of actors where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationChoice {
    /// The account exists, is this actor, maybe says how patient it is, in milliseconds, and whether boosts of one post show as
    /// one.
    Be(usize, Option<i64>, bool),
    /// It follows, with boosts or without.
    Follow(usize, bool),
    /// It mutes.
    Mute(usize),
    /// It mutes until then, in milliseconds since 1970.
    MuteUntil(usize, i64),
    /// The mute that was to end then has ended. Slackwater says so; no history has it.
    MuteEnd(usize, i64),
    /// It blocks.
    Block(usize),
    /// It blocks the origin of this number.
    BlockDomain(usize),
    /// It is blocked.
    BlockedBy(usize),
    /// It follows the tag of this number.
    Tag(usize),
    /// It has a list, which wants these of [`REPLIES`], and maybe takes its members out of home.
    List(usize, bool),
    /// This actor is on it.
    Member(usize),
    /// In milliseconds; none for as long as it takes.
    Patience(Option<i64>),
}

impl Event {
    /// The actor from whose server it comes; 0 for what backends write. `authors` has the author of each post.
    pub fn author(&self, authors: &[usize]) -> usize {
        match self {
            Event::Write(Writing { post, .. })
            | Event::Boost { post, .. }
            | Event::Delete(post) => authors[*post],
            Event::Unboost { by, .. }
            | Event::DeleteAuthor(by)
            | Event::Name { author: by, .. } => *by,
            Event::Relate { .. } | Event::Moderate { .. } => 0,
        }
    }

    /// Whether the instance fetched what it says.
    pub fn is_fetched(&self) -> bool {
        match self {
            Event::Write(writing) => writing.delivery == Delivery::Fetched,
            Event::Name { fetched, .. } => *fetched,
            _ => false,
        }
    }

    /// The record's JSON. `authors` has the author of each post.
    pub fn json(&self, world: &World, authors: &[usize]) -> Value {
        let author = self.author(authors);
        let by = &world.actor(author);
        let uri = |post: usize| world.post(authors[post], post);
        let shape = world.origin_of(author).shape;
        match self {
            Event::Write(writing) => writing.json(world, authors),
            Event::Boost {
                post,
                of,
                published,
                has_id,
            } => shape.announce(&Announce {
                uri: has_id.then(|| uri(*post)).as_deref(),
                actor: by,
                object: &uri(*of),
                published: *published,
            }),
            // Servers do either.
            Event::Delete(post) if post % 2 == 0 => delete_with_tombstone(by, &uri(*post)),
            Event::Delete(post) => delete(by, &uri(*post)),
            Event::Unboost { of, post, .. } => undo(by, post.map(uri).as_deref(), &uri(*of)),
            Event::DeleteAuthor(_) => delete(by, by),
            Event::Name {
                collection,
                fetched,
                ..
            } => {
                let followers = world.collection(*collection);
                match fetched {
                    true => person(by, &followers),
                    false => update_of_person(by, &followers),
                }
            }
            Event::Relate {
                account,
                relation,
                holds,
            } => {
                let fields = relation.fields(world);
                json::relation(relation.kind(), &world.accounts[*account], &fields, !holds)
            }
            Event::Moderate { target, action } => {
                let target = match target {
                    Moderated::Actor(who) => world.actor(*who),
                    Moderated::Host(origin) => world.origins[*origin].host.clone(),
                };
                let word = match action {
                    Some(Action::Suspend) => "suspend",
                    Some(Action::Limit) | None => "limit",
                };
                let fields = json!({"target": target, "action": word});
                json::relation("moderation", INSTANCE, &fields, action.is_none())
            }
        }
    }
}

impl Writing {
    /// A post for everybody, which mentions and answers nobody.
    pub fn public(post: usize, published: i64) -> Writing {
        Writing {
            delivery: Delivery::Create,
            post,
            published: Some(published),
            updated: None,
            audience: Audience::Public,
            mentions: None,
            parent: None,
            tag: None,
        }
    }

    fn json(&self, world: &World, authors: &[usize]) -> Value {
        let author = authors[self.post];
        let actor = world.actor(author);
        let mentioned = self.mentions.map(|actor| world.actor(actor));
        let to = match self.audience {
            Audience::Public => PUBLIC.to_owned(),
            Audience::Followers => format!("{actor}/followers"),
            Audience::To(other) => world.collection(other),
            Audience::Mentioned => mentioned.clone().unwrap_or_default(),
        };
        let parent = self
            .parent
            .map(|parent| world.post(authors[parent], parent));
        // Of any length.
        let text = text(self.updated) + &" and so on".repeat(self.post % 40);
        let note = Note {
            uri: &world.post(author, self.post),
            url: None,
            actor: &actor,
            text: &text,
            published: self.published,
            updated: self.updated,
            to: vec![to],
            cc: Vec::new(),
            mentions: mentioned.into_iter().collect(),
            hashtags: self
                .tag
                .map(|tag| world.tags[tag].clone())
                .into_iter()
                .collect(),
            parent: parent.as_deref(),
        };
        let shape = world.origin_of(author).shape;
        match self.delivery {
            Delivery::Create => shape.create(&note),
            Delivery::Update => shape.update(&note),
            Delivery::Fetched => shape.object(&note),
        }
    }
}

/// How a post begins after the edit of that time, in milliseconds since 1970.
pub fn text(updated: Option<i64>) -> String {
    format!("as of {}", updated.unwrap_or(0))
}

impl RelationChoice {
    /// The type of its document.
    pub fn kind(&self) -> &'static str {
        match self {
            RelationChoice::Be(..) => "account",
            RelationChoice::Follow(..) => "follow",
            RelationChoice::Mute(_) | RelationChoice::MuteUntil(..) => "mute",
            RelationChoice::MuteEnd(..) => "mute_end",
            RelationChoice::Block(_) => "block",
            RelationChoice::BlockDomain(_) => "domain_block",
            RelationChoice::BlockedBy(_) => "blocked_by",
            RelationChoice::Tag(_) => "tag",
            RelationChoice::List(..) => "list",
            RelationChoice::Member(_) => "list_member",
            RelationChoice::Patience(_) => "ordering",
        }
    }

    /// The fields of its document, beside type and account.
    fn fields(&self, world: &World) -> Value {
        let patience = |ms: Option<i64>| ms.map_or("complete".to_owned(), |ms| format!("{ms}ms"));
        match *self {
            RelationChoice::Be(own, said, aggregates) => {
                let mut fields = json!({"actor": world.actor(own), "aggregate_boosts": aggregates});
                if said.is_some() {
                    fields["patience"] = json!(patience(said));
                }
                fields
            }
            RelationChoice::Patience(ms) => json!({"patience": patience(ms)}),
            RelationChoice::Follow(who, boosts) => {
                json!({"target": world.actor(who), "boosts": boosts})
            }
            RelationChoice::Mute(who)
            | RelationChoice::Block(who)
            | RelationChoice::BlockedBy(who) => json!({"target": world.actor(who)}),
            RelationChoice::MuteUntil(who, until) | RelationChoice::MuteEnd(who, until) => {
                json!({"target": world.actor(who), "until": date(until)})
            }
            RelationChoice::BlockDomain(origin) => json!({"target": world.origins[origin].host}),
            RelationChoice::Tag(tag) => json!({"target": world.tags[tag]}),
            RelationChoice::List(replies, is_exclusive) => json!({
                "target": LIST,
                "title": "Friends",
                "replies": REPLIES[replies],
                "exclusive": is_exclusive,
            }),
            RelationChoice::Member(who) => json!({"list": LIST, "target": world.actor(who)}),
        }
    }
}
