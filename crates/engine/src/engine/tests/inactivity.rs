//! Accounts that sleep and wake, beside twins that never do.

use super::*;
use crate::engine::inactivity;
use crate::engine::inactivity::{InactivityRound, drop_feeds, wake};
use crate::engine::simulation::driver::Node;
use crate::engine::simulation::log::{BEGIN, Log, PARTITIONS};
use crate::engine::simulation::plain::Plain;
use crate::graph::AccountIx;
use crate::view::change_batch::{BatchLimit, ChangeKind};
use crate::view::cursor::Cursor;
use crate::view::snapshot::{ChangesError, Snapshot};
use slackwater_fediverse::event::{Action, Event, Moderated, RelationChoice, Writing};

/// The twin that sleeps now and then, and the one that never does.
const TWINS: [&str; 2] = ["0", "1"];
const DAY: Duration = Duration::from_secs(86_400);

impl World {
    fn number(&self, account: &str) -> AccountIx {
        self.graph.read().account(account).unwrap()
    }

    fn sleeps(&mut self, account: &str) {
        let number = self.number(account);
        drop_feeds(&self.store, &self.graph, &self.view.last_access, number);
    }

    fn wakes(&mut self, account: &str) {
        let number = self.number(account);
        let read = Arc::new(Offsets::new(&self.reflects.next));
        let engine = &mut self.engine;
        wake(
            &engine.store,
            &engine.graph,
            &mut engine.backlog,
            number,
            &read,
        );
        self.settle();
        self.view.last_access.mark_active(&[number]);
    }

    fn write_rows(&self) {
        let last_seen = inactivity::unstored_access(&self.graph.read(), &self.view.last_access);
        self.store.write_rows(&[], &last_seen).unwrap();
    }

    fn is_inactive(&self, account: &str) -> bool {
        let number = self.number(account);
        let graph = self.graph.read();
        assert_eq!(
            graph.is_inactive(number),
            self.view.last_access.is_inactive(number)
        );
        graph.is_inactive(number)
    }

    /// Its home and its lists, as [`World::home`]; every feed by its name.
    fn feeds_of(&self, account: &str) -> Vec<(String, Shows)> {
        let (number, graph) = (self.number(account), self.graph.read());
        let of = graph.get(number).unwrap();
        let feeds = FeedId::all_of(number, of).map(|feed| {
            let kept = self.store.feed(&feed).unwrap();
            let name = match feed {
                FeedId::List { list, .. } => list.into(),
                _ => "home".to_owned(),
            };
            (name, self.shows(&kept))
        });
        feeds.collect()
    }

    /// What is stored of homes and lists.
    fn stored(&self) -> usize {
        self.store.stored_homes(&[], usize::MAX).unwrap().0.len()
    }
}

/// Both twins say the same; the log has a line for each.
fn said_by_both(lines: impl Fn(&str) -> Vec<Line>) -> Vec<Line> {
    let [one, other] = TWINS.map(lines);
    one.into_iter()
        .zip(other)
        .flat_map(|(a, b)| [a, b])
        .collect()
}

fn list(account: &str, replies: &str, is_exclusive: bool, removed: bool) -> Line {
    Line::Relation(format!(
        r#"{{"type":"list","account":"{account}","target":"42","title":"Friends","replies":"{replies}","exclusive":{is_exclusive},"removed":{removed}}}"#
    ))
}

fn list_member(account: &str, member: usize, removed: bool) -> Line {
    let member = actor(member);
    Line::Relation(format!(
        r#"{{"type":"list_member","account":"{account}","list":"42","target":"{member}","removed":{removed}}}"#
    ))
}

