//! Two services on one Kafka, both of which would follow one Mastodon.

use super::{Level, Stage, Way, expected, history};
use crate::support::broker::Broker;
use crate::support::instance::{self, Instance};
use crate::support::postgres::Version;
use crate::support::wait_for;
use tempfile::TempDir;

/// A service that follows the database at `url`, on a Kafka.
fn config(broker: &Broker, url: &str) -> String {
    let mastodon =
        format!("[mastodon]\nids = \"ref\"\nweb_domain = \"home.example\"\ndatabase = \"{url}\"\n");
    instance::on_kafka(&broker.address(), &mastodon)
}

fn broker(dir: &TempDir) -> Broker {
    let broker = Broker::start(dir.path());
    broker.create_topics(4, 2);
    broker
}

/// The refs of a home, newest first, as far as this node has come.
fn home(node: &Instance, account: i64) -> Vec<i64> {
    let entries = node.door.home(&account.to_string());
    let refs = entries.iter().filter_map(|entry| entry["ref"].as_str());
    refs.filter_map(|text| text.parse().ok()).collect()
}

/// Waits until the homes of both are what the tables say.
fn settle(stage: &mut Stage, other: &Instance, locals: &[i64]) {
    stage.instance.wait_until_ready();
    other.wait_until_ready();
    for local in locals {
        let expected = expected(stage, *local, Level::Look);
        for (name, node) in [("one", &stage.instance), ("the other", other)] {
            let mut last = Vec::new();
            let is_so = || {
                last = home(node, *local);
                (last == expected).then_some(())
            };
            wait_for(&format!("the home of {local} at {name}"), is_so);
        }
    }
}

/// A failure means that an outbox is read by two at a time, or by nobody once the one that read it is gone.
#[test]
fn two_nodes_take_turns_and_the_other_goes_on_when_one_is_killed() {
    let (broker_dir, other_dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let broker = broker(&broker_dir);
    let mut other_config = String::new();
    let mut stage = Stage::unready(
        Version::NEWEST,
        Way::Directly,
        Level::Look,
        |_| {},
        |url| {
            other_config = config(&broker, url);
            other_config.clone()
        },
    );
    let mut other = Instance::start(other_dir.path(), &other_config);

    let locals = history(&mut stage, 61, 120, |_, _| {});
    settle(&mut stage, &other, &locals);
    let noted: i64 = stage
        .client
        .query_one("SELECT last_value FROM slackwater.outbox_seq_seq", &[])
        .unwrap()
        .get(0);
    let rows = "slackwater_connector_rows_total";
    let taken = [&stage.instance, &other].map(|node| node.door.metric(rows));
    assert_eq!(
        taken.iter().sum::<f64>(),
        noted as f64,
        "each once: {taken:?}"
    );

    let more = history(&mut stage, 62, 120, |stage, n| match n % 30 {
        9 => stage.instance.kill9(),
        19 => {
            stage.instance.restart();
            other.kill9();
        }
        29 => other.restart(),
        _ => {}
    });
    settle(&mut stage, &other, &more);
}
