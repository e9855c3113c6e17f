//! The broker is away, from all nodes or from one.

use super::crowd::Crowd;
use super::load::Load;
use super::{ANA, BOB, home_of, post, relate, tell};
use crate::support::broker::Proxy;
use crate::support::cluster::{LEASE, Nodes, Options, Unlike};
use crate::support::instance::{Answer, Door};
use crate::support::wait_for;
use serde_json::{Value, json};
use slackwater::clock;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How much longer than a lease something that waits for its end may take.
const MARGIN: Duration = Duration::from_secs(2);
/// The lease of nodes whose configuration says none.
const DEFAULT_LEASE: Duration = Duration::from_secs(4);
const READERS: usize = 30;
const HIDERS: usize = 2;
/// A record that waits for longer than its producer does is the end of the broker of these tests.
const OUTLASTS: &str = "\"message.timeout.ms\" = 120000";

/// Were this to fail, a broker that is restarted would cost every reader an error.
#[test]
fn a_broker_that_is_away_for_less_than_a_lease_is_noticed_by_no_reader() {
    let options = Options {
        lease: Some(Duration::from_secs(8)),
        ..Options::quick(0)
    };
    let (mut nodes, accounts) = nodes_with_readers(options);
    let begun = clock::stopwatch();
    nodes.broker.kill9();
    wait_for("two seconds", || {
        for door in &nodes.doors() {
            for account in &accounts {
                let page = door.get(&home_of(account));
                assert_eq!(page.status, 200, "{}", page.text);
            }
        }
        (Duration::from_secs(2) < begun.elapsed()).then_some(())
    });
    nodes.broker.restart();
    tell(&nodes.doors(), &[post(ANA, 1)]);
    for account in &accounts {
        let page = nodes.door(0).get(&home_of(account));
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains(&super::uri(ANA, 1)), "{}", page.text);
    }
}

/// Were this to fail, a node that hears nothing would show feeds of which it does not know what they may show; or never again.
#[test]
fn a_broker_that_is_away_for_longer_has_no_feed_shown_until_it_is_back() {
    let (mut nodes, accounts) = nodes_with_readers(Options::quick(0));
    let doors = nodes.doors();
    let nodes_of: BTreeMap<&String, usize> = accounts
        .iter()
        .map(|account| (account, nodes.server_of(account)))
        .collect();
    let begun = clock::stopwatch();
    nodes.broker.kill9();
    std::thread::scope(|scope| {
        for account in &accounts {
            let door = &doors[nodes_of[account]];
            scope.spawn(move || {
                let last = last_page(door, &home_of(account), begun);
                assert!(last < LEASE + MARGIN, "a page after {last:?}");
            });
        }
    });
    // Without their broker they show no feed, and still say what a post is.
    for door in &doors {
        assert!(is_later(&door.get(&home_of(&accounts[0]))));
        assert!(super::knows(door, &super::uri(ANA, 0)));
    }
    nodes.broker.restart();
    nodes.wait_settled();
    relate(&doors[0], &[mute(&accounts[0])]);
    tell(&doors, &[post(ANA, 1), post(BOB, 1)]);
    for door in &doors {
        for (n, account) in accounts.iter().enumerate() {
            let page = door.get(&home_of(account));
            assert_eq!(page.status, 200, "{}", page.text);
            assert_eq!(page.text.contains(&super::uri(ANA, 1)), n != 0);
            assert_eq!(page.text.contains(&super::uri(ANA, 0)), n != 0);
            assert!(page.text.contains(&super::uri(BOB, 0)));
            assert!(page.text.contains(&super::uri(BOB, 1)));
        }
    }
}

/// Were this to fail, readers would lose posts, or be told some that are hidden, whenever Kafka is upgraded or its network fails.
#[test]
fn a_broker_that_is_away_for_two_seconds_and_for_thirty_costs_readers_time_and_no_post() {
    let load = Load::made_up(81, 2_000, 300);
    let options = Options {
        client: OUTLASTS.to_owned(),
        ..Options::default()
    };
    let mut nodes = load.nodes(3, options);
    let accounts = &load.fediverse.accounts[..READERS];
    let crowd = Crowd::of(accounts, &nodes);
    let mut crowd = crowd.with_hiders(HIDERS, &nodes, &load);
    let report = crowd.read_under(&load, &mut nodes, |nodes, _| {
        for (part, seconds) in [(1, 2), (2, 30)] {
            load.let_go(part, 3);
            load.wait_appended();
            away_for(nodes, Duration::from_secs(seconds), &accounts[0]);
        }
    });
    println!("2 s and 30 s away: {report}");
}

/// The broker is away for so long by the clock. From when leases must be over until it is back, no node shows a feed.
fn away_for(nodes: &mut Nodes, time: Duration, account: &str) {
    let lease = DEFAULT_LEASE;
    nodes.broker.kill9();
    let begun = clock::stopwatch();
    let mut refused = 0;
    wait_for("the time to be over", || {
        for door in nodes.doors() {
            for feed in [&home_of(account), "/v1/feeds/public"] {
                let asked = begun.elapsed();
                let answer = door.get(feed);
                assert!(is_later(&answer) || answer.status == 200, "{answer:?}");
                assert!(asked < lease || is_later(&answer), "{asked:?}: {answer:?}");
                refused += usize::from(is_later(&answer));
            }
        }
        (time < begun.elapsed()).then_some(())
    });
    assert!(time < lease || 0 < refused);
    nodes.broker.restart();
    let back = clock::stopwatch();
    nodes.wait_settled();
    println!(
        "away for {time:?}: {refused} refused, all is served {:?} later",
        back.elapsed()
    );
}