/// What an account wants of its list: who is on it, what it shows.
fn list_wishes(account: &str, wishes: &[(usize, usize, bool)]) -> Vec<Line> {
    let wish = |(kind, target, on): &(usize, usize, bool)| match kind {
        0 => list(
            account,
            ["none", "list", "followed"][target % 3],
            *on,
            false,
        ),
        1 => list(account, "list", false, *on),
        _ => list_member(account, *target, !on),
    };
    wishes.iter().map(wish).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Were this to fail, whoever was away for long would find another feed than if they had stayed.
    #[test]
    fn a_feed_that_was_given_up_comes_back_as_if_its_account_had_never_slept(
        authors in prop::collection::vec(prop::collection::vec((0usize..6, 0i64..40, 0usize..4, 0usize..4), 0..14), 4),
        wishes in prop::collection::vec((0usize..5, 0usize..4, any::<bool>()), 0..9),
        lists in prop::collection::vec((0usize..5, 0usize..4, any::<bool>()), 0..9),
        choices in prop::collection::vec(0usize..64, 1..40),
        naps in prop::collection::vec((0usize..80, 0usize..40), 1..4),
        checkpoints in prop::collection::btree_set(0usize..80, 0..4),
        is_interrupted in any::<bool>(),
    ) {
        let history = History {
            authors: authors.iter().enumerate().map(|(author, deeds)| deeds_of(author, deeds)).collect(),
            accounts: vec![
                said_by_both(|account| wishes_of(account, &wishes)),
                said_by_both(|account| list_wishes(account, &lists)),
            ],
        };
        let log = interleave(&history, &choices);
        let mut world = World::new();
        for (begin, lasts) in naps {
            let begin = begin.min(log.len());
            world.read(&log[..begin], &checkpoints);
            if world.graph.read().account(TWINS[0]).is_none() {
                continue;
            }
            world.sleeps(TWINS[0]);
            if is_interrupted {
                world.checkpoint();
                world = world.crash();
                if world.graph.read().account(TWINS[0]).is_none() {
                    // Nothing is left of an account whose relations are all removed.
                    continue;
                }
                prop_assert!(world.is_inactive(TWINS[0]));
            }
            world.read(&log[..(begin + lasts).min(log.len())], &checkpoints);
            let nothing = world.feeds_of(TWINS[0]);
            prop_assert!(nothing.iter().all(|(_, (entries, _))| entries.is_empty()), "{nothing:?}");
            world.wakes(TWINS[0]);
        }
        world.read(&log, &checkpoints);
        let is_known = TWINS.map(|twin| world.graph.read().account(twin).is_some());
        prop_assert_eq!(is_known[0], is_known[1]);
        if !is_known[0] {
            return Ok(());
        }
        let [slept, never] = TWINS.map(|twin| world.feeds_of(twin));
        prop_assert_eq!(slept.len(), never.len());
        for ((name, slept), (same, never)) in slept.iter().zip(&never) {
            prop_assert_eq!(name, same);
            // The twin's own posts are by another actor, and there are none.
            prop_assert!(agree(slept, never), "{name}: {never:?}\n{slept:?}\n{log:#?}");
        }
    }
}

fn naps_log() -> Vec<Line> {
    let mut log = said_by_both(|account| vec![follow(account, 0), follow(account, 1)]);
    log.extend(said_by_both(|account| {
        vec![
            list(account, "list", false, false),
            list_member(account, 0, false),
        ]
    }));
    let post = |n: usize| unlisted(create(n % 2, n, NOON + n as i64 * 1_000, NOON + 90_000));
    log.extend((0..6).map(post));
    log
}

/// Were this to fail, those who never come back would fill the disk, and hold up the fan-out of those who do.
#[test]
fn an_account_that_sleeps_has_nothing_stored_and_gets_nothing() {
    let log = naps_log();
    let mut world = World::new();
    world.read(&log, &BTreeSet::new());
    world.checkpoint();
    assert_eq!(world.stored(), 4, "two homes, two lists");
    world.sleeps(TWINS[0]);
    world.checkpoint();
    assert_eq!(world.stored(), 2);
    let later = [
        unlisted(create(0, 9, NOON + 60_000, NOON + 90_000)),
        relation("mute", TWINS[0], 1, false),
        relation("mute", TWINS[0], 1, true),
        list_member(TWINS[0], 1, false),
    ];
    let log = [log, later.to_vec()].concat();
    world.read(&log, &BTreeSet::new());
    assert!(world.is_inactive(TWINS[0]), "a relation wakes nobody");
    assert!(world.backlog.is_idle());
    world.checkpoint();
    assert_eq!(world.stored(), 2);
    let mut world = world.crash();
    assert!(world.is_inactive(TWINS[0]));
    world.wakes(TWINS[0]);
    assert_eq!(world.home(TWINS[0]), world.home(TWINS[1]));
}

