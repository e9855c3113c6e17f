//! Responses that may be large: each is made when there is room for it, and counted until it has been sent.

use super::app::App;
use super::caller::{CallerContext, too_many};
use super::disk_reads;
use super::limits::CallerKey;
use super::problem::Problem;
use super::response_memory::{NoRoom, ResponseMemory, Room};
use axum::body::{self, Body, HttpBody};
use axum::response::Response;
use slackwater_engine::feed::store::disk::without_waiting;
use std::sync::Arc;

/// Answers below this are not waited with, in bytes: the system's own buffer for a connection holds more.
const SMALL_BYTES_MAX: u64 = 64 << 10;

/// How often a turn and room are tried for together, where each time one of them was free without the other.
const TRIES_MAX: usize = 10;

/// An answer that is counted.
#[derive(Clone, Copy)]
struct CountedMarker;

impl App {
    /// Makes a response for a caller, as [`disk_reads::read`] does, once there is room for it.
    pub(crate) async fn answered<E: From<Problem>>(
        &self,
        context: &CallerContext,
        make: impl Fn() -> Result<Response, E>,
    ) -> Result<Response, E> {
        let (answer, room) = self.made(context, make).await?;
        Ok(hold(room, answer?).await?)
    }

    /// The data for a response, and the room for it; 429 or 503 if there is none for too long.
    pub(crate) async fn made<T>(
        &self,
        context: &CallerContext,
        make: impl Fn() -> T,
    ) -> Result<(T, Room), Problem> {
        let made = made(&self.response_memory, context.key(), make).await;
        made.map_err(problem_of)
    }

    /// Room for a response to a caller; 429 or 503 if there is none for too long.
    pub(crate) async fn room(&self, context: &CallerContext) -> Result<Room, Problem> {
        self.room_of(context.key()).await
    }

    async fn room_of(&self, key: Option<CallerKey>) -> Result<Room, Problem> {
        self.response_memory.room(key).await.map_err(problem_of)
    }

    /// Counts a response that turned out large, though its kind seldom is.
    /// `render` gives the problem its form if there is no room.
    pub(crate) async fn count_large(
        &self,
        key: Option<CallerKey>,
        answer: Response,
        render: fn(Problem) -> Response,
    ) -> Response {
        let is_large = answer
            .body()
            .size_hint()
            .exact()
            .is_some_and(|bytes| SMALL_BYTES_MAX <= bytes);
        if !is_large || answer.extensions().get::<CountedMarker>().is_some() {
            return answer;
        }
        let counted = match self.room_of(key).await {
            Ok(room) => hold(room, answer).await,
            Err(problem) => Err(problem),
        };
        counted.unwrap_or_else(render)
    }
}

/// Makes the data for a response with room for it, and in a turn if it needs the disk. Neither is held while the other is waited
/// for: a request that waits for a turn leaves the room to responses that memory can make, and a request without room, whose
/// caller has not read earlier responses, leaves the turns to others.
async fn made<T>(
    response_memory: &Arc<ResponseMemory>,
    key: Option<CallerKey>,
    make: impl Fn() -> T,
) -> Result<(T, Room), NoRoom> {
    let room = response_memory.room(key.clone()).await?;
    if let Some(made) = without_waiting(&make) {
        return Ok((made, room));
    }
    drop(room);
    for _ in 0..TRIES_MAX {
        let turn = disk_reads::turn().await;
        if let Some(room) = response_memory.room_now(key.clone()) {
            return Ok((turn.read(make), room));
        }
        drop(turn);
        let room = response_memory.room(key.clone()).await?;
        if let Some(turn) = disk_reads::turn_now() {
            return Ok((turn.read(make), room));
        }
    }
    Err(NoRoom::InAll)
}

fn problem_of(why: NoRoom) -> Problem {
    match why {
        NoRoom::OfOne => too_many(&why.to_string(), 5),
        NoRoom::InAll => Problem::unavailable(why.to_string(), 5),
    }
}

/// An answer that keeps its share of the room until it has been sent.
pub(crate) async fn hold(room: Room, answer: Response) -> Result<Response, Problem> {
    let (mut head, made) = answer.into_parts();
    // All of it is in memory: there is no wait.
    let made = body::to_bytes(made, usize::MAX).await;
    let made = made.map_err(|e| Problem::internal(&e))?;
    head.extensions.insert(CountedMarker);
    Ok(Response::from_parts(head, Body::from(room.hold(made))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::response_memory::Limits;
    use futures_util::FutureExt;
    use slackwater_engine::feed::store::disk::{Disk, Tree};
    use std::pin::pin;
    use std::time::Duration;

    /// A failure means that readers whose pages are on disk take the room of readers whose pages are in memory, or that a reader
    /// that does not read its responses keeps the disk from all others.
    #[tokio::test(flavor = "multi_thread")]
    async fn who_waits_for_a_turn_holds_no_room_and_who_waits_for_room_no_turn() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path(), 1 << 20).unwrap();
        // Of one answer, in all.
        let response_memory = ResponseMemory::new(Limits {
            of_backend: 8 << 10,
            of_others: 8 << 10,
            of_one: 8 << 10,
            wait: Duration::from_secs(60),
        });
        let key = |account: &str| Some(CallerKey::Account(account.into()));
        let cold = || disk.get(Tree::Homes, b"7").is_ok();

        let mut turns: Vec<_> = Vec::new();
        for _ in 0..disk_reads::FETCHING_MAX {
            turns.push(disk_reads::turn().await);
        }
        let mut waiting = pin!(made(&response_memory, key("7"), cold));
        assert!(waiting.as_mut().now_or_never().is_none(), "no turn is free");
        let without_waiting = made(&response_memory, key("8"), || "page").now_or_never();
        let (page, room) = without_waiting.expect("there is room").unwrap();
        assert_eq!(page, "page");

        turns.clear();
        assert!(waiting.as_mut().now_or_never().is_none(), "no room is free");
        for _ in 0..disk_reads::FETCHING_MAX {
            let turn = tokio::time::timeout(Duration::from_secs(60), disk_reads::turn());
            turns.push(turn.await.expect("all turns are free"));
        }
        turns.clear();
        drop(room);
        let (found, _room) = waiting.await.unwrap();
        assert!(found);
    }
}
