//! Members of the group at a real broker. This one knows no members by name, so they are without.

use crate::support::broker::Broker;
use crate::support::wait_for;
use slackwater::log::kafka::{Member, MemberOptions, Options};
use std::time::Duration;
use tempfile::TempDir;

fn join(options: &Options) -> Member {
    let membership = MemberOptions {
        instance: None,
        session_timeout: Duration::from_secs(6),
    };
    Member::join(options, &membership).unwrap()
}

/// Waits until the members have all shards between them, each some.
fn wait_until_shared(members: &[&Member]) {
    wait_for("shards to be shared out", || {
        let mut all = Vec::new();
        for member in members {
            let shards = member.assignment().borrow().relationships.clone();
            if shards.is_empty() {
                return None;
            }
            all.extend(shards);
        }
        all.sort_unstable();
        (all == (0..8).collect::<Vec<_>>()).then_some(())
    });
}

#[test]
fn shards_are_shared_out_and_one_who_goes_gives_its_own_away() {
    let dir = TempDir::new().unwrap();
    let broker = Broker::start(dir.path());
    broker.create_topics(8, 8);
    let options = Options {
        brokers: vec![broker.address()],
        ..Options::default()
    };
    let a = join(&options);
    wait_until_shared(&[&a]);
    let b = join(&options);
    wait_until_shared(&[&a, &b]);
    drop(a);
    wait_until_shared(&[&b]);
}