/// Promise 2 at every moment of a checkpoint. Were this to fail, a crash would leave an account awake without its feeds.
#[test]
fn a_checkpoint_of_who_fell_asleep_or_woke_may_be_cut_off_after_any_write() {
    for rows_before in [false, true] {
        cut_off_anywhere(rows_before);
    }
}

/// `rows_before`: the rows that the log does not have are written alone before.
fn cut_off_anywhere(rows_before: bool) {
    let log = naps_log();
    let mut writes = 0;
    loop {
        let mut world = World::new();
        world.read(&log, &BTreeSet::new());
        world.checkpoint();
        world.sleeps(TWINS[0]);
        if rows_before {
            world.write_rows();
        }
        let mark_inactive = world.checkpoint_cut_off(writes);
        let mut world = world.crash();
        world.read(&log, &BTreeSet::new());
        if !world.is_inactive(TWINS[0]) {
            assert_eq!(world.home(TWINS[0]), world.home(TWINS[1]), "{writes}");
            world.sleeps(TWINS[0]);
        }
        world.checkpoint();
        world.wakes(TWINS[0]);
        if rows_before {
            world.write_rows();
        }
        let woke = world.checkpoint_cut_off(writes);
        let mut world = world.crash();
        world.read(&log, &BTreeSet::new());
        if world.is_inactive(TWINS[0]) {
            world.view.last_access.set_now(Time::from_millis(NOON));
            world.round(NOON);
            world.checkpoint();
            assert_eq!(world.stored(), 2, "{writes}: what was left over is gone");
            world.wakes(TWINS[0]);
        }
        let [slept, never] = TWINS.map(|twin| world.feeds_of(twin));
        assert_eq!(slept, never, "{writes}");
        if mark_inactive && woke {
            break;
        }
        writes += 1;
    }
    assert!(2 < writes);
}

/// Were this to fail, an account that woke would be without its feeds after a crash, and nobody would know.
#[test]
fn that_an_account_woke_is_not_stored_before_its_feeds_are() {
    let log = naps_log();
    let mut world = World::new();
    world.view.last_access.set_now(Time::from_millis(NOON));
    world.read(&log, &BTreeSet::new());
    world.sleeps(TWINS[0]);
    world.checkpoint();
    world.wakes(TWINS[0]);
    world.write_rows();
    let mut world = world.crash();
    world.view.last_access.set_now(Time::from_millis(NOON));
    world.read(&log, &BTreeSet::new());
    assert!(world.is_inactive(TWINS[0]));
    world.wakes(TWINS[0]);
    world.checkpoint();
    let world = world.crash();
    assert!(!world.is_inactive(TWINS[0]));
    assert_eq!(world.home(TWINS[0]), world.home(TWINS[1]));
}

impl World {
    /// A round through all accounts at this time of the log; how many fell asleep.
    fn round(&mut self, now: i64) -> usize {
        let mut rounds = InactivityRound::new(14 * DAY);
        let (settling, log_time) = (&self.backlog, Time::from_millis(now));
        let last_access = &self.view.last_access;
        let asleep = rounds.step(&self.store, &self.graph, last_access, settling, log_time);
        assert!(rounds.is_resting(log_time));
        last_access.set_now(log_time.plus(DAY / 24));
        asleep.unwrap()
    }
}

#[test]
fn those_fall_asleep_who_were_not_seen_for_so_long_and_whom_nobody_watches() {
    let mut world = World::new();
    world.read(&naps_log(), &BTreeSet::new());
    let [one, other] = TWINS.map(|twin| world.number(twin));
    assert_eq!(
        world.round(0),
        0,
        "there is no time before anything arrived"
    );
    let later = |days: u32| NOON + (days * DAY).as_millis() as i64;
    assert_eq!(world.round(NOON), 0, "of whom nothing is known is seen now");
    assert_eq!(world.round(later(10)), 0);
    world.view.last_access.note(other);
    assert_eq!(world.round(later(15)), 1);
    assert!(world.is_inactive(TWINS[0]) && !world.is_inactive(TWINS[1]));
    let watching = world.store.homes.watchers.watch(other);
    assert_eq!(world.round(later(30)), 0, "somebody watches");
    drop(watching);
    assert_eq!(
        world.round(later(40)),
        0,
        "it was seen as long as it was watched"
    );
    assert_eq!(world.round(later(45)), 1);
    // Not while its relations are carried out: they would be owed to a feed that is gone.
    world.wakes(TWINS[0]);
    world.backlog.add_all(one, &Arc::default());
    assert_eq!(world.round(later(90)), 0);
}

