//! Edits, deletes, undos, and authors who are deleted.

use super::super::scenario::*;
use super::*;

#[test]
fn an_edit_keeps_the_place_and_is_marked_and_an_older_one_never_undoes_a_newer() {
    let mut story = Story::given(&[wish("follow 0"), post(0, 0), post(0, 1)]);
    story.when(edits(0, 0, Some(2), r#","summary":"two""#));
    story.when(edits(0, 0, Some(1), r#","summary":"one""#));
    assert_eq!(story.home(), "0/0 0/1");
    let (edited, object) = known(&story, 0, 0);
    assert_eq!(edited, Some(at(0, 0) + 120_000));
    assert!(object.contains(r#""summary":"two""#), "{object}");
}

#[test]
fn an_edit_takes_the_post_where_it_belongs_now() {
    let mut story = Story::given(&[wish("follow 0"), wish("tag sea"), tagged(1, 0)]);
    assert_eq!(
        (story.home(), story.feed("#rust")),
        (String::new(), "1/0".into())
    );
    story.when(edits(1, 0, Some(1), &RUST.replace("Rust", "sea")));
    assert_eq!(
        (story.home(), story.feed("#rust")),
        ("1/0".into(), String::new())
    );
    assert_eq!(story.feed("#sea"), "1/0");
    story.when(edits(1, 0, Some(2), ""));
    assert_eq!((story.home(), story.feed("#sea")), Default::default());
}

#[test]
fn an_edit_that_mentions_whom_i_block_takes_the_post_and_its_boosts_out_and_the_next_back_in() {
    let mention = format!(r#","tag":[{{"type":"Mention","href":"{}"}}]"#, actor(3));
    let lines = [
        wish("follow 0"),
        wish("follow 1"),
        wish("block 3"),
        post(0, 0),
        boosts(1, 1, (0, 0)),
    ];
    let mut story = Story::given(&lines);
    assert_eq!(story.home(), "0/0 1/1");
    story.when(edits(0, 0, Some(1), &mention));
    assert_eq!(story.home(), "");
    story.when(edits(0, 0, Some(2), ""));
    assert_eq!(story.home(), "0/0 1/1");
}

#[test]
fn an_update_without_a_newer_time_replaces_the_object_and_says_nothing() {
    let mut story = Story::given(&[wish("follow 0"), post(0, 0)]);
    story.when(edits(0, 0, None, r#","votersCount":3"#));
    let (edited, object) = known(&story, 0, 0);
    assert_eq!(edited, None);
    assert!(object.contains(r#""votersCount":3"#), "{object}");
    story.when(edits(0, 0, Some(1), ""));
    story.when(edits(0, 0, None, r#","votersCount":4"#));
    let (edited, object) = known(&story, 0, 0);
    assert_eq!(edited, Some(at(0, 0) + 60_000));
    assert!(object.contains(r#""votersCount":4"#), "{object}");
}

#[test]
fn an_update_before_its_create_counts_as_the_create() {
    let mut story = Story::given(&[wish("follow 0")]);
    story.when(edits(0, 0, Some(1), r#","summary":"edited""#));
    assert_eq!(story.home(), "0/0");
    story.when(post(0, 0));
    assert_eq!(story.home(), "0/0");
    let (edited, object) = known(&story, 0, 0);
    assert_eq!(edited, Some(at(0, 0) + 60_000));
    assert!(object.contains(r#""summary":"edited""#), "{object}");
}

#[test]
fn an_update_of_someone_elses_post_is_refused() {
    let mut story = Story::given(&[wish("follow 0"), post(0, 0)]);
    // Author 3 lives on the same host.
    let forged = altered(edits(0, 0, Some(1), ""), &actor(0), &actor(3));
    story.when(forged);
    assert_eq!(story.world.refused.len(), 1);
    assert_eq!(known(&story, 0, 0).0, None);
}

#[test]
fn what_is_deleted_or_undone_is_gone_everywhere_with_what_rests_on_it() {
    let lines = [
        wish("follow 0"),
        wish("list friends"),
        wish("member friends 0"),
        tagged(0, 0),
        boosts(0, 1, (2, 0)),
        post(2, 0),
        boosts(0, 2, (0, 0)),
    ];
    let mut story = Story::given(&lines);
    assert_eq!(story.home(), "0/0 0/1 0/2");
    story.when(deletes(0, 0));
    assert_eq!(
        (story.home(), story.feed("friends 7")),
        ("0/1".into(), "0/1".into())
    );
    assert_eq!(
        (story.feed("#rust"), story.feed("public")),
        (String::new(), "2/0".into())
    );
    story.when(undoes(0, Some(1), (2, 0)));
    assert_eq!((story.home(), story.feed("friends 7")), Default::default());
}

#[test]
fn what_is_deleted_or_undone_before_it_comes_never_shows() {
    let mut story = Story::given(&[wish("follow 0"), post(2, 0)]);
    story.when(deletes(0, 0)).when(undoes(0, Some(1), (2, 0)));
    story.when(post(0, 0)).when(boosts(0, 1, (2, 0)));
    assert_eq!(
        (story.home(), story.feed("public")),
        (String::new(), "2/0".into())
    );
}

/// A failure means that who boosts a post again after an undo is not heard.
#[test]
fn an_undo_without_the_boosts_id_undoes_what_stands_before_it_whatever_the_dates() {
    // Both were written long before the undo arrived.
    let mut story = Story::given(&[wish("follow 0"), wish("follow 1"), post(2, 0)]);
    story.when(boosts(0, 1, (2, 0))).when(boosts(1, 1, (2, 0)));
    story.when(undoes(0, None, (2, 0)));
    assert_eq!(story.home(), "1/1", "only their own");
    story.when(boosts(0, 2, (2, 0)));
    assert_eq!(story.home(), "1/1 0/2");
    story.when(undoes(0, None, (2, 0)));
    assert_eq!(story.home(), "1/1");
}

#[test]
fn a_boost_without_an_id_may_be_made_again_once_it_is_undone() {
    let without_id = |n| {
        let id = format!(r#""id":"{}","#, uri(0, n));
        altered(boosts(0, n, (2, 0)), &id, "")
    };
    let mut story = Story::given(&[wish("follow 0"), post(2, 0)]);
    let made = format!("{}#announce/{}", actor(0), uri(2, 0));
    let held = |story: &Story| {
        let feeds = story.world.feeds();
        let home = feeds.get("home 7").into_iter();
        let uris = home
            .flat_map(|feed| &feed.entries)
            .map(|(_, uri)| uri.clone());
        uris.collect::<Vec<_>>()
    };
    for n in 1..=3 {
        story.when(without_id(2 * n));
        let expected = match n {
            1 => made.clone(),
            n => format!("{made}#{n}"),
        };
        assert_eq!(held(&story), std::slice::from_ref(&expected));
        story.when(without_id(2 * n + 1));
        assert_eq!(held(&story), [expected], "said twice");
        story.when(undoes(0, None, (2, 0)));
        assert_eq!(held(&story), [""; 0]);
    }
    story.when(leaves(0)).when(without_id(9));
    assert_eq!(held(&story), [""; 0]);
}

#[test]
fn an_author_deleted_takes_all_theirs_along_and_the_replies_to_them() {
    for first in [true, false] {
        let mut story = Story::given(&[wish("follow 0"), wish("follow 1")]);
        if first {
            story.when(leaves(0));
        }
        story.when(post(0, 0)).when(reply(1, 1, (0, 0)));
        story.when(reply(1, 2, (1, 1))).when(post(1, 3));
        if !first {
            assert_eq!(story.home(), "0/0 1/1 1/2 1/3");
            story.when(leaves(0));
        }
        assert_eq!(story.home(), "1/3");
        assert_eq!(story.feed("public"), "1/3");
    }
}

/// When it was edited, and its object.
fn known(story: &Story, author: usize, n: usize) -> (Option<i64>, String) {
    let post = story.world.store.post_by_uri(&uri(author, n));
    let post = post.unwrap().unwrap();
    (
        post.edited.map(Time::millis),
        post.body.object.get().to_owned(),
    )
}
