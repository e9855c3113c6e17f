//! Installing, looking, and removing all of it again.

use super::{drain, drain_tables, good, install, install_at, number, slackwater, to_do, uninstall};
use crate::support::postgres::{Database, Version};
use crate::support::wait_for;
use postgres::Client;
use std::io::Write;
use std::process::{Command, Stdio};

/// A failure means that a version of Mastodon that is said to work does not.
#[test]
fn every_version_of_mastodon_is_known_and_all_is_well_once_it_is_installed() {
    for version in Version::ALL {
        let database = Database::mastodon(version);
        let before = to_do(&database.url());
        assert_eq!(before.len(), 1, "{before:?}");
        assert!(
            before[0].contains("nothing of Slackwater's is installed"),
            "{before:?}"
        );
        for serve in [&[][..], &["--serve"]] {
            install(&database, serve);
            for url in [database.url(), database.url_as(database.name())] {
                assert_eq!(to_do(&url), [""; 0], "{version:?} {serve:?}");
            }
        }
        let says = good(&slackwater(&[
            "mastodon",
            "check",
            "--database",
            &database.url(),
        ]));
        let version = format!("{version:?}")
            .replace('V', "Mastodon ")
            .replace('_', ".");
        assert!(says.contains(&version), "{says}");
        assert!(says.contains("level serve"), "{says}");
    }
}

#[test]
fn all_of_it_works_by_way_of_a_pooler_in_transaction_mode() {
    let database = Database::mastodon(Version::NEWEST);
    let role = database.name().to_owned();
    let pooler = database.pooled(&[&role]);
    install_at(&pooler.url(), &role, &["--serve"]);
    for _ in 0..3 {
        assert_eq!(to_do(&pooler.url_as(&role)), [""; 0]);
    }
    let says = good(&slackwater(&[
        "mastodon",
        "check",
        "--database",
        &pooler.url(),
    ]));
    assert!(says.contains("a pooler or a forwarded port"), "{says}");
    let mut client = Client::connect(&pooler.url(), postgres::NoTls).unwrap();
    let simply = "SELECT pretend.deliver(pretend.remote_account('ana', 'tide.example'), 'https://tide.example/1', now() - interval '5 minutes')";
    client.simple_query(simply).unwrap();
    assert_eq!(
        drain_tables(&mut database.connect()),
        [
            ("accounts".to_owned(), false),
            ("statuses".to_owned(), false)
        ]
    );
    uninstall(&pooler.url(), &[]);
    assert_eq!(traces(&mut database.connect(), &role), 0);
}

#[test]
fn to_install_twice_changes_nothing_the_second_time() {
    let database = Database::mastodon(Version::NEWEST);
    install(&database, &["--serve"]);
    let mut client = database.connect();
    let state = "SELECT string_agg(t::text, ',' ORDER BY t.oid) || (SELECT string_agg(serve_since::text, ',') FROM slackwater.installed)
        FROM (SELECT oid, tgrelid, tgenabled FROM pg_trigger WHERE tgname LIKE 'slackwater%') AS t";
    let before: String = client.query_one(state, &[]).unwrap().get(0);
    // A trigger that is in place is not touched: no lock is needed, so that one who holds it is not waited for.
    let mut other = database.connect();
    let mut open = other.transaction().unwrap();
    open.execute(
        "LOCK TABLE statuses, follows IN SHARE ROW EXCLUSIVE MODE",
        &[],
    )
    .unwrap();
    install(&database, &[]);
    assert_eq!(
        client.query_one(state, &[]).unwrap().get::<_, String>(0),
        before
    );
    assert_eq!(to_do(&database.url()), [""; 0]);
}

#[test]
fn uninstalling_leaves_nothing() {
    let database = Database::mastodon(Version::NEWEST);
    let mut client = database.connect();
    let role = database.name();
    assert_eq!(traces(&mut client, role), 0);
    install(&database, &["--serve"]);
    assert_ne!(traces(&mut client, role), 0);
    uninstall(&database.url(), &[]);
    assert_eq!(traces(&mut client, role), 0);
    client
        .execute("SELECT pretend.local_account('mia')", &[])
        .unwrap();
    // And where nothing is, nothing is removed.
    uninstall(&database.url(), &[]);
    install(&database, &[]);
    assert_eq!(to_do(&database.url()), [""; 0]);
}