fn look(node: &Node) -> Snapshot {
    let look = node
        .view
        .home_snapshot("ana", None, Time::from_millis(BEGIN + 100));
    look.unwrap().unwrap()
}

/// A node, a log, and readers of account 0's home with cursors, for what is told of what came while the account slept.
struct Sleeper {
    log: Log,
    node: Node,
    now: Time,
}

impl Sleeper {
    /// Account 0 follows author 0, who wrote once.
    fn new() -> Sleeper {
        let mut sleeper = Sleeper {
            log: Log::default(),
            node: Node::new(LENGTH, Windows::default(), [0; PARTITIONS]),
            now: Time::from_millis(BEGIN + 100),
        };
        sleeper.relate(RelationChoice::Tag(0), true);
        sleeper.relate(RelationChoice::Follow(0, true), true);
        sleeper.write();
        sleeper.read();
        sleeper
    }

    fn relate(&mut self, relation: RelationChoice, holds: bool) {
        let account = 0;
        let event = Event::Relate {
            account,
            relation,
            holds,
        };
        self.log.add(event, BEGIN);
    }

    fn write(&mut self) {
        let post = self.log.authors.len();
        self.log.authors.push(0);
        let writing = Writing::public(post, BEGIN + post as i64);
        self.log.add(Event::Write(writing), BEGIN + 10);
    }

    fn read(&mut self) {
        for partition in (0..PARTITIONS).rev() {
            while self.node.read()[partition] < self.log.whole()[partition] {
                self.node.take(&self.log, partition, self.now);
            }
        }
        self.node.step(usize::MAX, self.now);
        self.node.announce(&self.log.whole(), self.now);
    }

    fn sleeps(&mut self) {
        assert!(self.node.drop_feeds(0));
        assert!(look(&self.node).is_inactive);
    }

    fn wakes(&mut self) {
        self.read();
        assert!(self.node.rouse(0, self.now));
        self.node.announce(&self.log.whole(), self.now);
    }

    fn crashes(self) -> Sleeper {
        let node = self.node.crash(self.log.whole());
        let mut after = Sleeper { node, ..self };
        after.read();
        after
    }

    fn cursor(&self) -> Cursor {
        Cursor {
            feed: 0,
            log: self.node.view.log.clone(),
            from: look(&self.node).read_point(),
            batch: None,
        }
    }

    /// The kinds of changes since a cursor, and none if it is refused.
    fn told(&self, cursor: &Cursor) -> Option<Vec<ChangeKind>> {
        let look = look(&self.node);
        match look.changes_since(&self.node.view, cursor, BatchLimit::of(80), &Plain) {
            Ok(told) => Some(told.batch.items.iter().map(|item| item.kind).collect()),
            Err(ChangesError::CursorRefused(_)) => None,
            Err(ChangesError::Disk(error)) => panic!("{error}"),
        }
    }
}

/// Were this to fail, whoever comes back after a long time would read all anew, and with several nodes everybody whose account moves.
#[test]
fn a_cursor_from_before_is_told_what_came_and_what_left_meanwhile() {
    let mut sleeper = Sleeper::new();
    let before = sleeper.cursor();
    sleeper.sleeps();
    sleeper.write();
    sleeper.log.add(Event::Delete(0), BEGIN + 20);
    sleeper.wakes();
    let told = Some(vec![ChangeKind::Remove, ChangeKind::Post]);
    assert_eq!(sleeper.told(&before), told);
    let after = sleeper.cursor();
    assert_eq!(sleeper.told(&after), Some(Vec::new()));
    sleeper.write();
    sleeper.read();
    assert_eq!(sleeper.told(&after), Some(vec![ChangeKind::Post]));
    // It is as good after a crash: what the feed begins with is stored.
    sleeper.node.checkpoint(sleeper.now);
    let mut sleeper = sleeper.crashes();
    assert_eq!(sleeper.told(&after), Some(vec![ChangeKind::Post]));
    sleeper.sleeps();
    sleeper.write();
    sleeper.wakes();
    assert_eq!(sleeper.told(&after), Some(vec![ChangeKind::Post; 2]));
}

