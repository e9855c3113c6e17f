//! The end of the log at this moment. It is queried when a cursor is ahead of this node: as long as the log does not end before
//! the cursor, the cursor may be good.

use crate::clock;
use crate::log::LogWriter;
use slackwater_engine::record::offsets::Offsets;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit, TryAcquireError};

/// The shortest time between two queries: made-up cursors cost the log no more than this.
const QUERIES_APART: Duration = Duration::from_secs(1);

/// The most requests that wait at once for a log that their cursor is ahead of: where cursors are not sealed, anybody can make
/// such cursors.
const WAITING_MAX: usize = 64;

/// Queries the end of the log: one query at a time, for all requests that wait for it. Cheap to clone.
#[derive(Clone)]
pub struct LogEnd {
    log: Option<LogWriter>,
    last: Arc<Mutex<Option<LastAnswer>>>,
    waiting: Arc<Semaphore>,
}

/// The result of a query.
struct LastAnswer {
    begun: Instant,
    ends: Result<Arc<Offsets>, String>,
}

impl LogEnd {
    /// Queries the end of this log.
    pub fn of(log: LogWriter) -> LogEnd {
        LogEnd {
            log: Some(log),
            ..LogEnd::default()
        }
    }

    /// The reason why nothing can be appended to the log at the moment, if there is one.
    pub fn trouble(&self) -> Option<String> {
        self.log.as_ref().and_then(LogWriter::trouble)
    }

    /// A turn to wait for more records of the log. An error if too many requests wait.
    pub fn turn(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.waiting.try_acquire()
    }

    /// The end of each partition, by a query that began after this call. Errors: the reason why the log does not answer.
    pub async fn now(&self) -> Result<Arc<Offsets>, String> {
        let begun = clock::stopwatch();
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some(answer) = &*last {
            if begun <= answer.begun {
                return answer.ends.clone();
            }
            tokio::time::sleep(QUERIES_APART.saturating_sub(answer.begun.elapsed())).await;
        }
        let log = self.log.clone();
        // The next query waits for this one even if no request waits for its result any more.
        let query = tokio::task::spawn_blocking(move || {
            let begun = clock::stopwatch();
            let ends = match log {
                Some(log) => log.ends_now().map_err(|error| error.to_string()),
                None => Err("there is no log to ask".to_owned()),
            };
            if let Err(error) = &ends {
                tracing::warn!(%error, "a cursor has seen more than was heard of here, and where the log ends is not known: {error}");
            }
            let ends = ends.map(|ends| Arc::new(Offsets::new(&ends)));
            *last = Some(LastAnswer {
                begun,
                ends: ends.clone(),
            });
            ends
        });
        query.await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

/// Without a log: every query fails.
impl Default for LogEnd {
    fn default() -> LogEnd {
        LogEnd {
            log: None,
            last: Arc::default(),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }
}

impl std::fmt::Debug for LogEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogEnd")
    }
}
