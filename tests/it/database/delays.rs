//! `slackwater mastodon delays`, and the SQL file that does the same with psql.

use super::{good, install, number, slackwater};
use crate::support::postgres::{Database, Version};
use serde_json::{Value, json};
use slackwater_order::time::Time;
use std::path::Path;
use std::process::Command;

/// A pretend Mastodon to which posts came. A function of the tests' own inserts them at a moment of their choice, since `now()` is
/// what a real one goes by.
fn mastodon(version: Version) -> Database {
    let database = Database::mastodon(version);
    let mut client = database.connect();
    client
        .batch_execute(
            "CREATE FUNCTION came(author bigint, at timestamptz, delay interval) RETURNS void LANGUAGE sql AS $$
                INSERT INTO statuses (id, uri, created_at, updated_at, account_id, local)
                SELECT (extract(epoch FROM at) * 1000)::bigint << 16 | (nextval('statuses_ids') & 65535), 'https://x.example/' || nextval('statuses_ids'),
                    (at - delay) AT TIME ZONE 'UTC', at AT TIME ZONE 'UTC', author, domain IS NULL FROM accounts WHERE id = author
            $$;
            SELECT pretend.local_account('mia'), pretend.remote_account('ana', 'tide.example'), pretend.remote_account('bo', 'www.Loud.example'),
                pretend.remote_account('cy', 'port.example:8443');
            -- Known by another name than its posts are.
            INSERT INTO accounts (username, domain, uri, created_at, updated_at)
                VALUES ('di', 'short.example', 'https://social.short.example/users/di', now(), now());",
        )
        .unwrap();
    database
}

/// An account, by its name.
fn account(database: &Database, name: &str) -> i64 {
    number(
        &mut database.connect(),
        &format!("SELECT id FROM accounts WHERE username = '{name}'"),
    )
}

fn delays(url: &str, more: &[&str]) -> Vec<Value> {
    let args = [&["mastodon", "delays", "--database", url], more].concat();
    let lines = good(&slackwater(&args));
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn by_psql(url: &str, more: &[&str]) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/mastodon-delays.sql");
    let output = Command::new("psql")
        .args(["-qAtX"])
        .args(more)
        .arg("-f")
        .arg(file)
        .arg(url)
        .output()
        .unwrap();
    let rfc3339 = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        for key in ["published", "arrived"] {
            line[key] = json!(Time::from_millis(line[key].as_i64().unwrap()).rfc3339());
        }
        line
    };
    good(&output).lines().map(rfc3339).collect()
}

/// A failure means that an operator chooses windows by delays there never were.
#[test]
fn the_delays_are_those_of_delivered_posts_and_psql_has_the_same() {
    for version in [Version::V4_3, Version::NEWEST] {
        let database = mastodon(version);
        let mut client = database.connect();
        let [mia, ana, bo, cy, di] =
            ["mia", "ana", "bo", "cy", "di"].map(|name| account(&database, name));
        let noon = number(
            &mut client,
            "SELECT extract(epoch FROM date_trunc('hour', now() - interval '2 days'))::bigint * 1000",
        );
        // Arrived so many milliseconds after noon, with this delay; in no order.
        let posts = [
            (ana, 9_000, 4_000, "tide.example"),
            (bo, 1_250, 1_250, "loud.example"),
            (cy, 61_000, 900_000, "port.example:8443"),
            (di, 2_000, 86_000_000, "social.short.example"),
            // Within the second it was written in, and before it was written.
            (ana, 4_900, 300, "tide.example"),
            (ana, 5_100, -7_000, "tide.example"),
            // Long before what is asked for.
        ];
        let mut expected = Vec::new();
        for (author, at, delay, origin) in posts {
            let came = format!(
                "SELECT came({author}, to_timestamp(({noon} + {at}) / 1000.0), {delay} * interval '1 millisecond')"
            );
            client.execute(&came, &[]).unwrap();
            let time = |at: i64| Time::from_millis(noon + at).rfc3339();
            expected.push((
                at,
                json!({"origin": origin, "published": time(at - delay), "arrived": time(at)}),
            ));
        }
        expected.sort_by_key(|(at, _)| *at);
        let expected: Vec<Value> = expected.into_iter().map(|(_, line)| line).collect();
        // None of these says anything.
        client
            .batch_execute(&format!(
                "SELECT came({ana}, now() - interval '15 days', '3 seconds'); SELECT came({mia}, now() - interval '1 day', '0 seconds');
                 SELECT pretend.write({mia}, 'hello'); SELECT pretend.fetch({ana}, 'https://tide.example/f', now() - interval '1 day');
                 SELECT pretend.fetch({ana}, 'https://tide.example/g', now() - interval '3 minutes')"
            ))
            .unwrap();
        let url = database.url();
        assert_eq!(delays(&url, &[]), expected);
        assert_eq!(by_psql(&url, &[]), expected);
        assert_eq!(delays(&url, &["--days", "1"]), [Value::Null; 0]);
        assert_eq!(by_psql(&url, &["-v", "days=1"]), [Value::Null; 0]);
        assert_eq!(delays(&url, &["--days", "16"]).len(), expected.len() + 1);
        assert_eq!(by_psql(&url, &["-v", "days=16"]).len(), expected.len() + 1);
        let pooler = database.pooled(&[]);
        assert_eq!(delays(&pooler.url(), &[]), expected);
        assert_eq!(by_psql(&pooler.url(), &[]), expected);
        // The role may do it too, and at the first level nothing changes.
        install(&database, &[]);
        assert_eq!(delays(&database.url_as(database.name()), &[]), expected);
        assert_eq!(by_psql(&database.url_as(database.name()), &[]), expected);
    }
}

