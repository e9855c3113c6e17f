//! Rows as they are now, read by their ids: one query for each table and batch.

use super::database::{Database, DatabaseError, FromSql, Row, ToSql, Type};
use super::inspect::Found;
use super::mapping::rows::{ProfileRow, RelationRow, RelationTable, StatusRow};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

const STATUSES: &str = include_str!("sql/read_statuses.sql");
const PROFILES: &str = include_str!("sql/read_profiles.sql");

/// Why rows could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadBackError {
    /// The query failed.
    #[error("reading {table} back")]
    Query {
        /// What was read.
        table: &'static str,
        /// The reason.
        source: DatabaseError,
    },
    /// A row has another shape than Mastodon's have.
    #[error("a row of {table} cannot be understood")]
    Shape {
        /// What was read.
        table: &'static str,
        /// The reason.
        source: serde_json::Error,
    },
}

/// The queries, as the tables of this version of Mastodon need them.
#[derive(Debug)]
pub struct Queries {
    statuses: String,
    profiles: String,
    has_id_scheme: bool,
    /// Posts and accounts whose rows could not be read, and were not asked about yet.
    unreadable: AtomicUsize,
}

impl Queries {
    /// Those for the tables that were found.
    pub fn new(found: &Found) -> Queries {
        let has = |table: &str, column: &str| {
            found
                .columns
                .get(table)
                .is_some_and(|columns| columns.contains(column))
        };
        let has_id_scheme = has("accounts", "id_scheme");
        let quoted = match has("quotes", "quoted_status_id") {
            // State 1: the author of what is quoted lets it.
            true => {
                "(SELECT json_build_object('id', qs.id, 'uri', qs.uri, 'account', {account:qa}) \
                 FROM public.quotes qu JOIN public.statuses qs ON qs.id = qu.quoted_status_id \
                 JOIN public.accounts qa ON qa.id = qs.account_id WHERE qu.status_id = s.id AND qu.state = 1 LIMIT 1)"
            }
            false => "NULL",
        };
        let mut queries = Queries {
            statuses: String::new(),
            profiles: String::new(),
            has_id_scheme,
            unreadable: AtomicUsize::new(0),
        };
        queries.statuses = queries.with_accounts(&STATUSES.replace("{quoted}", quoted));
        let scheme = if has_id_scheme { "a.id_scheme" } else { "NULL" };
        queries.profiles = PROFILES.replace("{id_scheme:a}", scheme);
        queries
    }

