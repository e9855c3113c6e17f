//! Nothing lost, nothing doubled: whoever is killed, and whenever.

use crate::support::broker::Broker;
use crate::support::fediverse::{self, Fediverse, Related, Sent, Size};
use crate::support::instance::{self, Door, Instance, OFTEN};
use crate::support::wait_for;
use fastrand::Rng;
use parking_lot::Mutex;
use serde_json::Value;
use slackwater::clock;
use slackwater::log::kafka::{Options, Producer};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tempfile::TempDir;

const SIZE: Size = Size {
    activities: 4_000,
    authors: 60,
    origins: 6,
    accounts: 16,
};
const KILLS: usize = 20;
const PARTITIONS: i32 = 8;
/// Activities sent at once.
const CHUNK: usize = 20;

/// A failure means that a crash changes what readers see, for good.
#[test]
fn the_service_killed_twenty_times_while_records_flow_gives_what_an_uninterrupted_one_gives() {
    let fediverse = Fediverse::made_up(11, SIZE);
    let dir = TempDir::new().unwrap();
    let broker = broker_in(dir.path());
    let producer = producer_to(&broker);
    let flow = Flow::of(&fediverse, 12);
    let config = instance::on_kafka(&broker.address(), OFTEN);
    let mut instance = Instance::start(dir.path(), &config);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            flow.run(|activities, relations| {
                broker
                    .wait(producer.append(records(activities, relations)))
                    .unwrap();
            });
        });
        flow.kill_at_random(&mut instance, 13);
    });
    let killed = flow.homes_of(&instance, &fediverse);

    // The same log, read by a service that nobody kills, into a folder of its own.
    let other = TempDir::new().unwrap();
    let uninterrupted = Instance::start(other.path(), &config);
    assert_same(
        &fediverse,
        &killed,
        &flow.homes_of(&uninterrupted, &fediverse),
    );

    // And by the first one, which has lost its data folder.
    instance.kill9();
    std::fs::remove_dir_all(dir.path().join("feeds")).unwrap();
    instance.restart();
    assert_same(&fediverse, &killed, &flow.homes_of(&instance, &fediverse));
}

/// A failure means that an instance has to know when its broker was restarted.
#[test]
fn the_broker_killed_while_records_flow_changes_nothing() {
    let fediverse = Fediverse::made_up(21, SIZE);
    let dir = TempDir::new().unwrap();
    let mut broker = broker_in(dir.path());
    let producer = producer_to(&broker);
    let flow = Flow::of(&fediverse, 22);
    let all = flow.activities.len();
    let config = instance::on_kafka(&broker.address(), OFTEN);
    let instance = Instance::start(dir.path(), &config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            flow.run(|activities, relations| {
                // What was not accepted is sent again, though some of it may be there.
                let records = records(activities, relations);
                while let Err(error) = runtime.block_on(producer.append(records.clone())) {
                    println!("sent again: {error}");
                }
            });
        });
        for turn in 1..=5 {
            flow.let_go(if turn < 5 { all * turn / 5 } else { usize::MAX });
            flow.wait_until_acknowledged(all * turn / 5 - all / 10);
            broker.kill9();
            broker.restart();
        }
    });
    let killed = flow.homes_of(&instance, &fediverse);
    let other = TempDir::new().unwrap();
    let uninterrupted = Instance::start(other.path(), &config);
    assert_same(
        &fediverse,
        &killed,
        &flow.homes_of(&uninterrupted, &fediverse),
    );
}

/// A failure means that an instance was told 202, and the post is gone.
#[test]
fn with_the_built_in_log_whatever_got_its_202_survives_twenty_kills() {
    let fediverse = Fediverse::made_up(31, SIZE);
    let dir = TempDir::new().unwrap();
    let flow = Flow::of(&fediverse, 32);
    let config = instance::built_in(OFTEN);
    let mut instance = Instance::start(dir.path(), &config);
    *flow.door.lock() = Some(instance.door.clone());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            flow.run(|activities, relations| {
                let relations: Vec<String> = relations.iter().map(Related::line).collect();
                let activities: Vec<String> = activities.iter().map(Sent::line).collect();
                flow.post_until_202("/v1/relationships", &relations);
                flow.post_until_202("/v1/activities", &activities);
            });
        });
        flow.kill_at_random(&mut instance, 33);
    });
    let killed = flow.homes_of(&instance, &fediverse);
    assert!(
        0 < flow.unanswered.load(Ordering::Relaxed),
        "no kill met a request"
    );

    let other = TempDir::new().unwrap();
    let uninterrupted = Instance::start(other.path(), &config);
    for (activities, relations) in flow.chunks() {
        let relations: Vec<String> = relations.iter().map(Related::line).collect();
        let activities: Vec<String> = activities.iter().map(Sent::line).collect();
        uninterrupted
            .door
            .post_lines("/v1/relationships", &relations);
        uninterrupted.door.post_lines("/v1/activities", &activities);
    }
    assert_same(
        &fediverse,
        &killed,
        &flow.homes_of(&uninterrupted, &fediverse),
    );

    instance.kill9();
    std::fs::remove_dir_all(dir.path().join("feeds")).unwrap();
    instance.restart();
    assert_same(&fediverse, &killed, &flow.homes_of(&instance, &fediverse));
}

/// Activities and relations on their way, held back so that they are still flowing at the last kill.
struct Flow {
    activities: Vec<Sent>,
    relations: Vec<Related>,
    may_send: AtomicUsize,
    acknowledged: AtomicUsize,
    unanswered: AtomicUsize,
    ended: AtomicBool,
    door: Mutex<Option<Door>>,
}

