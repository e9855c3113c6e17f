//! Slackwater in Mastodon's database: a real PostgreSQL with a pretend Mastodon in it, directly and by way of pgbouncer.

mod changes;
mod cost;
mod delays;
mod documented;
mod ids;
mod installing;
mod outbox_limits;
mod schema_drift;
mod tls;

use crate::support::postgres::Database;
use postgres::Client;
use serde_json::Value;
use std::process::{Command, Output, Stdio};

/// Runs the real binary.
fn slackwater(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slackwater"))
        .args(args)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .output()
        .expect("running slackwater")
}

/// The standard output of a command that succeeds.
#[track_caller]
fn good(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{error}{text}");
    text
}

/// Installs, with a role that has the name of the database: roles are shared by all of a cluster.
#[track_caller]
pub(crate) fn install(database: &Database, more: &[&str]) {
    install_at(&database.url(), database.name(), more);
}

#[track_caller]
fn install_at(url: &str, role: &str, more: &[&str]) {
    let args = [
        "mastodon",
        "install",
        "--yes",
        "--database",
        url,
        "--role",
        role,
    ];
    good(&slackwater(&[&args, more].concat()));
}

/// Uninstalls.
#[track_caller]
fn uninstall(url: &str, more: &[&str]) {
    let args = ["mastodon", "uninstall", "--yes", "--database", url];
    good(&slackwater(&[&args, more].concat()));
}

/// What is to be done, by `check`; none if all is well, which the status must say too.
#[track_caller]
fn to_do(url: &str) -> Vec<String> {
    let output = slackwater(&["mastodon", "check", "--database", url]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        !text.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let to_do = text.lines().filter_map(|line| line.strip_prefix("TO DO  "));
    let to_do: Vec<String> = to_do.map(str::to_owned).collect();
    assert_eq!(
        output.status.code(),
        Some(i32::from(!to_do.is_empty())),
        "{text}"
    );
    to_do
}

/// One number that a query gives.
#[track_caller]
fn number(client: &mut Client, query: &str) -> i64 {
    client
        .query_one(query, &[])
        .unwrap_or_else(|error| panic!("{query}: {error:?}"))
        .get(0)
}

/// A row of the outbox.
#[derive(Debug, PartialEq, Eq)]
struct Noted {
    tab: String,
    id: i64,
    gone: bool,
    old: Option<Value>,
    fetched: Option<bool>,
}

/// Takes all rows out of the outbox.
fn drain(client: &mut Client) -> Vec<Noted> {
    let taken = "WITH taken AS (DELETE FROM slackwater.outbox RETURNING *) SELECT tab, id, gone, old::text, fetched FROM taken ORDER BY seq";
    let rows = client.query(taken, &[]).expect("the outbox");
    let noted = rows.iter().map(|row| Noted {
        tab: row.get(0),
        id: row.get(1),
        gone: row.get(2),
        old: row
            .get::<_, Option<String>>(3)
            .map(|old| serde_json::from_str(&old).unwrap()),
        fetched: row.get(4),
    });
    noted.collect()
}

/// The tables of all rows in the outbox, each with whether its row is gone, in their order.
fn drain_tables(client: &mut Client) -> Vec<(String, bool)> {
    drain(client)
        .into_iter()
        .map(|noted| (noted.tab, noted.gone))
        .collect()
}
