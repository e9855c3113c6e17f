//! What Mastodon does, and the rows that are noted of it.

use super::{Noted, drain, drain_tables, install};
use crate::support::postgres::{Database, Version};
use postgres::Client;
use postgres::types::ToSql;
use serde_json::json;

/// A pretend Mastodon whose outbox is empty, with mia of this instance and ana of another.
struct Stage {
    database: Database,
    client: Client,
    mia: i64,
    ana: i64,
}

impl Stage {
    fn new(level: &[&str]) -> Stage {
        let database = Database::mastodon(Version::NEWEST);
        install(&database, level);
        let mut client = database.connect();
        let mia = act(&mut client, "pretend.local_account('mia')", &[]);
        let ana = act(
            &mut client,
            "pretend.remote_account('ana', 'tide.example')",
            &[],
        );
        drain(&mut client);
        Stage {
            database,
            client,
            mia,
            ana,
        }
    }

    /// What is noted while the pretend Mastodon does something: tables, and whether the row is gone.
    fn notes(&mut self, what: &str, with: &[&(dyn ToSql + Sync)]) -> Vec<(String, bool)> {
        self.client
            .query(&format!("SELECT {what}"), with)
            .unwrap_or_else(|error| panic!("{what}: {error:?}"));
        drain_tables(&mut self.client)
    }
}

fn act(client: &mut Client, what: &str, with: &[&(dyn ToSql + Sync)]) -> i64 {
    client
        .query_one(&format!("SELECT {what}"), with)
        .unwrap_or_else(|error| panic!("{what}: {error:?}"))
        .get(0)
}

fn rows(tables: &[&str]) -> Vec<(String, bool)> {
    tables
        .iter()
        .map(|table| {
            (
                table.trim_start_matches('-').to_owned(),
                table.starts_with('-'),
            )
        })
        .collect()
}

