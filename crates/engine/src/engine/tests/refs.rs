//! Posts found by the ids that the backend gave them.

use super::*;

/// The URI of the post that has this ref.
fn uri_of(world: &World, post_ref: &str) -> Option<String> {
    let post = world.store.post_by_ref(post_ref).unwrap()?;
    Some(post.body.uri.clone())
}

#[test]
fn a_post_is_found_by_its_ref_before_and_after_a_checkpoint_and_in_a_rebuild() {
    let log = [
        with_ref(create(0, 0, NOON, NOON + 1), "one"),
        with_ref(create(1, 0, NOON, NOON + 2), "two"),
        create(2, 0, NOON, NOON + 3),
    ];
    let check = |world: &World, when: &str| {
        for (post_ref, uri) in [
            ("one", Some(uri(0, 0))),
            ("two", Some(uri(1, 0))),
            ("three", None),
        ] {
            assert_eq!(uri_of(world, post_ref), uri, "{post_ref} {when}");
        }
    };
    let mut world = World::new();
    world.read(&log, &BTreeSet::new());
    check(&world, "in memory");
    world.checkpoint();
    let world = world.crash();
    check(&world, "on disk");
    let mut rebuilt = World::new();
    rebuilt.read(&log, &BTreeSet::from([1]));
    check(&rebuilt, "in a rebuild");
}

/// Were this to fail, a backend could not go on paging from a post that was deleted meanwhile.
#[test]
fn a_deleted_post_keeps_its_ref_and_a_forgotten_one_gives_it_up() {
    let mut world = World::new();
    let log = [
        with_ref(create(0, 0, NOON, NOON + 1), "one"),
        delete(0, 0, NOON + 2),
    ];
    world.read(&log, &BTreeSet::from([1]));
    let post = world.store.post_by_ref("one").unwrap().unwrap();
    assert_eq!(post.state, State::Gone);
    world.store.forget_post(&post).unwrap();
    assert_eq!(uri_of(&world, "one"), None);
    world.checkpoint();
    assert_eq!(uri_of(&world.crash(), "one"), None);
}

/// Were this to fail, a post whose ref came with a later record would be lost to its backend by a crash: what is stored of the post has
/// the ref, so that the record, read again, says nothing new.
#[test]
fn a_ref_that_came_later_is_found_whichever_write_a_checkpoint_is_cut_off_after() {
    let log = [
        follow("7", 0),
        create(0, 0, NOON, NOON + 1),
        with_ref(create(0, 0, NOON, NOON + 2), "one"),
        create(0, 1, NOON + 1, NOON + 3),
    ];
    for writes in 0.. {
        let mut world = World::new();
        world.read(&log[..2], &BTreeSet::from([1]));
        world.read(&log, &BTreeSet::new());
        let was_all = world.checkpoint_cut_off(writes);
        let mut world = world.crash();
        world.read(&log, &BTreeSet::new());
        assert_eq!(
            uri_of(&world, "one"),
            Some(uri(0, 0)),
            "after {writes} writes"
        );
        world.checkpoint();
        assert_eq!(uri_of(&world.crash(), "one"), Some(uri(0, 0)));
        if was_all {
            assert!(5 < writes, "{writes} writes were all");
            return;
        }
    }
}

#[test]
fn of_several_posts_with_one_ref_the_highest_placed_is_found() {
    let log = [
        with_ref(create(0, 1, NOON + 1, NOON + 1), "one"),
        with_ref(create(1, 0, NOON, NOON + 2), "one"),
    ];
    let mut world = World::new();
    world.read(&log, &BTreeSet::from([0]));
    assert_eq!(uri_of(&world, "one"), Some(uri(0, 1)));
    let first = world.store.post_by_ref("one").unwrap().unwrap();
    world.store.forget_post(&first).unwrap();
    assert_eq!(uri_of(&world, "one"), Some(uri(1, 0)));
}
