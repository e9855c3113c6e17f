//! What becomes of the outbox, and of Mastodon, when nobody reads it or it is broken.

use super::{drain, install, number, to_do};
use crate::support::postgres::{Database, Version};

/// A failure means that a Slackwater that was forgotten fills the disk of an instance.
#[test]
fn an_outbox_that_nobody_reads_stops_growing_and_says_so() {
    let database = Database::mastodon(Version::NEWEST);
    install(&database, &[]);
    let mut client = database.connect();
    let ana = number(
        &mut client,
        "SELECT pretend.remote_account('ana', 'tide.example')",
    );
    client
        .batch_execute("UPDATE slackwater.settings SET value = 1000 WHERE name = 'outbox_rows_max'")
        .unwrap();
    let deliver = |from: i64, to: i64| {
        format!(
            "SELECT pretend.deliver({ana}, 'https://tide.example/' || n, now()) FROM generate_series({from}, {to}) AS n"
        )
    };
    client.batch_execute(&deliver(1, 900)).unwrap();
    assert_eq!(
        number(&mut client, "SELECT count(*) FROM slackwater.overflow"),
        0
    );
    client.batch_execute(&deliver(901, 4_000)).unwrap();
    let rows = "SELECT count(*) FROM slackwater.outbox";
    let full = number(&mut client, rows);
    assert!((1_000..1_512).contains(&full), "{full}");
    client.batch_execute(&deliver(4_001, 5_000)).unwrap();
    client
        .batch_execute(
            "SELECT pretend.edit(id, 'x') FROM statuses; DELETE FROM statuses WHERE uri LIKE '%7'",
        )
        .unwrap();
    assert_eq!(number(&mut client, rows), full, "nothing more is noted");
    assert_eq!(
        number(&mut client, "SELECT count(*) FROM statuses"),
        4_500,
        "and Mastodon goes on"
    );
    let said = to_do(&database.url()).join("\n");
    assert!(said.contains("the outbox was full"), "{said}");
    // Reading it is not enough: what is missing is not in it. The reader, who then compares everything, clears the flag.
    drain(&mut client);
    client.batch_execute(&deliver(6_001, 6_010)).unwrap();
    assert_eq!(number(&mut client, rows), 0);
    let mut reader = database.connect_as(database.name());
    reader
        .batch_execute("DELETE FROM slackwater.overflow")
        .unwrap();
    client.batch_execute(&deliver(6_011, 6_020)).unwrap();
    assert_eq!(number(&mut client, rows), 10);
    assert_eq!(to_do(&database.url()), [""; 0]);
}

#[test]
fn many_that_find_it_full_at_once_do_not_wait_for_each_other() {
    let database = Database::mastodon(Version::NEWEST);
    install(&database, &[]);
    let mut client = database.connect();
    let ana = number(
        &mut client,
        "SELECT pretend.remote_account('ana', 'tide.example')",
    );
    client
        .batch_execute("UPDATE slackwater.settings SET value = 0 WHERE name = 'outbox_rows_max'")
        .unwrap();
    let fill = |what: &str| {
        format!(
            "SELECT pretend.deliver({ana}, 'https://tide.example/{what}/' || n, now()) FROM generate_series(1, 600) AS n"
        )
    };
    let mut first = database.connect();
    let mut first = first.transaction().unwrap();
    first.batch_execute(&fill("first")).unwrap();
    let mut second = database.connect();
    second
        .batch_execute("SET statement_timeout = '30s'")
        .unwrap();
    second.batch_execute(&fill("second")).unwrap();
    first.commit().unwrap();
    assert_eq!(number(&mut client, "SELECT count(*) FROM statuses"), 1_200);
}

/// A failure means that a fault of ours, or of whoever tidies up, stops Mastodon.
#[test]
fn mastodon_goes_on_without_the_outbox_or_the_right_to_write_to_it() {
    let database = Database::mastodon(Version::NEWEST);
    install(&database, &["--serve"]);
    let mut client = database.connect();
    let ana = number(
        &mut client,
        "SELECT pretend.remote_account('ana', 'tide.example')",
    );
    let owner = format!("{}_owner", database.name());
    for (nth, fault) in [
        "DROP TABLE slackwater.overflow",
        "DROP TABLE slackwater.settings",
        "ALTER TABLE slackwater.outbox RENAME TO other",
        "DROP TABLE slackwater.outbox",
        "ALTER FUNCTION slackwater.note() OWNER TO {owner}",
    ]
    .iter()
    .enumerate()
    {
        if nth == 4 {
            client
                .batch_execute(&format!("CREATE ROLE {owner}"))
                .unwrap();
        }
        client
            .batch_execute(&fault.replace("{owner}", &owner))
            .unwrap();
        let work = format!(
            "SELECT pretend.deliver({ana}, 'https://tide.example/{nth}', now() - interval '1 minute');
             SELECT pretend.edit(id, 'x') FROM statuses; DELETE FROM statuses"
        );
        client
            .batch_execute(&work)
            .unwrap_or_else(|error| panic!("{fault}: {error:?}"));
        assert_ne!(to_do(&database.url()), [""; 0], "{fault}");
        if nth == 4 {
            client
                .batch_execute("ALTER FUNCTION slackwater.note() OWNER TO postgres")
                .unwrap();
        }
        install(&database, &["--serve"]);
        client
            .batch_execute("DROP TABLE IF EXISTS slackwater.other CASCADE")
            .unwrap();
        install(&database, &["--serve"]);
        assert_eq!(to_do(&database.url()), [""; 0], "{fault}");
    }
    // The whole schema, by somebody who does not know what it is for: the triggers go with it.
    client
        .batch_execute("DROP SCHEMA slackwater CASCADE")
        .unwrap();
    client
        .batch_execute(&format!(
            "SELECT pretend.deliver({ana}, 'https://tide.example/x', now())"
        ))
        .unwrap();
}

/// What docs/mastodon.md says of it: a change to the outbox's own columns is the one thing that stops Mastodon.
#[test]
fn an_outbox_with_other_columns_is_what_mastodon_would_see_until_the_triggers_go() {
    let database = Database::mastodon(Version::NEWEST);
    install(&database, &[]);
    let mut client = database.connect();
    client
        .batch_execute("ALTER TABLE slackwater.outbox DROP COLUMN tab")
        .unwrap();
    let error = client
        .batch_execute("SELECT pretend.local_account('mia')")
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some(&postgres::error::SqlState::UNDEFINED_COLUMN)
    );
    client
        .batch_execute("DROP SCHEMA slackwater CASCADE")
        .unwrap();
    client
        .batch_execute("SELECT pretend.local_account('mia')")
        .unwrap();
}