/// A failure means that something happens on an instance of which its feeds never hear.
#[test]
fn each_change_that_a_feed_can_see_is_noted_and_no_other() {
    let mut stage = Stage::new(&[]);
    let (mia, ana) = (stage.mia, stage.ana);
    let post = act(
        &mut stage.client,
        "pretend.deliver($1, 'https://tide.example/1', now() - interval '3 minutes')",
        &[&ana],
    );
    assert_eq!(drain_tables(&mut stage.client), rows(&["statuses"]));
    let list = act(&mut stage.client, "pretend.list($1, 'friends')", &[&mia]);
    drain(&mut stage.client);
    let both: [&(dyn ToSql + Sync); 2] = [&mia, &ana];
    let post = &post;
    for (what, with, noted) in [
        // A post, and what comes after it.
        (
            "pretend.mention($1, $2)",
            &[post as &(dyn ToSql + Sync), &mia][..],
            &["mentions"][..],
        ),
        ("pretend.tag_post($1, 'rust')", &[post], &["statuses_tags"]),
        (
            "pretend.attach($1, 'https://tide.example/cat.png')",
            &[post],
            &["media_attachments"],
        ),
        ("pretend.poll($1, '{yes,no}')", &[post], &["statuses"]),
        ("pretend.edit($1, '<p>other</p>')", &[post], &["statuses"]),
        ("pretend.edit($1, '<p>other</p>')", &[post], &["statuses"]),
        (
            "pretend.write($1, 'hello')",
            &[&mia],
            &["statuses", "statuses"],
        ),
        (
            "pretend.boost($1, $2)",
            &[&mia, post],
            &["statuses", "statuses"],
        ),
        (
            "pretend.boost($1, $2, 'https://tide.example/b')",
            &[&ana, post],
            &["statuses"],
        ),
        // Relations.
        ("pretend.follow($1, $2)", &both, &["follows"]),
        ("pretend.follow($1, $2, false, '{en}')", &both, &["follows"]),
        ("pretend.follow($1, $2, false, '{en}')", &both, &[]),
        (
            "pretend.add_to_list($1, $2)",
            &[&list, &ana],
            &["list_accounts"],
        ),
        // Its members go with the follow.
        (
            "pretend.unfollow($1, $2)",
            &both,
            &["-follows", "-list_accounts"],
        ),
        (
            "pretend.mute($1, $2, now() + interval '1 day')",
            &both,
            &["mutes"],
        ),
        ("pretend.unmute($1, $2)", &both, &["-mutes"]),
        ("pretend.block($1, $2)", &both, &["blocks"]),
        ("pretend.unblock($1, $2)", &both, &["-blocks"]),
        (
            "pretend.block_domain($1, 'noise.example')",
            &[&mia],
            &["account_domain_blocks"],
        ),
        ("pretend.follow_tag($1, 'rust')", &[&mia], &["tag_follows"]),
        // Moderation.
        (
            "pretend.moderate_domain('noise.example', 0)",
            &[],
            &["domain_blocks"],
        ),
        (
            "pretend.moderate_domain('noise.example', 1)",
            &[],
            &["domain_blocks"],
        ),
        ("pretend.moderate_domain('noise.example', 1)", &[], &[]),
        ("pretend.silence($1)", &[&ana], &["accounts"]),
        ("pretend.suspend($1)", &[&ana], &["accounts"]),
        ("pretend.suspend($1, false)", &[&ana], &["accounts"]),
        // Of no consequence for feeds.
        ("pretend.sign_in($1)", &[&mia], &[]),
        ("pretend.give_token($1, 'x')", &[&mia], &[]),
        // The post and both boosts of it, softly; then the row, with all that goes with it.
        (
            "pretend.delete_softly($1)",
            &[post],
            &["statuses", "statuses", "statuses"],
        ),
        (
            "pretend.delete_row($1)",
            &[post],
            &[
                "-statuses",
                "-statuses",
                "-statuses",
                "media_attachments",
                "-mentions",
                "-statuses_tags",
            ],
        ),
    ] {
        let mut found = stage.notes(what, with);
        let mut noted = rows(noted);
        // In which order the rows of a cascade come is the database's own affair.
        found.sort();
        noted.sort();
        assert_eq!(found, noted, "{what}");
    }
    let attributes = "UPDATE accounts SET last_webfingered_at = now(), updated_at = now(), inbox_url = 'x', private_key = 'y'";
    stage.client.execute(attributes, &[]).unwrap();
    assert_eq!(drain(&mut stage.client), []);
    // An upload belongs to no post before the post is written.
    let upload = "INSERT INTO media_attachments (account_id, type, created_at, updated_at) VALUES ($1, 0, now(), now())";
    stage.client.execute(upload, &[&mia]).unwrap();
    assert_eq!(drain(&mut stage.client), []);
    let written = act(&mut stage.client, "pretend.write($1, 'a picture')", &[&mia]);
    stage
        .client
        .execute(
            "UPDATE media_attachments SET status_id = $1 WHERE remote_url = ''",
            &[&written],
        )
        .unwrap();
    assert_eq!(
        drain_tables(&mut stage.client),
        rows(&["statuses", "statuses", "media_attachments"])
    );
}