    /// A query whose `{account:x}` are objects of what the ids of the account `x` are made of.
    fn with_accounts(&self, query: &str) -> String {
        let mut parts = query.split("{account:");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (alias, rest) = part.split_once('}').unwrap_or((part, ""));
            let scheme = match self.has_id_scheme {
                true => format!("{alias}.id_scheme"),
                false => "NULL".to_owned(),
            };
            filled += &format!(
                "json_build_object('id', {alias}.id, 'username', {alias}.username, 'domain', {alias}.domain, 'uri', {alias}.uri, \
                 'id_scheme', {scheme}, 'followers_url', {alias}.followers_url)"
            );
            filled += rest;
        }
        filled
    }

    /// The posts of these ids that are there, by id. One whose row cannot be read is left out, and counted.
    pub async fn statuses(
        &self,
        database: &Database,
        ids: &BTreeSet<i64>,
    ) -> Result<BTreeMap<i64, StatusRow>, ReadBackError> {
        self.readable(database, "statuses", &self.statuses, ids)
            .await
    }

    /// The accounts of these ids that are there, by id. One whose row cannot be read is left out, and counted.
    pub async fn profiles(
        &self,
        database: &Database,
        ids: &BTreeSet<i64>,
    ) -> Result<BTreeMap<i64, ProfileRow>, ReadBackError> {
        self.readable(database, "accounts", &self.profiles, ids)
            .await
    }

    /// How many posts and accounts were left out since this was last asked.
    pub fn take_unreadable(&self) -> usize {
        self.unreadable.swap(0, Ordering::Relaxed)
    }

    /// The rows of these ids that are there and can be read, by id. An odd one stays in Mastodon's database, and stops no other. (Not so
    /// of relations: a mute that is left out would end.)
    async fn readable<T: DeserializeOwned>(
        &self,
        database: &Database,
        table: &'static str,
        query: &str,
        ids: &BTreeSet<i64>,
    ) -> Result<BTreeMap<i64, T>, ReadBackError> {
        let mut readable = BTreeMap::new();
        for row in rows_of(database, table, query, ids).await? {
            match read(table, &row) {
                Ok((id, value)) => {
                    readable.insert(id, value);
                }
                Err(error) => {
                    self.unreadable.fetch_add(1, Ordering::Relaxed);
                    let id: i64 = row.try_get(0).unwrap_or_default();
                    tracing::warn!(
                        table,
                        id,
                        error = &error as &dyn std::error::Error,
                        "the row {id} of {table} is left out: {error}"
                    );
                }
            }
        }
        Ok(readable)
    }

    /// The rows of a relation of these ids that are there, by id.
    pub async fn relations(
        &self,
        database: &Database,
        table: RelationTable,
        ids: &BTreeSet<i64>,
    ) -> Result<BTreeMap<i64, RelationRow>, ReadBackError> {
        let query = self.of_relations(table, "r.id = ANY ($1)");
        by_id(database, table.name(), &query, ids).await
    }

    /// The query of a relation's rows for which a condition on `r`, `a` (whose it is) and `t` (whom it is about) holds.
    pub fn of_relations(&self, table: RelationTable, condition: &str) -> String {
        let (selected, from) = selected_of(table);
        let name = table.name();
        self.with_accounts(&format!(
            "SELECT r.id, json_build_object({selected})::text FROM public.{name} r {from} WHERE {condition} ORDER BY r.id"
        ))
    }

    /// The posts or accounts that rows are parts of, by the rows' ids.
    pub async fn wholes(
        &self,
        database: &Database,
        table: PartTable,
        ids: &BTreeSet<i64>,
    ) -> Result<BTreeMap<i64, i64>, ReadBackError> {
        let (name, whole) = table.name_and_whole();
        let query = format!(
            "SELECT id, {whole} FROM public.{name} WHERE id = ANY ($1) AND {whole} IS NOT NULL"
        );
        pairs(
            database,
            name,
            &query,
            &ids.iter().copied().collect::<Vec<_>>(),
        )
        .await
    }

    /// The remote accounts whose actors have these ids: each with its actor's. Two rows may be of one actor until Mastodon makes them one.
    pub async fn accounts_of_actors(
        &self,
        database: &Database,
        actors: &[String],
    ) -> Result<BTreeMap<i64, String>, ReadBackError> {
        let query =
            "SELECT id, uri FROM public.accounts WHERE uri = ANY ($1) AND domain IS NOT NULL";
        if actors.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows = database.rows(query, &[(&actors, Type::TEXT_ARRAY)]).await;
        let table = "accounts";
        let rows = rows.map_err(|source| ReadBackError::Query { table, source })?;
        let pair = |row: &Row| Some((row.try_get(0).ok()?, row.try_get(1).ok()?));
        Ok(rows.iter().filter_map(pair).collect())
    }

    /// The accounts that lists belong to, by the lists' ids.
    pub async fn owners_of_lists(
        &self,
        database: &Database,
        lists: &[i64],
    ) -> Result<BTreeMap<i64, i64>, ReadBackError> {
        let query = "SELECT id, account_id FROM public.lists WHERE id = ANY ($1)";
        pairs(database, "lists", query, lists).await
    }

    /// The names of hashtags, by their ids.
    pub async fn names_of_tags(
        &self,
        database: &Database,
        tags: &[i64],
    ) -> Result<BTreeMap<i64, String>, ReadBackError> {
        let query = "SELECT id, name FROM public.tags WHERE id = ANY ($1)";
        pairs(database, "tags", query, tags).await
    }

    /// The rows of a query that begins with an id and a JSON object, by id.
    pub async fn read<T: DeserializeOwned>(
        &self,
        database: &Database,
        table: &'static str,
        query: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<BTreeMap<i64, T>, ReadBackError> {
        let rows = database.rows(query, parameters).await;
        let rows = rows.map_err(|source| ReadBackError::Query { table, source })?;
        rows.iter().map(|row| read(table, row)).collect()
    }
}

