//! The first promise, from the broker's socket to the reader's: order does not depend on arrival.

use crate::support::broker::Broker;
use crate::support::fediverse::{self, Fediverse, Related, Sent, Size};
use crate::support::instance::{self, Instance};
use serde_json::Value;
use slackwater::clock;
use slackwater::log::kafka::{Options, Producer};
use std::collections::BTreeMap;
use tempfile::TempDir;

type Homes = BTreeMap<String, Vec<Value>>;

const SIZE: Size = Size {
    activities: 20_000,
    authors: 200,
    origins: 12,
    accounts: 50,
};
/// Both topics are sent in this many turns, so that they interleave.
const TURNS: usize = 40;

/// A failure means that a reader's order, or the ids that clients hold, depends on how busy a queue was.
#[test]
fn twenty_thousand_activities_give_the_same_homes_in_any_order_of_arrival_and_from_either_log() {
    let fediverse = Fediverse::made_up(1, SIZE);
    let built_in = over_http(&fediverse.shuffled(5), &fediverse.shuffled_relations(6));
    let arriving = over_kafka(
        "as they arrive, the service reading along",
        &fediverse.by_arrival(),
        &fediverse.shuffled_relations(2),
        true,
    );
    let shuffled = over_kafka(
        "shuffled, the service started afterwards",
        &fediverse.shuffled(3),
        &fediverse.shuffled_relations(4),
        false,
    );
    let mut full = 0;
    for account in &fediverse.accounts {
        for homes in [&arriving, &shuffled, &built_in] {
            fediverse.check(account, &homes[account]);
        }
        // To the last byte, as far down as each is filled.
        for other in [&shuffled, &built_in] {
            for (one, another) in arriving[account].iter().zip(&other[account]) {
                assert_eq!(one, another, "{account}");
            }
        }
        full += usize::from(arriving[account].len() == fediverse::LENGTH);
    }
    // Some homes are full and some are not, or this shows less than it seems to.
    assert!((5..45).contains(&full), "{full} homes are full");
}

fn over_kafka(what: &str, activities: &[Sent], relations: &[Related], live: bool) -> Homes {
    let begun = clock::stopwatch();
    let dir = TempDir::new().unwrap();
    let broker = Broker::start(dir.path());
    broker.create_topics(8, 4);
    let config = instance::on_kafka(&broker.address(), "");
    let mut reading_along = live.then(|| Instance::start(dir.path(), &config));
    let options = Options {
        brokers: vec![broker.address()],
        ..Options::default()
    };
    let producer = Producer::start(&options).unwrap();
    for (activities, relations) in turns(activities, relations) {
        let activities = activities.iter().map(|sent| sent.record(clock::now()));
        let relations = relations.iter().map(|related| related.record(clock::now()));
        let records = activities.chain(relations).collect();
        broker.wait(producer.append(records)).unwrap();
    }
    println!("{what}: produced after {:?}", begun.elapsed());
    let instance = reading_along
        .take()
        .unwrap_or_else(|| Instance::start(dir.path(), &config));
    let homes = read(&instance, activities.len(), relations.len());
    println!("{what}: done after {:?}", begun.elapsed());
    homes
}

fn over_http(activities: &[Sent], relations: &[Related]) -> Homes {
    let begun = clock::stopwatch();
    let dir = TempDir::new().unwrap();
    let instance = Instance::start(dir.path(), &instance::built_in(""));
    for (activities, relations) in turns(activities, relations) {
        let activities: Vec<String> = activities.iter().map(Sent::line).collect();
        let relations: Vec<String> = relations.iter().map(Related::line).collect();
        instance.door.post_lines("/v1/activities", &activities);
        instance.door.post_lines("/v1/relationships", &relations);
    }
    let homes = read(&instance, activities.len(), relations.len());
    println!("over HTTP: done after {:?}", begun.elapsed());
    homes
}

/// Waits until all has been read, and reads every account's whole home.
fn read(instance: &Instance, activities: usize, relations: usize) -> Homes {
    instance.wait_until_read("activities", activities);
    instance.wait_until_read("relationships", relations);
    instance.wait_until_ready();
    instance.settle();
    assert_eq!(instance.door.metric("slackwater_dead_letters_total"), 0.0);
    let accounts: Vec<String> = (0..SIZE.accounts).map(|n| format!("acct-{n}")).collect();
    instance.door.homes(&accounts)
}

fn turns<'a>(
    activities: &'a [Sent],
    relations: &'a [Related],
) -> impl Iterator<Item = (&'a [Sent], &'a [Related])> {
    fn part<T>(all: &[T], turn: usize) -> &[T] {
        &all[all.len() * turn / TURNS..all.len() * (turn + 1) / TURNS]
    }
    (0..TURNS).map(|turn| (part(activities, turn), part(relations, turn)))
}
