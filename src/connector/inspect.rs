//! What is there of Mastodon and of ours in a database, asked by a few queries that change nothing.

use super::columns::TABLES;
use super::database::{Database, DatabaseError};
use super::install_sql::{Level, NOTE_TRIGGER, PLACE_TRIGGER};
use slackwater_order::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Rows of the outbox that are counted; more are "more than".
pub const COUNTED_MAX: u64 = 100_000;
/// Posts that are looked at for their ids, at most.
const LATE_POSTS_MAX: u32 = 10_000;

/// What a database has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The role that asked.
    pub asked_by: String,
    /// The port the server itself listens on; none over a socket.
    pub server_port: Option<u16>,
    /// Tables in `public`, with their columns.
    pub columns: BTreeMap<String, BTreeSet<String>>,
    /// Triggers of ours, each with its table.
    pub triggers: BTreeMap<(String, String), TriggerState>,
    /// Functions of ours, each with its body.
    pub functions: BTreeMap<String, String>,
    /// Ours, if it is installed.
    pub ours: Ours,
}

/// Whether a trigger does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerState {
    /// It does.
    Enabled,
    /// Somebody disabled it, or made it one for replicas.
    Disabled,
}

/// What is installed of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ours {
    /// Nothing.
    #[default]
    Absent,
    /// Something that the role that asked may not see.
    Hidden,
    /// The schema without a row that says what is installed: an installation that did not end.
    Unfinished,
    /// All of it.
    Installed(Installed),
}

/// What an installation says of itself, and how its outbox is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The version of the SQL.
    pub version: u32,
    /// How far it goes.
    pub level: Level,
    /// The role that reads.
    pub role: String,
    /// Whether that role is there.
    pub has_role: bool,
    /// Since when posts get ids of the time they were written.
    pub serve_since: Option<Time>,
    /// Columns that the role should be able to read and cannot, as `table.column`.
    pub unreadable: BTreeSet<String>,
    /// Tables of ours that the role cannot use, or that are gone.
    pub unusable: BTreeSet<String>,
    /// The role whose rights the triggers have, if those do not let it write to the outbox.
    pub not_noting: Option<String>,
    /// The outbox; none if it cannot be read.
    pub outbox: Option<Outbox>,
    /// Late posts of the last hours; none if they cannot be read.
    pub late_posts: Option<LatePosts>,
}

/// The outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outbox {
    /// Its rows, at most one more than [`COUNTED_MAX`].
    pub rows: u64,
    /// How long its oldest row has waited.
    pub lag: Option<Duration>,
    /// Past how many rows nothing more is noted.
    pub rows_max: u64,
    /// Whether it was full.
    pub is_overflowed: bool,
}

/// Posts that came into the inbox over a minute after they were written, of those with ids of the last three hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatePosts {
    /// How many.
    pub all: u64,
    /// Those whose id is of the time they arrived.
    pub by_arrival: u64,
}

/// Looks at a database.
pub async fn inspect(database: &Database) -> Result<Found, DatabaseError> {
    let mut found = Found::default();
    for row in database
        .texts("SELECT current_user, inet_server_port()")
        .await?
    {
        found.asked_by = text(&row, 0);
        found.server_port = number(&row, 1);
    }
    let columns = "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = to_regnamespace('public') AND c.relkind IN ('r', 'p') AND 0 < a.attnum AND NOT a.attisdropped";
    for row in database.texts(columns).await? {
        found
            .columns
            .entry(text(&row, 0))
            .or_default()
            .insert(text(&row, 1));
    }
    let triggers = format!(
        "SELECT c.relname, t.tgname, t.tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
         WHERE c.relnamespace = to_regnamespace('public') AND t.tgname IN ('{NOTE_TRIGGER}', '{PLACE_TRIGGER}')"
    );
    for row in database.texts(&triggers).await? {
        let state = match text(&row, 2).as_str() {
            "O" | "A" => TriggerState::Enabled,
            _ => TriggerState::Disabled,
        };
        found.triggers.insert((text(&row, 0), text(&row, 1)), state);
    }
    let functions = "SELECT p.proname, p.prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'slackwater'";
    for row in database.texts(functions).await? {
        found.functions.insert(text(&row, 0), text(&row, 1));
    }
    found.ours = ours(database, &found).await?;
    Ok(found)
}

async fn ours(database: &Database, found: &Found) -> Result<Ours, DatabaseError> {
    let schema = "SELECT has_schema_privilege(n.oid, 'USAGE'), c.oid IS NOT NULL, has_table_privilege(c.oid, 'SELECT')
        FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'installed' WHERE n.nspname = 'slackwater'";
    let Some(row) = database.texts(schema).await?.into_iter().next() else {
        return Ok(Ours::Absent);
    };
    match (is_true(&row, 0), is_true(&row, 1), is_true(&row, 2)) {
        (true, true, true) => {}
        (true, false, _) => return Ok(Ours::Unfinished),
        _ => return Ok(Ours::Hidden),
    }
    let installed = "SELECT i.version, i.level, i.role, r.oid IS NOT NULL, floor(extract(epoch FROM i.serve_since) * 1000)
        FROM slackwater.installed i LEFT JOIN pg_roles r ON r.rolname = i.role LIMIT 1";
    let Some(row) = database.texts(installed).await?.into_iter().next() else {
        return Ok(Ours::Unfinished);
    };
    let mut installed = Installed {
        version: number(&row, 0).unwrap_or_default(),
        level: if text(&row, 1) == "serve" {
            Level::Serve
        } else {
            Level::Look
        },
        role: text(&row, 2),
        has_role: is_true(&row, 3),
        serve_since: number(&row, 4).map(Time::from_millis),
        unreadable: BTreeSet::new(),
        unusable: BTreeSet::new(),
        not_noting: None,
        outbox: None,
        late_posts: None,
    };
    if installed.has_role {
        rights(database, &mut installed).await?;
    }
    let not_noting = "SELECT pg_get_userbyid(p.proowner) FROM pg_proc p
            JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'outbox'
        WHERE n.nspname = 'slackwater' AND p.proname = 'note' AND NOT has_table_privilege(p.proowner, c.oid, 'INSERT')";
    let row = database.texts(not_noting).await?.into_iter().next();
    installed.not_noting = row.map(|row| text(&row, 0));
    // Whoever asks may have fewer rights than the role: what cannot be read is said by the rights, or not at all.
    installed.outbox = outbox(database).await.ok();
    if installed.level == Level::Serve && found.columns.contains_key("statuses") {
        installed.late_posts = late_posts(database).await.ok();
    }
    Ok(Ours::Installed(installed))
}

