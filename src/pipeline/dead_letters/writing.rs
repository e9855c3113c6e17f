//! The task that writes the queued letters.

use super::backlog::{Backlog, Letter};
use crate::log::{LogError, LogWriter};
use futures_util::future::join_all;
use slackwater_engine::record::Record;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The most letters that are written at once.
const BATCH_LETTERS: usize = 500;
/// The pause before letters that could not be written are tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Writes the queued letters, many at a time, each until it is durable.
pub(super) async fn write_all(
    log_writer: LogWriter,
    mut letters: mpsc::Receiver<Letter>,
    backlog: Arc<Backlog>,
) {
    let mut batch = Vec::new();
    while letters.recv_many(&mut batch, BATCH_LETTERS).await != 0 {
        while !batch.is_empty() {
            let writes = batch.iter().map(|letter| write(&log_writer, letter));
            let results = join_all(writes).await;
            let mut failed = None;
            {
                let mut state = backlog.state.lock();
                let mut results = results.into_iter();
                batch.retain(|letter| match results.next() {
                    Some(Ok(())) => {
                        state.remove(letter);
                        false
                    }
                    Some(Err(error)) => {
                        failed = Some(error);
                        true
                    }
                    None => true,
                });
                let failure = failed.as_ref().map(ToString::to_string);
                if let Some(error) = &failed
                    && state.failure != failure
                {
                    tracing::error!(
                        error = error as &dyn std::error::Error,
                        "setting records aside failed, to be tried again: {error}"
                    );
                }
                state.failure = failure;
            }
            let passes = match failed {
                None => true,
                Some(error) if error.is_passing() => !letters.is_closed(),
                Some(error) => {
                    backlog.state.lock().fatal = Some(error);
                    false
                }
            };
            backlog.changed.notify_all();
            if !passes {
                return;
            }
            if !batch.is_empty() {
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }
}

async fn write(log_writer: &LogWriter, letter: &Letter) -> Result<(), LogError> {
    let Letter { record, reason } = letter;
    match log_writer.dead_letter(record, reason).await {
        Err(error) if error.is_too_large() => {
            let bytes = record.value.as_ref().map_or(0, Vec::len);
            let reason = format!(
                "{reason} (its {bytes} bytes are too many for a dead letter: read it where it is)"
            );
            let emptied = Record {
                value: None,
                ..record.clone()
            };
            log_writer.dead_letter(&emptied, &reason).await
        }
        written => written,
    }
}
