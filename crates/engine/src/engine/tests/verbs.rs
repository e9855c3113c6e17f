//! What each verb promises whoever drives the engine.

use super::scenario::*;
use super::*;
use crate::engine::publish::ServiceStatus;

/// A failure means that a record which was set aside, and was not kept before a crash, is lost.
#[test]
fn what_is_held_back_is_read_again_after_a_crash() {
    let mut world = World::new();
    let posts = [0, 1, 2].map(|n| create(0, n, NOON, NOON));
    world.read(&posts, &BTreeSet::new());
    let held = Position {
        topic: Topic::Activities,
        partition: 0,
        offset: 1,
    };
    let flush = world.begin_flush(Time::from_millis(NOON), |next| {
        assert_eq!(next.len(), 1);
        vec![held]
    });
    flush.write().unwrap();
    world.end_flush();
    assert_eq!(world.store.reflects().unwrap().next, [held]);
    assert_eq!(
        world.next()[0].offset,
        3,
        "and not before: this process has read it"
    );
}

/// A failure means that readers are shown a moment as complete of which nobody knows what the log still has.
#[test]
fn the_horizon_stands_still_while_the_log_does_not_answer() {
    let mut world = World::new();
    let mut publish = |log: &LogStatus, settled: i64| {
        let beside = ServiceStatus {
            settled: Some(Time::from_millis(settled)),
            ..ServiceStatus::default()
        };
        world.publish(log, beside);
        world.view.horizons.built().millis() - NOON
    };
    let read = status(5, 5);
    assert_eq!(publish(&read, NOON), 0);
    let away = LogStatus {
        is_reachable: false,
        ..read.clone()
    };
    assert_eq!(publish(&away, NOON + 10), 0);
    assert_eq!(publish(&LogStatus::default(), NOON + 20), 0);
    assert_eq!(publish(&read, NOON + 30), 30);
    let slow = LogStatus {
        transit: Duration::from_millis(7),
        ..read
    };
    assert_eq!(publish(&slow, NOON + 40), 33, "what is on its way here");
}

/// A failure means that a mute goes on for ever if the record that ends it was lost on its way, or that the log is filled with
/// such records.
#[test]
fn the_end_of_a_mute_is_asked_for_again_if_it_does_not_come() {
    let mut world = World::new();
    let until = Time::from_millis(NOON + 1_000).rfc3339();
    let mute = format!(
        r#"{{"type":"mute","account":"7","target":"{}","until":"{until}"}}"#,
        actor(0)
    );
    world.read(&[Line::Relation(mute)], &BTreeSet::new());
    let read = status(1, 1);
    world.follow(&read);
    let mut due = |log: &LogStatus, after: u64| {
        let after = Duration::from_millis(after);
        let now = Time::from_millis(NOON).plus(after);
        world.due_mute_ends(log, now, after).len()
    };
    assert_eq!(due(&read, 999), 0);
    assert_eq!(
        due(&status(1, 2), 1_000),
        0,
        "what is not read may renew it"
    );
    assert_eq!(due(&read, 1_000), 1);
    assert_eq!(due(&read, 60_999), 0, "it is on its way");
    assert_eq!(due(&read, 61_000), 1);
}

/// A failure means that nobody waits for an origin whose window is learned while the service runs.
#[test]
fn a_window_that_is_learned_holds_its_readers_back_once_it_is_published() {
    let mut windows = Windows::default();
    windows.default.reorder_window = ReorderWindow::Auto;
    let mut world = World::with(windows);
    let patient = r#"{"type":"ordering","account":"7","patience":"complete"}"#;
    let mut log = vec![follow("7", 0), Line::Relation(patient.to_owned())];
    log.extend(
        (0..300).map(|n| create(0, n as usize, NOON + n * 1_000, NOON + n * 1_000 + 10_000)),
    );
    world.read(&log, &BTreeSet::new());
    let hold_ms = |world: &World| {
        let graph = world.graph.read();
        graph.hold_ms(graph.account("7").unwrap())
    };
    assert_eq!(hold_ms(&world), 0);
    world.publish(&status(log.len(), log.len()), ServiceStatus::default());
    assert!(10_000 <= hold_ms(&world), "{}", hold_ms(&world));
}

/// Were this to fail, a start would show whom an account has muted, until that is read again.
#[test]
fn no_feed_is_shown_before_the_relations_that_stood_in_the_log_are_in_force() {
    let log = [wish("follow 0"), wish("mute 1")];
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::open(
        folder,
        log.len(),
        Windows::default(),
        SLICE,
        PlaceSource::Published,
    );
    let is_open = |world: &mut World, read: usize| {
        let log = status(read, log.len());
        world.follow(&log);
        world.publish(&log, ServiceStatus::default());
        world.view.built.borrow().relations_in_force
    };
    assert!(!is_open(&mut world, 0));
    world.take(0, &log[0]);
    assert!(!is_open(&mut world, 1));
    world.take(1, &log[1]);
    assert!(is_open(&mut world, 2));
}

/// Were this to fail, a boost would stay in feeds for ever after what it boosts was deleted.
#[test]
fn steps_decide_about_the_boosts_of_what_changed() {
    let mut world = World::in_slices();
    let log = [wish("follow 1"), post(0, 0), boosts(1, 1, (0, 0))];
    world.read(&log, &BTreeSet::new());
    let go_on = |world: &mut World| {
        for _ in 0..9 {
            world.step(Time::from_millis(LATER)).unwrap();
        }
        assert!(world.ingest.again.boosts.is_done());
    };
    go_on(&mut world);
    assert_eq!(world.home("7").0.len(), 1);
    world.apply_line(log.len(), &deletes(0, 0));
    assert!(!world.ingest.again.boosts.is_done());
    go_on(&mut world);
    assert_eq!(world.home("7").0.len(), 0);
}
