//! The delays of an instance's own posts, as a trace for `slackwater tune`.
//!
//! A post that came into the inbox has an id made of the moment it came, and `created_at` is when its author's server says it was
//! written. `docs/mastodon-delays.sql` gives the same with psql alone; a test compares the two.

use super::database::{Database, DatabaseError};
use super::inspect::{Ours, inspect};
use crate::operator::trace_export::Sighting;
use futures_util::TryStreamExt;
use slackwater_engine::host::origin_of;
use slackwater_order::time::Time;
use std::io::{self, Write};
use std::pin::pin;

/// The most days that may be asked for.
pub const DAYS_MAX: u32 = 3_660;
/// How long the database may take, as PostgreSQL writes it: rows are read no faster than they are written out.
const STATEMENT_TIMEOUT: &str = "1h";
/// Rows between two reports of progress.
const PROGRESS_EVERY: u64 = 1_000;

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DelayCounts {
    /// Posts, each a line.
    pub posts: u64,
    /// Posts whose author's host or whose time is none.
    pub unusable: u64,
    /// Until when ids say something of delays: posts that came later are not in it.
    pub until: Option<Time>,
}

/// Why there is no trace.
#[derive(Debug, thiserror::Error)]
pub enum DelaysError {
    /// The database did not answer.
    #[error("reading the delays")]
    Database(#[from] DatabaseError),
    /// The lines cannot be written.
    #[error("writing the trace")]
    Write(#[from] io::Error),
    /// No id of these days says anything of delays.
    #[error(
        "since {} posts get ids of the time they were written, so Mastodon's database says nothing of delays any more; Slackwater's own \
         log does: `slackwater trace`", .since.rfc3339()
    )]
    IdsArePlaces {
        /// Since when.
        since: Time,
    },
    /// The database did not say what time it has.
    #[error("the database does not say what time it has")]
    NoTime,
}

/// Writes a line for each post that came into the inbox in the last `days`, in the order they came. It changes nothing. `progress` is
/// given how much of how much is read, in milliseconds of that time.
pub async fn write(
    database: &Database,
    days: u32,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<DelayCounts, DelaysError> {
    let days = days.min(DAYS_MAX);
    let asked = format!(
        "SELECT (extract(epoch FROM now() - {days} * interval '1 day') * 1000)::bigint, (extract(epoch FROM now()) * 1000)::bigint"
    );
    let row = database
        .texts(&asked)
        .await?
        .into_iter()
        .next()
        .unwrap_or_default();
    let millis = |nth: usize| -> Result<i64, DelaysError> {
        let text = row.get(nth).and_then(Option::as_deref);
        text.and_then(|text| text.parse().ok())
            .ok_or(DelaysError::NoTime)
    };
    let (first, now) = (millis(0)?, millis(1)?);
    let until = match inspect(database).await?.ours {
        Ours::Installed(installed) => installed.serve_since,
        _ => None,
    };
    let last = until.map_or(now, |until| until.millis().min(now));
    if let Some(since) = until.filter(|_| last <= first) {
        return Err(DelaysError::IdsArePlaces { since });
    }
    database
        .run(&format!(
            "BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"
        ))
        .await?;
    let mut counts = DelayCounts {
        until,
        ..DelayCounts::default()
    };
    let query = include_str!("sql/delays.sql")
        .replace("{first}", &(first << 16).to_string())
        .replace("{last}", &(last << 16).to_string());
    let mut rows = pin!(database.stream(&query).await?);
    let mut read: u64 = 0;
    while let Some(row) = rows.try_next().await? {
        let column = DatabaseError::Statement;
        let host: String = row.try_get(0).map_err(column)?;
        let published = Time::from_millis(row.try_get(1).map_err(column)?);
        let arrived = Time::from_millis(row.try_get(2).map_err(column)?);
        let is_sane = (Time::EARLIEST..=Time::LATEST).contains(&published);
        match origin_of(&format!("https://{host}")).filter(|_| is_sane) {
            Some(origin) => {
                let line = Sighting {
                    origin: &origin,
                    published,
                    arrived,
                };
                serde_json::to_writer(&mut *out, &line).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
                counts.posts += 1;
            }
            None => counts.unusable += 1,
        }
        read += 1;
        if read.is_multiple_of(PROGRESS_EVERY) {
            progress(arrived.millis().abs_diff(first), last.abs_diff(first));
        }
    }
    out.flush()?;
    database.run("COMMIT").await?;
    Ok(counts)
}