#[test]
fn a_role_that_was_there_before_stays_and_keeps_only_what_it_had() {
    let database = Database::mastodon(Version::NEWEST);
    let mut client = database.connect();
    let role = database.name();
    client
        .batch_execute(&format!(
            "CREATE ROLE {role} LOGIN; GRANT SELECT ON schema_migrations TO {role}"
        ))
        .unwrap();
    install(&database, &[]);
    uninstall(&database.url(), &[]);
    let mut as_role = database.connect_as(role);
    as_role.query("SELECT FROM schema_migrations", &[]).unwrap();
    as_role.query("SELECT id FROM statuses", &[]).unwrap_err();
}

/// A failure means that to uninstall takes Mastodon's own tables away from it.
#[test]
fn a_role_keeps_the_tables_that_it_could_read_before_or_owns() {
    let database = Database::mastodon(Version::NEWEST);
    let (reader, owner) = (database.name(), format!("{}_owner", database.name()));
    let mut client = database.connect();
    client
        .batch_execute(&format!(
            "CREATE ROLE {reader} LOGIN; GRANT SELECT ON statuses TO {reader};
             CREATE ROLE {owner} LOGIN; ALTER TABLE statuses OWNER TO {owner}"
        ))
        .unwrap();
    for role in [reader, &owner] {
        install_at(&database.url(), role, &[]);
        uninstall(&database.url(), &[]);
        let mut as_role = database.connect_as(role);
        as_role.query("SELECT id FROM statuses", &[]).unwrap();
        as_role.query("SELECT id FROM accounts", &[]).unwrap_err();
    }
}

#[test]
fn only_the_trigger_that_changes_ids_may_be_removed() {
    let database = Database::mastodon(Version::NEWEST);
    install(&database, &["--serve"]);
    uninstall(&database.url(), &["--only-ids"]);
    assert_eq!(to_do(&database.url()), [""; 0]);
    let says = good(&slackwater(&[
        "mastodon",
        "check",
        "--database",
        &database.url(),
    ]));
    assert!(says.contains("level look"), "{says}");
}

#[test]
fn the_sql_is_printed_and_psql_runs_it_as_well() {
    let database = Database::mastodon(Version::NEWEST);
    let role = database.name();
    for (print, traces_after) in [
        (&["install", "--serve", "--role", role][..], true),
        (&["install", "--serve", "--role", role], true),
        (&["uninstall"], false),
    ] {
        // No database is needed to print it.
        let sql = good(&slackwater(&[&["mastodon"], print, &["--print"]].concat()));
        let mut psql = Command::new("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", &database.url()])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        psql.stdin
            .take()
            .unwrap()
            .write_all(sql.as_bytes())
            .unwrap();
        good(&psql.wait_with_output().unwrap());
        assert_eq!(traces(&mut database.connect(), role) != 0, traces_after);
        if traces_after {
            assert_eq!(to_do(&database.url()), [""; 0]);
        }
    }
}

#[test]
fn nothing_is_changed_unless_somebody_agrees() {
    let database = Database::mastodon(Version::NEWEST);
    let url = database.url();
    for what in ["install", "uninstall"] {
        let output = slackwater(&["mastodon", what, "--database", &url]);
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("send --yes"), "{error}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("BEGIN;"));
    }
    assert_eq!(
        number(
            &mut database.connect(),
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'slackwater'"
        ),
        0
    );
}

