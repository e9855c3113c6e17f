//! The outbox: which rows of Mastodon's have changed, in the order they were noted.

use super::database::{Database, DatabaseError, Row, ToSql, Type};
use super::inspect::COUNTED_MAX;
use super::mapping::rows::AccountRow;
use serde_json::Value;
use slackwater_order::time::Time;
use std::collections::BTreeSet;

/// The lock that one connector has at a time: the first eight letters of the name.
const LOCK: i64 = i64::from_be_bytes(*b"slackwat");

/// A row of the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Noted {
    /// Its number.
    pub seq: i64,
    /// The table of the row that changed.
    pub table: String,
    /// The id of that row; of a table without ids the post's.
    pub id: i64,
    /// Whether that row is gone.
    pub is_gone: bool,
    /// The keys that a row had which is gone, or whose keys have changed.
    pub old: OldKeys,
    /// Whether Mastodon fetched the post, if one was inserted.
    pub fetched: Option<bool>,
    /// When it was noted.
    pub at: Time,
}

/// The keys that a row had: columns by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OldKeys(Value);

impl OldKeys {
    /// From a JSON object.
    pub fn new(keys: Value) -> OldKeys {
        OldKeys(keys)
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.0.as_object().is_none_or(serde_json::Map::is_empty)
    }

    /// A number.
    pub fn number(&self, column: &str) -> Option<i64> {
        self.0.get(column)?.as_i64()
    }

    /// A text that is not empty.
    pub fn text(&self, column: &str) -> Option<&str> {
        self.0.get(column)?.as_str().filter(|text| !text.is_empty())
    }

    /// Whether a column had a value.
    pub fn has(&self, column: &str) -> bool {
        self.0.get(column).is_some_and(|value| !value.is_null())
    }

    /// What the ids of an account were made of, if these are an account's keys.
    pub fn account(&self, id: i64) -> Option<AccountRow> {
        Some(AccountRow {
            id,
            username: self.text("username")?.to_owned(),
            domain: self.text("domain").map(str::to_owned),
            uri: self.text("uri").map(str::to_owned),
            id_scheme: self
                .number("id_scheme")
                .and_then(|scheme| i32::try_from(scheme).ok()),
            followers_url: None,
        })
    }
}

/// Does some work in a transaction that has the lock of the one connector. None, and nothing is done, while another has it.
pub async fn in_turn<T, E: From<DatabaseError>>(
    database: &Database,
    work: impl Future<Output = Result<T, E>>,
) -> Result<Option<T>, E> {
    database.run("BEGIN").await?;
    let done = async {
        match lock(database).await? {
            true => work.await.map(Some),
            false => Ok(None),
        }
    };
    match done.await {
        Ok(done) => {
            database.run("COMMIT").await?;
            Ok(done)
        }
        Err(error) => {
            // A connection that is gone has rolled back by itself.
            let _ = database.run("ROLLBACK").await;
            Err(error)
        }
    }
}

/// Whether this transaction has the lock; it is given back when the transaction ends.
async fn lock(database: &Database) -> Result<bool, DatabaseError> {
    let rows = database
        .rows(
            "SELECT pg_try_advisory_xact_lock($1)",
            &[(&LOCK, Type::INT8)],
        )
        .await?;
    Ok(rows
        .first()
        .is_some_and(|row| row.try_get(0).unwrap_or(false)))
}

const COLUMNS: &str =
    "seq, tab, id, gone, old::text, fetched, floor(extract(epoch FROM at) * 1000)::bigint";

/// The first rows, at most so many, without those whose numbers are in `skipped`.
pub async fn first(
    database: &Database,
    rows_max: i64,
    skipped: &BTreeSet<i64>,
) -> Result<Vec<Noted>, DatabaseError> {
    let skipped: Vec<i64> = skipped.iter().copied().collect();
    let query = format!(
        "SELECT {COLUMNS} FROM slackwater.outbox WHERE seq <> ALL ($2) ORDER BY seq LIMIT $1"
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&rows_max, Type::INT8), (&skipped, Type::INT8_ARRAY)];
    Ok(database
        .rows(&query, &parameters)
        .await?
        .iter()
        .map(noted)
        .collect())
}

/// How many rows there are, at most one more than [`COUNTED_MAX`], and when the oldest was noted.
pub async fn length(database: &Database) -> Result<(i64, Option<Time>), DatabaseError> {
    let query = format!(
        "SELECT (SELECT count(*) FROM (SELECT FROM slackwater.outbox LIMIT {COUNTED_MAX} + 1) AS counted)::bigint, \
         (SELECT floor(extract(epoch FROM at) * 1000)::bigint FROM slackwater.outbox ORDER BY seq LIMIT 1)"
    );
    let rows = database.rows(&query, &[]).await?;
    let number = |column| {
        rows.first()
            .and_then(|row| row.try_get::<_, Option<i64>>(column).ok()?)
    };
    Ok((number(0).unwrap_or(0), number(1).map(Time::from_millis)))
}

/// When the outbox was full, so that nothing more was noted; none if it was not.
pub async fn overflowed(database: &Database) -> Result<Option<Time>, DatabaseError> {
    let query = "SELECT floor(extract(epoch FROM min(at)) * 1000)::bigint FROM slackwater.overflow HAVING count(*) > 0";
    let rows = database.rows(query, &[]).await?;
    let at = rows
        .first()
        .map(|row| row.try_get::<_, Option<i64>>(0).ok().flatten());
    Ok(at.map(|at| Time::from_millis(at.unwrap_or_default())))
}

/// Changes are noted again.
pub async fn forget_overflow(database: &Database) -> Result<(), DatabaseError> {
    database.run("DELETE FROM slackwater.overflow").await
}

/// The rows of these numbers.
pub async fn numbered(
    database: &Database,
    numbers: &BTreeSet<i64>,
) -> Result<Vec<Noted>, DatabaseError> {
    let numbers: Vec<i64> = numbers.iter().copied().collect();
    let query =
        format!("SELECT {COLUMNS} FROM slackwater.outbox WHERE seq = ANY ($1) ORDER BY seq");
    let rows = database
        .rows(&query, &[(&numbers, Type::INT8_ARRAY)])
        .await?;
    Ok(rows.iter().map(noted).collect())
}

/// Removes the rows of these numbers. Never a range: a lower number may be committed later.
pub async fn remove(database: &Database, numbers: &[i64]) -> Result<(), DatabaseError> {
    let query = "DELETE FROM slackwater.outbox WHERE seq = ANY ($1)";
    database
        .rows(query, &[(&numbers, Type::INT8_ARRAY)])
        .await
        .map(drop)
}

/// Columns have no constraints, so that no insert of Mastodon's fails on one: what is missing is nothing.
fn noted(row: &Row) -> Noted {
    let old: Option<String> = row.try_get(4).unwrap_or(None);
    let old = old.and_then(|old| serde_json::from_str(&old).ok());
    let at: Option<i64> = row.try_get(6).unwrap_or(None);
    Noted {
        seq: row.try_get(0).unwrap_or_default(),
        table: row
            .try_get::<_, Option<String>>(1)
            .ok()
            .flatten()
            .unwrap_or_default(),
        id: row
            .try_get::<_, Option<i64>>(2)
            .ok()
            .flatten()
            .unwrap_or_default(),
        is_gone: row
            .try_get::<_, Option<bool>>(3)
            .ok()
            .flatten()
            .unwrap_or_default(),
        old: OldKeys(old.unwrap_or_default()),
        fetched: row.try_get(5).unwrap_or(None),
        at: Time::from_millis(at.unwrap_or_default()),
    }
}
