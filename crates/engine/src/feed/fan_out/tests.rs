//! What feeds remember of posts that came and went, for readers who come from where the records were read in another order.

use super::*;
use crate::activity::Visibility;
use crate::feed::merge::{MergeCause, Merging, Progress};
use crate::feed::ordered_feed::OrderedFeed;
use crate::feed::post::example;
use crate::feed::prune::Pruning;
use crate::feed::store::{Options, home_key};
use crate::graph::apply::Merge;
use crate::record::{Position, Topic};
use crate::relationship::decode;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::time::Duration;
use tempfile::TempDir;

const ANA: &str = "https://a.example/users/ana";
const BOB: &str = "https://b.example/users/bob";

struct World {
    store: Store,
    graph: Graph,
    account: AccountIx,
    _dir: TempDir,
}

fn at(partition: i32, offset: i64) -> LogPos {
    LogPos::of_activity(partition, offset)
}

/// The record of a relation.
fn relation(offset: i64) -> LogPos {
    LogPos::new(Position {
        topic: Topic::Relationships,
        partition: 0,
        offset,
    })
}

/// A post at this moment, made by one record and changed by another.
fn post(author: &str, ms: i64, made: LogPos, newest: LogPos) -> Post {
    let id = PostId::new(Time::from_millis(ms), 5, 0);
    let mut post = example::post(author);
    post.body.uri = format!("{author}/{ms}");
    Post {
        id,
        made,
        newest,
        ..post
    }
}

impl World {
    /// One account, which follows Ana.
    fn new() -> World {
        let dir = TempDir::new().unwrap();
        let store = Store::open(Options {
            boost_repeat_after: Duration::ZERO,
            ..Options::of_tests(dir.path())
        });
        let mut graph = Graph::default();
        let (account, _) = graph.account_or_new("7");
        let store = store.unwrap();
        store.homes.add(account, home_key("7"));
        let mut world = World {
            store,
            graph,
            account,
            _dir: dir,
        };
        world.relate("follow", ANA);
        world
    }