async fn rights(database: &Database, installed: &mut Installed) -> Result<(), DatabaseError> {
    let role = installed.role.replace('\'', "''");
    let wanted: Vec<String> = TABLES
        .iter()
        .flat_map(|table| {
            table
                .all_columns()
                .into_iter()
                .map(|column| format!("('{}', '{column}')", table.name))
        })
        .collect();
    let columns = format!(
        "SELECT w.tab || '.' || w.col FROM (VALUES {}) AS w (tab, col)
            JOIN pg_class c ON c.relnamespace = to_regnamespace('public') AND c.relname = w.tab
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = w.col AND NOT a.attisdropped
         WHERE NOT has_column_privilege('{role}', c.oid, a.attnum, 'SELECT')",
        wanted.join(", ")
    );
    for row in database.texts(&columns).await? {
        installed.unreadable.insert(text(&row, 0));
    }
    let tables = format!(
        "SELECT w.tab FROM (VALUES ('outbox', 'SELECT'), ('outbox', 'DELETE'), ('overflow', 'SELECT'), ('overflow', 'DELETE'),
                ('settings', 'SELECT'), ('installed', 'SELECT')) AS w (tab, deed)
            LEFT JOIN pg_class c ON c.relnamespace = to_regnamespace('slackwater') AND c.relname = w.tab
         WHERE NOT coalesce(has_table_privilege('{role}', c.oid, w.deed), false)
            OR NOT has_schema_privilege('{role}', 'slackwater', 'USAGE')
         UNION ALL SELECT p.proname FROM pg_proc p
         WHERE p.pronamespace = to_regnamespace('slackwater') AND p.proname = 'token_bearer'
            AND NOT has_function_privilege('{role}', p.oid, 'EXECUTE')"
    );
    for row in database.texts(&tables).await? {
        installed.unusable.insert(text(&row, 0));
    }
    Ok(())
}

async fn outbox(database: &Database) -> Result<Outbox, DatabaseError> {
    let query = format!(
        "SELECT (SELECT count(*) FROM (SELECT FROM slackwater.outbox LIMIT {COUNTED_MAX} + 1) AS counted),
            floor(extract(epoch FROM clock_timestamp() - (SELECT at FROM slackwater.outbox ORDER BY seq LIMIT 1)) * 1000),
            coalesce((SELECT value FROM slackwater.settings WHERE name = 'outbox_rows_max'), 5000000),
            EXISTS (SELECT FROM slackwater.overflow)"
    );
    let row = database
        .texts(&query)
        .await?
        .into_iter()
        .next()
        .unwrap_or_default();
    Ok(Outbox {
        rows: number(&row, 0).unwrap_or_default(),
        lag: number::<i64>(&row, 1)
            .map(|ms| Duration::from_millis(ms.try_into().unwrap_or_default())),
        rows_max: number(&row, 2).unwrap_or_default(),
        is_overflowed: is_true(&row, 3),
    })
}

/// An id of the arrival is known by `updated_at`, which is the arrival as long as nobody edits the post.
async fn late_posts(database: &Database) -> Result<LatePosts, DatabaseError> {
    let query = format!(
        "SELECT count(*), count(*) FILTER (WHERE abs((id >> 16) - extract(epoch FROM updated_at) * 1000) < 2000)
         FROM (SELECT id, updated_at FROM public.statuses
            WHERE (extract(epoch FROM now() - interval '3 hours') * 1000)::bigint << 16 < id AND local = false
                AND created_at < updated_at - interval '1 minute' AND updated_at < created_at + interval '23 hours'
                AND (SELECT serve_since FROM slackwater.installed) AT TIME ZONE 'UTC' < updated_at AND edited_at IS NULL
            ORDER BY id DESC LIMIT {LATE_POSTS_MAX}) AS late"
    );
    let row = database
        .texts(&query)
        .await?
        .into_iter()
        .next()
        .unwrap_or_default();
    Ok(LatePosts {
        all: number(&row, 0).unwrap_or_default(),
        by_arrival: number(&row, 1).unwrap_or_default(),
    })
}

fn text(row: &[Option<String>], nth: usize) -> String {
    row.get(nth).cloned().flatten().unwrap_or_default()
}

fn number<N: std::str::FromStr>(row: &[Option<String>], nth: usize) -> Option<N> {
    row.get(nth)?.as_deref()?.parse().ok()
}

fn is_true(row: &[Option<String>], nth: usize) -> bool {
    text(row, nth) == "t"
}