/// A failure means that an installation stops a busy instance for as long as its slowest transaction takes.
#[test]
fn beside_a_long_transaction_no_insert_waits_long_and_in_the_end_all_is_installed() {
    let database = Database::mastodon(Version::NEWEST);
    for what in ["install", "uninstall"] {
        let mut long = database.connect();
        let mut long = long.transaction().unwrap();
        let post = "SELECT pretend.deliver(pretend.remote_account($1, 'tide.example'), 'https://tide.example/' || $1, now())";
        long.query(post, &[&format!("long-{what}")]).unwrap();
        let url = database.url();
        let mut args = vec!["mastodon", what, "--yes", "--database", &url];
        if what == "install" {
            args.extend(["--serve", "--role", database.name()]);
        }
        let mut running = Command::new(env!("CARGO_BIN_EXE_slackwater"))
            .args(args)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It waits for the lock of statuses, and the inserts behind it do too: none for longer than its two seconds, or they
        // would be cancelled by a time that only slow machines need to come near.
        let mut watcher = database.connect();
        let waits = "SELECT count(*) FROM pg_locks l WHERE NOT granted AND relation = 'statuses'::regclass AND mode LIKE '%Exclusive%'
            AND mode <> 'RowExclusiveLock'";
        wait_for("an installer that waits", || {
            (0 < number(&mut watcher, waits)).then_some(())
        });
        let mut busy = database.connect();
        busy.batch_execute("SET statement_timeout = '30s'").unwrap();
        for nth in 0..20 {
            busy.query(post, &[&format!("busy-{what}-{nth}")]).unwrap();
        }
        assert!(
            running.try_wait().unwrap().is_none(),
            "the installer cannot have ended: the transaction is open"
        );
        long.commit().unwrap();
        let ended = running.wait_with_output().unwrap();
        good(&ended);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(
            said.contains("waits for another transaction (process "),
            "{said}"
        );
    }
    assert_eq!(traces(&mut database.connect(), database.name()), 0);
}

/// A failure means that it works for administrators of the whole server alone, which nobody is of a managed one.
#[test]
fn the_owner_of_the_tables_needs_to_be_no_superuser() {
    for may_make_roles in [true, false] {
        let database = Database::mastodon(Version::NEWEST);
        let (owner, role) = (format!("{}_mastodon", database.name()), database.name());
        let mut client = database.connect();
        client
            .batch_execute(&format!(
                "CREATE ROLE {owner} LOGIN {}; ALTER DATABASE {role} OWNER TO {owner};
                 DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
                    EXECUTE format('ALTER TABLE %I OWNER TO {owner}', t); END LOOP; END $$;
                 GRANT ALL ON SCHEMA pretend TO {owner}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {owner}",
                if may_make_roles { "CREATEROLE" } else { "" }
            ))
            .unwrap();
        let url = database.url_as(&owner);
        if !may_make_roles {
            let output = slackwater(&[
                "mastodon",
                "install",
                "--yes",
                "--database",
                &url,
                "--role",
                role,
            ]);
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(
                error.contains("let an administrator create the role first"),
                "{error}"
            );
            client
                .batch_execute(&format!("CREATE ROLE {role} LOGIN"))
                .unwrap();
        }
        install_at(&url, role, &["--serve"]);
        assert_eq!(to_do(&url), [""; 0]);
        assert_eq!(to_do(&database.url_as(role)), [""; 0]);
        let mut as_owner = database.connect_as(&owner);
        as_owner.batch_execute("SELECT pretend.deliver(pretend.remote_account('ana', 'tide.example'), 'https://tide.example/1', now() - interval '5 minutes')").unwrap();
        assert_eq!(drain(&mut database.connect_as(role)).len(), 2);
        good(&slackwater(&[
            "mastodon",
            "uninstall",
            "--yes",
            "--database",
            &url,
        ]));
        if !may_make_roles {
            client.batch_execute(&format!("DROP ROLE {role}")).unwrap();
        }
        assert_eq!(traces(&mut client, role), 0);
    }
}

#[test]
fn whoever_owns_no_tables_is_told_so_and_nothing_of_mastodons_is_changed() {
    let database = Database::mastodon(Version::NEWEST);
    let role = format!("{}_guest", database.name());
    database
        .connect()
        .batch_execute(&format!("CREATE ROLE {role} LOGIN"))
        .unwrap();
    let url = database.url_as(&role);
    let output = slackwater(&["mastodon", "install", "--yes", "--database", &url]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("this needs the owner of Mastodon's tables"),
        "{error}"
    );
}