/// Were this to fail, a node that hears nothing of Kafka would show what its readers mute on others; or hold them up for good.
#[test]
fn a_node_that_is_cut_off_from_kafka_alone_answers_no_more_and_the_others_go_on() {
    let mut nodes = Nodes::none(Options::quick(0));
    nodes.add();
    nodes.add();
    let proxy = Proxy::start(&nodes.broker);
    nodes.add_unlike(&Unlike {
        proxy: Some(&proxy),
        ..Unlike::default()
    });
    nodes.wait_settled();
    let accounts = readers(&nodes);
    let cut_off = nodes.door(2).clone();
    let others = [nodes.door(0).clone(), nodes.door(1).clone()];
    let account = accounts
        .iter()
        .find(|account| nodes.server_of(account) == 2)
        .expect("it serves one of them");
    let feed = home_of(account);
    assert!(cut_off.get(&feed).text.contains(ANA));

    proxy.stop();
    let begun = clock::stopwatch();
    relate(&others[0], &[mute(account)]);
    let took = begun.elapsed();
    assert!(took < LEASE + MARGIN, "{took:?}");
    // From its end on no node shows the muted; and where Kafka can be reached there is a page.
    let answer = cut_off.get(&feed);
    assert!(is_later(&answer) || answer.status == 200, "{answer:?}");
    assert!(!answer.text.contains(ANA), "{}", answer.text);
    tell(&others, &[post(ANA, 1), post(BOB, 1)]);
    for door in &others {
        let page = wait_for("a page", || good(door, &feed));
        assert!(!page.text.contains(ANA), "{}", page.text);
        assert!(page.text.contains(&super::uri(BOB, 1)), "{}", page.text);
    }
    let answer = cut_off.get(&feed);
    assert!(!answer.text.contains(ANA), "{}", answer.text);

    proxy.go_on();
    nodes.wait_settled();
    assert_eq!(nodes.server_of(account), 2);
    for door in nodes.doors() {
        let page = wait_for("a page", || good(&door, &feed));
        assert!(!page.text.contains(ANA), "{}", page.text);
        assert!(page.text.contains(&super::uri(BOB, 1)), "{}", page.text);
    }
}

/// Were this to fail, a node that others cannot reach would take its accounts with it; or show what is muted elsewhere.
#[test]
fn a_node_that_no_other_can_reach_keeps_relations_in_force_and_others_answer_too() {
    let mut nodes = Nodes::none(Options::quick(0));
    nodes.add();
    nodes.add();
    nodes.add_unlike(&Unlike {
        // Nobody listens there.
        cluster: "advertise = \"http://127.0.0.1:9\"",
        ..Unlike::default()
    });
    nodes.wait_settled();
    let accounts = readers(&nodes);
    let account = accounts
        .iter()
        .find(|account| nodes.server_of(account) == 2)
        .expect("it serves one of them");
    let feed = home_of(account);
    for door in nodes.doors() {
        let page = wait_for("a page", || good(&door, &feed));
        assert!(page.text.contains(ANA), "{}", page.text);
    }
    relate(nodes.door(0), &[mute(account)]);
    for door in nodes.doors() {
        let page = wait_for("a page", || good(&door, &feed));
        assert!(
            !page.text.contains(ANA) && page.text.contains(BOB),
            "{}",
            page.text
        );
    }
}

/// Reads a feed until it is refused; when it was last answered with a page.
fn last_page(door: &Door, feed: &str, begun: Instant) -> Duration {
    let mut last = Duration::ZERO;
    wait_for("the lease to end", || {
        let answer = door.get(feed);
        if is_later(&answer) {
            return Some(());
        }
        assert_eq!(answer.status, 200, "{}", answer.text);
        last = begun.elapsed();
        None
    });
    last
}

/// Three nodes, and some accounts that follow Ana and Bob, who have each posted once.
fn nodes_with_readers(options: Options) -> (Nodes, Vec<String>) {
    let nodes = Nodes::start_with(3, options);
    let accounts = readers(&nodes);
    (nodes, accounts)
}

fn readers(nodes: &Nodes) -> Vec<String> {
    let accounts: Vec<String> = (0..12).map(|n| format!("acct-{n}")).collect();
    let follow = |account: &String| {
        [ANA, BOB].map(|target| json!({"type": "follow", "account": account, "target": target}))
    };
    let follows: Vec<Value> = accounts.iter().flat_map(follow).collect();
    relate(nodes.door(0), &follows);
    tell(&nodes.doors(), &[post(ANA, 0), post(BOB, 0)]);
    accounts
}

fn mute(account: &str) -> Value {
    json!({"type": "mute", "account": account, "target": ANA})
}

/// Whether an answer says to come again.
fn is_later(answer: &Answer) -> bool {
    answer.status == 503 && answer.retry_after.is_some()
}

fn good(door: &Door, feed: &str) -> Option<Answer> {
    let answer = door.get(feed);
    assert!(is_later(&answer) || answer.status == 200, "{answer:?}");
    (answer.status == 200).then_some(answer)
}
