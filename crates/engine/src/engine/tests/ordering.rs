//! The promises of order that the simulation does not hold by itself.
//!
//! | promise | held by |
//! |---|---|
//! | 1, order does not depend on arrival | all orders of five posts, and random histories, in `tests`; `simulation` |
//! | 2, nothing lost, nothing doubled | a checkpoint cut off after each write, in `tests`; `simulation` |
//! | 3, sorted, not beyond the horizon, which does not retreat | `simulation`; `order::horizon`, `view::horizons` |
//! | 4, the patient see perfect order | here |
//! | 5, catching up is complete | `simulation`; rule by rule in `view::changes` and `view::snapshot` |
//! | 6, paging is stable | `simulation`; `view::page` |
//! | 8, harm stays home | here |
//! | 10, a rebuild is a replay | random histories, in `tests`; `simulation` |

use crate::engine::simulation::driver::Node;
use crate::engine::simulation::log::{ACTIVITY_PARTITIONS, BEGIN, Log, PARTITIONS, actor, host_of};
use crate::engine::simulation::plain::Plain;
use crate::view::change_batch::{BatchLimit, ChangeKind};
use crate::view::cursor::Cursor;
use fastrand::Rng;
use proptest::prelude::*;
use slackwater_fediverse::event::{Event, RelationChoice, Writing};
use slackwater_order::horizon::COMPLETE_MS;
use slackwater_order::origins::{Observation, Origins, RecordAt};
use slackwater_order::time::Time;
use slackwater_order::verdict::Verdict;
use slackwater_order::window::HostPattern;
use slackwater_order::window::{ReorderWindow, Window, Windows};
use std::time::Duration;

/// Longer than any history here.
const LENGTH: usize = 1_000;
/// How long the posts of origins take at most, in milliseconds.
const DELAYS: [(&str, i64); 4] = [
    ("punctual.example", 1_000),
    ("slow.example", 60_000),
    ("threads.example", 960_000),
    ("bursty.example", 300_000),
];

/// Windows that fit these delays exactly.
fn fitting() -> Windows {
    let mut windows = Windows::default();
    for (host, delay) in DELAYS {
        let window = Window {
            reorder_window: ReorderWindow::Fixed(Duration::from_millis(delay.unsigned_abs())),
            ..Window::default()
        };
        windows
            .set(HostPattern::Host(host.to_owned()), window)
            .unwrap();
    }
    windows
}

fn delay_of(author: usize) -> i64 {
    let host = host_of(author);
    DELAYS.iter().find(|(name, _)| *name == host).unwrap().1
}

/// A log in which account 0 follows `follows` from the beginning, and is so patient.
fn follows(follows: &[usize], patience: Option<i64>) -> Log {
    let mut log = Log::default();
    let mut say = |relation| {
        let event = Event::Relate {
            account: 0,
            relation,
            holds: true,
        };
        log.add(event, BEGIN);
    };
    say(RelationChoice::Patience(patience));
    for author in follows {
        say(RelationChoice::Follow(*author, true));
    }
    log
}

impl Log {
    /// One plain post.
    fn write(&mut self, author: usize, published: i64, arrived: i64) {
        let post = self.authors.len();
        self.authors.push(author);
        self.add(Event::Write(Writing::public(post, published)), arrived);
    }

    fn sort(&mut self) {
        for lines in &mut self.partitions {
            lines.sort_by_key(|line| line.arrived);
        }
    }
}

/// Reads all that has arrived, partitions in any order, and tells readers.
fn read_all(node: &mut Node, log: &Log, now: i64, dice: &mut Rng) {
    let (ends, now) = (log.ends(now), Time::from_millis(now));
    loop {
        let read = node.read();
        let left: Vec<usize> = (0..PARTITIONS).filter(|n| read[*n] < ends[*n]).collect();
        let Some(partition) = dice.choice(&left) else {
            break;
        };
        node.take(log, *partition, now);
    }
    node.step(usize::MAX, now);
    node.announce(&ends, now);
}

