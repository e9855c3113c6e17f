//! Numbers of requests that are passed on between the nodes of a cluster.

use super::labelled::LabelledCounter;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// What comes of passing a request on.
const OUTCOMES: [&str; 6] = ["answered", "moved", "away", "refused", "lost", "nobody"];

/// What was passed on.
#[derive(Debug)]
pub struct ForwardingMetrics {
    forwarded: LabelledCounter,
    /// Requests that came from another node for an account that this one does not answer for.
    pub misrouted: Counter,
}

impl Default for ForwardingMetrics {
    fn default() -> ForwardingMetrics {
        ForwardingMetrics {
            forwarded: LabelledCounter::new("outcome", OUTCOMES),
            misrouted: Counter::default(),
        }
    }
}

impl ForwardingMetrics {
    /// A request was passed on to a node that `answered`, does not answer for the account any more (`moved`), could not be connected to
    /// (`away`) or ended the connection (`lost`); or in the end there was `nobody` to answer it.
    pub fn forwarded(&self, outcome: &'static str) {
        self.forwarded.count(outcome, 1);
    }

    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "forwarded",
            "Requests passed on to another node, by what came of it; a request that is tried at several nodes counts for each",
            self.forwarded.family.clone(),
        );
        r.register(
            "misrouted",
            "Requests that came from another node for an account that this one does not answer for",
            self.misrouted.clone(),
        );
    }
}
