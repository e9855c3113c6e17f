//! The SQL that makes the outbox and its triggers in Mastodon's database, and the SQL that removes them.
//!
//! Each step is a transaction of its own and waits at most [`LOCK_TIMEOUT`] for a lock, so that nothing Mastodon does waits longer
//! behind it. Each may be done again.

use super::columns::TABLES;
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// The version of this SQL. Each change of what is installed raises it.
pub const VERSION: u32 = 1;
/// How long a step may wait for a lock, as PostgreSQL writes it.
pub const LOCK_TIMEOUT: &str = "2s";
/// The trigger that notes changes.
pub const NOTE_TRIGGER: &str = "slackwater_note";
/// The trigger that gives posts ids of the time they were written.
pub const PLACE_TRIGGER: &str = "slackwater_place_id";
/// The comment of a role that was made by us, and goes with the rest.
const ROLE_COMMENT: &str = "made by slackwater mastodon install";

const NOTE: &str = include_str!("sql/note.sql");
const PLACE_ID: &str = include_str!("sql/place_id.sql");
const TOKEN_BEARER: &str = include_str!("sql/token_bearer.sql");

/// How far Slackwater goes in Mastodon's database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Changes are noted; nothing of Mastodon's is changed.
    Look,
    /// Posts get ids of the time they were written, so that all of Mastodon has them in that order.
    Serve,
}

/// The name of a role: lower-case letters, digits and `_`, at most 63 bytes, so that it needs no quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleName(String);

/// It is no such name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role's name has lower-case letters, digits and _, no digit first, and at most 63 bytes")]
pub struct RoleNameError;

impl FromStr for RoleName {
    type Err = RoleNameError;

    fn from_str(name: &str) -> Result<RoleName, RoleNameError> {
        const BYTES_MAX: usize = 63;
        let is_right = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let begins = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
        match begins && name.len() <= BYTES_MAX && name.chars().all(is_right) {
            true => Ok(RoleName(name.to_owned())),
            false => Err(RoleNameError),
        }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does, as the end of a sentence that begins "while".
    pub what: String,
    /// The table of Mastodon's that it locks for a moment.
    pub locks: Option<&'static str>,
    /// Its statements.
    statements: String,
}

impl Step {
    fn new(what: &str, statements: String) -> Step {
        Step {
            what: what.to_owned(),
            locks: None,
            statements,
        }
    }

    /// The transaction as it is sent.
    pub fn transaction(&self) -> String {
        let Step { statements, .. } = self;
        format!("BEGIN;\nSET LOCAL lock_timeout = '{LOCK_TIMEOUT}';\n{statements}COMMIT;\n")
    }
}

/// What makes the outbox, its triggers and the role that reads it.
pub fn install(level: Level, role: &RoleName) -> Vec<Step> {
    let role_sql = include_str!("sql/role.sql").replace("{role_comment}", ROLE_COMMENT);
    let functions = [NOTE, PLACE_ID, TOKEN_BEARER].join("\n");
    let mut steps = vec![
        Step::new("making the role", role_sql.replace("{role}", &role.0)),
        Step::new(
            "making the schema",
            include_str!("sql/tables.sql").to_owned(),
        ),
        Step::new("making the functions", functions),
    ];
    for table in TABLES.iter().filter(|table| table.is_noted) {
        let when = "AFTER INSERT OR UPDATE OR DELETE";
        steps.push(trigger(table.name, NOTE_TRIGGER, when, "note"));
    }
    if level == Level::Serve {
        steps.push(trigger(
            "statuses",
            PLACE_TRIGGER,
            "BEFORE INSERT",
            "place_id",
        ));
    }
    let grants = include_str!("sql/grants.sql").replace("{columns}", &granted_columns());
    steps.push(Step::new(
        "giving the role its rights",
        grants.replace("{role}", &role.0),
    ));
    let installed = include_str!("sql/installed.sql")
        .replace("{role}", &role.0)
        .replace("{version}", &VERSION.to_string())
        .replace("{place_trigger}", PLACE_TRIGGER);
    steps.push(Step::new("writing down what is installed", installed));
    steps
}

/// What removes the trigger that changes ids, and nothing else.
pub fn uninstall_ids() -> Vec<Step> {
    let level = "UPDATE slackwater.installed SET level = 'look', serve_since = NULL;\n";
    vec![
        no_trigger("statuses", PLACE_TRIGGER),
        Step::new("writing down what is installed", level.to_owned()),
    ]
}

/// What removes all of it: the triggers one by one, then the schema, the rights, and the role if we made it.
pub fn uninstall() -> Vec<Step> {
    let mut steps = vec![no_trigger("statuses", PLACE_TRIGGER)];
    for table in TABLES.iter().filter(|table| table.is_noted) {
        steps.push(no_trigger(table.name, NOTE_TRIGGER));
    }
    let names: Vec<String> = TABLES
        .iter()
        .map(|table| format!("'{}'", table.name))
        .collect();
    let rest = include_str!("sql/uninstall.sql")
        .replace("{tables}", &names.join(", "))
        .replace("{role_comment}", ROLE_COMMENT);
    steps.push(Step::new("removing the schema", rest));
    steps
}

/// Steps as a file for psql. `title` goes on top, as a comment.
pub fn file(title: &str, steps: &[Step]) -> String {
    let mut text = format!(
        "-- {title}\n-- Each transaction waits at most {LOCK_TIMEOUT} for a lock; where one fails by that, run the file again: what is done\n\
         -- already is left as it is.\n"
    );
    for step in steps {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{}", step.transaction());
    }
    text
}

/// The body of a function of ours, as PostgreSQL keeps it; none if there is no such function.
pub fn function_body(name: &str) -> Option<&'static str> {
    let (text, quote) = match name {
        "note" => (NOTE, "$note$"),
        "place_id" => (PLACE_ID, "$place$"),
        "token_bearer" => (TOKEN_BEARER, "$bearer$"),
        _ => return None,
    };
    text.split(quote).nth(1)
}

