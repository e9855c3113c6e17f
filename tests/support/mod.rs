//! What integration tests share. Each of them uses a part of it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub(crate) mod broker;
pub(crate) mod service;

use slackwater::clock;
use std::time::Duration;

/// The longest any state is waited for: a slow machine needs a while, a lost wake-up for ever.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Looks until there is an answer, and fails the test with `what` if there never is.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = clock::stopwatch();
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(
            begun.elapsed() < DEADLINE,
            "waited {DEADLINE:?} in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
