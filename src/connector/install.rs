//! Steps run beside a Mastodon that works: each waits for its locks only briefly, and is tried again.

use super::columns::TABLES;
use super::database::{Database, DatabaseError};
use super::inspect::{Found, Ours};
use super::install_sql::{self, Step};
use std::time::Duration;

/// How often a step is tried before it is given up: with [`PAUSE`] between and two seconds of waiting each, about three minutes.
const TRIES_MAX: u32 = 60;
/// The time between two tries, in which Mastodon does what waited behind the last.
const PAUSE: Duration = Duration::from_secs(1);

/// Why not all steps were done. Those before are; all may be done again.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A lock was not to be had.
    #[error(
        "{what} failed {TRIES_MAX} times, since another transaction holds the table{blocker}; end it, or run this again later"
    )]
    Locked {
        /// What the step does.
        what: String,
        /// The transaction in the way, as the end of a sentence; empty if it cannot be seen.
        blocker: String,
    },
    /// The role that runs this may not.
    #[error(
        "{what}: this needs the owner of Mastodon's tables, with the right to create a schema in its database and a role \
         (without the last: let an administrator create the role first)"
    )]
    Forbidden {
        /// What the step does.
        what: String,
        /// What the database said.
        source: DatabaseError,
    },
    /// A statement failed.
    #[error("{what}")]
    Failed {
        /// What the step does.
        what: String,
        /// What the database said.
        source: DatabaseError,
    },
}

/// Why nothing can be installed in a database where this was found; none if it can.
pub fn obstacle(found: &Found) -> Option<String> {
    let tables = TABLES.iter().filter(|table| table.is_noted);
    let missing: Vec<&str> = tables
        .map(|table| table.name)
        .filter(|name| !found.columns.contains_key(*name))
        .collect();
    if !missing.is_empty() {
        return Some(format!(
            "this is no database of a Mastodon that is known here: in the schema public there is no {}; nothing was changed",
            missing.join(", ")
        ));
    }
    match &found.ours {
        Ours::Installed(installed) if install_sql::VERSION < installed.version => Some(format!(
            "version {} of the SQL is installed, which is newer than {} of this program; nothing was changed",
            installed.version,
            install_sql::VERSION
        )),
        _ => None,
    }
}

/// Runs `steps` in their order. `tell` is given a sentence when one has to be tried again.
pub async fn run(
    database: &Database,
    steps: &[Step],
    tell: &mut dyn FnMut(&str),
) -> Result<(), InstallError> {
    for step in steps {
        run_step(database, step, tell).await?;
    }
    Ok(())
}

async fn run_step(
    database: &Database,
    step: &Step,
    tell: &mut dyn FnMut(&str),
) -> Result<(), InstallError> {
    let transaction = step.transaction();
    let mut tries = 1;
    loop {
        let Err(source) = database.run(&transaction).await else {
            return Ok(());
        };
        let what = step.what.clone();
        if !source.is_closed()
            && let Err(source) = database.run("ROLLBACK").await
        {
            return Err(InstallError::Failed { what, source });
        }
        if source.is_forbidden() {
            return Err(InstallError::Forbidden { what, source });
        }
        if !source.is_lock_timeout() {
            return Err(InstallError::Failed { what, source });
        }
        if tries == 1 || tries == TRIES_MAX {
            let blocker = blocker(database, step.locks).await;
            if tries == TRIES_MAX {
                return Err(InstallError::Locked { what, blocker });
            }
            tell(&format!("{what} waits for another transaction{blocker}"));
        }
        tries += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// The oldest transaction that holds the table, in words; empty if there is none any more, or it may not be seen.
async fn blocker(database: &Database, table: Option<&str>) -> String {
    let Some(table) = table else {
        return String::new();
    };
    let query = format!(
        "SELECT a.pid, coalesce(a.usename, ''), date_trunc('second', clock_timestamp() - a.xact_start), left(a.query, 60)
         FROM pg_locks l JOIN pg_stat_activity a USING (pid)
         WHERE l.relation = to_regclass('public.{table}') AND l.granted AND a.pid <> pg_backend_pid()
         ORDER BY a.xact_start LIMIT 1"
    );
    let rows = database.texts(&query).await.unwrap_or_default();
    let words = |nth: usize| {
        let row = rows.first()?;
        row.get(nth)?
            .as_deref()
            .map(|word| word.escape_debug().to_string())
    };
    match (words(0), words(1), words(2), words(3)) {
        (Some(process), Some(user), Some(since), Some(query)) => {
            format!(" (process {process} of {user}, open for {since}: {query})")
        }
        _ => String::new(),
    }
}
