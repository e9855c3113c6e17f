//! Whether a server of the backend answers as it should. Every request of every reader fails while it does not: the log says so once,
//! and again when it is over.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};

/// The state of one server.
#[derive(Debug)]
pub(super) struct Outage {
    /// The server, as a sentence's subject.
    server: &'static str,
    is_out: AtomicBool,
}

impl Outage {
    /// A server that answers, as far as is known.
    pub(super) fn of(server: &'static str) -> Outage {
        Outage {
            server,
            is_out: AtomicBool::new(false),
        }
    }

    /// It did not answer as it should. Whether that is new.
    pub(super) fn begin(&self, why: &dyn Display) -> bool {
        let server = self.server;
        let is_new = !self.is_out.swap(true, Ordering::Relaxed);
        if is_new {
            tracing::warn!(
                "{server} does not answer as it should, and this is logged once until it does: {why}"
            );
        } else {
            tracing::debug!("{server} does not answer as it should: {why}");
        }
        is_new
    }

    /// It answered. Whether that is new.
    pub(super) fn end(&self) -> bool {
        // Most calls change nothing, and need not write.
        let is_new =
            self.is_out.load(Ordering::Relaxed) && self.is_out.swap(false, Ordering::Relaxed);
        if is_new {
            tracing::info!("{} answers again", self.server);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_said_when_it_begins_and_when_it_ends() {
        let outage = Outage::of("the backend");
        assert!(!outage.end());
        assert!(outage.begin(&"500"));
        assert!(!outage.begin(&"500"));
        assert!(outage.end());
        assert!(!outage.end());
        assert!(outage.begin(&"500"));
    }
}
