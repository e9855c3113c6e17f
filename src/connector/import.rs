//! The first import of posts: those of local accounts and of whom they follow, as far back as posts are kept, with the times at
//! which they truly arrived. Oldest first, a page in one transaction.

use super::batch::{Batch, PostNotes};
use super::database::{Database, DatabaseError, ToSql, Type};
use super::drain::{self, DrainError, Sink};
use super::mapping::rows::StatusRow;
use super::outbox;
use super::progress::Progress;
use super::resolve::{Known, Resolver};
use slackwater_order::time::Time;

/// Posts of one page.
const POSTS_PAGE: i64 = 500;
/// How long after it was written a post that was given an id of the moment it was written may have arrived, and not have been fetched.
const AT_ONCE_MS: i64 = 60_000;

/// Imports a page of posts. Returns how many records it came to; none if another connector has the outbox.
pub async fn step<K: Known>(
    progress: &mut Progress,
    has_place_ids: bool,
    resolver: &Resolver<'_, K>,
    sink: &Sink,
) -> Result<Option<usize>, DrainError> {
    let work = locked_step(progress, has_place_ids, resolver, sink);
    outbox::in_turn(resolver.database, work).await
}

async fn locked_step<K: Known>(
    progress: &mut Progress,
    has_place_ids: bool,
    resolver: &Resolver<'_, K>,
    sink: &Sink,
) -> Result<usize, DrainError> {
    let ids = page(resolver.database, progress.posts_up_to).await?;
    let Some(last) = ids.last().copied() else {
        progress.has_posts = true;
        return Ok(0);
    };
    let rows = resolver
        .queries
        .statuses(resolver.database, &ids.into_iter().collect())
        .await?;
    let mut batch = Batch::default();
    for (nth, (id, row)) in rows.iter().enumerate() {
        let (arrived, is_fetched) = arrival(row, has_place_ids);
        let notes = PostNotes {
            // In the order of their ids.
            numbers: vec![i64::try_from(nth).unwrap_or(i64::MAX)],
            inserted: Some((arrived, is_fetched)),
            at: arrived,
            ..PostNotes::default()
        };
        batch.posts.insert(*id, notes);
    }
    let said = resolver.resolve(batch).await?;
    let records = drain::append(&said, resolver.known.places(), sink).await?;
    progress.posts_up_to = last;
    Ok(records.appended)
}

/// Posts above this id, lowest first, by local accounts and those whom they follow.
async fn page(database: &Database, after: i64) -> Result<Vec<i64>, DatabaseError> {
    let query = "SELECT s.id FROM public.statuses s WHERE s.id > $1 AND s.deleted_at IS NULL AND (s.local OR EXISTS ( \
                 SELECT FROM public.follows f JOIN public.accounts a ON a.id = f.account_id \
                 WHERE f.target_account_id = s.account_id AND a.domain IS NULL)) ORDER BY s.id LIMIT $2";
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&after, Type::INT8), (&POSTS_PAGE, Type::INT8)];
    let rows = database.rows(query, &parameters).await?;
    Ok(rows.iter().filter_map(|row| row.try_get(0).ok()).collect())
}

/// When a post arrived, and whether it was fetched. `updated_at` is when its row came, until it is edited. The id of a delivered one is
/// made of that moment too, unless ids are places; that of a fetched one of the second it was written in.
fn arrival(row: &StatusRow, has_place_ids: bool) -> (Time, bool) {
    let of_id = row.id >> 16;
    let arrived = match row.edited_at {
        None => row.updated_at,
        Some(_) => of_id.max(row.created_at),
    };
    let is_of_its_time = of_id.div_euclid(1000) == row.created_at.div_euclid(1000);
    let is_late = AT_ONCE_MS < arrived - row.created_at;
    (
        Time::from_millis(arrived),
        is_of_its_time && is_late && !has_place_ids,
    )
}
