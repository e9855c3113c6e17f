//! The backend asked for a reader. The number of calls at a time is bounded, in all and of each reader, and so are the time and the
//! bytes of an answer: a backend that is slow or away keeps no other request waiting.

use super::error::UpstreamError;
use super::kept_updates::AllBytes;
use super::outage::Outage;
use super::reader_calls::{Beginning, ReaderCalls};
use crate::api::auth::credentials::is_error;
use crate::api::auth::token::Token;
use crate::api::backend::{self, Backend};
use crate::api::outgoing::Answer;
use crate::clock;
use crate::mastodon::UpstreamOptions;
use crate::operator::metrics::Metrics;
use axum::body::Bytes;
use axum::http::StatusCode;
use parking_lot::Mutex;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use url::Url;

/// The longest time that a reader waits for a call, its turn included: less than the five seconds after which a proxy goes to the
/// backend itself.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(4);
/// The longest answer, in bytes: twenty statuses of the longest kind.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// The most calls at a time: more threads than most servers of Rails have. As many answers are in memory.
const CALLS_MAX: usize = 32;
/// The most readers that wait for a turn; to more the backend is away.
const WAITING_MAX: usize = 1_000;

/// The most connections to the streaming server that begin at a time: after a restart all clients come at once.
const CONNECTING_MAX: usize = 32;

/// The reader that the backend is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// The reader's own token.
    pub(crate) token: Token,
    /// The reader's address, if it is known.
    pub(crate) address: Option<IpAddr>,
}

/// The backend as the source of statuses. There is one.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(super) backend: Backend,
    /// The address of its streaming server, if that is known.
    pub(crate) streaming: Option<Url>,
    /// Whether statuses are shown as this service makes them while it is away.
    pub(crate) plain_when_away: bool,
    /// A turn to connect to the streaming server.
    pub(super) connecting: Semaphore,
    /// The bytes of new statuses that are kept for all clients.
    pub(super) kept_bytes: AllBytes,
    calls: Arc<Semaphore>,
    waiting: Semaphore,
    reader_calls: Mutex<ReaderCalls>,
    /// Wakes those that wait for other calls of their reader.
    ended: Notify,
    pub(super) outage: Outage,
    pub(super) streaming_outage: Outage,
    metrics: Arc<Metrics>,
}

/// A turn to make so many calls for a reader.
pub(super) struct Turn<'a> {
    counted: CountedCalls<'a>,
    _permits: OwnedSemaphorePermit,
}

/// Calls that are counted until this is dropped.
struct CountedCalls<'a> {
    upstream: &'a Upstream,
    reader: &'a Reader,
    calls: usize,
}

/// A wait for other calls of a reader that is counted until this is dropped.
struct CountedWait<'a>(&'a Upstream, &'a Reader);

impl Drop for CountedCalls<'_> {
    fn drop(&mut self) {
        let CountedCalls {
            upstream,
            reader,
            calls,
        } = self;
        upstream.reader_calls.lock().end(&reader.token, *calls);
        upstream.ended.notify_waiters();
    }
}

impl Drop for CountedWait<'_> {
    fn drop(&mut self) {
        let CountedWait(upstream, reader) = self;
        upstream.reader_calls.lock().waited(&reader.token);
    }
}

impl Upstream {
    /// The backend as `options` have it; no calls yet.
    pub(crate) fn new(
        backend: Backend,
        options: &UpstreamOptions,
        metrics: Arc<Metrics>,
    ) -> Upstream {
        Upstream {
            backend,
            streaming: options.streaming.clone(),
            plain_when_away: options.plain_when_away,
            connecting: Semaphore::new(CONNECTING_MAX),
            kept_bytes: AllBytes::default(),
            calls: Arc::new(Semaphore::new(CALLS_MAX)),
            waiting: Semaphore::new(WAITING_MAX),
            reader_calls: Mutex::default(),
            ended: Notify::new(),
            outage: Outage::of("the backend"),
            streaming_outage: Outage::of("the backend's streaming server"),
            metrics,
        }
    }

    /// Reads a path of the backend for a reader.
    pub(crate) async fn read(&self, reader: &Reader, path: &str) -> Result<Bytes, UpstreamError> {
        let reading = async {
            let turn = self.turn(reader, 1).await?;
            turn.read(path).await
        };
        let body = self.in_time(reading).await?;
        self.outage.end();
        Ok(body)
    }

    /// Whether one more call may be made for the streams of a reader; it is counted.
    pub(crate) fn may_call_for_stream(&self, reader: &Reader) -> bool {
        let mut reader_calls = self.reader_calls.lock();
        reader_calls.is_left_for_streams(&reader.token, clock::now())
    }

