//! What the tests share, those of `tests/it` and the attacks.

pub(crate) mod backed;
pub(crate) mod broker;
pub(crate) mod cluster;
pub(crate) mod document;
pub(crate) mod failing;
pub(crate) mod fediverse;
pub(crate) mod instance;
pub(crate) mod mock_kafka;
pub(crate) mod nginx;
pub(crate) mod postgres;
pub(crate) mod prometheus;
pub(crate) mod replica;
pub(crate) mod roaming;
pub(crate) mod service;
pub(crate) mod surface;
pub(crate) mod upstream;
pub(crate) mod watcher;

use backon::{BlockingRetryable, ConstantBuilder};
use slackwater::clock;
use std::time::Duration;

/// The longest any state is waited for: a slow machine needs a while, a lost wake-up for ever.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Whether measurements are made over enough to mean something; else they run small, so that they cannot rot.
pub(crate) fn measures() -> bool {
    std::env::var_os("SLACKWATER_MEASURE").is_some()
}

/// So many times as this variable of the environment says, which a run that is to be sure sets; else so many.
pub(crate) fn times(variable: &str, usual: usize) -> usize {
    let set = std::env::var(variable).ok();
    set.map_or(usual, |set| {
        set.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {set}"))
    })
}

/// Sends a process a signal.
pub(crate) fn signal(process: u32, signal: &str) {
    let sent = std::process::Command::new("kill")
        .args(["-s", signal, &process.to_string()])
        .status();
    assert!(sent.expect("kill").success(), "{signal} to {process}");
}

/// Looks until there is an answer, and fails the test with `what` if there never is.
pub(crate) fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    let answer = wait_within(DEADLINE, look);
    answer.unwrap_or_else(|| panic!("waited {DEADLINE:?} in vain for {what}"))
}

/// Looks until there is an answer, for so long at most.
pub(crate) fn wait_within<T>(most: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = clock::stopwatch();
    let every = ConstantBuilder::new().with_delay(Duration::from_millis(20));
    let looking = || look().ok_or(());
    let until = every.without_max_times();
    looking
        .retry(until)
        .when(|()| begun.elapsed() < most)
        .call()
        .ok()
}
