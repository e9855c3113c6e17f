//! Answers that may be large: made when there is room for one, and counted until they have been sent.

use super::App;
use super::asking::{Asking, too_many};
use crate::reader::connections::Who;
use crate::reader::problem::Problem;
use crate::reader::reading;
use crate::reader::unread::{NoRoom, Room};
use axum::body::{self, Body, HttpBody};
use axum::response::Response;

/// Answers below this are not waited with, in bytes: the system's own buffer for a connection holds more.
const SMALL_BYTES_MAX: u64 = 64 << 10;

/// An answer that is counted.
#[derive(Clone, Copy)]
struct Counted;

impl App {
    /// Makes an answer for whoever asks, as [`reading::read`] does, once there is room for it.
    pub(super) async fn answered<E: From<Problem>>(
        &self,
        asking: &Asking,
        make: impl Fn() -> Result<Response, E>,
    ) -> Result<Response, E> {
        let room = self.room(asking).await?;
        let answer = reading::read(make).await?;
        Ok(hold(room, answer).await?)
    }

    /// Room for an answer to whoever asks; 429 or 503 if there is none for too long.
    pub(super) async fn room(&self, asking: &Asking) -> Result<Room, Problem> {
        self.room_of(asking.who()).await
    }

    async fn room_of(&self, who: Option<Who>) -> Result<Room, Problem> {
        self.unread.room(who).await.map_err(|why| match why {
            NoRoom::OfOne => too_many(&why.to_string(), 5),
            NoRoom::InAll => Problem::unavailable(why.to_string(), 5),
        })
    }

    /// Counts an answer that turned out large, though nobody expected that of its kind.
    /// `refused` says in whose words there is no room for it.
    pub(super) async fn count_large(
        &self,
        who: Option<Who>,
        answer: Response,
        refused: fn(Problem) -> Response,
    ) -> Response {
        let is_large = answer
            .body()
            .size_hint()
            .exact()
            .is_some_and(|bytes| SMALL_BYTES_MAX <= bytes);
        if !is_large || answer.extensions().get::<Counted>().is_some() {
            return answer;
        }
        let counted = match self.room_of(who).await {
            Ok(room) => hold(room, answer).await,
            Err(problem) => Err(problem),
        };
        counted.unwrap_or_else(refused)
    }
}

/// An answer that keeps its share of the room until it has been sent.
pub(super) async fn hold(room: Room, answer: Response) -> Result<Response, Problem> {
    let (mut head, made) = answer.into_parts();
    // All of it is there: nothing is waited for.
    let made = body::to_bytes(made, usize::MAX).await;
    let made = made.map_err(|e| Problem::internal(&e))?;
    head.extensions.insert(Counted);
    Ok(Response::from_parts(head, Body::from(room.hold(made))))
}
