//! Mastodon's tables change under us: every column that is no key, dropped and renamed.

use super::{drain, install, number};
use crate::support::postgres::{Database, Version};
use postgres::Client;
use slackwater::api::auth::secret::Secret;
use slackwater::connector::check::{Finding, check};
use slackwater::connector::columns::TABLES;
use slackwater::connector::{database, inspect};

/// A failure means that Mastodon's next version stops working where Slackwater is installed.
#[test]
fn any_column_that_is_no_key_may_be_dropped_or_renamed_and_mastodon_goes_on() {
    let database = Database::mastodon(Version::NEWEST);
    let mut client = database.connect();
    populate(&mut client);
    // The same connection all the time: what it has cached of the functions must keep up too.
    install(&database, &["--serve"]);
    let mut tried = 0;
    for table in TABLES
        .iter()
        .filter(|table| table.is_noted)
        .map(|table| table.name)
    {
        for (column, kind) in columns(&mut client, table) {
            tried += 1;
            let mut transaction = client.transaction().unwrap();
            transaction
                .batch_execute(&format!("ALTER TABLE {table} DROP COLUMN {column} CASCADE"))
                .unwrap();
            work(
                &mut transaction,
                table,
                &format!("without {table}.{column} ({kind})"),
            );
            transaction.rollback().unwrap();
            let mut transaction = client.transaction().unwrap();
            transaction
                .batch_execute(&format!(
                    "ALTER TABLE {table} RENAME COLUMN {column} TO other"
                ))
                .unwrap();
            work(
                &mut transaction,
                table,
                &format!("with {table}.{column} ({kind}) renamed"),
            );
            transaction.rollback().unwrap();
        }
    }
    assert!(100 < tried, "{tried}");
    assert_eq!(drain(&mut client), []);
}

#[test]
fn check_names_each_column_that_is_read_and_missing_and_no_other() {
    let database = Database::mastodon(Version::NEWEST);
    let mut client = database.connect();
    install(&database, &["--serve"]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let asked = runtime
        .block_on(database::Database::connect(&Secret::new(
            &database.url_as(database.name()),
        )))
        .unwrap();
    let mut named = 0;
    for table in TABLES {
        for (column, _) in columns(&mut client, table.name) {
            client
                .batch_execute(&format!(
                    "ALTER TABLE {} RENAME COLUMN {column} TO other",
                    table.name
                ))
                .unwrap();
            let found = runtime.block_on(inspect::inspect(&asked)).unwrap();
            let said: Vec<String> = check(&found, asked.place())
                .into_iter()
                .filter_map(|finding| match finding {
                    Finding::ToDo(what) => Some(what),
                    Finding::Good(_) => None,
                })
                .collect();
            let said = said.join("\n");
            let name = format!("{}.{column}", table.name);
            if table.all_columns().contains(&column.as_str()) {
                assert!(
                    said.contains(&format!("missing: {name}.")),
                    "{name}: {said}"
                );
                named += 1;
            } else {
                assert_eq!(said, "", "{name}");
            }
            client
                .batch_execute(&format!(
                    "ALTER TABLE {} RENAME COLUMN other TO {column}",
                    table.name
                ))
                .unwrap();
        }
    }
    assert!(50 < named, "{named}");
}

/// Columns that are read, and whose changes no feed can see: a post's arrival, whose a file is, and when somebody was here.
const UNSEEN: &[&str] = &[
    "statuses.updated_at",
    "media_attachments.account_id",
    "accounts.created_at",
    "users.current_sign_in_at",
];

/// A failure means that an edit of some kind never reaches a feed.
#[test]
fn a_change_of_any_column_that_is_read_is_noted() {
    let database = Database::mastodon(Version::NEWEST);
    let mut client = database.connect();
    populate(&mut client);
    install(&database, &[]);
    // What a key may be changed to.
    client
        .batch_execute(
            "SELECT pretend.local_account('other');
             SELECT pretend.deliver(id, 'https://home.example/other', now()) FROM accounts WHERE username = 'other';
             SELECT pretend.tag('other'); SELECT pretend.list(id, 'other') FROM accounts WHERE username = 'other'",
        )
        .unwrap();
    drain(&mut client);
    for table in TABLES.iter().filter(|table| table.is_noted) {
        for column in table
            .all_columns()
            .into_iter()
            .filter(|column| *column != "id")
        {
            let name = format!("{}.{column}", table.name);
            let kind = "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = $1::text::regclass AND attname = $2::text";
            let kind: String = client
                .query_one(kind, &[&table.name, &column])
                .unwrap()
                .get(0);
            let other = |of: &str| format!("(SELECT max(id) FROM {of})");
            let value = match (column, kind.as_str()) {
                ("account_id" | "target_account_id" | "in_reply_to_account_id", _) => {
                    other("accounts")
                }
                ("status_id" | "in_reply_to_id" | "reblog_of_id", _) => other("statuses"),
                ("tag_id", _) => other("tags"),
                ("list_id", _) => other("lists"),
                ("follow_id", _) => "NULL".to_owned(),
                (_, "text" | "character varying") => format!("coalesce({column}, '') || 'x'"),
                (_, "boolean") => format!("NOT coalesce({column}, false)"),
                (_, "integer" | "bigint") => format!("coalesce({column}, 0) + 1"),
                (_, "timestamp without time zone") => "now() + interval '1 day'".to_owned(),
                (_, "json" | "jsonb") => "'{\"x\": 1}'".to_owned(),
                (_, "bigint[]") => "'{1}'".to_owned(),
                (_, "character varying[]") => "'{x}'".to_owned(),
                (_, kind) => panic!("{name} is {kind}"),
            };
            let mut transaction = client.transaction().unwrap();
            let change = format!(
                "UPDATE {0} SET {column} = {value} WHERE ctid = (SELECT min(ctid) FROM {0})",
                table.name
            );
            let changed = transaction.execute(&change, &[]);
            assert_eq!(
                changed.unwrap_or_else(|error| panic!("{change}: {error:?}")),
                1,
                "{change}"
            );
            let noted = transaction.query(
                "SELECT FROM slackwater.outbox WHERE tab = $1 AND NOT gone",
                &[&table.name],
            );
            let noted = !noted.unwrap().is_empty();
            assert_eq!(noted, !UNSEEN.contains(&name.as_str()), "{change}");
            transaction.rollback().unwrap();
        }
    }
}

/// At least one row in each table.
fn populate(client: &mut Client) {
    let ids = "SELECT pretend.local_account('mia'); SELECT pretend.remote_account('ana', 'tide.example');";
    client.batch_execute(ids).unwrap();
    let mia = number(client, "SELECT id FROM accounts WHERE username = 'mia'");
    let ana = number(client, "SELECT id FROM accounts WHERE username = 'ana'");
    let post = number(
        client,
        &format!("SELECT pretend.deliver({ana}, 'https://tide.example/1', now())"),
    );
    let list = number(client, &format!("SELECT pretend.list({mia}, 'friends')"));
    client
        .batch_execute(&format!(
            "SELECT pretend.mention({post}, {mia}); SELECT pretend.tag_post({post}, 'rust'); SELECT pretend.attach({post}, 'x');
             SELECT pretend.follow({mia}, {ana}); SELECT pretend.mute({mia}, {ana}); SELECT pretend.add_to_list({list}, {ana});
             INSERT INTO blocks (account_id, target_account_id, created_at, updated_at) VALUES ({ana}, {mia}, now(), now());
             SELECT pretend.block_domain({mia}, 'noise.example'); SELECT pretend.follow_tag({mia}, 'rust');
             SELECT pretend.moderate_domain('noise.example', 0)"
        ))
        .unwrap();
}

/// The columns of a table that are in no key of its own and refer to no other, with their types.
fn columns(client: &mut Client, table: &str) -> Vec<(String, String)> {
    let query = "SELECT a.attname::text, format_type(a.atttypid, NULL) FROM pg_attribute a
        WHERE a.attrelid = $1::text::regclass AND 0 < a.attnum AND NOT a.attisdropped
            AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype IN ('p', 'f') AND a.attnum = ANY (c.conkey))";
    client
        .query(query, &[&table])
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect()
}

