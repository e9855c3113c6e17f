//! Merges and prunes while something else happens, and what they do below the end of a feed.

use super::scenario::*;
use super::*;

impl Story {
    /// A relation comes into force, and one step is taken of what it calls for.
    fn tell_and_begin(&mut self, line: &Line) {
        let offset = self.tell_only(line);
        let engine = &mut self.world.engine;
        let graph = engine.graph.read();
        let visible = |_: &Graph, _| PostId::MAX;
        let progress = engine.backlog.step(&engine.store, &graph, &visible);
        assert_eq!(progress.unwrap(), Progress::Going, "record {offset}");
    }

    /// The home is as long as a checkpoint leaves it.
    fn trim(&mut self) {
        self.world.checkpoint();
        assert!(PostId::MIN < self.stored().floor);
    }

    /// The home as it is stored.
    fn stored(&self) -> OrderedFeed {
        let account = self.world.graph.read().account("7").unwrap();
        self.world.store.feed(&FeedId::Home(account)).unwrap()
    }

    /// What of the home a reader sees who wants no repeats within a day, lowest first.
    fn seen(&self) -> String {
        let day = Duration::from_secs(86_400);
        let home = self.stored();
        let part = visible(&home, LENGTH, None, Some(day));
        let name = |id: &PostId| {
            let post = self.world.store.post(*id).unwrap().unwrap();
            let parts: Vec<&str> = post.body.uri.rsplitn(3, '/').collect();
            format!("{}/{}", parts[1], parts[0])
        };
        let names: Vec<String> = part.ids().iter().map(name).collect();
        names.join(" ")
    }
}

/// As many posts by author 2 as a feed holds, and one more, from the first on.
fn full() -> Vec<Line> {
    (1..=LENGTH + 1).map(|n| post(2, n)).collect()
}

/// A failure means that a reader with a cursor keeps what a mute took out: nothing later than the post would say that it left.
#[test]
fn an_entry_that_a_later_relation_excludes_stays_amid_a_merge_and_leaves_because_of_that_relation()
{
    let mut story = Story::given(&[wish("tag rust"), tagged(2, 0), edits(2, 0, Some(1), RUST)]);
    assert_eq!(story.home(), "2/0");
    story.tell_and_begin(&wish("follow 2"));
    let mute = story.tell_only(&wish("mute 2"));
    story.world.settle();
    let home = story.stored();
    assert!(home.ids.is_empty());
    let reasons = home.removed.iter().map(|(_, at)| at.position());
    let relations: Vec<i64> = reasons
        .filter(|at| at.topic == Topic::Relationships)
        .map(|at| at.offset)
        .collect();
    assert_eq!(relations, [mute]);
}

/// A failure means that readers keep a post as it was before an edit that came while an unfollow was to be carried out.
#[test]
fn an_entry_that_missed_an_edit_while_its_author_was_not_followed_has_it_when_they_are_again() {
    let mut story = Story::given(&[wish("follow 0"), post(0, 0)]);
    story.tell_only(&wish("end follow 0"));
    let edit = story.tell_only(&edits(0, 0, Some(1), ""));
    story.tell_only(&wish("follow 0"));
    story.world.settle();
    let home = story.stored();
    let marks: Vec<i64> = home.marks.iter().map(|at| at.position().offset).collect();
    assert_eq!(marks, [edit]);
}

/// A failure means that a boost shows where it would be hidden in the same feed made from scratch.
#[test]
fn a_boost_that_a_merge_brings_repeats_a_post_for_which_an_earlier_merge_had_no_room() {
    let mut story = Story::given(&[wish("follow 2")]);
    for line in full() {
        story.tell(line);
    }
    story.trim();
    story.tell(post(0, 0));
    story.tell(boosts(1, 20, (0, 0)));
    story.tell(wish("follow 0"));
    assert!(!story.home().contains("0/0"), "{}", story.home());
    story.tell(wish("follow 1"));
    assert!(story.home().contains("1/20"), "{}", story.home());
    assert!(!story.seen().contains("1/20"), "{}", story.seen());
}

/// A failure means that a boost is hidden for the sake of a post that its reader has not and may not have.
#[test]
fn a_boost_is_no_repeat_of_a_post_below_the_end_whose_author_is_not_followed_any_more() {
    let mut story = Story::given(&[
        wish("follow 0"),
        wish("follow 1"),
        wish("follow 2"),
        post(0, 0),
    ]);
    for line in full() {
        story.tell(line);
    }
    story.trim();
    story.tell(boosts(1, 20, (0, 0)));
    assert!(!story.home().contains("0/0"), "{}", story.home());
    assert!(!story.seen().contains("1/20"), "{}", story.seen());
    story.tell(wish("end follow 0"));
    assert!(story.seen().contains("1/20"), "{}", story.seen());
}
