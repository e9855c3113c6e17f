//! On librdkafka's mock of a cluster, whose groups have real sessions. It knows no members by name: one that comes back is another to
//! it, until the session of the one before has ended.

use super::*;
use crate::clock;
use crate::log::kafka::mock_topics::committed;
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use slackwater_engine::record::Topic;
use std::collections::BTreeSet;
use std::time::Instant;

/// The mock shares out anew a second before this has passed, so that it is short.
const SESSION: Duration = Duration::from_secs(3);
const SHARDS: i32 = 8;

fn mock(brokers: i32) -> (MockCluster<'static, DefaultProducerContext>, Options) {
    let cluster = MockCluster::new(brokers).unwrap();
    let options = Options {
        brokers: vec![cluster.bootstrap_servers()],
        ..Options::default()
    };
    cluster.create_topic(&options.activities, 16, 1).unwrap();
    cluster
        .create_topic(&options.relationships, SHARDS, 1)
        .unwrap();
    cluster.create_topic(&options.dead_letters, 1, 1).unwrap();
    (cluster, options)
}

fn join(options: &Options, node: &str) -> Member {
    join_as(options, Some(node))
}

fn join_as(options: &Options, node: Option<&str>) -> Member {
    let membership = MemberOptions {
        instance: node.map(str::to_owned),
        session_timeout: SESSION,
    };
    Member::join(options, &membership).unwrap()
}

fn assignments(members: &[&Member]) -> Vec<Assignment> {
    let assignment = |member: &&Member| member.assignment.borrow().clone();
    members.iter().map(assignment).collect()
}

/// Waits until the members have all shards between them, each once and each node some. Returns how long that took.
fn wait_until_shared(members: &[&Member]) -> Duration {
    wait_until(members, |assignments| {
        let count: usize = assignments.iter().map(|it| it.relationships.len()).sum();
        let mut all: BTreeSet<i32> = BTreeSet::new();
        all.extend(assignments.iter().flat_map(|it| &it.relationships));
        let fair = usize::try_from(SHARDS).unwrap() / members.len();
        let mut each = assignments.iter();
        let is_fair = each.all(|it| it.is_current && fair <= it.relationships.len());
        is_fair && all == (0..SHARDS).collect() && count == all.len()
    })
}

fn wait_until(members: &[&Member], is_so: impl Fn(&[Assignment]) -> bool) -> Duration {
    let begun: Instant = clock::stopwatch();
    while !is_so(&assignments(members)) {
        let now = assignments(members);
        assert!(begun.elapsed() < Duration::from_secs(60), "{now:#?}");
        thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed()
}

/// Were this to fail, accounts would be nobody's, or two nodes would each do the work for them.
#[test]
fn three_members_share_all_shards_evenly_and_activities_follow() {
    let (_cluster, options) = mock(1);
    let (a, b, c) = (
        join(&options, "a"),
        join(&options, "b"),
        join(&options, "c"),
    );
    wait_until_shared(&[&a, &b, &c]);
    for assignment in assignments(&[&a, &b, &c]) {
        let mut follow = assignment.relationships.clone();
        follow.extend(assignment.relationships.iter().map(|it| it + SHARDS));
        assert_eq!(assignment.activities, follow);
    }
}

/// Were this to fail, a restart would move shards to others and back.
#[test]
fn a_member_that_is_dropped_keeps_its_shards_until_its_session_ends() {
    let (_cluster, options) = mock(1);
    let (a, b) = (join(&options, "a"), join(&options, "b"));
    wait_until_shared(&[&a, &b]);
    let before = assignments(&[&a]);
    drop(b);
    let took = wait_until_shared(&[&a]);
    // Were it told, the mock would take a session less a second: see the next test.
    assert!(SESSION + Duration::from_secs(1) < took, "{took:?}");
    assert!(
        assignments(&[&a])[0]
            .relationships
            .is_superset(&before[0].relationships)
    );
}

#[test]
fn a_member_without_a_name_gives_its_shards_at_once() {
    let (_cluster, options) = mock(1);
    let (a, b) = (join(&options, "a"), join_as(&options, None));
    wait_until_shared(&[&a, &b]);
    drop(b);
    let took = wait_until_shared(&[&a]);
    assert!(took < SESSION, "{took:?}");
}

#[test]
fn a_member_that_comes_back_is_given_shards_again() {
    let (_cluster, options) = mock(1);
    let (a, b) = (join(&options, "a"), join(&options, "b"));
    wait_until_shared(&[&a, &b]);
    drop(b);
    let b = join(&options, "b");
    wait_until_shared(&[&a, &b]);
}

#[test]
fn members_follow_their_coordinator() {
    let (cluster, options) = mock(2);
    let group = || MockCoordinator::Group(options.group.clone());
    cluster.coordinator(group(), 1).unwrap();
    let a = join(&options, "a");
    wait_until_shared(&[&a]);
    cluster.coordinator(group(), 2).unwrap();
    let b = join(&options, "b");
    wait_until_shared(&[&a, &b]);
    cluster.broker_down(1).unwrap();
    drop(b);
    wait_until_shared(&[&a]);
}

/// Were this to fail, shards would be given up while the broker is away, or never again be those of the group.
#[test]
fn while_the_group_does_not_answer_its_last_word_stands() {
    let (cluster, options) = mock(1);
    let (a, b) = (join(&options, "a"), join(&options, "b"));
    wait_until_shared(&[&a, &b]);
    let before = assignments(&[&a, &b]);
    cluster.broker_down(1).unwrap();
    wait_until(&[&a, &b], |both| both.iter().all(|it| !it.is_current));
    for (now, before) in assignments(&[&a, &b]).iter().zip(&before) {
        assert_eq!(now.relationships, before.relationships);
    }
    cluster.broker_up(1).unwrap();
    wait_until_shared(&[&a, &b]);
}

/// Were this to fail, a node whose name another had for a moment would never again be given anything.
#[test]
fn a_member_that_was_put_out_joins_again() {
    let (cluster, options) = mock(1);
    let a = join(&options, "a");
    wait_until_shared(&[&a]);
    let fenced = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID];
    cluster.request_errors(RDKafkaApiKey::Heartbeat, &fenced);
    wait_until(&[&a], |it| !it[0].is_current);
    wait_until_shared(&[&a]);
}

/// Were this to fail, lag tools would show nothing of a cluster, or one node would overwrite what another commits.
#[test]
fn offsets_of_owned_partitions_are_committed() {
    let (_cluster, options) = mock(1);
    let (a, b) = (join(&options, "a"), join(&options, "b"));
    wait_until_shared(&[&a, &b]);
    let next = |offset: i64| {
        let position = |topic, partition| Position {
            topic,
            partition,
            offset,
        };
        let relations = (0..SHARDS).map(|it| position(Topic::Relationships, it));
        let activities = (0..2 * SHARDS).map(|it| position(Topic::Activities, it));
        relations.chain(activities).collect::<Vec<_>>()
    };
    let of_a = assignments(&[&a])[0].clone();
    let expected: Vec<i64> = next(0)
        .into_iter()
        .map(|position| if of_a.has(position) { 7 } else { 9 })
        .collect();
    a.commits().commit(&next(7));
    b.commits().commit(&next(9));
    let begun = clock::stopwatch();
    loop {
        let found = committed(&options, &next(0));
        if found == expected {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{found:?} {expected:?}"
        );
    }
}