type Homes = BTreeMap<String, Vec<Value>>;

impl Flow {
    fn of(fediverse: &Fediverse, seed: u64) -> Flow {
        // Behind everything else, a post in each partition that says: this was all.
        let mut activities = fediverse.shuffled(seed);
        activities.extend((0..PARTITIONS).map(|partition| Sent::last(partition, PARTITIONS)));
        Flow {
            activities,
            relations: fediverse.shuffled_relations(seed + 100),
            may_send: AtomicUsize::new(0),
            acknowledged: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            door: Mutex::new(None),
        }
    }

    /// A few activities at a time, each with its share of the relations. An undo that names no boost ends a request: sent again with
    /// what comes after it, it would take back a boost that came after it (docs/integrating.md).
    fn chunks(&self) -> impl Iterator<Item = (&[Sent], &[Related])> {
        let all = self.activities.len();
        let mut from = 0;
        let mut parts = Vec::new();
        for (nth, sent) in self.activities.iter().enumerate() {
            let to = nth + 1;
            if to - from == CHUNK || sent.takes_back_any() || to == all {
                parts.push((from, to));
                from = to;
            }
        }
        let relations = move |sent: usize| self.relations.len() * sent / all;
        parts.into_iter().map(move |(from, to)| {
            let relations = &self.relations[relations(from)..relations(to)];
            (&self.activities[from..to], relations)
        })
    }

    /// Sends everything, no further than it may.
    fn run(&self, send: impl Fn(&[Sent], &[Related])) {
        for (activities, relations) in self.chunks() {
            wait_for("leave to send more", || {
                let sent = self.acknowledged.load(Ordering::Acquire);
                (sent < self.may_send.load(Ordering::Acquire)).then_some(())
            });
            send(activities, relations);
            self.acknowledged
                .fetch_add(activities.len(), Ordering::AcqRel);
        }
        self.ended.store(true, Ordering::Release);
    }

    fn let_go(&self, until: usize) {
        self.may_send.store(until, Ordering::Release);
    }

    fn wait_until_acknowledged(&self, activities: usize) {
        wait_for("acknowledgements", || {
            (activities <= self.acknowledged.load(Ordering::Acquire)).then_some(())
        });
    }

    /// Kills the service twenty times: some after so many records were accepted, maybe before it listens again; some
    /// after it has itself read so many since its start; and a few milliseconds on, to be anywhere in a checkpoint.
    fn kill_at_random(&self, instance: &mut Instance, seed: u64) {
        let mut rng = Rng::with_seed(seed);
        let step = self.activities.len() / KILLS;
        for turn in 0..KILLS {
            self.let_go(step * (turn + 1));
            if rng.bool() {
                self.wait_until_acknowledged(step * turn + rng.usize(..step - CHUNK));
            } else {
                instance.wait_until_read("activities", 1 + rng.usize(..step / 2));
            }
            // So many more times it is asked, or refuses to be: the moment at which it is killed is left to chance.
            for _ in 0..rng.usize(..120) {
                let _ =
                    instance
                        .door
                        .try_post("/v1/activities", "application/x-ndjson", Vec::new());
            }
            instance.restart();
            *self.door.lock() = Some(instance.door.clone());
        }
        self.let_go(usize::MAX);
    }

    /// Posts lines until they are answered with 202, after which they are never sent again.
    fn post_until_202(&self, path: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        wait_for("an answer", || {
            let door = self.door.lock().clone()?;
            let Ok(answer) = door.try_post(path, "application/x-ndjson", lines.join("\n").into())
            else {
                self.unanswered.fetch_add(1, Ordering::Relaxed);
                return None;
            };
            if answer.status != 202 {
                assert_eq!(answer.status, 503, "{}", answer.text);
                return None;
            }
            assert_eq!(answer.json()["accepted"], lines.len(), "{}", answer.text);
            Some(())
        });
    }

    /// Every home, once nothing changes any more and each is what it must be.
    fn homes_of(&self, instance: &Instance, fediverse: &Fediverse) -> Homes {
        assert!(self.ended.load(Ordering::Acquire));
        instance.wait_until_ready();
        wait_for("the last post of each partition", || {
            let mut last = (0..PARTITIONS).map(fediverse::last_uri);
            let is_there = |uri| instance.door.get(&format!("/v1/posts?uri={uri}")).status == 200;
            last.all(is_there).then_some(())
        });
        instance.settle();
        let homes = instance.door.homes(&fediverse.accounts);
        for account in &fediverse.accounts {
            fediverse.check(account, &homes[account]);
        }
        homes
    }
}

/// The same entries and ids, to the last byte, as far down as both are filled.
fn assert_same(fediverse: &Fediverse, some: &Homes, others: &Homes) {
    for account in &fediverse.accounts {
        for (one, other) in some[account].iter().zip(&others[account]) {
            assert_eq!(one, other, "{account}");
        }
    }
}

fn broker_in(dir: &Path) -> Broker {
    let broker = Broker::start(dir);
    broker.create_topics(PARTITIONS, 4);
    broker
}

fn producer_to(broker: &Broker) -> Producer {
    let options = Options {
        brokers: vec![broker.address()],
        ..Options::default()
    };
    Producer::start(&options).unwrap()
}

fn records(
    activities: &[Sent],
    relations: &[Related],
) -> Vec<slackwater_engine::record::NewRecord> {
    let activities = activities.iter().map(|sent| sent.record(clock::now()));
    activities
        .chain(relations.iter().map(|related| related.record(clock::now())))
        .collect()
}
