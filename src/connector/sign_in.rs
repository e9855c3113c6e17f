//! When an account was last seen in Mastodon: asked of the database, since to ask Mastodon under its token counts as being seen.

use super::database::{Database, DatabaseError, Type};
use super::install_sql::Level;
use slackwater_order::time::Time;

/// When the user of an account, by its decimal number, was last seen; none if never, or if there is no such user.
pub async fn last_sign_in(
    database: &Database,
    account: &str,
) -> Result<Option<Time>, DatabaseError> {
    const QUERY: &str =
        "SELECT floor(extract(epoch FROM max(current_sign_in_at)) * 1000)::bigint FROM public.users
        WHERE account_id = $1::bigint";
    let rows = database.rows(QUERY, &[(&account, Type::TEXT)]).await?;
    match rows.first() {
        None => Ok(None),
        Some(row) => Ok(row.try_get::<_, Option<i64>>(0)?.map(Time::from_millis)),
    }
}

/// How far the installation goes; none if there is none.
pub async fn level(database: &Database) -> Result<Option<Level>, DatabaseError> {
    const QUERY: &str = "SELECT level FROM slackwater.installed LIMIT 1";
    let rows = database.texts(QUERY).await?;
    let level = rows.first().and_then(|row| row.first());
    Ok(level.map(|level| match level.as_deref() {
        Some("serve") => Level::Serve,
        _ => Level::Look,
    }))
}