/// A failure means that nobody can say any more which post or relation it was that went.
#[test]
fn of_a_row_that_goes_its_keys_are_kept_and_of_one_that_changes_hands_too() {
    let mut stage = Stage::new(&[]);
    let (mia, ana) = (stage.mia, stage.ana);
    let client = &mut stage.client;
    let post = act(
        client,
        "pretend.deliver($1, 'https://tide.example/1', now())",
        &[&ana],
    );
    let follow = act(client, "pretend.follow($1, $2)", &[&mia, &ana]);
    let boris = act(client, "pretend.remote_account('boris', 'a.example')", &[]);
    client
        .execute("SELECT pretend.tag_post($1, 'rust')", &[&post])
        .unwrap();
    let tag = act(client, "id FROM tags", &[]);
    drain(client);
    // Mastodon moves relations when two accounts turn out to be one.
    client
        .execute("UPDATE follows SET target_account_id = $1", &[&boris])
        .unwrap();
    let changed = Noted {
        tab: "follows".to_owned(),
        id: follow,
        gone: false,
        old: Some(json!({"account_id": mia, "target_account_id": ana})),
        fetched: None,
    };
    assert_eq!(drain(client), [changed]);
    client.execute("DELETE FROM statuses_tags", &[]).unwrap();
    let untagged = Noted {
        tab: "statuses_tags".to_owned(),
        id: post,
        gone: true,
        old: Some(json!({"status_id": post, "tag_id": tag})),
        fetched: None,
    };
    assert_eq!(drain(client), [untagged]);
    client
        .execute("SELECT pretend.delete_account($1)", &[&ana])
        .unwrap();
    let noted = drain(client);
    let of = |tab: &str| {
        noted
            .iter()
            .find(|noted| noted.tab == tab)
            .unwrap_or_else(|| panic!("{noted:?}"))
    };
    assert_eq!(noted.len(), 2, "{noted:?}");
    let old = json!({
        "account_id": ana, "uri": "https://tide.example/1", "local": false, "reblog_of_id": null, "in_reply_to_id": null,
        "deleted_at": null
    });
    assert_eq!(
        (
            of("statuses").id,
            of("statuses").gone,
            of("statuses").old.as_ref()
        ),
        (post, true, Some(&old))
    );
    let old = json!({
        "username": "ana", "domain": "tide.example", "uri": "https://tide.example/users/ana",
        "id_scheme": 1
    });
    assert_eq!(
        (
            of("accounts").id,
            of("accounts").gone,
            of("accounts").old.as_ref()
        ),
        (ana, true, Some(&old))
    );
}

/// A failure means that posts somebody looked up are taken for news, or news for posts that somebody looked up.
#[test]
fn a_post_that_was_delivered_is_told_from_one_that_was_fetched_at_both_levels() {
    for level in [&[][..], &["--serve"]] {
        let mut stage = Stage::new(level);
        let (mia, ana) = (stage.mia, stage.ana);
        let pooler = stage.database.pooled(&[]);
        let mut pooled = Client::connect(&pooler.url(), postgres::NoTls).unwrap();
        for fetched in [false, true] {
            let how = if fetched { "fetch" } else { "deliver" };
            for ago in ["0 seconds", "3 seconds", "20 minutes", "23 hours", "3 days"] {
                if fetched && ago == "0 seconds" {
                    // One that is fetched in the very moment it is written might be either.
                    continue;
                }
                let uri = format!("https://tide.example/{how}/{}", ago.replace(' ', "-"));
                let act = format!("SELECT pretend.{how}({ana}, '{uri}', now() - interval '{ago}')");
                pooled.simple_query(&act).unwrap();
                let noted = drain(&mut stage.client);
                assert_eq!(noted.len(), 1);
                assert_eq!(noted[0].fetched, Some(fetched), "{how} {ago} {level:?}");
            }
        }
        // Several in a transaction, and several in a statement.
        let mut transaction = stage.client.transaction().unwrap();
        let mut expected = Vec::new();
        for nth in 0..6 {
            let how = if nth % 2 == 0 { "deliver" } else { "fetch" };
            let act = format!(
                "SELECT pretend.{how}($1, 'https://tide.example/several/{nth}', now() - interval '{nth} minutes' - interval '1 hour')"
            );
            transaction.query(&act, &[&ana]).unwrap();
            expected.push(Some(nth % 2 != 0));
        }
        let many = "INSERT INTO statuses (uri, created_at, updated_at, account_id, local)
            SELECT 'https://tide.example/many/' || n, now() AT TIME ZONE 'UTC' - n * interval '1 second', now() AT TIME ZONE 'UTC', $1, false
            FROM generate_series(1, 50) AS n";
        transaction.execute(many, &[&ana]).unwrap();
        expected.extend([Some(false); 50]);
        transaction
            .query("SELECT pretend.write($1, 'hello')", &[&mia])
            .unwrap();
        expected.extend([Some(false), None]);
        transaction.commit().unwrap();
        let noted: Vec<Option<bool>> = drain(&mut stage.client)
            .into_iter()
            .map(|noted| noted.fetched)
            .collect();
        assert_eq!(noted, expected, "{level:?}");
    }
}
