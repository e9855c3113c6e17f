//! Every feed as the rules give it from all posts there are and the relations as they are in the end: plainly, with
//! nothing kept, merged, waited for or taken back.

use super::*;
use crate::feed::feed_id::{FeedId, PublicPart};
use crate::feed::ordered_feed::OrderedFeed;
use crate::feed::post::Post;
use crate::feed::reply_target::ReplyTarget;
use crate::feed::rules::{
    Decision, Subject, decide, decide_list, is_in_public_feed, is_in_tag_feed,
};
use crate::graph::AccountIx;
use crate::relationship::{Change, Key, Kind, Relation, decode};

/// Those who write in these tests are the authors below this.
pub(super) const AUTHORS: usize = 7;
/// The lists and hashtags that are looked at.
const LISTS: [&str; 2] = ["friends", "close"];
const TAGS: [&str; 2] = ["rust", "sea"];
const PARTS: [(&str, PublicPart); 3] = [
    ("public", PublicPart::All),
    ("local", PublicPart::Local),
    ("remote", PublicPart::Remote),
];

/// Every feed that holds something, by name.
pub(super) type Feeds = BTreeMap<String, Feed>;

/// A feed, lowest place first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Feed {
    pub(super) entries: Vec<(PostId, String)>,
    /// The highest place dropped for length.
    pub(super) floor: PostId,
}

/// The feeds after these lines, in whatever order their authors and accounts wrote them.
pub(super) fn from_scratch(lines: &[Line]) -> Feeds {
    let (posts, graph) = (posts_of(lines), graph_of(lines));
    let mut feeds = Feeds::new();
    let mut put = |name: String, is_in: &dyn Fn(&Subject<'_>, &Post) -> bool| {
        let mut entries: Vec<(PostId, String)> = posts
            .values()
            .filter(|post| {
                let original = post.body.boost_of.as_ref().and_then(|uri| posts.get(uri));
                is_in(&Subject::new(post, original, &graph), post)
            })
            .map(|post| (post.id, post.body.uri.clone()))
            .collect();
        entries.sort();
        let surplus = entries.len().saturating_sub(LENGTH);
        let dropped = entries.drain(..surplus).next_back();
        let floor = dropped.map_or(PostId::MIN, |(id, _)| id);
        if !entries.is_empty() {
            feeds.insert(name, Feed { entries, floor });
        }
    };
    for n in 0..graph.accounts() {
        let account = graph.get(AccountIx::from_number(n)).unwrap();
        put(format!("home {}", account.id()), &|subject, _| {
            matches!(decide(subject, account), Decision::In(_))
        });
        for (id, list) in account.lists() {
            put(format!("{id} {}", account.id()), &|subject, _| {
                matches!(decide_list(subject, account, list), Decision::In(_))
            });
        }
    }
    for tag in TAGS {
        put(format!("#{tag}"), &|subject, post| {
            post.body.tags.iter().any(|of| of == tag) && is_in_tag_feed(subject, None)
        });
    }
    for (name, part) in PARTS {
        put(name.to_owned(), &|subject, post| {
            let author = graph.actor(&post.body.author);
            let is_local = author.is_some_and(|author| !graph.owners(author).is_empty());
            is_in_public_feed(subject, None) && is_of(part, is_local)
        });
    }
    feeds
}

