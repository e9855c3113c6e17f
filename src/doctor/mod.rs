//! Whether all that the service rests on is as it should be, looked at from beside it: nothing is opened for writing, and neither the
//! data folder nor the built-in log is locked, so that it also works while the service runs.
//!
//! | module | what it is |
//! |---|---|
//! | [`finding`] | one thing that was looked at, what it means, and what to do |
//! | `log_checks` | the broker and its topics, or the folder of the built-in log |
//! | `cluster_checks` | the topic of the nodes, and the other nodes |
//! | `machine` | folders, free space, open files, memory |
//! | `backend_checks` | tokens, Mastodon's database, the servers behind the service |
//! | `service_check` | the running service |

mod backend_checks;
mod cluster_checks;
pub mod finding;
mod log_checks;
mod machine;
mod service_check;

pub use finding::{Finding, State};

use crate::config::Config;
use crate::config::advice::advice;
use finding::Found;
use futures_util::future::{BoxFuture, FutureExt, join_all};
use slackwater_order::time::Time;
use std::time::Duration;

/// How long one check may take. Past that it has found that nothing answers.
const CHECK_WAIT: Duration = Duration::from_secs(20);

/// Makes every check that this configuration calls for, beside each other. The findings are in the order of the checks, whichever ends
/// first. `now` is the machine's time.
///
/// It spawns threads that may outlive it by some seconds, where something does not answer: end the runtime without waiting for them.
pub async fn examine(config: &Config, now: Time) -> Vec<Finding> {
    let mut checks: Vec<(&'static str, BoxFuture<'_, Vec<Found>>)> = Vec::new();
    checks.push(("service", service_check::running(config).boxed()));
    checks.extend(log_checks::checks(config, now));
    checks.extend(cluster_checks::checks(config, now));
    checks.push(("settings", async { settings(config) }.boxed()));
    checks.push(("disk", async { machine::folders(config) }.boxed()));
    checks.push(("open files", async { machine::open_files(config) }.boxed()));
    checks.push(("memory", async { machine::memory(config) }.boxed()));
    checks.extend(backend_checks::checks(config, now));
    let bounded = checks.into_iter().map(|(about, check)| async move {
        let found = tokio::time::timeout(CHECK_WAIT, check).await;
        let found = found.unwrap_or_else(|_| {
            let seconds = CHECK_WAIT.as_secs();
            vec![Found::wrong(
                format!("no answer within {seconds} s"),
                "see whether it is overloaded, or something between here and there drops what is sent",
            )]
        });
        found.into_iter().map(move |found| found.about(about))
    });
    join_all(bounded).await.into_iter().flatten().collect()
}

/// Settings that defeat each other.
fn settings(config: &Config) -> Vec<Found> {
    let advice = advice(config).into_iter();
    advice
        .map(|it| Found::warning(format!("{}: {}", it.keys, it.found), it.instead))
        .collect()
}

/// Runs a check that blocks on a thread of its own.
async fn blocking<T: Send + 'static>(
    check: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(check).await;
    done.map_err(|error| format!("the check itself failed: {error}"))
}