/// Were this to fail, a reader would go on with a copy from which nobody can tell it what left.
#[test]
fn a_cursor_from_before_is_refused_if_it_lacks_a_relation_of_the_account() {
    for crashes in [false, true] {
        let mut sleeper = Sleeper::new();
        let before = sleeper.cursor();
        sleeper.sleeps();
        sleeper.relate(RelationChoice::Mute(1), true);
        sleeper.read();
        if crashes {
            sleeper.node.checkpoint(sleeper.now);
            sleeper = sleeper.crashes();
        }
        sleeper.wakes();
        assert_eq!(sleeper.told(&before), None, "{crashes}");
        let after = sleeper.cursor();
        assert_eq!(sleeper.told(&after), Some(Vec::new()));
        sleeper.node.checkpoint(sleeper.now);
        let sleeper = sleeper.crashes();
        assert_eq!(sleeper.told(&before), None, "{crashes}");
    }
}

/// Were this to fail, a reader would keep the posts of somebody who was suspended while the account slept, or never be told of those of
/// somebody whose suspension ended.
#[test]
fn a_cursor_from_before_is_refused_if_it_lacks_whom_the_instance_suspends() {
    for crashes in [false, true] {
        let mut sleeper = Sleeper::new();
        for action in [Some(Action::Suspend), None] {
            let before = sleeper.cursor();
            sleeper.sleeps();
            let target = Moderated::Actor(0);
            sleeper.log.add(Event::Moderate { target, action }, BEGIN);
            sleeper.read();
            if crashes {
                sleeper.node.checkpoint(sleeper.now);
                sleeper = sleeper.crashes();
            }
            sleeper.wakes();
            let left = usize::from(action.is_none());
            assert_eq!(look(&sleeper.node).ids().len(), left);
            assert_eq!(sleeper.told(&before), None, "{action:?} {crashes}");
            assert_eq!(sleeper.told(&sleeper.cursor()), Some(Vec::new()));
        }
    }
}

/// Were this to fail, a reader would keep a post that became a stub while its account slept.
#[test]
fn a_cursor_from_before_is_refused_if_the_feed_reaches_down_to_what_was_forgotten() {
    let mut sleeper = Sleeper::new();
    for _ in 0..LENGTH {
        sleeper.write();
    }
    sleeper.read();
    let before = sleeper.cursor();
    let mut after = |expired: &dyn Fn(&Snapshot) -> PostId| {
        let expired = expired(&look(&sleeper.node));
        sleeper.sleeps();
        let store = &sleeper.node.view.store;
        store.note_expired_post(expired).unwrap();
        sleeper.write();
        sleeper.wakes();
        sleeper.told(&before).map(|told| told.len())
    };
    assert_eq!(after(&|_| PostId::MIN), Some(1));
    assert_eq!(after(&|home| home.feed.floor), Some(2));
    assert_eq!(after(&|home| home.ids()[LENGTH - 1]), None);
}

/// Were this to fail, a reader who lacks an unfollow would keep what it took out, if that it ever was is forgotten.
#[test]
fn a_cursor_from_before_is_refused_if_it_lacks_a_relation_that_is_forgotten() {
    let mut sleeper = Sleeper::new();
    let before = sleeper.cursor();
    sleeper.relate(RelationChoice::Follow(0, true), false);
    sleeper.read();
    let after = sleeper.cursor();
    sleeper.sleeps();
    sleeper.node.checkpoint(sleeper.now);
    let store = Arc::clone(&sleeper.node.view.store);
    let cutoff = Time::from_millis(BEGIN + 1);
    store.forget_relations_before(cutoff, &[], 100).unwrap();
    drop(store);
    sleeper.node.checkpoint(sleeper.now);
    let mut sleeper = sleeper.crashes();
    sleeper.wakes();
    assert_eq!(sleeper.told(&before), None);
    assert_eq!(sleeper.told(&after), Some(Vec::new()));
}