fn trigger(table: &'static str, name: &str, when: &str, function: &str) -> Step {
    let statements = include_str!("sql/trigger.sql")
        .replace("{table}", table)
        .replace("{name}", name)
        .replace("{when}", when)
        .replace("{function}", function);
    Step {
        what: format!("making a trigger on {table}"),
        locks: Some(table),
        statements,
    }
}

fn no_trigger(table: &'static str, name: &str) -> Step {
    Step {
        what: format!("removing a trigger from {table}"),
        locks: Some(table),
        statements: include_str!("sql/no_trigger.sql")
            .replace("{table}", table)
            .replace("{name}", name),
    }
}

fn granted_columns() -> String {
    let rows = TABLES.iter().map(|table| {
        let columns = table.all_columns().join(",");
        format!("            ('{}', '{{{columns}}}'::text[])", table.name)
    });
    rows.collect::<Vec<_>>().join(",\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_name_that_would_need_quotes_is_refused() {
        for right in ["slackwater", "_x", "a1"] {
            assert_eq!(right.parse::<RoleName>().unwrap().to_string(), right);
        }
        let long = "a".repeat(64);
        for wrong in ["", "1a", "A", "a-b", "a b", "a;drop", "a'", "é", &long] {
            assert_eq!(wrong.parse::<RoleName>(), Err(RoleNameError), "{wrong}");
        }
    }

    #[test]
    fn no_placeholder_is_left_and_every_step_is_one_transaction() {
        let role: RoleName = "somebody".parse().unwrap();
        let all = [install(Level::Serve, &role), uninstall(), uninstall_ids()].concat();
        for step in all {
            let sql = step.transaction();
            for placeholder in [
                "{role",
                "{table",
                "{name",
                "{when",
                "{function",
                "{columns",
                "{version",
                "{place",
            ] {
                assert!(!sql.contains(placeholder), "{sql}");
            }
            assert_eq!(sql.matches("BEGIN;").count(), 1, "{sql}");
            assert_eq!(sql.matches("COMMIT;").count(), 1, "{sql}");
        }
    }

    #[test]
    fn only_with_serve_is_there_a_trigger_that_changes_ids() {
        let role: RoleName = "somebody".parse().unwrap();
        let makes = |level| {
            let steps = install(level, &role);
            steps.iter().any(|step| {
                step.transaction()
                    .contains("EXECUTE FUNCTION slackwater.place_id")
            })
        };
        assert!(makes(Level::Serve));
        assert!(!makes(Level::Look));
    }

    #[test]
    fn no_trigger_names_a_column() {
        let role: RoleName = "somebody".parse().unwrap();
        for step in install(Level::Serve, &role) {
            let sql = step.transaction();
            assert!(
                !sql.contains("UPDATE OF") && !sql.contains("WHEN ("),
                "{sql}"
            );
        }
    }
}
