//! Numbers of what is asked over HTTP: requests, what is posted and rejected, streams.

use super::labelled::{LabelledCounter, Labels};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Requests, rejected lines and streams.
#[derive(Debug)]
pub struct HttpMetrics {
    requests: Family<Labels, Counter>,
    rejected_lines: Family<Labels, Counter>,
    streams_ended: LabelledCounter,
    /// Readers connected to streams.
    pub streams: Gauge,
}

impl Default for HttpMetrics {
    fn default() -> HttpMetrics {
        HttpMetrics {
            requests: Family::default(),
            rejected_lines: Family::default(),
            streams_ended: LabelledCounter::new("reason"),
            streams: Gauge::default(),
        }
    }
}

impl HttpMetrics {
    /// A request to `route` (the pattern, not the path) was answered with `status`.
    pub fn request(&self, route: &str, status: u16) {
        self.requests
            .get_or_create(&vec![
                ("route", route.to_owned()),
                ("status", status.to_string()),
            ])
            .inc();
    }

    /// A line that was posted was rejected for this reason (a bounded set of words).
    pub fn rejected_line(&self, reason: &'static str) {
        let labels = vec![("reason", reason.to_owned())];
        self.rejected_lines.get_or_create(&labels).inc();
    }

    /// A stream ended for this reason (a bounded set of words).
    pub fn stream_ended(&self, reason: &'static str) {
        self.streams_ended.count(reason, 1);
    }

    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "http_requests",
            "Requests by route and status",
            self.requests.clone(),
        );
        r.register(
            "rejected_lines",
            "Lines and single documents that were posted and rejected, by reason",
            self.rejected_lines.clone(),
        );
        r.register(
            "streams_ended",
            "Streams ended, by reason",
            self.streams_ended.family.clone(),
        );
        r.register(
            "streams",
            "Readers connected to streams",
            self.streams.clone(),
        );
    }
}
