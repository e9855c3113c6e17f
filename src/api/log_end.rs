//! The end of the log at this moment. The log is asked anew when a cursor has seen more than this node knows of: until the log
//! itself says that it ends before a cursor, the cursor may be good.

use crate::clock;
use crate::log::LogWriter;
use slackwater_engine::record::offsets::Offsets;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit, TryAcquireError};

/// How far apart two looks are: whoever sends cursors that nobody gave costs the log no more than this.
const LOOKS_APART: Duration = Duration::from_secs(1);

/// How many wait at once to hear of more of the log: where cursors are not sealed, anybody can make some that do.
const WAITING_MAX: usize = 64;

/// Looks where the log ends: one look at a time, for all who wait for it. Cheap to clone.
#[derive(Clone)]
pub struct LogEnd {
    log: Option<LogWriter>,
    last: Arc<Mutex<Option<LastAnswer>>>,
    waiting: Arc<Semaphore>,
}

/// What a look found.
struct LastAnswer {
    begun: Instant,
    ends: Result<Arc<Offsets>, String>,
}

impl LogEnd {
    /// Looks at this log.
    pub fn of(log: LogWriter) -> LogEnd {
        LogEnd {
            log: Some(log),
            ..LogEnd::default()
        }
    }

    /// Why nothing can be appended to it at the moment, if that is so.
    pub fn trouble(&self) -> Option<String> {
        self.log.as_ref().and_then(LogWriter::trouble)
    }

    /// A turn to wait until more is heard of the log, if not too many do.
    pub fn turn(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.waiting.try_acquire()
    }

    /// Where each partition ends, found by a look that began after this call. Errors: why the log does not say.
    pub async fn now(&self) -> Result<Arc<Offsets>, String> {
        let begun = clock::stopwatch();
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some(answer) = &*last {
            if begun <= answer.begun {
                return answer.ends.clone();
            }
            tokio::time::sleep(LOOKS_APART.saturating_sub(answer.begun.elapsed())).await;
        }
        let log = self.log.clone();
        // The next look waits for this one even if nobody waits for its answer any more.
        let looking = tokio::task::spawn_blocking(move || {
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
        looking.await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

/// Of no log, which never says where it ends.
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
