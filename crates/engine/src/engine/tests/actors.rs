//! What is known of actors, through decoding, keeping and sled.

use super::*;

const DAY: i64 = 86_400_000;

/// The server of author `n` says what it is called now.
fn rename(n: usize, name: &str, updated: Option<&str>, arrived: i64) -> Line {
    let id = actor(n);
    let updated = updated.map_or(String::new(), |time| format!(r#","updated":"{time}""#));
    Line::Activity {
        json: format!(
            r#"{{"type":"Update","id":"{id}#{arrived}","actor":"{id}","object":{{"type":"Person","id":"{id}","inbox":"{id}/inbox","name":"{name}"{updated}}}}}"#
        ),
        arrived,
        beside: Beside::default(),
    }
}

/// Author `n` writes post `post`, with what it is called.
fn embedding(n: usize, post: usize, name: &str, arrived: i64) -> Line {
    let (id, uri) = (actor(n), uri(n, post));
    Line::Activity {
        json: format!(
            r#"{{"type":"Create","actor":{{"type":"Person","id":"{id}","inbox":"{id}/inbox","name":"{name}"}},"object":{{"type":"Note","id":"{uri}","attributedTo":"{id}","to":"as:Public"}}}}"#
        ),
        arrived,
        beside: Beside::default(),
    }
}

fn gone(n: usize, arrived: i64) -> Line {
    let id = actor(n);
    Line::Activity {
        json: format!(r#"{{"type":"Delete","actor":"{id}","object":"{id}"}}"#),
        arrived,
        beside: Beside::default(),
    }
}

impl World {
    /// What author `n` is called, as far as is known.
    fn name_of(&self, n: usize) -> Option<String> {
        let actor = self.store.actor(&actor(n)).unwrap()?;
        Some(actor.document.name.clone().unwrap_or_default())
    }

    fn sweep(&mut self) {
        self.checkpoint();
        let log_time = self.arrived_last;
        self.begin_sweep(log_time);
        self.end_sweep();
        self.checkpoint();
    }
}

/// Every order of `log`, with a checkpoint and a restart after every record or after none, gives `name`.
#[track_caller]
fn check(log: &[Line], name: Option<&str>) {
    for order in orders(log.len()) {
        for again in [false, true] {
            let mut world = World::new();
            for (offset, n) in order.iter().enumerate() {
                world.take(offset, &log[*n]);
                if again {
                    world.checkpoint();
                    world = world.crash();
                }
            }
            assert_eq!(world.name_of(0).as_deref(), name, "{order:?} {again}");
        }
    }
}

/// A failure means that two nodes, or one before and after a restart, call an author differently.
#[test]
fn the_newest_document_of_an_actor_stays_whichever_came_first() {
    let (old, new) = (Some("2026-01-01T00:00:00Z"), Some("2026-01-02T00:00:00Z"));
    let late = NOON + 100 * 365 * DAY;
    check(
        &[
            rename(0, "old", old, late + 2),
            rename(0, "new", new, late),
            rename(0, "older", Some("2025-12-31T00:00:00Z"), late + 3),
        ],
        Some("new"),
    );
    check(
        &[
            rename(0, "first", None, NOON + 1),
            embedding(0, 1, "last", NOON + 3),
            rename(0, "second", None, NOON + 2),
        ],
        Some("last"),
    );
}

#[test]
fn of_one_moment_the_later_in_the_log_stays() {
    let mut world = World::new();
    for (offset, name) in ["a", "c", "b"].into_iter().enumerate() {
        world.take(offset, &rename(0, name, None, NOON));
        assert_eq!(world.name_of(0).as_deref(), Some(name));
    }
    // Read again from before, as after a crash.
    world.take(1, &rename(0, "c", None, NOON));
    assert_eq!(world.name_of(0).as_deref(), Some("b"));
}

#[test]
fn a_deleted_actor_is_not_known_whichever_came_first() {
    check(
        &[
            rename(0, "gone", None, NOON + 1),
            gone(0, NOON + 2),
            embedding(0, 1, "gone too", NOON + 3),
        ],
        None,
    );
    // Another of its host, who is deleted, takes nothing of it along.
    check(
        &[rename(0, "here", None, NOON + 1), gone(3, NOON + 2)],
        Some("here"),
    );
}

#[test]
fn an_author_is_known_even_if_the_post_is_refused() {
    let mut world = World::new();
    let (by, foreign) = (actor(3), uri(0, 0));
    world.take(0, &create(0, 0, NOON, NOON));
    let json = format!(
        r#"{{"type":"Update","actor":{{"type":"Person","id":"{by}","name":"known"}},"object":{{"type":"Note","id":"{foreign}","attributedTo":"{by}"}}}}"#
    );
    world.take(
        1,
        &Line::Activity {
            json,
            arrived: NOON,
            beside: Beside::default(),
        },
    );
    assert_eq!(world.refused.len(), 1);
    assert_eq!(world.name_of(3).as_deref(), Some("known"));
}

#[test]
fn a_crash_takes_nothing_that_a_checkpoint_holds_and_the_log_gives_back_the_rest() {
    let log = [
        rename(0, "kept", None, NOON + 1),
        rename(3, "kept too", None, NOON + 1),
        gone(3, NOON + 2),
        rename(0, "newer", None, NOON + 3),
    ];
    for writes in 0.. {
        let mut world = World::new();
        world.read(&log[..2], &BTreeSet::from([1]));
        world.read(&log, &BTreeSet::new());
        let is_whole = world.checkpoint_cut_off(writes);
        world = world.crash();
        if writes == 0 {
            let known = [world.name_of(0), world.name_of(3)];
            assert_eq!(
                known,
                ["kept", "kept too"].map(|name| Some(name.to_owned()))
            );
        }
        world.read(&log, &BTreeSet::new());
        assert_eq!(world.name_of(0).as_deref(), Some("newer"), "{writes}");
        assert_eq!(world.name_of(3), None, "{writes}");
        if is_whole {
            break;
        }
    }
}

#[test]
fn an_actor_goes_with_the_last_that_is_left_of_its_posts() {
    let mut world = World::new();
    // Only told of; with a post; told of again, later; long after everything else, so that time passes.
    let log = [
        rename(0, "told of", None, NOON),
        rename(1, "writes", None, NOON),
        unlisted(create(1, 0, NOON, NOON)),
        rename(2, "told of", None, NOON),
        rename(2, "told of again", None, NOON + 20 * DAY),
        create(4, 0, NOON + 31 * DAY, NOON + 31 * DAY),
    ];
    world.read(&log, &BTreeSet::new());
    world.sweep();
    assert_eq!(world.name_of(0), None);
    assert_eq!(world.name_of(1).as_deref(), Some("writes"));
    assert_eq!(world.name_of(2).as_deref(), Some("told of again"));
    // Of its post a stub was left, until now.
    let later = NOON + 400 * DAY;
    world.take(log.len(), &create(4, 1, later, later));
    world.sweep();
    assert_eq!((world.name_of(1), world.name_of(2)), (None, None));
}

#[test]
fn an_actor_told_of_during_a_sweep_stays() {
    let mut world = World::new();
    world.read(
        &[
            rename(0, "old", None, NOON),
            create(4, 0, NOON + 31 * DAY, NOON + 31 * DAY),
        ],
        &BTreeSet::from([1]),
    );
    let log_time = world.arrived_last;
    world.begin_sweep(log_time);
    world.take(2, &rename(0, "new", None, NOON + 31 * DAY));
    world.end_sweep();
    assert_eq!(world.name_of(0).as_deref(), Some("new"));
    world.checkpoint();
    assert_eq!(world.name_of(0).as_deref(), Some("new"));
}