impl World {
    /// Every feed as it is kept.
    pub(super) fn feeds(&self) -> Feeds {
        let mut feeds = Feeds::new();
        let mut put = |name: String, ledger: OrderedFeed| {
            let surplus = ledger.ids.len().saturating_sub(LENGTH);
            let dropped = surplus
                .checked_sub(1)
                .map_or(PostId::MIN, |at| ledger.ids[at]);
            let entry = |id: PostId| {
                let post = self.store.post(id).unwrap().unwrap();
                (id, post.body.uri.clone())
            };
            let mut entries: Vec<_> = ledger.newest_first().take(LENGTH).map(entry).collect();
            entries.reverse();
            let floor = ledger.floor.max(dropped);
            // One that dropped something and then lost the rest has a floor still.
            if !entries.is_empty() || floor != PostId::MIN {
                feeds.insert(name, Feed { entries, floor });
            }
        };
        let graph = self.graph.read();
        for n in 0..graph.accounts() {
            let ix = AccountIx::from_number(n);
            let id = graph.get(ix).unwrap().id();
            put(
                format!("home {id}"),
                self.store.feed(&FeedId::Home(ix)).unwrap(),
            );
            for list in LISTS {
                let name = FeedId::list(ix, id, list);
                put(format!("{list} {id}"), self.store.feed(&name).unwrap());
            }
        }
        for tag in TAGS {
            let name = FeedId::tag(tag);
            put(format!("#{tag}"), self.store.feed(&name).unwrap());
        }
        for (name, part) in PARTS {
            let kept = self.store.feed(&FeedId::Public(part)).unwrap();
            put(name.to_owned(), kept);
        }
        feeds
    }
}

fn is_of(part: PublicPart, is_local: bool) -> bool {
    match part {
        PublicPart::All => true,
        PublicPart::Local => is_local,
        PublicPart::Remote => !is_local,
    }
}

/// All posts by URI, with whom they answer found anew. Without relations: nobody's feed has a part in it.
pub(super) fn posts_of(lines: &[Line]) -> BTreeMap<String, Post> {
    let activities = lines
        .iter()
        .filter(|line| matches!(line, Line::Activity { .. }));
    let mut world = World::new();
    for (offset, line) in activities.enumerate() {
        world.take(offset, line);
    }
    let mut posts = BTreeMap::new();
    for author in (0..AUTHORS).map(actor) {
        for id in world.store.list(Index::Author, &author).unwrap() {
            let post = world.store.post(id).unwrap();
            let post = Post::clone(&post.unwrap());
            posts.insert(post.body.uri.clone(), post);
        }
    }
    let whoms: Vec<ReplyTarget> = posts.values().map(|post| whom(post, &posts, 0)).collect();
    for (post, whom) in posts.values_mut().zip(whoms) {
        post.answers.whom = whom;
    }
    posts
}

/// Whom a post answers. Posts of one author may claim to answer each other in a circle: then nobody knows whom.
fn whom(post: &Post, posts: &BTreeMap<String, Post>, above: usize) -> ReplyTarget {
    let Some(parent) = &post.body.in_reply_to else {
        return ReplyTarget::Nobody;
    };
    match posts.get(parent) {
        Some(parent) if parent.is_author_gone => ReplyTarget::Gone,
        Some(parent) if parent.body.author != post.body.author => {
            ReplyTarget::Actor(parent.body.author.clone())
        }
        Some(parent) if above <= posts.len() => match whom(parent, posts, above + 1) {
            ReplyTarget::Nobody => ReplyTarget::Themself,
            whom => whom,
        },
        Some(_) | None => ReplyTarget::Unknown,
    }
}

/// The relations that are left: of each key the last word, and of an account that was removed nothing from before.
fn graph_of(lines: &[Line]) -> Graph {
    let mut left = BTreeMap::new();
    for line in lines {
        let Line::Relation(json) = line else {
            continue;
        };
        let change = decode(None, Some(json.as_bytes())).unwrap();
        if (change.key.kind, &change.relation) == (Kind::Account, &None) {
            left.retain(|key: &Key, _| key.account != change.key.account);
        } else if change.relation.is_none() {
            left.remove(&change.key);
        } else {
            left.insert(change.key.clone(), change.relation);
        }
    }
    let ends = left.clone();
    let has_ended = |key: &Key, relation: &Option<Relation>| {
        let end = Key {
            kind: Kind::MuteEnd,
            ..key.clone()
        };
        let until = relation.as_ref().and_then(Relation::ends_at);
        let named = match ends.get(&end) {
            Some(Some(Relation::MuteEnd { until, .. })) => Some(*until),
            _ => None,
        };
        until.is_some() && until == named
    };
    left.retain(|key, relation| !has_ended(key, relation));
    let mut graph = Graph::default();
    for (key, relation) in left {
        graph.apply(&Change { key, relation });
    }
    graph
}
