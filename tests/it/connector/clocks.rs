//! A database on a machine whose clock is another.

use super::{Level, Stage, Way};
use crate::support::postgres::Version;
use crate::support::wait_for;

/// Ids are places at this level, and those of the database's time lie too far ahead of ours. A failure means that every post is refused
/// and its row removed: lost for good.
#[test]
fn where_the_clock_is_far_behind_the_databases_nothing_is_taken_and_nothing_lost() {
    let mut stage = Stage::with(Version::NEWEST, Way::Directly, Level::Serve, |_| {});
    let mia = stage.act("pretend.local_account('mia')", &[]);
    stage.settle();
    let ahead =
        "ALTER TABLE slackwater.outbox ALTER at SET DEFAULT clock_timestamp() + interval '1 hour'";
    stage.client.batch_execute(ahead).unwrap();
    let write = "INSERT INTO statuses (id, text, uri, created_at, updated_at, account_id, local) VALUES (
        ((extract(epoch FROM now())::bigint + 3600) * 1000) << 16, 'hello', 'https://home.example/1', pretend.utc(), pretend.utc(), $1, true)";
    stage.client.execute(write, &[&mia]).unwrap();
    wait_for("the clocks to be noticed", || {
        let following = stage.instance.door.metric("slackwater_connector_following");
        (following == 0.0).then_some(())
    });
    let ready = stage.instance.door.get("/readyz");
    assert!(ready.text.contains("clock"), "{}", ready.text);
    let left = "SELECT count(*) FROM slackwater.outbox";
    let left: i64 = stage.client.query_one(left, &[]).unwrap().get(0);
    assert_eq!(left, 1);
    let unusable = "slackwater_connector_unusable_total";
    assert_eq!(stage.instance.door.metric(unusable), 0.0);
}