    /// The outcome of `asking`, if it has one in time.
    pub(crate) async fn in_time<T>(
        &self,
        asking: impl Future<Output = Result<T, UpstreamError>>,
    ) -> Result<T, UpstreamError> {
        let answered = tokio::time::timeout(ANSWER_WAIT, asking).await;
        answered.unwrap_or_else(|_| {
            self.metrics.mastodon.upstream_call("slow");
            self.outage.begin(&"no answer in time");
            Err(UpstreamError::Away)
        })
    }

    /// A turn for so many calls side by side.
    pub(super) async fn turn<'a>(
        &'a self,
        reader: &'a Reader,
        calls: usize,
    ) -> Result<Turn<'a>, UpstreamError> {
        let busy = |_| {
            self.metrics.mastodon.upstream_call("busy");
            UpstreamError::Away
        };
        let _waits = self.waiting.try_acquire().map_err(busy)?;
        let counted = self.counted(reader, calls).await?;
        let permits = u32::try_from(calls).unwrap_or(u32::MAX);
        let permits = Arc::clone(&self.calls).acquire_many_owned(permits).await;
        Ok(Turn {
            counted,
            _permits: permits.map_err(|_| UpstreamError::Away)?,
        })
    }

    /// Counts so many calls of a reader, once there are few enough others of the same reader.
    async fn counted<'a>(
        &'a self,
        reader: &'a Reader,
        calls: usize,
    ) -> Result<CountedCalls<'a>, UpstreamError> {
        loop {
            // Before they are counted: an end in between is noticed.
            let mut ended = std::pin::pin!(self.ended.notified());
            ended.as_mut().enable();
            let beginning = {
                let mut reader_calls = self.reader_calls.lock();
                reader_calls.begin(&reader.token, calls, clock::now())
            };
            match beginning {
                Beginning::Begun => {
                    return Ok(CountedCalls {
                        upstream: self,
                        reader,
                        calls,
                    });
                }
                Beginning::Refused(seconds) => return Err(UpstreamError::TooMany(seconds)),
                Beginning::Busy => {
                    let _counted = CountedWait(self, reader);
                    ended.await;
                }
            }
        }
    }

    /// The body of a good answer, or what another one means for the reader.
    fn judged(&self, reader: &Reader, path: &str, answer: Answer) -> Result<Bytes, UpstreamError> {
        let (outcome, error) = match answer.status {
            StatusCode::OK => {
                self.metrics.mastodon.upstream_call("answered");
                return Ok(answer.body);
            }
            StatusCode::UNAUTHORIZED => ("refused", UpstreamError::Invalid),
            StatusCode::FORBIDDEN if is_error(&answer.body) => {
                ("refused", UpstreamError::OutsideScope)
            }
            StatusCode::NOT_FOUND if is_error(&answer.body) => ("refused", UpstreamError::NotFound),
            StatusCode::TOO_MANY_REQUESTS => {
                let now = clock::now();
                let wait = backend::pause_of(&answer.headers, now);
                let until = now.plus(wait);
                let mut reader_calls = self.reader_calls.lock();
                reader_calls.refused(&reader.token, until, now);
                let seconds = u32::try_from(wait.as_secs()).unwrap_or(1).max(1);
                ("limited", UpstreamError::TooMany(seconds))
            }
            status => {
                let hint = match status.is_redirection() || status == StatusCode::FORBIDDEN {
                    true => ": is mastodon.web_domain the host that the backend is known by?",
                    false => "",
                };
                let (path, _) = path.split_once('?').unwrap_or((path, ""));
                self.outage.begin(&format!("{path}: {status}{hint}"));
                ("failed", UpstreamError::Away)
            }
        };
        self.metrics.mastodon.upstream_call(outcome);
        Err(error)
    }

    /// The backend answered with a body that is none.
    pub(super) fn answered_wrongly(&self, path: &str, why: &str) -> UpstreamError {
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        self.outage.begin(&format!("{path}: {why}"));
        self.metrics.mastodon.upstream_call("wrong");
        UpstreamError::Away
    }
}

impl Turn<'_> {
    /// Reads a path.
    pub(super) async fn read(&self, path: &str) -> Result<Bytes, UpstreamError> {
        let CountedCalls {
            upstream, reader, ..
        } = &self.counted;
        let Reader { token, address } = reader;
        let backend = &upstream.backend;
        let answer = backend.get(path, token, *address, ANSWER_WAIT, ANSWER_BYTES_MAX);
        match answer.await {
            Ok(answer) => upstream.judged(reader, path, answer),
            Err(error) => {
                upstream.outage.begin(&error);
                upstream.metrics.mastodon.upstream_call("failed");
                Err(UpstreamError::Away)
            }
        }
    }
}