#[test]
fn once_ids_are_places_only_what_came_before_is_in_it_and_in_the_end_our_own_log_is_named() {
    let database = mastodon(Version::NEWEST);
    let ana = account(&database, "ana");
    let mut client = database.connect();
    client
        .batch_execute(&format!(
            "SELECT came({ana}, now() - interval '2 days', '3 seconds')"
        ))
        .unwrap();
    install(&database, &["--serve"]);
    client
        .batch_execute(&format!(
            "SELECT pretend.deliver({ana}, 'https://tide.example/1', now() - interval '3 minutes')"
        ))
        .unwrap();
    let url = database.url();
    assert_eq!(delays(&url, &[]).len(), 1);
    assert_eq!(by_psql(&url, &[]).len(), 1);
    client
        .batch_execute("UPDATE slackwater.installed SET serve_since = now() - interval '30 days'")
        .unwrap();
    let output = slackwater(&["mastodon", "delays", "--database", &url]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("`slackwater trace`"), "{error}");
    assert_eq!(by_psql(&url, &[]), [Value::Null; 0]);
}

/// A failure means that the trace of a large instance takes all memory, or that a reader who has enough leaves an error behind.
#[test]
fn many_posts_are_written_as_they_come_and_tune_reads_them() {
    let database = mastodon(Version::NEWEST);
    let ana = account(&database, "ana");
    let mut client = database.connect();
    let many = format!(
        "SELECT came({ana}, now() - n * interval '1 second' - interval '1 hour', (n % 60 + 1) * interval '1 second') FROM generate_series(1, 30000) AS n"
    );
    client.batch_execute(&many).unwrap();
    let delays = format!(
        "{} mastodon delays --database {}",
        env!("CARGO_BIN_EXE_slackwater"),
        database.url()
    );
    let shell = |line: String| {
        let output = Command::new("bash")
            .args(["-o", "pipefail", "-c", &line])
            .current_dir(std::env::temp_dir())
            .output()
            .unwrap();
        good(&output)
    };
    let tuned = shell(format!(
        "{delays} | {} tune - --json",
        env!("CARGO_BIN_EXE_slackwater")
    ));
    let report: Value = serde_json::from_str(&tuned).unwrap();
    assert_eq!(report["trace"]["posts"], 30_000);
    assert_eq!(report["trace"]["malformed"]["lines"], 0);
    assert_eq!(shell(format!("{delays} | head -n 2")).lines().count(), 2);
}

#[test]
fn nothing_is_changed_even_by_accident() {
    let database = mastodon(Version::NEWEST);
    let ana = account(&database, "ana");
    let mut client = database.connect();
    client
        .batch_execute(&format!(
            "SELECT came({ana}, now() - interval '2 days', '3 seconds')"
        ))
        .unwrap();
    client
        .batch_execute(&format!(
            "ALTER DATABASE {} SET default_transaction_read_only = on",
            database.name()
        ))
        .unwrap();
    assert_eq!(delays(&database.url(), &[]).len(), 1);
    assert_eq!(by_psql(&database.url(), &[]).len(), 1);
}