    fn relate(&mut self, kind: &str, target: &str) {
        let document = format!(r#"{{"type":"{kind}","account":"7","target":"{target}"}}"#);
        self.graph
            .apply(&decode(None, Some(document.as_bytes())).unwrap());
    }

    fn home(&self) -> OrderedFeed {
        self.store.feed(&self.feed()).unwrap()
    }

    /// Whether it is remembered that an entry left by this record.
    fn has_left(&self, post: &Post, log_pos: LogPos) -> bool {
        self.home().removed.contains(&(post.id, log_pos))
    }

    /// Carries out a follow of Ana.
    fn merge(&self) {
        let cause = MergeCause {
            begins: false,
            marks: vec![relation(1)],
            ..MergeCause::default()
        };
        let (store, graph, feed) = (&self.store, &self.graph, &self.feed());
        let mut merging = Merging::new(graph, feed, &[Merge::Author(ANA.to_owned())]);
        while let Progress::Going = merging
            .step(store, graph, feed, &cause, PostId::MAX)
            .unwrap()
        {}
    }

    fn feed(&self) -> FeedId {
        FeedId::Home(self.account)
    }
}

/// Were this to fail, who comes from where the original was not read yet would never be told of the boost.
#[test]
fn a_boost_rests_on_what_it_boosts_too() {
    let world = World::new();
    let original = world.store.put_post(post(BOB, 1, at(1, 5), at(1, 6)));
    let mut boost = post(ANA, 2, at(0, 3), at(0, 3));
    boost.body.boost_of = Some(original.body.uri.clone());
    let boost = world.store.put_post(boost);
    let cause = boost.newest;
    fan_out(
        &world.store,
        &world.graph,
        &boost,
        Some(&original),
        PostChange::New,
        cause,
    )
    .unwrap();
    let rests: Vec<LogPos> = world.home().marks_of(boost.id).collect();
    assert_eq!(rests, [at(0, 3), at(1, 6)]);
}

/// Were this to fail, who had the boost while its original was open would keep it.
#[test]
fn a_boost_of_what_is_not_open_any_more_has_left() {
    let world = World::new();
    let mut original = post(BOB, 1, at(1, 5), at(1, 6));
    original.body.visibility = Visibility::Private;
    let original = world.store.put_post(original);
    let mut boost = post(ANA, 2, at(0, 3), at(0, 3));
    boost.body.boost_of = Some(original.body.uri.clone());
    let boost = world.store.put_post(boost);
    let cause = boost.newest;
    fan_out(
        &world.store,
        &world.graph,
        &boost,
        Some(&original),
        PostChange::New,
        cause,
    )
    .unwrap();
    assert_eq!(world.home().ids, []);
    assert!(world.has_left(&boost, cause));
}

/// Were this to fail, who had the post before it was edited, where the follow was read before that, would keep it.
#[test]
fn what_a_follow_does_not_let_in_any_more_has_left_by_its_edit() {
    let world = World::new();
    let mut sent = post(ANA, 1, at(0, 3), at(0, 4));
    sent.body.visibility = Visibility::Direct;
    let sent = world.store.put_post(sent);
    world.merge();
    assert!(world.has_left(&sent, at(0, 4)));
    assert_eq!(world.home().ids, []);
}

/// Were this to fail, who had the post before it was edited, where the mute is not read yet, would keep it.
#[test]
fn what_a_mute_takes_out_has_left_by_its_edit_too() {
    let mut world = World::new();
    let edited = world.store.put_post(post(ANA, 1, at(0, 3), at(0, 4)));
    let (store, graph) = (&world.store, &world.graph);
    fan_out(store, graph, &edited, None, PostChange::New, edited.newest).unwrap();
    assert_eq!(world.home().ids, [edited.id]);
    world.relate("mute", ANA);
    let cause = MergeCause {
        begins: false,
        marks: vec![relation(1)],
        ..MergeCause::default()
    };
    let mut pruning = Pruning::new();
    while let Progress::Going = pruning
        .step(&world.store, &world.graph, &world.feed(), &cause)
        .unwrap()
    {}
    assert_eq!(world.home().ids, []);
    assert!(world.has_left(&edited, relation(1)));
    assert!(world.has_left(&edited, at(0, 4)));
}

/// A post of Ana's that was for followers until her document, which stands in another partition, named another collection.
fn put_out_by_a_document() -> Post {
    let mut sent = post(ANA, 1, at(0, 3), at(0, 3));
    sent.body.visibility = Visibility::Limited;
    sent.document = Some(at(1, 7));
    sent
}

/// Were this to fail, who had the post where the document was not read yet would keep it: and it is not for them.
#[test]
fn what_a_document_put_out_before_it_came_has_left_by_the_document() {
    let world = World::new();
    let sent = world.store.put_post(put_out_by_a_document());
    let (store, graph) = (&world.store, &world.graph);
    fan_out(store, graph, &sent, None, PostChange::New, sent.newest).unwrap();
    assert_eq!(world.home().ids, []);
    assert!(world.has_left(&sent, at(1, 7)));
}

/// Were this to fail, who had the post where the follow was read before the document would keep it.
#[test]
fn what_a_follow_does_not_let_in_any_more_has_left_by_its_authors_document() {
    let world = World::new();
    let sent = world.store.put_post(put_out_by_a_document());
    let mut boost = post(ANA, 2, at(0, 4), at(0, 4));
    boost.body.boost_of = Some(sent.body.uri.clone());
    let boost = world.store.put_post(boost);
    world.merge();
    assert_eq!(world.home().ids, []);
    assert!(world.has_left(&sent, at(1, 7)));
    assert!(world.has_left(&boost, at(1, 7)));
}

/// Were this to fail, who comes from before the document would never be told of what it let in.
#[test]
fn what_a_document_let_in_rests_on_it_and_a_boost_of_that_too() {
    let world = World::new();
    let mut sent = put_out_by_a_document();
    sent.body.visibility = Visibility::Private;
    let sent = world.store.put_post(sent);
    let mut boost = post(ANA, 2, at(0, 4), at(0, 4));
    boost.body.boost_of = Some(sent.body.uri.clone());
    let boost = world.store.put_post(boost);
    let (store, graph) = (&world.store, &world.graph);
    fan_out(store, graph, &sent, None, PostChange::New, sent.newest).unwrap();
    fan_out(
        store,
        graph,
        &boost,
        Some(&sent),
        PostChange::New,
        boost.newest,
    )
    .unwrap();
    for post in [&sent, &boost] {
        let rests: Vec<LogPos> = world.home().marks_of(post.id).collect();
        assert!(rests.contains(&at(1, 7)), "{rests:?}");
    }
}