/// What a reader of account 0 is told who asks at each of these moments: place and whether behind.
fn watched(
    log: &Log,
    windows: Windows,
    moments: impl Iterator<Item = i64>,
    dice: &mut Rng,
) -> Vec<(u64, bool)> {
    let mut node = Node::new(LENGTH, windows, [0; PARTITIONS]);
    let mut cursor: Option<Cursor> = None;
    let mut told = Vec::new();
    for now in moments {
        read_all(&mut node, log, now, dice);
        let least = cursor.as_ref().map(|cursor| cursor.from.horizon);
        let look = node
            .view
            .home_snapshot("ana", least, Time::from_millis(now))
            .unwrap()
            .unwrap();
        let from = cursor.get_or_insert_with(|| Cursor {
            feed: 0,
            log: node.view.log.clone(),
            from: look.read_point(),
            batch: None,
        });
        let answer = look
            .changes_since(&node.view, from, BatchLimit::of(usize::MAX), &Plain)
            .unwrap();
        told.extend(answer.batch.items.iter().map(|change| {
            assert_eq!(change.kind, ChangeKind::Post);
            (change.id.number(), change.behind)
        }));
        cursor = Some(answer.cursor);
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Promise 4. Were this to fail, those who chose order would not get it, however long they wait.
    #[test]
    fn the_patient_see_perfect_order(
        posts in prop::collection::vec((0usize..5, 0i64..1_500_000, 0i64..=1_000), 1..40),
        followed in prop::collection::btree_set(0usize..5, 1..5),
        more in 0i64..100_000,
        complete in any::<bool>(),
        steps in prop::collection::vec(1i64..200_000, 1..40),
        seed in any::<u64>(),
    ) {
        let followed: Vec<usize> = followed.into_iter().collect();
        let covers = followed.iter().map(|author| delay_of(*author)).max().unwrap();
        let mut log = follows(&followed, (!complete).then_some(covers + more));
        for (author, at, thousandth) in &posts {
            let published = BEGIN + 1 + at;
            log.write(*author, published, published + delay_of(*author) * thousandth / 1_000);
        }
        log.sort();
        let mut now = BEGIN;
        let mut moments = vec![now];
        for step in steps {
            now += step;
            moments.push(now);
        }
        // In the end all has ripened.
        moments.push(BEGIN + 4_000_000);
        let told = watched(&log, fitting(), moments.into_iter(), &mut Rng::with_seed(seed));
        let expected = posts.iter().filter(|(author, ..)| followed.contains(author)).count();
        prop_assert_eq!(told.len(), expected);
        prop_assert!(told.is_sorted_by(|a, b| a.0 < b.0), "in order, each once: {:?}", told);
        prop_assert!(told.iter().all(|(_, behind)| !behind));
    }

    /// Promise 8. Were this to fail, one server could make another's posts late, or all wait longer.
    #[test]
    fn what_one_origin_does_moves_no_other_learned_window(
        delays in prop::collection::vec(0i64..100_000, 280..300),
        lies in prop::collection::vec((any::<bool>(), -900_000_000i64..900_000_000), 0..600),
    ) {
        let mut windows = Windows::default();
        windows.default.reorder_window = ReorderWindow::Auto;
        let learned = |lies: &[(bool, i64)]| {
            let mut origins = Origins::default();
            let mut lies = lies.iter();
            for (n, delay) in delays.iter().enumerate() {
                let seen = |verdict, delay_ms, offset| Observation {
                    verdict,
                    delay_ms: Some(delay_ms),
                    arrived: Time::from_millis(BEGIN + n as i64 * 1_000),
                    at: RecordAt {
                        partition: 0,
                        offset,
                    },
                };
                origins.count("honest.example", seen(Verdict::InTime, *delay, 3 * n as i64), &windows);
                for (is_late, lie) in lies.by_ref().take(2) {
                    let verdict = if *is_late { Verdict::Late } else { Verdict::FromTheFuture };
                    origins.count("lying.example", seen(verdict, *lie, 3 * n as i64 + 1), &windows);
                }
            }
            origins.hold("honest.example", &windows)
        };
        let alone = learned(&[]);
        prop_assert!(0 < alone.window_ms());
        prop_assert_eq!(alone, learned(&lies));
    }

    /// Promise 8. Were this to fail, one server could hold everybody's feeds back.
    #[test]
    fn what_one_origin_does_changes_no_other_window_and_no_horizon_beyond_patience(
        posts in prop::collection::vec((0usize..3, 0i64..1_000_000), 1..30),
        lies in prop::collection::vec((-900_000_000i64..900_000_000, 0i64..1_000_000), 0..60),
        patience in prop::sample::select(vec![1i64, 1_000, 60_000, 960_000]),
        at in 0i64..1_000_000,
        seed in any::<u64>(),
    ) {
        let dice = &mut Rng::with_seed(seed);
        let look = |harm: bool, dice: &mut Rng| {
            let mut log = follows(&[0, 1, 2, 3], Some(patience));
            for (author, at) in &posts {
                let published = BEGIN + 1 + at;
                log.write(*author, published, published + 500);
            }
            for (lie, at) in lies.iter().filter(|_| harm) {
                log.write(3, BEGIN + at + lie, BEGIN + 1 + at);
            }
            log.sort();
            let mut node = Node::new(LENGTH, fitting(), [0; PARTITIONS]);
            let now = BEGIN + at;
            read_all(&mut node, &log, now, dice);
            let look = node.view.home_snapshot("ana", None, Time::from_millis(now)).unwrap().unwrap();
            let others: Vec<i64> = (0..3).map(|author| node.wait_ms(host_of(author), COMPLETE_MS)).collect();
            let theirs: Vec<String> = look.ids().iter().map(|id| {
                node.view.store.post(*id).unwrap().unwrap().body.uri.clone()
            }).filter(|uri| !uri.contains(host_of(3))).collect();
            (others, look.visible.horizon.unwrap().millis(), theirs, now)
        };
        let (windows_then, _, _, _) = look(false, dice);
        let (windows_now, horizon, shown, now) = look(true, dice);
        prop_assert_eq!(windows_then, windows_now);
        prop_assert!(now - patience <= horizon, "held back longer than it is patient");
        let ripe = posts.iter().filter(|(_, at)| BEGIN + 1 + at <= now - patience.max(500));
        prop_assert!(ripe.count() <= shown.len(), "what others wrote is shown in time");
    }
}

/// A flood keeps one partition from being read to its end: those who are patient wait no longer than they are.
#[test]
fn a_partition_that_lags_holds_nobody_back_beyond_patience() {
    let dice = &mut Rng::with_seed(0);
    for patience in [1_000, 30_000, 120_000] {
        let mut log = follows(&[0], Some(patience));
        log.write(0, BEGIN + 10, BEGIN + 20);
        for n in 0..50 {
            log.write(3, BEGIN + 5_100 + n, BEGIN + 5_100 + n);
        }
        log.sort();
        let mut node = Node::new(LENGTH, fitting(), [0; PARTITIONS]);
        read_all(&mut node, &log, BEGIN + 5_120, dice);
        let now = BEGIN + 100_000;
        let flooded = (0..ACTIVITY_PARTITIONS).find(|n| node.read()[*n] < log.whole()[*n]);
        assert!(flooded.is_some(), "{}", actor(3));
        node.announce(&log.ends(now), Time::from_millis(now));
        let look = node
            .view
            .home_snapshot("ana", None, Time::from_millis(now))
            .unwrap()
            .unwrap();
        let horizon = look.visible.horizon.unwrap().millis();
        // The last taken of the lagging one arrived 5,120 ms after the beginning; the window is a second.
        assert_eq!(
            horizon,
            (now - patience).max(BEGIN + 5_120 - 1_000),
            "{patience}"
        );
    }
}
