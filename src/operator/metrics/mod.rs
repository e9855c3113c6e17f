//! Numbers for Prometheus. Every label has a bounded set of values.
//!
//! | file | what is counted |
//! |---|---|
//! | [`pipeline`] | records, and what they came to on their way into feeds |
//! | [`feeds`] | what is kept: feeds, relations, checkpoints, the data folder |
//! | [`http`] | requests, rejected lines, streams |
//! | [`mastodon`] | Mastodon's API, and calls of the backend for it |
//! | [`connector`] | the connector to Mastodon's database |
//! | [`compare`] | the last daily comparison with Mastodon's homes |
//! | [`inbox`] | requests to inboxes that are passed on |
//! | [`origins`] | single origins, as they are when they are asked for |
//! | `labelled` | counters by the words of a bounded set |

pub mod compare;
pub mod connector;
pub mod feeds;
pub mod http;
pub mod inbox;
mod labelled;
pub mod mastodon;
pub mod origins;
pub mod pipeline;

use compare::CompareMetrics;
use connector::ConnectorMetrics;
use feeds::FeedMetrics;
use http::HttpMetrics;
use inbox::InboxMetrics;
use labelled::LabelledCounter;
use mastodon::MastodonMetrics;
use pipeline::PipelineMetrics;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;

/// All of them. Cheap to count on from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reloads: LabelledCounter,
    /// Records, and what they came to.
    pub pipeline: PipelineMetrics,
    /// What is kept, and how it is written.
    pub feeds: FeedMetrics,
    /// Requests, rejected lines and streams.
    pub http: HttpMetrics,
    /// Mastodon's API.
    pub mastodon: MastodonMetrics,
    /// The connector to Mastodon's database.
    pub connector: ConnectorMetrics,
    /// The last daily comparison with Mastodon's homes.
    pub compare: CompareMetrics,
    /// Requests to inboxes.
    pub inbox: InboxMetrics,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("slackwater"),
            reloads: LabelledCounter::new("outcome"),
            pipeline: PipelineMetrics::default(),
            feeds: FeedMetrics::default(),
            http: HttpMetrics::default(),
            mastodon: MastodonMetrics::default(),
            connector: ConnectorMetrics::default(),
            compare: CompareMetrics::default(),
            inbox: InboxMetrics::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// The configuration was read again: `taken_over`, `unchanged` or `refused`.
    pub fn reload(&self, outcome: &'static str) {
        self.reloads.count(outcome, 1);
    }

    /// In the OpenMetrics text format, with those of `more` behind them.
    pub fn text(&self, more: &Registry) -> String {
        let mut text = String::new();
        let encoded = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, more))
            .and_then(|()| encode_eof(&mut text));
        match encoded {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register(
            "config_reloads",
            "Times the configuration was read again, by outcome",
            self.reloads.family.clone(),
        );
        self.pipeline.register(r);
        self.feeds.register(r);
        self.http.register(r);
        self.mastodon.register(r);
        self.connector.register(r);
        self.compare.register(r);
        self.inbox.register(r);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown() {
        let metrics = Metrics::default();
        metrics.pipeline.read("activities", 3);
        metrics.pipeline.verdict("late");
        metrics.pipeline.dead_letters.inc();
        let text = metrics.text(&Registry::default());
        for line in [
            "slackwater_records_read_total{topic=\"activities\"} 3",
            "slackwater_posts_placed_total{verdict=\"late\"} 1",
            "slackwater_dead_letters_total 1",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