#[test]
fn an_address_is_taken_from_the_environment_a_file_or_the_configuration_and_never_shown() {
    let database = Database::mastodon(Version::NEWEST);
    install(&database, &[]);
    let dir = tempfile::tempdir().unwrap();
    let address = database.url_as(database.name());
    std::fs::write(dir.path().join("address"), format!("{address}\n")).unwrap();
    std::fs::write(
        dir.path().join("slackwater.toml"),
        "[mastodon]\ndatabase = \"env:THE_DATABASE\"\nweb_domain = \"home.example\"\n",
    )
    .unwrap();
    let check = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_slackwater"))
            .args(["mastodon", "check"])
            .args(args)
            .current_dir(dir.path())
            .env("THE_DATABASE", &address)
            .output()
            .unwrap();
        good(&output)
    };
    check(&[]);
    check(&["--database", "env:THE_DATABASE"]);
    check(&["--database", "file:address"]);
    for wrong in [
        "secret-word",
        "postgres://mia:secret-word@127.0.0.1:1/x",
        "postgres://mia:secret-word@127.0.0.1/x?sslmode=no",
    ] {
        let output = slackwater(&["mastodon", "check", "--database", wrong]);
        assert_eq!(output.status.code(), Some(1));
        assert!(!String::from_utf8_lossy(&output.stderr).contains("secret-word"));
    }
}

#[test]
fn the_role_can_read_what_it_needs_and_nothing_secret_and_can_change_only_the_outbox() {
    let database = Database::mastodon(Version::NEWEST);
    install(&database, &[]);
    let mut owner = database.connect();
    let mia: i64 = owner
        .query_one("SELECT pretend.local_account('mia')", &[])
        .unwrap()
        .get(0);
    owner
        .query("SELECT pretend.give_token($1, 'a-token')", &[&mia])
        .unwrap();
    let mut role = database.connect_as(database.name());
    for allowed in [
        "SELECT text, visibility FROM statuses",
        "SELECT settings, chosen_languages FROM users",
        "SELECT value FROM slackwater.settings",
        "SELECT token FROM slackwater.token_bearer('x') AS t (token)",
        "DELETE FROM slackwater.overflow",
    ] {
        role.batch_execute(allowed)
            .unwrap_or_else(|error| panic!("{allowed}: {error}"));
    }
    for forbidden in [
        "SELECT encrypted_password FROM users",
        "SELECT email FROM users",
        "SELECT private_key FROM accounts",
        "SELECT token FROM oauth_access_tokens",
        "INSERT INTO slackwater.outbox (tab) VALUES ('x')",
        "UPDATE slackwater.settings SET value = 1",
        "DELETE FROM statuses",
        "UPDATE follows SET show_reblogs = false",
        "CREATE TABLE slackwater.mine (id int)",
    ] {
        let error = role.batch_execute(forbidden).unwrap_err();
        assert_eq!(
            error.code(),
            Some(&postgres::error::SqlState::INSUFFICIENT_PRIVILEGE),
            "{forbidden}: {error:?}"
        );
    }
    let mut bearer = |token: &str| -> Option<(i64, String)> {
        let row = role
            .query_opt(
                "SELECT account_id, scopes FROM slackwater.token_bearer($1)",
                &[&token],
            )
            .unwrap();
        row.map(|row| (row.get(0), row.get(1)))
    };
    assert_eq!(
        bearer("a-token"),
        Some((mia, "read write follow".to_owned()))
    );
    assert_eq!(bearer("another"), None);
    for (ends, again) in [
        (
            "UPDATE oauth_access_tokens SET revoked_at = now()",
            "UPDATE oauth_access_tokens SET revoked_at = NULL",
        ),
        (
            "UPDATE oauth_access_tokens SET expires_in = 60, created_at = now() AT TIME ZONE 'UTC' - interval '61 seconds'",
            "UPDATE oauth_access_tokens SET expires_in = 63",
        ),
        (
            "UPDATE users SET disabled = true",
            "UPDATE users SET disabled = false",
        ),
        (
            "UPDATE accounts SET suspended_at = now()",
            "UPDATE accounts SET suspended_at = NULL",
        ),
    ] {
        owner.batch_execute(ends).unwrap();
        assert_eq!(bearer("a-token"), None, "{ends}");
        owner.batch_execute(again).unwrap();
        assert_ne!(bearer("a-token"), None, "{again}");
    }
}

