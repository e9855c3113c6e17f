//! Posts that are kept, looked for in Mastodon's database: what is gone there, and was not noted, goes here too.

use super::database::{Database, Type};
use super::drain::{self, DrainError, Sink};
use super::mapping::MappedActivity;
use super::outbox;
use super::resolve::{Known, Said};
use serde_json::json;
use slackwater_engine::feed::post::{Post, State};
use slackwater_engine::view::View;
use slackwater_order::place::PostId;
use slackwater_order::time::Time;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Blocks of stored posts in one step.
const BLOCKS: usize = 20;

/// Looks for the next posts: first those that wait for a checkpoint, then the stored ones. Returns where to go on, which is nowhere at
/// the end; none, and nothing is looked for, while another connector has the outbox.
pub async fn step<K: Known>(
    from: PostId,
    database: &Database,
    view: &View,
    known: &K,
    sink: &Sink,
    now: Time,
) -> Result<Option<Option<PostId>>, DrainError> {
    let (posts, next) = tokio::task::block_in_place(|| {
        let unwritten = match from == PostId::MIN {
            true => view.store.unwritten_posts(),
            false => Vec::new(),
        };
        let (stored, next) = view.store.stored_posts(from, BLOCKS)?;
        let stored = stored.into_iter().map(Arc::new);
        Ok((
            unwritten.into_iter().chain(stored).collect::<Vec<_>>(),
            next,
        ))
    })
    .map_err(DrainError::Store)?;
    let whole: Vec<&Arc<Post>> = posts
        .iter()
        .filter(|post| post.state == State::Whole)
        .collect();
    let refs: Vec<i64> = whole.iter().filter_map(|post| ref_of(post)).collect();
    let work = async {
        let query = "SELECT id FROM public.statuses WHERE id = ANY ($1) AND deleted_at IS NULL";
        let rows = database.rows(query, &[(&refs, Type::INT8_ARRAY)]).await?;
        let there: BTreeSet<i64> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
        let gone = whole
            .iter()
            .filter(|post| ref_of(post).is_some_and(|id| !there.contains(&id)));
        let said = Said {
            activities: gone.map(|post| forgotten(post, now)).collect(),
            ..Said::default()
        };
        drain::append(&said, known.places(), sink).await
    };
    let done: Result<_, DrainError> = outbox::in_turn(database, work).await;
    Ok(done?.map(|_| next))
}

fn ref_of(post: &Post) -> Option<i64> {
    post.post_ref.as_deref()?.parse().ok()
}

/// Nobody can say any more whether its author deleted it.
fn forgotten(post: &Post, at: Time) -> MappedActivity {
    let (uri, author) = (&post.body.uri, &post.body.author);
    MappedActivity {
        activity: json!({"type": "Delete", "id": format!("{uri}#delete"), "actor": author, "object": uri}),
        post_ref: ref_of(post),
        author_ref: None,
        arrived: at,
        is_fetched: false,
        is_forgotten: true,
    }
}