async fn pairs<T: for<'r> FromSql<'r>>(
    database: &Database,
    table: &'static str,
    query: &str,
    ids: &[i64],
) -> Result<BTreeMap<i64, T>, ReadBackError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = database.rows(query, &[(&ids, Type::INT8_ARRAY)]).await;
    let rows = rows.map_err(|source| ReadBackError::Query { table, source })?;
    let pair = |row: &Row| Some((row.try_get(0).ok()?, row.try_get(1).ok()?));
    Ok(rows.iter().filter_map(pair).collect())
}

/// Tables whose rows are parts of a post or an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartTable {
    /// `mentions`.
    Mentions,
    /// `media_attachments`.
    MediaAttachments,
    /// `users`.
    Users,
}

impl PartTable {
    /// The table's name, and the column with the id of what its rows are parts of.
    const fn name_and_whole(self) -> (&'static str, &'static str) {
        match self {
            PartTable::Mentions => ("mentions", "status_id"),
            PartTable::MediaAttachments => ("media_attachments", "status_id"),
            PartTable::Users => ("users", "account_id"),
        }
    }
}

async fn by_id<T: DeserializeOwned>(
    database: &Database,
    table: &'static str,
    query: &str,
    ids: &BTreeSet<i64>,
) -> Result<BTreeMap<i64, T>, ReadBackError> {
    let rows = rows_of(database, table, query, ids).await?;
    rows.iter().map(|row| read(table, row)).collect()
}

/// The rows of a query by ids.
async fn rows_of(
    database: &Database,
    table: &'static str,
    query: &str,
    ids: &BTreeSet<i64>,
) -> Result<Vec<Row>, ReadBackError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = ids.iter().copied().collect();
    let rows = database.rows(query, &[(&ids, Type::INT8_ARRAY)]).await;
    rows.map_err(|source| ReadBackError::Query { table, source })
}

/// A row of an id and a JSON object.
pub fn read<T: DeserializeOwned>(
    table: &'static str,
    row: &Row,
) -> Result<(i64, T), ReadBackError> {
    let id: Option<i64> = row.try_get(0).ok();
    let text: Option<&str> = row.try_get(1).ok();
    let shape = |source| ReadBackError::Shape { table, source };
    let value = serde_json::from_str(text.unwrap_or("null")).map_err(shape)?;
    Ok((id.unwrap_or_default(), value))
}

/// What is selected of a row `r` of a relation, and from where. `{account:x}` is the account `x`.
const fn selected_of(table: RelationTable) -> (&'static str, &'static str) {
    const BETWEEN_ACCOUNTS: &str = "JOIN public.accounts a ON a.id = r.account_id JOIN public.accounts t ON t.id = r.target_account_id";
    const OF_ACCOUNT: &str = "JOIN public.accounts a ON a.id = r.account_id";
    match table {
        RelationTable::Follows => (
            "'by', {account:a}, 'target', {account:t}, 'boosts', r.show_reblogs, 'languages', array_remove(r.languages, NULL)",
            BETWEEN_ACCOUNTS,
        ),
        RelationTable::Mutes => (
            "'by', {account:a}, 'target', {account:t}, 'until', floor(extract(epoch FROM r.expires_at) * 1000)::bigint",
            BETWEEN_ACCOUNTS,
        ),
        RelationTable::Blocks => ("'by', {account:a}, 'target', {account:t}", BETWEEN_ACCOUNTS),
        RelationTable::AccountDomainBlocks => ("'by', {account:a}, 'domain', r.domain", OF_ACCOUNT),
        RelationTable::Lists => (
            "'by', {account:a}, 'list', r.id, 'title', r.title, 'replies_policy', r.replies_policy, 'exclusive', r.exclusive",
            OF_ACCOUNT,
        ),
        RelationTable::ListAccounts => (
            "'by', {account:a}, 'target', {account:t}, 'list', r.list_id, 'has_follow', r.follow_id IS NOT NULL",
            "JOIN public.lists l ON l.id = r.list_id JOIN public.accounts a ON a.id = l.account_id \
             JOIN public.accounts t ON t.id = r.account_id",
        ),
        RelationTable::TagFollows => (
            "'by', {account:a}, 'tag', g.name",
            "JOIN public.accounts a ON a.id = r.account_id JOIN public.tags g ON g.id = r.tag_id",
        ),
        RelationTable::DomainBlocks => ("'domain', r.domain, 'severity', r.severity", ""),
    }
}