/// A failure means that an operator is told all is well while changes are lost.
#[test]
fn whatever_is_wrong_is_said_with_what_to_do_and_mended_by_installing_again() {
    let database = Database::mastodon(Version::NEWEST);
    let role = database.name();
    let mut client = database.connect();
    install(&database, &["--serve"]);
    for (fault, said) in [
        (
            "DROP TRIGGER slackwater_note ON follows",
            "triggers are missing: slackwater_note on follows",
        ),
        (
            "DROP TRIGGER slackwater_place_id ON statuses",
            "triggers are missing: slackwater_place_id on statuses",
        ),
        (
            "ALTER TABLE lists DISABLE TRIGGER slackwater_note",
            "triggers are disabled: slackwater_note on lists",
        ),
        (
            "UPDATE slackwater.installed SET version = 0",
            "version 0 of the SQL is installed",
        ),
        (
            "CREATE OR REPLACE FUNCTION slackwater.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "not as it was installed: slackwater.note()",
        ),
        (
            "DROP FUNCTION slackwater.token_bearer(text)",
            "slackwater.token_bearer()",
        ),
        (
            "DELETE FROM slackwater.installed",
            "an installation did not end",
        ),
        ("DROP TABLE slackwater.overflow", "or it is gone: overflow"),
        (
            "REVOKE SELECT (text) ON statuses FROM {role}",
            "may not read statuses.text",
        ),
        (
            "REVOKE DELETE ON slackwater.outbox FROM {role}",
            "may not use what is its own, or it is gone: outbox",
        ),
        (
            "REVOKE EXECUTE ON FUNCTION slackwater.token_bearer(text) FROM {role}",
            "may not use what is its own, or it is gone: token_bearer",
        ),
    ] {
        client
            .batch_execute(&fault.replace("{role}", role))
            .unwrap();
        let found = to_do(&database.url()).join("\n");
        assert!(found.contains(said), "{fault}: {found}");
        install(&database, &["--serve"]);
        assert_eq!(to_do(&database.url()), [""; 0], "{fault}");
    }
    client
        .batch_execute(&format!("REVOKE USAGE ON SCHEMA slackwater FROM {role}"))
        .unwrap();
    assert!(to_do(&database.url_as(role))[0].contains("may not see the schema slackwater"));
    install(&database, &["--serve"]);
    client
        .batch_execute("UPDATE slackwater.installed SET version = 1000")
        .unwrap();
    assert!(to_do(&database.url())[0].contains("newer than"));
    let refused = slackwater(&[
        "mastodon",
        "install",
        "--yes",
        "--database",
        &database.url(),
        "--role",
        role,
    ]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("newer than"));
    client
        .batch_execute("UPDATE slackwater.installed SET version = 0")
        .unwrap();
    install(&database, &["--serve"]);
    // What nobody reads.
    client.batch_execute("SELECT pretend.local_account('mia'); UPDATE slackwater.outbox SET at = at - interval '6 minutes'").unwrap();
    assert!(to_do(&database.url())[0].contains("nobody reads it"));
    assert!(to_do(&database.url_as(role))[0].contains("nobody reads it"));
    drain(&mut client);
    assert_eq!(to_do(&database.url()), [""; 0]);
    let empty = Database::empty();
    let refused = slackwater(&["mastodon", "install", "--yes", "--database", &empty.url()]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no statuses, mentions"));
    assert_eq!(
        number(
            &mut empty.connect(),
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'slackwater'"
        ),
        0
    );
    assert!(to_do(&empty.url())[0].contains("no tables of Mastodon's"));
}

/// How much of ours there is: schema, triggers, the role, and its rights.
fn traces(client: &mut Client, role: &str) -> i64 {
    number(
        client,
        &format!(
            "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = 'slackwater')
                + (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'slackwater%')
                + (SELECT count(*) FROM pg_roles WHERE rolname = '{role}')
                + (SELECT count(*) FROM pg_class WHERE relacl::text LIKE '%{role}=%')
                + (SELECT count(*) FROM pg_attribute WHERE attacl::text LIKE '%{role}=%')"
        ),
    )
}
