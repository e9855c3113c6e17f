//! Request bodies, read into bounded memory within a bounded time.

use super::app::App;
use super::append_body::BODY_BYTES_MAX;
use super::problem::Problem;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use bytes::BytesMut;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The span of time in which ...
const PROGRESS_WAIT: Duration = Duration::from_secs(10);
/// ... this many bytes of a body must arrive, or its end. A bad line is that fast.
const PROGRESS_BYTES: usize = 16 << 10;
/// The most bytes that are read of a refused body.
const REFUSED_BYTES_MAX: usize = 4 * BODY_BYTES_MAX;
/// The longest time for which a refused body is read.
const REFUSED_WAIT: Duration = Duration::from_secs(5);

impl App {
    /// Reads the body of a request of the backend's, once there is room for it; the room is free again when the share is
    /// dropped. 413 if it is too large, 408 if it does not come on.
    pub(super) async fn body(
        &self,
        request: Request,
    ) -> Result<(Bytes, OwnedSemaphorePermit), Problem> {
        with_room(request, Arc::clone(&self.bodies)).await
    }
}

/// Reads a body once there is room for it, in KiB; the room is free again when the share is dropped. Errors as of [`App::body`].
pub(crate) async fn with_room(
    request: Request,
    room: Arc<Semaphore>,
) -> Result<(Bytes, OwnedSemaphorePermit), Problem> {
    let request = announced(request, BODY_BYTES_MAX).await?;
    let kib = length(&request).unwrap_or(BODY_BYTES_MAX) / 1024 + 1;
    let share = room
        .acquire_many_owned(u32::try_from(kib).unwrap_or(u32::MAX))
        .await;
    let share = share.map_err(|_| Problem::unavailable("this node is stopping", 5))?;
    Ok((read(request, BODY_BYTES_MAX).await?, share))
}

/// Reads a body that is small enough to be bounded by the bound on requests, so that it waits for no other body. Errors as of
/// [`App::body`].
pub(super) async fn small(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    read(announced(request, bytes_max).await?, bytes_max).await
}

/// Reads a refused body without keeping it, so that a client that is still sending gets to read the response.
pub(super) async fn refuse(request: Request, problem: Problem) -> Problem {
    read_on(request.into_body()).await;
    problem
}

/// Checks that a request does not announce too large a body.
async fn announced(request: Request, bytes_max: usize) -> Result<Request, Problem> {
    if length(&request).is_some_and(|length| bytes_max < length) {
        return Err(refuse(request, too_large(bytes_max)).await);
    }
    Ok(request)
}

fn length(request: &Request) -> Option<usize> {
    let length = request.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

async fn read(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut all = BytesMut::with_capacity(length(&request).unwrap_or(0).min(bytes_max));
    let mut body = request.into_body();
    loop {
        let part = part(&mut body, &mut all, bytes_max);
        match tokio::time::timeout(PROGRESS_WAIT, part).await {
            Ok(Ok(Part::Last)) => return Ok(all.freeze()),
            Ok(Ok(Part::More)) => {}
            Ok(Ok(Part::TooLarge)) => {
                drop(all);
                read_on(body).await;
                return Err(too_large(bytes_max));
            }
            Ok(Err(error)) => {
                let detail = format!("the body did not come whole: {error}");
                return Err(Problem::bad_request(detail));
            }
            Err(_) => {
                let detail = format!(
                    "of the body fewer than {PROGRESS_BYTES} bytes came in {} seconds: send it again",
                    PROGRESS_WAIT.as_secs()
                );
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
            }
        }
    }
}

/// The part of a body that arrived in one span.
enum Part {
    More,
    Last,
    TooLarge,
}

async fn part(body: &mut Body, all: &mut BytesMut, bytes_max: usize) -> Result<Part, axum::Error> {
    let before = all.len();
    while all.len() < before + PROGRESS_BYTES {
        let Some(frame) = body.frame().await else {
            return Ok(Part::Last);
        };
        if let Ok(bytes) = frame?.into_data() {
            if bytes_max < all.len() + bytes.len() {
                return Ok(Part::TooLarge);
            }
            all.extend_from_slice(&bytes);
        }
    }
    Ok(Part::More)
}

async fn read_on(mut body: Body) {
    let reading = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if REFUSED_BYTES_MAX < read {
                break;
            }
        }
    };
    // A slow client has had time to see that its body is refused.
    let _ = tokio::time::timeout(REFUSED_WAIT, reading).await;
}

fn too_large(bytes_max: usize) -> Problem {
    let detail = match bytes_max {
        BODY_BYTES_MAX => {
            format!("the body is larger than {BODY_BYTES_MAX} bytes: send it in parts")
        }
        _ => format!("the body is larger than {bytes_max} bytes, and what is sent here is small"),
    };
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}