/// Changes a row of the table, inserts it another time as a delivered post would come, and removes it; each must be noted.
fn work(client: &mut postgres::Transaction<'_>, table: &str, case: &str) {
    let columns = "SELECT a.attname::text, format_type(a.atttypid, NULL) FROM pg_attribute a
        WHERE a.attrelid = $1::text::regclass AND 0 < a.attnum AND NOT a.attisdropped";
    let columns: Vec<(String, String)> = client
        .query(columns, &[&table])
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let named: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let changes: Vec<String> = columns
        .iter()
        .filter_map(|(name, kind)| match kind.as_str() {
            "text" | "character varying" => Some(format!("{name} = coalesce({name}, '') || 'x'")),
            "boolean" => Some(format!("{name} = NOT coalesce({name}, false)")),
            "integer" => Some(format!("{name} = coalesce({name}, 0) + 1")),
            _ => None,
        })
        .collect();
    let one = format!("ctid = (SELECT min(ctid) FROM {table})");
    let mut run = |sql: &str| {
        client
            .batch_execute(sql)
            .unwrap_or_else(|error| panic!("{case}: {sql}: {error:?}"));
    };
    if !changes.is_empty() {
        run(&format!(
            "UPDATE {table} SET {} WHERE {one}",
            changes.join(", ")
        ));
    }
    // Kept, removed, and put in again; a post by the default of its id.
    let again: Vec<&str> = named
        .iter()
        .copied()
        .filter(|name| table != "statuses" || *name != "id")
        .collect();
    let again = again.join(", ");
    run(&format!(
        "CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT * FROM {table} WHERE {one};
         DELETE FROM {table} WHERE {one};
         INSERT INTO {table} ({again}) SELECT {again} FROM kept"
    ));
    let noted = "SELECT count(*) FILTER (WHERE NOT gone AND old IS NULL), count(*) FILTER (WHERE gone) FROM slackwater.outbox WHERE tab = $1";
    let row = client.query_one(noted, &[&table]).unwrap();
    let (others, gone): (i64, i64) = (row.get(0), row.get(1));
    assert!(1 <= others && 1 <= gone, "{case}: {others} and {gone}");
}
