//! The same history by two ways: read from Mastodon's database, and posted directly as a backend would.

use super::{Level, Stage, Way, history};
use crate::support::instance::{self, Instance};
use crate::support::postgres::Version;
use serde_json::{Value, json};
use slackwater_order::time::Time;
use tempfile::TempDir;

const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";

/// What stands in the tables in the end, as documents of the API: relations, then activities in the order in which they arrived.
fn documents(stage: &mut Stage) -> (Vec<String>, Vec<String>) {
    let mut relations = Vec::new();
    let accounts = "SELECT id, coalesce(nullif(uri, ''), 'https://home.example/' || CASE id_scheme WHEN 1 THEN 'ap/users/' || id ELSE \
        'users/' || username END), domain IS NULL FROM accounts WHERE id > 0";
    let rows = stage.client.query(accounts, &[]).unwrap();
    let actors: std::collections::BTreeMap<i64, String> =
        rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for row in rows.iter().filter(|row| row.get(2)) {
        let (id, actor): (i64, String) = (row.get(0), row.get(1));
        relations.push(json!({"type": "account", "account": id.to_string(), "actor": actor, "aggregate_boosts": false}));
    }
    let follows = "SELECT account_id, target_account_id, show_reblogs FROM follows";
    for row in stage.client.query(follows, &[]).unwrap() {
        let (account, target): (i64, i64) = (row.get(0), row.get(1));
        relations.push(
            json!({"type": "follow", "account": account.to_string(), "target": actors[&target],
            "boosts": row.get::<_, bool>(2)}),
        );
    }
    for row in stage
        .client
        .query("SELECT account_id, target_account_id FROM mutes", &[])
        .unwrap()
    {
        let (account, target): (i64, i64) = (row.get(0), row.get(1));
        relations.push(
            json!({"type": "mute", "account": account.to_string(), "target": actors[&target]}),
        );
    }
    let ms = |column: &str| format!("floor(extract(epoch FROM {column}) * 1000)::bigint");
    let statuses = format!(
        "SELECT s.id, s.uri, s.account_id, {}, {}, {}, o.uri FROM statuses s LEFT JOIN statuses o ON o.id = s.reblog_of_id \
         WHERE s.deleted_at IS NULL ORDER BY coalesce(o.id, s.id), s.id",
        ms("s.created_at"),
        ms("s.updated_at"),
        ms("s.edited_at")
    );
    let mut activities = Vec::new();
    for row in stage.client.query(&statuses, &[]).unwrap() {
        let (id, uri, author): (i64, String, i64) = (row.get(0), row.get(1), row.get(2));
        let time = |column: usize| -> Option<String> {
            let ms: Option<i64> = row.get(column);
            ms.map(|ms| Time::from_millis(ms).rfc3339())
        };
        let (published, arrived, edited) = (time(3), time(4), time(5));
        let actor = &actors[&author];
        let boosted: Option<String> = row.get(6);
        let activity = match boosted {
            Some(boosted) => {
                json!({"type": "Announce", "id": uri, "actor": actor, "object": boosted, "published": published,
                "to": [PUBLIC]})
            }
            None => {
                let mut object = json!({"type": "Note", "id": uri, "attributedTo": actor, "published": published,
                    "to": [PUBLIC], "content": "x"});
                if let Some(edited) = edited {
                    object["updated"] = json!(edited);
                }
                json!({"type": "Create", "id": format!("{uri}/activity"), "actor": actor, "object": object})
            }
        };
        activities.push(
            json!({"activity": activity, "ref": id.to_string(), "author_ref": author.to_string(),
            "arrived_at": arrived}),
        );
    }
    let lines = |documents: Vec<Value>| documents.iter().map(Value::to_string).collect();
    (lines(relations), lines(activities))
}

/// An entry without what is written in it, and without its arrival: that is when the outbox noted it, a moment after the row says it
/// came; and of an edited post the row does not say it any more.
fn compared(mut entry: Value) -> Value {
    for field in ["arrived", "delay_ms"] {
        entry[field] = Value::Null;
    }
    if entry["edited"].is_string() {
        entry["verdict"] = Value::Null;
    }
    entry["object"] = Value::Null;
    if entry["boost"].is_object() {
        entry["boost"]["object"] = Value::Null;
    }
    entry
}

/// A failure means that a post has another place, another id or another verdict because it came by way of Mastodon's database.
#[test]
fn what_comes_by_the_database_is_what_comes_directly() {
    for (seed, level, ordering) in [
        (71, Level::Look, ""),
        (72, Level::Serve, "[ordering]\nplace = \"ref\"\n"),
    ] {
        let mut stage = Stage::with(Version::NEWEST, Way::Directly, level, |_| {});
        let locals = history(&mut stage, seed, 200, |_, _| {});
        let (relations, activities) = documents(&mut stage);
        let dir = TempDir::new().unwrap();
        let direct = Instance::start(dir.path(), &instance::built_in(ordering));
        direct.wait_until_ready();
        direct.door.post_lines("/v1/relationships", &relations);
        direct.door.post_lines("/v1/activities", &activities);
        direct.wait_until_read("activities", activities.len());
        direct.settle();
        stage.settle();
        let mut shown = 0;
        for local in locals {
            let local = local.to_string();
            let homes = [&stage.instance, &direct].map(|instance| {
                let home = instance.door.home(&local);
                home.into_iter().map(compared).collect::<Vec<_>>()
            });
            shown += homes[0].len();
            let mut both = homes[0].iter().zip(&homes[1]);
            assert_eq!(both.find(|(one, other)| one != other), None, "{level:?}");
            assert_eq!(homes[0].len(), homes[1].len(), "{level:?}");
        }
        assert!(20 < shown, "homes of {shown} show little");
    }
}
